/* Channels and select, with Go's meaning; closed channels are results, not panics.
 *
 *   typedef GO_CHAN(int) ints;
 *
 *   static void count(void *arg)
 *   {
 *       ints out = {(go_chan *)arg};
 *       for (int i = 0; i < 3; i++) GO_SEND(out, i);
 *       GO_CLOSE(out);
 *   }
 *   ...
 *   ints numbers;
 *   if (GO_CHAN_NEW(numbers, 16) != 0) return -ENOMEM;
 *   go(count, numbers.chan);
 *   GO_RANGE(n, numbers) printf("%d\n", n);
 *   GO_UNREF(numbers);
 *
 * Elements are copied by value and arrive in FIFO order. A channel is reference counted. Every call works on goroutines and, while
 * the runtime runs, on any other thread. While a bound context is done, every form that may park returns -ECANCELED. */
#ifndef GO_CHAN_H
#define GO_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "go/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct go_chan go_chan;

/* go_chan_new: a channel of `capacity` elements of elem_size bytes (0: a pure signal), with one reference.
 * Returns NULL when memory is out or the size overflows.     Parks: no.     Caller: any thread, a runtime is not needed. */
GO_API GO_NODISCARD go_chan *go_chan_new(size_t elem_size, size_t capacity);

/* go_chan_ref: one more reference; returns c.     go_chan_unref: one less; the last one frees. NULL does nothing. Fatal when the last
 * goes while someone waits on c. */
GO_API go_chan *go_chan_ref(go_chan *c);
GO_API void go_chan_unref(go_chan *c);

/* go_chan_send: copy one element into c, waiting for room or a receiver.
 *   c      borrowed; NULL blocks for ever
 *   elem   elem_size bytes, read before return; may be NULL if elem_size is 0
 * Returns 0; -EPIPE if c is or becomes closed (the element was not taken); -ECANCELED; _until: -ETIMEDOUT; try: -EAGAIN.
 * Parks:  yes (try: no).     Order: everything before the send is visible after the matching receive.
 * Source: Go spec, "Send statements". */
GO_API int go_chan_send(go_chan *c, const void *elem);
GO_API int go_chan_send_until(go_chan *c, const void *elem, int64_t deadline);
GO_API int go_chan_try_send(go_chan *c, const void *elem);

/* go_chan_recv: take the next element, waiting for one.
 *   elem   elem_size bytes, written; NULL discards
 * Returns 0; -EPIPE if c is closed and drained (*elem is zeroed); -ECANCELED; _until: -ETIMEDOUT; try: -EAGAIN.
 * Parks:  yes (try: no).     Source: Go spec, "Receive operator". */
GO_API int go_chan_recv(go_chan *c, void *elem);
GO_API int go_chan_recv_until(go_chan *c, void *elem, int64_t deadline);
GO_API int go_chan_try_recv(go_chan *c, void *elem);

/* go_chan_close: no more sends; receivers drain what is buffered, then get -EPIPE; blocked senders get -EPIPE.
 * Returns 0; -EPIPE if it was closed; -EINVAL for NULL.     Parks: no. */
GO_API int go_chan_close(go_chan *c);

/* go_chan_len: elements buffered now.     go_chan_cap: capacity. 0 for NULL. */
GO_API size_t go_chan_len(const go_chan *c);
GO_API size_t go_chan_cap(const go_chan *c);

enum go_direction { GO_DIRECTION_SEND = 1, GO_DIRECTION_RECV = 2 };

typedef struct go_case {
    go_chan *chan;              /* NULL: never ready */
    void    *elem;              /* read by a send, written by a receive; NULL with a receive: discard */
    enum go_direction direction;
    int      result;            /* set for the chosen case: 0, or -EPIPE if the channel is closed (and, for a receive, drained) */
} go_case;

/* go_select: wait until one of the cases can happen, and do it.
 *   cases   count of them, at most 65536; the same channel may stand in several, as sender and receiver too
 * Returns the index of the case that happened, uniformly at random among the ready ones; -ECANCELED; -ENOMEM (more than 16 cases
 *   need memory to wait); -EINVAL (a direction that is none); _until: -ETIMEDOUT; try: -EAGAIN. No cases: blocks for ever.
 * Parks:  yes (try: no).     Source: Go spec, "Select statements". */
GO_API int go_select(go_case *cases, size_t count);
GO_API int go_select_until(go_case *cases, size_t count, int64_t deadline);
GO_API int go_select_try(go_case *cases, size_t count);

#ifdef __cplusplus
}
#endif

/* --- the typed layer: the element's type is checked by the compiler --- */

/* GO_CHAN(T): the type of a channel of T; its member chan is the go_chan. */
#define GO_CHAN(T)    \
    union {           \
        go_chan *chan; \
        T *elem;      \
    }

#ifdef __cplusplus
extern "C++" {
template <typename T> struct go_private_bare;
template <typename T> struct go_private_bare<T *> {
    typedef T type;
};
template <typename C> int go_private_send(C c, typename go_private_bare<decltype(c.elem)>::type value)
{
    return go_chan_send(c.chan, &value);
}
template <typename T> T *go_private_check(T *, typename go_private_bare<T *>::type *pointer)
{
    return pointer;
}
}
#define GO_PRIVATE_CHECK(c, pointer) go_private_check((c).elem, (pointer))
#define GO_SEND(c, value) go_private_send((c), (value))
#else
/* A wrong pointer type is a constraint violation: the arms of ?: and the comparison must be compatible. */
#define GO_PRIVATE_CHECK(c, pointer) (1 ? (pointer) : (c).elem)
#define GO_SEND(c, value)                                       \
    __extension__({                                             \
        __typeof__(*(c).elem) go_private_value = (value);       \
        go_chan_send((c).chan, &go_private_value);              \
    })
#endif

/* GO_CHAN_NEW(c, capacity): makes c's channel; 0 or -ENOMEM. */
#define GO_CHAN_NEW(c, capacity) \
    (((c).chan = go_chan_new(sizeof *(c).elem, (capacity))) != NULL ? 0 : -12 /* ENOMEM, the same on every Linux */)

/* GO_SEND(c, value): send by value.     GO_RECV(c, &variable): receive. */
#define GO_RECV(c, pointer) go_chan_recv((c).chan, GO_PRIVATE_CHECK(c, pointer))

/* GO_RANGE(variable, c) { ... }: declares variable and runs the body for each element until c is closed; break leaves it. */
#ifdef __cplusplus
#define GO_RANGE(variable, c) \
    for (go_private_bare<decltype((c).elem)>::type variable; go_chan_recv((c).chan, &variable) == 0;)
#else
#define GO_RANGE(variable, c) \
    for (__typeof__(*(c).elem) variable; go_chan_recv((c).chan, &variable) == 0;)
#endif

#define GO_CLOSE(c) go_chan_close((c).chan)
#define GO_UNREF(c) go_chan_unref((c).chan)

/* GO_CASE_SEND(c, &variable), GO_CASE_RECV(c, &variable): initialisers of a go_case. */
#define GO_CASE_SEND(c, pointer) {(c).chan, (void *)GO_PRIVATE_CHECK(c, pointer), GO_DIRECTION_SEND, 0}
#define GO_CASE_RECV(c, pointer) {(c).chan, (void *)GO_PRIVATE_CHECK(c, pointer), GO_DIRECTION_RECV, 0}

#endif
