/* The face of the stack room: what a goroutine's stack is, where it comes from, how it grows. docs/STACKS.md has the drawing.
 *
 * A slot is a stack with the goroutine's record (struct go__g) at its top, so one address names both:
 *
 *   small      [canary | 2,048 bytes of stack ............][g]      cut from 2 MiB slabs, 2,048 + GO__HEAD_BYTES apart
 *   reserved   [guard 64 KiB][stack, filled page by page ..][g]     `reserve` bytes of addresses, page cost only when touched
 *   custom     [guard 64 KiB][stack of the size asked for ..][g]    a mapping of its own
 *
 * Split code (-fsplit-stack) compares its stack pointer with the limit word at %fs:0x70 in every prologue and calls
 * __morestack when a frame does not fit: the call then runs on a segment, a reserved range without a g, and comes back when it
 * returns. Segments form a list from the goroutine's state, deepest first.
 *
 * Every function here may be called on a goroutine's stack: no libc, small frames, raw system calls. Locks: each depot has one
 * futex mutex, a leaf (nothing is taken under it). */
#ifndef GO_SRC_STACK_STACK_H
#define GO_SRC_STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/gobuf.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/prefetch.h"

/* Small stacks need the limit word, a compiler that emits the check, and tools that do not lay their own claims on stacks. */
#if defined(GO__LIMIT_WORD) && !GO__TSAN && !GO__ASAN && !defined(GO__NO_SPLIT_STACK)
#define GO__STACK_SPLIT 1
#else
#define GO__STACK_SPLIT 0
#endif

#define GO__SMALL_BYTES 2048u
#if GO__TSAN || GO__ASAN
#define GO__HEAD_BYTES 320u /* the gobuf carries the tools' words too */
#else
#define GO__HEAD_BYTES 256u
#endif

#define GO__START_BYTES 128u /* below the head: what preparing a goroutine writes to its stack */

/* The slot with its head at this address, if there is one, is about to get a goroutine. */
GO__INLINE void go__slot_prefetch(uintptr_t head)
{
    go__prefetch_lines(head - GO__START_BYTES, head + GO__HEAD_BYTES);
}

/* What lies below a small stack's limit word, for code without the check. Of it a split function with a frame below 256 bytes
 * may take 264 before anything looks, the canary 8; the library's own call depth must fit in the rest. */
#define GO__MARGIN_BYTES 896u
#define GO__STACK_CANARY UINT64_C(0x5AFE57ACCA4A21E5)

/* sysmon stores this into a thread's limit word: the next check in split code fails and morestack calls go__preempt_check.
 * Storing it at any moment is safe: every writer of the word computes the true limit from the goroutine's slot and segments
 * and never from the word itself, so a poison that is overwritten is only late, and one that a switch saved and restored is
 * only early. Above every address as a signed number too: so clang's check before an alloca compares. */
#define GO__LIMIT_POISON ((uintptr_t)INTPTR_MAX)

enum go__slot_kind { GO__SLOT_SMALL = 0, GO__SLOT_RESERVED = 1, GO__SLOT_CUSTOM = 2 };

struct go__g;
struct go__segment; /* src/stack/grow.h */

/* In each g, zero at first: the segments in use. The goroutine, or its thread inside morestack. */
struct go__stack_state {
    struct go__segment *top; /* deepest first; may be stale after longjmp or an exception until the next entry to morestack */
    uintptr_t slot_limit;    /* go__slot_limit of its slot once morestack has asked for it: constant for the slot */
};

/* In each m, zero at first: warm segments. That thread only. `hot` stays in place while a call is on it, so that one crossing
 * need not wait for the stores of the one before: it is free iff hot_free. A segment that comes back is hot's or joins the list;
 * if hot was taken by a goroutine that went to another thread, the next slow crossing makes another segment hot. */
struct go__seg_cache {
    struct go__segment *hot;
    bool hot_free;
    uint32_t count;           /* of list */
    struct go__segment *list; /* of the first size, last in first out */
    struct go__segment *big;  /* one of a later size, or NULL */
    uint32_t growths;         /* crossings that no warm segment could serve; statistics */
};

struct go__stacks_config {
    size_t reserve; /* bytes of a reserved stack and of a first segment; rounded up to pages, at least 16 KiB */
    size_t max;     /* bytes a goroutine's stack and segments may reach in all */
    bool no_small;  /* small stacks off, whatever the link allows */
    uint32_t run;   /* what the slots' gs are marked with */
};

struct go__stacks_stats {
    uint64_t small, reserved; /* slots handed out (a p's or m's cache counts as handed out) */
    uint64_t segments;        /* segments handed out */
    uint64_t growths;         /* segments ever handed out by the depot: crossings beyond the warm caches */
    uint64_t mapped_bytes;    /* address range of all slabs, those that are ready included */
    uint64_t resident_bytes;  /* an estimate: small slabs as far as carved, a page for each other slot ever used */
};

/* go__stacks_init: at the start of a run, before any other thread. 0 or -errno.
 * go__stacks_destroy: at its end; every slot and segment goes, whoever holds it (world stopped). */
int go__stacks_init(const struct go__stacks_config *config);
void go__stacks_destroy(void);
/* In place of go__stacks_destroy while goroutines execute that a run has left behind: the next run goes on with the same depots, and with
 * the sizes they have. */
void go__stacks_keep(void);
bool go__stacks_kept(void); /* since, until go__stacks_destroy */

/* go__stacks_trim: gives memory back that lay unused since the last call. sysmon, at most every second or so. */
void go__stacks_trim(int64_t now);
void go__stacks_stats(struct go__stacks_stats *stats);
size_t go__stacks_reserve(void); /* the reserve in force */
size_t go__stacks_max(void);
bool go__stacks_small_on(void); /* small slots are in use in this run */

/* go__slots_refill: puts up to `want` slots of `kind` (small or reserved) before *list, linked through g->link; returns how many, 0 when
 * memory is out. But for link, buf, slot_kind and run a g is zero, or as the goroutine before left it that has ended there.
 * go__slots_return: takes the first `count` of list back. Their goroutines have left their stacks, and are GO__G_IDLE. Any thread. */
uint32_t go__slots_refill(enum go__slot_kind kind, struct go__g **list, uint32_t want);
void go__slots_return(enum go__slot_kind kind, struct go__g *list, uint32_t count);

/* Memory for more small slots, prepared by who has nothing else to do: is it wanted, and go__depot_prepare. */
bool go__slots_wanted(void);
void go__slots_prepare(void);

struct go__g *go__slot_custom_new(size_t stack_bytes); /* NULL: memory is out */
void go__slot_custom_free(struct go__g *gp);           /* by anyone but gp itself */

void *go__slot_lo(const struct go__g *gp);        /* lowest byte of its stack */
void *go__slot_hi(const struct go__g *gp);        /* where the first frame begins, 16-byte aligned */
uintptr_t go__slot_limit(const struct go__g *gp); /* for the limit word; 0: no check */
size_t go__slot_bytes(const struct go__g *gp);    /* hi - lo */

/* The canary of a small stack is intact (a guard page does that for the others). At park and exit; if false, call
 * go__overflow_canary(gp). A macro because it looks into struct go__g, which rt.h defines after including this. */
#define go__slot_check(gp) (go__unlikely((gp)->slot_kind != GO__SLOT_SMALL) || go__likely(go__slot_canary_intact(gp)))

GO__INLINE bool go__slot_canary_intact(const void *gp)
{
    return *(const uint64_t *)(const void *)((const char *)gp - GO__SMALL_BYTES) == GO__STACK_CANARY;
}

/* Calls fn for the g of every slot that was ever handed out, free ones included (their status is GO__G_IDLE), by walking the
 * slabs. The slots are pinned, or nobody else is left. */
void go__slots_each(void (*fn)(struct go__g *gp, void *arg), void *arg);

/* Until go__slots_unpin no slot's memory goes, as it does under a stopped world too: sysmon trims. timeout_ns: for each of three locks that a
 * dying thread may hold itself. */
void go__slots_pin(int64_t timeout_ns);
void go__slots_unpin(void);

/* `address` lies in gp's slot or one of its segments: for unwinders. */
bool go__stack_contains(const struct go__g *gp, uintptr_t address);

/* Segments. go__stack_release: gp has left its stack for good (exit), or is about to run a new function: gives its segments to
 * `cache` (NULL: the depot). go__seg_cache_drain: the m ends. */
void go__stack_release(struct go__stack_state *state, struct go__seg_cache *cache);
void go__seg_cache_drain(struct go__seg_cache *cache);

/* Bounds of the stack (slot or segment) on which gp runs or parked with stack pointer sp. */
void go__stack_bounds(const struct go__g *gp, uintptr_t sp, uintptr_t *lo, uintptr_t *hi);

/* True if `entry` was compiled with -fsplit-stack and small stacks work in this process: it may start on a small slot. */
bool go__entry_is_split(void (*entry)(void *arg));

/* True if the linker moved stack-checked callers of unchecked code onto big stacks; found out once, with a probe function of
 * our own. False: every goroutine gets a reserved slot. */
bool go__link_is_split(void);

#endif
