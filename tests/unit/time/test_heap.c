/* The timer heap by itself: no runtime, a clock that the test sets, and stand-ins for what the heap asks of the scheduler. The
 * room's file is compiled into the test, which walks the heap after every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "time/timer.c"

enum { HEAPS = 3, TIMERS = 5000 };

static struct go__p ps[HEAPS];
static int current;       /* whose heap go__timers_current gives */
static int64_t announced; /* the last go__timers_armed */
static int refuse_memory; /* allocations from now on that still succeed; -1: all */
static int blocks;        /* allocated and not freed */
static int readied, called, spawned;

struct go__timers *go__timers_current(void)
{
    return ps[current].timers;
}

void go__timers_armed(struct go__timers *heap, int64_t when)
{
    (void)heap;
    announced = when;
}

void go__ready_list(struct go__g_list *list)
{
    readied += (int)list->count;
    list->head = list->tail = NULL;
    list->count = 0;
}

int go__spawn_from_system(go_func fn, void *arg)
{
    spawned++;
    fn(arg);
    return 0;
}

void *go__alloc(size_t size)
{
    if (refuse_memory == 0) {
        return NULL;
    }
    if (refuse_memory > 0) {
        refuse_memory--;
    }
    blocks++;
    return calloc(1, size);
}

void go__free(void *memory)
{
    if (memory != NULL) {
        blocks--;
    }
    free(memory);
}

void go__vdso_init(void) {}

void go__spin_lock_slow(go__spinlock *lock)
{
    (void)lock;
    fail_msg("a heap's lock was taken twice");
}

void go__fatal(const char *format, ...)
{
    fail_msg("%s", format);
    abort();
}

/* --- walking --- */

static void check_heap(struct go__p *pp)
{
    struct go__timers *h = pp->timers;
    uint32_t end = ROOT + h->used;
    assert_int_equal(load_rlx(&h->lock.word), 0);
    assert_true(h->used + h->reserved <= h->room);
    for (uint32_t i = ROOT; i < end; i++) {
        struct entry *e = entry_at(h, i);
        struct go__timer *t = *timer_of(h, e->slot);
        assert_non_null(t);
        assert_int_equal(t->index, e->slot + 1);
        assert_int_equal(*position_of(h, e->slot), i);
        assert_true(e->when <= t->when);
        assert_ptr_equal(load_rlx(&t->heap), h);
        if (i > ROOT) {
            assert_true(entry_at(h, i / 4 + 2)->when <= e->when);
        }
    }
    for (uint32_t c = 0, i = end; c < h->chunk_count; c++) {
        for (; i < chunk_start(c) + chunk_size(c); i++) {
            assert_int_equal(entry_at(h, i)->when, INT64_MAX);
        }
    }
    assert_int_equal(load_rlx(&pp->timer_next), h->used > 0 ? entry_at(h, ROOT)->when : INT64_MAX);
}

/* --- timers of the test --- */

struct item {
    struct go__timer timer;
    int64_t due; /* what the model says; INT64_MAX: not armed */
    int fired;
    int64_t fired_at;
    int64_t again; /* period of a repeating one */
    enum { DO_NOTHING, DO_CALL, DO_SPAWN } then;
};

static struct item items[TIMERS];
static int64_t last_due; /* deadlines come in order, heap by heap */

static void count_call(void *arg)
{
    (void)arg;
    called++;
}

static int64_t fire_item(struct go__timer *t, int64_t now, struct go__g_list *ready)
{
    (void)ready;
    struct item *it = (struct item *)(void *)t;
    assert_true(t->when <= now);
    it->fired++;
    it->fired_at = now;
    if (it->then != DO_NOTHING) {
        go__timer_defer(t, it->then == DO_CALL ? GO__TIMER_THEN_CALL : GO__TIMER_THEN_SPAWN, count_call, it);
    }
    last_due = t->when;
    if (it->again != 0) {
        it->due = t->when + it->again;
        return it->due;
    }
    it->due = INT64_MAX;
    return INT64_MAX;
}

static void fresh(struct item *it)
{
    *it = (struct item){.timer = {.fire = fire_item}, .due = INT64_MAX};
}

static int start(void **state)
{
    (void)state;
    refuse_memory = -1;
    current = 0;
    readied = called = spawned = 0;
    for (int i = 0; i < HEAPS; i++) {
        assert_int_equal(go__timers_init(&ps[i]), 0);
    }
    for (int i = 0; i < TIMERS; i++) {
        fresh(&items[i]);
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (int i = 0; i < HEAPS; i++) {
        go__timers_destroy(&ps[i]);
        assert_null(ps[i].timers);
        assert_int_equal(load_rlx(&ps[i].timer_next), INT64_MAX);
    }
    int heaps = 0; /* only the heaps themselves stay, for the next run */
    for (struct go__timers *h = pool; h != NULL; h = h->pool_link) {
        heaps++;
    }
    assert_int_equal(blocks, heaps);
    return 0;
}

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(((random_state >> 32) * n) >> 32);
}

static int run_all(struct go__p *pp, int64_t now)
{
    int total = 0, n;
    while ((n = go__timers_run(pp, now)) != 0) {
        total += n;
    }
    return total;
}

/* --- cases --- */

static void test_timers_fire_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(go__timer_arm(&items[i].timer, 1000 + random_below(100000)), 0);
    }
    check_heap(&ps[0]);
    assert_int_equal(go__timers_count(&ps[0]), TIMERS);
    for (int64_t now = 1000, before = 0; now <= 101000; now++) {
        last_due = before;
        int n = run_all(&ps[0], now);
        assert_true(n == 0 || last_due == now);
        before = now;
    }
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(items[i].fired, 1);
        assert_int_equal(items[i].fired_at, items[i].timer.when);
        assert_int_equal(items[i].timer.index, 0);
    }
    assert_int_equal(go__timers_count(&ps[0]), 0);
}

static void test_only_a_new_earliest_deadline_is_announced(void **state)
{
    (void)state;
    announced = 0;
    assert_int_equal(go__timer_arm(&items[0].timer, 500), 0);
    assert_int_equal(announced, 500);
    announced = 0;
    assert_int_equal(go__timer_arm(&items[1].timer, 600), 0);
    assert_int_equal(announced, 0);
    assert_int_equal(go__timer_arm(&items[2].timer, 400), 0);
    assert_int_equal(announced, 400);
    assert_int_equal(load_rlx(&ps[0].timer_next), 400);
    assert_true(go__timer_disarm(&items[2].timer));
    assert_int_equal(load_rlx(&ps[0].timer_next), 500);
}

static void test_disarming_tells_whether_it_was_armed(void **state)
{
    (void)state;
    assert_false(go__timer_disarm(&items[0].timer));
    assert_int_equal(go__timer_arm(&items[0].timer, 10), 0);
    assert_true(go__timer_disarm(&items[0].timer));
    assert_false(go__timer_disarm(&items[0].timer));
    assert_int_equal(go__timer_arm(&items[0].timer, 10), 0);
    assert_int_equal(go__timers_run(&ps[0], 10), 1);
    assert_false(go__timer_disarm(&items[0].timer));
    assert_int_equal(items[0].fired, 1);
}

/* Against a model that knows each timer's deadline by itself. */
static void test_random_steps_agree_with_a_model(void **state)
{
    (void)state;
    enum { SOME = 400 };
    int64_t now = 1000;
    for (int step = 0; step < 60000; step++) {
        struct item *it = &items[random_below(SOME)];
        int64_t when = now + 1 + (int64_t)random_below(1000);
        struct go__timers *announce;
        switch (random_below(5)) {
        case 0:
        case 1:
            if (it->due == INT64_MAX) {
                current = (int)random_below(HEAPS);
                assert_int_equal(go__timer_arm(&it->timer, when), 0);
                it->due = when;
            }
            break;
        case 2:
            assert_int_equal(go__timer_disarm(&it->timer), it->due != INT64_MAX);
            it->due = INT64_MAX;
            break;
        case 3:
            assert_int_equal(go__timer_rearm(&it->timer, when, &announce), it->due != INT64_MAX);
            it->due = it->due != INT64_MAX ? when : INT64_MAX;
            break;
        default:
            now += random_below(40);
            for (int p = 0; p < HEAPS; p++) {
                (void)run_all(&ps[p], now);
                check_heap(&ps[p]);
            }
            for (int i = 0; i < SOME; i++) {
                assert_true(items[i].due > now);
                assert_int_equal(items[i].timer.index != 0, items[i].due != INT64_MAX);
                assert_true(items[i].timer.index == 0 || items[i].timer.when == items[i].due);
            }
        }
    }
}

static void test_a_timer_that_was_put_off_fires_at_its_later_deadline(void **state)
{
    (void)state;
    struct go__timers *announce;
    assert_int_equal(go__timer_arm(&items[0].timer, 100), 0);
    assert_true(go__timer_rearm(&items[0].timer, 300, &announce));
    assert_null(announce);
    (void)go__timers_run(&ps[0], 299);
    assert_int_equal(items[0].fired, 0);
    check_heap(&ps[0]);
    assert_int_equal(load_rlx(&ps[0].timer_next), 300);
    (void)go__timers_run(&ps[0], 300);
    assert_int_equal(items[0].fired, 1);

    assert_int_equal(go__timer_arm(&items[1].timer, 400), 0);
    assert_true(go__timer_rearm(&items[1].timer, INT64_MAX, &announce));
    (void)go__timers_run(&ps[0], 400);
    check_heap(&ps[0]);
    assert_true(go__timer_disarm(&items[1].timer)); /* armed for ever, but armed */
}

static void test_a_timer_that_was_brought_forward_is_announced(void **state)
{
    (void)state;
    struct go__timers *announce;
    assert_int_equal(go__timer_arm(&items[0].timer, 100), 0);
    assert_int_equal(go__timer_arm(&items[1].timer, 200), 0);
    assert_true(go__timer_rearm(&items[1].timer, 150, &announce));
    assert_null(announce);
    assert_true(go__timer_rearm(&items[1].timer, 50, &announce));
    assert_ptr_equal(announce, ps[0].timers);
    assert_int_equal(load_rlx(&ps[0].timer_next), 50);
    (void)go__timers_run(&ps[0], 50);
    assert_int_equal(items[1].fired, 1);
    assert_int_equal(items[0].fired, 0);
}

static void test_a_repeating_timer_keeps_its_room(void **state)
{
    (void)state;
    items[0].again = 10;
    assert_int_equal(go__timer_arm(&items[0].timer, 10), 0);
    while (ps[0].timers->used < ps[0].timers->room) {
        assert_int_equal(go__timer_arm(&items[ps[0].timers->used].timer, 1000000), 0);
    }
    refuse_memory = 0;
    for (int64_t now = 10; now <= 1000; now += 10) {
        assert_int_equal(go__timers_run(&ps[0], now), 1);
        check_heap(&ps[0]);
    }
    assert_int_equal(items[0].fired, 100);
}

static void test_what_is_deferred_runs_once_each(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        items[i].then = i % 2 == 0 ? DO_CALL : DO_SPAWN;
        assert_int_equal(go__timer_arm(&items[i].timer, 100 + i % 7), 0);
    }
    assert_int_equal(run_all(&ps[0], 200), 1000);
    assert_int_equal(called, 1000);
    assert_int_equal(spawned, 500);
}

static void test_reserved_room_is_kept(void **state)
{
    (void)state;
    struct go__timers *heap = go__timers_reserve();
    assert_non_null(heap);
    refuse_memory = 0;
    int armed = 0;
    while (go__timer_arm(&items[armed].timer, 100) == 0) {
        armed++;
    }
    assert_int_equal(go__timer_arm(&items[armed].timer, 100), -ENOMEM);
    assert_null(go__timers_reserve());
    assert_true(go__timer_arm_reserved(heap, &items[armed].timer, 50));
    check_heap(&ps[0]);
    assert_true(go__timer_disarm(&items[0].timer));
    heap = go__timers_reserve();
    assert_non_null(heap);
    go__timers_unreserve(heap);
    assert_int_equal(go__timer_arm(&items[0].timer, 100), 0);
}

static void test_memory_out_leaves_the_heap_as_it_was(void **state)
{
    (void)state;
    for (int allowed = 0; allowed < 6; allowed++) {
        refuse_memory = allowed;
        int armed = 0;
        while (armed < TIMERS && go__timer_arm(&items[armed].timer, 100 + armed) == 0) {
            armed++;
        }
        check_heap(&ps[0]);
        refuse_memory = -1;
        for (int i = 0; i < armed; i++) {
            assert_true(go__timer_disarm(&items[i].timer));
        }
    }
}

static void test_timers_move_to_another_heap_and_back(void **state)
{
    (void)state;
    struct go__timers *announce;
    for (int i = 0; i < 1000; i++) {
        current = i % 2;
        assert_int_equal(go__timer_arm(&items[i].timer, 100 + i), 0);
    }
    assert_true(go__timer_rearm(&items[999].timer, 5000, &announce));
    current = 1;
    struct go__timers *heap = go__timers_reserve();
    go__timers_move(&ps[1], &ps[0]);
    check_heap(&ps[0]);
    check_heap(&ps[1]);
    assert_int_equal(go__timers_count(&ps[0]), 1000);
    assert_int_equal(items[999].timer.when, 5000);
    assert_true(go__timer_disarm(&items[1].timer));
    (void)go__timer_arm_reserved(heap, &items[1].timer, 101); /* follows the reservation */
    assert_int_equal(go__timers_count(&ps[0]), 1000);
    assert_int_equal(go__timer_arm(&items[1000].timer, 7), 0); /* a caller who still has the old heap in hand */
    assert_int_equal(go__timers_count(&ps[0]), 1001);
    assert_int_equal(go__timers_init(&ps[1]), 0); /* the p comes back */
    assert_int_equal(go__timer_arm(&items[1001].timer, 7), 0);
    assert_int_equal(go__timers_count(&ps[1]), 1);
    assert_int_equal(run_all(&ps[0], 5000), 1001);
}

static void test_timers_outlive_their_run(void **state)
{
    (void)state;
    struct go__timers *announce;
    assert_int_equal(go__timer_arm(&items[0].timer, 100), 0);
    struct go__timers *heap = go__timers_reserve();
    assert_int_equal(stop(NULL), 0);
    assert_false(go__timer_disarm(&items[0].timer));
    assert_false(go__timer_rearm(&items[0].timer, 5, &announce));
    assert_false(go__timer_arm_reserved(heap, &items[1].timer, 100)); /* of a run that is over */
    assert_false(go__timer_disarm(&items[1].timer));
    go__timers_unreserve(heap);
    assert_int_equal(start(NULL), 0);
    assert_false(go__timer_disarm(&items[0].timer));
    assert_int_equal(go__timer_arm(&items[0].timer, 100), 0);
    assert_true(go__timer_disarm(&items[0].timer));
}

static void test_deadlines_saturate(void **state)
{
    (void)state;
    assert_int_equal(go__deadline_after(100, 5), 105);
    assert_int_equal(go__deadline_after(100, 0), 100);
    assert_int_equal(go__deadline_after(100, -7), 100);
    assert_int_equal(go__deadline_after(100, INT64_MIN), 100);
    assert_int_equal(go__deadline_after(100, INT64_MAX), INT64_MAX);
    assert_int_equal(go__deadline_after(100, INT64_MAX - 100), INT64_MAX);
    assert_int_equal(go__deadline_after(100, INT64_MAX - 101), INT64_MAX - 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(test_timers_fire_in_the_order_of_their_deadlines),
        CASE(test_only_a_new_earliest_deadline_is_announced),
        CASE(test_disarming_tells_whether_it_was_armed),
        CASE(test_random_steps_agree_with_a_model),
        CASE(test_a_timer_that_was_put_off_fires_at_its_later_deadline),
        CASE(test_a_timer_that_was_brought_forward_is_announced),
        CASE(test_a_repeating_timer_keeps_its_room),
        CASE(test_what_is_deferred_runs_once_each),
        CASE(test_reserved_room_is_kept),
        CASE(test_memory_out_leaves_the_heap_as_it_was),
        CASE(test_timers_move_to_another_heap_and_back),
        CASE(test_timers_outlive_their_run),
        CASE(test_deadlines_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
