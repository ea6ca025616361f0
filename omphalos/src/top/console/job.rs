//! Stopping, as whoever sits before a shell expects it: Ctrl-Z and `fg`, and the same from outside.
//! That the terminal is given back before, and entered again behind it, is up to the console.

use std::io;

use rustix::process::{
    Pid, Signal, getpgid, getpgrp, getpid, getppid, getsid, kill_current_process_group,
    kill_process,
};

/// Processes above this one that are looked at.
const MOST_ABOVE: usize = 64;

/// Asks everything in the pipeline to stop, as the terminal does for Ctrl-Z where it is not raw.
pub fn ask_to_stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::TSTP)?)
}

/// Stops this process until it is continued.
pub fn stop() -> io::Result<()> {
    Ok(kill_process(getpid(), Signal::STOP)?)
}

/// Whether there is somebody who could continue it: a shell above it, of the same session and in
/// another group. Without one, it would be stopped for ever; the kernel has the same rule.
pub fn can_be_continued() -> bool {
    let (session, group) = (getsid(None).ok(), getpgrp());
    let mut above = getppid();
    for _ in 0..MOST_ABOVE {
        let Some(process) = above else { return false };
        if session.is_none() || getsid(Some(process)).ok() != session {
            return false;
        }
        if getpgid(Some(process)).ok() != Some(group) {
            return true;
        }
        above = parent_of(process);
    }
    false
}

fn parent_of(process: Pid) -> Option<Pid> {
    let path = format!("/proc/{}/stat", process.as_raw_nonzero());
    let stat = std::fs::read_to_string(path).ok()?;
    // The name, in parentheses, may have parentheses and blanks.
    let (_, behind) = stat.rsplit_once(')')?;
    let parent: i32 = behind.split_whitespace().nth(1)?.parse().ok()?;
    Pid::from_raw(parent)
}
