//! Kibana's API for saved objects, as far as it is called: no Kibana can be had for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use omphalos_tests::interposer::Request;
use omphalos_tests::{Action, Interposer, Stack};
use serde_json::{Value, json};

use super::{done, says, setup};

#[derive(Default)]
struct State {
    /// By type and id.
    objects: BTreeMap<(String, String), Value>,
    requests: Vec<Request>,
    /// What is answered in the place of everything but how Kibana is.
    refusal: Option<(u16, &'static str)>,
}

#[derive(Clone, Default)]
struct Kibana(Arc<Mutex<State>>);

impl Kibana {
    fn start(&self) -> String {
        let state = Arc::clone(&self.0);
        let interposer = Interposer::before("http://127.0.0.1:1", move |request| {
            let (status, body) = state.lock().expect("a state").answer(request);
            Action::Answer(status, body.leak())
        });
        interposer.url()
    }

    fn ids(&self) -> Vec<String> {
        let state = self.0.lock().expect("a state");
        state.objects.keys().map(|(kind, id)| format!("{kind} {id}")).collect()
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> (u16, String) {
        self.requests.push(request.clone());
        let mut words = request.line.split(' ');
        let (method, target) = (words.next().expect("a method"), words.next().expect("a path"));
        if target == "/base/api/status" {
            return (200, json!({ "version": { "number": "8.17.0" } }).to_string());
        }
        let refuse = |status: u16, message: &str| {
            (status, json!({ "statusCode": status, "message": message }).to_string())
        };
        if request.header("kbn-xsrf").is_none() {
            return refuse(400, "Request must contain a kbn-xsrf header.");
        }
        if let Some((status, message)) = self.refusal {
            return refuse(status, message);
        }
        let Some(path) = target.strip_prefix("/base/s/ops/api/saved_objects/") else {
            return refuse(404, "Not Found");
        };
        match (method, path) {
            ("POST", "_import?overwrite=true") => (200, self.import(request).to_string()),
            ("POST", "_export") => {
                let wanted: Value = serde_json::from_slice(&request.body).expect("JSON");
                match self.objects.get(&key(&wanted["objects"][0])) {
                    Some(found) => (200, found.to_string()),
                    None => refuse(400, "Error fetching objects to export"),
                }
            }
            ("DELETE", _) => {
                let path = path.strip_suffix("?force=true").expect("by force");
                let (kind, id) = path.split_once('/').expect("a type and an id");
                match self.objects.remove(&(kind.to_owned(), id.to_owned())) {
                    Some(_) => (200, "{}".to_owned()),
                    None => refuse(404, "Saved object not found"),
                }
            }
            _ => refuse(404, "Not Found"),
        }
    }

    /// Takes the file out of the form, and what is in it, as Kibana does.
    fn import(&mut self, request: &Request) -> Value {
        let kind = request.header("content-type").expect("a type");
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("a boundary");
        let form = String::from_utf8(request.body.clone()).expect("text");
        let parts: Vec<&str> = form.split(&format!("--{boundary}")).collect();
        assert_eq!((parts.len(), parts[0], parts[2]), (3, "", "--\r\n"), "one part");
        let (head, file) = parts[1].split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("name=\"file\"; filename=\"omphalos.ndjson\""), "{head}");
        let mut count = 0;
        for line in file.trim_end_matches("\r\n").lines() {
            let object: Value = serde_json::from_str(line).expect("an object");
            for reference in object["references"].as_array().expect("references") {
                assert!(self.objects.contains_key(&key(reference)), "{reference} of {object}");
            }
            self.objects.insert(key(&object), object);
            count += 1;
        }
        json!({ "success": true, "successCount": count, "warnings": [] })
    }
}

fn key(object: &Value) -> (String, String) {
    let text = |name: &str| object[name].as_str().expect("a text").to_owned();
    (text("type"), text("id"))
}

#[test]
fn objects_are_imported_into_kibana_once_and_again_and_taken_away() {
    let stack = Stack::shared();
    let kibana = Kibana::default();
    let base = kibana.start().replace("http://", "http://kim:s3cr%20t@");
    let base = format!("{base}/base");
    let run = |arguments: &[&str]| {
        let place = ["--kibana-url", &base, "--kibana-space", "ops"];
        done(&stack, &stack.search_url(), &[&place, arguments].concat())
    };
    says(&run(&["--dry-run"]), &["Kibana 8.17.0", "would be imported"]);
    assert!(kibana.ids().is_empty(), "a dry run imports nothing");
    let said = run(&[]);
    says(&said, &["version 1: imported"]);
    assert!(!said.contains("s3cr"), "{said}");
    let ids = kibana.ids();
    for id in ["index-pattern PREFIX-lines", "search PREFIX-lines-errors", "dashboard PREFIX-web"] {
        assert!(ids.contains(&id.replace("PREFIX", stack.prefix())), "{ids:?}");
    }
    says(&run(&[]), &["over version 1: imported"]);
    assert_eq!(kibana.ids(), ids, "the same ids");
    for request in &kibana.0.lock().expect("a state").requests {
        // kim:s3cr t
        assert_eq!(request.header("authorization"), Some("Basic a2ltOnMzY3IgdA=="));
    }

    let web = ("dashboard".to_owned(), format!("{}-web", stack.prefix()));
    let described = |text: &str| {
        let mut state = kibana.0.lock().expect("a state");
        let dashboard = state.objects.get_mut(&web).expect("a dashboard");
        dashboard["attributes"]["description"] = json!(text);
    };
    described("of tomorrow (omphalos setup, version 7)");
    says(&run(&[]), &["version 7 is there, which is newer, and is left alone"]);
    described("of somebody");
    says(&run(&[]), &["version 1: imported"]);
    let removed = format!("{:<22} removed", ids.len());
    says(&run(&["--remove"]), &[&removed]);
    assert!(kibana.ids().is_empty());
    says(&run(&["--remove"]), &["objects    0"]);
}

#[test]
fn what_kibana_refuses_is_said_with_what_to_do() {
    let stack = Stack::shared();
    let kibana = Kibana::default();
    let base = format!("{}/base", kibana.start());
    let refused = |url: &str, parts: &[&str]| {
        let place = ["--kibana-url", url, "--kibana-space", "ops"];
        let exited = setup(&stack, &stack.search_url(), &place);
        assert_eq!(exited.code, Some(1), "{}", exited.output);
        says(&exited.output, parts);
    };
    refused(base.trim_end_matches("/base"), &["Kibana answers 404", "base path"]);
    refused(&stack.search_url(), &["setup.kibana_url"]);
    refused("http://127.0.0.1:1", &["no answer from Kibana", "setup.kibana_url"]);
    let answers = |status, message, part| {
        kibana.0.lock().expect("a state").refusal = Some((status, message));
        refused(&base, &[message, part]);
    };
    answers(401, "unable to authenticate", "check elasticsearch.user");
    answers(403, "Unable to bulk_create dashboard", "Saved Objects Management: All");
    answers(500, "An internal server error occurred", "--export DIR");
}
