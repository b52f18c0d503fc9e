/* Opening and reading regular files; writing. */
#include "rt_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(int file, const char *path, const char *reason, rt_text *error) {
    if (file >= 0) close(file);
    rt_text_quotes(error, path);
    rt_text_addf(error, ": %s", reason);
    return -1;
}

int rt_file_open(const char *path, int64_t *size, rt_text *error) {
    /* O_NONBLOCK: a fifo without a writer would hold us here for ever. */
    int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) return refuse(file, path, strerror(errno), error);
    if (S_ISDIR(status.st_mode)) return refuse(file, path, "is a directory, not a file", error);
    if (!S_ISREG(status.st_mode)) return refuse(file, path, "is not a regular file", error);
    char byte; /* the system's own files say that they have no bytes */
    if (status.st_size == 0 && pread(file, &byte, 1, 0) == 1)
        return refuse(file, path, "does not say how long it is: copy it and give the copy", error);
    *size = status.st_size;
    return file;
}

bool rt_file_read(int file, const char *path, void *bytes, size_t count, int64_t offset, rt_text *error) {
    char *at = bytes;
    while (count > 0) {
        ssize_t got = pread(file, at, count, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            refuse(-1, path, got < 0 ? strerror(errno) : "became shorter while it was read", error);
            return false;
        }
        at += got;
        offset += got;
        count -= (size_t)got;
    }
    return true;
}

int rt_file_write(int file, const void *bytes, size_t count) {
    const char *at = bytes;
    while (count > 0) {
        ssize_t written = write(file, at, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        at += written;
        count -= (size_t)written;
    }
    return 0;
}

const char *rt_file_temporary_folder(void) {
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/var/tmp";
}

int rt_file_temporary(void) {
    rt_text name = {0};
    rt_text_addf(&name, "%s/nn-data-XXXXXX", rt_file_temporary_folder());
    int file = mkstemp(name.bytes), code = errno;
    if (file >= 0) unlink(name.bytes);
    rt_text_free(&name);
    errno = code;
    return file;
}

int rt_file_sync_folder(const char *path) {
    rt_text folder = {0};
    const char *slash = strrchr(path, '/');
    if (!slash)
        rt_text_adds(&folder, ".");
    else
        rt_text_add(&folder, path, slash == path ? 1 : (size_t)(slash - path));
    int file = open(folder.bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rt_text_free(&folder);
    if (file < 0) return 0;
    int status = fsync(file) != 0 && errno == EIO ? EIO : 0;
    close(file);
    return status;
}
