"""Writes cases.json: values in Avro as fastavro writes them.

Each case has a schema, the bytes of values of it in hexadecimal, and the JSON
that JsonConverter makes of them without an envelope. Run it with the Python of
the test rig (scripts/lib.sh, python_rig) after a change:

    python tests/unit/convert/avro/make_cases.py > tests/unit/convert/avro/cases.json
"""

import base64
import datetime
import decimal
import io
import json
import math
import struct
import sys

import fastavro

D = decimal.Decimal
decimal.getcontext().prec = 100
UTC = datetime.timezone.utc


def record(name, *fields, **more):
    return {"type": "record", "name": name, "fields": [
        {"name": n, "type": t} if len(f) == 0 else {"name": n, "type": t, **f[0]}
        for n, t, *f in fields], **more}


def number(d, single=False):
    """JSON text of a floating point number as Java writes it, for simple ones."""
    if math.isnan(d):
        return "NaN"
    if math.isinf(d):
        return "Infinity" if d > 0 else "-Infinity"
    if single:
        for digits in range(1, 10):
            text = f"{d:.{digits}g}"
            if struct.pack("f", float(text)) == struct.pack("f", d):
                d = float(text)
                break
    if d == 0 or 1e-3 <= abs(d) < 1e7:
        return repr(float(d))
    mantissa, exponent = f"{d:.17e}".split("e")
    for digits in range(0, 18):
        mantissa, exponent = f"{d:.{digits}e}".split("e")
        if float(f"{mantissa}e{exponent}") == d:
            break
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"


def b64(data):
    return base64.b64encode(data).decode()


def unscaled(d, scale):
    i = int(d.scaleb(scale))
    n = max(1, (i.bit_length() + 8) // 8)
    data = i.to_bytes(n, "big", signed=True)
    while len(data) > 1 and (
            data[0] == 0 and data[1] < 128 or data[0] == 255 and data[1] >= 128):
        data = data[1:]
    return data


class Raw(str):
    """A text that is written as it is."""


def text_of(v):
    if isinstance(v, Raw):
        return str(v)
    if isinstance(v, dict):
        return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + text_of(x) for k, x in v.items()) + "}"
    if isinstance(v, list):
        return "[" + ",".join(text_of(x) for x in v) + "]"
    if isinstance(v, float):
        return number(v)
    return json.dumps(v, ensure_ascii=False)


CASES = []


def case(name, schema, *pairs, settings=None):
    """pairs: (datum for fastavro, what JsonConverter writes)."""
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    values = []
    for datum, want in pairs:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, datum)
        values.append({"hex": out.getvalue().hex(), "json": text_of(want)})
    CASES.append({"name": name, "schema": json.dumps(schema),
                  "settings": settings or "", "values": values})


def same(*values):
    return [(v, v) for v in values]


I32, I64 = 2**31 - 1, 2**63 - 1

case("boolean", "boolean", *same(True, False))
case("int", "int", *same(0, -1, 1, 63, 64, -64, -65, 8191, 8192, I32, -I32 - 1))
case("long", "long", *same(0, -1, 300, -300, 2**32, -2**40, I64, -I64 - 1))
case("float", "float", *[(v, Raw(number(v, True))) for v in
                         [0.0, -0.0, 1.5, -2.25, 0.10000000149011612, 16777216.0]])
case("double", "double", *[(v, Raw(number(v))) for v in
                           [0.0, -0.0, 1.5, 0.1, 1e300, -1e-300, 123456789.125]])
case("string", "string", *same("", "x", "häßlich \U0001F600", 'quo"te\\ \n\t', "a" * 300))
case("int8", {"type": "int", "connect.type": "int8"}, *same(0, 127, -128))
case("int16", {"type": "int", "connect.type": "int16"}, *same(0, 32767, -32768))
case("bytes in a record", record("R", ("b", "bytes")),
     *[({"b": v}, {"b": b64(v)}) for v in [b"", b"\x00", bytes(range(256))]])
case("fixed", record("R", ("f", {"type": "fixed", "name": "F4", "size": 4})),
     ({"f": b"\x00\x01\xfe\xff"}, {"f": b64(b"\x00\x01\xfe\xff")}))
case("enum", {"type": "enum", "name": "a.b.Suit", "symbols": ["SPADES", "HEARTS"]},
     *same("SPADES", "HEARTS"))
case("flat record", record(
    "shop.Order", ("id", "long"), ("customer", "string"), ("amount", "double"),
    ("currency", "string"), ("open", "boolean"), ("n", "int"), namespace="x.y"),
     *same({"id": 17, "customer": "Bob", "amount": 12.5, "currency": "EUR", "open": True,
            "n": -3}))
case("empty record", record("E"), *same({}))
case("nested", record(
    "Outer", ("a", record("Inner", ("x", "int"), ("y", ["null", "string"]))),
    ("b", "Inner"), ("c", ["null", "Inner"]), namespace="n"),
     *same({"a": {"x": 1, "y": None}, "b": {"x": 2, "y": "two"}, "c": None},
           {"a": {"x": 1, "y": "q"}, "b": {"x": 2, "y": None}, "c": {"x": 3, "y": "z"}}))
case("optional scalars", record(
    "R", *[(t, ["null", t]) for t in
           ["boolean", "int", "long", "float", "double", "string"]]),
     *same({"boolean": None, "int": None, "long": None, "float": None, "double": None,
            "string": None},
           {"boolean": True, "int": 1, "long": 2, "float": 0.5, "double": 0.25,
            "string": "s"}))
case("null last", record("R", ("s", ["string", "null"])),
     *same({"s": "x"}, {"s": None}))
case("single union", record("R", ("s", ["string"])), *same({"s": "x"}))
case("array", {"type": "array", "items": "int"}, *same([], [1], list(range(-100, 200))))
case("array of records", {"type": "array", "items": record("R", ("x", "int"))},
     *same([], [{"x": 1}, {"x": 2}]))
case("array of arrays", {"type": "array", "items": {"type": "array", "items": "string"}},
     *same([], [[]], [["a"], [], ["b", "c"]]))
case("array with nulls", {"type": "array", "items": ["null", "long"]},
     *same([None, 1, None], [2]))
case("map", {"type": "map", "values": "int"},
     *same({}, {"a": 1}, {"a": 1, "b": 2, "häßlich": 3}, {"b": 2, "a": 1}))
case("many keys", {"type": "map", "values": "int"},
     *same({f"k{i}": i for i in range(500)}, {f"j{i}": i for i in range(500)}))
case("map of maps", {"type": "map", "values": {"type": "map", "values": ["null", "int"]}},
     *same({"a": {}, "b": {"x": None, "y": 1}}))
case("map of records", {"type": "map", "values": record("R", ("x", "int"), ("m", {
    "type": "map", "values": "string"}))},
     *same({"a": {"x": 1, "m": {"p": "q"}}, "b": {"x": 2, "m": {}}}))
case("map entries", {"type": "array", "items": record(
    "MapEntry", ("key", "int"), ("value", "string"),
    namespace="io.confluent.connect.avro")},
     ([{"key": 1, "value": "a"}, {"key": 2, "value": "b"}], [[1, "a"], [2, "b"]]),
     ([], []))
case("union as struct", record("R", ("u", ["null", "int", "string", record("P", ("x", "int"))])),
     ({"u": None}, {"u": None}),
     ({"u": 5}, {"u": {"int": 5, "string": None, "P": None}}),
     ({"u": "s"}, {"u": {"int": None, "string": "s", "P": None}}),
     ({"u": {"x": 1}}, {"u": {"int": None, "string": None, "P": {"x": 1}}}))
case("union of two", record("R", ("u", ["long", "boolean"])),
     ({"u": 5}, {"u": {"long": 5, "boolean": None}}),
     ({"u": True}, {"u": {"long": None, "boolean": True}}))
case("union, full names", record("R", ("u", [
    record("a.P", ("x", "int")), record("b.P", ("y", "string"))])),
     ({"u": ("a.P", {"x": 1})}, {"u": {"a.P": {"x": 1}, "b.P": None}}),
     ({"u": ("b.P", {"y": "s"})}, {"u": {"a.P": None, "b.P": {"y": "s"}}}),
     settings="enhanced.avro.schema.support=true")
case("union, general", record("R", ("u", ["int", "null", "string"])),
     ({"u": 1}, {"u": {"connect_union_field_0": 1, "connect_union_field_2": None}}),
     ({"u": None}, {"u": None}),
     ({"u": "s"}, {"u": {"connect_union_field_0": None, "connect_union_field_2": "s"}}),
     settings="generalized.sum.type.support=true")

DEC = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10}
DECF = {"type": "fixed", "name": "Dec16", "size": 16, "logicalType": "decimal",
        "precision": 38, "scale": 2}
decimals = [D("0"), D("1.5"), D("-1.5"), D("0.0000000001"),
            D("9999999999999999999999999999.9999999999"),
            D("-9999999999999999999999999999.9999999999")]
case("decimal", record("R", ("d", DEC)),
     *[({"d": d}, {"d": b64(unscaled(d, 10))}) for d in decimals])
case("fixed decimal", record("R", ("d", DECF)),
     *[({"d": d}, {"d": b64(unscaled(d, 2))}) for d in
       [D("0"), D("1.50"), D("-1.50"), D("1.27"), D("1.28"), D("-1.28"), D("-1.29"),
        D("999999999999999999999999999999999999.99")]])
day = datetime.date
case("date", record("R", ("d", {"type": "int", "logicalType": "date"})),
     *[({"d": d}, {"d": (d - day(1970, 1, 1)).days}) for d in
       [day(1970, 1, 1), day(2026, 11, 23), day(1969, 12, 31), day(9999, 12, 31)]])
case("time-millis", record("R", ("t", {"type": "int", "logicalType": "time-millis"})),
     ({"t": datetime.time(0)}, {"t": 0}),
     ({"t": datetime.time(23, 59, 59, 999000)}, {"t": 86399999}))
case("timestamp-millis", record("R", ("t", {"type": "long", "logicalType": "timestamp-millis"})),
     ({"t": datetime.datetime(2026, 11, 23, 12, 30, 0, 123000, UTC)}, {"t": 1795437000123}),
     ({"t": datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, UTC)}, {"t": -1}))
case("timestamp-micros", record("R", ("t", {"type": "long", "logicalType": "timestamp-micros"})),
     ({"t": datetime.datetime(2026, 11, 23, 12, 30, 0, 123456, UTC)}, {"t": 1795437000123456}))
case("local-timestamp and uuid", record(
    "R", ("t", {"type": "long", "logicalType": "time-micros"}),
    ("u", {"type": "string", "logicalType": "uuid"})),
     ({"t": datetime.time(1), "u": "12345678-1234-5678-1234-567812345678"},
      {"t": 3600000000, "u": "12345678-1234-5678-1234-567812345678"}))
wide = record("Wide", *[(f"f{i}", ["null", "long"]) for i in range(200)])
case("wide", wide, *same({f"f{i}": i if i % 3 else None for i in range(200)}))


def deep(n):
    t = "int"
    for _ in range(n):
        t = {"type": "array", "items": t}
    return t


def deep_value(n):
    v = 7
    for _ in range(n):
        v = [v]
    return v


case("deep", deep(60), *same(deep_value(60)))

json.dump(CASES, sys.stdout, indent=1, ensure_ascii=False)
sys.stdout.write("\n")
