"""Random cases for random_transforms.py: schemas, values, headers, converters,
chains of transforms and predicates. One seed gives the same cases each time.

Names of fields come from a small pool, so that transforms often hit what the
records hold. What is listed in docs/compatibility.md and would differ in every
second record is not generated: payloads that do not fit their schema, integers
past 64 bits, characters above U+FFFF, JSON text that JsonConverter would print
otherwise.
"""
import base64
import random

from _cases import (P, R, chain, converter, date, decimal, envelope,
                    java_json, schema, struct, time, timestamp)

NAMES = ["a", "b", "c", "d", "a.b", "id", "x y", "\u00e9t\u00e9", "A"]
TEXTS = ["", "x", "text", "12", "-7", "300", "1.5", " 8", "1e3", "true",
         "FALSE", "True", "null", "2020-01-01", "2020-01-01T12:34:56.789",
         "\u00e9\u20ac", "a\"b\\c\n", "NaN", "Infinity", "0x10",
         "9223372036854775807", "9223372036854775808", "+5", "1_0", "99999"]
INTS = {"int8": [0, 1, -1, 127, -128], "int16": [0, 300, -300, 32767, -32768],
        "int32": [0, 5, 70000, -70000, 2147483647, -2147483648, 18262],
        "int64": [0, 5, -5, 300, 5000000000, -5000000000, 1577880000123,
                  9223372036854775807, -9223372036854775808, 1577880000]}
FLOATS = [0.0, 1.5, -2.25, 100.0, 0.5, -0.5, 1e10, 300.75, -70000.5, 1e-5]
DOUBLES = FLOATS + [1e20, -1e20, 1e300, 123456.789, 5e9, 0.001]
SCALARS = ["int8", "int16", "int32", "int64", "float", "double", "boolean",
           "string", "bytes"]
HEADERS = ["", " ", "true", "text", "42", "-42", "128", "1.5", "[1,2]",
           '["a","b"]', '{"a":1}', '{"a":"x"}', '[1,"a"]', "[]", "{}", "a:b",
           "2020-01-01", "2020-01-01T12:34:56.789Z", "12:34:56.789Z",
           "[1,null]", "[a]", "NaN", "\"quoted\"", "{1:2}", "[[1],[2]]",
           "9223372036854775808", "null", "1.0", "007", "1e3", "[1,2.5]",
           "1E400", "[1, 2]", "{\"a\":{\"b\":[true]}}"]
PATTERNS = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.SSS", "HH:mm", "yyyyMMdd",
            "EEE, d MMM yyyy", "s"]
REGEXES = [("(t)(.*)", "$2-$1"), ("to", "x"), (".*", "pre-$0"),
           ("t(?:o|i)p", "r"), ("(.*)p", "$1"), ("(o|t)*p", "q$1")]


class Random:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.common = []      # names that the records of this case hold
        self.untyped = False  # values without a schema may come
        self.renamed = 0      # fields so far: no name is given twice

    def chance(self, p):
        return self.r.random() < p

    def one(self, of):
        return self.r.choice(of)

    def name(self):
        """The first ones are the most frequent."""
        if self.common and self.chance(0.7):
            return self.one(self.common)
        i = min(int(self.r.expovariate(0.5)), len(NAMES) - 1)
        return NAMES[i]

    def names(self, least=1, most=3):
        out = []
        for _ in range(self.r.randint(least, most)):
            name = self.name()
            if name not in out:
                out.append(name)
        return out

    # --- schemas and values --------------------------------------------------

    def scalar_schema(self, optional):
        kind = self.r.randint(0, 12)
        if kind == 9:
            return decimal(self.one([0, 2, 5, -2]), optional=optional)
        if kind == 10:
            return date(optional=optional)
        if kind == 11:
            return time(optional=optional)
        if kind == 12:
            return timestamp(optional=optional)
        more = {}
        if self.chance(0.1):
            more = {"name": "com.x.Named", "version": 7}
        if self.chance(0.1):
            more["doc"] = "what it is"
        if self.chance(0.1):
            more["params"] = {"p": "v"}
        return schema(SCALARS[kind], optional, **more)

    def schema(self, depth=0):
        kind = self.r.random()
        optional = self.chance(0.5)
        if depth >= 3 or kind < 0.7:
            out = self.scalar_schema(optional)
        elif kind < 0.78:
            out = schema("array", optional, items=self.schema(depth + 1))
        elif kind < 0.86:
            keys = self.one(["string", "string", "string", "int32", "boolean"])
            out = schema("map", optional, keys=schema(keys),
                         values=self.schema(depth + 1))
        else:
            return self.struct(depth, optional)
        if out["type"] != "bytes" and self.chance(0.15):
            out = self.with_default(out)
        return out

    def with_default(self, s):
        """The default stands behind what else is there."""
        return dict(s, default=self.value(dict(s, optional=False)))

    def struct(self, depth=0, optional=False):
        more = {}
        if self.chance(0.4):
            more = {"name": "com.x.Rec%d" % self.r.randint(0, 2)}
            if self.chance(0.5):
                more["version"] = self.r.randint(0, 3)
        if self.chance(0.2):
            more["doc"] = "d"
        if self.chance(0.2):
            more["params"] = {"pk": "pv", "a": "b"}
        fields = [(n, self.schema(depth + 1))
                  for n in self.names(0 if self.chance(0.1) else 1, 6)]
        return struct(*fields, optional=optional, **more)

    def value(self, s):
        if s.get("optional") and self.chance(0.2):
            return None
        if "default" in s and self.chance(0.2) and s["optional"]:
            return None
        kind, name = s["type"], s.get("name", "").rsplit(".", 1)[-1]
        if name == "Decimal":
            return self.decimal()
        if name == "Time":
            return self.one([0, 1, 43200123, 86399999])
        if name == "Date":
            return self.one([0, 18262, -1, 20000])
        if name == "Timestamp":
            return self.one([0, 1577880000123, -1, 86400000, 86399999])
        if kind in INTS:
            return self.one(INTS[kind])
        if kind == "float":
            return self.one(FLOATS)
        if kind == "double":
            return self.one(DOUBLES)
        if kind == "boolean":
            return self.chance(0.5)
        if kind == "string":
            return self.one(TEXTS)
        if kind == "bytes":
            return self.one(["", "AQID", "/+8=", "AA=="])
        if kind == "array":
            return [self.value(s["items"])
                    for _ in range(self.r.randint(0, 3))]
        if kind == "map":
            return self.map_value(s)
        return {f["field"]: self.value(f) for f in s["fields"]}

    def decimal(self):
        n = self.one([0, 1, -1, 1234, -1, 100, 123456789012345678901234567890])
        size = max(1, (n.bit_length() + 8) // 8)
        return base64.b64encode(n.to_bytes(size, "big", signed=True)).decode()

    def map_value(self, s):
        keys = []
        for _ in range(self.r.randint(0, 3)):
            k = self.value(s["keys"])
            if k not in keys:
                keys.append(k)
        if s["keys"]["type"] == "string":
            return {k: self.value(s["values"]) for k in keys}
        return [[k, self.value(s["values"])] for k in keys]

    def plain(self, depth=0):
        """A value without a schema."""
        kind = self.r.randint(0, 7 if depth < 3 else 4)
        if kind == 0:
            return None
        if kind == 1:
            return self.one(INTS["int64"])
        if kind == 2:
            return self.one(DOUBLES)
        if kind == 3:
            return self.chance(0.5)
        if kind == 4:
            return self.one(TEXTS)
        if kind == 5:
            return [self.plain(depth + 1) for _ in range(self.r.randint(0, 3))]
        return self.object(depth)

    def object(self, depth=0):
        return {n: self.plain(depth + 1)
                for n in self.names(0 if self.chance(0.1) else 1, 6)}

    # --- transforms ----------------------------------------------------------

    def defaults(self, settings):
        if self.chance(0.15):
            settings["replace.null.with.default"] = self.one(["false", "true"])
        return settings

    def cast(self):
        types = ["int8", "int16", "int32", "int64", "float32", "float64",
                 "boolean", "string"]
        if self.chance(0.15):
            return {"spec": self.one(types)}
        return {"spec": ",".join("%s:%s" % (n, self.one(types))
                                 for n in self.names(1, 4))}

    def extract_field(self):
        if self.chance(0.3):
            steps = self.names(1, 3)
            steps = ["`%s`" % s if "." in s else s for s in steps]
            return {"field": ".".join(steps), "field.syntax.version": "V2"}
        return {"field": self.name()}

    def flatten(self):
        """With "." fields of maps can get the same name (`rename-onto`)."""
        if not self.untyped and self.chance(0.4):
            return {}
        return {"delimiter": self.one(["_", "", "--", ":"])}

    def header_from(self):
        fields = self.names()
        return {"fields": ",".join(fields), "headers": ",".join(
            self.one(["h", "g", "k"]) for _ in fields),
            "operation": self.one(["move", "copy"])}

    def hoist_field(self):
        return {"field": self.name()}

    def insert_field(self):
        out = {}
        for what in ("topic", "partition", "offset", "timestamp", "static"):
            if self.chance(0.3) and (what != "offset" or self.chance(0.4)):
                out[what + ".field"] = self.one(
                    [self.name(), "new", "n2", what]) + self.one(["", "!", "?"])
        if "static.field" in out or not out:
            out.setdefault("static.field", "st")
            out["static.value"] = self.one([t for t in TEXTS if t.strip()])
        return out

    def mask_field(self):
        out = {"fields": ",".join(self.names())}
        if self.chance(0.4):
            out["replacement"] = self.one(["77", "3.7", "-1", "***", "1e3",
                                           "300", "70000", "0", "0.00"])
        return out

    def new_name(self):
        self.renamed += 1
        return "r%d" % self.renamed

    def replace_field(self):
        out = {}
        if self.chance(0.4):
            out["exclude"] = ",".join(self.names())
        if self.chance(0.3):
            out["include"] = ",".join(self.names(2, 6))
        if self.chance(0.5) or not out:
            out["renames"] = ",".join("%s:%s" % (n, self.new_name())
                                      for n in self.names())
        return out

    def schema_metadata(self):
        out = {"schema.name": "com.y.New"} if self.chance(0.7) else {}
        if not out or self.chance(0.5):
            out["schema.version"] = str(self.r.randint(0, 9))
        return out

    def timestamp_converter(self):
        out = {"target.type": self.one(["string", "unix", "Date", "Time",
                                        "Timestamp"])}
        if self.chance(0.8):
            out["field"] = self.name()
        if out["target.type"] == "string" or self.chance(0.6):
            out["format"] = self.one(PATTERNS)
        if self.chance(0.3):
            out["unix.precision"] = self.one(["seconds", "milliseconds",
                                              "microseconds", "nanoseconds"])
        return out

    def transform(self, kinds):
        """A class and its settings. kinds: of the converters."""
        sided = {"Cast": self.cast, "ExtractField": self.extract_field,
                 "Flatten": self.flatten, "HeaderFrom": self.header_from,
                 "HoistField": self.hoist_field,
                 "InsertField": self.insert_field,
                 "MaskField": self.mask_field,
                 "ReplaceField": self.replace_field,
                 "SetSchemaMetadata": self.schema_metadata,
                 "TimestampConverter": self.timestamp_converter}
        no_defaults = ("Flatten", "HoistField")
        name = self.one(sorted(set(sided) - {"ExtractField"}) * 2 + [
            "ExtractField", "ValueToKey", "DropHeaders", "InsertHeader", "Filter",
            "RegexRouter", "TimestampRouter"])
        if name in sided:
            settings = sided[name]()
            if name not in no_defaults:
                self.defaults(settings)
            side = "Key" if self.chance(0.3) else "Value"
            if kinds[side] not in ("json", "typed") and self.chance(0.8):
                side = "Value" if side == "Key" else "Key"
            return "%s$%s" % (name, side), settings
        if name == "ValueToKey":
            return name, self.defaults({"fields": ",".join(self.names())})
        if name == "DropHeaders":
            return name, {"headers": self.one(["h", "h,g", "k"])}
        if name == "InsertHeader":
            return name, {"header": self.one("hgk"), "value.literal":
                          self.one([h for h in HEADERS if h.strip()])}
        if name == "RegexRouter":
            regex, replacement = self.one(REGEXES)
            return name, {"regex": regex, "replacement": replacement}
        if name == "TimestampRouter":
            return name, {"timestamp.format": self.one(
                ["yyyyMMdd", "HH", "YYYY.'w'ww"])}
        return name, {}

    def steps(self, kinds):
        out = []
        for _ in range(self.r.randint(1, 3)):
            name, settings = self.transform(kinds)
            if name == "Filter" or self.chance(0.2):
                settings["predicate"] = self.one(["head", "tomb", "topic"])
                if self.chance(0.4):
                    settings["negate"] = "true"
            out.append((name, settings))
        return out

    # --- records -------------------------------------------------------------

    def side(self, kind, of_side):
        """What a key or value holds under a converter."""
        if self.chance(0.06):
            return None
        if kind == "json":
            return self.object() if self.chance(0.8) else self.plain()
        if kind == "typed":
            if self.untyped and self.chance(0.2):
                return envelope(None, self.plain())
            s = self.one(of_side)
            return envelope(s, self.value(s))
        if kind == "string":
            return self.one(TEXTS)
        size = {"IntegerConverter": 4, "LongConverter": 8, "ShortConverter": 2,
                "ByteArrayConverter": self.r.randint(0, 4),
                "BooleanConverter": 1}[kind]
        if kind == "BooleanConverter":
            return self.one([b"\0", b"\1"])
        return bytes(self.r.randrange(256) for _ in range(size))

    def header(self, kind):
        if self.chance(0.1):
            return None
        if kind == "json":
            return self.plain()
        if kind == "typed":
            s = self.schema(2)
            return envelope(s, self.value(s))
        return self.one(HEADERS)

    def case(self, number):
        kinds = ["json", "typed", "typed", "typed"]
        value = self.one(kinds * 3 + ["string", "IntegerConverter",
                                      "ByteArrayConverter"])
        key = self.one(kinds + ["string", "LongConverter",
                                "BooleanConverter"])
        header = self.one(["simple", "simple", "string", "json", "typed"])
        of = [[self.struct(optional=self.chance(0.3))
               for _ in range(4)] + [self.schema()] for _ in range(2)]
        self.untyped = "json" in (value, key) or self.chance(0.5)
        self.common = sorted({f["field"] for s in of[0] + of[1]
                              for f in s.get("fields", ())})
        config = {}
        for role, what in (("value", value), ("key", key), ("header", header)):
            more = {}
            if what == "typed" and self.chance(0.15):
                more["replace.null.with.default"] = "false"
            config.update(converter(role, what, **more))
        config.update(chain(*self.steps({"Key": key, "Value": value})))
        config.update({"predicates": "head,tomb,topic",
                       "predicates.head.type": P + "HasHeaderKey",
                       "predicates.head.name": "h",
                       "predicates.tomb.type": P + "RecordIsTombstone",
                       "predicates.topic.type": P + "TopicNameMatches",
                       "predicates.topic.pattern": "t.p"})
        records = [R(value=self.text(self.side(value, of[0]), value),
                     key=self.text(self.side(key, of[1]), key),
                     headers=[(self.one("hgk"),
                               self.text(self.header(header), header))
                              for _ in range(self.r.randint(0, 2))],
                     topic=self.one(["top", "tip", "other"]),
                     partition=self.one([0, 3, 3]),
                     ts=self.one([1577880000123, 1577880000123, 0, -1]))
                   for _ in range(6)]
        return {"name": "random %d" % number, "config": config,
                "source": self.chance(0.3), "records": records,
                "differs": None, "refused": None}

    @staticmethod
    def text(x, kind):
        """As R takes it: plain JSON texts are texts already."""
        if kind == "json" and x is not None:
            return java_json(x)
        return x


def cases(count, seed):
    return [Random("%d/%d" % (seed, i)).case(i) for i in range(count)]
