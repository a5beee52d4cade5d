/* The library's layout as a table of words under one symbol, so that tools/gdb/goco-gdb.py finds the goroutines of a process or a core
 * file without debug information. The script's FIELDS list has the same order; VERSION changes with it. */
#include "debug/debug.h"
#include "stack/layout.h"

#define VERSION 1

struct layout {
    uint64_t version; /* 0: no run has started */
    uint64_t saved_bytes, head_bytes;
    uint64_t g_sp, g_status, g_reason, g_m, g_id, g_parent, g_created_at, g_since, g_name, g_entry, m_tid;
    uint64_t reasons, reason_count;
    struct go__slots_layout slots;
};

extern struct layout go__gdb_layout;
struct layout go__gdb_layout; /* written by go_run's thread at start, read by debuggers */

void go__gdb_publish(void)
{
    go__gdb_layout = (struct layout){
        .version = VERSION,
        .saved_bytes = GO__GOBUF_SAVED_BYTES,
        .head_bytes = GO__HEAD_BYTES,
        .g_sp = offsetof(struct go__g, buf) + GO__GOBUF_SP,
        .g_status = offsetof(struct go__g, status),
        .g_reason = offsetof(struct go__g, reason),
        .g_m = offsetof(struct go__g, m),
        .g_id = offsetof(struct go__g, id),
        .g_parent = offsetof(struct go__g, parent),
        .g_created_at = offsetof(struct go__g, created_at),
        .g_since = offsetof(struct go__g, wait_since_ns),
        .g_name = offsetof(struct go__g, name),
        .g_entry = offsetof(struct go__g, entry),
        .m_tid = offsetof(struct go__m, tid),
        .reasons = (uintptr_t)go__reason_text,
        .reason_count = GO__REASON_COUNT,
    };
    go__slots_layout(&go__gdb_layout.slots);
}
