/* Loading weights from a safetensors file. Everything about the file is checked before the first tensor is
 * written. */
#include "rt.h"
#include "rt_archive.h"
#include "rt_file.h"
#include "rt_float.h"
#include "rt_safetensors.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are copied as the file holds them, little-endian");

enum { LISTED = 8, CONVERSION_BYTES = 1 << 16 };

/* --- does the file hold this model? */
/* A list in a message, cut after some. */
typedef struct {
    rt_text text;
    size_t count;
} List;

static void list_add(List *list, const rt_text *item) {
    if (list->count < LISTED) rt_text_addf(&list->text, "%s%s", list->count ? ", " : "", item->bytes);
    list->count++;
}

static void list_end(List *list, rt_text *error, const char *before) {
    if (list->count == 0) return;
    rt_text_addf(error, "%s%s", before, list->text.bytes);
    if (list->count > LISTED) rt_text_addf(error, " and %zu more", list->count - LISTED);
}

static void add_file_type(rt_text *text, const rt_st_entry *entry) {
    int64_t dims[RT_ST_RANK_LIMIT];
    const rt_st_row *type = rt_st_type(entry->type);
    rt_st_shape(entry, dims);
    if (type->dtype >= 0) {
        rt_text_type(text, type->dtype, entry->rank, dims);
    } else {
        rt_text_addf(text, "%s with %d dimensions", type->name, entry->rank);
    }
}

static bool converts(int32_t from, int32_t to) {
    return from == to || (from >= 0 && rt_dtype_is_float(from) && rt_dtype_is_float(to));
}

static bool fits(const rt_st_entry *entry, const nn_tensor *tensor) {
    int64_t dims[RT_ST_RANK_LIMIT];
    if (!converts(rt_st_type(entry->type)->dtype, tensor->dtype) || entry->rank != tensor->rank) return false;
    rt_st_shape(entry, dims);
    for (int32_t i = 0; i < tensor->rank; i++)
        if (dims[i] != tensor->dims[i]) return false;
    return true;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the tensors, sorted; freed by the caller. */
static const char **sorted_names(int32_t count, const nn_tensor *tensors) {
    const char **names = rt_allocate((size_t)count * sizeof *names);
    for (int32_t i = 0; i < count; i++) names[i] = tensors[i].name;
    if (count) qsort(names, (size_t)count, sizeof *names, by_text);
    return names;
}

/* Both are sorted by the same order of bytes: one walk through the entries finds those that no name asks for.
 */
static void list_extra(const rt_archive *archive, int32_t count, const nn_tensor *tensors, List *extra) {
    const char **names = sorted_names(count, tensors);
    int32_t at = 0;
    for (size_t i = 0; i < archive->index.count; i++) {
        const rt_st_entry *entry = &archive->index.entries[i];
        rt_text name = {0}, quoted = {0};
        rt_text_add(&name, entry->name, entry->name_length);
        while (at < count && strcmp(names[at], name.bytes) < 0) at++;
        bool wanted =
            at < count && strcmp(names[at], name.bytes) == 0 && strlen(names[at]) == entry->name_length;
        rt_text_quote(&quoted, entry->name, entry->name_length);
        if (!wanted) list_add(extra, &quoted);
        rt_text_free(&name);
        rt_text_free(&quoted);
    }
    free(names);
}

static void compare_tensor(const rt_archive *archive, const nn_tensor *tensor, List *missing,
                           List *different) {
    const rt_st_entry *entry = rt_st_find(&archive->index, tensor->name);
    if (entry && fits(entry, tensor)) return;
    rt_text item = {0};
    rt_text_quotes(&item, tensor->name);
    if (entry) {
        rt_text_adds(&item, " is ");
        add_file_type(&item, entry);
        rt_text_adds(&item, " in the file but ");
        rt_text_type(&item, tensor->dtype, tensor->rank, tensor->dims);
        rt_text_adds(&item, " in the program");
    }
    list_add(entry ? different : missing, &item);
    rt_text_free(&item);
}

static bool compare(const rt_archive *archive, int32_t count, const nn_tensor *tensors) {
    List missing = {0}, extra = {0}, different = {0};
    for (int32_t i = 0; i < count; i++) compare_tensor(archive, &tensors[i], &missing, &different);
    list_extra(archive, count, tensors, &extra);
    bool same = missing.count + extra.count + different.count == 0;
    if (!same) {
        rt_text_quotes(archive->error, archive->path);
        rt_text_adds(archive->error, " holds another model");
        list_end(&different, archive->error, ": ");
        list_end(&missing, archive->error, different.count ? "; it lacks " : ": it lacks ");
        list_end(&extra, archive->error,
                 different.count + missing.count ? "; the program has no " : ": the program has no ");
    }
    rt_text_free(&missing.text);
    rt_text_free(&extra.text);
    rt_text_free(&different.text);
    return same;
}

/* --- reading */
static bool read_converted(const rt_archive *archive, const rt_st_entry *entry, const nn_tensor *tensor) {
    int32_t from = rt_st_type(entry->type)->dtype;
    size_t in_bytes = rt_dtype_bytes(from), out_bytes = rt_dtype_bytes(tensor->dtype);
    uint8_t *out = tensor->data, *buffer = rt_allocate(CONVERSION_BYTES);
    bool good = true;
    for (uint64_t at = entry->begin; good && at < entry->end;) {
        size_t part = entry->end - at < CONVERSION_BYTES ? (size_t)(entry->end - at) : CONVERSION_BYTES;
        good = rt_file_read(archive->file, archive->path, buffer, part, (int64_t)(archive->data + at),
                            archive->error);
        for (size_t i = 0; good && i < part; i += in_bytes, out += out_bytes)
            rt_store_float(tensor->dtype, rt_element_float(from, buffer + i), out);
        at += part;
    }
    free(buffer);
    return good;
}

static bool read_tensor(const rt_archive *archive, const nn_tensor *tensor) {
    const rt_st_entry *entry = rt_st_find(&archive->index, tensor->name);
    if (rt_st_type(entry->type)->dtype != tensor->dtype) return read_converted(archive, entry, tensor);
    size_t bytes = (size_t)(entry->end - entry->begin);
    uint8_t *out = tensor->data;
    if (!rt_file_read(archive->file, archive->path, out, bytes, (int64_t)(archive->data + entry->begin),
                      archive->error))
        return false;
    /* Generated code relies on bools being 0 or 1. */
    for (size_t i = 0; tensor->dtype == NN_BOOL && i < bytes; i++) out[i] = out[i] != 0;
    return true;
}

void nn_load(nn_rt *rt, const nn_loc *loc, const char *path, int32_t count, const nn_tensor *tensors) {
    rt_text error = {0};
    rt_archive archive = {.path = path, .file = -1, .error = &error};
    bool good = rt_archive_open(&archive) && compare(&archive, count, tensors);
    for (int32_t i = 0; good && i < count; i++) good = read_tensor(&archive, &tensors[i]);
    rt_archive_close(&archive);
    if (!good) {
        rt_text message = {0};
        rt_text_addf(&message, "cannot load the weights: %s", error.bytes);
        rt_fail(rt, loc, message.bytes, NULL);
    }
    rt_text_free(&error);
}
