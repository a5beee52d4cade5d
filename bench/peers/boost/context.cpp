// The physical limit of a switch: two contexts of Boost.Context that do nothing but swap, without any scheduler.
#include <boost/context/fiber.hpp>

#include "../../bench.h"

namespace ctx = boost::context;

static void swap(uint64_t n)
{
    uint64_t swaps = 0;
    ctx::fiber other([&](ctx::fiber &&back) {
        for (;;) {
            swaps++;
            back = std::move(back).resume();
        }
        return std::move(back);
    });
    for (uint64_t i = 0; i < n / 2; i++) {
        other = std::move(other).resume();
    }
    BENCH_CHECK(swaps == n / 2);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    bench_measure("yield", "goroutines=16", bench_count(40000000), swap);
    return 0;
}
