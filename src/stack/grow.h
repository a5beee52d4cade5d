/* Segments: where a call of split code goes when its frame does not fit. A segment is a reserved range whose record lies where
 * a slot has its g. Segments of level n are first_bytes << n long; a goroutine's next segment is of the next level. */
#ifndef GO_SRC_STACK_GROW_H
#define GO_SRC_STACK_GROW_H

#include "stack/depot.h"
#include "stack/stack.h"

/* Room that code without the check (libc) finds above the limit word of the stack it is called on. __morestack_non_split asks
 * for it; what unchecked code reaches through pointers has the margin below. */
#define GO__ROOM_BYTES   49152u
#define GO__SEG_MARGIN   16384u
#define GO__SEG_MINIMUM  131072u
#define GO__SEG_LEVELS   16u
#define GO__SEG_CACHE    16u
#define GO__ALLOCA_SPARE 4096u /* kept between a moved stack pointer and the block below which it moved: outgoing arguments */

struct go__segment {
    struct go__segment *link; /* free: list; in use: the segment it was entered from, NULL for the slot */
    uintptr_t cold;           /* the depot's */
    uintptr_t lo, hi, limit;  /* constant while out of the depot */
    uintptr_t frame;          /* rbp of the __morestack that entered it, 0 if a VLA did; identifies the return */
    uintptr_t below_limit;    /* limit word of the stack it was entered from */
    uint32_t level;
};

_Static_assert(sizeof(struct go__segment) <= GO__HEAD_BYTES, "a segment's record lies in the head");

void go__segments_init(size_t first_bytes, size_t max_bytes);
void go__segments_destroy(void);
void go__segments_trim(uint32_t budget);
void go__segments_stats(struct go__stacks_stats *stats);

/* The limit word that is true for gp's stack at stack pointer sp. */
uintptr_t go__stack_true_limit(const struct go__g *gp, uintptr_t sp);

#endif
