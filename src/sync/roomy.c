/* Compiled with -fsplit-stack where the compiler can: as it calls a function without the check, the linker makes it ask for room for
 * such code, as it does with the program's functions that call libc. Where the linker does not, there are no small stacks. */
#include "sync/locals.h"

void go__call_roomy(void (*fn)(void *arg), void *arg)
{
    go__call_unchecked(fn, arg);
    __asm__ volatile("" ::: "memory"); /* no tail call: a call is what linkers look for */
}
