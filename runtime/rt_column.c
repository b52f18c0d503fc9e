/* Reading the samples of a column from memory or from its file. */
#include "rt_column.h"
#include "rt.h"
#include "rt_file.h"
#include "rt_float.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WHOLE_BYTES = 256 << 20, /* up to so many a file is held in memory */
    HEAD_BYTES = 128 << 10,  /* of a larger one, more than any header has */
    RUN_BYTES = 64 << 10,    /* converted at a time */
    ASKED_BYTES = 32 << 10,  /* of samples that are copied next, asked for ahead, */
    MAX_AHEAD = 64,          /* but no more than so many samples */
    MAX_ASKED = 2 << 10,     /* and so much of each: what is long the processor sees by itself */
    LINE = 64                /* bytes of a cache's line */
};

/* --- files */
static bool hold(rt_source *source, size_t count, rt_text *error) {
    free(source->bytes);
    source->bytes = rt_allocate_aligned(count);
    source->held = count;
    return rt_file_read(source->file, source->path, source->bytes, count, 0, error);
}

bool rt_source_open(rt_source *source, const char *path, rt_text *error) {
    *source = (rt_source){.path = path};
    source->file = rt_stream_open(path, &source->size, error);
    if (source->file < 0) return false;
    return hold(source, source->size <= WHOLE_BYTES ? (size_t)source->size : HEAD_BYTES, error);
}

bool rt_source_hold_all(rt_source *source, rt_text *error) {
    return source->held == (size_t)source->size || hold(source, (size_t)source->size, error);
}

void rt_source_close(rt_source *source) {
    if (source->file >= 0) close(source->file);
    free(source->bytes);
    *source = (rt_source){.file = -1};
}

/* --- columns */
bool rt_sample_bytes(const nn_tensor *sample, int32_t dtype, size_t *bytes) {
    *bytes = rt_dtype_bytes(dtype);
    for (int32_t i = 0; i < sample->rank; i++)
        if (__builtin_mul_overflow(*bytes, (size_t)sample->dims[i], bytes)) return false;
    return *bytes <= PTRDIFF_MAX;
}

static char *copy_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    return memcpy(rt_allocate(bytes), text, bytes);
}

rt_column rt_column_of_source(rt_source *source, const rt_array *array, const nn_tensor *sample) {
    rt_column column = {.file = -1,
                        .dtype = sample->dtype,
                        .stored = array->stored,
                        .swapped = array->swapped && rt_dtype_bytes(array->stored) > 1,
                        .owns = true};
    rt_sample_bytes(sample, sample->dtype, &column.sample_bytes);
    rt_sample_bytes(sample, array->stored, &column.stored_bytes);
    column.stride = column.stored_bytes;
    if (source->held == (size_t)source->size) {
        column.memory = source->bytes;
        column.samples = source->bytes + array->offset;
        source->bytes = NULL;
    } else {
        column.file = source->file;
        column.offset = array->offset;
        column.path = column.path_copy = copy_text(source->path);
        source->file = -1;
    }
    rt_source_close(source);
    return column;
}

static rt_column plain_column(int32_t dtype, size_t sample_bytes) {
    return (rt_column){.sample_bytes = sample_bytes,
                       .stored_bytes = sample_bytes,
                       .stride = sample_bytes,
                       .file = -1,
                       .dtype = dtype,
                       .stored = dtype,
                       .owns = true};
}

rt_column rt_column_of_memory(uint8_t *memory, int32_t dtype, size_t sample_bytes) {
    rt_column column = plain_column(dtype, sample_bytes);
    column.samples = column.memory = memory;
    return column;
}

rt_column rt_column_of_file(int file, const char *path, int32_t dtype, size_t sample_bytes) {
    rt_column column = plain_column(dtype, sample_bytes);
    column.file = file;
    column.path = column.path_copy = copy_text(path);
    return column;
}

void rt_column_free(rt_column *column) {
    if (!column->owns) return;
    if (column->file >= 0) close(column->file);
    free(column->memory);
    free(column->path_copy);
}

/* --- reading */
static void convert(const rt_column *column, const uint8_t *in, size_t count, uint8_t *out) {
    size_t width = rt_dtype_bytes(column->stored), step = rt_dtype_bytes(column->dtype);
    uint8_t element[8];
    for (size_t at = 0; at < count; at++, in += width, out += step) {
        for (size_t i = 0; i < width; i++) element[i] = in[column->swapped ? width - 1 - i : i];
        if (column->dtype == NN_BOOL)
            *out = *element != 0; /* generated code relies on bools being 0 or 1 */
        else if (column->stored == column->dtype)
            memcpy(out, element, width);
        else
            rt_store_float(column->dtype, rt_element_float(column->stored, element), out);
    }
}

/* Are samples stored as the program reads them? */
static bool is_plain(const rt_column *column) {
    return column->stored == column->dtype && !column->swapped && column->dtype != NN_BOOL;
}

/* `count` samples that lie one after the other from the place `row` on, as they are stored. */
static bool fetch(const rt_column *column, int64_t row, size_t count, void *out, rt_text *error) {
    size_t at = (size_t)row * column->stride, bytes = count * column->stored_bytes;
    if (!column->samples)
        return rt_file_read(column->file, column->path, out, bytes, column->offset + (int64_t)at, error);
    if (bytes) memcpy(out, column->samples + at, bytes);
    return true;
}

static bool fetch_converted(const rt_column *column, int64_t row, size_t count, uint8_t *buffer, uint8_t *out,
                            rt_text *error) {
    if (is_plain(column)) return fetch(column, row, count, out, error);
    if (!fetch(column, row, count, buffer, error)) return false;
    convert(column, buffer, count * (column->stored_bytes / rt_dtype_bytes(column->stored)), out);
    return true;
}

/* Samples in any order begin where no prefetcher expects them. They come to the second level, which waits for
 * more lines at a time than the first. */
static void ask_for(const uint8_t *sample, size_t bytes) {
    for (size_t at = 0; at < bytes && at < MAX_ASKED; at += LINE) __builtin_prefetch(sample + at, 0, 2);
}

/* What lies in memory as the program wants it: the usual case, as fast as memory is. */
static void copy_plain(const rt_column *column, const int64_t *rows, int64_t first, int64_t count,
                       uint8_t *out) {
    size_t bytes = column->sample_bytes, stride = column->stride;
    if (bytes == 1 && rows) {
        for (int64_t i = 0; i < count; i++) out[i] = column->samples[(size_t)rows[i] * stride];
        return;
    }
    int64_t ahead = 1 + (int64_t)(ASKED_BYTES / bytes < MAX_AHEAD ? ASKED_BYTES / bytes : MAX_AHEAD);
    for (int64_t i = 0; rows && i < ahead && i < count; i++)
        ask_for(column->samples + (size_t)rows[i] * stride, bytes);
    for (int64_t i = 0; i < count; i++) {
        if (rows && i + ahead < count) ask_for(column->samples + (size_t)rows[i + ahead] * stride, bytes);
        memcpy(out + (size_t)i * bytes, column->samples + (size_t)(rows ? rows[i] : first + i) * stride,
               bytes);
    }
}

bool rt_gather(const rt_column *column, const int64_t *rows, int64_t first, int64_t count, void *out,
               rt_text *error) {
    if (column->sample_bytes == 0 || count <= 0) return true;
    bool dense = !rows && column->stride == column->stored_bytes, plain = is_plain(column);
    if (dense && plain) return fetch(column, first, (size_t)count, out, error);
    if (plain && column->samples) {
        copy_plain(column, rows, first, count, out);
        return true;
    }
    int64_t run = 1;
    if (dense && column->stored_bytes < RUN_BYTES) run = (int64_t)(RUN_BYTES / column->stored_bytes);
    uint8_t *buffer = plain ? NULL : rt_allocate((size_t)run * column->stored_bytes), *at = out;
    bool good = true;
    for (int64_t i = 0; good && i < count; i += run) {
        if (run > count - i) run = count - i;
        good = fetch_converted(column, rows ? rows[i] : first + i, (size_t)run, buffer, at, error);
        at += (size_t)run * column->sample_bytes;
    }
    free(buffer);
    return good;
}
