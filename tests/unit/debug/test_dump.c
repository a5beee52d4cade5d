/* go_dump as users see it: who waits for what, where, and who started it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "go.h"
#include "support/check.h"

#define PATIENCE (30 * GO_SECOND)

static char text[1 << 20];

static void read_back(int fd)
{
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    CHECK(n >= 0);
    text[n] = '\0';
}

static void take_dump(void)
{
    int fd = memfd_create("dump", MFD_CLOEXEC);
    CHECK(fd >= 0);
    go_dump(fd);
    read_back(fd);
    CHECK(close(fd) == 0);
}

/* The part of the text that belongs to the goroutine whose headline contains `head`; NULL: none. */
static char *section(const char *head)
{
    static char part[1 << 16];
    const char *at = strstr(text, head);
    if (at == NULL) {
        return NULL;
    }
    const char *end = strstr(at, "\n\n");
    size_t n = end != NULL ? (size_t)(end - at) : strlen(at);
    CHECK(n < sizeof part);
    memcpy(part, at, n);
    part[n] = '\0';
    return part;
}

/* Dumps until a headline contains `head`: a goroutine just started takes a while to park. */
static char *wait_for(const char *head)
{
    int64_t end = go_now() + PATIENCE;
    do {
        take_dump();
        char *part = section(head);
        if (part != NULL) {
            return part;
        }
        go_yield();
    } while (go_now() < end);
    (void)fprintf(stderr, "no headline with %s in:\n%s", head, text);
    return NULL;
}

/* The same for one who parks, until it has left its stack: up to then a dump has its reason, and that it is executing. */
static char *wait_until_parked(const char *head)
{
    int64_t end = go_now() + PATIENCE;
    char *part;
    do {
        part = wait_for(head);
    } while (part != NULL && strstr(part, "(executing") != NULL && go_now() < end);
    return part;
}

static go_chan *never; /* nobody sends */

static __attribute__((noinline)) void inner_receive(void)
{
    (void)go_chan_recv(never, NULL);
    __asm__ volatile(""); /* no tail call: this frame is looked for */
}

static void receiver(void *arg)
{
    (void)arg;
    inner_receive();
    __asm__ volatile("");
}

static void sleeper(void *arg)
{
    (void)arg;
    (void)go_sleep(3600 * GO_SECOND);
    __asm__ volatile("");
}

static int parked_goroutine(void *arg)
{
    (void)arg;
    uint64_t id = 0;
    const go_attr attr = {.name = "worker", .id = &id};
    CHECK(go_spawn(&attr, receiver, NULL) == 0);
    CHECK(id != 0);
    char *part = wait_until_parked("\"worker\" [chan receive");
    CHECK(part != NULL);
    char headline[64];
    (void)snprintf(headline, sizeof headline, "goroutine %llu \"worker\" [chan receive", (unsigned long long)id);
    CHECK(strstr(text, headline) != NULL);
    const char *call = strstr(part, "\n    go_chan_recv+0x");
    const char *inner = strstr(part, "\n    inner_receive+0x");
    const char *outer = strstr(part, "\n    receiver+0x");
    const char *creator = strstr(part, "\ncreated by goroutine 1 in parked_goroutine+0x");
    CHECK(call != NULL && inner != NULL && outer != NULL && creator != NULL);
    CHECK(call < inner && inner < outer && outer < creator);
    CHECK(strstr(part, " test_dump") != NULL); /* the file */
    CHECK(strstr(part, "go__") == NULL);       /* internals stay inside */
    return 0;
}

static void test_parked_goroutine_shows_name_reason_frames_and_creator(void **state)
{
    (void)state;
    assert_int_equal(go_run(parked_goroutine, NULL), 0);
}

static __attribute__((noinline)) void dump_deeper(void)
{
    take_dump();
    __asm__ volatile("");
}

static int own_backtrace(void *arg)
{
    (void)arg;
    dump_deeper();
    CHECK(strncmp(text, "goroutine 1 ", 12) == 0); /* the caller comes first */
    char *part = section("goroutine 1 ");
    CHECK(part != NULL && strstr(part, "[running]:") != NULL);
    CHECK(strstr(part, "\n    take_dump+0x") != NULL);
    CHECK(strstr(part, "\n    dump_deeper+0x") != NULL);
    CHECK(strstr(part, "\n    own_backtrace+0x") != NULL);
    return 0;
}

static void test_caller_comes_first_with_its_own_backtrace(void **state)
{
    (void)state;
    assert_int_equal(go_run(own_backtrace, NULL), 0);
}

static go_mutex mutex;
static go_waitgroup wg;

static void locker(void *arg)
{
    (void)arg;
    go_mutex_lock(&mutex);
    __asm__ volatile("");
}

static void waiter(void *arg)
{
    (void)arg;
    go_waitgroup_wait(&wg);
    __asm__ volatile("");
}

static void receiver_of_nothing(void *arg)
{
    (void)arg;
    (void)go_chan_recv(NULL, NULL);
    __asm__ volatile("");
}

static void selector(void *arg)
{
    (void)arg;
    go_case cases[] = {{.chan = never, .direction = GO_DIRECTION_RECV}, {.chan = NULL, .direction = GO_DIRECTION_RECV}};
    (void)go_select(cases, 2);
    __asm__ volatile("");
}

/* The goroutine that waits so shows the goco function it called, then its own, and nothing else. */
static bool shows(const char *head, const char *called, const char *caller)
{
    char *part = wait_until_parked(head);
    if (part == NULL) {
        return false;
    }
    char *at = strchr(part, '\n');
    size_t n = at != NULL && strncmp(at, "\n    ", 5) == 0 ? strlen(called) : 0;
    if (n != 0 && strncmp(at + 5, called, n) == 0 && at[5 + n] == '+') {
        at = strchr(at + 1, '\n');
        n = strlen(caller);
        if (at != NULL && strncmp(at, "\n    ", 5) == 0 && strncmp(at + 5, caller, n) == 0 && at[5 + n] == '+') {
            at = strchr(at + 1, '\n');
            if (at != NULL && strncmp(at, "\ncreated by", 11) == 0) {
                return true;
            }
        }
    }
    (void)fprintf(stderr, "not %s by %s:\n%s\n", called, caller, part);
    return false;
}

static int reasons(void *arg)
{
    (void)arg;
    go(sleeper, NULL);
    CHECK(shows("[sleep", "go_sleep", "sleeper"));
    go_mutex_lock(&mutex);
    go_waitgroup_add(&wg, 1);
    go(locker, NULL);
    CHECK(shows("[mutex lock", "go_mutex_lock", "locker"));
    go(waiter, NULL);
    CHECK(shows("[waitgroup wait", "go_waitgroup_wait", "waiter"));
    go(receiver_of_nothing, NULL);
    CHECK(shows("[chan receive (nil chan)", "go_chan_recv", "receiver_of_nothing"));
    go(selector, NULL);
    CHECK(shows("[select", "go_select", "selector"));
    return 0;
}

static void test_each_wait_has_its_reason(void **state)
{
    (void)state;
    assert_int_equal(go_run(reasons, NULL), 0);
}

static go_chan *full;
static go_rwmutex rwmutex;
static go_cond cond;
static go_sem sem;
static go_once once;
static go_group *group; /* reachable, for nobody frees what a dropped goroutine has */
static int quiet[2], stuffed[2], listener, silent;
static struct sockaddr_in full_address;
static int accepted;
static pid_t child;

#define WAITER(name, call)      \
    static void name(void *arg) \
    {                           \
        (void)arg;              \
        (void)call;             \
        __asm__ volatile("");   \
    }

static int never_ends(go_context *ctx, void *arg)
{
    (void)ctx;
    receiver(arg);
    return 0;
}

static char chunk[1 << 16];

WAITER(sender, go_chan_send(full, NULL))
WAITER(sender_to_nothing, go_chan_send(NULL, NULL))
WAITER(writer, (go_rwmutex_lock(&rwmutex), 0))
WAITER(reader, (go_rwmutex_rlock(&rwmutex), 0))
WAITER(acquirer, go_sem_acquire(&sem, 1))
WAITER(doer, (go_once_do(&once, receiver, NULL), 0))
WAITER(socket_reader, go_read(quiet[0], chunk, 1))
WAITER(poller, go_poll(quiet[0], POLLIN, GO_FOREVER))
WAITER(acceptor, (accepted = go_accept(listener)))
WAITER(parent, go_waitpid(child, NULL, 0))

static void cond_waiter(void *arg)
{
    static go_mutex own;
    (void)arg;
    go_mutex_lock(&own);
    go_cond_wait(&cond, &own);
    __asm__ volatile("");
}

static void group_waiter(void *arg)
{
    (void)arg;
    (void)go_group_wait(group);
    __asm__ volatile("");
}

static void socket_writer(void *arg)
{
    (void)arg;
    for (;;) {
        CHECK(go_write(stuffed[0], chunk, sizeof chunk) > 0);
    }
}

/* The queue of a listener that nobody serves has room for two or so. */
static void connector(void *arg)
{
    (void)arg;
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(fd >= 0);
        CHECK(go_connect(fd, (struct sockaddr *)(void *)&full_address, sizeof full_address) == 0);
    }
}

static void blocked(void *arg)
{
    char byte;
    (void)arg;
    go_block_begin();
    CHECK(read(silent, &byte, 1) == 0); /* until the test closes the other end */
    go_block_end();
}

static void make_what_is_waited_for(void)
{
    socklen_t size = sizeof full_address;
    int queue = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    full = go_chan_new(0, 0);
    go_rwmutex_lock(&rwmutex);
    go_sem_init(&sem, 1);
    CHECK(go_sem_acquire(&sem, 1) == 0);
    group = go_group_new(NULL);
    go_group_go(group, never_ends, NULL);
    go(doer, NULL); /* one stays inside, another one waits */
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, quiet) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stuffed) == 0);
    listener = go_listen("tcp", "127.0.0.1:0");
    CHECK(listener >= 0);
    full_address.sin_family = AF_INET;
    full_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(queue, (struct sockaddr *)(void *)&full_address, size) == 0 && listen(queue, 0) == 0);
    CHECK(getsockname(queue, (struct sockaddr *)(void *)&full_address, &size) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(127);
    }
}

static int every_reason(void *arg)
{
    int ends[2];
    (void)arg;
    make_what_is_waited_for();
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    silent = ends[0];
    static const struct {
        go_func wait;
        const char *head, *called, *caller;
    } waits[] = {
        {sender, "[chan send", "go_chan_send", "sender"},
        {sender_to_nothing, "[chan send (nil chan)", "go_chan_send", "sender_to_nothing"},
        {writer, "[rwmutex lock", "go_rwmutex_lock", "writer"},
        {reader, "[rwmutex rlock", "go_rwmutex_rlock", "reader"},
        {cond_waiter, "[cond wait", "go_cond_wait", "cond_waiter"},
        {acquirer, "[semaphore acquire", "go_sem_acquire", "acquirer"},
        {group_waiter, "[group wait", "go_group_wait", "group_waiter"},
        {doer, "[once", "go_once_do", "doer"},
        {socket_reader, "[io read", "go_read", "socket_reader"},
        {socket_writer, "[io write", "go_write", "socket_writer"},
        {poller, "[io poll", "go_poll", "poller"},
        {acceptor, "[io accept", "go_accept", "acceptor"},
        {connector, "[io connect", "go_connect", "connector"},
        {parent, "[process wait", "go_waitpid", "parent"},
    };
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        go(waits[i].wait, NULL);
        CHECK(shows(waits[i].head, waits[i].called, waits[i].caller));
    }
    go(blocked, NULL);
    CHECK(wait_for("[blocking call") != NULL);
    CHECK(close(ends[1]) == 0);
    CHECK(kill(child, SIGKILL) == 0);
    return 0;
}

static void test_every_reason_has_its_name(void **state)
{
    (void)state;
    assert_int_equal(go_run(every_reason, NULL), 0);
}

static int ids_ascend(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        go(receiver, NULL);
    }
    CHECK(go_count() == 201);
    take_dump();
    unsigned long long last = 0, count = 0;
    for (const char *at = text; (at = strstr(at, "goroutine ")) != NULL; at++) {
        if (at == text || at[-1] == '\n') {
            unsigned long long id = strtoull(at + strlen("goroutine "), NULL, 10);
            CHECK(id > last);
            last = id;
            count++;
        }
    }
    CHECK(count == 201);
    return 0;
}

static void test_every_goroutine_is_listed_by_age(void **state)
{
    (void)state;
    assert_int_equal(go_run(ids_ascend, NULL), 0);
}

static _Atomic int hog_runs, hog_ends;

static void hog(void *arg)
{
    (void)arg;
    hog_runs = 1;
    while (!hog_ends) {}
}

static int with_a_hog(void *arg)
{
    (void)arg;
    hog_runs = hog_ends = 0;
    const go_attr attr = {.name = "hog"};
    CHECK(go_spawn(&attr, hog, NULL) == 0);
    while (!hog_runs) {
        go_yield();
    }
    take_dump();
    char *part = section("\"hog\" [");
    CHECK(part != NULL);
    hog_ends = 1;
    return 0;
}

static void test_a_computing_goroutine_does_not_hold_up_the_dump(void **state)
{
    (void)state;
    assert_int_equal(go_run(with_a_hog, NULL), 0);
}

static void *dump_outside(void *arg)
{
    (void)arg;
    take_dump();
    return NULL;
}

static int from_a_thread(void *arg)
{
    (void)arg;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, dump_outside, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(strstr(text, "goroutine 1 ") != NULL);
    return 0;
}

static void test_another_thread_may_dump(void **state)
{
    (void)state;
    assert_int_equal(go_run(from_a_thread, NULL), 0);
}

static _Atomic int dumpers_left;

static void dumper(void *arg)
{
    (void)arg;
    int fd = memfd_create("dump", MFD_CLOEXEC);
    for (int i = 0; i < 20; i++) {
        go_dump(fd);
        go_yield();
    }
    (void)close(fd);
    dumpers_left--;
}

static int many_dumpers(void *arg)
{
    (void)arg;
    dumpers_left = 8;
    for (int i = 0; i < 8; i++) {
        go(dumper, NULL);
    }
    while (dumpers_left > 0) {
        go_yield();
    }
    return 0;
}

/* The goroutine that delivered signals leaves its record to the next one, which is the program's. */
static int after_a_deliverer(void *arg)
{
    (void)arg;
    go_chan *c = go_chan_new(sizeof(int), 1);
    CHECK(go_signal_notify(c, SIGUSR1) == 0);
    CHECK(go_signal_stop(c, SIGUSR1) == 0);
    go_chan_unref(c);
    while (go_count() > 1) {
        CHECK(go_sleep(GO_MILLISECOND) == 0);
    }
    static const char large[600]; /* on a reserved stack, as the deliverer */
    for (int i = 0; i < 100; i++) {
        go_copy(receiver, large, sizeof large);
    }
    go_yield();
    take_dump();
    CHECK(strstr(text, "(runtime)") == NULL);
    return 0;
}

static void test_a_recycled_goroutine_is_not_the_runtimes(void **state)
{
    (void)state;
    assert_int_equal(go_run(after_a_deliverer, NULL), 0);
}

static void test_dumps_at_the_same_time_take_turns(void **state)
{
    (void)state;
    assert_int_equal(go_run(many_dumpers, NULL), 0);
}

static void test_without_a_runtime_nothing_is_written(void **state)
{
    (void)state;
    take_dump();
    assert_string_equal(text, "");
}

static int sigquit_body(void *arg)
{
    int fd = *(int *)arg;
    CHECK(kill(getpid(), SIGQUIT) == 0);
    for (int64_t end = go_now() + PATIENCE; go_now() < end;) {
        read_back(fd);
        if (strstr(text, "goroutine 1 ") != NULL) {
            return 7;
        }
        (void)go_sleep(GO_MILLISECOND);
    }
    return 1;
}

static void test_sigquit_dumps_to_stderr_and_the_program_goes_on(void **state)
{
    (void)state;
    int fd = memfd_create("stderr", MFD_CLOEXEC), old = dup(2);
    assert_int_equal(dup2(fd, 2), 2);
    int result = go_run(sigquit_body, &fd);
    assert_int_equal(dup2(old, 2), 2);
    (void)close(old);
    (void)close(fd);
    assert_int_equal(result, 7);
    struct sigaction now;
    assert_int_equal(sigaction(SIGQUIT, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
}

static void own_handler(int signo)
{
    (void)signo;
}

static int sees_own_handler(void *arg)
{
    (void)arg;
    struct sigaction now;
    CHECK(sigaction(SIGQUIT, NULL, &now) == 0);
    return now.sa_handler == own_handler;
}

static void test_the_programs_own_sigquit_handler_stays(void **state)
{
    (void)state;
    assert_true(signal(SIGQUIT, own_handler) == SIG_DFL);
    assert_int_equal(go_run(sees_own_handler, NULL), 1);
    assert_true(signal(SIGQUIT, SIG_DFL) == own_handler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_runtime_nothing_is_written),
        cmocka_unit_test(test_parked_goroutine_shows_name_reason_frames_and_creator),
        cmocka_unit_test(test_caller_comes_first_with_its_own_backtrace),
        cmocka_unit_test(test_each_wait_has_its_reason),
        cmocka_unit_test(test_every_reason_has_its_name),
        cmocka_unit_test(test_every_goroutine_is_listed_by_age),
        cmocka_unit_test(test_a_computing_goroutine_does_not_hold_up_the_dump),
        cmocka_unit_test(test_another_thread_may_dump),
        cmocka_unit_test(test_dumps_at_the_same_time_take_turns),
        cmocka_unit_test(test_a_recycled_goroutine_is_not_the_runtimes),
        cmocka_unit_test(test_sigquit_dumps_to_stderr_and_the_program_goes_on),
        cmocka_unit_test(test_the_programs_own_sigquit_handler_stays),
    };
    never = go_chan_new(0, 0); /* outlives each run */
    int failed = never == NULL || cmocka_run_group_tests(tests, NULL, NULL) != 0;
    go_chan_unref(never);
    return failed;
}
