//! Fields of documents that Elasticsearch keeps for itself. It refuses documents that have members of
//! these names, and mappings too.
//! <https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/document-metadata-fields>

/// The last two are of modules that all distributions of it have.
const OF_THE_SERVER: [&str; 15] = [
    "_data_stream_timestamp",
    DOC_COUNT,
    "_field_names",
    "_id",
    "_ignored",
    "_ignored_source",
    "_index",
    "_index_mode",
    "_nested_path",
    "_routing",
    "_seq_no",
    "_source",
    "_version",
    "_feature",
    "_tier",
];

/// The one of them that a document may have, as a whole number.
pub const DOC_COUNT: &str = "_doc_count";

/// None of them, but the name of a column that Lucene has for every document: other columns cannot be
/// called so, which only words do not need.
pub const PRIMARY_TERM: &str = "_primary_term";

/// The field of Elasticsearch's own that a name, which may have dots, begins with.
pub fn of_the_server(name: &str) -> Option<&'static str> {
    if !name.starts_with('_') {
        return None;
    }
    let first = name.split('.').next().unwrap_or(name);
    OF_THE_SERVER.into_iter().find(|own| *own == first)
}
