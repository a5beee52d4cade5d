/* pipeline: the prime sieve, a goroutine for each prime found.
 *
 * Lesson: stages connected by channels. Each filter receives numbers from its left, drops the multiples of its prime and sends the rest
 * to its right. What passes all filters is the next prime, and gets a filter of its own. When main returns, all of them end with it.
 *
 *     $ pipeline [HOW_MANY] */
#include <go.h>
#include <stdio.h>
#include <stdlib.h>

typedef GO_CHAN(int) int_chan;

struct filter {
    int_chan in, out;
    int prime;
};

static void generate(void *arg)
{
    int_chan out = *(int_chan *)arg;

    for (int i = 2; GO_SEND(out, i) == 0; i++) {}
}

static void filter(void *arg)
{
    struct filter *f = arg;

    GO_RANGE(i, f->in)
    {
        if (i % f->prime != 0 && GO_SEND(f->out, i) != 0) {
            break;
        }
    }
}

static int sieve_main(void *arg)
{
    int count = *(int *)arg, prime;
    int_chan in;

    if (GO_CHAN_NEW(in, 0) != 0) {
        return 1;
    }
    go_copy(generate, &in, sizeof in);
    for (int i = 0; i < count && GO_RECV(in, &prime) == 0; i++) {
        struct filter f = {.in = in, .prime = prime};

        printf("%d\n", prime);
        if (GO_CHAN_NEW(f.out, 0) != 0) {
            return 1;
        }
        go_copy(filter, &f, sizeof f);
        in = f.out;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 25;
    return go_run(sieve_main, &count);
}
