/* Datasets written down, so that a run that goes on behind a checkpoint has them again: a line for the files,
 * then a line for each view, from the inside out. Views are pure functions of what is in their lines.
 *     open 3:idx 1 12:images.idx3 1 8 2 28 28 60000
 *     shuffle 0 4
 * The line of the files: format, paths, the columns' dtype and shape, and the number of samples. Texts begin
 * with their length. */
#include "rt_data.h"
#include <stdlib.h>
#include <string.h>

/* --- writing */
static void add_text(rt_text *text, const char *string) {
    rt_text_addf(text, " %zu:%s", strlen(string), string);
}

char *rt_recipe_open(const char *format, int32_t paths, const char *const *path, int32_t columns,
                     const nn_tensor *column, int64_t count) {
    rt_text text = {0};
    rt_text_adds(&text, "open");
    add_text(&text, format);
    rt_text_addf(&text, " %d", paths);
    for (int32_t i = 0; i < paths; i++) add_text(&text, path[i]);
    rt_text_addf(&text, " %d", columns);
    for (int32_t i = 0; i < columns; i++) {
        rt_text_addf(&text, " %d %d", column[i].dtype, column[i].rank);
        for (int32_t d = 0; d < column[i].rank; d++)
            rt_text_addf(&text, " %lld", (long long)column[i].dims[d]);
    }
    rt_text_addf(&text, " %lld", (long long)count);
    return text.bytes;
}

static int64_t repetitions(const nn_data *data) {
    return data->parent->count ? data->count / data->parent->count : 0;
}

void rt_recipe_add(rt_text *text, const nn_data *data) {
    if (data->source)
        rt_recipe_add(text, data->source);
    else if (data->parent)
        rt_recipe_add(text, data->parent);
    switch (data->kind) {
    case RT_TABLE:
        if (data->source)
            rt_text_addf(text, "windows %lld\n", (long long)data->window);
        else
            rt_text_addf(text, "%s\n", data->recipe);
        break;
    case RT_TAKEN:
        rt_text_addf(text, "take %lld %lld\n", (long long)data->first, (long long)data->count);
        break;
    case RT_SHUFFLED:
        rt_text_addf(text, "shuffle %lld %lld\n", (long long)data->seed, (long long)data->stream);
        break;
    case RT_SAMPLED:
        rt_text_addf(text, "sample %lld %lld %lld\n", (long long)data->count, (long long)data->seed,
                     (long long)data->stream);
        break;
    case RT_REPEATED: rt_text_addf(text, "repeat %lld\n", (long long)repetitions(data)); break;
    }
}

/* --- reading */
enum { PATH_LIMIT = 1000, COLUMN_LIMIT = 1000, RANK_LIMIT = 8, NUMBERS = 3 };

typedef struct {
    nn_rt *rt;
    const char *at, *end;
    bool good;
} Reader;

static bool word(Reader *r, const char *expected) {
    size_t length = strlen(expected);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, expected, length) != 0) return false;
    r->at += length;
    return true;
}

/* A number after a space, in a range. */
static int64_t number(Reader *r, int64_t least, int64_t most) {
    if (!word(r, " ")) r->good = false;
    bool negative = word(r, "-");
    const char *start = r->at;
    int64_t value = 0;
    for (; r->good && r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            (negative ? __builtin_sub_overflow(value, *r->at - '0', &value)
                      : __builtin_add_overflow(value, *r->at - '0', &value)))
            r->good = false;
    if (r->at == start || value < least || value > most) r->good = false;
    return r->good ? value : least;
}

/* To be freed by the run. */
static const char *text(Reader *r) {
    int64_t length = number(r, 0, r->end - r->at);
    if (!word(r, ":") || length > r->end - r->at) r->good = false;
    if (!r->good) return "";
    char *copy = rt_allocate((size_t)length + 1);
    memcpy(copy, r->at, (size_t)length);
    copy[length] = 0;
    rt_keep(r->rt, copy);
    r->at += length;
    return copy;
}

static const nn_tensor *read_columns(Reader *r, int32_t count) {
    nn_tensor *columns = rt_allocate((size_t)count * sizeof *columns);
    rt_keep(r->rt, columns);
    for (int32_t i = 0; i < count; i++) {
        int64_t *dims = rt_allocate(RANK_LIMIT * sizeof *dims);
        rt_keep(r->rt, dims);
        columns[i] = (nn_tensor){.dims = dims};
        columns[i].dtype = (int32_t)number(r, NN_F64, NN_STR);
        columns[i].rank = (int32_t)number(r, 0, RANK_LIMIT);
        for (int32_t d = 0; d < columns[i].rank; d++) dims[d] = number(r, 0, INT64_MAX);
    }
    return columns;
}

/* The table that the run has opened by this line already. */
static nn_data *opened(const nn_rt *rt, const char *line, size_t length) {
    for (nn_data *data = rt->datasets; data; data = data->next)
        if (data->recipe && strlen(data->recipe) == length && memcmp(data->recipe, line, length) == 0)
            return data;
    return NULL;
}

static nn_data *open_again(Reader *r, const char *line, rt_text *error) {
    const char *format = text(r);
    int32_t paths = (int32_t)number(r, 0, PATH_LIMIT);
    const char **path = rt_allocate((size_t)paths * sizeof *path);
    rt_keep(r->rt, path);
    for (int32_t i = 0; i < paths; i++) path[i] = text(r);
    int32_t columns = (int32_t)number(r, 0, COLUMN_LIMIT);
    const nn_tensor *column = read_columns(r, columns);
    int64_t count = number(r, 0, INT64_MAX);
    if (!r->good) return NULL;
    nn_data *data = opened(r->rt, line, (size_t)(r->at - line));
    if (!data) data = nn_data_open(r->rt, NULL, format, paths, path, columns, column);
    if (data->count == count) return data;
    rt_text_adds(error, "the dataset ");
    rt_text_quotes(error, paths ? path[0] : format);
    rt_text_addf(error, " holds %lld samples now, and held %lld when the checkpoint was saved",
                 (long long)data->count, (long long)count);
    return NULL;
}

static nn_data *windows_again(nn_rt *rt, nn_data *of, int64_t n) {
    for (nn_data *data = rt->datasets; data; data = data->next)
        if (data->source == of && data->window == n) return data;
    return nn_data_windows(rt, of, n);
}

typedef enum { WINDOWS, TAKE, SHUFFLE, SAMPLE, REPEAT, VIEWS } View;

static const struct {
    const char *name;
    int numbers;
} views[VIEWS] = {[WINDOWS] = {"windows", 1},
                  [TAKE] = {"take", 2},
                  [SHUFFLE] = {"shuffle", 2},
                  [SAMPLE] = {"sample", 3},
                  [REPEAT] = {"repeat", 1}};

static nn_data *view_again(Reader *r, nn_data *of) {
    View view = WINDOWS;
    while (view < VIEWS && !word(r, views[view].name)) view++;
    if (view == VIEWS) return NULL;
    int64_t n[NUMBERS] = {0};
    for (int i = 0; i < views[view].numbers; i++) n[i] = number(r, INT64_MIN, INT64_MAX);
    if (!r->good) return NULL;
    switch (view) {
    case WINDOWS: return n[0] >= 1 ? windows_again(r->rt, of, n[0]) : NULL;
    case TAKE: return nn_data_take(r->rt, of, n[0], n[1]);
    case SHUFFLE: return nn_data_shuffle(r->rt, of, n[0], n[1]);
    case SAMPLE: return nn_data_sample(r->rt, of, n[0], n[1], n[2]);
    case REPEAT: return nn_data_repeat(r->rt, of, n[0]);
    case VIEWS: break;
    }
    return NULL;
}

nn_data *rt_recipe_make(nn_rt *rt, const char *recipe, size_t length, rt_text *error) {
    Reader r = {rt, recipe, recipe + length, true};
    nn_data *data = word(&r, "open") ? open_again(&r, recipe, error) : NULL;
    if (data && !word(&r, "\n")) data = NULL;
    while (data && r.at < r.end) {
        data = view_again(&r, data);
        if (data && !word(&r, "\n")) data = NULL;
    }
    if (!data && error->length == 0) rt_text_adds(error, "a dataset is not written down as expected");
    return data;
}
