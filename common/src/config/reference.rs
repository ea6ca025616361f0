//! The manual's page of settings, made from the same rows as the command line.

use super::{Kind, Setting};

/// A Markdown table of the settings, grouped by table of the file.
pub fn reference(settings: &[Setting]) -> String {
    let mut page = String::new();
    let mut current = None;
    for setting in settings {
        let group = setting.key.split_once('.').map(|(group, _)| group);
        if current != Some(group) {
            current = Some(group);
            page.push_str(&heading(group));
        }
        let kind = match setting.kind {
            Kind::Text => "text".to_owned(),
            Kind::List => "list of texts".to_owned(),
            Kind::Integer => "whole number".to_owned(),
            Kind::Size => "size".to_owned(),
            Kind::Period => "time".to_owned(),
            Kind::Switch => "`true` or `false`".to_owned(),
            Kind::Table => "table".to_owned(),
            Kind::Tables => "tables".to_owned(),
            Kind::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
        };
        let default = match setting.default {
            "" => "–".to_owned(),
            text => format!("`{text}`"),
        };
        page.push_str(&row(setting, &kind, &default));
    }
    page
}

fn row(setting: &Setting, kind: &str, default: &str) -> String {
    let name = setting.key.rsplit('.').next().unwrap_or_default();
    let flag = match setting.positional_name() {
        _ if setting.is_in_file_alone() => "in the file".to_owned(),
        Some(placeholder) => format!("`{placeholder}…`"),
        None => format!("`--{}`", setting.flag_name()),
    };
    format!("| `{name}` | {flag} | {kind} | {default} | {} |\n", setting.help)
}

fn heading(group: Option<&str>) -> String {
    let title = match group {
        None => "At the top of the file".to_owned(),
        Some(name @ ("monitor" | "receive" | "alert" | "receiver" | "output")) => {
            format!("`[[{name}]]`")
        }
        Some(name) => format!("`[{name}]`"),
    };
    format!(
        "\n### {title}\n\n| setting | flag | value | default | meaning |\n| --- | --- | --- | --- | --- |\n"
    )
}
