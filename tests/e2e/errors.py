"""What happens to records that fail, in sinks and sources, over a real broker:
every stage with errors.tolerance none and all, dead letters with the bytes they
came with and Kafka Connect's context headers, retries, the culprit of a put
that raises, and that offsets never pass what is neither delivered nor kept."""
# timeout: 300
import json
import os
import socket
import struct
import subprocess

import _lib as lib

lib.need_broker()

SDK = 'local tide = require "tidegate"\n'

COLLECT = SDK + """
local out, calls, seen
return tide.sink {
    config = {
        file = { required = true },
        mode = { default = "" },
        times = { type = "int", default = 0 },
    },
    start = function(ctx)
        out, calls = assert(io.open(ctx.config.file, "a")), 0
    end,
    put = function(batch, ctx)
        local mode, bad = ctx.config.mode, {}
        calls = calls + 1
        if calls <= ctx.config.times then
            error(tide.retriable("the well is dry, call " .. calls))
        end
        for i, r in batch:each() do
            local v = tide.str(r.value)
            if mode == "reject" and v:find("bad") then
                r:reject("no such thing as " .. v)
            elseif mode == "broken" then
                error("nobody answers")
            elseif mode == "raise" and v:find("bad") then
                error("cannot stand " .. v)
            elseif mode == "fatal" and v:find("bad") then
                error(tide.fatal("that was it, said " .. v))
            elseif mode == "late" and v:find("bad") then
                bad[#bad + 1] = v
            elseif mode == "done" then
                if v:find("bad") then error("not this one: " .. v) end
                out:write(v, "\\n")
                r:done()
            elseif mode == "mixed" then
                if v:find("bad") then r:reject("no such thing as " .. v) end
                if #batch > 1 and i == #batch then error("I lost my way") end
            end
        end
        if #bad > 0 then error("some of them: " .. #bad) end
        if mode == "done" then return end
        for _, r in batch:each() do
            if r.value ~= nil then out:write(tide.str(r.value), "\\n") end
        end
    end,
    flush = function() assert(out:flush()) end,
    stop = function() out:close() end,
}
"""

PICKY = SDK + """
return tide.transform {
    config = {
        mode = { default = "raise" },
        word = { default = "worse" },
        times = { type = "int", default = 0 },
        look = { type = "boolean", default = false },
    },
    new = function(cfg)
        local failed = 0
        return function(batch)
            for _, r in batch:each() do
                local v = tide.str(r.value)
                if cfg.look then
                    local _ = r.key
                end
                if v:find(cfg.word) then
                    if cfg.mode == "reject" then
                        r:reject("I do not like " .. v)
                    elseif cfg.mode == "retriable" then
                        failed = failed + 1
                        if failed <= cfg.times then
                            error(tide.retriable("not now, " .. failed))
                        end
                    else
                        error("I cannot do " .. v)
                    end
                end
            end
        end
    end,
}
"""

JSON = "org.apache.kafka.connect.json.JsonConverter"
STRING = "org.apache.kafka.connect.storage.StringConverter"
DATA = "org.apache.kafka.connect.errors.DataException"
CONNECT = "org.apache.kafka.connect.errors.ConnectException"
RETRIABLE = "org.apache.kafka.connect.errors.RetriableException"
DLQ = "errors.deadletterqueue."


def plugins(case):
    case.file("plugins/collect/sink.lua", COLLECT)
    case.file("plugins/picky.lua", PICKY)
    return {"plugin.path": case.path("plugins")}


def collector(case, name, topic, **more):
    return dict({"name": name, "connector.class": "collect",
                 "file": case.path("out-" + name), "topics": topic,
                 "errors.log.enable": "true"}, **lib.dotted(more))


def picky(**more):
    return lib.transforms(("p", "picky", more))


def dead(topic, context=True):
    return {DLQ + "topic.name": topic,
            DLQ + "topic.replication.factor": "1",
            DLQ + "context.headers.enable": str(context).lower()}


ALL = {"errors.tolerance": "all"}


def headers(record):
    flat = record.get("headers") or []
    return list(zip(flat[::2], flat[1::2]))


def context_of(record):
    return {k[len("__connect.errors."):]: v for k, v in headers(record)
            if k.startswith("__connect.errors.")}


NAMES = ["topic", "partition", "offset", "connector.name", "task.id", "stage",
         "class.name", "exception.class.name", "exception.message",
         "exception.stacktrace"]


def check_context(record, connector, topic, offset, stage, class_name,
                  exception, message):
    found = [k for k, _ in headers(record)
             if k.startswith("__connect.errors.")]
    lib.equal(found, ["__connect.errors." + n for n in NAMES], "header names")
    c = context_of(record)
    lib.equal([c[n] for n in NAMES[:8]],
              [topic, "0", str(offset), connector, "0", stage, class_name,
               exception], "context of offset %d" % offset)
    lib.check(message in c["exception.message"], message, "is not in",
              c["exception.message"])
    lib.check(c["exception.stacktrace"].startswith(
        exception + ": " + c["exception.message"]), c["exception.stacktrace"])


def trace(worker, name):
    status = worker.ask("GET", "/connectors/%s/status" % name).json()
    return status["tasks"][0].get("trace", "")


def committed(name, topic, partition=0):
    """Offset of the sink's group for a partition, None when there is none: an
    OffsetFetch request of version 1 by hand."""
    def text(x):
        return struct.pack(">h", len(x)) + x.encode()
    body = struct.pack(">hhi", 9, 1, 1) + text("test") + \
        text("connect-" + name) + struct.pack(">i", 1) + text(topic) + \
        struct.pack(">ii", 1, partition)
    host, port = lib.BOOTSTRAP.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 20) as s:
        s.sendall(struct.pack(">i", len(body)) + body)
        f = s.makefile("rb")
        answer = f.read(struct.unpack(">i", f.read(4))[0])
    at = 4 + 4 + 2 + len(topic) + 4 + 4
    offset = struct.unpack(">q", answer[at:at + 8])[0]
    return None if offset < 0 else offset


def errors(worker, name):
    return {m: worker.metric("kafka_connect_task_error_" + m, name) for m in (
        "total_record_failures", "total_record_errors",
        "total_records_skipped", "total_retries", "total_errors_logged",
        "deadletterqueue_produce_requests",
        "deadletterqueue_produce_failures")}


def counted(n, logged=None, letters=None, skipped=None, retries=0,
            failures=None):
    return {"total_record_failures": n if failures is None else failures,
            "total_record_errors": n,
            "total_records_skipped": n if skipped is None else skipped,
            "total_retries": retries,
            "total_errors_logged": n if logged is None else logged,
            "deadletterqueue_produce_requests": n if letters is None
            else letters,
            "deadletterqueue_produce_failures": 0}


# --- sinks -----------------------------------------------------------------

def test_sink_tolerates(case):
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, b'k1|{"n":1}\nk2|{broken\n"k3"|{"n":"worse"}\n'
                b'"k4"|{"n":"bad"}\n"k5"|{"n":5}\n', "-K", "|",
                "-H", "color=blue", "-H", "empty=")
    worker = case.worker(dict(plugins(case), **{
        "key.converter": JSON, "key.converter.schemas.enable": "false",
        "value.converter": JSON, "value.converter.schemas.enable": "false"}), [
        dict(collector(case, name, topic, mode="reject"), **ALL, **dead(dlq),
             **picky(look="true"))])
    out = case.path("out-" + name)
    worker.await_lines(out, 1)
    worker.await_(lambda: lib.topic_count(dlq) == 4, "four letters")
    worker.await_(lambda: committed(name, topic) == 5, "the commit")
    lib.equal(lib.lines(out), [b'{"n":5}'], "what was put")
    letters = sorted(lib.records(dlq), key=lambda r: int(
        context_of(r)["offset"]))
    sent = lib.records(topic)
    for letter, was in zip(letters, sent):
        for what in ("key", "payload", "ts", "tstype"):
            lib.equal(letter[what], was[what], what)
        lib.equal(headers(letter)[:2], headers(was), "original headers")
    check_context(letters[0], name, topic, 0, "KEY_CONVERTER", JSON, DATA, "")
    check_context(letters[1], name, topic, 1, "VALUE_CONVERTER", JSON, DATA, "")
    check_context(letters[2], name, topic, 2, "TRANSFORMATION", "picky",
                  CONNECT, "picky.lua:27: I cannot do")
    lib.check("stack traceback" in context_of(letters[2])
              ["exception.stacktrace"], letters[2])
    check_context(letters[3], name, topic, 3, "TASK_PUT",
                  "org.apache.kafka.connect.sink.SinkTask", DATA,
                  "no such thing as")
    lib.equal(errors(worker, name), counted(4), "metrics")
    at = worker.metric("kafka_connect_task_error_last_error_timestamp", name)
    lib.check(at > sent[0]["ts"], "last error at", at)
    lib.check("Error encountered in task %s-0. Executing stage "
              "'VALUE_CONVERTER' with class '%s'" % (name, JSON)
              in worker.log(), worker.tail())
    worker.stop()


def fails(case, lines, expected, in_trace, at, config, **more):
    """A sink with errors.tolerance=none: `expected` is what it has put, and
    the record at offset `at` is dead-lettered."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, lines, "-K", "|")
    worker = case.worker(dict(plugins(case), **config), [
        dict(collector(case, name, topic, **more), **dead(dlq))])
    worker.await_state(name, "FAILED")
    first = trace(worker, name).split("\n")[0]
    for part in ["Sink connector %s, task 0" % name,
                 "%s-0@%d" % (topic, at)] + in_trace:
        lib.check(part in first, repr(part), "is not in", first)
    lib.equal(lib.lines(case.path("out-" + name)), expected, "what was put")
    lib.equal(committed(name, topic), at or None, "offset")
    worker.stop()
    return [context_of(r) for r in lib.records(dlq)]


def test_sink_none(case):
    json_values = {"value.converter": JSON,
                   "value.converter.schemas.enable": "false",
                   "key.converter": JSON,
                   "key.converter.schemas.enable": "false"}
    lines = b'"a"|1\n"b"|2\n"c"|%s\n"d"|4\n'
    good = [b"1", b"2"]
    found = fails(case, lines % b"{", good, ["value.converter failed"], 2,
                  json_values)
    lib.equal([c["stage"] for c in found], ["VALUE_CONVERTER"], "letters")
    found = fails(case, (lines % b"3").replace(b'"c"', b"c"), good,
                  ["key.converter failed"], 2,
                  json_values, **picky(look="true"))
    lib.equal([c["stage"] for c in found], ["KEY_CONVERTER"], "letters")
    found = fails(case, lines % b'"worse"', good,
                  ["transform p failed", "picky.lua:27: I cannot do worse",
                   "errors.tolerance=all"], 2, json_values, **picky())
    lib.equal([c["stage"] for c in found], ["TRANSFORMATION"], "letters")
    found = fails(case, lines % b'"bad"', good + [b"4"],
                  ["put failed", "no such thing as bad"], 2, json_values,
                  mode="reject")
    lib.equal([c["stage"] for c in found], ["TASK_PUT"], "letters")
    # the raised error of a put is no record's, as in Kafka Connect
    found = fails(case, b'"a"|"bad"\n', [],
                  ["put failed near the record", "sink.lua:26: cannot stand",
                   "errors.tolerance=all"], 0, json_values, mode="raise")
    lib.equal(found, [], "letters")


def test_log_of_tolerated(case):
    """Without a dead-letter topic: skipped, counted, logged with the place."""
    topic, name = lib.unique("in"), lib.unique("snk")
    lib.produce(topic, b"one\nworse\nthree\n")
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic), **ALL, **picky(mode="reject"),
             **{"errors.log.include.messages": "true"})])
    worker.await_lines(case.path("out-" + name), 2)
    worker.await_(lambda: committed(name, topic) == 3, "the commit")
    lib.check("Executing stage 'TRANSFORMATION' with class 'picky', where "
              "consumed record is {topic='%s', partition=0, offset=1, "
              "timestamp=" % topic in worker.log(), worker.tail())
    lib.check("I do not like worse" in worker.log(), worker.tail())
    lib.equal(errors(worker, name), counted(1, letters=0), "metrics")
    worker.stop()


# --- the culprit of a put --------------------------------------------------

def put_with(case, mode, values, culprits, log=""):
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, "".join(v + "\n" for v in values).encode())
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic, mode=mode), **ALL, **dead(dlq))])
    worker.await_(lambda: committed(name, topic) == len(values),
                  "everything to be committed")
    put = lib.lines(case.path("out-" + name))
    lib.same_lines(put, [v.encode() for v in values if "bad" not in v], mode)
    letters = lib.records(dlq)
    lib.equal([r["payload"] for r in letters], culprits, "letters")
    for r in letters:
        c = context_of(r)
        lib.equal((c["stage"], c["exception.class.name"]),
                  ("TASK_PUT", CONNECT), "context")
        lib.check(log in c["exception.message"], c)
    worker.stop()


def test_put_that_raises(case):
    values = ["value %d" % i for i in range(700)]
    for i in (0, 300, 301, 555, 699):
        values[i] = "bad %d" % i
    bad = [v for v in values if "bad" in v]
    # at the culprit, nothing written yet: its neighbours arrive once
    put_with(case, "raise", values, bad, "sink.lua:26: cannot stand bad")
    # behind the loop: no hint at all
    put_with(case, "late", values, bad, "some of them: 1")


def test_put_marks_done(case):
    """What put has written before it raises shows that the sink works, and
    nothing is put twice."""
    values = ["ok 1", "bad 2", "ok 3", "bad 4"]
    put_with(case, "done", values, [values[1], values[3]], "not this one")


def test_put_alone(case):
    put_with(case, "raise", ["bad"], ["bad"])


def test_put_rejects_and_raises(case):
    """The only record left when put raised need not be the cause of it."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, b"bad 1\nok 2\n")
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic, mode="mixed"), **ALL, **dead(dlq))])
    worker.await_(lambda: committed(name, topic) == 2, "the commit")
    lib.equal(lib.lines(case.path("out-" + name)), [b"ok 2"], "put")
    lib.equal(lib.values(dlq), [b"bad 1"], "letters")
    worker.stop()


def test_broken_sink(case):
    """Not one record passes: the sink is at fault, nothing is skipped."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, b"".join(b"v%d\n" % i for i in range(50)))
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic, mode="broken"), **ALL, **dead(dlq))])
    worker.await_state(name, "FAILED")
    first = trace(worker, name).split("\n")[0]
    lib.check("put failed for each of" in first and "nobody answers" in first,
              first)
    lib.equal(committed(name, topic), None, "offset")
    lib.equal(lib.topic_count(dlq), 0, "letters")
    worker.stop()


def test_fatal(case):
    topic, name = lib.unique("in"), lib.unique("snk")
    lib.produce(topic, b"one\nbad\n")
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic, mode="fatal"), **ALL)])
    worker.await_state(name, "FAILED")
    lib.check("that was it, said bad" in trace(worker, name).split("\n")[0],
              trace(worker, name))
    worker.stop()


def test_put_retried(case):
    topic, name = lib.unique("in"), lib.unique("snk")
    lib.produce(topic, b"one\ntwo\n")
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic, times="3"),
             **{"errors.retry.delay.max.ms": "400"})])
    worker.await_lines(case.path("out-" + name), 2)
    lib.equal(lib.lines(case.path("out-" + name)), [b"one", b"two"], "put")
    lib.equal(worker.metric("kafka_connect_task_error_total_retries", name),
              3.0, "retries")
    worker.stop()


# --- retries of transforms -------------------------------------------------

def retrying(case, timeout, times, **more):
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, b"one\ntwo\nworse\nfour\n")
    config = dict(collector(case, name, topic), **dead(dlq),
                  **picky(mode="retriable", times=str(times)))
    config.update({"errors.retry.timeout": str(timeout)}, **more)
    worker = case.worker(plugins(case), [config])
    return worker, name, topic, dlq


def test_retry_succeeds(case):
    worker, name, _, dlq = retrying(
        case, -1, 4, **{"errors.retry.delay.max.ms": "500"})
    worker.await_lines(case.path("out-" + name), 4)
    lib.equal(lib.lines(case.path("out-" + name)),
              [b"one", b"two", b"worse", b"four"], "put")
    # the call over the whole batch is the first of the four
    lib.equal(errors(worker, name), counted(
        0, letters=0, retries=3, failures=3), "metrics")
    worker.stop()
    lib.equal(lib.topic_count(dlq), 0, "letters")


def test_retry_ends(case):
    worker, name, topic, dlq = retrying(
        case, 700, 1000, **dict(ALL, **{"errors.retry.delay.max.ms": "300"}))
    worker.await_(lambda: committed(name, topic) == 4, "the commit")
    lib.equal(lib.lines(case.path("out-" + name)), [b"one", b"two", b"four"],
              "put")
    found = lib.records(dlq)
    lib.equal(len(found), 1, "letters")
    check_context(found[0], name, topic, 2, "TRANSFORMATION", "picky",
                  RETRIABLE, "not now")
    lib.check(errors(worker, name)["total_retries"] >= 2,
              errors(worker, name))
    worker.stop()


def test_retry_without_limit_stops_at_once(case):
    """The consumer stays in its group, REST sees a live task, and a stop does
    not wait for the next try."""
    worker, name, topic, _ = retrying(case, -1, 10 ** 9, **{
        "consumer.override.session.timeout.ms": "6000",
        "consumer.override.max.poll.interval.ms": "6000",
        "errors.retry.delay.max.ms": "60000"})
    worker.await_(lambda: worker.metric(
        "kafka_connect_task_error_total_retries", name) >= 5, "5 retries",
        30)
    lib.produce(topic, b"five\n")
    lib.equal(worker.state(name), "RUNNING", "state")
    lib.check("max.poll.interval" not in worker.log() and
              "ebalanc" not in worker.log().split("RUNNING", 1)[1],
              worker.tail())
    worker.stop(seconds=5)
    lib.equal(lib.count_lines(case.path("out-" + name)), 0, "put")


# splits each record; the first calls fail behind some of the splits
SPLIT = SDK + """
return tide.transform {
    config = { times = { type = "int", default = 0 } },
    new = function(cfg)
        local failed = 0
        return function(batch)
            for _, r in batch:each() do
                local v = tide.str(r.value)
                if v:find("worse") and failed < cfg.times then
                    failed = failed + 1
                    error(tide.retriable("not now, " .. failed))
                end
                local other = r:split()
                other.value = v .. " again"
            end
        end
    end,
}
"""


def test_rebalance_while_retrying(case):
    """Another member takes a partition while a batch of both waits in the
    chain: nothing is lost, and the member that waits goes on."""
    topic, name = lib.unique("in"), lib.unique("snk")
    case.file("plugins/splitter.lua", SPLIT)
    kafka("kafka-topics", "--create", "--topic", topic, "--partitions", "2")
    values = ["%s %d" % ("worse" if i % 20 == 9 else "v", i)
              for i in range(40)]
    for p in (0, 1):
        lib.produce(topic, "".join(v + "\n" for v in values[p::2]).encode(),
                    "-p", str(p))

    def member(out, times):
        return case.worker(dict(plugins(case), **{
            "offset.storage.file.filename": case.path("offsets-" + out)}), [
            dict(collector(case, name, topic), **{
                "file": case.path(out), "errors.retry.timeout": "-1",
                "errors.retry.delay.max.ms": "400",
                "consumer.override.session.timeout.ms": "6000",
                **lib.transforms(("s", "splitter", {"times": str(times)}))})])

    first = member("out-first", 30)
    first.await_(lambda: first.metric(
        "kafka_connect_task_error_total_retries", name) >= 3, "retries", 30)
    second = member("out-second", 0)
    second.await_lines(case.path("out-second"), 40)
    first.await_(lambda: committed(name, topic, 0) == 20 and
                 committed(name, topic, 1) == 20, "the commits")
    second.stop()
    first.stop()
    both = lib.lines(case.path("out-first")) + lib.lines(
        case.path("out-second"))
    lib.check(lib.count_lines(case.path("out-first")) >= 40, "the first waits")
    lib.same_lines(sorted(set(both)), sorted(
        x for v in values for x in (v.encode(), v.encode() + b" again")),
        "put")


# --- sources ---------------------------------------------------------------

BIG = '"%s"' % ("x" * 3000)


def file_source(case, name, topic, text, **more):
    return dict(lib.source(name, case.file("in-" + name, text), topic,
                           format="json"),
                **{"errors.log.enable": "true",
                   "value.converter": JSON,
                   "value.converter.schemas.enable": "false",
                   "producer.override.max.request.size": "2500",
                   "producer.override.enable.idempotence": "false",
                   }, **lib.dotted(more))


def test_source_stages(case):
    topic, name, dlq = (lib.unique(x) for x in ("out", "src", "dlq"))
    text = '{"n":1}\n{broken\n{"n":"worse"}\n{"n":5}\n'
    config = dict(file_source(case, name, topic, text), **ALL, **dead(dlq),
                  **lib.transforms(("p", "picky", {}),
                                   ("i", "InsertField$Value", {
                                       "static.field": "x",
                                       "static.value": "y"})))
    worker = case.worker(plugins(case), [config])
    file = case.path("in-" + name)
    lib.await_(lambda: lib.position(case.path("offsets"), name, file) ==
               len(text), "the last offset")
    lib.equal(lib.values(topic), [b'{"n":1,"x":"y"}', b'{"n":5,"x":"y"}'],
              "sent")
    letters = lib.records(dlq)
    lib.equal([r["payload"] for r in letters], ["{broken", '{"n":"worse"}'],
              "letters")
    contexts = [context_of(r) for r in letters]
    lib.equal([c["stage"] for c in contexts],
              ["VALUE_CONVERTER", "TRANSFORMATION"], "stages")
    for c, at in zip(contexts, (16, 30)):
        lib.equal((c["topic"], json.loads(c["partition"]),
                   json.loads(c["offset"])),
                  (topic, {"filename": file}, {"position": at}), "origin")
    lib.equal(errors(worker, name), counted(2), "metrics")
    worker.stop()


def test_source_none(case):
    topic, name, dlq = (lib.unique(x) for x in ("out", "src", "dlq"))
    text = '{"n":1}\n{"n":"worse"}\n{"n":5}\n'
    config = dict(file_source(case, name, topic, text), **dead(dlq),
                  **picky())
    worker = case.worker(plugins(case), [config])
    worker.await_state(name, "FAILED")
    first = trace(worker, name).split("\n")[0]
    for part in ("Source connector %s, task 0: transform p failed" % name,
                 '{"position":22}', "picky.lua:27", dlq):
        lib.check(part in first, repr(part), "is not in", first)
    lib.equal(lib.values(topic), [b'{"n":1}'], "sent")
    lib.equal([r["payload"] for r in lib.records(dlq)], ['{"n":"worse"}'],
              "letters")
    lib.equal(lib.position(case.path("offsets"), name,
                           case.path("in-" + name)), 8, "offset")
    worker.stop()


def test_source_too_large(case):
    """One producer may send what another may not: the letter of a record that
    is too large for a topic goes through."""
    topic, name, dlq = (lib.unique(x) for x in ("out", "src", "dlq"))
    text = '{"n":1}\n%s\n{"n":3}\n' % BIG
    config = file_source(case, name, topic, text)
    del config["producer.override.max.request.size"]
    kafka("kafka-topics", "--create", "--topic", topic, "--config",
          "max.message.bytes=2000")
    worker = case.worker(plugins(case), [dict(config, **ALL, **dead(dlq))])
    file = case.path("in-" + name)
    lib.await_(lambda: lib.position(case.path("offsets"), name, file) ==
               len(text), "the last offset")
    lib.equal(lib.values(topic), [b'{"n":1}', b'{"n":3}'], "sent")
    letters = lib.records(dlq)
    lib.equal([r["payload"] for r in letters], [BIG], "letters")
    lib.equal(context_of(letters[0])["stage"], "KAFKA_PRODUCE", "stage")
    worker.stop()


BLANK = SDK + """
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do
                local v = r.value
                if not v:find("bad") then r.key = v end
                r.value = nil
            end
        end
    end,
}
"""


def test_source_culprit_among_tombstones(case):
    """A compacted topic refuses the request with a record without a key: that
    record is the one that is left out, although all look alike."""
    topic, name, dlq = (lib.unique(x) for x in ("out", "src", "dlq"))
    names = ["bad" if i in (5, 6, 30) else "k%d" % i for i in range(40)]
    text = "".join(n + "\n" for n in names)
    case.file("plugins/blank.lua", BLANK)
    kafka("kafka-topics", "--create", "--topic", topic, "--config",
          "cleanup.policy=compact")
    worker = case.worker(plugins(case), [
        dict(lib.source(name, case.file("in-" + name, text), topic), **ALL,
             **dead(dlq), **lib.transforms(("b", "blank", {})))])
    file = case.path("in-" + name)
    lib.await_(lambda: lib.position(case.path("offsets"), name, file) ==
               len(text), "the last offset")
    worker.stop()
    lib.equal([r["key"] for r in lib.records(topic)],
              [n for n in names if n != "bad"], "sent")
    lib.equal([r["payload"] for r in lib.records(dlq)], ["bad"] * 3, "letters")


# --- letters that cannot be written ----------------------------------------

KAFKA_TOOLS = {"kafka-topics": "org.apache.kafka.tools.TopicCommand"}


def kafka(tool, *args):
    import glob
    cache = os.environ.get("TG_CACHE") or os.path.expanduser(
        "~/.cache/tidegate")
    jars = sorted(glob.glob(os.path.join(cache, "kafka-[0-9]*")))
    done = subprocess.run(
        ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp",
         os.path.join(jars[-1], "*"), KAFKA_TOOLS[tool],
         "--bootstrap-server", lib.BOOTSTRAP, *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    lib.check(done.returncode == 0, tool, done.stdout.decode())


def test_letter_refused(case):
    """Nothing passes what could not be dead-lettered."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, b"one\nworse " + b"x" * 3000 + b"\nthree\n")
    kafka("kafka-topics", "--create", "--topic", dlq, "--config",
          "max.message.bytes=2000")
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic), **ALL, **dead(dlq), **picky())])
    worker.await_state(name, "FAILED")
    first = trace(worker, name).split("\n")[0]
    for part in ("%s-0@1" % topic, "dead-letter topic " + dlq,
                 DLQ + "topic.name"):
        lib.check(part in first, repr(part), "is not in", first)
    lib.check((committed(name, topic) or 0) <= 1, "offset",
              committed(name, topic))
    worker.stop()


def test_letters_together(case):
    """Letters that the topic takes one by one, but not in one request."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    values = [b"worse %d " % i + b"x" * 800 for i in range(30)]
    lib.produce(topic, b"".join(v + b"\n" for v in values))
    kafka("kafka-topics", "--create", "--topic", dlq, "--config",
          "max.message.bytes=4200")
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic), **ALL, **dead(dlq),
             **picky(mode="reject"))])
    worker.await_(lambda: committed(name, topic) == 30, "the commit")
    found = lib.records(dlq)
    lib.equal(sorted(r["payload"].encode() for r in found), sorted(values),
              "letters")
    lib.check(all("exception.stacktrace" in context_of(r) for r in found),
              "traces")
    worker.stop()


def test_letter_without_trace(case):
    """A stack trace that makes the letter too large is left out."""
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, b"one\nworse " + b"x" * 2000 + b"\nthree\n")
    kafka("kafka-topics", "--create", "--topic", dlq, "--config",
          "max.message.bytes=4200")
    worker = case.worker(plugins(case), [
        dict(collector(case, name, topic), **ALL, **dead(dlq), **picky())])
    worker.await_(lambda: committed(name, topic) == 3, "the commit")
    found = lib.records(dlq)
    lib.equal(len(found), 1, "letters")
    lib.equal([k.rsplit(".", 1)[1] for k, _ in headers(found[0])][-1],
              "message", "last header")
    worker.stop()


# --- settings --------------------------------------------------------------

def refusals(case, config):
    """Exit status and output of `tidegate check`."""
    file = lib.properties(case.path("checked.properties"), config)
    worker = lib.properties(case.path("worker.properties"), dict(
        plugins(case), **{"bootstrap.servers": lib.BOOTSTRAP,
                          "key.converter": STRING, "value.converter": STRING}))
    done = subprocess.run([lib.TIDEGATE, "check", "--worker", worker, file],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def test_settings(case):
    topic, name = lib.unique("in"), lib.unique("snk")
    good = dict(collector(case, name, topic), **ALL, **dead(name + "-dlq"))
    for key, value, said in (
            ("errors.tolerance", "some", "none, all"),
            ("errors.retry.timeout", "-2", "-1"),
            ("errors.retry.timeout", "soon", "soon"),
            ("errors.retry.delay.max.ms", "-1", "0"),
            ("errors.log.enable", "maybe", "maybe"),
            (DLQ + "topic.name", "a b", "a b"),
            (DLQ + "topic.replication.factor", "0", "1"),
            (DLQ + "context.headers.enable", "2", "2"),
            ("topics", "a,%s-dlq" % name, "may not be included")):
        status, text = refusals(case, dict(good, **{key: value}))
        lib.check(status == 1 and key in text and said in text, key, value,
                  status, text)
    lib.equal(refusals(case, good)[0], 0, refusals(case, good)[1])


def test_topic_that_cannot_be_made(case):
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    lib.produce(topic, b"one\n")
    config = dict(collector(case, name, topic), **ALL, **dead(dlq))
    config[DLQ + "topic.replication.factor"] = "3"
    worker = case.worker(plugins(case), [config])
    worker.await_state(name, "FAILED")
    first = trace(worker, name).split("\n")[0]
    for part in (DLQ + "topic.name=" + dlq,
                 DLQ + "topic.replication.factor=3"):
        lib.check(part in first, repr(part), "is not in", first)
    worker.stop()


# --- the embedded broker ---------------------------------------------------

def test_embedded(case):
    """The letters of one sink are what another reads."""
    text = "".join("%s %d\n" % ("worse" if i % 10 == 0 else "line", i)
                   for i in range(2000))
    out, letters = case.path("out"), case.path("letters")
    worker = case.worker(
        dict(plugins(case), **{"bootstrap.servers": "embedded:"}), [
            lib.source("src", case.file("in", text), "lines"),
            dict(lib.sink("snk", out, "lines"), **ALL, **dead("dead"),
                 **picky()),
            lib.sink("letters", letters, "dead")])
    worker.await_lines(out, 1800)
    worker.await_lines(letters, 200)
    all_lines = [line.encode() for line in text.split("\n")[:-1]]
    lib.same_lines(lib.lines(out), [x for x in all_lines if b"line" in x],
                   "records")
    lib.same_lines(lib.lines(letters),
                   [x for x in all_lines if b"worse" in x], "letters")
    worker.stop()


lib.run(globals())
