# timeout: 300
"""Versions that do not work: what ran before goes on with its state, loses and
repeats nothing, and no restart lets the broken one in. Tasks of another
configuration do not run beside those of the one before."""
import os
import shutil
import signal
import threading
import time

import _lib as lib
from reload import (await_connector, await_taken, connector, plugins,
                    put_config, save_by_rename, save_in_place, stage, stages)

SOURCE = """local tide = require "tidegate"
%(top)s
local n, part
return tide.source {
    version = "%(version)s",
    start = function(ctx)
        local name = { part = "1" }
        local stored = ctx:offset(name)
        n = stored and stored.n or 0
        assert(not ctx.state or ctx.state.of == "one", "a state of another kind")
        part = ctx:partition(name, "n")
        %(start)s
    end,
    state = function() %(state)s return { of = "one" } end,
    poll = function(batch, ctx)
        %(poll)s
        for _ = 1, 5 do
            local r = batch:append()
            r.topic = "%(topic)s"
            r.value = n .. " %(version)s"
            n = n + 1
            r:source(part, n)
        end
        return 5
    end,
}
"""


def source_text(topic, version, **more):
    return SOURCE % dict({"start": "", "poll": "", "state": "", "top": "",
                          "version": version, "topic": topic}, **more)


class Flow:
    """A source of one's own and a file sink behind it."""

    def __init__(self, case):
        self.folder, self.topic = plugins(case), lib.unique("back")
        self.path = os.path.join(connector(
            case, self.folder, "source.lua", self.text("one")), "source.lua")
        self.out = case.path("out.txt")
        self.worker = case.worker({"plugin.path": self.folder}, [
            {"name": "gen", "connector.class": "mine"},
            lib.sink("snk", self.out, self.topic)]).running("gen", "snk")
        await_connector(self.worker, "gen", "one")
        self.flows()

    def text(self, version, **more):
        return source_text(self.topic, version, **more)

    def flows(self):
        self.worker.await_lines(self.out, lib.count_lines(self.out) + 50, 30)

    def check(self, *versions):
        self.worker.stop()
        found = [line.decode().split(" ") for line in lib.lines(self.out)]
        lib.equal([int(f[0]) for f in found], list(range(len(found))),
                  "records")
        order = [f[1] for i, f in enumerate(found)
                 if i == 0 or found[i - 1][1] != f[1]]
        lib.equal(order, list(versions), "versions in order")


def test_source_goes_back(case):
    """To the state of the version before, from a version that has polled, but
    not given a record; also when that one hands on what nobody understands."""
    flow = Flow(case)
    idle = "tries = (tries or 0) + 1 if tries < 4 then return 20 end "
    for name, state in (("alien", 'if true then return { of = "x" } end'),
                        ("raises", 'error("no state")')):
        save_by_rename(flow.path, flow.text(
            name, poll=idle + 'error("%s cannot poll")' % name, state=state))
        await_connector(flow.worker, "gen", error=name + " cannot poll")
        lib.equal(stage(flow.worker, "gen", "connector")["version"], "one",
                  "version")
        flow.flows()
    # one that has not given anything yet is none to go back to
    save_by_rename(flow.path, flow.text("idle", poll="if true then return 20 end"))
    await_connector(flow.worker, "gen", "idle")
    lib.check(stage(flow.worker, "gen", "connector")["trial"], "not on trial")
    save_by_rename(flow.path, flow.text("fatal", poll='error(tide.fatal("no"))'))
    await_connector(flow.worker, "gen", error="no")
    lib.equal(stage(flow.worker, "gen", "connector")["version"], "one",
              "version")
    flow.flows()
    save_by_rename(flow.path, flow.text("two"))
    await_connector(flow.worker, "gen", "two")
    flow.flows()
    lib.check("trial" not in stage(flow.worker, "gen", "connector"), "trial")
    flow.check("one", "two")


def test_module_of_start(case):
    """A module that only the refused version uses is watched, too."""
    flow = Flow(case)
    helper = os.path.join(os.path.dirname(flow.path), "helper.lua")
    save_in_place(helper, 'return { go = function() error("not yet") end }')
    save_by_rename(flow.path, flow.text(
        "two", top='local helper = require "helper"', start="helper.go()"))
    await_connector(flow.worker, "gen", error="not yet")
    flow.flows()
    save_in_place(helper, "return { go = function() end }")
    await_connector(flow.worker, "gen", "two")
    flow.flows()
    flow.check("one", "two")


WRITER = """local tide = require "tidegate"
local out
return tide.sink {
    version = "%(version)s",
    config = { file = { required = true } },
    start = function(ctx) out = assert(io.open(ctx.config.file, "a")) end,
    put = function(batch)
        %(put)s
        for _, r in batch:each() do out:write(r.value, " %(version)s\\n") end
        out:flush()
    end,
    stop = function() out:close() end,
}
"""


def test_tolerant_sink(case):
    """errors.tolerance=all does not feed records to a broken version, whatever
    it says of them before it raises."""
    def text(version, put=""):
        return WRITER % {"version": version, "put": put}

    folder = plugins(case)
    path = os.path.join(connector(case, folder, "sink.lua", text("0")),
                        "sink.lua")
    topic, out, data = lib.unique("tolerant"), case.path("out.txt"), case.file(
        "in.txt")
    worker = case.worker({"plugin.path": folder}, [
        lib.source("src", data, topic),
        {"name": "put", "connector.class": "mine", "topics": topic,
         "file": out, "errors.tolerance": "all"}]).running("src", "put")
    await_connector(worker, "put", "0")
    sent = 0

    def more(n):
        nonlocal sent
        with open(data, "a") as f:
            f.write("".join("%d\n" % i for i in range(sent, sent + n)))
        sent += n
        worker.await_lines(out, sent, 30)

    more(10)
    broken = {
        "1": "for _, r in batch:each() do error('cannot put') end",
        "2": "for _, r in batch:each() do r:reject('bad') end "
             "error('cannot put')",
        "3": "for _, r in batch:each() do r:drop() end error('cannot put')",
        "4": "for _, r in batch:each() do r:retry() error('cannot put') end",
        "5": "error(tide.fatal('cannot put'))",
    }
    for n, (version, put) in enumerate(broken.items()):
        save_by_rename(path, text(version, put))
        worker.await_(lambda: stage(worker, "put", "connector")["version"] ==
                      version, lambda: stages(worker, "put"), 20)
        more(1 if n % 2 else 10)
        await_connector(worker, "put", error="cannot put")
        lib.equal(stage(worker, "put", "connector")["version"], "0", "version")
    save_by_rename(path, text("6"))
    await_connector(worker, "put", "6")
    more(10)
    lib.equal(worker.metric("kafka_connect_task_error_total_records_skipped", "put"), 0,
              "skipped")
    worker.stop()
    lib.equal([line.decode().split(" ") for line in lib.lines(out)],
              [[str(i), "0" if i < sent - 10 else "6"] for i in range(sent)],
              "lines")


def test_sink_with_queue(case):
    """Records that wait to be put again are put by the next version, once; they
    were decoded and transformed under the version before."""
    def text(version, put=""):
        return (WRITER % {"version": version, "put": put}).replace(
            "out:write(r.value", "local x = r.value.x "
            "out:write(tide.str(x.n), x.list[1], x.list[2].b")

    folder = plugins(case)
    path = os.path.join(connector(case, folder, "sink.lua", text(
        "0", "for _, r in batch:each() do if r.value.x.n > 4 then r:retry() "
             "end end")), "sink.lua")
    topic, out, data = lib.unique("queue"), case.path("out.txt"), case.file(
        "in.txt", "".join('{"n":%d,"s":"t"}\n' % i for i in range(10)))
    worker = case.worker({"plugin.path": folder}, [
        lib.source("src", data, topic),
        {"name": "put", "connector.class": "mine", "topics": topic, "file": out,
         "value.converter": "org.apache.kafka.connect.json.JsonConverter",
         "value.converter.schemas.enable": "false", "transforms": "t",
         "transforms.t.type": "Lua", "transforms.t.script":
         "r.value.x = { n = r.value.n, list = { 'a', { b = r.value.s } } }"}
    ]).running("src", "put")
    worker.await_lines(out, 5)
    for version in ("1", "2"):
        with open(data, "a") as f:
            f.write('{"n":%d,"s":"u"}\n' % (9 + int(version)))
        save_by_rename(path, text(version, "" if version == "2" else
                                  "error(tide.retriable('later'))"))
        await_connector(worker, "put", version)
    worker.await_lines(out, 12, 60)
    found = [line.decode().rsplit(" ", 1) for line in lib.lines(out)]
    lib.equal([f[0] for f in found], [
        "%da%s" % (i, "t" if i < 10 else "u") for i in range(12)], "records")
    lib.equal([f[1] for f in found], ["0"] * 5 + ["2"] * 7, "versions")


STAMP = """local tide = require "tidegate"
return tide.transform { version = "%(version)d", record = function(r)
    %(record)s
    r.value = r.value .. " %(version)d"
end }
"""


def test_restart_with_refused(case):
    """A restart does not run the version that was refused."""
    def text(version, record=""):
        return STAMP % {"version": version, "record": record}

    folder = plugins(case, stamp=text(0))
    path = os.path.join(folder, "stamp.lua")
    topic, out, data = lib.unique("refused"), case.path("out.txt"), case.file(
        "in.txt")
    worker = case.worker({"plugin.path": folder}, [
        dict(lib.source("src", data, topic), **{
            "transforms": "stamp", "transforms.stamp.type": "stamp",
            "errors.tolerance": "all"}),
        lib.sink("snk", out, topic)]).running("src", "snk")
    worker.await_(lambda: stages(worker, "src"), "the versions")

    def say(n, version):
        with open(data, "a") as f:
            f.write("%d\n" % n)
        worker.await_(lambda: lib.lines(out)[-1:] == [
            b"%d %d" % (n, version)], lambda: lib.lines(out), 30)

    say(0, 0)
    broken = text(1, 'error("broken")')
    save_by_rename(path, broken)
    worker.await_(lambda: stage(worker, "src", "stamp")["version"] == "1",
                  lambda: stages(worker, "src"), 20)
    say(1, 0)
    lib.check("broken" in await_taken(worker, "src", broken), "the reason")
    def fails():
        worker.await_state("src", "FAILED", 30)
        trace = worker.trace("src").splitlines()[0]
        for part in ("transform stamp", path, "refused", "broken", "restart"):
            lib.check(part in trace, part, "is not in", trace)

    os.kill(worker.task("src-0"), signal.SIGKILL)
    fails()
    for version in (0, 2):
        lib.equal(worker.ask("POST", "/connectors/src/tasks/0/restart").status,
                  204, "restart")
        worker.await_(lambda: worker.log().count("FAILED") == 2 + version,
                      worker.tail, 30)
        fails()
        save_by_rename(path, text(version))
        worker.ask("POST", "/connectors/src/tasks/0/restart")
        worker.await_state("src", "RUNNING", 30)
        worker.await_(lambda: not stage(worker, "src", "stamp")["last_error"],
                      lambda: stages(worker, "src"), 20)
        say(2 + version, version)
        if version == 2:
            break
        save_by_rename(path, broken)
        worker.await_(lambda: stage(worker, "src", "stamp")["version"] == "1",
                      lambda: stages(worker, "src"), 20)
        say(3, 0)
        await_taken(worker, "src", broken)
        worker.ask("POST", "/connectors/src/tasks/0/restart")
        fails()
    lib.check(not [x for x in lib.lines(out) if x.endswith(b" 1")],
              "the refused version ran")


SLOW = """local tide = require "tidegate"
local part
local function say(what, ctx)
    local f = assert(io.open(ctx.config.notes, "a"))
    f:write(what, " ", ctx.config.max, " ", ctx.config.part, "\\n")
    f:close()
end
return tide.source {
    config = { notes = {}, max = {}, part = { default = "" } },
    tasks = function(_, max)
        local list = {}
        for i = 1, max do list[i] = { part = tostring(i) } end
        return list
    end,
    start = function(ctx) say("start", ctx) end,
    stop = function(ctx)
        local till = tide.now() + (ctx.config.part == "2" and 700 or 0)
        while tide.now() < till do end
        say("stop", ctx)
    end,
    poll = function() return 50 end,
}
"""


def test_no_two_generations(case):
    """No task of a new configuration starts while one of the old one runs."""
    folder, notes = plugins(case), case.path("notes")
    connector(case, folder, "source.lua", SLOW)
    config = {"name": "slow", "connector.class": "mine", "notes": notes,
              "max": "2", "tasks.max": "2"}
    worker = case.worker({"plugin.path": folder}, [config]).running("slow")
    worker.await_lines(notes, 2)

    def change(n, lines):
        put_config(worker, "slow", dict(config, max=str(n),
                                        **{"tasks.max": str(n)}))
        worker.await_lines(notes, lines)

    change(3, 2 + 2 + 3)
    change(1, 7 + 3 + 1)
    change(2, 11 + 1 + 2)
    found = [line.decode().split(" ")[:2] for line in lib.lines(notes)]
    expected = []
    for n, stopped in ((2, 0), (3, 2), (1, 3), (2, 1)):
        expected += [["stop", "%d" % stopped]] * stopped
        expected += [["start", "%d" % n]] * n
    lib.equal(found, expected, "the order")


def test_many_changes(case):
    """Configurations that come at the same time, beside restarts and saves: one
    after the other, every record once, the last one stays."""
    folder = plugins(case, stamp=STAMP % {"version": 0, "record": ""})
    topic, out, data = lib.unique("puts"), case.path("out.txt"), case.file(
        "in.txt")
    src = lib.source("src", data, topic)
    worker = case.worker({"plugin.path": folder}, [
        src, lib.sink("snk", out, topic)]).running("src", "snk")
    stamp = {"transforms": "stamp,mark", "transforms.stamp.type": "stamp",
             "transforms.mark.type": "Lua"}

    def config(i):
        return dict(src, **stamp, **{
            "transforms.mark.script": "r.value = r.value .. ' m%d'" % i})

    sent = 0
    for turn in range(4):
        threads = [threading.Thread(target=put_config, args=(
            worker, "src", config(turn * 10 + i))) for i in range(5)]
        for t in threads:
            t.start()
        save_by_rename(os.path.join(folder, "stamp.lua"), STAMP % {
            "version": turn, "record": ""})
        if turn == 1:
            worker.ask("POST", "/connectors/src/tasks/0/restart")
        if turn == 2:  # starts the tasks again, in the midst of it
            put_config(worker, "src", dict(config(99), **{"batch.size": "7"}))
        with open(data, "a") as f:
            f.write("".join("%d\n" % i for i in range(sent, sent + 20)))
        sent += 20
        for t in threads:
            t.join()
        worker.await_lines(out, sent, 30)
    put_config(worker, "src", config(1000))
    worker.await_(lambda: stage(worker, "src", "mark"), "the last chain", 20)
    lib.equal(worker.get("/connectors/src/config"), config(1000), "config")
    worker.await_(lambda: not stage(worker, "src", "stamp")["last_error"] and
                  stage(worker, "src", "stamp")["version"] == "3",
                  lambda: stages(worker, "src"), 20)
    with open(data, "a") as f:
        f.write("%d\n" % sent)
    worker.await_lines(out, sent + 1, 30)
    found = [line.decode().split(" ") for line in lib.lines(out)]
    lib.equal([int(f[0]) for f in found], list(range(sent + 1)), "records")
    lib.equal(found[-1][1:], ["3", "m1000"], "the last record")


def test_folder_replaced(case):
    """A folder that is removed and made again is watched again."""
    folder = plugins(case, stamp=STAMP % {"version": 0, "record": ""})
    worker = case.worker({"plugin.path": folder}, [
        dict(lib.source("src", case.file("in.txt"), lib.unique("folder")), **{
            "transforms": "stamp", "transforms.stamp.type": "stamp"})
    ], args=("--log-level", "debug")).running("src")
    worker.await_(lambda: stages(worker, "src"), "the versions")
    path = os.path.join(folder, "stamp.lua")

    def save(version):
        save_by_rename(path, STAMP % {"version": version, "record": ""})
        worker.await_(lambda: stage(worker, "src", "stamp")["version"] ==
                      str(version), lambda: stages(worker, "src"), 20)

    save(1)
    os.rename(folder, folder + ".old")
    os.mkdir(folder)
    save(2)
    shutil.rmtree(folder)
    os.mkdir(folder)
    save(3)
    begun = time.monotonic()
    for version in range(4, 9):
        save(version)
    lib.check(time.monotonic() - begun < 5, "the folder is not watched")


if __name__ == "__main__":
    lib.run(globals())
