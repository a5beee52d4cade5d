/* Every allocation of timers, contexts and groups fails once: a result says so, and nothing is left behind. The library's calloc is
 * redirected by the linker. */
#include <errno.h>
#include <stdlib.h>

#include "support/behaviour.h"

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static _Thread_local long allowed = -1; /* allocations of this thread that still succeed; -1: all */
static _Thread_local bool failed;

void *__wrap_calloc(size_t count, size_t size)
{
    if (allowed == 0) {
        failed = true;
        return NULL;
    }
    allowed -= allowed > 0;
    return __real_calloc(count, size);
}

/* Calls make() with the first, second, ... allocation failing, until none does. make frees what it made and says whether it could.
 * Nothing in make parks, so it stays on its thread. */
static void each_allocation_fails(bool (*make)(void))
{
    for (long n = 0;; n++) {
        failed = false;
        allowed = n;
        bool made = make();
        allowed = -1;
        CHECK_EQUAL(made, !failed);
        if (made) {
            return;
        }
        CHECK(n < 100);
    }
}

static bool make_timer(void)
{
    go_timer *t = go_timer_new(3600 * GO_SECOND);
    go_timer_free(t);
    return t != NULL;
}

static void nothing(void *arg)
{
    (void)arg;
}

static bool make_func_timer(void)
{
    go_timer *t = go_timer_func(3600 * GO_SECOND, nothing, NULL);
    go_timer_free(t);
    return t != NULL;
}

static bool make_ticker(void)
{
    go_ticker *t = go_ticker_new(3600 * GO_SECOND);
    go_ticker_free(t);
    return t != NULL;
}

static bool make_contexts(void)
{
    static const char key;
    go_context *a = go_context_with_cancel(NULL);
    go_context *b = a != NULL ? go_context_with_timeout(a, 3600 * GO_SECOND) : NULL;
    go_context *c = b != NULL ? go_context_with_value(b, &key, NULL) : NULL;
    go_context_unref(a);
    go_context_unref(b);
    go_context_unref(c);
    return c != NULL;
}

static bool make_group(void)
{
    go_group *group = go_group_new(NULL);
    if (group == NULL) {
        return false;
    }
    return go_group_wait(group) == 0;
}

/* The heap has no room yet in the first, room for a few in the others. */
static void memory_out_is_a_result(void)
{
    each_allocation_fails(make_contexts);
    each_allocation_fails(make_timer);
    each_allocation_fails(make_func_timer);
    each_allocation_fails(make_ticker);
    each_allocation_fails(make_group);
}

enum { MANY = 1000 };

/* A heap that cannot grow refuses timers and serves those it has. */
static void a_full_heap_refuses_and_goes_on(void)
{
    static go_timer *timers[MANY];
    int made = 0;
    while (made < MANY) {
        allowed = 2; /* the timer and its channel, but no more room in the heap */
        timers[made] = go_timer_new(made % 5 * GO_MILLISECOND);
        allowed = -1;
        if (timers[made] == NULL) {
            break;
        }
        made++;
    }
    CHECK(made < MANY);
    for (int i = 0; i < made; i++) {
        CHECK_EQUAL(go_chan_recv(go_timer_chan(timers[i]), NULL), 0);
        go_timer_free(timers[i]);
    }
}

static void a_sleep_without_memory_says_so(void)
{
    failed = false;
    allowed = 0;
    int code = go_sleep(GO_SECOND);
    allowed = -1;
    CHECK(code == -ENOMEM && failed);
    CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(a_sleep_without_memory_says_so),
        BEHAVIOUR(memory_out_is_a_result),
        BEHAVIOUR(a_full_heap_refuses_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
