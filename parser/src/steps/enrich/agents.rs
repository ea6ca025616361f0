//! What a user agent tells: browser, system and device, by the rules of uap-core, which Elastic's own
//! `user_agent` processor reads as well. `agents/rules.json` has them, with what they are for alone.

use std::sync::OnceLock;

use ua_parser::{Extractor, Regexes};

use crate::fields::push_text;

/// The rules, as `agents/README.md` says.
const RULES: &str = include_str!("agents/rules.json");

/// So much of a user agent is looked at: hardly any is longer, but whoever sends it chooses its length.
const MOST_BYTES: usize = 1024;

/// What is said of something that no rule knows.
const OTHER: &str = "Other";

/// The rules, compiled.
pub struct Agents(Extractor<'static>);

/// The rules: they are compiled when they are first asked for, once in a process.
///
/// # Errors
/// When they are none, which a test sees.
pub fn rules() -> Result<&'static Agents, String> {
    static AGENTS: OnceLock<Result<Agents, String>> = OnceLock::new();
    AGENTS.get_or_init(compile).as_ref().map_err(Clone::clone)
}

fn compile() -> Result<Agents, String> {
    let rules: Regexes<'static> = serde_json::from_str(RULES).map_err(|error| error.to_string())?;
    Extractor::try_from(rules).map(Agents).map_err(|error| error.to_string())
}

impl Agents {
    /// Appends what `agent` tells, as members of an object with a comma before each: the names and the
    /// forms of Elastic's processor.
    pub fn describe(&self, agent: &str, out: &mut Vec<u8>) {
        let agent = agent.get(..agent.floor_char_boundary(MOST_BYTES)).unwrap_or(agent);
        let Self(rules) = self;
        let browser = rules.ua.extract(agent);
        let name = browser.as_ref().map_or(OTHER, |browser| &browser.family);
        out.extend_from_slice(b",\"name\":");
        push_text(out, name.as_bytes());
        if let Some(browser) = &browser {
            let parts = [browser.major, browser.minor, browser.patch, browser.patch_minor];
            if let Some(version) = version(&parts) {
                out.extend_from_slice(b",\"version\":");
                push_text(out, version.as_bytes());
            }
        }
        if let Some(system) = rules.os.extract(agent) {
            let parts = [&system.major, &system.minor, &system.patch, &system.patch_minor];
            let version = version(&parts.map(Option::as_deref));
            out.extend_from_slice(b",\"os\":{\"name\":");
            push_text(out, system.os.as_bytes());
            if let Some(version) = version {
                out.extend_from_slice(b",\"version\":");
                push_text(out, version.as_bytes());
                out.extend_from_slice(b",\"full\":");
                push_text(out, format!("{} {version}", system.os).as_bytes());
            }
            out.push(b'}');
        }
        let device = rules.dev.extract(agent);
        let device = device.as_ref().map_or(OTHER, |device| &device.device);
        out.extend_from_slice(b",\"device\":{\"name\":");
        push_text(out, device.as_bytes());
        out.push(b'}');
    }
}

/// The parts of a version with dots between them, up to the first that is not there.
fn version(parts: &[Option<&str>]) -> Option<String> {
    let there = parts.iter().map_while(|part| part.filter(|part| !part.is_empty()));
    let version = there.collect::<Vec<_>>().join(".");
    (!version.is_empty()).then_some(version)
}
