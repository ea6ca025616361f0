//! What would be set up, as files to be put and imported by hand.

use std::fs;
use std::path::Path;

use anyhow::Context;
use omphalos_indexer::elasticsearch::{
    Lifecycle, TemplateOptions, index_template, outlier_template,
};
use serde_json::Value;

use super::lifecycle::{Manager, Policy, Scope};
use super::objects::lines;
use super::options::Options;
use super::steps::say;

/// Writes the files into a directory, which is made if it is not there.
///
/// # Errors
/// When one cannot be written.
pub fn write(directory: &Path, options: &Options) -> anyhow::Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("--export: cannot make {}", directory.display()))?;
    let template = options.index.template_options();
    let named = options.days.map_or(Lifecycle::None, |_| Lifecycle::Named(template.name()));
    let template = TemplateOptions { lifecycle: named, ..template };
    let mut files = vec![
        ("kibana.ndjson".to_owned(), lines(&options.objects())),
        ("index-template.json".to_owned(), pretty(&index_template(&template))?),
    ];
    if options.days.is_some() && template.namespace.is_none() {
        files.push(("outlier-template.json".to_owned(), pretty(&outlier_template(&template))?));
    }
    if let Some(days) = options.days {
        let scope = Scope::new(&options.index, Some(days))?;
        for (manager, kind) in [(Manager::Ilm, "ilm"), (Manager::Ism, "ism")] {
            for Policy { name, body } in manager.policies(&scope) {
                files.push((format!("{kind}-{name}.json"), pretty(&body)?));
            }
        }
    }
    for (name, text) in files {
        let path = directory.join(&name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        say("file", &name, &format!("written into {}", directory.display()))?;
    }
    Ok(())
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
