#!/usr/bin/env python3
"""Writes a C program of random functions: frame sizes, arguments, returns, libc calls, VLAs, parks, recursion.

usage: fuzz_generate.py SEED FUNCTIONS ARGUMENT_BYTES > fuzz.c

ARGUMENT_BYTES bounds what one call passes on the stack. gcc needs -maccumulate-outgoing-args to count those bytes in the
caller's frame; clang counts them unless the caller has a VLA.

The program runs them on its own thread and on small, reserved and custom slots and compares the checksums.
"""
import random
import sys

SCALARS = ["int", "long", "double", "float", "char", "short", "unsigned", "long double"]
STRUCTS = {"struct s_pair": 2, "struct s_mid": 6, "struct s_big": 33, "struct s_mix": 2}

HEAD = """
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stacks/harness.h"
#define NOINLINE __attribute__((noinline))
struct s_pair { long v[2]; };
struct s_mid { long v[6]; };
struct s_big { long v[33]; };
struct s_mix { double d; long l; };
static int budget;
static uint64_t mix(uint64_t h, uint64_t v) { h ^= v; h *= 0x9E3779B97F4A7C15u; return h ^ (h >> 29); }
static NOINLINE uint64_t text_of(uint64_t v)
{
    char text[40];
    snprintf(text, sizeof text, "%llu|%.2f", (unsigned long long)(v % 100000), (double)(v % 97) / 4);
    return strtoull(text, NULL, 10) + strlen(text);
}
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static NOINLINE uint64_t sorted(uint64_t v)
{
    int a[12];
    for (int i = 0; i < 12; i++) a[i] = (int)((v >> i) & 1023);
    qsort(a, 12, sizeof a[0], compare);
    return (uint64_t)(a[0] + 3 * a[6] + 7 * a[11]);
}
"""

TAIL = """
static void on_goroutine(void *arg) { *(uint64_t *)arg = start(SEED); }
static void *on_thread(void *arg) { on_goroutine(arg); return NULL; }
int main(void)
{
    harness_start(0, (size_t)1 << 30);
    uint64_t want = 0;
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, (size_t)1 << 30);
    budget = BUDGET;
    pthread_create(&thread, &attr, on_thread, &want);
    pthread_join(thread, NULL);
    for (int round = 0; round < 3; round++) {
        for (int slot = HARNESS_SMALL; slot <= HARNESS_CUSTOM; slot++) {
            uint64_t got = 0;
            budget = BUDGET;
            harness_run((enum harness_slot)slot, on_goroutine, &got);
            if (got != want) {
                printf("seed %d slot %d: got %llx, want %llx\\n", SEED, slot, (unsigned long long)got, (unsigned long long)want);
                return 1;
            }
        }
    }
    harness_stop();
    printf("seed %d: %llx on every stack\\n", SEED, (unsigned long long)want);
    return 0;
}
"""


def make(rng, kind, source):
    """An expression of type `kind` made from the uint64_t expression `source`."""
    if kind in SCALARS:
        return f"({kind})(({source}) % {rng.choice([100, 120, 97])})"
    if kind == "struct s_mix":
        return f"(struct s_mix){{(double)(({source}) % 1000), (long)(({source}) % 777)}}"
    n = STRUCTS[kind]
    values = ", ".join(f"(long)(({source}) % {rng.randint(50, 5000)})" for _ in range(min(n, 4)))
    return f"({kind}){{{{{values}}}}}"


def fold(kind, name):
    """Statements that fold a value of type `kind` into h."""
    if kind in SCALARS:
        return f"h = mix(h, (uint64_t)(int64_t)({name} * 4));"
    if kind == "struct s_mix":
        return f"h = mix(h, (uint64_t)({name}.d * 2)); h = mix(h, (uint64_t){name}.l);"
    n = STRUCTS[kind]
    return f"for (int i_ = 0; i_ < {n}; i_++) h = mix(h, (uint64_t){name}.v[i_]);"


def function(rng, index, protos, out):
    ret, args = protos[index]
    parameters = ", ".join(f"{kind} a{i}" for i, kind in enumerate(args))
    out.append(f"static NOINLINE {ret} f{index}(uint64_t *state{', ' if args else ''}{parameters})\n{{")
    out.append("    uint64_t h = *state;")
    frame = rng.choice([0, 0, 8, 40, 100, 200, 240, 256, 300, 700, 1100, 1300, 2000, 5000, 30000])
    if frame:
        out.append(f"    volatile unsigned char frame[{frame}];")
        out.append(f"    for (int i = 0; i < {frame}; i += {max(1, frame // 7)}) frame[i] = (unsigned char)(h >> (i % 32));")
    for i, kind in enumerate(args):
        out.append("    " + fold(kind, f"a{i}"))
    for step in range(rng.randint(1, 4)):
        what = rng.random()
        if what < 0.15:
            out.append("    h = mix(h, text_of(h));")
        elif what < 0.2:
            out.append("    h = mix(h, sorted(h));")
        elif what < 0.3:
            out.append("    harness_park();")
        elif what < 0.35:
            out.append("    harness_poison();")
        elif what < 0.5:
            size = rng.choice([16, 100, 900, 3000, 20000, 90000])
            out.append(f"    {{ int n = {size} + (int)(h % 64); volatile unsigned char vla[n]; vla[0] = (unsigned char)h;"
                       f" vla[n - 1] = 3; h = mix(h, vla[0] + vla[n - 1]); harness_park_if((h & 15) == 0);"
                       f" h = mix(h, vla[0]); }}")
        elif what < 0.55:
            out.append("    { char t[24]; h = mix(h, (uint64_t)snprintf(t, sizeof t, \"%d\", (int)(h % 9999))); h = mix(h, (uint64_t)t[0]); }")
        else:
            callee = rng.randrange(len(protos))
            kind, wanted = protos[callee]
            values = "".join(", " + make(rng, k, f"h >> {rng.randint(0, 20)}") for k in wanted)
            out.append(f"    if (budget > 0) {{ budget--; *state = h; {kind} r = f{callee}(state{values}); h = *state; {fold(kind, 'r')} }}")
    if frame:
        out.append(f"    for (int i = 0; i < {frame}; i += {max(1, frame // 7)}) h = mix(h, frame[i]);")
    out.append("    *state = h;")
    out.append(f"    return {make(rng, ret, 'h')};\n}}")


def arguments(rng, kinds, limit):
    """Argument types that take at most `limit` bytes, counting as if all went on the stack."""
    chosen = []
    for _ in range(rng.choice([0, 1, 2, 4, 7, 9, 20])):
        kind = rng.choice(kinds)
        size = 8 * STRUCTS.get(kind, 2)
        if size <= limit:
            chosen.append(kind)
            limit -= size
    return chosen


def main():
    seed, count, limit = (int(arg) for arg in sys.argv[1:4])
    rng = random.Random(seed)
    kinds = SCALARS + list(STRUCTS)
    protos = [(rng.choice(kinds), arguments(rng, kinds, limit)) for _ in range(count)]
    out = [HEAD]
    for i, (ret, args) in enumerate(protos):
        out.append(f"static {ret} f{i}(uint64_t *state{''.join(', ' + kind for kind in args)});")
    for i in range(count):
        function(rng, i, protos, out)
    out.append("static uint64_t start(uint64_t seed)\n{\n    uint64_t h = seed;")
    for i, (ret, args) in enumerate(protos):
        values = "".join(", " + make(rng, k, f"h >> {rng.randint(0, 20)}") for k in args)
        out.append(f"    {{ {ret} r = f{i}(&h{values}); {fold(ret, 'r')} }}")
    out.append("    return h;\n}")
    print("\n".join(out))
    print(TAIL.replace("SEED", str(seed)).replace("BUDGET", str(2000)))


if __name__ == "__main__":
    main()
