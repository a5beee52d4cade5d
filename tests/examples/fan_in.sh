#!/bin/sh
. "$(dirname "$0")/lib.sh"
expect_status 0 "$EXAMPLES/fan_in"
expect_line "received 100000 messages from 100 producers, each producer's in order"
expect_status 0 "$EXAMPLES/fan_in" 3 7
expect_line "received 21 messages from 3 producers, each producer's in order"
