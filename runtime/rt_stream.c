/* Files that may be pipes. What comes through one is kept in a file of its own, so that it has a length and
 * any place of it can be read. */
#include "rt_file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART_BYTES = 64 << 10, WRITER_MILLISECONDS = 1000 };

/* Reads or writes a part. False: `code` says why. */
static bool pass_on(int pipe, int file, char *bytes, ssize_t *count, int *code) {
    do *count = read(pipe, bytes, PART_BYTES);
    while (*count < 0 && errno == EINTR);
    *code = *count < 0 ? errno : rt_file_write(file, bytes, (size_t)*count);
    return *code == 0;
}

static bool refuse(const char *path, const char *reason, rt_text *error) {
    rt_text_quotes(error, path);
    rt_text_addf(error, ": %s", reason);
    return false;
}

static bool refuse_file(const char *path, int code, rt_text *error) {
    rt_text_quotes(error, path);
    rt_text_adds(error, ": what comes through this pipe goes to a temporary file in ");
    rt_text_quotes(error, rt_file_temporary_folder());
    rt_text_addf(error, ", which cannot be written: %s (set TMPDIR to a folder with room)", strerror(code));
    return false;
}

static bool keep(int pipe, int file, const char *path, int64_t *size, rt_text *error) {
    char bytes[PART_BYTES];
    ssize_t count = 1;
    int code = 0;
    for (*size = 0; count > 0; *size += count)
        if (!pass_on(pipe, file, bytes, &count, &code))
            return count < 0 ? refuse(path, strerror(code), error) : refuse_file(path, code, error);
    return *size > 0 || refuse(path, "nothing came through this pipe", error);
}

/* The pipe's other end. Opening must not wait for it for ever, but whoever was started together with the
 * program may be a little later. */
static int open_pipe(const char *path, rt_text *error) {
    int pipe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (pipe < 0) {
        refuse(path, strerror(errno), error);
        return -1;
    }
    struct pollfd waited = {.fd = pipe, .events = POLLIN};
    poll(&waited, 1, WRITER_MILLISECONDS);
    fcntl(pipe, F_SETFL, 0);
    return pipe;
}

int rt_stream_open(const char *path, int64_t *size, rt_text *error) {
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISFIFO(status.st_mode)) return rt_file_open(path, size, error);
    int pipe = open_pipe(path, error);
    if (pipe < 0) return -1;
    int file = rt_file_temporary();
    bool kept = file < 0 ? refuse_file(path, errno, error) : keep(pipe, file, path, size, error);
    close(pipe);
    if (kept) return file;
    if (file >= 0) close(file);
    return -1;
}
