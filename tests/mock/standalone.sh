#!/bin/sh
# timeout: 180
#
# tidegate standalone as a user starts it: every mistake ends with exit code 1
# and a sentence that names file, line and key; a pipeline over the embedded
# broker delivers a file, also when its processes are killed on the way.
set -u
dir=$(mktemp -d)
worker=
cleanup() {
    [ -n "$worker" ] && kill -9 "$worker" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
failed=0
cd "$dir" || exit 1

# refuses NAME PART... -- ARGUMENTS...: exit code 1 and all the parts in what it says
refuses() {
    name=$1
    shift
    : >parts
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >>parts
        shift
    done
    shift
    timeout 60 "$TIDEGATE" standalone --no-progress "$@" >out 2>&1
    status=$?
    if [ $status -ne 1 ]; then
        echo "FAILED $name: exit code $status"
        cat out
        failed=1
    fi
    while read -r part; do
        grep -qF -- "$part" out && continue
        echo "FAILED $name: \"$part\" is not in:"
        cat out
        failed=1
    done <parts
}

cat >worker.properties <<END
# A worker.
bootstrap.servers=embedded:
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename=$dir/offsets
offset.flush.interval.ms=200
listeners=http://127.0.0.1:0
END
cat >source.properties <<END
name=src
connector.class=FileStreamSource
file=$dir/in
topic=t
END
cat >sink.properties <<END
name=snk
connector.class=FileStreamSink
file=$dir/out.txt
topics=t
END
echo one >in
edit() { # edit FILE NEW EXPRESSION
    sed "$3" "$1" >"$2"
}

refuses "missing worker file" "nosuch.properties" -- nosuch.properties
refuses "missing connector file" "nosuch.json" -- worker.properties nosuch.json
refuses "no arguments" "properties file is missing" --
refuses "unknown option" "--bogus" -- --bogus worker.properties
printf 'a=\\u12\n' >malformed.properties
refuses "malformed properties" "malformed.properties:1: " -- malformed.properties
edit worker.properties w.properties /^key/d
refuses "no key.converter" 'w.properties: Missing required configuration "key.converter"' \
    -- w.properties
edit worker.properties w.properties s/embedded:/embedded:9092/
refuses "embedded port" "w.properties:2: bootstrap.servers=embedded:9092" -- w.properties
edit worker.properties w.properties 's/interval.ms=200/interval.ms=soon/'
refuses "no number" "offset.flush.interval.ms" soon -- w.properties
edit worker.properties w.properties 's|=.*/offsets|=/nonexistent/offsets|'
refuses "offset folder" "w.properties:5: offset.storage.file.filename=/nonexistent/offsets" \
    -- w.properties
edit worker.properties w.properties 's|^listeners.*|listeners=8083|'
refuses "listener" "w.properties:7: listeners has 8083" -- w.properties
refuses "two of one name" "source.properties:1: name=src is taken" \
    -- worker.properties source.properties source.properties
edit source.properties s.properties s/FileStreamSource/FileStreamSorce/
refuses "unknown class" "s.properties:2: " "FileStreamSorce" "did you mean 'FileStreamSource'" \
    -- worker.properties s.properties
edit source.properties s.properties '/^topic/d;s/^name.*/&\ntasks.max=0/'
refuses "invalid configuration" "2 errors" "s.properties:2: " "tasks.max" '"topic"' \
    -- worker.properties s.properties
edit worker.properties w.properties 's/embedded:/127.0.0.1:1\ndefault.api.timeout.ms=700/'
refuses "no broker" "w.properties:2: no Kafka broker answers at bootstrap.servers=127.0.0.1:1" \
    -- w.properties source.properties
printf garbage >offsets
refuses "damaged offsets" "worker.properties:5: " "damaged at byte 0" -- worker.properties
rm offsets

# The port of a worker that runs is refused to the next one.
ln -s "$TIDEGATE" connect-standalone
seq 1 60000 | sed 's/$/ a line of the file/' >in
./connect-standalone worker.properties source.properties sink.properties >log 2>&1 &
worker=$!
wait_for() { # wait_for WHAT COMMAND...
    what=$1
    shift
    for i in $(seq 600); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "FAILED: no $what after 60 s"
    cat log
    exit 1
}
wait_for "start" grep -q "started: 2 connectors, 2 tasks" log
port=$(sed -n 's/.*REST server at http:..127.0.0.1:\([0-9]*\).*/\1/p' log)
edit worker.properties w.properties "s|^listeners.*|listeners=http://127.0.0.1:$port|"
refuses "port in use" "w.properties:7: listeners: port $port" "is in use" -- w.properties

# Every line arrives, whatever is killed.
for i in 1 2 3 4 5 6; do
    victim=$(ps --ppid $worker -o pid= | shuf -n 1)
    [ -n "$victim" ] && kill -9 $victim
    sleep 0.3
done
complete() {
    sort -u out.txt >seen && sort -u in | cmp -s - seen
}
wait_for "complete file" complete
# What was killed last may still be coming back and repeat what it had sent.
settled() {
    curl -s "http://127.0.0.1:$port/connectors/src/status" >status
    curl -s "http://127.0.0.1:$port/connectors/snk/status" >>status
    [ "$(grep -o '"state":"RUNNING"' status | wc -l)" -eq 4 ] &&
        curl -s "http://127.0.0.1:$port/metrics" >metrics &&
        [ "$(grep -c '^tidegate_task_in_flight_records{.* 0$' metrics)" -eq 2 ] &&
        [ "$(grep -c '^tidegate_task_lag{.* 0$' metrics)" -eq 2 ]
}
wait_for "quiet pipeline" settled
kill -TERM $worker
wait $worker
status=$?
worker=
if [ $status -ne 0 ]; then
    echo "FAILED: exit code $status after SIGTERM"
    cat log
    failed=1
fi
# A clean stop saves where it was: the next run repeats nothing.
before=$(wc -l <out.txt)
"$TIDEGATE" standalone worker.properties source.properties sink.properties >log 2>&1 &
worker=$!
wait_for "second start" grep -q "task snk-0 is RUNNING" log
echo "last line" >>in
wait_for "last line" grep -q "last line" out.txt
kill -TERM $worker
wait $worker
worker=
after=$(wc -l <out.txt)
if [ $((before + 1)) -ne "$after" ]; then
    echo "FAILED: $((after - before)) lines after a clean stop instead of 1"
    failed=1
fi
exit $failed
