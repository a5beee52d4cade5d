/* The rest of libgcc's split-stack interface. Nothing here does anything: the symbols exist so that no linker adds libgcc's own
 * __morestack to a program that has ours (gcc -fsplit-stack wraps pthread_create by itself, lld resolves symbol by symbol). */
#include <pthread.h>

#include "stack/grow.h"

#if GO__STACK_SPLIT

#include "os/fatal.h"

__thread void *__morestack_segments;
__thread void *__morestack_current_segment;
__thread void *__morestack_initial_sp[8];

#define IGNORE(name)     \
    void name(void);     \
    void name(void) { }

IGNORE(__stack_split_initialize)
IGNORE(__generic_morestack_set_initial_sp)
IGNORE(__morestack_block_signals)
IGNORE(__morestack_unblock_signals)
IGNORE(__morestack_load_mmap)
IGNORE(__splitstack_resetcontext)
IGNORE(__splitstack_releasecontext)
IGNORE(__splitstack_block_signals)
IGNORE(__splitstack_block_signals_context)
IGNORE(__splitstack_getcontext)
IGNORE(__splitstack_setcontext)

#define REFUSE(name)                                                              \
    void *name(void);                                                             \
    void *name(void)                                                              \
    {                                                                             \
        go__fatal("%s: goco manages split stacks itself in this program", #name); \
    }

REFUSE(__generic_morestack)
REFUSE(__generic_releasestack)
REFUSE(__generic_findstack)
REFUSE(__morestack_fail)
REFUSE(__morestack_release_segments)
REFUSE(__splitstack_makecontext)
REFUSE(__splitstack_find)
REFUSE(__splitstack_find_context)

uintptr_t __morestack_make_guard(uintptr_t stack, size_t size);
uintptr_t __morestack_make_guard(uintptr_t stack, size_t size)
{
    return stack - size + GO__MARGIN_BYTES;
}

/* A new thread's limit word is 0, which is right. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
    __attribute__((weak));
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return __real_pthread_create(thread, attr, fn, arg);
}

#endif
