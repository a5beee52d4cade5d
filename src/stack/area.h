/* Areas of addresses for slots and segments.
 *
 * A program that leaves segments by longjmp, or by the end of a VLA's scope, keeps the limit word of the deeper one. Areas are ordered so
 * that this stale limit lies above every stack pointer of a shallower one: the next check in split code fails, and morestack puts
 * things right. Slots lie lowest, then segments by size, and a deeper segment is a larger one (but for the last one that stack_max
 * allows). A slot outside of its area would switch its own checks off, so there is none: rather no memory. */
#ifndef GO_SRC_STACK_AREA_H
#define GO_SRC_STACK_AREA_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

#define GO__AREA_BASE  UINT64_C(0x080000000000)
#define GO__AREA_BYTES UINT64_C(0x040000000000)

enum go__area_number { GO__AREA_SMALL, GO__AREA_RESERVED, GO__AREA_CUSTOM, GO__AREA_SEGMENTS /* and the following: one a level */ };

/* Everything under the lock of whoever has it. */
struct go__area {
    uintptr_t lo;
    uintptr_t hole; /* where to look first: the lowest that was unmapped, or behind what was mapped last */
    uintptr_t end;  /* of what has been mapped so far */
    go__rng rng;
};

void go__area_init(struct go__area *area, uint32_t number);

/* As go__vm_map and go__vm_unmap; NULL too if there is no room in the area. */
void *go__area_map(struct go__area *area, size_t bytes, size_t align);
void go__area_unmap(struct go__area *area, void *lo, size_t bytes);

#endif
