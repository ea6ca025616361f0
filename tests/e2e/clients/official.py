"""The official Python client, against whatever is at the URL that is given: it must not notice what that is."""

import sys

from elasticsearch import ConflictError, Elasticsearch, NotFoundError, helpers

client = Elasticsearch(sys.argv[1])
INDEX = "scenarios-python"


def check(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


client.indices.delete(index=INDEX, ignore_unavailable=True)
check(client.info()["tagline"], "You Know, for Search")
check(client.ping(), True)

client.indices.put_index_template(
    name=INDEX,
    index_patterns=[INDEX + "*"],
    priority=500,
    template={"mappings": {"properties": {"kind": {"type": "keyword"}, "n": {"type": "long"}, "text": {"type": "text"}}}},
)
check(client.indices.exists_index_template(name=INDEX).body, True)
check(client.indices.get_index_template(name=INDEX)["index_templates"][0]["name"], INDEX)

check(client.index(index=INDEX, id="first", document={"kind": "a", "n": 1, "text": "the first of all"}, refresh=True)["result"], "created")
check(client.exists(index=INDEX, id="first").body, True)
check(client.get(index=INDEX, id="first")["_source"]["n"], 1)
try:
    client.create(index=INDEX, id="first", document={"n": 2})
    raise AssertionError("a repeat was taken")
except ConflictError as conflict:
    check(conflict.status_code, 409)
try:
    client.get(index=INDEX, id="nowhere")
    raise AssertionError("what is not there was found")
except NotFoundError as missing:
    check(missing.body["found"], False)

actions = ({"_op_type": "create", "_index": INDEX, "_id": f"{n:05}", "kind": "ab"[n % 2], "n": n} for n in range(2500))
check(helpers.bulk(client, actions, chunk_size=500, refresh=True), (2500, []))
repeats = ({"_op_type": "create", "_index": INDEX, "_id": f"{n:05}", "n": n} for n in range(3))
created, errors = helpers.bulk(client, repeats, raise_on_error=False)
check((created, [one["create"]["status"] for one in errors]), (0, [409, 409, 409]))

check(client.count(index=INDEX)["count"], 2501)
check(client.count(index=INDEX, query={"term": {"kind": "a"}})["count"], 1251)
check([doc["found"] for doc in client.mget(index=INDEX, ids=["first", "00002", "nowhere"])["docs"]], [True, True, False])

answer = client.search(
    index=INDEX,
    query={"bool": {"filter": [{"range": {"n": {"gte": 100}}}], "must_not": [{"term": {"kind": "b"}}]}},
    sort=[{"n": "desc"}],
    size=3,
    source=["n"],
    track_total_hits=True,
    aggs={"kinds": {"terms": {"field": "kind"}, "aggs": {"mean": {"avg": {"field": "n"}}}}},
)
check([hit["_source"]["n"] for hit in answer["hits"]["hits"]], [2498, 2496, 2494])
check(answer["hits"]["total"], {"value": 1200, "relation": "eq"})
check(answer["aggregations"]["kinds"]["buckets"], [{"key": "a", "doc_count": 1200, "mean": {"value": 1299.0}}])
after = client.search(index=INDEX, sort=[{"n": "desc"}], size=1, search_after=answer["hits"]["hits"][-1]["sort"])
check(after["hits"]["hits"][0]["sort"], [2493])
check(client.search(index=INDEX, q="text:first AND kind:a")["hits"]["hits"][0]["_id"], "first")

check(len({hit["_id"] for hit in helpers.scan(client, index=INDEX, size=400)}), 2501)

point = client.open_point_in_time(index=INDEX, keep_alive="1m")["id"]
client.delete(index=INDEX, id="first", refresh=True)
check(client.search(pit={"id": point, "keep_alive": "1m"}, size=0, track_total_hits=True)["hits"]["total"]["value"], 2501)
check(client.search(index=INDEX, size=0, track_total_hits=True)["hits"]["total"]["value"], 2500)
check(client.close_point_in_time(id=point)["succeeded"], True)

check(client.indices.get_mapping(index=INDEX)[INDEX]["mappings"]["properties"]["n"], {"type": "long"})
check([one["docs.count"] for one in client.cat.indices(index=INDEX, format="json")], ["2500"])
check(client.indices.refresh(index=INDEX)["_shards"]["failed"], 0)
check(client.indices.exists(index=INDEX).body, True)
check(client.cluster.health()["timed_out"], False)
client.indices.delete(index=INDEX)
check(client.indices.exists(index=INDEX).body, False)
client.indices.delete_index_template(name=INDEX)
print("everything as expected")
