/* Locks and meeting points with Go's meaning: waitgroup, mutex, rwmutex, cond, weighted semaphore, once.
 *
 *   #include <go/run.h>
 *   #include <go/sync.h>
 *   #include <stdio.h>
 *
 *   static go_mutex lock;                    // zero is valid: no init, no destroy
 *   static int hits;
 *
 *   static void hit(void *arg)
 *   {
 *       (void)arg;
 *       go_mutex_lock(&lock);
 *       hits++;
 *       go_mutex_unlock(&lock);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       (void)arg;
 *       go_waitgroup done = GO_WAITGROUP_INIT;
 *       for (int i = 0; i < 100; i++) { go_waitgroup_go(&done, hit, NULL); }
 *       go_waitgroup_wait(&done);
 *       printf("%d\n", hits);
 *       return 0;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); }
 *
 * An object lives in the caller's memory, is valid when zeroed and must not be copied once it is in use. Whoever is woken by the last
 * done, by an unlock, a release or a signal may free the object at once: the waker does not touch it again.
 *
 * Calls that return void are never cancelled by a bound context, those that return a code are: -ECANCELED at once if the context is
 * done already, even where the call could succeed. Deadlines are absolute on go_now()'s clock; one in the past makes the call a poll.
 * A wait with a deadline needs a timer: without memory for it the call returns -ENOMEM and nothing has happened, except that
 * go_cond_wait_until let others have the mutex for a moment.
 *
 * Caller, for every function here: any goroutine or, while the runtime runs, any thread (which then blocks itself). Calls that need
 * not wait work without a runtime too. A thread that waits in a call that returns void when the run ends is a fatal error, one in a
 * call with a code gets -ECANCELED. Who belongs to a goroutine that the end of the run cut off stays taken for ever.
 *
 * Fields are private. */
#ifndef GO_SYNC_H
#define GO_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "go/base.h"
#include "go/run.h"

#ifdef __cplusplus
extern "C" {
#define GO_SYNC_ALIGN alignas(8)
#else
#define GO_SYNC_ALIGN _Alignas(8)
#endif

struct go__sudog;

typedef struct go_waitgroup {
    GO_SYNC_ALIGN uint64_t private_state;
    struct go__sudog *private_first;
} go_waitgroup;

typedef struct go_mutex {
    GO_SYNC_ALIGN uint32_t private_word;
    uint32_t private_queue;
    struct go__sudog *private_first;
} go_mutex;

typedef struct go_rwmutex {
    GO_SYNC_ALIGN uint32_t private_word;
    uint32_t private_run;
    struct go__sudog *private_writers, *private_readers;
} go_rwmutex;

typedef struct go_cond {
    GO_SYNC_ALIGN uint32_t private_lock;
    uint32_t private_run;
    struct go__sudog *private_first;
} go_cond;

typedef struct go_sem {
    GO_SYNC_ALIGN uint32_t private_lock;
    uint32_t private_run;
    struct go__sudog *private_first;
    int64_t private_free, private_total;
} go_sem;

typedef struct go_once {
    GO_SYNC_ALIGN uint32_t private_word;
    uint32_t private_run;
    struct go__sudog *private_first;
} go_once;

#define GO_WAITGROUP_INIT \
    {                     \
        0, 0              \
    }
#define GO_MUTEX_INIT \
    {                 \
        0, 0, 0       \
    }
#define GO_RWMUTEX_INIT \
    {                   \
        0, 0, 0, 0      \
    }
#define GO_COND_INIT \
    {                \
        0, 0, 0      \
    }
#define GO_ONCE_INIT \
    {                \
        0, 0, 0      \
    }

/* go_waitgroup_add: change the counter by delta.     go_waitgroup_done: add -1.
 * Fatal:  a counter below 0 or above 2^31 - 1.
 * Parks:  no.     Wakes: at 0, everybody who waits.
 * Order:  everything before the add that reaches 0, and before the ones that led there, is visible after the wait.
 * Source: sync.WaitGroup; src/sync/waitgroup.c. */
GO_API void go_waitgroup_add(go_waitgroup *wg, int delta);
GO_API void go_waitgroup_done(go_waitgroup *wg);

/* go_waitgroup_wait: wait until the counter is 0. When it returns, the group may be used anew, or freed.
 * Parks:  yes, if the counter is not 0. */
GO_API void go_waitgroup_wait(go_waitgroup *wg);

/* go_waitgroup_wait_until: the same with a limit.
 * Returns 0; -ETIMEDOUT; -ECANCELED; -ENOMEM.
 * Parks:  yes, if the counter is not 0. */
GO_API int go_waitgroup_wait_until(go_waitgroup *wg, int64_t deadline);

/* go_waitgroup_go: add 1, start fn(arg) as go() does, done when that goroutine ends, be it by go_exit: after its goroutine-local
 * values are destroyed.
 *   arg   passed as it is
 * Fatal:  when memory is out, no runtime runs, or fn is NULL.
 * Source: sync.WaitGroup.Go. */
GO_API void go_waitgroup_go(go_waitgroup *wg, go_func fn, void *arg);

/* go_mutex_lock: take m, waiting until it is free. Whoever asks at the right moment gets it, woken waiters compete with newcomers; one
 * that loses and has waited for longer than 1 ms gets it handed over by the next unlock. Not recursive.
 * Parks:  yes, if m is taken.
 * Order:  everything before the unlock is visible after the next lock.
 * Source: sync.Mutex; src/sync/mutex.c. */
GO_API inline void go_mutex_lock(go_mutex *m);

/* go_mutex_lock_until: the same with a limit.
 * Returns 0: m is taken; -ETIMEDOUT; -ECANCELED; -ENOMEM. */
GO_API int go_mutex_lock_until(go_mutex *m, int64_t deadline);

/* go_mutex_trylock: take m if it is free: true. Parks: no. */
GO_API bool go_mutex_trylock(go_mutex *m);

/* go_mutex_unlock: free m. Any goroutine or thread may do that for the one who locked.
 * Fatal:  m is not locked.
 * Parks:  no.     Wakes: at most one. */
GO_API inline void go_mutex_unlock(go_mutex *m);

/* go_rwmutex_rlock: take m together with other readers. As long as a writer has it or waits for it, newcomers wait (but for the
 * moment in which a writer, woken by another's unlock, is on its way: it competes with them, once); when a writer
 * unlocks, the readers that waited go first, all of them. So one who reads must not rlock again: a writer may have come between.
 * go_rwmutex_lock: take m alone.
 * Parks:  yes, if it cannot be had now.
 * Order:  everything before an unlock is visible after the next rlock or lock, everything before a runlock after the next lock.
 * Source: sync.RWMutex; src/sync/rwmutex.c. */
GO_API void go_rwmutex_rlock(go_rwmutex *m);
GO_API void go_rwmutex_lock(go_rwmutex *m);

/* go_rwmutex_tryrlock, go_rwmutex_trylock: take m if nobody has it or waits for it who would be in the way: true. Parks: no. */
GO_API bool go_rwmutex_tryrlock(go_rwmutex *m);
GO_API bool go_rwmutex_trylock(go_rwmutex *m);

/* go_rwmutex_runlock, go_rwmutex_unlock: give back what rlock, what lock took; also for somebody else.
 * Fatal:  nobody has it so.
 * Parks:  no.     Wakes: a writer, or readers. */
GO_API void go_rwmutex_runlock(go_rwmutex *m);
GO_API void go_rwmutex_unlock(go_rwmutex *m);

/* go_cond_wait: unlock m, wait for a signal, lock m again. A signal that comes after the unlock is never missed, and none is made up:
 * still, others may hold m between signal and return, so look again: while (!ready) { go_cond_wait(&c, &m); }
 * Parks:  yes, always.     Fatal: m is not locked.
 * Source: sync.Cond; src/sync/cond.c. */
GO_API void go_cond_wait(go_cond *c, go_mutex *m);

/* go_cond_wait_until: the same with a limit.
 * Returns 0; -ETIMEDOUT; -ECANCELED; -ENOMEM. m is held in every case. */
GO_API int go_cond_wait_until(go_cond *c, go_mutex *m, int64_t deadline);

/* go_cond_signal: wake the one who has waited longest.     go_cond_broadcast: wake all. m need not be held.
 * Parks:  no.
 * Order:  everything before is visible after the wait. */
GO_API void go_cond_signal(go_cond *c);
GO_API void go_cond_broadcast(go_cond *c);

/* go_sem_init: a semaphore with so many permits, none taken; a zeroed one has 0.
 * Fatal:  permits is negative. */
GO_API void go_sem_init(go_sem *s, int64_t permits);

/* go_sem_acquire: take n permits, all at once. First come, first served: a small request does not overtake a large one.
 * Returns 0, for n == 0 too; -EINVAL if n is negative or more than s ever had; -ECANCELED.
 * Parks:  yes, if n are not free or somebody waits already.
 * Order:  everything before a release is visible after the acquire that it makes possible.
 * Source: golang.org/x/sync/semaphore; src/sync/sem.c. */
GO_API int go_sem_acquire(go_sem *s, int64_t n);

/* go_sem_acquire_until: the same with a limit. Returns as go_sem_acquire, or -ETIMEDOUT: nothing was taken. */
GO_API int go_sem_acquire_until(go_sem *s, int64_t n, int64_t deadline);

/* go_sem_try_acquire: take n permits if they are free and nobody waits: true. False also where acquire says -EINVAL. Parks: no. */
GO_API bool go_sem_try_acquire(go_sem *s, int64_t n);

/* go_sem_release: give n permits back, also for somebody else.
 * Fatal:  n is negative or more than is taken.
 * Parks:  no.     Wakes: everybody who can be served now. */
GO_API void go_sem_release(go_sem *s, int64_t n);

/* go_once_do: the first call runs fn(arg), every other one returns when that is over. go_exit inside fn counts as over. fn that asks
 * for the same once waits for itself, for ever.
 * Parks:  yes, while somebody else runs fn.
 * Order:  everything in fn is visible after any call.
 * Source: sync.Once; src/sync/once.c. */
GO_API inline void go_once_do(go_once *once, go_func fn, void *arg);

/* --- the short ways, inlined: one atomic operation each --- */

GO_API void go__mutex_lock_slow(go_mutex *m);
GO_API void go__mutex_unlock_slow(go_mutex *m, uint32_t before);
GO_API void go__once_do_slow(go_once *once, go_func fn, void *arg);

enum {
    GO__MUTEX_LOCKED = 1,
    GO__ONCE_DONE = 1,
};

/* Not NULL on goco's threads, on which goroutines run. Any other one that takes what goroutines may wait for must make itself known,
 * or they would be taken for deadlocked: it goes the long way. An unlock need not: who unlocks has locked. Assembly, because a
 * goroutine changes threads and compilers may keep the address of a thread-local variable. */
GO_API inline void *go__thread(void)
{
    void *m;
#if defined(__x86_64__)
    __asm__("movq go__tls_m@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(m));
#elif defined(__aarch64__)
    __asm__("mrs %0, tpidr_el0\n\tadrp x16, :gottprel:go__tls_m\n\tldr x16, [x16, #:gottprel_lo12:go__tls_m]\n\tldr %0, [%0, x16]"
            : "=&r"(m)::"x16");
#else
    m = NULL;
#endif
    return m;
}

inline void go_mutex_lock(go_mutex *m)
{
    uint32_t expected = 0;
    /* Acquire: pairs with the release in go_mutex_unlock. */
    if (__builtin_expect(go__thread() == NULL, 0) ||
        __builtin_expect(!__atomic_compare_exchange_n(&m->private_word, &expected, (uint32_t)GO__MUTEX_LOCKED, false,
                                                      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
                         0)) {
        go__mutex_lock_slow(m);
    }
}

inline void go_mutex_unlock(go_mutex *m)
{
    uint32_t before = __atomic_fetch_sub(&m->private_word, (uint32_t)GO__MUTEX_LOCKED, __ATOMIC_RELEASE);
    if (__builtin_expect(before != GO__MUTEX_LOCKED, 0)) {
        go__mutex_unlock_slow(m, before);
    }
}

inline void go_once_do(go_once *once, go_func fn, void *arg)
{
    /* Acquire: pairs with the release that ends fn. */
    if (__builtin_expect(__atomic_load_n(&once->private_word, __ATOMIC_ACQUIRE) != GO__ONCE_DONE, 0)) {
        go__once_do_slow(once, fn, arg);
    }
}

#ifdef __cplusplus
}
#endif
#endif
