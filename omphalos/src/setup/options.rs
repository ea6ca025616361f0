//! What is asked for on the command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::{ConfigError, Setting, add_flags, load};
use omphalos_indexer::collector::IndexSettings;
use omphalos_indexer::elasticsearch::{ElasticsearchSettings, way_beside};
use url::Url;

use super::kibana::Kibana;
use super::objects::{Naming, objects};
use super::settings::{SETUP_SETTINGS, SetupSettings};
use super::steps::Intent;
use crate::run::{Settings, all_settings};

const HELP: &str = "\
Makes, or brings up to date: the index template (as the indexer does by itself), what deletes old indices if
--retention is given (ILM on Elasticsearch, ISM on OpenSearch), and in Kibana, if --kibana-url is given, the
data view, searches and dashboards. It may be run again: what says the same already is left as it is, and so is what
a later version made. Give it the [index] and [elasticsearch] tables of the indexer.

Examples:
  omphalos setup --url http://es1.example.com:9200 --kibana-url http://kibana.example.com:5601
  omphalos setup --retention 90d --dry-run
  omphalos setup --export /tmp/omphalos
  omphalos setup --sweep --retention 90d";

/// What is to be done.
#[derive(Debug)]
pub enum Wanted {
    /// All of it.
    Everything,
    /// To write it into this directory.
    Export(PathBuf),
    /// To take it away.
    Remove,
    /// To delete indices that are older than so many days.
    Sweep(u64),
}

/// What is asked for.
#[derive(Debug)]
pub struct Options {
    /// What is to be done.
    pub wanted: Wanted,
    /// Whether it is done.
    pub intent: Intent,
    /// Where.
    pub elasticsearch: ElasticsearchSettings,
    /// For which indices.
    pub index: IndexSettings,
    /// How many days they are kept.
    pub days: Option<u64>,
    /// Where Kibana is, and what stands before its API.
    place: Option<(Url, String)>,
}

fn rows() -> Vec<Setting> {
    let mut rows = all_settings();
    rows.retain(|row| ["elasticsearch", "index"].contains(&row.top()));
    let mut rows: Vec<Setting> = rows
        .iter()
        .map(|row| match row.key {
            "elasticsearch.url" => {
                row.alias("url").default("http://127.0.0.1:9200").help(
                    "Elasticsearch or OpenSearch URLs. Everybody sees flags (ps): give a password by password_file, or the variable.",
                )
            }
            _ => *row,
        })
        .collect();
    rows.extend(SETUP_SETTINGS);
    rows
}

/// The subcommand.
pub fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let setup = Command::new("setup")
        .about("Make the index template, what deletes old indices, and Kibana's data view, searches and dashboards")
        .after_help(HELP)
        .arg(switch("dry-run", "Only say what would be done"))
        .arg(
            Arg::new("export")
                .long("export")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .conflicts_with_all(["dry-run", "remove", "sweep"])
                .help("Write everything into this directory instead, to be put and imported by hand; no server is asked"),
        )
        .arg(
            switch("remove", "Take away what was made here; documents stay")
                .conflicts_with("sweep"),
        )
        .arg(switch(
            "sweep",
            "Only delete the indices whose last day is longer ago than --retention, by the dates in their names: for servers without ILM and ISM, once a day",
        ));
    add_flags(setup, &rows())
}

impl Options {
    /// Reads flags, environment and the file of settings.
    ///
    /// # Errors
    /// When something cannot be used; the message names it.
    pub fn read(given: &ArgMatches) -> Result<Self, ConfigError> {
        let read = |name: &str| std::env::var_os(name);
        let (settings, setup): (Settings, SetupSettings) =
            load(&rows(), given, read, std::iter::empty())?.settings;
        let index = settings.indexer.index;
        index.check()?;
        let days = setup.days(index.period)?;
        let wanted = match given.get_one::<PathBuf>("export") {
            Some(directory) => Wanted::Export(directory.clone()),
            None if given.get_flag("remove") => Wanted::Remove,
            None if given.get_flag("sweep") => Wanted::Sweep(days.ok_or_else(|| {
                ConfigError::invalid(
                    "--sweep deletes what is older than the retention: give it with --retention 90d, or as setup.retention",
                )
            })?),
            None => Wanted::Everything,
        };
        if matches!(wanted, Wanted::Sweep(_)) && index.namespace().is_some() {
            return Err(ConfigError::invalid(
                "--sweep goes by the dates in the names of indices, which data streams do not have; they need ILM or ISM",
            ));
        }
        let intent = if given.get_flag("dry-run") { Intent::Show } else { Intent::Do };
        let place = setup.kibana()?;
        let elasticsearch = settings.indexer.elasticsearch;
        Ok(Self { wanted, intent, elasticsearch, index, days, place })
    }

    /// The way to Kibana, if one is named.
    ///
    /// # Errors
    /// When the settings of the way cannot be used.
    pub fn kibana(&self) -> Result<Option<Kibana>, ConfigError> {
        let Some((url, space)) = &self.place else { return Ok(None) };
        let (way, shown) = way_beside(&self.elasticsearch, url.clone())?;
        Ok(Some(Kibana::new(way, shown, space.clone())))
    }

    /// The objects for Kibana.
    pub fn objects(&self) -> Vec<serde_json::Value> {
        objects(&Naming::of(&self.index))
    }
}
