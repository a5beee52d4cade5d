/* The number of Ps changing under everybody, and the instruments looking on. What must hold: the figures are possible ones. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <unistd.h>

#include "soak.h"

static void rest(int64_t duration)
{
    (void)go_chan_recv_until(soak_stopped, NULL, go_now() + duration);
}

/* --- go_set_procs --- */

/* Half of the time as the run was started, or a soak with GOCO_PROCS=64 would hardly see them. */
static void change_procs(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        int procs = 1 + (int)soak_below(&random, 8);
        MUST(go_set_procs(procs) > 0);
        MUST_EQUAL(go_procs(), procs); /* nobody else changes it */
        rest(soak_micros(&random, 100000));
        MUST_EQUAL(go_set_procs(soak_first_procs), procs);
        rest(soak_micros(&random, 100000));
        soak_count(&soak_procs, 1);
    }
}

static void start_procs(void)
{
    soak_go(change_procs, NULL);
}

static void finish_procs(void)
{
    MUST_EQUAL(go_procs(), soak_first_procs);
}

struct soak_family soak_procs = {.name = "go_set_procs", .start = start_procs, .finish = finish_procs};

/* --- stats, dumps, traces --- */

static void look_at_stats(go_stats *last)
{
    go_stats now;
    go_get_stats(&now);
    MUST(now.goroutines >= 1 && now.goroutines < 1000000);
    MUST(now.goroutines_created >= last->goroutines_created);
    MUST(now.switches >= last->switches);
    MUST(now.procs >= 1 && now.procs <= 1024);
    MUST(now.threads >= 1 && now.threads <= 10000);
    *last = now;
}

static void dump_to_nowhere(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    MUST(fd >= 0);
    go_dump(fd);
    MUST_EQUAL(close(fd), 0);
}

static void trace_for_a_while(uint64_t *random)
{
    MUST_EQUAL(go_trace_start("/dev/null"), 0);
    MUST_EQUAL(go_trace_start("/dev/null"), -EBUSY);
    (void)go_sleep(soak_micros(random, 5000));
    MUST_EQUAL(go_trace_stop(), 0);
    MUST_EQUAL(go_trace_stop(), -EINVAL);
}

static void look_on(void *arg)
{
    uint64_t random = soak_new_random();
    go_stats last = {0};
    (void)arg;
    while (soak_goes_on()) {
        look_at_stats(&last);
        switch (soak_below(&random, 8)) {
        case 0: trace_for_a_while(&random); break;
        case 1:
        case 2: dump_to_nowhere(); break;
        default: break;
        }
        soak_count(&soak_debug, 1);
        rest(soak_micros(&random, 300000));
    }
}

static void start_debug(void)
{
    soak_go(look_on, NULL);
}

struct soak_family soak_debug = {.name = "stats, dump, trace", .start = start_debug};
