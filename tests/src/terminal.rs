//! A program in a real terminal, by tmux: typed into, looked at, made larger and smaller, taken away.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::program::binary;
use crate::repository;
use crate::wait::{eventually, holds};

/// What the shell says when the program has ended: its exit code, or 128 and the signal.
const ENDED: &str = "the program ended with";

/// A terminal with a shell that runs one program. It is gone when dropped.
pub struct Terminal {
    /// The name of a tmux server of its own.
    server: String,
}

impl Terminal {
    /// Runs the program `name` in a terminal so wide and so high.
    pub fn start(name: &str, arguments: &[&str], size: (u16, u16)) -> Self {
        let shell = format!("\"$@\"; echo \"{ENDED} $?\"; stty -a; exec cat");
        let program = binary(name).display().to_string();
        let words = ["sh", "-c", &shell, "sh", &program];
        Self::of(&[&words, arguments].concat(), size)
    }

    /// Runs the program `name` from a shell with job control, as people do.
    pub fn start_as_job(name: &str, arguments: &[&str], size: (u16, u16)) -> Self {
        let terminal = Self::of(&["bash", "--norc", "--noprofile", "-i"], size);
        let program = binary(name).display().to_string();
        let words = [&[program.as_str()], arguments].concat();
        terminal
            .wait_for("the shell is there", |screen| screen.contains('$') || screen.contains('#'));
        terminal.type_text(&words.join(" "));
        terminal.press(&["Enter"]);
        terminal
    }

    fn of(command: &[&str], (width, height): (u16, u16)) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        install();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { server: format!("omphalos-{}-{number}", std::process::id()) };
        let size = [width.to_string(), height.to_string()];
        let words = ["new-session", "-d", "-x", &size[0], "-y", &size[1]];
        terminal.must(&[&words, command].concat());
        terminal
    }

    /// Whether a program has the terminal for itself: its other screen, with no cursor.
    pub fn is_taken(&self) -> bool {
        let modes = self.must(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        modes.trim() == "1 0"
    }

    /// Whether no program has it: the usual screen, with a cursor.
    pub fn is_free(&self) -> bool {
        let modes = self.must(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        modes.trim() == "0 1"
    }

    fn tmux(&self, words: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        // A configuration of whoever tests, or a tmux that this runs in, is none of ours.
        tmux.args(["-L", &self.server, "-f", "/dev/null"]).args(words);
        tmux.env_remove("TMUX").env("TERM", "xterm-256color").output().expect("tmux runs")
    }

    fn must(&self, words: &[&str]) -> String {
        let output = self.tmux(words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {words:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types keys, by the names that tmux has for them.
    pub fn press(&self, keys: &[&str]) {
        self.must(&[&["send-keys"], keys].concat());
    }

    /// Types a text.
    pub fn type_text(&self, text: &str) {
        self.must(&["send-keys", "-l", text]);
    }

    /// What is to be seen.
    pub fn screen(&self) -> String {
        self.must(&["capture-pane", "-p"])
    }

    /// Makes the terminal so wide and so high.
    pub fn resize(&self, (width, height): (u16, u16)) {
        let (width, height) = (width.to_string(), height.to_string());
        self.must(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// Waits until the screen is as `test` wants it; returns it.
    pub fn wait_for(&self, what: &str, test: impl Fn(&str) -> bool) -> String {
        eventually(what, || {
            let screen = self.screen();
            if test(&screen) { Ok(screen) } else { Err(screen) }
        })
    }

    /// The program's process.
    pub fn pid(&self) -> i32 {
        let shell = self.must(&["display-message", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        eventually("the shell runs the program", || {
            let children = std::fs::read_to_string(&children).map_err(|error| error.to_string())?;
            let pid = children.split_whitespace().next().map(str::parse);
            pid.ok_or("no child")?.map_err(|_| children)
        })
    }

    /// Waits until the program has ended and the terminal is as it was before; returns the exit code, or
    /// 128 and the signal.
    pub fn wait_for_end(&self) -> i32 {
        let screen = self.wait_for("the program has ended", |screen| {
            screen.contains(ENDED) && screen.contains("icanon")
        });
        let modes = "#{alternate_on} #{cursor_flag} #{mouse_any_flag}";
        assert_eq!(self.must(&["display-message", "-p", modes]).trim(), "0 1 0", "{screen}");
        for mode in ["icanon", "echo", "isig", "icrnl"] {
            assert!(screen.split_whitespace().any(|word| word == mode), "{mode}: {screen}");
        }
        let code = screen.split(ENDED).nth(1).and_then(|text| text.split_whitespace().next());
        code.and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no code: {screen}"))
    }

    /// Takes the terminal away.
    pub fn take_away(&self) {
        self.must(&["kill-server"]);
        eventually("the terminal is gone", || {
            holds(!self.tmux(&["has-session"]).status.success(), "it is there")
        });
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.tmux(&["kill-server"]));
    }
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let script = repository().join("tests/stack/install.sh");
        let status = Command::new(script).arg("tmux").status().expect("install.sh runs");
        assert!(status.success(), "there is no tmux");
    });
}

/// Whether a process is there, and no zombie.
pub fn is_running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}
