//! The schema of an index: how a mapping becomes fields of tantivy.
//!
//! Fields that the mapping has when the index is made are fields of their own; those that come later
//! live in two JSON fields, because a schema never changes. All but texts are columns only: a
//! column of a million values is looked through in about a millisecond, and an inverted index beside
//! it would cost more than all else together.

use tantivy::schema::{
    DateOptions, DateTimePrecision, Field, IndexRecordOption, IpAddrOptions, JsonObjectOptions,
    NumericOptions, STORED, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{LowerCaser, RAW_TOKENIZER_NAME, TextAnalyzer};

use super::words::Words;
use crate::mapping::{FieldKind, MappedField, Mapping, Precision, column};

/// The name of the field with ids.
pub const ID: &str = "_id";
/// The name of the field with documents as they came.
pub const SOURCE: &str = "_source";
/// The name of the column with versions: how often a document was written, where that is not once.
pub const VERSION: &str = "_version";
/// Fields that were mapped after the index was made, but for texts.
pub const LATER: &str = "_later";
/// Texts that were mapped after the index was made.
pub const LATER_TEXT: &str = "_later_text";
/// The path in `LATER` with the names of the fields of which a document has values that are not indexed.
pub const IGNORED: &str = "_ignored";
/// Below it in `LATER` stand, as texts, whole numbers that their fields cannot have.
pub const BEYOND: &str = "_beyond";
/// Below it in `LATER` stands which texts a document has that are without any word.
pub const BLANK: &str = "_blank";
/// The tokenizer of texts: words in lower case.
pub const WORDS: &str = "words";

/// Where values of a field are.
#[derive(Debug, Clone)]
pub struct Place {
    /// What they are.
    pub kind: FieldKind,
    /// What is kept of them.
    pub precision: Precision,
    /// The field of the schema.
    pub field: Field,
    /// The path in it, where it is a JSON field; dots divide it.
    pub json_path: Option<String>,
    /// The name of the column, with the path in it. Texts have none.
    pub column: String,
}

impl Place {
    /// The column with the whole numbers that the field cannot have.
    pub fn beyond(&self) -> String {
        format!("{LATER}.{BEYOND}.{}", self.json_path.as_ref().unwrap_or(&self.column))
    }
}

/// The column that says which documents have the text of this path without any word.
pub fn blank(place: &Place) -> String {
    let path = place.json_path.as_ref().unwrap_or(&place.column);
    format!("{LATER}.{BLANK}.{path}")
}

/// The column of `_ignored`.
pub fn ignored() -> String {
    format!("{LATER}.{IGNORED}")
}

/// The fields that every index has.
#[derive(Debug, Clone, Copy)]
pub struct OwnFields {
    /// Ids: stored.
    pub id: Field,
    /// Documents as they came: stored bytes.
    pub source: Field,
    /// How often a document was written, where that is not once: a column.
    pub version: Field,
    /// See `LATER`.
    pub later: Field,
    /// See `LATER_TEXT`.
    pub later_text: Field,
}

impl OwnFields {
    /// Of a schema that `schema` made.
    ///
    /// # Errors
    /// When it is another one.
    pub fn of(schema: &Schema) -> tantivy::Result<Self> {
        Ok(Self {
            id: schema.get_field(ID)?,
            source: schema.get_field(SOURCE)?,
            version: schema.get_field(VERSION)?,
            later: schema.get_field(LATER)?,
            later_text: schema.get_field(LATER_TEXT)?,
        })
    }
}

/// The schema for an index that begins with this mapping.
pub fn schema(mapping: &Mapping) -> Schema {
    let mut builder = Schema::builder();
    builder.add_text_field(ID, STORED);
    builder.add_bytes_field(SOURCE, STORED);
    builder.add_i64_field(VERSION, NumericOptions::default().set_fast());
    let later = JsonObjectOptions::default().set_fast(RAW_TOKENIZER_NAME).set_expand_dots_enabled();
    builder.add_json_field(LATER, later);
    let text = JsonObjectOptions::default().set_indexing_options(words()).set_expand_dots_enabled();
    builder.add_json_field(LATER_TEXT, text);
    for (path, field) in mapping.fields() {
        add(&mut builder, &path, field);
    }
    for path in mapping.addresses_to_come() {
        builder.add_ip_addr_field(path, IpAddrOptions::default().set_fast());
    }
    builder.build()
}

fn add(builder: &mut SchemaBuilder, path: &str, field: &MappedField) {
    let column = NumericOptions::default().set_fast();
    match &field.kind {
        FieldKind::Keyword { .. } => {
            builder.add_text_field(path, TextOptions::default().set_fast(RAW_TOKENIZER_NAME));
        }
        FieldKind::Text => {
            builder.add_text_field(path, TextOptions::default().set_indexing_options(words()));
        }
        FieldKind::Long => {
            builder.add_i64_field(path, column);
        }
        FieldKind::Double => {
            builder.add_f64_field(path, column);
        }
        FieldKind::Boolean => {
            builder.add_bool_field(path, column);
        }
        FieldKind::Date => {
            let precision = match field.precision {
                Precision::Milliseconds => DateTimePrecision::Milliseconds,
                _ => DateTimePrecision::Nanoseconds,
            };
            let options = DateOptions::default().set_precision(precision);
            builder.add_date_field(path, options.set_fast());
        }
        FieldKind::Ip => {
            builder.add_ip_addr_field(path, IpAddrOptions::default().set_fast());
        }
        FieldKind::Unsearchable => {}
    }
}

/// A value is many terms.
fn words() -> TextFieldIndexing {
    TextFieldIndexing::default()
        .set_tokenizer(WORDS)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions)
}

/// The tokenizer called [`WORDS`].
pub fn word_tokenizer() -> TextAnalyzer {
    TextAnalyzer::builder(Words).filter(LowerCaser).build()
}

/// Where the values of a path are, for a mapping and a schema that belong together; `None` where
/// it is not mapped.
pub fn place(mapping: &Mapping, schema: &Schema, own: OwnFields, path: &str) -> Option<Place> {
    if path == IGNORED {
        let kind = FieldKind::Keyword { ignore_above: None };
        let json_path = Some(path.to_owned());
        let (precision, column) = (Precision::Full, ignored());
        return Some(Place { kind, precision, field: own.later, json_path, column });
    }
    let mapped = mapping.field(path)?;
    let (kind, precision) = (mapped.kind.clone(), mapped.precision);
    if let Some(field) = column(schema, path, &kind) {
        return Some(Place { kind, precision, field, json_path: None, column: path.to_owned() });
    }
    let (field, name) = match kind {
        FieldKind::Text => (own.later_text, LATER_TEXT),
        _ => (own.later, LATER),
    };
    let column = format!("{name}.{path}");
    Some(Place { kind, precision, field, json_path: Some(path.to_owned()), column })
}
