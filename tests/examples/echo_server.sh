#!/bin/sh
. "$(dirname "$0")/lib.sh"
start_server "$EXAMPLES/echo_server" 127.0.0.1:0
if command -v nc > /dev/null; then
    [ "$(printf 'hello\n' | timeout 10 nc -q 1 "${address%:*}" "${address##*:}")" = hello ] || fail "nc: not what was sent"
fi
timeout 100 "$TOOLS/echo_client" "$address" 1000 20 > "$work/client" 2>&1 || fail "the client of 1,000 connections"
grep -q '^ok ' "$work/client" || fail "no ok"
sleep 1.5
expect_idle
expect_status 1 "$EXAMPLES/echo_server" "$address"
expect_error "echo_server: cannot listen on $address"
