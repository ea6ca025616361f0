//! Files that were shipped before keep their documents and ids: the checkpoint of the process beside
//! us says by which rules their lines were read and with what their ids were made; or what is indexed
//! of their first lines says the latter. That is noted in the checkpoint of the import before it
//! begins, because lines that are read by another rule have other ids, and would be there twice.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use omphalos_common::clock::now_millis;
use omphalos_common::config::ConfigError;
use omphalos_common::ids::IdScheme;
use omphalos_common::tell;
use omphalos_indexer::elasticsearch::{Client, IndexNames};
use omphalos_parser::ParserKind;
use omphalos_parser::settings::LineRule;
use omphalos_shipper::host::{host_name, known_id};
use omphalos_shipper::keys::check_keys;
use omphalos_shipper::monitor::{
    Entry, FileKey, Host, MonitorSettings, Recalled, StateDir, note_unread, peek, recall,
};
use omphalos_transport::batch::Encoding;

use crate::audit::{Asker, Progress, Target, likeliest_first};
use crate::run::Settings;

/// Notes how `files`, each of which has its table, were read and what their ids are made with;
/// `of_process` is the state directory of the process beside us.
///
/// # Errors
/// When a file, a checkpoint or Elasticsearch cannot be asked, or a key is not known.
pub async fn note(settings: &Settings, of_process: &Path, files: &[PathBuf]) -> anyhow::Result<()> {
    let shipper = &settings.shipper;
    let keys = shipper.id_keys()?;
    let begun = peek(settings.state_dir())?.unwrap_or_default();
    let shipped = shipped(of_process)?;
    let host = known_id(settings.state_dir())?.map(|id| Host::new(host_name(shipper), id, &keys));
    let asker = host.as_ref().and_then(|host| asker(settings, host).transpose()).transpose()?;
    let mut unread = Vec::new();
    for (path, table) in files.iter().zip(&shipper.monitor) {
        let unreadable = || format!("cannot read {}", path.display());
        if recall(&begun, path, path).with_context(unreadable)?.is_some() {
            continue;
        }
        let known = recall(&shipped, path, path).with_context(unreadable)?;
        let ids = match (&known, &host, &asker) {
            (Some(known), ..) => known.ids(),
            (None, Some(host), Some((asker, _))) => found(host, asker, path, table).await?,
            _ => None,
        };
        let has_rules = known.as_ref().is_some_and(|known| !known.rules().is_empty());
        let ids = ids.filter(|ids| has_rules || *ids != keys.of_new_files());
        if let Some(ids) = ids {
            let key = FileKey::from(&fs::metadata(path).with_context(unreadable)?);
            let seen = now_millis() / 1000;
            unread.push(match &known {
                Some(known) => known.as_unread(path, key, ids, seen),
                None => Entry::unread(path, key, ids, seen),
            });
        }
        if let Some(note) = known.and_then(|known| note_of_rules(path, table, &known)) {
            tell!("{note}");
        }
    }
    if let Some((_, progress)) = asker {
        progress.end();
    }
    check_keys(&unread, &keys, shipper)?;
    if !unread.is_empty() {
        let state = StateDir::open(settings.state_dir());
        let noted = state.and_then(|state| note_unread(&state, unread));
        noted.map_err(|error| ConfigError::invalid(error.to_string()))?;
    }
    Ok(())
}

/// What processes beside us remember: the one whose state directory this is; and where nobody has
/// named another directory than that of `omphalos run`, a shipper with its own.
fn shipped(of_process: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut entries = peek(of_process)?.unwrap_or_default();
    if of_process == Settings::default().state_dir() {
        let of_shipper = omphalos_shipper::config::Settings::default().state_dir;
        match peek(&of_shipper) {
            Ok(found) => entries.extend(found.unwrap_or_default()),
            Err(error) => {
                tell!(
                    "{error}; whether a shipper has read these files by other rules is not known"
                );
            }
        }
    }
    Ok(entries)
}

/// What to say where its shipper reads a file by other rules than those that are set.
fn note_of_rules(path: &Path, table: &MonitorSettings, known: &Recalled) -> Option<String> {
    let (rules, recipe) = (known.rules(), &table.recipe);
    let is_set = |rule: &LineRule| {
        let is_auto = recipe.parser == ParserKind::Auto;
        rule.agrees(&recipe.rule(if is_auto { rule.parser } else { recipe.parser }))
    };
    if rules.iter().all(is_set) {
        return None;
    }
    let shown: Vec<_> = rules.iter().map(ToString::to_string).collect();
    Some(format!(
        "{}: its shipper's checkpoint says that it is read with {}; it is imported as that, and not with {}, or its lines would be there twice",
        path.display(),
        shown.join(", then "),
        recipe.rule(recipe.parser)
    ))
}

/// Who asks what is indexed; nobody where that is not known from here, or has no ids of ours.
fn asker(settings: &Settings, host: &Host) -> anyhow::Result<Option<(Asker, Progress)>> {
    if settings.indexer.elasticsearch.url.is_none()
        || settings.shipper.batch.encoding == Encoding::Json
    {
        return Ok(None);
    }
    let indexer = &settings.indexer;
    let client = Client::new(&indexer.elasticsearch, false)?;
    let names = IndexNames::new(indexer.name_rules()?);
    let progress = Progress::new();
    let asker = Asker::new(client, names, &indexer.index.prefix, &host.id, progress.clone());
    Ok(Some((asker, progress)))
}

/// With what most of the first lines of a file are found.
async fn found(
    host: &Host,
    asker: &Asker,
    path: &Path,
    table: &MonitorSettings,
) -> anyhow::Result<Option<IdScheme>> {
    let target = Target {
        path: path.to_owned(),
        called: path.to_owned(),
        monitor: table.clone(),
        host: host.clone(),
        recalled: None,
        millis: now_millis(),
        ids: host.ids.schemes().collect(),
    };
    Ok(likeliest_first(&target, asker).await?.first().copied())
}
