/* Thread blocking: futex, a one-shot note, and a mutex for runtime threads. Raw system calls only. */
#ifndef GO_SRC_OS_FUTEX_H
#define GO_SRC_OS_FUTEX_H

#include <stdint.h>

#include "base/atomic.h"

#define GO__FUTEX_FOREVER INT64_MAX

/* Blocks while *word == expected, at most timeout_ns. Returns 0 (woken or changed) or -ETIMEDOUT; may wake spuriously. */
int go__futex_wait(go__atomic(uint32_t) * word, uint32_t expected, int64_t timeout_ns);

/* Wakes up to count threads blocked on word. The address is only a key: the memory may already belong to someone else. */
void go__futex_wake(go__atomic(uint32_t) * word, int count);

/* A one-shot event: one thread sleeps, one wakes it, order does not matter. */
typedef struct go__note {
    go__atomic(uint32_t) word; /* 0 not signalled, 1 signalled; store-release by the waker pairs with the sleeper's load-acquire */
} go__note;

void go__note_clear(go__note *note);                        /* before the sleeper is made visible to wakers */
void go__note_wake(go__note *note);                         /* any thread, once per clear */
void go__note_sleep(go__note *note);                        /* the one sleeper */
int go__note_sleep_for(go__note *note, int64_t timeout_ns); /* 0 or -ETIMEDOUT */

/* Mutex between threads for sections that may be longer or make a system call. 0 free, 1 held, 2 held and somebody waits. */
typedef struct go__futex_mutex {
    go__atomic(uint32_t) word;
} go__futex_mutex;

void go__futex_lock_slow(go__futex_mutex *lock);

/* False: it was not to be had for timeout_ns, and never will be perhaps. */
bool go__futex_lock_for(go__futex_mutex *lock, int64_t timeout_ns);

GO__INLINE void go__futex_lock(go__futex_mutex *lock)
{
    uint32_t expected = 0;
    /* acq pairs with the exchange in go__futex_unlock. */
    if (go__unlikely(!cas_acq(&lock->word, &expected, 1u))) {
        go__futex_lock_slow(lock);
    }
    go__tsan_acquire(lock);
}

GO__INLINE bool go__futex_trylock(go__futex_mutex *lock)
{
    uint32_t expected = 0;
    bool taken = cas_acq(&lock->word, &expected, 1u); /* acq as in go__futex_lock */
    if (taken) {
        go__tsan_acquire(lock);
    }
    return taken;
}

GO__INLINE void go__futex_unlock(go__futex_mutex *lock)
{
    go__tsan_release(lock);
    if (go__unlikely(xchg_rel(&lock->word, 0u) == 2)) {
        go__futex_wake(&lock->word, 1);
    }
}

/* Returns when the lock has been free once, or after timeout_ns. */
GO__INLINE void go__futex_await(go__futex_mutex *lock, int64_t timeout_ns)
{
    if (go__futex_lock_for(lock, timeout_ns)) {
        go__futex_unlock(lock);
    }
}

#endif
