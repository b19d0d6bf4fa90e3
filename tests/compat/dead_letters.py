"""Dead letters beside Kafka Connect 4.1.1: the same bad records through the same
configuration on the same broker. Key, value, headers, timestamp and the context
headers are equal byte for byte and in the same order; only the text of the
exception and its stack trace are each one's own. With errors.tolerance=none
too: the letter is written and the task fails at the same offset.
"""
# timeout: 300
# serial: yes
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
PREFIX = "__connect.errors."
OWN = [PREFIX + "exception.message", PREFIX + "exception.stacktrace"]
DLQ = "errors.deadletterqueue."

# What fails in each: value converter, key converter (the transform needs the
# key), a transform.
VALUES = (b'k1|{"n":1}\n', b'k2|{broken\n', b'k3|not json\n', b'k4|{"n":4}\n',
          b'k5|\n', b'k6|{"n":\xff}\n', b'|[1,2\n')


class Connect:
    """Kafka Connect, standalone, with files of connectors."""

    def __init__(self, case, worker, files):
        self.env = dict(os.environ, TG_SERVERS=case.path("servers"))
        case.cleanups.append(lambda: self.call("stop"))
        path = lib.properties(case.path("connect.properties"), worker)
        said = self.call("start", path, *files)
        self.rest = re.search(r"rest=(\S+)", said).group(1)
        self.log_path = case.path("servers", "connect", "log")

    def call(self, *args):
        done = subprocess.run(
            [os.path.join(lib.SOURCE_DIR, "scripts", "servers"), "connect",
             *args], env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        lib.check(done.returncode == 0, "servers connect", *args,
                  done.stderr.decode()[-3000:])
        return done.stdout.decode()

    def state(self, name):
        reply = lib.http("GET", "%s/connectors/%s/status" % (self.rest, name))
        tasks = reply.json().get("tasks") or [{}]
        return tasks[0].get("state")

    def await_state(self, name, state):
        lib.await_(lambda: self.state(name) == state,
                   lambda: "%s is %s\n%s" % (name, self.state(name), lib.read(
                       self.log_path).decode()[-3000:]))


class Sinks:
    """The connectors of one side."""

    def __init__(self, case, side, topic, id):
        self.case, self.side, self.topic, self.id = case, side, topic, id

    def name(self, what):
        return "%s-%s-%s" % (self.id, what, self.side)

    def dlq(self, what):
        return self.name(what) + "-dlq"

    def one(self, what, tolerance, *steps, **more):
        config = lib.sink(self.name(what), self.case.path(self.name(what)),
                          self.topic)
        for part in ({"value.converter": JSON,
                      "value.converter.schemas.enable": "false",
                      "errors.tolerance": tolerance,
                      DLQ + "topic.name": self.dlq(what),
                      DLQ + "topic.replication.factor": "1",
                      DLQ + "context.headers.enable": "true"},
                     lib.transforms(*steps), more):
            config.update(part)
        return config

    def all(self):
        hoist = ("h", "HoistField$Value", {"field": "v"})
        return [
            self.one("value", "all"),
            self.one("none", "none"),
            self.one("plain", "all", **{DLQ + "context.headers.enable":
                                        "false"}),
            # strings have no fields
            self.one("smt", "all", ("e", "ExtractField$Value",
                                    {"field": "n"}), **{
                "value.converter": STRING}),
            self.one("key", "all", hoist, ("k", "ExtractField$Key",
                                           {"field": "x"}), **{
                "value.converter": STRING, "key.converter": JSON,
                "key.converter.schemas.enable": "false"}),
        ]

    def letters(self, what):
        found = []
        for r in lib.records(self.dlq(what)):
            flat = [h.replace("-%s-" % self.side, "-?-").replace(
                "-%s" % self.side, "-?") if h else h
                for h in r.get("headers") or []]
            pairs = list(zip(flat[::2], flat[1::2]))
            for name, text in pairs:
                if name in OWN:
                    lib.check(text, name, "is empty in", r)
            found.append({
                "key": r["key"], "payload": r["payload"], "ts": r["ts"],
                "tstype": r["tstype"],
                "headers": [(n, "*" if n in OWN else t) for n, t in pairs]})
        return sorted(found, key=lambda x: (dict(x["headers"]).get(
            PREFIX + "offset", ""), str(x["payload"])))


COUNTS = {"value": 4, "none": 1, "plain": 4, "smt": 7, "key": 6}


def wait_for(sinks, what):
    lib.await_(lambda: lib.topic_count(sinks.dlq(what)) >= COUNTS[what],
               lambda: "%d letters of %s" % (
                   lib.topic_count(sinks.dlq(what)), sinks.name(what)), 90)


def test_beside(case):
    topic, id = lib.unique("in"), lib.unique("d")
    lib.produce(topic, b"".join(VALUES), "-K", "|", "-Z", "-H", "colour=red",
                "-H", "colour=blue", "-H", "empty=")
    settings = {"offset.flush.interval.ms": "1000",
                "offset.storage.file.filename": case.path("offsets"),
                "key.converter": STRING, "value.converter": STRING,
                "bootstrap.servers": lib.BOOTSTRAP}
    java, tide = (Sinks(case, side, topic, id) for side in ("J", "T"))
    files = [lib.properties(case.path("conf", c["name"]), c)
             for c in java.all()]
    connect = Connect(case, settings, files)
    worker = case.worker(settings, tide.all())
    for what in COUNTS:
        wait_for(java, what)
        wait_for(tide, what)
    connect.await_state(java.name("none"), "FAILED")
    worker.await_state(tide.name("none"), "FAILED")
    for what in COUNTS:
        theirs, ours = java.letters(what), tide.letters(what)
        lib.equal(len(theirs), COUNTS[what], "Kafka Connect's letters")
        lib.same_lines(ours, theirs, "letters of " + what)
        if what == "none":
            continue  # tidegate puts what came before the record
        lib.equal(lib.count_lines(case.path(tide.name(what))),
                  lib.count_lines(case.path(java.name(what))),
                  "records put by " + what)
    worker.stop()


lib.run(globals())
