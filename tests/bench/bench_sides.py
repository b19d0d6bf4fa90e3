"""What is measured: three rows, and the sides of each.

Every side is a function (Lab, label) -> dict of figures. It starts its program
fresh, against a fresh topic or file, ends when the destination is complete,
and raises when the destination does not hold exactly what was sent.
"""
import http.client
import json
import os
import time
from dataclasses import dataclass

import bench_kafka as kafka
from bench_data import HOIST_SMTS, SMTS, Dataset
from bench_proc import (Process, ProcessError, command, free_port, get, rss,
                        tree)

POLL = 0.01
SAMPLE = 0.2
STALLED = 60

STRING = "org.apache.kafka.connect.storage.StringConverter"
JSON = "org.apache.kafka.connect.json.JsonConverter"
SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector"
SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"


@dataclass
class Lab:
    """All that the sides share."""
    dir: str
    broker: kafka.Broker
    data: Dataset
    tidegate: str
    jars: str
    check: bool = True   # compare contents, not only counts
    serial: int = 0
    feed: str = ""       # topic that the sinks read

    def path(self, name):
        return os.path.join(self.dir, name)

    def topic(self):
        self.serial += 1
        name = f"bench-{self.serial}"
        self.broker.create(name)
        return name

    def process(self, argv, **more):
        self.serial += 1
        log = self.path(f"{self.serial}.log")
        return Process(argv, log, **more)


# ------------------------------------------------------------ destinations

class Topic:
    def __init__(self, lab):
        self.lab = lab
        self.name = lab.topic()
        self.total = lab.data.count

    def amount(self):
        return self.lab.broker.end_offset(self.name) or 0

    def settle(self, form, _watch):
        """Counts, compares, and returns the seconds of the flow."""
        lab = self.lab
        address = lab.broker.address
        n = kafka.counted(address, self.name)
        if n != lab.data.count:
            raise ProcessError(f"{self.name} holds {n} records, "
                               f"{lab.data.count} were sent")
        seconds = kafka.span(address, self.name, n)
        if lab.check:
            lab.data.check(form, kafka.read(address, self.name), self.name)
        lab.broker.delete(self.name)
        return seconds


class File:
    def __init__(self, lab, form):
        lab.serial += 1
        self.lab = lab
        self.name = lab.path(f"out-{lab.serial}")
        self.total = lab.data.sizes[form]

    def amount(self):
        try:
            return os.stat(self.name).st_size
        except FileNotFoundError:
            return 0

    def settle(self, form, watch):
        lab = self.lab
        n = 0
        with open(self.name, "rb") as f:
            while part := f.read(1 << 20):
                n += part.count(b"\n")
        if n != lab.data.count:
            raise ProcessError(f"the output file has {n} lines, "
                               f"{lab.data.count} were sent")
        if lab.check:
            with open(self.name, encoding="utf-8", newline="\n") as f:
                lab.data.check(form, f, "output file")
        os.remove(self.name)
        # The first growth seen may be many records already.
        rest = 1 - watch.first_amount / self.total
        return watch.seconds() / rest if rest > 0 else 0.0


class Watch:
    """Follows a destination from outside until it is complete."""

    def __init__(self):
        self.first = self.last = None
        self.first_amount = 0
        self.cpu = 0.0

    def seconds(self):
        return self.last - self.first

    def follow(self, process, destination, until_exit=False):
        amount, sampled = 0, 0.0
        while True:
            running = process.poll()
            now = time.monotonic()
            new = destination.amount()
            if new > amount:
                amount, self.last = new, now
                if self.first is None:
                    self.first, self.first_amount = now, new
            if amount >= destination.total and not (until_exit and running):
                break
            if not running:
                process.fail(f"ended with {process.code} at {amount} of "
                             f"{destination.total}")
            if now - (self.last or process.started) > STALLED:
                process.fail(f"nothing new for {STALLED} s at {amount} of "
                             f"{destination.total}")
            if now - sampled >= SAMPLE:
                process.sample()
                sampled = now
            time.sleep(POLL)
        self.cpu = process.cpu()
        if running:
            process.sample()


def figures(lab, watch, seconds, process, **more):
    n = lab.data.count
    return {
        "cpu_us": (watch.cpu - more.pop("uncharged", 0.0)) / n * 1e6,
        "cpu_all_us": watch.cpu / n * 1e6,
        "rate": n / seconds if seconds > 0 else 0.0,
        "elapsed_s": watch.last - process.started,
        "memory_mb": process.peak / 1e6,
        **more,
    }


# -------------------------------------------------------------------- kcat

def kcat_source(lab):
    topic, watch = Topic(lab), Watch()
    process = lab.process(["kcat", "-b", lab.broker.address, "-P", "-q", "-t",
                           topic.name, "-p", "0", "-l", lab.data.path])
    watch.follow(process, topic, until_exit=True)
    if process.code != 0:
        process.fail(f"ended with {process.code}")
    return figures(lab, watch, topic.settle("line", watch), process)


def kcat_sink(lab):
    out, watch = File(lab, "line"), Watch()
    with open(out.name, "wb") as f:
        process = lab.process(["kcat", "-b", lab.broker.address, "-C", "-q",
                               "-e", "-o", "beginning", "-t", lab.feed],
                              stdout=f)
    watch.follow(process, out, until_exit=True)
    if process.code != 0:
        process.fail(f"ended with {process.code}")
    return figures(lab, watch, out.settle("line", watch), process)


# ----------------------------------------------------------------- workers

def write_properties(path, properties):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"{k}={v}\n" for k, v in properties.items())
    return path


def worker_properties(lab, port):
    lab.serial += 1
    return write_properties(lab.path(f"worker-{lab.serial}.properties"), {
        "bootstrap.servers": lab.broker.address,
        "key.converter": STRING,
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "offset.storage.file.filename": lab.path(f"offsets-{lab.serial}"),
        "offset.flush.interval.ms": "10000",  # as in Kafka's own example
        "listeners": f"http://127.0.0.1:{port}",
        "plugin.discovery": "hybrid_warn",
    })


def connector(lab, class_name, **more):
    lab.serial += 1
    return {"name": f"bench-{lab.serial}", "connector.class": class_name,
            "tasks.max": "1", **more}


def start_tidegate(lab, port, *connectors):
    argv = [lab.tidegate, "standalone", worker_properties(lab, port)]
    for config in connectors:
        name = lab.path(config["name"] + ".properties")
        argv.append(write_properties(name, config))
    return lab.process(argv)


def start_connect(lab, port):
    """The worker alone: connectors are posted when its REST answers, so that
    what it used until then is known."""
    return lab.process(
        ["java", "-Xmx1g", *os.environ.get("TG_CONNECT_OPTS", "").split(),
         "-cp", os.path.join(lab.jars, "*"),
         "org.apache.kafka.connect.cli.ConnectStandalone",
         worker_properties(lab, port)], memory=rss)


def post(process, port, config):
    body = json.dumps({"name": config["name"], "config": config})
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    c.request("POST", "/connectors", body,
              {"Content-Type": "application/json"})
    answer = c.getresponse()
    text = answer.read().decode()
    c.close()
    if answer.status != 201:
        process.fail(f"POST /connectors: {answer.status} {text}")


def stopped(process):
    """Ends a worker; its exit code must be that of a clean stop."""
    if not process.poll():
        process.fail(f"ended by itself with {process.code}")
    process.stop()
    if process.code not in (0, 130, 143):
        process.fail(f"a clean stop ended with {process.code}")


def run_tidegate(lab, destination, form, config):
    port, watch = free_port(), Watch()
    process = start_tidegate(lab, port, config)
    try:
        rest = process.await_rest(port)
        watch.follow(process, destination)
        stopped(process)
    finally:
        process.stop(5)
    seconds = destination.settle(form, watch)
    whole = process.usage.ru_utime + process.usage.ru_stime
    return figures(lab, watch, seconds, process, rest_ms=rest * 1e3,
                   cpu_to_exit_us=whole / lab.data.count * 1e6)


def run_connect(lab, destination, form, config):
    port, watch = free_port(), Watch()
    process = start_connect(lab, port)
    try:
        rest = process.await_rest(port)
        uncharged = process.cpu()
        post(process, port, config)
        watch.follow(process, destination)
        stopped(process)
    finally:
        process.stop(5)
    seconds = destination.settle(form, watch)
    return figures(lab, watch, seconds, process, rest_ms=rest * 1e3,
                   uncharged=uncharged)


# -------------------------------------------------------------------- rows

def tidegate_raw(lab):
    topic = Topic(lab)
    return run_tidegate(lab, topic, "line", connector(
        lab, SOURCE, file=lab.data.path, topic=topic.name,
        **{"value.converter": STRING}))


def connect_raw(lab):
    topic = Topic(lab)
    return run_connect(lab, topic, "line", connector(
        lab, SOURCE, file=lab.data.path, topic=topic.name,
        **{"value.converter": STRING}))


def tidegate_json(lab):
    topic = Topic(lab)
    return run_tidegate(lab, topic, "changed", connector(
        lab, SOURCE, file=lab.data.path, topic=topic.name, format="json",
        **SMTS))


def tidegate_hoist(lab):
    topic = Topic(lab)
    return run_tidegate(lab, topic, "hoisted", connector(
        lab, SOURCE, file=lab.data.path, topic=topic.name, **HOIST_SMTS))


def connect_hoist(lab):
    topic = Topic(lab)
    return run_connect(lab, topic, "hoisted", connector(
        lab, SOURCE, file=lab.data.path, topic=topic.name, **HOIST_SMTS))


def tidegate_sink(lab):
    out = File(lab, "changed")
    return run_tidegate(lab, out, "changed", connector(
        lab, SINK, file=out.name, topics=lab.feed, **SMTS))


def connect_sink(lab):
    out = File(lab, "changed_java")
    return run_connect(lab, out, "changed_java", connector(
        lab, SINK, file=out.name, topics=lab.feed, **SMTS))


ROWS = {
    "raw": ("file -> Kafka, StringConverter", {
        "kcat": kcat_source, "connect": connect_raw,
        "tidegate": tidegate_raw}),
    "json": ("file -> JSON -> 3 SMTs -> Kafka", {
        "kcat": kcat_source, "connect": connect_hoist,
        "tidegate": tidegate_json, "tidegate-hoist": tidegate_hoist}),
    "sink": ("Kafka -> JSON -> 3 SMTs -> file", {
        "kcat": kcat_sink, "connect": connect_sink,
        "tidegate": tidegate_sink}),
}

# -------------------------------------------------------------------- idle


def running(port, names):
    for name in names:
        status, body = get(port, f"/connectors/{name}/status")
        if status != 200:
            return False
        tasks = json.loads(body)["tasks"]
        if not tasks or any(t["state"] != "RUNNING" for t in tasks):
            return False
    return True


def await_running(process, port, names, seconds=60):
    end = time.monotonic() + seconds
    while not running(port, names):
        if time.monotonic() > end or not process.poll():
            process.fail("tasks are not RUNNING")
        time.sleep(0.05)


def latency(port, path, times=200):
    """Milliseconds of each of some GETs, a connection each, sorted."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        get(port, path)
        found.append((time.perf_counter() - begin) * 1e3)
    return sorted(found)


def idle_pair(lab):
    """A source with nothing to read and a sink with nothing to write."""
    empty = lab.path("empty")
    open(empty, "w", encoding="ascii").close()
    topic = lab.topic()
    return (connector(lab, SOURCE, file=empty, topic=topic, **SMTS),
            connector(lab, SINK, file=lab.path("idle-out"), topics=topic,
                      **SMTS))


def idle(lab, side):
    """Memory and REST of a worker with one source and one sink, idle."""
    port, pair = free_port(), idle_pair(lab)
    if side == "connect":
        process = start_connect(lab, port)
    else:
        process = start_tidegate(lab, port, *pair)
    try:
        rest = process.await_rest(port)
        if side == "connect":
            for config in pair:
                post(process, port, config)
        await_running(process, port, [c["name"] for c in pair])
        time.sleep(5)  # so that what the start left behind is given back
        before, begin = process.cpu(), time.monotonic()
        time.sleep(5)
        cpu = (process.cpu() - before) / (time.monotonic() - begin)
        memory = [(command(pid), process.memory(pid) / 1e6)
                  for pid in tree(process.pid)]
        times = latency(port, f"/connectors/{pair[0]['name']}/status")
        stopped(process)
    finally:
        process.stop(5)
    return {"rest_ms": rest * 1e3, "cpu_percent": cpu * 100,
            "memory": memory, "get_ms": times[len(times) // 2],
            "get_worst_ms": times[-1]}
