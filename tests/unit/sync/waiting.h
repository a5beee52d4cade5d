/* Looks inside the objects of go/sync.h, so that a test acts only once others really wait. */
#ifndef GO_TESTS_UNIT_SYNC_WAITING_H
#define GO_TESTS_UNIT_SYNC_WAITING_H

#include "support/check.h"
#include "sync/waiters.h"

static inline int ring_length(struct go__sudog *first)
{
    int n = 0;
    struct go__sudog *sg = first;
    while (sg != NULL) {
        CHECK(sg->queued && sg->next->prev == sg);
        n++;
        sg = sg->next == first ? NULL : sg->next;
    }
    return n;
}

/* The ring of a run that is over leads to stacks that are gone. */
static inline int ring_length_of(struct go__sudog *first, uint64_t run)
{
    return run == go__sync_run() ? ring_length(first) : 0;
}

/* The bit that locks the queue in a mutex's, an rwmutex's and a once's word. */
static inline void lock_word(uint32_t *word)
{
    while ((__atomic_fetch_or(word, 4u, __ATOMIC_ACQUIRE) & 4u) != 0) {
        go_yield();
    }
}

static inline void unlock_word(uint32_t *word)
{
    (void)__atomic_fetch_and(word, ~4u, __ATOMIC_RELEASE);
}

static inline int waiting_for_mutex(go_mutex *m)
{
    lock_word(&m->private_word);
    int n = ring_length_of(m->private_first, m->private_queue >> 1);
    unlock_word(&m->private_word);
    return n;
}

static inline int readers_waiting(go_rwmutex *m)
{
    lock_word(&m->private_word);
    int n = ring_length_of(m->private_readers, m->private_run);
    unlock_word(&m->private_word);
    return n;
}

static inline int writers_waiting(go_rwmutex *m)
{
    lock_word(&m->private_word);
    int n = ring_length_of(m->private_writers, m->private_run);
    unlock_word(&m->private_word);
    return n;
}

/* Only while fn runs. */
static inline int waiting_for_once(go_once *once)
{
    lock_word(&once->private_word);
    int n = ring_length_of(once->private_first, once->private_run);
    unlock_word(&once->private_word);
    return n;
}

static inline int waiting_for_group(go_waitgroup *wg)
{
    uint64_t state;
    while (((state = __atomic_fetch_or(&wg->private_state, UINT64_C(1), __ATOMIC_ACQUIRE)) & 1u) != 0) {
        go_yield();
    }
    int n = ring_length_of(wg->private_first, (state & 0xffffffffu) >> 2);
    (void)__atomic_fetch_and(&wg->private_state, ~UINT64_C(1), __ATOMIC_RELEASE);
    return n;
}

static inline int ring_length_locked(uint32_t *lock, struct go__sudog **first, uint32_t *run)
{
    go__spin_lock((go__spinlock *)(void *)lock);
    int n = ring_length_of(*first, *run);
    go__spin_unlock((go__spinlock *)(void *)lock);
    return n;
}

static inline int waiting_on_cond(go_cond *c)
{
    return ring_length_locked(&c->private_lock, &c->private_first, &c->private_run);
}

static inline int waiting_for_sem(go_sem *s)
{
    return ring_length_locked(&s->private_lock, &s->private_first, &s->private_run);
}

#define UNTIL(condition)       \
    do {                       \
        while (!(condition)) { \
            go_yield();        \
        }                      \
    } while (0)

#endif
