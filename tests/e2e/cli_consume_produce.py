"""`tidegate consume` and `tidegate produce` against a real broker and the
embedded one: keys, headers, partitions, counts, following, groups, exit
codes, Ctrl-C. kcat is the witness on the other side."""
# timeout: 200
import json
import re
import signal
import subprocess

import _lib as lib

lib.need_broker()


def tool(*args, data=None, expect=0, timeout=60):
    """(stdout, stderr) of tidegate ARGS."""
    done = subprocess.run([lib.TIDEGATE, *args], input=data, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lib.check(done.returncode == expect, args, "ended with", done.returncode,
              "not", expect, done.stdout[-300:], done.stderr[-3000:])
    lib.check(not lib.SANITIZER.search(done.stderr.decode()),
              done.stderr.decode()[-3000:])
    return done.stdout, done.stderr.decode()


def consume(bootstrap, topic, *args, **options):
    return tool("consume", "--bootstrap", bootstrap, "--topic", topic, *args,
                **options)[0].split(b"\n")[:-1]


def produce(bootstrap, topic, data, *args, **options):
    return tool("produce", "--bootstrap", bootstrap, "--topic", topic, *args,
                data=data, **options)


def embedded(case):
    broker = case.popen(lib.TIDEGATE, "broker", stdout=subprocess.PIPE)
    found = re.search(rb"listens on (\S+)\. ", broker.stdout.readline())
    lib.check(found, "the broker said nothing")
    return found.group(1).decode()


def there_and_back(bootstrap, topic, *where):
    n = 20000
    sent = [b"line %d \xc3\xa4" % i for i in range(n)]
    text, said = produce(bootstrap, topic, b"\n".join(sent) + b"\n", "--count",
                         *where)
    lib.equal(text, b"%d\n" % n, "--count of produce")
    lib.same_lines(consume(bootstrap, topic, "--exit"), sent, "--exit")
    lib.same_lines(lib.values(topic, bootstrap), sent, "kcat")
    lib.same_lines(consume(bootstrap, topic, "--from-beginning", "--count",
                           "3"), sent[:3], "--count 3")
    lib.same_lines(consume(bootstrap, topic, "--partition", "0", "--offset",
                           str(n - 2), "--exit"), sent[-2:], "--offset")
    lib.same_lines(consume(bootstrap, topic, "--from-beginning",
                           "--timeout-ms", "3000"), sent, "--timeout-ms")
    # The last line without newline, empty lines, and Kafka's own option names.
    produce(bootstrap, topic + "-2", b"a\n\nb", *where)
    lib.equal(tool("consume", "--bootstrap-server", bootstrap, "--topic",
                   topic + "-2", "--from-beginning", "--max-messages", "3")[0],
              b"a\n\nb\n", "three lines")


def keys_and_headers(bootstrap, topic, *where):
    produce(bootstrap, topic, b"k1=v1\nk2=NIL\nNIL=v=3\n", "--keys", "=",
            "--header", "h=eins", "--header", "leer=", "--null", "NIL",
            *where)
    found = [(r.get("key"), r["payload"], r["headers"])
             for r in lib.records(topic, bootstrap)]
    headers = ["h", "eins", "leer", ""]
    lib.same_lines(found, [("k1", "v1", headers), ("k2", None, headers),
                           (None, "v=3", headers)], "kcat")
    lib.same_lines(
        consume(bootstrap, topic, "--keys", "--headers", "--offsets",
                "--partitions", "--exit", "--separator", "|"),
        [b"Partition:0|Offset:0|h:eins,leer:|k1|v1",
         b"Partition:0|Offset:1|h:eins,leer:|k2|null",
         b"Partition:0|Offset:2|h:eins,leer:|null|v=3"], "consume")
    found = [json.loads(line) for line in consume(
        bootstrap, topic, "--exit", "--format", "json")]
    lib.equal([(r["key"], r["value"]) for r in found],
              [("k1", "v1"), ("k2", None), (None, "v=3")], "json")
    lib.equal(found[0]["headers"], [{"name": "h", "value": "eins"},
                                    {"name": "leer", "value": ""}], "headers")


def test_real(case):
    there_and_back(lib.BOOTSTRAP, lib.unique("cli"))
    keys_and_headers(lib.BOOTSTRAP, lib.unique("cli"))


def test_embedded(case):
    """Its topics have several partitions: one is used, for the order."""
    bootstrap = embedded(case)
    there_and_back(bootstrap, "plain", "--partition", "0")
    keys_and_headers(bootstrap, "keyed", "--partition", "0")


def test_partitions(case):
    topic = lib.unique("parts")
    worker = case.worker(lib.JSON, [{
        "name": "gen", "connector.class": "datagen", "topic": topic,
        "count": 10, "kind": "numbers", "topic.creation.default.partitions": 3,
        "topic.creation.default.replication.factor": 1}])
    worker.await_(lambda: worker.metric("tidegate_task_records_out_total",
                                        "gen") == 10, "10 records")
    worker.stop()
    produce(lib.BOOTSTRAP, topic, b"only here\n", "--partition", "2")
    found = consume(lib.BOOTSTRAP, topic, "--partition", "2", "--exit")
    lib.equal(found[-1], b"only here", "last of partition 2")
    lib.equal(len(consume(lib.BOOTSTRAP, topic, "--exit")), 11, "of all three")
    _, said = tool("consume", "--bootstrap", lib.BOOTSTRAP, "--topic", topic,
                   "--partition", "9", "--exit", expect=1)
    lib.check("no partition 9" in said, said)


def follower(case, topic, *args):
    return case.popen(lib.TIDEGATE, "consume", "--bootstrap", lib.BOOTSTRAP,
                      "--topic", topic, *args,
                      stdout=open(case.path("followed"), "wb"),
                      stderr=open(case.path("said"), "wb"))


def test_follow_and_interrupt(case):
    """Waits for the topic, prints what comes as it comes, ends with 0."""
    topic = lib.unique("follow")
    process = follower(case, topic, "--from-beginning", "--follow")
    out = case.path("followed")
    for i in range(1, 4):
        produce(lib.BOOTSTRAP, topic, b"record %d\n" % i)
        lib.await_(lambda n=i: lib.count_lines(out) == n, "record %d" % i)
    process.send_signal(signal.SIGINT)
    lib.equal(process.wait(10), 0, "exit status after Ctrl-C")
    lib.equal(lib.lines(out), [b"record 1", b"record 2", b"record 3"], "out")


def test_new_records_only(case):
    topic = lib.unique("new")
    produce(lib.BOOTSTRAP, topic, b"old\n")
    process = follower(case, topic, "--count", "1")
    out = case.path("followed")

    def send():
        produce(lib.BOOTSTRAP, topic, b"new\n")
        return lib.count_lines(out) > 0
    lib.await_(send, "a new record")
    lib.equal(process.wait(10), 0, "exit status after --count")
    lib.equal(lib.lines(out), [b"new"], "out")


def test_group(case):
    """A group goes on where it stopped."""
    topic, group = lib.unique("group"), lib.unique("g")
    produce(lib.BOOTSTRAP, topic, b"1\n2\n3\n4\n5\n")
    args = ("--group", group, "--from-beginning", "--count")
    lib.equal(consume(lib.BOOTSTRAP, topic, *args, "2"), [b"1", b"2"], "first")
    lib.equal(consume(lib.BOOTSTRAP, topic, *args, "3"), [b"3", b"4", b"5"],
              "then")


def test_produce_interrupted(case):
    """Ctrl-C ends the input; what was read is delivered."""
    topic = lib.unique("int")
    process = case.popen(lib.TIDEGATE, "produce", "--bootstrap", lib.BOOTSTRAP,
                         "--topic", topic, stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    process.stdin.write(b"a\nb\n")
    process.stdin.flush()
    lib.await_(lambda: lib.topic_count(topic) == 2, "two records")
    process.send_signal(signal.SIGINT)
    lib.equal(process.wait(20), 0, "exit status")
    lib.equal(lib.values(topic), [b"a", b"b"], "topic")


def test_closed_pipe(case):
    """consume | head: no error, and it ends."""
    topic = lib.unique("pipe")
    produce(lib.BOOTSTRAP, topic, b"x" * 99 + b"\n" * 1 +
            b"y\n" * 50000)
    done = subprocess.run(
        "%s consume --bootstrap %s --topic %s --from-beginning | head -n 1" % (
            lib.TIDEGATE, lib.BOOTSTRAP, topic), shell=True, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lib.equal(done.stdout, b"x" * 99 + b"\n", "head -n 1")
    lib.equal(done.stderr, b"", "messages")


def test_errors(case):
    topic = lib.unique("none")
    for args, says in (
            (["consume"], "no topic is given"),
            (["consume", "--topic", topic, "--bootstrap", lib.BOOTSTRAP,
              "--exit"], "%s does not exist" % topic),
            (["consume", "--topic", "t", "--ofset", "1"], "--offset"),
            (["consume", "--topic", "t", "--count", "many"], "many"),
            (["consume", "--topic", "t", "--exit", "--bootstrap",
              "127.0.0.1:1"], "127.0.0.1:1"),
            (["produce"], "no topic is given"),
            (["produce", "--topic", "t", case.path("missing")],
             case.path("missing")),
            (["produce", "--topic", "t", "--bootstrap", "127.0.0.1:1"],
             "127.0.0.1:1"),
            (["cosnume"], "did you mean consume")):
        out, said = tool(*args, data=b"x\n", expect=1)
        lib.check(says in said, args, "said", said)
        lib.equal(out, b"", "output of %s" % args)
    for args in (["--help"], ["consume", "--help"], ["produce", "--help"],
                 ["standalone", "--help"], ["version"]):
        out, said = tool(*args)
        lib.check(out and not said, args, out, said)
    # A line without the key's separator is counted and named.
    _, said = produce(lib.BOOTSTRAP, topic, b"a:1\nnothing\nb:2\n", "--keys",
                      ":", expect=1)
    lib.check("line 2" in said and "1 not delivered" in said, said)
    lib.equal(lib.values(topic), [b"1", b"2"], "the others")


lib.run(globals())
