"""How the cases of transforms.py are written down.

A case is one configuration and some records; each record of it counts as one
comparison, and so does a configuration that both sides refuse. `differs` names
a deliberate difference that docs/compatibility.md lists under that name in
backticks: then the two sides must differ.
"""
import json
import re

T = "org.apache.kafka.connect.transforms."
P = T + "predicates."
JSON = "org.apache.kafka.connect.json.JsonConverter"
STRING = "org.apache.kafka.connect.storage.StringConverter"
SIMPLE = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
OTHERS = "org.apache.kafka.connect.converters."

CASES = []


def converter(role, name, **settings):
    """Settings of one converter; "json", "typed" or a class."""
    short = {"json": (JSON, {"schemas.enable": "false"}),
             "typed": (JSON, {"schemas.enable": "true"}),
             "string": (STRING, {}), "simple": (SIMPLE, {})}
    if name not in short and "." not in name:
        name = OTHERS + name
    class_name, own = short.get(name, (name, {}))
    out = {"%s.converter" % role: class_name}
    for k, v in dict(own, **settings).items():
        out["%s.converter.%s" % (role, k)] = v
    return out


def java_double(x):
    """A double as Java prints it."""
    if x == 0 or 1e-3 <= abs(x) < 1e7:
        return repr(float(x))
    digits, exponent = ("%r" % float(x) if "e" in repr(float(x)) else
                        "%.16e" % x).split("e")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "%s%sE%d" % (digits, "" if "." in digits else ".0", int(exponent))


def java_text(x):
    """A JSON string as Kafka Connect's JsonConverter writes it, but for
    characters above U+FFFF, which it writes as two escapes."""
    return re.sub(r"\\u[0-9a-f]{4}", lambda m: "\\u" + m.group(0)[2:].upper(),
                  json.dumps(x, ensure_ascii=False))


def java_json(x):
    """Compact JSON text as Kafka Connect's JsonConverter writes it."""
    if isinstance(x, dict):
        return "{%s}" % ",".join("%s:%s" % (java_text(k), java_json(v))
                                 for k, v in x.items())
    if isinstance(x, list):
        return "[%s]" % ",".join(java_json(v) for v in x)
    if isinstance(x, float):
        return java_double(x)
    return java_text(x) if isinstance(x, str) else json.dumps(x)


class R:
    """One record. key, value and header values: bytes, str, None, or anything
    else as compact JSON."""

    def __init__(self, value=None, key=None, headers=(), topic="top",
                 partition=3, offset=42, ts=1577880000123, differs=None):
        self.key, self.value = encoded(key), encoded(value)
        self.headers = [(n, encoded(v)) for n, v in headers]
        self.topic, self.partition, self.offset = topic, partition, offset
        self.ts, self.differs = ts, differs

    def swapped(self, topic):
        out = R(topic=topic, partition=self.partition,
                offset=self.offset, ts=self.ts, differs=self.differs)
        out.key, out.value, out.headers = self.value, self.key, self.headers
        return out


def encoded(x):
    if x is None or isinstance(x, bytes):
        return x
    return (x if isinstance(x, str) else java_json(x)).encode()


def chain(*steps):
    """transforms.* of (class, settings); aliases t0, t1, ..."""
    out = {}
    if steps:
        out["transforms"] = ",".join("t%d" % i for i in range(len(steps)))
    for i, (name, settings) in enumerate(steps):
        out["transforms.t%d.type" % i] = T + name
        for k, v in settings.items():
            out["transforms.t%d.%s" % (i, k)] = v
    return out


def case(name, steps, records=(), conv="json", key=None, header="simple",
         source=False, predicates=(), differs=None, refused=False, more=None):
    """A case. conv: converter of values (and of keys, unless key is given).
    predicates: {alias: (class, settings)}. refused: both sides refuse the
    configuration."""
    config = {}
    for role, what in (("value", conv), ("key", key or conv),
                       ("header", header)):
        what = what if isinstance(what, tuple) else (what, {})
        config.update(converter(role, what[0], **what[1]))
    config.update(chain(*steps))
    predicates = dict(predicates)
    if predicates:
        config["predicates"] = ",".join(predicates)
    for alias, (class_name, settings) in predicates.items():
        config["predicates.%s.type" % alias] = P + class_name
        for k, v in settings.items():
            config["predicates.%s.%s" % (alias, k)] = v
    config.update(more or {})
    if refused and not records:
        records = [R(value={"a": 1})]
    CASES.append({"name": name, "config": config, "source": source,
                  "records": list(records), "differs": differs,
                  "refused": refused})


def sides(name, transform, settings, records, refused=False, **options):
    """The same for $Value, and for $Key with key and value exchanged. One
    configuration does both: a predicate on the topic tells them apart."""
    records = list(records)
    if refused:
        for side in ("$Value", "$Key"):
            case(name + side, [(transform + side, settings)], refused=True,
                 **options)
        return
    case(name, [
        (transform + "$Value", dict(settings, predicate="key", negate="true")),
        (transform + "$Key", dict(settings, predicate="key"))],
        records + [r.swapped("key") for r in records],
        predicates={"key": ("TopicNameMatches", {"pattern": "key"})},
        **options)


def refused(name, transform, settings, both=True, **options):
    """A configuration that both sides refuse, by $Key and $Value."""
    for side in ("$Key", "$Value") if both else ("",):
        case("%s%s" % (name, side), [(transform + side, settings)],
             refused=True, **options)


# --- schemas, with their members in Kafka Connect's order -------------------

def schema(kind, optional=False, name=None, version=None, doc=None,
           params=None, default=None, has_default=False, **inner):
    out = {"type": kind}
    for member in ("items", "keys", "values", "fields"):
        if member in inner:
            out[member] = inner[member]
    if "fields" in out:
        out["fields"] = [dict(s, field=f) for f, s in out["fields"]]
    out["optional"] = optional
    if name is not None:
        out["name"] = name
    if version is not None:
        out["version"] = version
    if doc is not None:
        out["doc"] = doc
    if params is not None:
        out["parameters"] = params
    if default is not None or has_default:
        out["default"] = default
    return out


def struct(*fields, **more):
    return schema("struct", fields=list(fields), **more)


def typed(schema_, payload, **more):
    """A record whose value is an envelope."""
    return R(value=envelope(schema_, payload), **more)


def envelope(schema_, payload):
    return java_json({"schema": schema_, "payload": payload})


DATA = "org.apache.kafka.connect.data."


def decimal(scale, **more):
    return schema("bytes", name=DATA + "Decimal", version=1,
                  params={"scale": str(scale)}, **more)


def date(**more):
    return schema("int32", name=DATA + "Date", version=1, **more)


def time(**more):
    return schema("int32", name=DATA + "Time", version=1, **more)


def timestamp(**more):
    return schema("int64", name=DATA + "Timestamp", version=1, **more)
