/* Reads the batch that will probably be asked for next from its file while the program computes. A wrong
 * guess costs time, never correctness: a copy is used only if dataset and range are the ones asked for. */
#include "rt_data.h"
#include <stdlib.h>
#include <string.h>

struct rt_prefetch {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum { IDLE, ASKED, DONE, QUIT } state;
    /* The prediction. Written by the program's thread while the other one is idle or done. */
    const nn_data *data;
    int64_t first, count;
    int64_t *rows; /* NULL = contiguous from `row` */
    int64_t row;
    int64_t *row_space;
    int64_t row_capacity;
    bool failed;    /* the batch could not be read: who asks for it finds out why */
    uint8_t *bytes; /* the columns, one after the other */
    size_t capacity;
};

static size_t batch_bytes(const nn_data *data, int64_t count) {
    size_t bytes = 0;
    for (int32_t i = 0; i < data->column_count; i++) bytes += data->columns[i].sample_bytes * (size_t)count;
    return bytes;
}

static void copy_batch(rt_prefetch *prefetch) {
    uint8_t *out = prefetch->bytes;
    rt_text error = {0};
    for (int32_t i = 0; i < prefetch->data->column_count; i++) {
        const rt_column *column = &prefetch->data->columns[i];
        if (!rt_gather(column, prefetch->rows, prefetch->row, prefetch->count, out, &error)) break;
        out += column->sample_bytes * (size_t)prefetch->count;
    }
    prefetch->failed = error.length > 0;
    rt_text_free(&error);
}

static void *run(void *argument) {
    rt_prefetch *prefetch = argument;
    pthread_mutex_lock(&prefetch->mutex);
    for (;;) {
        while (prefetch->state != ASKED && prefetch->state != QUIT)
            pthread_cond_wait(&prefetch->changed, &prefetch->mutex);
        if (prefetch->state == QUIT) break;
        pthread_mutex_unlock(&prefetch->mutex);
        copy_batch(prefetch);
        pthread_mutex_lock(&prefetch->mutex);
        if (prefetch->state == ASKED) prefetch->state = DONE;
        pthread_cond_signal(&prefetch->changed);
    }
    pthread_mutex_unlock(&prefetch->mutex);
    return NULL;
}

static rt_prefetch *prefetch_new(void) {
    rt_prefetch *prefetch = rt_allocate(sizeof *prefetch);
    *prefetch = (rt_prefetch){.state = IDLE};
    pthread_mutex_init(&prefetch->mutex, NULL);
    pthread_cond_init(&prefetch->changed, NULL);
    if (pthread_create(&prefetch->thread, NULL, run, prefetch) == 0) return prefetch;
    free(prefetch);
    return NULL;
}

/* Waits until the thread has no work. */
static void settle(rt_prefetch *prefetch) {
    pthread_mutex_lock(&prefetch->mutex);
    while (prefetch->state == ASKED) pthread_cond_wait(&prefetch->changed, &prefetch->mutex);
    pthread_mutex_unlock(&prefetch->mutex);
}

bool rt_prefetch_take(nn_rt *rt, const nn_data *data, int64_t first, int64_t count, void *const *out) {
    rt_prefetch *prefetch = rt->prefetch;
    if (!prefetch || prefetch->data != data || prefetch->first != first || prefetch->count != count)
        return false;
    settle(prefetch);
    prefetch->data = NULL;
    if (prefetch->failed) return false;
    const uint8_t *bytes = prefetch->bytes;
    for (int32_t i = 0; i < data->column_count; i++) {
        size_t size = data->columns[i].sample_bytes * (size_t)count;
        if (size) memcpy(out[i], bytes, size);
        bytes += size;
    }
    return true;
}

static void predict(rt_prefetch *prefetch, const nn_data *data, int64_t first, int64_t count,
                    const int64_t *rows, int64_t row) {
    prefetch->data = data;
    prefetch->first = first;
    prefetch->count = count;
    prefetch->row = row;
    prefetch->rows = NULL;
    if (!rows) return;
    /* A copy: the order may leave the memory before it was read. */
    if (prefetch->row_capacity < count) {
        prefetch->row_space = rt_resize(prefetch->row_space, (size_t)count * sizeof *rows);
        prefetch->row_capacity = count;
    }
    memcpy(prefetch->row_space, rows, (size_t)count * sizeof *rows);
    prefetch->rows = prefetch->row_space;
}

/* Whoever reads from a file may have to wait for the disk. What lies in memory is copied when it is asked
 * for, by the threads of the pool: another thread would only take their time, and copy twice. */
bool rt_prefetch_pays(nn_rt *rt, const nn_data *data) {
    if (rt_threads(rt) == 1) return false;
    for (int32_t i = 0; i < data->column_count; i++)
        if (!data->columns[i].samples && data->columns[i].sample_bytes) return true;
    return false;
}

void rt_prefetch_start(nn_rt *rt, const nn_data *data, int64_t first, int64_t count, const int64_t *rows,
                       int64_t row) {
    size_t bytes = batch_bytes(data, count);
    if (!rt->prefetch) rt->prefetch = prefetch_new();
    rt_prefetch *prefetch = rt->prefetch;
    if (!prefetch) return;
    settle(prefetch);
    predict(prefetch, data, first, count, rows, row);
    if (prefetch->capacity < bytes) {
        free(prefetch->bytes);
        prefetch->bytes = rt_allocate_aligned(bytes);
        prefetch->capacity = bytes;
    }
    pthread_mutex_lock(&prefetch->mutex);
    prefetch->state = ASKED;
    pthread_cond_signal(&prefetch->changed);
    pthread_mutex_unlock(&prefetch->mutex);
}

void rt_prefetch_free(nn_rt *rt) {
    rt_prefetch *prefetch = rt->prefetch;
    if (!prefetch) return;
    settle(prefetch);
    pthread_mutex_lock(&prefetch->mutex);
    prefetch->state = QUIT;
    pthread_cond_signal(&prefetch->changed);
    pthread_mutex_unlock(&prefetch->mutex);
    pthread_join(prefetch->thread, NULL);
    pthread_cond_destroy(&prefetch->changed);
    pthread_mutex_destroy(&prefetch->mutex);
    free(prefetch->row_space);
    free(prefetch->bytes);
    free(prefetch);
    rt->prefetch = NULL;
}
