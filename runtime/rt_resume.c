/* Going on from a checkpoint: finding the newest intact file of this program, and reading values from it. */
#include "rt_checkpoint.h"
#include "rt_data.h"
#include "rt_file.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { GAP = 8 }; /* so many numbers without a file end the search for older ones */

/* --- before a command begins */
/* A checkpoint would replace the file at its path: that must be one, too. */
static void protect_file(nn_rt *rt, const char *path) {
    if (rt_checkpoint_look(path) != RT_FOREIGN) return;
    rt_text message = {0};
    rt_text_quotes(&message, path);
    rt_text_adds(&message, " is where a checkpoint would be saved, and there is something else");
    rt_fail(rt, NULL, message.bytes, "move it away");
}

/* The process that was writing the file `name`, which begins with `base`; 0 where it is no such file. */
static long writer_of(const char *name, const char *base) {
    size_t length = strlen(base);
    if (strncmp(name, base, length) != 0 || name[length] != '.') return 0;
    char *end;
    long writer = strtol(name + length + 1, &end, 10);
    return name[length + 1] >= '1' && name[length + 1] <= '9' && strcmp(end, ".tmp") == 0 ? writer : 0;
}

/* Removes what a process that was killed had begun to write. */
static void remove_remains(const char *path) {
    rt_text folder = {0};
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    rt_text_add(&folder, slash ? path : "./", slash ? (size_t)(slash - path) + 1 : 2);
    DIR *list = opendir(folder.bytes);
    size_t length = folder.length;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        long writer = writer_of(entry->d_name, base);
        if (!writer || kill((pid_t)writer, 0) == 0 || errno != ESRCH) continue;
        folder.length = length;
        rt_text_adds(&folder, entry->d_name);
        unlink(folder.bytes);
    }
    if (list) closedir(list);
    rt_text_free(&folder);
}

static struct rt_checkpoints *begin(const char *code, int32_t dtype, int32_t sites) {
    struct rt_checkpoints *c = rt_allocate(sizeof *c);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *c = (struct rt_checkpoints){.code = code, .dtype = dtype, .sites = sites, .archive.file = -1};
    c->run = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    c->passes = rt_allocate((size_t)sites * sizeof *c->passes);
    memset(c->passes, 0, (size_t)sites * sizeof *c->passes);
    return c;
}

/* --- finding */
static void skip(nn_rt *rt, const rt_text *error) {
    rt_text message = {0};
    rt_text_addf(&message, "%s; it is skipped", error->bytes);
    rt_warn(rt, message.bytes);
    rt_text_free(&message);
}

static void check_site(nn_rt *rt, const rt_archive *archive, rt_text *error) {
    int64_t site = rt_state_number(archive, "site");
    if (rt_state_same(rt, archive, error) && site >= 0 && site < rt->checkpoints->sites) return;
    if (error->length == 0) rt_text_adds(error, "the checkpoint names a place that the program doesn't have");
    rt_text message = {0};
    rt_text_addf(&message, "cannot resume: %s", error->bytes);
    rt_fail(
        rt, NULL, message.bytes,
        "give the program and the arguments that it was saved with, or leave `--resume` out to start afresh");
}

/* The newest intact file of `path`, open; false where there is none. Skips what is damaged. */
static bool newest_of(nn_rt *rt, const char *path, rt_archive *archive) {
    rt_text name = {0}, error = {0};
    bool found = false;
    for (int64_t n = 0, absent = 0; !found && absent < GAP; n++) {
        rt_checkpoint_name(&name, path, n);
        rt_condition condition = rt_checkpoint_open(archive, name.bytes, &error);
        absent = condition == RT_ABSENT ? absent + 1 : 0;
        found = condition == RT_INTACT;
        if (found) check_site(rt, archive, &error);
        if (condition == RT_DAMAGED && n == 0) rt->checkpoints->skipped = path;
        if (condition == RT_DAMAGED || condition == RT_FOREIGN) skip(rt, &error);
        error.length = 0;
        if (!found) rt_archive_close(archive);
    }
    if (found) { /* the name and the error go with this function */
        rt_keep(rt, name.bytes);
        archive->path = name.bytes;
        archive->error = NULL;
    } else {
        rt_text_free(&name);
    }
    rt_text_free(&error);
    return found;
}

static bool is_newer(const rt_archive *a, const rt_archive *b) {
    int64_t x = rt_state_number(a, "run"), y = rt_state_number(b, "run");
    return x != y ? x > y : rt_state_number(a, "sequence") > rt_state_number(b, "sequence");
}

static bool is_repeated(const char *const *path, int32_t at) {
    for (int32_t i = 0; i < at; i++)
        if (strcmp(path[i], path[at]) == 0) return true;
    return false;
}

static bool find_newest(nn_rt *rt, int32_t count, const char *const *path, rt_archive *newest) {
    bool found = false;
    for (int32_t i = 0; i < count; i++) {
        rt_archive archive;
        if (is_repeated(path, i) || !newest_of(rt, path[i], &archive)) continue;
        bool better = !found || is_newer(&archive, newest);
        rt_archive other = better ? *newest : archive;
        if (better) *newest = archive;
        if (found) rt_archive_close(&other);
        found = true;
    }
    return found;
}

int32_t nn_resume(nn_rt *rt, const char *code, int32_t dtype, int32_t count, const char *const *path) {
    struct rt_checkpoints *c = rt->checkpoints = begin(code, dtype, count);
    for (int32_t i = 0; i < count; i++) {
        protect_file(rt, path[i]);
        remove_remains(path[i]);
    }
    c->signals = rt_signals_start();
    if (!rt->resume) {
        rt_metrics_begin(rt, code, false);
        return -1;
    }
    if (!find_newest(rt, count, path, &c->archive)) {
        fprintf(stderr, "there is no checkpoint to resume from: starting afresh\n");
        rt_metrics_begin(rt, code, true);
        return -1;
    }
    rt_state_restore(rt, &c->archive);
    rt_text quoted = {0};
    rt_text_quotes(&quoted, c->archive.path);
    fprintf(stderr, "resuming from %s\n", quoted.bytes);
    rt_text_free(&quoted);
    return (int32_t)rt_state_number(&c->archive, "site");
}

/* --- reading values */
static _Noreturn void cannot_restore(nn_rt *rt, const char *name, const rt_text *error) {
    rt_text message = {0};
    rt_text_adds(&message, "cannot resume: ");
    rt_text_quotes(&message, rt->checkpoints->archive.path);
    rt_text_adds(&message, ": ");
    if (name) rt_text_quotes(&message, name);
    rt_text_addf(&message, "%s%s", name ? " " : "", error->bytes);
    rt_fail(rt, NULL, message.bytes, NULL);
}

static bool fits(const rt_st_entry *entry, const nn_tensor *tensor) {
    int64_t dims[RT_ST_RANK_LIMIT];
    if (rt_st_type(entry->type)->dtype != tensor->dtype || entry->rank != tensor->rank) return false;
    rt_st_shape(entry, dims);
    for (int32_t i = 0; i < tensor->rank; i++)
        if (dims[i] != tensor->dims[i]) return false;
    return true;
}

static void read_bytes(nn_rt *rt, const nn_tensor *tensor, const rt_st_entry *entry, void *out) {
    const rt_archive *archive = &rt->checkpoints->archive;
    rt_text error = {0};
    if (!rt_file_read(archive->file, archive->path, out, (size_t)(entry->end - entry->begin),
                      (int64_t)(archive->data + entry->begin), &error))
        cannot_restore(rt, tensor->name, &error);
}

/* A text or dataset, of the bytes of which the file holds `length`. */
static void restore_handle(nn_rt *rt, const nn_tensor *tensor, const rt_st_entry *entry) {
    size_t length = (size_t)(entry->end - entry->begin);
    char *text = rt_allocate(length + 1);
    read_bytes(rt, tensor, entry, text);
    text[length] = 0;
    rt_keep(rt, text);
    if (tensor->dtype == NN_STR) {
        *(const char **)tensor->data = text;
        return;
    }
    rt_text error = {0};
    nn_data *data = rt_recipe_make(rt, text, length, &error);
    if (!data) cannot_restore(rt, NULL, &error);
    *(nn_data **)tensor->data = data;
}

static void restore_tensor(nn_rt *rt, const nn_tensor *tensor) {
    const rt_st_entry *entry = rt_st_find(&rt->checkpoints->archive.index, tensor->name);
    bool handle = tensor->dtype == NN_STR || tensor->dtype == NN_DATA;
    bool good = entry && (handle ? rt_st_type(entry->type)->dtype == NN_U8 : fits(entry, tensor));
    if (!good) {
        rt_text error = {0};
        rt_text_adds(&error, entry ? "has another type than in the program" : "is not in it");
        cannot_restore(rt, tensor->name, &error);
    }
    if (handle) {
        restore_handle(rt, tensor, entry);
        return;
    }
    read_bytes(rt, tensor, entry, tensor->data);
    uint8_t *bytes = tensor->data; /* generated code relies on bools being 0 or 1 */
    for (uint64_t i = 0; tensor->dtype == NN_BOOL && i < entry->end - entry->begin; i++)
        bytes[i] = bytes[i] != 0;
}

void nn_resume_load(nn_rt *rt, int32_t count, const nn_tensor *tensors) {
    for (int32_t i = 0; i < count; i++) restore_tensor(rt, &tensors[i]);
}

void nn_resume_done(nn_rt *rt) { rt_archive_close(&rt->checkpoints->archive); }
