"""Writes cases.json: messages as the protobuf library of Python writes them.

Each schema comes as .proto text and as the FileDescriptorProto that protoc makes
of it; each value as bytes in hexadecimal, with the JSON that JsonConverter makes
of it without an envelope. Needs grpcio-tools (for protoc) beside protobuf:

    python tests/unit/convert/proto/make_cases.py > tests/unit/convert/proto/cases.json
"""
import base64
import json
import os
import tempfile

import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import text_format  # noqa: F401
from google.protobuf import (  # noqa: F401
    duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
from grpc_tools import protoc

BUILT_IN = {
    "google/type/date.proto": """syntax = "proto3"; package google.type;
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }""",
    "google/type/timeofday.proto": """syntax = "proto3"; package google.type;
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3;
int32 nanos = 4; }""",
    "confluent/type/decimal.proto": """syntax = "proto3"; package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }""",
    "confluent/meta.proto": """syntax = "proto3"; package confluent;
import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }"""}


def compiled(text):
    """Files of a schema by name, and what was asked for itself."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {**BUILT_IN, "schema.proto": text}.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(content)
        out = os.path.join(folder, "out")
        well_known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
        rc = protoc.main(["protoc", "-I" + folder, "-I" + well_known,
                          "--include_imports", "--descriptor_set_out=" + out,
                          "schema.proto"])
        assert rc == 0, text
        with open(out, "rb") as f:
            return descriptor_pb2.FileDescriptorSet.FromString(f.read())


def case(text, message, settings, *values):
    files = compiled(text)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    make = message_factory.GetMessageClass(pool.FindMessageTypeByName(message))
    descriptor = pool.FindMessageTypeByName(message)
    path = []
    d = descriptor
    while d is not None:
        siblings = (d.containing_type.nested_types if d.containing_type
                    else d.file.message_types_by_name.values())
        path.insert(0, [s.name for s in siblings].index(d.name))
        d = d.containing_type
    rows = []
    for value, want in values:
        if isinstance(value, bytes):
            data = value
        else:
            made = make()
            text_format.Parse(value, made)
            data = made.SerializeToString(deterministic=True)
        rows.append({"hex": data.hex(), "json": want})
    main = files.file[-1]
    return {"proto": text, "settings": settings, "path": path,
            "descriptor": base64.b64encode(main.SerializeToString()).decode(),
            "values": rows}


SCALARS = """syntax = "proto3";
package shop.v1;
// every scalar
message Other { int32 x = 1; }
message All {
  double d = 1; float f = 2; int32 i32 = 3; int64 i64 = 4; uint32 u32 = 5;
  uint64 u64 = 6; sint32 s32 = 7; sint64 s64 = 8; fixed32 f32 = 9;
  fixed64 f64 = 10; sfixed32 sf32 = 11; sfixed64 sf64 = 12; bool b = 13;
  string s = 14; bytes y = 15;
  enum Color { RED = 0; GREEN = 1; BLUE = -1; }
  Color c = 16;
  optional int32 maybe = 200;
}
"""
LISTS = """syntax = "proto3";
message Lists {
  repeated int32 packed = 1;
  repeated sint64 apart = 2 [packed = false];
  repeated string s = 3;
  repeated Item items = 4;
  message Item { string sku = 1; int32 n = 2; }
  map<string, int32> counts = 5;
  map<int64, Item> by_id = 6;
  map<bool, string> flags = 7;
  repeated double reals = 8;
  repeated K kinds = 9;
  enum K { A = 0; B = 5; }
}
"""
ONEOF = """syntax = "proto3";
message Pay {
  string id = 1;
  oneof how { string card = 2; Cash cash = 3; int64 voucher = 4; }
  message Cash { int32 coins = 1; int32 notes = 2; }
  oneof where { string shop = 5; string web = 6; }
}
"""
PROTO2 = """syntax = "proto2";
package old;
message Old {
  required int32 id = 1;
  optional string name = 2 [default = "none \\"x\\" \\n"];
  optional int64 n = 3 [default = -5];
  optional double d = 4 [default = 1.5e3];
  optional bool b = 5 [default = true];
  optional E e = 6 [default = TWO];
  repeated int32 list = 7;
  repeated int32 packed = 8 [packed = true];
  optional group Extra = 9 { optional string note = 1; }
  optional bytes raw = 10 [default = "\\001\\377"];
  optional float inf = 11 [default = -inf];
  enum E { ONE = 1; TWO = 2; }
  extensions 100 to 199;
  reserved 50, 60 to 70;
  reserved "gone";
}
"""
WELL_KNOWN = """syntax = "proto3";
package w;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/duration.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "confluent/type/decimal.proto";
import "confluent/meta.proto";
message W {
  google.protobuf.Timestamp at = 1;
  google.type.Date day = 2;
  google.type.TimeOfDay time = 3;
  confluent.type.Decimal price = 4 [(confluent.field_meta) = {
    params: [{key: "scale", value: "2"}, {key: "precision", value: "10"}]
  }];
  google.protobuf.StringValue name = 5;
  google.protobuf.Int64Value n = 6;
  google.protobuf.Duration took = 7;
  int32 tiny = 8 [(confluent.field_meta).params = {key: "connect.type", value: "int8"}];
  repeated google.protobuf.Timestamp all = 9;
}
"""
RECURSIVE = """syntax = "proto3";
message Tree { string name = 1; Tree left = 2; repeated Tree more = 3; }
"""
NESTED = """syntax = "proto3";
package a.b;
message First { int32 x = 1; }
message Outer {
  message One { string s = 1; }
  message Two { One one = 1; .a.b.First first = 2; b.First again = 3; }
}
"""

ZERO = ('{"d":0.0,"f":0.0,"i32":0,"i64":0,"u32":0,"u64":0,"s32":0,"s64":0,'
        '"f32":0,"f64":0,"sf32":0,"sf64":0,"b":false,"s":"","y":"",'
        '"c":"RED","maybe":null}')

cases = [
    case(SCALARS, "shop.v1.All", {},
         ("", ZERO),
         ('d: 1.5 f: -0.25 i32: -1 i64: -9223372036854775808 u32: 4294967295 '
          'u64: 18446744073709551615 s32: -2147483648 s64: 9223372036854775807 '
          'f32: 4000000000 f64: 1 sf32: -7 sf64: -8 b: true s: "J\\303\\266rg" '
          'y: "\\000\\377" c: BLUE maybe: 0',
          '{"d":1.5,"f":-0.25,"i32":-1,"i64":-9223372036854775808,'
          '"u32":4294967295,"u64":-1,"s32":-2147483648,'
          '"s64":9223372036854775807,"f32":4000000000,"f64":1,"sf32":-7,'
          '"sf64":-8,"b":true,"s":"Jörg","y":"AP8=","c":"BLUE","maybe":0}'),
         # an unknown field, an unknown number of the enum, fields out of order
         (bytes.fromhex("8001078a3f0161") + b"\x18\x05",
          ZERO.replace('"i32":0', '"i32":5').replace(
              '"RED"', '"UNKNOWN_ENUM_VALUE_Color_7"')),
         # the last of two values counts
         (b"\x18\x05\x18\x06", ZERO.replace('"i32":0', '"i32":6'))),
    case(SCALARS, "shop.v1.All", {"int.for.enums": "true"},
         ("c: BLUE", ZERO.replace('"RED"', "-1"))),
    case(LISTS, "Lists", {},
         ("", '{"packed":[],"apart":[],"s":[],"items":[],"counts":{},'
              '"by_id":[],"flags":[],"reals":[],"kinds":[]}'),
         ('packed: [1, -1, 300] apart: [-1, 5] s: ["a", ""] '
          'items { sku: "x" n: 2 } items { } counts { key: "k" value: 7 } '
          'counts { key: "l" } by_id { key: 9 value { sku: "nine" } } '
          'by_id { key: 10 } flags { key: true value: "t" } reals: [0.5, -1] '
          'kinds: [B, A]',
          '{"packed":[1,-1,300],"apart":[-1,5],"s":["a",""],'
          '"items":[{"sku":"x","n":2},{"sku":"","n":0}],'
          '"counts":{"k":7,"l":0},"by_id":[[10,{"sku":"","n":0}],'
          '[9,{"sku":"nine","n":0}]],"flags":[[true,"t"]],"reals":[0.5,-1.0],'
          '"kinds":["B","A"]}'),
         # not packed although it should be, packed although it should not;
         # maps whose entries are apart, and have a key twice
         (bytes.fromhex("0801" "0802" "12020102" "2a050a016b1001"
                        "1a0161" "2a050a016c1002" "2a050a016b1003"
                        "3204080110 01".replace(" ", "")
                        .replace("320408011001", "32060801120210 01"
                                 .replace(" ", ""))
                        + "1a0162" + "32060802120210" "02"
                        + "32060801120210" "05"),
          '{"packed":[1,2],"apart":[-1,1],"s":["a","b"],"items":[],'
          '"counts":{"k":3,"l":2},"by_id":[[1,{"sku":"","n":5}],'
          '[2,{"sku":"","n":2}]],"flags":[],"reals":[],"kinds":[]}')),
    case(ONEOF, "Pay", {},
         ('id: "a"', '{"how_0":null,"where_1":null,"id":"a"}'),
         ('id: "a" card: "" web: "w"',
          '{"how_0":{"card":"","cash":null,"voucher":null},'
          '"where_1":{"shop":null,"web":"w"},"id":"a"}'),
         ('cash { coins: 1 }',
          '{"how_0":{"card":null,"cash":{"coins":1,"notes":0},'
          '"voucher":null},"where_1":null,"id":""}'),
         # two parts of a message are joined, another member ends them
         (bytes.fromhex("1a020801" "1a021002"),
          '{"how_0":{"card":null,"cash":{"coins":1,"notes":2},'
          '"voucher":null},"where_1":null,"id":""}'),
         (bytes.fromhex("1a020801" "2005" "1a021002"),
          '{"how_0":{"card":null,"cash":{"coins":0,"notes":2},'
          '"voucher":null},"where_1":null,"id":""}')),
    case(ONEOF, "Pay", {"flatten.unions": "true"},
         ('id: "a" voucher: 5', '{"card":null,"cash":null,"voucher":5,'
                                '"shop":null,"web":null,"id":"a"}'),
         (bytes.fromhex("1a020801" "2005"),
          '{"card":null,"cash":null,"voucher":5,"shop":null,"web":null,'
          '"id":""}')),
    case(ONEOF, "Pay", {"generate.index.for.unions": "false"},
         ('web: "x"', '{"how":null,"where":{"shop":null,"web":"x"},"id":""}')),
    case(PROTO2, "old.Old", {},
         ("id: 1", '{"id":1,"name":null,"n":null,"d":null,"b":null,"e":null,'
                   '"list":[],"packed":[],"extra":null,"raw":null,'
                   '"inf":null}'),
         ('id: 1 name: "x" n: 2 d: 3 b: false e: ONE list: [1, 2] '
          'packed: [3, 4] Extra { note: "n" } raw: "r" inf: 2',
          '{"id":1,"name":"x","n":2,"d":3.0,"b":false,"e":"ONE","list":[1,2],'
          '"packed":[3,4],"extra":{"note":"n"},"raw":"cg==","inf":2.0}'),
         # a number that the enum of proto2 does not have is an unknown field
         (bytes.fromhex("08013009"),
          '{"id":1,"name":null,"n":null,"d":null,"b":null,"e":null,"list":[],'
          '"packed":[],"extra":null,"raw":null,"inf":null}')),
    case(PROTO2, "old.Old", {"optional.for.proto2": "false"},
         ("id: 1", '{"id":1,"name":"none \\"x\\" \\n","n":-5,"d":1500.0,'
                   '"b":true,"e":"TWO","list":[],"packed":[],"extra":null,'
                   '"raw":"Af8=","inf":"-Infinity"}')),
    case(WELL_KNOWN, "w.W", {},
         ("", '{"at":null,"day":null,"time":null,"price":null,"name":null,'
              '"n":null,"took":null,"tiny":0,"all":[]}'),
         ('at { seconds: -1 nanos: 999000000 } day { year: 2024 month: 2 '
          'day: 29 } time { hours: 23 minutes: 59 seconds: 59 '
          'nanos: 999999999 } price { value: "\\004\\322" precision: 4 '
          'scale: 2 } name { value: "x" } n { } took { seconds: 5 } tiny: -128 '
          'all { seconds: 1 } all { }',
          '{"at":-1,"day":19782,"time":86399999,"price":"BNI=",'
          '"name":{"value":"x"},"n":{"value":0},'
          '"took":{"seconds":5,"nanos":0},"tiny":-128,"all":[1000,0]}'),
         ('day { year: 1500 month: 2 day: 29 }',
          '{"at":null,"day":-171596,"time":null,"price":null,"name":null,'
          '"n":null,"took":null,"tiny":0,"all":[]}')),
    case(WELL_KNOWN, "w.W", {"wrapper.for.nullables": "true"},
         ('name { value: "x" } n { }',
          '{"at":null,"day":null,"time":null,"price":null,"name":"x","n":0,'
          '"took":null,"tiny":0,"all":[]}')),
    case(RECURSIVE, "Tree", {},
         ('name: "r" left { name: "l" } more { name: "a" } more { }',
          '{"name":"r","left":"CgFs","more":["CgFh",""]}')),
    case(NESTED, "a.b.Outer.Two", {},
         ('one { s: "x" } first { x: 1 } again { x: 2 }',
          '{"one":{"s":"x"},"first":{"x":1},"again":{"x":2}}')),
]
print(json.dumps(cases, indent=1, ensure_ascii=False))
