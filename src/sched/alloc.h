/* Heap memory for library objects, callable on a goroutine's stack: malloc and free run on the thread's native stack. */
#ifndef GO_SRC_SCHED_ALLOC_H
#define GO_SRC_SCHED_ALLOC_H

#include <stddef.h>

void *go__alloc(size_t size); /* zeroed, 16-byte aligned; NULL when memory is out */
void go__free(void *memory);  /* NULL is fine */

#endif
