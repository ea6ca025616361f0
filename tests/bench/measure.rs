//! What a process cost: processor time, wall time, peak memory.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use omphalos_tests::rest;
use tokio::runtime::Runtime;

/// Of processor time, in a second: Linux has 100 everywhere (`sysconf(_SC_CLK_TCK)`).
const TICKS: f64 = 100.0;

/// The cost of one run.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// User and system time, in seconds.
    pub cpu: f64,
    /// From start to end, in seconds.
    pub wall: f64,
    /// Largest resident memory, in MiB.
    pub peak: f64,
}

/// Runs a command to its end.
pub fn cost(command: &mut Command) -> Cost {
    let before = children_seconds();
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut peak: f64 = 0.0;
    let status = loop {
        peak = peak.max(memory(&child, "VmHWM:").unwrap_or(0.0));
        match child.try_wait().expect("wait") {
            Some(status) => break status,
            None => rest(Duration::from_millis(2)),
        }
    };
    let wall = begun.elapsed().as_secs_f64();
    let cpu = children_seconds() - before;
    if !status.success() {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut child.stderr.expect("piped"), &mut text).ok();
        panic!("{command:?} failed: {text}");
    }
    Cost { cpu, wall, peak }
}

/// The least of several measurements: what it costs when nothing disturbs.
pub fn best(costs: &[Cost]) -> Cost {
    let least = |value: fn(&Cost) -> f64| costs.iter().map(value).fold(f64::INFINITY, f64::min);
    Cost {
        cpu: least(|cost| cost.cpu),
        wall: least(|cost| cost.wall),
        peak: costs.iter().map(|cost| cost.peak).fold(0.0, f64::max),
    }
}

/// A figure of a running process in MiB: `VmHWM:` or `VmRSS:`.
pub fn memory(child: &Child, name: &str) -> Option<f64> {
    memory_of(child.id(), name)
}

/// The same of any process.
pub fn memory_of(process: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Processor time of a running process so far, in seconds.
pub fn seconds_of(process: u32) -> f64 {
    let clock = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&clock).expect("it runs");
    // Behind the name, which may have anything in it: fields 3 on; 14 and 15 are ticks.
    let fields = text.rsplit(')').next().expect("fields").split_whitespace();
    let ticks: f64 =
        fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks")).sum();
    ticks / TICKS
}

/// The present resident memory of this process in MiB.
pub fn own_memory() -> f64 {
    memory_of(std::process::id(), "VmRSS:").expect("our own status")
}

/// Processor time of all children that have ended.
pub fn children_seconds() -> f64 {
    seconds(UsageWho::RUSAGE_CHILDREN)
}

/// Processor time of this process, but for the thread that asks.
pub fn own_seconds() -> f64 {
    seconds(UsageWho::RUSAGE_SELF) - thread_seconds()
}

/// Processor time of the thread that asks.
pub fn thread_seconds() -> f64 {
    seconds(UsageWho::RUSAGE_THREAD)
}

fn seconds(who: UsageWho) -> f64 {
    let usage = getrusage(who).expect("getrusage");
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Two workers, as the shipper has.
pub fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

/// The load average of the last minute, to be told beside a rate.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}
