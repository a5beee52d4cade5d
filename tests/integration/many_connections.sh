#!/bin/sh
# 10,000 connections to echo_server, half of which die by kill -9 of their process: nothing of the rest is lost, an idle server uses no CPU,
# and the descriptors of the dead are given back. Smaller where the limit of descriptors is.
. "$(dirname "$0")/../examples/lib.sh"
limit=$(ulimit -H -n)
half=5000
[ "$limit" = unlimited ] || [ "$limit" -ge 12000 ] || half=$((limit / 3))
clients=
trap 'for c in $clients; do kill -9 "$c" 2> /dev/null || true; done; cleanup' EXIT

descriptors() {
    ls "/proc/$server/fd" | wc -l
}

# hold NAME: a client with $half connections that have exchanged messages; a line into $work/NAME.in makes it go on.
hold() {
    mkfifo "$work/$1.in"
    "$TOOLS/echo_client" "$address" "$half" 3 hold < "$work/$1.in" > "$work/$1.out" 2> "$work/$1.err" &
    eval "$1=$!"
    clients="$clients $!"
}

await_line() { # FILE PATTERN
    for _ in $(seq 1200); do
        grep -q "$2" "$1" && return 0
        sleep 0.05
    done
    fail "no '$2' in $1"
}

await_descriptors() { # at most N
    for _ in $(seq 400); do
        [ "$(descriptors)" -gt "$1" ] || return 0
        sleep 0.05
    done
    fail "$(descriptors) descriptors are open, wanted at most $1"
}

start_server "$EXAMPLES/echo_server" 127.0.0.1:0
idle=$(descriptors)
hold doomed
exec 3> "$work/doomed.in"
hold survivor
exec 4> "$work/survivor.in"
await_line "$work/doomed.out" ready
await_line "$work/survivor.out" ready
[ "$(descriptors)" -ge $((2 * half)) ] || fail "only $(descriptors) descriptors"
sleep 1.5
expect_idle
kill -9 "$doomed"
wait "$doomed" 2> /dev/null || true
await_descriptors $((idle + half))
echo go >&4
await_line "$work/survivor.out" ok
wait "$survivor" || fail "the survivor ended with $?"
await_descriptors "$idle"
sleep 1.5
expect_idle
