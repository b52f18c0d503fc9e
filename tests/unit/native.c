/* A runtime of a few functions that keeps what programs save and gives deterministic inputs; parallel chunks
 * run backwards, memory starts as garbage, and its ends are watched. */
#include "native.h"
#include "codegen/codegen.h"
#include "ir/interpret.h"
#include "ir/text.h"
#include "passes/passes.h"
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As in runtime/nnrt.h. */
typedef struct {
    const char *name;
    const int64_t *dims;
    void *data;
    int32_t dtype, rank;
} RtTensor;

typedef union {
    int64_t i;
    double f;
} RtArg;

typedef struct {
    const char *name, *doc;
    const void *params;
    int32_t param_count;
    void (*run)(void *rt, const RtArg *args);
} RtCommand;

typedef struct {
    const char *name, *doc;
    const RtCommand *commands;
    int32_t command_count;
} RtProgram;

enum { MAX_FRAMES = 64, GUARD = 256, GARBAGE = 0xd5 };

typedef struct {
    Arena *arena;
    bool special;
    unsigned char *frames[MAX_FRAMES];
    int64_t sizes[MAX_FRAMES];
    uint32_t saved_count;
    const Tensor *saved; /* the interpreter's */
    const char *wrong;
} Run;

/* --- inputs: exact in every float type */
static uint64_t hash(uint64_t x) {
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static double input_float(uint64_t number, bool special) {
    uint64_t h = hash(number);
    if (special && h % 7 == 0) {
        const double rare[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 49152, -49152, 1.0 / 1024};
        return rare[h / 7 % 8];
    }
    return ((double)(h % 129) - 64) / 16;
}

static int64_t input_int(uint64_t number, DType dtype, bool special) {
    uint64_t h = hash(number);
    if (dtype == DTYPE_bool) return (int64_t)(h & 1);
    uint32_t bits = 8 * dtype_bytes(dtype);
    if (special && h % 5 == 0) {
        uint64_t low = UINT64_C(1) << (bits - 1);
        if (dtype == DTYPE_u8) return h % 2 ? 255 : 0;
        return h % 3 == 0 ? 0 : h % 3 == 1 ? -1 : (int64_t)(h % 2 ? low - 1 : ~(low - 1));
    }
    return dtype == DTYPE_u8 ? (int64_t)(h % 9) : (int64_t)(h % 17) - 8;
}

static bool interpret_load(void *user, const char *path, uint32_t count, const char *const *names,
                           Tensor *values) {
    (void)path, (void)names;
    const Run *run = user;
    for (uint32_t i = 0; i < count; i++)
        for (int64_t k = 0; k < values[i].count; k++) {
            uint64_t number = (uint64_t)i << 32 | (uint64_t)k;
            if (values[i].f) values[i].f[k] = input_float(number, run->special);
            if (values[i].i) values[i].i[k] = input_int(number, values[i].dtype, run->special);
        }
    return true;
}

/* --- elements in memory */
static uint32_t float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float bits_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double half_value(uint16_t bits) {
    uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent     ? ldexp(1024 + fraction, (int)exponent - 25)
                                 : ldexp(fraction, -24);
    return bits >> 15 ? -size : size;
}

/* Of numbers that f16 holds exactly. */
static uint16_t half_bits(double x) {
    uint16_t sign = (uint16_t)(signbit(x) ? 0x8000 : 0);
    if (isnan(x)) return 0x7e00;
    if (isinf(x)) return (uint16_t)(sign | 0x7c00);
    if (x == 0) return sign;
    int exponent;
    double fraction = frexp(fabs(x), &exponent);
    return (uint16_t)(sign | (uint16_t)((exponent + 14) << 10) | (uint16_t)(fraction * 2048 - 1024));
}

static double read_element(const RtTensor *t, int64_t k) {
    switch (t->dtype) {
    case DTYPE_f64: return ((const double *)t->data)[k];
    case DTYPE_f32: return (double)((const float *)t->data)[k];
    case DTYPE_f16: return half_value(((const uint16_t *)t->data)[k]);
    case DTYPE_bf16: return (double)bits_float((uint32_t)((const uint16_t *)t->data)[k] << 16);
    default: return 0;
    }
}

static int64_t read_integer(const RtTensor *t, int64_t k) {
    switch (t->dtype) {
    case DTYPE_i64: return ((const int64_t *)t->data)[k];
    case DTYPE_i32: return ((const int32_t *)t->data)[k];
    case DTYPE_i16: return ((const int16_t *)t->data)[k];
    case DTYPE_i8: return ((const int8_t *)t->data)[k];
    default: return ((const uint8_t *)t->data)[k];
    }
}

static void write_element(const RtTensor *t, int64_t k, uint64_t number, bool special) {
    double f = input_float(number, special);
    int64_t i = input_int(number, (DType)t->dtype, special);
    switch (t->dtype) {
    case DTYPE_f64: ((double *)t->data)[k] = f; break;
    case DTYPE_f32: ((float *)t->data)[k] = (float)f; break;
    case DTYPE_f16: ((uint16_t *)t->data)[k] = half_bits(f); break;
    case DTYPE_bf16: ((uint16_t *)t->data)[k] = (uint16_t)(float_bits((float)f) >> 16); break;
    case DTYPE_i64: ((int64_t *)t->data)[k] = i; break;
    case DTYPE_i32: ((int32_t *)t->data)[k] = (int32_t)i; break;
    case DTYPE_i16: ((int16_t *)t->data)[k] = (int16_t)i; break;
    default: ((uint8_t *)t->data)[k] = (uint8_t)i; break;
    }
}

static int64_t element_count(const RtTensor *t) {
    int64_t count = 1;
    for (int32_t d = 0; d < t->rank; d++) count *= t->dims[d];
    return count;
}

/* --- the runtime */
static void rt_load(void *rt, const void *loc, const char *path, int32_t count, const RtTensor *tensors) {
    (void)loc, (void)path;
    const Run *run = rt;
    for (int32_t i = 0; i < count; i++)
        for (int64_t k = 0; k < element_count(&tensors[i]); k++)
            write_element(&tensors[i], k, (uint64_t)i << 32 | (uint64_t)k, run->special);
}

static bool same_float(double got, double want, double error, bool bf16) {
    if (isnan(want)) return isnan(got);
    if (isnan(error) || isinf(error)) return true;
    if (got == want) return true;
    (void)bf16;
    if (isinf(want) || isinf(got) || isnan(got)) return false;
    return fabs(got - want) <= error;
}

static void compare(Run *run, const RtTensor *got, const Tensor *want, int32_t number) {
    for (int64_t k = 0; k < want->count && !run->wrong; k++) {
        double error = want->error ? want->error[k] : 0;
        if (want->f && !same_float(read_element(got, k), want->f[k], error, got->dtype == DTYPE_bf16))
            run->wrong = arena_printf(run->arena, "output %d element %lld: %.17g, not %.17g (± %g)", number,
                                      (long long)k, read_element(got, k), want->f[k], error);
        if (want->i && read_integer(got, k) != want->i[k] &&
            !(error != 0 && fabs((double)read_integer(got, k) - (double)want->i[k]) <= error))
            run->wrong =
                arena_printf(run->arena, "output %d element %lld: %lld, not %lld (± %g)", number,
                             (long long)k, (long long)read_integer(got, k), (long long)want->i[k], error);
    }
}

static void rt_save(void *rt, const void *loc, const char *path, int32_t count, const RtTensor *tensors) {
    (void)loc, (void)path;
    Run *run = rt;
    if ((uint32_t)count != run->saved_count) run->wrong = "another number of outputs";
    for (int32_t i = 0; i < count && !run->wrong; i++) {
        if (element_count(&tensors[i]) != run->saved[i].count)
            run->wrong = arena_printf(run->arena, "output %d has %lld elements", i,
                                      (long long)element_count(&tensors[i]));
        else
            compare(run, &tensors[i], &run->saved[i], i);
    }
}

static void *rt_memory(Run *run, int32_t number, int64_t bytes) {
    if (run->sizes[number] < bytes || !run->frames[number]) {
        size_t size = (size_t)(bytes + 63) / 64 * 64 + 2 * GUARD;
        run->frames[number] = aligned_alloc(64, size);
        if (!run->frames[number]) abort();
        memset(run->frames[number], GARBAGE, size);
        run->sizes[number] = bytes;
    }
    return run->frames[number] + GUARD;
}

static void *rt_frame(void *rt, int32_t number, int64_t bytes) { return rt_memory(rt, number, bytes); }
static void *rt_scratch(void *rt, int64_t bytes) { return rt_memory(rt, MAX_FRAMES - 1, bytes); }

static void check_guards(Run *run) {
    for (int32_t f = 0; f < MAX_FRAMES; f++)
        for (int64_t k = 0; run->frames[f] && k < GUARD; k++)
            if (run->frames[f][k] != GARBAGE || run->frames[f][GUARD + run->sizes[f] + k] != GARBAGE)
                run->wrong = arena_printf(run->arena, "memory outside of frame %d was written", f);
}

static void rt_parallel(void *rt, void (*kernel)(void *rt, void *const *args, int64_t chunk),
                        void *const *args, int64_t chunks) {
    while (chunks-- > 0) kernel(rt, args, chunks);
}

static int64_t rt_seed(const void *rt) {
    (void)rt;
    return 42;
}

/* --- compiling and loading */
static void require_none(LLVMErrorRef error) {
    if (!error) return;
    fprintf(stderr, "native: %s\n", LLVMGetErrorMessage(error));
    abort();
}

static void define_runtime(LLVMOrcLLJITRef jit) {
    const struct {
        const char *name;
        void (*function)(void);
    } table[] = {
#define FUNCTION(f) {"nn_" #f, (void (*)(void))rt_##f}
        FUNCTION(load),    FUNCTION(save),     FUNCTION(frame),
        FUNCTION(scratch), FUNCTION(parallel), FUNCTION(seed),
#undef FUNCTION
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        LLVMOrcCSymbolMapPair pair = {
            .Name = LLVMOrcLLJITMangleAndIntern(jit, table[i].name),
            .Sym = {.Address = (LLVMOrcExecutorAddress)(uintptr_t)table[i].function,
                    .Flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0}}};
        require_none(
            LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(jit), LLVMOrcAbsoluteSymbols(&pair, 1)));
    }
    LLVMOrcDefinitionGeneratorRef process;
    require_none(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &process, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL));
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), process);
}

static const char *compile(Arena *arena, Graph *graph, const NativeOptions *options, LLVMOrcLLJITRef jit) {
    char path[] = "/tmp/nativeXXXXXX";
    int file = mkstemp(path);
    if (file < 0) abort();
    close(file);
    CodegenOptions codegen = {.optimize = options->optimize, .cpu = options->cpu, .verify = true};
    const char *error = codegen_emit(graph, &codegen, EMIT_OBJ, path, arena);
    LLVMMemoryBufferRef object = NULL;
    char *message = NULL;
    if (!error && LLVMCreateMemoryBufferWithContentsOfFile(path, &object, &message))
        error = arena_strdup(arena, message);
    if (!error) require_none(LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), object));
    unlink(path);
    return error;
}

static const char *run_native(Arena *arena, Graph *graph, int64_t size, const NativeOptions *options,
                              Run *run) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMOrcLLJITRef jit;
    require_none(LLVMOrcCreateLLJIT(&jit, NULL));
    define_runtime(jit);
    const char *error = compile(arena, graph, options, jit);
    if (!error) {
        LLVMOrcExecutorAddress address;
        require_none(LLVMOrcLLJITLookup(jit, &address, "nn_program"));
        const RtProgram *program = (const RtProgram *)(uintptr_t)address;
        program->commands[0].run(run, &(RtArg){.i = size});
        check_guards(run);
        error = run->wrong;
    }
    require_none(LLVMOrcDisposeLLJIT(jit));
    return error;
}

/* --- the check */
static bool keep_saved(void *user, const char *path, uint32_t count, const char *const *names,
                       const Tensor *values, const Type *const *types) {
    (void)path, (void)names, (void)types;
    Run *run = user;
    Tensor *kept = ARENA_ARRAY(run->arena, Tensor, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = values[i];
        size_t bytes = (size_t)values[i].count * 8;
        if (values[i].f) kept[i].f = arena_copy(run->arena, values[i].f, bytes);
        if (values[i].i) kept[i].i = arena_copy(run->arena, values[i].i, bytes);
        if (values[i].error) kept[i].error = arena_copy(run->arena, values[i].error, bytes);
    }
    run->saved = kept;
    run->saved_count = count;
    return true;
}

/* One command: binds B, loads the inputs, does the body, saves the outputs. */
static const char *program_text(Arena *arena, const char *inputs, const char *body, const char *outputs) {
    const char *values = "", *names = "", *types = "", *saved = "";
    uint32_t number = 10;
    for (const char *c = inputs; *c; number++) {
        const char *end = c;
        for (int depth = 0; *end && (depth > 0 || *end != ' '); end++) depth += (*end == '[') - (*end == ']');
        const char *comma = number > 10 ? ", " : "", *type = arena_strndup(arena, c, (size_t)(end - c));
        values = arena_printf(arena, "%s%s%%%u: %s", values, comma, number, type);
        names = arena_printf(arena, "%s%s\"v%u\"", names, comma, number);
        types = arena_printf(arena, "%s%s%s", types, comma, type);
        for (c = end; *c == ' ';) c++;
    }
    const char *list = "";
    for (const char *c = outputs; *c;) {
        size_t length = strcspn(c, " ");
        list = arena_printf(arena, "%s, %.*s", list, (int)length, c);
        saved = arena_printf(arena, "%s%s\"%.*s\"", saved, *saved ? ", " : "", (int)length - 1, c + 1);
        for (c += length; *c == ' ';) c++;
    }
    const char *load =
        number == 10 ? ""
                     : arena_printf(arena, "  %s = load(%%1) names=[%s] types=[%s]\n", values, names, types);
    return arena_printf(
        arena,
        "graph \"t\"\ncommand \"run\" (%%0: i64 as \"size\") {\n  symbol(%%0) dim=B\n"
        "  %%1: str = const dims=[] dtype=str text=\"file\"\n%s%s\n  save(%%1%s) names=[%s]\n  yield\n}\n",
        load, body, list, saved);
}

static Graph *parse(Arena *arena, const char *text) {
    IrContext *ir = ir_context_new(arena, strings_new(arena));
    Sources *sources = sources_new(arena);
    Diagnostics *diags = diagnostics_new(arena, sources);
    Graph *graph =
        graph_parse(ir, sources, sources_add(sources, "test.nnir", text, (uint32_t)strlen(text)), diags);
    if (!graph) diagnostics_render(diags, RENDER_TEXT, false, stderr);
    return graph;
}

static const char *compare_runs(Arena *arena, Graph *graph, int64_t size, const NativeOptions *options) {
    Run run = {.arena = arena, .special = options->special};
    InterpretHost host = {.user = &run, .seed = 42, .load = interpret_load, .save = keep_saved};
    Tensor argument = tensor_new(arena, DTYPE_i64, 0, NULL);
    argument.i[0] = size;
    InterpretResult wanted = interpret(graph->functions.at[0], 1, &argument, &host, true, arena);
    if (!wanted.ok) return arena_printf(arena, "interpreter: %s", wanted.message);
    Sources *sources = sources_new(arena);
    Diagnostics *diags = diagnostics_new(arena, sources);
    PassOptions passes = {.verify = true, .out = stderr};
    if (!passes_run(graph, options->passes, &passes, diags)) return "a pass reported errors";
    const char *wrong = run_native(arena, graph, size, options, &run);
    if (wrong && options->verbose) graph_print(stderr, graph, (PrintOptions){0});
    for (uint32_t i = 0; i < MAX_FRAMES; i++) free(run.frames[i]);
    return wrong;
}

const char *native_check(Arena *arena, int64_t size, const char *inputs, const char *body,
                         const char *outputs, const NativeOptions *options) {
    const char *text = program_text(arena, inputs, body, outputs);
    Graph *graph = parse(arena, text);
    if (!graph) return arena_printf(arena, "the test's text is wrong:\n%s", text);
    return compare_runs(arena, graph, size, options);
}
