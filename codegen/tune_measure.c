/* Measures schedules of the program's products on this machine: from what the cost model says on, one way to
 * vary a schedule after the other, candidates interleaved, each counted by its best time. */
#include "codegen/contract_blas.h"
#include "codegen/contract_cost.h"
#include "codegen/optimize.h"
#include "codegen/orc.h"
#include "codegen/products.h"
#include "codegen/target.h"
#include "codegen/tune.h"
#include "codegen/tune_product.h"
#include "codegen/tune_table.h"
#include "support/clock.h"
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BUDGET = 1000,      /* milliseconds a product, after which no more is tried, */
    ROUND_BUDGET = 150, /* and after which no more rounds are measured */
    MIN_ROUNDS = 3,
    MAX_ROUNDS = 15,
    LEAST = 200,           /* microseconds that one measurement takes at least */
    GAIN = 105,            /* percent of the time of the model's choice that makes a line */
    READ_ONCE = 4,         /* multiply-adds an element of the operands, up to which memory is what counts: */
    COLD_BYTES = 96 << 20, /* such operands are not in a cache when a program comes to them */
    MAX_BYTES = 1 << 30,   /* of operands and result that are measured at all */
    ALL = MAX_CANDIDATES + 3, /* with the model's for either way round, and OpenBLAS */
};

typedef struct {
    Arena *arena; /* of this product */
    const CodegenOptions *options;
    TargetMachine *machine;
    const ContractKey *key;
    const char *cpu, *product;
    ContractShape shape[2];         /* as it is, and exchanged */
    char *memory[3];                /* of A, B and C */
    int64_t copies, bytes[2], turn; /* of A and B, read in turn; the bytes of one of either */
    int64_t from[2];                /* the first element in A and B, where strides are negative */
    int64_t sizes[KEY_MAX_AXES];
    OrcScratch scratch;
    double start;
    int64_t least_chunks; /* what is measured on one thread must leave work for as many as the model's choice
                             does */
} Tuning;

typedef struct {
    TuneKernel *kernel;
    int64_t chunks, repeat;
    double best; /* seconds */
} Timed;

/* --- operands */
static bool span_of(const Tuning *t, bool of_b, int64_t *first, int64_t *count) {
    int64_t low = 0, high = 0;
    for (uint32_t i = 0; i < t->key->count; i++) {
        int64_t stride = of_b ? t->key->axis[i].b : t->key->axis[i].a, last;
        if (__builtin_mul_overflow(t->sizes[i] - 1, stride, &last)) return false;
        if (last < 0 ? __builtin_add_overflow(low, last, &low) : __builtin_add_overflow(high, last, &high))
            return false;
    }
    *first = -low;
    return !__builtin_sub_overflow(high, low, count) && ++*count <= MAX_BYTES;
}

/* Small numbers of whatever type. Not zeros: pages that nobody wrote are all the same one, and compilers make
 * calloc of malloc and memset. */
static char *operand(int64_t bytes) {
    size_t size = (size_t)bytes;
    char *memory = malloc(size + 64);
    if (memory) memset(memory, 0x3c, size + 64);
    return memory;
}

/* False where the product is empty, too large, or known only when it runs. */
static bool make_operands(Tuning *t) {
    int64_t count[3] = {0, 0, 1};
    for (uint32_t i = 0; i < t->key->count; i++) {
        const KeyAxis *axis = &t->key->axis[i];
        if (axis->a == KEY_UNKNOWN || axis->b == KEY_UNKNOWN || axis->extent == 0) return false;
        t->sizes[i] = axis->extent == KEY_UNKNOWN ? cost_assumed(-1) : axis->extent;
        if (axis->role != 'k' && __builtin_mul_overflow(count[2], t->sizes[i], &count[2])) return false;
    }
    if (!span_of(t, false, &t->from[0], &count[0]) || !span_of(t, true, &t->from[1], &count[1])) return false;
    uint32_t bytes = dtype_bytes(t->key->dtype);
    if (count[0] + count[1] + count[2] > MAX_BYTES / 8) return false;
    t->bytes[0] = (count[0] * bytes + 63) / 64 * 64, t->bytes[1] = (count[1] * bytes + 63) / 64 * 64;
    bool once = contract_key_work(t->key) <= READ_ONCE * (double)(count[0] + count[1]);
    t->copies = once ? COLD_BYTES / (t->bytes[0] + t->bytes[1]) + 1 : 1;
    for (int i = 0; i < 3; i++)
        if (!(t->memory[i] = operand(i == 2 ? count[2] * 8 : t->copies * t->bytes[i]))) return false;
    return true;
}

/* --- one module of candidates */
static void open_module(const Tuning *t, Emit *e) {
    *e = (Emit){.arena = t->arena,
                .options = t->options,
                .target = t->machine->target,
                .cpu = t->machine->cpu,
                .features = t->machine->features,
                .llvm = LLVMContextCreate()};
    e->module = LLVMModuleCreateWithNameInContext("tune", e->llvm);
    e->builder = LLVMCreateBuilderInContext(e->llvm);
    e->layout = LLVMCreateTargetDataLayout(t->machine->machine);
    LLVMSetTarget(e->module, t->machine->triple);
    LLVMSetModuleDataLayout(e->module, e->layout);
}

static void close_module(Emit *e) {
    LLVMDisposeTargetData(e->layout);
    LLVMDisposeBuilder(e->builder);
    LLVMDisposeModule(e->module);
    LLVMContextDispose(e->llvm);
}

/* The code generator sees a candidate as it would see it in a file. */
static void emit_candidate(const Tuning *t, Emit *e, const ContractSchedule *plan, uint32_t number) {
    TuneTable table = {.lines = {.at = NULL}};
    TuneLine line = {.cpu = t->cpu, .product = t->product, .schedule = *plan};
    CodegenOptions options = *t->options;
    vec_push(t->arena, &table.lines, line);
    options.tune = &table, options.blas = BLAS_AUTO;
    e->options = &options;
    tune_emit_product(e, t->key, number);
    e->options = t->options;
}

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double run(Tuning *t, const Timed *timed) {
    uint32_t bytes = dtype_bytes(t->key->dtype);
    double since = thread_seconds();
    for (int64_t r = 0; r < timed->repeat; r++, t->turn = (t->turn + 1) % t->copies)
        for (int64_t chunk = 0; chunk < timed->chunks; chunk++)
            timed->kernel(&t->scratch, t->memory[0] + t->turn * t->bytes[0] + t->from[0] * bytes,
                          t->memory[1] + t->turn * t->bytes[1] + t->from[1] * bytes, t->memory[2], t->sizes,
                          chunk);
    return (thread_seconds() - since) / (double)timed->repeat;
}

static void measure(Tuning *t, Timed *timed, uint32_t count) {
    double start = clock_milliseconds();
    for (uint32_t i = 0; i < count; i++) {
        timed[i].repeat = 1, timed[i].best = 1e9;
        run(t, &timed[i]);
        timed[i].repeat = (int64_t)(LEAST * 1e-6 / (run(t, &timed[i]) + 1e-9)) + 1;
    }
    for (int round = 0; round < MAX_ROUNDS; round++) {
        if (round >= MIN_ROUNDS && clock_milliseconds() - start > ROUND_BUDGET) break;
        for (uint32_t i = 0; i < count; i++) {
            double seconds = run(t, &timed[i]);
            if (seconds < timed[i].best) timed[i].best = seconds;
        }
    }
}

/* Compiles the schedules and measures them: their best seconds. */
static const char *try_all(Tuning *t, const ContractSchedule *plans, uint32_t count, double *seconds) {
    Emit e;
    LLVMOrcLLJITRef orc = NULL;
    Timed timed[ALL] = {{0}};
    open_module(t, &e);
    for (uint32_t i = 0; i < count; i++) emit_candidate(t, &e, &plans[i], i);
    const char *error = optimize_module(e.module, t->machine->machine, t->options->optimize, t->arena);
    if (!error) error = orc_load(&orc, e.module, t->machine->machine, t->arena);
    for (uint32_t i = 0; i < count && !error; i++) {
        OrcFunction *kernel = orc_find(orc, arena_printf(t->arena, "kernel%u", i));
        OrcFunction *chunks = orc_find(orc, arena_printf(t->arena, "chunks%u", i));
        if (!kernel || !chunks) error = "what was measured could not be loaded";
        timed[i].kernel = (TuneKernel *)kernel;
        timed[i].chunks = error ? 0 : ((TuneChunks *)chunks)(t->sizes);
    }
    if (t->least_chunks == 0) t->least_chunks = timed[0].chunks; /* of the model's choice */
    if (!error) measure(t, timed, count);
    for (uint32_t i = 0; i < count && !error; i++)
        seconds[i] = timed[i].chunks < t->least_chunks ? INFINITY : timed[i].best;
    const char *closing = orc_close(orc, t->arena);
    close_module(&e);
    return error ? error : closing;
}

/* --- the search */
static bool load_openblas(const CodegenOptions *options) {
    if (options->blas == BLAS_NONE) return false;
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_GLOBAL);
    void *one_thread = library ? dlsym(library, "openblas_set_num_threads") : NULL;
    void (*set)(int) = NULL;
    if (!one_thread) return false;
    memcpy(&set, &one_thread, sizeof set); /* ISO C has no cast for it */
    set(1);
    return true;
}

/* Where the search begins: as the model has it, either way round, and OpenBLAS. The first is the model's. */
static uint32_t beginnings(const Tuning *t, const ContractSchedule *model, bool blas, ContractSchedule *out) {
    uint32_t count = 0;
    out[count++] = *model;
    for (int i = 0; i < 2; i++) {
        const ContractShape *shape = &t->shape[i];
        ContractSchedule plan = contract_schedule(&t->machine->target, shape);
        plan.exchanged = shape->exchanged;
        if (!schedule_equal(&plan, model)) out[count++] = plan;
        if (i == 0 && blas) out[count++] = blas_schedule(&plan);
    }
    return count;
}

static uint32_t fastest(const double *seconds, uint32_t count) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (seconds[i] < seconds[best]) best = i;
    return best;
}

/* The best schedule that was found; *gain in percent of its own time that the model's choice takes. */
static const char *search(Tuning *t, const ContractSchedule *model, bool blas, ContractSchedule *best,
                          double *gain, double *seconds) {
    ContractSchedule plans[ALL];
    double times[ALL];
    uint32_t count = beginnings(t, model, blas, plans);
    const char *error = try_all(t, plans, count, times);
    if (!error) *best = plans[fastest(times, count)];
    for (int variation = 0; variation < VARY_COUNT && !error; variation++) {
        if (clock_milliseconds() - t->start > BUDGET) break;
        count = schedule_candidates(&t->machine->target, &t->shape[best->exchanged], best,
                                    (Variation)variation, plans);
        if (count < 2) continue;
        error = try_all(t, plans, count, times);
        if (!error) *best = plans[fastest(times, count)];
    }
    plans[0] = *best, plans[1] = *model;
    if (!error) error = try_all(t, plans, 2, times);
    if (error) return error;
    *seconds = times[0];
    *gain = 100 * times[1] / times[0];
    return NULL;
}

static void write_line(FILE *out, const Tuning *t, const ContractSchedule *plan, double gain,
                       double seconds) {
    bool gains = gain > GAIN;
    if (!gains) fputs("# ", out);
    fprintf(out, "%s %s = ", t->cpu, t->product);
    contract_schedule_print(out, plan);
    if (gains)
        fprintf(out, " # %.1f us, %.2f times as fast as the model's choice\n", 1e6 * seconds, gain / 100);
    else
        fprintf(out, " # %.1f us: the model's choice\n", 1e6 * seconds);
}

static const char *tune_one(Tuning *t, const ProductUse *use, bool blas, FILE *out) {
    ContractSchedule best = use->plan;
    double gain = 100, seconds = 0;
    Emit e;
    if (use->plan.lanes == 0) {
        fprintf(out, "# %s %s is done by windows that slide\n", t->cpu, t->product);
        return NULL;
    }
    if (use->key.edges) {
        fprintf(out, "# %s %s is done as the model says\n", t->cpu, t->product);
        return NULL;
    }
    if (!make_operands(t)) {
        fprintf(out, "# %s %s is known only when it runs\n", t->cpu, t->product);
        return NULL;
    }
    open_module(t, &e);
    blas = tune_shapes(&e, t->key, t->shape) && blas;
    close_module(&e);
    const char *error = search(t, &use->plan, blas, &best, &gain, &seconds);
    if (!error) write_line(out, t, gain > GAIN ? &best : &use->plan, gain, seconds);
    return error;
}

/* --- the whole file */
static void write_head(FILE *out, const CodegenOptions *options, const char *cpu) {
    fputs("# How products are computed fastest, as `nnc build --tune` measured it; builds read this file.\n"
          "# A line: the CPU, the product (axes as role, extent, strides), the schedule.\n",
          out);
    for (uint32_t i = 0; options->tune && i < options->tune->lines.count; i++)
        if (strcmp(options->tune->lines.at[i].cpu, cpu) != 0)
            fprintf(out, "%s\n", options->tune->lines.at[i].text);
}

const char *codegen_tune(Graph *graph, const CodegenOptions *given, const TuneProgress *progress, FILE *out,
                         Arena *arena) {
    TargetMachine machine = {0};
    ProductList list = {.arena = arena};
    CodegenOptions options = *given;
    options.tune = NULL;
    if (options.blas == BLAS_OPENBLAS) options.blas = BLAS_AUTO;
    const char *error = products_of(graph, &options, &list);
    if (!error) error = target_open(&options, arena, &machine);
    bool blas = !error && load_openblas(&options);
    const char *cpu = error ? "" : tune_cpu(machine.cpu, &machine.target, arena);
    if (!error) write_head(out, given, cpu);
    for (uint32_t i = 0; i < list.at.count && !error; i++) {
        const ProductUse *use = &list.at.at[i];
        Tuning t = {.arena = arena_new(),
                    .options = &options,
                    .machine = &machine,
                    .key = &use->key,
                    .cpu = cpu,
                    .product = use->text,
                    .start = clock_milliseconds()};
        if (progress) progress->show(progress->user, i, list.at.count, use->text);
        error = tune_one(&t, use, blas, out);
        if (error) error = arena_strdup(arena, error);
        for (int k = 0; k < 3; k++) free(t.memory[k]);
        free(t.scratch.memory);
        arena_free(t.arena);
    }
    target_close(&machine);
    return error;
}
