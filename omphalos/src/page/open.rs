//! `omphalos open`: opens the page of the process that runs on this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, ExitCode, Stdio};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::printed::{Form, printed};
use omphalos_common::state_dir::default_state_dir;
use omphalos_common::tell;
use serde_json::Value;

use super::place::USUAL;

/// Where a process writes where its page is.
const FILE: &str = "page.url";
/// How long it may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// The subcommand.
pub fn command() -> Command {
    Command::new("open")
        .about("Open the page of the omphalos run, or omphalos demo, on this machine in a browser")
        .arg(
            Arg::new("state_dir")
                .long("state-dir")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .help("State directory of the process; by default that of omphalos run"),
        )
        .arg(
            Arg::new("print")
                .long("print")
                .action(ArgAction::SetTrue)
                .help("Only print the address"),
        )
}

/// Notes for `omphalos open` where the page is. That it cannot is no reason to do without a page.
pub fn note(state_dir: &Path, url: &str) {
    if let Err(error) = std::fs::write(state_dir.join(FILE), url) {
        tracing::debug!(%error, "the address of the page cannot be noted for omphalos open");
    }
}

/// Runs it.
///
/// # Errors
/// When there is no page, or no browser.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let directory = given.get_one::<PathBuf>("state_dir").cloned();
    let directory = directory.unwrap_or_else(|| default_state_dir("omphalos"));
    let noted = std::fs::read_to_string(directory.join(FILE)).ok();
    let usual = format!("http://{USUAL}/");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut places = noted.into_iter().chain([usual]);
    let found = places.find(|place| runtime.block_on(is_page(place)));
    let Some(url) = found else {
        anyhow::bail!(
            "no page answers: neither one that is noted in {} nor at {USUAL}; start omphalos run or omphalos demo, or name the state directory of the process (--state-dir)",
            directory.join(FILE).display()
        );
    };
    writeln!(printed(Form::Plain), "{url}")?;
    if !given.get_flag("print") && !browse(&url) {
        tell!("no browser could be started ($BROWSER, xdg-open): open this address in one");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a page of ours is there. One that asks for a token is one as well.
async fn is_page(url: &str) -> bool {
    let asked = async {
        // Nothing is told to it, and the browser looks at its certificate.
        let client = reqwest::Client::builder().no_proxy().danger_accept_invalid_certs(true);
        let client = client.timeout(PATIENCE).build()?;
        let answer = client.get(format!("{url}api/v1/health")).send().await?;
        let is_locked = answer.status() == reqwest::StatusCode::UNAUTHORIZED;
        let said: Value = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
        Ok::<bool, reqwest::Error>(
            is_locked || said.get("program").is_some_and(|program| program == "omphalos"),
        )
    };
    let is_address = url.starts_with("http://") || url.starts_with("https://");
    is_address && asked.await.unwrap_or(false)
}

fn browse(url: &str) -> bool {
    let wanted = std::env::var("BROWSER").ok().filter(|browser| !browser.is_empty());
    let browsers = wanted.into_iter().chain(["xdg-open".to_owned()]);
    let mut browsers = browsers.map(|browser| {
        let mut program = Program::new(browser);
        program.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        program.status().is_ok_and(|status| status.success())
    });
    browsers.any(|is_open| is_open)
}
