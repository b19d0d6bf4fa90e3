"""Cases of converters: what they refuse, and what they make of values that a
transform took out of, or put into, a record."""
from _cases import (R, case, date, decimal, envelope, schema, struct, time,
                    timestamp, typed)

HOIST = [("HoistField$Value", {"field": "v"})]
UNHOIST = [("HoistField$Value", {"field": "v"}),
           ("ExtractField$Value", {"field": "v"})]
PRIMITIVES = {
    "ShortConverter": [b"\x01\x02", b"\xff\xff", b"\x7f\xff"],
    "IntegerConverter": [b"\x00\x00\x00\x05", b"\xff" * 4, b"\x80\0\0\0"],
    "LongConverter": [b"\0" * 7 + b"\x05", b"\x7f" + b"\xff" * 7,
                      b"\x80" + b"\0" * 7],
    "FloatConverter": [b"\x3f\xc0\0\0", b"\x7f\xc0\0\0", b"\x80\0\0\0",
                       b"\x7f\x80\0\0", b"\x00\x00\x00\x01"],
    "DoubleConverter": [b"\x3f\xf8" + b"\0" * 6, b"\x7f\xf8" + b"\0" * 6,
                        b"\x54\xb2\x49\xad\x25\x94\xc3\x7d"],
    "BooleanConverter": [b"\x00", b"\x01"],
    "ByteArrayConverter": [b"", b"\x00\xff\xfe", b"text"],
}
SCHEMA_OF = {"ShortConverter": "int16", "IntegerConverter": "int32",
             "LongConverter": "int64", "FloatConverter": "float",
             "DoubleConverter": "double", "BooleanConverter": "boolean",
             "ByteArrayConverter": "bytes"}
WRONG = [b"", b"\x00", b"\x02", b"123", b"1234", b"12345678", b"123456789",
         None]

for name, good in PRIMITIVES.items():
    case("primitive/%s as it is" % name, [],
         [R(value=b, key=b) for b in good] + [R()], conv=name)
    case("primitive/%s there and back" % name, UNHOIST,
         [R(value=b, key=b) for b in good] + [R()], conv=name)
    case("primitive/%s wrong" % name, UNHOIST,
         [R(value=b) for b in WRONG], conv=name, key="string")
    case("primitive/%s in a header" % name, [],
         [R(value=None, headers=[("h", b)]) for b in good + [None]],
         header=name)
    case("primitive/%s hoisted does not fit" % name, HOIST,
         [R(value=b) for b in good[:1]], conv=name, key="string")
    case("primitive/%s cast to text" % name,
         [("Cast$Value", {"spec": "string"})],
         [R(value=b) for b in good] + [R()], conv=name, key="string")
    # Bytes in, JSON out is not what one converter does: a key of one kind and
    # a value of another meet in ValueToKey and HeaderFrom only.
    case("primitive/header %s from json" % name, [
        ("HeaderFrom$Value", {"fields": "v", "headers": "h",
                              "operation": "copy"})],
         [R(value=envelope(struct(("v", schema(SCHEMA_OF[name], True))),
                           {"v": v})) for v in (
             (None, True) if name == "BooleanConverter" else
             (None, "AQID") if name == "ByteArrayConverter" else
             (None, 5.0) if name in ("FloatConverter", "DoubleConverter") else
             (None, 5))],
         conv="typed", header=name)
    case("primitive/header %s of another type" % name, [
        ("HeaderFrom$Value", {"fields": "v", "headers": "h",
                              "operation": "copy"})],
         [R(value=envelope(struct(("v", schema("string"))), {"v": "x"})),
          R(value=envelope(struct(("v", decimal(2))), {"v": "BNI="}))],
         conv="typed", header=name)

# --- StringConverter ---------------------------------------------------------

case("string/texts", UNHOIST, [R(value=v) for v in (
    "text", "", "null", "\u00e9\u20ac\U0001f6a2", "{\"a\":1}")] + [R()],
    conv="string")
case("string/latin1", UNHOIST, [R(value=b"caf\xe9")],
     conv=("string", {"converter.encoding": "ISO-8859-1"}), key="string")
case("string/utf16", UNHOIST, [R(value="x\u20ac".encode("utf-16-be"))],
     conv=("string", {"converter.encoding": "UTF-16BE"}), key="string")
case("string/bad encoding", UNHOIST, [R(value="x")],
     conv=("string", {"converter.encoding": "none-such"}), key="string",
     refused=True)
case("string/struct", HOIST, [R(value="x"), R(value=""), R()], conv="string")
case("string/nested struct", HOIST + [("HoistField$Value", {"field": "w"}), (
    "InsertField$Value", {"partition.field": "p", "topic.field": "t"})],
    [R(value="x"), R()], conv="string")
case("string/as header", [], [R(value=None, headers=[
    ("a", "x"), ("b", ""), ("c", None)])], header="string")
for name, s, v in (("map", schema("map", keys=schema("string"),
                                  values=schema("int32")), {"a": 1}),
                   ("array", schema("array", items=schema("string", True)),
                    ["a", None, "b"]),
                   ("decimal", decimal(3), "MDk="),
                   ("double", schema("double"), 1e10),
                   ("float", schema("float"), 1.1),
                   ("struct", struct(("a", schema("int32", True)),
                                     ("b", schema("string", True))),
                    {"a": 1, "b": None})):
    for header in ("string", "simple"):
        case("%s header/%s" % (header, name), [
            ("HeaderFrom$Value", {"fields": "v", "headers": "h",
                                  "operation": "copy"})],
             [typed(struct(("v", s)), {"v": v})], conv="typed", header=header)

# --- JsonConverter with schemas ----------------------------------------------

KINDS = [
    ("int8", schema("int8"), (0, 127, -128)),
    ("int16", schema("int16"), (0, 32767)),
    ("int32", schema("int32"), (0, 2147483647, -2147483648)),
    ("int64", schema("int64"), (0, 9223372036854775807,
                                -9223372036854775808)),
    ("float", schema("float"), (0.0, 1.5, -2.25, 1e10, 1.0E-7)),
    ("double", schema("double"), (0.0, 1.5, 100.0, 123456.789, 1e-5)),
    ("boolean", schema("boolean"), (True, False)),
    ("string", schema("string"), ("", "x", "\u00e9\u20ac\U0001f6a2", "\n\"\\",
                                  "\u001f\u007f\u2028/")),
    ("bytes", schema("bytes"), ("", "AQID", "/+8=")),
    ("decimal", decimal(2), ("BNI=", "/w==", "AA==",
                             "BLPMIVQhfUrr6ThJQrmVgA==")),
    ("decimal negative scale", decimal(-2), ("BQ==",)),
    ("date", date(), (0, 18262, -1)),
    ("time", time(), (0, 86399999)),
    ("timestamp", timestamp(), (0, 1577880000123, -1)),
    ("array", schema("array", items=schema("int32", True)), ([], [1, None])),
    ("map", schema("map", keys=schema("string"), values=schema("string")),
     ({}, {"a": "x"})),
    ("map of ints", schema("map", keys=schema("int32"),
                           values=schema("string", True)),
     ([], [[1, "x"], [2, None]])),
    ("struct", struct(("id", schema("int64")), ("n", schema(
        "string", True, default="dflt")), ("arr", schema(
            "array", True, items=schema("int32"))), name="com.x.Rec",
        version=3, doc="d", params={"pk": "pv"}),
     ({"id": 7, "n": "x", "arr": [1]}, {"id": 7, "n": None, "arr": None})),
]


def differs(name, v):
    """What no transform changes stays as it is written."""
    if name == "struct" and v["n"] is None:
        return "untouched"
    return "astral" if name == "string" and "\U0001f6a2" in v else None


for name, s, values in KINDS:
    optional = dict(s, optional=True)
    records = [typed(s, v, differs=differs(name, v)) for v in values] + [
        typed(optional, None)]
    case("json/%s as it is" % name, [], records, conv="typed", key="string")
    case("json/%s there and back" % name, UNHOIST, records, conv="typed",
         key="string")
    case("json/%s hoisted" % name, HOIST, records, conv="typed", key="string")
    case("json/%s null" % name, HOIST, [typed(s, None)], conv="typed",
         key="string")
    case("json/%s to plain header" % name, [
        ("HoistField$Value", {"field": "v"}),
        ("HeaderFrom$Value", {"fields": "v", "headers": "h",
                              "operation": "move"})], [typed(s, v, differs=(
             "astral" if differs(name, v) == "astral" else None))
             for v in values] + records[-1:], conv="typed", key="string",
         header="json")
for scale, values in ((2, ("BNI=",)), (0, ("BQ==",)), (-3, ("BQ==",))):
    case("json/numeric decimal %d" % scale, UNHOIST,
         [typed(decimal(scale), v) for v in values],
         conv=("typed", {"decimal.format": "NUMERIC"}), key="string")
case("json/numeric decimal read", UNHOIST, [
    typed(decimal(2), 12), R(value=envelope(decimal(2), 0)[:-2] + "12.34}"),
    R(value=envelope(decimal(2), 0)[:-2] + "1.00}")],
    conv=("typed", {"decimal.format": "NUMERIC"}), key="string")
for name, text in (
        ("plain", '{"a":1}'), ("text null", "null"), ("empty", ""),
        ("third member", '{"schema":null,"payload":1,"x":1}'),
        ("no payload", '{"schema":null}'), ("no schema", '{"payload":1}'),
        ("unknown type", '{"schema":{"type":"float64"},"payload":1}'),
        ("no type", '{"schema":{"optional":true},"payload":1}'),
        ("no items", '{"schema":{"type":"array"},"payload":[]}'),
        ("no fields", '{"schema":{"type":"struct"},"payload":{}}'),
        ("bad json", '{"schema":'), ("no json", "hello"),
        ("array", "[1]"), ("number", "5"),
        ("null in null", '{"schema":null,"payload":null}'),
        ("schemaless", '{"schema":null,"payload":{"a":1}}')):
    case("json/envelope " + name, UNHOIST, [R(value=text)], conv="typed",
         key="string")
for name, text in (
        ("object", '{"a":1}'), ("nested", '{"a":{"b":[1,{"c":null}]}}'),
        ("array", "[1,2]"), ("string", '"x"'), ("number", "5"),
        ("boolean", "true"), ("null", "null"), ("empty", ""), ("none", None),
        ("bad", "{a"), ("cut", '{"a":'), ("escapes", '{"a":"\\n\\u001F\\""}'),
        ("unicode", '{"\u00e9":"\u20ac\uffff"}'), ("float", "1.5"),
        ("big", "1.0E10"), ("long", "9223372036854775807")):
    case("json plain/%s as it is" % name, [], [R(
        value=text, differs="untouched" if name in ("null", "empty") else
        None)], key="string")
    case("json plain/%s hoisted" % name, HOIST, [R(value=text)], key="string")
for setting in ({"schemas.enable": "maybe"}, {"decimal.format": "BINARY"},
                {"schemas.cache.size": "x"}):
    case("json/setting %s" % list(setting.values())[0], [],
         conv=("json", setting), refused=True)
case("json/null with default", UNHOIST, [typed(
    struct(("a", schema("int32", True, default=5))), {"a": None})],
    conv=("typed", {"replace.null.with.default": "false"}), key="string")

# --- SimpleHeaderConverter ---------------------------------------------------

TEXTS = ("", " ", "true", "TRUE", "text", "42", "-42", "128",
         "32768", "2147483648", "9223372036854775807", "1.5", "12345.678",
         "[1,2]", '["a","b"]', '{"a":1}', '{"a":"x"}', "[1,\"a\"]", "[]", "{}",
         "a:b", "2020-01-01", "2020-01-01T12:34:56.789Z",
         "12:34:56.789Z", "[1,null]", "[a]", "{a:1}", "[1,2", "NaN", "0x10",
         "\"quoted\"", "\u00e9", "{\"a\":null}", "{1:2}",
         "9223372036854775808", "a b", "5%", "[[1],[2]]", "[1,300]",
         "[true,false]", "1 2", "true,false")
case("simple header/as it is", [], [R(value=None, headers=[("h", t)])
                                    for t in TEXTS])
CHANGED = ("null", " true ", "1,2", "1e-50", "1.2e40", "[1,2.5]", "1.0", "+5", "007", "1e3", "1.0E2", "0.0", "12345678901.5", "1E400",
           "2020-13-45", "[1, 2]", "{\"a\":1}x", "[1]x")
case("simple header/printed anew", [], [
    R(value=None, headers=[("h", t)], differs="untouched")
    for t in CHANGED])

# --- what tidegate does otherwise --------------------------------------------

case("differs/json", HOIST, [R(value=v, differs="strict-json") for v in (
    "007", "1 2", '{"a":1} x', "99999999999999999999", "[1] [2]")],
     key="string")
case("differs/payload", HOIST, [typed(s, v, differs="strict-payload")
                                for s, v in (
    (schema("int32"), "x"), (schema("int8"), 300),
    (schema("string", True), 5),
    (schema("boolean"), "true"), (schema("int32"), 1.5),
    (schema("int64", True), "7"))], conv="typed", key="string")
case("differs/bytes as text", [
    ("HeaderFrom$Value", {"fields": "v", "headers": "h",
                          "operation": "copy"})],
     [typed(struct(("v", schema("bytes"))), {"v": "AQID"},
            differs="bytes-text")], conv="typed", header="string")
case("differs/bad UTF-8", [], [
    R(value=b"a\xffb", differs="bad-utf8"),
    R(headers=[("h", b"a\xffb")], differs="bad-utf8")], conv="string", header="simple")
for levels, differs_ in ((400, None), (600, "depth"), (1100, None)):
    case("differs/depth %d" % levels, HOIST, [
        R(value="[" * levels + "]" * levels, differs=differs_)], key="string")
case("differs/empty name", [("HoistField$Value", {"field": ""})],
     [R(value="1")], differs="early")
