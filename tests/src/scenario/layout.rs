//! How a file of scenarios is written: a line for the request, one for its body, one for the
//! answer, so that what changes in a recording is seen line by line.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Scenario, ScenarioFile};

/// The text of a file.
pub fn text(file: &ScenarioFile) -> String {
    let mut text = String::from("{\n");
    writeln!(text, "  \"about\": {},", Value::from(file.about.as_str())).expect("a string");
    if let Some(data) = &file.data {
        writeln!(text, "  \"data\": {},", Value::from(data.as_str())).expect("a string");
    }
    if !file.differs.is_empty() {
        writeln!(text, "  \"differs\": {},", Value::from(file.differs.clone())).expect("a string");
    }
    let scenarios: Vec<String> = file.scenarios.iter().map(scenario).collect();
    write!(text, "  \"scenarios\": [\n{}\n  ]\n}}\n", scenarios.join(",\n")).expect("a string");
    text
}

fn scenario(one: &Scenario) -> String {
    let mut members = vec![
        format!("\"name\": {}", Value::from(one.name.as_str())),
        format!("\"request\": {}", Value::from(one.request.as_str())),
    ];
    if let Some(body) = &one.body {
        members.push(format!("\"body\": {body}"));
    }
    if let Some(lines) = &one.lines {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        members.push(format!("\"lines\": [\n        {}\n      ]", lines.join(",\n        ")));
    }
    if let Some(text) = &one.text {
        members.push(format!("\"text\": {}", Value::from(text.as_str())));
    }
    if !one.differs.is_empty() {
        members.push(format!("\"differs\": {}", Value::from(one.differs.clone())));
    }
    members.push(format!("\"status\": {}", one.status));
    members.push(format!("\"answer\": {}", one.answer));
    format!("    {{\n      {}\n    }}", members.join(",\n      "))
}
