//! Colours and signs: one accent, quiet surroundings, and the colours of statuses. What a terminal can
//! show is asked of its environment, unless somebody says it.

use ratatui::style::{Color, Modifier, Style};

/// In how many colours to draw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colours {
    /// As many as the terminal says that it has.
    #[default]
    Auto,
    /// In none.
    Never,
    /// In the 16 that the terminal's owner chose.
    Of16,
    /// In 256.
    Of256,
    /// In 16 million.
    True,
}

/// What is behind the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Background {
    /// What the terminal says in `COLORFGBG`, or else something dark.
    #[default]
    Auto,
    /// Something light.
    Light,
    /// Something dark.
    Dark,
}

/// What a variable of the environment has.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How things look.
#[derive(Debug, Clone)]
pub struct Theme {
    /// Plain text.
    pub text: Style,
    /// What stands out.
    pub strong: Style,
    /// What is there but need not be read.
    pub dim: Style,
    /// What is chosen, and keys.
    pub accent: Style,
    /// The line that is chosen.
    pub selected: Style,
    /// 2xx, and what is well again.
    pub good: Style,
    /// 3xx.
    pub moved: Style,
    /// 4xx, and warnings.
    pub refused: Style,
    /// 5xx, and what is wrong.
    pub failed: Style,
    /// Signs that the terminal's characters have.
    pub signs: &'static Signs,
}

/// Signs, in the characters of the terminal.
#[derive(Debug)]
pub struct Signs {
    /// Behind what is cut.
    pub ellipsis: &'static str,
    /// Before what is not exact.
    pub about: &'static str,
    /// Of a millionth.
    pub micro: &'static str,
    /// Where there is no value.
    pub none: &'static str,
    /// Ascending and descending order.
    pub arrows: [&'static str; 2],
    /// Before the line that is chosen.
    pub pointer: &'static str,
    /// Before a notice.
    pub notice: &'static str,
    /// Of a rule, and a heavy one.
    pub rules: [&'static str; 2],
    /// Of a box: corners from the top left clockwise, and its sides.
    pub corners: [&'static str; 4],
    /// The side of a box.
    pub side: &'static str,
    /// A column filled by one eighth, two eighths and so on, from below.
    pub levels: [&'static str; 8],
    /// A column filled by one eighth, two eighths and so on, from the left.
    pub parts: [&'static str; 8],
}

static UNICODE: Signs = Signs {
    ellipsis: "…",
    about: "≈",
    micro: "µ",
    none: "–",
    arrows: ["▲", "▼"],
    pointer: "▌",
    notice: "●",
    rules: ["─", "━"],
    corners: ["╭", "╮", "╯", "╰"],
    side: "│",
    levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    parts: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
};

static ASCII: Signs = Signs {
    ellipsis: "..",
    about: "~",
    micro: "u",
    none: "-",
    arrows: ["^", "v"],
    pointer: ">",
    notice: "*",
    rules: ["-", "="],
    corners: ["+", "+", "+", "+"],
    side: "|",
    levels: [".", ".", ":", ":", "-", "=", "+", "#"],
    parts: [" ", " ", " ", "-", "-", "=", "=", "="],
};

/// A colour for terminals of 16, 256 and 16 million colours.
struct Tone(Color, u8, [u8; 3]);

struct Palette {
    accent: Tone,
    dim: Tone,
    chosen: Tone,
    good: Tone,
    moved: Tone,
    refused: Tone,
    failed: Tone,
}

const DARK: Palette = Palette {
    accent: Tone(Color::LightBlue, 111, [130, 170, 255]),
    dim: Tone(Color::DarkGray, 244, [124, 131, 150]),
    chosen: Tone(Color::Reset, 236, [44, 50, 68]),
    good: Tone(Color::Green, 114, [152, 195, 121]),
    moved: Tone(Color::Cyan, 80, [94, 196, 212]),
    refused: Tone(Color::Yellow, 179, [229, 192, 103]),
    failed: Tone(Color::LightRed, 203, [240, 100, 112]),
};

const LIGHT: Palette = Palette {
    accent: Tone(Color::Blue, 26, [30, 90, 200]),
    dim: Tone(Color::DarkGray, 242, [104, 110, 126]),
    chosen: Tone(Color::Reset, 254, [225, 231, 242]),
    good: Tone(Color::Green, 28, [30, 120, 50]),
    moved: Tone(Color::Cyan, 30, [0, 120, 138]),
    refused: Tone(Color::Yellow, 130, [158, 98, 0]),
    failed: Tone(Color::Red, 160, [196, 30, 48]),
};

/// How many colours are there, in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None.
    None,
    /// 16.
    Of16,
    /// 256.
    Of256,
    /// 16 million.
    True,
}

impl Depth {
    /// As it was said, or as the environment has it.
    pub fn of(colours: Colours, variable: Variable<'_>) -> Self {
        match colours {
            Colours::Never => Self::None,
            Colours::Of16 => Self::Of16,
            Colours::Of256 => Self::Of256,
            Colours::True => Self::True,
            Colours::Auto => Self::of_environment(variable),
        }
    }

    fn of_environment(variable: Variable<'_>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        if is_set("NO_COLOR") || term == "dumb" {
            return Self::None;
        }
        // GNU screen passes COLORTERM on, and shows something else instead of the colours.
        let claims = variable("COLORTERM").unwrap_or_default();
        if matches!(claims.as_str(), "truecolor" | "24bit") && !term.starts_with("screen") {
            return Self::True;
        }
        if term.ends_with("-direct") {
            return Self::True;
        }
        if term.contains("256") || is_set("COLORTERM") { Self::Of256 } else { Self::Of16 }
    }
}

/// Whether something light is behind the text.
pub fn is_light(background: Background, variable: Variable<'_>) -> bool {
    match background {
        Background::Light => true,
        Background::Dark => false,
        Background::Auto => {
            let colours = variable("COLORFGBG").unwrap_or_default();
            let last = colours.rsplit(';').next().and_then(|last| last.parse::<u8>().ok());
            last.is_some_and(|last| last == 7 || (9..16).contains(&last))
        }
    }
}

/// Whether the terminal's characters are Unicode's.
pub fn is_unicode(variable: Variable<'_>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

impl Theme {
    /// With so many colours, on something light or dark, in these characters.
    pub fn new(depth: Depth, is_light: bool, is_unicode: bool) -> Self {
        let palette = if is_light { &LIGHT } else { &DARK };
        let colour = |tone: &Tone| match depth {
            Depth::None => Color::Reset,
            Depth::Of16 => tone.0,
            Depth::Of256 => Color::Indexed(tone.1),
            Depth::True => Color::Rgb(tone.2[0], tone.2[1], tone.2[2]),
        };
        let plain = Style::new();
        let painted = |tone: &Tone, otherwise: Modifier| match depth {
            Depth::None => plain.add_modifier(otherwise),
            _ => plain.fg(colour(tone)),
        };
        let selected = match depth {
            Depth::None | Depth::Of16 => plain.add_modifier(Modifier::REVERSED),
            Depth::Of256 | Depth::True => plain.bg(colour(&palette.chosen)),
        };
        Self {
            text: plain,
            strong: plain.add_modifier(Modifier::BOLD),
            dim: painted(&palette.dim, Modifier::DIM),
            accent: painted(&palette.accent, Modifier::BOLD),
            selected,
            good: painted(&palette.good, Modifier::empty()),
            moved: painted(&palette.moved, Modifier::empty()),
            refused: painted(&palette.refused, Modifier::BOLD),
            failed: painted(&palette.failed, Modifier::BOLD),
            signs: if is_unicode { &UNICODE } else { &ASCII },
        }
    }

    /// The colour of a status, or of what begins like one.
    pub fn of_status(&self, status: &str) -> Style {
        match status.as_bytes().first() {
            Some(b'2') => self.good,
            Some(b'3') => self.moved,
            Some(b'4') => self.refused,
            Some(b'5') => self.failed,
            _ => self.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(variables: &[(&str, &str)], colours: Colours) -> Depth {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Depth::of(colours, &variable)
    }

    #[test]
    fn the_terminal_says_how_many_colours_it_has() {
        for (variables, expected) in [
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..], Depth::True),
            (&[("TERM", "screen-256color"), ("COLORTERM", "truecolor")], Depth::Of256),
            (&[("TERM", "tmux-256color")], Depth::Of256),
            (&[("TERM", "xterm-direct")], Depth::True),
            (&[("TERM", "linux")], Depth::Of16),
            (&[], Depth::Of16),
            (&[("TERM", "dumb"), ("COLORTERM", "truecolor")], Depth::None),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::None),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Of256),
        ] {
            assert_eq!(depth(variables, Colours::Auto), expected, "{variables:?}");
        }
        // What somebody says counts for more.
        assert_eq!(depth(&[("NO_COLOR", "1")], Colours::True), Depth::True);
        assert_eq!(depth(&[("COLORTERM", "truecolor")], Colours::Never), Depth::None);
    }

    #[test]
    fn background_and_characters_are_told_from_the_environment() {
        for (value, expected) in
            [("15;0", false), ("0;15", true), ("0;default;7", true), ("12;8", false), ("x", false)]
        {
            let variable = |_: &str| Some(value.to_owned());
            assert_eq!(is_light(Background::Auto, &variable), expected, "{value}");
            assert!(is_light(Background::Light, &variable));
            assert!(!is_light(Background::Dark, &variable));
        }
        let locale = |all: &str, language: &str| {
            let (all, language) = (all.to_owned(), language.to_owned());
            is_unicode(&move |name: &str| match name {
                "LC_ALL" => Some(all.clone()),
                "LANG" => Some(language.clone()),
                _ => None,
            })
        };
        assert!(locale("", "de_DE.UTF-8"));
        assert!(locale("C.utf8", "C"));
        assert!(!locale("C", "de_DE.UTF-8"));
        assert!(!locale("", ""));
    }

    #[test]
    fn without_colours_nothing_has_one() {
        let theme = Theme::new(Depth::None, false, true);
        for style in [theme.dim, theme.accent, theme.selected, theme.good, theme.failed] {
            assert!(matches!(style.fg, None | Some(Color::Reset)), "{style:?}");
            assert!(matches!(style.bg, None | Some(Color::Reset)), "{style:?}");
        }
    }
}
