/* Opening datasets: which reader a format has, files that hold a column each, and what is wrong with one. */
#include "rt_data.h"
#include "rt_file.h"
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

void rt_cannot_open(const rt_opening *opening, const rt_text *error, const char *help) {
    rt_text message = {0};
    rt_text_addf(&message, "cannot read the dataset: %s", error->bytes);
    rt_fail(opening->rt, opening->loc, message.bytes, help);
}

/* --- a file for each column */
/* The path itself, or with the suffix where only that exists and may be read. */
static void find_file(const nn_reader *reader, const char *path, rt_text *found) {
    rt_text_adds(found, path);
    if (!reader->suffix || access(path, F_OK) == 0) return;
    rt_text_adds(found, reader->suffix);
    if (access(found->bytes, F_OK) == 0) return;
    rt_text_free(found);
    rt_text_adds(found, path);
}

static const char *help_absent(const nn_reader *reader, const char *path) {
    return access(path, F_OK) == 0 || errno != ENOENT ? NULL : reader->help;
}

static int64_t open_column(const nn_reader *reader, const rt_opening *o, int32_t i) {
    rt_text name = {0}, error = {0};
    rt_source source;
    rt_array array;
    find_file(reader, o->path[i], &name);
    if (!rt_source_open(&source, name.bytes, &error))
        rt_cannot_open(o, &error, help_absent(reader, name.bytes));
    rt_text_quotes(&error, name.bytes);
    rt_text_adds(&error, " ");
    if (!reader->parse(&source, &o->column[i], &array, &error)) rt_cannot_open(o, &error, NULL);
    o->data->columns[i] = rt_column_of_source(&source, &array, &o->column[i]);
    rt_text_free(&error);
    rt_text_free(&name);
    return array.count;
}

static void check_equal_counts(const rt_opening *o, int32_t column, int64_t first, int64_t count) {
    if (first == count) return;
    rt_text error = {0};
    rt_text_quotes(&error, o->path[0]);
    rt_text_addf(&error, " holds %lld samples, but ", (long long)first);
    rt_text_quotes(&error, o->path[column]);
    rt_text_addf(&error, " holds %lld", (long long)count);
    rt_cannot_open(o, &error, NULL);
}

void rt_open_files(const nn_reader *reader, const rt_opening *o) {
    int32_t paths = o->paths, columns = o->data->column_count;
    while (paths > 1 && !*o->path[paths - 1]) paths--;
    if (paths != columns)
        rt_failf(o->rt, o->loc, "a dataset of %d column%s needs %d file%s, not %d", columns,
                 columns == 1 ? "" : "s", columns, columns == 1 ? "" : "s", paths);
    for (int32_t i = 0; i < columns; i++) {
        int64_t count = open_column(reader, o, i);
        if (i == 0) o->data->count = count;
        check_equal_counts(o, i, o->data->count, count);
    }
}

/* --- a file as it is: each of its bytes is a sample */
static bool parse_bytes(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error) {
    *array = (rt_array){.count = source->size, .stored = NN_U8};
    if (sample->dtype == NN_U8 && sample->rank == 0) return true;
    rt_text_adds(error, "holds bytes, samples of type u8; the program declares ");
    rt_text_type(error, sample->dtype, sample->rank, sample->dims);
    return false;
}

const nn_reader nn_reader_bytes = {.name = "bytes", .open = rt_open_files, .parse = parse_bytes};

/* --- any dataset */
static const nn_reader *find_reader(nn_rt *rt, const nn_loc *loc, const char *format) {
    for (int32_t i = 0; i < rt->program->reader_count; i++)
        if (strcmp(rt->program->readers[i]->name, format) == 0) return rt->program->readers[i];
    rt_failf(rt, loc, "the program has no reader of the data format `%s`", format);
}

static void check_sizes(nn_rt *rt, const nn_loc *loc, int32_t columns, const nn_tensor *column) {
    size_t bytes;
    for (int32_t i = 0; i < columns; i++)
        if (!rt_sample_bytes(&column[i], column[i].dtype, &bytes))
            rt_failf(rt, loc, "a sample of the dataset would be larger than any memory");
}

nn_data *nn_data_open(nn_rt *rt, const nn_loc *loc, const char *format, int32_t paths,
                      const char *const *path, int32_t columns, const nn_tensor *column) {
    const nn_reader *reader = find_reader(rt, loc, format);
    check_sizes(rt, loc, columns, column);
    nn_data *data = rt_data_new(rt, (nn_data){.kind = RT_TABLE, .column_count = columns});
    data->columns = rt_allocate((size_t)columns * sizeof *data->columns);
    for (int32_t i = 0; i < columns; i++) data->columns[i] = (rt_column){.file = -1};
    reader->open(reader, &(rt_opening){rt, loc, paths, path, column, data});
    data->recipe = rt_recipe_open(format, paths, path, columns, column, data->count);
    return data;
}
