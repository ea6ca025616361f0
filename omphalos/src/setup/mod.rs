//! `omphalos setup`: makes what searching needs beside the documents: the index template, what deletes old
//! indices, and in Kibana the data view, searches and dashboards. What is there already and says the same stays
//! as it is, so it may be run again, by hand or from a script.

mod export;
mod kibana;
mod lifecycle;
mod objects;
mod options;
mod settings;
mod steps;
mod sweep;

use std::process::ExitCode;

use clap::ArgMatches;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_common::telemetry::{LogFormat, init_logs};
use omphalos_indexer::collector::IndexSettings;
use omphalos_indexer::elasticsearch::{
    Client, Installed, Lifecycle, TEMPLATE_VERSION, TemplateOptions, install,
    outlier_template_name, version_of,
};
use serde_json::Value;

use kibana::Kibana;
use lifecycle::Scope;
use omphalos_common::config::Setting;
pub use options::command;
use options::{Options, Wanted};
use settings::SETUP_SETTINGS;
pub use settings::SetupSettings;
use steps::{Intent, say};

/// The rows of the `[setup]` table.
pub fn settings() -> Vec<Setting> {
    SETUP_SETTINGS.to_vec()
}

/// Runs the subcommand.
///
/// # Errors
/// `ConfigError` for what cannot be used; anything else when a server does not do its part.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let options = Options::read(given)?;
    // What was done is printed; the log has what the client wonders about.
    init_logs(LogFormat::Human, "warn")?;
    if let Wanted::Export(directory) = &options.wanted {
        export::write(directory, &options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(act(&options))?;
    Ok(ExitCode::SUCCESS)
}

async fn act(options: &Options) -> anyhow::Result<()> {
    let client = Client::new(&options.elasticsearch, false)?.for_setting_up();
    let kibana = options.kibana()?;
    let intent = options.intent;
    let info = client.info().await?;
    say("server", client.shown(), &format!("{} {}", info.product, info.version))?;
    match options.wanted {
        Wanted::Sweep(days) => sweep(&client, options, days, intent).await,
        Wanted::Remove => remove(&client, kibana.as_ref(), options, intent).await,
        Wanted::Everything | Wanted::Export(_) => {
            set_up(&client, options, intent).await?;
            match &kibana {
                Some(kibana) => kibana.import(&options.objects(), intent).await,
                None => say(
                    "kibana",
                    "-",
                    "none is named (--kibana-url), so no dashboards; --export DIR writes them to be imported by hand",
                ),
            }
        }
    }
}

/// Lifecycle and template.
async fn set_up(client: &Client, options: &Options, intent: Intent) -> anyhow::Result<()> {
    let index = &options.index;
    let scope = Scope::new(index, options.days)?;
    let manager = lifecycle::manager(client).await?;
    let lifecycle = match (manager, options.days) {
        (Some(manager), Some(_)) => lifecycle::set_up(client, manager, &scope, intent).await?,
        (None, Some(days)) => {
            let advice = format!(
                "this server has neither ILM nor ISM: run omphalos setup --sweep every day, which deletes what is older than {days} days (the embedded store has store.max_age)"
            );
            say("lifecycle", "-", &advice)?;
            Lifecycle::None
        }
        (_, None) => Lifecycle::None,
    };
    template(client, index, lifecycle, intent).await?;
    // When no template names it any more, and before it counts for what is there already.
    match (manager, options.days) {
        (Some(manager), Some(_)) if intent == Intent::Do => {
            lifecycle::attach(client, manager, &scope).await?;
        }
        (Some(manager), None) => {
            lifecycle::remove(client, manager, &scope, intent).await?;
            if intent == Intent::Do {
                let outliers = outlier_template_name(&index.prefix);
                client.delete(&format!("_index_template/{outliers}")).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

async fn template(
    client: &Client,
    index: &IndexSettings,
    lifecycle: Lifecycle,
    intent: Intent,
) -> anyhow::Result<()> {
    let options = TemplateOptions { lifecycle, ..index.template_options() };
    let name = options.name();
    let path = format!("_index_template/{name}");
    let before = client.get(&path).await?;
    let version = before.as_ref().and_then(version_of);
    let said = match (intent, version) {
        (Intent::Show, Some(version)) if version > TEMPLATE_VERSION => {
            format!("version {version} is there, which is newer, and would be left alone")
        }
        (Intent::Show, None) => format!("version {TEMPLATE_VERSION} would be installed"),
        (Intent::Show, Some(TEMPLATE_VERSION)) => {
            format!("version {TEMPLATE_VERSION} is there, and would be as these settings say")
        }
        (Intent::Show, Some(version)) => {
            format!("version {TEMPLATE_VERSION} would take the place of version {version}")
        }
        (Intent::Do, _) => match install(client, &options).await? {
            Installed::Newer(version) => {
                format!("version {version} is there, which is newer, and was left alone")
            }
            Installed::Now if same(before.as_ref(), client.get(&path).await?.as_ref()) => {
                format!("version {TEMPLATE_VERSION}: unchanged")
            }
            Installed::Now => format!("version {TEMPLATE_VERSION} installed"),
        },
    };
    say("template", &name, &said)
}

/// Whether two answers show the same template, whenever it was written.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    let content = |answer: Option<&Value>| {
        let mut template = answer?.pointer("/index_templates/0/index_template")?.clone();
        template.as_object_mut()?.retain(|name, _| !name.contains("_date"));
        Some(template)
    };
    content(one) == content(other)
}

async fn sweep(
    client: &Client,
    options: &Options,
    days: u64,
    intent: Intent,
) -> anyhow::Result<()> {
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let prefix = &options.index.prefix;
    let swept = sweep::sweep(client, prefix, days, today, intent).await?;
    let indices = if swept == 1 { "index" } else { "indices" };
    let said = format!("{swept} {indices} older than {days} days: {}", intent.done("deleted"));
    say("sweep", &format!("{prefix}-*"), &said)
}

/// Takes away what was set up; the documents stay.
async fn remove(
    client: &Client,
    kibana: Option<&Kibana>,
    options: &Options,
    intent: Intent,
) -> anyhow::Result<()> {
    if let Some(kibana) = kibana {
        kibana.remove(&options.objects(), intent).await?;
    }
    let prefix = &options.index.prefix;
    let name = options.index.template_options().name();
    for name in [outlier_template_name(prefix), name] {
        let path = format!("_index_template/{name}");
        if client.get(&path).await?.is_none() {
            continue;
        }
        if intent == Intent::Do {
            client.delete(&path).await?;
        }
        say("template", &name, &intent.done("removed"))?;
    }
    if let Some(manager) = lifecycle::manager(client).await? {
        lifecycle::remove(client, manager, &Scope::new(&options.index, None)?, intent).await?;
    }
    say("documents", &options.index.pattern().all(), "are left where they are")
}
