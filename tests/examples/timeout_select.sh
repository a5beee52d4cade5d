#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/timeout_select"
printf '%s\n' "select: the answer is 42" "select: no answer in 200 ms" "deadline: the answer is 42" "deadline: no answer in 200 ms" > "$work/wanted"
cmp -s "$work/out" "$work/wanted" || fail "wrong answers"
