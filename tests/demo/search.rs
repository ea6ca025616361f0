//! One real search, and the command that repeats it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::end::End;
use crate::scene::Scene;

/// Finds the paths that failed most often.
pub fn run_and_print(scene: &Scene) -> Result<(), End> {
    let path =
        format!("{}-*/_search?filter_path=aggregations.paths.buckets&pretty", scene.prefix());
    let body = json!({
        "size": 0,
        "query": { "range": { "http.response.status_code": { "gte": 500 } } },
        "aggs": { "paths": { "terms": { "field": "url.path", "size": 5 } } }
    });
    let answer = scene.elastic.request(Method::POST, &path, Some(&body));
    let (status, answer) = answer.map_err(|error| End::failed("the search", error))?;
    let buckets = answer.pointer("/aggregations/paths/buckets").and_then(Value::as_array);
    let buckets = buckets.filter(|buckets| !buckets.is_empty());
    let buckets =
        buckets.ok_or_else(|| End::failed("the search", format!("status {status}: {answer}")))?;
    println!("\nThe five paths that failed most often (status 500 or above):");
    for bucket in buckets {
        let path = bucket.get("key").and_then(Value::as_str).unwrap_or("?");
        let count = bucket.get("doc_count").and_then(Value::as_u64).unwrap_or(0);
        println!("  {count:>4}  {path}");
    }
    println!("\nThe same by hand:");
    println!(
        "curl -s -H 'Content-Type: application/json' '{}/{path}' -d '{body}'",
        scene.search_url
    );
    Ok(())
}
