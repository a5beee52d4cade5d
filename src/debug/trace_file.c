/* go_trace_start and go_trace_stop: the file, the clocks, the memory. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "debug/trace_record.h"
#include "go/debug.h"
#include "os/clock.h"
#include "os/sanitize.h"

enum { OFF, CHANGING, ON };

static go__atomic(uint32_t) state; /* moved by compare-and-swap; who moved it to CHANGING owns what follows */
static int file = -1;
static struct go__recording *recording; /* in pages of its own */

/* acqrel pairs with the other calls' moves: what they left is visible. */
static bool move_state(uint32_t from, uint32_t to)
{
    return cas_acqrel(&state, &from, to);
}

int go_trace_start(const char *path)
{
    if (!move_state(OFF, CHANGING)) {
        return -EBUSY;
    }
    int error = 0;
    void *memory = mmap(NULL, sizeof *recording, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        error = -ENOMEM;
        goto off;
    }
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        error = -errno;
        (void)munmap(memory, sizeof *recording);
        goto off;
    }
    go__san_mapped(memory, sizeof *recording);
    recording = (struct go__recording *)memory;
    recording->ticks_start = go__clock_ticks();
    recording->ns_start = go__clock_now();
    go__trace_begin();
    (void)move_state(CHANGING, ON);
    return 0;
off:
    (void)move_state(CHANGING, OFF);
    return error;
}

static void free_chunks(void)
{
    for (unsigned i = 0; i < GO__TRACE_TRACKS; i++) {
        for (struct go__trace_chunk *chunk = recording->chunks[i]; chunk != NULL;) {
            struct go__trace_chunk *next = chunk->next;
            (void)munmap(chunk, sizeof *chunk);
            chunk = next;
        }
    }
}

int go_trace_stop(void)
{
    if (!move_state(ON, CHANGING)) {
        return -EINVAL;
    }
    go__trace_quiesce();
    recording->ticks_end = go__clock_ticks();
    recording->ns_end = go__clock_now();
    go__trace_take(recording->chunks, &recording->dropped);
    int error = go__trace_write(recording, file);
    if (close(file) != 0 && error == 0) {
        error = -errno;
    }
    free_chunks();
    (void)munmap(recording, sizeof *recording);
    (void)move_state(CHANGING, OFF);
    return error;
}
