#!/bin/sh
# Each public header alone, in each language; the programs that the headers show; wrong element types must not compile.
#
# usage: run.sh SOURCE_DIR gcc|clang
#
# Exit 77 (skipped) where the compiler is missing.
set -eu
source=$1 cc=$2
case $cc in
gcc) cxx=g++ ;;
clang) cxx=clang++ ;;
*) echo "unknown compiler $cc" >&2; exit 2 ;;
esac
command -v "$cc" > /dev/null && command -v "$cxx" > /dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Werror"
failures=0

complain() {
    echo "FAILED: $cc: $*"
    head -20 "$work/log"
    failures=$((failures + 1))
}

# compiles LANGUAGE FILE: with the log kept for whoever complains.
compiles() {
    case $1 in
    c++*) "$cxx" -std="$1" -Wshadow $warnings "-I$source/include" -fsyntax-only -x c++ "$2" > "$work/log" 2>&1 ;;
    *) "$cc" -std="$1" -Wstrict-prototypes $warnings "-I$source/include" -fsyntax-only -x c "$2" > "$work/log" 2>&1 ;;
    esac
}

# The languages that this compiler knows; C++20 and C23 by their working names.
languages=
echo 'int go_nothing;' > "$work/empty.c"
for language in c11 gnu11 c17 c2x c++17 c++20; do
    compiles $language "$work/empty.c" && languages="$languages $language"
done

for header in "$source"/include/go.h "$source"/include/go/*.h; do
    name=${header#"$source/include/"}
    printf '#include <%s>\n#include <%s>\n#ifndef GO_VERSION\n#error\n#endif\n' "$name" "$name" > "$work/alone.c"
    for language in $languages; do
        compiles "$language" "$work/alone.c" || complain "<$name> alone as $language"
    done

    # A program in the head comment begins with an #include and ends with main.
    sed -n '1,/\*\//s/^ \* \{0,3\}//p' "$header" | sed -n '/^#include/,/^int main/p' > "$work/program.c"
    if grep -q '^int main' "$work/program.c"; then
        sed -i 's/ \*\/$//' "$work/program.c"
        for language in c11 c++17; do
            compiles "$language" "$work/program.c" || complain "the program that <$name> shows, as $language"
        done
    fi
done

# The program of README's first screen.
sed -n '/^```c$/,/^```$/p' "$source/README.md" | sed '/^```/d' > "$work/program.c"
grep -q '^int main' "$work/program.c" || complain 'README.md shows no program'
for language in c11 c++17; do
    compiles $language "$work/program.c" || complain "the program that README.md shows, as $language"
done

# element WANTED C-STATEMENT: whether the statement compiles in C and C++, where `ints` is a channel of int, `names` of const char *,
# `points` of struct point.
element() {
    wanted=$1
    shift
    cat > "$work/element.c" << END
#include <go.h>
struct point { int x, y; };
struct other { int x, y; };
static GO_CHAN(int) ints;
static GO_CHAN(const char *) names;
static GO_CHAN(struct point) points;
void statement(struct point point, struct other other);
void statement(struct point point, struct other other)
{
    int n = 0;
    long wide = 0;
    const char *name = "";
    double *pointer = 0;
    (void)n, (void)wide, (void)name, (void)pointer, (void)point, (void)other;
    (void)ints, (void)names, (void)points;
    $*
}
END
    for language in c11 c++17; do
        if compiles $language "$work/element.c"; then
            [ "$wanted" = right ] || complain "compiles as $language although it must not: $*"
        else
            [ "$wanted" = wrong ] || complain "does not compile as $language: $*"
        fi
    done
}

element right 'n = GO_SEND(ints, 1);'
element right 'n = GO_SEND(ints, n + 1);'
element right 'n = GO_RECV(ints, &n);'
element right 'n = GO_RECV(ints, NULL);'
element right 'n = GO_SEND(names, name);'
element right 'n = GO_RECV(names, &name);'
element right 'n = GO_SEND(points, point);'
element right 'n = GO_RECV(points, &point);'
element right 'GO_RANGE(v, points) { n += v.x; }'
element right 'go_case c[] = {GO_CASE_SEND(ints, &n), GO_CASE_RECV(names, &name)}; n = go_select(c, 2);'
element wrong 'n = GO_SEND(ints, name);'
element wrong 'n = GO_SEND(ints, &n);'
element wrong 'n = GO_SEND(ints, point);'
element wrong 'n = GO_RECV(ints, &wide);'
element wrong 'n = GO_RECV(ints, &name);'
element wrong 'n = GO_RECV(ints, n);'
element wrong 'n = GO_SEND(names, pointer);'
element wrong 'n = GO_SEND(names, n);'
element wrong 'n = GO_SEND(points, other);'
element wrong 'n = GO_SEND(points, &point);'
element wrong 'n = GO_RECV(points, &other);'
element wrong 'go_case c[] = {GO_CASE_SEND(ints, &wide)}; n = go_select(c, 1);'
element wrong 'go_case c[] = {GO_CASE_RECV(points, &other)}; n = go_select(c, 1);'

# The short macros can be switched off.
printf '#define GO_NO_SHORT_NAMES\n#include <go.h>\nint go;\n' > "$work/short.c"
for language in c11 c++17; do
    compiles $language "$work/short.c" || complain "GO_NO_SHORT_NAMES as $language"
done

[ "$failures" = 0 ] || exit 1
echo "passed: $cc:$languages"
