/* Recorded scheduling events: what trace.c leaves behind for trace_file.c and trace_json.c. */
#ifndef GO_SRC_DEBUG_TRACE_RECORD_H
#define GO_SRC_DEBUG_TRACE_RECORD_H

#include "sched/hooks.h"

#define GO__TRACE_NAME_BYTES 16
#define GO__TRACE_TRACKS     1024u /* one a P; the last one is shared by whoever has no P, or an index too high */
#define GO__TRACE_SHARED     (GO__TRACE_TRACKS - 1)

struct go__trace_entry {
    uint64_t ticks;                  /* go__clock_ticks */
    uint64_t id;                     /* the goroutine it happened to */
    go_func entry;                   /* its function */
    char name[GO__TRACE_NAME_BYTES]; /* beginning of its name, "" none; ends with '\0' unless full */
    uint16_t track;
    uint8_t event;  /* enum go__trace_event */
    uint8_t reason; /* PARK: enum go__reason */
    uint32_t spare;
};

#define GO__TRACE_CHUNK_BYTES ((size_t)64 * 1024)
#define GO__TRACE_CHUNK_COUNT ((GO__TRACE_CHUNK_BYTES - 16) / sizeof(struct go__trace_entry))

struct go__trace_chunk {
    struct go__trace_chunk *next; /* recorded after this one */
    uint32_t count;
    struct go__trace_entry entries[GO__TRACE_CHUNK_COUNT];
};

/* trace.c, for go_trace_start and go_trace_stop; one of them at a time. */
void go__trace_begin(void);
void go__trace_quiesce(void); /* when it returns nobody records */
/* After go__trace_quiesce: hands over the first chunk of each track (GO__TRACE_TRACKS of them) and how many events found no room. */
void go__trace_take(struct go__trace_chunk **first, uint64_t *dropped);

/* A finished recording, for the writer. */
struct go__recording {
    struct go__trace_chunk *chunks[GO__TRACE_TRACKS]; /* first of each track, or NULL */
    uint64_t dropped;
    uint64_t ticks_start, ticks_end; /* the same two moments on both clocks */
    int64_t ns_start, ns_end;
};

/* Writes the Chrome trace-event JSON to fd. 0 or -errno. */
int go__trace_write(const struct go__recording *recording, int fd);

#endif
