/* A depot hands out slots of one shape: [guard][stack][head], cut from aligned slabs. The global tier behind the ps' and ms'
 * own caches. Any thread; every depot has one futex mutex, a leaf. */
#ifndef GO_SRC_STACK_DEPOT_H
#define GO_SRC_STACK_DEPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/list.h"
#include "os/futex.h"
#include "stack/area.h"

#define GO__GUARD_BYTES 65536u /* more than most frames that unchecked code makes in one step */

/* How a free slot looks: the first words of its head. In use, the first word is its owner's link and the second the owner's. */
struct go__slot_node {
    struct go__slot_node *link;
    uintptr_t cold; /* 1: its pages below the top one were given back */
};

struct go__slab;

#define GO__SLABS_READY 2u /* at most, those in preparation included */

struct go__depot {
    /* Constant between init and destroy. */
    size_t stack_bytes; /* a multiple of 16; with the head whole pages when guarded */
    size_t stride;      /* guard + stack + head */
    size_t slab_bytes;  /* a power of two, and the alignment of its slabs */
    uint32_t slab_slots;
    bool guarded; /* reserved: guard below each, pages come on first touch */
    /* Under lock. */
    go__futex_mutex lock;
    go__list slabs;     /* all */
    go__list available; /* those with free or uncut slots: partly used first, empty ones last */
    uint32_t slab_count, empty_count;
    uintptr_t raw, raw_end;                  /* small: mapped for the next slabs, nothing touched */
    struct go__slab *ready[GO__SLABS_READY]; /* small: touched ahead, for the next slabs; see go__depot_prepare */
    uint32_t ready_count, preparing;
    bool ready_idle;              /* none was taken since the last trim */
    go__atomic(uint32_t) growing; /* a slab was wanted since somebody prepared one; read without the lock as a hint */
    uint64_t out;                 /* slots handed out */
    uint64_t handed;              /* slots ever handed out */
    struct go__area area;
};

void go__depot_init(struct go__depot *depot, uint32_t area, size_t stack_bytes, bool guarded);
void go__depot_destroy(struct go__depot *depot);

/* go__depot_take: prepends up to `want` slots to *list, linked; their heads are as they came back, zero if they never were out, but for the
 * link and `cold`. Returns how many.
 * go__depot_give: takes back `count` slots. */
uint32_t go__depot_take(struct go__depot *depot, struct go__slot_node **list, uint32_t want);
void go__depot_give(struct go__depot *depot, struct go__slot_node *list, uint32_t count);

/* For threads that have nothing else to do, where depot->growing: if it is large already, touches the memory of a slab to come. Most of the
 * time to start many goroutines is the kernel's, clearing their memory. On a system stack. */
void go__depot_prepare(struct go__depot *depot);

/* Gives back the stacks' pages and the slabs that nobody needed since the last call, at most `budget` system calls. */
void go__depot_trim(struct go__depot *depot, uint32_t budget);

/* While anybody has pinned the slots no slab is unmapped: for walks. Unmapping looks at it under the depot's lock; so who has pinned them waits
 * until that has been free once. */
extern go__atomic(uint32_t) go__slots_pins;

/* No lock: the slots are pinned, or nobody else is left. */
void go__depot_each(struct go__depot *depot, void (*fn)(struct go__slot_node *node, void *arg), void *arg);
uint64_t go__depot_resident(struct go__depot *depot);

#endif
