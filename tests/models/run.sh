#!/bin/sh
# run.sh MODEL.pml: spin's exhaustive search finds no error in the model, and finds one in each of its variants. A variant is named
# in the model by a line "variant: NAME  what is missing": it leaves one step of the protocol out, so a search that does not catch
# it would prove nothing about the step.
set -eu
command -v spin >/dev/null 2>&1 || { echo "spin is not installed"; exit 77; }
model=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

errors() { # flags: the number of errors that the search found
    spin "$@" -run -O2 -DVECTORSZ=4096 -m200000 "$model" >out 2>&1 || { cat out; exit 1; }
    grep -q "errors: " out || { cat out; exit 1; }
    if grep -q "search not completed\|max search depth too small" out && grep -q "errors: 0" out; then
        cat out
        exit 1
    fi
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' out
}

found=$(errors)
if [ "$found" != 0 ]; then
    cat out
    exit 1
fi
states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
echo "$(basename "$model"): no error in $states states"
for variant in $(sed -n 's/^.*variant: *\([A-Z_][A-Z_0-9]*\).*/\1/p' "$model"); do
    found=$(errors "-D$variant")
    if [ "$found" = 0 ]; then
        echo "variant $variant: the search finds nothing wrong, the model does not need that step"
        exit 1
    fi
    echo "variant $variant: refused, as it must be"
done
