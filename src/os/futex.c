#include "os/futex.h"

#include <linux/futex.h>
#include <time.h>

#include "base/spinlock.h"
#include "os/syscall.h"

#if GO__TSAN
go__atomic(unsigned) go__tsan_fence_word;
#endif

int go__futex_wait(go__atomic(uint32_t) * word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec ts;
    const struct timespec *timeout = NULL;
    if (timeout_ns != GO__FUTEX_FOREVER) {
        if (timeout_ns < 0) {
            timeout_ns = 0;
        }
        ts.tv_sec = (time_t)(timeout_ns / 1000000000);
        ts.tv_nsec = (long)(timeout_ns % 1000000000);
        timeout = &ts;
    }
    long r = go__syscall6(SYS_futex, (long)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, (long)expected, (long)timeout, 0, 0);
    return r == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

void go__futex_wake(go__atomic(uint32_t) * word, int count)
{
    (void)go__syscall6(SYS_futex, (long)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, 0, 0, 0);
}

void go__note_clear(go__note *note)
{
    store_rlx(&note->word, 0u); /* published by whatever makes the sleeper visible */
}

void go__note_wake(go__note *note)
{
    go__tsan_release(note);
    store_rel(&note->word, 1u); /* pairs with load_acq in go__note_sleep: what the waker prepared is visible */
    go__futex_wake(&note->word, 1);
}

void go__note_sleep(go__note *note)
{
    while (load_acq(&note->word) == 0) {
        (void)go__futex_wait(&note->word, 0, GO__FUTEX_FOREVER);
    }
    go__tsan_acquire(note);
}

int go__note_sleep_for(go__note *note, int64_t timeout_ns)
{
    if (load_acq(&note->word) == 0) {
        (void)go__futex_wait(&note->word, 0, timeout_ns);
    }
    if (load_acq(&note->word) == 0) {
        return -ETIMEDOUT;
    }
    go__tsan_acquire(note);
    return 0;
}

void go__futex_lock_slow(go__futex_mutex *lock)
{
    /* A short spin first: sections are short, and a sleep costs two system calls. */
    for (int i = 0; i < 100; i++) {
        uint32_t expected = 0;
        if (load_rlx(&lock->word) == 0 && cas_acq(&lock->word, &expected, 1u)) {
            return;
        }
        go__cpu_relax();
    }
    /* From here on the word is taken as 2: whoever unlocks next must wake somebody, and we cannot know that we are alone. */
    while (xchg_acq(&lock->word, 2u) != 0) {
        (void)go__futex_wait(&lock->word, 2, GO__FUTEX_FOREVER);
    }
}

bool go__futex_lock_for(go__futex_mutex *lock, int64_t timeout_ns)
{
    for (int parts = 10; xchg_acq(&lock->word, 2u) != 0;) { /* acq and 2: as above */
        if (go__futex_wait(&lock->word, 2, timeout_ns / 10) == -ETIMEDOUT && --parts == 0) {
            return false;
        }
    }
    go__tsan_acquire(lock);
    return true;
}

void go__spin_lock_slow(go__spinlock *lock)
{
    unsigned pause = 1;
    for (unsigned round = 0;; round++) {
        go__cpu_relax_for(pause);
        if (load_rlx(&lock->word) == 0 && xchg_acq(&lock->word, 1u) == 0) {
            return;
        }
        if (pause < 64) {
            pause *= 2;
        }
        if (round >= 16) {
            /* The holder has probably lost its CPU: give it ours. */
            (void)go__syscall0(SYS_sched_yield);
        }
    }
}
