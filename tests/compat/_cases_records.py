"""Cases of the transforms of topics, headers and times, and of predicates."""
from _cases import (R, case, date, refused, schema, sides, struct, time,
                    timestamp, typed)

HEADS = [("a", "1"), ("b", "text"), ("a", "2.5"), ("c", '{"x":1}'),
         ("D", None)]
JSON_HEADERS = ("json", {})

# --- DropHeaders -------------------------------------------------------------

for names in ("a", "b", "none", "a,b,c", "d", "D"):
    case("drop headers/" + names, [("DropHeaders", {"headers": names})],
         [R(value={"x": 1}, headers=HEADS), R(value=None)], header="string")
refused("drop headers/nothing", "DropHeaders", {}, both=False)
refused("drop headers/empty", "DropHeaders", {"headers": ""}, both=False)

# --- InsertHeader ------------------------------------------------------------

LITERALS = ("42", "text", "1.5", "true", "null", "[1,2]", '{"a":1}', "1.0",
            "007", "300", "70000", "5000000000", "1e40", "2020-01-01", "a,b",
            '"quoted"', "-5", "+5", "[1,2.5]", "1E400")
for text in LITERALS:
    for header in ("simple", "string", "json"):
        case("insert header/%s %s" % (text, header),
             [("InsertHeader", {"header": "h", "value.literal": text})],
             [R(value={"x": 1})], header=header)
case("insert header/twice", [
    ("InsertHeader", {"header": "h", "value.literal": "1"}),
    ("InsertHeader", {"header": "h", "value.literal": "x"})],
    [R(value=None, headers=[("h", "0")])], header="string")
refused("insert header/no literal", "InsertHeader", {"header": "h"},
        both=False)
refused("insert header/no name", "InsertHeader", {"value.literal": "h"},
        both=False)

# --- HeaderFrom --------------------------------------------------------------

VALUE = {"i": 300, "s": "12", "f": 1.5, "n": None}
STRUCT = struct(("i", schema("int32")), ("s", schema("string", True)),
                ("d", schema("string", True, default="dd")), name="St")
for op in ("move", "copy"):
    for fields, headers in (("i", "hi"), ("i,s", "hi,hs"), ("n", "hn"),
                            ("s,s", "h1,h2"), ("none", "hx")):
        settings = {"fields": fields, "headers": headers, "operation": op}
        sides("header from/%s %s" % (op, fields), "HeaderFrom", settings,
              [R(value=VALUE, headers=[("hi", "old")])], header="json")
        sides("header from simple/%s %s" % (op, fields), "HeaderFrom",
              settings, [R(value=VALUE)])
    for fields, headers in (("i", "hi"), ("s,d", "hs,hd"), ("none", "hx")):
        settings = {"fields": fields, "headers": headers, "operation": op}
        sides("header from typed/%s %s" % (op, fields), "HeaderFrom", settings,
              [typed(STRUCT, {"i": 1, "s": "x", "d": None}, differs=(
                  "untouched" if op == "copy" and fields != "none" else
                  None)),
               typed(STRUCT, {"i": 1, "s": None, "d": "y"})],
              conv="typed", header="typed")
    sides("header from/%s shapes" % op, "HeaderFrom",
          {"fields": "i", "headers": "h", "operation": op},
          [R(value=v) for v in (None, "[1]", "5", '"x"')], header="json")
for name, settings in (
        ("no operation", {"fields": "a", "headers": "b"}),
        ("bad operation", {"fields": "a", "headers": "b",
                           "operation": "MOVE"}),
        ("lengths", {"fields": "a,c", "headers": "b", "operation": "move"}),
        ("no fields", {"headers": "b", "operation": "move"}),
        ("no headers", {"fields": "b", "operation": "move"}),
        ("empty", {"fields": "", "headers": "", "operation": "move"})):
    refused("header from/" + name, "HeaderFrom", settings)

# --- RegexRouter -------------------------------------------------------------

for regex, replacement in (
        ("(t)(.*)", "$2-$1"), ("to", "x"), ("top", "x"), (".*", "pre-$0"),
        ("(?<a>t)(?<b>o)p", "${b}${a}"), ("t(.*)", "$1\\x"), ("(.*)p", "$1"),
        ("T.*", "x"), ("(?i)T.*", "x"), ("t(?=op)op", "la"), ("(t)", "$9"),
        ("(t).*", "$9"), ("[a-z&&[^x]]+", "set"), ("\\w{3}", "w"),
        ("t|top", "alt"), ("(o|t)*p", "[$1]".replace("[", "").replace("]", "")),
        ("t(x)?op", "a$1b"), ("\\Qtop\\E", "q"), ("(t)op", "$1$1$1")):
    case("regex/%s %s" % (regex, replacement),
         [("RegexRouter", {"regex": regex, "replacement": replacement})],
         [R(value={"a": 1}), R(value=None, topic="tip"),
          R(value=None, topic="stop")])
case("regex/no topic name",
     [("RegexRouter", {"regex": "t(.*)", "replacement": "$1\\$x"})],
     [R(value=None, differs="legal-topics")])
case("regex/long topic", [("RegexRouter", {"regex": "db\\.(.*)\\.(.*)",
                                           "replacement": "$2_$1"})],
     [R(value=None, topic="db.sales.orders")])
refused("regex/bad regex", "RegexRouter", {"regex": "(", "replacement": "x"},
        both=False)
refused("regex/no replacement", "RegexRouter", {"regex": "a"}, both=False)
refused("regex/no regex", "RegexRouter", {"replacement": "x"}, both=False)

# --- TimestampRouter ---------------------------------------------------------

TIMES = (1577880000123, 0, 86399999, 951782400000, 4102444800000)
for fmt in ("yyyyMMdd", "yyyy-MM-dd", "YYYY.'w'ww", "yyyy-MM-dd-HH-mm-ss-SSS",
            "yyMMM", "D", "EEE", "hha", "u", "H", "'x'yyyy", "G", "MMMM",
            "yyyy'T'MM"):
    case("timestamp router/" + fmt,
         [("TimestampRouter", {"timestamp.format": fmt})],
         [R(value=None, ts=t) for t in TIMES])
case("timestamp router/default", [("TimestampRouter", {})],
     [R(value=None), R(value=None, ts=-1)])
case("timestamp router/topic format", [("TimestampRouter", {
    "topic.format": "x-${timestamp}-${topic}-${topic}"})], [R(value=None)])
case("timestamp router/no placeholder", [("TimestampRouter", {
    "topic.format": "fixed"})], [R(value=None)])
case("timestamp router/dollar", [("TimestampRouter", {
    "topic.format": "a-${topic}.b"})], [R(value=None, topic="x_1")])
case("timestamp router/bad format", [("TimestampRouter", {
    "timestamp.format": "yyyy-QQ"})], [R(value=None)], differs="early")

# --- TimestampConverter ------------------------------------------------------

TS = struct(("ts", timestamp(optional=True)), ("day", date()), ("t", time()),
            ("n", schema("int64", True)), ("s", schema("string", True)),
            ("d", timestamp(default=5000)), ("x", schema("boolean")))
TS_VALUE = {"ts": 1577880000123, "day": 18262, "t": 43200123,
            "n": 1577880000123, "s": "2020-01-01", "d": 6000, "x": True}
TS_NULLS = dict(TS_VALUE, ts=None, n=None, s=None)
for target in ("string", "unix", "Date", "Time", "Timestamp"):
    more = {"format": "yyyy-MM-dd"} if target == "string" else {}
    for field in ("ts", "day", "t", "n", "d", "x", "none"):
        sides("timestamp typed/%s %s" % (field, target), "TimestampConverter",
              dict(more, **{"field": field, "target.type": target}),
              [typed(TS, TS_VALUE), typed(TS, TS_NULLS)], conv="typed")
    sides("timestamp typed/s " + target, "TimestampConverter",
          {"field": "s", "target.type": target, "format": "yyyy-MM-dd"},
          [typed(TS, TS_VALUE), typed(TS, TS_NULLS),
           typed(TS, dict(TS_VALUE, s="2020-02-30")),
           typed(TS, dict(TS_VALUE, s="2020-01-01 and more")),
           typed(TS, dict(TS_VALUE, s="zzz"))], conv="typed")
    sides("timestamp typed/s without format " + target, "TimestampConverter",
          {"field": "s", "target.type": target},
          [typed(TS, TS_VALUE)], conv="typed", refused=target == "string")
    sides("timestamp/whole " + target, "TimestampConverter",
          dict(more, **{"target.type": target}),
          [R(value="1577880000123"), R(value="-1"), R(value=None),
           R(value="null", differs="untouched"), R(value="1.5"), R(value='"2020-01-01"'),
           R(value="true"), R(value=[1])])
    sides("timestamp/field " + target, "TimestampConverter",
          dict(more, **{"target.type": target, "field": "a"}),
          [R(value={"a": 1577880000123}), R(value={"a": None}),
           R(value={"b": 1}), R(value={"a": "x"})])
    sides("timestamp typed/whole " + target, "TimestampConverter",
          dict(more, **{"target.type": target}), [
              typed(timestamp(), 1577880000123), typed(date(), 18262),
              typed(time(), 1000), typed(schema("int64"), 5),
              typed(schema("int64", True), None),
              typed(schema("int32"), 5), R(value=None)], conv="typed")
for precision in ("seconds", "milliseconds", "microseconds", "nanoseconds"):
    for target in ("unix", "Timestamp", "string"):
        sides("timestamp/%s to %s" % (precision, target),
              "TimestampConverter",
              {"target.type": target, "unix.precision": precision,
               "format": "yyyy-MM-dd'T'HH:mm:ss.SSS"},
              [R(value="1577880000"), R(value="1577880000123"),
               R(value="1577880000123456"), R(value="-1500"),
               R(value='"2020-01-02T03:04:05.678"')],)
for fmt, text in (("yyyy-MM-dd HH:mm:ss", "2020-01-02 03:04:05"),
                  ("yyyy-MM-dd'T'HH:mm:ssXXX", "2020-01-02T03:04:05+02:00"),
                  ("yyyy-MM-dd'T'HH:mm:ssZ", "2020-01-02T03:04:05-0130"),
                  ("EEE, d MMM yyyy", "Thu, 2 Jan 2020"),
                  ("yyMMdd", "200102"), ("hh:mm a", "03:04 PM"),
                  ("yyyy.DDD", "2020.366"), ("H:m:s.S", "1:2:3.4"),
                  ("dd/MM/yyyy", "31/12/1969"), ("yyyy", "2020"),
                  ("yyyyMMdd", "20200102xyz"), ("yyyy-MM-dd", "2020-1-2"),
                  ("yyyy-MM-dd", "20-01-02"), ("yyyy-MM-dd", "2020/01/02"),
                  ("MMM", "Foo"), ("yyyy-MM-dd HH", "2020-01-02 25"),
                  ("YYYY-'W'ww-u", "2020-W01-3")):
    sides("timestamp/format %s %s" % (fmt, text), "TimestampConverter",
          {"target.type": "unix", "format": fmt},
          [R(value='"%s"' % text)])
    sides("timestamp/to %s %s" % (fmt, text), "TimestampConverter",
          {"target.type": "string", "format": fmt},
          [R(value="1577880000123"), R(value="0"), R(value="-123456789")])
for name, settings in (
        ("no target", {}), ("bad target", {"target.type": "date"}),
        ("string without format", {"target.type": "string"}),
        ("bad format", {"target.type": "string", "format": "yyyy-bb"}),
        ("bad precision", {"target.type": "unix", "unix.precision": "hours"})):
    refused("timestamp/" + name, "TimestampConverter", settings)

# --- Filter and predicates ---------------------------------------------------

RECORDS = [R(value={"a": 1}, headers=HEADS), R(value=None),
           R(value="5", topic="other"), R(value={"a": 2}, topic="topper")]
PREDICATES = {"header": ("HasHeaderKey", {"name": "a"}),
              "no header": ("HasHeaderKey", {"name": "none"}),
              "tombstone": ("RecordIsTombstone", {}),
              "topic": ("TopicNameMatches", {"pattern": "top.*"}),
              "whole topic": ("TopicNameMatches", {"pattern": "to"}),
              "look behind": ("TopicNameMatches", {"pattern": "to(?!pp).*"})}
case("filter/all", [("Filter", {})], RECORDS, header="string")
for name, predicate in PREDICATES.items():
    for negate in ("false", "true", None):
        settings = {"predicate": "p"}
        if negate:
            settings["negate"] = negate
        case("filter/%s %s" % (name, negate), [("Filter", settings)], RECORDS,
             predicates={"p": predicate}, header="string")
        case("if/%s %s" % (name, negate),
             [("InsertField$Value", dict(settings, **{"topic.field": "t"})),
              ("HoistField$Value", {"field": "h"})], RECORDS,
             predicates={"p": predicate}, header="string")
case("filter/the text null", [("Filter", {"predicate": "p"})],
     [R(value="null")], predicates={"p": ("RecordIsTombstone", {})})
case("filter/strings", [("Filter", {"predicate": "p"})],
     [R(value=None), R(value="x"), R(value="")], conv="string",
     predicates={"p": ("RecordIsTombstone", {})})
case("filter/after routing", [
    ("RegexRouter", {"regex": "top", "replacement": "new"}),
    ("Filter", {"predicate": "p"})], RECORDS, header="string",
    predicates={"p": ("TopicNameMatches", {"pattern": "new"})})
case("if/same predicate twice", [
    ("HoistField$Value", {"predicate": "p", "field": "a"}),
    ("HoistField$Value", {"predicate": "p", "negate": "true", "field": "b"})],
    RECORDS, header="string",
    predicates={"p": ("RecordIsTombstone", {})})
for name, predicate in (("header without name", ("HasHeaderKey", {})),
                        ("header with empty name",
                         ("HasHeaderKey", {"name": ""})),
                        ("topic without pattern", ("TopicNameMatches", {})),
                        ("topic with bad pattern",
                         ("TopicNameMatches", {"pattern": "["}))):
    case("predicate/" + name, [("Filter", {"predicate": "p"})],
         predicates={"p": predicate}, refused=True)

# --- chains ------------------------------------------------------------------

case("chain/typical", [
    ("ValueToKey", {"fields": "id"}), ("ExtractField$Key", {"field": "id"}),
    ("ReplaceField$Value", {"exclude": "secret", "renames": "ts:at"}),
    ("MaskField$Value", {"fields": "card"}),
    ("TimestampConverter$Value", {"field": "at", "target.type": "string",
                                  "format": "yyyy-MM-dd"}),
    ("InsertField$Value", {"topic.field": "from"}),
    ("RegexRouter", {"regex": "(.*)", "replacement": "out-$1"})],
    [R(value={"id": 7, "secret": "x", "ts": 1577880000123, "card": "4000"}),
     R(value={"id": None, "ts": None}), R(value=None)])
case("chain/cast then insert", [
    ("Cast$Value", {"spec": "i:string"}),
    ("InsertField$Value", {"timestamp.field": "ts"}),
    ("Flatten$Value", {}), ("HoistField$Value", {"field": "v"})],
    [typed(struct(("i", schema("int32"))), {"i": 5})], conv="typed")
