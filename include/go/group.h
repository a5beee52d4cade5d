/* Groups: goroutines that work on one thing, with one result. The first that fails cancels the rest (Go's errgroup).
 *
 *   static int fetch(go_context *ctx, void *arg) { ... return 0; or a negative code }
 *   ...
 *   go_group *group = go_group_new(NULL);
 *   for (size_t i = 0; i < count; i++) {
 *       go_group_go(group, fetch, &jobs[i]);
 *   }
 *   int code = go_group_wait(group);     // 0, or the first failure; group is gone */
#ifndef GO_GROUP_H
#define GO_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "go/base.h"
#include "go/context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct go_group go_group;

/* What a group runs. ctx is the group's context, bound to the goroutine; the result is 0 or an error code. */
typedef int (*go_group_func)(go_context *ctx, void *arg);

/* go_group_new: a group whose context is a child of parent (NULL: of the background).
 * Returns the group, which go_group_wait frees; NULL when memory is out.
 * Parks:  no.     Caller: any thread. */
GO_API GO_NODISCARD go_group *go_group_new(go_context *parent);

/* go_group_set_limit: at most `limit` of the group's goroutines run at once; 0: no limit. Changing it while some run is a fatal
 * error. */
GO_API void go_group_set_limit(go_group *group, size_t limit);

/* go_group_go: start fn(context, arg) in a goroutine of its own; go_exit inside fn counts as 0. Memory out is a fatal error.
 * Parks:  yes, while as many as the limit allows are running; never cancelled.
 * Caller: any goroutine, the group's own included, or, while the runtime runs, any thread. */
GO_API void go_group_go(go_group *group, go_group_func fn, void *arg);

/* go_group_try_go: the same, but false where go_group_go would park, and when memory is out. */
GO_API GO_NODISCARD bool go_group_try_go(go_group *group, go_group_func fn, void *arg);

/* go_group_context: the group's context; borrowed, valid until go_group_wait. */
GO_API go_context *go_group_context(go_group *group);

/* go_group_wait: wait for all of them, then free the group.
 * Returns the first result that was not 0, or 0. The group's context is done afterwards: with that result, or -ECANCELED.
 * Parks:  yes; never cancelled.     Caller: one goroutine or, while the runtime runs, one thread. */
GO_API int go_group_wait(go_group *group);

#ifdef __cplusplus
}
#endif

#endif
