"""The records of the bench: seeded, and what each configuration makes of them.

A line is 136 bytes of JSON with seven flat fields: two integers, a decimal
number, a boolean and three strings. `note` takes up what the others leave.
"""
import json
import random

LINE = 136
WORDS = ("paid on delivery; parcel left at the back door after a call; "
         "returned once because nobody answered; sent again on the next day; ")

# The chain of the JSON rows, in the words of the properties file.
SMTS = {
    "transforms": "shape,mask,origin",
    "transforms.shape.type":
        "org.apache.kafka.connect.transforms.ReplaceField$Value",
    "transforms.shape.exclude": "time",
    "transforms.shape.renames": "customer:client",
    "transforms.mask.type":
        "org.apache.kafka.connect.transforms.MaskField$Value",
    "transforms.mask.fields": "card",
    "transforms.origin.type":
        "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.origin.static.field": "origin",
    "transforms.origin.static.value": "bench",
}

# What Kafka Connect's file source, which makes strings only, can do at most.
HOIST_SMTS = {
    "transforms": "wrap,origin,mask",
    "transforms.wrap.type":
        "org.apache.kafka.connect.transforms.HoistField$Value",
    "transforms.wrap.field": "line",
    "transforms.origin.type":
        "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.origin.static.field": "origin",
    "transforms.origin.static.value": "bench",
    "transforms.mask.type":
        "org.apache.kafka.connect.transforms.MaskField$Value",
    "transforms.mask.fields": "origin",
    "transforms.mask.replacement": "masked",
}


class Mismatch(Exception):
    """The destination does not hold what it must."""


def records(count, seed):
    """Yields (id, time, customer, amount, paid, card, note), all as text."""
    rng = random.Random(seed)
    for i in range(1, count + 1):
        cents = rng.randint(1, 999999)
        # As both Java and JSON print it: no trailing zero but one.
        amount = f"{cents // 100}.{cents % 100:02d}"
        if amount.endswith("0"):
            amount = amount[:-1]
        record = (str(i), str(1735689600000 + i * 7 + rng.randrange(7)),
                  f"c-{rng.randrange(100000):05d}", amount,
                  "true" if rng.random() < 0.9 else "false",
                  f"{rng.randrange(10 ** 16):016d}")
        room = LINE - len(line(record + ("",)))
        start = rng.randrange(len(WORDS) - room)
        yield record + (WORDS[start:start + room],)


def line(r):
    return (f'{{"id":{r[0]},"time":{r[1]},"customer":"{r[2]}","amount":{r[3]},'
            f'"paid":{r[4]},"card":"{r[5]}","note":"{r[6]}"}}')


def changed(r):
    """What the three transforms make of a record, as JSON text."""
    return (f'{{"id":{r[0]},"client":"{r[2]}","amount":{r[3]},"paid":{r[4]},'
            f'"card":"","note":"{r[6]}","origin":"bench"}}')


def hoisted(r):
    text = line(r).replace('"', '\\"')
    return f'{{"line":"{text}","origin":"masked"}}'


def changed_java(r):
    """The same record as java.util.Map prints it, which is what Kafka
    Connect's file sink writes."""
    return (f"{{id={r[0]}, client={r[2]}, amount={r[3]}, paid={r[4]}, card=, "
            f"note={r[6]}, origin=bench}}")


def same_json(found, wanted):
    """Equal but for the order of fields; numbers by their text."""
    def load(text):
        return json.loads(text, parse_int=lambda t: ("number", t),
                          parse_float=lambda t: ("number", t))
    try:
        return load(found) == load(wanted)
    except ValueError:
        return False


def same_map(found, wanted):
    def load(text):
        return dict(part.split("=", 1) for part in text[1:-1].split(", "))
    try:
        return load(found) == load(wanted)
    except ValueError:
        return False


def same_bytes(found, wanted):
    return found == wanted


# Name of a form: what a record becomes, and when two of them are the same.
FORMS = {
    "line": (line, same_bytes),
    "changed": (changed, same_json),
    "hoisted": (hoisted, same_json),
    "changed_java": (changed_java, same_map),
}


class Dataset:
    """The input file, and the sizes of what must come out."""

    def __init__(self, path, count, seed):
        self.path = path
        self.count = count
        self.seed = seed
        self.sizes = dict.fromkeys(FORMS, 0)

    def generate(self):
        with open(self.path, "w", encoding="ascii", buffering=1 << 20) as f:
            for r in records(self.count, self.seed):
                f.write(line(r) + "\n")
                self.sizes["changed"] += len(changed(r)) + 1
                self.sizes["changed_java"] += len(changed_java(r)) + 1
        self.sizes["line"] = self.count * (LINE + 1)

    def check(self, form, lines, where):
        """Compares an iterable of text lines with every record in order."""
        make, same = FORMS[form]
        n = 0
        found = iter(lines)
        for r in records(self.count, self.seed):
            got = next(found, None)
            if got is None:
                raise Mismatch(f"{where}: ends after record {n}, "
                               f"{self.count} were sent")
            n += 1
            got = got.rstrip("\n")
            wanted = make(r)
            if got != wanted and not same(got, wanted):
                raise Mismatch(f"{where}: record {n} is\n  {got}\nbut must "
                               f"be\n  {wanted}")
        if next(found, None) is not None:
            raise Mismatch(f"{where}: more than {self.count} records")
