"""Makes the databases of this directory, with Python's `mmdb_writer` and `netaddr`: places that nobody is in,
for addresses that documentation has."""

from mmdb_writer import MMDBWriter, MmdbF64, MmdbU32
from netaddr import IPSet


def names(text):
    return {"en": text, "de": text + " (de)"}


def place(continent, country, regions, city, location, postal):
    return {
        "continent": {"code": continent[0], "geoname_id": MmdbU32(1), "names": names(continent[1])},
        "country": {"iso_code": country[0], "is_in_european_union": True, "names": names(country[1])},
        "subdivisions": [{"iso_code": code, "names": names(name)} for code, name in regions],
        "city": {"names": names(city)},
        "location": {
            "accuracy_radius": 20,
            "latitude": MmdbF64(location[0]),
            "longitude": MmdbF64(location[1]),
            "time_zone": location[2],
        },
        "postal": {"code": postal},
    }


EUROPE, AMERICA, ASIA = ("EU", "Europe"), ("NA", "North America"), ("AS", "Asia")
BERLIN = place(EUROPE, ("DE", "Germany"), [("BE", "Land Berlin")], "Berlin", (52.52, 13.405, "Europe/Berlin"), "10115")
BOSTON = place(
    AMERICA,
    ("US", "United States"),
    [("MA", "Massachusetts")],
    "Boston \"Common\"",
    (42.3601, -71.0589, "America/New_York"),
    "02108",
)
LEEDS = place(
    EUROPE,
    ("GB", "United Kingdom"),
    [("ENG", "England"), ("LDS", "Leeds")],
    "Leeds",
    (53.8, -1.5, "Europe/London"),
    "LS1",
)
TOKYO = {
    "continent": {"code": "AS", "names": names("Asia")},
    "country": {"iso_code": "JP", "names": names("Japan")},
    "location": {"latitude": MmdbF64(35.69), "longitude": MmdbF64(200.0)},
}


def write(path, kind, entries):
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind, languages=["en", "de"], description="invented")
    for networks, record in entries:
        writer.insert_network(IPSet(networks), record)
    writer.to_db_file(path)


PLACES = [
    (["203.0.113.0/25"], BERLIN),
    (["198.51.100.0/24"], BOSTON),
    (["203.0.113.128/25"], LEEDS),
    (["2001:db8::/32"], TOKYO),
]
write("places.mmdb", "GeoLite2-City", PLACES)
write("later.mmdb", "GeoLite2-City", [(["203.0.113.0/24"], BOSTON)])
write(
    "networks.mmdb",
    "GeoLite2-ASN",
    [
        (
            ["203.0.113.0/24", "2001:db8::/32"],
            {
                "autonomous_system_number": MmdbU32(64496),
                "autonomous_system_organization": "Example Networks",
            },
        ),
        (["198.51.100.0/24"], {"autonomous_system_number": MmdbU32(4294967295)}),
    ],
)
write("proxies.mmdb", "GeoIP2-Anonymous-IP", [(["203.0.113.0/24"], {"is_anonymous": True})])
