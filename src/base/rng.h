/* A small generator for scheduling choices (victim order, select order): xorshift64*, one word of state, owner only. Not for
 * secrets. GOCO_DEBUG=seed=N starts every P's generator from N so that choices repeat. */
#ifndef GO_SRC_BASE_RNG_H
#define GO_SRC_BASE_RNG_H

#include <stdint.h>

#include "base/compiler.h"

typedef struct go__rng {
    uint64_t state; /* never 0 */
} go__rng;

GO__INLINE void go__rng_seed(go__rng *rng, uint64_t seed)
{
    seed += UINT64_C(0x9E3779B97F4A7C15); /* splitmix step: close seeds give distant streams */
    seed = (seed ^ (seed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    seed = (seed ^ (seed >> 27)) * UINT64_C(0x94D049BB133111EB);
    rng->state = (seed ^ (seed >> 31)) | 1u;
}

GO__INLINE uint32_t go__rng_next(go__rng *rng)
{
    uint64_t x = rng->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rng->state = x;
    return (uint32_t)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 32);
}

/* A value in [0, n), n > 0: multiply-shift, no division. */
GO__INLINE uint32_t go__rng_below(go__rng *rng, uint32_t n)
{
    return (uint32_t)(((uint64_t)go__rng_next(rng) * n) >> 32);
}

#endif
