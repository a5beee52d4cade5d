/* C++ on 2 KB: exceptions thrown through segments, destructors on the way, and what the limit word says afterwards. */
#include <cstdio>
#include <exception>
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

struct numbered {
    int number;
};

/* Others come and go, throw and catch on the same thread while this one stands in its catch block. */
void parks_inside_catch_blocks(void *arg)
{
    (void)arg;
    static int numbers;
    const int number = __atomic_add_fetch(&numbers, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 40; i++) {
        bool outer = false;
        try {
            try {
                throw numbered{number};
            } catch (const numbered &caught) {
                harness_park();
                CHECK(catch_from(i));
                harness_park();
                CHECK(caught.number == number);
                throw;
            }
        } catch (const numbered &caught) {
            harness_park();
            CHECK(caught.number == number && std::current_exception() != nullptr);
            outer = true;
        }
        CHECK(outer && std::current_exception() == nullptr && std::uncaught_exceptions() == 0);
    }
}

/* A destructor that runs during unwinding parks. */
struct parking {
    ~parking()
    {
        CHECK(std::uncaught_exceptions() == 1);
        harness_park();
        CHECK(std::uncaught_exceptions() == 1);
    }
};

NOINLINE void throw_past_parking(int number)
{
    parking guard;
    plain_depth(20);
    throw numbered{number};
}

void parks_while_unwinding(void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++) {
        int number = -1;
        try {
            throw_past_parking(i);
        } catch (const numbered &caught) {
            number = caught.number;
        }
        CHECK(number == i && std::uncaught_exceptions() == 0);
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
        harness_together(HARNESS_SMALL, parks_inside_catch_blocks, 20);
        harness_together(HARNESS_RESERVED, parks_while_unwinding, 20);
        harness_together(HARNESS_SMALL, parks_while_unwinding, 20);
        harness_stop();
    }
    std::puts("all passed");
    return 0;
}
