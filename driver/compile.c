/* The stages in order: read, parse, check and lower (or parse the graph's text), passes, code, link; each may
 * be the last. */
#include "driver/compile.h"
#include "codegen/codegen.h"
#include "driver/interpret.h"
#include "driver/report.h"
#include "driver/tuning.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "rt.h"
#include "rt_text.h"
#include "support/clock.h"
#include "support/file.h"
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum { KIND_AST, KIND_IR, KIND_LLVM, KIND_ASM, KIND_OBJ, KIND_EXE, KIND_COUNT } OutputKind;

static const char *const kind_names[KIND_COUNT] = {"ast", "ir", "llvm", "asm", "obj", "exe"};
static const char *const kind_suffixes[KIND_COUNT] = {".ast", ".nnir", ".ll", ".s", ".o", ""};

/* A runtime built with sanitizers needs their libraries. */
#ifdef NNC_SANITIZE
static const char runtime_flags[] = "-fsanitize=address,undefined";
#else
static const char *const runtime_flags = NULL;
#endif

typedef struct {
    const Options *options;
    Arena *arena;
    Sources *sources;
    Diagnostics *diags;
    IrContext *ir;
    OutputKind kind;
    DType float_type;
    RenderStyle style;
    bool color;
    CodegenOptions codegen;
} Session;

static int fail(const char *what, const char *why) {
    fprintf(stderr, "nnc: %s: %s\n", what, why);
    return EXIT_USER_ERROR;
}

/* Shows the diagnostics so far; the exit status that they mean. */
static int show_diagnostics(const Session *s) {
    diagnostics_render(s->diags, s->style, s->color, stderr);
    return diagnostics_errors(s->diags) ? EXIT_USER_ERROR : 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* --- options */
static bool choose_kind(Session *s) {
    int fallback =
        s->options->command == COMMAND_IR || s->options->value[OPTION_stop_after] ? KIND_IR : KIND_EXE;
    if (s->options->command == COMMAND_BUILD && s->options->value[OPTION_target] && fallback == KIND_EXE)
        fallback = KIND_OBJ;
    int kind = options_choice(s->options, OPTION_emit, kind_names, KIND_COUNT, fallback);
    s->kind = (OutputKind)kind;
    return kind >= 0;
}

static bool choose_rendering(Session *s) {
    static const char *const styles[] = {"text", "short", "json"};
    static const char *const whens[] = {"auto", "always", "never"};
    int style = options_choice(s->options, OPTION_diagnostics, styles, 3, 0);
    int when = options_choice(s->options, OPTION_color, whens, 3, 0);
    s->style = (RenderStyle)style;
    const char *no_color = getenv("NO_COLOR");
    s->color = when == 1 || (when == 0 && isatty(STDERR_FILENO) && !(no_color && *no_color));
    return style >= 0 && when >= 0;
}

static bool choose_codegen(Session *s) {
    static const char *const levels[] = {"0", "1", "2", "3"};
    static const char *const floats[] = {"f32", "f64", "bf16", "f16"};
    static const char *const libraries[] = {"auto", "none", "openblas"};
    static const DType float_types[] = {DTYPE_f32, DTYPE_f64, DTYPE_bf16, DTYPE_f16};
    const Options *o = s->options;
    int level = options_choice(o, OPTION_optimize, levels, 4, 3);
    int type = options_choice(o, OPTION_float, floats, 4, 0);
    int blas = options_choice(o, OPTION_blas, libraries, 3, BLAS_AUTO);
    if (level < 0 || type < 0 || blas < 0) return false;
    if (o->value[OPTION_tune] && (o->value[OPTION_cpu] || o->value[OPTION_target])) {
        fputs("nnc: `--tune` measures on this machine: leave out `--cpu` and `--target`\n", stderr);
        return false;
    }
    s->float_type = float_types[type];
    s->codegen = (CodegenOptions){.optimize = level,
                                  .cpu = o->value[OPTION_cpu],
                                  .triple = o->value[OPTION_target],
                                  .blas = (BlasChoice)blas,
                                  .debug = o->value[OPTION_debug] != NULL,
                                  .verify = o->value[OPTION_verify] != NULL,
                                  .time = o->value[OPTION_time_passes] != NULL,
                                  .threads = (uint32_t)rt_cpus()};
    return true;
}

/* --- stages */
static FrontendOptions frontend_options(const Session *s) {
    return (FrontendOptions){
        s->ir, s->sources, s->diags, s->float_type, s->options->defines.at, s->options->defines.count};
}

/* Reads the input as a source; 0 after reporting. */
static uint32_t read_source(Session *s) {
    size_t length;
    const char *error, *path = s->options->input;
    char *text = file_read(s->arena, path, &length, &error);
    if (!text) {
        diag_report(s->diags, D_FILE_READ, (Span){0}, path, error);
        return 0;
    }
    return sources_add(s->sources, path, text, (uint32_t)length);
}

static Graph *make_graph(Session *s) {
    if (s->options->command != COMMAND_IR && !ends_with(s->options->input, ".nnir")) {
        FrontendOptions frontend = frontend_options(s);
        return frontend_compile(&frontend, s->options->input);
    }
    uint32_t source = read_source(s);
    return source ? graph_parse(s->ir, s->sources, source, s->diags) : NULL;
}

static bool run_passes(Session *s, Graph *graph) {
    const Options *o = s->options;
    PassOptions passes = {.print_after = o->value[OPTION_print_after],
                          .print_changed = o->value[OPTION_print_changed] != NULL,
                          .stop_after = o->value[OPTION_stop_after],
                          .disable = o->value[OPTION_disable_pass],
                          .winograd = o->value[OPTION_winograd] != NULL,
                          .panel = o->command == COMMAND_IR ? 0 : codegen_panel(&s->codegen, s->arena),
                          .time = o->value[OPTION_time_passes] != NULL,
                          .verify = o->value[OPTION_verify] != NULL,
                          .out = stderr};
    const char *only = o->value[OPTION_passes];
    if (!only && o->command == COMMAND_IR && s->kind == KIND_IR && !passes.stop_after) only = "";
    if (!only && s->kind == KIND_IR && !passes.stop_after)
        only = "simplify"; /* --emit=ir: the program as it was written */
    return passes_run(graph, only, &passes, s->diags);
}

/* build/lib/libnnrt.a beside the build/bin that nnc runs from, or NNC_RUNTIME. */
static const char *find_runtime(const Session *s) {
    const char *given = getenv("NNC_RUNTIME");
    if (given) return given;
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) return "libnnrt.a";
    self[length] = '\0';
    return arena_printf(s->arena, "%s/../lib/libnnrt.a", dirname(self));
}

static const char *program_name(const Session *s) {
    char *path = arena_strdup(s->arena, s->options->input);
    char *name = arena_strdup(s->arena, basename(path));
    char *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = '\0';
    return name;
}

static const char *output_path(const Session *s) {
    if (s->options->value[OPTION_output]) return s->options->value[OPTION_output];
    const char *name = arena_printf(s->arena, "%s%s", program_name(s), kind_suffixes[s->kind]);
    /* A program without a suffix must not overwrite its source. */
    return file_same(name, s->options->input) ? arena_printf(s->arena, "%s.out", name) : name;
}

/* A program is never written over what it is made of. */
static bool keeps_sources(const Session *s) {
    const Source *source;
    const char *output = s->options->value[OPTION_output];
    for (uint32_t i = 1; output && (source = sources_get(s->sources, i)); i++)
        if (file_same(output, source->path)) {
            fail(output, "is a source of the program: give another name after -o");
            return false;
        }
    return true;
}

static void remove_all(const char *directory, const char *const *files, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) unlink(files[i]);
    rmdir(directory);
}

static int build_executable(Session *s, Graph *graph, const char *output) {
    char directory[] = "/tmp/nnc-XXXXXX";
    if (!mkdtemp(directory)) return fail(directory, "cannot make a temporary directory");
    LinkOptions link = {.runtime = find_runtime(s),
                        .stamp = rt_stamp,
                        .output = output,
                        .flags = runtime_flags,
                        .debug = s->codegen.debug,
                        .statically = s->options->value[OPTION_statically] != NULL};
    double start = clock_milliseconds();
    const char *error = codegen_objects(graph, &s->codegen, directory, s->arena, &link.objects,
                                        &link.object_count, &link.blas);
    double linking = clock_milliseconds();
    if (!error) error = codegen_link(&link, s->arena);
    if (!error && s->codegen.time)
        fprintf(stderr, "%8.1f ms  codegen\n%8.1f ms  link\n", linking - start,
                clock_milliseconds() - linking);
    remove_all(directory, link.objects, link.object_count);
    return error ? fail(output, error) : 0;
}

static int write_text(const Session *s, void (*print)(FILE *out, const void *what, const Session *s),
                      const void *what) {
    const char *output = s->options->value[OPTION_output];
    if (!output || strcmp(output, "-") == 0) {
        print(stdout, what, s);
        return 0;
    }
    char *text = NULL;
    size_t length = 0;
    const char *error = "out of memory";
    FILE *buffer = open_memstream(&text, &length);
    if (!buffer) return fail(output, error);
    print(buffer, what, s);
    fclose(buffer);
    bool ok = file_write(output, text, length, &error);
    free(text);
    return ok ? 0 : fail(output, error);
}

static void print_graph(FILE *out, const void *graph, const Session *s) {
    graph_print(out, graph, (PrintOptions){.locations = s->options->value[OPTION_locations] != NULL});
}

static void print_ast(FILE *out, const void *file, const Session *s) {
    (void)s;
    ast_print(out, file);
}

static int emit_ast(Session *s) {
    uint32_t source = read_source(s);
    FrontendOptions frontend = frontend_options(s);
    AstFile *file = source ? frontend_parse(&frontend, source) : NULL;
    int status = show_diagnostics(s);
    return file && status == 0 && keeps_sources(s) ? write_text(s, print_ast, file) : EXIT_USER_ERROR;
}

static int emit_code(Session *s, Graph *graph) {
    static const EmitKind kinds[KIND_COUNT] = {
        [KIND_LLVM] = EMIT_LLVM, [KIND_ASM] = EMIT_ASM, [KIND_OBJ] = EMIT_OBJ};
    const char *output = output_path(s);
    if (s->kind == KIND_EXE) return build_executable(s, graph, output);
    if (strcmp(output, "-") == 0) output = "/dev/stdout";
    const char *error = codegen_emit(graph, &s->codegen, kinds[s->kind], output, NULL, s->arena);
    return error ? fail(output, error) : 0;
}

/* Runs a program in a child; its exit status, or 128 + the signal that ended it; -1 where it can't be
 * started. What is to stop nnc goes to the program, which may have a checkpoint to save first: a terminal
 * sends SIGINT to both. */
static int run_program(const char *program, char *const *argv) {
    sigset_t awaited, before;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &awaited, &before);
    pid_t child = fork(), ended = 0;
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        execv(program, argv);
        _exit(127);
    }
    int status = 0, which;
    while (child > 0 && ended == 0 && sigwait(&awaited, &which) == 0) {
        if (which == SIGTERM) kill(child, SIGTERM);
        ended = waitpid(child, &status, WNOHANG);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (child < 0 || ended != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The program's command line. It calls itself what was typed to start it, `nnc run FILE --`, for it says how
 * to go on. */
static char **program_arguments(Session *s) {
    const Options *options = s->options;
    char **argv = ARENA_ARRAY(s->arena, char *, options->rest_count + 2);
    rt_text self = {0};
    for (int i = 0; i < options->word_count; i++) {
        rt_text_word(&self, options->words[i]);
        rt_text_adds(&self, " ");
    }
    rt_text_adds(&self, "--");
    argv[0] = arena_strdup(s->arena, self.bytes);
    rt_text_free(&self);
    for (int i = 0; i < options->rest_count; i++) argv[i + 1] = options->rest[i];
    return argv;
}

/* Compiles into a temporary file and runs that. */
static int run_executable(Session *s, Graph *graph) {
    char program[] = "/tmp/nnc-run-XXXXXX";
    int file = mkstemp(program);
    if (file < 0) return fail(program, "cannot make a temporary file");
    close(file);
    int status = build_executable(s, graph, program);
    if (status == 0) {
        status = run_program(program, program_arguments(s));
        if (status < 0) status = fail(program, "cannot run it");
    }
    unlink(program);
    return status;
}

static int run_interpreted(Session *s, Graph *graph) {
    return interpret_program(graph, s->options->rest_count + 1, program_arguments(s));
}

/* An executable does what its commands do: without any it could only complain. */
static bool has_command(const Session *s, const Graph *graph) {
    for (uint32_t i = 0; i < graph->functions.count; i++)
        if (graph->functions.at[i]->kind == FUNCTION_COMMAND) return true;
    fail(s->options->input, "has no command, so there is nothing to run: declare `command main { … }`");
    return false;
}

int compile(const Options *options, Arena *arena) {
    Session s = {.options = options, .arena = arena};
    s.sources = sources_new(arena);
    s.diags = diagnostics_new(arena, s.sources);
    s.ir = ir_context_new(arena, strings_new(arena));
    if (!choose_rendering(&s) || !choose_kind(&s) || !choose_codegen(&s)) return EXIT_USAGE;
    if (s.kind == KIND_AST) return emit_ast(&s);

    double start = clock_milliseconds();
    Graph *graph = make_graph(&s);
    if (s.codegen.time) fprintf(stderr, "%8.1f ms  frontend\n", clock_milliseconds() - start);
    bool interpret = options->value[OPTION_interpret] != NULL;
    if (graph && options->command != COMMAND_CHECK && !interpret && !run_passes(&s, graph)) graph = NULL;
    /* The interpreter needs no kernels, but it does need the gradients and what checkpoints save; a check
     * must find what has no gradient, and paths that nobody would find again. */
    if (graph && (options->command == COMMAND_CHECK || interpret)) {
        PassOptions passes = {.verify = options->value[OPTION_verify] != NULL, .out = stderr};
        if (!passes_run(graph, "autodiff,checkpoint", &passes, s.diags)) graph = NULL;
    }
    bool emits = options->command != COMMAND_CHECK && s.kind != KIND_IR && !interpret;
    if (emits) s.codegen.tune = tuning_read(options, s.sources, s.diags, arena);
    int status = show_diagnostics(&s);
    if (!graph || status != 0 || !keeps_sources(&s)) return EXIT_USER_ERROR;
    if ((interpret || (emits && s.kind == KIND_EXE)) && !has_command(&s, graph)) return EXIT_USER_ERROR;
    if (options->value[OPTION_report]) report_memory(stdout, graph, arena);
    if (emits && options->value[OPTION_tune]) {
        const char *error = tuning_measure(options, graph, &s.codegen, s.sources, s.diags, arena);
        if (error) return fail("--tune", error);
    }
    if (emits && options->value[OPTION_report]) {
        const char *error = report_products(stdout, graph, &s.codegen, arena);
        if (error) return fail("--report", error);
    }
    switch (options->command) {
    case COMMAND_CHECK: return 0;
    case COMMAND_RUN: return interpret ? run_interpreted(&s, graph) : run_executable(&s, graph);
    case COMMAND_BUILD:
    case COMMAND_IR: return s.kind == KIND_IR ? write_text(&s, print_graph, graph) : emit_code(&s, graph);
    case COMMAND_COUNT: break;
    }
    return EXIT_USAGE;
}
