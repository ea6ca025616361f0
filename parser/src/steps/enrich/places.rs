//! What databases of addresses say of one, under the names of Elastic's `geoip` processor.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

use super::Database;
use crate::fields::{close, push_text};

/// What of a record is of use; databases of places, of countries and of networks have different parts of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Record<'d> {
    #[serde(borrow)]
    continent: Continent<'d>,
    #[serde(borrow)]
    country: Area<'d>,
    #[serde(borrow)]
    subdivisions: Vec<Area<'d>>,
    #[serde(borrow)]
    city: Area<'d>,
    #[serde(borrow)]
    location: Location<'d>,
    #[serde(borrow)]
    postal: Postal<'d>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'d str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Continent<'d> {
    code: Option<&'d str>,
    #[serde(borrow)]
    names: Names<'d>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Area<'d> {
    iso_code: Option<&'d str>,
    #[serde(borrow)]
    names: Names<'d>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names<'d> {
    en: Option<&'d str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location<'d> {
    latitude: Option<f64>,
    longitude: Option<f64>,
    time_zone: Option<&'d str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Postal<'d> {
    code: Option<&'d str>,
}

/// Appends what `databases` say of `address`, as members of an object with a comma before each. What is no
/// address, and what they do not know, gets nothing.
pub fn describe(databases: &[Arc<Database>], address: &str, out: &mut Vec<u8>) {
    let Ok(address) = address.parse::<IpAddr>() else { return };
    let (mut place, mut network) = (Vec::new(), Vec::new());
    for database in databases {
        database.look_up(address.to_canonical(), |record| {
            // The first that knows something is asked.
            if place.is_empty() {
                write_place(record, &mut place);
            }
            if network.is_empty() {
                write_network(record, &mut network);
            }
        });
    }
    for (name, members) in [(&b",\"geo\":{"[..], place), (b",\"as\":{", network)] {
        if !members.is_empty() {
            out.extend_from_slice(name);
            out.extend_from_slice(&members);
            close(out, b'}');
        }
    }
}

/// Appends the members of `geo`, each with a comma behind it.
fn write_place(record: &Record<'_>, out: &mut Vec<u8>) {
    let Record { continent, country, subdivisions, city, location, postal, .. } = record;
    // The smallest of the areas that are in one another, as Elastic does.
    let region = subdivisions.last();
    let region_code = match (country.iso_code, region.and_then(|region| region.iso_code)) {
        (Some(country), Some(region)) => Some(format!("{country}-{region}")),
        _ => None,
    };
    for (name, text) in [
        ("continent_name", continent.names.en),
        ("continent_code", continent.code),
        ("country_name", country.names.en),
        ("country_iso_code", country.iso_code),
        ("region_name", region.and_then(|region| region.names.en)),
        ("region_iso_code", region_code.as_deref()),
        ("city_name", city.names.en),
        ("timezone", location.time_zone),
        ("postal_code", postal.code),
    ] {
        push_member(out, name, text);
    }
    if let (Some(latitude), Some(longitude)) = (location.latitude, location.longitude)
        && latitude.abs() <= 90.0
        && longitude.abs() <= 180.0
    {
        let point = format!("\"location\":{{\"lat\":{latitude:?},\"lon\":{longitude:?}}},");
        out.extend_from_slice(point.as_bytes());
    }
}

/// The same of `as`.
fn write_network(record: &Record<'_>, out: &mut Vec<u8>) {
    if let Some(number) = record.autonomous_system_number {
        out.extend_from_slice(format!("\"number\":{number},").as_bytes());
    }
    if let Some(name) = record.autonomous_system_organization.filter(|name| !name.is_empty()) {
        out.extend_from_slice(b"\"organization\":{\"name\":");
        push_text(out, name.as_bytes());
        out.extend_from_slice(b"},");
    }
}

fn push_member(out: &mut Vec<u8>, name: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        push_text(out, name.as_bytes());
        out.push(b':');
        push_text(out, text.as_bytes());
        out.push(b',');
    }
}
