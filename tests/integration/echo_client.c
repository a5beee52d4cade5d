/* A client of echo_server written on goco: checks every byte.
 *
 *   echo_client ADDRESS CONNECTIONS MESSAGES         every connection sends MESSAGES messages of 1 to 3000 bytes
 *   echo_client ADDRESS CONNECTIONS MESSAGES hold    the same, then "ready", then again when a line comes from standard input
 *
 * Prints "ok" and the number of bytes, status 0; the first difference or error ends it with status 1. */
#include <go.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* GREETINGS: connections that wait for their first answer. A server without a CPU does not accept, and what no longer fits into its queue
 * (net.core.somaxconn, 4096) the kernel drops, tries again for some seconds and then resets. */
enum { LARGEST = 3000, PATIENCE_SECONDS = 60, GREETINGS = 1000 };

struct job {
    const char *address;
    unsigned connection;
    int messages;
};

static go_waitgroup round_over;
static go_sem greetings;
static go_chan *second_round;
static atomic_llong bytes;
static bool hold;

static void fail(unsigned connection, const char *what, long long code)
{
    fprintf(stderr, "connection %u: %s: %s (%lld)\n", connection, what, go_strerror((int)code), code);
    exit(1);
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void exchange(const struct job *job, int fd, unsigned *random)
{
    unsigned char out[LARGEST], in[LARGEST];
    ssize_t n;

    for (int m = 0; m < job->messages; m++) {
        size_t size = 1 + next_random(random) % LARGEST;
        for (size_t i = 0; i < size; i++) {
            out[i] = (unsigned char)(job->connection * 131 + (unsigned)m * 17 + i);
        }
        if ((n = go_write(fd, out, size)) != (ssize_t)size) {
            fail(job->connection, "write", n);
        }
        if ((n = go_read_full(fd, in, size)) != (ssize_t)size) {
            fail(job->connection, "read", n);
        }
        if (memcmp(out, in, size) != 0) {
            fail(job->connection, "other bytes came back", 0);
        }
        atomic_fetch_add(&bytes, (long long)size);
    }
}

static void talk(void *arg)
{
    const struct job *job = arg;
    unsigned random = job->connection + 1;
    (void)go_sem_acquire(&greetings, 1);
    int fd = go_dial_until("tcp", job->address, go_now() + PATIENCE_SECONDS * GO_SECOND);

    if (fd < 0) {
        fail(job->connection, "dial", fd);
    }
    go_set_deadline(fd, go_now() + PATIENCE_SECONDS * GO_SECOND);
    exchange(job, fd, &random);
    go_sem_release(&greetings, 1);
    if (hold) {
        go_set_deadline(fd, GO_FOREVER);
        go_waitgroup_done(&round_over);
        (void)go_chan_recv(second_round, NULL); /* until it is closed */
        go_set_deadline(fd, go_now() + PATIENCE_SECONDS * GO_SECOND);
        exchange(job, fd, &random);
    }
    go_close(fd);
    go_waitgroup_done(&round_over);
}

static int client_main(void *arg)
{
    char **argv = arg, line[2];
    int connections = atoi(argv[2]);

    go_sem_init(&greetings, GREETINGS);
    second_round = go_chan_new(1, 0);
    go_waitgroup_add(&round_over, connections);
    for (int i = 0; i < connections; i++) {
        struct job job = {argv[1], (unsigned)i, atoi(argv[3])};
        go_copy(talk, &job, sizeof job);
    }
    go_waitgroup_wait(&round_over);
    if (hold) {
        printf("ready\n");
        fflush(stdout);
        (void)go_read(0, line, sizeof line);
        go_waitgroup_add(&round_over, connections);
        go_chan_close(second_round);
        go_waitgroup_wait(&round_over);
    }
    printf("ok %lld bytes\n", atomic_load(&bytes));
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc < 4) {
        fprintf(stderr, "usage: echo_client ADDRESS CONNECTIONS MESSAGES [hold]\n");
        return 2;
    }
    hold = argc > 4;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return go_run(client_main, argv);
}
