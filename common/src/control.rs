//! The socket in the state directory, by which the processes of the same user ask how a process is, and tell it to
//! read its settings again: no port is needed. It speaks HTTP: `curl --unix-socket
//! /var/lib/omphalos-shipper/omphalos-shipper.sock http://omphalos/status`. The directory is its user's alone, and so is the socket.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::fs::{Mode, OFlags, open};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::info;

use crate::own_files::create_directory;
use crate::shutdown::Shutdown;
use crate::telemetry::{Failure, request_by};

/// What the names of sockets end with.
const ENDING: &str = ".sock";
/// The longest path that a socket may have (unix(7)): longer ones are reached by the directory's descriptor.
const LONGEST_PATH: usize = 100;
/// So many connections at once; those beyond wait.
const MOST_CONNECTIONS: usize = 16;
/// How long the head of a request may take.
const LONGEST_HEAD: Duration = Duration::from_secs(10);
/// After the system could not accept a connection, because there are too many open files.
const PAUSE: Duration = Duration::from_secs(1);
/// What is read of an answer, in bytes.
const MOST: usize = 1024 * 1024;

/// Why a process was not asked.
#[derive(thiserror::Error, Debug)]
pub enum NotAsked {
    /// Nobody answers there.
    #[error(
        "no process answers at {path}: {why}; is one running with this state directory, as a user who may write there?"
    )]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// It does not answer as it should.
    #[error("the process at {path} does not answer: {why}")]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What came instead.
        why: String,
    },
}

/// The socket of a state directory, served until it is dropped; then it is gone.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    stop: Shutdown,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.cancel();
        // A later process removes what is left.
        fs::remove_file(&self.path).ok();
    }
}

impl Control {
    /// Serves `router` in the state directory of a program. Where that is not possible, this is said and done without: nothing
    /// stands on it but that people can ask.
    pub async fn begin(directory: &Path, program: &str, router: Router) -> Option<Self> {
        let path = socket(directory, program);
        match bind(directory, program).await {
            Ok(listener) => {
                let stop = Shutdown::new();
                tokio::spawn(serve(listener, router, stop.clone()));
                Some(Self { path, stop })
            }
            Err(error) => {
                info!("omphalos status cannot ask this process: {}: {error}", path.display());
                None
            }
        }
    }
}

/// The socket of a program in its state directory.
fn socket(directory: &Path, program: &str) -> PathBuf {
    directory.join(format!("{program}{ENDING}"))
}

/// The programs that have a socket in a directory, whether they run or not; none where it cannot be read.
pub fn programs(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut programs: Vec<String> =
        names.filter_map(|name| name.strip_suffix(ENDING).map(str::to_owned)).collect();
    programs.sort();
    programs
}

/// A way to a socket, however long its path is; the descriptor has to live as long as it is used.
fn way(directory: &Path, program: &str) -> std::io::Result<(Option<OwnedFd>, PathBuf)> {
    let path = socket(directory, program);
    if path.as_os_str().len() <= LONGEST_PATH {
        return Ok((None, path));
    }
    let descriptor =
        open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = format!("/proc/self/fd/{}/{program}{ENDING}", descriptor.as_raw_fd());
    Ok((Some(descriptor), short.into()))
}

async fn bind(directory: &Path, program: &str) -> std::io::Result<UnixListener> {
    create_directory(directory)?;
    let (_open, path) = way(directory, program)?;
    match UnixStream::connect(&path).await {
        Ok(_) => {
            let taken = "another process answers there: each needs a state directory of its own";
            return Err(std::io::Error::new(ErrorKind::AddrInUse, taken));
        }
        // Left by a process that was killed.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(&path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn serve(listener: UnixListener, router: Router, stop: Shutdown) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                let Ok((stream, _)) = accepted else {
                    sleep(PAUSE).await;
                    continue;
                };
                let mut builder = http1::Builder::new();
                builder.timer(TokioTimer::new()).header_read_timeout(LONGEST_HEAD).keep_alive(false);
                let service = TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    // What is wrong with a connection is the other side's business.
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Asks the process of a program in its state directory, with patience for its answer.
///
/// # Errors
/// When nobody answers, or not as this version does.
pub async fn ask(
    (directory, program): (&Path, &str),
    (method, path): (Method, &str),
    patience: Duration,
) -> Result<(StatusCode, Bytes), NotAsked> {
    let socket = socket(directory, program);
    let nobody = |why| NotAsked::Nobody { path: socket.clone(), why };
    let (_open, short) = way(directory, program).map_err(nobody)?;
    let stream = UnixStream::connect(&short).await.map_err(nobody)?;
    let silent = |why: String| NotAsked::Silent { path: socket.clone(), why };
    let answered = timeout(patience, answer(stream, method, path)).await;
    let answered = answered.map_err(|_| silent(format!("nothing within {patience:?}")))?;
    answered.map_err(|error| silent(error.to_string()))
}

async fn answer(
    stream: UnixStream,
    method: Method,
    path: &str,
) -> Result<(StatusCode, Bytes), Failure> {
    let request = Request::builder().method(method).uri(path).header("host", "omphalos");
    request_by(stream, request.body(Body::empty())?, MOST).await
}

#[cfg(test)]
mod tests {
    use std::os::unix::net;

    use axum::routing::get;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const NAME: &str = "omphalos-shipper";

    fn router(said: &'static str) -> Router {
        Router::new().route("/status", get(async move || said))
    }

    async fn asked(directory: &Path) -> Result<Bytes, NotAsked> {
        ask((directory, NAME), (Method::GET, "/status"), PATIENCE).await.map(|(_, body)| body)
    }

    #[tokio::test]
    async fn a_process_is_asked_by_its_state_directory_however_long_that_is_called() {
        let short = tempfile::tempdir().unwrap();
        let long = short.path().join("long".repeat(60));
        for directory in [short.path(), &long] {
            let control = Control::begin(directory, NAME, router("here")).await.expect("a socket");
            assert_eq!(asked(directory).await.unwrap(), "here");
            let mode = fs::metadata(socket(directory, NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
            drop(control);
            let error = asked(directory).await.unwrap_err().to_string();
            assert!(error.starts_with("no process answers at /"), "{error}");
        }
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_replaced_and_that_of_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        drop(net::UnixListener::bind(socket(directory.path(), NAME)).unwrap());
        let control =
            Control::begin(directory.path(), NAME, router("first")).await.expect("a socket");
        assert!(Control::begin(directory.path(), NAME, router("second")).await.is_none());
        assert_eq!(asked(directory.path()).await.unwrap(), "first");
        drop(control);
        let control =
            Control::begin(directory.path(), NAME, router("third")).await.expect("a socket");
        assert_eq!(asked(directory.path()).await.unwrap(), "third");
        drop(control);
    }

    #[tokio::test]
    async fn where_no_socket_can_be_the_process_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Control::begin(&file, NAME, router("never")).await.is_none());
    }
}
