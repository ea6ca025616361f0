//! The frame of a program: what all daemons do in the same way around their work. Settings are read,
//! our own log begins, the runtime starts, a signal stops the work, and a failure becomes a message
//! and an exit code: 0 done, 1 failed, 2 usage or configuration.

use std::io::Write;
use std::net::SocketAddr;
use std::panic;
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::Error;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};
use tracing::{Level, enabled, error, warn};

use crate::causes::joined;
use crate::clean::{clean, clean_lines};
use crate::config::{
    About, ConfigError, Explained, HasRows, Kind, Loaded, Origins, Setting, TableError, Tables,
    file_given, load, to_optional_listen,
};
use crate::masked::masked;
use crate::own_files::keep_private;
use crate::printed::{Form, printed};
use crate::said;
use crate::shutdown::{self, Shutdown};
use crate::telemetry::{LogFormat, address_to_ask, ask_ready, init_logs};
use crate::tell;
use crate::whole_file::read_text;

/// Exit code for work that could not be done.
pub const FAILED: u8 = 1;
/// Exit code: what was asked for, or a setting, makes no sense.
pub const MISUSED: u8 = 2;

/// Values of settings are shown in a column that is at most so wide.
const WIDEST_VALUE: usize = 40;

/// Says of panics whether they are caught.
static CAUGHT: OnceLock<fn() -> bool> = OnceLock::new();

/// The rows of [`ProcessSettings`]; `listen` is the help of that one, which names a port.
pub const fn process_settings(listen: &'static str) -> [Setting; 4] {
    [
        Setting::new("listen", Kind::Text, listen).about(About::Daemon),
        Setting::new(
            "listen_hosts",
            Kind::List,
            "Names that clients on this machine, and proxies before it, may ask this process by, such as logs.example.com, beside localhost, this machine's own name and 127.0.0.1: others are refused there, as are the pages of browsers, unless their host is named here.",
        )
        .about(About::Daemon),
        Setting::new(
            "log_level",
            Kind::Text,
            "error, warn, info, debug or trace, or tracing-subscriber EnvFilter directives.",
        )
        .default("info"),
        Setting::new(
            "log_format",
            Kind::Choice(&["human", "json"]),
            "Format of this program's log.",
        )
        .default("human"),
    ]
}

/// What the settings of every daemon say of the process itself.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessSettings {
    /// Where it serves what it says of itself.
    #[serde(deserialize_with = "to_optional_listen")]
    pub listen: Option<SocketAddr>,
    /// By which names it may be asked.
    pub listen_hosts: Vec<String>,
    /// How much it logs.
    pub log_level: String,
    /// How.
    pub log_format: LogFormat,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            listen: None,
            listen_hosts: Vec::new(),
            log_level: "info".to_owned(),
            log_format: LogFormat::Human,
        }
    }
}

impl ProcessSettings {
    /// Where it listens, and by which names it may be asked.
    pub fn listening(&self) -> (Option<SocketAddr>, &[String]) {
        (self.listen, &self.listen_hosts)
    }
}

impl HasRows for ProcessSettings {
    fn rows() -> Vec<Setting> {
        process_settings("").to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        tables.part(&Self::rows())
    }
}

/// How a daemon differs from others.
#[derive(Debug)]
pub struct Daemon {
    /// The rows of its settings.
    pub rows: Vec<Setting>,
    /// Threads of its runtime; one for each processor by default.
    pub threads: Option<usize>,
}

impl Daemon {
    /// Reads the settings that `given` and the environment say, begins to log, and does `work` with
    /// them and where they came from; or else the subcommand `health`, if that is `wanted`.
    ///
    /// # Errors
    /// [`ConfigError`] for settings that cannot be used; else those of the work.
    pub fn run<S: HasRows>(
        &self,
        (wanted, given): (&str, &ArgMatches),
        work: impl AsyncFnOnce(S, &Source<'_>) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let source = Source { rows: &self.rows, given };
        let Loaded { settings: (settings, process), warnings } =
            source.read::<(S, ProcessSettings)>()?;
        init_logs(process.log_format, &process.log_level)?;
        for warning in warnings {
            warn!("{warning}");
        }
        let runtime = self.runtime()?;
        let result = runtime.block_on(async {
            match wanted {
                "health" => health(process.listen).await,
                _ => work(settings, &source).await,
            }
        });
        // A request that nobody waits for any more must not keep the process.
        runtime.shutdown_background();
        result
    }

    fn runtime(&self) -> std::io::Result<Runtime> {
        let mut builder = Builder::new_multi_thread();
        if let Some(threads) = self.threads {
            builder.worker_threads(threads);
        }
        builder.enable_all().build()
    }
}

/// Where settings come from: the command line, the environment, and the file that one of them names.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    rows: &'a [Setting],
    given: &'a ArgMatches,
}

impl Source<'_> {
    /// The settings as they are now.
    ///
    /// # Errors
    /// When the file cannot be read, or a value is unknown or of the wrong kind.
    pub fn read<S: HasRows>(&self) -> Result<Loaded<S>, ConfigError> {
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        load(self.rows, self.given, |name: &str| std::env::var_os(name), variables)
    }

    /// Prints every setting with its value and its origin, if the command line has [`explain_flag`].
    ///
    /// # Errors
    /// When the file cannot be read, or nothing be printed.
    pub fn explain_if_wanted(&self) -> anyhow::Result<()> {
        if !self.given.get_flag("explain") {
            return Ok(());
        }
        let environment = |name: &str| std::env::var_os(name);
        let path = file_given(self.given, environment);
        let text = path.as_deref().map(read_text).transpose()?;
        let file = path.as_deref().zip(text.as_deref());
        let origins = Origins { file, variable: &environment, given: self.given };
        let all = origins.explain(self.rows)?;
        let width =
            |of: fn(&Explained) -> &str| all.iter().map(|one| of(one).chars().count()).max();
        let name = width(|one| &one.name).unwrap_or_default();
        let value = width(|one| &one.value).unwrap_or_default().min(WIDEST_VALUE);
        let mut out = printed(Form::Plain);
        for one in &all {
            writeln!(out, "{:<name$}  {:<value$}  {}", one.name, clean(&one.value), one.origin)?;
        }
        Ok(writeln!(out)?)
    }
}

/// The flag of `check` that has it print all settings.
pub fn explain_flag() -> Arg {
    Arg::new("explain")
        .long("explain")
        .action(ArgAction::SetTrue)
        .help("Print every setting first, with its value and what says so: a flag, a variable, a line of the file, or nobody")
}

/// Asks the process that runs with the same settings how it is.
async fn health(listen: Option<SocketAddr>) -> anyhow::Result<ExitCode> {
    ask_ready(address_to_ask(listen)?).await?;
    writeln!(printed(Form::Plain), "ready")?;
    Ok(ExitCode::SUCCESS)
}

/// Does `work` until it ends or a signal asks it to. What it failed with is logged, where errors are,
/// and not said a second time.
///
/// # Errors
/// When signals cannot be waited for; those of the work, where nothing is logged.
pub async fn until_signals(
    work: impl AsyncFnOnce(Shutdown) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    logged(work(shutdown::on_signals()?).await)
}

/// What a program ends with, and what it failed with in the log, where errors are, so that it is not said a second
/// time.
///
/// # Errors
/// The failure, where nothing is logged.
pub fn logged(result: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    match result {
        Err(failure) if enabled!(Level::ERROR) => {
            error!("{}", joined(failure.chain()));
            Ok(ExitCode::from(code_of(&failure)))
        }
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

/// The exit code of a check that found everything well, or did not: a server that is away, say, which
/// is no fault of the settings.
pub fn checked(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Says what a program failed with, and returns the exit code.
pub fn conclude(program: &str, result: anyhow::Result<ExitCode>) -> ExitCode {
    let code = match result {
        Ok(code) => code,
        Err(failure) if is_broken_pipe(&failure) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(program, &joined(failure.chain()));
            ExitCode::from(code_of(&failure))
        }
    };
    said::flush();
    code
}

/// Whether whoever reads our output has seen enough, as in `omphalos parse … | head`.
pub fn is_broken_pipe(failure: &Error) -> bool {
    let io = failure.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Says on standard error what is wrong, without what must not be said. What stands on a line of its own in
/// it is indented: nothing that others wrote looks like another complaint.
pub fn complain(program: &str, what: &str) {
    tell!("{program}: {}", masked(what).replace('\n', "\n  "));
}

/// What every program does first: what this process makes is its user's alone, whatever the umask is, and
/// it ends when one of its threads panics: half a process looks alive.
pub fn begin() {
    keep_private();
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        if is_caught() {
            error!("caught, and nothing else is lost: {what}");
        } else {
            usual(what);
            std::process::abort();
        }
    }));
}

/// Lets panics pass of which this says, on their threads, that they are caught: by who is sure that nothing
/// else stands on what panicked.
pub fn let_pass(is_caught: fn() -> bool) {
    // There is one part that catches any.
    CAUGHT.set(is_caught).ok();
}

/// Whether a panic of this thread, now, would be caught.
pub fn is_caught() -> bool {
    CAUGHT.get().is_some_and(|is_caught| is_caught())
}

/// What the command line says; or the exit code where it says nothing that can be done, or asks for
/// help, which is given here. What clap repeats of it goes out as everything does.
///
/// # Errors
/// The exit code.
pub fn arguments(command: Command) -> Result<ArgMatches, ExitCode> {
    command.try_get_matches().map_err(|error| {
        if !error.use_stderr() {
            // Nobody listens where it cannot be said.
            error.print().ok();
            return ExitCode::SUCCESS;
        }
        let text = error.render();
        let takes_colours = said::takes_colours(&std::io::stderr());
        let text = if takes_colours { text.ansi().to_string() } else { text.to_string() };
        said::write(clean_lines(&masked(&text), takes_colours).as_bytes());
        said::flush();
        ExitCode::from(MISUSED)
    })
}

/// What the process ends with because of `failure`.
pub fn code_of(failure: &Error) -> u8 {
    if failure.downcast_ref::<ConfigError>().is_some() { MISUSED } else { FAILED }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command as Process;
    use std::thread;

    /// The signal of a process that ends itself.
    const ABORTED: i32 = 6;

    /// In a process of its own, which is this test once more.
    #[test]
    fn a_panic_of_any_thread_ends_the_process_unless_it_is_caught() {
        const INNER: &str = "OMPHALOS_TEST_OF_PANICS";
        if std::env::var_os(INNER).is_none() {
            let name = thread::current().name().map(str::to_owned).unwrap();
            let mut again = Process::new(std::env::current_exe().unwrap());
            let ended =
                again.args([&name, "--exact", "--nocapture"]).env(INNER, "1").output().unwrap();
            let said = String::from_utf8_lossy(&ended.stdout).into_owned();
            assert_eq!(ended.status.signal(), Some(ABORTED), "{said}");
            assert!(said.contains("the first was caught"), "{said}");
            return;
        }
        begin();
        let_pass(|| thread::current().name() == Some("caught"));
        let panics = |name: &str| {
            let thread = thread::Builder::new().name(name.to_owned());
            thread.spawn(|| panic!("what cannot be")).unwrap().join().is_err()
        };
        assert!(panics("caught"));
        writeln!(std::io::stdout(), "the first was caught").unwrap();
        panics("any other");
    }

    #[test]
    fn settings_that_cannot_be_used_have_an_exit_code_of_their_own() {
        let misused = || Error::from(ConfigError::invalid("x: expected 1, found 2"));
        assert_eq!(code_of(&misused()), MISUSED);
        assert_eq!(code_of(&misused().context("cannot start")), MISUSED);
        assert_eq!(code_of(&anyhow::anyhow!("the disk is full")), FAILED);
        let deeper: anyhow::Result<()> = Err(std::io::Error::other("x")).context("cannot read");
        assert_eq!(code_of(&deeper.unwrap_err()), FAILED);
    }
}
