/* The code generator from outside: outputs of every kind, for every target, and what it says when it can't.
 * Programs of its own are run by the suite `programs`. */
#include "codegen/codegen.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "support/file.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    Arena *arena;
    Graph *graph;
    char directory[32];
} Test;

static Test start(const char *program) {
    Test t = {.arena = arena_new(), .directory = "/tmp/nnc-test-XXXXXX"};
    cr_assert_not_null(mkdtemp(t.directory));
    Sources *sources = sources_new(t.arena);
    Diagnostics *diags = diagnostics_new(t.arena, sources);
    IrContext *ir = ir_context_new(t.arena, strings_new(t.arena));
    const char *path = arena_printf(t.arena, "%s/tests/programs/%s", SOURCE_DIR, program), *error;
    size_t length;
    char *text = file_read(t.arena, path, &length, &error);
    cr_assert_not_null(text, "%s: %s", path, error);
    uint32_t source = sources_add(sources, path, text, (uint32_t)length);
    t.graph = graph_parse(ir, sources, source, diags);
    cr_assert_not_null(t.graph);
    cr_assert(passes_run(t.graph, NULL, &(PassOptions){.verify = true, .out = stderr}, diags));
    return t;
}

static const char *path_in(Test *t, const char *name) {
    return arena_printf(t->arena, "%s/%s", t->directory, name);
}

static void finish(Test *t) {
    rmdir(t->directory);
    arena_free(t->arena);
}

/* Emits, and returns the file's bytes. */
static const char *emit(Test *t, CodegenOptions options, EmitKind kind) {
    const char *path = path_in(t, "out"), *read_error;
    options.verify = true;
    const char *error = codegen_emit(t->graph, &options, kind, path, NULL, t->arena);
    cr_assert_null(error, "%s", error);
    size_t length;
    const char *bytes = file_read(t->arena, path, &length, &read_error);
    cr_assert_not_null(bytes, "%s", read_error);
    unlink(path);
    return bytes;
}

static void refuses(const char *expected, CodegenOptions options) {
    Test t = start("control.nnir");
    const char *error = codegen_emit(t.graph, &options, EMIT_OBJ, path_in(&t, "out"), NULL, t.arena);
    cr_assert_not_null(error);
    cr_expect_not_null(strstr(error, expected), "%s", error);
    cr_expect_neq(access(path_in(&t, "out"), F_OK), 0);
    finish(&t);
}

Test(codegen, kinds_of_output) {
    Test t = start("control.nnir");
    cr_expect_not_null(strstr(emit(&t, (CodegenOptions){.optimize = 0}, EMIT_LLVM), "@nn_program"));
    cr_expect_not_null(strstr(emit(&t, (CodegenOptions){.optimize = 3}, EMIT_ASM), "nn_program:"));
    cr_expect_eq(memcmp(emit(&t, (CodegenOptions){.optimize = 3}, EMIT_OBJ), "\177ELF", 4), 0);
    finish(&t);
}

Test(codegen, fills_vectors) {
    Test t = start("phases.nnir");
    const char *text = emit(&t, (CodegenOptions){.optimize = 3, .cpu = "x86-64-v4"}, EMIT_LLVM);
    cr_expect_not_null(strstr(text, "<16 x float>"));
    cr_expect_null(strstr(text, "<2 x float>"));
    finish(&t);
}

Test(codegen, equal_kernels_are_one) {
    Test t = start("twins.nnir");
    const char *text = emit(&t, (CodegenOptions){.optimize = 0}, EMIT_LLVM);
    cr_expect_not_null(strstr(text, "@kernel.loop.1("));
    cr_expect_not_null(strstr(text, "@kernel.reduce.2("));
    finish(&t);
}

/* The machine an ELF file is for: e_machine. */
static int machine_of(const char *elf) { return (unsigned char)elf[18] | (unsigned char)elf[19] << 8; }

Test(codegen, targets) {
    enum { EM_X86 = 62, EM_ARM = 183 };
    const struct {
        const char *triple, *cpu;
        int machine;
    } rows[] = {{"x86_64-linux-gnu", NULL, EM_X86},
                {"x86_64-linux-gnu", "x86-64-v3", EM_X86},
                {"x86_64-linux-gnu", "znver4", EM_X86},
                {"aarch64-linux-gnu", NULL, EM_ARM},
                {"aarch64-linux-gnu", "neoverse-n1", EM_ARM}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int level = 0; level <= 3; level += 3) {
            Test t = start("carried.nnir");
            CodegenOptions options = {.optimize = level, .triple = rows[i].triple, .cpu = rows[i].cpu};
            cr_expect_eq(machine_of(emit(&t, options, EMIT_OBJ)), rows[i].machine, "%s", rows[i].triple);
            finish(&t);
        }
}

Test(codegen, emits_the_same_bytes_again) {
    Test one = start("carried.nnir"), two = start("carried.nnir");
    CodegenOptions options = {.optimize = 3, .cpu = "x86-64-v3", .triple = "x86_64-linux-gnu"};
    cr_expect_str_eq(emit(&one, options, EMIT_ASM), emit(&two, options, EMIT_ASM));
    finish(&one);
    finish(&two);
}

Test(codegen, line_tables) {
    Test t = start("check.nnir");
    const char *text = emit(&t, (CodegenOptions){.optimize = 0, .debug = true}, EMIT_LLVM);
    cr_expect_not_null(strstr(text, "!DILocation(line: 7, column: 3"));
    cr_expect_not_null(strstr(text, "filename: \"check.nn\""));
    cr_expect_not_null(emit(&t, (CodegenOptions){.optimize = 3, .debug = true}, EMIT_OBJ));
    finish(&t);
}

Test(codegen, refusals) {
    refuses("unknown CPU `i8080`; known for x86_64",
            (CodegenOptions){.cpu = "i8080", .triple = "x86_64-linux-gnu"});
    refuses("unknown target `toaster`", (CodegenOptions){.triple = "toaster"});
    refuses("`native` is this machine's CPU", (CodegenOptions){.triple = "x86_64-freebsd", .cpu = "native"});
    refuses("no code can be made for riscv64", (CodegenOptions){.triple = "riscv64-linux-gnu"});
    Test t = start("control.nnir");
    cr_expect_not_null(
        codegen_emit(t.graph, &(CodegenOptions){0}, EMIT_OBJ, "/nowhere/at/all", NULL, t.arena));
    finish(&t);
}

Test(link, says_what_is_missing) {
    Arena *arena = arena_new();
    LinkOptions options = {.runtime = "/nowhere/libnnrt.a", .output = "/tmp/nnc-test-never"};
    cr_expect_not_null(
        strstr(codegen_link(&options, arena), "the runtime library /nowhere/libnnrt.a is missing"));
    options.runtime = SOURCE_DIR "/README.md";
    options.stamp = "no line of it";
    cr_expect_not_null(strstr(codegen_link(&options, arena), "is of another version of nnc"));
    options.stamp = "# Two commands";
    setenv("CC", "no-such-compiler -x", 1);
    cr_expect_not_null(
        strstr(codegen_link(&options, arena), "`no-such-compiler -x` (from $CC) is not installed"));
    setenv("CC", "false", 1);
    cr_expect_not_null(strstr(codegen_link(&options, arena), "failed with status 1"));
    cr_expect_neq(access("/tmp/nnc-test-never", F_OK), 0);
    arena_free(arena);
}
