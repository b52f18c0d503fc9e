/* Saving weights as a safetensors file. Whoever opens `path` sees the old file or the whole new one, whenever
 * the program or the machine stops: it is written beside, forced to the disk, and renamed. */
#include "rt.h"
#include "rt_safetensors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 100 }; /* at a name for the file beside */

static size_t tensor_bytes(const nn_tensor *tensor) {
    size_t bytes = rt_dtype_bytes(tensor->dtype);
    for (int32_t i = 0; i < tensor->rank; i++) bytes *= (size_t)tensor->dims[i];
    return bytes;
}

/* Wide elements first, so that every tensor is aligned in the file; then by name. */
static int by_place(const void *a, const void *b) {
    const nn_tensor *x = *(const nn_tensor *const *)a, *y = *(const nn_tensor *const *)b;
    size_t m = rt_dtype_bytes(x->dtype), n = rt_dtype_bytes(y->dtype);
    return m != n ? (m < n ? 1 : -1) : strcmp(x->name, y->name);
}

/* --- the header */
static void add_name(rt_text *header, const char *name) {
    rt_text_adds(header, "\"");
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            rt_text_addf(header, "\\%c", *name);
        else if ((unsigned char)*name < 0x20)
            rt_text_addf(header, "\\u%04x", (unsigned)*name);
        else
            rt_text_add(header, name, 1);
    }
    rt_text_adds(header, "\"");
}

static void add_entry(rt_text *header, const nn_tensor *tensor, size_t begin) {
    add_name(header, tensor->name);
    rt_text_addf(header, ":{\"dtype\":\"%s\",\"shape\":[", rt_st_dtype_name(tensor->dtype));
    for (int32_t i = 0; i < tensor->rank; i++)
        rt_text_addf(header, "%s%lld", i ? "," : "", (long long)tensor->dims[i]);
    rt_text_addf(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + tensor_bytes(tensor));
}

/* Length and header, padded so that the data begins at a multiple of eight. */
static void add_header(rt_text *out, int32_t count, const nn_tensor *const *tensors) {
    rt_text header = {0};
    rt_text_adds(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    size_t begin = 0;
    for (int32_t i = 0; i < count; i++) {
        rt_text_adds(&header, ",");
        add_entry(&header, tensors[i], begin);
        begin += tensor_bytes(tensors[i]);
    }
    rt_text_adds(&header, "}");
    rt_text_fill(&header, ' ', (int64_t)((8 - header.length % 8) % 8));
    for (int i = 0; i < RT_ST_PREFIX; i++) rt_text_add(out, &(char){(char)(header.length >> 8 * i)}, 1);
    rt_text_add(out, header.bytes, header.length);
    rt_text_free(&header);
}

/* --- the file. Each returns 0 or an errno. */
static int write_all(int file, const void *bytes, size_t count) {
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

static int write_tensors(int file, int32_t count, const nn_tensor *const *tensors) {
    rt_text header = {0};
    add_header(&header, count, tensors);
    int status = write_all(file, header.bytes, header.length);
    rt_text_free(&header);
    for (int32_t i = 0; i < count && status == 0; i++)
        status = write_all(file, tensors[i]->data, tensor_bytes(tensors[i]));
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

/* Makes the new name last. Not every file system can: only real errors of the disk count. */
static int sync_folder(const char *path) {
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
    return failure ? failure : sync_folder(path);
}

static void check_names(nn_rt *rt, const nn_loc *loc, int32_t count, const nn_tensor *const *tensors) {
    for (int32_t i = 1; i < count; i++)
        if (strcmp(tensors[i - 1]->name, tensors[i]->name) == 0)
            rt_failf(rt, loc, "cannot save two tensors with the name `%s`", tensors[i]->name);
}

void nn_save(nn_rt *rt, const nn_loc *loc, const char *path, int32_t count, const nn_tensor *tensors) {
    const nn_tensor **sorted = rt_allocate((size_t)count * sizeof *sorted);
    for (int32_t i = 0; i < count; i++) sorted[i] = &tensors[i];
    if (count) qsort(sorted, (size_t)count, sizeof *sorted, by_place);
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
