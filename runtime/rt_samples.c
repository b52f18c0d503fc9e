/* A growing number of samples, in memory and beyond it. */
#include "rt_samples.h"
#include "rt.h"
#include "rt_file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD_BYTES = 256 << 20, FIRST_SAMPLES = 256 };

rt_samples rt_samples_new(const char *path, size_t sample_bytes) {
    return (rt_samples){.path = path, .sample_bytes = sample_bytes, .file = -1};
}

void rt_samples_free(rt_samples *s) {
    if (s->file >= 0) close(s->file);
    free(s->memory);
    s->memory = NULL;
    s->file = -1;
}

static bool refuse(const rt_samples *s, int code, rt_text *error) {
    rt_text_quotes(error, s->path);
    rt_text_adds(error, ": what it holds beyond 256 MiB goes to a temporary file in ");
    rt_text_quotes(error, rt_file_temporary_folder());
    rt_text_addf(error, ", which cannot be written: %s (set TMPDIR to a folder with room)", strerror(code));
    return false;
}

/* Moves what is in memory to the file. */
static bool spill(rt_samples *s, rt_text *error) {
    if (s->file < 0) s->file = rt_file_temporary();
    if (s->file < 0) return refuse(s, errno, error);
    int code = rt_file_write(s->file, s->memory, (size_t)(s->count - s->first) * s->sample_bytes);
    s->first = s->count;
    return code == 0 || refuse(s, code, error);
}

/* How many samples memory holds at most. */
static int64_t most(const rt_samples *s) {
    if (!s->sample_bytes) return INT64_MAX / 2;
    return s->sample_bytes < HELD_BYTES ? (int64_t)(HELD_BYTES / s->sample_bytes) : 1;
}

static void grow(rt_samples *s, int64_t capacity) {
    s->memory = rt_resize(s->memory, (size_t)capacity * s->sample_bytes);
    s->capacity = capacity;
}

uint8_t *rt_samples_add(rt_samples *s, rt_text *error) {
    if (s->count - s->first == s->capacity) {
        int64_t capacity = s->capacity ? 2 * s->capacity : FIRST_SAMPLES;
        if (s->capacity == most(s)) {
            if (!spill(s, error)) return NULL;
        } else {
            grow(s, capacity < most(s) ? capacity : most(s));
        }
    }
    return s->memory + (size_t)(s->count++ - s->first) * s->sample_bytes;
}

bool rt_samples_edit(rt_samples *s, rt_edit *edit, void *user, rt_text *error) {
    if (s->file < 0) {
        edit(user, s->memory, s->count);
        return true;
    }
    if (!spill(s, error)) return false;
    for (int64_t at = 0; at < s->count; at += s->capacity) {
        int64_t count = s->count - at < s->capacity ? s->count - at : s->capacity;
        size_t bytes = (size_t)count * s->sample_bytes;
        off_t offset = (off_t)((size_t)at * s->sample_bytes);
        if (!rt_file_read(s->file, s->path, s->memory, bytes, offset, error)) return false;
        edit(user, s->memory, count);
        if (lseek(s->file, offset, SEEK_SET) < 0) return refuse(s, errno, error);
        int code = rt_file_write(s->file, s->memory, bytes);
        if (code != 0) return refuse(s, code, error);
    }
    return true;
}

bool rt_samples_column(rt_samples *s, int32_t dtype, rt_column *column, rt_text *error) {
    if (s->file >= 0) {
        if (!spill(s, error)) return false;
        *column = rt_column_of_file(s->file, s->path, dtype, s->sample_bytes);
        s->file = -1;
        return true;
    }
    grow(s, s->count);
    *column = rt_column_of_memory(s->memory, dtype, s->sample_bytes);
    s->memory = NULL;
    return true;
}
