/* Diagnostics for people:
 *
 *     error[E0301]: title
 *      --> file.nn:3:13
 *       |
 *     3 |     let c = a @ b
 *       |             - ^ - label of the second operand
 *       |             | |
 *       |             | label of the operator
 *       |             label of the first
 *       |
 *       = help: …
 *
 * Each line that has a label is shown once. Labels that don't overlap share a row of underlines. A span of
 * several lines is underlined on its first. Long lines are cut to a window around the underlines. */
#include "support/render.h"
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 120,       /* most columns of a source line that are shown */
    BEFORE = 60,        /* of those, at most so many before the first underline of a cut line */
    LONGEST_TEXT = 600, /* columns of a title or note after which it is cut: names can be of any length */
    TAB = 4
};

/* A label as placed in its line. */
typedef struct {
    uint32_t source, line; /* line from 1 */
    uint32_t start, end;   /* bytes, clipped to the line */
    uint32_t line_start, line_end;
    unsigned column, width; /* in the window; width is at least 1 */
    const char *text;
    bool primary;
    bool done;
} Mark;

typedef struct {
    FILE *out;
    const Sources *sources;
    bool color;
    int gutter; /* digits of the largest line number */
} Renderer;

static const char *const RED = "\x1b[1;31m", *const YELLOW = "\x1b[1;33m", *const BLUE = "\x1b[1;34m",
                         *const BOLD = "\x1b[1m", *const RESET = "\x1b[0m";

static void paint(const Renderer *r, const char *color) {
    if (r->color) fputs(color, r->out);
}

/* Text of ours or of the user, safe for the terminal. A newline starts a line indented by `indent`, or is
 * escaped where that is negative. */
static void put_text(FILE *out, const char *text, int indent) {
    size_t length = strlen(text);
    unsigned width = 0;
    for (size_t i = 0; i < length;) {
        Glyph glyph = display_glyph(text + i, length - i);
        if (width + glyph.width > LONGEST_TEXT) {
            fputs("...", out);
            return;
        }
        if (text[i] == '\n' && indent >= 0)
            fprintf(out, "\n%*s", indent, "");
        else
            fwrite(glyph.text, 1, glyph.length, out);
        width += glyph.width;
        i += glyph.bytes;
    }
}

static void put_bar(const Renderer *r, const char *bar) {
    paint(r, BLUE);
    fprintf(r->out, "%*s %s", r->gutter, "", bar);
    paint(r, RESET);
}

/* --- placing labels */

static Mark place(const Sources *sources, Label label, bool primary) {
    Span span = label.span;
    const Source *source = sources_get(sources, span.source);
    uint32_t start = span.start < source->length ? span.start : source->length;
    uint32_t first = start, last = start;
    while (first > 0 && source->text[first - 1] != '\n') first--;
    while (last < source->length && source->text[last] != '\n') last++;
    uint32_t end = span.end < last ? span.end : last;
    if (end < start) end = start;
    if (last > first && last > end && source->text[last - 1] == '\r') last--;
    return (Mark){.source = span.source,
                  .line = sources_loc(sources, span).line,
                  .start = start,
                  .end = end,
                  .line_start = first,
                  .line_end = last,
                  .text = label.text,
                  .primary = primary};
}

/* The file of the primary label comes first, then files in the order of their numbers; lines and columns
 * ascend. */
static int compare_marks(const void *left, const void *right) {
    const Mark *a = left, *b = right;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    if (a->line != b->line) return a->line < b->line ? -1 : 1;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static uint32_t place_all(const Sources *sources, const Diagnostic *d, Mark *marks) {
    uint32_t count = 0;
    if (sources_get(sources, d->primary.span.source)) marks[count++] = place(sources, d->primary, true);
    for (uint32_t i = 0; i < d->labels.count; i++)
        if (sources_get(sources, d->labels.at[i].span.source))
            marks[count++] = place(sources, d->labels.at[i], false);
    qsort(marks, count, sizeof *marks, compare_marks);
    return count;
}

/* --- one source line */

/* The part of a line that is shown: bytes [start, end). */
typedef struct {
    const char *text;
    uint32_t start, end;
    bool cut_start, cut_end;
} Window;

static Glyph line_glyph(const Window *window, uint32_t at, unsigned column) {
    if (window->text[at] != '\t') return display_glyph(window->text + at, window->end - at);
    Glyph glyph = {.bytes = 1};
    glyph.length = glyph.width = (uint8_t)(TAB - column % TAB);
    memset(glyph.text, ' ', glyph.length);
    return glyph;
}

static unsigned columns_between(const Window *window, uint32_t from, uint32_t to, unsigned column) {
    unsigned first = column;
    for (uint32_t at = from; at < to;) {
        Glyph glyph = line_glyph(window, at, column);
        column += glyph.width;
        at += glyph.bytes;
    }
    return column - first;
}

static bool starts_character(const char *text, uint32_t at) {
    return ((unsigned char)text[at] & 0xc0) != 0x80;
}

/* The whole line, or a part around byte `focus` where it is too long. Never looks at more than the window. */
static Window window_of(const Source *source, uint32_t line_start, uint32_t line_end, uint32_t focus) {
    Window window = {source->text, line_start, line_end, false, false};
    if (line_end - line_start > WINDOW) {
        if (focus - line_start > BEFORE) {
            window.start = focus - BEFORE;
            for (int i = 0; i < 3 && window.start < focus && !starts_character(source->text, window.start);
                 i++)
                window.start++;
            window.cut_start = true;
        }
        unsigned column = 0;
        uint32_t at = window.start;
        while (at < line_end) {
            Glyph glyph = line_glyph(&window, at, column);
            if (column + glyph.width > WINDOW) break;
            column += glyph.width;
            at += glyph.bytes;
        }
        window.cut_end = at < line_end;
        window.end = at;
    }
    return window;
}

static void put_line(const Renderer *r, const Window *window, uint32_t number) {
    paint(r, BLUE);
    fprintf(r->out, "%*u |", r->gutter, number);
    paint(r, RESET);
    if (window->end > window->start || window->cut_start) fputc(' ', r->out);
    if (window->cut_start) fputs("...", r->out);
    unsigned column = 0;
    for (uint32_t at = window->start; at < window->end;) {
        Glyph glyph = line_glyph(window, at, column);
        fwrite(glyph.text, 1, glyph.length, r->out);
        column += glyph.width;
        at += glyph.bytes;
    }
    if (window->cut_end) fputs("...", r->out);
    fputc('\n', r->out);
}

static void place_in_window(const Window *window, Mark *mark) {
    uint32_t start = mark->start < window->start ? window->start : mark->start;
    uint32_t end = mark->end < window->end ? mark->end : window->end;
    if (start > window->end) start = window->end;
    if (end < start) end = start;
    unsigned column = columns_between(window, window->start, start, 0);
    mark->width = columns_between(window, start, end, column);
    if (!mark->width) mark->width = 1;
    mark->column = column + (window->cut_start ? 3 : 0);
}

/* --- underlines */

/* Moves from column `*at` to `column`. */
static void put_spaces(FILE *out, unsigned *at, unsigned column) {
    if (column > *at) fprintf(out, "%*s", (int)(column - *at), "");
    if (column > *at) *at = column;
}

static const char *mark_color(const Mark *mark, const char *severity) {
    return mark->primary ? severity : BLUE;
}

static void put_mark(const Renderer *r, const Mark *mark, const char *severity, unsigned *at) {
    put_spaces(r->out, at, mark->column);
    paint(r, mark_color(mark, severity));
    for (unsigned i = 0; i < mark->width; i++) fputc(mark->primary ? '^' : '-', r->out);
    paint(r, RESET);
    *at += mark->width;
}

static void put_label_text(const Renderer *r, const Mark *mark, const char *severity) {
    paint(r, mark_color(mark, severity));
    put_text(r->out, mark->text, -1);
    paint(r, RESET);
    fputc('\n', r->out);
}

/* `|` below each of the first `count` marks of the row that still has text to come; no line end. */
static void put_stems(const Renderer *r, Mark *const *row, uint32_t count, const char *severity,
                      unsigned *at) {
    put_bar(r, "| ");
    for (uint32_t i = 0; i < count; i++) {
        if (!row[i]->text) continue;
        put_spaces(r->out, at, row[i]->column);
        paint(r, mark_color(row[i], severity));
        fputc('|', r->out);
        paint(r, RESET);
        ++*at;
    }
}

/* One row of underlines; the last label stands beside its underline, the others hang below, right to left. */
static void put_row(const Renderer *r, Mark *const *row, uint32_t count, const char *severity) {
    unsigned at = 0;
    put_bar(r, "| ");
    for (uint32_t i = 0; i < count; i++) put_mark(r, row[i], severity, &at);
    if (row[count - 1]->text) {
        fputc(' ', r->out);
        put_label_text(r, row[count - 1], severity);
    } else {
        fputc('\n', r->out);
    }
    bool first = true;
    for (uint32_t i = count - 1; i-- > 0;) {
        if (!row[i]->text) continue;
        if (first) {
            at = 0;
            put_stems(r, row, i + 1, severity, &at);
            fputc('\n', r->out);
            first = false;
        }
        at = 0;
        put_stems(r, row, i, severity, &at);
        put_spaces(r->out, &at, row[i]->column);
        put_label_text(r, row[i], severity);
    }
}

/* All marks of one line, which are sorted: rows of those that don't overlap. */
static void put_marks(const Renderer *r, Mark *marks, uint32_t count, const char *severity, Arena *arena) {
    Mark **row = ARENA_ARRAY(arena, Mark *, count);
    for (uint32_t left = count; left;) {
        uint32_t size = 0;
        unsigned end = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (marks[i].done || (size && marks[i].column < end)) continue;
            marks[i].done = true;
            end = marks[i].column + marks[i].width;
            row[size++] = &marks[i];
        }
        put_row(r, row, size, severity);
        left -= size;
    }
}

/* --- the whole */

static void put_place_line(const Renderer *r, Span span, const char *arrow) {
    Loc loc = sources_loc(r->sources, span);
    paint(r, BLUE);
    fprintf(r->out, "%*s%s ", r->gutter, "", arrow);
    paint(r, RESET);
    put_text(r->out, loc.file, -1);
    fprintf(r->out, ":%u:%u\n", loc.line, loc.column);
}

/* Marks [first, last) are of one line. */
static void put_marked_line(const Renderer *r, Mark *marks, uint32_t count, const char *severity,
                            Arena *arena) {
    const Source *source = sources_get(r->sources, marks->source);
    uint32_t focus = marks->start;
    for (uint32_t i = 0; i < count; i++)
        if (marks[i].primary) focus = marks[i].start;
    Window window = window_of(source, marks->line_start, marks->line_end, focus);
    put_line(r, &window, marks->line);
    for (uint32_t i = 0; i < count; i++) place_in_window(&window, &marks[i]);
    put_marks(r, marks, count, severity, arena);
}

/* All marked lines of one file. */
static void put_file(const Renderer *r, Mark *marks, uint32_t count, const char *severity, Arena *arena) {
    put_bar(r, "|\n");
    for (uint32_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && marks[next].line == marks[first].line;) next++;
        if (first && marks[first].line > marks[first - 1].line + 1) {
            paint(r, BLUE);
            fputs("...\n", r->out);
            paint(r, RESET);
        }
        put_marked_line(r, marks + first, next - first, severity, arena);
    }
}

static void put_files(const Renderer *r, const Diagnostic *d, Mark *marks, uint32_t count,
                      const char *severity) {
    uint32_t main_source = d->primary.span.source;
    for (int pass = 0; pass < 2; pass++) { /* the primary's file, then the others */
        for (uint32_t first = 0, next; first < count; first = next) {
            for (next = first + 1; next < count && marks[next].source == marks[first].source;) next++;
            bool is_main = marks[first].source == main_source;
            if (is_main != (pass == 0)) continue;
            Span place = {marks[first].source, marks[first].start, marks[first].start};
            put_place_line(r, is_main ? d->primary.span : place, is_main ? "-->" : ":::");
            put_file(r, marks + first, next - first, severity, d->arena);
        }
    }
}

static void put_remarks(const Renderer *r, const char *what, const char *const *texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        put_bar(r, "= ");
        paint(r, BOLD);
        fprintf(r->out, "%s: ", what);
        paint(r, RESET);
        put_text(r->out, texts[i], r->gutter + 5 + (int)strlen(what));
        fputc('\n', r->out);
    }
}

static int digits(uint32_t number) {
    int count = 1;
    while (number /= 10) count++;
    return count;
}

static void put_title(const Renderer *r, const Diagnostic *d, const char *severity) {
    paint(r, severity);
    fprintf(r->out, "%s[%s]", d->severity == SEVERITY_ERROR ? "error" : "warning", diagnostic_code(d->id));
    paint(r, RESET);
    paint(r, BOLD);
    fputs(": ", r->out);
    put_text(r->out, d->title, -1);
    paint(r, RESET);
    fputc('\n', r->out);
}

void render_text(FILE *out, const Sources *sources, const Diagnostic *d, bool color) {
    const char *severity = d->severity == SEVERITY_ERROR ? RED : YELLOW;
    Mark *marks = ARENA_ARRAY(d->arena, Mark, d->labels.count + 1);
    uint32_t count = place_all(sources, d, marks), last = 1;
    for (uint32_t i = 0; i < count; i++)
        if (marks[i].line > last) last = marks[i].line;
    Renderer r = {out, sources, color, digits(last)};
    put_title(&r, d, severity);
    put_files(&r, d, marks, count, severity);
    if (count && d->notes.count + d->helps.count) put_bar(&r, "|\n");
    put_remarks(&r, "note", d->notes.at, d->notes.count);
    put_remarks(&r, "help", d->helps.at, d->helps.count);
    fputc('\n', out);
}

void render_short(FILE *out, const Sources *sources, const Diagnostic *d) {
    Loc loc = sources_loc(sources, d->primary.span);
    if (loc.file) {
        put_text(out, loc.file, -1);
        fprintf(out, ":%u:%u: ", loc.line, loc.column);
    }
    fprintf(out, "%s[%s]: ", d->severity == SEVERITY_ERROR ? "error" : "warning", diagnostic_code(d->id));
    put_text(out, d->title, -1);
    fputc('\n', out);
}
