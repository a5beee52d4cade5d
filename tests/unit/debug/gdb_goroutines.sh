#!/bin/sh
# gdb_goroutines.sh TARGET SCRIPT: goroutines in gdb, of a live process and of a core file. Exit status 77: cannot be tried here.
set -u
target=$1
script=$2
command -v gdb >/dev/null || { echo "no gdb"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'kill "${child:-}" 2>/dev/null; rm -rf "$work"' EXIT
failed=0

expect() { # FILE PATTERN
    grep -Eq -- "$2" "$1" || { echo "missing: $2"; failed=1; }
}

look() { # OUTPUT ARGUMENTS OF GDB...
    out=$1
    shift
    timeout 100 gdb -q -nx -batch "$@" -ex "source $script" -ex 'info goroutines' -ex 'echo ==\n' -ex 'goroutine 3 bt' \
        -ex 'echo ==\n' -ex 'goroutine 4 bt' -ex 'echo ==\n' -ex 'goroutine all bt' -ex 'echo ==\n' -ex 'goroutine 99 bt' \
        >"$out" 2>&1
    expect "$out" '^2 \[chan receive\] receiver, created by goroutine 1 in body'
    expect "$out" '^3 "named" \[chan receive\] receiver'
    expect "$out" '^[0-9]+ \[running\] computing'
    expect "$out" 'No goroutine 99'
    awk '/^==/ {part++} part == 1' "$out" >"$out.3"
    expect "$out.3" '^#[0-9]+ .*go__park ' # go_chan_recv itself may have jumped on
    expect "$out.3" '^#[0-9]+ .*(in )?receiver '
    [ "$(grep -c 'inner_receive' "$out.3")" = 4 ] || { echo "wrong depth of goroutine 3"; failed=1; }
    awk '/^==/ {part++} part == 2' "$out" >"$out.4"
    [ "$(grep -c 'inner_receive' "$out.4")" = 6 ] || { echo "wrong depth of goroutine 4"; failed=1; }
    [ "$failed" = 0 ] || { cat "$out"; exit 1; }
}

"$target" >"$work/says" &
child=$!
for _ in $(seq 300); do
    grep -q parked "$work/says" && break
    sleep 0.1
done
if gdb -q -nx -batch -p "$child" -ex 'info threads' 2>&1 | grep -Eq 'not permitted|ptrace:'; then
    echo "no ptrace here"
    exit 77
fi
look "$work/live" -p "$child"
kill -0 "$child" || { echo "the process did not survive"; exit 1; }
kill "$child"

# The kernel's core file. gdb's own generate-core-file leaves out the mappings that hold guard pages, and so most stacks.
case $(cat /proc/sys/kernel/core_pattern 2>/dev/null) in
core | core.%p) ;;
*) echo "gdb: ok; core files go elsewhere here: not looked at"; exit 0 ;;
esac
(cd "$work" && ulimit -c unlimited && "$target" core) >"$work/run" 2>&1
set -- "$work"/core*
[ -s "$1" ] || { echo "gdb: ok; no core file"; exit 0; }
look "$work/post" "$target" "$1"
echo "gdb: ok"
