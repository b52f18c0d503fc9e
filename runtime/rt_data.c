/* Datasets: opening, views, reading. A shuffled view keeps only (seed, stream); its order is computed when it
 * is read and forgotten when too many others were read since, so that an epoch's shuffle costs no lasting
 * memory. */
#include "rt_data.h"
#include "rt_file.h"
#include "rt_idx.h"
#include "rt_random.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- opening */
static nn_data *data_new(nn_rt *rt, nn_data data) {
    nn_data *new = rt_allocate(sizeof *new);
    *new = data;
    new->next = rt->datasets;
    rt->datasets = new;
    return new;
}

static size_t sample_bytes(const nn_tensor *sample) {
    size_t bytes = rt_dtype_bytes(sample->dtype);
    for (int32_t i = 0; i < sample->rank; i++) bytes *= (size_t)sample->dims[i];
    return bytes;
}

/* The path itself, or with `.gz` where only that exists. */
static void find_file(const char *path, rt_text *found) {
    rt_text_adds(found, path);
    if (access(path, F_OK) == 0) return;
    rt_text_adds(found, ".gz");
    if (access(found->bytes, F_OK) == 0) return;
    found->length = 0;
    rt_text_adds(found, path);
}

static _Noreturn void cannot_open(nn_rt *rt, const nn_loc *loc, const rt_text *error, const char *help) {
    rt_text message = {0};
    rt_text_addf(&message, "cannot read the dataset: %s", error->bytes);
    rt_fail(rt, loc, message.bytes, help);
}

static int64_t open_idx(nn_rt *rt, const nn_loc *loc, const char *path, const nn_tensor *sample,
                        rt_column *column) {
    rt_text name = {0}, error = {0};
    size_t size;
    rt_idx idx;
    find_file(path, &name);
    errno = 0;
    uint8_t *bytes = rt_file_whole(name.bytes, &size, &error);
    if (!bytes) {
        bool absent = access(name.bytes, F_OK) != 0 && errno == ENOENT;
        cannot_open(rt, loc, &error,
                    absent ? "give the folder or file that holds the data; `PATH.gz` is found too" : NULL);
    }
    rt_text_quotes(&error, name.bytes);
    rt_text_adds(&error, " ");
    if (!rt_idx_parse(bytes, size, sample, &idx, &error)) cannot_open(rt, loc, &error, NULL);
    size_t each = sample_bytes(sample);
    *column = (rt_column){.sample_bytes = each, .stride = each, .samples = idx.samples, .owned = idx.bytes};
    rt_text_free(&error);
    rt_text_free(&name);
    return idx.count;
}

/* A file as it is: each of its bytes is a sample. */
static int64_t open_bytes(nn_rt *rt, const nn_loc *loc, const char *path, const nn_tensor *sample,
                          rt_column *column) {
    rt_text error = {0};
    size_t size;
    if (sample->dtype != NN_U8 || sample->rank != 0) {
        rt_text_adds(&error, "a file's bytes are samples of type u8, the program declares ");
        rt_text_type(&error, sample->dtype, sample->rank, sample->dims);
        cannot_open(rt, loc, &error, NULL);
    }
    uint8_t *bytes = rt_file_whole(path, &size, &error);
    if (!bytes) cannot_open(rt, loc, &error, NULL);
    *column = (rt_column){.sample_bytes = 1, .stride = 1, .samples = bytes, .owned = bytes};
    return (int64_t)size;
}

static void check_equal_counts(nn_rt *rt, const nn_loc *loc, const char *const *path, int32_t column,
                               int64_t first, int64_t count) {
    if (first == count) return;
    rt_text error = {0};
    rt_text_quotes(&error, path[0]);
    rt_text_addf(&error, " holds %lld samples, but ", (long long)first);
    rt_text_quotes(&error, path[column]);
    rt_text_addf(&error, " holds %lld", (long long)count);
    cannot_open(rt, loc, &error, NULL);
}

/* What reads a file as one column: the number of its samples. */
typedef int64_t OpenColumn(nn_rt *rt, const nn_loc *loc, const char *path, const nn_tensor *sample,
                           rt_column *column);

static const struct {
    const char *name;
    OpenColumn *open;
} formats[] = {{"idx", open_idx}, {"bytes", open_bytes}};

static OpenColumn *find_format(const char *name) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0) return formats[i].open;
    return NULL;
}

nn_data *nn_data_open(nn_rt *rt, const nn_loc *loc, const char *format, int32_t paths,
                      const char *const *path, int32_t columns, const nn_tensor *column) {
    OpenColumn *open_column = find_format(format);
    if (!open_column) rt_failf(rt, loc, "there is no data format `%s`", format);
    if (paths != columns)
        rt_failf(rt, loc, "a dataset of %d columns needs %d files, not %d", columns, columns, paths);
    nn_data *data = data_new(rt, (nn_data){.kind = RT_TABLE, .column_count = columns});
    data->columns = rt_allocate((size_t)columns * sizeof *data->columns);
    for (int32_t i = 0; i < columns; i++) {
        int64_t count = open_column(rt, loc, path[i], &column[i], &data->columns[i]);
        if (i == 0) data->count = count;
        check_equal_counts(rt, loc, path, i, data->count, count);
    }
    return data;
}

int64_t nn_data_len(nn_rt *rt, const nn_data *data) {
    (void)rt;
    return data->count;
}

/* --- views */
nn_data *nn_data_shuffle(nn_rt *rt, nn_data *data, int64_t seed, int64_t stream) {
    return data_new(rt, (nn_data){.parent = data,
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
    return data_new(rt, (nn_data){.parent = taken ? data->parent : data,
                                  .columns = data->columns,
                                  .column_count = data->column_count,
                                  .kind = RT_TAKEN,
                                  .count = count,
                                  .first = taken ? data->first + first : first});
}

nn_data *nn_data_sample(nn_rt *rt, nn_data *data, int64_t count, int64_t seed, int64_t stream) {
    return data_new(rt, (nn_data){.parent = data,
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
    return data_new(rt, (nn_data){.parent = data,
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
/* All samples of the column one after the other, in memory of their own. */
static uint8_t *in_order(nn_rt *rt, nn_data *data, const rt_column *column) {
    size_t bytes;
    if (__builtin_mul_overflow(column->sample_bytes, (size_t)data->count, &bytes)) rt_out_of_memory(SIZE_MAX);
    uint8_t *samples = rt_allocate(bytes);
    Places places = places_of(rt, data, 0, data->count);
    rt_gather(column, places.rows, places.row, data->count, samples);
    return samples;
}

/* Windows overlap where the samples of a table lie one after the other; otherwise they are put so first. */
static rt_column window_column(nn_rt *rt, nn_data *data, const rt_column *column, int64_t n) {
    size_t bytes = column->sample_bytes;
    rt_column windows = {.sample_bytes = bytes * (size_t)n, .stride = bytes};
    bool taken = data->kind == RT_TAKEN;
    if (column->stride == bytes && (taken ? data->parent : data)->kind == RT_TABLE)
        windows.samples = column->samples + (size_t)(taken ? data->first : 0) * bytes;
    else
        windows.samples = windows.owned = in_order(rt, data, column);
    return windows;
}

nn_data *nn_data_windows(nn_rt *rt, nn_data *data, int64_t n) {
    nn_data *windows = data_new(rt, (nn_data){.kind = RT_TABLE, .column_count = data->column_count});
    windows->columns = rt_allocate((size_t)data->column_count * sizeof *windows->columns);
    bool some = n >= 1 && n <= data->count;
    if (some) windows->count = data->count - n + 1;
    for (int32_t i = 0; i < data->column_count; i++)
        windows->columns[i] = some ? window_column(rt, data, &data->columns[i], n) : (rt_column){0};
    return windows;
}

/* --- reading */
void rt_gather(const rt_column *column, const int64_t *rows, int64_t first, int64_t count, void *out) {
    size_t bytes = column->sample_bytes, stride = column->stride;
    if (!rows && stride == bytes) {
        if (count) memcpy(out, column->samples + (size_t)first * bytes, (size_t)count * bytes);
    } else if (bytes == 1 && rows) {
        for (int64_t i = 0; i < count; i++) ((uint8_t *)out)[i] = column->samples[(size_t)rows[i] * stride];
    } else if (bytes) {
        for (int64_t i = 0; i < count; i++)
            memcpy((uint8_t *)out + (size_t)i * bytes,
                   column->samples + (size_t)(rows ? rows[i] : first + i) * stride, bytes);
    }
}

static void check_range(nn_rt *rt, const nn_loc *loc, const nn_data *data, int64_t first, int64_t count) {
    if (first >= 0 && count >= 0 && first <= data->count && count <= data->count - first) return;
    rt_failf(rt, loc, "%lld samples from number %lld on were asked for, but the dataset has %lld",
             (long long)count, (long long)first, (long long)data->count);
}

void nn_data_read(nn_rt *rt, const nn_loc *loc, nn_data *data, int64_t first, int64_t count,
                  void *const *out) {
    check_range(rt, loc, data, first, count);
    if (!rt_prefetch_take(rt, data, first, count, out)) {
        Places places = places_of(rt, data, first, count);
        for (int32_t i = 0; i < data->column_count; i++)
            rt_gather(&data->columns[i], places.rows, places.row, count, out[i]);
    }
    int64_t next = first + count, left = data->count - next;
    if (left > count) left = count;
    if (left <= 0 || !rt_prefetch_pays(rt, data, left)) return;
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
        if (data->kind == RT_TABLE) {
            for (int32_t i = 0; i < data->column_count; i++) free(data->columns[i].owned);
            free(data->columns);
        }
        free(data);
    }
}
