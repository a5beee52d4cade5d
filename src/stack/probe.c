/* Compiled with -fsplit-stack where the compiler can: how the linker treated this function tells how it treated the program. It
 * calls a function outside the library that is not compiled so, and is never run. */
#include <unistd.h>

int go__split_probe(void);

int go__split_probe(void)
{
    return getpid() + 1; /* no tail call: a call is what linkers look for */
}
