//! Indices, their mappings, and templates.
//! <https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-indices>

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::routing::{get, put};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::{Service, background, in_background};
use crate::catalog::{Store, Wanted};
use crate::error::ApiError;
use crate::json::Unique;
use crate::params::Params;

const PARAMS: [&str; 6] = [
    "timeout",
    "master_timeout",
    "wait_for_active_shards",
    "include_defaults",
    "flat_settings",
    "local",
];

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/{index}", put(make).delete(remove).head(is_there).get(about))
        .route("/_mapping", get(all_mappings))
        .route("/{index}/_mapping", get(mappings).put(add_fields).post(add_fields))
        .route("/_refresh", get(refresh_all).post(refresh_all))
        .route("/{index}/_refresh", get(refresh).post(refresh))
        .route("/_index_template", get(all_templates))
        .route(
            "/_index_template/{name}",
            put(put_template)
                .post(put_template)
                .get(templates)
                .head(has_template)
                .delete(drop_template),
        )
}

async fn body(service: &Service, request: Request) -> Result<Value, ApiError> {
    Params::of(request.uri()).allow(&[PARAMS.as_slice(), &["create", "cause"]].concat())?;
    let (parts, body) = request.into_parts();
    let held = service.pressure.read_tree(&parts.headers, body).await?;
    let read = move || {
        if held.text.trim().is_empty() {
            return Ok(Value::Null);
        }
        Unique::read(&held.text)
    };
    background(read).await?
}

async fn make(
    State(service): State<Service>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let wanted = match body(&service, request).await {
        Ok(wanted) => wanted,
        Err(error) => return error.into(),
    };
    let store = service.store;
    in_background(move || {
        for key in wanted.as_object().into_iter().flat_map(Map::keys) {
            if key != "mappings" && key != "settings" {
                return Err(ApiError::parsing(format!("unknown key [{key}] for create index")));
            }
        }
        store.create(&name, &wanted)?;
        Ok(Answer::json(
            json!({ "acknowledged": true, "shards_acknowledged": true, "index": name }),
        ))
    })
    .await
    .into()
}

async fn remove(State(store): State<Store>, Path(name): Path<String>, uri: Uri) -> Answer {
    in_background(move || {
        let params = Params::of(&uri);
        params.allow(&PARAMS)?;
        let wanted = Wanted::of(&params)?;
        // As `action.destructive_requires_name` is set by default.
        if name.contains('*') || name.split(',').any(|name| name == "_all") {
            let reason = "Wildcard expressions or all indices are not allowed";
            return Err(ApiError::argument(reason));
        }
        for index in store.resolve(&name, wanted)? {
            store.delete(index.name())?;
        }
        Ok(Answer::json(json!({ "acknowledged": true })))
    })
    .await
    .into()
}

async fn is_there(State(store): State<Store>, Path(name): Path<String>) -> Answer {
    in_background(move || {
        let strict = Wanted { allow_no_indices: false, ..Wanted::default() };
        let is_there = store.resolve(&name, strict).is_ok();
        Ok(Answer::nothing(if is_there { 200 } else { 404 }))
    })
    .await
    .into()
}

async fn about(State(store): State<Store>, Path(name): Path<String>, uri: Uri) -> Answer {
    in_background(move || {
        let params = Params::of(&uri);
        params.allow(&PARAMS)?;
        let mut answer = Map::new();
        for index in store.resolve(&name, Wanted::of(&params)?)? {
            let about = index.about();
            let settings = json!({ "index": {
                "creation_date": about.created.to_string(), "number_of_shards": "1", "number_of_replicas": "0",
                "uuid": about.uuid, "provided_name": index.name()
            } });
            let told = json!({ "aliases": {}, "mappings": index.mapping().to_json(), "settings": settings });
            answer.insert(index.name().to_owned(), told);
        }
        Ok(Answer::json(Value::Object(answer)))
    })
    .await
    .into()
}

async fn all_mappings(state: State<Store>, uri: Uri) -> Answer {
    mappings(state, Path("_all".to_owned()), uri).await
}

async fn mappings(State(store): State<Store>, Path(name): Path<String>, uri: Uri) -> Answer {
    in_background(move || {
        let params = Params::of(&uri);
        params.allow(&PARAMS)?;
        let mut answer = Map::new();
        for index in store.resolve(&name, Wanted::of(&params)?)? {
            let mapping = json!({ "mappings": index.mapping().to_json() });
            answer.insert(index.name().to_owned(), mapping);
        }
        Ok(Answer::json(Value::Object(answer)))
    })
    .await
    .into()
}

async fn add_fields(
    State(service): State<Service>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let params = Params::of(request.uri());
    let more = match body(&service, request).await {
        Ok(more) => more,
        Err(error) => return error.into(),
    };
    let store = service.store;
    in_background(move || {
        for index in store.resolve(&name, Wanted::of(&params)?)? {
            index.put_mapping(&more).map_err(|error| match error.kind {
                // Elasticsearch words it otherwise for an index that is there.
                "mapper_parsing_exception" => ApiError {
                    reason: format!("Failed to parse mapping: {}", error.reason),
                    ..error
                },
                _ => error,
            })?;
        }
        Ok(Answer::json(json!({ "acknowledged": true })))
    })
    .await
    .into()
}

async fn refresh_all(state: State<Store>, uri: Uri) -> Answer {
    refresh(state, Path("_all".to_owned()), uri).await
}

/// What was answered can be found already.
async fn refresh(State(store): State<Store>, Path(name): Path<String>, uri: Uri) -> Answer {
    in_background(move || {
        let params = Params::of(&uri);
        params.allow(&[])?;
        let count = store.resolve(&name, Wanted::of(&params)?)?.len();
        let shards = json!({ "total": count, "successful": count, "failed": 0 });
        Ok(Answer::json(json!({ "_shards": shards })))
    })
    .await
    .into()
}

async fn put_template(
    State(service): State<Service>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let must_be_new = Params::of(request.uri()).switch("create");
    let template = match body(&service, request).await {
        Ok(template) => template,
        Err(error) => return error.into(),
    };
    let store = service.store;
    in_background(move || {
        let mut templates = store.templates();
        if must_be_new? == Some(true) && templates.matching(&name).next().is_some() {
            return Err(ApiError::argument(format!("index template [{name}] already exists")));
        }
        templates.put(&name, template)?;
        Ok(Answer::json(json!({ "acknowledged": true })))
    })
    .await
    .into()
}

async fn all_templates(state: State<Store>, uri: Uri) -> Answer {
    templates(state, Path("*".to_owned()), uri).await
}

async fn templates(State(store): State<Store>, Path(name): Path<String>, uri: Uri) -> Answer {
    in_background(move || {
        Params::of(&uri).allow(&PARAMS)?;
        let templates = store.templates();
        let found: Vec<Value> = templates
            .matching(&name)
            .map(|(name, template)| json!({ "name": name, "index_template": template.printed() }))
            .collect();
        if found.is_empty() && !name.contains('*') {
            return Err(ApiError::new(
                404,
                "resource_not_found_exception",
                format!("index template matching [{name}] not found"),
            ));
        }
        // As in Elasticsearch, also where it is a pattern; but `*` means whatever there is.
        let status = if found.is_empty() && name != "*" { 404 } else { 200 };
        Ok(Answer::json(json!({ "index_templates": found })).with_status(status))
    })
    .await
    .into()
}

async fn has_template(State(store): State<Store>, Path(name): Path<String>) -> Answer {
    in_background(move || {
        let is_there = store.templates().matching(&name).next().is_some();
        Ok(Answer::nothing(if is_there { 200 } else { 404 }))
    })
    .await
    .into()
}

async fn drop_template(State(store): State<Store>, Path(name): Path<String>) -> Answer {
    in_background(move || {
        store.templates().remove(&name)?;
        Ok(Answer::json(json!({ "acknowledged": true })))
    })
    .await
    .into()
}
