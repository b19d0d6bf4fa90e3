#!/bin/sh
# Sends records through @NAME@ and compares what comes out. No Kafka is needed.
# TIDEGATE is the tidegate to test with.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/records" <<'END'
{"topic":"orders","offset":1,"value":"{\"id\":1,\"city\":\"Hamburg\"}"}
{"topic":"orders","offset":2,"value":"{\"id\":2,\"city\":null}"}
{"topic":"orders","offset":3,"value":null}
END
cat >"$work/expected" <<'END'
{"topic":"orders","partition":0,"offset":1,"timestamp":null,"key":null,"value":"{\"id\":1,\"city\":\"HAMBURG\"}","headers":[]}
{"topic":"orders","partition":0,"offset":2,"timestamp":null,"key":null,"value":"{\"id\":2,\"city\":null}","headers":[]}
{"topic":"orders","partition":0,"offset":3,"timestamp":null,"key":null,"value":null,"headers":[]}
END
"${TIDEGATE:-tidegate}" try --plugin-path . @NAME@.properties "$work/records" \
    >"$work/found"
diff -u "$work/expected" "$work/found"
echo "@NAME@: ok"
