#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/wait_for_all"
expect_line "the variable itself, times seen x value: 0x0 0x1 0x2 0x3 0x4 5x5"
expect_line "a copy for each, times seen x value: 1x0 1x1 1x2 1x3 1x4 0x5"
