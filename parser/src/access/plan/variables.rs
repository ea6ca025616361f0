//! The variables of nginx and of ingress-nginx, and what each says
//! (<https://nginx.org/en/docs/varindex.html>,
//! <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/>).

use super::What;
use super::compile::Token;
use crate::fields::Name;
use crate::time::TimeRule;

/// Whether `text` has a variable of nginx.
pub fn has_some(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        text.as_bytes().get(at + 1).is_some_and(|byte| byte.is_ascii_lowercase() || *byte == b'{')
    })
}

/// The pieces of a format string of nginx.
pub fn tokens(text: &str, times: &TimeRule) -> Result<Vec<Token>, String> {
    let of_ingress = ["$proxy_upstream_name", "$req_id", "$proxy_alternative_upstream_name"];
    let is_ingress = of_ingress.iter().any(|name| text.contains(name));
    let module = if is_ingress { "nginx.ingress_controller" } else { "nginx.access" };
    let names =
        Names { module, has_request: text.contains("$request ") || text.contains("$request\"") };
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (literal, variable) = rest.split_at(at);
        tokens.push(Token::Literal(literal.as_bytes().to_vec()));
        let (name, after) = split_name(variable.get(1..).unwrap_or_default());
        if name.is_empty() {
            return Err(format!("expected the name of a variable behind $, found {after:?}"));
        }
        let what = names.what(name, times)?;
        tokens.push(Token::Variable { label: format!("${name}"), what });
        rest = after;
    }
    tokens.push(Token::Literal(rest.as_bytes().to_vec()));
    tokens.retain(|token| !matches!(token, Token::Literal(text) if text.is_empty()));
    Ok(tokens)
}

/// The name at the beginning, which may be in braces.
fn split_name(text: &str) -> (&str, &str) {
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, rest);
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text.bytes().take_while(|byte| is_name(byte)).count();
    text.split_at_checked(length).unwrap_or((text, ""))
}

/// How variables are called in documents.
struct Names {
    module: &'static str,
    /// Whether the whole request is in the line, so that its parts say nothing new.
    has_request: bool,
}

impl Names {
    fn name(&self, name: &str) -> Result<Name<'static>, String> {
        Name::new(format!("{}.{name}", self.module))
            .ok_or_else(|| format!("expected the name of a variable behind $, found {name:?}"))
    }

    fn what(&self, name: &str, times: &TimeRule) -> Result<What, String> {
        if let Some(what) = self.of_request(name, times)? {
            return Ok(what);
        }
        if let Some(field) = ecs(name) {
            return Ok(What::Text(field.into()));
        }
        if let Some(what) = self.of_upstream(name)? {
            return Ok(what);
        }
        let header = |prefix: &str| name.strip_prefix(prefix).map(|name| name.replace('_', "-"));
        let known = |object: &str, name: String| {
            let field = format!("{object}.{name}");
            Name::new(field)
                .map(What::Text)
                .ok_or_else(|| format!("{name:?} is no name of a header"))
        };
        if let Some(name) = header("sent_http_") {
            return known("http.response.header", name);
        }
        if let Some(name) = header("http_") {
            return known("http.request.header", name);
        }
        if let Some(name) = header("upstream_http_") {
            return known(&format!("{}.upstream.response.header", self.module), name);
        }
        let is_number = NUMBERS.contains(&name);
        let own = self.name(name)?;
        Ok(match name {
            "gzip_ratio" | "tcpinfo_rtt" => What::Float(own),
            _ if is_number => What::Number(own),
            _ => What::Text(own),
        })
    }

    /// Those that a request has a place for.
    fn of_request(&self, name: &str, times: &TimeRule) -> Result<Option<What>, String> {
        let time = |form: &str| TimeRule::of_form(form, times.zone.clone()).map(What::Time);
        let is_part = matches!(
            name,
            "request_method"
                | "request_uri"
                | "uri"
                | "document_uri"
                | "args"
                | "query_string"
                | "server_protocol"
        );
        if self.has_request && is_part {
            return self.name(name).map(What::Text).map(Some);
        }
        Ok(Some(match name {
            "remote_addr" | "realip_remote_addr" | "the_real_ip" => What::Client,
            "remote_port" | "realip_remote_port" => What::ClientPort,
            "remote_user" => What::User,
            "host" | "http_host" | "server_name" | "best_http_host" | "vhost" => What::Host,
            "request" => What::Request,
            "request_method" => What::Method,
            "request_uri" => What::Target,
            "uri" | "document_uri" => What::Path,
            "args" | "query_string" => What::Query,
            "server_protocol" => What::Version,
            "scheme" => What::Scheme,
            "status" => What::Status,
            "body_bytes_sent" => What::BodyBytes,
            "bytes_sent" => What::ResponseBytes,
            "request_length" => What::RequestBytes,
            "http_referer" => What::Referrer,
            "http_user_agent" => What::UserAgent,
            "server_addr" => What::Server,
            "server_port" => What::ServerPort,
            "http_x_forwarded_for" | "proxy_add_x_forwarded_for" | "http_forwarded_for" => {
                What::Forwarded
            }
            "request_time" => What::Duration(1_000_000_000),
            "time_local" => time("clf")?,
            "time_iso8601" => time("iso8601")?,
            "msec" => time("unix")?,
            "ssl_protocol" => What::TlsVersion,
            "ssl_session_reused" => What::Reused,
            _ => return Ok(None),
        }))
    }

    /// Those that have a value for each server that was asked.
    fn of_upstream(&self, name: &str) -> Result<Option<What>, String> {
        let name_of = |name: &str| self.name(name);
        Ok(Some(match name {
            "upstream_addr" => What::Addresses {
                list: name_of("upstream_address_list")?,
                ip: name_of("upstream.ip")?,
                port: name_of("upstream.port")?,
            },
            "upstream_status" => What::Numbers {
                last: name_of("upstream.response.status_code")?,
                list: name_of("upstream.response.status_code_list")?,
            },
            "upstream_response_length" | "upstream_bytes_received" => What::Numbers {
                last: name_of("upstream.response.length")?,
                list: name_of("upstream.response.length_list")?,
            },
            "upstream_bytes_sent" => What::Numbers {
                last: name_of("upstream.request.length")?,
                list: name_of("upstream.request.length_list")?,
            },
            "upstream_response_time" => What::Floats {
                last: name_of("upstream.response.time")?,
                list: name_of("upstream.response.time_list")?,
            },
            "upstream_connect_time"
            | "upstream_header_time"
            | "upstream_queue_time"
            | "upstream_first_byte_time"
            | "upstream_session_time" => {
                let short = name.trim_start_matches("upstream_");
                What::Floats {
                    last: name_of(&format!("upstream.{short}"))?,
                    list: name_of(&format!("upstream.{short}_list"))?,
                }
            }
            "proxy_upstream_name" => What::Text(name_of("upstream.name")?),
            "proxy_alternative_upstream_name" => What::Text(name_of("upstream.alternative_name")?),
            "upstream_cache_status" => What::Text(name_of("upstream.cache_status")?),
            _ => return Ok(None),
        }))
    }
}

/// Numbers that have no other place.
const NUMBERS: [&str; 22] = [
    "connection",
    "connection_requests",
    "connections_active",
    "connections_reading",
    "connections_waiting",
    "connections_writing",
    "tcpinfo_rttvar",
    "tcpinfo_snd_cwnd",
    "tcpinfo_rcv_space",
    "proxy_port",
    "proxy_protocol_port",
    "proxy_protocol_server_port",
    "ssl_client_v_remain",
    "upstream_last_server_port",
    "slice_range_start",
    "limit_rate",
    "bytes_received",
    "http_content_length",
    "content_length",
    "sent_http_content_length",
    "geoip_area_code",
    "geoip_dma_code",
];

/// The field of ECS that a variable is as it stands.
fn ecs(name: &str) -> Option<&'static str> {
    Some(match name {
        "request_id" | "req_id" | "http_x_request_id" => "http.request.id",
        "content_type" | "http_content_type" => "http.request.mime_type",
        "sent_http_content_type" => "http.response.mime_type",
        "hostname" => "host.hostname",
        "ssl_cipher" => "tls.cipher",
        "ssl_curve" => "tls.curve",
        "ssl_server_name" => "tls.client.server_name",
        "ssl_client_s_dn" => "tls.client.subject",
        "ssl_client_i_dn" => "tls.client.issuer",
        "ssl_client_fingerprint" => "tls.client.hash.sha1",
        "ssl_client_serial" => "tls.client.x509.serial_number",
        "ssl_alpn_protocol" => "tls.next_protocol",
        "request_filename" => "file.path",
        "geoip_country_code" | "geoip2_data_country_code" => "source.geo.country_iso_code",
        "geoip_country_name" | "geoip_city_country_name" => "source.geo.country_name",
        "geoip_city" => "source.geo.city_name",
        "geoip_region_name" => "source.geo.region_name",
        "geoip_postal_code" => "source.geo.postal_code",
        "geoip_org" => "source.as.organization.name",
        _ => return None,
    })
}

/// What is in a plan already: each field is filled once.
#[derive(Default)]
pub struct Seen {
    single: Vec<std::mem::Discriminant<What>>,
    names: Vec<String>,
}

impl Seen {
    /// `what`, or nothing where the same is there already.
    pub fn once(&mut self, what: What) -> What {
        match &what {
            What::Text(name) | What::Number(name) | What::Float(name) => {
                self.named(name.as_str().to_owned(), what)
            }
            What::Addresses { list: name, .. }
            | What::Numbers { last: name, .. }
            | What::Floats { last: name, .. } => self.named(name.as_str().to_owned(), what),
            // The first that is one is taken.
            What::Nothing | What::Time(_) | What::Duration(_) | What::Forwarded => what,
            _ => {
                let kind = std::mem::discriminant(&what);
                if self.single.contains(&kind) {
                    return What::Nothing;
                }
                self.single.push(kind);
                what
            }
        }
    }

    fn named(&mut self, name: String, what: What) -> What {
        let below = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'))
        };
        if self
            .names
            .iter()
            .any(|known| *known == name || below(known, &name) || below(&name, known))
        {
            return What::Nothing;
        }
        self.names.push(name);
        what
    }
}
