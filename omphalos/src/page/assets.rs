//! The page itself, built from `web/` and compressed when it was built: it is sent as it is in this program.

use std::io::Read;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::read::GzDecoder;

use super::reply::{Coding, is_known, tag_of};

/// A file of the page.
struct Asset {
    path: &'static str,
    kind: &'static str,
    compressed: &'static [u8],
}

const ASSETS: [Asset; 4] = [
    Asset {
        path: "/",
        kind: "text/html; charset=utf-8",
        compressed: include_bytes!("../../../web/dist/index.html.gz"),
    },
    Asset {
        path: "/page.js",
        kind: "text/javascript; charset=utf-8",
        compressed: include_bytes!("../../../web/dist/page.js.gz"),
    },
    Asset {
        path: "/page.css",
        kind: "text/css; charset=utf-8",
        compressed: include_bytes!("../../../web/dist/page.css.gz"),
    },
    Asset {
        path: "/icon.svg",
        kind: "image/svg+xml",
        compressed: include_bytes!("../../../web/dist/icon.svg.gz"),
    },
];

/// The files of the page.
pub fn routes() -> Router {
    let mut router = Router::new();
    for asset in &ASSETS {
        router = router.route(asset.path, get(async |headers: HeaderMap| asset.answer(&headers)));
    }
    router
}

impl Asset {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = tag_of(self.compressed);
        let known = [(ETAG, tag.as_str()), (CACHE_CONTROL, "no-cache"), (VARY, "accept-encoding")];
        if is_known(headers, &tag) {
            return (StatusCode::NOT_MODIFIED, known).into_response();
        }
        let kind = [(CONTENT_TYPE, self.kind)];
        if !Coding::takes_gzip(headers) {
            return (known, kind, self.plain()).into_response();
        }
        let mut response = (known, kind, self.compressed).into_response();
        Coding::Gzip.note(&mut response);
        response
    }

    /// For programs that take nothing compressed.
    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        // What is in this program is whole; a test reads it.
        drop(GzDecoder::new(self.compressed).read_to_end(&mut plain));
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole page when it is loaded first, in bytes.
    const MOST: usize = 80 * 1024;

    #[test]
    fn the_page_is_small_and_asks_nobody_else() {
        let sizes = ASSETS.iter().map(|asset| asset.compressed.len());
        assert!(sizes.sum::<usize>() <= MOST);
        for asset in &ASSETS {
            let text = String::from_utf8(asset.plain()).unwrap();
            assert!(!text.is_empty(), "{}", asset.path);
            // Names of XML are no addresses that anything is loaded from.
            let text = text.replace("http://www.w3.org/", "");
            assert!(!text.contains("https://") && !text.contains("http://"), "{}", asset.path);
        }
        let page = String::from_utf8(ASSETS[0].plain()).unwrap();
        assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("onclick"));
        assert_eq!(page.matches("<script").count(), page.matches("src=\"/page.js\"").count());
    }
}
