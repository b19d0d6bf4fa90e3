#!/bin/sh
# Runs @NAME@ in a worker of its own, with the embedded broker, and compares
# what arrives in a file.
# TIDEGATE is the tidegate to test with.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/worker.properties" <<END
bootstrap.servers=embedded:
listeners=http://127.0.0.1:0
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename=$work/offsets
offset.flush.interval.ms=500
plugin.path=$(dirname "$PWD")
END
cp example.properties "$work/in"
cat >"$work/out" <<END
name=@NAME@-test
connector.class=FileStreamSink
topics=rows
file=$work/found
END
i=1
while [ "$i" -le 10 ]; do
    printf '{"id":%d,"text":"row %d"}\n' "$i" "$i"
    i=$((i + 1))
done >"$work/expected"

"${TIDEGATE:-tidegate}" standalone "$work/worker.properties" "$work/in" \
    "$work/out" >"$work/log" 2>&1 &
worker=$!
trap 'kill "$worker" 2>/dev/null || true; wait "$worker" || true; rm -rf "$work"' EXIT
tries=0
until [ -f "$work/found" ] &&
    [ "$(wc -l <"$work/found")" -ge "$(wc -l <"$work/expected")" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$worker" 2>/dev/null; then
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.1
done
diff -u "$work/expected" "$work/found"
echo "@NAME@: ok"
