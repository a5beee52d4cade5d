#ifndef GO_TESTS_STACKS_MIXED_H
#define GO_TESTS_STACKS_MIXED_H

typedef long (*mixed_func)(int depth, const long *shared);

long plain(mixed_func fn, int depth, const long *shared); /* fn's result plus one */
void plain_entry(void *fn);                               /* calls void (*fn)(void *) */

#endif
