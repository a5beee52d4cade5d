#include "os/clock.h"

#include <time.h>

int64_t go__clock_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void go__clock_sleep(int64_t ns)
{
    struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}
