//! What a dashboard is made of, in few words.

/// A dashboard.
#[derive(Debug)]
pub struct Dashboard {
    /// Its id, behind the prefix.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What is on it, from left to right and from top to bottom.
    pub panels: &'static [Panel],
}

/// A panel.
#[derive(Debug)]
pub struct Panel {
    /// Its id on the dashboard.
    pub id: &'static str,
    /// What stands above it.
    pub title: &'static str,
    /// What it looks like, and what it counts.
    pub look: Look,
    /// Of which lines, in Lucene's language; all without.
    pub query: &'static str,
    /// How much of the 48 columns it has.
    pub width: u8,
    /// How high it is.
    pub height: u8,
}

/// What a panel looks like.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// Text, behind the links to the other dashboards.
    Text(&'static str),
    /// The lines of a saved search.
    Lines(&'static str),
    /// One figure.
    Number(Figure),
    /// A figure over time, for each part of the lines.
    OverTime(Figure, Option<Split>),
    /// How many lines each part has.
    Share(Split),
    /// A table: figures for the values of fields, the largest first, and so many of each.
    Top(&'static [Figure], &'static [(&'static str, u32)]),
}

/// What is counted, and what it is called.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    /// How many lines.
    Count,
    /// The sum of a field.
    Sum(&'static str, &'static str),
    /// The largest value of a field.
    Most(&'static str, &'static str),
    /// The average of a field.
    Average(&'static str, &'static str),
    /// How many different values a field has.
    Different(&'static str, &'static str),
}

impl Figure {
    /// What it is called.
    pub fn label(self) -> &'static str {
        match self {
            Self::Count => "Lines",
            Self::Sum(_, label)
            | Self::Most(_, label)
            | Self::Average(_, label)
            | Self::Different(_, label) => label,
        }
    }
}

/// Parts of the lines.
#[derive(Debug, Clone, Copy)]
pub enum Split {
    /// By the values of a field, so many of them.
    Terms(&'static str, u32),
    /// By queries, each with its label.
    Filters(&'static [(&'static str, &'static str)]),
}

/// A panel; size is width and height.
pub const fn panel(
    (id, title): (&'static str, &'static str),
    look: Look,
    query: &'static str,
    (width, height): (u8, u8),
) -> Panel {
    Panel { id, title, look, query, width, height }
}

/// Of one figure.
pub const SMALL: (u8, u8) = (12, 7);
/// Two beside each other.
pub const HALF: (u8, u8) = (24, 13);
/// Three beside each other.
pub const THIRD: (u8, u8) = (16, 13);
/// The whole width, for what is drawn over time.
pub const WIDE: (u8, u8) = (48, 12);
/// The whole width, for lines.
pub const LIST: (u8, u8) = (48, 20);
/// The whole width, for text.
pub const HEAD: (u8, u8) = (48, 5);
