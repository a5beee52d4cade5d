/* The calling thread stays on one CPU: for measurements of the machine. Needs _GNU_SOURCE. */
#ifndef GOCO_BENCH_BIND_H
#define GOCO_BENCH_BIND_H

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

static void bind_to(size_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

#endif
