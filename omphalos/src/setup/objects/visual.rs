//! A panel as Kibana's aggregation-based visualizations describe it (`visState`).

use serde_json::{Map, Value, json};

use super::panel::{Figure, Look, Panel, Split};

/// The `visState` of a panel; `links` leads from a panel of text to the other dashboards.
pub fn vis_state(title: &str, panel: &Panel, links: &str) -> Value {
    let (kind, aggs, params) = match panel.look {
        Look::Text(text) => ("markdown", Vec::new(), markdown(&format!("{links}\n\n{text}"))),
        // It is in the dashboard by itself, and has no picture.
        Look::Lines(_) => ("markdown", Vec::new(), markdown("")),
        Look::Number(figure) => ("metric", vec![figure_of(1, figure)], number()),
        Look::OverTime(figure, split) => {
            let mut aggs = vec![figure_of(1, figure), times(2)];
            aggs.extend(split.map(|split| split_of(3, split, "group")));
            ("histogram", aggs, bars(figure))
        }
        Look::Share(split) => {
            ("pie", vec![figure_of(1, Figure::Count), split_of(2, split, "segment")], pie())
        }
        Look::Top(figures, fields) => {
            let figures = figures.iter().copied();
            let mut aggs: Vec<Value> =
                (1..).zip(figures).map(|(id, figure)| figure_of(id, figure)).collect();
            let first = aggs.len() + 1;
            let terms = fields.iter().map(|(field, size)| Split::Terms(field, *size));
            aggs.extend((first..).zip(terms).map(|(id, terms)| split_of(id, terms, "bucket")));
            ("table", aggs, table())
        }
    };
    json!({ "title": title, "type": kind, "aggs": aggs, "params": params })
}

fn agg(id: usize, kind: &str, schema: &str, params: &Value) -> Value {
    json!({
        "id": id.to_string(), "enabled": true, "type": kind, "schema": schema, "params": params
    })
}

fn figure_of(id: usize, figure: Figure) -> Value {
    let label = figure.label();
    let of = |kind: &str, field: &str| {
        agg(id, kind, "metric", &json!({ "field": field, "customLabel": label }))
    };
    match figure {
        Figure::Count => agg(id, "count", "metric", &json!({ "customLabel": label })),
        Figure::Sum(field, _) => of("sum", field),
        Figure::Most(field, _) => of("max", field),
        Figure::Average(field, _) => of("avg", field),
        Figure::Different(field, _) => of("cardinality", field),
    }
}

fn times(id: usize) -> Value {
    let params = json!({
        "field": "@timestamp",
        "useNormalizedEsInterval": true,
        "scaleMetricValues": false,
        "interval": "auto",
        "drop_partials": false,
        "min_doc_count": 1,
        "extended_bounds": {}
    });
    agg(id, "date_histogram", "segment", &params)
}

fn split_of(id: usize, split: Split, schema: &str) -> Value {
    match split {
        Split::Terms(field, size) => {
            let params = json!({
                "field": field,
                "orderBy": "1",
                "order": "desc",
                "size": size,
                "otherBucket": false,
                "otherBucketLabel": "Other",
                "missingBucket": false,
                "missingBucketLabel": "Missing"
            });
            agg(id, "terms", schema, &params)
        }
        Split::Filters(filters) => {
            let filter = |(label, query): &(&str, &str)| json!({ "input": { "query": query, "language": "lucene" }, "label": label });
            let filters: Vec<Value> = filters.iter().map(filter).collect();
            agg(id, "filters", schema, &json!({ "filters": filters }))
        }
    }
}

fn markdown(text: &str) -> Value {
    json!({ "fontSize": 12, "openLinksInNewTab": false, "markdown": text })
}

fn number() -> Value {
    json!({
        "addTooltip": true,
        "addLegend": false,
        "type": "metric",
        "metric": {
            "percentageMode": false,
            "useRanges": false,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{ "from": 0, "to": 10_000 }],
            "labels": { "show": true },
            "invertColors": false,
            "style": {
                "bgFill": "#000", "bgColor": false, "labelColor": false, "subText": "", "fontSize": 36
            }
        }
    })
}

/// Bars of figures that can be added stand on each other, and others beside.
fn bars(figure: Figure) -> Value {
    let mode = match figure {
        Figure::Count | Figure::Sum(..) => "stacked",
        Figure::Most(..) | Figure::Average(..) | Figure::Different(..) => "normal",
    };
    let axis = |rest: Value| -> Value {
        let mut axis = Map::from_iter([
            ("show".to_owned(), json!(true)),
            ("style".to_owned(), json!({})),
            ("labels".to_owned(), json!({ "show": true, "filter": true, "truncate": 100 })),
        ]);
        if let Value::Object(rest) = rest {
            axis.extend(rest);
        }
        Value::Object(axis)
    };
    json!({
        "type": "histogram",
        "grid": { "categoryLines": false },
        "categoryAxes": [axis(json!({
            "id": "CategoryAxis-1", "type": "category", "position": "bottom",
            "scale": { "type": "linear" }, "title": {}
        }))],
        "valueAxes": [axis(json!({
            "id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": "left",
            "scale": { "type": "linear", "mode": "normal" }, "title": { "text": figure.label() }
        }))],
        "seriesParams": [{
            "show": true, "type": "histogram", "mode": mode, "valueAxis": "ValueAxis-1",
            "data": { "id": "1", "label": figure.label() },
            "drawLinesBetweenPoints": true, "lineWidth": 2, "showCircles": true
        }],
        "addTooltip": true,
        "addLegend": true,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": false,
        "labels": { "show": false },
        "thresholdLine": {
            "show": false, "value": 10, "width": 1, "style": "full", "color": "#E7664C"
        }
    })
}

fn pie() -> Value {
    json!({
        "type": "pie",
        "addTooltip": true,
        "addLegend": true,
        "legendPosition": "right",
        "isDonut": true,
        "labels": { "show": false, "values": true, "last_level": true, "truncate": 100 }
    })
}

fn table() -> Value {
    json!({
        "perPage": 10,
        "showPartialRows": false,
        "showMetricsAtAllLevels": false,
        "showTotal": false,
        "totalFunc": "sum",
        "percentageCol": ""
    })
}
