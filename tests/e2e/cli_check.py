"""Every wrong setting of every transform, predicate and converter, and of what
the framework reads itself, is found by `tidegate check` under its full key.
The settings of the plugins are those of docs/plugins."""
# timeout: 120
import glob
import os
import re
import subprocess

import _lib as lib

JSON = "org.apache.kafka.connect.json.JsonConverter"
STRING = "org.apache.kafka.connect.storage.StringConverter"


def settings(page):
    """(class, [(name, type, default, accepted)]) of a page."""
    text = lib.read(page).decode()
    found = re.search(r"^Class(?:es)?: (.*)\.$", text, re.M).group(1)
    classes = re.findall(r"`([^`]+)`", found)
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|",
                      text, re.M)
    return classes, [[c.strip() for c in r] for r in rows]


def wrong_values(kind, default, accepted):
    """Values that this setting must refuse; None: the setting is missing."""
    if kind in ("int", "long", "double"):
        yield "x"
    if kind == "boolean":
        yield "maybe"
    if accepted:
        yield "none-such"
    if default == "required":
        yield None


def check(case, configs):
    """{index: output lines} of one run over many files."""
    names = []
    for i, config in enumerate(configs):
        names.append(lib.properties(case.path("%d.properties" % i), config))
    done = subprocess.run([lib.TIDEGATE, "check", *names],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lib.check(done.returncode in (0, 1), done.stderr.decode())
    lib.check(not lib.SANITIZER.search(done.stderr.decode()), done.stderr)
    out = {i: [] for i in range(len(names))}
    for line in done.stdout.decode().split("\n"):
        found = re.match(r".*?/(\d+)\.properties", line)
        if found:
            out[int(found.group(1))].append(line)
    return out


def must_complain(case, wanted):
    """wanted: [(configuration, key at fault)]"""
    out = check(case, [c for c, _ in wanted])
    for i, (config, key) in enumerate(wanted):
        hits = [x for x in out[i] if ": error: %s: " % key in x]
        lib.check(len(hits) == 1, key, "=", config.get(key), "\n" +
                  "\n".join(out[i]))
        if key in config:
            lib.check(re.search(r"properties:\d+: ", hits[0]), hits[0])


def base(**more):
    return dict({"name": "c", "connector.class": "FileStreamSink",
                 "topics": "t", "key.converter": STRING,
                 "value.converter": JSON}, **more)


def with_plugin(kind, class_name, name, value):
    config = base()
    if kind == "transform":
        config.update({"transforms": "x", "transforms.x.type": class_name})
    else:
        config.update({"predicates": "x", "predicates.x.type": class_name})
    key = "%ss.x.%s" % (kind, name)
    if value is not None:
        config[key] = value
    return config, key


def test_plugins(case):
    wanted, plugins = [], 0
    for kind in ("transform", "predicate"):
        for page in sorted(glob.glob(os.path.join(
                lib.SOURCE_DIR, "docs", "plugins", kind + "-*.md"))):
            classes, rows = settings(page)
            plugins += 1
            for name, type_, default, accepted in rows:
                for value in wrong_values(type_, default, accepted):
                    wanted.append(with_plugin(kind, classes[0], name, value))
    lib.check(plugins >= 19 and len(wanted) >= 30, plugins, len(wanted))
    must_complain(case, wanted)


SPECIAL = [
    ("transform", "InsertField$Value", "static.value", None,
     {"static.field": "a"}),
    ("transform", "MaskField$Value", "fields", "", {}),
    ("transform", "MaskField$Value", "replacement", "", {"fields": "a"}),
    ("transform", "ReplaceField$Key", "renames", "a:b:c", {}),
    ("transform", "Cast$Value", "spec", "a:none", {}),
    ("transform", "Cast$Value", "spec", "int8,a:int8", {}),
    ("transform", "DropHeaders", "headers", "", {}),
    ("transform", "ExtractField$Value", "field.syntax.version", "V3",
     {"field": "a"}),
    ("transform", "ValueToKey", "fields", "", {}),
    ("transform", "RegexRouter", "regex", "(", {"replacement": "x"}),
    ("transform", "TimestampConverter$Value", "format", "bb",
     {"target.type": "string"}),
    ("transform", "SetSchemaMetadata$Value", "schema.version", "x", {}),
    ("transform", "HeaderFrom$Value", "operation", "MOVE",
     {"fields": "a", "headers": "b"}),
    ("predicate", "TopicNameMatches", "pattern", "[", {}),
    ("predicate", "HasHeaderKey", "name", "", {}),
]


def test_particular_settings(case):
    wanted = []
    for kind, class_name, name, value, more in SPECIAL:
        full = lib.JAVA + ("predicates." if kind == "predicate" else "") + \
            class_name
        config, key = with_plugin(kind, full, name, value)
        config.update({"%ss.x.%s" % (kind, k): v for k, v in more.items()})
        wanted.append((config, key))
    must_complain(case, wanted)


def test_converters(case):
    wanted = []
    for role in ("key", "value", "header"):
        for class_name, name, value in (
                (JSON, "schemas.enable", "maybe"),
                (JSON, "schemas.cache.size", "x"),
                (JSON, "decimal.format", "BIN"),
                (JSON, "replace.null.with.default", "maybe"),
                (STRING, "converter.encoding", "none-such")):
            key = "%s.converter.%s" % (role, name)
            wanted.append((base(**{role + ".converter": class_name,
                                   key: value}), key))
        wanted.append((base(**{role + ".converter": "NoSuch"}),
                       role + ".converter"))
    must_complain(case, wanted)


def test_framework(case):
    wanted = [(base(**{k: v}), k) for k, v in (
        ("errors.tolerance", "some"), ("errors.retry.timeout", "x"),
        ("errors.retry.delay.max.ms", "x"), ("errors.log.enable", "maybe"),
        ("errors.log.include.messages", "maybe"), ("tasks.max", "0"),
        ("tasks.max.enforce", "maybe"), ("exactly.once.support", "maybe"),
        ("config.action.reload", "later"), ("transaction.boundary", "x"),
        ("transforms", "a,a"), ("connector.class", "NoSuch"))]
    for k, v in (("errors.deadletterqueue.topic.replication.factor", "x"),
                 ("errors.deadletterqueue.context.headers.enable", "maybe")):
        wanted.append((base(**{k: v,
                               "errors.deadletterqueue.topic.name": "d"}), k))
    wanted.append((dict(base(), **{"topics.regex": "a"}), "topics"))
    regex = dict(base(), **{"topics.regex": "("})
    del regex["topics"]
    wanted.append((regex, "topics.regex"))
    wanted.append((base(**{"transforms": "x"}), "transforms.x.type"))
    for k, v in (("predicate", "none"), ("negate", "maybe")):
        wanted.append((base(**{
            "transforms": "x", "transforms.x.type": "Filter",
            "transforms.x." + k: v}), "transforms.x." + k))
    config = [w for w in wanted if w[1] == "transforms"][0][0]
    config["transforms.a.type"] = "Filter"
    must_complain(case, wanted)


def test_right_ones_pass(case):
    out = check(case, [base(), base(**{"errors.tolerance": "all",
                                       "errors.retry.timeout": "-1"})])
    for lines in out.values():
        lib.check(len(lines) == 1 and ": ok (" in lines[0], lines)


lib.run(globals())
