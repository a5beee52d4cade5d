/* Ends in the report that argv[1] asks for; the runner compares the message. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "stacks/harness.h"

static volatile long sink;

static __attribute__((noinline)) long endless(long n)
{
    volatile long here[16];
    here[n & 15] = n;
    long r = n < 0 ? 0 : endless(n + 1);
    return r + here[n & 15];
}

static void recurse_for_ever(void *arg)
{
    (void)arg;
    sink = endless(1);
}

static __attribute__((noinline)) void overrun_small(char *from)
{
    for (int i = 0; i < 1400; i++) {
        ((volatile char *)from)[-i] = 1; /* what unchecked code on the small stack would do */
    }
}

static void break_canary(void *arg)
{
    char here;
    (void)arg;
    /* Stay clear of our own frames: begin below them. */
    overrun_small(&here - 700);
}

static sigjmp_buf back;

static void on_program_fault(int signo)
{
    (void)signo;
    siglongjmp(back, 1);
}

static void fault_elsewhere(void *arg)
{
    (void)arg;
    if (sigsetjmp(back, 1) == 0) {
        *(volatile int *)8 = 1;
    }
    if (write(1, "handled\n", 8) != 8) {
        _exit(9);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_program_fault;
    action.sa_flags = SA_ONSTACK;
    if (strcmp(what, "fault-handled-before") == 0) {
        sigaction(SIGSEGV, &action, NULL);
    }
    harness_start(0, (size_t)4 << 20);
    if (strcmp(what, "fault-handled-after") == 0) {
        sigaction(SIGSEGV, &action, NULL);
    }
    if (strcmp(what, "small") == 0) {
        harness_run(HARNESS_SMALL, recurse_for_ever, NULL);
    } else if (strcmp(what, "reserved") == 0) {
        harness_run(HARNESS_RESERVED, recurse_for_ever, NULL);
    } else if (strcmp(what, "custom") == 0) {
        harness_run(HARNESS_CUSTOM, recurse_for_ever, NULL);
    } else if (strcmp(what, "canary") == 0) {
        (void)harness_new(HARNESS_SMALL, break_canary, NULL); /* the neighbour below, which suffers */
        harness_run(HARNESS_SMALL, break_canary, NULL);
    } else {
        harness_run(HARNESS_RESERVED, fault_elsewhere, NULL);
    }
    harness_stop();
    return 0;
}
