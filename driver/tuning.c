/* Where tune files lie, and how they come about. */
#include "driver/tuning.h"
#include "support/file.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* FILE.tune for FILE.nn and FILE.nnir. */
static const char *path_of(const Options *options, Arena *arena) {
    const char *given = options->value[OPTION_tune_file], *input = options->input;
    if (given) return given;
    const char *slash = strrchr(input, '/'), *dot = strrchr(input, '.');
    size_t stem = dot && dot > input && (!slash || dot > slash + 1) ? (size_t)(dot - input) : strlen(input);
    return arena_printf(arena, "%.*s.tune", (int)stem, input);
}

TuneTable *tuning_read(const Options *options, Sources *sources, Diagnostics *diags, Arena *arena) {
    const char *path = path_of(options, arena), *error;
    bool expected = options->value[OPTION_tune_file] && !options->value[OPTION_tune];
    size_t length;
    if (!expected && !file_exists(path)) return NULL;
    char *text = file_read(arena, path, &length, &error);
    if (!text) {
        diag_report(diags, D_FILE_READ, (Span){0}, path, error);
        return NULL;
    }
    return tune_read(sources, sources_add(sources, path, text, (uint32_t)length), diags, arena);
}

static void show(void *user, uint32_t done, uint32_t all, const char *product) {
    (void)user;
    fprintf(stderr, "\r\033[Ktuning %u of %u: %s", done + 1, all, product);
}

const char *tuning_measure(const Options *options, Graph *graph, CodegenOptions *codegen, Sources *sources,
                           Diagnostics *diags, Arena *arena) {
    const TuneProgress progress = {.show = show};
    bool terminal = isatty(STDERR_FILENO);
    const char *path = path_of(options, arena);
    char *text = NULL;
    size_t length = 0;
    FILE *buffer = open_memstream(&text, &length);
    if (!buffer) return "out of memory";
    const char *error = codegen_tune(graph, codegen, terminal ? &progress : NULL, buffer, arena);
    fclose(buffer);
    if (terminal) fputs("\r\033[K", stderr);
    if (!error && !file_write(path, text, length, &error)) error = arena_printf(arena, "%s: %s", path, error);
    free(text);
    if (!error) codegen->tune = tuning_read(options, sources, diags, arena);
    return error;
}
