/* Cutting a text table into cells, in place in a buffer. */
#include "rt_csv_cells.h"
#include "rt.h"
#include "rt_file.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PART_BYTES = 1 << 20, ROW_BYTES = 64 << 20, END = -1 };

static void allocate(rt_cells *cells, size_t capacity) {
    cells->buffer = rt_resize(cells->buffer, capacity + 1);
    cells->capacity = capacity;
}

void rt_cells_here(const rt_cells *cells, int64_t column) {
    if (cells->path) {
        rt_text_quotes(cells->error, cells->path);
        rt_text_addf(cells->error, ", line %lld", (long long)cells->line);
        if (column >= 0) rt_text_addf(cells->error, ", column %lld", (long long)column + 1);
    } else {
        rt_text_adds(cells->error, "the list of columns");
    }
    rt_text_adds(cells->error, ": ");
}

static bool complain(rt_cells *cells, const char *message) {
    rt_cells_here(cells, cells->column);
    rt_text_adds(cells->error, message);
    cells->failed = true;
    return false;
}

/* --- bytes */
static int64_t place(const rt_cells *cells, size_t at) {
    return cells->read - (int64_t)cells->filled + (int64_t)at;
}

/* Reads on behind what is held of the current cell. False at the end and after an error. */
static bool refill(rt_cells *cells) {
    if (cells->failed || cells->read == cells->size) return false;
    if (place(cells, cells->filled) - cells->row_start >= ROW_BYTES)
        return complain(cells, "the row is longer than 64 MiB: is a quote not closed, or is it no table?");
    memmove(cells->buffer, cells->buffer + cells->begin, cells->filled - cells->begin);
    cells->filled -= cells->begin;
    cells->at -= cells->begin;
    cells->begin = 0;
    if (cells->filled == cells->capacity) allocate(cells, 2 * cells->capacity);
    size_t part = cells->capacity - cells->filled;
    if ((int64_t)part > cells->size - cells->read) part = (size_t)(cells->size - cells->read);
    if (!rt_file_read(cells->file, cells->path, cells->buffer + cells->filled, part, cells->read,
                      cells->error)) {
        cells->failed = true;
        return false;
    }
    cells->filled += part;
    cells->read += (int64_t)part;
    return true;
}

static int peek(rt_cells *cells) {
    return cells->at < cells->filled || refill(cells) ? cells->buffer[cells->at] : END;
}

/* --- opening */
static bool begins(const rt_cells *cells, const char *bytes, size_t count) {
    return cells->filled >= count && memcmp(cells->buffer, bytes, count) == 0;
}

/* What a file that is no text in UTF-8 may be instead; NULL where nothing says so. */
static const char *other_format(const rt_cells *cells) {
    if (begins(cells, "\xff\xfe", 2) || begins(cells, "\xfe\xff", 2))
        return " is text in UTF-16: save it as UTF-8";
    if (begins(cells, "\x1f\x8b", 2))
        return " is gzip data: unpack it first, or give `/dev/stdin` and what `zcat` writes";
    if (begins(cells, "PK\3\4", 4)) return " is a zip archive or a spreadsheet: save the table as CSV";
    return NULL;
}

void rt_cells_rewind(rt_cells *cells) {
    cells->read = cells->row_start = 0;
    cells->filled = cells->at = cells->begin = 0;
    cells->next_line = 1;
    peek(cells);
    if (begins(cells, "\xef\xbb\xbf", 3)) cells->at = cells->begin = 3; /* the byte order mark */
}

bool rt_cells_open(rt_cells *cells, const char *path, char separator, rt_text *error) {
    *cells = (rt_cells){.path = path, .separator = separator, .error = error};
    cells->file = rt_stream_open(path, &cells->size, error);
    if (cells->file < 0) return false;
    allocate(cells, cells->size < PART_BYTES ? (size_t)cells->size : PART_BYTES);
    rt_cells_rewind(cells);
    const char *other = other_format(cells);
    if (!other) return !cells->failed;
    rt_text_quotes(error, path);
    rt_text_adds(error, other);
    return false;
}

void rt_cells_text(rt_cells *cells, const char *text, rt_text *error) {
    *cells = (rt_cells){.file = -1, .separator = ',', .next_line = 1, .error = error};
    size_t length = strlen(text);
    allocate(cells, length);
    memcpy(cells->buffer, text, length);
    cells->filled = length;
    cells->size = cells->read = (int64_t)length;
}

void rt_cells_close(rt_cells *cells) {
    if (cells->file >= 0) close(cells->file);
    free(cells->buffer);
}

/* --- cells */
static bool is_blank(const rt_cells *cells, int c) {
    return (c == ' ' || c == '\t') && c != cells->separator;
}

static void skip_blanks(rt_cells *cells) {
    while (is_blank(cells, peek(cells))) cells->at++;
}

/* At the end of a line: after an optional CR. */
static bool at_line_end(rt_cells *cells) {
    int c = peek(cells);
    if (c != '\r') return c == '\n' || c == END;
    cells->at++;
    if (peek(cells) == '\n') return true;
    cells->at--;
    return false;
}

bool rt_cells_row(rt_cells *cells) {
    for (;;) {
        cells->begin = cells->at;
        cells->line = cells->next_line;
        cells->row_start = place(cells, cells->at);
        cells->column = -1;
        cells->last = false;
        if (peek(cells) == END) return false;
        if (!at_line_end(cells)) return true;
        if (peek(cells) == '\n') cells->at++;
        cells->next_line++;
    }
}

/* After a cell: its separator, or the end of its row. */
static bool end_cell(rt_cells *cells) {
    if (peek(cells) == (uint8_t)cells->separator) {
        cells->at++;
        return true;
    }
    if (cells->failed || !at_line_end(cells)) return false;
    cells->last = true;
    if (peek(cells) == '\n') {
        cells->at++;
        cells->next_line++;
    }
    return !cells->failed;
}

static bool take(rt_cells *cells, size_t begin, size_t end) {
    cells->text = (char *)cells->buffer + begin;
    cells->length = end - begin;
    cells->text[cells->length] = '\0'; /* over what ended the cell, or behind the buffer */
    return true;
}

static bool plain_cell(rt_cells *cells) {
    uint8_t separator = (uint8_t)cells->separator;
    do {
        const uint8_t *c = cells->buffer + cells->at, *end = cells->buffer + cells->filled;
        while (c < end && *c != separator && *c != '\n' && *c) c++;
        cells->at = (size_t)(c - cells->buffer);
    } while (cells->at == cells->filled && refill(cells));
    if (peek(cells) == 0) return complain(cells, "a NUL byte: this is no text in UTF-8");
    size_t end = cells->at; /* what ends the cell is in the buffer: this place stays */
    if (!end_cell(cells)) return false;
    if (cells->last && end > cells->begin && cells->buffer[end - 1] == '\r') end--;
    while (end > cells->begin && is_blank(cells, cells->buffer[end - 1])) end--;
    return take(cells, cells->begin, end);
}

/* Moves the text between the quotes together, each doubled quote becoming one. */
static bool quoted_cell(rt_cells *cells) {
    size_t length = 0;
    for (cells->at++;; cells->at++) {
        int c = peek(cells);
        if (cells->failed) return false;
        if (c == END) return complain(cells, "the quote that begins this cell is not closed");
        if (c == 0) return complain(cells, "a NUL byte: this is no text in UTF-8");
        if (c == '\n') cells->next_line++;
        if (c == '"') {
            cells->at++;
            if (peek(cells) != '"') break;
        }
        cells->buffer[cells->begin + length++] = cells->buffer[cells->at];
    }
    skip_blanks(cells);
    int c = peek(cells);
    if (!end_cell(cells)) {
        if (cells->failed) return false;
        rt_cells_here(cells, cells->column);
        rt_text_adds(cells->error,
                     "after the closing quote a separator or the end of the row is expected, found ");
        char byte = (char)c;
        rt_text_quote(cells->error, &byte, 1);
        cells->failed = true;
        return false;
    }
    return take(cells, cells->begin, cells->begin + length);
}

bool rt_cells_next(rt_cells *cells) {
    if (cells->failed) return false;
    cells->begin = cells->at;
    cells->line = cells->next_line;
    cells->column++;
    skip_blanks(cells);
    cells->begin = cells->at;
    return peek(cells) == '"' ? quoted_cell(cells) : plain_cell(cells);
}
