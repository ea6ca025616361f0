use super::*;

#[test]
fn times_are_set_where_a_format_has_a_use_for_them() {
    let set = |parser, [field, format, zone]: [Option<&str>; 3]| {
        let [time_field, time_format, time_zone] =
            [field, format, zone].map(|text| text.map(str::to_owned));
        let settings = RecipeSettings {
            parser,
            time_field,
            time_format,
            time_zone,
            ..RecipeSettings::default()
        };
        settings.recipe().map(drop).map_err(|error| error.to_string())
    };
    let all = [Some("a.b"), Some("unix"), Some("+01:00")];
    set(ParserKind::Json, all).unwrap();
    set(ParserKind::W3c, [None, None, Some("+01:00")]).unwrap();
    set(ParserKind::Raw, [None; 3]).unwrap();
    for (parser, settings, start) in [
        (
            ParserKind::W3c,
            all,
            "monitor.time_field: expected none unless parser = json, regex or grok,",
        ),
        (
            ParserKind::Raw,
            [None, Some("unix"), None],
            "monitor.time_format: expected none unless parser = json, regex or grok,",
        ),
        (
            ParserKind::Combined,
            [None, None, Some("+01:00")],
            "monitor.time_zone: expected none unless parser = json or w3c,",
        ),
        (
            ParserKind::Json,
            [None, Some("%H"), None],
            "monitor.time_format: expected a pattern of which a time can be read, found \"%H\"",
        ),
        (ParserKind::Json, [None, None, Some("x")], "monitor.time_zone: expected a name"),
    ] {
        let problem = set(parser, settings).unwrap_err();
        assert!(problem.starts_with(start), "{problem}");
    }
}
