#!/bin/sh
. "$(dirname "$0")/lib.sh"
need curl
start_server "$EXAMPLES/http_server" 127.0.0.1:0
url="http://$address"
get() {
    timeout 60 curl -s -S "$@"
}
[ "$(get "$url/")" = "Hello, World!" ] || fail "/"
[ "$(get "$url/json")" = '{"message":"Hello, World!"}' ] || fail "/json"
get -D "$work/head" -o /dev/null "$url/json"
grep -q '^Content-Type: application/json' "$work/head" || fail "type of /json"
[ "$(get -o /dev/null -w '%{http_code}' "$url/nothing")" = 404 ] || fail "404"
[ "$(get -I -o /dev/null -w '%{http_code} %{size_download}' "$url/")" = "200 0" ] || fail "HEAD"
[ "$(get -w '%{num_connects}' -o /dev/null "$url/" -o /dev/null "$url/json" -o /dev/null "$url/nothing")" = 100 ] || fail "keep-alive"
[ "$(get -H 'Connection: close' -w '%{num_connects}' -o /dev/null "$url/" -o /dev/null "$url/")" = 11 ] || fail "close"
[ "$(get --http1.0 "$url/")" = "Hello, World!" ] || fail "HTTP/1.0"
long=$(head -c 9000 /dev/zero | tr '\0' a)
[ "$(get -o /dev/null -w '%{http_code}' -H "X-Long: $long" "$url/")" = 431 ] || fail "431"
[ "$(get -o /dev/null -w '%{http_code}' -d body "$url/")" = 501 ] || fail "POST"
[ "$(get -X GET -d 12345 -w '%{http_code}%{num_connects}' -o /dev/null "$url/json" -o /dev/null "$url/")" = 20012000 ] || fail "a body is skipped"

# raw TEXT [PIECE [SECONDS]]: sends it byte for byte (printf's escapes), prints the answers until the server closes or is silent so long.
raw() {
    python3 -c '
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)), 10)
text = sys.argv[2].encode().decode("unicode_escape").encode("latin-1")
for i in range(0, len(text), int(sys.argv[3])):
    s.sendall(text[i:i + int(sys.argv[3])])
s.settimeout(int(sys.argv[4]))
out = b""
try:
    while (part := s.recv(65536)):
        out += part
    print("closed")
except TimeoutError:
    print("open")
sys.stdout.write(out.decode())' "$address" "$1" "${2:-65536}" "${3:-30}"
}
if command -v python3 > /dev/null; then
    # Beside the rest, for the limit is ten seconds: one client that always has half a request under way, one that never ends its first.
    python3 -c '
import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
busy, slow = (socket.create_connection((host, int(port)), 60) for _ in range(2))
slow.sendall(b"GET / ")
busy.sendall(b"GET / HT")
begin = time.monotonic()
while time.monotonic() < begin + 12:
    busy.sendall(b"TP/1.1\r\nHost: x\r\n\r\nGET / HT")
    if not busy.recv(4096):
        sys.exit("the busy client was cut off")
    time.sleep(0.2)
if slow.recv(4096):
    sys.exit("an answer to no request")' "$address" > "$work/limits" 2>&1 &
    limits=$!
    ask='GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    last='GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    [ "$(raw "$ask$ask$last" | grep -o 'Hello, World!' | wc -l)" = 3 ] || fail "pipelining"
    [ "$(raw "$ask$last" 1 | grep -o 'Hello, World!' | wc -l)" = 2 ] || fail "byte by byte"
    raw "$ask" 65536 1 | grep -q '^open' || fail "the connection stays open"
    for close in 'Connection: TE, close' 'Connection: close ,x' 'Connection: close\r\nConnection: keep-alive' 'Connection: keep-alive,\tClose'; do
        raw "GET / HTTP/1.1\r\nHost: x\r\n$close\r\n\r\n" 65536 20 | grep -q '^closed' || fail "not closed: $close"
    done
    raw 'GET / HTTP/1.1\r\nHost: x\r\nConnection: ,closed, not close\r\n\r\n' 65536 1 | grep -q '^open' || fail "no word is close"
    raw 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n' 65536 1 > "$work/kept" # what ab -k asks
    grep -q '^open' "$work/kept" && grep -q '^Connection: keep-alive' "$work/kept" || fail "HTTP/1.0 is not told that the connection is kept"
    raw 'GET / HTTP/1.0\r\n\r\n' > "$work/kept"
    grep -q '^closed' "$work/kept" && grep -q '^Connection: close' "$work/kept" || fail "HTTP/1.0 is not told that the connection ends"
    for target in http://h/json HTTP://h:80/json; do
        raw "GET $target HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" | grep -q '"message"' || fail "$target"
    done
    raw 'GET http://h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' | grep -q '^Hello, World!' || fail "the root of a host"
    for head in 'HEAD /nothing HTTP/1.1\r\nHost: x\r\nConnection: close' 'HEAD / HTTP/1.1' 'HEAD / HTTP/2.0' 'HEAD /\n' "HEAD / HTTP/1.1\r\nX: $long"; do
        raw "$head\r\n\r\n" | tail -c 2 | od -An -c | grep -q '\\r *\\n' || fail "the answer to HEAD has a body: $head"
    done
    for bad in 'nonsense\r\n\r\n' 'GET / HTTP/1.1\r\n\r\n' 'GET /\r\n\r\n' 'GET / HTTP/1.1\r\nHost x\r\n\r\n' 'GET / HTTP/1.1\nHost: x\n\n' \
        'GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n' 'GET / HTTP/1.1\r\nHost : x\r\n\r\n' ' GET / HTTP/1.1\r\nHost: x\r\n\r\n' \
        'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n' 'GET x HTTP/1.1\r\nHost: x\r\n\r\n' \
        'GET http:///x HTTP/1.1\r\nHost: x\r\n\r\n' 'GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n' \
        'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n' \
        'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n' 'GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n'; do
        raw "$bad" > "$work/bad"
        grep -q '^HTTP/1.1 400 ' "$work/bad" && grep -q '^closed' "$work/bad" || fail "not refused: $bad"
    done
    raw 'GET / HTTP/2.0\r\nHost: x\r\n\r\n' | grep -q '505' || fail "505"
    raw 'GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n' | grep -q '501' || fail "chunked"
    raw 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n' | grep -q '413' || fail "413"
fi
if command -v wrk > /dev/null; then
    timeout 30 wrk -t 1 -c 64 -d 2 "$url/" > "$work/wrk" 2>&1 || fail "wrk"
    grep -q 'Requests/sec' "$work/wrk" || fail "wrk: no result"
    ! grep -q 'Socket errors\|Non-2xx' "$work/wrk" || fail "wrk: errors"
fi
if [ -n "${limits:-}" ]; then
    wait "$limits" || fail "the limit of a request"
fi
sleep 1.5
expect_idle
# A connection that waits is closed, the server ends with status 0 and without delay.
if command -v python3 > /dev/null; then
    python3 -c '
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)), 10)
s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
s.recv(4096)
print("waiting", flush=True)
print("rest", len(s.recv(4096)), flush=True)' "$address" > "$work/idle" &
    idle=$!
    for _ in $(seq 100); do grep -q waiting "$work/idle" && break; sleep 0.05; done
fi
# So are those that come in the same moment, of which no goroutine knows yet.
if command -v python3 > /dev/null; then
    kill -STOP "$server"
    python3 -c '
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
crowd = [socket.create_connection((host, int(port)), 60) for _ in range(100)]
print("waiting", flush=True)
for s in crowd:
    try:
        s.recv(1)
    except ConnectionResetError: # in the queue of the listener
        pass' "$address" > "$work/crowd" 2>&1 &
    crowd=$!
    for _ in $(seq 100); do grep -q waiting "$work/crowd" && break; sleep 0.05; done
fi
kill -TERM "$server"
kill -CONT "$server"
status=0
wait "$server" || status=$?
server=
[ "$status" = 0 ] || fail "after SIGTERM: status $status"
! grep -q 'dropped' "$work/err" || fail "connections outlived SIGTERM"
if [ -n "${idle:-}" ]; then
    wait "$idle" "$crowd"
    grep -q 'rest 0' "$work/idle" || fail "the idle connection was not closed in order"
fi
