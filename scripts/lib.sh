# Shell functions that the scripts share. Source it: . "$(dirname "$0")/lib.sh"
# Needs bash. Sets ROOT to the top of the source tree.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say()
{
    printf '%s\n' "$*" >&2
}

die()
{
    say "error: $*"
    exit 1
}

# Debian packages needed to build tidegate, and to run what was built.
BUILD_PACKAGES=(gcc g++ libc6-dev cmake ninja-build pkg-config
    libluajit-5.1-dev librdkafka-dev libmicrohttpd-dev libjansson-dev
    libuv1-dev libpcre2-dev libcurl4-openssl-dev)

# Runs a command as root: directly, or through sudo.
as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 127
    fi
}

# missing_packages NAME...: prints those that are not installed.
missing_packages()
{
    local name status
    for name in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)
        [ "$status" = installed ] || printf '%s\n' "$name"
    done
}

# ensure_packages NAME...: installs what is missing with apt-get, and asks the
# package index only if something is.
ensure_packages()
{
    local missing log
    if ! command -v dpkg-query >/dev/null; then
        say "note: this is no Debian; make sure that these (or what they are" \
            "called here) are installed: $*"
        return 0
    fi
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "Debian packages are missing; run as root: apt-get install $missing"
    fi
    say "installing Debian packages: $missing"
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
            --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        die "apt-get could not install: $missing"
    fi
    rm -f "$log"
}

# python_rig: prints the path of a Python that has the libraries of
# scripts/python-rig.txt, in an environment in the cache that is made once.
python_rig()
{
    local list=$ROOT/scripts/python-rig.txt dir sum
    sum=$(sha256sum "$list" | cut -c1-12)
    dir=${TG_CACHE:-$HOME/.cache/tidegate}/python-rig-$sum
    if [ ! -e "$dir/.complete" ]; then
        mkdir -p "$(dirname "$dir")" || return 1
        exec 9>"$dir.lock"
        flock 9
        if [ ! -e "$dir/.complete" ]; then
            say "making a Python environment for the tests ..."
            rm -rf "$dir"
            if ! { python3 -m venv "$dir" &&
                "$dir/bin/pip" install -q --disable-pip-version-check \
                    -r "$list"; } >&2; then
                rm -rf "$dir"
                return 1
            fi
            touch "$dir/.complete"
        fi
        exec 9>&-
    fi
    printf '%s\n' "$dir/bin/python"
}

# build_preset NAME [TARGET...]: configures and builds build/NAME. Prints
# compiler output only if it fails.
build_preset()
{
    local preset=$1 log=$ROOT/build/$1.log
    shift
    mkdir -p "$ROOT/build"
    if ! { (cd "$ROOT" && cmake --preset "$preset") &&
        cmake --build "$ROOT/build/$preset" -- "$@"; } >"$log" 2>&1; then
        grep -E -A6 'error|Error|FAILED|undefined reference' "$log" |
            head -n 60 >&2
        say "the whole output: $log"
        return 1
    fi
}
