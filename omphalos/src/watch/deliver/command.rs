//! A program that is run with each event on its standard input.
//!
//! It is the leader of a process group of its own, so that what it starts ends with it when it takes too long. Whether it
//! reads its input or not, what counts is its exit code.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, process, thread};

use futures_util::future::join;
use omphalos_common::config::ConfigError;
use omphalos_live::alert::Event;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver as Output, Sender as Input};
use tokio::select;
use tokio::sync::oneshot;

use super::Receiver;
use super::failure::Failure;
use super::text::one_line;
use super::webhook::json;

/// So much of what it says on its standard error is kept.
const MOST_SAID: usize = 4_096;

#[derive(Debug)]
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
}

/// A program that runs; it is killed when this is dropped.
struct Running {
    group: Pid,
    /// Once it is, its number may be another's.
    is_over: Arc<Mutex<bool>>,
    output: Output,
    end: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Command {
    pub fn new(receiver: &Receiver) -> Result<Self, ConfigError> {
        let mut words = receiver.command.iter().cloned();
        let program = words.next().filter(|program| !program.is_empty()).ok_or_else(|| {
            receiver.refuse("command", "expected a program and its arguments, found none")
        })?;
        Ok(Self { program, arguments: words.collect() })
    }

    pub async fn deliver(&self, event: &Event) -> Result<(), Failure> {
        let json = json(event)? + "\n";
        let failed = |why: String| Failure::later(format!("{}: {why}", self.program));
        let started = self.start().map_err(|error| failed(format!("cannot run it: {error}")));
        let (mut running, input) = started?;
        let mut said = Vec::new();
        let status = running.talk(input, json.as_bytes(), &mut said).await;
        let status = status.map_err(|error| failed(error.to_string()))?;
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let line = one_line(said.trim_start().lines().next().unwrap_or_default());
        let separator = if line.is_empty() { "" } else { ": " };
        // "exit status: 3", or "signal: 9 (SIGKILL)"
        Err(failed(format!("{status}{separator}{line}")))
    }

    fn start(&self) -> io::Result<(Running, Input)> {
        let mut child = process::Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stderr.take());
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (Some((input, output)), Some(group)) = (pipes, group) else {
            child.kill()?;
            return Err(io::Error::other("it has no standard input"));
        };
        let is_over = Arc::new(Mutex::new(false));
        let end = wait_beside(child, group, is_over.clone())?;
        let input = Input::from_owned_fd(OwnedFd::from(input))?;
        let output = Output::from_owned_fd(OwnedFd::from(output))?;
        Ok((Running { group, is_over, output, end }, input))
    }
}

/// A thread that waits for the end of a program, for want of a portable way to wait for it with others.
fn wait_beside(
    mut child: Child,
    group: Pid,
    is_over: Arc<Mutex<bool>>,
) -> io::Result<oneshot::Receiver<io::Result<ExitStatus>>> {
    let (tell, end) = oneshot::channel();
    let wait = move || {
        // It stays a zombie, and its number its own, until nobody can kill it by that any more.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(group), options).is_err_and(|error| error == Errno::INTR) {}
        let mut is_over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
        *is_over = true;
        // Whoever wanted to know may be gone.
        tell.send(child.wait()).ok();
    };
    let thread = thread::Builder::new().name("command".to_owned()).spawn(wait);
    if let Err(error) = thread {
        kill_process_group(group, Signal::KILL)?;
        return Err(error);
    }
    Ok(end)
}

impl Running {
    /// Gives it `text` and hears what it says until it ends.
    async fn talk(
        &mut self,
        mut input: Input,
        text: &[u8],
        said: &mut Vec<u8>,
    ) -> io::Result<ExitStatus> {
        let give = async move {
            // Nobody has to read it. It is closed behind it, which is its end.
            input.write_all(text).await.ok();
        };
        let status = select! {
            biased;
            status = &mut self.end => status,
            ((), ()) = join(give, hear(&mut self.output, said)) => (&mut self.end).await,
        };
        // What it said last may not have been read yet; tokio would first wait to be told that there is some. Whoever is left
        // with the other end may write for ever.
        let mut buffer = [0; MOST_SAID];
        while said.len() < MOST_SAID
            && let Ok(read @ 1..) = rustix::io::read(&self.output, &mut buffer)
        {
            said.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        status.map_err(|_| io::Error::other("nobody knows how it ended"))?
    }
}

/// Reads to the end, and keeps the beginning.
async fn hear(output: &mut Output, said: &mut Vec<u8>) {
    let mut buffer = [0; MOST_SAID];
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        let room = MOST_SAID.saturating_sub(said.len());
        said.extend_from_slice(buffer.get(..read.min(room)).unwrap_or_default());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_over {
            // It may be gone already.
            kill_process_group(self.group, Signal::KILL).ok();
        }
    }
}
