/* Runs functions on slots without the scheduler: the stack room alone, with the few symbols that the scheduler gives it. One
 * goroutine at a time per thread; parking returns to the thread, which may hand the goroutine to another one. on_scheduler.c is
 * the same on the scheduler, for what needs only harness_start to harness_together and the functions for goroutines. */
#ifndef GO_TESTS_STACKS_HARNESS_H
#define GO_TESTS_STACKS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

struct go__g;

#define CHECK(cond)                                    \
    do {                                               \
        if (!(cond)) {                                 \
            harness_failed(__FILE__, __LINE__, #cond); \
        }                                              \
    } while (0)

void harness_failed(const char *file, int line, const char *what);

enum harness_slot { HARNESS_SMALL = 0, HARNESS_RESERVED = 1, HARNESS_CUSTOM = 2 };

void harness_start(size_t reserve, size_t max); /* 0: defaults */
void harness_stop(void);                        /* checks that everything came back */
void harness_thread_start(void);                /* for threads other than the one that called harness_start */
void harness_thread_stop(void);

struct go__g *harness_new(enum harness_slot slot, void (*fn)(void *arg), void *arg);
bool harness_resume(struct go__g *gp); /* false: it is over and freed */
void harness_run(enum harness_slot slot, void (*fn)(void *arg), void *arg);

/* `count` goroutines that run fn(NULL); at the same time where there is a scheduler. */
void harness_together(enum harness_slot slot, void (*fn)(void *arg), int count);

/* On a goroutine. */
void harness_park(void); /* nothing on a thread's own stack */
void harness_park_if(bool condition);
void harness_exit(void);
bool harness_on_slot(void);          /* the caller's frame lies in the slot, not in a segment */
bool harness_on_small(void);         /* the goroutine has a small slot */
size_t harness_segments(void);       /* in use by the calling goroutine */
uintptr_t *harness_limit_word(void); /* of the calling thread; NULL where there is none */
void harness_poison(void);           /* what sysmon does to this thread */
void harness_poison_word(uintptr_t *word);
bool harness_limit_is_true(void);
int harness_preempts(void); /* calls of go__preempt_check so far; -1: not counted */
extern void (*harness_preempt_hook)(void);

#ifdef __cplusplus
}
#endif

#endif
