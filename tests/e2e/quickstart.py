"""The first thing that a user sees: the pipeline of scripts/quickstart, over
the embedded broker, each of 120,000 lines compared; and the same with what
`cmake --install` puts into an empty folder, run from somewhere else."""
# timeout: 240
import os
import random
import re
import shutil
import subprocess

import _lib as lib

RECORDS = 120000


def make(folder, n):
    """orders.jsonl, and what must come out, as lines."""
    r = random.Random(42)
    expected = []
    with open(os.path.join(folder, "orders.jsonl"), "w") as out:
        for i in range(1, n + 1):
            q, p, w = r.randint(1, 9), r.randint(99, 50000), r.randint(10, 99)
            city = r.choice(["Hamburg", "Genoa", "Gdańsk", "València"])
            head = '{"id":%d,"quantity":%d' % (i, q)
            tail = '"weight":%d.50' % w
            out.write('%s,"price":%d,"city":"%s","card":"4000-%08d",%s}\n' % (
                head, p, city, i, tail))
            expected.append(
                '%s,"ship_to":"%s","card":"****",%s,"total":%d,'
                '"origin":"quickstart"}' % (head, city, tail, p * q))
    return [e.encode() for e in expected]


def pipeline(case, n, binary, files):
    folder = case.path("run")
    expected = make(folder, n)
    with open(case.path("worker.log"), "wb") as log, \
            open(case.path("progress"), "wb") as progress:
        worker = case.popen(binary, "standalone", "--progress",
                            *[os.path.join(folder, f) for f in files],
                            stdout=progress, stderr=log)

    def says():
        return lib.read(case.path("worker.log")).decode()[-3000:]
    out = os.path.join(folder, "orders.out.jsonl")
    lib.await_(lambda: lib.count_lines(out) >= n,
               lambda: "%d of %d lines\n%s" % (lib.count_lines(out), n,
                                               says()),
               150, lambda: worker.poll() is None)
    for name in ("orders-source", "orders-sink"):
        shows = re.compile(name + r" +RUNNING +[\d,]+ records")
        lib.await_(lambda: shows.search(lib.read(case.path("progress"))
                                        .decode()),
                   "no progress of %s is shown" % name, 20)
    worker.terminate()
    worker.wait(60)
    lib.check(worker.returncode == 0, "exit status", worker.returncode, says())
    lib.same_lines(lib.lines(out), expected, "orders.out.jsonl")
    lib.check(not lib.SANITIZER.search(lib.read(
        case.path("worker.log")).decode()), says())


def prepare(case, example):
    folder = case.path("run")
    shutil.copytree(example, folder)
    for name, keys in (("worker.properties",
                        ["offset.storage.file.filename", "plugin.path"]),
                       ("orders-source.properties", ["file"]),
                       ("orders-sink.properties", ["file"])):
        path = os.path.join(folder, name)
        text = lib.read(path).decode()
        for key in keys:
            text, found = re.subn(r"(?m)^(%s=)" % re.escape(key),
                                  r"\1%s/" % folder, text)
            lib.equal(found, 1, "%s in %s" % (key, name))
        lib.write(path, text)
    return ["worker.properties", "orders-source.properties",
            "orders-sink.properties"]


def test_example(case):
    files = prepare(case, os.path.join(lib.SOURCE_DIR, "examples",
                                       "quickstart"))
    pipeline(case, RECORDS, lib.TIDEGATE, files)


def test_installed(case):
    """The installed tree finds its SDK, connectors and transforms by itself."""
    build = os.environ.get("BUILD_DIR") or os.path.dirname(
        os.path.dirname(lib.TIDEGATE))
    prefix = case.path("prefix")
    done = subprocess.run(["cmake", "--install", build, "--prefix", prefix],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lib.equal(done.returncode, 0, done.stdout.decode()[-2000:])
    os.environ.pop("TIDEGATE_HOME", None)
    binary = os.path.join(prefix, "bin", "tidegate")
    share = os.path.join(prefix, "share", "tidegate")
    for name in ("lua/tidegate/boot.lua", "connectors/file/source.lua",
                 "config/connect-standalone.properties"):
        lib.check(os.path.exists(os.path.join(share, name)), name,
                  "was not installed")
    files = prepare(case, os.path.join(lib.SOURCE_DIR, "examples",
                                       "quickstart"))
    pipeline(case, 5000, binary, files)
    link = os.path.join(prefix, "bin", "connect-standalone")
    help_ = subprocess.run([link, "--help"], stdout=subprocess.PIPE, cwd="/")
    lib.check(help_.returncode == 0 and b"worker.properties" in help_.stdout,
              "connect-standalone --help:", help_)


def test_config_files(case):
    """The properties files that come with tidegate, as they are: only the
    paths and the port are for this machine's /tmp and 8083."""
    config = os.path.join(lib.SOURCE_DIR, "config")
    files = []
    for name in ("connect-standalone-embedded", "connect-file-source",
                 "connect-file-sink"):
        text = lib.read(os.path.join(config, name + ".properties")).decode()
        text = text.replace("/tmp/", case.folder + "/")
        text = text.replace("#listeners=http://127.0.0.1:8083",
                            "listeners=http://127.0.0.1:0")
        files.append(case.file(name + ".properties", text))
    case.file("test.txt", "".join("line %d\n" % i for i in range(1000)))
    worker = lib.Worker.__new__(lib.Worker)
    worker.case, worker.log_path = case, case.path("log")
    with open(worker.log_path, "wb") as log:
        worker.process = case.popen(lib.TIDEGATE, "standalone", *files,
                                    stdout=subprocess.DEVNULL, stderr=log)
    worker.pid = worker.process.pid
    worker.await_rest()
    worker.await_lines(case.path("test.sink.txt"), 1000)
    status = worker.get("/connectors/local-file-sink/status")
    lib.equal(status["connector"]["state"], "RUNNING", "state")
    worker.stop()
    lib.equal(lib.read(case.path("test.sink.txt")),
              lib.read(case.path("test.txt")), "test.sink.txt")


lib.run(globals())
