/* What the process has: memory, threads, descriptors, as the kernel and malloc count them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

/* sysmon looks how a thread fares whose goroutine holds others up, at that moment perhaps the one that counts here. */
static bool of_sysmon(int folder, const char *name)
{
    char target[64], rest[8];
    int pid, task;
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    return sscanf(target, "/proc/%d/task/%d/%7s", &pid, &task, rest) == 3 && strcmp(rest, "stat") == 0;
}

static int count_entries(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return -1;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += entry->d_name[0] != '.' && !of_sysmon(dirfd(folder), entry->d_name);
    }
    (void)closedir(folder);
    return count;
}

static long resident_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL && sscanf(line, "VmRSS: %ld", &kib) != 1) {}
    if (status != NULL) {
        (void)fclose(status);
    }
    return kib;
}

void soak_measure(struct soak_usage *usage)
{
    usage->heap = 0;
#if !SOAK_SANITIZED && defined(__GLIBC__)
    (void)malloc_trim(0); /* what malloc keeps for later is not the runtime's */
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    usage->heap = (long)((info.uordblks + info.hblkhd) / 1024);
#endif
#endif
    usage->resident = resident_kib();
    usage->threads = count_entries("/proc/self/task");
    usage->descriptors = count_entries("/proc/self/fd") - 1; /* but for the folder's own */
}

void soak_measure_calm(struct soak_usage *usage, const struct soak_usage *wanted)
{
    for (int tries = 0; tries < 500; tries++) {
        soak_measure(usage);
        if (usage->threads <= wanted->threads && usage->descriptors <= wanted->descriptors) {
            return;
        }
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
}
