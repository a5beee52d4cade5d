/* Recording of scheduling events. Called by the scheduler at every switch, so the way in is short: a stamp and 40 bytes into a chunk that
 * belongs to the P, no lock, no shared cache line. Runs on goroutine stacks and on the g0 side: no libc; fresh chunks come from
 * a raw mmap.
 *
 * Invariants
 *   - A track is written by the owner of its P only; the last track, for callers without a P, under its lock.
 *   - Chunks are reached by others only after go__trace_quiesce: trace_on is 0 and every track has been seen not busy since.
 *     A recorder announces itself in `busy`, then looks at trace_on again; the stopper clears trace_on, then looks at `busy`;
 *     the asymmetric barrier stands between the two on either side [trace-race]. So one of them sees the other. */
#include "base/mem.h"
#include "base/spinlock.h"
#include "debug/trace_record.h"
#include "os/barrier.h"
#include "os/clock.h"
#include "os/syscall.h"
#include "os/thread.h"

#include <sys/mman.h>

#define CHUNKS_MAX (((size_t)256 << 20) / GO__TRACE_CHUNK_BYTES)

go__atomic(uint32_t) go__trace_on;

struct track {
    /* Owner of the P. */
    GO__ALIGNED(GO__CACHELINE) struct go__trace_chunk *first, *last;
    uint64_t dropped;
    /* Owner writes; the stopper reads [trace-race]. */
    go__atomic(uint32_t) busy;
};

static struct track tracks[GO__TRACE_TRACKS];
static go__spinlock shared_lock; /* tracks[GO__TRACE_SHARED]; a leaf */
static go__atomic(size_t) chunks_left;

static struct go__trace_chunk *new_chunk(void)
{
    size_t left = load_rlx(&chunks_left); /* rlx: a budget, it orders nothing */
    do {
        if (left == 0) {
            return NULL;
        }
    } while (!cas_rlx(&chunks_left, &left, left - 1));
    long memory = go__syscall6(SYS_mmap, 0, (long)sizeof(struct go__trace_chunk), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0); /* one fault, not sixteen */
    return memory < 0 && memory > -4096 ? NULL : (struct go__trace_chunk *)memory;
}

static struct go__trace_entry *next_entry(struct track *track)
{
    struct go__trace_chunk *chunk = track->last;
    if (go__unlikely(chunk == NULL || chunk->count == GO__TRACE_CHUNK_COUNT)) {
        chunk = new_chunk();
        if (chunk == NULL) {
            track->dropped++;
            return NULL;
        }
        if (track->last != NULL) {
            track->last->next = chunk;
        } else {
            track->first = chunk;
        }
        track->last = chunk;
    }
    return &chunk->entries[chunk->count++];
}

static void fill(struct go__trace_entry *entry, enum go__trace_event event, const struct go__g *gp, uint32_t index)
{
    entry->ticks = go__clock_ticks();
    entry->id = gp->id;
    entry->entry = gp->entry;
    entry->track = (uint16_t)index;
    entry->event = (uint8_t)event;
    entry->reason = gp->reason;
    if (gp->name != NULL) {
        for (size_t i = 0; i < GO__TRACE_NAME_BYTES && gp->name[i] != '\0'; i++) {
            entry->name[i] = gp->name[i];
            fence_compiler(); /* keeps the loop from becoming a call to memcpy */
        }
    }
}

void go__trace_record(enum go__trace_event event, struct go__g *gp, struct go__p *pp)
{
    uint32_t index = pp != NULL && pp->index < GO__TRACE_SHARED ? pp->index : GO__TRACE_SHARED;
    struct track *track = &tracks[index];
    if (index == GO__TRACE_SHARED) {
        go__spin_lock(&shared_lock);
    }
    store_rlx(&track->busy, 1u);
    go__barrier_light(); /* [trace-race] */
    if (load_rlx(&go__trace_on) != 0) {
        struct go__trace_entry *entry = next_entry(track);
        if (entry != NULL) {
            fill(entry, event, gp, index);
        }
    }
    store_rel(&track->busy, 0u); /* rel pairs with load_acq in go__trace_quiesce: the entry is whole */
    if (index == GO__TRACE_SHARED) {
        go__spin_unlock(&shared_lock);
    }
}

void go__trace_begin(void)
{
    store_rlx(&chunks_left, CHUNKS_MAX);
    store_sc(&go__trace_on, 1u);
}

void go__trace_quiesce(void)
{
    store_sc(&go__trace_on, 0u);
    go__barrier_heavy(); /* [trace-race] */
    for (uint32_t i = 0; i < GO__TRACE_TRACKS; i++) {
        while (load_acq(&tracks[i].busy) != 0) {
            go__thread_yield(); /* its thread has lost the CPU in the middle of a few dozen instructions */
        }
    }
}

void go__trace_take(struct go__trace_chunk **first, uint64_t *dropped)
{
    for (uint32_t i = 0; i < GO__TRACE_TRACKS; i++) {
        first[i] = tracks[i].first;
        *dropped += tracks[i].dropped;
        tracks[i].first = tracks[i].last = NULL;
        tracks[i].dropped = 0;
    }
}
