/* Arenas, tables, sources, suggestions and the three renderings of diagnostics. */
#include "support/diagnostic.h"
#include "support/file.h"
#include "support/intern.h"
#include "support/map.h"
#include "support/utf8.h"
#include "support/vec.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(support, arena_is_zeroed_and_aligned) {
    Arena *arena = arena_new();
    for (size_t size = 0; size < 100000; size = size * 2 + 1) {
        unsigned char *data = arena_alloc(arena, size);
        cr_assert_eq((uintptr_t)data % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) cr_assert_eq(data[i], 0);
        memset(data, 0xff, size);
    }
    cr_assert_str_eq(arena_printf(arena, "%s-%d", "a", 3), "a-3");
    cr_assert_str_eq(arena_strndup(arena, "abc", 2), "ab");
    arena_free(arena);
}

Test(support, arenas_are_freed_with_their_parent) {
    Arena *parent = arena_new(), *first = arena_child(parent), *second = arena_child(parent);
    char *kept = arena_strdup(second, "kept"), *inner = arena_strdup(arena_child(second), "inner");
    arena_free(first);
    cr_assert_str_eq(kept, "kept");
    cr_assert_str_eq(inner, "inner");
    arena_free(parent); /* the rest with it: the leak checker of the sanitised build would tell */
}

Test(support, vec_grows) {
    Arena *arena = arena_new();
    VEC(int) v = {0};
    for (int i = 0; i < 10000; i++) vec_push(arena, &v, i);
    for (int i = 0; i < 10000; i++) cr_assert_eq(v.at[i], i);
    arena_free(arena);
}

Test(support, interned_names_are_equal) {
    Arena *arena = arena_new();
    Strings *strings = strings_new(arena);
    const char *first[2000];
    for (int i = 0; i < 2000; i++) first[i] = intern(strings, arena_printf(arena, "name%d", i));
    for (int i = 0; i < 2000; i++) cr_assert_eq(first[i], intern(strings, arena_printf(arena, "name%d", i)));
    cr_assert_eq(intern_n(strings, "name12345", 6), first[12]);
    cr_assert_neq(intern(strings, ""), NULL);
    arena_free(arena);
}

Test(support, map_finds_what_was_put) {
    Arena *arena = arena_new();
    Map *map = map_new(arena);
    char keys[3000];
    cr_assert_null(map_get(map, keys));
    for (int i = 0; i < 3000; i++) map_put(map, &keys[i], &keys[i]);
    map_put(map, &keys[7], &keys[8]);
    map_put(map, NULL, keys);
    for (int i = 0; i < 3000; i++) cr_assert_eq(map_get(map, &keys[i]), i == 7 ? &keys[8] : &keys[i]);
    cr_assert_eq(map_get(map, NULL), keys);
    cr_assert_null(map_get(map, &map));
    arena_free(arena);
}

Test(support, places_and_spans) {
    Arena *arena = arena_new();
    Sources *sources = sources_new(arena);
    const char *text = "ab\n\xc3\xa9 cd\n";
    uint32_t source = sources_add(sources, "f.nn", text, 9);
    Loc loc = sources_loc(sources, (Span){source, 6, 8});
    cr_assert_str_eq(loc.file, "f.nn");
    cr_assert_eq(loc.line, 2);
    cr_assert_eq(loc.column, 3); /* a character, not a byte */
    Span back = sources_span(sources, loc);
    cr_assert(back.source == source && back.start == 6 && back.end == 8);
    Loc end = sources_loc(sources, (Span){source, 9, 9});
    cr_assert(end.line == 3 && end.column == 1);
    cr_assert_null(sources_loc(sources, (Span){0}).file);
    cr_assert_eq(sources_span(sources, (Loc){"other.nn", 1, 1}).source, 0);
    cr_assert_eq(sources_span(sources, (Loc){"f.nn", 9, 1}).source, 0);
    /* Columns count characters in very long lines too: here every other one has two bytes. */
    char wide[30000];
    for (uint32_t i = 0; i < sizeof wide; i++) wide[i] = "a\xc3\xa9"[i % 3];
    memcpy(wide, "xyzw\n", 5);
    uint32_t long_source = sources_add(sources, "long.nn", wide, sizeof wide);
    const uint32_t offsets[][2] = {{6, 1},       {4095, 2727},  {4101, 2731},
                                   {8193, 5459}, {12288, 8189}, {30000, 19997}};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        Loc far = sources_loc(sources, (Span){long_source, offsets[i][0], offsets[i][0]});
        cr_expect(far.line == 2 && far.column == offsets[i][1], "%u: %u", offsets[i][0], far.column);
    }
    Span joined = span_join((Span){1, 4, 5}, (Span){1, 1, 2});
    cr_assert(joined.start == 1 && joined.end == 5);
    cr_assert_eq(span_join((Span){0}, joined).end, 5);
    arena_free(arena);
}

Test(support, suggestions) {
    const char *names[] = {"relu", "gelu", "softmax", "x"};
    cr_assert_str_eq(suggest("rleu", names, 4), "relu");
    cr_assert_str_eq(suggest("sofmax", names, 4), "softmax");
    cr_assert_str_eq(suggest("SOFTMAX", names, 4), "softmax");
    cr_assert_null(suggest("attention", names, 4));
    cr_assert_null(suggest("y", names, 4));
    cr_assert_null(suggest("", names, 4));
}

Test(support, utf8) {
    uint32_t c;
    cr_assert_eq(utf8_decode("\xf0\x9f\x98\x80", 4, &c), 4);
    cr_assert_eq(c, 0x1f600);
    cr_assert_eq(utf8_decode("\xc0\x80", 2, &c), 0);         /* overlong */
    cr_assert_eq(utf8_decode("\xed\xa0\x80", 3, &c), 0);     /* a surrogate */
    cr_assert_eq(utf8_decode("\xf4\x90\x80\x80", 4, &c), 0); /* beyond 10ffff */
    cr_assert_eq(utf8_decode("\xe2\x82", 2, &c), 0);         /* cut short */
    cr_assert_eq(utf8_decode("", 0, &c), 0);
}

Test(support, files) {
    Arena *arena = arena_new();
    char folder[] = "/tmp/nnc-test-XXXXXX";
    cr_assert(mkdtemp(folder));
    const char *path = arena_printf(arena, "%s/file", folder), *error = NULL;
    size_t length = 0;
    cr_assert(file_write(path, "a\0b", 3, &error));
    cr_assert(file_exists(path));
    char *text = file_read(arena, path, &length, &error);
    cr_assert(text && length == 3 && !memcmp(text, "a\0b", 4));
    cr_assert_null(file_read(arena, folder, &length, &error));
    cr_assert_str_eq(error, "is a directory");
    cr_assert_not(file_write(arena_printf(arena, "%s/no/file", folder), "", 0, &error));
    /* What is no file is written to, not replaced. */
    const char *pipe = arena_printf(arena, "%s/pipe", folder);
    struct stat status;
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    int reader = open(pipe, O_RDONLY | O_NONBLOCK);
    char got[4] = "";
    cr_assert(file_write(pipe, "abc", 3, &error));
    cr_expect_eq(read(reader, got, sizeof got), 3);
    cr_expect(stat(pipe, &status) == 0 && S_ISFIFO(status.st_mode));
    close(reader);
    unlink(pipe);
    cr_assert_str_eq(error, "no such directory");
    const char *fifo = arena_printf(arena, "%s/fifo", folder);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_assert_null(file_read(arena, fifo, &length, &error)); /* and doesn't wait for a writer */
    cr_assert_str_eq(error, "is not a regular file");
    cr_assert_not(file_exists(fifo));
    unlink(fifo);
    unlink(path);
    rmdir(folder);
    arena_free(arena);
}

/* What the diagnostics look like. */
static char *rendered(Arena *arena, const Diagnostics *diags, RenderStyle style) {
    char *buffer = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&buffer, &length);
    diagnostics_render(diags, style, false, out);
    fclose(out);
    char *text = arena_strndup(arena, buffer, length);
    free(buffer);
    return text;
}

Test(support, labels_of_a_line_hang_below) {
    Arena *arena = arena_new();
    Sources *sources = sources_new(arena);
    const char *text = "\tc = a @ \xe4\xb8\xad\n";
    uint32_t source = sources_add(sources, "f.nn", text, (uint32_t)strlen(text));
    Diagnostics *diags = diagnostics_new(arena, sources);
    Diagnostic *d = diag_report(diags, D_FILE_READ, (Span){source, 7, 8}, "x", "y");
    diag_here(d, "here");
    diag_label(d, (Span){source, 5, 6}, "left");
    diag_label(d, (Span){source, 9, 12}, "right");
    diag_help(d, "one\ntwo");
    cr_assert_str_eq(rendered(arena, diags, RENDER_TEXT), "error[E0001]: cannot read `x`: y\n"
                                                          " --> f.nn:1:8\n"
                                                          "  |\n"
                                                          "1 |     c = a @ \xe4\xb8\xad\n"
                                                          "  |         - ^ -- right\n"
                                                          "  |         | |\n"
                                                          "  |         | here\n"
                                                          "  |         left\n"
                                                          "  |\n"
                                                          "  = help: one\n"
                                                          "          two\n\n");
    arena_free(arena);
}

Test(support, repetitions_are_dropped_and_the_rest_sorted) {
    Arena *arena = arena_new();
    Sources *sources = sources_new(arena);
    uint32_t source = sources_add(sources, "f.nn", "abc", 3);
    Diagnostics *diags = diagnostics_new(arena, sources);
    diag_report(diags, D_FILE_READ, (Span){source, 2, 3}, "b", "b");
    diag_report(diags, D_FILE_READ, (Span){source, 0, 1}, "a", "a");
    diag_report(diags, D_FILE_READ, (Span){source, 2, 3}, "b", "b");
    cr_assert_str_eq(rendered(arena, diags, RENDER_SHORT), "f.nn:1:1: error[E0001]: cannot read `a`: a\n"
                                                           "f.nn:1:3: error[E0001]: cannot read `b`: b\n");
    cr_assert_eq(diagnostics_errors(diags), 3);
    cr_assert_not_null(strstr(rendered(arena, diags, RENDER_TEXT), "2 errors\n"));
    arena_free(arena);
}

Test(support, nothing_reaches_the_terminal_raw) {
    Arena *arena = arena_new();
    Sources *sources = sources_new(arena);
    const char *text = "\x1b[31m \xe2\x80\xae \xff \xc2\x9b";
    uint32_t source = sources_add(sources, "\x1b]0;f\a.nn", text, (uint32_t)strlen(text));
    Diagnostics *diags = diagnostics_new(arena, sources);
    Diagnostic *d = diag_report(diags, D_FILE_READ, (Span){source, 0, 1}, text, "\r\n");
    diag_note(d, "%s", text);
    for (RenderStyle style = RENDER_TEXT; style <= RENDER_JSON; style++) {
        const char *shown = rendered(arena, diags, style);
        for (const char *c = shown; *c; c++) cr_assert((unsigned char)*c >= ' ' || *c == '\n', "%s", shown);
        cr_assert_null(strstr(shown, "\xc2\x9b"));
        cr_assert_null(strchr(shown, '\xff'));
        if (style != RENDER_JSON) cr_assert_null(strstr(shown, "\xe2\x80\xae"));
    }
    arena_free(arena);
}

Test(support, long_lines_are_cut) {
    enum { LENGTH = 1000000 };
    Arena *arena = arena_new();
    Sources *sources = sources_new(arena);
    char *text = arena_alloc(arena, LENGTH + 1);
    memset(text, 'x', LENGTH);
    uint32_t source = sources_add(sources, "f.nn", text, LENGTH);
    Diagnostics *diags = diagnostics_new(arena, sources);
    diag_report(diags, D_FILE_READ, (Span){source, LENGTH / 2, LENGTH}, text, "y");
    cr_assert_lt(strlen(rendered(arena, diags, RENDER_TEXT)), 1200);
    arena_free(arena);
}

Test(support, codes_are_unique_and_sorted) {
    for (int i = 1; i < D_COUNT; i++)
        cr_assert_lt(strcmp(diagnostic_code((DiagnosticId)(i - 1)), diagnostic_code((DiagnosticId)i)), 0,
                     "%s", diagnostic_code((DiagnosticId)i));
}

/* A file tests/diagnostics/CODE*.nn or CODE*.nnir exists. */
static bool has_golden(const char *code) {
    glob_t found;
    char pattern[512];
    snprintf(pattern, sizeof pattern, "%s/tests/diagnostics/%s*.nn*", SOURCE_DIR, code);
    bool any = glob(pattern, 0, NULL, &found) == 0;
    globfree(&found);
    return any;
}

/* What no small .nn file can provoke: E0001 and E0010 are tested in cli.py, E0002 in test_parser.c. */
static bool is_tested_elsewhere(const char *code) {
    return !strcmp(code, "E0001") || !strcmp(code, "E0002") || !strcmp(code, "E0010");
}

Test(support, every_message_has_a_golden_file) {
    for (int i = 0; i < D_COUNT; i++) {
        const char *code = diagnostic_code((DiagnosticId)i);
        cr_expect(is_tested_elsewhere(code) || has_golden(code), "%s", code);
    }
}
