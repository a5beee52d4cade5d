/* The typed layer and loops over channels, after test/range.go and test/chan/select*.go. */
#include <errno.h>

#include "support/behaviour.h"

struct point {
    int x, y;
};

typedef GO_CHAN(int) int_chan;

static int_chan numbers;
static GO_CHAN(struct point) points;
static GO_CHAN(const char *) words;
static GO_CHAN(char) letters;

static void count_to_five(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 5; i++) {
        CHECK_EQUAL(GO_SEND(numbers, i), 0);
    }
    CHECK_EQUAL(GO_CLOSE(numbers), 0);
}

static void alphabet(void *arg)
{
    (void)arg;
    for (char letter = 'a'; letter <= 'z'; letter++) {
        CHECK_EQUAL(GO_SEND(letters, letter), 0);
    }
    CHECK_EQUAL(GO_CLOSE(letters), 0);
}

static void a_range_ends_with_the_channel(void)
{
    char text[27] = "";
    size_t n = 0;
    CHECK_EQUAL(GO_CHAN_NEW(letters, 0), 0);
    go(alphabet, NULL);
    GO_RANGE(letter, letters)
    {
        text[n++] = letter;
    }
    CHECK_EQUAL(n, 26);
    for (size_t i = 0; i < n; i++) {
        CHECK_EQUAL(text[i], 'a' + (int)i);
    }
    GO_UNREF(letters);
}

static void a_range_takes_what_a_closed_channel_still_holds(void)
{
    int sum = 0;
    CHECK_EQUAL(GO_CHAN_NEW(numbers, 5), 0);
    count_to_five(NULL);
    GO_RANGE(n, numbers)
    {
        sum += n;
    }
    CHECK_EQUAL(sum, 15);
    GO_RANGE(n, numbers)
    {
        CHECK(n != n); /* there is nothing */
    }
    GO_UNREF(numbers);
}

static void a_range_may_be_left_and_taken_up_again(void)
{
    int seen = 0, last = 0;
    CHECK_EQUAL(GO_CHAN_NEW(numbers, 0), 0);
    go(count_to_five, NULL);
    GO_RANGE(n, numbers)
    {
        if (n == 1) {
            continue;
        }
        seen += n;
        if (n == 3) {
            break;
        }
    }
    CHECK_EQUAL(seen, 5);
    GO_RANGE(n, numbers)
    {
        last = n;
    }
    CHECK_EQUAL(last, 5);
    GO_UNREF(numbers);
}

static void ranges_nest(void)
{
    int n = 0;
    CHECK_EQUAL(GO_CHAN_NEW(numbers, 5), 0);
    CHECK_EQUAL(GO_CHAN_NEW(letters, 26), 0);
    count_to_five(NULL);
    go(alphabet, NULL);
    GO_RANGE(number, numbers)
    {
        GO_RANGE(letter, letters)
        {
            n += number * (letter - 'a');
            if (letter == 'e' * (number == 1)) {
                break;
            }
        }
    }
    CHECK(n > 0);
    CHECK_EQUAL(GO_RECV(letters, NULL), -EPIPE);
    GO_UNREF(numbers);
    GO_UNREF(letters);
}

static void a_range_ends_when_the_context_is_done(void)
{
    CHECK_EQUAL(GO_CHAN_NEW(numbers, 5), 0);
    CHECK_EQUAL(GO_SEND(numbers, 1), 0);
    CHECK_EQUAL(GO_SEND(numbers, 2), 0);
    go_context *ctx = go_context_with_cancel(NULL);
    (void)go_context_bind(ctx);
    GO_RANGE(n, numbers)
    {
        CHECK_EQUAL(n, 1);
        go_context_cancel(ctx, 0);
    }
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    GO_UNREF(numbers);
}

static void elements_are_sent_by_value(void)
{
    struct point p = {3, 4}, q;
    const char *word = NULL;
    double half = 2.5;
    int n;
    CHECK_EQUAL(GO_CHAN_NEW(numbers, 3), 0);
    CHECK_EQUAL(GO_CHAN_NEW(points, 2), 0);
    CHECK_EQUAL(GO_CHAN_NEW(words, 2), 0);
    CHECK_EQUAL(GO_SEND(points, p), 0);
    p.x = 0;
    CHECK_EQUAL(GO_SEND(points, (struct point){5, 6}), 0);
    CHECK_EQUAL(GO_RECV(points, &q), 0);
    CHECK(q.x == 3 && q.y == 4);
    CHECK_EQUAL(GO_RECV(points, NULL), 0);
    CHECK_EQUAL(GO_SEND(words, "one"), 0);
    CHECK_EQUAL(GO_SEND(words, NULL), 0);
    CHECK_EQUAL(GO_RECV(words, &word), 0);
    CHECK(word[0] == 'o' && word[3] == '\0');
    CHECK_EQUAL(GO_RECV(words, &word), 0);
    CHECK(word == NULL);
    CHECK_EQUAL(GO_SEND(numbers, 'c'), 0); /* numbers convert as in an assignment */
    CHECK_EQUAL(GO_SEND(numbers, half), 0);
    CHECK_EQUAL(GO_SEND(numbers, 7u), 0);
    CHECK_EQUAL(GO_RECV(numbers, &n), 0);
    CHECK_EQUAL(n, 'c');
    CHECK_EQUAL(GO_RECV(numbers, &n), 0);
    CHECK_EQUAL(n, 2);
    CHECK_EQUAL(GO_RECV(numbers, &n), 0);
    CHECK_EQUAL(n, 7);
    GO_UNREF(numbers);
    GO_UNREF(points);
    GO_UNREF(words);
}

static int calls;

static int_chan *counted(void)
{
    calls++;
    return &numbers;
}

static void arguments_are_evaluated_once(void)
{
    int v = 0, out[2] = {0, 0}, *at = out;
    CHECK_EQUAL(GO_CHAN_NEW(numbers, 3), 0);
    CHECK_EQUAL(GO_SEND(*counted(), v++), 0);
    CHECK_EQUAL(calls, 1);
    CHECK_EQUAL(v, 1);
    CHECK_EQUAL(GO_SEND(numbers, v++), 0);
    CHECK_EQUAL(GO_RECV(*counted(), at++), 0);
    CHECK_EQUAL(calls, 2);
    CHECK(at == &out[1]);
    CHECK_EQUAL(GO_RECV(numbers, at++), 0);
    CHECK(out[0] == 0 && out[1] == 1);
    CHECK_EQUAL(GO_CLOSE(*counted()), 0);
    CHECK_EQUAL(calls, 3);
    GO_UNREF(*counted());
    CHECK_EQUAL(calls, 4);
}

static void typed_cases_select(void)
{
    int n = 8;
    struct point p = {0, 0};
    CHECK_EQUAL(GO_CHAN_NEW(numbers, 1), 0);
    CHECK_EQUAL(GO_CHAN_NEW(points, 1), 0);
    go_case cases[] = {GO_CASE_SEND(numbers, &n), GO_CASE_RECV(points, &p)};
    CHECK_EQUAL(go_select(cases, 2), 0);
    n = 0;
    CHECK_EQUAL(GO_SEND(points, (struct point){1, 2}), 0);
    CHECK_EQUAL(go_select(cases, 2), 1);
    CHECK(p.x == 1 && p.y == 2);
    go_case other[] = {GO_CASE_RECV(numbers, &n), GO_CASE_RECV(points, NULL)};
    CHECK_EQUAL(go_select(other, 2), 0);
    CHECK_EQUAL(n, 8);
    CHECK_EQUAL(go_select_try(other, 2), -EAGAIN);
    GO_UNREF(numbers);
    GO_UNREF(points);
}

static void a_nil_channel_is_typed_too(void)
{
    int_chan none = {NULL};
    int n;
    CHECK_EQUAL(go_chan_try_recv(none.chan, &n), -EAGAIN);
    CHECK_EQUAL(GO_CLOSE(none), -EINVAL);
    GO_UNREF(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(a_range_ends_with_the_channel),
        BEHAVIOUR(a_range_takes_what_a_closed_channel_still_holds),
        BEHAVIOUR(a_range_may_be_left_and_taken_up_again),
        BEHAVIOUR(ranges_nest),
        BEHAVIOUR(a_range_ends_when_the_context_is_done),
        BEHAVIOUR(elements_are_sent_by_value),
        BEHAVIOUR(arguments_are_evaluated_once),
        BEHAVIOUR(typed_cases_select),
        BEHAVIOUR(a_nil_channel_is_typed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
