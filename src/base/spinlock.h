/* A lock for sections of a few dozen instructions: one exchange to take it, one plain release store to drop it, and nothing
 * of it is touched after the drop, so the object that holds it may be freed by whoever takes it next.
 *
 * A holder may lose its CPU; waiters then give theirs away (sched_yield) instead of burning it. On 128 cores a word that all
 * of them want is fought over by the readers of the test loop only: each waiter exchanges once or twice at first, then once per release it
 * has seen, with a growing pause. Lock order and what each instance protects: docs/LOCKS.md. */
#ifndef GO_SRC_BASE_SPINLOCK_H
#define GO_SRC_BASE_SPINLOCK_H

#include <stdint.h>

#include "base/atomic.h"

typedef struct go__spinlock {
    go__atomic(uint32_t) word; /* 0 free, 1 held */
} go__spinlock;

void go__spin_lock_slow(go__spinlock *lock);

/* One attempt, for who expects the lock to be free. */
GO__INLINE bool go__spin_take(go__spinlock *lock)
{
    /* acq: what the last holder wrote is visible; partner is the store_rel in go__spin_unlock. */
    if (go__unlikely(xchg_acq(&lock->word, 1u) != 0)) {
        return false;
    }
    go__tsan_acquire(lock);
    return true;
}

GO__INLINE void go__spin_lock(go__spinlock *lock)
{
    if (go__unlikely(!go__spin_take(lock))) {
        go__spin_lock_slow(lock);
        go__tsan_acquire(lock);
    }
}

GO__INLINE bool go__spin_trylock(go__spinlock *lock)
{
    return load_rlx(&lock->word) == 0 && go__spin_take(lock);
}

GO__INLINE void go__spin_unlock(go__spinlock *lock)
{
    go__tsan_release(lock);
    /* rel: the section's writes come first; partner is the exchange of the next taker. */
    store_rel(&lock->word, 0u);
}

#endif
