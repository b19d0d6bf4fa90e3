"""Cases of the transforms that look into keys and values."""
from _cases import (R, case, date, decimal, refused, schema, sides, struct,
                    time, timestamp, typed)

# --- records that many cases share -------------------------------------------

FLAT = {"i": 300, "s": "12", "f": 1.5, "b": True, "n": None}
NEST = {"a": {"x": 1, "y": {"z": None, "w": "deep"}}, "l": [{"q": 1}, 2],
        "e": {}, "a.b": {"c": 9}, "i": 5}


def shapes(passes=False):
    """Values that are no maps, and nothing. passes: null passes unchanged."""
    return [R(value="null", differs="untouched" if passes else None)] + [
        R(value=v) for v in
        (None, '"text"', "5", "1.5", "true", [], [1, 2], {})]


ALL = struct(
    ("i8", schema("int8")), ("i16", schema("int16", True)),
    ("i32", schema("int32")), ("i64", schema("int64", True)),
    ("f", schema("float")), ("d", schema("double", True)),
    ("b", schema("boolean")), ("s", schema("string", True)),
    ("bin", schema("bytes", True)),
    ("arr", schema("array", True, items=schema("int32"))),
    ("map", schema("map", True, keys=schema("string"),
                   values=schema("int32", True))),
    ("sub", struct(("x", schema("int32")), ("y", schema("string", True)),
                   optional=True)),
    name="com.acme.All", version=3, doc="all kinds", params={"p": "v"})
ALL_VALUE = {"i8": 1, "i16": -300, "i32": 70000, "i64": -5000000000,
             "f": 1.5, "d": 2.25, "b": True, "s": "12", "bin": "AQID",
             "arr": [1, 2], "map": {"k": 7}, "sub": {"x": 1, "y": "why"}}
ALL_NULLS = {"i8": 0, "i16": None, "i32": 0, "i64": None, "f": 0.0,
             "d": None, "b": False, "s": None, "bin": None, "arr": None,
             "map": None, "sub": None}
TIMES = struct(("dec", decimal(2)), ("day", date(optional=True)),
               ("t", time()), ("ts", timestamp(optional=True)))
TIMES_VALUE = {"dec": "BNI=", "day": 18262, "t": 43200123,
               "ts": 1577880000123}
DEFAULTS = struct(("d", schema("int32", True, default=5)),
                  ("r", schema("string", default="dflt")),
                  ("o", schema("string", True)))
OPTIONAL = struct(("i", schema("int32", True)), optional=True, name="Opt")


def defaulted(differs=None):
    """A null field with a default, which Kafka Connect prints."""
    return typed(DEFAULTS, {"d": None, "r": "x", "o": None}, differs=differs)


STRUCTS = [typed(ALL, ALL_VALUE), typed(ALL, ALL_NULLS),
           defaulted(),
           typed(OPTIONAL, None), typed(OPTIONAL, {"i": 7})]
SCALARS = [typed(schema("int32"), 5), typed(schema("string", True), None),
           typed(schema("string"), "text"), R(value=None),
           typed(schema("array", items=schema("int32")), [1]),
           R(value='{"schema":null,"payload":{"i":300,"s":"12"}}')]
NO_SCHEMA = '{"schema":null,"payload":null}'
PASSES = SCALARS + [R(value=NO_SCHEMA, differs="untouched")]
SCALARS = SCALARS + [R(value=NO_SCHEMA)]

# --- InsertField -------------------------------------------------------------

for source in (False, True):
    side = "source" if source else "sink"
    for what in ("topic", "partition", "timestamp"):
        for mark in ("", "!", "?"):
            sides("insert/%s%s/%s" % (what, mark, side), "InsertField",
                  {what + ".field": "new" + mark}, [R(value=FLAT)] +
                  ([R(value=FLAT, ts=-1)] if what == "timestamp" else []) +
                  ([R(value=FLAT, partition=-1)] if what == "partition"
                   and source else []), source=source)
            sides("insert typed/%s%s/%s" % (what, mark, side), "InsertField",
                  {what + ".field": "new" + mark}, STRUCTS[:1] + STRUCTS[2:3] +
                  ([typed(OPTIONAL, {"i": 1}, ts=-1)]
                   if what == "timestamp" else []),
                  conv="typed", source=source)
    sides("insert/offset/" + side, "InsertField", {"offset.field": "off"},
          [R(value=FLAT), R(value=None)], source=source)
    sides("insert typed/offset/" + side, "InsertField",
          {"offset.field": "off!"}, STRUCTS[:1], conv="typed", source=source)
sides("insert/static", "InsertField",
      {"static.field": "src", "static.value": "a \"b\" \u00e9"},
      [R(value=FLAT)] + shapes(True))
sides("insert/above U+FFFF", "InsertField",
      {"static.field": "src", "static.value": "\U0001f6a2"},
      [R(value=FLAT, differs="astral")])
sides("insert typed/static", "InsertField",
      {"static.field": "src!", "static.value": "x"}, STRUCTS + PASSES,
      conv="typed")
sides("insert/all", "InsertField",
      {"topic.field": "t", "partition.field": "p", "offset.field": "o",
       "timestamp.field": "ts", "static.field": "st", "static.value": "sv"},
      [R(value=FLAT), R(value={})])
sides("insert typed/all", "InsertField",
      {"topic.field": "t", "partition.field": "p!", "offset.field": "o?",
       "timestamp.field": "ts", "static.field": "st!", "static.value": "sv"},
      STRUCTS, conv="typed")
sides("insert/existing", "InsertField", {"topic.field": "i"}, [R(value=FLAT)])
sides("insert typed/existing", "InsertField", {"topic.field": "i32"},
      STRUCTS[:1], conv="typed")
sides("insert typed/no default", "InsertField",
      {"topic.field": "t", "replace.null.with.default": "false"}, STRUCTS[2:3],
      conv=("typed", {"replace.null.with.default": "false"}))
refused("insert/nothing", "InsertField", {})
refused("insert/static without value", "InsertField", {"static.field": "x"})
refused("insert/bad boolean", "InsertField",
        {"topic.field": "t", "replace.null.with.default": "maybe"})

# --- MaskField ---------------------------------------------------------------

sides("mask/flat", "MaskField", {"fields": "i,s,f,b"}, [R(value=FLAT)])
sides("mask/null and missing", "MaskField", {"fields": "n,none"},
      [R(value=FLAT)])
sides("mask/shapes", "MaskField", {"fields": "a"}, shapes())
sides("mask/nested", "MaskField", {"fields": "a"}, [R(value=NEST)])
sides("mask/list", "MaskField", {"fields": "l"}, [R(value=NEST)])
sides("mask/replacement", "MaskField",
      {"fields": "i,s", "replacement": "77"}, [R(value=FLAT)])
for text in ("3.7", "-1", "xx", "1e3", "9223372036854775808"):
    sides("mask/replacement of a long: " + text, "MaskField",
          {"fields": "i", "replacement": text}, [R(value=FLAT)])
    sides("mask/replacement of a double: " + text, "MaskField",
          {"fields": "f", "replacement": text}, [R(value=FLAT)])
    for field in ("i8", "i16", "i32", "i64", "f", "d"):
        sides("mask typed/replacement of %s: %s" % (field, text), "MaskField",
              {"fields": field, "replacement": text}, STRUCTS[:1],
              conv="typed")
sides("mask/longest integers", "MaskField",
      {"fields": "a,b,c", "replacement": "3.7"},
      [R(value={"a": 9223372036854775807, "b": -9223372036854775808,
                "c": 1.5})])
sides("mask/found integers", "MaskField", {"fields": "a"}, [R(value=v) for v in (
    "9223372036854775807", "1.5")])
sides("mask/replacement of a boolean", "MaskField",
      {"fields": "b", "replacement": "x"}, [R(value=FLAT)])
for field in ("i8", "i16", "i32", "i64", "f", "d", "b", "s", "bin", "arr",
              "map", "sub"):
    sides("mask typed/" + field, "MaskField", {"fields": field}, STRUCTS[:2],
          conv="typed")
sides("mask typed/replacement of a string", "MaskField",
      {"fields": "s", "replacement": "***"}, STRUCTS[:2], conv="typed")
for field in ("dec", "day", "t", "ts"):
    sides("mask typed/" + field, "MaskField", {"fields": field},
          [typed(TIMES, TIMES_VALUE)], conv="typed")
sides("mask typed/shapes", "MaskField", {"fields": "s"}, SCALARS,
      conv="typed")
sides("mask typed/defaults", "MaskField", {"fields": "d,r"},
      STRUCTS[2:3], conv="typed")
refused("mask/no fields", "MaskField", {})
refused("mask/empty fields", "MaskField", {"fields": ""})
refused("mask/empty replacement", "MaskField",
        {"fields": "a", "replacement": ""})

# --- ReplaceField ------------------------------------------------------------

for name, settings in (
        ("exclude", {"exclude": "f,none"}),
        ("include", {"include": "i,s,none"}),
        ("rename", {"renames": "i:ii,s:t"}),
        ("swap", {"renames": "i:s,s:i"}),
        ("both", {"exclude": "f", "renames": "i:ii"}),
        ("old name included", {"include": "ii", "renames": "i:ii"}),
        ("in and out", {"include": "i,s", "exclude": "s"}),
        ("nothing left", {"include": "none"}),
        ("onto another", {"renames": "i:s"}),
        ("nothing", {})):
    sides("replace/" + name, "ReplaceField", settings,
          [R(value=FLAT, differs="rename-onto" if name == "onto another"
             else None), R(value={})])
    typed_settings = {k: v.replace("i,", "i32,").replace("i:", "i32:")
                      for k, v in settings.items()}
    sides("replace typed/" + name, "ReplaceField", typed_settings,
          STRUCTS[:2] + [typed(OPTIONAL, None), typed(
              OPTIONAL, {"i": 7}, differs="rename-onto" if name == "swap" else
              None)], conv="typed")
sides("replace/shapes", "ReplaceField", {"exclude": "a"}, shapes(True))
sides("replace typed/shapes", "ReplaceField", {"exclude": "a"}, PASSES,
      conv="typed")
sides("replace typed/defaults", "ReplaceField", {"exclude": "o"}, STRUCTS[2:3],
      conv="typed")
sides("replace typed/no defaults", "ReplaceField",
      {"exclude": "o", "replace.null.with.default": "false"}, STRUCTS[2:3],
      conv=("typed", {"replace.null.with.default": "false"}))
refused("replace/bad rename", "ReplaceField", {"renames": "a:b:c"})
refused("replace/no rename", "ReplaceField", {"renames": "a"})

# --- HoistField --------------------------------------------------------------

sides("hoist/plain", "HoistField", {"field": "line"},
      [R(value=FLAT), R(value=NEST)] + shapes())
sides("hoist/odd name", "HoistField", {"field": "a.\"b\" \u00e9"},
      [R(value=FLAT)])
sides("hoist typed/all", "HoistField", {"field": "line"}, 
      STRUCTS[:2] + [defaulted("untouched")] + STRUCTS[3:] + SCALARS,
      conv="typed")
case("hoist/twice", [("HoistField$Value", {"field": "a"}),
                     ("HoistField$Value", {"field": "b"})],
     [R(value=FLAT), R(value=None)])
case("hoist/string", [("HoistField$Value", {"field": "a"})],
     [R(value=b"text"), R(value=b"")], conv="string", key="string")
refused("hoist/no field", "HoistField", {})

# --- ExtractField ------------------------------------------------------------

for field in ("i", "s", "f", "b", "n", "none"):
    sides("extract/" + field, "ExtractField", {"field": field},
          [R(value=FLAT)])
sides("extract/dotted is literal", "ExtractField", {"field": "a.b"},
      [R(value=NEST)])
for path in ("a.x", "a.y.z", "a.y.w", "a.none.w", "`a.b`.c", "i.x", "l.q",
             "none.x", "a", "e.x"):
    sides("extract/V2 " + path, "ExtractField",
          {"field": path, "field.syntax.version": "V2"}, [R(value=NEST)])
sides("extract/v2 in lower case", "ExtractField",
      {"field": "a.x", "field.syntax.version": "v2"}, [R(value=NEST)])
sides("extract/shapes", "ExtractField", {"field": "a"}, shapes(True))
for field in ("i8", "i16", "i64", "d", "b", "s", "bin", "arr", "map", "sub"):
    sides("extract typed/" + field, "ExtractField", {"field": field},
          STRUCTS[:2], conv="typed")
for field in ("d", "r", "o", "none"):
    sides("extract typed/default " + field, "ExtractField", {"field": field},
          STRUCTS[2:3], conv="typed")
    sides("extract typed/no default " + field, "ExtractField",
          {"field": field, "replace.null.with.default": "false"}, STRUCTS[2:3],
          conv=("typed", {"replace.null.with.default": "false"}))
for path in ("sub.x", "sub.y", "sub.none", "i32.x", "arr.x", "map.k"):
    sides("extract typed/V2 " + path, "ExtractField",
          {"field": path, "field.syntax.version": "V2"}, STRUCTS[:2],
          conv="typed")
sides("extract typed/shapes", "ExtractField", {"field": "i"}, PASSES +
      STRUCTS[3:], conv="typed")
for field in ("dec", "day", "t", "ts"):
    sides("extract typed/" + field, "ExtractField", {"field": field},
          [typed(TIMES, TIMES_VALUE)], conv="typed")
refused("extract/no field", "ExtractField", {})
refused("extract/bad version", "ExtractField",
        {"field": "a", "field.syntax.version": "V3"})
refused("extract/open backtick", "ExtractField",
        {"field": "`a.b", "field.syntax.version": "V2"})

# --- ValueToKey --------------------------------------------------------------

for name, fields in (("one", "i"), ("two", "i,s"), ("null", "n"),
                     ("missing", "i,none"), ("twice", "i,i")):
    case("value to key/" + name, [("ValueToKey", {"fields": fields})],
         [R(value=FLAT, key={"old": 1}), R(value=FLAT)])
case("value to key/shapes", [("ValueToKey", {"fields": "i"})], shapes())
for fields in ("i32", "s,i64", "arr,sub", "none", "map,bin"):
    case("value to key typed/" + fields, [("ValueToKey", {"fields": fields})],
         STRUCTS[:2], conv="typed")
case("value to key typed/default", [("ValueToKey", {"fields": "r,d"})],
     [defaulted("untouched")], conv="typed")
case("value to key typed/shapes", [("ValueToKey", {"fields": "i"})],
     SCALARS + STRUCTS[3:4], conv="typed")
case("value to key/and extracted", [("ValueToKey", {"fields": "i"}),
                                    ("ExtractField$Key", {"field": "i"})],
     [R(value=FLAT)])
refused("value to key/no fields", "ValueToKey", {}, both=False)
refused("value to key/empty", "ValueToKey", {"fields": ""}, both=False)

# --- Cast --------------------------------------------------------------------

TARGETS = ("int8", "int16", "int32", "int64", "float32", "float64", "boolean",
           "string")
SCALAR_VALUES = ("5", "300", "-129", "70000", "5000000000", "0", "1.5", "-0.5",
                 "100.0", "1.0E10", "true", "false", '"12"', '"-7"', '"+8"',
                 '"1.5"', '" 1"', '"true"', '"TRUE"', '"x"', '""', "null")
for target in TARGETS:
    sides("cast/whole " + target, "Cast", {"spec": target},
          [R(value=v, differs="untouched" if v == "null" else None)
           for v in SCALAR_VALUES] + [R(value=None)])
    sides("cast typed/whole " + target, "Cast", {"spec": target}, [
        typed(schema("int8"), 5), typed(schema("int16"), 300),
        typed(schema("int32", True), None), typed(schema("int64"), -5),
        typed(schema("float"), 1.25), typed(schema("double"), 1e20),
        typed(schema("double"), 1.0E7), typed(schema("boolean"), True),
        typed(schema("string", True), "12"), typed(schema("string"), "0x1"),
        typed(schema("int32", default=7), 9),
        typed(schema("bytes"), "AQID"),
        typed(schema("array", items=schema("int32")), [1])] + [
            typed(s, v, differs="cast-logical") for s, v in (
                (decimal(2), "BNI="), (date(), 18262), (time(), 43200123),
                (timestamp(), 1577880000123), (timestamp(), 86400000))],
        conv="typed")
    sides("cast/field " + target, "Cast",
          {"spec": "i:%s,s:%s" % (target, target)},
          [R(value=FLAT), R(value={"i": None}), R(value={"i": [1]})])
    sides("cast typed/field " + target, "Cast",
          {"spec": ",".join("%s:%s" % (f, target) for f in
                            ("i8", "i16", "i32", "i64", "f", "d", "b", "s"))},
          STRUCTS[:2], conv="typed")
    sides("cast typed/times " + target, "Cast",
          {"spec": ",".join("%s:%s" % (f, target)
                            for f in ("dec", "day", "t", "ts"))},
          [typed(TIMES, TIMES_VALUE, differs="shortest-digits"
                 if target == "float32" else None)], conv="typed")
sides("cast typed/defaults", "Cast", {"spec": "d:string,r:boolean"},
      STRUCTS[2:3], conv="typed")
sides("cast typed/optional struct", "Cast", {"spec": "i:int64"}, STRUCTS[3:],
      conv="typed")
sides("cast/upper case", "Cast", {"spec": "i:INT32"}, [R(value=FLAT)])
sides("cast/missing field", "Cast", {"spec": "none:int32"}, [R(value=FLAT)])
sides("cast typed/missing field", "Cast", {"spec": "none:int32"}, STRUCTS[:1],
      conv="typed")
sides("cast/shapes", "Cast", {"spec": "a:int32"}, shapes(True))
for spec in ("", "i:bytes", "i:none", "a:b:c", "int8,i:int8", "array", "i:"):
    refused("cast/spec '%s'" % spec, "Cast", {"spec": spec})
refused("cast/no spec", "Cast", {})

# --- Flatten -----------------------------------------------------------------

sides("flatten/plain", "Flatten", {}, [R(value=FLAT), R(value=NEST)] +
      shapes(True))
sides("flatten/delimiter", "Flatten", {"delimiter": "_"}, [R(value=NEST)])
sides("flatten/empty delimiter", "Flatten", {"delimiter": ""},
      [R(value=NEST)])
INNER = struct(("x", schema("int32")), ("y", schema("string", default="dy")),
               ("o", schema("string", True)), optional=True)
DEEP = struct(("a", INNER), ("b", struct(("c", struct(
    ("d", schema("double")))))), ("l", schema("array", items=schema("int32"))),
    name="Deep", version=2)
sides("flatten typed/deep", "Flatten", {"delimiter": "_"}, [
    typed(DEEP, {"a": {"x": 1, "y": "q", "o": None}, "b": {"c": {"d": 1.5}},
                 "l": [1]}),
    typed(DEEP, {"a": None, "b": {"c": {"d": 1.5}}, "l": []})], conv="typed")
sides("flatten typed/map inside", "Flatten", {}, STRUCTS[:1], conv="typed")
sides("flatten typed/shapes", "Flatten", {}, PASSES + STRUCTS[2:],
      conv="typed")
sides("flatten typed/times", "Flatten", {}, [typed(
    struct(("in", TIMES)), {"in": TIMES_VALUE})], conv="typed")
sides("flatten typed/default of a struct", "Flatten", {}, [typed(
    struct(("a", struct(("x", schema("int32")), optional=True,
                        default={"x": 4}))), {"a": {"x": 9}},
    differs="struct-default")], conv="typed")

# --- SetSchemaMetadata -------------------------------------------------------

for name, settings in (("name", {"schema.name": "new.Name"}),
                       ("version", {"schema.version": "42"}),
                       ("both", {"schema.name": "N", "schema.version": "0"})):
    sides("metadata/" + name, "SetSchemaMetadata", settings,
          STRUCTS + PASSES, conv="typed")
    sides("metadata schemaless/" + name, "SetSchemaMetadata", settings,
          [R(value=None), R(value=FLAT)])
sides("metadata/string", "SetSchemaMetadata", {"schema.name": "x"},
      [R(value="text", key="text"), R()], conv="string", key="string")
refused("metadata/nothing", "SetSchemaMetadata", {})
refused("metadata/bad version", "SetSchemaMetadata", {"schema.version": "x"})
