"""One bad connector hurts nobody else: scripts that call a null pointer through
FFI, loop for ever in compiled code, allocate without end or raise an error.
Their task is FAILED with a trace that names the plugin (and the line, where
there is one), while a pipeline beside them goes on and REST answers."""
# timeout: 280
import os
import re
import time

import _lib as lib

TIMEOUT_MS = 2000

HEAD = """local tide = require "tidegate"
local ffi = require "ffi"
"""
BAD = {
    # name: (lines that make the plugin, kind, what the trace must say)
    "null_call": ("""
ffi.cdef "typedef void (*nothing_fn)(void);"
local function boom() ffi.cast("nothing_fn", 0)() end
return tide.source {
    poll = function() boom() end,
}""", "source", [r"SIGSEGV", r"poll of (\S*/)?null_call"]),
    "null_read": ("""
return tide.sink {
    put = function() return ffi.cast("int *", 16)[0] end,
}""", "sink", [r"SIGSEGV", r"put of (\S*/)?null_read"]),
    "endless": ("""
return tide.source {
    poll = function()
        local n = 0
        while true do
            n = n + 1
            if n < 0 then break end
        end
    end,
}""", "source", [r"endless\.lua:(7|8|9|10)\b", r"task\.script\.timeout\.ms"]),
    "endless_put": ("""
return tide.sink {
    put = function()
        local ok = pcall(function() while true do end end)
        while not ok do ok = pcall(function() while true do end end) end
    end,
}""", "sink", [r"endless_put\.lua:(6|7)\b", r"task\.script\.timeout\.ms"]),
    "stuck_in_c": ("""
ffi.cdef "unsigned sleep(unsigned seconds);"
return tide.source {
    poll = function()
        for _ = 1, 1000 do ffi.C.sleep(1000) end
    end,
}""", "source", [r"stuck_in_c", r"poll", r"task\.script\.timeout\.ms"]),
    "eats_lua": ("""
local all = {}
return tide.source {
    poll = function()
        while true do all[#all + 1] = ("x"):rep(1000) .. #all end
    end,
}""", "source", [r"eats_lua", r"memory"]),
    "eats_c": ("""
ffi.cdef "void *malloc(size_t n); void *memset(void *p, int c, size_t n);"
return tide.source {
    poll = function()
        for _ = 1, 200 do
            ffi.C.memset(ffi.C.malloc(1048576), 1, 1048576)
            tide.sleep(5)
        end
    end,
}""", "source", [r"eats_c", r"poll", r"task\.memory\.max\.mb=%(memory)d"]),
    "exits": ("""
ffi.cdef "void _exit(int code);"
return tide.source {
    poll = function() ffi.C._exit(3) end,
}""", "source", [r"exit code 3", r"poll of (\S*/)?exits"]),
    "error_in_start": ("""
return tide.source {
    start = function() error("no start today") end,
    poll = function() return 100 end,
}""", "source", [r"error_in_start\.lua:5: no start today", r"start"]),
    "error_in_poll": ("""
local function deep() local t = nil; return t.field end
return tide.source {
    poll = function() return deep() + 1 end,
}""", "source", [r"error_in_poll\.lua:4: attempt to index", r"poll"]),
    "error_in_put": ("""
return tide.sink {
    put = function(batch)
        for _, r in batch:each() do error("cannot put " .. r.value) end
    end,
}""", "sink", [r"error_in_put\.lua:6: cannot put ", r"put"]),
    "error_in_apply": ("""
return tide.transform {
    new = function()
        return function(batch)
            for _, r in batch:each() do r.value = r.value.no.such.thing end
        end
    end,
}""", "transform", [r"error_in_apply\.lua:7:", r"bad-0@0|offset 0"]),
}
NAMES = list(BAD)


def sanitized():
    return b"__asan_init" in lib.read(lib.TIDEGATE)


def memory_mb():
    return 400 if sanitized() else 100


def text_of(name):
    head = HEAD if "ffi." in BAD[name][0] else HEAD.replace(
        'local ffi = require "ffi"\n', "\n")
    return head + BAD[name][0] + "\n"


def connector(name, case):
    kind = BAD[name][1]
    # What eats memory takes its time with a sanitizer's allocator.
    limit = 30000 if name.startswith("eats") else TIMEOUT_MS
    config = {"name": name, "task.script.timeout.ms": limit,
              "task.memory.max.mb": memory_mb()}
    if kind == "source":
        return dict(config, **{"connector.class": name})
    if kind == "sink":
        return dict(config, **{"connector.class": name, "topics": "bad"})
    return dict(config, **{"connector.class": "FileStreamSink",
                           "topics": "bad", "file": case.path("unused"),
                           "transforms": "t", "transforms.t.type": name})


def start(case, names):
    """The bad ones beside a pipeline that is held up by nothing."""
    for name in NAMES:
        case.file("plugins/%s.lua" % name, text_of(name))
    file, out = case.file("in", "begin\n"), case.path("out")
    feed = case.file("feed", "one\ntwo\n")
    worker = case.worker(
        {"plugin.path": case.path("plugins"), "bootstrap.servers": "embedded:",
         "task.shutdown.graceful.timeout.ms": 2000},
        [lib.source("good-source", file, "good"),
         lib.sink("good-sink", out, "good"),
         lib.source("feed", feed, "bad")] +
        [connector(n, case) for n in names],
        # The kernel's own end of a process, not the sanitizer's.
        env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
             ":handle_segv=0:allocator_may_return_null=1"})
    return worker, file, out


def flow(worker, file, out, goal):
    """Appends and awaits lines until goal() holds; returns how many moved."""
    moved = 0
    end = time.monotonic() + 100
    while not goal():
        lib.check(time.monotonic() < end, "not all FAILED in time:", {
            n: worker.state(n) for n in NAMES}, worker.tail())
        lib.write(file, "line\n" * 100, "a")
        moved += 100
        worker.await_lines(out, 1 + moved, 20)
    return moved


def check_trace(worker, name):
    trace = worker.trace(name)
    for pattern in BAD[name][2]:
        pattern = pattern % {"memory": memory_mb()}
        lib.check(re.search(pattern, trace), "trace of", name, "lacks",
                  pattern, ":\n", trace)
    first = trace.splitlines()[0]
    lib.check(name in first, "the first line of the trace of", name,
              "does not name it:", first)


def test_bad_neighbours(case):
    worker, file, out = start(case, NAMES)
    watch = lib.RestWatch(worker)
    worker.await_lines(out, 1)

    def all_failed():
        return all(worker.state(n) == "FAILED" for n in NAMES)
    moved = flow(worker, file, out, all_failed)
    median, worst = watch.end()
    print("    %d records beside %d failures; REST answered in %.1f ms "
          "(median), %.1f ms (worst)" % (moved, len(NAMES), median * 1000,
                                         worst * 1000))
    lib.check(median < 0.05 and worst < 2, "REST took", worst, "s")
    for name in NAMES:
        check_trace(worker, name)
        lib.equal(worker.get("/connectors/%s/status" % name)["connector"]
                  ["state"], "RUNNING", "connector of the failed task")
    for name in ("good-source", "good-sink"):
        lib.equal(worker.state(name), "RUNNING", name)
    # It is still one and the same pipeline.
    lib.write(file, "end\n", "a")
    worker.await_lines(out, moved + 2)
    lib.equal(lib.lines(out), [b"begin"] + [b"line"] * moved + [b"end"], "out")
    worker.stop()


def test_within_the_time_limit(case):
    """From the start of the call to FAILED: the limit, and not much more."""
    for name in ("endless", "stuck_in_c"):
        worker, *_ = start(case, [name])
        begun = worker.await_(
            lambda n=name: worker.state(n) and time.monotonic(), "a state")
        worker.await_state(name, "FAILED", 30)
        took = time.monotonic() - begun
        lib.check(took < TIMEOUT_MS / 1000 + 6, name, "FAILED after", took)
        worker.stop()


def test_repaired_plugin(case):
    """The task of a plugin that was repaired comes back by a restart."""
    worker, file, out = start(case, ["error_in_poll"])
    worker.await_state("error_in_poll", "FAILED")
    case.file("plugins/error_in_poll.lua", HEAD.replace(
        'local ffi = require "ffi"\n', "") +
        "return tide.source { poll = function() return 50 end }\n")
    reply = worker.ask("POST", "/connectors/error_in_poll/tasks/0/restart")
    lib.equal(reply.status, 204, "restart")
    worker.await_state("error_in_poll", "RUNNING")
    lib.equal(worker.trace("error_in_poll"), "", "trace")
    worker.stop()


def test_bad_when_loading(case):
    """A plugin that crashes or loops while it is validated: the worker says
    so and ends with 1 (it was starting)."""
    for name, text, says in (
            ("crash_load", 'local ffi = require "ffi"\n'
             'ffi.cdef "typedef void (*no_fn)(void);"\n'
             'local tide = require "tidegate"\n'
             'ffi.cast("no_fn", 0)()\n'
             "return tide.source { poll = function() end }", "signal 11"),
            ("loop_load", 'local tide = require "tidegate"\n'
             "while true do end\n"
             "return tide.source { poll = function() end }",
             "loop_load.lua:2")):
        case.file("plugins/%s.lua" % name, text)
        worker = case.worker(
            {"plugin.path": case.path("plugins"),
             "bootstrap.servers": "embedded:", "task.script.timeout.ms": 1000},
            [{"name": name, "connector.class": name}], wait=False,
            env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
                 ":handle_segv=0"})
        worker.end(expect=1)
        lib.check(says in worker.log() and name in worker.log(),
                  name, ":", worker.tail())


lib.run(globals())
