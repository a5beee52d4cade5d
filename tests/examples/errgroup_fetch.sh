#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/errgroup_fetch"
for name in fast "also fast" working slow; do
    expect_line "$name: ok"
done
expect_line "group: ok, in time"
expect_status 1 "$EXAMPLES/errgroup_fetch" fail
expect_line "fast: ok"
expect_line "also fast: ok"
grep -q "^broken: .*reset" "$work/out" || fail "the broken one has no error"
grep -q "^slow: .*cancel" "$work/out" || fail "the slow one was not cancelled"
grep -q "^group: .*reset.*, in time$" "$work/out" || fail "the group's error is not the first"
