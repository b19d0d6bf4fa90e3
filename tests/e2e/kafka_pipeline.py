"""File -> transforms -> Kafka -> transforms -> file over a real broker: count,
content and order; keys, headers and timestamps; growing, rotated and truncated
files; what is stored as offset, and that a clean restart goes on exactly."""
# timeout: 280
import json
import os

import _lib as lib

lib.need_broker()


def stored(case, name, file):
    return lib.position(case.path("offsets"), name, file)


def test_json_transforms(case):
    n, topic = 60000, lib.unique("pipe")
    text = "".join('{"id":%d,"price":%d.10,"card":"4000-%d","city":"Köln",'
                   '"drop":null,"nested":{"a":[1,2.50,{}],"b":[]}}\n' % (
                       i, i, i) for i in range(n))
    file, out = case.file("in.jsonl", text), case.path("out.jsonl")
    worker = case.worker(lib.JSON, [
        dict(lib.source("src", file, topic, format="json"), **lib.transforms(
            ("mask", "MaskField$Value", {"fields": "card",
                                         "replacement": "****"}),
            ("add", "InsertField$Value", {"static.field": "from",
                                          "static.value": "file"}))),
        dict(lib.sink("snk", out, topic), **lib.transforms(
            ("name", "ReplaceField$Value", {"exclude": "drop",
                                            "renames": "city:town"}))),
    ])
    worker.await_lines(out, n)
    worker.stop()
    between = ['{"id":%d,"price":%d.10,"card":"****","city":"Köln",'
               '"drop":null,"nested":{"a":[1,2.50,{}],"b":[]},"from":"file"}'
               % (i, i) for i in range(n)]
    lib.same_lines(lib.values(topic), [b.encode() for b in between], "topic")
    after = [b.replace('"city"', '"town"').replace('"drop":null,', "")
             for b in between]
    lib.same_lines(lib.lines(out), [a.encode() for a in after], "file")
    first = lib.records(topic, more=("-c", "1"))[0]
    lib.check(first["key"] is None and "headers" not in first, first)
    lib.check(stored(case, "src", file) == os.path.getsize(file),
              lib.offsets(case.path("offsets")))


RELAY = """
local tide = require "tidegate"
return tide.transform {
    doc = "Copies what a record has beside its value into the value.",
    new = function()
        return function(batch)
            for _, r in batch:each() do
                local seen = {}
                for i, name in ipairs { "a", "b", "n" } do
                    local v = r.headers:get(name)
                    seen[i] = v ~= nil and tostring(v) or "-"
                end
                r.value = tostring(r.key) .. "|" .. r.value .. "|"
                    .. table.concat(seen, ",") .. "|" .. tostring(r.timestamp)
            end
        end
    end,
}
"""


def test_keys_and_headers(case):
    """Keys, headers and timestamps that others wrote reach a sink's chain."""
    topic, out = lib.unique("keys"), case.path("out")
    case.file("plugins/relay.lua", RELAY)
    lib.produce(topic, b"k1:v1\n:v2\nk3:v3\n", "-K", ":", "-Z",
                "-H", "a=1", "-H", "b=zwei")
    lib.produce(topic, b"v4\n")
    worker = case.worker({"plugin.path": case.path("plugins"),
                          "header.converter": "org.apache.kafka.connect."
                                              "storage.StringConverter"},
                         [dict(lib.sink("snk", out, topic),
                               **lib.transforms(("r", "relay", {})))])
    worker.await_lines(out, 4)
    worker.stop()
    times = [r["ts"] for r in lib.records(topic)]
    lib.same_lines([l.decode() for l in lib.lines(out)],
                   ["k1|v1|1,zwei,-|%d" % times[0],
                    "null|v2|1,zwei,-|%d" % times[1],
                    "k3|v3|1,zwei,-|%d" % times[2],
                    "null|v4|-,-,-|%d" % times[3]], "what the chain saw")


MARK = """
local tide = require "tidegate"
return tide.transform {
    doc = "Sets key, headers, timestamp and topic from the value k=v.",
    config = { other = { required = true, doc = "Topic of odd records." } },
    new = function(cfg)
        local n = 0
        return function(batch)
            for _, r in batch:each() do
                local k, v = r.value:match("^(%w+)=(.*)$")
                if k == "drop" then
                    r:drop()
                else
                    n = n + 1
                    r.key, r.value = k, v
                    r.headers:add("word", "x" .. v)
                    r.headers:add("word", "second")
                    r.timestamp = 1700000000000 + n
                    if n % 2 == 1 then r.topic = cfg.other end
                end
            end
        end
    end,
}
"""


def test_source_sets_everything(case):
    even, odd = lib.unique("even"), lib.unique("odd")
    case.file("plugins/mark.lua", MARK)
    file = case.file("in", "".join(
        "drop=me\n" if i % 10 == 0 else "key%d=value%d\n" % (i, i)
        for i in range(1, 1001)))
    worker = case.worker({"plugin.path": case.path("plugins"),
                          "header.converter": "org.apache.kafka.connect."
                                              "storage.StringConverter"},
                         [dict(lib.source("src", file, even),
                               **lib.transforms(("m", "mark",
                                                 {"other": odd})))])
    worker.await_(lambda: stored(case, "src", file) == os.path.getsize(file),
                  lambda: "offset %s" % stored(case, "src", file))
    worker.stop()
    kept = [i for i in range(1, 1001) if i % 10]
    for topic, rest in ((even, 0), (odd, 1)):
        expected = [("key%d" % i, "value%d" % i, 1700000000000 + n,
                     ["word", "xvalue%d" % i, "word", "second"])
                    for n, i in enumerate(kept, 1) if n % 2 == rest]
        found = [(r["key"], r["payload"], r["ts"], r["headers"])
                 for r in lib.records(topic)]
        lib.same_lines(found, expected, "%s, at offset %d" % (
            topic, lib.topic_count(topic)))


def tail_worker(case, file, out, topic):
    return case.worker({}, [lib.source("src", file, topic),
                            lib.sink("snk", out, topic)])


def test_tail(case):
    """A file that does not exist yet, grows, ends in half a line, is rotated,
    truncated, replaced by a shorter one."""
    topic, file, out = lib.unique("tail"), case.path("in"), case.path("out")
    worker = tail_worker(case, file, out, topic)
    expected = []

    def grows(text, mode="a"):
        lib.write(file, text, mode)
        expected.extend(text.encode().split(b"\n")[:-1])
        worker.await_lines(out, len(expected))
    worker.running("src")
    grows("one\ntwo\n")
    lib.write(file, "three is ", "a")
    whole = os.path.getsize(file) - len("three is ")
    worker.await_(lambda: stored(case, "src", file) == whole, "offset")
    lib.equal(lib.count_lines(out), 2, "half a line was sent: lines")
    lib.write(file, "whole\nfour\n", "a")
    expected += [b"three is whole", b"four"]
    worker.await_lines(out, 4)
    os.rename(file, file + ".1")
    lib.write(file + ".1", "late, in the old file\n", "a")
    expected.append(b"late, in the old file")
    grows("".join("new %d\n" % i for i in range(1000)), "w")
    grows("", "w")
    grows("after truncation\n")
    os.rename(file, file + ".2")
    grows("short\n", "w")
    grows("\n\n  \nempty lines\r\nwith carriage return\n")
    worker.stop()
    expected[expected.index(b"empty lines\r")] = b"empty lines"
    lib.same_lines(lib.lines(out), expected, "out")
    lib.check(stored(case, "src", file) == os.path.getsize(file),
              "offset", stored(case, "src", file))


def test_long_lines(case):
    """Lines of several megabytes, between short ones."""
    topic, file, out = lib.unique("long"), case.path("in"), case.path("out")
    sizes = [5, 3000000, 0, 1, 6500000, 100000, 4194304, 7]
    data = b"".join(bytes([97 + i]) * n + b"\n" for i, n in enumerate(sizes))
    topics = {"topic.creation.default.replication.factor": 1,
              "topic.creation.default.partitions": 1,
              "topic.creation.default.max.message.bytes": 8000000}
    lib.write(file, data)
    worker = case.worker(
        {"producer.max.request.size": 8000000,
         "consumer.max.partition.fetch.bytes": 8000000},
        [dict(lib.source("src", file, topic), **topics),
         lib.sink("snk", out, topic)])
    worker.await_lines(out, len(sizes))
    worker.stop()
    lib.equal([len(l) for l in lib.lines(out)], sizes, "lengths")
    lib.check(lib.read(out) == data, "content differs")


def test_clean_restarts(case):
    """Stopped while records flow, again and again: nothing lost or twice."""
    n, rounds, topic = 60000, 5, lib.unique("restart")
    file, out = case.file("in"), case.path("out")
    for i in range(rounds):
        lib.write(file, "".join("%07d %s\n" % (k, "x" * 60) for k in range(
            i * n, (i + 1) * n)), "a")
        before = lib.count_lines(out)
        worker = tail_worker(case, file, out, topic)
        worker.await_lines(out, before + 1)
        worker.stop()
        lib.equal(stored(case, "src", file),
                  lib.topic_count(topic) * 69, "offset after a clean stop")
    worker = tail_worker(case, file, out, topic)
    worker.await_lines(out, rounds * n)
    lib.write(file, "end\n", "a")
    worker.await_lines(out, rounds * n + 1)
    worker.stop()
    lib.same_lines([int(l.split()[0]) for l in lib.lines(out)[:-1]],
                   list(range(rounds * n)), "out")
    lib.equal(lib.topic_count(topic), rounds * n + 1, "records in the topic")


def test_many_partitions_and_tasks(case):
    """Four sink tasks share a topic of four partitions: each record once."""
    topic, n = lib.unique("parts"), 12000
    plugin = """
    local tide = require "tidegate"
    return tide.sink {
        doc = "A file for each task.",
        config = { dir = { required = true, doc = "Folder." },
            part = { default = "", doc = "File in it." } },
        tasks = function(cfg, max)
            local parts = {}
            for i = 1, max do parts[i] = { part = i } end
            return parts
        end,
        start = function(ctx)
            OUT = assert(tide.writer(ctx.config.dir .. "/" .. ctx.config.part))
        end,
        put = function(batch) assert(OUT:put(batch)) end,
        flush = function() assert(OUT:flush(true)) end,
    }"""
    case.file("plugins/spread.lua", plugin.replace("OUT", "out").replace(
        "return tide.sink", "local out\n    return tide.sink"))
    os.makedirs(case.path("dir"))
    made = {"connector.class": "datagen", "topic": topic, "kind": "numbers",
            "topic.creation.default.partitions": 4,
            "topic.creation.default.replication.factor": 1}
    # The topic first: a consumer would have the broker make it, with one.
    worker = case.worker(lib.JSON, [dict(made, name="make", count=1)])
    worker.await_(lambda: worker.metric("tidegate_task_records_out_total",
                                        "make") == 1, "the topic")
    worker.stop()
    worker = case.worker(
        dict(lib.JSON, **{"plugin.path": case.path("plugins")}),
        [dict(made, name="gen", count=n, rate=3000, **{"tasks.max": 2}),
         {"name": "snk", "connector.class": "spread", "tasks.max": 4,
          "topics": topic, "dir": case.path("dir")}])

    def files():
        return [case.path("dir", f) for f in os.listdir(case.path("dir"))]
    worker.await_(lambda: sum(map(lib.count_lines, files())) > n,
                  lambda: "%s lines" % sum(map(lib.count_lines, files())))
    worker.stop()
    numbers = sorted(json.loads(l)["n"] for f in files() for l in lib.lines(f))
    lib.same_lines(numbers, [0] + list(range(n)), "numbers")
    lib.equal(sum(1 for f in files() if lib.count_lines(f)), 4,
              "tasks that wrote")


lib.run(globals())
