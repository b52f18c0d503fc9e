/* A runtime of a few functions that keeps what programs save and gives deterministic inputs; parallel chunks
 * run backwards, forwards or by two threads, memory starts as garbage, and its ends are watched. */
#include "native.h"
#include "codegen/codegen.h"
#include "ir/interpret.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "program.h"
#include "runtime/nnrt.h"
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <math.h>
#include <pthread.h>
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
    const void *readers;
    int32_t command_count, reader_count;
} RtProgram;

/* The last four frames are the threads' scratch memory, and that for parts of chains. */
enum { MAX_FRAMES = 256, GUARD = 256, GARBAGE = 0xd5 };
/* RESUMED: behind a checkpoint of the first run, in fresh memory. */
typedef enum { BACKWARDS, FORWARDS, TWO_THREADS, RESUMED, ORDERS } Order;

enum { MAX_STATE = 512 };

/* What one of the checkpoints of a run saved. */
typedef struct {
    int64_t passes; /* by checkpoints so far */
    int32_t site;
    uint32_t count;
    const char *names[MAX_STATE];
    void *bytes[MAX_STATE];
    int64_t sizes[MAX_STATE];
} State;

typedef struct {
    Arena *arena;
    bool special;
    unsigned char *frames[MAX_FRAMES];
    int64_t sizes[MAX_FRAMES];
    uint32_t saved_count;
    const Tensor *saved; /* the interpreter's */
    const char *wrong;
    Order order;
    State *state;
    pthread_t main;
    uint64_t digest; /* of the bits that were saved */
    NativeCounts counts;
} Run;

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
    double f = program_float(number, special);
    int64_t i = program_int(number, (DType)t->dtype, special);
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

static bool same_float(double got, double want, double error) {
    if (isnan(error) || isinf(error)) return true;
    if (isnan(want)) return isnan(got);
    if (got == want) return true;
    if (isinf(want) || isinf(got) || isnan(got)) return false;
    return fabs(got - want) <= error;
}

static void compare(Run *run, const RtTensor *got, const Tensor *want, int32_t number) {
    for (int64_t k = 0; k < want->count && !run->wrong; k++) {
        double error = want->error ? want->error[k] : 0;
        run->counts.elements++;
        run->counts.unbounded += !isfinite(error);
        if (want->f && !same_float(read_element(got, k), want->f[k], error))
            run->wrong = arena_printf(run->arena, "output %d element %lld: %.17g, not %.17g (± %g)", number,
                                      (long long)k, read_element(got, k), want->f[k], error);
        if (want->i && read_integer(got, k) != want->i[k] &&
            !(error != 0 && fabs((double)read_integer(got, k) - (double)want->i[k]) <= error))
            run->wrong =
                arena_printf(run->arena, "output %d element %lld: %lld, not %lld (± %g)", number,
                             (long long)k, (long long)read_integer(got, k), (long long)want->i[k], error);
    }
}

static int64_t byte_count(const RtTensor *t) {
    return element_count(t) * (int64_t)dtype_bytes((DType)t->dtype);
}

static void digest(Run *run, const RtTensor *t) {
    const unsigned char *bytes = t->data;
    int64_t size = byte_count(t);
    for (int64_t k = 0; k < size; k++) run->digest = (run->digest ^ bytes[k]) * UINT64_C(0x100000001b3);
}

static void rt_save(void *rt, const void *loc, const char *path, int32_t count, const RtTensor *tensors) {
    (void)loc, (void)path;
    Run *run = rt;
    if ((uint32_t)count != run->saved_count) run->wrong = "another number of outputs";
    for (int32_t i = 0; i < count && !run->wrong; i++) {
        digest(run, &tensors[i]);
        if (element_count(&tensors[i]) != run->saved[i].count)
            run->wrong = arena_printf(run->arena, "output %d has %lld elements", i,
                                      (long long)element_count(&tensors[i]));
        else
            compare(run, &tensors[i], &run->saved[i], i);
    }
}

/* --- checkpoints */
static int32_t rt_resume(void *rt, const char *code, int32_t dtype, int32_t count, const char *const *path) {
    const Run *run = rt;
    (void)code, (void)dtype, (void)count, (void)path;
    return run->order == RESUMED ? run->state->site : -1;
}

/* Of the passes of a run each is as likely to be the last one that saves. */
static int32_t rt_checkpoint(void *rt, const void *loc, int32_t counter, int64_t every, int64_t keep) {
    Run *run = rt;
    (void)loc, (void)counter, (void)every, (void)keep;
    if (run->order != BACKWARDS) return 0;
    uint64_t pass = (uint64_t)++run->state->passes;
    return (pass * 0x9E3779B97F4A7C15u >> 40) % pass == 0;
}

static void forget_state(State *state) {
    for (uint32_t i = 0; i < state->count; i++) free(state->bytes[i]);
    state->count = 0;
}

static void rt_checkpoint_save(void *rt, const void *loc, int32_t site, const char *path, int64_t keep,
                               int32_t count, const RtTensor *tensors) {
    State *state = ((Run *)rt)->state;
    (void)loc, (void)path, (void)keep;
    if (count > MAX_STATE) abort();
    forget_state(state);
    state->site = site;
    for (; state->count < (uint32_t)count; state->count++) {
        const RtTensor *t = &tensors[state->count];
        int64_t size = state->sizes[state->count] = byte_count(t);
        state->names[state->count] = t->name;
        state->bytes[state->count] = malloc((size_t)size + 1);
        memcpy(state->bytes[state->count], t->data, (size_t)size);
    }
}

static void rt_resume_load(void *rt, int32_t count, const RtTensor *tensors) {
    Run *run = rt;
    for (int32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < run->state->count && strcmp(run->state->names[at], tensors[i].name) != 0) at++;
        if (at == run->state->count || run->state->sizes[at] != byte_count(&tensors[i]))
            run->wrong = "a value isn't in the checkpoint, or has another size there";
        else
            memcpy(tensors[i].data, run->state->bytes[at], (size_t)run->state->sizes[at]);
    }
}

static void rt_resume_done(void *rt) { (void)rt; }

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
static void *rt_scratch(void *rt, int64_t bytes) {
    Run *run = rt;
    return rt_memory(run, MAX_FRAMES - (pthread_equal(pthread_self(), run->main) ? 1 : 2), bytes);
}
static void *rt_part(void *rt, int64_t bytes) {
    Run *run = rt;
    return rt_memory(run, MAX_FRAMES - (pthread_equal(pthread_self(), run->main) ? 3 : 4), bytes);
}

static void check_guards(Run *run) {
    for (int32_t f = 0; f < MAX_FRAMES; f++)
        for (int64_t k = 0; run->frames[f] && k < GUARD; k++)
            if (run->frames[f][k] != GARBAGE || run->frames[f][GUARD + run->sizes[f] + k] != GARBAGE)
                run->wrong = arena_printf(run->arena, "memory outside of frame %d was written", f);
}

typedef void Kernel(void *rt, void *const *args, int64_t chunk);

typedef struct {
    Run *run;
    Kernel *kernel;
    void *const *args;
    int64_t first, chunks;
} Share;

/* Every other chunk. */
static void *run_share(void *user) {
    const Share *share = user;
    for (int64_t c = share->first; c < share->chunks; c += 2) share->kernel(share->run, share->args, c);
    return NULL;
}

static void rt_parallel(void *rt, Kernel *kernel, void *const *args, int64_t chunks) {
    Run *run = rt;
    if (run->order == BACKWARDS) {
        while (chunks-- > 0) kernel(rt, args, chunks);
    } else if (run->order == FORWARDS) {
        for (int64_t c = 0; c < chunks; c++) kernel(rt, args, c);
    } else {
        Share odd = {run, kernel, args, 1, chunks}, even = {run, kernel, args, 0, chunks};
        pthread_t thread;
        if (chunks > 1 && pthread_create(&thread, NULL, run_share, &odd) != 0) abort();
        run_share(&even);
        if (chunks > 1) pthread_join(thread, NULL);
    }
}

static void *rt_slots(void *rt, int64_t words) { return rt_memory(rt, MAX_FRAMES - 5, 8 * words); }

/* Programs of tests do nothing that stops them. */
static void rt_fail(void *rt, const void *loc, const char *text, int32_t count, const RtTensor *args) {
    (void)rt, (void)loc, (void)count, (void)args;
    fprintf(stderr, "native: the program stopped: %s\n", text);
    abort();
}

/* --- scripts, as nnrt.h describes them */
typedef struct {
    const uint8_t *at;
    const int64_t *slots, *sums;
} Script;

static int64_t read_number(Script *s) {
    int64_t digit = *s->at++;
    return digit < 128 ? digit : digit - 128 + 128 * read_number(s);
}

static int64_t read_quantity(Script *s) {
    int64_t number = read_number(s);
    return number % 2 ? s->slots[number / 2] : number / 2;
}

static int64_t read_sum(Script *s) {
    const int64_t *words = s->sums + read_number(s);
    int64_t sum = s->slots[(*words >> 4) & 0xfffff] + (*words >> 24);
    for (int64_t k = 1; k <= (*words & 15); k++)
        sum += s->slots[(words[k] >> 4) & 0xfffff] * (words[k] >> 24);
    return sum;
}

static void script_copy(Script *s) {
    size_t bytes = (size_t)read_quantity(s);
    void *to = (void *)(intptr_t)read_sum(s);
    memmove(to, (const void *)(intptr_t)read_sum(s), bytes);
}

static void script_check(void *rt, Script *s) {
    const bool *holds = (const bool *)(intptr_t)read_sum(s);
    read_number(s);
    if (!*holds) rt_fail(rt, NULL, "a check", 0, NULL);
}

static void rt_launch(void *rt, const nn_tables *tables, const uint8_t *script, const int64_t *slots,
                      void **args) {
    Script s = {script, slots, tables->sums};
    for (int64_t code; (code = read_number(&s)) > 0;) {
        if (code == 1) {
            script_copy(&s);
        } else if (code == 2) {
            script_check(rt, &s);
        } else {
            int64_t count = read_number(&s), chunks = read_quantity(&s);
            for (int64_t k = 0; k < count; k++) args[k] = (void *)(intptr_t)read_sum(&s);
            rt_parallel(rt, (Kernel *)tables->kernels[code - 3], args, chunks);
        }
    }
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
        FUNCTION(load),
        FUNCTION(save),
        FUNCTION(frame),
        FUNCTION(scratch),
        FUNCTION(part),
        FUNCTION(launch),
        FUNCTION(slots),
        FUNCTION(seed),
        FUNCTION(fail),
        FUNCTION(resume),
        FUNCTION(resume_load),
        FUNCTION(resume_done),
        FUNCTION(checkpoint),
        FUNCTION(checkpoint_save),
#undef FUNCTION
        {"nn_argsort", (void (*)(void))nn_argsort},
        {"nn_describe", (void (*)(void))nn_describe},
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
    const char *error = codegen_emit(graph, &codegen, EMIT_OBJ, path, NULL, arena);
    LLVMMemoryBufferRef object = NULL;
    char *message = NULL;
    if (!error && LLVMCreateMemoryBufferWithContentsOfFile(path, &object, &message))
        error = arena_strdup(arena, message);
    if (!error) require_none(LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), object));
    unlink(path);
    return error;
}

typedef void Command(void *rt, const RtArg *args);

/* One run with fresh memory; what is wrong, or NULL. */
static const char *run_once(Command *command, int64_t size, Run *run) {
    run->main = pthread_self();
    run->digest = UINT64_C(0xcbf29ce484222325);
    command(run, &(RtArg){.i = size});
    check_guards(run);
    for (uint32_t i = 0; i < MAX_FRAMES; i++) free(run->frames[i]);
    return run->wrong;
}

static const char *run_order(Arena *arena, Command *command, int64_t size, const NativeOptions *options,
                             const ProgramRun *wanted, Order order, State *state, uint64_t *first) {
    Run run = {.arena = arena,
               .special = options->special,
               .saved_count = wanted->count,
               .saved = wanted->saved,
               .order = order,
               .state = state};
    const char *wrong = run_once(command, size, &run);
    if (order == BACKWARDS) *first = run.digest;
    if (options->counts) {
        options->counts->elements += run.counts.elements;
        options->counts->unbounded += run.counts.unbounded;
    }
    if (wrong) return arena_printf(arena, "%s (order %d)", wrong, (int)order);
    if (run.digest == *first) return NULL;
    return order == RESUMED ? "going on behind a checkpoint gives other bits"
                            : "another order of chunks gives other bits";
}

static const char *run_orders(Arena *arena, Command *command, int64_t size, const NativeOptions *options,
                              const ProgramRun *wanted) {
    uint64_t first = 0;
    State state = {0};
    const char *wrong = NULL;
    for (Order order = BACKWARDS; !wrong && order < (options->orders ? ORDERS : FORWARDS); order++)
        if (order != RESUMED || state.passes)
            wrong = run_order(arena, command, size, options, wanted, order, &state, &first);
    forget_state(&state);
    return wrong;
}

static const char *run_native(Arena *arena, Graph *graph, int64_t size, const NativeOptions *options,
                              const ProgramRun *wanted) {
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
        error = run_orders(arena, program->commands[0].run, size, options, wanted);
    }
    require_none(LLVMOrcDisposeLLJIT(jit));
    return error;
}

/* --- the check */
static bool run_passes(Arena *arena, Graph *graph, const char *passes, PassOptions options) {
    Diagnostics *diags = diagnostics_new(arena, sources_new(arena));
    options.verify = true, options.out = stderr;
    return passes_run(graph, passes, &options, diags);
}

static uint64_t digest_text(uint64_t digest, const char *text) {
    for (; *text; text++) digest = (digest ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return digest;
}

/* Adds the graph to what was seen. Was it there? */
static bool was_seen(const Graph *graph, const NativeOptions *options) {
    if (!options->seen) return false;
    char *text;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    if (!file) abort();
    graph_print(file, graph, (PrintOptions){0});
    fprintf(file, "-O%d %s", options->optimize, options->cpu ? options->cpu : "native");
    fclose(file);
    uint64_t digest = digest_text(UINT64_C(0xcbf29ce484222325), text);
    free(text);
    NativeSeen *seen = options->seen;
    for (uint32_t i = 0; i < seen->count; i++)
        if (seen->digest[i] == digest) return true;
    if (seen->count < NATIVE_SEEN) seen->digest[seen->count++] = digest;
    return false;
}

static const char *compare_runs(Arena *arena, Graph *oracle, Graph *graph, int64_t size,
                                const NativeOptions *options) {
    ProgramRun wanted = {.arena = arena, .special = options->special};
    const char *wrong = program_interpret(oracle, size, &wanted);
    if (wrong) return arena_printf(arena, NATIVE_REFUSED "interpreter: %s", wrong);
    PassOptions passes = {.disable = options->disable,
                          .panel = codegen_panel(&(CodegenOptions){.cpu = options->cpu}, arena)};
    if (!run_passes(arena, graph, options->passes, passes)) return NATIVE_REFUSED "a pass reported errors";
    wrong = was_seen(graph, options) ? NULL : run_native(arena, graph, size, options, &wanted);
    if (wrong && options->verbose) graph_print(stderr, graph, (PrintOptions){0});
    return wrong;
}

const char *native_check_text(Arena *arena, int64_t size, const char *text, const NativeOptions *options) {
    Graph *oracle = program_parse(arena, text), *graph = program_parse(arena, text);
    if (!graph) return arena_printf(arena, "the test's text is wrong:\n%s", text);
    if (!run_passes(arena, oracle, "autodiff", (PassOptions){0})) return NATIVE_REFUSED "no derivative";
    return compare_runs(arena, oracle, graph, size, options);
}

const char *native_check(Arena *arena, int64_t size, const char *inputs, const char *body,
                         const char *outputs, const NativeOptions *options) {
    return native_check_text(arena, size, program_text(arena, inputs, body, outputs), options);
}
