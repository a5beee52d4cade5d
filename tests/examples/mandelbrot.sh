#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/mandelbrot" 300
[ "$(head -c 15 "$work/out" | tr '\n' ' ')" = "P6 300 200 255 " ] || fail "not the head of a PPM"
[ "$(wc -c < "$work/out")" = $((15 + 300 * 200 * 3)) ] || fail "not all pixels"
# The same picture however many goroutines run at once; the middle of the set is black.
sum=$(cksum < "$work/out")
for procs in 1 2 8; do
    [ "$(GOCO_PROCS=$procs timeout 60 "$EXAMPLES/mandelbrot" 300 | cksum)" = "$sum" ] || fail "another picture with $procs Ps"
done
[ "$(tail -c +$((16 + (100 * 300 + 200) * 3)) "$work/out" | head -c 3 | od -An -tu1 | tr -d ' ')" = 000 ] || fail "0+0i is not black"
