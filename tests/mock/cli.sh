#!/bin/sh
# timeout: 120
#
# tidegate broker, produce and consume as a user calls them: text and JSON
# output, keys, headers, nulls, groups, both kinds of option names, exit status
# and sentences, Ctrl-C.
set -u
: "${TIDEGATE:?the path of the tidegate binary}"
dir=$(mktemp -d)
broker=
cleanup() {
    [ -n "$broker" ] && kill "$broker" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
failed=0

# same NAME WANTED: compares with $dir/out
same() {
    printf '%s' "$2" >"$dir/wanted"
    if ! cmp -s "$dir/wanted" "$dir/out"; then
        echo "FAILED $1: wanted"
        cat "$dir/wanted"
        echo "found"
        cat "$dir/out"
        failed=1
    fi
}
# says NAME STATUS WANTED PART: exit status and standard error
says() {
    if [ "$2" -ne "$3" ] || { [ -n "$4" ] && ! grep -qF -- "$4" "$dir/err"; }; then
        echo "FAILED $1: status $2 (wanted $3), said:"
        cat "$dir/err"
        failed=1
    fi
}
produce() {
    "$TIDEGATE" produce --bootstrap "$address" "$@" 2>"$dir/err"
}
consume() {
    "$TIDEGATE" consume --bootstrap "$address" "$@" >"$dir/out" 2>"$dir/err"
}

"$TIDEGATE" broker 3>&- >"$dir/broker" 2>&1 &
broker=$!
for i in $(seq 100); do
    address=$(sed -n 's/.*listens on \([0-9.:]*[0-9]\)\..*/\1/p' "$dir/broker")
    [ -n "$address" ] && break
    sleep 0.1
done
[ -n "$address" ] || { echo "FAILED: no broker"; cat "$dir/broker"; exit 1; }

printf 'k1:one\nk2:NIL\n:\nk4:a:b\r\nlast:line' |
    produce --topic t --keys : --null NIL --header h=v --header e= --partition 0
says produce $? 0 "5 records delivered to topic t"
consume --topic t --exit --keys
same keys "k1	one
k2	null
	
k4	a:b
last	line
"
consume --topic=t --from-beginning --max-messages 1 --property print.headers=true \
    --property print.key=true --property key.separator='|' --partitions --offsets
same properties "Partition:0|Offset:0|h:v,e:|k1|one
"
consume --topic t --partition 0 --offset 3 --count 1 --format json
sed -i 's/"timestamp":[0-9]*/"timestamp":0/' "$dir/out"
same json '{"topic":"t","partition":0,"offset":3,"timestamp":0,"key":"k4","value":"a:b","headers":[{"name":"h","value":"v"},{"name":"e","value":""}]}
'
printf 'q"\\\001\303\251\n\377x\n' | produce --topic bytes --partition 0
consume --topic bytes --exit --format json
sed -i 's/"timestamp":[0-9]*/"timestamp":0/' "$dir/out"
same bytes '{"topic":"bytes","partition":0,"offset":0,"timestamp":0,"key":null,"value":"q\"\\\u0001é","headers":[]}
{"topic":"bytes","partition":0,"offset":1,"timestamp":0,"key":null,"value_base64":"/3g=","headers":[]}
'

# A file, in order, byte for byte; the last line has no newline.
seq 1 20000 | sed 's/$/ some text/' >"$dir/in"
printf 'end' >>"$dir/in"
produce --topic file --partition 0 --count "$dir/in" >"$dir/out"
says count $? 0 ""
same count "20001
"
consume --topic file --partition 0 --exit
echo >>"$dir/in"
cmp "$dir/in" "$dir/out" || failed=1

# A group goes on where it stopped.
consume --topic file --group g --from-beginning --count 3
same group1 "1 some text
2 some text
3 some text
"
consume --topic file --group g --count 1
same group2 "4 some text
"

# Errors: one sentence and status 1.
consume --topic missing --exit
says missing $? 1 "topic missing does not exist on $address"
consume --topic t --partition 9 --exit
says partition $? 1 "topic t has no partition 9"
consume --topicc t
says option $? 1 "did you mean --topic?"
consume
says none $? 1 "no topic is given"
printf 'nokey\na:1\n' | produce --topic t --keys : --partition 0
says nokey $? 1 'line 1 has no key: ":" is not in it'
grep -q "1 records delivered to topic t, 1 not delivered" "$dir/err" || failed=1
"$TIDEGATE" produce --bootstrap 127.0.0.1:9 --topic t </dev/null 2>"$dir/err"
says refused $? 1 "cannot reach any broker of bootstrap.servers=127.0.0.1:9"
produce --topic t "$dir/nowhere"
says nofile $? 1 "cannot open $dir/nowhere"

# Ctrl-C ends a consumer that follows.
"$TIDEGATE" consume --bootstrap "$address" --topic t --from-beginning \
    >"$dir/out" 2>"$dir/err" &
pid=$!
for i in $(seq 50); do
    [ "$(wc -l <"$dir/out")" -ge 5 ] && break
    sleep 0.1
done
kill -TERM $pid
wait $pid
says interrupt $? 0 ""
# A reader that goes away is no error.
"$TIDEGATE" consume --bootstrap "$address" --topic file --from-beginning \
    2>"$dir/err" | head -1 >"$dir/out"
same head "1 some text
"
kill "$broker"
wait "$broker"
says broker $? 0 ""
broker=
[ $failed = 0 ] && echo "all as expected"
exit $failed
