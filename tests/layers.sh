#!/usr/bin/env bash
# Checks the includes of core against the map in core/README.md: dependencies
# point one way, and a foreign library is seen by its own folder alone.
# Prints file:line for each offence.
# usage: tests/layers.sh [CORE_FOLDER]
set -u
cd "${1:-$(dirname "$0")/../core}" || exit 2

# folder: the folders it may include besides itself.
declare -A sees=(
    [ffi]=""
    [base]="ffi"
    [data]="ffi base"
    [text]="ffi base"
    [registry]="ffi base"
    [convert]="ffi base text data registry"
    [transform]="ffi base text data convert"
    [host]="ffi base text data convert transform"
    [kafka]="ffi base data convert"
    [script]="ffi base text data convert transform host"
    [task]="ffi base text data convert transform host kafka script"
    [store]="ffi base"
    [worker]="ffi base data convert kafka store task/protocol.h"
    [rest]="ffi base store worker"
    [cli]="ffi base text data convert transform host kafka script task store worker rest"
)
# foreign header: the only folder that may include it.
declare -A home=(
    [librdkafka/rdkafka.h]=kafka [librdkafka/rdkafka_mock.h]=kafka
    [rdkafka.h]=kafka [rdkafka_mock.h]=kafka
    [lua.h]=script [lauxlib.h]=script [lualib.h]=script [luajit.h]=script
    [lua.hpp]=script [luajit-2.1/lua.h]=script
    [microhttpd.h]=rest [uv.h]=worker [curl/curl.h]=registry
    [pcre2.h]=text
)
# jansson is for configurations and messages; records never pass through it, so
# the record model cannot see it (converters read their configuration with it).
json="base registry convert host kafka script task store worker rest cli"

bad=0
offence()
{
    printf '%s\n' "$*" >&2
    bad=$((bad + 1))
}

check_own()
{
    local folder=$1 where=$2 header=$3 to=${3%%/*} may
    for may in $folder ${sees[$folder]}; do
        [ "$to" = "$may" ] || [ "$header" = "$may" ] && return
    done
    offence "core/$where: $folder/ must not include $header (it may see:" \
        "${sees[$folder]:-nothing})"
}

check_foreign()
{
    local folder=$1 where=$2 header=$3 owner=${home[$3]:-}
    if [ -n "$owner" ] && [ "$owner" != "$folder" ]; then
        offence "core/$where: <$header> is for core/$owner/ alone"
    fi
    if [ "$header" = jansson.h ] && [[ " $json " != *" $folder "* ]]; then
        offence "core/$where: <jansson.h> is for the control plane; records" \
            "must not pass through it"
    fi
}

count=0
while IFS=: read -r file line text; do
    [[ $text =~ \#[[:space:]]*include[[:space:]]*([\"<])([^\">]+) ]] || continue
    kind=${BASH_REMATCH[1]}
    header=${BASH_REMATCH[2]}
    file=${file#./}
    folder=${file%%/*}
    count=$((count + 1))
    if [ -z "${sees[$folder]+x}" ]; then
        offence "core/$file: folder $folder is not in the table of layers"
    elif [ "$kind" = '"' ]; then
        # A header beside the file, or one relative to core/.
        [ -e "$(dirname "$file")/$header" ] || check_own "$folder" \
            "$file:$line" "$header"
    else
        check_foreign "$folder" "$file:$line" "$header"
    fi
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' \
    --include='*.cpp' .)

if [ "$count" = 0 ]; then
    echo "tests/layers.sh: no includes found in $PWD" >&2
    exit 2
fi
if [ "$bad" -gt 0 ]; then
    echo "$bad of $count includes break the layers" >&2
    exit 1
fi
echo "$count includes, all within the layers"
