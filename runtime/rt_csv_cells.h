/* The cells of a text table, one after the other. The file is read piece by piece; a row's length is bounded.
 */
#ifndef RT_CSV_CELLS_H
#define RT_CSV_CELLS_H

#include "rt_text.h"

typedef struct {
    /* The cell that was read last. */
    char *text; /* NUL-terminated, without quotes and the blanks around; until the next one is read */
    size_t length;
    int64_t line;   /* from 1, where the cell begins */
    int64_t column; /* from 0 */
    bool last;      /* of its row */
    /* The rest is the reader's own. */
    int file; /* -1: a text in memory */
    const char *path;
    int64_t size, read; /* bytes of the file, and how many of them were read */
    uint8_t *buffer;    /* a byte longer than its capacity */
    size_t capacity, filled, at;
    size_t begin;      /* of what must stay in the buffer: the current cell */
    int64_t row_start; /* place in the file */
    int64_t next_line;
    char separator;
    bool failed;
    rt_text *error;
} rt_cells;

/* False after an error, which begins with the file's name. */
bool rt_cells_open(rt_cells *cells, const char *path, char separator, rt_text *error);
/* The cells of a text, between commas. */
void rt_cells_text(rt_cells *cells, const char *text, rt_text *error);
void rt_cells_close(rt_cells *cells);
void rt_cells_rewind(rt_cells *cells); /* of a file: to its first row */

/* Goes to the next row, past empty lines. False at the end, and where the file can't be read. */
bool rt_cells_row(rt_cells *cells);
/* Reads the next cell of the row. False after an error. */
bool rt_cells_next(rt_cells *cells);

/* Begins a message: "`x.csv`, line 3, column 2: ". */
void rt_cells_here(const rt_cells *cells, int64_t column);

#endif
