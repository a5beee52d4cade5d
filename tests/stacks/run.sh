#!/bin/sh
# The stack room alone, for one compiler and one linker: growth, exceptions, overflow reports, random functions. Given a libgoco.a, the
# same programs run on its scheduler too.
#
# usage: run.sh SOURCE_DIR WORK_DIR gcc|clang gold|lld|bfd [FUZZ_SEEDS [LIBRARY]]
#
# Exit 77 (skipped) where the compiler or linker is missing. With bfd, which rewrites nothing, the probe must say so and the
# same programs run on reserved slots.
set -eu
source=$1 work=$2 cc=$3 linker=$4 seeds=${5:-3} library=${6:-}
case $cc in
gcc) cxx=g++ ;;
clang) cxx=clang++ ;;
*) cxx=$cc ;;
esac
command -v "$cc" > /dev/null || exit 77
mkdir -p "$work"
cd "$work"
echo 'int main(void) { return 0; }' > try.c
"$cc" -fsplit-stack -fuse-ld="$linker" try.c -o try 2> /dev/null || exit 77

compile() { # flags and files
    "$cc" -std=gnu11 -O2 -g "-I$source/include" "-I$source/src" "-I$source/tests" "$@"
}

split=-fsplit-stack
[ "$cc" = gcc ] && split="-fsplit-stack -maccumulate-outgoing-args"
objects=
for file in stack/area stack/depot stack/slots stack/grow stack/prologue os/vm os/fatal os/futex arch/gobuf_init; do
    object=$(basename $file).o
    compile -DGO__GOROUTINE_STACK=1 -mgeneral-regs-only -c "$source/src/$file.c" -o "$object"
    objects="$objects $object"
done
for file in stack/compat stack/unwrapped stack/overflow; do
    object=$(basename $file).o
    compile -c "$source/src/$file.c" -o "$object"
    objects="$objects $object"
done
for file in switch morestack call; do
    compile -c "$source/src/arch/${file}_x86_64.S" -o $file.o
    objects="$objects $file.o"
done
compile -fsplit-stack -c "$source/src/stack/probe.c" -o probe.o
compile -DGO__GOROUTINE_STACK=1 -c "$source/tests/stacks/harness.c" -o harness.o
rm -f libalone.a
ar rcs libalone.a $objects probe.o harness.o

fail() {
    echo "FAILED: $cc $linker: $*"
    exit 1
}

link() { # compiler, output, objects and flags
    compiler=$1 output=$2
    shift 2
    "$compiler" -fuse-ld="$linker" -fsplit-stack -Wl,-z,now -o "$output" "$@" libalone.a -lpthread
}

link_scheduled() { # as link
    compiler=$1 output=$2
    shift 2
    "$compiler" -fuse-ld="$linker" -fsplit-stack -Wl,-z,now -o "$output" "$@" on_scheduler.o neighbour.o "$library" -lpthread
}

run_scheduled() { # program, what it is
    for procs in 1 2 8; do
        GOCO_PROCS=$procs timeout 100 "./$1" > log 2>&1 || fail "$2, $procs procs: status $?: $(tail -3 log)"
    done
}

if [ -n "$library" ]; then
    compile -w -DGO__GOROUTINE_STACK=1 -c "$source/tests/stacks/on_scheduler.c" -o on_scheduler.o
    compile -w $split -c "$source/tests/stacks/neighbour.c" -o neighbour.o
fi

if [ "$linker" = bfd ]; then
    compile -w $split -c "$source/tests/stacks/link_probe.c" -o link_probe.o
    link "$cc" link_probe link_probe.o
    ./link_probe 0 || fail "the probe believes that bfd rewrote calls"
    compile -w -DGROWTH_RESERVED -c "$source/tests/stacks/growth.c" -o growth.o
    link "$cc" growth growth.o
    timeout 100 ./growth > log 2>&1 || fail "growth on reserved slots: $(tail -1 log)"
    if [ -n "$library" ]; then
        compile -w $split -DGROWTH_RESERVED -c "$source/tests/stacks/growth.c" -o growth.o
        for how in "" -static; do
            link_scheduled "$cc" growth growth.o $how
            run_scheduled growth "scheduled: split code without rewriting $how"
        done
    fi
    echo "passed: $cc $linker"
    exit 0
fi

compile -w $split -c "$source/tests/stacks/link_probe.c" -o link_probe.o
link "$cc" link_probe link_probe.o
./link_probe 1 || fail "the probe does not see that calls were rewritten"

for optimise in -O0 -O1 -O2 -O3; do
    compile -w $split $optimise -c "$source/tests/stacks/growth.c" -o growth.o
    for how in "" -static -no-pie; do
        link "$cc" growth growth.o $how
        [ "$(nm growth | grep -c ' use_guard_page$')" = 0 ] || fail "libgcc's __morestack was linked too ($how)"
        timeout 100 ./growth > log 2>&1 || fail "growth $optimise $how: $(tail -1 log)"
        if [ -n "$library" ]; then
            link_scheduled "$cc" growth_scheduled growth.o $how 2> log || fail "scheduled: link $how: $(tail -3 log)"
            run_scheduled growth_scheduled "scheduled: growth $optimise $how"
        fi
    done
done

compile -w $split -c "$source/tests/stacks/mixed.c" -o mixed.o
compile -w -c "$source/tests/stacks/mixed_plain.c" -o mixed_plain.o
link "$cc" mixed mixed.o mixed_plain.o
timeout 100 ./mixed > log 2>&1 || fail "mixed: $(tail -1 log)"
if [ -n "$library" ]; then
    link_scheduled "$cc" mixed_scheduled mixed.o mixed_plain.o
    run_scheduled mixed_scheduled "scheduled: mixed"
fi

compile -w $split -c "$source/tests/stacks/migrate.c" -o migrate.o
link "$cc" migrate migrate.o
timeout 100 ./migrate > log 2>&1 || fail "migration: $(tail -1 log)"

compile -w $split -c "$source/tests/stacks/margin.c" -o margin.o
link "$cc" margin margin.o
timeout 100 ./margin > log 2>&1 || fail "margin: $(tail -1 log)"

# clang's variadic definitions do not compile with the flag, and the headers of the C++ library may hold some.
for how in "" -static; do
    if "$cxx" -O2 -g -w "-I$source/tests" $split -c "$source/tests/stacks/growth_cxx.cc" -o growth_cxx.o 2> /dev/null; then
        link "$cxx" growth_cxx growth_cxx.o $how
        timeout 100 ./growth_cxx > log 2>&1 || fail "exceptions $how: $(tail -1 log)"
        if [ -n "$library" ]; then
            link_scheduled "$cxx" growth_cxx_scheduled growth_cxx.o $how 2> log || fail "scheduled: link $how: $(tail -3 log)"
            run_scheduled growth_cxx_scheduled "scheduled: exceptions $how"
        fi
    fi
done

expect() { # argument, part of the message
    timeout 20 ./overflow "$1" > log 2>&1 && status=0 || status=$?
    grep -q "$2" log || fail "overflow $1: status $status, said: $(cat log)"
}
compile -w -O1 $split -c "$source/tests/stacks/overflow.c" -o overflow.o
link "$cc" overflow overflow.o
expect small 'goroutine 7, started as .*GOCO_STACK_MAX'
expect reserved 'GOCO_STACK_MAX'
expect canary 'overran its small stack'
expect fault-handled-before '^handled$'
expect fault-handled-after '^handled$'
compile -w -O1 -c "$source/tests/stacks/overflow.c" -o overflow.o
link "$cc" overflow overflow.o
expect reserved 'ran past the end of its stack of .*GOCO_STACK_RESERVE'
expect custom 'go_attr.stack_size'

arguments=320
[ "$cc" = gcc ] && arguments=3000
seed=1
while [ "$seed" -le "$seeds" ]; do
    python3 "$source/tests/stacks/fuzz_generate.py" "$seed" 40 "$arguments" > fuzz.c
    compile -w $split -O$((seed % 3)) -c fuzz.c -o fuzz.o
    link "$cc" fuzz fuzz.o
    timeout 100 ./fuzz > log 2>&1 || fail "fuzz: $(tail -1 log)"
    if [ -n "$library" ]; then
        link_scheduled "$cc" fuzz_scheduled fuzz.o
        run_scheduled fuzz_scheduled "scheduled: fuzz $seed"
    fi
    seed=$((seed + 1))
done
echo "passed: $cc $linker"
