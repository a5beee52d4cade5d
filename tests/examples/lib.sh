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

# start_poor_server COMMAND...: start_server with 48 descriptors. crowd: 64 clients at once, which the server has to outlive.
start_poor_server() {
    start_server sh -c 'ulimit -n 48 && exec "$@"' sh "$@"
}

crowd() {
    timeout 60 python3 -c '
import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
crowd = [socket.create_connection((host, int(port)), 20) for _ in range(64)]
time.sleep(0.3)' "$address" || fail "64 connections"
    kill -0 "$server" 2> /dev/null || fail "the server ended for want of descriptors"
}

stop_server() {
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    server=
}
