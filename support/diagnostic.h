/* The only way to complain. A diagnostic is a value: a row of diagnostics.def, a primary span, labels, notes
 * and a help line. They are collected, sorted and rendered once, as text, short lines or JSON.
 *
 *     Diagnostic *d = diag_report(diags, D_DIM_MISMATCH, span, "B", "T");
 *     diag_label(d, other, "`%s` was bound here", name);
 *     diag_help(d, "transpose the second operand: `%s.T`", text);
 */
#ifndef SUPPORT_DIAGNOSTIC_H
#define SUPPORT_DIAGNOSTIC_H

#include "support/arena.h"
#include "support/source.h"
#include <stdbool.h>
#include <stdio.h>

typedef enum {
#define DIAGNOSTIC(id, code, severity, format) D_##id,
#include "support/diagnostics.def"
#undef DIAGNOSTIC
    D_COUNT
} DiagnosticId;

typedef enum { SEVERITY_ERROR, SEVERITY_WARNING } Severity;
typedef enum { RENDER_TEXT, RENDER_SHORT, RENDER_JSON } RenderStyle;

typedef struct Diagnostic Diagnostic;
typedef struct Diagnostics Diagnostics;

Diagnostics *diagnostics_new(Arena *arena, Sources *sources);

/* Adds a diagnostic whose title is row `id`'s format filled with the arguments. The primary span's caret line
 * carries the label given by `diag_here`, if any. Never NULL. An exact repetition (same row, same span) is
 * dropped when rendering. */
Diagnostic *diag_report(Diagnostics *diags, DiagnosticId id, Span span, ...);
void diag_here(Diagnostic *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_label(Diagnostic *d, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diagnostic *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_help(Diagnostic *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Everything reported after the first `since` happened in what `call` called or made, as `label` says: that
 * is where the user looks. Where `hidden` says of a source that it isn't the user's, the call becomes the
 * place. */
void diagnostics_called(Diagnostics *diags, uint32_t since, Span call, const char *label,
                        bool (*hidden)(const void *user, uint32_t source), const void *user);
uint32_t diagnostics_count(const Diagnostics *diags); /* number of all so far */

/* The place as a span of the sources given to diagnostics_new. */
Span diagnostics_span(const Diagnostics *diags, Loc loc);

unsigned diagnostics_errors(const Diagnostics *diags); /* number of errors so far */

/* Renders all, sorted by source and place. `color` adds ANSI colours to RENDER_TEXT. RENDER_TEXT ends with a
 * summary ("2 errors, 1 warning") where there are several. Nothing in a source, a name or a path reaches
 * `out` raw that could command a terminal. */
void diagnostics_render(const Diagnostics *diags, RenderStyle style, bool color, FILE *out);

/* Row `id`'s code ("E0201"), for tables and tests. */
const char *diagnostic_code(DiagnosticId id);

/* The candidate nearest to `name` by edit distance, or else the only one that begins with it; NULL where none
 * is near enough to suggest. */
const char *suggest(const char *name, const char *const *candidates, size_t count);

#endif
