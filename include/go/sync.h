/* Locks and meeting points with Go's meaning, for goroutines and for any other thread while the runtime runs.
 *
 *   static go_mutex lock;                    // zero is valid: no init, no destroy
 *   static go_waitgroup done = GO_WAITGROUP_INIT;
 *   static int hits;
 *
 *   static void hit(void *arg)
 *   {
 *       (void)arg;
 *       go_mutex_lock(&lock);
 *       hits++;
 *       go_mutex_unlock(&lock);
 *   }
 *   ...
 *   for (int i = 0; i < 100; i++) go_waitgroup_go(&done, hit, NULL);
 *   go_waitgroup_wait(&done);
 *
 * Whoever is woken by the last done, an unlock or a signal may free the object at once: the waker does not touch it again.
 * Calls that return void are never cancelled by a bound context; their _until forms are. Deadlines are absolute on go_now()'s clock;
 * one in the past makes the call a poll. Fields are private. */
#ifndef GO_SYNC_H
#define GO_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "go/base.h"
#include "go/run.h"

#ifdef __cplusplus
extern "C" {
#define GO_SYNC_ALIGN alignas(8)
#else
#define GO_SYNC_ALIGN _Alignas(8)
#endif

typedef struct go_waitgroup {
    GO_SYNC_ALIGN uint64_t private_state; /* counter << 32 | lock and waiter flags */
    void *private_waiters;
} go_waitgroup;

typedef struct go_mutex {
    GO_SYNC_ALIGN uint32_t private_state;
    uint32_t private_lock;
    void *private_waiters;
} go_mutex;

typedef struct go_rwmutex {
    GO_SYNC_ALIGN uint64_t private_words[6];
} go_rwmutex;

typedef struct go_cond {
    GO_SYNC_ALIGN uint64_t private_words[3];
} go_cond;

typedef struct go_sem {
    GO_SYNC_ALIGN int64_t private_free;
    int64_t private_total_lock;
    void *private_waiters[2];
} go_sem;

typedef struct go_once {
    GO_SYNC_ALIGN uint32_t private_done;
    uint32_t private_lock;
    uint64_t private_words[2];
} go_once;

#define GO_WAITGROUP_INIT {0, 0}
#define GO_MUTEX_INIT     {0, 0, 0}
#define GO_RWMUTEX_INIT   {{0}}
#define GO_COND_INIT      {{0}}
#define GO_ONCE_INIT      {0, 0, {0}}

/* go_waitgroup_add: change the counter by delta; at 0 all waiters wake. Fatal below 0.
 * go_waitgroup_done: add -1.
 * Parks:  no.     Order: everything before the add that reaches 0 is visible after wait.     Source: sync.WaitGroup. */
GO_API void go_waitgroup_add(go_waitgroup *wg, int delta);
GO_API void go_waitgroup_done(go_waitgroup *wg);

/* go_waitgroup_wait: wait until the counter is 0. The group may be used again, or freed, when it returns.
 * go_waitgroup_wait_until: 0, -ETIMEDOUT or -ECANCELED.
 * Parks:  yes. */
GO_API void go_waitgroup_wait(go_waitgroup *wg);
GO_API int go_waitgroup_wait_until(go_waitgroup *wg, int64_t deadline);

/* go_waitgroup_go: add 1, start fn(arg) in a goroutine, done when it ends. Fatal when memory is out. */
GO_API void go_waitgroup_go(go_waitgroup *wg, go_func fn, void *arg);

/* go_mutex_lock: take m. It may be unlocked by another goroutine. A waiter older than 1 ms gets it handed over.
 * go_mutex_lock_until: 0, -ETIMEDOUT or -ECANCELED.     go_mutex_trylock: true if it was free.
 * go_mutex_unlock: fatal if m is not locked.
 * Parks:  lock and lock_until, yes.     Order: unlock before the next lock.     Source: sync.Mutex. */
GO_API void go_mutex_lock(go_mutex *m);
GO_API int go_mutex_lock_until(go_mutex *m, int64_t deadline);
GO_API bool go_mutex_trylock(go_mutex *m);
GO_API void go_mutex_unlock(go_mutex *m);

/* go_rwmutex_*: any number of readers or one writer; a pending writer holds off new readers. Fatal: unlocking what is not locked.
 * Parks:  rlock and lock, yes.     Source: sync.RWMutex. */
GO_API void go_rwmutex_rlock(go_rwmutex *m);
GO_API bool go_rwmutex_tryrlock(go_rwmutex *m);
GO_API void go_rwmutex_runlock(go_rwmutex *m);
GO_API void go_rwmutex_lock(go_rwmutex *m);
GO_API bool go_rwmutex_trylock(go_rwmutex *m);
GO_API void go_rwmutex_unlock(go_rwmutex *m);

/* go_cond_wait: unlock m, wait for a signal, lock m again. Waiters wake longest first; there are no spurious wake-ups.
 * go_cond_wait_until: 0, -ETIMEDOUT or -ECANCELED; m is held in every case.
 * go_cond_signal wakes one, go_cond_broadcast all; m need not be held.
 * Parks:  the waits, yes.     Source: sync.Cond. */
GO_API void go_cond_wait(go_cond *c, go_mutex *m);
GO_API int go_cond_wait_until(go_cond *c, go_mutex *m, int64_t deadline);
GO_API void go_cond_signal(go_cond *c);
GO_API void go_cond_broadcast(go_cond *c);

/* go_sem_init: a semaphore with that many permits; a zeroed one has none.
 * go_sem_acquire: take n permits, FIFO: a large request is not overtaken. Returns 0; -EINVAL if n < 0 or more than it ever had;
 *   -ECANCELED; the _until form -ETIMEDOUT. n == 0 succeeds.     go_sem_try_acquire: true if they were free and nobody waits.
 * go_sem_release: give n back; fatal if more than was taken.
 * Parks:  acquire, yes.     Source: golang.org/x/sync/semaphore. */
GO_API void go_sem_init(go_sem *s, int64_t permits);
GO_API int go_sem_acquire(go_sem *s, int64_t n);
GO_API int go_sem_acquire_until(go_sem *s, int64_t n, int64_t deadline);
GO_API bool go_sem_try_acquire(go_sem *s, int64_t n);
GO_API void go_sem_release(go_sem *s, int64_t n);

/* go_once_do: the first call runs fn(arg); others wait until it is over. go_exit inside fn counts as over.
 * Parks:  yes.     Source: sync.Once. */
GO_API void go_once_do(go_once *once, go_func fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
