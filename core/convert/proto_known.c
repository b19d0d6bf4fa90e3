/*
 * The files that every Protobuf schema may import without a reference, as far
 * as their messages go. Written from their documented definitions, without
 * comments. Any thread.
 */
#include "convert/proto_file.h"

static const char any[] =
    "syntax = \"proto3\";\npackage google.protobuf;\n"
    "message Any { string type_url = 1; bytes value = 2; }\n";

static const char duration[] =
    "syntax = \"proto3\";\npackage google.protobuf;\n"
    "message Duration { int64 seconds = 1; int32 nanos = 2; }\n";

static const char timestamp[] =
    "syntax = \"proto3\";\npackage google.protobuf;\n"
    "message Timestamp { int64 seconds = 1; int32 nanos = 2; }\n";

static const char empty[] =
    "syntax = \"proto3\";\npackage google.protobuf;\nmessage Empty {}\n";

static const char field_mask[] =
    "syntax = \"proto3\";\npackage google.protobuf;\n"
    "message FieldMask { repeated string paths = 1; }\n";

static const char structs[] =
    "syntax = \"proto3\";\npackage google.protobuf;\n"
    "message Struct { map<string, Value> fields = 1; }\n"
    "message Value { oneof kind { NullValue null_value = 1;\n"
    "double number_value = 2; string string_value = 3; bool bool_value = 4;\n"
    "Struct struct_value = 5; ListValue list_value = 6; } }\n"
    "enum NullValue { NULL_VALUE = 0; }\n"
    "message ListValue { repeated Value values = 1; }\n";

/* Also the schema that root primitives are registered under. */
static const char wrappers[] = "syntax = \"proto3\";\n"
                               "package google.protobuf;\n\n"
                               "message DoubleValue {\n  double value = 1;\n}\n"
                               "message FloatValue {\n  float value = 1;\n}\n"
                               "message Int64Value {\n  int64 value = 1;\n}\n"
                               "message UInt64Value {\n  uint64 value = 1;\n}\n"
                               "message Int32Value {\n  int32 value = 1;\n}\n"
                               "message UInt32Value {\n  uint32 value = 1;\n}\n"
                               "message BoolValue {\n  bool value = 1;\n}\n"
                               "message StringValue {\n  string value = 1;\n}\n"
                               "message BytesValue {\n  bytes value = 1;\n}\n";

static const char source_context[] =
    "syntax = \"proto3\";\npackage google.protobuf;\n"
    "message SourceContext { string file_name = 1; }\n";

/* Imported for the options of other files, whose values are passed over. */
static const char descriptor[] =
    "syntax = \"proto2\";\npackage google.protobuf;\n"
    "message FileOptions { extensions 1000 to max; }\n"
    "message MessageOptions { extensions 1000 to max; }\n"
    "message FieldOptions { extensions 1000 to max; }\n"
    "message OneofOptions { extensions 1000 to max; }\n"
    "message EnumOptions { extensions 1000 to max; }\n"
    "message EnumValueOptions { extensions 1000 to max; }\n"
    "message ServiceOptions { extensions 1000 to max; }\n"
    "message MethodOptions { extensions 1000 to max; }\n";

static const char date[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "message Date { int32 year = 1; int32 month = 2; int32 day = 3; }\n";

static const char timeofday[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "message TimeOfDay { int32 hours = 1; int32 minutes = 2;\n"
    "int32 seconds = 3; int32 nanos = 4; }\n";

static const char type_decimal[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "message Decimal { string value = 1; }\n";

static const char money[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "message Money { string currency_code = 1; int64 units = 2;\n"
    "int32 nanos = 3; }\n";

static const char latlng[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "message LatLng { double latitude = 1; double longitude = 2; }\n";

static const char interval[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "import \"google/protobuf/timestamp.proto\";\n"
    "message Interval { google.protobuf.Timestamp start_time = 1;\n"
    "google.protobuf.Timestamp end_time = 2; }\n";

static const char color[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "import \"google/protobuf/wrappers.proto\";\n"
    "message Color { float red = 1; float green = 2; float blue = 3;\n"
    "google.protobuf.FloatValue alpha = 4; }\n";

static const char dayofweek[] =
    "syntax = \"proto3\";\npackage google.type;\n"
    "enum DayOfWeek { DAY_OF_WEEK_UNSPECIFIED = 0; MONDAY = 1; TUESDAY = 2;\n"
    "WEDNESDAY = 3; THURSDAY = 4; FRIDAY = 5; SATURDAY = 6; SUNDAY = 7; }\n";

static const char meta[] =
    "syntax = \"proto3\";\npackage confluent;\n"
    "message Meta { string doc = 1; map<string, string> params = 2;\n"
    "repeated string tags = 3; repeated Rule rules = 4; }\n"
    "message Rule { string name = 1; string doc = 2; string expr = 3;\n"
    "string sql = 4; }\n";

static const char decimal[] =
    "syntax = \"proto3\";\npackage confluent.type;\n"
    "message Decimal { bytes value = 1; uint32 precision = 2;\n"
    "int32 scale = 3; }\n";

static const struct {
    const char *name, *text;
} known[] = {{"google/protobuf/any.proto", any},
             {"google/protobuf/duration.proto", duration},
             {"google/protobuf/timestamp.proto", timestamp},
             {"google/protobuf/empty.proto", empty},
             {"google/protobuf/field_mask.proto", field_mask},
             {"google/protobuf/struct.proto", structs},
             {"google/protobuf/wrappers.proto", wrappers},
             {"google/protobuf/source_context.proto", source_context},
             {"google/protobuf/descriptor.proto", descriptor},
             {"google/type/date.proto", date},
             {"google/type/timeofday.proto", timeofday},
             {"google/type/decimal.proto", type_decimal},
             {"google/type/money.proto", money},
             {"google/type/latlng.proto", latlng},
             {"google/type/interval.proto", interval},
             {"google/type/color.proto", color},
             {"google/type/dayofweek.proto", dayofweek},
             {"confluent/meta.proto", meta},
             {"confluent/type/decimal.proto", decimal}};

const char *tg_proto_known(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].text;
    return NULL;
}
