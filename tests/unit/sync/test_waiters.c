/* The ring that every queue of the sync room is. */
#include "support/behaviour.h"
#include "unit/sync/waiting.h"

static void expect(struct go__sudog *first, struct go__sudog *const *order, int n)
{
    assert_int_equal(ring_length(first), n);
    for (int i = 0; i < n; i++, first = first->next) {
        assert_ptr_equal(first, order[i]);
    }
}

static void a_zeroed_ring_is_empty(void **state)
{
    (void)state;
    struct go__sudog *first = NULL;
    expect(first, NULL, 0);
    assert_null(go__ring_claim(&first));
    assert_null(go__ring_claim_all(&first));
}

static void members_keep_their_order(void **state)
{
    (void)state;
    struct go__sudog *first = NULL, s[4] = {0};
    go__ring_push_last(&first, &s[0]);
    go__ring_push_last(&first, &s[1]);
    go__ring_push_first(&first, &s[2]);
    go__ring_push_last(&first, &s[3]);
    expect(first, (struct go__sudog *const[]){&s[2], &s[0], &s[1], &s[3]}, 4);
}

/* Each of up to 4 members is taken out of rings of each size. */
static void any_member_may_leave(void **state)
{
    (void)state;
    for (int n = 1; n <= 4; n++) {
        for (int out = 0; out < n; out++) {
            struct go__sudog *first = NULL, s[4] = {0}, *left[4];
            int count = 0;
            for (int i = 0; i < n; i++) {
                go__ring_push_last(&first, &s[i]);
                if (i != out) {
                    left[count++] = &s[i];
                }
            }
            go__ring_remove(&first, &s[out]);
            assert_false(s[out].queued);
            expect(first, left, count);
        }
    }
}

static void claims_pass_over_waits_that_are_over(void **state)
{
    (void)state;
    static struct go__g gs[4];
    struct go__sudog *first = NULL, s[4] = {0};
    for (int i = 0; i < 4; i++) {
        store_rlx(&gs[i].claim, i % 2 == 0 ? 8u : 16u); /* ticket 8 is over for every second one */
        s[i].g = &gs[i];
        s[i].ticket = 8;
        go__ring_push_last(&first, &s[i]);
    }
    assert_ptr_equal(go__ring_claim(&first), &s[0]);
    assert_ptr_equal(go__ring_claim(&first), &s[2]);
    assert_false(s[1].queued);
    assert_int_equal(ring_length(first), 1);
    assert_null(go__ring_claim(&first));
    assert_null(first);
}

static void all_that_can_be_claimed_are_listed(void **state)
{
    (void)state;
    static struct go__g gs[3];
    struct go__sudog *first = NULL, s[3] = {0};
    for (int i = 0; i < 3; i++) {
        store_rlx(&gs[i].claim, i == 1 ? 16u : 8u);
        s[i].g = &gs[i];
        s[i].ticket = 8;
        go__ring_push_last(&first, &s[i]);
    }
    struct go__sudog *list = go__ring_claim_all(&first);
    assert_null(first);
    assert_ptr_equal(list, &s[0]);
    assert_ptr_equal(list->next, &s[2]);
    assert_null(list->next->next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_ring_is_empty),
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(any_member_may_leave),
        cmocka_unit_test(claims_pass_over_waits_that_are_over),
        cmocka_unit_test(all_that_can_be_claimed_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
