//! Kibana's saved objects: a data view, searches, and dashboards of panels. What they show is described in
//! [`dashboards`] and [`searches`]; here and in [`visual`] that becomes JSON as Kibana exports it.
//!
//! Panels are of the type `visualization` with aggregations, and not Lens: what Kibana 7.14 wrote of that type
//! is migrated by all later versions, step by step, while Lens changed its form several times between 7.17 and 9
//! (<https://www.elastic.co/docs/api/doc/kibana/operation/operation-post-saved-objects-import>).
//! Their queries are in Lucene's language, which Elasticsearch itself reads, so a test can ask what Kibana would.

mod dashboards;
mod panel;
mod searches;
mod visual;

use omphalos_indexer::collector::IndexSettings;
use omphalos_indexer::elasticsearch::IndexPattern;
use serde_json::{Value, json};

use dashboards::DASHBOARDS;
use panel::{Dashboard, Look, Panel};
use searches::{SEARCHES, Search};
use visual::vis_state;

/// To be raised with every change of what is described here, so that an older program leaves a newer one's alone.
pub const OBJECTS_VERSION: u64 = 1;

/// Which form of each type is written: the last that Kibana 7.17 knows. Later ones migrate it.
const FORMS: [(&str, &str); 4] = [
    ("index-pattern", "7.11.0"),
    ("search", "7.9.3"),
    ("visualization", "7.14.0"),
    ("dashboard", "7.14.0"),
];
/// The same of what all types have.
const CORE_FORM: &str = "7.14.0";

/// How an object refers to the index pattern that it searches.
const OF_INDEX: &str = "kibanaSavedObjectMeta.searchSourceJSON.index";

/// How wide a dashboard is.
const WIDTH: u8 = 48;

/// What objects are called, and which indices they are about.
#[derive(Debug, Clone)]
pub struct Naming {
    /// What all ids begin with.
    pub prefix: String,
    /// The pattern of the indices.
    pub pattern: String,
}

impl Naming {
    /// For the indices of these settings.
    pub fn of(index: &IndexSettings) -> Self {
        let dated = IndexPattern::dated(&index.prefix).all();
        let pattern = match index.namespace() {
            None => dated,
            // Alerts are in indices in any case.
            Some(_) => format!("{},{dated}", index.pattern().all()),
        };
        Self { prefix: index.prefix.clone(), pattern }
    }

    /// An id of ours: the same each time, so that an import takes the place of the one before.
    fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The data view.
    fn data_view(&self) -> String {
        self.id("lines")
    }
}

/// All objects, those first that others refer to.
pub fn objects(naming: &Naming) -> Vec<Value> {
    let mut objects = vec![data_view(naming)];
    objects.extend(SEARCHES.iter().map(|search| saved_search(naming, search)));
    for dashboard in DASHBOARDS {
        let panels = dashboard.panels.iter();
        let drawn = panels.filter(|panel| !matches!(panel.look, Look::Lines(_)));
        objects.extend(drawn.map(|panel| visualization(naming, dashboard, panel)));
        objects.push(dashboard_object(naming, dashboard));
    }
    objects
}

/// Objects as the lines of a file that Kibana imports.
pub fn lines(objects: &[Value]) -> String {
    let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

/// What a dashboard says of its version, for [`version_in`].
fn version_mark() -> String {
    format!("(omphalos setup, version {OBJECTS_VERSION})")
}

/// The version of the objects of which `description` is a dashboard's; `None` where it is not ours.
pub fn version_in(description: &str) -> Option<u64> {
    let (_, rest) = description.rsplit_once("(omphalos setup, version ")?;
    rest.strip_suffix(')')?.parse().ok()
}

/// An object of a type: the form is said twice, as Kibana up to 8.7 and from 8.8 on reads it.
fn object(kind: &str, id: &str, attributes: &Value, references: &Value) -> Value {
    let form = FORMS.iter().find(|(known, _)| *known == kind).map_or(CORE_FORM, |(_, form)| form);
    json!({
        "type": kind,
        "id": id,
        "attributes": attributes,
        "references": references,
        "migrationVersion": { kind: form },
        "coreMigrationVersion": CORE_FORM,
        "typeMigrationVersion": form,
    })
}

fn data_view(naming: &Naming) -> Value {
    let attributes = json!({
        "title": naming.pattern,
        "name": format!("Omphalos: {}", naming.pattern),
        "timeFieldName": "@timestamp",
        "fieldFormatMap": json!({
            "http.response.body.bytes": { "id": "bytes" },
            "http.response.bytes": { "id": "bytes" },
            "omphalos.heartbeat.lag_bytes": { "id": "bytes" },
            "log.offset": { "id": "number", "params": { "pattern": "0" } },
            "http.response.status_code": { "id": "number", "params": { "pattern": "0" } }
        }).to_string(),
    });
    object("index-pattern", &naming.data_view(), &attributes, &json!([]))
}

/// A query as a `searchSourceJSON`, which is JSON in a text.
fn source(query: &str, has_index: bool) -> Value {
    let mut source = json!({ "query": { "query": query, "language": "lucene" }, "filter": [] });
    if let (true, Some(members)) = (has_index, source.as_object_mut()) {
        members.insert("indexRefName".to_owned(), json!(OF_INDEX));
    }
    json!({ "searchSourceJSON": source.to_string() })
}

fn to_data_view(naming: &Naming) -> Value {
    json!({ "type": "index-pattern", "id": naming.data_view(), "name": OF_INDEX })
}

fn saved_search(naming: &Naming, search: &Search) -> Value {
    let attributes = json!({
        "title": format!("{} [Omphalos]", search.title),
        "description": search.description,
        "hits": 0,
        "columns": search.columns,
        "sort": [["@timestamp", "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": source(search.query, true),
    });
    object("search", &naming.id(search.id), &attributes, &json!([to_data_view(naming)]))
}

fn panel_id(naming: &Naming, dashboard: &Dashboard, panel: &Panel) -> String {
    match panel.look {
        Look::Lines(search) => naming.id(search),
        _ => naming.id(&format!("{}-{}", dashboard.id, panel.id)),
    }
}

fn visualization(naming: &Naming, dashboard: &Dashboard, panel: &Panel) -> Value {
    let title = format!("{}: {} [Omphalos]", dashboard.title, panel.title);
    let is_text = matches!(panel.look, Look::Text(_));
    let links = links(naming);
    let attributes = json!({
        "title": title,
        "description": "",
        "visState": vis_state(&title, panel, &links).to_string(),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": source(panel.query, !is_text),
    });
    let references = if is_text { json!([]) } else { json!([to_data_view(naming)]) };
    object("visualization", &panel_id(naming, dashboard, panel), &attributes, &references)
}

/// The way from one dashboard to the others.
fn links(naming: &Naming) -> String {
    let link = |one: &Dashboard| format!("[{}](#/view/{})", one.title, naming.id(one.id));
    DASHBOARDS.iter().map(link).collect::<Vec<_>>().join(" · ")
}

fn dashboard_object(naming: &Naming, dashboard: &Dashboard) -> Value {
    let (mut left, mut top, mut row) = (0, 0, 0);
    let mut panels = Vec::new();
    let mut references = Vec::new();
    for panel in dashboard.panels {
        if left + panel.width > WIDTH {
            (left, top, row) = (0, top + row, 0);
        }
        let kind = if matches!(panel.look, Look::Lines(_)) { "search" } else { "visualization" };
        let name = format!("panel_{}", panel.id);
        panels.push(json!({
            "version": CORE_FORM,
            "type": kind,
            "gridData": { "x": left, "y": top, "w": panel.width, "h": panel.height, "i": panel.id },
            "panelIndex": panel.id,
            "title": panel.title,
            "embeddableConfig": { "enhancements": {} },
            "panelRefName": name,
        }));
        references.push(json!({
            "type": kind,
            "id": panel_id(naming, dashboard, panel),
            "name": format!("{}:{name}", panel.id),
        }));
        left += panel.width;
        row = row.max(panel.height);
    }
    let attributes = json!({
        "title": format!("[Omphalos] {}", dashboard.title),
        "description": format!("{} {}", dashboard.description, version_mark()),
        "hits": 0,
        "panelsJSON": Value::from(panels).to_string(),
        "optionsJSON": json!({ "useMargins": true, "syncColors": false, "hidePanelTitles": false }).to_string(),
        "timeRestore": true,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "version": 1,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON":
                json!({ "query": { "query": "", "language": "kuery" }, "filter": [] }).to_string()
        },
    });
    object("dashboard", &naming.id(dashboard.id), &attributes, &Value::from(references))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn naming() -> Naming {
        Naming { prefix: "omphalos".to_owned(), pattern: "omphalos-*".to_owned() }
    }

    fn text<'a>(object: &'a Value, path: &str) -> &'a str {
        object.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}: {object}"))
    }

    /// What objects of each type have in Elastic's own packages, as far as all of them have it
    /// (elastic/beats filebeat/module/nginx/_meta/kibana/7, elastic/integrations packages/{nginx,apache,iis}/kibana).
    const IN_PUBLIC: [(&str, &[&str]); 3] = [
        (
            "search",
            &[
                "columns",
                "description",
                "hits",
                "kibanaSavedObjectMeta",
                "sort",
                "title",
                "version",
            ],
        ),
        (
            "visualization",
            &[
                "description",
                "kibanaSavedObjectMeta",
                "title",
                "uiStateJSON",
                "version",
                "visState",
            ],
        ),
        (
            "dashboard",
            &[
                "description",
                "hits",
                "kibanaSavedObjectMeta",
                "optionsJSON",
                "panelsJSON",
                "timeRestore",
                "title",
                "version",
            ],
        ),
    ];

    #[test]
    fn objects_have_what_public_ones_have() {
        let names =
            ["attributes", "coreMigrationVersion", "id", "migrationVersion", "references", "type"];
        for object in objects(&naming()) {
            assert!(names.iter().all(|name| object.get(name).is_some()), "{object}");
            let kind = text(&object, "/type");
            assert_eq!(object["migrationVersion"][kind], object["typeMigrationVersion"]);
            let public = IN_PUBLIC.iter().find(|(known, _)| *known == kind);
            for name in public.map_or(&[][..], |(_, names)| names) {
                assert!(object["attributes"].get(name).is_some(), "{name} of {object}");
            }
        }
    }

    #[test]
    fn each_object_has_an_id_of_its_own_and_refers_to_what_stands_before_it() {
        let mut before = BTreeSet::new();
        for object in objects(&naming()) {
            let id = (text(&object, "/type").to_owned(), text(&object, "/id").to_owned());
            for reference in object["references"].as_array().unwrap() {
                let (kind, id) = (text(reference, "/type"), text(reference, "/id"));
                assert!(before.contains(&(kind.to_owned(), id.to_owned())), "{id} of {object}");
            }
            assert!(before.insert(id), "{object}");
        }
    }

    /// The kind of fault: Kibana shows a panel without its picture, or none, where a name is another one.
    #[test]
    fn what_is_json_in_a_text_can_be_read_and_every_name_in_it_is_one_of_a_reference() {
        let read = |object: &Value, path: &str| -> Value {
            serde_json::from_str(text(object, path))
                .unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        for object in objects(&naming()) {
            let names: BTreeSet<&str> = object["references"]
                .as_array()
                .unwrap()
                .iter()
                .map(|reference| text(reference, "/name"))
                .collect();
            let mut used = BTreeSet::new();
            if object["type"] != "index-pattern" {
                let source = read(&object, "/attributes/kibanaSavedObjectMeta/searchSourceJSON");
                used.extend(source["indexRefName"].as_str().map(str::to_owned));
            }
            if object["type"] == "dashboard" {
                for panel in read(&object, "/attributes/panelsJSON").as_array().unwrap() {
                    let (index, name) = (text(panel, "/panelIndex"), text(panel, "/panelRefName"));
                    assert_eq!(panel["gridData"]["i"], index);
                    assert!(used.insert(format!("{index}:{name}")), "{panel}");
                }
                let description = text(&object, "/attributes/description");
                assert_eq!(version_in(description), Some(OBJECTS_VERSION));
            }
            assert_eq!(used, names.into_iter().map(str::to_owned).collect(), "{object}");
        }
        assert_eq!(version_in("somebody's (omphalos setup, version x)"), None);
    }

    #[test]
    fn panels_stand_beside_each_other_and_none_on_another() {
        for object in objects(&naming()).iter().filter(|object| object["type"] == "dashboard") {
            let panels: Value =
                serde_json::from_str(text(object, "/attributes/panelsJSON")).unwrap();
            let mut taken = BTreeSet::new();
            for panel in panels.as_array().unwrap() {
                let side = |name: &str| panel["gridData"][name].as_u64().unwrap();
                for x in side("x")..side("x") + side("w") {
                    assert!(x < u64::from(WIDTH), "{panel}");
                    for y in side("y")..side("y") + side("h") {
                        assert!(taken.insert((x, y)), "{panel}");
                    }
                }
            }
        }
    }
}
