#include "os/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int affinity_count(void)
{
    /* Machines with more CPUs than a static set need a larger one; the kernel says so by EINVAL. */
    for (int bits = 1024; bits <= 1024 * 64; bits *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)bits);
        if (set == NULL) {
            return 1;
        }
        size_t bytes = CPU_ALLOC_SIZE((size_t)bits);
        int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) {
            return count;
        }
    }
    return 1;
}

/* First line of a small file, without its end; false if it cannot be read. */
static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool ok = fgets(line, size, file) != NULL;
    (void)fclose(file);
    return ok;
}

/* CPUs that quota out of period allows, rounded up; 0: no limit. */
static int quota_cpus(long quota, long period)
{
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static int quota_at(const char *root, const char *group, bool v2)
{
    char path[4608], line[128];
    if (v2) {
        (void)snprintf(path, sizeof path, "%s%s/cpu.max", root, group);
        if (!read_line(path, line, sizeof line) || strncmp(line, "max", 3) == 0) {
            return 0;
        }
        char *rest;
        long quota = strtol(line, &rest, 10);
        return quota_cpus(quota, strtol(rest, NULL, 10));
    }
    (void)snprintf(path, sizeof path, "%s%s/cpu.cfs_quota_us", root, group);
    if (!read_line(path, line, sizeof line)) {
        return 0;
    }
    long quota = strtol(line, NULL, 10);
    (void)snprintf(path, sizeof path, "%s%s/cpu.cfs_period_us", root, group);
    return read_line(path, line, sizeof line) ? quota_cpus(quota, strtol(line, NULL, 10)) : 0;
}

/* The smallest quota from the group up to the root: each level limits those below. */
static int quota_upwards(const char *root, char *group, bool v2)
{
    int least = 0;
    for (;;) {
        int here = quota_at(root, group, v2);
        least = here != 0 && (least == 0 || here < least) ? here : least;
        char *slash = strrchr(group, '/');
        if (slash == NULL) {
            return least;
        }
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static int quota_of_line(char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) {
        return 0;
    }
    *controllers++ = '\0';
    *group++ = '\0';
    if (*controllers == '\0') {
        return quota_upwards("/sys/fs/cgroup", group, true);
    }
    for (char *rest = controllers, *name; (name = strsep(&rest, ",")) != NULL;) {
        if (strcmp(name, "cpu") == 0) {
            return quota_upwards("/sys/fs/cgroup/cpu", group, false);
        }
    }
    return 0;
}

static int quota_count(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL) {
        return 0;
    }
    int least = 0;
    char line[4352];
    while (fgets(line, sizeof line, file) != NULL) {
        int here = quota_of_line(line);
        least = here != 0 && (least == 0 || here < least) ? here : least;
    }
    (void)fclose(file);
    return least;
}

int go__cpu_count(void)
{
    int cpus = affinity_count();
    int quota = quota_count();
    return quota != 0 && quota < cpus ? quota : cpus;
}
