#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/worker_pool"
expect_line "4 workers did 1000 jobs: the numbers up to 1000 have 7069 divisors"
expect_status 0 "$EXAMPLES/worker_pool" 100 50
expect_line "100 workers did 50 jobs: the numbers up to 50 have 207 divisors"
expect_status 0 "$EXAMPLES/worker_pool" 3 0
expect_line "3 workers did 0 jobs: the numbers up to 0 have 0 divisors"
