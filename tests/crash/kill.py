"""kill -9 of tasks, of the supervisor and of the broker at random moments while
numbered records flow file -> Kafka -> file. Nothing may be missing at the
destination and no record may overtake another for good; duplicates are counted.

TG_CRASHES         how often (default 12, two thirds of them with a real Kafka,
                   the others with the embedded broker)
TG_CRASH_RECORDS   records that flow in each (default 200000)
TG_SEED            repeats a run's choices, which are printed
"""
# timeout: 900
# serial: yes
import os
import random
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
import _lib as lib  # noqa: E402

lib.need_broker()

CRASHES = int(os.environ.get("TG_CRASHES") or 12)
RECORDS = int(os.environ.get("TG_CRASH_RECORDS") or 200000)
SEED = int(os.environ.get("TG_SEED") or random.SystemRandom().randrange(10**9))
SIZE = 40  # bytes of a line
SECONDS = 120


def size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


class Flow:
    """A pipeline that is fed piece by piece, and killed in between."""

    def __init__(self, case, config):
        self.case = case
        self.config = dict({"task.shutdown.graceful.timeout.ms": 5000},
                           **config)
        self.file, self.out = case.path("in"), case.path("out")
        self.topic = lib.unique("crash")
        self.written, self.input = 0, open(self.file, "w")
        case.cleanups.append(self.input.close)
        self.start()

    def start(self):
        self.worker = self.case.worker(self.config, [
            dict(lib.source("src", self.file, self.topic), **{
                "topic.creation.default.replication.factor": 1,
                "topic.creation.default.partitions": 1}),
            lib.sink("snk", self.out, self.topic)])

    def feed(self, n):
        self.input.write("".join("%08d%s\n" % (i, "." * (SIZE - 9))
                                 for i in range(self.written,
                                                self.written + n)))
        self.input.flush()
        self.written += n

    def await_size(self, target):
        self.worker.await_(
            lambda: size(self.out) >= target, lambda: "%d of %d bytes; %s" % (
                size(self.out), target, self.states()), SECONDS)

    def states(self):
        try:
            return {n: (self.worker.state(n), self.worker.trace(n)[:300])
                    for n in ("src", "snk")}
        except OSError as e:
            return str(e)

    # --- what can die -----------------------------------------------------

    def kill_task(self, name):
        pid = lib.await_(lambda: self.worker.task(name + "-0"), "a task")
        os.kill(pid, signal.SIGKILL)
        lib.await_(lambda: self.worker.task(name + "-0") != pid, "its end")
        # Its back-off grows with each crash; that is not what is tested.
        try:
            lib.await_(lambda: self.worker.task(name + "-0"), "a task", 1)
        except lib.Failure:
            self.worker.ask("POST", "/connectors/%s/tasks/0/restart" % name)

    def kill_source(self):
        self.kill_task("src")

    def kill_sink(self):
        self.kill_task("snk")

    def kill_supervisor(self):
        self.worker.kill()  # its children end with it, or this fails
        before = size(self.out)
        self.start()
        lib.check(size(self.out) >= before, "the output became shorter")

    def kill_broker(self):
        pid = self.worker.broker()
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        self.worker.await_(lambda: self.worker.broker() not in (None, pid),
                           "a new broker")

    # --- what must hold -----------------------------------------------------

    def verify(self):
        """Every number is there; each new one follows its predecessor."""
        highest, twice, torn = -1, 0, 0
        whole = re.compile(rb"\d{8}\.{%d}$" % (SIZE - 9))
        with open(self.out, "rb") as f:
            for line in f:
                if not whole.match(line.rstrip(b"\n")):
                    torn += 1
                    continue
                n = int(line[:8])
                lib.check(n <= highest + 1, "records %d to %d are missing "
                          "before %d" % (highest + 1, n - 1, n))
                twice += n <= highest
                highest = max(highest, n)
        lib.equal(highest, self.written - 1, "last record")
        return twice, torn

    def complete(self):
        """The last record has arrived; and it is the last."""
        last = b"%08d" % (self.written - 1)

        def arrived():
            with open(self.out, "rb") as f:
                f.seek(max(0, size(self.out) - SIZE * 4))
                return last in f.read()
        self.worker.await_(arrived, lambda: "the last record; %s" %
                           self.states(), SECONDS)


def crash(case, flow, kinds, count, dice):
    lib.await_(lambda: flow.worker.state("snk") == "RUNNING", "the start")
    order = [kinds[i % len(kinds)] for i in range(count)]
    dice.shuffle(order)
    chunk = RECORDS // (count + 1)
    flow.feed(chunk)
    flow.await_size(1)
    for kind in order:
        flow.feed(chunk)
        flow.await_size(size(flow.out) + int(dice.random() * chunk * SIZE))
        getattr(flow, "kill_" + kind)()
    flow.feed(RECORDS - flow.written)
    flow.complete()
    flow.worker.running("src", "snk")
    flow.worker.stop()
    twice, torn = flow.verify()
    print("    %d records, kills: %s" % (RECORDS, ", ".join(
        "%d of %s" % (order.count(k), k) for k in kinds)))
    print("    none missing, %d duplicates, %d torn lines" % (twice, torn))
    sinks = sum(order.count(k) for k in ("sink", "supervisor", "source"))
    lib.check(torn <= sinks, "more torn lines than kills of writers")


class Kafka:
    """A broker of our own: this one may die."""

    def __init__(self, case):
        self.env = dict(os.environ, TG_SERVERS=case.path("servers"))
        case.cleanups.append(lambda: self.call("stop"))
        self.bootstrap = re.search(r"bootstrap=(\S+)",
                                   self.call("start")).group(1)

    def call(self, verb):
        done = subprocess.run(
            [os.path.join(lib.SOURCE_DIR, "scripts", "servers"), "kafka", verb],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lib.check(done.returncode == 0, "servers kafka", verb, done.stderr)
        return done.stdout.decode()


def test_real_kafka(case):
    dice = random.Random(SEED)
    print("    TG_SEED=%d" % SEED)
    kafka = Kafka(case)

    class RealFlow(Flow):
        def kill_broker(self):
            kafka.call("kill")
            kafka.call("relaunch")

    flow = RealFlow(case, {"bootstrap.servers": kafka.bootstrap,
                           "consumer.session.timeout.ms": 2000,
                           "consumer.heartbeat.interval.ms": 300})
    crash(case, flow, ["source", "sink", "supervisor", "broker"],
          (CRASHES * 2 + 2) // 3, dice)


def test_embedded(case):
    dice = random.Random(SEED + 1)
    flow = Flow(case, {"bootstrap.servers": "embedded:"})
    crash(case, flow, ["broker", "sink", "source", "supervisor"],
          CRASHES - (CRASHES * 2 + 2) // 3, dice)


lib.run(globals())
