/* warm_memory: touches memory and gives it back. The host of a virtual machine takes free memory away and brings it back page by page,
 * at ten times the price of clearing it: who measures the first use of memory runs this before each program, so that none of them pays
 * for what the last one left. The argument is the number of MiB, at most half of what is available. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static size_t available_kib(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[256];
    size_t kib = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL && sscanf(line, "MemAvailable: %zu kB", &kib) != 1) {}
    if (f != NULL) {
        (void)fclose(f);
    }
    return kib;
}

int main(int argc, char **argv)
{
    size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 0) << 20;
    size_t most = available_kib() * 512;
    char *at;

    bytes = bytes < most ? bytes : most;
    at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return 1;
    }
    (void)madvise(at, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes; i += 4096) {
        at[i] = 1;
    }
    return 0;
}
