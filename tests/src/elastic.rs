//! Looking into the search engine.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::json::any_value;
use crate::wait::{eventually, holds};

/// A client that sees the indices of one test.
pub struct Elastic {
    url: String,
    prefix: String,
    client: Client,
}

impl Elastic {
    /// Of the engine at `url`, for indices that begin with `prefix`.
    pub fn new(url: &str, prefix: &str) -> Self {
        let client = Client::builder().timeout(Duration::from_mins(1)).build().expect("a client");
        Self { url: url.trim_end_matches('/').to_owned(), prefix: prefix.to_owned(), client }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request; returns status and JSON body.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let mut request = self.client.request(method, format!("{}/{path}", self.url));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let response = request.send()?;
        let status = response.status().as_u16();
        let text = response.text()?;
        Ok((status, any_value(&text).unwrap_or(Value::String(text))))
    }

    /// Sends a request that must succeed; one that the server has no memory for now is sent again.
    #[expect(clippy::needless_pass_by_value, reason = "methods are constants to callers")]
    pub fn must(&self, method: Method, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { None } else { Some(body) };
        let (status, answer) = eventually("the server has room for a request", || {
            let (status, answer) = self.request(method.clone(), path, body).expect("an answer");
            if status == 429 { Err(answer.to_string()) } else { Ok((status, answer)) }
        });
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Changes settings of indices (all of the test's by `""`, else of `PREFIX-name`).
    pub fn set(&self, name: &str, settings: &Value) {
        let index = format!("{}-{}", self.prefix, if name.is_empty() { "*" } else { name });
        self.must(Method::PUT, &format!("{index}/_settings"), settings);
    }

    /// How many documents there are.
    ///
    /// # Errors
    /// When the engine cannot tell, as text.
    pub fn count(&self) -> Result<u64, String> {
        let path = format!("{}-*/_refresh", self.prefix);
        let (status, answer) =
            self.request(Method::POST, &path, None).map_err(|error| error.to_string())?;
        if status != 200 {
            return Err(answer.to_string());
        }
        let path = format!("{}-*/_count", self.prefix);
        let (_, answer) =
            self.request(Method::GET, &path, None).map_err(|error| error.to_string())?;
        answer["count"].as_u64().ok_or_else(|| answer.to_string())
    }

    /// Waits until what was written can be found: a server that is short of memory refuses at first.
    fn refresh(&self) {
        eventually("a refresh", || self.count().map(drop));
    }

    /// Waits until there are so many documents.
    pub fn wait_for_count(&self, expected: u64) {
        eventually("the documents are indexed", || {
            let count = self.count()?;
            holds(count == expected, format!("{count} documents of {expected}"))
        });
    }

    /// Deletes the test's indices.
    pub fn delete_all(&self) {
        for index in self.indices().keys() {
            self.must(Method::DELETE, index, &Value::Null);
        }
    }

    /// The names of the test's indices, with how many documents each has.
    pub fn indices(&self) -> BTreeMap<String, u64> {
        self.refresh();
        let path = format!("_cat/indices/{}-*?format=json", self.prefix);
        let answer = self.must(Method::GET, &path, &Value::Null);
        let indices = answer.as_array().expect("a list").iter();
        indices
            .map(|index| {
                let count = index["docs.count"].as_str().expect("a count");
                (
                    index["index"].as_str().expect("a name").to_owned(),
                    count.parse().expect("a number"),
                )
            })
            .collect()
    }

    /// All documents, by id, in no order; `fields` of each.
    pub fn documents(&self, fields: &[&str]) -> Vec<(String, Value)> {
        self.refresh();
        let body = json!({ "size": 10_000, "_source": fields, "sort": ["_doc"] });
        let path = format!("{}-*/_search?scroll=5m", self.prefix);
        let mut page = self.must(Method::POST, &path, &body);
        let mut documents = Vec::new();
        loop {
            let hits = page["hits"]["hits"].as_array().expect("hits");
            if hits.is_empty() {
                return documents;
            }
            documents.extend(hits.iter().map(|hit| {
                (hit["_id"].as_str().expect("an id").to_owned(), hit["_source"].clone())
            }));
            let scroll = json!({ "scroll": "5m", "scroll_id": page["_scroll_id"] });
            page = self.must(Method::POST, "_search/scroll", &scroll);
        }
    }

    /// The documents that match a query in Lucene's syntax.
    pub fn search(&self, query: &str) -> Vec<Value> {
        self.refresh();
        let body = json!({ "size": 100, "query": { "query_string": { "query": query } } });
        let path = format!("{}-*/_search", self.prefix);
        let page = self.must(Method::POST, &path, &body);
        let hits = page["hits"]["hits"].as_array().expect("hits");
        hits.iter().map(|hit| hit["_source"].clone()).collect()
    }

    /// The mapped type of a field in the first of the test's indices that has it; `none` where none has.
    pub fn type_of(&self, field: &str) -> String {
        let answer = self.must(Method::GET, &format!("{}-*/_mapping", self.prefix), &Value::Null);
        let path = format!("/mappings/properties/{}/type", field.replace('.', "/properties/"));
        let mut indices = answer.as_object().expect("indices").values();
        let mapped = indices.find_map(|index| index.pointer(&path)?.as_str());
        mapped.unwrap_or("none").to_owned()
    }
}
