"""Beside Kafka Connect 4.1.1 on the same broker, from the same files: the same
records, the same files, the same REST documents; and the one goes on where the
other stopped, both ways, for sources and sinks.

One Java worker runs for all of it: first tidegate, then Kafka Connect, then
tidegate again. Connectors that are compared exist once for each side, with
names that differ in one letter; those that are taken over have one name.
"""
# timeout: 300
# serial: yes
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
import _lib as lib  # noqa: E402

lib.need_broker()

STRING = "org.apache.kafka.connect.storage.StringConverter"
JSON = "org.apache.kafka.connect.json.JsonConverter"
JAVA, TIDE = "J", "T"

TEXT = [b"plain", b"", b"  spaces  ", b"\ttab\t", "Köln \u2192 \U0001f6a2"
        .encode(), b'{"json":"as text"}', b"x" * 100000, b"a=b,c=d",
        b"carriage return\r", b"lone\rreturn", b"null", b"end"]
ROWS = len(TEXT) + 1  # a lone carriage return ends a line too


def converter(class_name, schemas):
    return {"value.converter": class_name,
            "value.converter.schemas.enable": str(schemas).lower()}


class Both:
    """Names and configurations of everything, for one side or the other."""

    def __init__(self, case):
        self.case = case
        self.id = lib.unique("c")
        self.flat, self.typed = self.name("flat"), self.name("typed")
        self.take, self.over = self.name("take"), self.name("over")
        self.lines = case.file("lines", b"".join(l + b"\n" for l in TEXT))
        self.ascii = case.file("ascii", "".join("line %d\n" % i
                                                for i in range(300)))
        self.growing = case.file("growing", "")
        self.grown = 0
        lib.produce(self.flat, b"".join(FLAT))
        lib.produce(self.typed, b"".join(TYPED))

    def name(self, what, side=""):
        return "%s-%s%s" % (self.id, what, side)

    def out(self, what, side):
        return self.case.path("out-%s%s" % (what, side))

    def grow(self, n):
        lib.write(self.growing, "".join(
            "row %06d\n" % i for i in range(self.grown, self.grown + n)), "a")
        self.grown += n

    def taken_over(self):
        return [lib.source(self.take, self.growing, self.take),
                lib.sink(self.over, self.case.path("over"), self.take)]

    def compared(self, side):
        def of(what):
            return self.name(what, side)
        hoist = [("h", "HoistField$Value", {"field": "line"}),
                 ("i", "InsertField$Value", {"static.field": "from",
                                             "static.value": "file",
                                             "topic.field": "topic?"}),
                 ("r", "ReplaceField$Value", {"renames": "line:text"}),
                 ("m", "MaskField$Value", {"fields": "from",
                                           "replacement": "***"})]
        chain = [("r", "ReplaceField$Value", {"exclude": "secret,none",
                                              "renames": "city:town"}),
                 ("m", "MaskField$Value", {"fields": "card,amount,flag"}),
                 ("i", "InsertField$Value", {
                     "static.field": "from", "static.value": "sink",
                     "topic.field": "topic", "partition.field": "part",
                     "offset.field": "at"})]
        stamped = chain[:2] + [("i", "InsertField$Value",
                                {"timestamp.field": "ts"})]
        return [
            lib.source(of("text"), self.lines, of("text")),
            lib.sink(of("back"), self.out("back", side), of("text")),
            dict(lib.source(of("hoist"), self.ascii, of("hoist")),
                 **converter(JSON, True), **lib.transforms(*hoist)),
            dict(lib.source(of("bare"), self.ascii, of("bare")),
                 **converter(JSON, False), **lib.transforms(*hoist)),
            dict(lib.sink(of("flat"), self.out("flat", side), self.flat),
                 **converter(JSON, False), **lib.transforms(*chain)),
            dict(lib.sink(of("stamp"), self.out("stamp", side), self.flat),
                 **converter(JSON, False), **lib.transforms(*stamped)),
            dict(lib.sink(of("typed"), self.out("typed", side), self.typed),
                 **converter(JSON, True), **lib.transforms(*chain)),
        ]

    def files(self, side):
        return [lib.properties(self.case.path("conf", side, c["name"]), c)
                for c in self.taken_over() + self.compared(side)]

    def complete(self, side):
        counts = {self.take: lib.topic_count(self.take)}
        for what in ("text", "hoist", "bare"):
            counts[what] = lib.topic_count(self.name(what, side))
        for what in ("back", "flat", "stamp", "typed"):
            counts[what] = lib.count_lines(self.out(what, side))
        counts["over"] = lib.count_lines(self.case.path("over"))
        return counts, counts == {
            self.take: self.grown, "over": self.grown, "text": ROWS,
            "back": ROWS, "hoist": 300, "bare": 300, "flat": len(FLAT),
            "stamp": len(FLAT), "typed": len(TYPED)}


FLAT = [b'{"id":%d,"city":"Hamburg","card":"4000-1","amount":%d,"flag":true,'
        b'"secret":"s","rate":1.5,"big":9007199254740993,"neg":-1}\n' % (i, i)
        for i in range(50)] + [
    b'{"id":-1,"city":null,"card":null,"amount":2.5,"flag":false}\n',
    b'{"other":"fields"}\n', b'{}\n']
FIELDS = [("id", "int32", False), ("city", "string", True),
          ("card", "string", False), ("amount", "int64", True),
          ("flag", "boolean", False), ("secret", "string", False),
          ("rate", "double", False), ("tiny", "int8", False)]
SCHEMA = {"type": "struct", "optional": False, "name": "a.b.Order",
          "version": 2, "fields": [{"field": n, "type": t, "optional": o}
                                   for n, t, o in FIELDS]}


def envelope(i):
    return json.dumps({"schema": SCHEMA, "payload": {
        "id": i, "city": None if i % 3 == 0 else "Genoa", "card": "c%d" % i,
        "amount": None if i % 5 == 0 else i * 1000, "flag": i % 2 == 0,
        "secret": "s", "rate": i + 0.25, "tiny": i % 100}}).encode() + b"\n"


TYPED = [envelope(i) for i in range(50)]


def java_map(line, struct):
    """{"a":"1"} of what Java prints for a map of plain values."""
    if struct:
        lib.check(line.startswith("Struct{"), line)
        line, between = line[7:-1], ","
    else:
        line, between = line[1:-1], ", "
    return dict(m.split("=", 1) for m in line.split(between) if m)


def as_java(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


class Connect:
    """Kafka Connect, standalone, with files of connectors."""

    def __init__(self, case, worker, files):
        self.env = dict(os.environ, TG_SERVERS=case.path("servers"))
        self.log_path = case.path("servers", "connect", "log")
        case.cleanups.append(self.stop)
        path = lib.properties(case.path("connect.properties"), worker)
        said = self.call("start", path, *files)
        self.rest = re.search(r"rest=(\S+)", said).group(1)

    def call(self, *args):
        done = subprocess.run(
            [os.path.join(lib.SOURCE_DIR, "scripts", "servers"), "connect",
             *args], env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        lib.check(done.returncode == 0, "servers connect", *args,
                  done.stderr.decode()[-3000:])
        return done.stdout.decode()

    def log(self):
        return lib.read(self.log_path).decode("utf-8", "replace")

    def stop(self):
        self.call("stop")


# --- REST ----------------------------------------------------------------------

def documents(rest, both, side):
    """What each resource answers, with the names of the side masked."""
    found = {}
    names = [c["name"] for c in both.compared(side)] + [both.take, both.over]
    paths = [("GET", "/"), ("GET", "/connectors"),
             ("GET", "/connectors/none"), ("GET", "/connectors/none/status"),
             ("GET", "/connectors/none/config"),
             ("GET", "/connectors/none/tasks"),
             ("GET", "/connectors/none/topics"),
             ("PUT", "/connectors/none/pause"),
             ("PUT", "/connectors/none/resume"),
             ("POST", "/connectors/none/tasks/0/restart"),
             ("GET", "/nothing"), ("GET", "/connectors/a/b/c"),
             ("DELETE", "/connectors"), ("PATCH", "/"),
             ("GET", "/connectors?expand=status"),
             ("GET", "/connectors?expand=info"),
             ("GET", "/connectors?expand=status&expand=info"),
             ("GET", "/connectors?expand=nothing")]
    for name in names:
        for rest_path in ("", "/status", "/config", "/tasks",
                          "/tasks/0/status", "/tasks/9/status", "/topics"):
            paths.append(("GET", "/connectors/" + name + rest_path))
        paths.append(("POST", "/connectors/%s/tasks/9/restart" % name))
    address = rest.split("//")[1]
    for method, path in paths:
        reply = lib.http(method, rest + path)
        text = reply.body.decode()
        for c in both.compared(side):
            text = text.replace(c["name"], c["name"][:-1] + "?")
            path = path.replace(c["name"], c["name"][:-1] + "?")
        text = re.sub(r"(out-\w+)%s\b" % side, r"\1?", text)
        text = text.replace(address, "WORKER")
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = text
        kind = reply.headers.get("Content-Type", "")
        found[method + " " + path] = (reply.status, kind, plain(body, path))
    return found


def plain(x, path):
    """Without what legitimately differs: versions, ids, order of sets."""
    if isinstance(x, dict):
        for key in ("version", "commit"):
            if key in x:
                x[key] = "*"
        # Java numbers plugins' tasks with a class of its own.
        x.pop("task.class", None)
        x = {k: plain(v, path) for k, v in x.items()}
        if "worker_id" in x:
            x["worker_id"] = "*"
        return x
    if isinstance(x, list):
        x = [plain(v, path) for v in x]
        if path in ("/connectors",) or path.endswith("/topics"):
            x.sort()
        return x
    return x



def compare_rest(java, tide):
    lib.equal(sorted(tide), sorted(java), "resources")
    wrong = ["%s\n  Kafka Connect %s\n  tidegate      %s" % (
        what, lib.short(java[what], 900), lib.short(tide[what], 900))
        for what in java if java[what] != tide[what]]
    lib.check(not wrong, "REST differs:\n" + "\n".join(wrong))


# --- the comparison ---------------------------------------------------------------

def topic_records(topic):
    return [(r["key"], r["payload"], r.get("headers"))
            for r in lib.records(topic)]


def compare_sources(both):
    for what in ("text", "hoist", "bare"):
        java, tide = (topic_records(both.name(what, s)) for s in (JAVA, TIDE))
        masked = [(k, v.replace(both.name(what, JAVA), both.name(what, TIDE)),
                   h) for k, v, h in java]
        lib.same_lines(tide, masked, "records of the source " + what)
        lib.check(all(k is None and not h for k, v, h in tide),
                  "keys or headers in", what)


def compare_sinks(both):
    lib.same_lines(lib.lines(both.out("back", TIDE)),
                   lib.lines(both.out("back", JAVA)), "file of text lines")
    for what, struct in (("flat", False), ("stamp", False), ("typed", True)):
        java = [java_map(l.decode(), struct)
                for l in lib.lines(both.out(what, JAVA))]
        tide = []
        for line in lib.lines(both.out(what, TIDE)):
            fields = json.loads(line)
            tide.append({k: as_java(v) for k, v in fields.items()
                         if not (struct and v is None)})
        lib.same_lines(tide, java, "records of the sink " + what)


def test_beside(case):
    both = Both(case)
    offsets = case.path("offsets")
    settings = {"offset.flush.interval.ms": "1000",
                "offset.storage.file.filename": offsets,
                "key.converter": STRING, "value.converter": STRING,
                "bootstrap.servers": lib.BOOTSTRAP}
    # tidegate begins ...
    both.grow(1000)
    first = case.worker(settings, both.taken_over())
    first.await_(lambda: lib.topic_count(both.take) == 1000 and
                 lib.count_lines(case.path("over")) == 1000, "1000 records")
    first.stop()
    lib.equal(lib.position(offsets, both.take, both.growing), 11000, "offset")
    # ... Kafka Connect goes on from its offset file and group ...
    both.grow(500)
    java = Connect(case, settings, both.files(JAVA))
    lib.await_(lambda: both.complete(JAVA)[1], lambda: "%s\n%s" % (
        both.complete(JAVA)[0], java.log()[-3000:]), 90)
    java_documents = documents(java.rest, both, JAVA)
    java.stop()
    lib.equal(lib.position(offsets, both.take, both.growing), 16500,
              "the offset that Kafka Connect left")
    # ... and tidegate again.
    both.grow(500)
    second = case.worker(settings, both.files(TIDE))
    second.await_(lambda: both.complete(TIDE)[1],
                  lambda: both.complete(TIDE)[0])
    tide_documents = documents(second.rest, both, TIDE)
    second.stop()
    rows = [b"row %06d" % i for i in range(2000)]
    lib.same_lines(lib.values(both.take), rows, "the topic both wrote")
    lib.same_lines(lib.lines(case.path("over")), rows, "the file both wrote")
    stored = lib.offsets(offsets)
    key = json.dumps({"filename": both.ascii})
    lib.equal(stored[both.name("hoist", TIDE), key],
              stored[both.name("hoist", JAVA), key], "offset of hoist")
    problems = []
    for compare in (lambda: compare_sources(both), lambda: compare_sinks(both),
                    lambda: compare_rest(java_documents, tide_documents)):
        try:
            compare()
        except lib.Failure as e:
            problems.append(str(e))
    lib.check(not problems, "\n".join(problems))


lib.run(globals())
