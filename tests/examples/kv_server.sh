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
# raw PYTHON-BYTES: sends them, prints all answers until the server closes.
raw() {
    timeout 30 python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
s.sendall(eval(sys.argv[2]))
s.shutdown(socket.SHUT_WR)
while (part := s.recv(65536)):
    sys.stdout.write(part.decode().replace("\r", ""))' "$port" "$1" > "$work/raw" || fail "raw $1"
}
expect_raw() {
    raw "$1"
    [ "$(tr '\n' '|' < "$work/raw")" = "$2" ] || fail "to $1: not $2"
}
if command -v python3 > /dev/null; then
    expect_raw 'b"set k v\r\nGET k\n\nDEL k\n"' '+OK|$1|v|:1|'
    # A line that fits the buffer, but longer than the longest value: it must not become one.
    expect_raw 'b"PING\r\nSET long " + b"x" * 9000 + b"\r\nGET long\r\n"' '+PONG|-ERR too long a line|$-1|'
    # What is no command is told so, behind the answers to what was sent before it; half a command is not refused.
    for bad in '*x' '*9' '*' '*1\r\n$4x\r\nPING' '*1\r\n$-1' '*1\r\n$\r\n' '*1\r\n$5000' '*1\r\n$4\r\nPINGxx' '*1\r\nPING'; do
        expect_raw "b'PING\r\n$bad\r\nPING\r\n'" '+PONG|-ERR protocol error|'
    done
    expect_raw 'b"PING\n" + b"x" * 200000' '+PONG|-ERR protocol error|'
    expect_raw 'b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI"' '+PONG|'
fi
expect_idle
timeout 50 redis-benchmark -h 127.0.0.1 -p "$port" -t ping,set,get -n 20000 -c 50 -r 1000 -q > "$work/benchmark" 2>&1 || fail "redis-benchmark"
timeout 50 redis-benchmark -h 127.0.0.1 -p "$port" -t set,get -n 50000 -c 50 -P 16 -d 200 -q >> "$work/benchmark" 2>&1 || fail "redis-benchmark, pipelined"
[ "$(grep -o 'requests per second' "$work/benchmark" | wc -l)" -ge 6 ] || fail "not all of redis-benchmark's tests ran"
[ "$(cli PING)" = PONG ] || fail "ping after the load"
if command -v python3 > /dev/null; then
    stop_server
    start_poor_server "$EXAMPLES/kv_server" 127.0.0.1:0
    port=${address##*:}
    [ "$(cli SET name kept)" = OK ] || fail "set"
    crowd
    [ "$(cli GET name)" = kept ] || fail "the table after a crowd"
fi
