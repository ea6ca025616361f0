//! Rules of alerts as people write them: `[[alert]]` tables, and flags that are such tables.

mod amount;
mod settings;

pub use settings::{ALERT_SETTINGS, AlertSettings, Alerting, flag, of_flags, rules};
