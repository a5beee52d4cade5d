#include "arch/gobuf.h"

void go__gobuf_init(struct go__gobuf *buf, void *hi, uintptr_t limit, go__gobuf_fn fn, void *arg)
{
    uintptr_t *sp = (uintptr_t *)((uintptr_t)hi & ~(uintptr_t)15);
#if defined(__x86_64__)
    /* As go__switch would have left it: r15 r14 r13 r12 rbx rbp, return address. */
    sp -= 7;
    sp[0] = 0;
    sp[1] = 0;
    sp[2] = (uintptr_t)arg;
    sp[3] = (uintptr_t)fn;
    sp[4] = 0;
    sp[5] = 0;
    sp[6] = (uintptr_t)go__gobuf_entry;
#elif defined(__aarch64__)
    sp -= GO__GOBUF_SAVED_BYTES / sizeof *sp;
    for (unsigned i = 0; i < GO__GOBUF_SAVED_BYTES / sizeof *sp; i++) {
        sp[i] = 0;
    }
    sp[0] = (uintptr_t)fn;
    sp[1] = (uintptr_t)arg;
    sp[11] = (uintptr_t)go__gobuf_entry;
#endif
    buf->sp = sp;
    buf->limit = limit;
}
