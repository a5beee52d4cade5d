/* Channels, timers, deadlines of waits, contexts, groups, keys. */
#include <errno.h>
#include <stdint.h>

#include "fault/scenario.h"

static const int no_memory[] = {-ENOMEM, 0};

static int channels(void *arg)
{
    static const struct {
        size_t size, capacity;
    } shapes[] = {{4, 0}, {4, 100}, {100, 1000}, {0, 5}};
    int error = 0;
    (void)arg;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char elem[100] = {0};
        go_chan *c = go_chan_new(shapes[i].size, shapes[i].capacity);
        note_error(&error, c == NULL ? -ENOMEM : 0);
        if (c != NULL && shapes[i].capacity != 0) {
            CHECK_EQUAL(go_chan_send(c, elem), 0);
        }
        go_chan_unref(c);
    }
    return error;
}

static void send_all(void *arg)
{
    go_chan **c = arg;
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 20; n++) {
            CHECK_EQUAL(go_chan_send(c[i], &n), 0);
        }
        CHECK_EQUAL(go_chan_close(c[i]), 0);
    }
}

/* A select that cannot get its memory leaves everything where it is: all elements arrive, in their order. */
static int receive_all(go_chan **c)
{
    int next[2] = {0, 0}, open = 2, error = 0, n = -1;
    while (open > 0) {
        go_case cases[20];
        for (int i = 0; i < 20; i++) { /* too many for the small blocks */
            cases[i] = (go_case){i < 2 ? c[i] : NULL, &n, GO_DIRECTION_RECV, 0};
        }
        int at = go_select(cases, next[0] % 2 == 0 ? 20 : 2);
        note_error(&error, at);
        if (at < 0) {
            at = c[0] != NULL ? 0 : 1;
            cases[at].result = go_chan_recv(c[at], &n);
        }
        if (cases[at].result == -EPIPE) {
            c[at] = NULL;
            open--;
        } else {
            CHECK_EQUAL(n, next[at]++);
        }
    }
    CHECK(next[0] == 20 && next[1] == 20);
    return error;
}

static int selects(void *arg)
{
    go_chan *c[2] = {go_chan_new(sizeof(int), 0), go_chan_new(sizeof(int), 3)};
    go_chan *both[2] = {c[0], c[1]};
    int error = c[0] != NULL && c[1] != NULL ? 0 : -ENOMEM;
    (void)arg;
    if (error == 0) {
        error = go_spawn(NULL, send_all, c);
    }
    if (error == 0) {
        error = receive_all(both);
    }
    go_chan_unref(c[0]);
    go_chan_unref(c[1]);
    return error;
}

static void sleeper(void *arg)
{
    int code = go_sleep(GO_MILLISECOND);
    CHECK(code == 0 || code == -ENOMEM);
    go_waitgroup_done(arg);
}

static int sleeps(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0;
    (void)arg;
    for (int i = 0; i < 100; i++) { /* the heaps grow */
        go_waitgroup_add(&wg, 1);
        int code = go_spawn(NULL, sleeper, &wg);
        if (code != 0) {
            go_waitgroup_done(&wg);
        }
        note_error(&error, code);
    }
    note_error(&error, go_sleep(GO_MICROSECOND));
    go_waitgroup_wait(&wg);
    return error;
}

static void fired(void *arg)
{
    go_waitgroup_done(arg);
}

static int timers(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0;
    int64_t when;
    (void)arg;
    go_timer *t = go_timer_new(GO_MILLISECOND);
    go_ticker *tick = go_ticker_new(GO_MILLISECOND);
    go_waitgroup_add(&wg, 1);
    go_timer *f = go_timer_func(GO_MILLISECOND, fired, &wg);
    note_error(&error, t == NULL || tick == NULL || f == NULL ? -ENOMEM : 0);
    if (t != NULL) {
        CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &when), 0);
        (void)go_timer_reset(t, GO_MICROSECOND);
        CHECK_EQUAL(go_chan_recv(go_timer_chan(t), &when), 0);
    }
    for (int i = 0; tick != NULL && i < 2; i++) {
        CHECK_EQUAL(go_chan_recv(go_ticker_chan(tick), &when), 0);
    }
    if (f == NULL) {
        go_waitgroup_done(&wg);
    }
    go_waitgroup_wait(&wg);
    go_timer_free(t);
    go_timer_free(f);
    go_ticker_free(tick);
    return error;
}

/* What deadlines return. */
static void expect(int *error, int code)
{
    CHECK(code == -ETIMEDOUT || code == -ENOMEM);
    note_error(error, code == -ETIMEDOUT ? 0 : code);
}

static int deadlines(void *arg)
{
    go_mutex m = GO_MUTEX_INIT;
    go_cond c = GO_COND_INIT;
    go_sem s;
    go_waitgroup wg = GO_WAITGROUP_INIT;
    int error = 0, n;
    (void)arg;
    go_chan *chan = go_chan_new(sizeof n, 0);
    go_sem_init(&s, 1);
    go_waitgroup_add(&wg, 1);
    go_mutex_lock(&m);
    CHECK_EQUAL(go_sem_acquire(&s, 1), 0);
    if (chan != NULL) {
        expect(&error, go_chan_recv_until(chan, &n, go_now() + GO_MILLISECOND));
        expect(&error, go_chan_send_until(chan, &n, go_now() + GO_MILLISECOND));
        go_case one = {chan, &n, GO_DIRECTION_RECV, 0};
        expect(&error, go_select_until(&one, 1, go_now() + GO_MILLISECOND));
    }
    expect(&error, go_mutex_lock_until(&m, go_now() + GO_MILLISECOND));
    expect(&error, go_cond_wait_until(&c, &m, go_now() + GO_MILLISECOND));
    expect(&error, go_sem_acquire_until(&s, 1, go_now() + GO_MILLISECOND));
    expect(&error, go_waitgroup_wait_until(&wg, go_now() + GO_MILLISECOND));
    go_mutex_unlock(&m); /* it and the semaphore are as they were, nobody is left in a queue */
    CHECK(go_mutex_trylock(&m));
    go_sem_release(&s, 1);
    CHECK(go_sem_try_acquire(&s, 1));
    go_chan_unref(chan);
    return chan != NULL ? error : -ENOMEM;
}

static int contexts(void *arg)
{
    static const char key = 0;
    (void)arg;
    go_context *top = go_context_with_cancel(NULL);
    go_context *timed = go_context_with_timeout(top, GO_MILLISECOND);
    go_context *value = go_context_with_value(timed, &key, &top);
    int error = top != NULL && timed != NULL && value != NULL ? 0 : -ENOMEM;
    if (error == 0) {
        (void)go_context_bind(value);
        CHECK_EQUAL(go_chan_recv(go_context_done(value), NULL), -ECANCELED);
        CHECK_EQUAL(go_sleep(GO_SECOND), -ECANCELED);
        (void)go_context_bind(NULL);
        CHECK_EQUAL(go_context_err(value), -ETIMEDOUT);
    }
    go_context_unref(value);
    go_context_unref(timed);
    go_context_unref(top);
    return error;
}

static int member(go_context *ctx, void *arg)
{
    (void)ctx;
    return arg != NULL ? -EDOM : 0;
}

static int groups(void *arg)
{
    (void)arg;
    go_group *group = go_group_new(NULL);
    if (group == NULL) {
        return -ENOMEM;
    }
    go_group_set_limit(group, 2);
    for (int i = 0; i < 6; i++) {
        if (i % 2 == 0) {
            go_group_go(group, member, NULL);
        } else {
            bool begun = go_group_try_go(group, member, i == 5 ? group : NULL); /* false: no memory, or no room */
            (void)begun;
        }
    }
    int code = go_group_wait(group);
    CHECK(code == 0 || code == -EDOM);
    return 0;
}

static void count_value(void *value)
{
    (*(int *)value)++;
}

#define KEYS 6 /* a goroutine's table is made, and made larger */

struct values {
    go_waitgroup done;
    go_key *keys[KEYS];
    int ends;
};

static void set_values(void *arg)
{
    struct values *v = arg;
    for (int i = 0; i < KEYS; i++) {
        int code = v->keys[i] != NULL ? go_key_set(v->keys[i], &v->ends) : 0;
        CHECK(code == 0 || code == -ENOMEM);
        CHECK(v->keys[i] == NULL || go_key_get(v->keys[i]) == (code == 0 ? &v->ends : NULL));
    }
}

static int keys(void *arg)
{
    struct values v = {.done = GO_WAITGROUP_INIT};
    int error = 0;
    (void)arg;
    for (int i = 0; i < KEYS; i++) {
        v.keys[i] = go_key_new(count_value);
        note_error(&error, v.keys[i] == NULL ? -ENOMEM : 0);
    }
    go_waitgroup_go(&v.done, set_values, &v);
    go_waitgroup_wait(&v.done); /* after the values are destroyed */
    for (int i = 0; i < KEYS; i++) {
        go_key_free(v.keys[i]);
    }
    CHECK(v.ends <= KEYS && (error != 0 || v.ends >= 0));
    return error;
}

const struct scenario scenarios_sync[] = {
    {.name = "channels", .body = channels, .errors = no_memory},
    {.name = "selects", .body = selects, .errors = no_memory},
    {.name = "sleeps", .body = sleeps, .errors = no_memory},
    {.name = "timers", .body = timers, .errors = no_memory, .fatal = "out of memory"},
    {.name = "deadlines", .body = deadlines, .errors = no_memory},
    {.name = "contexts", .body = contexts, .errors = no_memory, .fatal = "out of memory"},
    {.name = "groups", .body = groups, .errors = no_memory, .fatal = "out of memory"},
    {.name = "keys", .body = keys, .errors = no_memory, .fatal = "out of memory"},
    {.name = NULL},
};
