/* wake_writer: runs a program with a pipe as its descriptor 3 and writes the time (CLOCK_MONOTONIC, 8 bytes) into it every few
 * milliseconds, so that any runtime's wake-up from idle is measured by the same hand.
 * Usage: wake_writer COUNT PERIOD_US PROGRAM [ARGUMENT ...] */
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

int main(int argc, char **argv)
{
    int ends[2], status;
    pid_t pid;

    if (argc < 4 || pipe(ends) != 0) {
        fprintf(stderr, "usage: wake_writer COUNT PERIOD_US PROGRAM [ARGUMENT ...]\n");
        return 2;
    }
    pid = fork();
    if (pid == 0) {
        dup2(ends[0], 3);
        for (int fd = 4; fd < 16; fd++) {
            close(fd);
        }
        execv(argv[3], argv + 3);
        _exit(127);
    }
    close(ends[0]);
    struct timespec period = {atoi(argv[2]) / 1000000, atoi(argv[2]) % 1000000 * 1000L};
    for (int i = 0; i < atoi(argv[1]); i++) {
        nanosleep(&period, NULL);
        int64_t now = bench_now();
        BENCH_CHECK(write(ends[1], &now, sizeof now) == sizeof now);
    }
    close(ends[1]);
    BENCH_CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
