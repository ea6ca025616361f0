//! Who we are: `host.name` and `host.id`.

use std::io::{ErrorKind, Write};
use std::path::Path;

use omphalos_common::ids::IdKeys;
pub use omphalos_common::machine::machine_id;
use omphalos_common::own_files::{create, create_directory};
use omphalos_common::whole_file::read_own_text;

use crate::config::Settings;
use crate::monitor::{Host, StateDir, StateError};

/// Where an id that was made is kept, in the state directory.
const HOST_ID_FILE: &str = "host-id";

/// The host's name from the settings or the system, and the machine's id; where it has none, one
/// is made once and kept in the state directory.
///
/// # Errors
/// When an id has to be made and cannot be kept.
pub fn identify(settings: &Settings, keys: &IdKeys, state: &StateDir) -> Result<Host, StateError> {
    let id = match machine_id() {
        Some(id) => id,
        None => state.text_once(HOST_ID_FILE, || format!("{:032x}", rand::random::<u128>()))?,
    };
    Ok(Host::new(host_name(settings), id, keys))
}

/// The machine's id; where it has none, the one that a shipper keeps in `state_dir`, if it does.
///
/// # Errors
/// When that cannot be read.
pub fn known_id(state_dir: &Path) -> std::io::Result<Option<String>> {
    if let Some(id) = machine_id() {
        return Ok(Some(id));
    }
    match read_own_text(&state_dir.join(HOST_ID_FILE)) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sees to it that a shipper with its state in `directory` has the id of the one with its state in
/// `other`, where that has made one.
///
/// # Errors
/// When `directory` cannot be made or written to.
pub fn keep_id(other: &Path, directory: &Path) -> std::io::Result<()> {
    create_directory(directory)?;
    let own = directory.join(HOST_ID_FILE);
    if machine_id().is_none()
        && !own.exists()
        && let Some(id) = known_id(other)?
    {
        create(&own)?.write_all(id.as_bytes())?;
    }
    Ok(())
}

/// `host.name`.
pub fn host_name(settings: &Settings) -> String {
    settings
        .host_name
        .clone()
        .unwrap_or_else(|| gethostname::gethostname().to_string_lossy().into_owned())
}
