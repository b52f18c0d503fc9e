/* Saving weights as a safetensors file. Whoever opens `path` sees the old file or the whole new one, whenever
 * the program or the machine stops: it is written beside, forced to the disk, and renamed. */
#include "rt.h"
#include "rt_file.h"
#include "rt_safetensors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 100 }; /* at a name for the file beside */

/* --- the file. Each returns 0 or an errno. */
static int write_tensors(int file, int32_t count, const nn_tensor *const *tensors) {
    rt_text header = {0};
    rt_st_header(&header, 1, &(rt_st_pair){"format", "pt"}, count, tensors);
    int status = rt_file_write(file, header.bytes, header.length);
    rt_text_free(&header);
    for (int32_t i = 0; i < count && status == 0; i++)
        status = rt_file_write(file, tensors[i]->data, rt_tensor_bytes(tensors[i]));
    if (status == 0 && fsync(file) != 0) status = errno;
    return status;
}

/* A new file beside `path`; its name in *name. -1 and errno. */
static int create_beside(const char *path, rt_text *name) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        name->length = 0;
        rt_text_addf(name, "%s.%ld-%d.tmp", path, (long)getpid(), attempt);
        int file = open(name->bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file >= 0 || errno != EEXIST) return file;
    }
    return -1;
}

static int save(const char *path, int32_t count, const nn_tensor *const *tensors) {
    rt_text name = {0};
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    int file = create_beside(path, &name);
    int failure = file < 0 ? errno : write_tensors(file, count, tensors);
    if (file >= 0 && close(file) != 0 && failure == 0) failure = errno;
    if (failure == 0 && rename(name.bytes, path) != 0) failure = errno;
    if (failure && file >= 0) unlink(name.bytes);
    rt_text_free(&name);
    return failure ? failure : rt_file_sync_folder(path);
}

static void check_names(nn_rt *rt, const nn_loc *loc, int32_t count, const nn_tensor *const *tensors) {
    for (int32_t i = 1; i < count; i++)
        if (strcmp(tensors[i - 1]->name, tensors[i]->name) == 0)
            rt_failf(rt, loc, "cannot save two tensors with the name `%s`", tensors[i]->name);
}

void nn_save(nn_rt *rt, const nn_loc *loc, const char *path, int32_t count, const nn_tensor *tensors) {
    const nn_tensor **sorted = rt_st_sorted(count, tensors);
    check_names(rt, loc, count, sorted);
    int failure = save(path, count, sorted);
    free(sorted);
    if (failure == 0) return;
    rt_text message = {0};
    rt_text_adds(&message, "cannot save the weights to ");
    rt_text_quotes(&message, path);
    rt_text_addf(&message, ": %s", failure == EINVAL ? "is not a regular file" : strerror(failure));
    rt_fail(rt, loc, message.bytes,
            failure == ENOSPC ? "free some space, or save to another disk; the old file is as it was" : NULL);
}
