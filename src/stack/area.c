/* The kernel takes a hint only where nothing lies, and otherwise places a mapping near the libraries. So a place is tried until the mapping
 * is in its area: the lowest hole known, then what lies above all that was ever mapped, then, when a program has used the area up
 * or somebody else's mappings are in the way, anywhere: few parts of four terabytes are taken. */
#include "stack/area.h"

#include "os/vm.h"
#include "stack/stack.h"

#define TRIES 64

void go__area_init(struct go__area *area, uint32_t number)
{
    area->lo = area->hole = area->end = (uintptr_t)(GO__AREA_BASE + number * GO__AREA_BYTES);
    go__rng_seed(&area->rng, number);
}

static bool fits(const struct go__area *area, uintptr_t at, size_t bytes)
{
    return at >= area->lo && bytes <= GO__AREA_BYTES && at - area->lo <= GO__AREA_BYTES - bytes;
}

static uintptr_t place(struct go__area *area, int tried, size_t bytes, size_t align)
{
    if (tried == 0) {
        return area->hole;
    }
    uintptr_t end = (area->end + align - 1) & ~(uintptr_t)(align - 1);
    if (tried == 1 && fits(area, end, bytes)) {
        return end;
    }
    uintptr_t anywhere = ((uintptr_t)go__rng_next(&area->rng) << 32 | go__rng_next(&area->rng)) & (GO__AREA_BYTES - 1);
    return area->lo + (anywhere & ~(uintptr_t)(align - 1));
}

void *go__area_map(struct go__area *area, size_t bytes, size_t align)
{
    for (int tried = 0; tried < TRIES; tried++) {
        void *lo = go__vm_map(place(area, tried, bytes, align), bytes, align);
        uintptr_t at = (uintptr_t)lo;
        if (lo == NULL || (!GO__STACK_SPLIT && !fits(area, at, bytes))) {
            return lo; /* without checks the order is of no use */
        }
        if (fits(area, at, bytes)) {
            area->hole = at + bytes;
            area->end = at + bytes > area->end ? at + bytes : area->end;
            return lo;
        }
        go__vm_unmap(lo, bytes);
    }
    return NULL;
}

void go__area_unmap(struct go__area *area, void *lo, size_t bytes)
{
    if (fits(area, (uintptr_t)lo, bytes) && (uintptr_t)lo < area->hole) {
        area->hole = (uintptr_t)lo;
    }
    go__vm_unmap(lo, bytes);
}
