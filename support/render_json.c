/* Diagnostics as JSON, one object a line:
 * {"code","severity","message","file","line","column","end_line","end_column","labels":[…],"notes":[…],"help":[…]}.
 * Lines and columns count from 1, columns in UTF-8 characters; the end is exclusive. A place that isn't known
 * is null. Each label is {"message","primary","file","line","column","end_line","end_column"}. */
#include "support/render.h"
#include "support/utf8.h"
#include <string.h>

/* A JSON string; bytes that aren't UTF-8 become U+FFFD. */
static void put_string(FILE *out, const char *text) {
    size_t length = strlen(text);
    fputc('"', out);
    for (size_t i = 0; i < length;) {
        uint32_t c = 0;
        size_t bytes = utf8_decode(text + i, length - i, &c);
        if (!bytes)
            fputs("\\ufffd", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (char)c);
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            fprintf(out, "\\u%04x", (unsigned)c);
        else
            fwrite(text + i, 1, bytes, out);
        i += bytes ? bytes : 1;
    }
    fputc('"', out);
}

static void put_place(FILE *out, const Sources *sources, Span span) {
    Loc start = sources_loc(sources, span);
    Loc end = sources_loc(sources, (Span){span.source, span.end, span.end});
    if (!start.file) {
        fputs("\"file\":null,\"line\":null,\"column\":null,\"end_line\":null,\"end_column\":null", out);
        return;
    }
    fputs("\"file\":", out);
    put_string(out, start.file);
    fprintf(out, ",\"line\":%u,\"column\":%u,\"end_line\":%u,\"end_column\":%u", start.line, start.column,
            end.line, end.column);
}

static void put_label(FILE *out, const Sources *sources, Label label, bool primary) {
    fputs("{\"message\":", out);
    put_string(out, label.text);
    fprintf(out, ",\"primary\":%s,", primary ? "true" : "false");
    put_place(out, sources, label.span);
    fputc('}', out);
}

static void put_labels(FILE *out, const Sources *sources, const Diagnostic *d) {
    bool any = d->primary.text != NULL;
    if (any) put_label(out, sources, d->primary, true);
    for (uint32_t i = 0; i < d->labels.count; i++) {
        if (any) fputc(',', out);
        put_label(out, sources, d->labels.at[i], false);
        any = true;
    }
}

static void put_texts(FILE *out, const char *const *texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (i) fputc(',', out);
        put_string(out, texts[i]);
    }
}

void render_json(FILE *out, const Sources *sources, const Diagnostic *d) {
    fputs("{\"code\":", out);
    put_string(out, diagnostic_code(d->id));
    fprintf(out, ",\"severity\":\"%s\",\"message\":", d->severity == SEVERITY_ERROR ? "error" : "warning");
    put_string(out, d->title);
    fputc(',', out);
    put_place(out, sources, d->primary.span);
    fputs(",\"labels\":[", out);
    put_labels(out, sources, d);
    fputs("],\"notes\":[", out);
    put_texts(out, d->notes.at, d->notes.count);
    fputs("],\"help\":[", out);
    put_texts(out, d->helps.at, d->helps.count);
    fputs("]}\n", out);
}
