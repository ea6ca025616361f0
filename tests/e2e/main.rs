//! The promises, kept against real servers with the built programs. Each test is a sentence.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test code says what went wrong by panicking"
)]

mod alerts;
mod audit;
mod books;
mod bounded;
mod broker_faults;
mod broker_tls;
mod browser;
mod chaos;
mod checks;
mod circumstances;
mod clients;
mod clocks;
mod clusters;
mod console;
mod damage;
mod dashboard;
mod data_streams;
mod dead_letters;
mod delivery;
mod demo;
mod differential;
mod draining;
mod elastic_faults;
mod engines;
mod files;
mod filtering;
mod fleet;
mod foreign;
mod full_disks;
mod history;
mod hostile;
mod import;
mod json;
mod kills;
mod kubernetes;
mod linear;
mod lines;
mod logrotate;
mod manual;
mod many_values;
mod mapping;
mod metrics;
mod mounts;
mod packaging;
mod page;
mod page_browser;
mod page_changes;
mod parsing;
mod permissions;
mod receivers;
mod redirects;
mod reload;
mod replay;
mod rotation;
mod run;
mod scenarios;
mod search;
mod secrets;
mod setup;
mod signals;
mod steps;
mod store_hostile;
mod strangers;
mod systemd;
mod top;
mod udp;
mod udp_ledger;
mod udp_security;
mod udp_spool;
mod upgrades;
mod verdicts;
mod watch;
mod web;
mod without_broker;
