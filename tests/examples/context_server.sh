#!/bin/sh
. "$(dirname "$0")/lib.sh"
need curl
get() {
    curl -s -m 60 -o "$work/body" -w '%{http_code}' "$@" || true
}
if command -v python3 > /dev/null; then
    start_poor_server "$EXAMPLES/context_server" 127.0.0.1:0
    crowd
    [ "$(get "$address/20")" = 200 ] || fail "a request after a crowd"
    stop_server
fi
start_server "$EXAMPLES/context_server" 127.0.0.1:0
[ "$(get "$address/20")" = 200 ] || fail "a short request"
[ "$(get "$address/5000")" = 504 ] || fail "a long request gets no 504"
[ "$(get "$address/nonsense")" = 400 ] || fail "a bad request"
long=$(head -c 9000 /dev/zero | tr '\0' a)
[ "$(get -H "X-Long: $long" "$address/20")" = 431 ] || fail "a head that is too long"
expect_idle
# Twenty at once: they wait together, not one after the other, which would take six seconds. A busy machine may need another try.
twenty_at_once() {
    start=$(date +%s%N)
    pids=
    for i in $(seq 20); do
        curl -s -m 60 -o /dev/null -w '%{http_code}\n' "$address/300" > "$work/code$i" &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086
    wait $pids
    [ "$(cat "$work"/code* | sort | uniq -c | awk '{ print $1 ":" $2 }')" = 20:200 ] || fail "not twenty answers"
    [ $((($(date +%s%N) - start) / 1000000)) -lt 5000 ]
}
twenty_at_once || twenty_at_once || twenty_at_once || fail "twenty requests of 300 ms took seconds"
# SIGTERM: what is under way is finished, nothing new is taken, status 0.
sockets() {
    find "/proc/$server/fd" -lname 'socket:*' | wc -l
}
before=$(sockets)
get "$address/400" > "$work/last" &
client=$!
for _ in $(seq 600); do # accepted: under way
    [ "$(sockets)" -eq "$before" ] || break
    sleep 0.05
done
kill -TERM "$server"
wait "$client"
[ "$(cat "$work/last")" = 200 ] || fail "the request under way was lost: $(cat "$work/last")"
status=0
wait "$server" || status=$?
server=
[ "$status" = 0 ] || fail "status $status after SIGTERM"
expect_line "stopped"
[ "$(get "$address/1")" = 000 ] || fail "still listening"
# A client that sends nothing does not keep it: after the grace period it is told so.
need python3
start_server "$EXAMPLES/context_server" 127.0.0.1:0
before=$(sockets)
python3 -c '
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)), 60)
s.sendall(b"GET /10")
print(s.recv(4096).decode(), flush=True)' "$address" > "$work/silent" 2>&1 &
client=$!
for _ in $(seq 600); do # accepted, or closing the listener would reset it
    [ "$(sockets)" -eq "$before" ] || break
    sleep 0.05
done
kill -TERM "$server"
for _ in $(seq 400); do kill -0 "$server" 2> /dev/null || break; sleep 0.05; done
! kill -0 "$server" 2> /dev/null || fail "a silent client keeps the server"
status=0
wait "$server" || status=$?
server=
[ "$status" = 0 ] || fail "status $status after SIGTERM with a silent client"
wait "$client"
grep -q '^HTTP/1.1 503 ' "$work/silent" || fail "the silent client got no 503"
