//! Values replaced by what nobody can tell them from without the key, and that is the same for the same
//! value: HMAC-SHA-256, of which half is kept.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What values are hashed with.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

impl Key {
    /// A shorter one can be found by trying.
    const LEAST_BYTES: usize = 16;
    /// So many bytes of a hash are kept.
    const KEPT_BYTES: usize = 16;

    /// The key that a file holds.
    ///
    /// # Errors
    /// When it is too short.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() < Self::LEAST_BYTES {
            return Err(format!(
                "expected a key of at least {} bytes, found {}; head -c 32 /dev/urandom | base64 makes one",
                Self::LEAST_BYTES,
                text.len()
            ));
        }
        Hmac::new_from_slice(text.as_bytes()).map(Self).map_err(|error| error.to_string())
    }

    /// The hash of a text, in hexadecimal digits.
    pub fn hash(&self, text: &str) -> String {
        let mut hash = self.0.clone();
        hash.update(text.as_bytes());
        let digest = hash.finalize().into_bytes();
        let mut digits = String::with_capacity(2 * Self::KEPT_BYTES);
        for byte in digest.iter().take(Self::KEPT_BYTES) {
            let halves = [byte >> 4, byte & 0x0f].map(|half| char::from_digit(half.into(), 16));
            digits.extend(halves.into_iter().flatten());
        }
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_standard() {
        // printf 'Hi There' | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = Key::new("0123456789abcdef").unwrap();
        assert_eq!(key.hash("Hi There"), "158c003136e2dd83b253c011902a1f64");
        assert_ne!(key.hash("Hi There"), Key::new("0123456789abcdeg").unwrap().hash("Hi There"));
        assert!(Key::new("short").unwrap_err().contains("at least 16 bytes, found 5"));
    }
}
