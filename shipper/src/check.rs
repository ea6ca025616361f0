//! `omphalos-shipper check`: does everything up to shipping, and says what it found.

use std::io::{self, Write};
use std::process::ExitCode;

use omphalos_common::clean::clean;
use omphalos_common::ids::IdKeys;
use omphalos_common::masked::masked;
use omphalos_common::printed::{Form, printed};
use omphalos_common::program::{FAILED, MISUSED};
use omphalos_transport::local::LocalSender;

use crate::config::Settings;
use crate::host;
use crate::keys::check_keys;
use crate::monitor::{StateDir, StateError, misfit, scan};
use crate::road;

/// Prints one line for each thing that was checked, and of the road, unless it is a local one; returns the exit code: that of settings that cannot be
/// used goes before that of what is not well.
///
/// # Errors
/// `ConfigError` when the settings themselves cannot be used; others when nothing can be printed.
pub async fn check(settings: &Settings, local: Option<LocalSender>) -> anyhow::Result<ExitCode> {
    let inputs = settings.inputs()?;
    let keys = settings.id_keys()?;
    let plan = road::plan(settings, local)?;
    let mut report = Report { code: 0, said: Ok(()) };
    let watched: Vec<_> = inputs.iter().map(|input| input.watched.clone()).collect();
    let found = scan(&watched);
    for (path, error) in &found.unreadable {
        report.bad(&format!("{}: {error}", path.display()));
    }
    for (path, kind) in &found.irregular {
        report.bad(&format!("{} is {kind}, not a regular file", path.display()));
    }
    for path in &found.missing {
        report.note(&format!("{} is not there yet; it will be waited for", path.display()));
    }
    for pattern in &found.empty {
        report.note(&format!("{pattern} matches no file yet"));
    }
    for file in &found.found {
        let recipe = inputs.get(file.input).map(|input| &input.recipe);
        match recipe.map_or(Ok(None), |recipe| misfit(&file.path, recipe)) {
            Ok(None) => {}
            Ok(Some(text)) => report.note(&format!("{}: {text}", file.path.display())),
            Err(error) => report.bad(&format!("{}: {error}", file.path.display())),
        }
    }
    report.good(&format!("{} files found", found.found.len()));
    check_state(settings, &keys, &mut report);
    for finding in plan.check().await {
        match finding {
            Ok(text) => report.good(&text),
            Err(text) => report.bad(&text),
        }
    }
    if report.code != MISUSED {
        // The last word: what refuses a setting is said instead of it.
        report.good(&format!("settings are valid; host.name is {:?}", host::host_name(settings)));
    }
    report.said?;
    Ok(ExitCode::from(report.code))
}

fn check_state(settings: &Settings, keys: &IdKeys, report: &mut Report) {
    let opened = StateDir::open(&settings.state_dir).and_then(|state| {
        state.probe()?;
        state.load()
    });
    match opened {
        Ok(remembered) => {
            report.good(&format!(
                "state directory {} can be written; {} files in the checkpoint",
                settings.state_dir.display(),
                remembered.entries.len()
            ));
            if let Err(error) = check_keys(&remembered.entries, keys, settings) {
                report.bad(&error.to_string());
                report.code = MISUSED;
            }
        }
        Err(error @ StateError::Locked { .. }) => {
            report.note(&format!(
                "{error}; this is no problem if that shipper is the one that these settings are for"
            ));
        }
        Err(error) => report.bad(&error.to_string()),
    }
}

struct Report {
    code: u8,
    /// Whether all of it could be printed.
    said: io::Result<()>,
}

impl Report {
    fn good(&mut self, text: &str) {
        self.line("ok", text);
    }

    fn note(&mut self, text: &str) {
        self.line("note", text);
    }

    fn bad(&mut self, text: &str) {
        self.line("problem", text);
        self.code = self.code.max(FAILED);
    }

    fn line(&mut self, what: &str, text: &str) {
        if self.said.is_ok() {
            self.said = writeln!(printed(Form::Plain), "{what:<9}{}", clean(&masked(text)));
        }
    }
}
