/* What compat.c's __real_pthread_create is in a link without --wrap=pthread_create. In a link with it the linker makes
 * pthread_create of every undefined reference to that name: this file stays out, and must not be part of the one that refers to
 * it. (A weak reference instead would leave pthread_create out of static programs: it takes nothing from libc.a, and every other
 * call of pthread_create has become one of the wrapper.) */
#include <pthread.h>

#include "stack/stack.h"

#if GO__STACK_SPLIT

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return pthread_create(thread, attr, fn, arg);
}

#endif
