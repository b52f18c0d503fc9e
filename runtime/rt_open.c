/* Opening datasets: which reader a format has, and what is wrong with a file. */
#include "rt_csv.h"
#include "rt_data.h"
#include "rt_file.h"
#include "rt_idx.h"
#include "rt_npy.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

nn_data *rt_data_new(nn_rt *rt, nn_data data) {
    nn_data *new = rt_allocate(sizeof *new);
    *new = data;
    new->next = rt->datasets;
    rt->datasets = new;
    return new;
}

static _Noreturn void cannot_open(nn_rt *rt, const nn_loc *loc, const rt_text *error, const char *help) {
    rt_text message = {0};
    rt_text_addf(&message, "cannot read the dataset: %s", error->bytes);
    rt_fail(rt, loc, message.bytes, help);
}

/* --- formats with a file for each column */
static bool parse_idx(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error) {
    return rt_idx_parse(source, sample, array, error);
}

static bool parse_npy(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error) {
    return rt_npy_parse(source->bytes, source->held, source->size, sample, array, error);
}

/* A file as it is: each of its bytes is a sample. */
static bool parse_bytes(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error) {
    *array = (rt_array){.count = source->size, .stored = NN_U8};
    if (sample->dtype == NN_U8 && sample->rank == 0) return true;
    rt_text_adds(error, "holds bytes, samples of type u8; the program declares ");
    rt_text_type(error, sample->dtype, sample->rank, sample->dims);
    return false;
}

/* Finds the samples in a file; the error goes on after the file's name. */
typedef bool Parse(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error);

static const struct {
    const char *name;
    Parse *parse;
} formats[] = {{"idx", parse_idx}, {"npy", parse_npy}, {"bytes", parse_bytes}};

static Parse *find_format(const char *name) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0) return formats[i].parse;
    return NULL;
}

/* The path itself, or with `.gz` where only that exists and may be read. */
static void find_file(Parse *parse, const char *path, rt_text *found) {
    rt_text_adds(found, path);
    if (parse != parse_idx || access(path, F_OK) == 0) return;
    rt_text_adds(found, ".gz");
    if (access(found->bytes, F_OK) == 0) return;
    rt_text_free(found);
    rt_text_adds(found, path);
}

static const char *help_absent(Parse *parse, const char *path) {
    if (access(path, F_OK) == 0 || errno != ENOENT) return NULL;
    return parse == parse_idx ? "give the folder or file that holds the data; `PATH.gz` is found too" : NULL;
}

static int64_t open_column(nn_rt *rt, const nn_loc *loc, Parse *parse, const char *path,
                           const nn_tensor *sample, rt_column *column) {
    rt_text name = {0}, error = {0};
    rt_source source;
    rt_array array;
    find_file(parse, path, &name);
    if (!rt_source_open(&source, name.bytes, &error))
        cannot_open(rt, loc, &error, help_absent(parse, name.bytes));
    rt_text_quotes(&error, name.bytes);
    rt_text_adds(&error, " ");
    if (!parse(&source, sample, &array, &error)) cannot_open(rt, loc, &error, NULL);
    *column = rt_column_of_source(&source, &array, sample);
    rt_text_free(&error);
    rt_text_free(&name);
    return array.count;
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

static void open_columns(nn_rt *rt, const nn_loc *loc, Parse *parse, const char *const *path,
                         const nn_tensor *column, nn_data *data) {
    for (int32_t i = 0; i < data->column_count; i++) {
        int64_t count = open_column(rt, loc, parse, path[i], &column[i], &data->columns[i]);
        if (i == 0) data->count = count;
        check_equal_counts(rt, loc, path, i, data->count, count);
    }
}

/* --- a file with all columns */
static void open_csv(nn_rt *rt, const nn_loc *loc, int32_t count, const char *const *text,
                     const nn_tensor *column, nn_data *data) {
    rt_text error = {0};
    if (count != RT_CSV_TEXTS) rt_failf(rt, loc, "the format `csv` has %d settings", RT_CSV_TEXTS);
    if (!rt_csv_read(text, data->column_count, column, data->columns, &data->count, &error))
        cannot_open(rt, loc, &error, NULL);
}

static void check_sizes(nn_rt *rt, const nn_loc *loc, int32_t columns, const nn_tensor *column) {
    size_t bytes;
    for (int32_t i = 0; i < columns; i++)
        if (!rt_sample_bytes(&column[i], column[i].dtype, &bytes))
            rt_failf(rt, loc, "a sample of the dataset would be larger than any memory");
}

nn_data *nn_data_open(nn_rt *rt, const nn_loc *loc, const char *format, int32_t paths,
                      const char *const *path, int32_t columns, const nn_tensor *column) {
    bool csv = strcmp(format, "csv") == 0;
    Parse *parse = find_format(format);
    if (!parse && !csv) rt_failf(rt, loc, "there is no data format `%s`", format);
    while (!csv && paths > 1 && !*path[paths - 1]) paths--; /* those that may be left out */
    if (!csv && paths != columns)
        rt_failf(rt, loc, "a dataset of %d column%s needs %d file%s, not %d", columns,
                 columns == 1 ? "" : "s", columns, columns == 1 ? "" : "s", paths);
    check_sizes(rt, loc, columns, column);
    nn_data *data = rt_data_new(rt, (nn_data){.kind = RT_TABLE, .column_count = columns});
    data->columns = rt_allocate((size_t)columns * sizeof *data->columns);
    for (int32_t i = 0; i < columns; i++) data->columns[i] = (rt_column){.file = -1};
    if (csv)
        open_csv(rt, loc, paths, path, column, data);
    else
        open_columns(rt, loc, parse, path, column, data);
    data->recipe = rt_recipe_open(format, paths, path, columns, column, data->count);
    return data;
}
