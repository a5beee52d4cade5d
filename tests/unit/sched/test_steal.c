/* When a thief holds back, for how long, and what ends it. The file alone, at a made-up time that goes on by a microsecond with each look at
 * the clock; a second p does what the test says meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sched/steal.c"

struct go__sched go__sched;
#if GO__TSAN
go__atomic(unsigned) go__tsan_fence_word;
#endif

#define BEGIN INT64_C(1000000000000)

static int64_t now;
static struct go__p ps[3], *all_p[3] = {&ps[0], &ps[1], &ps[2]};
static struct go__m m;
static struct go__g spoils;
static int claims, prepared;
static bool wanted;
static struct go__p *robbed_first; /* NULL before */

static uint64_t each_us;           /* what the other p does in a microsecond: goroutines run */
static int64_t hungry_ns, busy_at; /* for how long owners have seen somebody hungry; when the thief's own timer is due */
static int64_t calm_at;            /* when they last saw nobody */

int64_t go__clock_now(void)
{
    now += 1000;
    store_rlx(&ps[1].switches, load_rlx(&ps[1].switches) + each_us);
    if (go__hungry()) {
        hungry_ns += 1000;
    } else {
        calm_at = now;
    }
    if (now >= busy_at) {
        store_rlx(&ps[0].timer_next, now);
    }
    return now;
}

/* What the others do is made up as well. */
void go__run_timers(struct go__p *pp, int64_t at)
{
    (void)pp;
    (void)at;
}

void go__run_due_timers(int64_t at)
{
    (void)at;
}

void go__poll_at_intervals(struct go__p *pp, int64_t at)
{
    (void)pp;
    (void)at;
}

bool go__slots_wanted(void)
{
    return wanted;
}

void go__slots_prepare(void)
{
    assert_int_equal(load_rlx(&go__sched.holding), 0);
    assert_int_equal(load_rlx(&go__sched.spinning), 0); /* others search meanwhile */
    now += 300000;
    prepared++;
    wanted = prepared < 3;
}

void go__spinning_start(struct go__m *mp)
{
    mp->spinning = true;
    (void)add_sc(&go__sched.spinning, 1u);
}

void go__spinning_stop(struct go__m *mp)
{
    mp->spinning = false;
    (void)sub_sc(&go__sched.spinning, 1u);
}

bool go__claim_p(struct go__p *pp)
{
    assert_true(go__runq_hides(pp));
    claims++;
    return false;
}

bool go__unclaim_p(struct go__p *pp, struct go__m *owner)
{
    (void)pp;
    (void)owner;
    return false;
}

void go__futex_lock_slow(go__futex_mutex *lock)
{
    (void)lock;
    fail();
}

void go__futex_wake(go__atomic(uint32_t) * word, int count)
{
    (void)word;
    (void)count;
    fail();
}

void go__runq_publish(struct go__p *pp)
{
    (void)pp;
}

void go__runq_recall(struct go__p *pp)
{
    (void)pp;
}

void go__share(struct go__p *pp)
{
    (void)pp;
}

struct go__g *go__runq_steal(struct go__p *to, struct go__p *victim)
{
    assert_ptr_equal(to, &ps[0]);
    robbed_first = robbed_first == NULL ? victim : robbed_first;
    return load_rlx(&victim->tail) != 0 ? &spoils : NULL;
}

static int setup(void **state)
{
    (void)state;
    now = BEGIN;
    go__sched = (struct go__sched){.procs = 2, .all_p = all_p};
    store_rlx(&go__sched.spinning, 1u);
    for (int i = 0; i < 3; i++) {
        memset(&ps[i], 0, sizeof ps[i]);
        store_rlx(&ps[i].timer_next, INT64_MAX);
    }
    m = (struct go__m){.p = &ps[0], .spinning = true};
    each_us = 10;
    hungry_ns = calm_at = 0;
    busy_at = INT64_MAX;
    claims = prepared = 0;
    wanted = false;
    return 0;
}

static void rob(uint32_t loot)
{
    store_rlx(&ps[1].tail, 1u);
    store_rlx(&ps[0].tail, loot - 1);
    assert_ptr_equal(go__steal(&m), &spoils);
    store_rlx(&ps[0].tail, 0u);
    store_rlx(&ps[1].tail, 0u);
    hungry_ns = 0;
}

/* It took `loot` goroutines, which ran for ns altogether, and searches again. For how long it held back. */
static int64_t theft(uint32_t loot, int64_t ns)
{
    rob(loot);
    now += ns;
    int64_t since = now;
    assert_false(go__hold_back(&m));
    assert_int_equal(load_rlx(&go__sched.holding), 0);
    return now - since;
}

static void worthless_thefts(int count)
{
    for (int i = 0; i < count; i++) {
        (void)theft(4, 100);
    }
}

static void test_whose_loot_took_long_steals_again_at_once(void **state)
{
    (void)state;
    assert_true(theft(10, 20000) < 2000);
    assert_int_equal(hungry_ns, 1000);
}

static void test_whose_loot_was_worth_nothing_waits_longer_each_time(void **state)
{
    (void)state;
    int64_t before = 0;
    for (int i = 0; i < 4; i++) {
        worthless_thefts(1);
        int64_t ns = theft(4, 100);
        assert_true(ns > 2 * before);
        before = ns;
    }
    worthless_thefts(20);
    assert_in_range(theft(4, 100), HOLD_MAX_NS, HOLD_MAX_NS + 10000);
    (void)theft(4, 5000); /* worth it: it begins anew */
    assert_true(theft(4, 100) < 5000);
}

static void test_owners_share_only_when_the_end_is_near(void **state)
{
    (void)state;
    worthless_thefts(30);
    hungry_ns = 0;
    (void)theft(4, 100);
    assert_in_range(hungry_ns, HOLD_OPEN_NS - 5000, HOLD_OPEN_NS + 5000);
    assert_in_range(now - calm_at, HOLD_OPEN_NS - 5000, HOLD_OPEN_NS + 5000);
}

static void test_another_thief_that_does_not_hold_back_is_hungry(void **state)
{
    (void)state;
    worthless_thefts(30);
    hungry_ns = 0;
    store_rlx(&go__sched.spinning, 2u);
    int64_t held = theft(4, 100);
    assert_true(hungry_ns >= held);
}

static void test_goroutines_that_take_long_are_fetched_soon(void **state)
{
    (void)state;
    worthless_thefts(30);
    store_rlx(&ps[1].own_count, 5u);
    assert_true(theft(4, 100) > HOLD_MAX_NS - 5000); /* they run ten in a microsecond */
    each_us = 0;
    assert_true(theft(4, 100) < 2 * ATTEND_NS + HOLD_OPEN_NS);
    store_rlx(&ps[1].own_count, 0u); /* it runs one for long, but has no other */
    worthless_thefts(30);
    assert_true(theft(4, 100) > HOLD_MAX_NS - 5000);
}

static void test_who_ended_the_wait_is_robbed_first_and_what_it_hides_too(void **state)
{
    (void)state;
    worthless_thefts(30);
    go__sched.procs = 3;
    rob(4);
    store_rlx(&ps[1].tail, 5u);
    store_rlx(&ps[2].own_count, 5u); /* it computes */
    int64_t since = now;
    for (int i = 0; i < 10; i++) { /* it cannot be had, and the others are left alone */
        robbed_first = NULL;
        assert_false(go__hold_back(&m));
        int asked = claims;
        assert_null(go__steal(&m));
        assert_ptr_equal(robbed_first, &ps[2]);
        assert_int_equal(claims, asked + 1);
    }
    assert_true(now - since < HOLD_MAX_NS / 2);
    store_rlx(&ps[2].own_count, 0u);
    assert_false(go__hold_back(&m)); /* the rest of the wait */
    assert_in_range(now - since, HOLD_MAX_NS - 5000, HOLD_MAX_NS + 5000);
    robbed_first = NULL;
    assert_ptr_equal(go__steal(&m), &spoils);
}

static void test_a_pair_that_goes_on_needs_no_help(void **state)
{
    (void)state;
    worthless_thefts(30);
    struct hold h = {.now = now + ATTEND_NS, .attended = now, .at = 1, .progress = progress(&ps[1])};
    store_rlx(&ps[1].runnext, &spoils);
    assert_true(needs_help(&m, &h)); /* nothing goes on */
    store_rlx(&ps[1].switches, load_rlx(&ps[1].switches) + 1);
    assert_false(needs_help(&m, &h));
    store_rlx(&ps[1].own_count, 1u);
    assert_true(needs_help(&m, &h));
}

static void test_it_prepares_memory_that_is_wanted(void **state)
{
    (void)state;
    worthless_thefts(30);
    wanted = true;
    assert_in_range(theft(4, 100), HOLD_MAX_NS, HOLD_MAX_NS + 10000);
    assert_int_equal(prepared, 3);
    assert_int_equal(load_rlx(&go__sched.spinning), 1);
    prepared = 0;
    wanted = true;
    store_rlx(&ps[2].own_count, 5u); /* but if somebody needs it, no more */
    go__sched.procs = 3;
    rob(4);
    assert_false(go__hold_back(&m));
    assert_in_range(prepared, 1, 2);
}

static void test_it_holds_back_once_a_theft(void **state)
{
    (void)state;
    worthless_thefts(30);
    rob(4);
    assert_false(go__hold_back(&m));
    assert_null(go__steal(&m)); /* too late */
    int64_t since = now;
    assert_false(go__hold_back(&m));
    assert_true(now - since < 2000);
}

static void test_who_starts_goroutines_does_something_too(void **state)
{
    (void)state;
    worthless_thefts(30);
    store_rlx(&ps[1].own_count, 500u);
    store_rlx(&ps[1].created, 1000);
    each_us = 0;
    struct hold h = {.now = now + ATTEND_NS, .attended = now, .at = 1, .progress = progress(&ps[1])};
    assert_true(needs_help(&m, &h));
    store_rlx(&ps[1].created, 1400);
    assert_false(needs_help(&m, &h));
}

static void test_a_crowd_is_left_alone_however_long_it_takes(void **state)
{
    (void)state;
    each_us = 0;
    store_rlx(&ps[1].own_count, 5u);
    m.crowding = GO__CROWD_MAX;
    for (int i = 0; i < 30; i++) {
        m.conflict_at = m.met_at = now;
        store_rlx(&ps[1].met_at, now);
        (void)theft(4, 100);
    }
    m.conflict_at = m.met_at = now;
    store_rlx(&ps[1].met_at, now);
    assert_true(theft(4, 100) > HOLD_MAX_NS - 5000);
    m.conflict_at = m.met_at = now;
    store_rlx(&ps[1].met_at, now - 2000000); /* these met nobody then */
    assert_true(theft(4, 100) < 2 * ATTEND_NS + HOLD_OPEN_NS);
}

static void test_what_is_its_own_comes_first_and_the_rest_of_the_wait_later(void **state)
{
    (void)state;
    worthless_thefts(30);
    rob(4);
    busy_at = now + 700000;
    assert_true(go__hold_back(&m));
    assert_int_equal(load_rlx(&go__sched.holding), 0);
    assert_in_range(now, busy_at, busy_at + 5000);
    busy_at = INT64_MAX;
    store_rlx(&ps[0].timer_next, INT64_MAX);
    int64_t since = now;
    assert_false(go__hold_back(&m));
    assert_in_range(now - since, HOLD_MAX_NS - 710000, HOLD_MAX_NS - 690000);
}

static void test_it_ends_where_the_run_or_the_world_stops(void **state)
{
    (void)state;
    worthless_thefts(30);
    rob(4);
    store_rlx(&go__sched.world_stopped, 1u);
    assert_true(go__hold_back(&m));
    store_rlx(&go__sched.world_stopped, 0u);
    store_rlx(&go__sched.stopping, 1u);
    assert_true(go__hold_back(&m));
    assert_int_equal(load_rlx(&go__sched.holding), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_whose_loot_took_long_steals_again_at_once, setup),
        cmocka_unit_test_setup(test_whose_loot_was_worth_nothing_waits_longer_each_time, setup),
        cmocka_unit_test_setup(test_owners_share_only_when_the_end_is_near, setup),
        cmocka_unit_test_setup(test_another_thief_that_does_not_hold_back_is_hungry, setup),
        cmocka_unit_test_setup(test_goroutines_that_take_long_are_fetched_soon, setup),
        cmocka_unit_test_setup(test_who_ended_the_wait_is_robbed_first_and_what_it_hides_too, setup),
        cmocka_unit_test_setup(test_a_pair_that_goes_on_needs_no_help, setup),
        cmocka_unit_test_setup(test_it_prepares_memory_that_is_wanted, setup),
        cmocka_unit_test_setup(test_it_holds_back_once_a_theft, setup),
        cmocka_unit_test_setup(test_who_starts_goroutines_does_something_too, setup),
        cmocka_unit_test_setup(test_a_crowd_is_left_alone_however_long_it_takes, setup),
        cmocka_unit_test_setup(test_what_is_its_own_comes_first_and_the_rest_of_the_wait_later, setup),
        cmocka_unit_test_setup(test_it_ends_where_the_run_or_the_world_stops, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
