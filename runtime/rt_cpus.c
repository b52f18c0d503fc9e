/* How many CPUs the process may use: its affinity mask, bounded by the CPU quota of its control groups
 * (versions 1 and 2). What cannot be read does not bound. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "rt.h"
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int32_t affinity_cpus(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return (int32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than the mask has bits for */
    return online > 0 ? (int32_t)online : 1;
}

/* The whole numbers at the start of a small file: how many there were, at most `count`. */
static int read_numbers(const char *path, long long *numbers, int count) {
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    char line[128] = "";
    int found = 0;
    if (fgets(line, sizeof line, file)) {
        char *at = line, *end;
        while (found < count) {
            numbers[found] = strtoll(at, &end, 10);
            if (end == at) break;
            at = end;
            found++;
        }
    }
    fclose(file);
    return found;
}

/* CPUs of a quota of `quota` µs a `period`; less than one CPU is one. */
static int32_t quota_cpus(long long quota, long long period) {
    if (quota <= 0 || period <= 0 || quota / period > INT32_MAX) return INT32_MAX;
    return quota < period ? 1 : (int32_t)(quota / period);
}

/* The bound of the one group in folder `path`. */
static int32_t group_cpus(const char *path, bool version_2) {
    char name[PATH_MAX + 32];
    long long numbers[2], period;
    if (version_2) {
        snprintf(name, sizeof name, "%s/cpu.max", path);
        return read_numbers(name, numbers, 2) == 2 ? quota_cpus(numbers[0], numbers[1]) : INT32_MAX;
    }
    snprintf(name, sizeof name, "%s/cpu.cfs_quota_us", path);
    if (read_numbers(name, numbers, 1) != 1) return INT32_MAX;
    snprintf(name, sizeof name, "%s/cpu.cfs_period_us", path);
    return read_numbers(name, &period, 1) == 1 ? quota_cpus(numbers[0], period) : INT32_MAX;
}

/* The least bound of the group `group` below the mount point `root` and of all groups that contain it. */
static int32_t tree_cpus(const char *root, const char *group, bool version_2) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s", root, group);
    if (length < 0 || (size_t)length >= sizeof path) return INT32_MAX;
    int32_t least = INT32_MAX;
    size_t root_length = strlen(root);
    for (;;) {
        int32_t cpus = group_cpus(path, version_2);
        if (cpus < least) least = cpus;
        char *slash = strrchr(path, '/');
        if (!slash || (size_t)(slash - path) < root_length) return least;
        *slash = 0;
    }
}

/* Is `name` one of the comma-separated controllers? */
static bool has_controller(const char *controllers, const char *name) {
    size_t length = strlen(name);
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == 0)) return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: `id:controllers:path`, without controllers for version 2. */
static int32_t line_cpus(char *line) {
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return INT32_MAX;
    controllers++;
    *path++ = 0;
    if (strcmp(path, "/") == 0) path = "";
    if (!*controllers) return tree_cpus("/sys/fs/cgroup", path, true);
    if (!has_controller(controllers, "cpu")) return INT32_MAX;
    /* In a container the path is often that of the host, and only the mount point itself exists. */
    return tree_cpus("/sys/fs/cgroup/cpu", path, false);
}

static int32_t control_group_cpus(void) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return INT32_MAX;
    char line[PATH_MAX];
    int32_t least = INT32_MAX;
    while (fgets(line, sizeof line, file)) {
        int32_t cpus = line_cpus(line);
        if (cpus < least) least = cpus;
    }
    fclose(file);
    return least;
}

int32_t rt_cpus(void) {
    int32_t cpus = affinity_cpus();
    int32_t bound = control_group_cpus();
    if (bound < cpus) cpus = bound;
    return cpus < 1 ? 1 : cpus;
}
