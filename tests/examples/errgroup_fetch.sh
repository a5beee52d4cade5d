#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/errgroup_fetch"
for name in fast "also fast" working slow; do
    expect_line "$name: ok"
done
expect_line "group: ok, in time"
# With few descriptors some listen, dial or accept fails: an error, never a wait without end.
# Those that the caller of this script left open do not count.
for files in 6 8 10 12 13 14 15 16; do
    status=0
    timeout 60 sh -c "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n $files && exec \"\$0\"" "$EXAMPLES/errgroup_fetch" > "$work/out" 2> "$work/err" || status=$?
    [ "$status" -le 1 ] || fail "with $files descriptors: status $status"
done
expect_status 1 "$EXAMPLES/errgroup_fetch" fail
expect_line "fast: ok"
expect_line "also fast: ok"
grep -q "^broken: .*reset" "$work/out" || fail "the broken one has no error"
grep -q "^slow: .*cancel" "$work/out" || fail "the slow one was not cancelled"
grep -q "^group: .*reset.*, in time$" "$work/out" || fail "the group's error is not the first"
