//! Settings that change while a process runs. It works in rounds: told to reload (SIGHUP, or `reload` by the
//! [`control`] socket), it reads its settings again and checks them; only if they can be used
//! it ends the round as a stop would, with nothing lost and nothing under way, and begins the next one with them. The
//! listeners stay open meanwhile. Settings that turn out to be unusable only then are left again for those of
//! before.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{error, info, warn};

use crate::causes::joined;
use crate::config::{ConfigError, HasRows, Loaded};
use crate::control::{self, Control};
use crate::masked::masked;
use crate::printed::{Form, printed};
use crate::program::{FAILED, MISUSED, ProcessSettings, Source, code_of, logged};
use crate::shutdown::{self, Shutdown};
use crate::status::{Report, Status};
use crate::systemd;
use crate::telemetry::{Health, Kept, Telemetry, encode_counters};

/// How long `reload` waits: for what is in flight to end, and the next round to begin.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a process may take to say that it is there.
const AWAKE: Duration = Duration::from_secs(10);

/// What a stretch of work stands on, between two reloads.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Ends it, as a signal does.
    pub stop: Shutdown,
    /// Where it says how it is, and counts: from the beginning.
    pub telemetry: Telemetry,
    /// Listeners, which stay open when it ends.
    pub kept: Kept,
    /// What its parts say of themselves.
    pub status: Status,
    begun: Arc<Notify>,
}

impl Round {
    /// The only one of a process that does its work once, and does not reload.
    pub fn only(stop: Shutdown) -> Self {
        Self { stop, ..Self::default() }
    }

    /// The same for one part of several in a process; only if it `begins` the round, that has begun when it says so.
    #[must_use]
    pub fn of_part(&self, part: &'static str, begins: bool) -> Self {
        let begun = if begins { Arc::clone(&self.begun) } else { Arc::default() };
        Self { telemetry: self.telemetry.of_part(part), begun, ..self.clone() }
    }

    /// Says that it has begun: that its settings could be used. systemd hears it, where the process is its.
    pub fn begin(&self) {
        self.begun.notify_one();
    }
}

/// How a program works in rounds.
pub struct Rounds<'a, S> {
    /// Its name, for people.
    pub program: &'static str,
    /// Where its settings come from, again and again.
    pub source: &'a Source<'a>,
    /// Checks all that can be known of settings without servers.
    pub check: &'a dyn Fn(&S) -> anyhow::Result<()>,
    /// Where its socket is.
    pub state_dir: fn(&S) -> PathBuf,
}

/// Whoever wants to know what became of a reload.
type Asker = Option<oneshot::Sender<Result<(), Refusal>>>;

/// Why new settings were not taken.
#[derive(Debug, Clone)]
struct Refusal {
    /// The exit code of who told to take them.
    code: u8,
    text: String,
}

impl From<&anyhow::Error> for Refusal {
    fn from(failure: &anyhow::Error) -> Self {
        Self { code: code_of(failure), text: masked(&joined(failure.chain())).into_owned() }
    }
}

/// What is known of the process through all rounds.
#[derive(Debug)]
struct Process {
    program: &'static str,
    started: Timestamp,
    health: Health,
    status: Status,
    outcomes: Outcomes,
    last: Mutex<(Option<Timestamp>, Option<String>)>,
    requests: mpsc::Sender<Asker>,
}

/// How often settings were read again, and taken or refused.
#[derive(Debug, Clone, Default)]
struct Outcomes {
    taken: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Collector for Outcomes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = [&self.taken, &self.refused].map(|count| count.load(Ordering::Relaxed));
        encode_counters(
            &mut encoder,
            ("omphalos_reloads", "How often the settings were read again, and taken or refused"),
            ["taken", "refused"].map(|outcome| Outcome { outcome }).into_iter().zip(counts),
        )
    }
}

/// How a round ended.
enum Ended<S> {
    /// By itself, or by a signal.
    Done(anyhow::Result<()>),
    /// For other settings.
    For(Box<S>, Asker),
}

impl<S: HasRows + Clone> Rounds<'_, S> {
    /// Works with these settings first, and with others when told to take them, until the work ends or a signal
    /// asks it to. What it failed with is logged, and not said a second time.
    ///
    /// # Errors
    /// When signals cannot be waited for; those of the work, where nothing is logged.
    pub async fn work(
        self,
        first: S,
        work: impl AsyncFn(S, Round) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let (stop, mut hangups) = shutdown::on_signals_but_hangups()?;
        let (requests, mut asked) = mpsc::channel(4);
        let process = Arc::new(Process::new(self.program, requests));
        tokio::spawn(process.status.clone().log(stop.clone()));
        let forwarding = process.requests.clone();
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                if forwarding.send(None).await.is_err() {
                    return;
                }
            }
        });
        let kept = Kept::default();
        let mut settings = first;
        let mut control = Place::default();
        let mut former: Option<(S, Asker)> = None;
        let begin = || systemd::begin(process.health.clone(), stop.clone());
        let mut at_first = Some(begin);
        loop {
            kept.begin_round();
            control.be_at(&(self.state_dir)(&settings), &process).await;
            let round = process.round(&stop, &kept);
            let begun = || {
                kept.drop_unused();
                // systemd hears it once: it knows nothing of rounds.
                if let Some(begin) = at_first.take() {
                    begin();
                }
                if let Some((_, asker)) = former.take() {
                    process.take(asker);
                }
            };
            match self.round(&settings, round, (begun, &mut asked, &process), &work).await {
                Ended::For(next, asker) => {
                    let last = std::mem::replace(&mut settings, *next);
                    // Those that have worked are those to go back to.
                    let (good, earlier) = former.take().unwrap_or((last, None));
                    overtake(earlier);
                    former = Some((good, asker));
                }
                Ended::Done(Err(failure)) if former.is_some() && !stop.is_cancelled() => {
                    let Some((before, asker)) = former.take() else { continue };
                    process.refuse(&Refusal::from(&failure), asker);
                    warn!("going on with the settings of before");
                    settings = before;
                }
                Ended::Done(result) => return logged(result),
            }
        }
    }

    /// One round, until it ends or makes way for the next.
    async fn round(
        &self,
        settings: &S,
        round: Round,
        (mut on_begun, asked, process): (impl FnMut(), &mut mpsc::Receiver<Asker>, &Process),
        work: &impl AsyncFn(S, Round) -> anyhow::Result<()>,
    ) -> Ended<S> {
        let (stop, begun) = (round.stop.clone(), Arc::clone(&round.begun));
        let mut working = Box::pin(work(settings.clone(), round));
        loop {
            tokio::select! {
                result = &mut working => return Ended::Done(result),
                () = begun.notified() => on_begun(),
                Some(asker) = asked.recv() => match self.again() {
                    Err(failure) => process.refuse(&Refusal::from(&failure), asker),
                    Ok(next) => {
                        info!("reloading: the new settings can be used; finishing what is in flight");
                        stop.cancel();
                        if let Err(failure) = working.await {
                            // It is as after a stop that failed so: what was not remembered is read again.
                            error!("the round before ended badly: {}", joined(failure.chain()));
                        }
                        return Ended::For(Box::new(next), asker);
                    }
                },
            }
        }
    }

    /// The settings as they are now, if they can be used.
    fn again(&self) -> anyhow::Result<S> {
        let Loaded { settings: (settings, _), warnings } =
            self.source.read::<(S, ProcessSettings)>()?;
        (self.check)(&settings)?;
        for warning in warnings {
            warn!("{warning}");
        }
        Ok(settings)
    }
}

impl Process {
    fn new(program: &'static str, requests: mpsc::Sender<Asker>) -> Self {
        Self {
            program,
            started: Timestamp::now(),
            health: Health::default(),
            status: Status::default(),
            outcomes: Outcomes::default(),
            last: Mutex::default(),
            requests,
        }
    }

    /// A round that counts and says how it is from the beginning.
    fn round(&self, stop: &Shutdown, kept: &Kept) -> Round {
        self.health.clear();
        self.status.clear();
        let telemetry = Telemetry::of(self.health.clone());
        telemetry.register_plainly(Box::new(self.outcomes.clone()));
        Round {
            stop: stop.child_token(),
            telemetry,
            kept: kept.clone(),
            status: self.status.clone(),
            begun: Arc::default(),
        }
    }

    fn take(&self, asker: Asker) {
        self.outcomes.taken.fetch_add(1, Ordering::Relaxed);
        *self.last() = (Some(Timestamp::now()), None);
        info!("reloaded: the new settings are in use");
        if let Some(asker) = asker {
            // Who asked may have gone.
            asker.send(Ok(())).ok();
        }
    }

    fn refuse(&self, refusal: &Refusal, asker: Asker) {
        self.outcomes.refused.fetch_add(1, Ordering::Relaxed);
        self.last().1 = Some(refusal.text.clone());
        error!("not reloaded, the settings of before stay in use: {}", refusal.text);
        if let Some(asker) = asker {
            asker.send(Err(refusal.clone())).ok();
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, (Option<Timestamp>, Option<String>)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) -> Report {
        let (reloaded, refused) = self.last().clone();
        let shown = |time: Timestamp| format!("{time:.3}");
        Report {
            program: self.program.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: shown(self.started),
            reloaded: reloaded.map(shown),
            refused,
            stuck: self.health.stuck(),
            problems: self.health.problems(),
            parts: self.status.say(),
        }
    }
}

/// Other settings came before those that somebody asked for were in use.
fn overtake(asker: Asker) {
    if let Some(asker) = asker {
        let text = "it was told to take others meanwhile".to_owned();
        asker.send(Err(Refusal { code: FAILED, text })).ok();
    }
}

/// Where the socket is.
#[derive(Default)]
struct Place(Option<(PathBuf, Option<Control>)>);

impl Place {
    /// Opens it in `directory`, unless it is there.
    async fn be_at(&mut self, directory: &Path, process: &Arc<Process>) {
        if self.0.as_ref().is_none_or(|(at, _)| at != directory) {
            let router = Router::new()
                .route("/status", get(status))
                .route("/reload", post(reload))
                .with_state(Arc::clone(process));
            let control = Control::begin(directory, process.program, router).await;
            self.0 = Some((directory.to_owned(), control));
        }
    }
}

async fn status(State(process): State<Arc<Process>>) -> Response {
    match serde_json::to_vec(&process.report()) {
        Ok(report) => ([(header::CONTENT_TYPE, "application/json")], report).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn reload(State(process): State<Arc<Process>>) -> (StatusCode, String) {
    let (asker, told) = oneshot::channel();
    let gone = (StatusCode::SERVICE_UNAVAILABLE, "the process is stopping".to_owned());
    if process.requests.send(Some(asker)).await.is_err() {
        return gone;
    }
    match told.await {
        Ok(Ok(())) => (StatusCode::OK, "reloaded".to_owned()),
        Ok(Err(Refusal { code: MISUSED, text })) => (StatusCode::UNPROCESSABLE_ENTITY, text),
        Ok(Err(Refusal { text, .. })) => (StatusCode::INTERNAL_SERVER_ERROR, text),
        Err(_) => gone,
    }
}

/// Tells the process in a state directory to read its settings again, that of the first of these programs that
/// has one there, and waits for what becomes of it: `reload` of each program.
///
/// # Errors
/// When nobody could be told, or the settings cannot be used.
pub async fn tell_to_reload(state_dir: &Path, programs: &[&str]) -> anyhow::Result<ExitCode> {
    let there = control::programs(state_dir);
    let is_there = |program: &&&str| there.iter().any(|there| there == *program);
    let program = programs.iter().find(is_there).or(programs.first()).copied().unwrap_or_default();
    // Who stands still is not waited for as long as who stops what it was doing.
    control::ask((state_dir, program), (Method::GET, "/status"), AWAKE).await?;
    let request = (Method::POST, "/reload");
    let (status, said) = control::ask((state_dir, program), request, PATIENCE).await?;
    let said = String::from_utf8_lossy(&said);
    match status {
        StatusCode::OK => {
            writeln!(printed(Form::Plain), "reloaded")?;
            Ok(ExitCode::SUCCESS)
        }
        StatusCode::UNPROCESSABLE_ENTITY => Err(ConfigError::invalid(format!(
            "not reloaded, the settings of before stay in use: {said}"
        ))
        .into()),
        _ => anyhow::bail!("not reloaded, the settings of before stay in use: {said}"),
    }
}
