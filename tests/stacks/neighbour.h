/* Split code that runs beside the tested functions on the real scheduler. */
#ifndef GO_TESTS_STACKS_NEIGHBOUR_H
#define GO_TESTS_STACKS_NEIGHBOUR_H

void neighbour(void *ends); /* bool (*ends)(void): true when it is to return */

#endif
