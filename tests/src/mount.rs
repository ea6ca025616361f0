//! File systems that come and go. Only root has them; whoever else asks is told that there are none.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `mkfs` is where only root looks.
const SEARCH_PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// A file system at a directory; it goes when this is dropped, busy or not.
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// An empty file system in memory; `None` where that is not possible.
    pub fn memory(at: &Path) -> Option<Self> {
        Self::new(at, &["-t", "tmpfs", "none"].map(OsStr::new))
    }

    /// An empty file system in memory with room for so many bytes; `None` where that is not
    /// possible.
    pub fn memory_of(at: &Path, bytes: u64) -> Option<Self> {
        let size = format!("size={bytes}");
        Self::new(at, &["-t", "tmpfs", "-o", &size, "none"].map(OsStr::new))
    }

    /// Another directory; `None` where that is not possible.
    pub fn directory(other: &Path, at: &Path) -> Option<Self> {
        Self::new(at, &[OsStr::new("--bind"), other.as_os_str()])
    }

    /// The file system in the file `image`; `None` where that is not possible.
    pub fn image(image: &Path, at: &Path) -> Option<Self> {
        Self::new(at, &[OsStr::new("-o"), OsStr::new("loop"), image.as_os_str()])
    }

    /// Makes an ext4 in the file `image`.
    pub fn make_image(image: &Path) -> bool {
        let size = OsStr::new("16M");
        run("mkfs.ext4", &[OsStr::new("-q"), image.as_os_str(), size]).is_ok()
    }

    fn new(at: &Path, arguments: &[&OsStr]) -> Option<Self> {
        match run("mount", &[arguments, &[at.as_os_str()]].concat()) {
            Ok(()) => Some(Self { at: at.to_owned() }),
            Err(error) => {
                println!("skipped: nothing can be mounted here: {error}");
                None
            }
        }
    }

    /// Takes away what a run that was killed left mounted below `directory`.
    pub fn release_below(directory: &Path) {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
        for place in places.filter(|place| place.starts_with(directory)) {
            run("umount", &[OsStr::new("--lazy"), place.as_os_str()]).ok();
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Takes it away from its directory; who has files of it open keeps them.
    pub fn detach(self) {
        drop(self);
    }

    /// Takes it away unless someone has something of it open, and says why not.
    ///
    /// # Errors
    /// What umount says.
    pub fn try_unmount(&self) -> Result<(), String> {
        run("umount", &[self.at.as_os_str()])
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // It may be unmounted already.
        run("umount", &[OsStr::new("--lazy"), self.at.as_os_str()]).ok();
    }
}

fn run(program: &str, arguments: &[&OsStr]) -> Result<(), String> {
    let output = Command::new(program)
        .env("PATH", SEARCH_PATH)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{program}: {errors}")) }
}
