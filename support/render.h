/* What the renderings of diagnostics share; private to support/. */
#ifndef SUPPORT_RENDER_H
#define SUPPORT_RENDER_H

#include "support/diagnostic.h"
#include "support/vec.h"

typedef struct {
    Span span;
    const char *text; /* NULL = underline only */
} Label;

struct Diagnostic {
    Arena *arena;
    DiagnosticId id;
    Severity severity;
    uint32_t order; /* number of those reported before */
    const char *title;
    Label primary;
    VEC(Label) labels;
    VEC(const char *) notes;
    VEC(const char *) helps;
};

/* One character as a terminal shows it. */
typedef struct {
    char text[12];  /* what to print */
    uint8_t length; /* bytes of `text` */
    uint8_t width;  /* columns: 0 for combining marks, 2 for wide characters */
    uint8_t bytes;  /* bytes of input, at least 1 */
} Glyph;

/* The character at the start of `length` > 0 bytes. Control characters, characters that reorder text and
 * bytes that aren't UTF-8 come out as escapes such as \x1b or \u{202e}, so nothing in a file or a name
 * commands the terminal. A tab is an escape too: lines replace tabs before. */
Glyph display_glyph(const char *text, size_t length);

void render_text(FILE *out, const Sources *sources, const Diagnostic *d, bool color);
void render_short(FILE *out, const Sources *sources, const Diagnostic *d);
void render_json(FILE *out, const Sources *sources, const Diagnostic *d);

#endif
