/* From fault to message: a goroutine that ran out of stack gets a report that names it and the setting to raise; every other
 * fault goes on to the handler the program had. */
#ifndef GO_SRC_STACK_OVERFLOW_H
#define GO_SRC_STACK_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct go__g;

/* SIGSEGV and SIGBUS for the time of a run. A program that installs its own handler before or after keeps getting its faults;
 * one installed after ours hides the report, unless it calls the handler it found. */
int go__overflow_install(void); /* 0 or -errno */
void go__overflow_restore(void);

/* Gives the calling thread an alternate signal stack (a thread that has one keeps it); the result goes to
 * go__overflow_thread_exit, on the same thread. NULL: the thread keeps what it had, or memory is out. */
void *go__overflow_thread_init(void);
void go__overflow_thread_exit(void *alternate_stack);

/* Never return. `needed`: bytes the failing frame asked for, 0 if unknown. Callable on any stack. */
void go__overflow_report(struct go__g *gp, size_t needed) GO__NORETURN;
void go__overflow_canary(struct go__g *gp) GO__NORETURN; /* unchecked code overran a small stack */

/* Defined by src/debug: writes "name+0x12 (file)" or "0x..." for a code address. */
void go__symbol_name(void *address, char *buffer, size_t size);

#endif
