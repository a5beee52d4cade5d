/* Installing handlers that touch no lock and nothing that a tool watches. ThreadSanitizer holds handlers back until their thread comes by
 * one of the calls that it knows, which a thread that sleeps in a raw futex call never does: such a handler goes past the tool, and is
 * GO__HANDLER so that it is not watched either. */
#ifndef GO_SRC_OS_SIGACTION_H
#define GO_SRC_OS_SIGACTION_H

#include <signal.h>

#include "base/compiler.h"

#if GO__TSAN
int __sigaction(int signo, const struct sigaction *act, struct sigaction *old);
#define go__sigaction(signo, act, old) __sigaction(signo, act, old)
#define GO__HANDLER                    GO__NO_TSAN
#else
#define go__sigaction(signo, act, old) sigaction(signo, act, old)
#define GO__HANDLER
#endif

#endif
