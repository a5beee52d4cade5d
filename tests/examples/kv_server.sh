#!/bin/sh
. "$(dirname "$0")/lib.sh"
need redis-benchmark
need redis-cli
start_server "$EXAMPLES/kv_server" 127.0.0.1:0
port=${address##*:}
cli() {
    timeout 10 redis-cli -h 127.0.0.1 -p "$port" "$@"
}
[ "$(cli PING)" = PONG ] || fail "ping"
[ "$(cli GET nothing)" = "" ] || fail "get of nothing"
[ "$(cli SET name "a value with spaces")" = OK ] || fail "set"
[ "$(cli GET name)" = "a value with spaces" ] || fail "get"
[ "$(cli SET name other)" = OK ] || fail "set again"
[ "$(cli GET name)" = other ] || fail "get again"
[ "$(cli DEL name)" = 1 ] && [ "$(cli DEL name)" = 0 ] || fail "del"
cli FLY | grep -q ERR || fail "an unknown command is answered"
expect_idle
timeout 50 redis-benchmark -h 127.0.0.1 -p "$port" -t ping,set,get -n 20000 -c 50 -r 1000 -q > "$work/benchmark" 2>&1 || fail "redis-benchmark"
timeout 50 redis-benchmark -h 127.0.0.1 -p "$port" -t set,get -n 50000 -c 50 -P 16 -d 200 -q >> "$work/benchmark" 2>&1 || fail "redis-benchmark, pipelined"
[ "$(grep -o 'requests per second' "$work/benchmark" | wc -l)" -ge 6 ] || fail "not all of redis-benchmark's tests ran"
[ "$(cli PING)" = PONG ] || fail "ping after the load"
