/* A text table as typed columns: which of its columns are wanted, and what their cells say. */
#include "rt_csv.h"
#include "rt_csv_cells.h"
#include "rt_csv_number.h"
#include "rt_data.h"
#include "rt_float.h"
#include "rt_names.h"
#include "rt_samples.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_LIMIT = 1 << 20, LISTED = 12 };

/* Where the cells of one of the table's columns go. */
typedef struct {
    int32_t column, dtype; /* of the program; -1 = nowhere */
    size_t at;             /* in a sample of that column */
    bool has_names;        /* numbered by their order when all are known */
    rt_names names;
} Target;

typedef struct {
    const char *const *text; /* RT_CSV_PATH … */
    rt_cells cells;
    bool header;
    rt_names names; /* of the columns; without a header as many as there are cells in the first row */
    bool has_twins; /* two columns have one name */
    int64_t width;  /* cells in a row */
    Target *targets;
    int32_t columns;
    const nn_tensor *column;
    rt_samples *samples; /* of each column */
    uint8_t **row;       /* where the one that is being read goes */
    int64_t count;       /* of the rows before it */
    rt_text *error;
} Table;

/* --- messages */
static bool complain(Table *t, const char *message) {
    rt_text_quotes(t->error, t->text[RT_CSV_PATH]);
    rt_text_addf(t->error, " %s", message);
    return false;
}

static void add_column_names(Table *t) {
    int64_t count = t->header && !t->has_twins ? t->names.count : 0;
    for (int64_t i = 0; i < count && i < LISTED; i++) {
        rt_text_adds(t->error, i ? ", " : ": ");
        rt_text_quotes(t->error, rt_names_text(&t->names, i));
    }
    if (count > LISTED) rt_text_adds(t->error, ", …");
}

/* "`x.csv`, line 3, column 2 (`width`): expected u8, found `abc`" */
static bool wrong_cell(Table *t, const char *expected, const char *hint) {
    const rt_cells *cells = &t->cells;
    rt_text_quotes(t->error, t->text[RT_CSV_PATH]);
    rt_text_addf(t->error, ", line %lld, column %lld", (long long)cells->line, (long long)cells->column + 1);
    if (t->header && !t->has_twins) {
        rt_text_adds(t->error, " (");
        rt_text_quotes(t->error, rt_names_text(&t->names, cells->column));
        rt_text_adds(t->error, ")");
    }
    rt_text_addf(t->error, ": expected %s, found ", expected);
    if (cells->length)
        rt_text_quote(t->error, cells->text, cells->length);
    else
        rt_text_adds(t->error, "an empty cell");
    rt_text_adds(t->error, hint);
    return false;
}

/* --- the first row */
/* Numbers only, and empty cells; but not 0, 1, 2, …, which columns may well be called. */
static bool is_row_of_numbers(const Table *t) {
    int64_t numbers = 0, counting = 0, number;
    double x;
    for (int64_t i = 0; i < t->names.count; i++) {
        const char *name = rt_names_text(&t->names, i);
        size_t length = strlen(name);
        if (length && !rt_read_float(name, length, &x)) return false;
        numbers += length > 0;
        counting += rt_read_int(name, length, &number) && number == i;
    }
    return numbers > 0 && counting < t->names.count;
}

static bool read_first_row(Table *t) {
    if (!rt_cells_row(&t->cells))
        return t->cells.failed ? false : complain(t, "is empty: a table has at least one row");
    do {
        if (!rt_cells_next(&t->cells)) return false;
        if (t->width++ == COLUMN_LIMIT) return complain(t, "has more than 1048576 columns");
        if (!t->header) continue;
        int64_t before = t->names.count;
        rt_names_number(&t->names, t->cells.text, t->cells.length);
        t->has_twins |= t->names.count == before;
    } while (!t->cells.last);
    if (!t->header) {
        rt_cells_rewind(&t->cells);
        return true;
    }
    return !is_row_of_numbers(t) ||
           complain(t, "has numbers in its first row, where the names of the columns are "
                       "expected: give `header=false` if it has none");
}

/* --- which columns are wanted */
/* By name, or else by place, from 0 or from the end; -1 = there is none. */
static int64_t column_number(const Table *t, const char *name, size_t length) {
    int64_t number = t->header ? rt_names_find(&t->names, name, length) : -1;
    if (number >= 0) return number;
    if (!rt_read_int(name, length, &number)) return -1;
    if (number < 0) number += t->width;
    return number >= 0 && number < t->width ? number : -1;
}

/* The number of a column that the program calls so; -1 after reporting. */
static int64_t find_column(Table *t, const char *name, size_t length) {
    if (t->has_twins && rt_names_find(&t->names, name, length) >= 0) {
        complain(t, "has several columns of one name: choose columns by their numbers, from 0");
        return -1;
    }
    int64_t number = column_number(t, name, length);
    if (number >= 0) return number;
    rt_text_quotes(t->error, t->text[RT_CSV_PATH]);
    rt_text_adds(t->error, " has no column ");
    rt_text_quote(t->error, name, length);
    rt_text_addf(t->error, " among its %lld", (long long)t->width);
    add_column_names(t);
    return -1;
}

/* Columns in the order in which they are wanted. */
typedef struct {
    int64_t *at;
    int64_t count;
} Choice;

static bool choose(Table *t, Choice *choice, int64_t number) {
    for (int64_t i = 0; i < choice->count; i++) {
        if (choice->at[i] != number) continue;
        rt_text_addf(t->error, "column %lld of ", (long long)number + 1);
        rt_text_quotes(t->error, t->text[RT_CSV_PATH]);
        rt_text_adds(t->error, " is wanted twice");
        return false;
    }
    choice->at[choice->count++] = number;
    return true;
}

static bool choose_listed(Table *t, Choice *choice) {
    rt_cells list;
    rt_cells_text(&list, t->text[RT_CSV_COLUMNS], t->error);
    bool good = rt_cells_row(&list);
    while (good && !list.last) {
        good = rt_cells_next(&list);
        int64_t number = good ? find_column(t, list.text, list.length) : -1;
        good = number >= 0 && choose(t, choice, number);
    }
    rt_cells_close(&list);
    return good;
}

static bool choose_columns(Table *t, Choice *choice) {
    const char *name = t->text[RT_CSV_LABEL];
    int64_t label = *name ? find_column(t, name, strlen(name)) : -1;
    if (*name && label < 0) return false;
    if (*t->text[RT_CSV_COLUMNS]) {
        if (!choose_listed(t, choice)) return false;
    } else {
        for (int64_t i = 0; i < t->width; i++)
            if (i != label) choice->at[choice->count++] = i;
    }
    return label < 0 || choose(t, choice, label);
}

/* Cells of a row that the program's columns take; more than there can be where the number overflows. */
static uint64_t declared_cells(const Table *t) {
    uint64_t all = 0;
    for (int32_t i = 0; i < t->columns; i++)
        all += t->samples[i].sample_bytes / rt_dtype_bytes(t->column[i].dtype);
    return all;
}

static bool wrong_width(Table *t, int64_t chosen, uint64_t declared) {
    bool all = !*t->text[RT_CSV_COLUMNS];
    rt_text_quotes(t->error, t->text[RT_CSV_PATH]);
    rt_text_addf(t->error, all ? " has %lld column%s" : ": %lld column%s chosen", (long long)chosen,
                 chosen != 1 ? (all ? "s" : "s are") : (all ? "" : " is"));
    if (all) add_column_names(t);
    rt_text_addf(t->error, "%s the program declares %llu", all ? ";" : ",", (unsigned long long)declared);
    const char *first = t->width == 1 && t->header ? rt_names_text(&t->names, 0) : "";
    for (const char *separator = ";\t|,"; *separator; separator++)
        if (strchr(first, *separator) && *separator != t->cells.separator) {
            rt_text_addf(t->error, " (perhaps with `separator=\"%s\"`)",
                         *separator == '\t' ? "\\t" : (const char[2]){*separator, 0});
            return false;
        }
    return false;
}

static void aim(Table *t, const Choice *choice) {
    int64_t next = 0;
    for (int64_t i = 0; i < t->width; i++) t->targets[i] = (Target){.column = -1};
    for (int32_t i = 0; i < t->columns; i++) {
        int32_t dtype = t->column[i].dtype;
        for (size_t at = 0; at < t->samples[i].sample_bytes; at += rt_dtype_bytes(dtype))
            t->targets[choice->at[next++]] = (Target){.column = i, .dtype = dtype, .at = at};
    }
}

static bool plan_columns(Table *t) {
    Choice choice = {rt_allocate(((size_t)t->width + 1) * sizeof *choice.at), 0};
    t->targets = rt_allocate((size_t)t->width * sizeof *t->targets);
    bool good = choose_columns(t, &choice);
    uint64_t declared = declared_cells(t);
    if (good && declared != (uint64_t)choice.count) good = wrong_width(t, choice.count, declared);
    if (good)
        aim(t, &choice);
    else
        t->width = 0; /* no target was made */
    free(choice.at);
    return good;
}

/* --- cells */
/* Words count as missing among numbers only: a name may be `none`. */
static bool is_missing(const Target *target, bool first, const char *text, size_t length) {
    static const char *const words[] = {"nan", "na", "n/a", "null", "none"};
    bool numbers =
        rt_dtype_is_float(target->dtype) || target->dtype == NN_BOOL || (!first && !target->has_names);
    if (length == 0) return true;
    for (size_t i = 0; numbers && i < sizeof words / sizeof *words; i++)
        if (rt_same_word(text, length, words[i])) return true;
    return false;
}

static bool store_float(Table *t, const Target *target, const char *text, size_t length, uint8_t *out,
                        bool missing) {
    double x;
    if (missing && rt_same_word(text, length, "nan"))
        x = (double)NAN;
    else if (!rt_read_float(text, length, &x))
        return wrong_cell(t, rt_dtype_name(target->dtype), "");
    rt_store_float(target->dtype, x, out);
    return !isinf(rt_element_float(target->dtype, out)) ||
           wrong_cell(t, rt_dtype_name(target->dtype), ", which is too large for it");
}

static bool is_number(const char *text, size_t length) {
    double x;
    return rt_read_float(text, length, &x);
}

static bool store_int(Table *t, const Target *target, const char *text, size_t length, uint8_t *out) {
    int64_t x;
    if (!rt_read_int(text, length, &x)) return wrong_cell(t, rt_dtype_name(target->dtype), "");
    if (!rt_int_fits(target->dtype, x))
        return wrong_cell(t, rt_dtype_name(target->dtype), ", which is out of its range");
    rt_store_int(target->dtype, x, out);
    return true;
}

/* What stands for missing cells is a name here, whatever it looks like. */
static bool store_name(Table *t, Target *target, const char *text, size_t length, uint8_t *out,
                       bool missing) {
    if (!missing && is_number(text, length)) return wrong_cell(t, "a name, as in the column's first row", "");
    int64_t number = rt_names_number(&target->names, text, length);
    if (!rt_int_fits(target->dtype, number))
        return wrong_cell(t, "no further name in this column",
                          target->dtype == NN_U8 ? ", the 257th: a u8 counts 256"
                                                 : ": its type counts no more");
    rt_store_int(target->dtype, number, out);
    return true;
}

static bool store_cell(Table *t, Target *target) {
    const char *text = t->cells.text, *other = t->text[RT_CSV_MISSING];
    size_t length = t->cells.length;
    uint8_t *out = t->row[target->column] + target->at;
    bool truth, missing = is_missing(target, t->count == 0, text, length);
    if (missing && !*other)
        return wrong_cell(t, target->has_names ? "a name" : rt_dtype_name(target->dtype),
                          target->has_names ? " (`missing=\"none\"` would read such cells as that name)"
                                            : " (`missing=\"0\"` would read such cells as 0)");
    if (missing) text = other, length = strlen(other);
    if (rt_dtype_is_float(target->dtype)) return store_float(t, target, text, length, out, missing);
    if (target->dtype == NN_BOOL) {
        if (!rt_read_bool(text, length, &truth)) return wrong_cell(t, "bool (0, 1, true or false)", "");
        *out = truth;
        return true;
    }
    if (t->count == 0) target->has_names = !is_number(text, length);
    return target->has_names ? store_name(t, target, text, length, out, missing)
                             : store_int(t, target, text, length, out);
}

/* --- rows */
static bool begin_row(Table *t) {
    for (int32_t i = 0; i < t->columns; i++)
        if (!(t->row[i] = rt_samples_add(&t->samples[i], t->error))) return false;
    return true;
}

/* `found`: the cells of the row; 0 = more. */
static bool ragged(Table *t, int64_t found) {
    rt_cells_here(&t->cells, -1);
    rt_text_addf(t->error, "expected %lld cell%s, as in the first row, found ", (long long)t->width,
                 t->width == 1 ? "" : "s");
    if (found)
        rt_text_addf(t->error, "%lld", (long long)found);
    else
        rt_text_adds(t->error, "more");
    return false;
}

static bool read_row(Table *t) {
    if (!begin_row(t)) return false;
    for (int64_t i = 0; i < t->width; i++) {
        if (!rt_cells_next(&t->cells)) return false;
        Target *target = &t->targets[i];
        if (t->cells.last && i + 1 < t->width) return ragged(t, i + 1);
        if (target->column >= 0 && !store_cell(t, target)) return false;
    }
    t->count++;
    return t->cells.last || ragged(t, 0);
}

static bool read_rows(Table *t) {
    while (rt_cells_row(&t->cells))
        if (!read_row(t)) return false;
    return !t->cells.failed;
}

typedef struct {
    const Target *target;
    const int64_t *place; /* of each name by its number */
    size_t stride;
} Numbering;

static void number_samples(void *user, uint8_t *samples, int64_t count) {
    const Numbering *n = user;
    uint8_t *at = samples + n->target->at;
    for (int64_t row = 0; row < count; row++, at += n->stride)
        rt_store_int(n->target->dtype, n->place[rt_element_int(n->target->dtype, at)], at);
}

/* Names get the numbers of their order, so that these don't depend on that of the rows. */
static bool number_names(Table *t) {
    bool good = true;
    for (int64_t i = 0; good && i < t->width; i++) {
        Target *target = &t->targets[i];
        if (!target->has_names) continue;
        rt_samples *samples = &t->samples[target->column];
        int64_t *place = rt_names_sorted(&target->names);
        good = rt_samples_edit(samples, number_samples, &(Numbering){target, place, samples->sample_bytes},
                               t->error);
        free(place);
    }
    return good;
}

/* --- opening */
static bool check_separator(Table *t) {
    const char *separator = t->text[RT_CSV_SEPARATOR];
    if (*separator && !separator[1] && !strchr("\"\r\n+-._", *separator) && (uint8_t)*separator < 128 &&
        !(*separator >= '0' && *separator <= '9') && !((*separator | 32) >= 'a' && (*separator | 32) <= 'z'))
        return true;
    rt_text_adds(t->error, "the separator of a table is one character that no number has, not ");
    rt_text_quotes(t->error, separator);
    return false;
}

static void open_table(Table *t) {
    t->samples = rt_allocate((size_t)t->columns * sizeof *t->samples);
    t->row = rt_allocate((size_t)t->columns * sizeof *t->row);
    for (int32_t i = 0; i < t->columns; i++) {
        size_t bytes;
        rt_sample_bytes(&t->column[i], t->column[i].dtype, &bytes);
        t->samples[i] = rt_samples_new(t->text[RT_CSV_PATH], bytes);
    }
}

static void close_table(Table *t) {
    for (int64_t i = 0; i < t->width && t->targets; i++) rt_names_free(&t->targets[i].names);
    for (int32_t i = 0; i < t->columns; i++) rt_samples_free(&t->samples[i]);
    rt_names_free(&t->names);
    rt_cells_close(&t->cells);
    free(t->targets);
    free(t->samples);
    free(t->row);
}

static bool take_columns(Table *t, rt_column *out) {
    for (int32_t i = 0; i < t->columns; i++) {
        if (rt_samples_column(&t->samples[i], t->column[i].dtype, &out[i], t->error)) continue;
        while (i-- > 0) rt_column_free(&out[i]);
        return false;
    }
    return true;
}

bool rt_csv_read(const char *const *text, int32_t columns, const nn_tensor *column, rt_column *out,
                 int64_t *count, rt_text *error) {
    Table t = {.text = text, .columns = columns, .column = column, .error = error, .cells = {.file = -1}};
    t.header = strcmp(text[RT_CSV_HEADER], "true") == 0;
    open_table(&t);
    bool good =
        check_separator(&t) && rt_cells_open(&t.cells, text[RT_CSV_PATH], *text[RT_CSV_SEPARATOR], error) &&
        read_first_row(&t) && plan_columns(&t) && read_rows(&t) && number_names(&t) && take_columns(&t, out);
    *count = t.count;
    close_table(&t);
    return good;
}

static void open_csv(const nn_reader *reader, const rt_opening *o) {
    (void)reader;
    rt_text error = {0};
    if (o->paths != RT_CSV_TEXTS) rt_failf(o->rt, o->loc, "the format `csv` has %d settings", RT_CSV_TEXTS);
    if (!rt_csv_read(o->path, o->data->column_count, o->column, o->data->columns, &o->data->count, &error))
        rt_cannot_open(o, &error, NULL);
}

const nn_reader nn_reader_csv = {.name = "csv", .open = open_csv};
