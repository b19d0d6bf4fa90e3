"""docs/write-a-transform.md, read and carried out: its files are written, its
commands are run, and what they print must be what the page shows ("..." stands
for any text). Its worker is started with its connector."""
# timeout: 120
import os
import re
import subprocess

import _lib as lib

PAGE = os.path.join(lib.SOURCE_DIR, "docs", "write-a-transform.md")


def blocks():
    """("file", name, text) and ("run", command, expected output), in order."""
    text = lib.read(PAGE).decode()
    found = []
    for name, language, body in re.findall(
            r"(?:^`([\w.]+)`:\n\n)?^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        if name:
            found.append(("file", name, body))
        elif language == "console":
            for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
                command, _, out = part.partition("\n")
                found.append(("run", command, out))
        else:
            found.append(("shown", language, body))
    return found


def environment(case):
    os.symlink(lib.TIDEGATE, case.path("bin", "tidegate"))
    return dict(os.environ, PATH=case.path("bin") + ":" + os.environ["PATH"],
                TIDEGATE_HOME=lib.SOURCE_DIR)


def run(case, command, expected, env):
    folder = case.path("work", "x")[:-2]
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60)
    lib.check(not lib.SANITIZER.search(done.stderr.decode()), done.stderr)
    found = done.stdout.decode()
    pattern = ".*".join(re.escape(p) for p in expected.split("..."))
    lib.check(re.fullmatch(pattern, found), command, "\n--- the page:\n" +
              expected + "--- printed:\n" + found + done.stderr.decode())


def test_page(case):
    env = environment(case)
    counts = {"file": 0, "run": 0, "shown": 0}
    for kind, name, text in blocks():
        counts[kind] += 1
        if kind == "file":
            lib.write(case.path("work", name), text)
        elif kind == "run":
            run(case, name, text, env)
    lib.check(counts["file"] >= 7 and counts["run"] >= 12, counts)
    lib.equal(counts["shown"], 1, "blocks that are not run")


def test_worker(case):
    """The command at the end starts, and the connector runs."""
    env = environment(case)
    for kind, name, text in blocks():
        if kind == "file":
            lib.write(case.path("work", name), text)
    shown = [text for kind, _, text in blocks() if kind == "shown"]
    log = open(case.path("log"), "wb")
    process = subprocess.Popen(
        shown[0].split(), cwd=case.path("work", "x")[:-2], env=env, stdout=log,
        stderr=log)
    case.processes.append(process)

    def says():
        return lib.read(case.path("log")).decode()
    lib.await_(lambda: os.path.exists(case.path("work", "orders.out")),
               says, 30, lambda: process.poll() is None)
    process.terminate()
    lib.equal(process.wait(30), 0, says())
    lib.check("ERROR" not in says(), says())


def test_links(case):
    """The page's links lead somewhere."""
    for target in re.findall(r"\]\(([^)#]+)\)", lib.read(PAGE).decode()):
        lib.check(os.path.exists(os.path.join(os.path.dirname(PAGE), target)),
                  target)


lib.run(globals())
