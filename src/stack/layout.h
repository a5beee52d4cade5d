/* Where every slot is, for a debugger that can read memory but call nothing (tools/gdb/goco-gdb.py, also on a core file). */
#ifndef GO_SRC_STACK_LAYOUT_H
#define GO_SRC_STACK_LAYOUT_H

#include <stdint.h>

/* All words: addresses, offsets and sizes in bytes. Slot i of a slab has its g at slab + first + (i + 1) * stride - GO__HEAD_BYTES. */
struct go__slots_layout {
    uint64_t depots; /* address of the depots, one for each of small and reserved */
    uint64_t depot_count;
    uint64_t depot_bytes;
    uint64_t depot_slabs;  /* in a depot: the list of its slabs */
    uint64_t depot_stride; /* in a depot */
    uint64_t slab_link;    /* in a slab: the node of that list */
    uint64_t slab_cut;     /* in a slab: 32-bit count of slots ever handed out, a prefix */
    uint64_t first[2];     /* from a slab to its first slot, by depot */
    uint64_t customs;      /* address of the list of custom slots; the g lies GO__HEAD_BYTES below each node */
};

void go__slots_layout(struct go__slots_layout *layout); /* after go__stacks_init */

/* depot.c's part: slab_link, slab_cut, first. */
void go__depot_layout(struct go__slots_layout *layout);

#endif
