//! From a line to its id.

use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher13};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::IdScheme;
use super::keys::{IdKey, IdKeys, NewFiles};
use crate::event::{DocumentId, SourceId};

/// Makes the ids of the lines of one host.
pub struct IdMaker {
    scheme: IdScheme,
    hash: Hash,
}

/// What the hash of each line begins with.
enum Hash {
    /// The hash of the host's id.
    Unkeyed([u8; 16]),
    Keyed {
        /// After the purpose and the hash of the host's id: 24 bytes.
        line: SipHasher13,
        /// The hasher of source ids, after the purpose.
        source: SipHasher13,
    },
}

impl fmt::Debug for IdMaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IdMaker({})", self.scheme)
    }
}

impl IdMaker {
    /// For the lines of the host that is called `host_id`, without a key.
    fn unkeyed(host_id: &str) -> Self {
        let host = xxh3_128(host_id.as_bytes()).to_be_bytes();
        Self { scheme: IdScheme::Unkeyed, hash: Hash::Unkeyed(host) }
    }

    fn keyed(scheme: IdScheme, key: &IdKey, host_id: &str) -> Self {
        // Each hash begins with what it is for, so that none of one kind is one of another.
        let of = |purpose: &[u8; 8]| {
            let mut hasher = SipHasher13::new_with_key(&key.0);
            hasher.write(purpose);
            hasher
        };
        let mut host = of(b"host    ");
        host.write(host_id.as_bytes());
        let mut line = of(b"line    ");
        line.write(&host.finish128().as_bytes());
        Self { scheme, hash: Hash::Keyed { line, source: of(b"source  ") } }
    }

    /// For the lines of the host that is called `host_id`, with the key that is made of that.
    pub fn of_host(host_id: &str) -> Self {
        Self::keyed(IdScheme::OfHost, &IdKey::of_host(host_id), host_id)
    }

    /// The scheme that this maker follows.
    pub fn scheme(&self) -> IdScheme {
        self.scheme
    }

    /// The source whose lines carry their own time.
    pub fn source_id(&self, logical_path: &[u8], first_line: &[u8]) -> SourceId {
        match &self.hash {
            Hash::Unkeyed(_) => {
                let bytes = [logical_path, &[0], first_line].concat();
                SourceId::from_bytes(xxh3_128(&bytes).to_be_bytes())
            }
            Hash::Keyed { source, .. } => {
                let mut hasher = *source;
                // The length says where the path ends.
                hasher.write(&(logical_path.len() as u64).to_be_bytes());
                hasher.write(logical_path);
                hasher.write(first_line);
                SourceId::from_bytes(hasher.finish128().as_bytes())
            }
        }
    }

    /// The id of `line`, which stands at byte `offset` of `source` and happened at `seconds` since
    /// the epoch.
    pub fn document_id(
        &self,
        source: SourceId,
        offset: u64,
        seconds: i64,
        line: &[u8],
    ) -> DocumentId {
        // All before the line have a length of their own, so no two lists of parts are alike.
        let (source, offset) = (source.to_bytes(), offset.to_be_bytes());
        let hash = match &self.hash {
            Hash::Unkeyed(host) => {
                let mut hasher = Xxh3::new();
                for part in [&host[..], &source, &offset, line] {
                    hasher.update(part);
                }
                hasher.digest128().to_be_bytes()
            }
            Hash::Keyed { line: begun, .. } => {
                let mut hasher = *begun;
                hasher.write(&source);
                hasher.write(&offset);
                hasher.write(line);
                hasher.finish128().as_bytes()
            }
        };
        DocumentId::of(seconds, hash)
    }
}

/// The makers for one host: one for each scheme that is known.
#[derive(Clone, Debug)]
pub struct IdMakers {
    of_new_files: Arc<IdMaker>,
    all: Arc<[Arc<IdMaker>]>,
}

impl IdMakers {
    /// For the lines of the host that is called `host_id`.
    pub fn new(host_id: &str, keys: &IdKeys) -> Self {
        let of_key = |key: &IdKey| IdMaker::keyed(IdScheme::OfKey(key.print()), key, host_id);
        let of_new_files = Arc::new(match &keys.of_new_files {
            NewFiles::Unkeyed => IdMaker::unkeyed(host_id),
            NewFiles::OfHost => IdMaker::of_host(host_id),
            NewFiles::OfKey(key) => of_key(key),
        });
        let keyed = keys.known.iter().map(of_key).chain([IdMaker::of_host(host_id)]);
        let others = keyed
            .chain([IdMaker::unkeyed(host_id)])
            .filter(|maker| maker.scheme != of_new_files.scheme)
            .map(Arc::new);
        // The first is what new files get.
        let all = std::iter::once(Arc::clone(&of_new_files)).chain(others).collect();
        Self { of_new_files, all }
    }

    /// The maker for lines of new files.
    pub fn of_new_files(&self) -> &Arc<IdMaker> {
        &self.of_new_files
    }

    /// What files get that were begun so; `None` when the key is not known.
    pub fn of(&self, scheme: IdScheme) -> Option<&Arc<IdMaker>> {
        self.all.iter().find(|maker| maker.scheme == scheme)
    }

    /// All that are known: what new files get first, what has no key last otherwise.
    pub fn schemes(&self) -> impl Iterator<Item = IdScheme> {
        self.all.iter().map(|maker| maker.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn makers(host_id: &str) -> IdMakers {
        IdMakers::new(host_id, &IdKeys::parse(&"ab".repeat(16)).unwrap())
    }

    fn all(host_id: &str) -> Vec<Arc<IdMaker>> {
        makers(host_id).all.to_vec()
    }

    #[test]
    fn new_files_get_what_the_keys_say_and_never_something_else() {
        let text = format!("{}\n{}\n", "ab".repeat(16), "cd".repeat(16));
        let of_file = IdKeys::parse(&text).unwrap();
        let host_first = IdKeys::parse(&format!("host\n{text}")).unwrap();
        for (keys, known) in
            [(IdKeys::default(), 2), (of_file.clone(), 4), (of_file.unkeyed(), 4), (host_first, 4)]
        {
            let makers = IdMakers::new("host-1", &keys);
            assert_eq!(makers.of_new_files().scheme(), keys.of_new_files());
            let schemes: Vec<IdScheme> = makers.schemes().collect();
            assert_eq!((schemes.first(), schemes.len()), (Some(&keys.of_new_files()), known));
        }
        // A key that the list of known ones lacks is used all the same.
        let keys = IdKeys { known: Vec::new(), ..IdKeys::parse(&text).unwrap() };
        assert_eq!(IdMakers::new("host-1", &keys).of_new_files().scheme(), keys.of_new_files());
    }

    #[test]
    fn an_id_is_made_of_the_time_and_of_everything_that_tells_lines_apart() {
        for (maker, other_host) in all("host-1").into_iter().zip(all("host-2")) {
            let source = maker.source_id(b"/var/log/access.log", b"first");
            let id = maker.document_id(source, 100, 1_700_000_000, b"line");
            assert_eq!(id, maker.document_id(source, 100, 1_700_000_000, b"line"));
            let other_source = maker.source_id(b"/var/log/other.log", b"first");
            for different in [
                maker.document_id(source, 101, 1_700_000_000, b"line"),
                maker.document_id(source, 100, 1_700_000_001, b"line"),
                maker.document_id(source, 100, 1_700_000_000, b"lin"),
                maker.document_id(other_source, 100, 1_700_000_000, b"line"),
                other_host.document_id(source, 100, 1_700_000_000, b"line"),
            ] {
                assert_ne!(id, different);
            }
        }
    }

    #[test]
    fn the_first_scheme_is_that_of_new_files() {
        let schemes: Vec<IdScheme> = makers("h").schemes().collect();
        assert!(matches!(schemes[..], [IdScheme::OfKey(_), IdScheme::OfHost, IdScheme::Unkeyed]));
        let unkeyed = IdMakers::new("h", &IdKeys::default().unkeyed());
        assert_eq!(unkeyed.of_new_files().scheme(), IdScheme::Unkeyed);
        assert_eq!(unkeyed.of(IdScheme::OfHost).unwrap().scheme(), IdScheme::OfHost);
        assert!(unkeyed.of(schemes[0]).is_none());
    }

    /// What is in Elasticsearch already keeps its ids, whatever becomes of the code.
    #[test]
    fn ids_of_both_versions_stay_what_they_are() {
        let makers = makers("0123456789abcdef0123456789abcdef");
        let id = |scheme: IdScheme| {
            let maker = makers.of(scheme).unwrap();
            let source = maker.source_id(b"/var/log/access.log", b"first");
            maker.document_id(source, 42, 1_700_000_000, b"a line").as_str().to_owned()
        };
        let key = makers.of_new_files().scheme();
        let ids = [IdScheme::Unkeyed, IdScheme::OfHost, key].map(id);
        assert_eq!(
            ids,
            ["ZVPxAHXueSF4zkwur6gMvQ", "ZVPxAFMPGjgk2UdgLHf0TQ", "ZVPxALGSHaHJrJSMDvCblQ"]
        );
    }

    /// Two lines, at bytes 0 and 473 of a file, for which XXH3 gives the same whatever the host and
    /// the source are.
    #[test]
    fn lines_that_were_made_to_share_an_id_share_none_with_a_key() {
        let text = include_bytes!("colliding-lines.log");
        let (first, second) = (&text[..472], &text[473..945]);
        for (maker, is_keyed) in all("any host").iter().zip([true, true, false]) {
            let source = maker.source_id(b"/any.log", first);
            let ids = [(0, first), (473, second)]
                .map(|(offset, line)| maker.document_id(source, offset, 7, line));
            assert_eq!(ids[0] != ids[1], is_keyed, "{maker:?}");
        }
    }

    proptest! {
        #[test]
        fn ids_differ_when_any_part_differs(
            host in "[a-f0-9]{1,40}", source: u128, offset: u64, seconds in 0i64..4_000_000_000,
            line in proptest::collection::vec(any::<u8>(), 1..600),
            (place, bit) in (any::<prop::sample::Index>(), 0u8..8),
        ) {
            for (maker, other_host) in all(&host).into_iter().zip(all(&format!("{host}x"))) {
                let of = |source: u128, offset: u64, line: &[u8]| {
                    maker.document_id(SourceId::from_random(source), offset, seconds, line)
                };
                let id = of(source, offset, &line);
                let mut changed = line.clone();
                *place.get_mut(&mut changed) ^= 1 << bit;
                prop_assert_ne!(id, of(source, offset, &changed));
                prop_assert_ne!(id, of(source ^ (1 << (offset % 128)), offset, &line));
                prop_assert_ne!(id, of(source, offset ^ (1 << (seconds % 64)), &line));
                prop_assert_ne!(id, of(source, offset, &line[1..]));
                let other = other_host.document_id(SourceId::from_random(source), offset, seconds, &line);
                prop_assert_ne!(id, other);
            }
            let ids: Vec<_> = all(&host).iter()
                .map(|maker| maker.document_id(SourceId::from_random(source), offset, seconds, &line))
                .collect();
            prop_assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "keys tell them apart");
        }

        #[test]
        fn sources_differ_when_path_or_line_differ(
            path in proptest::collection::vec(any::<u8>(), 0..60),
            line in proptest::collection::vec(any::<u8>(), 0..60), cut in 0usize..60,
        ) {
            let maker = IdMaker::of_host("h");
            let id = maker.source_id(&path, &line);
            // The same bytes, cut elsewhere.
            let whole = [&path[..], &line].concat();
            let cut = cut.min(whole.len());
            if cut != path.len() {
                prop_assert_ne!(id, maker.source_id(&whole[..cut], &whole[cut..]));
            }
            prop_assert_ne!(id, maker.source_id(&[&path[..], b"x"].concat(), &line));
        }
    }
}
