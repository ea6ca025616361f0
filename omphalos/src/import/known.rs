//! Files that were shipped before keep their ids: the checkpoint of the process beside us says with what
//! they were made, or else what is indexed of their first lines does. That is noted in the checkpoint of
//! the import before it begins, because lines that have other ids would be there twice. By which rules
//! the process has read them is asked when they are opened.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use omphalos_common::clock::now_millis;
use omphalos_common::config::ConfigError;
use omphalos_common::ids::IdScheme;
use omphalos_common::tell;
use omphalos_indexer::elasticsearch::{Client, IndexNames};
use omphalos_shipper::host::{host_name, known_id};
use omphalos_shipper::keys::check_keys;
use omphalos_shipper::monitor::{
    Entry, FileKey, Host, MonitorSettings, Other, StateDir, note_unread, peek, recall,
};
use omphalos_transport::batch::Encoding;

use crate::audit::{Asker, Progress, Target, likeliest_first};
use crate::run::Settings;

/// Notes in `state` what the ids of `files`, each of which has its table, are made with; `others` may
/// have shipped them.
///
/// # Errors
/// When a file, a checkpoint or Elasticsearch cannot be asked, or a key is not known.
pub async fn note(
    settings: &Settings,
    state: &StateDir,
    others: &[Other],
    files: &[PathBuf],
) -> anyhow::Result<()> {
    let shipper = &settings.shipper;
    let keys = shipper.id_keys()?;
    let begun = peek(state.path())?.unwrap_or_default();
    let shipped = shipped(others)?;
    let host = known_id(settings.state_dir())?.map(|id| Host::new(host_name(shipper), id, &keys));
    let asker = host.as_ref().and_then(|host| asker(settings, host).transpose()).transpose()?;
    let mut unread = Vec::new();
    for (path, table) in files.iter().zip(&shipper.monitor) {
        let unreadable = || format!("cannot read {}", path.display());
        if recall(&begun, &[], path, path).with_context(unreadable)?.is_some() {
            continue;
        }
        let known = recall(&shipped, &[], path, path).with_context(unreadable)?;
        let ids = match (&known, &host, &asker) {
            (Some(known), ..) => known.ids(),
            (None, Some(host), Some((asker, _))) => found(host, asker, path, table).await?,
            _ => None,
        };
        if let Some(ids) = ids.filter(|ids| *ids != keys.of_new_files()) {
            let key = FileKey::from(&fs::metadata(path).with_context(unreadable)?);
            unread.push(Entry::unread(path, key, ids, now_millis() / 1000));
        }
    }
    if let Some((_, progress)) = asker {
        progress.end();
    }
    check_keys(&unread, &keys, shipper)?;
    if !unread.is_empty() {
        let noted = note_unread(state, unread);
        noted.map_err(|error| ConfigError::invalid(error.to_string()))?;
    }
    Ok(())
}

/// Who may ship the same files: the process whose state directory this is; and where nobody has named
/// another directory than that of `omphalos run`, a shipper with its own.
pub fn processes(of_process: &Path) -> Vec<Other> {
    let mut all = vec![Other::Process(of_process.to_owned())];
    if of_process == Settings::default().state_dir() {
        all.push(Other::Process(omphalos_shipper::config::Settings::default().state_dir));
    }
    all
}

/// What they remember. Of the first, which is meant, that has to be known.
fn shipped(others: &[Other]) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (place, other) in others.iter().enumerate() {
        let (Other::Process(directory) | Other::Import(directory)) = other;
        match peek(directory) {
            Ok(found) => entries.extend(found.unwrap_or_default()),
            Err(error) if place == 0 => return Err(error.into()),
            Err(error) => {
                tell!("{error}; whether a shipper has read these files by other ids is not known");
            }
        }
    }
    Ok(entries)
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
    let asker = Asker::new(client, names, &indexer.index, &host.id, progress.clone());
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
        // The import itself says it.
        is_quiet: true,
    };
    Ok(likeliest_first(&target, asker).await?.first().copied())
}
