/* One source from text to tree: the text is checked, then goes through lexer, layout and parser. */
#include "frontend/syntax.h"
#include "parser.h"
#include "support/utf8.h"
#include <string.h>

enum { LARGEST_SOURCE = 16 << 20 };

/* A program is text: UTF-8 without zero bytes. */
static bool check_text(const FrontendOptions *options, uint32_t number, const Source *source) {
    if (source->length > LARGEST_SOURCE) {
        diag_report(options->diags, D_SOURCE_TOO_LARGE, (Span){number, 0, 0}, source->path);
        return false;
    }
    uint32_t character = 0;
    for (uint32_t i = 0, bytes; i < source->length; i += bytes) {
        bytes = source->text[i] ? (uint32_t)utf8_decode(source->text + i, source->length - i, &character) : 0;
        if (bytes) continue;
        Diagnostic *d = diag_report(options->diags, D_NOT_TEXT, (Span){number, i, i + 1}, source->path);
        diag_here(d, source->text[i] ? "not UTF-8" : "a zero byte");
        diag_help(d, "save it as UTF-8 text");
        return false;
    }
    return true;
}

/* The # lines at the start, without the #. A ## line belongs to what is below it. */
static const char *file_doc(Arena *arena, const Source *source) {
    const char *at = source->text, *end = at + source->length;
    VEC(char) doc = {0};
    if (end - at >= 3 && !memcmp(at, "\xef\xbb\xbf", 3)) at += 3;
    for (bool first = true; end - at >= 1 && at[0] == '#' && at[1] != '#'; first = false) {
        at++;
        if (at < end && *at == ' ') at++;
        if (!first) vec_push(arena, &doc, '\n');
        for (; at < end && *at != '\n'; at++)
            if (*at != '\r') vec_push(arena, &doc, *at);
        if (at < end) at++;
    }
    return doc.count ? arena_strndup(arena, doc.at, doc.count) : NULL;
}

static uint32_t first_unclosed_block(const Tokens *tokens) {
    for (uint32_t i = 0; i < tokens->count; i++)
        if (tokens->at[i].kind == T_LBRACE && tokens->at[i].reported) return i;
    return NO_TOKEN;
}

AstFile *frontend_parse(const FrontendOptions *options, uint32_t number) {
    const Source *source = sources_get(options->sources, number);
    Arena *arena = ir_arena(options->ir);
    unsigned errors = diagnostics_errors(options->diags);
    Tokens raw = {0}, tokens = {0};
    if (!source || !check_text(options, number, source)) return NULL;
    if (!lexer_run(options, number, &raw) || !layout_run(options, number, &raw, &tokens)) return NULL;
    Parser parser = {.options = options,
                     .arena = arena,
                     .source = number,
                     .tokens = &tokens,
                     .doubtful_from = first_unclosed_block(&tokens),
                     .errors_before = errors};
    nn_parse(&parser);
    syntax_finish(&parser);
    AstFile *file = ARENA_NEW(arena, AstFile);
    *file = (AstFile){number, file_doc(arena, source), parser.decls};
    return file;
}
