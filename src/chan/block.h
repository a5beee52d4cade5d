/* Blocks: what a select needs while it looks at all its channels and waits. They do not lie on its stack, because a 2 KB stack has no
 * room for them below the user's own frames. Those for few and for up to 16 cases are kept for reuse, two lists a p, so that
 * selects of that size allocate nothing once the program has warmed up; larger ones are allocated for the one call. */
#ifndef GO_SRC_CHAN_BLOCK_H
#define GO_SRC_CHAN_BLOCK_H

#include "base/list.h"
#include "chan/chan.h"

struct go__select_block {
    struct go__select_block *next; /* in a cache; by its owner */
    go__list all;                  /* in the list of those that go with the run; under its lock */
    bool foreign;                  /* constant: a foreign thread's, and not in that list */
    /* Whoever has got it. */
    uint32_t size;                    /* constant: cases there is room for */
    uint32_t count;                   /* cases that have a channel */
    go_case *cases;                   /* the caller's */
    uint16_t *order;                  /* constant: the cases' indices by address of the channel; lies behind the waiters */
    struct go__chan_waiter waiters[]; /* one each, in that order */
};

/* A goroutine or a foreign thread; no lock held. NULL: no memory. */
struct go__select_block *go__select_block_get(uint32_t cases);
void go__select_block_put(struct go__select_block *b);

/* A random number; no lock held. */
uint32_t go__select_chance(void);

#endif
