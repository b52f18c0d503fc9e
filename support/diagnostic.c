/* Collects diagnostics and renders them once, sorted by place: see diagnostic.h. The renderings are in
 * render_text.c and render_json.c. */
#include "support/diagnostic.h"
#include "support/render.h"
#include <stdlib.h>

typedef struct {
    const char *code, *format;
    Severity severity;
} Row;

static const Row rows[D_COUNT] = {
#define DIAGNOSTIC(id, code, severity, format) [D_##id] = {code, format, SEVERITY_##severity},
#include "support/diagnostics.def"
#undef DIAGNOSTIC
};

struct Diagnostics {
    Arena *arena;
    Sources *sources;
    VEC(Diagnostic *) all;
    unsigned errors;
};

const char *diagnostic_code(DiagnosticId id) { return rows[id].code; }

Diagnostics *diagnostics_new(Arena *arena, Sources *sources) {
    Diagnostics *diags = ARENA_NEW(arena, Diagnostics);
    diags->arena = arena;
    diags->sources = sources;
    return diags;
}

Diagnostic *diag_report(Diagnostics *diags, DiagnosticId id, Span span, ...) {
    Diagnostic *d = ARENA_NEW(diags->arena, Diagnostic);
    va_list args;
    va_start(args, span);
    d->title = arena_vprintf(diags->arena, rows[id].format, args);
    va_end(args);
    d->arena = diags->arena;
    d->id = id;
    d->severity = rows[id].severity;
    d->order = diags->all.count;
    d->primary = (Label){span, NULL};
    if (d->severity == SEVERITY_ERROR) diags->errors++;
    vec_push(diags->arena, &diags->all, d);
    return d;
}

uint32_t diagnostics_count(const Diagnostics *diags) { return diags->all.count; }

enum { MAX_CALLS = 8 };

void diagnostics_called(Diagnostics *diags, uint32_t since, Span call, const char *label,
                        bool (*hidden)(const void *user, uint32_t source), const void *user) {
    for (uint32_t i = since; i < diags->all.count; i++) {
        Diagnostic *d = diags->all.at[i];
        Label inside = d->primary;
        bool moves = !inside.span.source || hidden(user, inside.span.source);
        if (moves) d->primary = (Label){call, NULL};
        if (!moves && d->labels.count >= MAX_CALLS) /* of a long chain of calls the first ones and the last */
            d->labels.at[d->labels.count - 1] = (Label){call, "called here, after other calls"};
        else if (inside.span.source)
            diag_label(d, moves ? inside.span : call, "%s",
                       !moves        ? label
                       : inside.text ? inside.text
                                     : "here");
    }
}

#define FORMATTED(d, format, text)                              \
    va_list args;                                               \
    va_start(args, format);                                     \
    const char *text = arena_vprintf((d)->arena, format, args); \
    va_end(args)

void diag_here(Diagnostic *d, const char *format, ...) {
    FORMATTED(d, format, text);
    d->primary.text = text;
}

void diag_label(Diagnostic *d, Span span, const char *format, ...) {
    FORMATTED(d, format, text);
    vec_push(d->arena, &d->labels, ((Label){span, text}));
}

void diag_note(Diagnostic *d, const char *format, ...) {
    FORMATTED(d, format, text);
    vec_push(d->arena, &d->notes, text);
}

void diag_help(Diagnostic *d, const char *format, ...) {
    FORMATTED(d, format, text);
    vec_push(d->arena, &d->helps, text);
}

Span diagnostics_span(const Diagnostics *diags, Loc loc) { return sources_span(diags->sources, loc); }

unsigned diagnostics_errors(const Diagnostics *diags) { return diags->errors; }

static int compare_numbers(uint32_t a, uint32_t b) { return (a > b) - (a < b); }

/* By source, place, row; what is equal in these keeps the order in which it was reported. */
static int compare(const void *left, const void *right) {
    const Diagnostic *a = *(Diagnostic *const *)left, *b = *(Diagnostic *const *)right;
    Span x = a->primary.span, y = b->primary.span;
    int order = compare_numbers(x.source, y.source);
    if (!order) order = compare_numbers(x.start, y.start);
    if (!order) order = compare_numbers(x.end, y.end);
    if (!order) order = compare_numbers(a->id, b->id);
    return order ? order : compare_numbers(a->order, b->order);
}

static bool repeats(const Diagnostic *a, const Diagnostic *b) {
    Span x = a->primary.span, y = b->primary.span;
    return a->id == b->id && x.source && x.source == y.source && x.start == y.start && x.end == y.end;
}

static void render_one(const Diagnostics *diags, const Diagnostic *d, RenderStyle style, bool color,
                       FILE *out) {
    switch (style) {
    case RENDER_TEXT: render_text(out, diags->sources, d, color); break;
    case RENDER_SHORT: render_short(out, diags->sources, d); break;
    case RENDER_JSON: render_json(out, diags->sources, d); break;
    }
}

static void render_count(FILE *out, unsigned count, const char *what) {
    if (count) fprintf(out, "%u %s%s", count, what, count == 1 ? "" : "s");
}

static void render_summary(FILE *out, unsigned errors, unsigned warnings) {
    if (errors + warnings < 2) return;
    render_count(out, errors, "error");
    if (errors && warnings) fputs(", ", out);
    render_count(out, warnings, "warning");
    fputc('\n', out);
}

void diagnostics_render(const Diagnostics *diags, RenderStyle style, bool color, FILE *out) {
    uint32_t count = diags->all.count;
    if (!count) return;
    Diagnostic **sorted = arena_copy(diags->arena, diags->all.at, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    unsigned shown[2] = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (i && repeats(sorted[i - 1], sorted[i])) continue;
        shown[sorted[i]->severity]++;
        render_one(diags, sorted[i], style, color, out);
    }
    if (style == RENDER_TEXT) render_summary(out, shown[SEVERITY_ERROR], shown[SEVERITY_WARNING]);
}
