"""tidegate try, check and new: what they take, print and refuse, and that the
tests of what `new` writes pass. Only the test of --topic needs the broker."""
# timeout: 200
import base64
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time

import _lib as lib

STRING = "org.apache.kafka.connect.storage.StringConverter"
SIMPLE = {"key.converter": STRING, **lib.JSON}


def tidegate(*args, data=None, code=0, env=None, cwd=None):
    """(standard output, standard error) of a command."""
    if isinstance(data, str):
        data = data.encode()
    done = subprocess.run([lib.TIDEGATE, *args], input=data, cwd=cwd,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **(env or {})), timeout=120)
    out, err = done.stdout.decode(), done.stderr.decode()
    lib.check(not lib.SANITIZER.search(err), err)
    lib.check(done.returncode == code, "exit status", done.returncode,
              "instead of", code, "\n", out[-2000:], err[-2000:])
    return out, err


def sink(case, *steps, name="c.properties", **more):
    return lib.properties(case.path(name), dict(
        lib.sink("c", "none", "orders", **more), **SIMPLE,
        **lib.transforms(*steps)))


def source(case, *steps, **more):
    return lib.properties(case.path("s.properties"), dict(
        lib.source("s", "none", "lines", **more), **SIMPLE,
        **lib.transforms(*steps)))


def answers(*args, code=0, **more):
    out, _ = tidegate("try", *args, code=code, **more)
    return [json.loads(line) for line in out.split("\n") if line]


def line(**members):
    return json.dumps(members) + "\n"


# --- try ---------------------------------------------------------------------

INSERT = ("i", "InsertField$Value", {"offset.field": "at",
                                     "topic.field": "from"})


def test_record(case):
    c = sink(case, INSERT)
    found = answers(c, data=line(
        topic="t", partition=2, offset=7, timestamp=5, key="k",
        value='{"a":1.10}', headers=[{"name": "h", "value": "1.0"},
                                     {"name": "h", "value": None}]))
    lib.equal(found, [{
        "topic": "t", "partition": 2, "offset": 7, "timestamp": 5, "key": "k",
        "value": '{"a":1.10,"from":"t","at":7}',
        "headers": [{"name": "h", "value": "1.0"},
                    {"name": "h", "value": None}]}])


def test_defaults(case):
    c = sink(case, INSERT)
    found = answers(c, data="\n" + line(value="{}") + "  \n" + line())
    lib.equal([(r["topic"], r["partition"], r["offset"], r["timestamp"],
                r["key"], r["value"]) for r in found],
              [("orders", 0, 1, None, None, '{"from":"orders","at":1}'),
               ("orders", 0, 3, None, None, None)])
    found = answers(source(case), data=line(value="{}"))
    lib.equal((found[0]["topic"], found[0]["partition"], found[0]["offset"]),
              ("lines", None, None))


def test_source_is_no_sink(case):
    found = answers(source(case, INSERT), data=line(offset=3, value="{}"),
                    code=1)
    lib.check("Only SinkRecord supported" in found[0]["error"], found)
    lib.equal((found[0]["stage"], found[0]["offset"], found[0]["line"]),
              ("transform i", 3, 1))


def test_bytes(case):
    c = sink(case, value__converter="org.apache.kafka.connect.converters."
             "ByteArrayConverter")
    raw = bytes(range(256))
    coded = base64.b64encode(raw).decode()
    text = json.dumps({"value": {"base64": coded}}) + "\n" + \
        json.dumps({"value_base64": coded}) + "\n" + \
        json.dumps({"value": "\x00\u00e9\u2028\U0001f6a2\\\"\n"}) + "\n"
    props = lib.read(c).decode()
    lib.write(c, "\n".join(l for l in props.split("\n")
                           if not l.startswith("value.converter")) +
              "\nvalue.converter=org.apache.kafka.connect.converters."
              "ByteArrayConverter\n")
    found = answers(c, data=text)
    lib.equal([r["value"] for r in found],
              [{"base64": coded}, {"base64": coded},
               "\x00\u00e9\u2028\U0001f6a2\\\"\n"])


WRONG = [
    ("garbage", "invalid JSON"), ("[1]", "is an array"), ("5", "an integer"),
    ('{"valu":"x"}', 'unknown member "valu"'), ('{"a":1,"a":2}', "duplicate"),
    ('{"value":{"a":1}}', "text on the wire"), ('{"value":5}', "an integer"),
    ('{"value":{"base64":"%%"}}', "no base64"),
    ('{"value":{"base64":5}}', "must be a string"),
    ('{"key":"x","key_base64":"eA=="}', "both given"),
    ('{"partition":"x"}', '"partition" is a string'),
    ('{"partition":-1}', "0 or more"), ('{"partition":1.5}', "a fraction"),
    ('{"partition":2147483648}', "2147483647"), ('{"offset":true}', "boolean"),
    ('{"offset":99999999999999999999}', "too big"),
    ('{"timestamp":-5}', "must be from -1"), ('{"topic":5}', "an integer"),
    ('{"topic":"a/b"}', "no topic name"), ('{"topic":""}', "no topic name"),
    ('{"headers":{}}', "must be an array"), ('{"headers":[5]}', "header 1"),
    ('{"headers":[{"value":"x"}]}', 'no "name"'),
    ('{"headers":[{"name":"h"},{"name":"h","x":1}]}', "header 2 has the"),
    ('{"headers":[{"name":"h","value":[1]}]}', "header 1"),
    (b'{"value":"\xff"}', "UTF-8"), ('{"value":"\\ud800"}', "D800"),
    ('{"value":"x"', "invalid JSON"), ('{"value":"x"} y', "invalid JSON"),
    ("[" * 5000, "invalid JSON"),
]


def test_wrong_lines(case):
    """Each gives one error with its line number, and the next line runs."""
    lines = [w if isinstance(w, bytes) else w.encode() for w, _ in WRONG]
    good = line(value='{"a":1}').encode()
    found = answers(sink(case), code=1,
                    data=b"".join(w + b"\n" + good for w in lines))
    lib.equal(len(found), 2 * len(WRONG), "lines")
    for i, (wrong, why) in enumerate(WRONG):
        bad, fine = found[2 * i], found[2 * i + 1]
        lib.check(why in bad.get("error", ""), wrong[:60], bad)
        lib.equal(bad["line"], 2 * i + 1)
        lib.check("\n" not in bad["error"], bad)
        lib.equal(fine.get("value"), '{"a":1}')


def test_failing_records(case):
    c = sink(case, ("i", "InsertField$Value", {"topic.field": "t"}))
    found = answers(c, code=1, data=line(value="{") + line(value="[1]") +
                    line(value='{"x":1}'))
    lib.equal([r.get("stage") for r in found],
              ["value.converter", "transform i", None])
    lib.equal([r["offset"] for r in found], [0, 1, 2])


def test_dropped(case):
    lib.write(case.path("drop_odd.lua"), """
local tide = require "tidegate"
return tide.transform { record = function(r)
    if r.value.n % 2 == 1 then r:drop() elseif r.value.n == 2 then
        r:split().value.n = 20 end
end }
""")
    c = sink(case, ("d", "drop_odd", {}))
    found = answers("--plugin-path", case.folder, c, data="".join(
        line(value='{"n":%d}' % n, offset=n + 10) for n in (1, 2, 4)))
    lib.equal(found[0], {"dropped": True, "topic": "orders", "partition": 0,
                         "offset": 11, "line": 1})
    lib.equal([(r["value"], r["offset"]) for r in found[1:]],
              [('{"n":2}', 12), ('{"n":20}', 12), ('{"n":4}', 14)])


def test_stages(case):
    c = sink(case, INSERT, ("h", "HoistField$Value", {"field": "v"}))
    found = answers("--stages", c, data=line(value='{"a":1}') +
                    line(value="[1]"), code=1)
    lib.equal([r.get("stage") for r in found],
              ["decoded", "transform i", "transform h", None, "decoded",
               "transform i"])
    lib.equal([r.get("value") for r in found[:4]],
              ['{"a":1}', '{"a":1,"from":"orders","at":0}',
               '{"v":{"a":1,"from":"orders","at":0}}',
               '{"v":{"a":1,"from":"orders","at":0}}'])
    lib.check("error" in found[5] and "error" not in found[4], found)


def test_script_error_names_the_line(case):
    lib.write(case.path("broken.lua"), """local tide = require "tidegate"
return tide.transform { record = function(r)
    r.value.x = r.value.none.deeper
end }
""")
    c = sink(case, ("b", "broken", {}))
    found = answers("--plugin-path", case.folder, c, code=1,
                    data=line(value="{}") + line(value='{"none":{}}'))
    lib.check("broken.lua:3:" in found[0]["error"], found)
    lib.equal(found[1]["value"], '{"none":{}}')


def test_long_line_and_streaming(case):
    """10 MB in one line, and an answer before the next line is written."""
    c = sink(case, ("h", "HoistField$Value", {"field": "v"}))
    process = case.popen(lib.TIDEGATE, "try", c, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    big = "x" * (10 << 20)
    for text in ('{"a":1}', json.dumps(big), "null"):
        process.stdin.write(line(value=text).encode())
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        lib.equal(answer["value"], '{"v":%s}' % text)
    process.stdin.close()
    lib.equal(process.wait(30), 0)


def peak_kb(n, case):
    c = sink(case, ("h", "HoistField$Value", {"field": "v"}))
    path = case.path("many")
    with open(path, "w") as f:
        for i in range(n):
            f.write(line(value='{"id":%d,"text":"%s"}' % (i, "y" * 500)))
    script = ("import resource, subprocess, sys\n"
              "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, "
              "check=True)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    out = subprocess.run([sys.executable, "-c", script, lib.TIDEGATE, "try", c,
                          path], stdout=subprocess.PIPE, check=True,
                         env=dict(os.environ, ASAN_OPTIONS=os.environ.get(
                             "ASAN_OPTIONS", "") + ":quarantine_size_mb=4"))
    return int(out.stdout)


def test_bounded_memory(case):
    few, many = peak_kb(2000, case), peak_kb(40000, case)
    lib.check(many < few + 60000, few, "kB and", many, "kB")


def test_reader_that_goes_away(case):
    c = sink(case)
    path = case.path("many")
    lib.write(path, line(value='{"a":1}') * 100000)
    process = case.popen(lib.TIDEGATE, "try", c, path,
                         stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    lib.check(process.wait(60) in (0, 1), process.returncode)


def test_arguments(case):
    c = sink(case)
    for args, why in (
            ([], "the connector's file is missing"), (["none"], "none"),
            ([c, "none"], "cannot open none"), ([c, "-", "x"], "third file"),
            (["--cuont", "5", c], "did you mean"), (["--count", "5", c],
                                                    "need --topic"),
            (["--topic", "t", c, "x"], "remove it"),
            (["--topic", "t", "--offset", "5", c], "--partition"),
            (["--topic", "t", "--count", "x", c], "--count"),
            (["--worker", "none", c], "none")):
        _, err = tidegate("try", *args, code=2, data="")
        lib.check(why in err, args, err)
    out, _ = tidegate("try", "--help")
    lib.check("Usage: tidegate try" in out, out)
    lib.equal(tidegate("help", "try")[0], out, "help try")


def test_wrong_configuration(case):
    for steps, why in (([("m", "MaskField$Value", {})], "fields"),
                       ([("m", "MaskFeild$Value", {"fields": "a"})],
                        "MaskField")):
        _, err = tidegate("try", sink(case, *steps), code=2, data="")
        lib.check(why in err and "c.properties" in err, err)
    path = lib.properties(case.path("x.properties"), dict(
        SIMPLE, **{"name": "x", "connector.class": "com.acme.Unknown"}))
    _, err = tidegate("try", path, code=2, data="")
    lib.check("--source" in err, err)
    answers("--sink", path, data=line(value="{}"))


def test_converters_of_the_worker(case):
    c = lib.properties(case.path("c.json"), lib.sink("c", "none", "t"))
    lib.write(c, json.dumps(lib.sink("c", "none", "t")))
    _, err = tidegate("try", c, data=line(value="{}"), code=1)
    lib.check("using JsonConverter with schemas.enable=true" in err, err)
    w = lib.properties(case.path("w.properties"), SIMPLE)
    out, err = tidegate("try", "--worker", w, c, data=line(value="{}"))
    lib.check('"value":"{}"' in out and not err, out, err)


class Registry(http.server.BaseHTTPRequestHandler):
    """Knows one schema; asked holds the requests."""
    schema = json.dumps({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int"}]})
    asked = []

    def answer(self, status, body):
        self.asked.append("%s %s" % (self.command, self.path))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type",
                         "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        if self.path.startswith("/schemas/ids/1"):
            self.answer(200, {"schema": self.schema})
        else:
            self.answer(404, {"error_code": 40403, "message": "not found"})

    def do_POST(self):
        self.answer(404, {"error_code": 40403, "message": "not found"})

    def log_message(self, *_):
        pass


def test_no_schema_is_registered(case):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.cleanups.append(server.shutdown)
    config = dict(
        lib.sink("c", "none", "orders"), **lib.transforms(INSERT), **{
            "key.converter": STRING,
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url":
                "http://127.0.0.1:%d" % server.server_address[1]})
    record = {"base64": base64.b64encode(b"\0\0\0\0\1\2").decode()}
    c = lib.properties(case.path("avro.properties"), config)
    found = answers(c, data=line(value=record), code=1)
    lib.equal(found[0].get("stage"), "value.converter")
    lib.check("regist" in found[0]["error"], found)
    lib.check(Registry.asked and not any("/versions" in a and "POST" in a
                                         for a in Registry.asked),
              Registry.asked)
    del config["transforms"]
    c = lib.properties(case.path("plain.properties"), config)
    lib.equal(answers(c, data=line(value=record))[0]["value"],
              base64.b64decode(record["base64"]).decode())


def test_topic(case):
    if not lib.BOOTSTRAP:
        print("    (no broker: not tested)")
        return
    topic = lib.unique("try")
    lib.produce(topic, b"".join(b'k%d\t{"n":%d}\n' % (i, i)
                                for i in range(10)), "-K", "\t")
    c = sink(case, INSERT)
    found = answers("--topic", topic, "--count", "3", "--bootstrap",
                    lib.BOOTSTRAP, c)
    lib.equal([(r["key"], json.loads(r["value"])["at"]) for r in found],
              [("k7", 7), ("k8", 8), ("k9", 9)])
    found = answers("--topic", topic, "--bootstrap", lib.BOOTSTRAP, c)
    lib.equal([r["offset"] for r in found], list(range(10)))
    found = answers("--topic", topic, "--partition", "0", "--offset", "4",
                    "--count", "2", "--bootstrap", lib.BOOTSTRAP, c)
    lib.equal([r["offset"] for r in found], [4, 5])
    _, err = tidegate("try", "--topic", topic + "-none", "--bootstrap",
                      lib.BOOTSTRAP, c, code=2)
    lib.check("does not exist" in err, err)
    groups = subprocess.run(["kcat", "-b", lib.BOOTSTRAP, "-L", "-J"],
                            stdout=subprocess.PIPE).stdout
    lib.check(b"tidegate-try" not in groups, "a group was joined")
    process = case.popen(lib.TIDEGATE, "try", "--follow", "--count", "1",
                         "--topic", topic, "--bootstrap", lib.BOOTSTRAP, c,
                         stdout=subprocess.PIPE)
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        lib.produce(topic, b'new\t{"n":10}\n', "-K", "\t")
    lib.equal(json.loads(process.stdout.readline())["key"], "new")
    lib.equal(process.wait(10), 0)


# --- check -------------------------------------------------------------------

BAD = """# a connector with mistakes
name=x
connector.class=FileStreamSink
topics.regex=a(
fil=out
key.converter=org.apache.kafka.connect.storage.StrinConverter
value.converter.schemas.enable=false
errors.tolerance=some
errors.retry.timout=5
exactly.once.support=maybe
transforms=i,h,i
transforms.i.type=InsertField$Value
transforms.i.topic.field=t
transforms.i.replace.null.with.default=perhaps
transforms.h.type=HoistField$Value
transforms.h.feild=x
transforms.h.predicate=nope
transforms.zz.type=Foo
tasks.max=x
"""
FINDINGS = [
    ":4: error: topics.regex: ", ":5: warning: fil: .*did you mean 'file'",
    ":6: error: key.converter: .*did you mean",
    ":7: warning: value.converter.schemas.enable: .*no effect",
    ":8: error: errors.tolerance: ",
    ":9: warning: errors.retry.timout: .*'errors.retry.timeout'",
    ":10: error: exactly.once.support: ", ":11: error: transforms: .*twice",
    ":14: error: transforms.i.replace.null.with.default: ",
    ": error: transforms.h.field: Missing",
    ":16: warning: transforms.h.feild: ",
    ":17: error: transforms.h.predicate: ",
    ":18: warning: transforms.zz.type: .*not listed",
    ":19: error: tasks.max: ",
]


def test_check_connector(case):
    path = case.file("bad.properties", BAD)
    out, _ = tidegate("check", path, code=1)
    for f in FINDINGS:
        lib.check(re.search(re.escape(path) + f, out), f, "\n" + out)
    lib.equal(len(out.splitlines()), len(FINDINGS), "findings\n" + out)
    good = sink(case)
    out, _ = tidegate("check", good)
    lib.equal(out, "%s: ok (sink connector c, 1 task)\n" % good)


def test_check_json(case):
    path = case.file("c.json", '{"name":"x",\n"config":{"connector.class":'
                     '"FileStreamSource",\n  "topic":"",\n"batch.size":"0"}}')
    out, _ = tidegate("check", path, code=1)
    lib.check(path + ":3: error: topic: " in out, out)
    lib.check(path + ":4: error: batch.size: " in out, out)
    path = case.file("d.json", '{"name":"x",\n "connector.class":}')
    out, _ = tidegate("check", path, code=1)
    lib.check(out.startswith(path + ":2:"), out)


def test_check_what_create_refuses(case):
    """A worker and check agree about a configuration."""
    bad = sink(case, ("m", "MaskField$Value", {"fields": ""}))
    out, _ = tidegate("check", bad, code=1)
    lib.check("transforms.m.fields" in out, out)


def test_check_worker(case):
    path = case.file("w.properties", "offset.storage.file.filename=/tmp/x\n"
                     "key.converter=JsonConverter\nvalue.convertr=x\n"
                     "offset.flush.interval.ms=a\nplugin.path=/none\n")
    out, _ = tidegate("check", path, code=1)
    for f in (": error: value.converter: Missing",
              ":3: warning: value.convertr: Unknown configuration "
              "'value.convertr', did you mean 'value.converter'",
              ":4: error: offset.flush.interval.ms: ",
              ":5: warning: plugin.path: "):
        lib.check(path + f in out, f, "\n" + out)
    config = os.path.join(lib.SOURCE_DIR, "config")
    files = [os.path.join(config, f) for f in os.listdir(config)]
    out, _ = tidegate("check", *files)
    lib.check("warning" not in out and out.count(": ok (") == len(files), out)


def test_check_worker_is_used(case):
    """A worker file among the files gives the others its plugin.path."""
    lib.write(case.path("plugins", "mine.lua"), """
local tide = require "tidegate"
return tide.transform { record = function() end }
""")
    c = sink(case, ("m", "mine", {}))
    tidegate("check", c, code=1)
    w = lib.properties(case.path("w.properties"), dict(
        SIMPLE, **{"offset.storage.file.filename": case.path("off"),
                   "plugin.path": case.path("plugins")}))
    tidegate("check", c, w)
    tidegate("check", "--worker", w, c)
    tidegate("check", "--plugin-path", case.path("plugins"), c)


def test_check_plugins(case):
    head = 'local tide = require "tidegate"\n'
    for text, why in (
            (head + "return tide.transform {\n\nx y }\n", ":4: error: "),
            (head + "return tide.transform { recrd = 1 }\n", "recrd"),
            ("return 5\n", "returned a number"),
            (head + 'return tide.transform { config = { a = { type = "x" } },'
             ' record = function() end }', "a.lua: error: "),
            ("error('boom')\n", "boom")):
        path = case.file("a.lua", text)
        out, _ = tidegate("check", path, code=1)
        lib.check(why in out and out.startswith(path), why, out)
    path = case.file("a.lua", head + "return tide.transform { config = { a = "
                     "{} }, record = function() end }")
    out, _ = tidegate("check", path)
    lib.equal(out, path + ": ok (transform a, 1 settings)\n")


def test_check_globals(case):
    """Names that nobody defines, in branches that never run too."""
    path = case.file("a.lua", """local tide = require "tidegate"
count = 0
local function later() return undefinded.x end
return tide.transform { record = function(r)
    if r.value.never then
        retrun(later)
        total = count
    end
    return math.floor(tostring(total) and 1)
end }
""")
    out, _ = tidegate("check", path)
    lib.equal(out.splitlines(), [
        path + ":2: warning: 'count' is a global of this file; write local "
        "before it",
        path + ":3: warning: 'undefinded' is not defined",
        path + ":6: warning: 'retrun' is not defined",
        path + ":7: warning: 'total' is a global of this file; write local "
        "before it",
        path + ": ok (transform a, 0 settings)"])


def test_check_our_own_connectors(case):
    top = os.path.join(lib.SOURCE_DIR, "connectors")
    files = [os.path.join(top, name, f) for name in os.listdir(top)
             for f in ("source.lua", "sink.lua")
             if os.path.exists(os.path.join(top, name, f))]
    out, _ = tidegate("check", *files)
    lib.check("warning" not in out and
              out.count(": ok (") == len(files) >= 3, out)


def test_check_arguments(case):
    tidegate("check", code=2)
    _, err = tidegate("check", case.path("none"), code=2)
    lib.check("cannot open" in err, err)
    _, err = tidegate("check", "--wroker", "x", code=2)
    lib.check("did you mean" in err, err)


# --- new ---------------------------------------------------------------------

def test_new(case):
    for kind in ("transform", "predicate", "source", "sink"):
        folder = case.path(kind)
        out, _ = tidegate("new", kind, "my_" + kind, folder)
        files = out.splitlines()
        lib.equal(len(files), 3, "files")
        test = [f for f in files if f.endswith("test.sh")][0]
        plugin = [f for f in files if f.endswith(".lua")][0]
        example = [f for f in files if f.endswith(".properties")][0]
        done = subprocess.run(
            ["sh", test], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, TIDEGATE=lib.TIDEGATE), timeout=100)
        lib.check(done.returncode == 0 and b"ok" in done.stdout,
                  kind, done.stdout.decode())
        tidegate("check", "--plugin-path", folder, plugin, example)
        text = lib.read(plugin)
        lib.write(plugin, b"return nothing")
        done = subprocess.run(
            ["sh", test], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, TIDEGATE=lib.TIDEGATE), timeout=100)
        lib.check(done.returncode != 0, "the test passes a broken plugin")
        _, err = tidegate("new", kind, "my_" + kind, folder, code=1)
        lib.check("not overwritten" in err, err)
        lib.equal(lib.read(plugin), b"return nothing")
        lib.check(text, "empty plugin")


def test_new_arguments(case):
    for args in ([], ["transform"], ["thing", "x"], ["transform", "Big"],
                 ["transform", "a/b"], ["transform", ""],
                 ["transform", "x" * 61], ["sink", "a", "b", "c"]):
        tidegate("new", *args, code=2, cwd=case.folder)
    _, err = tidegate("new", "sink", "a",
                      os.path.join(case.folder, "none", "deep"), code=1)
    lib.check("cannot create" in err, err)
    lib.equal(os.listdir(case.folder), [])


lib.run(globals())
