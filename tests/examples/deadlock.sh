#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 2 "$EXAMPLES/deadlock"
expect_error "goco: fatal error: all goroutines are asleep - deadlock!"
expect_error 'goroutine 1 "main" [waitgroup wait'
expect_error '"left first" [mutex lock'
expect_error '"right first" [mutex lock'
expect_error "left_then_right"
expect_error "right_then_left"
[ "$(grep -c "^created by .*deadlock_main" "$work/err")" = 2 ] || fail "the report does not say who started the two"
