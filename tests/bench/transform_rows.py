"""What tests/bench/transforms measures: formats, chains, and the configuration
that each side gets for them."""
import json

from bench_data import SMTS, line, records

CONNECT = "org.apache.kafka.connect."
T = CONNECT + "transforms."

# The schema of the bench's record, as JsonConverter writes it.
SCHEMA = {
    "type": "struct", "name": "bench.Sale", "optional": False,
    "fields": [{"field": name, "type": kind, "optional": False}
               for name, kind in (
                   ("id", "int64"), ("time", "int64"), ("customer", "string"),
                   ("amount", "double"), ("paid", "boolean"),
                   ("card", "string"), ("note", "string"))],
}

# The user's transform of five fields; TransformCost.java has the same in Java.
FIVE = {
    "tidegate": {
        "transforms": "five", "transforms.five.type": "Lua",
        "transforms.five.script":
            "local v = r.value\n"
            "v.amount = v.amount * 1.2\n"
            "v.customer = '***'\n"
            "v.id = v.id + 1\n"
            "v.paid = false\n"
            "v.fresh = 5",
    },
    "connect": {"transforms": "five",
                "transforms.five.type": "TransformCost$FiveFields"},
}

ROUTE = {
    "transforms": "route", "transforms.route.type": T + "RegexRouter",
    "transforms.route.regex": "bench-(.*)",
    "transforms.route.replacement": "archive-$1",
}
TIME = {
    "transforms": "time",
    "transforms.time.type": T + "TimestampConverter$Value",
    "transforms.time.field": "time", "transforms.time.target.type": "string",
    "transforms.time.format": "yyyy-MM-dd'T'HH:mm:ss.SSS",
}
CAST = {
    "transforms": "cast", "transforms.cast.type": T + "Cast$Value",
    "transforms.cast.spec": "id:string,amount:int32,paid:string",
}

# Name of the work: its chain, and the work that it is compared with.
SAME = "nothing changed"
EDIT = "one field changed"
THREE = "ReplaceField, MaskField, InsertField"
OWN = "user's transform of five fields"
WORK = {
    SAME: (None, None),
    EDIT: (None, SAME),
    THREE: (SMTS, EDIT),
    OWN: (FIVE, EDIT),
    "RegexRouter": (ROUTE, SAME),
    "TimestampConverter": (TIME, EDIT),
    "Cast of three fields": (CAST, EDIT),
}

JSON = "JSON"
ENVELOPE = "JSON with schema"
AVRO = "Avro"
PROTOBUF = "Protobuf"
JSON_SCHEMA = "JSON Schema"
# Name of the format: where its records come from, and its work.
FORMATS = {
    JSON: ("json", list(WORK)),
    ENVELOPE: ("envelope", list(WORK)),
    AVRO: ("encode", [SAME, EDIT, THREE, OWN]),
    PROTOBUF: ("encode", [SAME, EDIT, THREE]),
    JSON_SCHEMA: ("encode", [SAME, EDIT, THREE]),
}
# Maven Central has no converters of these that read the same wire format.
ONLY_TIDEGATE = (PROTOBUF, JSON_SCHEMA)
WITH_REGISTRY = (AVRO, PROTOBUF, JSON_SCHEMA)


def converter(side, fmt, registry):
    """Settings of a value converter. registry: address of its API."""
    if fmt in (JSON, ENVELOPE):
        return {"value.converter": CONNECT + "json.JsonConverter",
                "value.converter.schemas.enable":
                    "true" if fmt == ENVELOPE else "false"}
    if side == "tidegate":
        kinds = {AVRO: "avro.Avro", PROTOBUF: "protobuf.Protobuf",
                 JSON_SCHEMA: "json.JsonSchema"}
        return {"value.converter": f"io.confluent.connect.{kinds[fmt]}Converter",
                "value.converter.schema.registry.url": registry}
    own = "value.converter.apicurio.registry."
    return {
        "value.converter": "io.apicurio.registry.utils.converter.AvroConverter",
        own + "url": registry.replace("/ccompat/v7", "/registry/v2"),
        own + "as-confluent": "true",
        own + "headers.enabled": "false",
        own + "artifact.group-id": "connect",
        own + "auto-register": "true",
        own + "auto-register.if-exists": "RETURN_OR_UPDATE",
    }


def rows(side, formats, registry):
    """The rows of one side, in the order in which they run."""
    found = []
    for fmt in formats:
        if side != "tidegate" and fmt in ONLY_TIDEGATE:
            continue
        source, works = FORMATS[fmt]
        for work in works:
            chain = WORK[work][0] or {}
            found.append({
                "name": f"{fmt}: {work}", "input": source,
                # a registry keeps one type of schema a topic
                "topic": "bench-" + fmt.lower().replace(" ", "-"),
                "edit": work == EDIT,
                "config": {
                    "key.converter": CONNECT + "storage.StringConverter",
                    **converter(side, fmt, registry),
                    **chain.get(side, chain),
                },
            })
    return found


def write_inputs(folder, count, seed):
    """The records of the bench as lines, without and with their schema."""
    files = {"json": f"{folder}/json", "envelope": f"{folder}/envelope"}
    schema = json.dumps(SCHEMA, separators=(",", ":"))
    with open(files["json"], "w", encoding="ascii") as plain, \
            open(files["envelope"], "w", encoding="ascii") as typed:
        for r in records(count, seed):
            plain.write(line(r) + "\n")
            typed.write(f'{{"schema":{schema},"payload":{line(r)}}}\n')
    return files
