/* worker_pool: a bounded number of workers over a channel of jobs.
 *
 * Lesson: a channel is a queue that closes. The producer sends jobs and closes the channel; every worker ranges over it until it is
 * closed and drained; the last worker out closes the results. No counters, no flags, no locks.
 *
 *     $ worker_pool [WORKERS [JOBS]] */
#include <go.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1000000 };

struct result {
    int worker, job;
    long divisors;
};

static int worker_count = 4, job_count = 1000;
static GO_CHAN(int) jobs;
static GO_CHAN(struct result) results;
static go_waitgroup working;

static long count_divisors(int n)
{
    long divisors = 0;

    for (int d = 1; d <= n; d++) {
        divisors += n % d == 0;
    }
    return divisors;
}

static void worker(void *arg)
{
    int id = *(int *)arg;

    GO_RANGE(job, jobs)
    {
        struct result r = {id, job, count_divisors(job)};
        if (GO_SEND(results, r) != 0) {
            break;
        }
    }
    go_waitgroup_done(&working);
}

static void produce(void *arg)
{
    (void)arg;
    for (int job = 1; job <= job_count && GO_SEND(jobs, job) == 0; job++) {}
    GO_CLOSE(jobs);
}

static void close_results(void *arg)
{
    (void)arg;
    go_waitgroup_wait(&working);
    GO_CLOSE(results);
}

static int pool_main(void *arg)
{
    int done = 0;
    long divisors = 0;

    (void)arg;
    if (GO_CHAN_NEW(jobs, 16) != 0 || GO_CHAN_NEW(results, 16) != 0) {
        return 1;
    }
    go_waitgroup_add(&working, worker_count);
    for (int id = 0; id < worker_count; id++) {
        go_copy(worker, &id, sizeof id);
    }
    go(produce, NULL);
    go(close_results, NULL);
    GO_RANGE(r, results)
    {
        done++;
        divisors += r.divisors;
    }
    printf("%d workers did %d jobs: the numbers up to %d have %ld divisors\n", worker_count, done, job_count, divisors);
    GO_UNREF(jobs);
    GO_UNREF(results);
    return 0;
}

static bool parse(const char *text, int least, int *number)
{
    char *end;
    long value = strtol(text, &end, 10);

    *number = (int)value;
    return end != text && *end == '\0' && value >= least && value <= MOST;
}

int main(int argc, char **argv)
{
    /* Without a worker the producer would wait for ever. */
    if ((argc > 1 && !parse(argv[1], 1, &worker_count)) || (argc > 2 && !parse(argv[2], 0, &job_count))) {
        fprintf(stderr, "usage: worker_pool [WORKERS [JOBS]]: 1 to %d workers, 0 to %d jobs\n", MOST, MOST);
        return 2;
    }
    return go_run(pool_main, NULL);
}
