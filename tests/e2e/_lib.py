"""Helpers of the e2e, compat and crash tests.

A test file defines functions whose names begin with test_, each taking a Case,
and ends with lib.run(globals()). Names on the command line choose some of them.
A Case owns a temporary folder, workers and other processes; all of it is gone
when the function returns. Nothing sleeps for a fixed time: conditions are
awaited with a deadline.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid

SOURCE_DIR = os.environ.get("SOURCE_DIR") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
TIDEGATE = os.environ.get("TIDEGATE") or os.path.join(
    SOURCE_DIR, "build", "release", "core", "tidegate")
BOOTSTRAP = os.environ.get("BOOTSTRAP")
SKIPPED = 77
WAIT = float(os.environ.get("TG_WAIT", "60"))


class Failure(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what))


def equal(found, expected, what="value"):
    if found != expected:
        raise Failure("%s: expected %s, found %s" % (
            what, short(expected), short(found)))


def short(x, most=600):
    text = repr(x)
    return text if len(text) <= most else text[:most] + "... (%d)" % len(text)


def await_(condition, what, seconds=None, alive=None):
    """Polls until condition() is true and returns it; fails with `what`
    (a text or a function) when time is up or alive() is false."""
    end = time.monotonic() + (WAIT if seconds is None else seconds)
    pause = 0.01
    while True:
        result = condition()
        if result:
            return result
        dead = alive is not None and not alive()
        if dead or time.monotonic() > end:
            raise Failure("%s: %s" % ("ended" if dead else "timed out",
                                      what() if callable(what) else what))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def unique(name):
    return "%s-%s" % (name, uuid.uuid4().hex[:10])


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def lines(path):
    """The complete lines of a file, as bytes."""
    return read(path).split(b"\n")[:-1]


def count_lines(path):
    n = 0
    try:
        with open(path, "rb") as f:
            while True:
                piece = f.read(1 << 20)
                if not piece:
                    return n
                n += piece.count(b"\n")
    except FileNotFoundError:
        return 0


def write(path, content, mode="w"):
    if isinstance(content, bytes):
        mode += "b"
    with open(path, mode) as f:
        f.write(content)


def same_lines(found, expected, what):
    """Compares two lists and names the first difference."""
    for i, (a, b) in enumerate(zip(found, expected)):
        if a != b:
            raise Failure("%s: line %d: expected %s, found %s" % (
                what, i + 1, short(b), short(a)))
    equal(len(found), len(expected), what + ": number of lines")


def properties(path, config):
    def escape(v):
        return str(v).replace("\\", "\\\\").replace("\n", "\\n")
    write(path, "".join("%s=%s\n" % (k, escape(v))
                        for k, v in config.items()))
    return path


def children(pid):
    """Not from /proc/PID/task/*/children: that may leave out some while others
    end."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid and fields[0] not in "ZX":
                found.append(int(name))
    return found


def command(pid):
    return read("/proc/%d/cmdline" % pid).split(b"\0")[:-1]


def gone(pid):
    """No process of that id, or only what its parent has not fetched yet."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


# --- HTTP ------------------------------------------------------------------

class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %s" % (self.status, short(self.body))


def http(method, url, body=None, timeout=30):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as r:
            return Reply(r.status, r.headers, r.read())
    except urllib.error.HTTPError as e:
        return Reply(e.code, e.headers, e.read())


# --- workers ---------------------------------------------------------------

class Worker:
    """tidegate standalone with connectors given as dictionaries (or paths)."""

    def __init__(self, case, config, connectors, env=None, wait=True,
                 args=()):
        self.case = case
        self.folder = tempfile.mkdtemp(prefix="worker", dir=case.folder)
        self.log_path = os.path.join(self.folder, "worker.log")
        full = {"key.converter":
                "org.apache.kafka.connect.storage.StringConverter",
                "value.converter":
                "org.apache.kafka.connect.storage.StringConverter",
                "offset.storage.file.filename": case.path("offsets"),
                "offset.flush.interval.ms": "500",
                "listeners": "http://127.0.0.1:0"}
        full.setdefault("bootstrap.servers", BOOTSTRAP or "embedded:")
        full.update(config)
        self.files = [properties(os.path.join(self.folder,
                                              "worker.properties"), full)]
        for i, c in enumerate(connectors):
            if isinstance(c, dict):
                c = properties(os.path.join(
                    self.folder, "connector%d.properties" % i), c)
            self.files.append(c)
        self.started = time.monotonic()
        self.errors = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [TIDEGATE, "standalone", "--no-progress", *args, *self.files],
            cwd=case.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=self.errors,
            env=dict(os.environ, **(env or {})))
        self.errors.close()
        self.pid = self.process.pid
        self.rest = None
        if wait:
            self.await_rest()

    def log(self):
        return read(self.log_path).decode("utf-8", "replace")

    def alive(self):
        return self.process.poll() is None

    def tail(self):
        return "\n".join(self.log().splitlines()[-25:])

    def await_(self, condition, what, seconds=None):
        return await_(condition, lambda: "%s\n--- the worker's log:\n%s" % (
            what() if callable(what) else what, self.tail()), seconds,
            self.alive)

    def await_rest(self):
        found = self.await_(lambda: re.search(r"REST server at (http:\S+)",
                                              self.log()), "REST")
        self.rest = found.group(1)

    def ask(self, method, path, body=None, timeout=30):
        return http(method, self.rest + path, body, timeout)

    def get(self, path):
        reply = self.ask("GET", path)
        check(reply.status == 200, "GET", path, "answered", reply)
        return reply.json()

    def state(self, connector, task=0):
        """State of a task, None before it is there."""
        try:
            reply = self.ask("GET", "/connectors/%s/status" % connector)
        except OSError:
            return None  # the worker has ended
        if reply.status != 200:
            return None
        for t in reply.json()["tasks"]:
            if t["id"] == task:
                return t["state"]
        return None

    def trace(self, connector, task=0):
        for t in self.get("/connectors/%s/status" % connector)["tasks"]:
            if t["id"] == task:
                return t.get("trace", "")
        return ""

    def await_state(self, connector, state, seconds=None, task=0):
        self.await_(lambda: self.state(connector, task) == state,
                    lambda: "task %d of %s is %s, not %s" % (
                        task, connector, self.state(connector, task), state),
                    seconds)

    def running(self, *connectors):
        for c in connectors:
            self.await_state(c, "RUNNING")
        return self

    def metric(self, name, connector):
        text = self.ask("GET", "/metrics").body.decode()
        total = 0.0
        for line in text.splitlines():
            if line.startswith(name + "{") and \
                    'connector="%s"' % connector in line:
                total += float(line.rsplit(" ", 1)[1])
        return total

    def await_lines(self, path, n, seconds=None):
        self.await_(lambda: count_lines(path) >= n,
                    lambda: "%d of %d lines in %s" % (
                        count_lines(path), n, os.path.basename(path)), seconds)

    def tasks(self):
        """Process ids of task processes, those that check configurations
        among them."""
        return [p for p in children(self.pid) if command(p)[1:2] == [b"task"]]

    def task(self, name):
        """Process id of a running task such as "src-0", or None."""
        found = [p for p in children(self.pid)
                 if command(p)[1:] == [b"task", name.encode()]]
        return found[0] if found else None

    def broker(self):
        found = [p for p in children(self.pid)
                 if command(p)[1:2] == [b"broker"]]
        return found[0] if found else None

    def stop(self, expect=0, seconds=None):
        """SIGTERM and its exit status."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        self.end(expect, seconds)

    def end(self, expect=0, seconds=None):
        try:
            code = self.process.wait(WAIT if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            raise Failure("the worker did not end\n" + self.tail()) from None
        if expect is not None:
            check(code == expect, "exit status", code, "not", expect, "\n",
                  self.tail())
        return code

    def kill(self):
        """SIGKILL, and waits until its children are gone too."""
        pids = children(self.pid)
        self.process.kill()
        self.process.wait()
        await_(lambda: all(gone(p) for p in pids),
               lambda: "children outlive a killed worker: %s" % [
                   (p, command(p)) for p in pids if not gone(p)], 10)


SANITIZER = re.compile(r"ERROR: \w+Sanitizer.*|\S+: runtime error: .*|"
                       r"WARNING: ThreadSanitizer.*")


class Case:
    def __init__(self, name):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="tidegate-%s-" % name)
        self.workers, self.processes, self.cleanups = [], [], []
        self.sanitizer_allowed = False

    def path(self, *names):
        path = os.path.join(self.folder, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def file(self, name, content=""):
        write(self.path(name), content)
        return self.path(name)

    def worker(self, config, connectors, **options):
        worker = Worker(self, config, connectors, **options)
        self.workers.append(worker)
        return worker

    def popen(self, *args, **options):
        process = subprocess.Popen(args, cwd=self.folder, **options)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for worker in self.workers:
            if worker.alive():
                worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.process.wait(20)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        for cleanup in reversed(self.cleanups):
            cleanup()

    def sanitizers(self):
        for worker in self.workers:
            found = SANITIZER.search(worker.log())
            if found and not self.sanitizer_allowed:
                at = worker.log().find(found.group(0))
                raise Failure("a sanitizer reported:\n" +
                              worker.log()[at:at + 5000])

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def run_one(name, function):
    case = Case(name)
    begun = time.monotonic()
    try:
        try:
            function(case)
        finally:
            case.close()
        case.sanitizers()
        why = None
    except Failure as e:
        at = [f for f in traceback.extract_tb(e.__traceback__)
              if os.path.basename(f.filename) != "_lib.py"]
        why = "line %d: %s" % (at[-1].lineno if at else 0, e)
    except Exception:
        why = traceback.format_exc()
        why += "".join("\n--- log of a worker:\n" + w.tail()
                       for w in case.workers)
    if os.environ.get("TG_KEEP") and why:
        print("kept:", case.folder)
    else:
        case.remove()
    print("%s %s (%.1f s)" % ("ok    " if why is None else "FAILED", name,
                              time.monotonic() - begun), flush=True)
    if why:
        print("    " + why.replace("\n", "\n    "), flush=True)
    return why is None


def run(namespace):
    names = [n for n in namespace if n.startswith("test_")]
    chosen = [n for n in names
              if not sys.argv[1:] or any(a in n for a in sys.argv[1:])]
    results = [run_one(n[5:], namespace[n]) for n in chosen]
    sys.exit(0 if results and all(results) else 1)


def need_broker():
    if not BOOTSTRAP:
        print("BOOTSTRAP is not set: no Kafka to test with")
        sys.exit(SKIPPED)


# --- Kafka through kcat ----------------------------------------------------

def kcat(*args, data=None, bootstrap=None, timeout=120):
    done = subprocess.run(["kcat", "-b", bootstrap or BOOTSTRAP, "-q", *args],
                          input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout)
    check(done.returncode == 0, "kcat", *args, ":", done.stderr.decode())
    return done.stdout


def produce(topic, data, *args, bootstrap=None):
    kcat("-P", "-t", topic, *args, data=data, bootstrap=bootstrap)


def records(topic, bootstrap=None, more=()):
    """All records of a topic as kcat's JSON objects, by partition, offset."""
    text = kcat("-C", "-t", topic, "-o", "beginning", "-e", "-J", *more,
                bootstrap=bootstrap)
    found = [json.loads(line) for line in text.decode(
        "utf-8", "surrogateescape").splitlines()]
    return sorted(found, key=lambda r: (r["partition"], r["offset"]))


def values(topic, bootstrap=None):
    """Values of a topic of one partition, as bytes; none may hold newlines."""
    return kcat("-C", "-t", topic, "-o", "beginning", "-e",
                bootstrap=bootstrap).split(b"\n")[:-1]


def topic_count(topic, bootstrap=None):
    """Number of records in the topic (of one partition), by its offsets."""
    try:
        text = kcat("-Q", "-t", "%s:0:-1" % topic, bootstrap=bootstrap)
    except Failure:
        return 0
    found = re.search(rb"offset (\d+)", text)
    return int(found.group(1)) if found else 0


# --- offsets files ---------------------------------------------------------

def rebalances(group):
    """Lines of the broker's log about rebalances of a consumer group; None when
    the broker is not one of scripts/servers that tells."""
    folder = os.path.join(os.environ.get("TG_SERVERS") or os.path.join(
        SOURCE_DIR, ".servers"), "kafka")
    log = read(os.path.join(folder, "log")).decode("utf-8", "replace")
    if ("bootstrap=%s" % BOOTSTRAP) not in read(os.path.join(
            folder, "env")).decode().split() or "GroupCoordinator" not in log:
        return None
    return [line for line in log.splitlines()
            if "Preparing to rebalance group %s " % group in line]


def offsets(path):
    """What a file in Kafka Connect's format (a serialized HashMap of byte
    arrays) holds: {(connector, partition as JSON): offset}."""
    data = read(path)
    if not data:
        return {}
    check(data[:4] == b"\xac\xed\x00\x05", "the offset file is no Java stream")
    check(b"java.util.HashMap" in data[:40], "the offset file holds no HashMap")
    at = data.index(b"\x77\x08") + 2
    count = int.from_bytes(data[at + 4:at + 8], "big")
    at += 8
    texts = []
    for _ in range(2 * count):
        if data[at] == 0x70:
            texts.append(None)
            at += 1
            continue
        check(data[at] == 0x75, "no array at byte", at)
        at += 1
        if data[at] == 0x72:
            at = data.index(b"xp", at) + 2
        else:
            check(data[at:at + 5] == b"\x71\x00\x7e\x00\x02",
                  "a class that is no byte[] at byte", at)
            at += 5
        n = int.from_bytes(data[at:at + 4], "big")
        texts.append(data[at + 4:at + 4 + n])
        at += 4 + n
    equal(data[at:], b"\x78", "the end of the offset file")
    found = {}
    for key, value in zip(texts[::2], texts[1::2]):
        connector, partition = json.loads(key)
        found[connector, json.dumps(partition, sort_keys=True)] = \
            None if value is None else json.loads(value)
    return found


def position(path, connector, filename):
    """Stored position of a file source, None when there is none."""
    entry = offsets(path).get(
        (connector, json.dumps({"filename": filename})))
    return entry and entry["position"]


# --- a watch over REST -----------------------------------------------------

class RestWatch(threading.Thread):
    """Asks for a path all the time and keeps how long each answer took."""

    def __init__(self, worker, path="/connectors?expand=status&expand=info"):
        super().__init__(daemon=True)
        self.url = worker.rest + path
        self.times, self.errors, self.ending = [], [], threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            begun = time.monotonic()
            try:
                reply = http("GET", self.url, timeout=10)
                if reply.status != 200:
                    self.errors.append(repr(reply))
            except OSError as e:
                self.errors.append(str(e))
            self.times.append(time.monotonic() - begun)
            self.ending.wait(0.02)

    def end(self):
        """(median, worst) in seconds; fails if an answer was none."""
        self.ending.set()
        self.join()
        check(self.times and not self.errors, "REST:", self.errors[:3])
        ordered = sorted(self.times)
        return ordered[len(ordered) // 2], ordered[-1]


# --- common configurations -------------------------------------------------

JSON = {"value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false"}
JAVA = "org.apache.kafka.connect.transforms."


def source(name, file, topic, **more):
    return dict({"name": name, "connector.class": "FileStreamSource",
                 "file": file, "topic": topic}, **dotted(more))


def sink(name, file, topic, **more):
    return dict({"name": name, "connector.class": "FileStreamSink",
                 "file": file, "topics": topic}, **dotted(more))


def dotted(config):
    """Python names of keys: transforms__a__type -> transforms.a.type"""
    return {k.replace("__", "."): v for k, v in config.items()}


def transforms(*steps):
    """transforms.* of (alias, class, {key: value}) steps."""
    config = {"transforms": ",".join(s[0] for s in steps)}
    for alias, class_name, more in steps:
        if "." not in class_name and class_name[0].isupper():
            class_name = JAVA + class_name
        config["transforms.%s.type" % alias] = class_name
        for key, value in more.items():
            config["transforms.%s.%s" % (alias, key)] = value
    return config
