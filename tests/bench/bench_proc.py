"""Processes under measurement: CPU, memory and the HTTP port of a tree."""
import http.client
import os
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def slurp(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def children(pid):
    found = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return found
    for tid in threads:
        found += map(int, slurp(f"/proc/{pid}/task/{tid}/children").split())
    return found


def tree(pid):
    """The process and all its living descendants."""
    found = [pid]
    for member in found:
        found += children(member)
    return found


def cpu_of(pid):
    """Seconds of user and system time of one process, all its threads, and
    the children that it has reaped."""
    stat = slurp(f"/proc/{pid}/stat")
    if not stat:
        return 0.0
    fields = stat.rpartition(b")")[2].split()
    reaped = (int(fields[13]) + int(fields[14])) / TICK
    try:
        # The clock of another process: nanoseconds, where stat has ticks.
        own = time.clock_gettime((~pid << 3) | 2)
    except OSError:
        own = (int(fields[11]) + int(fields[12])) / TICK
    return own + reaped


def pss(pid):
    for row in slurp(f"/proc/{pid}/smaps_rollup").splitlines():
        if row.startswith(b"Pss:"):
            return int(row.split()[1]) * 1024
    return 0


def rss(pid):
    statm = slurp(f"/proc/{pid}/statm").split()
    return int(statm[1]) * PAGE if statm else 0


def command(pid):
    """Program and, for tidegate, its command: "tidegate task", "java"."""
    words = slurp(f"/proc/{pid}/cmdline").decode(errors="replace").split("\0")
    name = os.path.basename(words[0])
    return " ".join([name] + words[1:2]) if name == "tidegate" else name


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path, timeout=5):
    """Status and body; status 0 when nobody answers."""
    try:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        c.request("GET", path)
        answer = c.getresponse()
        body = answer.read().decode()
        c.close()
        return answer.status, body
    except (OSError, http.client.HTTPException):
        return 0, ""


class ProcessError(Exception):
    pass


class Process:
    """A program in its own process group. Started at once; `started` is the
    monotonic time before fork, `usage` what wait4 said in the end."""

    def __init__(self, argv, log, stdout=None, memory=pss):
        self.name = os.path.basename(argv[0])
        self.log = log
        self.memory = memory
        self.peak = 0
        self.usage = None
        self.code = None
        with open(log, "ab") as errors:
            self.started = time.monotonic()
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout or errors,
                stderr=errors, start_new_session=True)
        self.pid = self.popen.pid

    def poll(self):
        """True while it runs."""
        if self.code is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.ended(status, usage)
        return self.code is None

    def wait(self):
        if self.code is None:
            _, status, usage = os.wait4(self.pid, 0)
            self.ended(status, usage)

    def ended(self, status, usage):
        self.code = os.waitstatus_to_exitcode(status)
        self.popen.returncode = self.code
        self.usage = usage

    def cpu(self):
        if self.code is not None:
            return self.usage.ru_utime + self.usage.ru_stime
        return sum(map(cpu_of, tree(self.pid)))

    def sample(self):
        """Takes note of the memory of the tree."""
        self.peak = max(self.peak, sum(map(self.memory, tree(self.pid))))

    def stop(self, seconds=40):
        """SIGTERM, then SIGKILL to the group when it does not end."""
        if not self.poll():
            return
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + seconds
        while self.poll():
            if time.monotonic() > end:
                os.killpg(self.pid, signal.SIGKILL)
                self.wait()
                break
            time.sleep(0.01)

    def fail(self, what):
        self.stop(5)
        tail = slurp(self.log).decode(errors="replace").splitlines()[-15:]
        raise ProcessError(f"{self.name}: {what}; the end of its log:\n  "
                           + "\n  ".join(tail))

    def await_rest(self, port, seconds=90):
        """Seconds from exec until GET / is answered."""
        while time.monotonic() < self.started + seconds:
            with socket.socket() as s:
                up = s.connect_ex(("127.0.0.1", port)) == 0
            if up and get(port, "/")[0] == 200:
                return time.monotonic() - self.started
            if not self.poll():
                self.fail(f"ended with {self.code} before REST was up")
            time.sleep(0.001 if time.monotonic() < self.started + 1 else 0.02)
        return self.fail(f"REST does not answer after {seconds} s")
