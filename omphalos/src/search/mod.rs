//! `omphalos search`: prints the lines that match, from the embedded store or any Elasticsearch.
//!
//! Only reads. Exit codes as grep's: 0 found, 1 nothing found, 2 trouble.

mod answer;
mod asking;
mod brackets;
mod follow;
mod hints;
mod histogram;
mod lines;
mod operators;
mod options;
mod query;
mod unasked;
mod values;

use std::io::Write;
use std::process::ExitCode;

use clap::ArgMatches;
use omphalos_common::clean::{clean, clean_json_line};
use omphalos_common::config::ConfigError;
use omphalos_common::printed::{self, printed};
use omphalos_common::tell;
use omphalos_indexer::elasticsearch::{Client, ElasticsearchSettings, Fault, Problem};

use crate::run::Settings;
pub use answer::{Hit, Part};
pub use asking::{Asker, Order, Wanted};
use brackets::unbalanced;
use follow::Follower;
pub use lines::{Lines, line_without_time};
use operators::dangling;
pub use options::command;
use options::{Form, Options, Shape};
pub use options::{place, time, time_arg, times};
pub use query::{Query, SHORT_NAMES};
use unasked::unasked;

/// Runs the subcommand.
///
/// # Errors
/// When the settings cannot be used, or the question cannot be answered.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (options, form) = Options::read(given)?;
    let asker = asker(&options.settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(search(&options, form, &asker));
    let found = found.map_err(|error| explain(&options.settings, &options.typed, error))?;
    Ok(ExitCode::from(u8::from(!found)))
}

/// Whom to ask: the Elasticsearch that is named, or else the embedded store.
///
/// # Errors
/// When a setting cannot be used.
pub fn asker(settings: &Settings) -> Result<Asker, ConfigError> {
    asker_at(settings, &settings.indexer.elasticsearch)
}

/// The same, with another place that may be named.
///
/// # Errors
/// When a setting cannot be used.
pub fn asker_at(
    settings: &Settings,
    elasticsearch: &ElasticsearchSettings,
) -> Result<Asker, ConfigError> {
    let mut elasticsearch = elasticsearch.clone();
    if elasticsearch.url.is_none() {
        elasticsearch.url = Some(vec![format!("http://{}", settings.store().listen)]);
    }
    let client = Client::new(&elasticsearch, false)?.for_reading();
    Ok(Asker::new(client, settings.indexer.index.pattern()))
}

/// Prints what is asked for; returns whether there was anything.
async fn search(options: &Options, form: Form, asker: &Asker) -> anyhow::Result<bool> {
    let lines = &options.lines;
    let for_people = if lines.colour { printed::Form::Coloured } else { printed::Form::Plain };
    if hints::needs_fields(&options.query) {
        for hint in hints::of_wildcards(&options.query, &asker.fields().await?) {
            tell!("{}", clean(&hint));
        }
    }
    let show = |hit: &Hit| -> anyhow::Result<()> {
        let (form, line) = match form {
            Form::Readable => (for_people, lines.line(&hit.document(), hit.json())),
            Form::Json => (printed::Form::Json, clean_json_line(hit.json())),
        };
        writeln!(printed(form), "{line}")?;
        Ok(())
    };
    match options.shape {
        Shape::Lines => {
            let wanted = Wanted { most: options.limit, order: Order::Newest, sources: true };
            let (found, total) = asker.documents(&options.query, wanted).await?;
            for hit in found.iter().rev() {
                show(hit)?;
            }
            say_total(options, asker, found.len() as u64, total).await?;
            Ok(total > 0)
        }
        Shape::Follow => {
            Follower::new(asker, &options.query).run(options.limit, show).await?;
            Ok(true)
        }
        Shape::Histogram => {
            let (bars, total) = histogram::histogram(asker, &options.query, lines).await?;
            for bar in bars {
                writeln!(printed(for_people), "{bar}")?;
            }
            say_total(options, asker, total, total).await?;
            Ok(total > 0)
        }
    }
}

/// The count stands on standard error, so that the lines can go somewhere else; where nothing was
/// found, with what was asked, and what may be wrong with the question.
async fn say_total(options: &Options, asker: &Asker, shown: u64, total: u64) -> anyhow::Result<()> {
    let total_shown = grouped(total);
    match (shown, total) {
        (_, 0) => {
            tell!("nothing matches in {}", asker.asked());
            for hint in hints::hints(&options.query, &asker.fields().await?) {
                tell!("  {}", clean(&hint));
            }
        }
        (_, 1) => tell!("1 line matches"),
        (shown, total) if shown < total => tell!(
            "{total_shown} lines match; these are the newest {} (--limit N for more)",
            grouped(shown)
        ),
        _ => tell!("{total_shown} lines match"),
    }
    Ok(())
}

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// Says what to do about a fault of a query as it was typed.
pub fn explain(settings: &Settings, typed: &str, error: anyhow::Error) -> anyhow::Error {
    let default = settings.indexer.elasticsearch.url.is_none();
    match error.downcast_ref::<Fault>() {
        Some(Fault::Wrong(problem)) => ConfigError::invalid(format!(
            "the query {typed:?} cannot be answered: {}; see omphalos search --help for how queries are written",
            in_words_of(typed, problem)
        ))
        .into(),
        Some(Fault::Transient(problem)) if default => anyhow::anyhow!(
            "{problem} Nothing was named, so the embedded store was asked: start one (omphalos run, omphalos demo), or name an Elasticsearch with --url"
        ),
        _ => error,
    }
}

/// Whether a query can be asked.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn check(typed: &str) -> Result<(), String> {
    let dangling = || {
        dangling(typed).map(|operator| format!(
            "{operator} has nothing to stand between, or before; leave it out, or quote it if the word itself is meant: '\"{operator}\"'"
        ))
    };
    unbalanced(typed).or_else(dangling).or_else(|| unasked(typed)).map_or(Ok(()), Err)
}

/// A problem with a query, about what was typed and not about what became of it; where in that a parser
/// stood helps nobody.
pub fn in_words_of(typed: &str, problem: &Problem) -> Problem {
    const WHERE: &str = "; caused by parse_exception: ";
    let query = Query::new(typed, None, None);
    let Some(translated) = query.translated() else { return problem.clone() };
    let reason = match problem.reason.split_once(WHERE) {
        Some((reason, _)) if reason.contains(translated) => reason,
        _ => &problem.reason,
    };
    Problem { reason: reason.replace(translated, typed), ..problem.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_what_was_typed() {
        for (typed, reason, expected) in [
            (
                "status:",
                "Failed to parse query [http.response.status_code:]; caused by parse_exception: Cannot parse 'http.response.status_code:': Encountered \"<EOF>\" at line 1, column 26.",
                "Failed to parse query [status:]",
            ),
            ("a", "Failed to parse query [(a OR \\*:*a*)]", "Failed to parse query [a]"),
            ("", "no query", "no query"),
            ("a", "other; caused by parse_exception: x", "other; caused by parse_exception: x"),
        ] {
            let problem = Problem { status: 400, kind: "k".to_owned(), reason: reason.to_owned() };
            assert_eq!(in_words_of(typed, &problem).reason, expected, "{typed}");
        }
    }

    #[test]
    fn numbers_are_read_in_thousands() {
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
