/* Tables as text: RFC 4180 (cells between separators, quoted where they hold one; LF or CRLF ends a row),
 * with or without a first row of names. */
#ifndef RT_CSV_H
#define RT_CSV_H

#include "rt_column.h"

/* What a table is opened with, all texts: its path; the columns that are read, in order, as a row of names or
 * numbers (empty: all); the column that goes last (empty: none); the separator; whether there is a row of
 * names, `true` or `false`; what is read where a cell is missing (empty: that is an error). */
enum {
    RT_CSV_PATH,
    RT_CSV_COLUMNS,
    RT_CSV_LABEL,
    RT_CSV_SEPARATOR,
    RT_CSV_HEADER,
    RT_CSV_MISSING,
    RT_CSV_TEXTS
};

/* Reads the whole table into memory, as columns of the declared types: each takes as many of the table's as
 * it has elements. False: the error begins with the file's name. */
bool rt_csv_read(const char *const *text, int32_t columns, const nn_tensor *column, rt_column *out,
                 int64_t *count, rt_text *error);

#endif
