/* What both families of descriptors use. */
#ifndef GO_TESTS_SOAK_NET_H
#define GO_TESTS_SOAK_NET_H

#include "soak.h"

/* Closes `fd` while a goroutine is inside a read of it, for sure: what echoes, or a peer's descriptor that arrives at fd, is written one
 * byte to. Another user's descriptor of the same number would otherwise be read from.
 *   to   fd itself if what is written there comes back */
void soak_close_under_reader(int fd, int to);

#endif
