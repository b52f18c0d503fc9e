/* Saving checkpoints: when, and which files there are. A new file is written beside, verified and then
 * renamed, so that whenever the program or the machine stops there is an intact one. What keeps a file from
 * being written is a warning: training goes on and tries again. */
#include "rt_checkpoint.h"
#include "rt_cli.h"
#include "rt_data.h"
#include "rt_file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { HEADER_BYTES = 1 << 16 }; /* about what a file takes besides the tensors */

/* --- names */
void rt_checkpoint_name(rt_text *name, const char *path, int64_t n) {
    name->length = 0;
    rt_text_adds(name, path);
    if (n) rt_text_addf(name, ".%lld", (long long)n);
}

/* Makes room for `path`: the file there becomes number 1, number 1 becomes 2, and so on; the last of `keep`
 * is overwritten. 0 or an errno. */
static int shift(const char *path, int64_t keep) {
    rt_text from = {0}, to = {0};
    int64_t last = 1;
    int failure = 0;
    /* Numbers that aren't taken need no shifting, however many `keep` allows. */
    for (; last < keep - 1; last++) {
        rt_checkpoint_name(&to, path, last);
        if (access(to.bytes, F_OK) != 0) break;
    }
    for (int64_t n = keep > 1 ? last : 0; n > 0 && !failure; n--) {
        rt_checkpoint_name(&from, path, n - 1);
        rt_checkpoint_name(&to, path, n);
        if (rename(from.bytes, to.bytes) != 0 && errno != ENOENT) failure = errno;
    }
    rt_text_free(&from);
    rt_text_free(&to);
    return failure;
}

/* --- what is saved */
/* Texts and datasets as their bytes; `bytes` and `size` hold them. */
static nn_tensor as_bytes(const nn_tensor *tensor, rt_text *bytes, int64_t *size) {
    if (tensor->dtype != NN_STR && tensor->dtype != NN_DATA) return *tensor;
    if (tensor->dtype == NN_STR)
        rt_text_adds(bytes, *(const char *const *)tensor->data);
    else
        rt_recipe_add(bytes, *(const nn_data *const *)tensor->data);
    *size = (int64_t)bytes->length;
    return (nn_tensor){.name = tensor->name, .dims = size, .data = bytes->bytes, .dtype = NN_U8, .rank = 1};
}

static bool enough_space(const char *path, int32_t count, const nn_tensor *const *tensors) {
    rt_text folder = {0};
    const char *slash = strrchr(path, '/');
    uint64_t needed = HEADER_BYTES;
    struct statvfs disk;
    for (int32_t i = 0; i < count; i++) needed += rt_tensor_bytes(tensors[i]);
    rt_text_add(&folder, slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1);
    bool known = statvfs(folder.bytes, &disk) == 0 && disk.f_frsize > 0 && disk.f_blocks > 0;
    rt_text_free(&folder);
    return !known || disk.f_bavail >= needed / disk.f_frsize + 1;
}

/* Writes the file beside and makes it the newest. */
static bool replace(nn_rt *rt, const char *path, const char *beside, int64_t keep, rt_notes *notes,
                    int32_t count, const nn_tensor *const *tensors, rt_text *error) {
    if (!enough_space(path, count, tensors)) {
        rt_text_adds(error, strerror(ENOSPC));
        return false;
    }
    if (!rt_checkpoint_write(rt, beside, notes, count, tensors, error)) {
        unlink(beside);
        return false;
    }
    struct rt_checkpoints *c = rt->checkpoints;
    bool worthless = c->skipped && strcmp(c->skipped, path) == 0;
    int failure = worthless ? 0 : shift(path, keep);
    if (!failure && rename(beside, path) != 0) failure = errno;
    if (worthless && !failure) c->skipped = NULL;
    if (failure)
        unlink(beside);
    else
        failure = rt_file_sync_folder(path);
    if (failure) rt_text_adds(error, strerror(failure));
    return failure == 0;
}

static bool write_state(nn_rt *rt, int32_t site, const char *path, int64_t keep, int32_t count,
                        const nn_tensor *tensors, rt_text *error) {
    nn_tensor *plain = rt_allocate((size_t)count * sizeof *plain);
    rt_text *bytes = rt_allocate((size_t)count * sizeof *bytes);
    int64_t *sizes = rt_allocate((size_t)count * sizeof *sizes);
    for (int32_t i = 0; i < count; i++) {
        bytes[i] = (rt_text){0};
        plain[i] = as_bytes(&tensors[i], &bytes[i], &sizes[i]);
    }
    const nn_tensor **sorted = rt_st_sorted(count, plain);
    rt_notes notes = {0};
    rt_text beside = {0};
    rt_checkpoint_first_note(&notes);
    rt_state_note(rt, site, &notes);
    rt_text_addf(&beside, "%s.%ld.tmp", path, (long)getpid());
    bool good = replace(rt, path, beside.bytes, keep, &notes, count, sorted, error);
    rt_text_free(&beside);
    rt_notes_free(&notes);
    for (int32_t i = 0; i < count; i++) rt_text_free(&bytes[i]);
    free(sorted);
    free(sizes);
    free(bytes);
    free(plain);
    return good;
}

/* --- stopping */
static _Noreturn void stop_here(nn_rt *rt) {
    rt_text line = {0};
    rt_text_addf(&line, "stopped; go on with: %s", rt->invoked_as);
    if (rt->program->command_count != 1) {
        rt_text_adds(&line, " ");
        rt_option_name(&line, rt->command->name);
    }
    rt_state_arguments(rt, &line);
    if (rt->metrics.path) {
        rt_text_adds(&line, " --metrics ");
        rt_text_word(&line, rt->metrics.path);
    }
    rt_progress_clear(rt);
    rt_flush(rt);
    fprintf(stderr, "%s --resume\n", line.bytes);
    exit(RT_EXIT_RESUMABLE);
}

static void warn(nn_rt *rt, const char *path, const rt_text *error) {
    rt_text message = {0};
    rt_text_adds(&message, "cannot save the checkpoint ");
    rt_text_quotes(&message, path);
    rt_text_addf(&message, ": %s; training goes on, and the next checkpoint is tried again", error->bytes);
    rt_warn(rt, message.bytes);
    rt_text_free(&message);
}

static _Noreturn void cannot_stop(nn_rt *rt, const nn_loc *loc, const char *path, const rt_text *error) {
    rt_text message = {0};
    rt_text_adds(&message, "stopped, but cannot save the checkpoint ");
    rt_text_quotes(&message, path);
    rt_text_addf(&message, ": %s", error->bytes);
    rt_fail(rt, loc, message.bytes, "`--resume` goes on from the one before, if there is one");
}

/* --- the program's side */
static void require_positive(nn_rt *rt, const nn_loc *loc, const char *name, int64_t value) {
    if (value < 1)
        rt_failf(rt, loc, "`%s` of a checkpoint must be at least 1, not %lld", name, (long long)value);
}

int32_t nn_checkpoint(nn_rt *rt, const nn_loc *loc, int32_t counter, int64_t every, int64_t keep) {
    struct rt_checkpoints *c = rt->checkpoints;
    require_positive(rt, loc, "every", every);
    require_positive(rt, loc, "keep", keep);
    int64_t passes = ++c->passes[counter];
    return passes % every == 0 || rt_signals_received(c->signals);
}

void nn_checkpoint_save(nn_rt *rt, const nn_loc *loc, int32_t site, const char *path, int64_t keep,
                        int32_t count, const nn_tensor *tensors) {
    struct rt_checkpoints *c = rt->checkpoints;
    bool stopping = rt_signals_received(c->signals);
    rt_text error = {0};
    rt_flush(rt);
    if (rt->metrics.file >= 0) fsync(rt->metrics.file); /* fails where it isn't a file, which is no matter */
    c->sequence++;
    bool good = write_state(rt, site, path, keep, count, tensors, &error);
    if (!good && stopping) cannot_stop(rt, loc, path, &error);
    if (!good && !c->failed) warn(rt, path, &error);
    c->failed = !good;
    rt_text_free(&error);
    if (stopping) stop_here(rt);
}

void rt_checkpoints_free(nn_rt *rt) {
    struct rt_checkpoints *c = rt->checkpoints;
    if (!c) return;
    rt_signals_stop(c->signals);
    rt_archive_close(&c->archive);
    free(c->passes);
    free(c);
    rt->checkpoints = NULL;
}
