//! What all programs of Omphalos share: settings, the frame of a daemon, names and ids, times,
//! retry, shutdown, telemetry and its HTTP listener, TLS. Nothing here knows any other crate of ours.

pub mod causes;
pub mod clean;
pub mod clock;
pub mod config;
pub mod control;
pub mod ecs;
pub mod event;
pub mod heartbeat;
pub mod ids;
pub mod json;
pub mod machine;
pub mod masked;
pub mod numbers;
pub mod own_files;
pub mod page;
pub mod pinned;
pub mod printed;
pub mod program;
pub mod retry;
pub mod rounds;
pub mod said;
pub mod shutdown;
pub mod state_dir;
pub mod status;
pub mod systemd;
pub mod telemetry;
pub mod time;
pub mod tls;
pub mod whole_file;
