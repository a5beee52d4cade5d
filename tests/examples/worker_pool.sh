#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/worker_pool"
expect_line "4 workers did 1000 jobs: the numbers up to 1000 have 7069 divisors"
expect_status 0 "$EXAMPLES/worker_pool" 100 50
expect_line "100 workers did 50 jobs: the numbers up to 50 have 207 divisors"
for bad in 0 -1 x 3x "3 -1" "3 x"; do
    # shellcheck disable=SC2086
    expect_status 2 "$EXAMPLES/worker_pool" $bad
    expect_error "usage: worker_pool"
done
expect_status 0 "$EXAMPLES/worker_pool" 3 0
expect_line "3 workers did 0 jobs: the numbers up to 0 have 0 divisors"
