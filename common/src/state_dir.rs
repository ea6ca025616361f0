//! Where a program keeps its state unless it is told: `/var/lib/NAME` (Filesystem Hierarchy Standard),
//! or a directory of the user's own where that cannot be written
//! (<https://specifications.freedesktop.org/basedir-spec/latest/>).

use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};
use rustix::fs::{Access, access};

/// `/var/lib/NAME` where this process may write to it, or may make it; else `NAME` in
/// `$XDG_STATE_HOME`, which is `~/.local/state` by default. A user without a home is told of the former.
pub fn default_state_dir(name: &str) -> PathBuf {
    let of_system = Path::new("/var/lib").join(name);
    if may_write(&of_system) {
        return of_system;
    }
    let of_user = Xdg::new().ok().and_then(|user| user.state_dir());
    of_user.map_or(of_system, |states| states.join(name))
}

/// Whether this process may write into `directory`, or, where that is not there, into the one around
/// it.
fn may_write(directory: &Path) -> bool {
    let nearest = directory.ancestors().find(|ancestor| ancestor.exists());
    nearest.is_some_and(|nearest| access(nearest, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_not_there_is_as_writable_as_what_is_around_it() {
        let directory = tempfile::tempdir().unwrap();
        assert!(may_write(directory.path()));
        assert!(may_write(&directory.path().join("a")));
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!may_write(&file.join("below")), "a file is no directory");
        let read_only = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(directory.path(), read_only).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        assert_eq!(may_write(&directory.path().join("a")), is_root);
    }
}
