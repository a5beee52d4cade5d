# Shared by the example tests; sourced. EXAMPLES is the folder of the built programs. Every test runs an example as a user would and
# looks at what it prints.
set -eu
: "${EXAMPLES:?set EXAMPLES to the folder of the built examples}"
work=$(mktemp -d)
server=

cleanup() {
    [ -z "$server" ] || kill -9 "$server" 2> /dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "FAIL: $*" >&2
    for f in "$work"/*; do
        [ ! -f "$f" ] || { echo "--- $(basename "$f")" >&2; head -c 4000 "$f" >&2; }
    done
    exit 1
}

need() {
    command -v "$1" > /dev/null || { echo "skipped: needs $1"; exit 77; }
}

# expect_status WANTED COMMAND...: output to $work/out and $work/err.
expect_status() {
    wanted=$1
    shift
    status=0
    timeout 60 "$@" > "$work/out" 2> "$work/err" || status=$?
    [ "$status" = "$wanted" ] || fail "$*: status $status, wanted $wanted"
}

expect_line() {
    grep -qxF -- "$1" "$work/out" || fail "no line: $1"
}

expect_error() {
    grep -qF -- "$1" "$work/err" || fail "nothing on stderr like: $1"
}

# start_server COMMAND...: runs it, waits for `listening on ADDRESS`, sets $server and $address.
start_server() {
    : > "$work/out" # there before the first look
    "$@" > "$work/out" 2> "$work/err" &
    server=$!
    for _ in $(seq 200); do
        address=$(sed -n 's/^listening on //p' "$work/out")
        [ -z "$address" ] || return 0
        kill -0 "$server" 2> /dev/null || fail "$*: ended"
        sleep 0.05
    done
    fail "$*: does not listen"
}

# A server without requests must use no CPU at all.
expect_idle() {
    before=$(awk '{ print $14 + $15 }' "/proc/$server/stat")
    sleep 0.5
    after=$(awk '{ print $14 + $15 }' "/proc/$server/stat")
    [ $((after - before)) -le 1 ] || fail "an idle server used $((after - before)) ticks of CPU in half a second"
}
