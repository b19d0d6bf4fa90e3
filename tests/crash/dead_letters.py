"""kill -9 of a sink's task while a tenth of its records goes to the dead-letter
topic: each record ends up in the sink or in the topic, none in neither. The
same for a source whose records fail in a transform. Duplicates are counted.

TG_CRASHES   how often each is killed (default 6)
TG_SEED      repeats a run's choices, which are printed
"""
# timeout: 600
# serial: yes
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
import _lib as lib  # noqa: E402

lib.need_broker()

CRASHES = int(os.environ.get("TG_CRASHES") or 6)
SEED = int(os.environ.get("TG_SEED") or random.SystemRandom().randrange(10**9))
RECORDS = 120000

REFUSE = """
local tide = require "tidegate"
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do
                local v = tide.str(r.value)
                if v:sub(-1) == "7" then r:reject("it ends with seven") end
                if v:sub(-2) == "33" then error("33 it is") end
            end
        end
    end,
}
"""


def bad(i):
    return i % 10 == 7 or i % 100 == 33


def config(dlq):
    return dict({"errors.tolerance": "all",
                 "errors.deadletterqueue.topic.name": dlq,
                 "errors.deadletterqueue.topic.replication.factor": "1",
                 "errors.deadletterqueue.context.headers.enable": "true"},
                **lib.transforms(("r", "refuse", {})))


def rows(start, end):
    return "".join("%06d\n" % i for i in range(start, end)).encode()


def account(good, letters):
    seen = {}
    for line in good:
        seen.setdefault(int(line), [0, 0])[0] += 1
    for line in letters:
        seen.setdefault(int(line), [0, 0])[1] += 1
    for i in range(RECORDS):
        lib.check(i in seen, "record", i, "is nowhere")
        lib.check((seen[i][1] > 0) == bad(i) and (seen[i][0] > 0) != bad(i),
                  "record", i, "was put", seen[i][0], "times and",
                  "dead-lettered", seen[i][1], "times")
    lib.equal(len(seen), RECORDS, "records")
    print("    put %d times too often, dead-lettered %d times too often" % (
        sum(max(0, s[0] - 1) for s in seen.values()),
        sum(max(0, s[1] - 1) for s in seen.values())))


def plugins(case):
    case.file("plugins/refuse.lua", REFUSE)
    return {"plugin.path": case.path("plugins"),
            "offset.flush.interval.ms": "100"}


def crash_once(worker, name, choices, progress):
    """Kills the task a moment after it has made progress."""
    before = progress()
    worker.await_(lambda: progress() > before, "progress", 60)
    time.sleep(choices.random() * 0.1)
    pid = worker.task(name + "-0")
    if pid:
        os.kill(pid, signal.SIGKILL)
        worker.await_(lambda: worker.task(name + "-0") != pid, "its end")
    worker.ask("POST", "/connectors/%s/tasks/0/restart" % name)


def settle(worker, out, dlq, left):
    worker.await_(lambda: left() == 0, lambda: "%d lines, %d letters" % (
        lib.count_lines(out) if out else -1, lib.topic_count(dlq)), 120)


def test_sink(case):
    choices = random.Random(SEED)
    print("    TG_SEED=%d" % SEED)
    topic, name, dlq = (lib.unique(x) for x in ("in", "snk", "dlq"))
    out = case.file("out")
    worker = case.worker(plugins(case), [
        dict(lib.sink(name, out, topic), **config(dlq),
             **{"consumer.override.max.poll.records": "300",
                "consumer.override.session.timeout.ms": "6000"})])
    for part in range(CRASHES):
        lib.produce(topic, rows(part * RECORDS // CRASHES,
                                (part + 1) * RECORDS // CRASHES))
        crash_once(worker, name, choices, lambda: os.path.getsize(out))
    want = {i for i in range(RECORDS) if not bad(i)}

    def left():
        if lib.count_lines(out) < len(want):
            return 1
        return len(want - {int(x) for x in lib.lines(out)}) + len(
            {i for i in range(RECORDS) if bad(i)} -
            {int(x) for x in lib.values(dlq)})
    settle(worker, out, dlq, left)
    worker.stop()
    account(lib.lines(out), lib.values(dlq))


def test_source(case):
    choices = random.Random(SEED)
    print("    TG_SEED=%d" % SEED)
    topic, name, dlq = (lib.unique(x) for x in ("out", "src", "dlq"))
    file = case.file("in")
    worker = case.worker(plugins(case), [
        dict(lib.source(name, file, topic), **config(dlq))])
    for part in range(CRASHES):
        lib.write(file, rows(part * RECORDS // CRASHES,
                             (part + 1) * RECORDS // CRASHES), "a")
        crash_once(worker, name, choices,
                   lambda: lib.topic_count(dlq) + lib.topic_count(topic))
    settle(worker, None, dlq, lambda: (
        lib.position(case.path("offsets"), name, file) or 0) - RECORDS * 7)
    worker.stop()
    account(lib.values(topic), lib.values(dlq))


lib.run(globals())
