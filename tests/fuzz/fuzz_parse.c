/* libFuzzer target: no text crashes the parser, makes it slow, or yields a tree that can't be printed. A text
 * that is refused has a message. Build: clang-19 -g -O1 -fsanitize=fuzzer,address,undefined
 * -fno-sanitize-recover=all, with frontend/ (parser half), support/ and ir/'s context. */
#include "frontend/frontend.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *sink(void) {
    FILE *out = fopen("/dev/null", "w");
    if (!out) abort();
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_new();
    Sources *sources = sources_new(arena);
    Diagnostics *diags = diagnostics_new(arena, sources);
    FrontendOptions options = {
        .ir = ir_context_new(arena, strings_new(arena)), .sources = sources, .diags = diags};
    char *text = arena_strndup(arena, (const char *)data, size);
    AstFile *file = frontend_parse(&options, sources_add(sources, "fuzz.nn", text, (uint32_t)size));
    FILE *out = sink();
    if (file && !diagnostics_errors(diags)) ast_print(out, file);
    if (!file && !diagnostics_errors(diags)) abort();
    for (int style = 0; style < 3; style++) diagnostics_render(diags, (RenderStyle)style, style == 0, out);
    fclose(out);
    arena_free(arena);
    return 0;
}
