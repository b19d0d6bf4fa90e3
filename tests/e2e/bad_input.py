"""Bad input: one clear sentence that names file, line and key, and exit
status 1, or a FAILED task. Everything the user can get wrong without a
debugger: files, properties, names, scripts, records, servers, disks, ports."""
# timeout: 200
import os
import re
import socket
import subprocess

import _lib as lib

lib.need_broker()


def fails(case, config, connectors, *patterns, **options):
    """The worker ends with 1 and one FATAL sentence that matches all of the
    patterns; nothing in the log looks like a crash."""
    worker = case.worker(config, connectors, wait=False, **options)
    worker.end(expect=1)
    log = worker.log()
    fatal = [l for l in log.splitlines() if " FATAL " in l]
    lib.check(len(fatal) == 1, "not one FATAL line:\n", log)
    for pattern in patterns:
        pattern = pattern.replace("WORKER", worker.files[0])
        for i, file in enumerate(worker.files[1:]):
            pattern = pattern.replace("CONNECTOR%d" % i, file)
        lib.check(re.search(pattern, fatal[0]) or
                  re.search(pattern, log[log.index(fatal[0]):]),
                  "no", pattern, "in:\n", log)
    lib.check("stack traceback" not in fatal[0], fatal[0])
    return log


def task_fails(case, connector, *patterns, config=None, name="c",
               produce=None):
    """The worker goes on; the task is FAILED and its trace matches."""
    worker = case.worker(dict({"plugin.path": case.path("plugins")},
                              **config or {}), [connector])
    worker.await_state(name, "FAILED")
    trace = worker.trace(name)
    for pattern in patterns:
        lib.check(re.search(pattern, trace), "no", pattern, "in the trace:\n",
                  trace)
    first = trace.splitlines()[0]
    lib.check("connector %s" % name in first or "%s-0" % name in first,
              "the first line does not name the connector:", first)
    lib.equal(worker.get("/health")["status"], "healthy", "/health")
    worker.stop()
    return trace


# --- files and properties ----------------------------------------------------

def test_missing_files(case):
    case.path("x")
    os.makedirs(case.path("plugins"))
    done = subprocess.run([lib.TIDEGATE, "standalone", case.path("none")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lib.equal(done.returncode, 1, "exit status")
    lib.check(case.path("none").encode() in done.stderr and
              b"No such file" in done.stderr, done.stderr)
    fails(case, {}, [case.path("none.properties")],
          re.escape(case.path("none.properties")), "No such file")
    # The folder of the file cannot be searched for: a directory in its place.
    fails(case, {}, [case.folder], re.escape(case.folder), "directory")


def test_missing_source_file(case):
    """Not there yet is no error: a warning, and it is awaited."""
    topic, file = lib.unique("miss"), case.path("later")
    worker = case.worker({}, [lib.source("c", file, topic)]).running("c")
    worker.await_(lambda: re.search(r"WARN .*%s" % re.escape(file),
                                    worker.log()), "a warning")
    lib.write(file, "here\n")
    worker.await_(lambda: lib.topic_count(topic) == 1, "the record")
    worker.stop()


def test_malformed_properties(case):
    good = lib.source("c", "x", "t")
    bad = case.file("bad.properties", "name=c\n# a comment\nfile=\\u12g4\n")
    fails(case, {}, [bad], re.escape(bad) + ":3", r"\\u12g4|\\u")
    bad = case.file("bad.json", '{"name": "c",\n "config": {"a": }}')
    fails(case, {}, [bad], re.escape(bad) + ":2")
    bad = case.file("binary.properties", b"name=c\n\0\0\n")
    fails(case, {}, [bad], re.escape(bad) + ":2", "NUL")
    bad = case.file("noname.properties", "file=x\n")
    fails(case, {}, [bad], re.escape(bad), "name")
    worker = {"offset.flush.interval.ms": "soon"}
    fails(case, worker, [good], "WORKER", "offset.flush.interval.ms", "soon")
    worker = case.file("w.properties", "bootstrap.servers=x:1\n")
    done = subprocess.run([lib.TIDEGATE, "standalone", worker],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lib.check(done.returncode == 1 and b"key.converter" in done.stderr and
              worker.encode() in done.stderr, done)
    fails(case, {"key.converter": "org.apache.kafka.connect.json.JsonConvertr"},
          [good], "key.converter|JsonConvertr", "JsonConvertr")
    fails(case, {"listeners": "nonsense"}, [good], r"WORKER:\d+",
          "listeners", "nonsense")


def test_bad_configurations(case):
    source = lib.source("c", "x", lib.unique("t"))
    cases = [
        (dict(source, topic=""), r"CONNECTOR0:\d+: .*topic"),
        ({k: v for k, v in source.items() if k != "topic"},
         r"CONNECTOR0.*topic"),
        (dict(source, **{"batch.size": "many"}),
         r"CONNECTOR0:5: .*many.*batch\.size"),
        (dict(source, **{"batch.size": "0"}), r"CONNECTOR0:5: .*batch\.size"),
        (dict(source, format="xml"), r"CONNECTOR0:5: .*xml.*format.*json"),
        (dict(source, **{"tasks.max": "none"}),
         r"CONNECTOR0:5: .*tasks\.max.*none"),
        (dict(source, **{"errors.tolerance": "some"}),
         r"CONNECTOR0:5: .*some.*errors\.tolerance"),
        (dict(source, transforms="a,b", **{"transforms.a.type":
                                           lib.JAVA + "MaskField$Value"}),
         r"transforms\.a\.fields|fields", r"transforms\.b\.type"),
        (dict(source, transforms="a", **{
            "transforms.a.type": lib.JAVA + "MaskFeld$Value",
            "transforms.a.fields": "x"}), r"MaskFeld", r"MaskField"),
        ({"name": "c", "connector.class": "FileStreamSink", "file": "x"},
         r"topics"),
    ]
    for connector, *patterns in cases:
        fails(case, {}, [connector], *patterns)


def test_unknown_class(case):
    log = fails(case, {}, [{"name": "c", "connector.class":
                            "FileStreemSource", "topic": "t"}],
                "CONNECTOR0:2", "FileStreemSource", "FileStreamSource")
    lib.check("did you mean" in log.lower(), log)
    fails(case, {}, [{"name": "c", "topic": "t"}], "connector.class")


def test_misspelt_key(case):
    """A key that the connector does not know is a warning that helps."""
    file = case.file("in", "1\n")
    worker = case.worker({}, [dict(lib.source("c", file, lib.unique("t")),
                                   **{"btach.size": "7"})]).running("c")
    lib.check(re.search(r"WARN .*btach\.size.*did you mean.*batch\.size",
                        worker.log()), worker.tail())
    worker.stop()


def test_two_of_one_name(case):
    a, b = lib.source("same", "x", "t"), lib.sink("same", "y", "t")
    fails(case, {}, [a, b], "CONNECTOR1:1", "CONNECTOR0:1", "same")


def test_port_in_use(case):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fails(case, {"listeners": "http://127.0.0.1:%d" % port}, [],
              r"WORKER:\d+: listeners", "port %d" % port, "in use")


def test_damaged_offsets(case):
    case.file("offsets", b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap\x05")
    fails(case, {}, [], r"WORKER:\d+", re.escape(case.path("offsets")),
          r"byte \d+", "damaged")
    case.file("offsets", b"no offsets at all")
    fails(case, {}, [], re.escape(case.path("offsets")), "damaged")
    fails(case, {"offset.storage.file.filename": case.path("no/such") + "/x/f"},
          [], r"WORKER:\d+", "offset.storage.file.filename", "No such file")


def test_broker_unreachable(case):
    """At the start: the worker ends and says where it looked."""
    for servers, says in (("127.0.0.1:1", "127.0.0.1:1"),
                          ("no-such-host.invalid:9092", "no-such-host"),
                          ("127.0.0.1", "bootstrap.servers")):
        fails(case, {"bootstrap.servers": servers,
                     "default.api.timeout.ms": "2000",
                     "request.timeout.ms": "1000"},
              [lib.source("c", "x", "t")], "bootstrap.servers", says)


# --- scripts -----------------------------------------------------------------

def test_script_errors_at_load(case):
    """Found when the plugin is loaded, before anything runs."""
    for name, text, *patterns in (
            ("syntax", 'local tide = require "tidegate"\nreturn tide.source {\n'
             "    poll = function( end,\n}\n", r"syntax\.lua:3"),
            ("toplevel", 'local tide = require "tidegate"\nlocal t = nil\n'
             "return tide.source(t.x)\n", r"toplevel\.lua:2|toplevel\.lua:3"),
            ("nothing", "return 5\n", r"nothing\.lua", "tide.source"),
            ("member", 'local tide = require "tidegate"\n'
             "return tide.source { pol = function() end }\n",
             r"member\.lua", "did you mean 'poll'")):
        case.file("plugins/%s.lua" % name, text)
        fails(case, {"plugin.path": case.path("plugins")},
              [{"name": "c", "connector.class": name}], *patterns)
    # In a transform's file.
    case.file("plugins/shout.lua", 'local tide = require "tidegate"\n'
              "return tide.transform { record = function(r) r.value = = 1 end }")
    fails(case, {"plugin.path": case.path("plugins")},
          [dict(lib.source("c", "x", "t"),
                **lib.transforms(("s", "shout", {})))], r"shout\.lua:2")


def test_script_errors_while_running(case):
    topic = lib.unique("script")
    lib.produce(topic, b'{"a":1}\n{"a":2}\n{"a":null}\n{"a":4}\n')
    case.file("plugins/apply.lua", """local tide = require "tidegate"
return tide.transform {
    record = function(r)
        r.value.b = r.value.a + 1
    end,
}
""")
    trace = task_fails(
        case, dict(lib.sink("c", case.path("out"), topic), **lib.transforms(
            ("plus", "apply", {}))), r"apply\.lua:4: ",
        r"%s-0@2|offset 2" % topic, "plus", config=lib.JSON)
    lib.check("stack traceback" in trace, trace)
    # What came before it in the batch is in the file, once.
    lib.equal(lib.lines(case.path("out")), [b'{"a":1,"b":2}',
                                            b'{"a":2,"b":3}'], "out")
    case.file("plugins/bad_source.lua", """local tide = require "tidegate"
return tide.source {
    poll = function(batch)
        local r = batch:append()
        r.topic = nil .. "x"
    end,
}
""")
    task_fails(case, {"name": "c", "connector.class": "bad_source"},
               r"bad_source\.lua:5: attempt to concatenate", "poll")
    case.file("plugins/bad_sink.lua", """local tide = require "tidegate"
return tide.sink {
    put = function(batch)
        for _, r in batch:each() do tide.log.info(r.value.a.b.c) end
    end,
}
""")
    task_fails(case, {"name": "c", "connector.class": "bad_sink",
                      "topics": topic},
               r"bad_sink\.lua:4: ", "put", config=lib.JSON)


# --- records -----------------------------------------------------------------

def test_invalid_json_in_a_record(case):
    topic, out = lib.unique("json"), case.path("out")
    lib.produce(topic, b'{"a":1}\n{"a":2}\n{"a":,}\n{"a":4}\n')
    task_fails(case, lib.sink("c", out, topic), "%s-0@2" % topic,
               r"value\.converter", "JSON|json", config=lib.JSON)
    lib.equal(lib.lines(out), [b'{"a":1}', b'{"a":2}'], "before it")
    # Tolerated, it is left out and counted.
    worker = case.worker(lib.JSON, [dict(
        lib.sink("d", case.path("out2"), topic), **{
            "errors.tolerance": "all", "errors.log.enable": "true",
            "errors.log.include.messages": "true"})])
    worker.await_lines(case.path("out2"), 3)
    lib.check(re.search(r"ERROR .*topic='%s', partition=0, offset=2" % topic,
                        worker.log()), worker.tail())
    worker.stop()
    lib.equal(lib.lines(case.path("out2")), [b'{"a":1}', b'{"a":2}',
                                             b'{"a":4}'], "the others")


def test_invalid_json_in_a_line(case):
    topic = lib.unique("json")
    file = case.file("in", '{"a":1}\n{"a":2}\n{"a"\n{"a":4}\n')
    task_fails(case, lib.source("c", file, topic, format="json"),
               re.escape(file), r'"position":21', config=lib.JSON)
    lib.equal(lib.values(topic), [b'{"a":1}', b'{"a":2}'], "before it")


def test_schema_missing(case):
    """JSON without its envelope where schemas.enable says there is one."""
    topic = lib.unique("envelope")
    lib.produce(topic, b'{"a":1}\n')
    task_fails(case, lib.sink("c", case.path("out"), topic),
               "%s-0@0" % topic, "schemas.enable", config={
                   "value.converter": lib.JSON["value.converter"],
                   "value.converter.schemas.enable": "true"})


def test_transform_does_not_fit(case):
    """A stock transform on a record that it cannot handle."""
    topic = lib.unique("fit")
    lib.produce(topic, b'{"a":1}\n[1,2]\n')
    task_fails(case, dict(lib.sink("c", case.path("out"), topic),
                          **lib.transforms(("m", "MaskField$Value",
                                            {"fields": "a"}))),
               "%s-0@1" % topic, r"\bm\b|MaskField", config=lib.JSON)


# --- servers and disks ---------------------------------------------------------

def test_output_disk_full(case):
    topic = lib.unique("full")
    lib.produce(topic, b"line\n" * 1000)
    task_fails(case, lib.sink("c", "/dev/full", topic), "/dev/full",
               "(?i)no space left")


def test_output_folder_missing(case):
    topic = lib.unique("folder")
    lib.produce(topic, b"line\n")
    out = case.folder + "/no/such/out"
    task_fails(case, lib.sink("c", out, topic), re.escape(out),
               "No such file")


def test_offsets_not_saved(case):
    """Offsets that cannot be written: said, what was there stays, and they
    are saved as soon as it works again."""
    file = case.file("in", "line\n" * 10)
    folder = case.path("folder")
    saved = folder + "/offsets"
    os.makedirs(folder)
    worker = case.worker({"offset.storage.file.filename": saved},
                         [lib.source("c", file, lib.unique("t"))]).running("c")
    worker.await_(lambda: lib.position(saved, "c", file) == 50, "the offset")
    os.rename(folder, folder + ".away")
    lib.write(file, "more\n", "a")
    worker.await_(lambda: re.search(r"(ERROR|WARN) .*" + re.escape(saved),
                                    worker.log()), "an error")
    lib.equal(lib.position(folder + ".away/offsets", "c", file), 50, "offset")
    lib.equal(worker.state("c"), "RUNNING", "the task")
    os.rename(folder + ".away", folder)
    worker.await_(lambda: lib.position(saved, "c", file) == 55, "the offset")
    worker.stop()


def test_record_too_large(case):
    """Larger than the broker takes: the task says so and how to allow it."""
    topic = lib.unique("large")
    file = case.file("in", "small\n" + "x" * 3000000 + "\n")
    task_fails(case, lib.source("c", file, topic), "3000000|3 MB|large",
               "max.request.size|message.max.bytes|max.message.bytes")


lib.run(globals())
