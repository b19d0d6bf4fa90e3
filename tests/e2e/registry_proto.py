"""ProtobufConverter and JsonSchemaConverter with a real schema registry and a
real broker, beside confluent-kafka's serializers: each side reads what the other
one wrote. References, nested messages, changes of a schema, untouched and
changed records, refusals."""
# timeout: 300
import json

import _lib as lib
import _rig as rig

lib.need_broker()
rig.enter()

from confluent_kafka import (  # noqa: E402
    OFFSET_BEGINNING, Consumer, Producer, TopicPartition)
from confluent_kafka.schema_registry import (  # noqa: E402
    Schema, SchemaReference, SchemaRegistryClient)
from confluent_kafka.schema_registry.json_schema import (  # noqa: E402
    JSONDeserializer, JSONSerializer)
from confluent_kafka.schema_registry.protobuf import (  # noqa: E402
    ProtobufDeserializer, ProtobufSerializer)
from confluent_kafka.serialization import (  # noqa: E402
    MessageField, SerializationContext)
from google.protobuf import (  # noqa: E402
    descriptor_pb2, descriptor_pool, json_format, message_factory,
    timestamp_pb2, wrappers_pb2)

PROTOBUF = "io.confluent.connect.protobuf.ProtobufConverter"
JSON_SCHEMA = "io.confluent.connect.json.JsonSchemaConverter"
F = descriptor_pb2.FieldDescriptorProto


def client():
    return SchemaRegistryClient({"url": rig.registry()})


def settings(class_name, prefix="value", **more):
    config = {prefix + ".converter": class_name,
              prefix + ".converter.schema.registry.url": rig.registry()}
    for key, v in more.items():
        config[prefix + ".converter." + key.replace("__", ".")] = v
    return config


def context(topic):
    return SerializationContext(topic, MessageField.VALUE)


def send(topic, values):
    producer = Producer({"bootstrap.servers": lib.BOOTSTRAP})
    for value in values:
        producer.produce(topic, value=value)
    producer.flush()


def fetch(topic, n):
    """Values of the first n records."""
    consumer = Consumer({"bootstrap.servers": lib.BOOTSTRAP,
                         "group.id": lib.unique("g"),
                         "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found = []

    def more():
        found.extend(m.value() for m in consumer.consume(n, 0.2)
                     if not m.error())
        return len(found) >= n
    lib.await_(more, lambda: "%d of %d records in %s" % (len(found), n, topic))
    consumer.close()
    return found


def plugin(case, name, text):
    lib.write(case.path("plugins", name + ".lua"),
              'local tide = require "tidegate"\n' + text)
    return {"plugin.path": case.path("plugins")}


TYPED = """
local S = tide.schema { name = "shop.Sold", "id: int64", "who: string?",
                        "amount: float64", "n: int32", "paid: boolean" }
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do r.value = S(r.value) end
        end
    end,
}
"""


def typed(case):
    return (plugin(case, "typed", TYPED),
            {"transforms": "t", "transforms.t.type": "typed"})


def await_trace(worker, connector, *parts):
    worker.await_state(connector, "FAILED")
    trace = worker.trace(connector)
    for part in parts:
        lib.check(part in trace, "no", repr(part), "in", trace)


# --- messages without protoc --------------------------------------------------

def message(name, *fields):
    """fields: (name, number, type or message, label)."""
    m = descriptor_pb2.DescriptorProto(name=name)
    for title, number, kind, *label in fields:
        f = m.field.add(name=title, number=number,
                        label=label[0] if label else F.LABEL_OPTIONAL)
        if isinstance(kind, str):
            f.type, f.type_name = F.TYPE_MESSAGE, kind
        else:
            f.type = kind
    return m


def file_of(name, package, *messages, imports=()):
    file = descriptor_pb2.FileDescriptorProto(
        name=name, package=package, syntax="proto3", message_type=messages)
    file.dependency.extend(imports)
    return file


def classes(*files):
    """Message classes of files, in a pool of their own."""
    pool = descriptor_pool.DescriptorPool()
    for known in (timestamp_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    for file in files:
        pool.Add(file)
    return lambda full: message_factory.GetMessageClass(
        pool.FindMessageTypeByName(full))


ORDER = message(
    "Order", ("id", 1, F.TYPE_INT64), ("customer", 2, F.TYPE_STRING),
    ("lines", 3, ".shop.Line", F.LABEL_REPEATED),
    ("rate", 4, F.TYPE_DOUBLE), ("paid", 5, F.TYPE_BOOL),
    ("raw", 6, F.TYPE_BYTES), ("at", 7, ".google.protobuf.Timestamp"),
    ("ns", 8, F.TYPE_SINT32, F.LABEL_REPEATED))
LINE = message("Line", ("sku", 1, F.TYPE_STRING), ("n", 2, F.TYPE_INT32))
SHOP = file_of("shop.proto", "shop", LINE, ORDER,
               imports=["google/protobuf/timestamp.proto"])


def order(i):
    return {"id": i, "customer": "Jörg %d" % i,
            "lines": [{"sku": "s%d" % j, "n": j} for j in range(i % 4)],
            "rate": i / 4, "paid": i % 2 == 0, "raw": "AAE=",
            "at": 1700000000000 + i, "ns": [i, -i]}


def fill(cls, row):
    m = cls(id=row["id"], customer=row["customer"], rate=row["rate"],
            paid=row["paid"], raw=b"\0\1", ns=row["ns"])
    for line in row["lines"]:
        m.lines.add(**line)
    m.at.FromMilliseconds(row["at"])
    return m


def produce_orders(topic, n):
    """By confluent-kafka: Order is the second message of its file."""
    cls = classes(SHOP)("shop.Order")
    serialize = ProtobufSerializer(cls, client(), {"use.deprecated.format":
                                                   False})
    values = [serialize(fill(cls, order(i)), context(topic)) for i in range(n)]
    send(topic, values)
    return values


def test_protobuf_reads_what_confluent_wrote(case):
    n, topic, out = 300, lib.unique("pb-in"), case.path("out.jsonl")
    produce_orders(topic, n)
    worker = case.worker({}, [lib.sink("snk", out, topic,
                                       **settings(PROTOBUF))])
    worker.await_lines(out, n)
    worker.stop()
    for i, line in enumerate(lib.lines(out)):
        lib.equal(json.loads(line), order(i), "record %d" % i)


SOLD = message("Sold", ("id", 1, F.TYPE_INT64), ("who", 2, F.TYPE_STRING),
               ("amount", 3, F.TYPE_DOUBLE), ("n", 4, F.TYPE_INT32),
               ("paid", 5, F.TYPE_BOOL))


def rows_of(n):
    return [{"id": i, "who": "ä%d" % i, "amount": i / 8, "n": -i,
             "paid": i % 2 == 0} for i in range(n)]


def test_confluent_reads_our_protobuf(case):
    n, topic = 200, lib.unique("pb-out")
    rows = rows_of(n)
    file = case.file("in.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    config, steps = typed(case)
    worker = case.worker(config, [dict(lib.source(
        "src", file, topic, format="json"), **settings(PROTOBUF), **steps)])
    values = fetch(topic, n)
    worker.stop()
    cls = classes(file_of("sold.proto", "shop", SOLD))("shop.Sold")
    # without the registry, which should give its texts as descriptors
    deserialize = ProtobufDeserializer(cls, {"use.deprecated.format": False})
    for row, value in zip(rows, values):
        found = deserialize(value, context(topic))
        lib.equal({k: getattr(found, k) for k in row}, row, "record")
    text = client().get_latest_version(topic + "-value").schema
    lib.equal(text.schema_type, "PROTOBUF", "type")
    lib.check("message Sold" in text.schema_str, text.schema_str)


def test_protobuf_references_as_text(case):
    """The text of a schema with an import, and a message in a message."""
    sr, topic, out = client(), lib.unique("pb-ref"), case.path("out")
    inner = lib.unique("point")
    sr.register_schema(inner, Schema(
        'syntax = "proto3"; package geo;\n'
        "message Point { int32 x = 1; int32 y = 2; }\n", "PROTOBUF"))
    outer = sr.register_schema(topic + "-value", Schema(
        'syntax = "proto3"; package shop; import "geo/point.proto";\n'
        "message First { int32 q = 1; }\n"
        "message Outer { message Box { geo.Point a = 1;\n"
        " map<string, geo.Point> more = 2; } }\n", "PROTOBUF",
        [SchemaReference("geo/point.proto", inner, 1)]))
    point = message("Point", ("x", 1, F.TYPE_INT32), ("y", 2, F.TYPE_INT32))
    box = message("Box", ("a", 1, ".geo.Point"),
                  ("more", 2, ".shop.Box.MoreEntry", F.LABEL_REPEATED))
    entry = message("MoreEntry", ("key", 1, F.TYPE_STRING),
                    ("value", 2, ".geo.Point"))
    entry.options.map_entry = True
    box.nested_type.append(entry)
    cls = classes(file_of("geo/point.proto", "geo", point),
                  file_of("box.proto", "shop", box,
                          imports=["geo/point.proto"]))("shop.Box")
    m = json_format.ParseDict({"a": {"x": 1, "y": 2},
                               "more": {"k": {"x": 3}}}, cls())
    head = b"\0" + outer.to_bytes(4, "big") + bytes([4, 2, 0])
    send(topic, [head + m.SerializeToString()])
    worker = case.worker({}, [lib.sink("snk", out, topic,
                                       **settings(PROTOBUF))])
    worker.await_lines(out, 1)
    worker.stop()
    lib.same_lines(lib.lines(out), [
        b'{"a":{"x":1,"y":2},"more":{"k":{"x":3,"y":0}}}'], "file")


def test_protobuf_schema_changes(case):
    sr, topic, out = client(), lib.unique("pb-evo"), case.path("out")
    ids = [sr.register_schema(topic + "-value", Schema(
        'syntax = "proto3"; message E { int32 a = 1; %s}' % more, "PROTOBUF"))
        for more in ("", "string b = 2; ")]
    send(topic, [b"\0" + ids[0].to_bytes(4, "big") + b"\0\x08\x01",
                 b"\0" + ids[1].to_bytes(4, "big") + b"\0\x08\x02\x12\x01x",
                 # a field of the new version under the old one: passed over
                 b"\0" + ids[0].to_bytes(4, "big") + b"\0\x08\x03\x12\x01x"])
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
        lib.sink("snk", out, topic, **settings(PROTOBUF)), **{
            "transforms": "v", "transforms.v.type": "seen"})])
    worker.await_lines(out, 3)
    worker.stop()
    lib.same_lines(lib.lines(out), [b"E1 1", b"E2 2", b"E1 1"], "file")


def test_protobuf_changed_record(case):
    """A field that a transform changes; the others stay."""
    n, topic, out = 40, lib.unique("pb-chg"), case.path("out")
    produce_orders(topic, n)
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
"""), [dict(lib.sink("snk", out, topic, **settings(PROTOBUF)), **{
        "transforms": "f", "transforms.f.type": "flip"})])
    worker.await_lines(out, n)
    worker.stop()
    for i, line in enumerate(lib.lines(out)):
        want = order(i)
        if i % 2 == 0:
            want["rate"] = -1.0
        lib.equal(json.loads(line), want, "record %d" % i)


def test_protobuf_errors(case):
    topic, out = lib.unique("pb-bad"), case.path("out")
    send(topic, [b"plain"])
    worker = case.worker({}, [lib.sink("snk", out, topic,
                                       **settings(PROTOBUF))])
    await_trace(worker, "snk", topic, "begin with 0x70")
    worker.stop()
    topic = lib.unique("pb-bad")
    schema_id = client().register_schema(topic + "-value", Schema(
        'syntax = "proto3"; message E { string a = 1; }', "PROTOBUF"))
    send(topic, [b"\0" + schema_id.to_bytes(4, "big") + b"\0\x0a\x05ab"])
    worker = case.worker({}, [lib.sink("snk2", out, topic,
                                       **settings(PROTOBUF))])
    await_trace(worker, "snk2", topic, "Protobuf message E",
                "malformed Protobuf")
    worker.stop()
    worker = case.worker({}, [lib.sink("snk3", out, topic,
                                       **settings(JSON_SCHEMA))])
    await_trace(worker, "snk3", topic, "PROTOBUF")
    worker.stop()


# --- JSON Schema --------------------------------------------------------------

PERSON = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Person", "type": "object", "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "name": {"oneOf": [{"type": "null"}, {"type": "string"}]},
        "score": {"type": "number"}, "on": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "home": {"$ref": "#/definitions/Place"}},
    "definitions": {"Place": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}


def person(i):
    return {"id": i, "name": None if i % 3 == 0 else "Zoë %d" % i,
            "score": i / 4 + 0.5, "on": i % 2 == 1,
            "tags": ["t%d" % j for j in range(i % 3)],
            "home": {"city": "c%d" % i}}


def test_json_reads_what_confluent_wrote(case):
    n, topic, out = 300, lib.unique("js-in"), case.path("out.jsonl")
    serialize = JSONSerializer(json.dumps(PERSON), client())
    send(topic, [serialize(person(i), context(topic)) for i in range(n)])
    worker = case.worker({}, [lib.sink("snk", out, topic,
                                       **settings(JSON_SCHEMA))])
    worker.await_lines(out, n)
    worker.stop()
    for i, line in enumerate(lib.lines(out)):
        lib.equal(json.loads(line), person(i), "record %d" % i)


def test_confluent_reads_our_json(case):
    n, topic = 200, lib.unique("js-out")
    rows = rows_of(n)
    rows[1]["who"] = None
    file = case.file("in.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    config, steps = typed(case)
    worker = case.worker(config, [dict(lib.source(
        "src", file, topic, format="json"), **settings(JSON_SCHEMA), **steps)])
    values = fetch(topic, n)
    worker.stop()
    newest = client().get_latest_version(topic + "-value").schema
    lib.equal(newest.schema_type, "JSON", "type")
    # validates each value against the schema that was registered
    deserialize = JSONDeserializer(newest.schema_str,
                                   schema_registry_client=client())
    for row, value in zip(rows, values):
        lib.equal(deserialize(value, context(topic)), row, "record")


def test_json_references(case):
    sr, topic, out = client(), lib.unique("js-ref"), case.path("out")
    inner = lib.unique("place")
    sr.register_schema(inner, Schema(json.dumps({
        "type": "object", "properties": {"city": {"type": "string"}}}), "JSON"))
    outer = sr.register_schema(topic + "-value", Schema(json.dumps({
        "type": "object", "properties": {
            "a": {"$ref": "place.json"}, "b": {"type": "integer"}}}), "JSON",
        [SchemaReference("place.json", inner, 1)]))
    send(topic, [b"\0" + outer.to_bytes(4, "big") +
                 b'{"b": 5, "a": {"city": "Ulm"}, "more": 1}'])
    worker = case.worker({}, [lib.sink("snk", out, topic,
                                       **settings(JSON_SCHEMA))])
    worker.await_lines(out, 1)
    worker.stop()
    lib.same_lines(lib.lines(out), [b'{"a":{"city":"Ulm"},"b":5}'], "file")


def test_json_errors(case):
    topic, out = lib.unique("js-bad"), case.path("out")
    schema_id = client().register_schema(topic + "-value", Schema(
        '{"type":"object","properties":{"a":{"type":"integer"}}}', "JSON"))
    send(topic, [b"\0" + schema_id.to_bytes(4, "big") + b'{"a":"x"}'])
    worker = case.worker({}, [lib.sink("snk", out, topic,
                                       **settings(JSON_SCHEMA))])
    await_trace(worker, "snk", topic, 'field "a"', "found a string where")
    worker.stop()


lib.run(globals())
