/* Descriptors that others made: pipes, timerfds, eventfds, sockets, devices, files, standard input; go_poll; foreign threads. */
#include "unit/net/net_support.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 20
#include "support/child.h"

static atomic_int ended;
static char byte;

struct wait {
    int fd;
    short events;
    int64_t deadline;
    int result;
};

static void poll_one(void *arg)
{
    struct wait *w = arg;
    w->result = go_poll(w->fd, w->events, w->deadline);
    atomic_fetch_add(&ended, 1);
}

NET_TEST(a_pipe_is_made_non_blocking_and_works)
{
    int ends[2];
    static char block[1 << 16];
    CHECK(pipe(ends) == 0);
    CHECK_EQUAL(go_write(ends[1], "hello", 5), 5);
    CHECK_EQUAL(go_read(ends[0], block, sizeof block), 5);
    CHECK((fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    CHECK(go_set_write_deadline(ends[1], go_now() + 20 * GO_MILLISECOND) == 0);
    ssize_t n;
    do {
        n = go_write(ends[1], block, sizeof block);
    } while (n > 0);
    CHECK_EQUAL(n, -ETIMEDOUT);
    CHECK_EQUAL(go_close(ends[1]), 0);
    while ((n = go_read(ends[0], block, sizeof block)) > 0) {}
    CHECK_EQUAL(n, 0);
    CHECK_EQUAL(go_close(ends[0]), 0);
    return 0;
}

/* go_poll leaves the flags alone. */
NET_TEST(poll_on_a_pipe)
{
    static struct wait w;
    int ends[2];
    CHECK(pipe(ends) == 0);
    atomic_store(&ended, 0);
    CHECK_EQUAL(go_poll(ends[1], POLLOUT, 0), POLLOUT);
    CHECK_EQUAL(go_poll(ends[0], POLLIN, 0), -ETIMEDOUT);
    CHECK_EQUAL(go_poll(ends[0], POLLIN, go_now() + 5 * GO_MILLISECOND), -ETIMEDOUT);
    CHECK_EQUAL(go_poll(ends[0], 0, GO_FOREVER), -EINVAL);
    for (int i = 1; i <= 20; i++) {
        w = (struct wait){.fd = ends[0], .events = POLLIN, .deadline = i % 2 == 0 ? GO_FOREVER : go_now() + 10 * GO_SECOND};
        go(poll_one, &w);
        settle();
        CHECK(write(ends[1], "x", 1) == 1);
        await_count(&ended, i);
        CHECK_EQUAL(w.result, POLLIN);
        CHECK(read(ends[0], &byte, 1) == 1);
    }
    CHECK((fcntl(ends[0], F_GETFL) & O_NONBLOCK) == 0);
    CHECK(close(ends[1]) == 0);
    CHECK((go_poll(ends[0], POLLIN, GO_FOREVER) & POLLHUP) != 0);
    CHECK_EQUAL(go_close(ends[0]), 0);
    return 0;
}

/* Several at once, both directions, with deadlines of their own; a go_read beside them. */
NET_TEST(many_poll_one_descriptor)
{
    enum { POLLERS = 12 };
    static struct wait w[POLLERS];
    for (int kind = 0; kind < 2; kind++) {
        int ends[2];
        CHECK((kind == 0 ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) == 0);
        atomic_store(&ended, 0);
        for (int i = 0; i < POLLERS; i++) {
            w[i] = (struct wait){.fd = ends[0], .events = POLLIN, .deadline = i < 4 ? go_now() + 10 * GO_MILLISECOND : GO_FOREVER};
            go(poll_one, &w[i]);
        }
        await_count(&ended, 4);
        CHECK(go_sleep(5 * GO_MILLISECOND) == 0);
        CHECK_EQUAL(atomic_load(&ended), 4);
        CHECK(write(ends[1], "x", 1) == 1);
        await_count(&ended, POLLERS);
        for (int i = 0; i < POLLERS; i++) {
            CHECK_EQUAL(w[i].result, i < 4 ? -ETIMEDOUT : POLLIN);
        }
        CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    }
    return 0;
}

NET_TEST(poll_both_directions)
{
    int ends[2];
    static struct wait w;
    static char block[1 << 16];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK_EQUAL(go_poll(ends[0], POLLIN | POLLOUT, GO_FOREVER), POLLOUT);
    while (write(ends[0], block, sizeof block) > 0) {}
    for (int i = 1; i <= 2; i++) {
        if (i == 1) {
            atomic_store(&ended, 0);
        }
        w = (struct wait){.fd = ends[0], .events = POLLIN | POLLOUT, .deadline = GO_FOREVER};
        go(poll_one, &w);
        settle();
        CHECK_EQUAL(atomic_load(&ended), i - 1);
        if (i == 1) {
            CHECK(write(ends[1], "x", 1) == 1);
        } else {
            while (read(ends[1], block, sizeof block) > 0) {}
        }
        await_count(&ended, i);
        CHECK((w.result & (i == 1 ? POLLIN : POLLOUT)) != 0);
        CHECK(i == 2 || read(ends[0], &byte, 1) == 1);
    }
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    return 0;
}

NET_TEST(timerfd_and_eventfd)
{
    uint64_t count;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
    CHECK(timer >= 0 && event >= 0);
    struct itimerspec every = {.it_interval = {0, 3000000}, .it_value = {0, 3000000}};
    CHECK(timerfd_settime(timer, 0, &every, NULL) == 0);
    int64_t start = go_now();
    for (int i = 0; i < 10; i++) {
        if (i % 2 == 0) {
            CHECK_EQUAL(go_read(timer, &count, sizeof count), 8);
        } else {
            CHECK_EQUAL(go_poll(timer, POLLIN, GO_FOREVER), POLLIN);
            CHECK_EQUAL(go_read(timer, &count, sizeof count), 8);
        }
    }
    CHECK(go_now() - start >= 27 * GO_MILLISECOND);
    CHECK_EQUAL(go_close(timer), 0);
    count = 5;
    CHECK_EQUAL(go_set_read_deadline(event, go_now() + 2 * GO_MILLISECOND), 0);
    CHECK_EQUAL(go_read(event, &count, sizeof count), -ETIMEDOUT);
    CHECK_EQUAL(go_write(event, &count, sizeof count), 8);
    CHECK_EQUAL(go_set_read_deadline(event, GO_FOREVER), 0);
    CHECK_EQUAL(go_read(event, &count, sizeof count), 8);
    CHECK_EQUAL(count, 5);
    CHECK_EQUAL(go_close(event), 0);
    return 0;
}

/* Numbers that all have one inode. */
NET_TEST(timerfds_change_hands)
{
    for (int i = 0; i < 30; i++) {
        uint64_t count;
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        struct itimerspec once = {.it_value = {0, 500000}};
        CHECK(timer >= 0 && timerfd_settime(timer, 0, &once, NULL) == 0);
        CHECK_EQUAL(go_read(timer, &count, sizeof count), 8);
        CHECK(close(timer) == 0); /* not go_close: as a library would */
    }
    return 0;
}

NET_TEST(devices)
{
    char zeros[64];
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    CHECK(null >= 0 && zero >= 0);
    CHECK_EQUAL(go_write(null, "x", 1), 1);
    CHECK_EQUAL(go_read(null, &byte, 1), 0);
    CHECK_EQUAL(go_read(zero, zeros, sizeof zeros), 64);
    CHECK_EQUAL(go_poll(zero, POLLIN, GO_FOREVER), POLLIN);
    CHECK_EQUAL(go_close(null), 0);
    CHECK_EQUAL(go_close(zero), 0);
    return 0;
}

NET_TEST(regular_files)
{
    char buffer[16], path[] = "/tmp/goco-test-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0 && unlink(path) == 0);
    struct iovec parts[2] = {{"hel", 3}, {"lo", 2}};
    CHECK_EQUAL(go_writev(file, parts, 2), 5);
    CHECK_EQUAL(go_write(file, " file", 5), 5);
    CHECK(lseek(file, 0, SEEK_SET) == 0);
    CHECK_EQUAL(go_read(file, buffer, sizeof buffer), 10);
    CHECK(memcmp(buffer, "hello file", 10) == 0);
    CHECK_EQUAL(go_read(file, buffer, sizeof buffer), 0);
    CHECK((fcntl(file, F_GETFL) & O_NONBLOCK) == 0);
    CHECK_EQUAL(go_poll(file, POLLIN, GO_FOREVER), POLLIN);
    CHECK_EQUAL(go_close(file), 0);
    int directory = open("/", O_RDONLY | O_DIRECTORY);
    CHECK_EQUAL(go_read(directory, buffer, 1), -EISDIR);
    CHECK_EQUAL(go_close(directory), 0);
    return 0;
}

NET_TEST(sendfile_to_a_socket)
{
    enum { SIZE = 3000000 };
    struct pair p = tcp_pair();
    char path[] = "/tmp/goco-test-XXXXXX";
    int file = mkstemp(path);
    char *data = malloc(SIZE), *got = malloc(SIZE);
    CHECK(file >= 0 && unlink(path) == 0);
    for (int i = 0; i < SIZE; i++) {
        data[i] = (char)(i * 7 + i / 251);
    }
    CHECK_EQUAL(go_write(file, data, SIZE), SIZE);
    int64_t offset = 0;
    size_t received = 0;
    while (received < SIZE) {
        if (offset < SIZE) {
            ssize_t n = go_sendfile(p.client, file, &offset, 100000);
            CHECK(n > 0);
        }
        size_t want = (size_t)offset - received;
        CHECK_EQUAL(go_read_full(p.server, got + received, want), (ssize_t)want);
        received += want;
    }
    CHECK(memcmp(data, got, SIZE) == 0);
    CHECK_EQUAL(go_sendfile(p.client, file, &offset, 100), 0);
    CHECK(lseek(file, SIZE - 10, SEEK_SET) >= 0);
    CHECK_EQUAL(go_sendfile(p.client, file, NULL, 100), 10);
    CHECK_EQUAL(go_read_full(p.server, got, 10), 10);
    CHECK_EQUAL(go_close(p.server), 0);
    ssize_t n = 1;
    for (int i = 0; i < 100 && n > 0; i++) {
        offset = 0;
        n = go_sendfile(p.client, file, &offset, 100000);
        CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
    }
    CHECK(n == -EPIPE || n == -ECONNRESET); /* and no signal */
    CHECK_EQUAL(go_sendfile(p.client, file, &offset, 10), -EPIPE);
    CHECK_EQUAL(go_sendfile(p.client, -1, &offset, 10), -EBADF);
    CHECK_EQUAL(go_close(p.client), 0);
    CHECK_EQUAL(go_close(file), 0);
    free(data);
    free(got);
    return 0;
}

/* Standard input keeps its flags: another process has the same open file. In a program of its own, this one with an argument. */
static int use_standard_descriptors(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_set_read_deadline(0, go_now() + 5 * GO_MILLISECOND), 0);
    CHECK_EQUAL(go_read(0, &byte, 1), -ETIMEDOUT);
    CHECK_EQUAL(go_set_read_deadline(0, GO_FOREVER), 0);
    CHECK_EQUAL(go_write(1, "?", 1), 1); /* now send */
    CHECK_EQUAL(go_read(0, &byte, 1), 1);
    CHECK_EQUAL(byte, '!');
    CHECK_EQUAL(go_write(1, "done", 4), 4);
    CHECK((fcntl(0, F_GETFL) & O_NONBLOCK) == 0 && (fcntl(1, F_GETFL) & O_NONBLOCK) == 0);
    return 0;
}

NET_TEST(standard_descriptors_keep_their_flags)
{
    int in[2], out[2], status;
    char text[5] = "", *args[] = {"test", "child", NULL};
    pid_t child;
    posix_spawn_file_actions_t actions;
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, in[0], 0) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, out[1], 1) == 0);
    CHECK(posix_spawn(&child, "/proc/self/exe", &actions, NULL, args, environ) == 0);
    CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
    CHECK(close(in[0]) == 0 && close(out[1]) == 0);
    CHECK_EQUAL(go_read_full(out[0], text, 1), 1);
    CHECK_EQUAL(go_write(in[1], "!", 1), 1);
    CHECK_EQUAL(go_read_full(out[0], text, 4), 4);
    CHECK(memcmp(text, "done", 4) == 0);
    CHECK_EQUAL(go_waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
    CHECK(go_close(in[1]) == 0 && go_close(out[0]) == 0);
    return 0;
}

/* --- foreign threads --- */

struct thread_job {
    int fd;
    atomic_llong result;
};

static void *read_in_a_thread(void *arg)
{
    struct thread_job *job = arg;
    char b;
    job->result = go_read(job->fd, &b, 1);
    return NULL;
}

/* All goroutines sleep: the thread's wait must make somebody watch. */
NET_TEST(a_foreign_thread_waits)
{
    for (int i = 0; i < 50; i++) {
        struct pair p = tcp_pair();
        struct thread_job job = {.fd = p.client};
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, read_in_a_thread, &job) == 0);
        CHECK(go_sleep(i % 5 * GO_MILLISECOND) == 0);
        if (i % 3 == 0) {
            CHECK(go_shutdown(p.client, SHUT_RD) == 0);
        } else if (i % 3 == 1) {
            CHECK(go_write(p.server, "x", 1) == 1);
        } else {
            CHECK(go_set_read_deadline(p.client, go_now() + GO_MILLISECOND) == 0);
        }
        go_block_begin();
        CHECK(pthread_join(thread, NULL) == 0);
        go_block_end();
        CHECK_EQUAL(job.result, i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : -ETIMEDOUT);
        close_pair(p);
    }
    return 0;
}

static int end_while_a_thread_waits(void *arg)
{
    struct thread_job *job = arg;
    struct pair p = tcp_pair();
    pthread_t thread;
    job->fd = p.client;
    CHECK(pthread_create(&thread, NULL, read_in_a_thread, job) == 0);
    await_waiters(p.client, 1);
    CHECK(pthread_detach(thread) == 0);
    return p.server;
}

static void the_end_of_a_run_wakes_foreign_threads(void **state)
{
    static struct thread_job job;
    (void)state;
    for (int i = 0; i < 5; i++) {
        job.result = 77;
        int server = go_run(end_while_a_thread_waits, &job);
        assert_true(server >= 0);
        for (int j = 0; j < 2000 && atomic_load(&job.result) == 77; j++) {
            usleep(1000);
        }
        assert_int_equal(job.result, -ECANCELED);
        assert_int_equal(close(server) | close(job.fd), 0);
    }
}

/* --- a poller that is full --- */

#define REFUSED 100 /* the number that the kernel does not register */

/* As if the user had as many registrations as the system allows, for one number. */
static bool refuse_registering(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])), /* little endian: the low half */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_CTL_ADD, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REFUSED, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

/* A socket that nobody writes to, with that number, in place of the last. */
static void have_socket(void)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    replace(REFUSED, ends[0]);
}

static int wait_in_vain(void *arg)
{
    (void)arg;
    have_socket();
    CHECK_EQUAL(go_poll(REFUSED, POLLIN, go_now() + GO_MILLISECOND), -ETIMEDOUT); /* there is room still */
    have_socket();
    bool refused = refuse_registering(); /* not everywhere may a process do that */
    for (int i = 0; i < 2 && refused; i++) {
        CHECK_EQUAL(go_read(REFUSED, &byte, 1), -ENOSPC);
        CHECK_EQUAL(go_poll(REFUSED, POLLIN, GO_FOREVER), -ENOSPC);
    }
    return 0;
}

static int run_without_room(void *arg)
{
    return go_run(wait_in_vain, arg);
}

/* Each wait says so; none takes the descriptor for registered because one has tried, and another socket had the number. */
static void what_cannot_be_registered_is_not_waited_for(void **state)
{
    (void)state;
    assert_exit(child_status(run_without_room, NULL), 0);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "child") == 0) {
        return go_run(use_standard_descriptors, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_made_non_blocking_and_works),
        cmocka_unit_test(poll_on_a_pipe),
        cmocka_unit_test(many_poll_one_descriptor),
        cmocka_unit_test(poll_both_directions),
        cmocka_unit_test(timerfd_and_eventfd),
        cmocka_unit_test(timerfds_change_hands),
        cmocka_unit_test(devices),
        cmocka_unit_test(regular_files),
        cmocka_unit_test(sendfile_to_a_socket),
        cmocka_unit_test(standard_descriptors_keep_their_flags),
        cmocka_unit_test(a_foreign_thread_waits),
        cmocka_unit_test(the_end_of_a_run_wakes_foreign_threads),
        cmocka_unit_test(what_cannot_be_registered_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
