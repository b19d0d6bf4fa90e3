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
    lib.produce(topic, b"", bootstrap=None)
    worker = case.worker({"plugin.path": folder}, [
        dict(lib.sink("snk", out, topic), **STAMP)],
        args=("--log-level", "debug")).running("snk")
    worker.await_(lambda: stages(worker, "snk"), "the versions of snk")
    pid = worker.task("snk-0")
    kcat = case.popen("kcat", "-b", lib.BOOTSTRAP, "-P", "-t", topic, "-X",
                      "linger.ms=2", stdin=subprocess.PIPE)
    saver = Saver(worker, "snk", os.path.join(folder, "stamp.lua"))

    def write(data):
        kcat.stdin.write(data)
        kcat.stdin.flush()

    numbered(write, saver, RECORDS)
    kcat.stdin.close()
    kcat.wait()
    saver.end()
    worker.await_lines(out, RECORDS, 120)
    lib.equal(worker.task("snk-0"), pid, "process of the task")
    lib.equal(worker.log().count("Assigned %s-0" % topic), 1, "assignments")
    check_flow(lib.lines(out), RECORDS, saver, "sink")


if __name__ == "__main__":
    lib.need_broker()
    lib.run(globals())
