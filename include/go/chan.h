/* Channels: typed queues between goroutines, and select.
 *
 * Elements are copied by value and arrive in the order they were sent. A channel with capacity 0 hands over from sender to receiver;
 * one with capacity n holds up to n elements. It is closed by whoever knows that nothing more comes; receivers first drain it.
 *
 *   #include <go/chan.h>
 *   #include <go/run.h>
 *   #include <stdio.h>
 *
 *   static GO_CHAN(int) numbers;             // a channel of int: a wrong element type does not compile
 *
 *   static void count(void *arg)
 *   {
 *       (void)arg;
 *       for (int i = 1; i <= 3 && GO_SEND(numbers, i) == 0; i++) {}
 *       GO_CLOSE(numbers);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       (void)arg;
 *       if (GO_CHAN_NEW(numbers, 0) != 0) { return 1; }
 *       if (go_spawn(NULL, count, NULL) != 0) { return 1; }
 *       GO_RANGE(n, numbers) { printf("%d\n", n); }
 *       GO_UNREF(numbers);
 *       return 0;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); }
 *
 * A channel is reference counted: go_chan_new gives one reference, the last go_chan_unref frees it. Functions borrow their channel:
 * the caller holds a reference until they return. A NULL channel blocks for ever in send and receive.
 *
 * Caller, for every function here: any goroutine or, while the runtime runs, any thread (which then blocks itself). Making,
 * counting references, closing and calls that need not wait work without a runtime too. */
#ifndef GO_CHAN_H
#define GO_CHAN_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "go/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct go_chan go_chan;

/* go_chan_new: an open, empty channel.
 *   elem_size   bytes of an element; 0: a pure signal, elements are counted only
 *   capacity    elements it holds before senders wait; 0: a sender waits for its receiver
 * Returns it with one reference; NULL when memory is out or elem_size * capacity overflows.
 * Parks:  no.
 * Source: Go spec, "Channel types"; src/chan/chan.c. */
GO_API GO_NODISCARD go_chan *go_chan_new(size_t elem_size, size_t capacity);

/* go_chan_ref: one reference more. Returns c; NULL is fine. */
GO_API go_chan *go_chan_ref(go_chan *c);

/* go_chan_unref: one reference less; the last frees c with what it still holds. NULL does nothing. The last one while somebody waits
 * on c is a fatal error.
 * Parks:  no. */
GO_API void go_chan_unref(go_chan *c);

/* go_chan_send: copy one element into c, waiting for room or a receiver.
 *   c      NULL blocks for ever
 *   elem   elem_size bytes, read before return; may live on the caller's stack; may be NULL if elem_size is 0
 * Returns 0; -EPIPE if c is closed now or while waiting: the element was not taken (Go would panic here); -ECANCELED if the bound
 *         context is done.
 * Parks:  yes, if the buffer is full and nobody receives.     Wakes: at most one receiver.
 * Order:  everything before the send is visible after the matching receive; everything before a receive from a full channel is
 *         visible after the send it makes room for.
 * Source: Go spec, "Send statements"; src/chan/chan.c. */
GO_API int go_chan_send(go_chan *c, const void *elem);

/* go_chan_send_until: the same with a limit.
 *   deadline   on go_now()'s clock; one in the past: only try
 * Returns as go_chan_send, or -ETIMEDOUT, or -ENOMEM (a deadline needs a timer): the element was not taken. */
GO_API int go_chan_send_until(go_chan *c, const void *elem, int64_t deadline);

/* go_chan_try_send: send if that needs no waiting.
 * Returns 0; -EPIPE if c is closed; -EAGAIN if it would wait (always so for NULL).
 * Parks:  no; not affected by a context. */
GO_API int go_chan_try_send(go_chan *c, const void *elem);

/* go_chan_recv: take the oldest element out of c, waiting for one.
 *   c      NULL blocks for ever
 *   elem   receives elem_size bytes; NULL: discard the element
 * Returns 0; -EPIPE if c is closed and drained, *elem is zeroed then; -ECANCELED if the bound context is done, *elem is untouched.
 * Parks:  yes, if c is empty and open.     Wakes: at most one sender.
 * Order:  as go_chan_send; everything before the close is visible after a receive that returns -EPIPE.
 * Source: Go spec, "Receive operator"; src/chan/chan.c. */
GO_API int go_chan_recv(go_chan *c, void *elem);

/* go_chan_recv_until: the same with a limit.
 *   deadline   on go_now()'s clock; one in the past: only try
 * Returns as go_chan_recv, or -ETIMEDOUT or -ENOMEM with *elem untouched. */
GO_API int go_chan_recv_until(go_chan *c, void *elem, int64_t deadline);

/* go_chan_try_recv: receive if that needs no waiting.
 * Returns 0; -EPIPE if c is closed and drained; -EAGAIN if it would wait (always so for NULL), *elem is untouched.
 * Parks:  no; not affected by a context. */
GO_API int go_chan_try_recv(go_chan *c, void *elem);

/* go_chan_close: no more elements. What is in c can still be received.
 * Returns 0; -EPIPE if c is closed already; -EINVAL if c is NULL.
 * Parks:  no.     Wakes: every sender and every receiver that waits on c.
 * Source: Go's built-in close. */
GO_API int go_chan_close(go_chan *c);

/* go_chan_len: elements in the buffer at some moment of the call; 0 for NULL. go_chan_cap: the capacity; 0 for NULL.
 * Parks:  no. */
GO_API size_t go_chan_len(const go_chan *c);
GO_API size_t go_chan_cap(const go_chan *c);

enum go_direction { GO_DIRECTION_SEND = 1, GO_DIRECTION_RECV = 2 };

/* One alternative of a select. */
typedef struct go_case {
    go_chan *chan;               /* borrowed; NULL: never ready */
    void *elem;                  /* read by a send, written by a receive; NULL with a receive: discard */
    enum go_direction direction; /* anything else is a fatal error */
    int result;                  /* set for the chosen case: 0, or -EPIPE if the channel is closed (and, for a receive, drained) */
} go_case;

/* go_select: wait until one of the cases can happen and make it happen, one only.
 *   cases   the same channel may stand in several, as sender and as receiver too
 *   count   at most 65535; 0 blocks for ever
 * Returns the index of the case that happened, uniformly at random among those that could, with its result set; -ECANCELED if the
 *         bound context is done; -EINVAL if count is too large; -ENOMEM.
 * Parks:  yes, if no case can happen now.     Wakes: at most one goroutine on the other side.
 * Order:  as the send or receive that happened.
 * Source: Go spec, "Select statements"; src/chan/select.c. */
GO_API int go_select(go_case *cases, size_t count);

/* go_select_until: the same with a limit.
 *   deadline   on go_now()'s clock; one in the past: only try
 * Returns as go_select, or -ETIMEDOUT when no case happened. */
GO_API int go_select_until(go_case *cases, size_t count, int64_t deadline);

/* go_select_try: the same without waiting (Go's select with a default).
 * Returns the index; -EAGAIN if no case can happen now; -EINVAL if count is too large; -ENOMEM.
 * Parks:  no; not affected by a context. */
GO_API int go_select_try(go_case *cases, size_t count);

#ifdef __cplusplus
}
#endif

/* The typed layer. c is a variable declared with GO_CHAN; the compiler checks each element's type against it.
 *
 *   GO_CHAN(T)               the type of a channel of T, a complete object type: GO_CHAN(int) jobs;  To pass one to a function, name
 *                            the type once: typedef GO_CHAN(int) int_chan;
 *   GO_CHAN_NEW(c, capacity) makes c's channel: 0, or -ENOMEM
 *   GO_SEND(c, value)        sends by value, converted as by assignment among numbers: go_chan_send's result
 *   GO_RECV(c, &variable)    receives; NULL discards: go_chan_recv's result
 *   GO_RANGE(variable, c)    a loop that declares variable and receives into it until c is closed and drained (or the bound context
 *                            is done): GO_RANGE(job, jobs) { ... }   break leaves it, continue goes to the next element
 *   GO_CLOSE(c), GO_UNREF(c) go_chan_close, go_chan_unref
 *   GO_CASE_SEND(c, &variable), GO_CASE_RECV(c, &variable)
 *                            initialisers of a go_case: go_case cases[] = {GO_CASE_RECV(jobs, &job), GO_CASE_SEND(results, &r)};
 *
 * Each argument is evaluated once, but GO_RANGE evaluates c for every element. */
#define GO_CHAN(T)     \
    union {            \
        go_chan *chan; \
        T *elem;       \
    }

#define GO_CHAN_NEW(c, capacity) go__chan_made((c).chan = go_chan_new(sizeof *(c).elem, (capacity)))
#define GO_RANGE(variable, c)    for (__typeof__(*(c).elem) variable; go_chan_recv((c).chan, &(variable)) == 0;)
#define GO_CLOSE(c)              ((void)sizeof((c).elem), go_chan_close((c).chan))
#define GO_UNREF(c)              ((void)sizeof((c).elem), go_chan_unref((c).chan))

static inline int go__chan_made(const go_chan *c)
{
    return c != NULL ? 0 : -ENOMEM;
}

#ifdef __cplusplus

/* The elem pointer says T; the other argument is not deduced, so it converts as in an assignment or does not compile. */
extern "C++" {
template <class T> struct go__same {
    typedef T type;
};

template <class T> inline int go__chan_send_value(go_chan *c, T *, const typename go__same<T>::type &value)
{
    static_assert(__is_trivially_copyable(T), "goco: channels copy their elements as bytes");
    return go_chan_send(c, __builtin_addressof(value));
}

template <class T> inline void *go__chan_in(T *, const typename go__same<T>::type *elem)
{
    return const_cast<T *>(elem);
}

template <class T> inline void *go__chan_out(T *, typename go__same<T>::type *elem)
{
    static_assert(__is_trivially_copyable(T), "goco: channels copy their elements as bytes");
    return elem;
}
}

#define GO_SEND(c, ...) go__chan_send_value((c).chan, (c).elem, (__VA_ARGS__))
#define GO_RECV(c, ptr) go_chan_recv((c).chan, go__chan_out((c).elem, (ptr)))
#define GO_CASE_SEND(c, ptr)                                         \
    {                                                                \
        (c).chan, go__chan_in((c).elem, (ptr)), GO_DIRECTION_SEND, 0 \
    }
#define GO_CASE_RECV(c, ptr)                                          \
    {                                                                 \
        (c).chan, go__chan_out((c).elem, (ptr)), GO_DIRECTION_RECV, 0 \
    }

#else

/* An assertion inside an expression: C's own diagnostics for pointers to the wrong type are only warnings. The conditional operator
 * gives its operands' common type: that of two pointers to different types is void *. */
#define GO__CHECK(condition, text)       \
    ((void)sizeof(struct {               \
        _Static_assert(condition, text); \
        char go__unused;                 \
    }))
#define GO__SAME(a, b) __builtin_types_compatible_p(__typeof__(a), __typeof__(b))
#define GO__CHECK_IN(c, ptr)                                                                                          \
    GO__CHECK(GO__SAME(1 ? (ptr) : (const __typeof__(*(c).elem) *)(c).elem, (const __typeof__(*(c).elem) *)(c).elem), \
              "goco: not a pointer to the channel's element type")
#define GO__CHECK_OUT(c, ptr) \
    GO__CHECK(GO__SAME(1 ? (ptr) : (c).elem, (c).elem), "goco: not a pointer to the channel's element type")

/* Numbers (classes 1 integer, 2 char, 3 enum, 4 bool, 8 real, 9 complex) convert into one another; a pointer (5) needs a pointer
 * whose common type with the element's is void * only if one of them is; a struct or union must be the same one, or the conditional
 * operator does not compile. */
#define GO__CLASS(x)     __builtin_classify_type(x)
#define GO__IS_NUMBER(x) (GO__CLASS(x) <= 4 || GO__CLASS(x) == 8 || GO__CLASS(x) == 9)
#define GO__IS_VOID(x)   (GO__SAME(x, (void *)0) || GO__SAME(x, (const void *)0))
#define GO__CHECK_VALUE(c, value)                                                                            \
    GO__CHECK((GO__IS_NUMBER(*(c).elem) && GO__IS_NUMBER(value)) ||                                          \
                  (GO__CLASS(*(c).elem) == GO__CLASS(value) && !GO__IS_NUMBER(value) &&                      \
                   (!GO__IS_VOID(1 ? *(c).elem : (value)) || GO__IS_VOID(*(c).elem) || GO__IS_VOID(value))), \
              "goco: the value's type is not the channel's element type")

/* An array of one, because {value} would initialise the first member of an element that is a struct. */
#define GO_SEND(c, ...) \
    (GO__CHECK_VALUE(c, (__VA_ARGS__)), go_chan_send((c).chan, (const void *)(__typeof__(*(c).elem)[1]){(__VA_ARGS__)}))
#define GO_RECV(c, ptr) (GO__CHECK_OUT(c, ptr), go_chan_recv((c).chan, (ptr)))
#define GO_CASE_SEND(c, ptr)                                                  \
    {                                                                         \
        (c).chan, (GO__CHECK_IN(c, ptr), (void *)(ptr)), GO_DIRECTION_SEND, 0 \
    }
#define GO_CASE_RECV(c, ptr)                                                   \
    {                                                                          \
        (c).chan, (GO__CHECK_OUT(c, ptr), (void *)(ptr)), GO_DIRECTION_RECV, 0 \
    }

#endif

#endif
