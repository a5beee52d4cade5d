/* Records of descriptors from inside: the table, the queues, uses and generations, events that come too late, counting. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <go.h>

#include "poll/netpoll.h"
#include "sched/hooks.h"
#include "support/check.h"

static void every_number_has_its_own_record(void **state)
{
    static const unsigned numbers[] = {0,        1,        254, 255, 256, 257, 511, 512, 1023, 1024, 65535, 65536, (1u << 30) - 1,
                                       1u << 30, INT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        unsigned chunk = go__fd_chunk(numbers[i]);
        unsigned size = chunk == 0 ? 1u << GO__FD_CHUNK_BITS : go__fd_chunk_start(chunk);
        assert_true(chunk < GO__FD_CHUNKS);
        assert_true(numbers[i] >= go__fd_chunk_start(chunk) && numbers[i] - go__fd_chunk_start(chunk) < size);
    }
    for (unsigned chunk = 1; chunk < GO__FD_CHUNKS; chunk++) { /* without gaps */
        assert_int_equal(go__fd_chunk(go__fd_chunk_start(chunk)), chunk);
        assert_int_equal(go__fd_chunk(go__fd_chunk_start(chunk) - 1), chunk - 1);
    }
    assert_int_equal(sizeof(struct go__fd) % GO__CACHELINE, 0);
    assert_true(offsetof(struct go__fd, turns) <= GO__CACHELINE); /* what a request touches is one line */
}

static void queues_keep_their_order(void **state)
{
    struct go__fd_waiter w[5], *queue = NULL;
    static struct go__g g[5];
    (void)state;
    for (int removed = 0; removed < 5; removed++) {
        for (int i = 0; i < 5; i++) {
            go__fd_enqueue(&queue, &w[i], &g[i], 0);
        }
        go__fd_dequeue(&queue, &w[removed]);
        assert_false(w[removed].queued);
        uint32_t count = 0;
        for (int i = 0; i < 5; i++) {
            if (i != removed) {
                assert_ptr_equal(go__fd_claim(&queue, &count), &w[i]);
            }
        }
        assert_null(go__fd_claim(&queue, &count));
        assert_null(queue);
        assert_int_equal(count, 4);
    }
}

/* A waiter whose wait another cause has ended is taken out and passed over. */
static void claims_pass_over_waits_that_are_over(void **state)
{
    struct go__fd_waiter w[3], *queue = NULL;
    static struct go__g g[3];
    uint32_t count = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        go__fd_enqueue(&queue, &w[i], &g[i], go__wait_begin(&g[i], 0, true));
    }
    assert_true(go__claim(&g[0], w[0].ticket));
    assert_true(go__claim(&g[1], w[1].ticket));
    assert_ptr_equal(go__fd_claim(&queue, &count), &w[2]);
    assert_int_equal(count, 3);
    assert_null(queue);
}

static uint64_t word_of(int fd)
{
    return load_rlx(&go__fd_peek(fd)->word);
}

/* Whether the number is /dev/null still. Once it is free the runtime itself may have it for a moment, for something else. */
static bool is_null(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
}

static int uses_and_generations(void *arg)
{
    struct go__fd_use reader, writer, holder, late;
    int fd = open("/dev/null", O_RDWR);
    (void)arg;
    CHECK(fd > 2);
    CHECK(go__fd_begin(&reader, fd, GO__FD_READ, GO__REASON_NONE) == 0);
    CHECK(go__fd_begin(&writer, fd, GO__FD_WRITE, GO__REASON_NONE) == 0);
    CHECK(go__fd_hold(&holder, fd) == 0);
    CHECK((word_of(fd) & 0xffffffff) == (3 * GO__FD_REF | GO__FD_TURN(GO__FD_READ) | GO__FD_TURN(GO__FD_WRITE)));

    /* Closed: nobody new comes in, the number stays taken until the last user is gone. */
    CHECK(go_close(fd) == 0);
    CHECK(go__fd_hold(&late, fd) == -EBADF && go_close(fd) == -EBADF);
    CHECK(is_null(fd));
    go__fd_end(&reader);
    go__fd_end(&writer);
    CHECK(is_null(fd));
    uint32_t generation = go__fd_generation(word_of(fd));
    go__fd_end(&holder);
    CHECK(!is_null(fd));
    CHECK(word_of(fd) == (uint64_t)(generation + 1) << 32);

    /* Closed by others and given to us again: uses of before do not disturb. */
    fd = open("/dev/null", O_RDWR);
    CHECK(go__fd_begin(&reader, fd, GO__FD_READ, GO__REASON_NONE) == 0);
    int other = open("/dev/null", O_RDWR); /* in one step, see is_null */
    CHECK(dup2(other, fd) == fd && close(other) == 0);
    CHECK(go__fd_adopt(fd, GO__FD_SOCKET, 0) == 0);
    uint64_t word = word_of(fd);
    go__fd_end(&reader);
    CHECK(word_of(fd) == word);

    /* So do events of before. */
    struct go__fd *r = go__fd_peek(fd);
    struct go__g_list ready = {0};
    uint32_t taken = 0, edge = load_rlx(&r->edge[GO__FD_READ]);
    struct go__fd_event event = {.fd = fd, .generation = go__fd_generation(word) - 1, .directions = 3, .careful = true};
    go__fd_event(&event, &ready, &taken);
    CHECK(load_rlx(&r->edge[GO__FD_READ]) == edge && !go__fd_has(r, GO__FD_CAREFUL));
    event.generation++;
    go__fd_event(&event, &ready, &taken);
    CHECK(load_rlx(&r->edge[GO__FD_READ]) == edge + 1 && go__fd_has(r, GO__FD_CAREFUL));
    CHECK(ready.head == NULL && taken == 0);
    CHECK(go_close(fd) == 0);
    return 0;
}

static void a_number_is_free_when_its_last_use_is_over(void **state)
{
    (void)state;
    assert_int_equal(go_run(uses_and_generations, NULL), 0);
}

static void *close_from_outside(void *arg)
{
    CHECK(go_close(*(int *)arg) == 0);
    return NULL;
}

/* The closer is stopped in the middle by its lock, under which the end of the run would give the word a new generation. */
static int closing_meets_the_end(void *arg)
{
    pthread_t closer;
    int fd = open("/dev/null", O_RDWR);
    (void)arg;
    struct go__fd_use use;
    CHECK(go__fd_hold(&use, fd) == 0);
    go__fd_end(&use);
    struct go__fd *r = go__fd_peek(fd);
    go__spin_lock(&r->lock);
    CHECK(pthread_create(&closer, NULL, close_from_outside, &fd) == 0);
    uint64_t word;
    while (((word = load_acq(&r->word)) & GO__FD_CLOSING) == 0) {
        go_yield();
    }
    word = (uint64_t)(go__fd_generation(word) + 1) << 32;
    store_rel(&r->word, word);
    go__spin_unlock(&r->lock);
    go_block_begin();
    CHECK(pthread_join(closer, NULL) == 0);
    go_block_end();
    CHECK(word_of(fd) == word); /* nothing was taken from the next one's references */
    CHECK(is_null(fd));         /* the end of the run closes, and only it */
    CHECK(go_close(fd) == 0 && !is_null(fd));
    return 0;
}

static void a_close_that_the_end_of_a_run_overtakes_gives_up(void **state)
{
    (void)state;
    assert_int_equal(go_run(closing_meets_the_end, NULL), 0);
}

static void read_byte(void *arg)
{
    char byte;
    (void)go_read(*(int *)arg, &byte, 1);
}

static int count_waiters(void *arg)
{
    int ends[2];
    (void)arg;
    CHECK(!go__netpoll_has_waiters());
    for (int i = 0; i < 10; i++) {
        CHECK(pipe(ends) == 0);
        go_copy(read_byte, &ends[0], sizeof ends[0]);
        while (!go__netpoll_has_waiters()) {
            go_yield();
        }
        CHECK(i % 2 == 0 ? go_write(ends[1], "x", 1) == 1 : go_set_read_deadline(ends[0], go_now()) == 0);
        for (int64_t end = go_now() + 10 * GO_SECOND; go__netpoll_has_waiters() && go_now() < end;) {
            CHECK(go_sleep(GO_MILLISECOND / 10) == 0);
        }
        CHECK(!go__netpoll_has_waiters());
        CHECK(go_close(ends[0]) == 0 && go_close(ends[1]) == 0);
    }
    return 0;
}

/* Exactly: a waiter too many would hide deadlocks, one too few would leave descriptors unwatched. */
static void waiters_are_counted(void **state)
{
    (void)state;
    assert_int_equal(go_run(count_waiters, NULL), 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 7;
}

static void a_run_without_descriptors_says_so(void **state)
{
    struct rlimit before, tight;
    (void)state;
    int lowest = dup(2);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    for (int more = 0; more < 2; more++) { /* neither the poller nor what wakes it; then the poller only */
        tight.rlim_cur = (rlim_t)(lowest + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
        int result = go_run(nothing, NULL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(result, -EMFILE);
    }
    assert_int_equal(go_run(nothing, NULL), 7);
    assert_int_equal(dup(2), lowest);
    close(lowest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_its_own_record),
        cmocka_unit_test(queues_keep_their_order),
        cmocka_unit_test(claims_pass_over_waits_that_are_over),
        cmocka_unit_test(a_number_is_free_when_its_last_use_is_over),
        cmocka_unit_test(a_close_that_the_end_of_a_run_overtakes_gives_up),
        cmocka_unit_test(waiters_are_counted),
        cmocka_unit_test(a_run_without_descriptors_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
