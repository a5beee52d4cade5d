/* Text for reports: no heap, no stdio, no locale, so that it works while the process dies. */
#include <errno.h>
#include <poll.h>

#include "base/mem.h"
#include "debug/debug.h"
#include "os/syscall.h"

#define FULL_WAIT_MS 1000 /* a reader that does not read for so long has lost the rest */

void go__out_init(struct go__out *out, int fd)
{
    out->fd = fd;
    out->used = 0;
}

/* stderr may be a non-blocking pipe that a slow terminal empties: wait for it rather than lose half of a report. */
static bool wait_writable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    int64_t timeout[2] = {FULL_WAIT_MS / 1000, (FULL_WAIT_MS % 1000) * 1000000};
    return go__syscall5(SYS_ppoll, (long)&wanted, 1, (long)timeout, 0, 0) > 0;
}

void go__out_flush(struct go__out *out)
{
    size_t done = 0;
    while (done < out->used) {
        long n = go__syscall3(SYS_write, out->fd, (long)(out->buffer + done), (long)(out->used - done));
        if (n > 0) {
            done += (size_t)n;
        } else if (n != -EINTR && !(n == -EAGAIN && wait_writable(out->fd))) {
            break;
        }
    }
    out->used = 0;
}

void go__out_text(struct go__out *out, const char *text)
{
    size_t left = go__string_length(text);
    while (left > 0) {
        size_t room = sizeof out->buffer - out->used;
        if (room == 0) {
            go__out_flush(out);
            continue;
        }
        size_t n = left < room ? left : room;
        go__copy_bytes(out->buffer + out->used, text, n);
        out->used += n;
        text += n;
        left -= n;
    }
}

static void number(struct go__out *out, uint64_t value, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    go__out_text(out, digits + at);
}

void go__out_number(struct go__out *out, uint64_t value)
{
    number(out, value, 10);
}

void go__out_hex(struct go__out *out, uint64_t value)
{
    go__out_text(out, "0x");
    number(out, value, 16);
}

void go__out_duration(struct go__out *out, int64_t ns)
{
    static const struct {
        int64_t size;
        const char *name;
    } units[] = {{3600000000000, "h"}, {60000000000, "m"}, {1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};

    size_t unit = 0;
    while (unit + 1 < go__countof(units) && ns < units[unit].size) {
        unit++;
    }
    int64_t size = units[unit].size;
    go__out_number(out, ns > 0 ? (uint64_t)(ns / size) : 0);
    if (size > 1 && ns / size < 100) {
        go__out_text(out, ".");
        go__out_number(out, (uint64_t)(ns % size * 10 / size));
    }
    go__out_text(out, units[unit].name);
}
