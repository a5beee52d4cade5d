#!/bin/sh
# Installs a build into a new prefix and uses it from outside.
#
# usage: run.sh PROJECT_DIR BUILD_DIR gcc|clang SPLIT_SUMMARY CMAKE
#
# Exit 77 (skipped) where the compiler is missing.
set -eu
project=$1 build=$2 cc=$3 summary=$4 cmake=$5
case $cc in
gcc) cxx=g++ ;;
clang) cxx=clang++ ;;
*) echo "unknown compiler $cc" >&2; exit 2 ;;
esac
command -v "$cc" > /dev/null && command -v "$cxx" > /dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
version=$(sed -n 's/^#define GO_VERSION *"\(.*\)"/\1/p' "$project/../../../include/go/base.h")

fail() {
    echo "FAILED: $cc: $*"
    [ ! -f "$work/log" ] || tail -30 "$work/log"
    exit 1
}

# says STACKS PROGRAM
says() {
    timeout 20 "$2" > "$work/out" || fail "$2: status $?"
    [ "$(cat "$work/out")" = "sum 4950 on $1 stacks, version $version" ] || fail "$2 says $(cat "$work/out"), not $1"
}

"$cmake" --install "$build" --prefix "$prefix" > "$work/log" 2>&1 || fail "install"

# gcc gets small stacks where the library's own build found that they work; clang never by itself.
expected=reserved
linkers=
if [ "$cc" = gcc ]; then
    for linker in gold lld; do
        echo 'int main(void) { return 0; }' > "$work/try.c"
        ! "$cc" -fsplit-stack -fuse-ld=$linker "$work/try.c" -o "$work/try" 2> /dev/null || linkers="$linkers $linker"
    done
    case $summary in
    small*) expected=small ;;
    esac
fi

configure() { # build folder, more arguments
    folder=$work/$1
    shift
    "$cmake" -S "$project" -B "$folder" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" "$@" \
        > "$work/log" 2>&1 || fail "configure $folder"
    "$cmake" --build "$folder" --verbose > "$work/log" 2>&1 || fail "build $folder"
}

configure default -DCMAKE_BUILD_TYPE=Release
says $expected "$work/default/in_c"
says $expected "$work/default/in_cxx"
configure plain -DGOCO_SPLIT_STACK=OFF
says reserved "$work/plain/in_c"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name goco.pc)")
export PKG_CONFIG_PATH
if command -v pkg-config > /dev/null; then
    [ "$(pkg-config --modversion goco)" = "$version" ] || fail "goco.pc has another version"
    "$cc" -O2 "$project/main.c" $(pkg-config --cflags --libs goco) -o "$work/plain_c" > "$work/log" 2>&1 || fail "goco.pc"
    says reserved "$work/plain_c"
    "$cc" -O2 -static "$project/main.c" $(pkg-config --static --cflags --libs goco) -o "$work/static_c" > "$work/log" 2>&1 ||
        fail "goco.pc, static"
    says reserved "$work/static_c"
    "$cxx" -O2 "$project/main.cc" $(pkg-config --cflags --libs goco) -o "$work/plain_cxx" > "$work/log" 2>&1 || fail "goco.pc, C++"
    says reserved "$work/plain_cxx"
    if [ -n "$linkers" ] && [ -f "$PKG_CONFIG_PATH/goco-split.pc" ]; then
        "$cc" -O2 "$project/main.c" $(pkg-config --cflags --libs goco-split) -o "$work/split_c" > "$work/log" 2>&1 ||
            fail "goco-split.pc"
        says small "$work/split_c"
        for linker in $linkers; do
            "$cc" -O2 "$project/main.c" $(pkg-config --cflags --libs goco-split) -fuse-ld=$linker -o "$work/split_$linker" \
                > "$work/log" 2>&1 || fail "goco-split.pc with $linker"
            says small "$work/split_$linker"
        done
        # bfd moves no caller of libc onto a big stack: found out at start.
        "$cc" -O2 "$project/main.c" $(pkg-config --cflags --libs goco-split) -fuse-ld=bfd -o "$work/split_bfd" > "$work/log" 2>&1 ||
            fail "goco-split.pc with bfd"
        says reserved "$work/split_bfd"
    fi
fi
echo "passed: $cc, $expected stacks"
