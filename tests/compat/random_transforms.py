"""Random chains over random records (_generate.py) through Kafka Connect's
classes and `tidegate try`, as transforms.py does with cases chosen by hand.

Equal means equal bytes, but for what docs/compatibility.md lists:
  member-order     members of objects that have no schema, and of maps
  untouched        null fields that no transform changed, where Kafka Connect
                   prints their default; texts of headers, and null as JSON,
                   that were received
  shortest-digits  the digits of numbers with a fraction
  bytes-text       bytes that StringConverter writes
  cast-logical     Cast of a whole value of a logical type
  strict-payload   days that a Date cannot hold

usage: random_transforms.py [-v] [COUNT [SEED [ONLY]]]
"""
# timeout: 300
import base64
import collections
import concurrent.futures
import json
import re
import struct
import sys
import tempfile
import time

import _generate
from transforms import lib, run_java, run_try

COUNT, SEED = 150, 1
TYPES = ("int8", "int16", "int32", "int64", "float32", "float64", "boolean",
         "string")  # of a Cast of the whole value
NOTHING = (b"null", b'{"schema":null,"payload":null}')


def bits(kind, x):
    try:
        return struct.pack(kind, float(x))
    except OverflowError:
        return None


def same_number(a, b):
    """Texts of one float or double; 0.0 and -0.0 are two."""
    if not re.search(r"[.eE]", a) or not re.search(r"[.eE]", b):
        return False
    return bits(">d", a) == bits(">d", b) or \
        (bits(">f", a) is not None and bits(">f", a) == bits(">f", b))


class Text(str):
    """A number as written."""


def parsed(x):
    """JSON with its objects as lists of members; None if it is none."""
    try:
        return json.loads(x, parse_float=Text, parse_int=Text,
                          object_pairs_hook=lambda m: ("object", m))
    except ValueError:
        return None


def member(x, name):
    return dict(x[1]).get(name) if isinstance(x, tuple) else None


class Same:
    """Compares two JSON texts; used: the differences that were let pass."""

    def __init__(self):
        self.used = set()

    def texts(self, a, b):
        a, b = parsed(a), parsed(b)
        if a is None or b is None:
            return False
        names = [[m[0] for m in x[1]] if isinstance(x, tuple) else None
                 for x in (a, b)]
        if names[0] == names[1] == ["schema", "payload"]:
            schemas = member(a, "schema"), member(b, "schema")
            return self.schemas(*schemas) and self.values(
                member(a, "payload"), member(b, "payload"), schemas[0])
        return self.values(a, b, None)

    def schemas(self, a, b):
        """Members in the same order."""
        if not isinstance(a, tuple) or not isinstance(b, tuple):
            return a == b
        if [m[0] for m in a[1]] != [m[0] for m in b[1]]:
            return False
        for (name, x), (_, y) in zip(a[1], b[1]):
            if name == "default":
                same = self.values(x, y, a)
            elif name == "fields":
                same = len(x) == len(y) and \
                    all(self.schemas(*pair) for pair in zip(x, y))
            elif name == "parameters":
                same = sorted(x[1]) == sorted(y[1])
            else:
                same = self.schemas(x, y)
            if not same:
                return False
        return True

    def values(self, a, b, schema):
        """schema: None for values without one."""
        if b is None and a is not None:
            default = member(schema, "default")
            if default is not None and self.values(a, default, None):
                self.used.add("untouched")
                return True
            return False
        if isinstance(a, Text) and isinstance(b, Text):
            if a == b:
                return True
            self.used.add("shortest-digits")
            return same_number(a, b)
        if type(a) is not type(b):
            return False
        if isinstance(a, tuple):
            return self.objects(a[1], b[1], schema)
        if isinstance(a, list):
            return self.lists(a, b, schema)
        return a == b

    def objects(self, a, b, schema):
        fields = {member(f, "field"): f for f in member(schema, "fields") or ()}
        of = member(schema, "values")
        if [m[0] for m in a] != [m[0] for m in b]:
            if fields or sorted(m[0] for m in a) != sorted(m[0] for m in b):
                return False
            self.used.add("member-order")
        other = dict(b)
        return all(self.values(v, other[k], fields.get(k, of)) for k, v in a)

    def lists(self, a, b, schema):
        if len(a) != len(b):
            return False
        pairs = schema is None and all(isinstance(x, list) and len(x) == 2
                                       for x in a + b)
        if member(schema, "type") == "map" or pairs:
            self.used.add("member-order")
            a, b = sorted(a, key=repr), sorted(b, key=repr)
            return all(x[0] == y[0] and self.values(
                x[1], y[1], member(schema, "values")) for x, y in zip(a, b))
        return all(self.values(x, y, member(schema, "items"))
                   for x, y in zip(a, b))


class Comparison:
    def __init__(self):
        self.seen = collections.Counter()
        self.failures = []

    def bytes(self, a, b, received):
        """received: byte strings that may stay as they are."""
        if a == b:
            return True
        if b is None:
            return False
        b = base64.b64decode(b)
        if b in received and (a is not None or b in NOTHING):
            self.seen["untouched"] += 1
            return True
        if a is None:
            return False
        a, same = base64.b64decode(a), Same()
        if same.texts(a, b):
            for name in same.used:
                self.seen[name] += 1
            return True
        return self.as_text(a, b)

    def as_text(self, a, b):
        """What StringConverter and SimpleHeaderConverter write."""
        if sorted(a) == sorted(b) and (b"{" in b or b"=" in b):
            self.seen["member-order"] += 1
            return True
        parts = [re.escape(p) for p in re.split(rb"\[B@[0-9a-f]+", a)]
        if len(parts) > 1 and re.fullmatch(b".*".join(parts), b, re.DOTALL):
            self.seen["bytes-text"] += 1
            return True
        return False

    def records(self, r, a, b):
        plain = [[x[n] for n in ("topic", "partition", "timestamp")] +
                 [h["name"] for h in x["headers"]] for x in (a, b)]
        nothing = [v for v in (r.key, r.value) if v in NOTHING]
        received = [v for _, v in r.headers]
        return plain[0] == plain[1] and \
            self.bytes(a["key"], b["key"], nothing) and \
            self.bytes(a["value"], b["value"], nothing) and \
            all(self.bytes(x["value"], y["value"], received)
                for x, y in zip(a["headers"], b["headers"]))

    def one(self, case, i, java, tide):
        kinds = [("refused" if "refused" in x else "error" if "error" in x else
                  "dropped" if "dropped" in x else "record")
                 for x in (java, tide)]
        if kinds == ["error", "record"] and re.search(
                r"Invalid type for (Decimal|Date|Time|Timestamp), expected|"
                r"Invalid Java object for schema .org", java["error"]) and any(
                v in TYPES for v in case["config"].values()):
            self.seen["cast-logical"] += 1
            return
        if kinds == ["record", "error"] and \
                "is no day of the schema type Date" in tide["error"]:
            self.seen["strict-payload"] += 1
            return
        if kinds[0] == kinds[1] and (
                kinds[0] != "record" or
                self.records(case["records"][i], java, tide)):
            self.seen[kinds[0]] += 1
            if "-v" in sys.argv and kinds[0] in ("refused", "error"):
                print("%s\n  %s\n  %s" % (case["name"], java[kinds[0]],
                                          tide[kinds[1]]))
            return
        self.failures.append("%s [%d]\n  %s\n  record:        %s\n"
                             "  Kafka Connect: %s\n  tidegate:      %s" % (
            case["name"], i, json.dumps(case["config"]),
            self.readable(case["records"][i].__dict__),
            self.readable(java), self.readable(tide)))

    @staticmethod
    def readable(x):
        def plain(v):
            return base64.b64decode(v) if isinstance(v, str) else v
        if "headers" not in x:
            return x
        out = [x["topic"], x["partition"], "key", plain(x["key"]), "value",
               plain(x["value"]), "headers"]
        for h in x["headers"]:
            out += [h["name"], plain(h["value"])] if isinstance(h, dict) else h
        return out

    def whole(self, case, java, tide):
        if "crashed" in tide:
            self.failures.append("%s crashed\n  %s\n  %s" % (
                case["name"], json.dumps(case["config"]), tide["crashed"]))
        elif "refused" in java or "refused" in tide:
            self.one(case, 0, java, tide)
        else:
            for i in range(len(case["records"])):
                self.one(case, i, java["results"][i], tide["results"][i])


def main():
    numbers = [int(a) for a in sys.argv[1:] if a != "-v"]
    count, seed, only = (numbers + [None] * 3)[:3]
    cases = _generate.cases(count or COUNT, seed or SEED)
    if only is not None:
        cases = cases[only:only + 1]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(3) as pool:
        java = pool.submit(run_java, cases)
        tide = [pool.submit(run_try, folder, i, c)
                for i, c in enumerate(cases)]
        java, tide = java.result(), [t.result() for t in tide]
    c = Comparison()
    for case, a, b in zip(cases, java, tide):
        c.whole(case, a, b)
    for text in c.failures:
        print("FAILED " + text)
    print("%d cases, seed %d: %s, %d failures (%.1f s)" % (
        len(cases), seed or SEED, ", ".join(
            "%d %s" % (n, name) for name, n in sorted(c.seen.items())),
        len(c.failures), time.monotonic() - begun))
    lib.check(only is not None or c.seen["record"] > len(cases), "too few "
              "records came through to compare")
    sys.exit(1 if c.failures else 0)


if __name__ == "__main__":
    main()
