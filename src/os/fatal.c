/* Formatting and dying without libc. Everything fits in static memory because the caller may stand on 2 KB. */
#include "os/fatal.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/call.h"
#include "base/atomic.h"
#include "base/mem.h"
#include "os/syscall.h"

#define MESSAGE_BYTES 1024
#define SPEECH_STACK  2048 /* formatting and a write need about 300 */

struct out {
    char *at, *end; /* end is where the final '\0' may still go */
};

static void put(struct out *out, char c)
{
    if (out->at < out->end) {
        *out->at++ = c;
    }
}

static void put_string(struct out *out, const char *text)
{
    for (text = text != NULL ? text : "(null)"; *text != '\0'; text++) {
        put(out, *text);
    }
}

static void put_number(struct out *out, uint64_t value, unsigned base)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (n > 0) {
        put(out, digits[--n]);
    }
}

static void put_signed(struct out *out, int64_t value)
{
    if (value < 0) {
        put(out, '-');
    }
    put_number(out, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

size_t go__format_list(char *buffer, size_t size, const char *format, va_list list)
{
    struct out out = {buffer, buffer + size - 1};
    for (const char *f = format; *f != '\0'; f++) {
        if (*f != '%') {
            put(&out, *f);
            continue;
        }
        bool wide = false;
        for (f++; *f == 'l' || *f == 'z'; f++) {
            wide = true; /* long, long long and size_t are all 64 bits where we run */
        }
        switch (*f) {
        case 's': put_string(&out, va_arg(list, const char *)); break;
        case 'c': put(&out, (char)va_arg(list, int)); break;
        case 'd': put_signed(&out, wide ? va_arg(list, int64_t) : va_arg(list, int)); break;
        case 'u': put_number(&out, wide ? va_arg(list, uint64_t) : va_arg(list, unsigned), 10); break;
        case 'x': put_number(&out, wide ? va_arg(list, uint64_t) : va_arg(list, unsigned), 16); break;
        case 'p':
            put_string(&out, "0x");
            put_number(&out, (uintptr_t)va_arg(list, void *), 16);
            break;
        case '\0': f--; break; /* a lone % at the end */
        default: put(&out, *f); break;
        }
    }
    *out.at = '\0';
    return (size_t)(out.at - buffer);
}

size_t go__format(char *buffer, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    size_t length = go__format_list(buffer, size, format, list);
    va_end(list);
    return length;
}

static void write_all(const char *text, size_t length)
{
    while (length > 0) {
        long n = go__syscall3(SYS_write, 2, (long)(uintptr_t)text, (long)length);
        if (n == -EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        text += n;
        length -= (size_t)n;
    }
}

/* One line in one write, so that lines of several threads do not mix. */
static void print_line(char *buffer, const char *prefix, const char *format, va_list list)
{
    size_t length = go__format(buffer, MESSAGE_BYTES - 1, "%s", prefix);
    length += go__format_list(buffer + length, MESSAGE_BYTES - 1 - length, format, list);
    buffer[length++] = '\n';
    write_all(buffer, length);
}

/* What is said, and a stack to say it on: the caller may be at the end of a small one, with a neighbour's record below. */
struct speech {
    char line[MESSAGE_BYTES];
    const char *prefix, *format;
    va_list list;
    GO__ALIGNED(16) char stack[SPEECH_STACK];
};

/* Taken once and never given back: 0 nobody, else the thread that dies. */
static go__atomic(uint32_t) dying_thread;
static go__atomic(uint32_t) warn_busy;
static struct speech last_words; /* the owner of dying_thread */
static struct speech warning;    /* the owner of warn_busy */

static void speak(void *arg)
{
    struct speech *s = arg;
    print_line(s->line, s->prefix, s->format, s->list);
}

GO__INLINE void speak_elsewhere(struct speech *s)
{
#if GO__ASAN || GO__TSAN
    speak(s); /* no small stacks, and the tools know every stack that is in use */
#else
    go__call_on(speak, s, s->stack + sizeof s->stack);
#endif
}

void go__warn(const char *format, ...)
{
    while (xchg_acq(&warn_busy, 1u) != 0) { /* acq pairs with the store_rel below */
        (void)go__syscall0(SYS_sched_yield);
    }
    warning.prefix = "goco: ";
    warning.format = format;
    va_start(warning.list, format);
    speak_elsewhere(&warning);
    va_end(warning.list);
    store_rel(&warn_busy, 0u);
}

void go__fatal(const char *format, ...)
{
    uint32_t nobody = 0;
    uint32_t self = (uint32_t)go__syscall0(SYS_gettid);
    if (!cas_acqrel(&dying_thread, &nobody, self)) {
        while (nobody != self) {
            (void)go__syscall5(SYS_ppoll, 0, 0, 0, 0, 0); /* for ever: another thread is about to end the process */
        }
        go__abort(); /* dying failed: no second report */
    }
    last_words.prefix = "goco: fatal error: ";
    last_words.format = format;
    va_start(last_words.list, format);
    speak_elsewhere(&last_words);
    va_end(last_words.list);
    go__fatal_dump();
    go__abort();
}

/* As the kernel wants it; libc's own type differs. */
struct kernel_action {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

void go__abort(void)
{
    uint64_t set = UINT64_C(1) << (SIGABRT - 1);
    long pid = go__syscall0(SYS_getpid);
    long tid = go__syscall0(SYS_gettid);
    (void)go__syscall4(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)(uintptr_t)&set, 0, sizeof set);
    (void)go__syscall3(SYS_tgkill, pid, tid, SIGABRT);
    /* The program caught or ignored it. */
    struct kernel_action action;
    go__zero(&action, sizeof action); /* SIG_DFL is 0 */
    (void)go__syscall4(SYS_rt_sigaction, SIGABRT, (long)(uintptr_t)&action, 0, sizeof action.mask);
    (void)go__syscall3(SYS_tgkill, pid, tid, SIGABRT);
    for (;;) {
        (void)go__syscall1(SYS_exit_group, 127);
    }
}
