#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/race" mutex
expect_line "mutex: counted 80000 of 80000"
expect_status 0 "$EXAMPLES/race" channel
expect_line "channel: counted 80000 of 80000"
! grep -q ThreadSanitizer "$work/err" || fail "the channel twin races"
status=0
timeout 60 "$EXAMPLES/race" unsafe > "$work/out" 2> "$work/err" || status=$?
grep -q "^unsafe: counted [0-9]* of 80000$" "$work/out" || fail "the race did not finish"
# A race needs two threads, and a report needs the tool.
if nm "$EXAMPLES/race" | grep -q __tsan_init && [ "${GOCO_PROCS:-2}" != 1 ]; then
    [ "$status" = 66 ] || fail "ThreadSanitizer's status is 66, not $status"
    expect_error "WARNING: ThreadSanitizer: data race"
    expect_error "count_unsafe"
else
    [ "$status" = 0 ] || fail "status $status"
fi
