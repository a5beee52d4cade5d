/* C++ on 2 KB: exceptions thrown through segments, destructors on the way, and what the limit word says afterwards. */
#include <cstdio>
#include <stdexcept>
#include <string>

#include "stacks/harness.h"

#define NOINLINE __attribute__((noinline))

namespace {

int destroyed;

struct counted {
    int value;
    explicit counted(int v) : value(v) { }
    ~counted() { destroyed += value; }
};

NOINLINE int throw_from(int depth)
{
    volatile char frame[700];
    frame[depth % 700] = 1;
    if (depth == 0) {
        throw std::runtime_error("deep");
    }
    counted guard(1);
    return throw_from(depth - 1) + frame[depth % 700];
}

NOINLINE int plain_depth(int n)
{
    volatile char frame[100];
    frame[0] = (char)n;
    return n == 0 ? 0 : plain_depth(n - 1) + 1 + (frame[0] != (char)n);
}

NOINLINE bool catch_from(int depth)
{
    try {
        throw_from(depth);
    } catch (const std::runtime_error &e) {
        CHECK(std::string(e.what()) == "deep");
        CHECK(harness_limit_is_true());
        CHECK(plain_depth(200) == 200);
        return true;
    }
    return false;
}

NOINLINE void rethrow_from(int depth)
{
    try {
        throw_from(depth);
    } catch (...) {
        plain_depth(100);
        throw;
    }
}

void throws_through_segments(void *arg)
{
    (void)arg;
    for (int depth = 0; depth < 4000; depth = depth * 3 + 1) {
        destroyed = 0;
        CHECK(catch_from(depth));
        CHECK(destroyed == depth);
        CHECK(plain_depth(500) == 500);
        CHECK(harness_limit_is_true());
        CHECK(!harness_on_small() || harness_segments() == 0 || !harness_on_slot());
        harness_park();
    }
}

void rethrows(void *arg)
{
    (void)arg;
    bool caught = false;
    try {
        rethrow_from(300);
    } catch (const std::exception &) {
        caught = true;
    }
    CHECK(caught);
    CHECK(plain_depth(300) == 300);
    CHECK(harness_limit_is_true());
}

void throws_while_preempted(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        harness_poison();
        CHECK(catch_from(i));
    }
}

} // namespace

int main()
{
    for (int round = 0; round < 3; round++) {
        harness_start(0, 0);
        for (int slot = HARNESS_SMALL; slot <= HARNESS_CUSTOM; slot++) {
            harness_run((enum harness_slot)slot, throws_through_segments, nullptr);
            harness_run((enum harness_slot)slot, rethrows, nullptr);
            harness_run((enum harness_slot)slot, throws_while_preempted, nullptr);
        }
        harness_stop();
    }
    std::puts("all passed");
    return 0;
}
