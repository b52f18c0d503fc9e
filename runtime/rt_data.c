/* Datasets: views, reading. A shuffled view keeps only (seed, stream); its order is computed when it
 * is read and forgotten when too many others were read since, so that an epoch's shuffle costs no lasting
 * memory. */
#include "rt_data.h"
#include "rt_random.h"
#include <stdlib.h>
#include <string.h>

int64_t nn_data_len(nn_rt *rt, const nn_data *data) {
    (void)rt;
    return data->count;
}

/* --- views */
nn_data *nn_data_shuffle(nn_rt *rt, nn_data *data, int64_t seed, int64_t stream) {
    return rt_data_new(rt, (nn_data){.parent = data,
                                     .columns = data->columns,
                                     .column_count = data->column_count,
                                     .kind = RT_SHUFFLED,
                                     .count = data->count,
                                     .seed = seed,
                                     .stream = stream});
}

nn_data *nn_data_take(nn_rt *rt, nn_data *data, int64_t first, int64_t count) {
    if (first < 0) first = 0;
    if (first > data->count) first = data->count;
    if (count < 0) count = 0;
    if (count > data->count - first) count = data->count - first;
    bool taken = data->kind == RT_TAKEN; /* a view of a view is a view of the first one's parent */
    return rt_data_new(rt, (nn_data){.parent = taken ? data->parent : data,
                                     .columns = data->columns,
                                     .column_count = data->column_count,
                                     .kind = RT_TAKEN,
                                     .count = count,
                                     .first = taken ? data->first + first : first});
}

nn_data *nn_data_sample(nn_rt *rt, nn_data *data, int64_t count, int64_t seed, int64_t stream) {
    return rt_data_new(rt, (nn_data){.parent = data,
                                     .columns = data->columns,
                                     .column_count = data->column_count,
                                     .kind = RT_SAMPLED,
                                     .count = data->count && count > 0 ? count : 0,
                                     .seed = seed,
                                     .stream = stream});
}

nn_data *nn_data_repeat(nn_rt *rt, nn_data *data, int64_t n) {
    int64_t count;
    /* So many that nobody lives to see the last: a bound that arithmetic on sizes doesn't overflow at. */
    if (__builtin_mul_overflow(data->count, n > 0 ? n : 0, &count) || count > INT64_MAX / 2)
        count = INT64_MAX / 2;
    return rt_data_new(rt, (nn_data){.parent = data,
                                     .columns = data->columns,
                                     .column_count = data->column_count,
                                     .kind = RT_REPEATED,
                                     .count = count});
}

/* --- orders */
/* Puts `data` in front of the others that have an order; the last one loses its own where there is no room.
 */
static void remember_order(nn_rt *rt, nn_data *data) {
    int place = 0;
    while (place < RT_ORDERS - 1 && rt->orders[place] && rt->orders[place] != data) place++;
    nn_data *dropped = rt->orders[place];
    if (dropped && dropped != data) {
        free(dropped->order);
        dropped->order = NULL;
    }
    for (; place > 0; place--) rt->orders[place] = rt->orders[place - 1];
    rt->orders[0] = data;
}

/* Number i of what the view draws, a number of the parent's samples: two hashes, and more where one is
 * rejected. */
static int64_t drawn(const nn_data *data, int64_t i) {
    return rt_draw(data->seed, data->stream, i, data->parent->count);
}

static const int64_t *order_of(nn_rt *rt, nn_data *data);

/* Where sample number `i` is in the table. */
static int64_t place_of(nn_rt *rt, nn_data *data, int64_t i) {
    for (;; data = data->parent) {
        switch (data->kind) {
        case RT_TABLE: return i;
        case RT_TAKEN: i += data->first; break;
        case RT_SHUFFLED: return order_of(rt, data)[i];
        case RT_SAMPLED: i = drawn(data, i); break;
        case RT_REPEATED: i %= data->parent->count; break;
        }
    }
}

/* Computes the order of a shuffled view, unless it is in memory. */
static const int64_t *order_of(nn_rt *rt, nn_data *data) {
    if (!data->order) {
        int64_t *order = rt_allocate((size_t)data->count * sizeof *order);
        rt_permutation(data->seed, data->stream, data->count, order);
        for (int64_t i = 0; i < data->count; i++) order[i] = place_of(rt, data->parent, order[i]);
        data->order = order;
    }
    remember_order(rt, data);
    return data->order;
}

/* Places in the table: rows[0], rows[1], …, or `row` and the following ones where `rows` is NULL. */
typedef struct {
    const int64_t *rows;
    int64_t row;
} Places;

/* Those of samples `first` … first + count - 1; `rows` lives until the next call for the same dataset. */
static Places places_of(nn_rt *rt, nn_data *data, int64_t first, int64_t count) {
    bool taken = data->kind == RT_TAKEN;
    nn_data *base = taken ? data->parent : data;
    int64_t begin = taken ? data->first + first : first;
    if (base->kind == RT_TABLE || count == 0) return (Places){NULL, begin};
    if (base->kind == RT_SHUFFLED) return (Places){order_of(rt, base) + begin, 0};
    if (data->row_capacity < count) {
        data->rows = rt_resize(data->rows, (size_t)count * sizeof *data->rows);
        data->row_capacity = count;
    }
    for (int64_t i = 0; i < count; i++) data->rows[i] = place_of(rt, data, first + i);
    return (Places){data->rows, 0};
}

/* --- windows */
static _Noreturn void cannot_read(nn_rt *rt, const nn_loc *loc, const rt_text *error) {
    rt_text message = {0};
    rt_text_addf(&message, "cannot read the dataset: %s", error->bytes);
    rt_fail(rt, loc, message.bytes, NULL);
}

/* All samples of the column one after the other, in memory of their own. */
static rt_column in_order(nn_rt *rt, nn_data *data, const rt_column *column) {
    size_t bytes;
    rt_text error = {0};
    if (__builtin_mul_overflow(column->sample_bytes, (size_t)data->count, &bytes)) rt_out_of_memory(SIZE_MAX);
    uint8_t *samples = rt_allocate_aligned(bytes);
    Places places = places_of(rt, data, 0, data->count);
    if (!rt_gather(column, places.rows, places.row, data->count, samples, &error))
        cannot_read(rt, NULL, &error);
    return rt_column_of_memory(samples, column->dtype, column->sample_bytes);
}

/* The samples of a table's column from number `first` on. */
static rt_column share(const rt_column *column, int64_t first) {
    rt_column shared = *column;
    size_t bytes = (size_t)first * column->stride;
    shared.owns = false;
    if (shared.samples) shared.samples += bytes;
    shared.offset += (int64_t)bytes;
    return shared;
}

/* Windows overlap where the samples of a table lie one after the other; otherwise they are put so first. */
static rt_column window_column(nn_rt *rt, nn_data *data, const rt_column *column, int64_t n) {
    bool taken = data->kind == RT_TAKEN;
    bool dense = column->stride == column->stored_bytes && (taken ? data->parent : data)->kind == RT_TABLE;
    rt_column windows = dense ? share(column, taken ? data->first : 0) : in_order(rt, data, column);
    windows.sample_bytes *= (size_t)n;
    windows.stored_bytes *= (size_t)n;
    return windows;
}

nn_data *nn_data_windows(nn_rt *rt, nn_data *data, int64_t n) {
    nn_data *windows = rt_data_new(rt, (nn_data){.kind = RT_TABLE, .column_count = data->column_count});
    windows->columns = rt_allocate((size_t)data->column_count * sizeof *windows->columns);
    bool some = n >= 1 && n <= data->count;
    if (some) windows->count = data->count - n + 1;
    for (int32_t i = 0; i < data->column_count; i++)
        windows->columns[i] = some ? window_column(rt, data, &data->columns[i], n) : (rt_column){0};
    windows->source = data;
    windows->window = n;
    return windows;
}

/* --- reading */
enum {
    COPIED_BYTES = 8 << 10, /* a chunk copies at least so many: some microseconds */
    CHUNK_GROUP = 4,        /* chunks are a multiple of it, as those of kernels are */
    MAX_CHUNKS = 64
};

static void check_range(nn_rt *rt, const nn_loc *loc, const nn_data *data, int64_t first, int64_t count) {
    if (first >= 0 && count >= 0 && first <= data->count && count <= data->count - first) return;
    rt_failf(rt, loc, "%lld samples from number %lld on were asked for, but the dataset has %lld",
             (long long)count, (long long)first, (long long)data->count);
}

typedef struct {
    const rt_column *column;
    Places places;
    int64_t count, chunks;
    uint8_t *out;
} Copy;

static void copy_chunk(nn_rt *rt, void *const *args, int64_t chunk) {
    (void)rt;
    const Copy *copy = args[0];
    int64_t from = copy->count * chunk / copy->chunks, to = copy->count * (chunk + 1) / copy->chunks;
    const int64_t *rows = copy->places.rows ? copy->places.rows + from : NULL;
    rt_gather(copy->column, rows, copy->places.row + from, to - from,
              copy->out + (size_t)from * copy->column->sample_bytes, NULL);
}

/* What lies in memory is copied by all threads, each the samples whose elements kernels will give it first.
 */
static bool read_column(nn_rt *rt, const rt_column *column, Places places, int64_t count, void *out,
                        rt_text *error) {
    size_t parts = (size_t)count * column->sample_bytes / COPIED_BYTES;
    if (!column->samples || parts < CHUNK_GROUP)
        return rt_gather(column, places.rows, places.row, count, out, error);
    int64_t chunks = (int64_t)(parts < MAX_CHUNKS ? parts : MAX_CHUNKS) / CHUNK_GROUP * CHUNK_GROUP;
    Copy copy = {.column = column, .places = places, .count = count, .chunks = chunks, .out = out};
    nn_parallel(rt, copy_chunk, (void *[]){&copy}, chunks);
    return true;
}

void nn_data_read(nn_rt *rt, const nn_loc *loc, nn_data *data, int64_t first, int64_t count,
                  void *const *out) {
    check_range(rt, loc, data, first, count);
    if (!rt_prefetch_take(rt, data, first, count, out)) {
        Places places = places_of(rt, data, first, count);
        rt_text error = {0};
        for (int32_t i = 0; i < data->column_count; i++)
            if (!read_column(rt, &data->columns[i], places, count, out[i], &error))
                cannot_read(rt, loc, &error);
    }
    int64_t next = first + count, left = data->count - next;
    if (left > count) left = count;
    if (left <= 0 || !rt_prefetch_pays(rt, data)) return;
    Places places = places_of(rt, data, next, left);
    rt_prefetch_start(rt, data, next, left, places.rows, places.row);
}

void rt_data_free(nn_rt *rt) {
    rt_prefetch_free(rt);
    while (rt->datasets) {
        nn_data *data = rt->datasets;
        rt->datasets = data->next;
        free(data->order);
        free(data->rows);
        free(data->recipe);
        if (data->kind == RT_TABLE) {
            for (int32_t i = 0; i < data->column_count; i++) rt_column_free(&data->columns[i]);
            free(data->columns);
        }
        free(data);
    }
}
