/* A program for the gdb test: a few parked goroutines, one computing; then it waits to be looked at, or aborts ("core"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "go.h"
#include "support/check.h"

static go_chan *never;
static _Atomic int ready;

static __attribute__((noinline)) void inner_receive(volatile int depth)
{
    if (depth > 0) {
        inner_receive(depth - 1);
    } else {
        ready++;
        (void)go_chan_recv(never, NULL);
    }
    __asm__ volatile("");
}

static void receiver(void *arg)
{
    inner_receive(*(int *)arg);
    __asm__ volatile("");
}

static void computing(void *arg)
{
    (void)arg;
    ready++;
    for (;;) {
        __asm__ volatile("");
    }
}

static int body(void *arg)
{
    static int depths[] = {0, 3, 5};
    never = go_chan_new(0, 0);
    for (int i = 0; i < 3; i++) {
        const go_attr attr = {.name = i == 1 ? "named" : NULL, .stack_size = i == 2 ? 100000 : 0};
        CHECK(go_spawn(&attr, receiver, &depths[i]) == 0);
    }
    while (ready < 3) {
        go_yield();
    }
    go(computing, NULL);
    while (ready < 4) {
        go_yield();
    }
    (void)go_sleep(20 * GO_MILLISECOND); /* the last receiver leaves its stack; the hog loses its P */
    if (strcmp((const char *)arg, "core") == 0) {
        abort();
    }
    (void)puts("parked");
    (void)fflush(stdout);
    return go_sleep(60 * GO_SECOND);
}

int main(int argc, char **argv)
{
    return go_run(body, argc > 1 ? argv[1] : "");
}
