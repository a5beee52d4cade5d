#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/pipeline" 500
[ "$(wc -l < "$work/out")" = 500 ] || fail "not 500 primes"
# The first 500 primes, by another hand.
awk 'BEGIN { for (n = 2; c < 500; n++) { for (d = 2; d * d <= n && n % d; d++); if (d * d > n) { print n; c++ } } }' > "$work/primes"
cmp -s "$work/out" "$work/primes" || fail "not the primes"
