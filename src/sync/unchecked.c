/* Deliberately without the stack check and without the note that would excuse it (base/compiler.h): see roomy.c. */
#include "sync/locals.h"

void go__call_unchecked(void (*fn)(void *arg), void *arg)
{
    fn(arg);
}
