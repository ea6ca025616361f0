//! Words that cannot both be followed: they are refused, or one of them would be ignored.

use clap::ArgMatches;
use omphalos_common::config::ConfigError;
use omphalos_live::alert::{Of, Rule};
use omphalos_live::{Dimension, Settings as LiveSettings};
use omphalos_shipper::monitor::PIPE;

use super::{From, is_once};
use crate::run::Settings;
use crate::top::source::missing::check_fields;

/// Refuses sources of lines that are named together: one of them would be ignored.
pub fn check_single(given: &ArgMatches, has_history: bool) -> Result<(), ConfigError> {
    // What is named, what it is for, and by which words.
    let groups: [(&str, &str, &[&str]); 4] = [
        ("--since is", "what is stored", &["since"]),
        ("--amqp-url is", "a fleet", &["amqp.url", "amqp.url_file"]),
        ("--udp is", "what comes as datagrams", &["receive.listen"]),
        ("names are", "files", &["monitor.paths"]),
    ];
    let is_named = |words: &[&str]| words.iter().any(|word| given.contains_id(word));
    let groups = groups.iter().skip(usize::from(!has_history));
    let mut named = groups.filter(|(.., words)| is_named(words));
    let (Some((first, what, _)), Some((second, other, _))) = (named.next(), named.next()) else {
        return Ok(());
    };
    let (second, _) = second.split_once(' ').unwrap_or((second, ""));
    Err(ConfigError::invalid(format!(
        "{first} for {what}, not for {other} ({second}): leave one of them out"
    )))
}

/// Refuses to begin at an end where nothing can come behind it, or there is none.
pub fn check_beginning(settings: &Settings, given: &ArgMatches) -> Result<(), ConfigError> {
    if !begins_at_end(given) {
        return Ok(());
    }
    if is_once(given) {
        return Err(ConfigError::invalid(
            "--from end begins where --once ends (as does --json without --batch), so that no line would be counted: leave one of them out",
        ));
    }
    let mut paths = settings.shipper.monitor.iter().flat_map(|table| &table.paths);
    if paths.any(|path| path == PIPE) {
        return Err(ConfigError::invalid(
            "--from end is for files: standard input (-) can only be read from its beginning",
        ));
    }
    if ["amqp.url", "amqp.url_file", "receive.listen"].iter().any(|name| given.contains_id(name)) {
        return Err(ConfigError::invalid(
            "--from end is for files: a fleet and datagrams are counted from now on in any case",
        ));
    }
    Ok(())
}

/// Whether reading begins at the ends of files.
pub fn begins_at_end(given: &ArgMatches) -> bool {
    given.get_one::<String>("from").is_some_and(|from| from == "end")
}

/// Refuses a sample of what is no fleet.
pub fn check_unsampled(given: &ArgMatches) -> Result<(), ConfigError> {
    if given.contains_id("sample") {
        return Err(ConfigError::invalid("--sample is for fleets: give --amqp-url as well"));
    }
    Ok(())
}

/// Refuses what is for lines that have an end.
pub fn check_endless(given: &ArgMatches, what: &str) -> Result<(), ConfigError> {
    if is_once(given) || given.contains_id("replay") {
        return Err(ConfigError::invalid(format!(
            "{what} has no end and no beginning: --once, --replay and --json without --batch are for files and what is stored"
        )));
    }
    Ok(())
}

/// Refuses rules about fields that only documents have, where lines of files are judged: they would never
/// raise anything.
pub fn check_rules(from: &From, rules: &[Rule]) -> Result<(), ConfigError> {
    if !matches!(from, From::Files(_)) {
        return Ok(());
    }
    for rule in rules {
        if rule.of == Of::Heartbeats {
            return Err(ConfigError::invalid(format!(
                "alert {:?}: heartbeats come from the broker of a fleet (--amqp-url) or as datagrams (--udp), and files have none",
                rule.name
            )));
        }
        let mut fields = rule.filter.as_ref().map_or_else(Vec::new, omphalos_live::Filter::fields);
        fields.extend(rule.subject.dimension().map(Dimension::field));
        check_fields(&fields)
            .map_err(|problem| ConfigError::invalid(format!("alert {:?}: {problem}", rule.name)))?;
    }
    Ok(())
}

/// Refuses to ask files for fields that only documents have.
pub fn check_known(
    from: &From,
    live: &LiveSettings,
    dimension: &Dimension,
) -> Result<(), ConfigError> {
    if !matches!(from, From::Files(_)) {
        return Ok(());
    }
    let refused = |flag: &str, problem| ConfigError::invalid(format!("{flag}: {problem}"));
    check_fields(&[dimension.field()]).map_err(|problem| refused("--dimension", problem))?;
    let filter = live.filter.as_ref().map_or_else(Vec::new, omphalos_live::Filter::fields);
    check_fields(&filter).map_err(|problem| refused("--filter", problem))
}
