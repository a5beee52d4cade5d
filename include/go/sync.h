/* Synchronisation with the meaning it has in Go: waitgroup, mutex, rwmutex, cond, semaphore, once.
 *
 * All objects are the caller's memory. Zero bytes are a valid initial value, static ones need no init call, none needs a destroy
 * call. Fields are private. An object must not be copied or moved while in use. Whoever is woken may free it at once: the waker
 * does not touch it again.
 *
 *   #include <go/run.h>
 *   #include <go/sync.h>
 *   #include <stdio.h>
 *
 *   static go_mutex lock;
 *   static go_waitgroup workers;
 *   static int total;
 *
 *   static void add(void *arg)
 *   {
 *       (void)arg;
 *       go_mutex_lock(&lock);
 *       total++;
 *       go_mutex_unlock(&lock);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       (void)arg;
 *       for (int i = 0; i < 100; i++) { go_waitgroup_go(&workers, add, NULL); }
 *       go_waitgroup_wait(&workers);
 *       printf("%d\n", total);
 *       return 0;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); }
 *
 * Caller, for every function here: any goroutine or, while the runtime runs, any thread (which then blocks itself). Calls that need
 * not wait work without a runtime too. */
#ifndef GO_SYNC_H
#define GO_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "go/base.h"
#include "go/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct go_waitgroup {
    uint64_t private_state;
    void *private_waiters;
} go_waitgroup;

typedef struct go_mutex {
    uint32_t private_state;
    uint32_t private_lock;
    void *private_waiters;
} go_mutex;

typedef struct go_rwmutex {
    uint32_t private_state;
    uint32_t private_lock;
    void *private_readers[2];
    void *private_writers[2];
    uint64_t private_spare;
} go_rwmutex;

typedef struct go_cond {
    uint32_t private_lock;
    uint32_t private_spare;
    void *private_waiters[2];
} go_cond;

typedef struct go_sem {
    int64_t private_free;
    int64_t private_total;
    uint32_t private_lock;
    uint32_t private_spare;
    void *private_waiters;
} go_sem;

typedef struct go_once {
    uint32_t private_state;
    uint32_t private_lock;
    void *private_waiters[2];
} go_once;

#define GO_WAITGROUP_INIT {0, 0}
#define GO_MUTEX_INIT     {0, 0, 0}
#define GO_RWMUTEX_INIT   {0, 0, {0, 0}, {0, 0}, 0}
#define GO_COND_INIT      {0, 0, {0, 0}}
#define GO_ONCE_INIT      {0, 0, {0, 0}}

/* go_waitgroup_add: change the number of things still to be done.
 *   delta   may be negative; reaching 0 wakes all waiters, going below is a fatal error
 * Parks:  no.     Wakes: all waiters at 0.
 * Order:  everything before the call that reaches 0 is visible after the waits it ends.
 * A call that leaves 0 must happen before the wait that shall see it: add before starting the goroutine, not inside it.
 * Source: Go's sync.WaitGroup; src/sync/waitgroup.c. */
GO_API void go_waitgroup_add(go_waitgroup *wg, int delta);

/* go_waitgroup_done: one thing less: go_waitgroup_add(wg, -1). */
GO_API void go_waitgroup_done(go_waitgroup *wg);

/* go_waitgroup_wait: wait until the number is 0. Once it has returned, wg may be used again or freed.
 * Parks:  yes, unless it is 0; never cancelled. */
GO_API void go_waitgroup_wait(go_waitgroup *wg);

/* go_waitgroup_wait_until: the same with a limit.
 *   deadline   on go_now()'s clock; one in the past: only look
 * Returns 0; -ETIMEDOUT; -ECANCELED if the bound context is done. wg is still in use after a failure.
 * Parks:  yes, unless the number is 0. */
GO_API int go_waitgroup_wait_until(go_waitgroup *wg, int64_t deadline);

/* go_waitgroup_go: add 1, run fn(arg) in a goroutine of its own, done when it ends (by return or go_exit). Memory out, or no
 * runtime: fatal error.
 * Parks:  no. */
GO_API void go_waitgroup_go(go_waitgroup *wg, go_func fn, void *arg);

/* go_mutex_lock: take m. It does not nest: locking what one holds is a deadlock. Newcomers may pass waiters, but a waiter older
 * than 1 ms gets m handed over, in order of arrival.
 * Parks:  yes, while it is taken; never cancelled.
 * Order:  everything before an unlock is visible after the next lock.
 * Source: Go's sync.Mutex; src/sync/mutex.c. */
GO_API void go_mutex_lock(go_mutex *m);

/* go_mutex_lock_until: the same with a limit.
 *   deadline   on go_now()'s clock; one in the past: only try
 * Returns 0 with m taken; -ETIMEDOUT; -ECANCELED if the bound context is done, even if m is free. */
GO_API GO_NODISCARD int go_mutex_lock_until(go_mutex *m, int64_t deadline);

/* go_mutex_trylock: take m if it is free now. Returns true if it did.
 * Parks:  no. */
GO_API GO_NODISCARD bool go_mutex_trylock(go_mutex *m);

/* go_mutex_unlock: give m up; another goroutine than the one that locked it may. Unlocking what is not locked is a fatal error.
 * Parks:  no.     Wakes: at most one waiter. */
GO_API void go_mutex_unlock(go_mutex *m);

/* go_rwmutex_rlock: take m together with other readers. A waiting writer holds off new readers, so a reader must not take it twice.
 * Parks:  yes, while a writer holds or awaits it; never cancelled.
 * Source: Go's sync.RWMutex; src/sync/rwmutex.c. */
GO_API void go_rwmutex_rlock(go_rwmutex *m);

/* go_rwmutex_tryrlock: rlock if that needs no waiting. Returns true if it did.
 * Parks:  no. */
GO_API GO_NODISCARD bool go_rwmutex_tryrlock(go_rwmutex *m);

/* go_rwmutex_runlock: one reader less. Without a reader: fatal error.
 * Parks:  no.     Wakes: the waiting writer, if this was the last reader. */
GO_API void go_rwmutex_runlock(go_rwmutex *m);

/* go_rwmutex_lock: take m alone. Readers that came before are waited for, later ones wait.
 * Parks:  yes, while it is held; never cancelled. */
GO_API void go_rwmutex_lock(go_rwmutex *m);

/* go_rwmutex_trylock: lock if that needs no waiting. Returns true if it did.
 * Parks:  no. */
GO_API GO_NODISCARD bool go_rwmutex_trylock(go_rwmutex *m);

/* go_rwmutex_unlock: the writer is done. Not locked by a writer: fatal error.
 * Parks:  no.     Wakes: the readers that wait; if there are none, the next writer. */
GO_API void go_rwmutex_unlock(go_rwmutex *m);

/* go_cond_wait: give m up, wait for a signal, take m again. No signal between the two is missed. Check the condition in a loop: it
 * may have changed again before m was taken.
 *   m   held by the caller
 * Parks:  yes; never cancelled.
 * Source: Go's sync.Cond; src/sync/cond.c. */
GO_API void go_cond_wait(go_cond *c, go_mutex *m);

/* go_cond_wait_until: the same with a limit.
 *   deadline   on go_now()'s clock
 * Returns 0 after a signal; -ETIMEDOUT; -ECANCELED if the bound context is done. m is held afterwards in every case. */
GO_API int go_cond_wait_until(go_cond *c, go_mutex *m, int64_t deadline);

/* go_cond_signal: wake who has waited longest, if anyone. The mutex may be held or not.
 * Parks:  no.     Wakes: at most one waiter. */
GO_API void go_cond_signal(go_cond *c);

/* go_cond_broadcast: wake all that wait.
 * Parks:  no.     Wakes: all waiters. */
GO_API void go_cond_broadcast(go_cond *c);

/* go_sem_init: a semaphore with so many permits. A zeroed one has 0: everything it can hand out was released into it before.
 *   permits   0 or more; negative: fatal error */
GO_API void go_sem_init(go_sem *s, int64_t permits);

/* go_sem_acquire: take n permits, in order of arrival: a large request is not passed by small ones.
 *   n   0 succeeds at once
 * Returns 0; -EINVAL if n is negative or more than the semaphore ever had; -ECANCELED if the bound context is done.
 * Parks:  yes, until n are free and nobody came before.
 * Source: Go's x/sync/semaphore; src/sync/weighted.c. */
GO_API int go_sem_acquire(go_sem *s, int64_t n);

/* go_sem_acquire_until: the same with a limit.
 *   deadline   on go_now()'s clock; one in the past: only try
 * Returns as go_sem_acquire, or -ETIMEDOUT. */
GO_API GO_NODISCARD int go_sem_acquire_until(go_sem *s, int64_t n, int64_t deadline);

/* go_sem_try_acquire: take n permits if they are free now and nobody waits. Returns true if it did.
 * Parks:  no. */
GO_API GO_NODISCARD bool go_sem_try_acquire(go_sem *s, int64_t n);

/* go_sem_release: give n permits back. Releasing more than was taken is a fatal error.
 * Parks:  no.     Wakes: the first waiters that n permits suffice for. */
GO_API void go_sem_release(go_sem *s, int64_t n);

/* go_once_do: the first call runs fn(arg); every call returns after that run has ended. If fn calls it again with the same once,
 * that is a deadlock. If fn ends its goroutine with go_exit, it counts as done.
 * Parks:  yes, while another caller's fn runs; never cancelled.
 * Order:  everything in fn is visible after every go_once_do.
 * Source: Go's sync.Once; src/sync/once.c. */
GO_API void go_once_do(go_once *once, go_func fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif
