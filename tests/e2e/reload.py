# timeout: 600
"""Scripts that change while records flow: every record is there once and in
order, carries the version that made it, and versions never go back; a broken
version never makes a record. TG_RELOAD_SAVES and TG_RELOAD_RECORDS set how
much (40 saves, 200,000 records)."""
import hashlib
import os
import re
import statistics
import subprocess
import threading
import time

import _lib as lib

SAVES = int(os.environ.get("TG_RELOAD_SAVES", "40"))
RECORDS = int(os.environ.get("TG_RELOAD_RECORDS", "200000"))
MEDIAN_MS = float(os.environ.get("TG_RELOAD_MEDIAN_MS", "200"))

GOOD = """local tide = require "tidegate"
return tide.transform {
    version = "%(version)d",
    new = function(cfg, side, state)
        local calls = state and state.calls or 0
        return {
            apply = function(batch)
                calls = calls + 1
                local tail = " %(version)d " .. tide.now() .. " " .. calls
                for _, r in batch:each() do r.value = r.value .. tail end
            end,
            state = function() return { calls = calls } end,
        }
    end,
}
"""
BROKEN = [
    # no Lua
    """local tide = require "tidegate"
return tide.transform { version = "%(version)d", new = function( }
""",
    # raises in its first batch, after it has written
    """local tide = require "tidegate"
return tide.transform {
    version = "%(version)d",
    record = function(r)
        r.value = "broken %(version)d"
        error("version %(version)d is broken")
    end,
}
""",
    # wants a setting that is not there
    """local tide = require "tidegate"
return tide.transform {
    version = "%(version)d",
    config = { must = { required = true } },
    record = function(r) r.value = "broken %(version)d" end,
}
""",
    # its own test fails
    """local tide = require "tidegate"
return tide.transform {
    version = "%(version)d",
    selftest = function() error("the self-test of %(version)d fails") end,
    record = function(r) r.value = "broken %(version)d" end,
}
""",
]


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def save_in_place(path, text):
    with open(path, "w") as f:
        f.write(text)


def save_by_rename(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def save_by_delete(path, text):
    os.remove(path)
    with open(path, "x") as f:
        f.write(text)


def save_slowly(path, text):
    """Truncated first, the text a little later."""
    with open(path, "w") as f:
        f.flush()
        time.sleep(0.01)
        f.write(text)


STYLES = [save_in_place, save_by_rename, save_by_delete, save_slowly]


def stages(worker, connector):
    return worker.get("/connectors/%s/transforms" % connector)


def stage(worker, connector, alias):
    for s in stages(worker, connector):
        if s["alias"] == alias:
            return s
    return None


def await_taken(worker, connector, text, alias="stamp"):
    """Until the text runs, or is refused; returns its error."""
    want = sha(text)
    seen = {}

    def taken():
        s = stage(worker, connector, alias)
        seen["stage"] = s
        if not s:
            return None
        if s["hash"] == want and not s.get("trial"):
            return "runs"
        error = s["last_error"]
        return error and error["hash"] == want and error["text"]

    return worker.await_(taken, lambda: "%s was neither taken nor refused: %s"
                         % (want, seen.get("stage")), 20)


class Saver(threading.Thread):
    """Saves versions one after the other, in the styles of editors."""

    def __init__(self, worker, connector, path):
        super().__init__(daemon=True)
        self.worker, self.connector, self.path = worker, connector, path
        self.saved, self.broken, self.error = {}, set(), None
        self.start()

    def run(self):
        try:
            for i in range(1, SAVES + 1):
                broken = i % 10 == 0
                text = (BROKEN[i // 10 % len(BROKEN)] if broken else GOOD) % {
                    "version": i}
                self.saved[i] = time.time() * 1000
                STYLES[i % len(STYLES)](self.path, text)
                told = await_taken(self.worker, self.connector, text)
                if broken:
                    self.broken.add(i)
                    lib.check(told != "runs", "version", i, "was taken")
                    lib.check(re.search(r"stamp\.lua:\d+|must|self-test",
                                        told), "error without a place:", told)
                else:
                    lib.equal(told, "runs", "version %d" % i)
        except Exception as e:
            self.error = e

    def end(self):
        self.join()
        if self.error:
            raise self.error


def check_flow(values, n, saver, what):
    """values: "number version ms calls" in the order of arrival."""
    lib.equal(len(values), n, what + ": records")
    last, first, calls_before = 0, {}, 0
    for i, value in enumerate(values):
        parts = value.decode().split(" ")
        lib.check(len(parts) == 4, what, "record", i, "is", value)
        lib.equal(int(parts[0]), i, what + ": number")
        version, calls = int(parts[1]), int(parts[3])
        lib.check(version >= last, what, ": version went back at", value)
        lib.check(calls >= calls_before, what, ": state was lost at", value)
        last, calls_before = version, calls
        first.setdefault(version, float(parts[2]))
    lib.check(not saver.broken & set(first), what, ": broken versions ran")
    wanted = set(range(0, SAVES + 1)) - saver.broken
    lib.check(len(wanted - set(first)) <= 1, what, ": versions without a",
              "record:", sorted(wanted - set(first)))
    delays = [first[v] - saver.saved[v] for v in first if v in saver.saved]
    median = statistics.median(delays)
    print("    %s: %d saves, %d refused, from save to record: median %.0f ms, "
          "worst %.0f ms" % (what, SAVES, len(saver.broken), median,
                             max(delays)), flush=True)
    lib.check(median < MEDIAN_MS, what, ": median of", median, "ms")


def numbered(write, saver, n):
    """Numbered lines at an even pace until the saver is done, at most n; the
    rest at once."""
    step, i = max(1, n // (SAVES * 40)), 0
    while saver.is_alive() and i + step < n:
        write("".join("%d\n" % k for k in range(i, i + step)).encode())
        i += step
        saver.join(0.004)
    while i < n:
        more = min(n, i + 10000)
        write("".join("%d\n" % k for k in range(i, more)).encode())
        i = more


STAMP = {"transforms": "stamp", "transforms.stamp.type": "stamp"}


def plugins(case, **files):
    folder = case.path("plugins", "x")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    for name, text in files.items():
        lib.write(os.path.join(os.path.dirname(folder), name + ".lua"), text)
    return os.path.dirname(folder)


def test_source(case):
    folder = plugins(case, stamp=GOOD % {"version": 0})
    topic, data = lib.unique("reload-src"), case.file("in.txt")
    worker = case.worker({"plugin.path": folder}, [
        dict(lib.source("src", data, topic), **STAMP)]).running("src")
    worker.await_(lambda: stages(worker, "src"), "the versions of src")
    pid = worker.task("src-0")
    with open(data, "ab", buffering=0) as f:
        f.write(b"")
        saver = Saver(worker, "src", os.path.join(folder, "stamp.lua"))
        numbered(f.write, saver, RECORDS)
    saver.end()
    worker.await_(lambda: lib.topic_count(topic) >= RECORDS,
                  lambda: "%d records" % lib.topic_count(topic), 120)
    lib.equal(worker.task("src-0"), pid, "process of the task")
    check_flow(lib.values(topic), RECORDS, saver, "source")
    lib.check(worker.metric("tidegate_task_reloads_total", "src") >=
              SAVES - len(saver.broken), "the metric of reloads")


def test_sink(case):
    folder = plugins(case, stamp=GOOD % {"version": 0})
    topic, out = lib.unique("reload-snk"), case.path("out.txt")
    sink = lib.unique("snk")
    lib.kcat("-L", "-t", topic)  # makes it
    worker = case.worker({"plugin.path": folder}, [
        dict(lib.sink(sink, out, topic), **STAMP)],
        args=("--log-level", "debug")).running(sink)
    worker.await_(lambda: stages(worker, sink), "the versions of the sink")
    worker.await_(lambda: "Assigned %s-0" % topic in worker.log(),
                  "an assignment")
    pid = worker.task(sink + "-0")
    before = lib.rebalances("connect-" + sink)
    lib.check(before is None or before, "no rebalance of the start in the log")
    kcat = case.popen("kcat", "-b", lib.BOOTSTRAP, "-P", "-t", topic, "-X",
                      "linger.ms=2", stdin=subprocess.PIPE)
    saver = Saver(worker, sink, os.path.join(folder, "stamp.lua"))

    def write(data):
        kcat.stdin.write(data)
        kcat.stdin.flush()

    numbered(write, saver, RECORDS)
    kcat.stdin.close()
    kcat.wait()
    saver.end()
    worker.await_lines(out, RECORDS, 120)
    lib.equal(worker.task(sink + "-0"), pid, "process of the task")
    lib.equal(worker.log().count("Assigned %s-0" % topic), 1, "assignments")
    lib.equal(lib.rebalances("connect-" + sink), before, "rebalances of the group")
    check_flow(lib.lines(out), RECORDS, saver, "sink")

# --- other ways to change -----------------------------------------------------

GENERATOR = """local tide = require "tidegate"
require("ffi").cdef "struct reload_test { int %(version)s; };"
local part, n, starts
return tide.source {
    version = "%(version)s",
    config = { topic = { required = true }, count = { type = "int", required = true } },
    start = function(ctx)
        %(start)s
        local name = { generator = "1" }
        local stored = ctx:offset(name)
        n = stored and stored.n or 0
        part = ctx:partition(name, "n")
        starts = (ctx.state and ctx.state.starts or 0) + 1
    end,
    state = function() return { starts = starts } end,
    poll = function(batch, ctx)
        %(poll)s
        for _ = 1, 20 do
            if n >= ctx.config.count then return 20 end
            local r = batch:append()
            r.topic = ctx.config.topic
            r.value = n .. " %(version)s " .. starts
            n = n + 1
            r:source(part, n)
        end
        tide.sleep(1)
    end,
}
"""

WRITER = """local tide = require "tidegate"
local words = require "words"
local out, starts
return tide.sink {
    version = "%(version)s",
    config = { file = { required = true } },
    start = function(ctx)
        %(start)s
        out = assert(io.open(ctx.config.file, "a"))
        starts = (ctx.state and ctx.state.starts or 0) + 1
    end,
    state = function() return { starts = starts } end,
    put = function(batch)
        %(put)s
        for _, r in batch:each() do
            out:write(r.value, " ", words.version, " ", starts, "\\n")
        end
    end,
    flush = function() out:flush() end,
    stop = function() out:close() end,
}
"""


def connector(case, folder, file, text):
    path = os.path.join(folder, "mine")
    os.makedirs(path, exist_ok=True)
    lib.write(os.path.join(path, file), text)
    return path


def await_connector(worker, name, version=None, error=None):
    def done():
        s = stage(worker, name, "connector")
        if not s:
            return None
        if error:
            return s["last_error"] and error in s["last_error"]["text"] and s
        return s["version"] == version and not s["last_error"] and s
    return worker.await_(done, lambda: "%s: %s, wanted %s" % (
        name, stages(worker, name), version or error), 20)


def test_connector_source(case):
    count = 30000
    folder = plugins(case, stamp=GOOD % {"version": 0})
    text = {v: GENERATOR % dict({"start": "", "poll": "", "version": v}, **more)
            for v, more in (("one", {}), ("two", {}), ("three", {}),
                            ("nostart", {"start": 'error("will not start")'}),
                            ("nopoll", {"poll": 'error("will not poll")'}))}
    mine = connector(case, folder, "source.lua", text["one"])
    topic = lib.unique("reload-gen")
    worker = case.worker({"plugin.path": folder}, [
        {"name": "gen", "connector.class": "mine", "topic": topic,
         "count": count}]).running("gen")
    path = os.path.join(mine, "source.lua")
    await_connector(worker, "gen", "one")
    pid = worker.task("gen-0")

    def flows(more=200):
        upto = lib.topic_count(topic) + more
        worker.await_(lambda: lib.topic_count(topic) >= min(upto, count),
                      "records")

    flows()
    save_by_rename(path, text["two"])
    await_connector(worker, "gen", "two")
    flows()
    save_in_place(path, "return 1 +")
    await_connector(worker, "gen", error="source.lua:1")
    flows()
    save_in_place(path, text["nostart"])
    await_connector(worker, "gen", error="will not start")
    flows()
    save_in_place(path, text["nopoll"])
    await_connector(worker, "gen", error="will not poll")
    flows()
    # a module that the next version asks for, broken at first
    helper = os.path.join(mine, "helper.lua")
    save_in_place(helper, "return ")
    save_in_place(helper, "return {")
    save_by_delete(path, 'require "helper"\n' + text["three"])
    await_connector(worker, "gen", error="helper.lua:1")
    flows()
    save_by_rename(helper, "return {}")
    await_connector(worker, "gen", "three")
    worker.await_(lambda: lib.topic_count(topic) >= count,
                  lambda: "%d records" % lib.topic_count(topic), 120)
    lib.equal(worker.task("gen-0"), pid, "process of the task")
    values = lib.values(topic)
    merged = [v.decode().split(" ")[1] for v in values]
    order = [v for i, v in enumerate(merged) if i == 0 or merged[i - 1] != v]
    lib.equal(order, ["one", "two", "three"], "versions in order")
    for i, value in enumerate(values):
        lib.equal(int(value.split(b" ")[0]), i, "number")
    lib.equal(len(values), count, "records")
    position = lib.offsets(case.path("offsets"))
    worker.await_(lambda: {"n": count} in lib.offsets(
        case.path("offsets")).values(), lambda: position, 20)


def test_connector_sink(case):
    folder = plugins(case)
    text = {v: WRITER % dict({"start": "", "put": "", "version": v}, **more)
            for v, more in (("one", {}), ("two", {}),
                            ("nostart", {"start": 'error("will not start")'}),
                            ("noput", {"put": 'error("will not put")'}))}
    words = 'return { version = "%s" }\n'
    mine = connector(case, folder, "sink.lua", text["one"])
    connector(case, folder, "words.lua", words % "a")
    topic, out = lib.unique("reload-put"), case.path("out.txt")
    worker = case.worker({"plugin.path": folder}, [
        {"name": "put", "connector.class": "mine", "topics": topic,
         "file": out}], args=("--log-level", "debug")).running("put")
    await_connector(worker, "put", "one")
    pid, sent = worker.task("put-0"), 0

    def more(n=2000):
        nonlocal sent
        lib.produce(topic, "".join("%d\n" % i for i in range(
            sent, sent + n)).encode())
        sent += n
        lib.await_(lambda: lib.count_lines(out) >= sent - 1000,
                   lambda: "%d of %d\n%s" % (lib.count_lines(out), sent,
                                             worker.tail()), 60)

    more()
    save_by_rename(os.path.join(mine, "sink.lua"), text["two"])
    await_connector(worker, "put", "two")
    more()
    before = stage(worker, "put", "connector")["hash"]
    save_in_place(os.path.join(mine, "words.lua"), words % "b")
    worker.await_(lambda: stage(worker, "put", "connector")["hash"] != before,
                  "the module was not noticed", 20)
    more()
    save_in_place(os.path.join(mine, "sink.lua"), text["nostart"])
    await_connector(worker, "put", error="will not start")
    more()
    save_in_place(os.path.join(mine, "sink.lua"), text["noput"])
    worker.await_(lambda: stage(worker, "put", "connector")["version"] ==
                  "noput", "the version that cannot put", 20)
    more()
    await_connector(worker, "put", error="will not put")
    worker.await_lines(out, sent, 60)
    worker.stop()
    found = [line.decode().split(" ") for line in lib.lines(out)]
    lib.equal([int(f[0]) for f in found], list(range(sent)), "records")
    order = [f[1] for i, f in enumerate(found)
             if i == 0 or found[i - 1][1] != f[1]]
    lib.equal(order, ["a", "b"], "the module's versions in order")
    starts = [int(f[2]) for f in found]
    lib.check(starts == sorted(starts) and starts[-1] >= 3, "state")
    lib.equal(worker.log().count("Assigned %s-0" % topic), 1, "assignments")


def put_config(worker, name, config, status=200):
    reply = worker.ask("PUT", "/connectors/%s/config" % name, config)
    lib.equal(reply.status, status, "PUT: %s" % reply)
    return reply.json()


def inline(*steps):
    config = {"transforms": ",".join(a for a, _ in steps)}
    for alias, script in steps:
        config["transforms.%s.type" % alias] = "Lua"
        config["transforms.%s.script" % alias] = script
    return config


def test_chain_change(case):
    """PUT of other transforms: no restart, no rebalance, state kept."""
    topic, data = lib.unique("reload-put"), case.file("in.txt", "0\n")
    out, sink = case.path("out.txt"), lib.unique("snk")
    counting = "n = (n or 0) + 1 r.value = r.value .. ' ' .. n"
    src = lib.source("src", data, topic, **inline(("count", counting)))
    snk = lib.sink(sink, out, topic)
    worker = case.worker({}, [src, snk],
                         args=("--log-level", "debug")).running("src", sink)
    pids = worker.task("src-0"), worker.task(sink + "-0")
    worker.await_lines(out, 1)
    rebalances = lib.rebalances("connect-" + sink)

    def say(n, expected):
        with open(data, "a") as f:
            f.write("%d\n" % n)
        worker.await_lines(out, n + 1, 20)
        lib.equal(lib.lines(out)[n], expected, "line %d" % n)

    lib.equal(lib.lines(out)[0], b"0 1", "line 0")
    say(1, b"1 2")
    answer = put_config(worker, "src", dict(lib.source("src", data, topic), **inline(
        ("count", counting), ("bang", "r.value = r.value .. '!'"))))
    lib.equal(answer["tasks"], [{"connector": "src", "task": 0}], "tasks")
    lib.equal(answer["type"], "source", "type")
    lib.equal(answer["config"]["transforms"], "count,bang", "config")
    worker.await_(lambda: stage(worker, "src", "bang"), "the new stage", 20)
    say(2, b"2 3!")  # the first stage went on counting
    put_config(worker, sink, dict(snk, **inline(
        ("hm", "if r.value:find('^4') then r:drop() end r.value = '<' .. r.value"))))
    worker.await_(lambda: stage(worker, sink, "hm"), "the new stage", 20)
    say(3, b"<3 4!")
    why = put_config(worker, sink, dict(snk, **inline(("hm", "r.value = ("))),
                     400)["message"]
    lib.check("transforms.hm.script:1: " in why,
              "message without a place:", why)
    lib.check("1 error(s)" in why, why)
    put_config(worker, sink, dict(snk, name="other"), 400)
    lib.equal(worker.ask("PUT", "/connectors/none/config", snk).status, 400,
              "another connector's name")
    lib.equal(worker.ask("GET", "/connectors/none/transforms").status, 404,
              "unknown connector")
    lib.equal((worker.task("src-0"), worker.task(sink + "-0")), pids, "processes")
    lib.equal(worker.log().count("Assigned %s-0" % topic), 1, "assignments")
    lib.equal(lib.rebalances("connect-" + sink), rebalances, "rebalances")
    # the same once more, and with the keys in another order: nothing happens
    same = worker.ask("GET", "/connectors/%s/config" % sink).json()
    loaded = stages(worker, sink)
    put_config(worker, sink, same)
    put_config(worker, sink, dict(reversed(list(same.items()))))
    lib.equal(stages(worker, sink), loaded, "versions")
    lib.equal(worker.task(sink + "-0"), pids[1], "process")
    # anything else starts the tasks again
    put_config(worker, sink, dict(snk, file=out + "2"))
    worker.await_(lambda: worker.task(sink + "-0") not in (None, pids[1]),
                  "a new process", 30)
    worker.running(sink)
    with open(data, "a") as f:
        f.write("4\n")
    worker.await_lines(out + "2", 1, 30)
    lib.equal(lib.lines(out + "2")[-1], b"4 5!", "record of the new task")


MANY = """local tide = require "tidegate"
return tide.source {
    tasks = function(_, max)
        local list = {}
        for i = 1, max %(more)s do list[i] = { part = tostring(i) } end
        return list
    end,
    poll = function() return 50 end,
}
"""


def test_number_of_tasks(case):
    """More tasks, fewer, more by the script itself."""
    folder = plugins(case)
    mine = connector(case, folder, "source.lua", MANY % {"more": ""})
    config = {"name": "many", "connector.class": "mine", "tasks.max": "1"}
    worker = case.worker({"plugin.path": folder}, [config]).running("many")

    def tasks(n):
        worker.await_(lambda: [t["state"] for t in worker.get(
            "/connectors/many/status")["tasks"]] == ["RUNNING"] * n,
            lambda: worker.get("/connectors/many/status"), 30)
        worker.await_(lambda: len(worker.tasks()) == n, "processes", 30)

    tasks(1)
    put_config(worker, "many", dict(config, **{"tasks.max": "3"}))
    tasks(3)
    lib.equal([t["config"]["part"] for t in worker.get(
        "/connectors/many/tasks")], ["1", "2", "3"], "task configurations")
    put_config(worker, "many", dict(config, **{"tasks.max": "2"}))
    tasks(2)
    pids = [worker.task("many-%d" % i) for i in range(2)]
    worker.await_(lambda: len(stages(worker, "many")) == 2, "versions")
    save_by_rename(os.path.join(mine, "source.lua"), MANY % {"more": "- 1"})
    tasks(1)
    lib.check(worker.task("many-0") not in pids, "the process is the old one")
    put_config(worker, "many", dict(config, **{"tasks.max": "0"}), 400)
    tasks(1)


def test_modules_and_errors(case):
    """A module beside the transform is a part of it; a broken module, too."""
    main = """local tide = require "tidegate"
local words = require "words"
return tide.transform { version = words.version, record = function(r)
    r.value = r.value .. " " .. words.version
end }
"""
    folder = plugins(case, stamp=main, words='return { version = "a" }')
    data, topic = case.file("in.txt"), lib.unique("reload-mod")
    out = case.path("out.txt")
    worker = case.worker({"plugin.path": folder}, [
        dict(lib.source("src", data, topic), **STAMP),
        lib.sink("snk", out, topic)]).running("src", "snk")
    worker.await_(lambda: stages(worker, "src"), "versions")

    def version(v):
        worker.await_(lambda: stage(worker, "src", "stamp")["version"] == v,
                      lambda: stages(worker, "src"), 20)

    def say(n, expected):
        with open(data, "a") as f:
            f.write("%d\n" % n)
        worker.await_lines(out, n + 1, 20)
        lib.equal(lib.lines(out)[n], expected, "line %d" % n)

    say(0, b"0 a")
    words = os.path.join(folder, "words.lua")
    save_by_rename(words, 'return { version = "b" }')
    version("b")
    say(1, b"1 b")
    save_in_place(words, "return { version = ")
    worker.await_(lambda: stage(worker, "src", "stamp")["last_error"],
                  "an error", 20)
    error = stage(worker, "src", "stamp")["last_error"]["text"]
    lib.check("words.lua:1" in error, error)
    say(2, b"2 b")
    # a touch changes nothing; the same text again clears the error
    save_in_place(words, 'return { version = "b" }')
    worker.await_(lambda: not stage(worker, "src", "stamp")["last_error"],
                  "the error is gone", 20)
    reloads = stage(worker, "src", "stamp")["reloads"]
    os.utime(words)
    # a module that the next version asks for is watched although it is broken
    save_in_place(os.path.join(folder, "more.lua"), "return ")
    save_in_place(os.path.join(folder, "stamp.lua"), main.replace(
        '"words"', '"more"'))
    worker.await_(lambda: stage(worker, "src", "stamp")["last_error"],
                  lambda: stages(worker, "src"), 20)
    save_in_place(os.path.join(folder, "more.lua"), 'return { version = "c" }')
    version("c")
    say(3, b"3 c")
    # counted with the first batch of a version
    worker.await_(lambda: stage(worker, "src", "stamp")["reloads"] ==
                  reloads + 1, lambda: stages(worker, "src"), 20)


if __name__ == "__main__":
    lib.need_broker()
    lib.run(globals())
