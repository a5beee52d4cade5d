/* Misuse of channels ends the process with a message; each case runs in a child. */
#include "support/dies.h"

#include "waiting.h"

static go_chan *c;

static void receiving(void *arg)
{
    (void)arg;
    (void)go_chan_recv(c, NULL);
}

static void sending(void *arg)
{
    (void)arg;
    (void)go_chan_send(c, NULL);
}

static int unref_while_one_receives(void *arg)
{
    (void)arg;
    c = go_chan_new(0, 0);
    go(receiving, NULL);
    until_receivers(c, 1);
    go_chan_unref(c);
    return 0;
}

static int unref_while_one_sends(void *arg)
{
    (void)arg;
    c = go_chan_new(0, 0);
    go(sending, NULL);
    until_senders(c, 1);
    go_chan_unref(c);
    return 0;
}

static int select_with(int direction, size_t cases)
{
    go_case some[3] = {{NULL, NULL, GO_DIRECTION_RECV, 0}, {NULL, NULL, GO_DIRECTION_RECV, 0}, {NULL, NULL, GO_DIRECTION_RECV, 0}};
    some[cases - 1].direction = (enum go_direction)direction;
    return go_select_try(some, cases);
}

static int select_without_direction(void *arg)
{
    (void)arg;
    return select_with(0, 3);
}

static int select_one_without_direction(void *arg)
{
    (void)arg;
    return select_with(3, 1);
}

static void the_last_reference_may_not_go_while_one_waits(void **state)
{
    (void)state;
    dies(unref_while_one_receives,
         "goco: fatal error: go_chan_unref: the last reference is given up while somebody waits on the channel\n");
    dies(unref_while_one_sends,
         "goco: fatal error: go_chan_unref: the last reference is given up while somebody waits on the channel\n");
}

static void a_case_needs_a_direction(void **state)
{
    (void)state;
    dies(select_without_direction, "goco: fatal error: go_select: a case whose direction is neither");
    dies(select_one_without_direction, "goco: fatal error: go_select: a case whose direction is neither");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_reference_may_not_go_while_one_waits),
        cmocka_unit_test(a_case_needs_a_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
