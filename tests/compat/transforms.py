"""The same configurations and records through Kafka Connect's own transforms,
predicates and converters (TransformHarness.java) and through `tidegate try`:
equal key, value, headers, topic, partition and timestamp, byte for byte, and
equal refusals. What differs on purpose is named by the case and listed in
docs/compatibility.md.

usage: transforms.py [-v] [TEXT...]   only cases whose names contain a TEXT;
       -v also shows what both sides say where they refuse
"""
# timeout: 180
import base64
import concurrent.futures
import glob
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import _cases  # noqa: E402
import _lib as lib  # noqa: E402

JARS = os.path.join(os.environ.get("TG_CACHE") or os.path.join(
    os.path.expanduser("~"), ".cache", "tidegate"), "connect-4.1.1")
# Leaks of so many short processes are looked for in tests/e2e/cli_try.py.
ENV = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8",
           ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") +
           ":detect_leaks=0")
AT_LEAST = 400


# --- the two sides -----------------------------------------------------------

def b64(x):
    return None if x is None else base64.b64encode(x).decode()


def for_java(i, case):
    return json.dumps({
        "id": str(i), "source": case["source"], "config": case["config"],
        "records": [{
            "topic": r.topic, "partition": r.partition, "offset": r.offset,
            "timestamp": r.ts, "key": b64(r.key), "value": b64(r.value),
            "headers": [{"name": n, "value": b64(v)} for n, v in r.headers],
        } for r in case["records"]]})


def run_java(cases):
    if not glob.glob(os.path.join(JARS, "connect-transforms-*.jar")):
        subprocess.run([os.path.join(lib.SOURCE_DIR, "scripts", "servers"),
                        "connect", "fetch"], check=True)
    done = subprocess.run(
        ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC",
         "-Duser.language=en", "-Duser.country=US",
         "-cp", os.path.join(JARS, "*"),
         os.path.join(HERE, "TransformHarness.java")],
        input="".join(for_java(i, c) + "\n" for i, c in enumerate(cases)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV, text=True,
        encoding="utf-8", timeout=150)
    if done.returncode:
        sys.exit("the Java side failed:\n" + done.stderr)
    answers = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert [a["id"] for a in answers] == [str(i) for i in range(len(cases))]
    return answers


def on_wire(x):
    if x is None:
        return None
    try:
        return x.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": b64(x)}


def for_try(r):
    return json.dumps({
        "topic": r.topic, "partition": r.partition, "offset": r.offset,
        "timestamp": r.ts, "key": on_wire(r.key), "value": on_wire(r.value),
        "headers": [{"name": n, "value": on_wire(v)} for n, v in r.headers],
    }, ensure_ascii=False)


def from_try(x):
    """An answer of `try` in the form of the Java side's."""
    def bytes_of(v):
        if isinstance(v, dict):
            return v["base64"]
        return b64(v if v is None else v.encode("utf-8"))
    if "error" in x or "dropped" in x:
        return x
    return {"topic": x["topic"],
            "partition": -1 if x["partition"] is None else x["partition"],
            "timestamp": -1 if x["timestamp"] is None else x["timestamp"],
            "key": bytes_of(x["key"]), "value": bytes_of(x["value"]),
            "headers": [{"name": h["name"], "value": bytes_of(h["value"])}
                        for h in x["headers"]]}


def run_try(folder, i, case):
    path = os.path.join(folder, "%d.json" % i)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(dict(case["config"], name="case"), f)
    done = subprocess.run(
        [lib.TIDEGATE, "try", "--source" if case["source"] else "--sink", path],
        input="".join(for_try(r) + "\n" for r in case["records"]),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV, text=True,
        encoding="utf-8", timeout=120)
    if done.returncode == 2:
        return {"refused": done.stderr.strip()}
    out = [from_try(json.loads(line)) for line in done.stdout.split("\n") if line]
    failed = any("error" in x for x in out)
    if done.returncode != (1 if failed else 0):
        return {"crashed": "exit status %d: %s" % (done.returncode,
                                                   done.stderr[-3000:])}
    return {"results": out}


# --- comparing ---------------------------------------------------------------

def canonical(text):
    """JSON text with the members of objects sorted and numbers as written;
    None if it is no JSON object or array."""
    try:
        v = json.loads(base64.b64decode(text), parse_float=lambda t: ["n", t],
                       parse_int=lambda t: ["n", t])
    except ValueError:
        return None
    return json.dumps(v, sort_keys=True) if isinstance(v, (dict, list)) \
        else None


def same_members(a, b):
    """Equal but for the order of members of objects."""
    if a is None or b is None or \
            len(base64.b64decode(a)) != len(base64.b64decode(b)):
        return False
    x = canonical(a)
    return x is not None and x == canonical(b)


class Comparison:
    def __init__(self, ids, verbose):
        self.ids, self.verbose = ids, verbose
        self.count, self.refusals, self.unordered = 0, 0, 0
        self.failures = []

    def fail(self, name, why, java, tide):
        def shown(x):
            if isinstance(x, dict) and "results" in x:
                return lib.short([self.readable(r) for r in x["results"]], 900)
            return lib.short(self.readable(x), 900)
        self.failures.append("%s: %s\n      Kafka Connect: %s\n"
                             "      tidegate:      %s"
                             % (name, why, shown(java), shown(tide)))

    @staticmethod
    def readable(x):
        def plain(text):
            return None if text is None else base64.b64decode(text)
        if not isinstance(x, dict) or "value" not in x:
            return x
        return dict(x, key=plain(x["key"]), value=plain(x["value"]),
                    headers=[(h["name"], plain(h["value"]))
                             for h in x["headers"]])

    def same(self, java, tide):
        if java == tide:
            return True
        rest = [dict(x, key=0, value=0, headers=[h["name"] for h in
                                                 x["headers"]])
                for x in (java, tide)]
        if rest[0] != rest[1]:
            return False
        pairs = [(java["key"], tide["key"]), (java["value"], tide["value"])]
        pairs += [(a["value"], b["value"])
                  for a, b in zip(java["headers"], tide["headers"])]
        if not all(a == b or same_members(a, b) for a, b in pairs):
            return False
        self.unordered += 1
        return True

    def one(self, name, java, tide, differs):
        """One record, or one refused configuration."""
        self.count += 1
        kinds = [("refused" if "refused" in x else "error" if "error" in x
                  else "dropped" if "dropped" in x else "record")
                 for x in (java, tide)]
        equal = kinds[0] == kinds[1] and (kinds[0] != "record" or
                                          self.same(java, tide))
        if equal and kinds[0] in ("refused", "error"):
            self.refusals += 1
            if self.verbose:
                print("%s\n      Kafka Connect: %s\n      tidegate:      %s"
                      % (name, java[kinds[0]], tide[kinds[1]]))
        if differs:
            if differs not in self.ids:
                self.fail(name, "docs/compatibility.md lists no `%s`"
                          % differs, java, tide)
            elif equal:
                self.fail(name, "is said to differ (%s), but is equal"
                          % differs, java, tide)
        elif not equal:
            self.fail(name, "differs", java, tide)

    def whole(self, case, java, tide):
        name = case["name"]
        if "crashed" in tide:
            self.fail(name, "crashed", java, tide["crashed"])
        elif "refused" in java or "refused" in tide:
            self.one(name, java, tide, case["differs"])
            if case["refused"] is False and not case["differs"] and \
                    "refused" in java and "refused" in tide:
                self.fail(name, "was not meant to be refused", java, tide)
        elif case["refused"]:
            self.fail(name, "was to be refused", java, tide)
        elif len(tide["results"]) != len(case["records"]):
            self.fail(name, "%d records gave %d lines" % (
                len(case["records"]), len(tide["results"])), java, tide)
        else:
            for i, r in enumerate(case["records"]):
                self.one("%s [%d]" % (name, i), java["results"][i],
                         tide["results"][i], r.differs or case["differs"])


def listed_ids():
    """`names` in the tables of docs/compatibility.md."""
    text = lib.read(os.path.join(lib.SOURCE_DIR, "docs", "compatibility.md"))
    return {name for line in text.decode().splitlines() if line.startswith("|")
            for name in re.findall(r"`([a-z0-9-]+)`", line)}


def load_cases(wanted):
    for path in sorted(glob.glob(os.path.join(HERE, "_cases_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    cases = [c for c in _cases.CASES
             if not wanted or any(w in c["name"] for w in wanted)]
    names = [c["name"] for c in cases]
    for name in names:
        if names.count(name) > 1:
            sys.exit("two cases have the name " + name)
    return cases


def main():
    verbose = "-v" in sys.argv
    wanted = [a for a in sys.argv[1:] if a != "-v"]
    cases = load_cases(wanted)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(3) as pool:
        java = pool.submit(run_java, cases)
        tide = [pool.submit(run_try, folder, i, c)
                for i, c in enumerate(cases)]
        java, tide = java.result(), [t.result() for t in tide]
    c = Comparison(listed_ids(), verbose)
    for case, a, b in zip(cases, java, tide):
        c.whole(case, a, b)
    for text in c.failures:
        print("FAILED " + text)
    print("%d comparisons in %d cases, %d equal refusals, %d equal but for "
          "the order of members, %d failures (%.1f s)"
          % (c.count, len(cases), c.refusals, c.unordered, len(c.failures),
             time.monotonic() - begun))
    if not wanted and c.count < AT_LEAST:
        sys.exit("at least %d comparisons are wanted" % AT_LEAST)
    sys.exit(1 if c.failures else 0)


if __name__ == "__main__":
    main()
