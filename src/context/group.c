/* Groups: a counter of running goroutines under a spin lock, a queue of those who wait for a slot, and one who waits for all.
 *
 * A goroutine that ends hands its slot to the first in the queue, without letting the counter drop. The last one wakes the
 * waiter, which may free the group at once: nothing of it is touched after the lock is dropped. */
#include "go/group.h"

#include <errno.h>

#include "base/spinlock.h"
#include "go/run.h"
#include "os/fatal.h"
#include "sched/alloc.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sync/locals.h"
#include "sync/sudog.h"

struct go_group {
    go_context *context; /* constant; referenced */
    go__spinlock lock;
    /* Under lock. */
    int code;               /* first result that was not 0 */
    size_t active, limit;   /* limit 0: none */
    struct go__waitq queue; /* who waits for a slot */
    struct go__g *waiter;   /* in go_group_wait */
};

struct task {
    go_group *group;
    go_group_func fn;
    void *arg;
};

static void drop_lock(void *group)
{
    go__spin_unlock(&((go_group *)group)->lock);
}

static bool unlock_group(struct go__g *gp, void *arg)
{
    (void)gp;
    drop_lock(arg);
    return true;
}

go_group *go_group_new(go_context *parent)
{
    go_group *group = go__alloc(sizeof *group);
    if (group == NULL) {
        return NULL;
    }
    group->context = go_context_with_cancel(parent);
    if (group->context == NULL) {
        go__free(group);
        return NULL;
    }
    return group;
}

void go_group_set_limit(go_group *group, size_t limit)
{
    go__spin_lock(&group->lock);
    size_t active = group->active;
    group->limit = limit;
    go__spin_unlock(&group->lock);
    if (active != 0) {
        go__fatal("go_group_set_limit while %zu goroutines of the group are running", active);
    }
}

/* The slot of a goroutine that ended, or never began. */
static void release_slot(go_group *group)
{
    struct go__g *gp = NULL;
    go__spin_lock(&group->lock);
    struct go__sudog *sg = group->queue.first;
    if (sg != NULL) {
        go__waitq_remove(&group->queue, sg);
        gp = sg->g;
    } else if (--group->active == 0) {
        gp = group->waiter;
        group->waiter = NULL;
    }
    go__spin_unlock(&group->lock);
    if (gp != NULL) {
        go__ready(gp);
    }
}

static void fail(go_group *group, int code)
{
    go__spin_lock(&group->lock);
    bool first = group->code == 0;
    if (first) {
        group->code = code;
    }
    go__spin_unlock(&group->lock);
    if (first) {
        go_context_cancel(group->context, code);
    }
}

struct member {
    struct go__local local; /* go_exit inside fn counts as 0 */
    go_group *group;
};

static void member_ends(struct go__g *gp, struct go__local *local)
{
    go__local_remove(gp, local);
    release_slot(go__container_of(local, struct member, local)->group);
}

static void run_task(void *arg)
{
    struct task *task = arg;
    go_group *group = task->group;
    struct go__g *gp = go__self();
    struct member member;
    member.local.drop = member_ends;
    member.group = group;
    go__local_push(gp, &member.local); /* the first in, so the last out */
    (void)go_context_bind(group->context);
    int code = task->fn(group->context, task->arg);
    if (code != 0) {
        fail(group, code);
    }
    go__locals_drop(gp);
}

/* The group's slot is taken already. */
static int start(go_group *group, go_group_func fn, void *arg)
{
    struct task task;
    go_attr attr;
    task.group = group;
    task.fn = fn;
    task.arg = arg;
    attr.name = NULL;
    attr.stack_size = 0;
    attr.arg_size = sizeof task;
    attr.id = NULL;
    int code = go_spawn(&attr, run_task, &task);
    if (code != 0) {
        release_slot(group);
    }
    return code;
}

void go_group_go(go_group *group, go_group_func fn, void *arg)
{
    go__spin_lock(&group->lock);
    if (group->limit == 0 || group->active < group->limit) {
        group->active++;
        go__spin_unlock(&group->lock);
    } else {
        struct go__sudog sg;
        go__orphan_leaves(drop_lock, group);
        sg.g = go__self();
        sg.ticket = 0;
        go__wait_sole(sg.g);
        go__waitq_push(&group->queue, &sg);
        (void)go__park(unlock_group, group, GO__REASON_GROUP_WAIT); /* whoever wakes us leaves us its slot */
    }
    if (start(group, fn, arg) != 0) {
        go__fatal("out of memory starting a goroutine of a group");
    }
}

bool go_group_try_go(go_group *group, go_group_func fn, void *arg)
{
    go__spin_lock(&group->lock);
    bool room = group->limit == 0 || group->active < group->limit;
    if (room) {
        group->active++;
    }
    go__spin_unlock(&group->lock);
    return room && start(group, fn, arg) == 0;
}

go_context *go_group_context(go_group *group)
{
    return group->context;
}

int go_group_wait(go_group *group)
{
    struct go__g *gp = go__self();
    go__spin_lock(&group->lock);
    if (group->waiter != NULL) {
        go__spin_unlock(&group->lock);
        go__fatal("two calls of go_group_wait on one group");
    }
    if (group->active != 0) {
        go__orphan_leaves(drop_lock, group);
        group->waiter = gp;
        go__wait_sole(gp);
        (void)go__park(unlock_group, group, GO__REASON_GROUP_WAIT);
    } else {
        go__spin_unlock(&group->lock);
    }
    int code = group->code; /* nobody else is left who writes it */
    go_context_cancel(group->context, -ECANCELED);
    go_context_unref(group->context);
    go__free(group);
    return code;
}
