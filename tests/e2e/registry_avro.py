"""AvroConverter with a real schema registry and a real broker, beside
confluent-kafka's serializers: each side reads what the other one wrote. Subject
strategies, references, changes of a schema, refusals of the registry, ids that
it does not have, a registry that is away, passwords and certificates."""
# timeout: 300
import base64
import datetime
import decimal
import http.server
import json
import threading

import _lib as lib
import _rig as rig

lib.need_broker()
rig.enter()

from confluent_kafka import Consumer, Producer  # noqa: E402
from confluent_kafka.schema_registry import (  # noqa: E402
    Schema, SchemaReference, SchemaRegistryClient, record_subject_name_strategy,
    topic_record_subject_name_strategy)
from confluent_kafka.schema_registry.avro import (  # noqa: E402
    AvroDeserializer, AvroSerializer)
from confluent_kafka.serialization import (  # noqa: E402
    MessageField, SerializationContext)

AVRO = "io.confluent.connect.avro.AvroConverter"
STRATEGY = "io.confluent.kafka.serializers.subject."

ORDER = {
    "type": "record", "name": "Order", "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "customer", "type": ["null", "string"], "default": None},
        {"name": "lines", "type": {"type": "array", "items": {
            "type": "record", "name": "Line", "fields": [
                {"name": "sku", "type": "string"},
                {"name": "n", "type": "int"}]}}},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind",
                                  "symbols": ["NEW", "OLD"]}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal",
                                   "precision": 10, "scale": 2}},
        {"name": "at", "type": {"type": "long",
                                "logicalType": "timestamp-millis"}},
        {"name": "paid", "type": "boolean"},
        {"name": "rate", "type": "double"}]}


def client():
    return SchemaRegistryClient({"url": rig.registry()})


def order(i):
    return {
        "id": i, "customer": None if i % 3 == 0 else "Jörg %d" % i,
        "lines": [{"sku": "s%d" % j, "n": j} for j in range(i % 4)],
        "tags": {"a": "1", "b%d" % (i % 5): "x"},
        "kind": "OLD" if i % 2 else "NEW",
        "price": decimal.Decimal(i * 7 - 300) / 100,
        "at": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) +
        datetime.timedelta(milliseconds=i),
        "paid": i % 2 == 0, "rate": i / 4}


def produce(topic, schema, values, keys=None, conf=None, sr=None):
    """By confluent-kafka's AvroSerializer."""
    sr = sr or client()
    text = schema if isinstance(schema, (str, Schema)) else json.dumps(schema)
    serialize = AvroSerializer(sr, text, conf=conf or {})
    serialize_key = AvroSerializer(sr, '"string"')
    producer = Producer({"bootstrap.servers": lib.BOOTSTRAP})
    for i, value in enumerate(values):
        key = None
        if keys:
            key = serialize_key(keys[i], SerializationContext(
                topic, MessageField.KEY))
        producer.produce(topic, key=key, value=serialize(
            value, SerializationContext(topic, MessageField.VALUE)))
    producer.flush()


def consume(topic, n):
    """(key bytes, value) of the first n records, read by AvroDeserializer."""
    consumer = Consumer({"bootstrap.servers": lib.BOOTSTRAP,
                         "group.id": lib.unique("g"),
                         "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    deserialize = AvroDeserializer(client())
    found = []

    def more():
        for message in consumer.consume(n, 0.2):
            if not message.error():
                found.append((message.key(), deserialize(
                    message.value(),
                    SerializationContext(topic, MessageField.VALUE))))
        return len(found) >= n
    lib.await_(more, lambda: "%d of %d records in %s" % (len(found), n, topic))
    consumer.close()
    return found


def avro(prefix="value", **more):
    config = {prefix + ".converter": AVRO,
              prefix + ".converter.schema.registry.url": rig.registry()}
    for key, v in more.items():
        config[prefix + ".converter." + key.replace("__", ".")] = v
    return config


def plugin(case, name, text):
    lib.write(case.path("plugins", name + ".lua"),
              'local tide = require "tidegate"\n' + text)
    return {"plugin.path": case.path("plugins")}


# Gives a schema to what the file source reads.
TYPED = """
local S = tide.schema { name = "shop.Sold", "id: int64", "who: string?",
                        "amount: float64", "n: int32" }
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do r.value = S(r.value) end
        end
    end,
}
"""


def typed(case, text=TYPED):
    config = plugin(case, "typed", text)
    return config, {"transforms": "t", "transforms.t.type": "typed"}


def test_reads_what_confluent_wrote(case):
    n, topic, out = 500, lib.unique("avro-in"), case.path("out.jsonl")
    produce(topic, ORDER, [order(i) for i in range(n)],
            ["k%d" % i for i in range(n)])
    worker = case.worker({}, [lib.sink(
        "snk", out, topic, **{**avro("value"), **avro("key")})])
    worker.await_lines(out, n)
    worker.stop()
    for i, line in enumerate(lib.lines(out)):
        found, want = json.loads(line), order(i)
        unscaled = int(want["price"] * 100)
        size = max(1, (unscaled.bit_length() + 8) // 8)
        want["price"] = base64.b64encode(
            unscaled.to_bytes(size, "big", signed=True)).decode()
        want["at"] = int(want["at"].timestamp() * 1000)
        lib.equal(found, want, "record %d" % i)


def test_confluent_reads_what_we_write(case):
    n, topic = 300, lib.unique("avro-out")
    rows = [{"id": i, "who": None if i % 2 else "ä%d" % i, "amount": i / 8,
             "n": -i} for i in range(n)]
    file = case.file("in.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    config, steps = typed(case)
    worker = case.worker(config, [dict(lib.source(
        "src", file, topic, format="json"), **avro(), **steps)])
    found = consume(topic, n)
    worker.stop()
    lib.equal([v for _, v in found], rows, "records")
    newest = client().get_latest_version(topic + "-value")
    lib.equal(json.loads(newest.schema.schema_str), {
        "type": "record", "name": "Sold", "namespace": "shop", "fields": [
            {"name": "id", "type": "long"},
            {"name": "who", "type": ["null", "string"], "default": None},
            {"name": "amount", "type": "double"}, {"name": "n", "type": "int"}],
        "connect.name": "shop.Sold"}, "schema")
    lib.equal(newest.version, 1, "version")


def test_values_without_a_schema(case):
    topic, out = lib.unique("avro-any"), case.path("out.jsonl")
    rows = ['{"a":1,"b":[true,null,1.5,"x"],"c":{"d":{}}}', '[]', '"t"', '{}']
    file = case.file("in.jsonl", "".join(r + "\n" for r in rows))
    worker = case.worker({}, [
        dict(lib.source("src", file, topic, format="json"), **avro()),
        lib.sink("snk", out, topic, **avro())])
    worker.await_lines(out, len(rows))
    worker.stop()
    rows[2] = "t"  # the file sink writes texts as they are
    lib.same_lines(lib.lines(out), [r.encode() for r in rows], "file")
    first = consume(topic, 1)[0][1]
    lib.equal(sorted(e["key"]["string"] for e in first["map"]),
              ["a", "b", "c"], "what AvroDeserializer reads")


def test_scripts_change_fields(case):
    n, a = 50, lib.unique("avro-a")
    produce(a, ORDER, [order(i) for i in range(n)])
    out = case.path("out.jsonl")
    worker = case.worker(plugin(case, "flip", """
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do
                if r.value.id % 2 == 0 then r.value.rate = -1 end
            end
        end
    end,
}
"""), [dict(lib.sink("snk", out, a, **avro()), **{
        "transforms": "f", "transforms.f.type": "flip"})])
    worker.await_lines(out, n)
    worker.stop()
    rates = [json.loads(line)["rate"] for line in lib.lines(out)]
    lib.equal(rates, [-1 if i % 2 == 0 else i / 4 for i in range(n)], "rates")


def test_subject_strategies(case):
    for strategy, subject, python in [
            ("RecordNameStrategy", "shop.Sold", record_subject_name_strategy),
            ("TopicRecordNameStrategy", "%s-shop.Sold",
             topic_record_subject_name_strategy)]:
        topic = lib.unique("avro-sub")
        file = case.file(strategy, '{"id":1,"amount":2,"n":3}\n')
        config, steps = typed(case)
        worker = case.worker(config, [dict(
            lib.source("src-" + strategy, file, topic, format="json"), **avro(
                value__subject__name__strategy=STRATEGY + strategy), **steps)])
        lib.equal(consume(topic, 1)[0][1]["n"], 3, "n")
        name = subject % topic if "%" in subject else subject
        lib.check(name in client().get_subjects(), name)
        worker.stop()
        # and what Python writes under such a subject is read
        out = case.path("out-" + strategy)
        produce(topic, ORDER, [order(1)],
                conf={"subject.name.strategy": python})
        worker = case.worker({}, [lib.sink(
            "snk-" + strategy, out, topic,
            **avro(value__subject__name__strategy=STRATEGY + strategy))])
        worker.await_lines(out, 2)
        worker.stop()
        lib.equal(json.loads(lib.lines(out)[1])["id"], 1, "id")


def test_references(case):
    topic, out, sr = lib.unique("avro-ref"), case.path("out"), client()
    inner = lib.unique("inner")
    sr.register_schema(inner, Schema(json.dumps({
        "type": "record", "name": "shop.Point", "fields": [
            {"name": "x", "type": "int"}, {"name": "y", "type": "int"}]}),
        "AVRO"))
    outer = Schema(json.dumps({
        "type": "record", "name": "shop.Box", "fields": [
            {"name": "a", "type": "shop.Point"},
            {"name": "b", "type": ["null", "shop.Point"], "default": None}]}),
        "AVRO", [SchemaReference("shop.Point", inner, 1)])
    produce(topic, outer, [{"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 4}},
                           {"a": {"x": 5, "y": 6}, "b": None}], sr=sr)
    worker = case.worker({}, [lib.sink("snk", out, topic, **avro())])
    worker.await_lines(out, 2)
    worker.stop()
    lib.same_lines(lib.lines(out), [
        b'{"a":{"x":1,"y":2},"b":{"x":3,"y":4}}',
        b'{"a":{"x":5,"y":6},"b":null}'], "file")


def test_schema_changes(case):
    """Records of two versions in one topic, read with the schema of each."""
    topic, out = lib.unique("avro-evo"), case.path("out")
    one = {"type": "record", "name": "E", "fields": [
        {"name": "a", "type": "int"}]}
    two = {"type": "record", "name": "E", "fields": [
        {"name": "a", "type": "int"},
        {"name": "b", "type": "string", "default": "d"}]}
    produce(topic, one, [{"a": 1}])
    produce(topic, two, [{"a": 2, "b": "x"}])
    produce(topic, one, [{"a": 3}])
    plugin(case, "seen", """
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do
                local s = tide.schema.of(r)
                r.value = s.name .. s.version .. " " .. #s.fields
            end
        end
    end,
}
""")
    worker = case.worker({"plugin.path": case.path("plugins")}, [dict(
        lib.sink("snk", out, topic, **avro()), **{
            "transforms": "v", "transforms.v.type": "seen"})])
    worker.await_lines(out, 3)
    worker.stop()
    lib.same_lines(lib.lines(out), [b"E1 1", b"E2 2", b"E1 1"], "file")


def await_trace(worker, connector, *parts):
    worker.await_state(connector, "FAILED")
    trace = worker.trace(connector)
    for part in parts:
        lib.check(part in trace, "no", repr(part), "in", trace)


def test_refused_by_compatibility(case):
    topic, sr = lib.unique("avro-409"), client()
    sr.register_schema(topic + "-value", Schema(json.dumps({
        "type": "record", "name": "Sold", "namespace": "shop", "fields": [
            {"name": "id", "type": "string"}]}), "AVRO"))
    sr.set_compatibility(topic + "-value", "FULL")
    file = case.file("in", '{"id":1,"amount":2,"n":3}\n')
    config, steps = typed(case)
    worker = case.worker(config, [dict(
        lib.source("src", file, topic, format="json"), **avro(), **steps)])
    await_trace(worker, "src", "is not compatible with what subject " + topic)
    worker.stop()


def test_ids_that_nobody_has(case):
    topic, out = lib.unique("avro-404"), case.path("out")
    lib.produce(topic, b"not avro\n")
    worker = case.worker({}, [lib.sink("snk", out, topic, **avro())])
    await_trace(worker, "snk", topic, "begin with 0x6E")
    worker.stop()
    topic = lib.unique("avro-404")
    producer = Producer({"bootstrap.servers": lib.BOOTSTRAP})
    producer.produce(topic, value=b"\x00\x00\x0f\x42\x40\x02")
    producer.flush()
    worker = case.worker({}, [lib.sink(
        "snk2", out, topic, **avro(), errors__tolerance="none")])
    await_trace(worker, "snk2", topic, "has no schema with id 1000000")
    worker.stop()


def test_not_a_registry(case):
    topic, out = lib.unique("avro-html"), case.path("out")
    produce(topic, '"int"', [1])
    url = rig.registry().split("/apis/")[0] + "/ui"
    config = avro()
    config["value.converter.schema.registry.url"] = url
    worker = case.worker({}, [lib.sink("snk", out, topic, **config)])
    await_trace(worker, "snk", "which no schema registry does")
    worker.stop()


def test_registry_comes_later(case):
    """Away at first: the sink tries again and loses nothing."""
    topic, out = lib.unique("avro-late"), case.path("out")
    produce(topic, '"int"', [1, 2, 3])
    url, _, server = rig.guarded(case)
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    config = avro(max__retries="0")
    config["value.converter.schema.registry.url"] = url
    worker = case.worker({}, [dict(
        lib.sink("snk", out, topic, **config),
        **{"errors.retry.timeout": "60000",
           "errors.retry.delay.max.ms": "500"})])
    worker.await_(lambda: "is tried again" in worker.log(), "the first try")
    again = http.server.ThreadingHTTPServer(("127.0.0.1", port), rig.Proxy)
    again.target, again.requests, again.user = server.target, [], None
    threading.Thread(target=again.serve_forever, daemon=True).start()
    case.cleanups.append(again.shutdown)
    worker.await_lines(out, 3)
    worker.stop()
    lib.same_lines(lib.lines(out), [b"1", b"2", b"3"], "file")


def test_stops_while_the_registry_is_away(case):
    topic, out = lib.unique("avro-stop"), case.path("out")
    produce(topic, '"int"', [1])
    url, _, server = rig.guarded(case)
    server.shutdown()
    server.server_close()
    config = avro(max__retries="1000", retries__wait__ms="60000")
    config["value.converter.schema.registry.url"] = url
    worker = case.worker({}, [dict(lib.sink("snk", out, topic, **config),
                                   **{"errors.tolerance": "all"})])
    worker.await_(lambda: "trying again" in worker.log(), "the first try")
    worker.stop(seconds=20)
    # what was not converted was not passed either
    worker = case.worker({}, [lib.sink("snk", out, topic, **avro())])
    worker.await_lines(out, 1)
    worker.stop()


def test_passwords(case):
    topic, out = lib.unique("avro-auth"), case.path("out")
    produce(topic, '"string"', ["in"])
    url, _, server = rig.guarded(case, user="joe:s3cret%")
    wrong = avro(basic__auth__credentials__source="USER_INFO",
                 basic__auth__user__info="joe:wrong")
    wrong["value.converter.schema.registry.url"] = url
    worker = case.worker({}, [lib.sink("snk", out, topic, **wrong)])
    await_trace(worker, "snk", "refuses the credentials (HTTP 401: user or"
                " password wrong)")
    lib.check("wrong\"" not in worker.log(), "the password is in the log")
    worker.stop()
    right = avro(basic__auth__credentials__source="USER_INFO",
                 basic__auth__user__info="joe:s3cret%")
    right["value.converter.schema.registry.url"] = url
    worker = case.worker({}, [lib.sink("snk", out, topic, **right)])
    worker.await_lines(out, 1)
    worker.stop()
    in_url = avro()
    in_url["value.converter.schema.registry.url"] = url.replace(
        "://", "://joe:s3cret%25@")
    file = case.file("in", '{"id":1,"amount":2,"n":3}\n')
    config, steps = typed(case)
    to = lib.unique("avro-auth")
    worker = case.worker(config, [dict(
        lib.source("src", file, to, format="json"), **in_url, **steps)])
    lib.equal(consume(to, 1)[0][1]["id"], 1, "id")
    worker.stop()
    lib.check(any(r.startswith("POST /subjects/" + to)
                  for r in server.requests), server.requests)


def test_certificates(case):
    topic, out = lib.unique("avro-tls"), case.path("out")
    produce(topic, '"string"', ["in"])
    url, pem, _ = rig.guarded(case, tls=True)
    config = avro()
    config["value.converter.schema.registry.url"] = url
    worker = case.worker({}, [lib.sink("snk", out, topic, **config)])
    await_trace(worker, "snk", "is not trusted",
                "schema.registry.ssl.truststore.location")
    worker.stop()
    config["value.converter.schema.registry.ssl.truststore.location"] = pem
    config["value.converter.schema.registry.ssl.truststore.type"] = "PEM"
    worker = case.worker({}, [lib.sink("snk", out, topic, **config)])
    worker.await_lines(out, 1)
    worker.stop()
    lib.same_lines(lib.lines(out), [b"in"], "file")


def test_wrong_settings_are_refused_at_once(case):
    worker = case.worker({}, [dict(lib.sink("x", case.path("o"), "t"), **{
        "value.converter": AVRO})], wait=False)
    lib.check(worker.end(expect=None) != 0, "it started")
    lib.check("schema.registry.url is missing" in worker.log(), worker.log())


lib.run(globals())
