/* Every scenario with every call of every kind failing: the first alone, the second alone and so on, until the scenario runs to its end
 * untouched; then the same with all calls from the n-th on failing.
 *
 * Each try is a process of its own. It must succeed, return an error that is documented, or end by a fatal error's report and abort: a
 * time limit catches hangs. Where go_run returned, threads and descriptors are as before, and the same scenario runs again in the same
 * process, untouched and well, after which the library holds no more memory than it does where nothing ever failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault/scenario.h"

#define LIMIT_S     20    /* a try takes milliseconds */
#define CALLS_MOST  20000 /* a scenario has some hundred */
#define INTERRUPTED 3     /* calls in a row: they are made again until they are not interrupted */

enum { UNTOUCHED = 0, TOUCHED = 1, LEAKED = 2, WRONG_CODE = 3, NOT_AGAIN = 4 };

static const char *const kind_names[GO__FAULT_KINDS] = {"memory", "map",  "protect", "thread",  "poller",   "event",
                                                        "socket", "file", "signal",  "barrier", "interrupt"};

/* What an untouched run leaves behind, for comparison: pools and tables outlive runs. */
struct holding {
    long blocks, mapped;
};

struct attempt {
    const struct scenario *scenario;
    enum go__fault_kind kind;
    uint32_t first, last;
    struct holding allowed;
};

static struct {
    unsigned tries, errors, fatals, bad;
} total;

/* --- in the child --- */

static int entries_of(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

/* A thread that was joined is still listed for a moment. */
static bool threads_gone(void)
{
    for (int i = 0; i < 2000; i++) {
        if (entries_of("/proc/self/task") == 3) { /* with . and .. */
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static bool listed(const int *codes, int code)
{
    while (*codes != 0 && *codes != code) {
        codes++;
    }
    return *codes == code;
}

static bool documented(const struct attempt *t, int code)
{
    static const int of_start[] = {-ENOMEM, -EMFILE, -EAGAIN, 0};
    return code == 0 || listed(of_start, code) || listed(t->scenario->errors, code);
}

static void child(const struct attempt *t)
{
    static const int caught_by_cmocka[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
    for (size_t i = 0; i < sizeof caught_by_cmocka / sizeof caught_by_cmocka[0]; i++) {
        (void)signal(caught_by_cmocka[i], SIG_DFL); /* a crash is to be seen as one */
    }
    (void)alarm(LIMIT_S);
    int descriptors = entries_of("/proc/self/fd");
    go__fault_arm(t->kind, t->first, t->last);
    int code = go_run(t->scenario->body, NULL);
    go__fault_disarm();
    bool touched = go__fault_failed() != 0;
    if (!documented(t, code) || (code != 0 && !touched)) {
        (void)fprintf(stderr, "go_run returned %d\n", code);
        _exit(WRONG_CODE);
    }
    if (entries_of("/proc/self/fd") != descriptors || !threads_gone()) {
        (void)fprintf(stderr, "descriptors: %d, before %d; entries of task: %d\n", entries_of("/proc/self/fd"), descriptors,
                      entries_of("/proc/self/task"));
        _exit(LEAKED);
    }
    code = go_run(t->scenario->body, NULL);
    if (code != 0) {
        (void)fprintf(stderr, "the second, untouched run returned %d\n", code);
        _exit(NOT_AGAIN);
    }
    if (entries_of("/proc/self/fd") != descriptors || go__fault_blocks() > t->allowed.blocks ||
        go__fault_mapped() > t->allowed.mapped) {
        (void)fprintf(stderr, "after the second run: %d descriptors, before %d; %ld blocks of %ld; %ld bytes mapped of %ld\n",
                      entries_of("/proc/self/fd"), descriptors, go__fault_blocks(), t->allowed.blocks, go__fault_mapped(),
                      t->allowed.mapped);
        _exit(LEAKED);
    }
    _exit(touched ? TOUCHED : UNTOUCHED);
}

/* --- in the parent --- */

static void read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n;
    char rest[4096];
    for (;;) {
        bool room = length < size - 1;
        n = room ? read(fd, text + length, size - 1 - length) : read(fd, rest, sizeof rest);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            break;
        }
        length += room && n > 0 ? (size_t)n : 0;
    }
    text[length] = '\0';
}

static int in_child(const struct attempt *t, char *text, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], 2);
        (void)close(ends[0]);
        (void)close(ends[1]);
        child(t);
    }
    assert_true(pid > 0);
    (void)close(ends[1]);
    read_all(ends[0], text, size);
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Whatever a program does may need a stack segment or the barrier, and nobody can be told that there is none. */
static bool died_well(const struct scenario *s, int status, const char *text)
{
    const char *report = strstr(text, "goco: fatal error: ");
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && report != NULL &&
           (strstr(report, "out of memory for a stack segment") != NULL || strstr(report, "membarrier failed") != NULL ||
            (s->fatal != NULL && strstr(report, s->fatal) != NULL));
}

/* True: the next call is to fail. */
static bool judge(const struct attempt *t, int status, const char *text)
{
    total.tries++;
    if (WIFEXITED(status) && WEXITSTATUS(status) == UNTOUCHED) {
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == TOUCHED) {
        total.errors++;
        return true;
    }
    if (died_well(t->scenario, status, text)) {
        total.fatals++;
        if (getenv("GOCO_FAULT_FATALS") != NULL) {
            const char *report = strstr(text, "goco: fatal error: ");
            print_message("             %s %s %u: %.*s\n", t->scenario->name, kind_names[t->kind], t->first,
                          (int)strcspn(report, "\n"), report);
        }
        return true;
    }
    total.bad++;
    print_error("%s: %s calls %u to %u fail: status 0x%x\n%s\n", t->scenario->name, kind_names[t->kind], t->first, t->last,
                (unsigned)status, text);
    return t->first < 400;
}

static void each_call(struct attempt t, bool alone, uint32_t together)
{
    static char text[65536];
    uint32_t step = 1;
    do {
        assert_true(t.first < CALLS_MOST);
        t.first += step;
        t.last = alone ? t.first + together - 1 : GO__FAULT_EVER;
    } while (judge(&t, in_child(&t, text, sizeof text), text));
}

/* What two untouched runs leave behind. */
static struct holding measure(const struct scenario *s)
{
    struct holding h = {0, 0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(LIMIT_S);
        int first = go_run(s->body, NULL), second = go_run(s->body, NULL);
        h = (struct holding){go__fault_blocks(), go__fault_mapped()};
        _exit(first != 0 || second != 0 || write(ends[1], &h, sizeof h) != sizeof h);
    }
    (void)close(ends[1]);
    bool ok = read(ends[0], &h, sizeof h) == sizeof h;
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (!ok) {
        fail_msg("%s: fails untouched", s->name);
    }
    return h;
}

static void scenario_test(void **state)
{
    const struct scenario *s = *state;
    memset(&total, 0, sizeof total);
    struct holding allowed = measure(s);
    for (int kind = 0; kind < GO__FAULT_KINDS; kind++) {
        struct attempt t = {s, (enum go__fault_kind)kind, 0, 0, allowed};
        bool interrupt = kind == GO__FAULT_INTERRUPT;
        each_call(t, true, interrupt ? INTERRUPTED : 1);
        bool no_threads = kind == GO__FAULT_THREAD || kind == GO__FAULT_MEMORY; /* a thread's record is memory */
        if (!interrupt && !(s->waits && no_threads)) {
            each_call(t, false, 0);
        }
    }
    print_message("             %s: %u runs, %u with failures survived, %u fatal errors, %u wrong\n", s->name, total.tries,
                  total.errors, total.fatals, total.bad);
    assert_int_equal(total.bad, 0);
}

/* --- all of them --- */

#define TESTS_MOST 64

static struct CMUnitTest tests[TESTS_MOST]; /* unused ones, which have no name, are passed over */

static size_t add_tests(size_t count, const struct scenario *list, const char *only)
{
    for (; list->name != NULL; list++) {
        if (only == NULL || strcmp(only, list->name) == 0) {
            CHECK(count < TESTS_MOST);
            tests[count++] = (struct CMUnitTest){list->name, scenario_test, NULL, NULL, (void *)(uintptr_t)list};
        }
    }
    return count;
}

/* One try in this process, for a debugger: faults SCENARIO KIND CALL. */
static void only_one(const struct scenario *s, const char *kind, uint32_t call)
{
    for (int i = 0; i < GO__FAULT_KINDS; i++) {
        if (strcmp(kind, kind_names[i]) == 0) {
            child(&(struct attempt){s, (enum go__fault_kind)i, call, call, measure(s)});
        }
    }
}

int main(int argc, char **argv)
{
    static const struct scenario *const lists[] = {scenarios_sched, scenarios_sync, scenarios_net, scenarios_debug};
    size_t count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        count = add_tests(count, lists[i], argc > 1 ? argv[1] : NULL);
    }
    if (argc > 3 && count == 1) {
        only_one(tests[0].initial_state, argv[2], (uint32_t)atoi(argv[3]));
    }
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
