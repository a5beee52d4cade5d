/* Contexts: cancellation and deadlines for a whole request, and values that travel with it.
 *
 * Contexts form a tree: cancelling one cancels all below it, the first cause stays. A goroutine binds a context; from then on every
 * call of it that may park and has a result returns -ECANCELED once the context is done, at once or by waking up. Goroutines it
 * starts inherit the binding. So one go_context_cancel ends a request wherever it waits:
 *
 *   go_context *ctx = go_context_with_timeout(NULL, 2 * GO_SECOND);
 *   go_context *before = go_context_bind(ctx);
 *   int n = go_read(fd, buffer, sizeof buffer);     // at most two seconds, however deep in whichever library
 *   go_context_bind(before);
 *   go_context_unref(ctx);
 *
 * A context is reference counted; children hold their parent, a binding holds its context. Any thread may use contexts, and they
 * may be made before a run and outlive it; a deadline is noticed without a runtime too, by go_context_err. What waits in a run is woken at
 * the deadline of a context from outside of it once that run has bound the context, made a child of it or asked for its done channel (the
 * same one as before). */
#ifndef GO_CONTEXT_H
#define GO_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "go/base.h"
#include "go/chan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct go_context go_context;

/* go_context_background: the root. It is never done, its done channel is NULL, cancel, ref and unref do nothing to it. NULL as a
 * parent means the same. */
GO_API go_context *go_context_background(void);

/* go_context_with_cancel: a child of parent that can be cancelled by itself.
 *   parent   NULL is the background context; the child takes a reference to it
 * Returns the child with one reference, done already if parent is; NULL when memory is out.
 * Parks:  no.     Caller: any thread. */
GO_API GO_NODISCARD go_context *go_context_with_cancel(go_context *parent);

/* go_context_with_timeout: the same, and it ends with -ETIMEDOUT after `duration`; <= 0: it is done already. */
GO_API GO_NODISCARD go_context *go_context_with_timeout(go_context *parent, int64_t duration);

/* go_context_with_deadline: the same with an absolute deadline. The earlier one of parent and child counts. */
GO_API GO_NODISCARD go_context *go_context_with_deadline(go_context *parent, int64_t deadline);

/* go_context_with_value: a child that answers go_context_value(ctx, key) with value.
 *   key     compared as a pointer: use the address of a static object of yours */
GO_API GO_NODISCARD go_context *go_context_with_value(go_context *parent, const void *key, void *value);

/* go_context_ref, go_context_unref: one reference more, which is returned, or less. Unref'ing the last reference of a live context
 * cancels it; NULL is fine. */
GO_API go_context *go_context_ref(go_context *ctx);
GO_API void go_context_unref(go_context *ctx);

/* go_context_cancel: end ctx and everything below it; nothing happens if it is done already.
 *   cause   what go_context_err says from now on, a negative errno code; 0 means -ECANCELED
 * Parks:  no.     Wakes: everybody who waits with ctx or a descendant bound, or on a done channel.
 * Caller: any thread. */
GO_API void go_context_cancel(go_context *ctx, int cause);

/* go_context_err: 0 while ctx is live, then the cause: the code given to cancel, or -ETIMEDOUT. */
GO_API int go_context_err(go_context *ctx);

/* go_context_done: a channel that is closed when ctx is done, for go_select; borrowed, not to be unref'ed. NULL (never ready) for
 * the background context. Memory out is a fatal error. */
GO_API go_chan *go_context_done(go_context *ctx);

/* go_context_deadline: true and *deadline if ctx or one above it has a deadline. */
GO_API bool go_context_deadline(go_context *ctx, int64_t *deadline);

/* go_context_value: the value of the nearest context upwards that was made with key; NULL if there is none. */
GO_API void *go_context_value(go_context *ctx, const void *key);

/* go_context_bind: make ctx the calling goroutine's own; NULL: none. The binding holds a reference.
 * Returns the one bound before, borrowed: who wants to bind it again holds a reference, as its maker normally does.
 * Fatal:  no memory for the timer of ctx's deadline.
 * Parks:  no.     Caller: any goroutine or, while the runtime runs, any thread. */
GO_API go_context *go_context_bind(go_context *ctx);

/* go_context_bound: the calling goroutine's context, borrowed; NULL if none is bound. */
GO_API go_context *go_context_bound(void);

#ifdef __cplusplus
}
#endif

#endif
