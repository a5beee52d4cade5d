/* The end of the process: one line on standard error, what the debug room adds, abort. No heap, no stdio, no lock: callable on
 * any stack, small ones included, and in signal handlers. */
#ifndef GO_SRC_OS_FATAL_H
#define GO_SRC_OS_FATAL_H

#include <stdarg.h>
#include <stddef.h>

#include "base/compiler.h"

/* Prints "goco: fatal error: <message>", calls go__fatal_dump, aborts. Formats: %s %c %d %u %x with l, ll, z; %p; %%. The first
 * caller wins, later ones wait for the process to end. */
void go__fatal(const char *format, ...) GO__NORETURN GO__PRINTF(1, 2);

/* The same message without an end: "goco: <message>". */
void go__warn(const char *format, ...) GO__PRINTF(1, 2);

/* Always fits, always ends with '\0'; returns the length. */
size_t go__format(char *buffer, size_t size, const char *format, ...) GO__PRINTF(3, 4);
size_t go__format_list(char *buffer, size_t size, const char *format, va_list list);

/* Ends the process as abort() does, without libc: SIGABRT, whatever the program did about it. */
void go__abort(void) GO__NORETURN;

/* Defined by src/debug: prints the goroutines if that is wanted. It may be called on any stack and hops to a native one itself.
 * A fatal error inside it ends the process at once. */
void go__fatal_dump(void);

#endif
