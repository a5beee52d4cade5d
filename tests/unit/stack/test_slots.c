/* Slots without a run: recycling, enumeration, guards, what comes back to the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/prefetch.h"
#include "os/vm.h"
#include "sched/rt.h"
#include "stack/depot.h"
#include "stack/grow.h"
#include "stack/stack.h"

enum { RUN = 7 };

static int start(void **state)
{
    (void)state;
    struct go__stacks_config config = {.reserve = (size_t)256 << 10, .max = (size_t)64 << 20, .run = RUN};
    return go__stacks_init(&config);
}

static int stop(void **state)
{
    (void)state;
    go__stacks_destroy();
    return 0;
}

static const enum go__slot_kind kinds[] = {
#if GO__STACK_SPLIT
    GO__SLOT_SMALL,
#endif
    GO__SLOT_RESERVED,
};

/* But for link, buf, slot_kind and run every byte of these gs is `value`. */
static void assert_heads(struct go__g *list, int value)
{
    for (struct go__g *gp = list; gp != NULL; gp = gp->link) {
        struct go__g expected;
        memset(&expected, value, sizeof expected);
        expected.link = gp->link;
        expected.buf = gp->buf;
        expected.slot_kind = gp->slot_kind;
        expected.run = gp->run;
        assert_memory_equal(gp, &expected, sizeof expected);
        assert_int_equal((uintptr_t)go__slot_hi(gp) % 16, 0);
        assert_true(go__slot_check(gp));
    }
}

static void test_slots_are_zero_at_first_and_then_as_they_were_left(void **state)
{
    enum { MANY = 40 }; /* in one slab */
    (void)state;
    for (size_t k = 0; k < go__countof(kinds); k++) {
        struct go__g *list = NULL;
        assert_int_equal(go__slots_refill(kinds[k], &list, MANY), MANY);
        assert_heads(list, 0);
        for (int turn = 1; turn < 4; turn++) {
            for (struct go__g *gp = list; gp != NULL; gp = gp->link) {
                assert_int_equal(gp->slot_kind, kinds[k]);
                assert_int_equal(gp->run, RUN);
                memset((char *)gp + sizeof gp->link, turn, sizeof *gp - sizeof gp->link); /* a used one */
            }
            go__slots_return(kinds[k], list, MANY);
            list = NULL;
            assert_int_equal(go__slots_refill(kinds[k], &list, MANY), MANY);
            assert_heads(list, turn);
        }
        go__slots_return(kinds[k], list, MANY);
    }
}

/* What walks a list fetches ahead where its neighbours say that the next ones lie. */
static void test_two_neighbours_of_a_batch_tell_where_the_others_lie(void **state)
{
    static char alone[1];
    (void)state;
    for (size_t k = 0; k < go__countof(kinds); k++) {
        struct go__g *list = NULL;
        assert_int_equal(go__slots_refill(kinds[k], &list, 8), 8);
        struct go__g *gp = list;
        for (uintptr_t ahead = 1; gp->link != NULL; ahead++) {
            gp = gp->link;
            assert_int_equal(go__guess(list, list->link, ahead), (uintptr_t)gp);
            if (kinds[k] == GO__SLOT_RESERVED) {
                break; /* too far apart for neighbours: the next one itself */
            }
        }
        go__slots_return(kinds[k], list, 8);
    }
    assert_int_equal(go__guess(NULL, alone, 8), (uintptr_t)alone);
    assert_int_equal(go__guess(alone, NULL, 8), 0);
}

static void test_slots_do_not_overlap_and_are_writable_to_the_last_byte(void **state)
{
    (void)state;
    for (size_t k = 0; k < go__countof(kinds); k++) {
        struct go__g *list = NULL;
        uint32_t got = go__slots_refill(kinds[k], &list, 200);
        assert_int_equal(got, 200);
        size_t keep = kinds[k] == GO__SLOT_SMALL ? sizeof(uint64_t) : 0; /* the canary */
        unsigned char mark = 0;
        for (struct go__g *gp = list; gp != NULL; gp = gp->link) {
            char *lo = go__slot_lo(gp);
            size_t bytes = go__slot_bytes(gp);
            memset(lo + keep, ++mark, 64);
            memset(lo + bytes - 64, mark, 64);
        }
        mark = 0;
        for (struct go__g *gp = list; gp != NULL; gp = gp->link) {
            char *lo = go__slot_lo(gp);
            mark++;
            assert_true((unsigned char)lo[keep] == mark && (unsigned char)lo[go__slot_bytes(gp) - 1] == mark);
            assert_true(go__slot_check(gp));
        }
        go__slots_return(kinds[k], list, got);
    }
}

static uint64_t mapped(void)
{
    struct go__stacks_stats stats;
    go__stacks_stats(&stats);
    return stats.mapped_bytes;
}

#if GO__STACK_SPLIT
static void test_small_slots_hold_2048_bytes_and_cost_less_than_2400(void **state)
{
    (void)state;
    struct go__g *list = NULL;
    assert_int_equal(go__slots_refill(GO__SLOT_SMALL, &list, 20000), 20000);
    assert_int_equal(go__slot_bytes(list), 2048);
    struct go__stacks_stats stats;
    go__stacks_stats(&stats);
    assert_int_equal(stats.small, 20000);
    assert_true(stats.mapped_bytes / 20000 < 2400);
    go__slots_return(GO__SLOT_SMALL, list, 20000);
    go__stacks_stats(&stats);
    assert_int_equal(stats.small, 0);
    assert_true(stats.mapped_bytes <= 10 * ((size_t)2 << 20)); /* most free slabs went back at once */
}

static void test_memory_is_prepared_for_small_slots_that_become_ever_more(void **state)
{
    (void)state;
    const uint64_t slab = 2 << 20;
    struct go__g *few = NULL, *many = NULL;
    assert_int_equal(go__slots_refill(GO__SLOT_SMALL, &few, 5000), 5000);
    uint64_t before = mapped();
    assert_false(go__slots_wanted()); /* it is not worth it yet */
    go__slots_prepare();
    assert_int_equal(mapped(), before);
    assert_int_equal(go__slots_refill(GO__SLOT_SMALL, &many, 40000), 40000);
    before = mapped();
    assert_true(go__slots_wanted());
    go__slots_prepare(); /* one, for the next that is wanted */
    assert_false(go__slots_wanted());
    assert_int_equal(mapped(), before + slab);
    assert_int_equal(go__slots_refill(GO__SLOT_SMALL, &few, 1000), 1000);
    assert_int_equal(mapped(), before + slab); /* that one */
    assert_true(go__slots_wanted());
    for (int i = 0; i < 5; i++) {
        go__slots_prepare(); /* two at most */
    }
    assert_int_equal(mapped(), before + 3 * slab);
    assert_int_equal(go__slots_refill(GO__SLOT_SMALL, &many, 1000), 1000);
    for (struct go__g *gp = many; gp != NULL; gp = gp->link) {
        assert_true(go__slot_check(gp));
        memset((char *)go__slot_lo(gp) + sizeof(uint64_t), 1, 64);
    }
    go__slots_prepare();
    before = mapped();
    go__stacks_trim(INT64_C(1000000000) * 10);
    assert_int_equal(mapped(), before);
    go__stacks_trim(INT64_C(1000000000) * 12); /* not wanted for a while */
    assert_int_equal(mapped(), before - 2 * slab);
    go__slots_return(GO__SLOT_SMALL, few, 6000);
}

static void test_canary_tells_an_overrun(void **state)
{
    (void)state;
    struct go__g *gp = NULL;
    assert_int_equal(go__slots_refill(GO__SLOT_SMALL, &gp, 1), 1);
    assert_true(go__slot_check(gp));
    uint64_t *canary = go__slot_lo(gp);
    *canary ^= 1;
    assert_false(go__slot_check(gp));
    *canary ^= 1;
    go__slots_return(GO__SLOT_SMALL, gp, 1);
}
#endif

static void test_the_last_slot_returned_comes_first(void **state)
{
    (void)state;
    for (size_t k = 0; k < go__countof(kinds); k++) {
        struct go__g *list = NULL;
        assert_int_equal(go__slots_refill(kinds[k], &list, 2), 2);
        struct go__g *first = list;
        struct go__g *second = list->link;
        go__slots_return(kinds[k], second, 1);
        go__slots_return(kinds[k], first, 1);
        list = NULL;
        assert_int_equal(go__slots_refill(kinds[k], &list, 1), 1);
        assert_ptr_equal(list, first);
        go__slots_return(kinds[k], list, 1);
    }
}

static void count_live(struct go__g *gp, void *arg)
{
    *(int *)arg += load_rlx(&gp->status) != GO__G_IDLE;
}

static void end_all(struct go__g *list)
{
    for (struct go__g *gp = list; gp != NULL; gp = gp->link) {
        store_rlx(&gp->status, GO__G_IDLE);
    }
}

static void test_enumeration_finds_every_live_goroutine(void **state)
{
    (void)state;
    int live = 0;
    go__slots_each(count_live, &live);
    assert_int_equal(live, 0);
    struct go__g *lists[go__countof(kinds)] = {NULL};
    for (size_t k = 0; k < go__countof(kinds); k++) {
        assert_int_equal(go__slots_refill(kinds[k], &lists[k], 1500), 1500);
        int i = 0;
        for (struct go__g *gp = lists[k]; gp != NULL; gp = gp->link) {
            store_rlx(&gp->status, i++ % 3 == 0 ? GO__G_WAITING : GO__G_IDLE);
        }
    }
    struct go__g *custom = go__slot_custom_new(1);
    store_rlx(&custom->status, GO__G_RUNNABLE);
    go__slots_each(count_live, &live);
    assert_int_equal(live, (int)go__countof(kinds) * 500 + 1);
    for (size_t k = 0; k < go__countof(kinds); k++) {
        end_all(lists[k]);
        go__slots_return(kinds[k], lists[k], 1500);
    }
    go__slot_custom_free(custom);
    live = 0;
    go__slots_each(count_live, &live);
    assert_int_equal(live, 0);
}

static void test_custom_slots_have_at_least_what_was_asked(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16384, 100000, (size_t)8 << 20};
    for (size_t i = 0; i < go__countof(sizes); i++) {
        struct go__g *gp = go__slot_custom_new(sizes[i]);
        assert_non_null(gp);
        assert_int_equal(gp->slot_kind, GO__SLOT_CUSTOM);
        assert_true(go__slot_bytes(gp) >= sizes[i]);
        memset(go__slot_lo(gp), 1, go__slot_bytes(gp));
        go__slot_custom_free(gp);
    }
    assert_null(go__slot_custom_new(SIZE_MAX));
    assert_null(go__slot_custom_new((size_t)1 << 62));
}

#if GO__STACK_SPLIT
static void assert_in_area(const struct go__g *gp, uint32_t area)
{
    uintptr_t lo = (uintptr_t)(GO__AREA_BASE + area * GO__AREA_BYTES);
    assert_in_range((uintptr_t)gp, lo, lo + GO__AREA_BYTES - 1);
}

/* Hands out `count` slots, looks where they are and takes back all but `kept`, which are left in *list. */
static void come_and_go(enum go__slot_kind kind, struct go__g **list, uint32_t count, uint32_t kept)
{
    assert_int_equal(go__slots_refill(kind, list, count), count);
    uint32_t n = 0;
    struct go__g **at = list;
    for (; *at != NULL && n < kept; at = &(*at)->link, n++) {
        assert_in_area(*at, kind == GO__SLOT_SMALL ? GO__AREA_SMALL : GO__AREA_RESERVED);
    }
    struct go__g *rest = *at;
    *at = NULL;
    for (n = 0, at = &rest; *at != NULL; at = &(*at)->link, n++) {
        assert_in_area(*at, kind == GO__SLOT_SMALL ? GO__AREA_SMALL : GO__AREA_RESERVED);
    }
    go__slots_return(kind, rest, n);
}

/* Slabs that came after a hole had been filled, and each second custom slot, once lay among the libraries, above the segments: a limit
 * left behind by longjmp then passed for theirs. */
static void test_slots_stay_below_the_segments_whatever_came_and_went(void **state)
{
    (void)state;
    for (int kind = GO__SLOT_SMALL; kind <= GO__SLOT_RESERVED; kind++) {
        struct go__g *list = NULL;
        uint32_t slabs = kind == GO__SLOT_SMALL ? 900 : 50;
        for (uint32_t turn = 1; turn < 6; turn++) {
            come_and_go((enum go__slot_kind)kind, &list, slabs * 30, slabs * (30 - 5 * turn));
        }
    }
    struct go__g *custom[5];
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < go__countof(custom); i++) {
            custom[i] = go__slot_custom_new((size_t)1 << 20);
            assert_non_null(custom[i]);
            assert_in_area(custom[i], GO__AREA_CUSTOM);
        }
        for (size_t i = go__countof(custom); i-- > 0;) {
            go__slot_custom_free(custom[i]);
        }
    }
}

/* Another one's mapping in the way costs a place, not the slot. */
static void test_what_lies_in_an_area_is_passed_by(void **state)
{
    (void)state;
    uintptr_t lo = (uintptr_t)(GO__AREA_BASE + GO__AREA_CUSTOM * GO__AREA_BYTES);
    size_t bytes = (size_t)1 << 30;
    void *other = go__vm_map(lo, bytes, go__vm_page());
    assert_int_equal((uintptr_t)other, lo);
    struct go__g *gp = go__slot_custom_new((size_t)1 << 20);
    assert_non_null(gp);
    assert_in_area(gp, GO__AREA_CUSTOM);
    go__slot_custom_free(gp);
    go__vm_unmap(other, bytes);
}
#endif

static void test_the_byte_below_a_stack_faults(void **state)
{
    (void)state;
    for (int kind = GO__SLOT_RESERVED; kind <= GO__SLOT_CUSTOM; kind++) {
        struct go__g *gp = NULL;
        if (kind == GO__SLOT_CUSTOM) {
            gp = go__slot_custom_new(50000);
        } else {
            assert_int_equal(go__slots_refill(GO__SLOT_RESERVED, &gp, 1), 1);
        }
        char *lo = go__slot_lo(gp);
        for (int below = 1; below <= (int)GO__GUARD_BYTES; below += 4096) {
            pid_t child = fork();
            if (child == 0) {
                signal(SIGSEGV, SIG_DFL); /* cmocka's handler would report it as a failure */
                *(volatile char *)(lo - below) = 1;
                _exit(0);
            }
            int status;
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        }
        if (kind == GO__SLOT_CUSTOM) {
            go__slot_custom_free(gp);
        } else {
            go__slots_return(GO__SLOT_RESERVED, gp, 1);
        }
    }
}

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

static void test_guards_hold_in_locked_memory(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
            _exit(77);
        }
        go__stacks_destroy();
        start(NULL);
        struct go__g *gp = NULL; /* light guards are refused here: page protection takes their place */
        if (go__slots_refill(GO__SLOT_RESERVED, &gp, 3) != 3) {
            _exit(1);
        }
        memset(go__slot_lo(gp), 1, go__slot_bytes(gp));
        *(volatile char *)((char *)go__slot_lo(gp) - 1) = 1;
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static size_t mapping_count(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t lines = 0;
    for (int c; (c = getc(maps)) != EOF;) {
        lines += c == '\n';
    }
    fclose(maps);
    return lines;
}

static void test_repeated_runs_leave_no_mapping_behind(void **state)
{
    (void)state;
    size_t before = 0;
    for (int run = 0; run < 5; run++) {
        start(NULL);
        for (size_t k = 0; k < go__countof(kinds); k++) {
            struct go__g *list = NULL;
            uint32_t count = kinds[k] == GO__SLOT_SMALL ? 40000 : 3000;
            assert_int_equal(go__slots_refill(kinds[k], &list, count), count); /* not even returned */
        }
        go__slots_prepare(); /* nor used */
        assert_non_null(go__slot_custom_new(100000));
        go__stacks_destroy();
        if (run == 0) {
            before = mapping_count();
        }
    }
    assert_int_equal(mapping_count(), before);
}

static size_t resident(const void *lo, size_t bytes)
{
    unsigned char pages[64];
    size_t n = bytes / go__vm_page();
    assert_true(n <= sizeof pages);
    assert_int_equal(mincore((void *)(uintptr_t)lo, bytes, pages), 0);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += pages[i] & 1;
    }
    return count;
}

static void test_trimming_returns_the_pages_of_idle_stacks(void **state)
{
    (void)state;
    struct go__g *list = NULL;
    assert_int_equal(go__slots_refill(GO__SLOT_RESERVED, &list, 2), 2);
    struct go__g *used = list->link;
    struct go__g *kept = list;
    size_t page = go__vm_page();
    char *lo = go__slot_lo(used);
    size_t whole = go__slot_bytes(used) / page * page; /* all but the page with the head */
    memset(lo, 1, whole);
    assert_int_equal(resident(lo, whole), whole / page);
    go__slots_return(GO__SLOT_RESERVED, used, 1);
    for (int second = 2; second <= 6; second++) {
        go__stacks_trim(INT64_C(1000000000) * second);
    }
    assert_int_equal(resident(lo, whole), 0);
    assert_int_equal(go__slots_refill(GO__SLOT_RESERVED, &used, 1), 1);
    memset(go__slot_lo(used), 1, whole);
    go__slots_return(GO__SLOT_RESERVED, used, 1);
    go__slots_return(GO__SLOT_RESERVED, kept, 1);
}

static void test_pinned_slots_stay_mapped(void **state)
{
    (void)state;
    struct go__g *lists[go__countof(kinds)] = {NULL};
    for (size_t k = 0; k < go__countof(kinds); k++) {
        assert_int_equal(go__slots_refill(kinds[k], &lists[k], 20000), 20000);
        store_rlx(&lists[k]->status, GO__G_WAITING);
    }
    struct go__g *custom = go__slot_custom_new(1);
    uint64_t before = mapped();
    go__slots_pin(INT64_MAX);
    for (size_t k = 0; k < go__countof(kinds); k++) {
        end_all(lists[k]);
        go__slots_return(kinds[k], lists[k], 20000);
    }
    go__slot_custom_free(custom);
    for (int second = 2; second <= 6; second++) {
        go__stacks_trim(INT64_C(1000000000) * second);
    }
    assert_int_equal(mapped(), before);
    int live = 0;
    go__slots_each(count_live, &live);
    assert_int_equal(live, 0);
    assert_int_equal(load_rlx(&custom->status), GO__G_IDLE);
    go__slots_unpin();
    for (int second = 7; second <= 100; second++) {
        go__stacks_trim(INT64_C(1000000000) * second);
    }
    assert_true(mapped() < before / 2);
}

static void test_many_guarded_stacks_share_few_mappings(void **state)
{
    (void)state;
    struct go__g *list = NULL;
    size_t before = mapping_count();
    uint32_t got = go__slots_refill(GO__SLOT_RESERVED, &list, 2000);
    assert_int_equal(got, 2000);
    if (go__vm_guard_is_light()) {
        assert_true(mapping_count() < before + 400);
    }
    go__slots_return(GO__SLOT_RESERVED, list, got);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_slots_are_zero_at_first_and_then_as_they_were_left),
        TEST(test_two_neighbours_of_a_batch_tell_where_the_others_lie),
        TEST(test_slots_do_not_overlap_and_are_writable_to_the_last_byte),
#if GO__STACK_SPLIT
        TEST(test_small_slots_hold_2048_bytes_and_cost_less_than_2400),
        TEST(test_memory_is_prepared_for_small_slots_that_become_ever_more),
        TEST(test_canary_tells_an_overrun),
        TEST(test_slots_stay_below_the_segments_whatever_came_and_went),
        TEST(test_what_lies_in_an_area_is_passed_by),
#endif
        TEST(test_the_last_slot_returned_comes_first),
        TEST(test_enumeration_finds_every_live_goroutine),
        TEST(test_custom_slots_have_at_least_what_was_asked),
        TEST(test_the_byte_below_a_stack_faults),
        TEST(test_guards_hold_in_locked_memory),
        cmocka_unit_test(test_repeated_runs_leave_no_mapping_behind),
        TEST(test_trimming_returns_the_pages_of_idle_stacks),
        TEST(test_pinned_slots_stay_mapped),
        TEST(test_many_guarded_stacks_share_few_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
