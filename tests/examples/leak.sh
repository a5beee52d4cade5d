#!/bin/sh
. "$(dirname "$0")/lib.sh"
export GOCO_DEBUG=leak=1
expect_status 0 "$EXAMPLES/leak"
expect_line "the first answer: 42"
expect_line "goroutines now: 3"
[ "$(grep -c "^goroutine .*\[chan send" "$work/err")" = 2 ] || fail "not two leaked senders in the report"
[ "$(grep -c "^created by .*\(first_answer\|leak_main\)" "$work/err")" = 2 ] || fail "the report does not say who started them"
expect_status 0 "$EXAMPLES/leak" fixed
expect_line "goroutines now: 1"
! grep -q "^goroutine " "$work/err" || fail "the cured program leaks"
