//! Going through all hits, page by page, in every way there is.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::draw::Draw;
use super::queries::Asking;
use super::requests::{Request, sort};
use super::scene::UNIQUE;
use super::servers::Server;

/// No walk through a scene has more.
const MOST_PAGES: usize = 400;

/// How the next page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    From,
    After,
    PointInTime,
    Scroll,
}

/// A way through all hits.
#[derive(Debug, Clone)]
pub struct Walk {
    target: String,
    way: Way,
    body: Value,
}

/// What a walk met: pages of hits, or what was refused.
pub enum Met {
    /// The ids, with what they are sorted by.
    Hits(Vec<(String, Value)>),
    /// Status and answer.
    Refused(u16, Value),
    /// More pages than there can be.
    Endless,
}

impl Walk {
    /// Draws one.
    pub fn draw(draw: &mut Draw, asking: &Asking<'_>, target: &str) -> Self {
        let way = draw.pick(&[Way::From, Way::After, Way::PointInTime, Way::Scroll]);
        let mut order = sort(draw, asking);
        let list = order.as_array_mut().expect("a list");
        // Without it Elasticsearch leaves out, or repeats, hits that are equal.
        if [Way::From, Way::After].contains(&way) {
            list.retain(|field| {
                !field.to_string().contains("_doc") && !field.to_string().contains("_score")
            });
            list.push(json!({ UNIQUE: draw.pick(&["asc", "desc"]) }));
        }
        if way == Way::PointInTime && draw.chance(20) {
            order = draw.pick(&[
                json!(["_shard_doc"]),
                json!([{ "_shard_doc": "desc" }]),
                json!([{ "k": "asc" }, "_shard_doc"]),
                json!(["_doc"]),
            ]);
        }
        let mut body =
            json!({ "size": draw.pick(&[1, 3, 7, 40]), "sort": order, "_source": false });
        if draw.chance(25) && [Way::Scroll, Way::PointInTime].contains(&way) {
            body.as_object_mut().expect("an object").remove("sort");
        }
        if draw.chance(40) {
            body["query"] = asking.query(draw, 1);
        }
        if body["size"] == 1 {
            body["query"] = json!({ "range": { UNIQUE: { "lte": 60 } } });
        }
        Self { target: target.to_owned(), way, body }
    }

    /// The first request, for people.
    pub fn first(&self) -> Request {
        let path = match self.way {
            Way::Scroll => format!("{}/_search?scroll=1m", self.target),
            _ => format!("{}/_search", self.target),
        };
        Request::json(Method::POST, path, &self.body)
    }

    /// What is gone through, for people.
    pub fn described(&self) -> String {
        format!("all pages by {:?}", self.way)
    }

    /// Whether places in indices are among what is sorted by: they are each server's own.
    pub fn is_by_place(&self) -> bool {
        self.way == Way::PointInTime || self.body["sort"].to_string().contains("_doc")
    }

    /// Goes through all pages.
    pub fn go(&self, server: &Server) -> Met {
        let mut hits = Vec::new();
        let mut pit = Value::Null;
        let mut first = self.first();
        if self.way == Way::PointInTime {
            let open = Request::bare(Method::POST, format!("{}/_pit?keep_alive=1m", self.target));
            pit = json!({ "id": server.send(&open).1["id"], "keep_alive": "1m" });
            let mut body = self.body.clone();
            body["pit"] = pit.clone();
            first = Request::json(Method::POST, "_search", &body);
        }
        let mut next = first;
        let mut end = Met::Endless;
        let mut scroll = Value::Null;
        for _ in 0..MOST_PAGES {
            let (status, answer) = server.send(&next);
            if status != 200 || answer["_shards"]["failed"] != 0 {
                end = Met::Refused(status, answer);
                break;
            }
            let page = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
            hits.extend(page.iter().map(|hit| {
                (hit["_id"].as_str().unwrap_or_default().to_owned(), hit["sort"].clone())
            }));
            scroll = answer["_scroll_id"].clone();
            let Some(last) = page.last() else {
                end = Met::Hits(hits);
                break;
            };
            next = self.next(&pit, &scroll, (&last["sort"], hits.len()));
        }
        if !pit.is_null() {
            server.send(&Request::json(Method::DELETE, "_pit", &json!({ "id": pit["id"] })));
        }
        if !scroll.is_null() {
            server.send(&Request::json(
                Method::DELETE,
                "_search/scroll",
                &json!({ "scroll_id": scroll }),
            ));
        }
        end
    }

    fn next(&self, pit: &Value, scroll: &Value, (last, seen): (&Value, usize)) -> Request {
        let mut body = self.body.clone();
        match self.way {
            Way::Scroll => {
                let body = json!({ "scroll": "1m", "scroll_id": scroll });
                return Request::json(Method::POST, "_search/scroll", &body);
            }
            Way::From => body["from"] = json!(seen),
            Way::After => body["search_after"] = last.clone(),
            Way::PointInTime => {
                body["search_after"] = last.clone();
                body["pit"] = pit.clone();
                return Request::json(Method::POST, "_search", &body);
            }
        }
        Request::json(Method::POST, format!("{}/_search", self.target), &body)
    }
}

/// What is not as it should be: each hit is there once, and each server has the same.
pub fn unlike(theirs: &[(String, Value)], ours: &[(String, Value)]) -> Option<String> {
    let ids =
        |hits: &[(String, Value)]| hits.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>();
    let (expected, found) = (ids(theirs), ids(ours));
    if expected != found {
        let missing: Vec<&String> = expected.difference(&found).collect();
        let more: Vec<&String> = found.difference(&expected).collect();
        return Some(format!(
            "of {} hits {missing:?} are missing, {more:?} are too many",
            expected.len()
        ));
    }
    (ours.len() != found.len() && theirs.len() == expected.len())
        .then(|| format!("{} hits are there {} times", found.len(), ours.len()))
}
