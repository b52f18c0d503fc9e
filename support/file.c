/* Whole files in and out: see file.h. Opening never blocks on a fifo, and only regular files are read, so no
 * path can make the compiler hang or read without end. */
#include "support/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST_FILE = 256 << 20 };

/* NULL where the open file can be read whole. */
static const char *unreadable(const struct stat *status) {
    if (S_ISDIR(status->st_mode)) return "is a directory";
    if (!S_ISREG(status->st_mode)) return "is not a regular file";
    if (status->st_size > LARGEST_FILE) return "is larger than 256 MiB";
    return NULL;
}

/* Reads up to `size` bytes; -1 on an error. The file may be shorter by now. */
static ssize_t read_all(int file, char *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(file, data + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static char *read_open(Arena *arena, int file, size_t *length, const char **error) {
    struct stat status;
    if (fstat(file, &status) != 0) return *error = strerror(errno), NULL;
    if ((*error = unreadable(&status))) return NULL;
    char *data = arena_alloc(arena, (size_t)status.st_size + 1);
    ssize_t got = read_all(file, data, (size_t)status.st_size);
    if (got < 0) return *error = strerror(errno), NULL;
    /* Files of /proc say that they are empty. */
    if (status.st_size == 0 && read_all(file, data, 1) != 0)
        return *error = "does not say how long it is: copy it and give the copy", NULL;
    *length = (size_t)got;
    return data;
}

/* Messages are constants or copied: strerror's own text may be overwritten by the next call. */
char *file_read(Arena *arena, const char *path, size_t *length, const char **error) {
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return *error = arena_strdup(arena, strerror(errno)), NULL;
    char *data = read_open(arena, file, length, error);
    if (!data) *error = arena_strdup(arena, *error);
    close(file);
    return data;
}

static const char *error_text(int number) {
    switch (number) {
    case ENOENT: return "no such directory";
    case EACCES:
    case EPERM:
    case EROFS: return "permission denied";
    case ENOSPC:
    case EDQUOT: return "no space left on device";
    case EISDIR: return "is a directory";
    case ENOTDIR: return "a part of the path is not a directory";
    case ENAMETOOLONG: return "the name is too long";
    default: return "input/output error";
    }
}

static bool write_all(int file, const char *data, size_t length) {
    while (length) {
        ssize_t put = write(file, data, length);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        data += put;
        length -= (size_t)put;
    }
    return true;
}

/* Writes and renames; the temporary file is gone afterwards in any case. */
static bool replace(int file, const char *temporary, const char *path, const void *data, size_t length) {
    mode_t mask = umask(0);
    umask(mask);
    bool written = write_all(file, data, length) && fchmod(file, 0666 & ~mask) == 0;
    int number = errno;
    if (close(file) != 0 && written) written = false, number = errno;
    if (written && rename(temporary, path) == 0) return true;
    if (written) number = errno;
    unlink(temporary);
    errno = number;
    return false;
}

/* A device or pipe is written to: renaming something to its name would replace it for everybody. */
bool file_special(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static bool write_special(const char *path, const void *data, size_t length) {
    int file = open(path, O_WRONLY);
    if (file < 0) return false;
    bool written = write_all(file, data, length);
    int number = errno;
    if (close(file) != 0 && written) return false;
    errno = number;
    return written;
}

bool file_write(const char *path, const void *data, size_t length, const char **error) {
    if (file_special(path)) {
        bool put = write_special(path, data, length);
        if (!put) *error = error_text(errno);
        return put;
    }
    const char suffix[] = ".XXXXXX";
    size_t size = strlen(path);
    char *temporary = malloc(size + sizeof suffix);
    if (!temporary) return *error = "out of memory", false;
    memcpy(temporary, path, size);
    memcpy(temporary + size, suffix, sizeof suffix);
    int file = mkstemp(temporary);
    bool done = file >= 0 && replace(file, temporary, path, data, length);
    if (!done) *error = error_text(errno);
    free(temporary);
    return done;
}

bool file_exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, R_OK) == 0;
}

bool file_same(const char *a, const char *b) {
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}
