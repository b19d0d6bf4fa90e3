"""A schema registry that is away when records come: sinks and sources wait for
it within errors.retry.timeout, whoever looks at the value or key, and go on
without a loss. Records that fail for good in the converters of keys and headers
carry the names of those stages."""
# timeout: 300
import http.server
import json
import socket
import threading

import _lib as lib

lib.need_broker()

AVRO = "io.confluent.connect.avro.AvroConverter"
STRING = "org.apache.kafka.connect.storage.StringConverter"
JSON = "org.apache.kafka.connect.json.JsonConverter"
BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
INTEGER = "org.apache.kafka.connect.converters.IntegerConverter"
DLQ = "errors.deadletterqueue."
SCHEMA = json.dumps({"type": "record", "name": "R", "fields": [
    {"name": "n", "type": "long"}]})

SDK = 'local tide = require "tidegate"\n'

WRITE = SDK + """
local out
return tide.sink {
    config = { file = { required = true }, look = { default = "" } },
    start = function(ctx) out = assert(io.open(ctx.config.file, "a")) end,
    put = function(batch, ctx)
        local lines = {}
        for _, r in batch:each() do
            local v = r.value
            local line = tostring(ctx.config.look == "value" and v.n or v)
            if ctx.config.look == "key" then
                line = line .. " " .. tostring(r.key.n)
            elseif ctx.config.look == "header" then
                line = line .. " " .. tostring(r.headers:get("h").n)
            end
            lines[#lines + 1] = line
        end
        for i = 1, #lines do out:write(lines[i], "\\n") end
    end,
    flush = function() assert(out:flush()) end,
    stop = function() out:close() end,
}
"""

LOOK = SDK + """
return tide.transform {
    config = { at = { default = "key" }, mark = { default = "" } },
    new = function(cfg)
        return function(batch)
            for _, r in batch:each() do
                if cfg.at == "key" then
                    local _ = r.key
                else
                    local _ = r.headers:get("h")
                end
                if cfg.mark ~= "" then r.value = cfg.mark .. r.value end
            end
        end
    end,
}
"""

SHAPE = SDK + """
return tide.transform {
    config = { key = { default = "" }, header = { default = "" } },
    new = function(cfg)
        return function(batch)
            for _, r in batch:each() do
                local v = r.value
                if cfg.key == "struct" then r.key = { n = 1 } end
                if cfg.key == "text" and v:find("2") then r.key = "no number" end
                if cfg.header == "text" and v:find("2") then
                    r.headers:add("h", "no number")
                end
            end
        end
    end,
}
"""

FEED = SDK + """
local function bytes(hex)
    if hex == "-" then return nil end
    return tide.bytes((hex:gsub("..", function(x)
        return string.char(tonumber(x, 16))
    end)))
end
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do
                local k, v, h = r.value:match("(%S+) (%S+) (%S+)")
                r.value = bytes(v)
                if k ~= "-" then r.key = bytes(k) end
                if h ~= "-" then r.headers:add("h", bytes(h)) end
            end
        end
    end,
}
"""


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        server = self.server
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.requests.append(self.command + " " + self.path)
        status, body = 200, {"schema": SCHEMA}
        if len(server.requests) <= server.refuse:
            status, body = 503, {"error_code": 503, "message": "not yet"}
        elif self.command == "POST":
            body = {"id": 7}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer


class Place:
    """An address where a registry can appear."""

    def __init__(self, case):
        self.case = case
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]

    def open(self, refuse=0):
        """refuse: so many requests are answered with 503 first."""
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Registry)
        server.requests, server.refuse = [], refuse
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.case.cleanups.append(server.shutdown)
        return server

    def converter(self, role):
        at = role + ".converter"
        return {at: AVRO,
                at + ".schema.registry.url": "http://127.0.0.1:%d" % self.port,
                at + ".max.retries": "0"}


def avro(n):
    return b"\0\0\0\0\7" + bytes([2 * n])


def plugins(case):
    case.file("plugins/write/sink.lua", WRITE)
    case.file("plugins/look.lua", LOOK)
    case.file("plugins/shape.lua", SHAPE)
    case.file("plugins/feed.lua", FEED)
    return {"plugin.path": case.path("plugins"), "key.converter": STRING,
            "value.converter": STRING, "header.converter": STRING}


def tolerant(dlq):
    return {"errors.tolerance": "all", DLQ + "topic.name": dlq,
            DLQ + "topic.replication.factor": "1",
            DLQ + "context.headers.enable": "true"}


def letters(dlq):
    """(stage, exception's class) of each."""
    found = []
    for r in lib.records(dlq):
        flat = r["headers"]
        h = dict(zip(flat[::2], flat[1::2]))
        found.append((h["__connect.errors.stage"],
                      h["__connect.errors.exception.class.name"].rsplit(
                          ".", 1)[1]))
    return found


def produce(case, topic, rows):
    """Rows of (key or None, value, header h or None). By a source connector:
    kcat takes no zeros in headers."""
    name = lib.unique("feed")
    text = "".join(" ".join(x.hex() if x else "-" for x in row) + "\n"
                   for row in rows)
    worker = case.worker(
        dict(plugins(case), **{r + ".converter": BYTES
                               for r in ("key", "value", "header")}),
        [dict(source_of(case, name, topic, text), **{
            "value.converter": BYTES,
            **lib.transforms(("f", "feed", {}))})])
    lib.await_(sent(case, name, text), "the input")
    worker.stop()


def sink(case, name, topic, **more):
    return dict({"name": name, "connector.class": "write", "topics": topic,
                 "file": case.path("out-" + name),
                 "errors.retry.timeout": "-1",
                 "errors.retry.delay.max.ms": "500"}, **lib.dotted(more))


def retries(worker, name):
    return worker.metric("kafka_connect_task_error_total_retries", name)


def waits(case, config, rows, expected):
    """A sink that finds no registry, and then one."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    place = Place(case)
    produce(case, topic, rows)
    full = dict(sink(case, name, topic), **tolerant(dlq))
    for part in config:
        full.update(place.converter(part[1:]) if part[0] == "@" else
                    {part: config[part]})
    worker = case.worker(plugins(case), [full])
    worker.await_(lambda: retries(worker, name) >= 2, "retries", 30)
    lib.equal(worker.state(name), "RUNNING", "state")
    out = case.path("out-" + name)
    lib.equal(lib.count_lines(out), 0, "put")
    place.open()
    worker.await_lines(out, len(expected))
    worker.stop()
    lib.equal(lib.lines(out), expected, "put")
    lib.equal(lib.topic_count(dlq), 0, "letters")


def test_sink_value(case):
    waits(case, {"@value": 1, "look": "value"}, [(b"a", avro(1), None), (b"b", avro(2), None)],
          [b"1", b"2"])


KEYS = [(avro(1), b"one", None), (avro(2), b"two", None)]


def test_sink_key_in_transform(case):
    waits(case, dict({"@key": 1}, **lib.transforms(("l", "look", {}))),
          KEYS, [b"one", b"two"])


def test_sink_key_in_put(case):
    waits(case, {"@key": 1, "look": "key"}, KEYS, [b"one 1", b"two 2"])


def gives_up(case, config, rows, stage, good):
    """Nobody answers within errors.retry.timeout."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    place = Place(case)
    produce(case, topic, rows)
    full = dict(sink(case, name, topic), **tolerant(dlq))
    for part in config:
        full.update(place.converter(part[1:]) if part[0] == "@" else
                    {part: config[part]})
    full["errors.retry.timeout"] = "700"
    worker = case.worker(plugins(case), [full])
    worker.await_(lambda: lib.topic_count(dlq) == len(rows) - len(good),
                  "letters")
    worker.await_lines(case.path("out-" + name), len(good))
    lib.check(retries(worker, name) >= 1, retries(worker, name))
    worker.stop()
    lib.equal(lib.lines(case.path("out-" + name)), good, "put")
    lib.equal(set(letters(dlq)), {(stage, "RetriableException")}, "letters")


def test_sink_gives_up(case):
    gives_up(case, {"@value": 1}, [(b"a", avro(1), None)],
             "VALUE_CONVERTER", [])
    gives_up(case, dict({"@key": 1}, **lib.transforms(("l", "look", {}))),
             KEYS, "KEY_CONVERTER", [])
    gives_up(case, {"@key": 1, "look": "key"}, KEYS, "KEY_CONVERTER", [])


def test_advice(case):
    """With errors.tolerance=none: not that all records should be skipped."""
    topic, name = lib.unique("in"), lib.unique("snk")
    place = Place(case)
    produce(case, topic, KEYS)
    worker = case.worker(plugins(case), [
        dict(sink(case, name, topic, look="key"), **place.converter("key"),
             **{"errors.retry.timeout": "300"})])
    worker.await_state(name, "FAILED")
    first = worker.trace(name).split("\n")[0]
    for part in ("key.converter failed at the record %s-0@0" % topic,
                 "no answer from the schema registry",
                 "errors.retry.timeout=-1 (it is 300)"):
        lib.check(part in first, repr(part), "is not in", first)
    lib.check("tolerance" not in first, first)
    worker.stop()


def test_no_way_round_a_transform(case):
    """A key that could not be read for the first transform is not read for the
    second: the record would come through without the first."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    place = Place(case)
    server = place.open(refuse=2)
    produce(case, topic, KEYS[:1] + [(None, b"zero", None)])
    worker = case.worker(plugins(case), [
        dict(sink(case, name, topic), **tolerant(dlq), **place.converter("key"),
             **dict(lib.transforms(("a", "look", {"mark": "first-"}),
                                   ("b", "look", {"mark": "second-"}))),
             **{"errors.retry.timeout": "1300"})])
    worker.await_(lambda: len(server.requests) >= 2, "two requests")
    worker.await_lines(case.path("out-" + name), 1)
    worker.stop()
    lib.equal(lib.lines(case.path("out-" + name)), [b"second-first-zero"],
              "put")
    lib.equal(letters(dlq), [("KEY_CONVERTER", "RetriableException")],
              "letters")


# --- for good --------------------------------------------------------------

def test_stages_of_sinks(case):
    """Keys and headers that a transform, or put, cannot read."""
    for stage, role, rows in (("KEY_CONVERTER", "key",
                               [(b"{", b"one", None), (b"2", b"two", None)]),
                              ("HEADER_CONVERTER", "header",
                               [(b"a", b"one", b"{"), (b"b", b"two", b"2")])):
        at = role + ".converter"
        json_role = {at: JSON, at + ".schemas.enable": "false",
                     "errors.retry.timeout": "0"}
        for more in (lib.transforms(("l", "look", {"at": role})),
                     {"look": role}):
            topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
            produce(case, topic, rows)
            plain = plugins(case)
            case.file("plugins/write/sink.lua",
                      WRITE.replace("r.key.n", "r.key").replace(
                          'get("h").n', 'get("h")'))
            worker = case.worker(plain, [dict(
                sink(case, name, topic), **dict(tolerant(dlq), **json_role,
                                                **more))])
            worker.await_(lambda: lib.topic_count(dlq) == 1, "a letter")
            worker.await_lines(case.path("out-" + name), 1)
            worker.stop()
            lib.equal([x[:3] for x in lib.lines(case.path("out-" + name))],
                      [b"two"], "put")
            lib.equal(letters(dlq), [(stage, "DataException")], (role, more))


def source_of(case, name, topic, text, **more):
    return dict(lib.source(name, case.file("in-" + name, text), topic),
                **lib.dotted(more))


def sent(case, name, text):
    file = case.path("in-" + name)
    return lambda: lib.position(case.path("offsets"), name, file) == len(text)


def test_stages_of_sources(case):
    text = "1\n2\n3\n"
    for stage, role in (("KEY_CONVERTER", "key"),
                        ("HEADER_CONVERTER", "header")):
        topic, name, dlq = (lib.unique(x) for x in ("out", "src", "dlq"))
        worker = case.worker(plugins(case), [dict(
            source_of(case, name, topic, text), **tolerant(dlq),
            **{role + ".converter": INTEGER},
            **lib.transforms(("s", "shape", {role: "text"})))])
        lib.await_(sent(case, name, text), "the last offset")
        worker.stop()
        lib.equal(lib.values(topic), [b"1", b"3"], "sent")
        lib.equal(letters(dlq), [(stage, "DataException")], "letters")
        lib.equal(lib.values(dlq), [b"2"], "letter")


def source_waits(case, role, steps):
    topic, name, dlq = (lib.unique(x) for x in ("out", "src", "dlq"))
    place = Place(case)
    text = "".join("%d\n" % i for i in range(50))
    worker = case.worker(plugins(case), [dict(
        source_of(case, name, topic, text), **tolerant(dlq),
        **place.converter(role), **steps,
        **{"errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "500"})])
    worker.await_(lambda: retries(worker, name) >= 2, "retries", 30)
    lib.equal(worker.state(name), "RUNNING", "state")
    lib.equal(lib.topic_count(topic), 0, "sent")
    place.open()
    lib.await_(sent(case, name, text), "the last offset")
    worker.stop()
    lib.equal(lib.topic_count(topic), 50, "sent")
    lib.equal(lib.topic_count(dlq), 0, "letters")


def test_source_value(case):
    source_waits(case, "value", {})


def test_source_key(case):
    source_waits(case, "key", lib.transforms(("s", "shape",
                                              {"key": "struct"})))


lib.run(globals())
