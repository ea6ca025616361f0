//! The body of a `_bulk` request: action lines spliced between documents, which are not looked at.

use std::sync::Arc;

use bytes::Bytes;

use super::Unsettled;
use crate::elasticsearch::Problem;

/// Which delivery a document came with.
pub type DeliveryId = u64;

/// Where documents are filed, and by what: a dead letter needs it to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filing {
    /// Name of the index.
    pub index: Arc<str>,
    /// The cleaned dataset.
    pub dataset: Arc<str>,
    /// The event day since 1970; `None` if it is not known.
    pub day: Option<i32>,
    /// When the message was made.
    pub made_at: Option<i64>,
}

/// A document as it was before it was sent once more in another form.
#[derive(Debug)]
pub struct Original {
    /// Its text.
    pub body: Bytes,
    /// Why it was refused.
    pub problem: Problem,
}

/// One document of a bulk. There are tens of thousands of them, so they are kept small.
#[derive(Debug, Clone)]
struct Item {
    /// Which delivery it came with.
    delivery: DeliveryId,
    /// Index into the filings.
    filing: u32,
    /// Where the document begins in the body; its action line stands before it.
    document: u32,
    /// Where its line ends, after the line feed.
    end: u32,
    /// What it was before, if it was refused so.
    original: Option<Arc<Original>>,
}

/// A bulk that is being filled.
#[derive(Debug, Default)]
pub struct BulkBuilder {
    body: Vec<u8>,
    items: Vec<Item>,
    /// Consecutive documents mostly share one.
    filings: Vec<Filing>,
    /// The action line of the last filing, up to the id.
    action: Vec<u8>,
}

/// Documents to be sent in one request.
#[derive(Debug, Clone)]
pub struct Bulk {
    body: Bytes,
    items: Vec<Item>,
    filings: Arc<[Filing]>,
}

impl BulkBuilder {
    /// An empty one, for about `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { body: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds a document. Its id and its index must be free of quotes and line feeds; the decoder
    /// and [`crate::elasticsearch::IndexNames`] see to that.
    pub fn push(&mut self, filing: &Filing, id: &str, document: &[u8], delivery: DeliveryId) {
        debug_assert!(
            document.starts_with(b"{") && !document.contains(&b'\n'),
            "a document is one line of JSON, an object: else the lines of a request no longer pair"
        );
        debug_assert!(!id.contains(['"', '\\', '\n']), "an id needs no escaping");
        if self.filings.last() != Some(filing) {
            self.filings.push(filing.clone());
            self.action.clear();
            self.action.extend_from_slice(b"{\"create\":{\"_index\":\"");
            self.action.extend_from_slice(filing.index.as_bytes());
            self.action.extend_from_slice(b"\",\"_id\":\"");
        }
        self.body.extend_from_slice(&self.action);
        self.body.extend_from_slice(id.as_bytes());
        self.body.extend_from_slice(b"\"}}\n");
        let start = to_u32(self.body.len());
        self.body.extend_from_slice(document);
        self.body.push(b'\n');
        let filing = to_u32(self.filings.len() - 1);
        let end = to_u32(self.body.len());
        self.items.push(Item { delivery, filing, document: start, end, original: None });
    }

    /// Adds another form of a document that was refused.
    pub fn push_again(&mut self, refused: &Placed<'_>, document: &[u8], problem: Problem) {
        self.push(refused.filing, refused.id, document, refused.delivery);
        let original = Original { body: refused.body.clone(), problem };
        if let Some(item) = self.items.last_mut() {
            item.original = Some(Arc::new(original));
        }
    }

    /// Size of the request in bytes.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// How many documents it has.
    pub fn documents(&self) -> usize {
        self.items.len()
    }

    /// The bulk; the builder is empty afterwards, with room for as much again.
    pub fn finish(&mut self) -> Bulk {
        let capacity = self.body.capacity();
        let body = std::mem::replace(&mut self.body, Vec::with_capacity(capacity));
        self.action.clear();
        Bulk {
            body: Bytes::from(body),
            items: {
                let room = Vec::with_capacity(self.items.len());
                std::mem::replace(&mut self.items, room)
            },
            filings: Arc::from(std::mem::take(&mut self.filings)),
        }
    }
}

/// Requests are limited to far less by `bulk.bytes`, and a document by what a message may hold.
fn to_u32(length: usize) -> u32 {
    debug_assert!(u32::try_from(length).is_ok(), "a request is limited");
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A document in its place.
#[derive(Debug)]
pub struct Placed<'a> {
    /// Which delivery it came with.
    pub delivery: DeliveryId,
    /// Where it is filed.
    pub filing: &'a Filing,
    /// Its id.
    pub id: &'a str,
    /// Its text.
    pub body: Bytes,
    /// What it was before, if it was refused so.
    pub original: Option<&'a Original>,
}

impl Bulk {
    /// The body of the request.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// How many documents it has.
    pub fn documents(&self) -> usize {
        self.items.len()
    }

    /// Which delivery each document came with.
    pub fn deliveries(&self) -> impl Iterator<Item = DeliveryId> + '_ {
        self.items.iter().map(|item| item.delivery)
    }

    /// The indices that it has documents for.
    pub fn indices(&self) -> impl Iterator<Item = &Arc<str>> {
        self.filings.iter().map(|filing| &filing.index)
    }

    /// The document at `place`.
    ///
    /// # Errors
    /// [`Unsettled::Broken`] when there is none, or its action line is not as [`BulkBuilder::push`]
    /// writes it.
    pub fn document(&self, place: usize) -> Result<Placed<'_>, Unsettled> {
        self.placed(place).ok_or_else(|| self.no_document(place))
    }

    /// Whether the document at `place` is in its second form. Asked of every document.
    pub fn is_second_form(&self, place: usize) -> bool {
        self.items.get(place).is_some_and(|item| item.original.is_some())
    }

    fn no_document(&self, place: usize) -> Unsettled {
        let documents = self.items.len();
        Unsettled::broken(format!("a bulk of {documents} documents has none at place {place}"))
    }

    fn placed(&self, place: usize) -> Option<Placed<'_>> {
        let item = self.items.get(place)?;
        // The action line ends with the id, a quote, two braces and a line feed.
        let action = self.body.get(self.start(place)..item.document as usize)?;
        let action = std::str::from_utf8(action.strip_suffix(b"\"}}\n")?).ok()?;
        Some(Placed {
            delivery: item.delivery,
            filing: self.filings.get(item.filing as usize)?,
            id: action.rsplit('"').next()?,
            body: self.body.slice(item.document as usize..item.end as usize - 1),
            original: item.original.as_deref(),
        })
    }

    fn start(&self, place: usize) -> usize {
        let before = place.checked_sub(1).and_then(|before| self.items.get(before));
        before.map_or(0, |item| item.end as usize)
    }

    /// A bulk of the documents at these places alone, which must be in order.
    ///
    /// # Errors
    /// [`Unsettled::Broken`] when one of them is not there: it would be settled without a verdict.
    pub fn only(&self, places: &[usize]) -> Result<Self, Unsettled> {
        let mut body = Vec::new();
        let mut items = Vec::with_capacity(places.len());
        for place in places {
            let start = self.start(*place);
            let item = self.items.get(*place).ok_or_else(|| self.no_document(*place))?;
            let lines =
                self.body.get(start..item.end as usize).ok_or_else(|| self.no_document(*place))?;
            let document = to_u32(body.len() + item.document as usize - start);
            body.extend_from_slice(lines);
            items.push(Item { document, end: to_u32(body.len()), ..item.clone() });
        }
        Ok(Self { body: Bytes::from(body), items, filings: Arc::clone(&self.filings) })
    }

    /// The first half and the second half; `None` when there is only one document.
    pub fn halves(&self) -> Option<(Self, Self)> {
        if self.items.len() < 2 {
            return None;
        }
        let (first, second) = self.items.split_at(self.items.len() / 2);
        let middle = first.last().map_or(0, |item| item.end);
        let moved = second.iter().map(|item| Item {
            document: item.document - middle,
            end: item.end - middle,
            ..item.clone()
        });
        let part = |body: Bytes, items: Vec<Item>| Self {
            body,
            items,
            filings: Arc::clone(&self.filings),
        };
        Some((
            part(self.body.slice(..middle as usize), first.to_vec()),
            part(self.body.slice(middle as usize..), moved.collect()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filing(index: &str) -> Filing {
        Filing { index: Arc::from(index), dataset: Arc::from("d"), day: Some(1), made_at: None }
    }

    fn bulk(documents: usize) -> Bulk {
        let mut builder = BulkBuilder::default();
        for number in 0..documents {
            let document = format!("{{\"n\":{number}}}");
            let index = ["a", "b"][number / 2 % 2];
            builder.push(
                &filing(index),
                &format!("id{number}"),
                document.as_bytes(),
                number as u64 * 10,
            );
        }
        builder.finish()
    }

    fn facts(bulk: &Bulk, place: usize) -> (DeliveryId, Filing, String, Bytes) {
        let placed = bulk.document(place).unwrap();
        (placed.delivery, placed.filing.clone(), placed.id.to_owned(), placed.body)
    }

    fn lines(bulk: &Bulk) -> Vec<String> {
        let text = String::from_utf8(bulk.body().to_vec()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn action_lines_stand_before_their_documents() {
        let bulk = bulk(3);
        assert_eq!(
            lines(&bulk),
            [
                r#"{"create":{"_index":"a","_id":"id0"}}"#,
                r#"{"n":0}"#,
                r#"{"create":{"_index":"a","_id":"id1"}}"#,
                r#"{"n":1}"#,
                r#"{"create":{"_index":"b","_id":"id2"}}"#,
                r#"{"n":2}"#,
            ]
        );
        let placed = bulk.document(1).unwrap();
        assert_eq!((placed.id, placed.delivery, placed.filing), ("id1", 10, &filing("a")));
        assert_eq!(&placed.body[..], b"{\"n\":1}");
        assert_eq!(bulk.deliveries().collect::<Vec<_>>(), [0, 10, 20]);
    }

    #[test]
    fn a_document_that_is_not_there_is_an_error() {
        let bulk = bulk(2);
        assert!(matches!(bulk.document(2), Err(Unsettled::Broken(_))));
        assert!(matches!(bulk.only(&[0, 2]), Err(Unsettled::Broken(_))));
    }

    #[test]
    fn a_builder_begins_anew() {
        let mut builder = BulkBuilder::default();
        builder.push(&filing("a"), "1", b"{}", 1);
        assert_eq!(builder.finish().documents(), 1);
        assert_eq!((builder.documents(), builder.bytes()), (0, 0));
        builder.push(&filing("a"), "2", b"{}", 2);
        assert_eq!(lines(&builder.finish()).len(), 2);
    }

    proptest! {
        #[test]
        fn parts_of_a_bulk_are_whole_bulks(count in 1usize..20, places in proptest::collection::btree_set(0usize..20, 0..20)) {
            let whole = bulk(count);
            let all = lines(&whole);
            let places: Vec<usize> = places.into_iter().filter(|place| *place < count).collect();
            let part = whole.only(&places).unwrap();
            let expected: Vec<String> = places.iter().flat_map(|p| all[2 * p..2 * p + 2].to_vec()).collect();
            prop_assert_eq!(lines(&part), expected);
            for (number, place) in places.iter().enumerate() {
                prop_assert_eq!(facts(&part, number), facts(&whole, *place));
            }
            match whole.halves() {
                None => prop_assert_eq!(count, 1),
                Some((first, second)) => {
                    prop_assert_eq!([lines(&first), lines(&second)].concat(), all);
                    prop_assert_eq!(facts(&second, 0), facts(&whole, first.documents()));
                }
            }
        }
    }
}
