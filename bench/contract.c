/* Measures emitted products on one thread against OpenBLAS and the machine's own peak, interleaved; prints
 * medians.
 *
 *     contract-bench [ROUNDS] [NAME-PART]
 *
 * With SCHEDULE in the environment it prints how each product is computed; ASSEMBLY names a file for the code
 * of the last. Times are of the thread's own clock, so that other work on the machine disturbs less. */
#include "tests/unit/product.h"
#include <cblas.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern void openblas_set_num_threads(int threads);

typedef struct {
    const char *name;
    int64_t batch, m, n, k;
    bool a_transposed, b_transposed;
} Shape;

static const Shape shapes[] = {
    {"64x128x784 NN", 1, 64, 128, 784, false, false},
    {"784x128x64 TN", 1, 784, 128, 64, true, false},
    {"128x784x64 TN", 1, 128, 784, 64, true, false},
    {"64x784x128 NT", 1, 64, 784, 128, false, true},
    {"64x10x128 NN", 1, 64, 10, 128, false, false},
    {"64x10x128 NT", 1, 64, 10, 128, false, true},
    {"128x10x64 TN", 1, 128, 10, 64, true, false},
    {"64x128x10 NT", 1, 64, 128, 10, false, true},
    {"32x1024x256 NN", 1, 32, 1024, 256, false, false},
    {"1024x384x384 NN", 1, 1024, 384, 384, false, false},
    {"1024x1536x384 NN", 1, 1024, 1536, 384, false, false},
    {"384x384x1024 TN", 1, 384, 384, 1024, true, false},
    {"256x3072x768 NN", 1, 256, 3072, 768, false, false},
    {"24 256x256x64 NT", 24, 256, 256, 64, false, true},
    {"24 256x64x256 NN", 24, 256, 64, 256, false, false},
    {"3136x64x576 NN", 1, 3136, 64, 576, false, false},
    {"49x512x4608 NN", 1, 49, 512, 4608, false, false},
    {"64x64x64 NN", 1, 64, 64, 64, false, false},
    {"256x256x256 NN", 1, 256, 256, 256, false, false},
    {"512x512x512 NN", 1, 512, 512, 512, false, false},
    {"1024x1024x1024 NN", 1, 1024, 1024, 1024, false, false},
    {"1024x1024x1024 NT", 1, 1024, 1024, 1024, false, true},
    {"1024x1024x1024 TN", 1, 1024, 1024, 1024, true, false},
    {"2048x2048x2048 NN", 1, 2048, 2048, 2048, false, false},
    {"1x3072x768 NN", 1, 1, 3072, 768, false, false},
    {"1x3072x768 NT", 1, 1, 3072, 768, false, true},
    {"768x1x3072 NN", 1, 768, 1, 3072, false, false},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- the peak: independent multiply-adds, emitted like everything else */
enum { CHAINS = 16, PEAK_STEPS = 400000 };
typedef void Peak(float *out);

static void emit_peak(Jit *jit) {
    Emit *e = &jit->emit;
    LLVMValueRef function = jit_function(jit, "peak", "p", false);
    uint32_t lanes = e->target.vector_bytes / 4;
    LLVMTypeRef f32 = LLVMFloatTypeInContext(e->llvm), type = emit_lanes(f32, lanes);
    LLVMValueRef x = LLVMBuildLoad2(e->builder, type, LLVMGetParam(function, 0), ""), chain[CHAINS],
                 sum[CHAINS];
    LLVMSetAlignment(x, 4);
    LLVMBasicBlockRef entry = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(e->llvm, function, "loop");
    LLVMBasicBlockRef end = LLVMAppendBasicBlockInContext(e->llvm, function, "end");
    LLVMBuildBr(e->builder, loop);
    LLVMPositionBuilderAtEnd(e->builder, loop);
    LLVMValueRef zero = emit_i64(e, 0), i = LLVMBuildPhi(e->builder, LLVMTypeOf(zero), "");
    for (int c = 0; c < CHAINS; c++) {
        /* Chains that start apart stay apart. */
        LLVMValueRef start = LLVMConstBitCast(LLVMConstNull(type), type);
        chain[c] = LLVMBuildPhi(e->builder, type, "");
        LLVMAddIncoming(chain[c], &start, &entry, 1);
    }
    LLVMTypeRef types[] = {type};
    unsigned id = LLVMLookupIntrinsicID("llvm.fma", 8);
    LLVMValueRef fma = LLVMGetIntrinsicDeclaration(e->module, id, types, 1);
    LLVMTypeRef fma_type = LLVMIntrinsicGetType(e->llvm, id, types, 1);
    for (int c = 0; c < CHAINS; c++) {
        LLVMValueRef arguments[] = {x, c ? chain[c - 1] : x, chain[c]};
        sum[c] = LLVMBuildCall2(e->builder, fma_type, fma, arguments, 3, "");
    }
    LLVMValueRef next = LLVMBuildAdd(e->builder, i, emit_i64(e, 1), "");
    LLVMAddIncoming(i, &zero, &entry, 1);
    LLVMAddIncoming(i, &next, &loop, 1);
    for (int c = 0; c < CHAINS; c++) LLVMAddIncoming(chain[c], &sum[c], &loop, 1);
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntSLT, next, emit_i64(e, PEAK_STEPS), "");
    LLVMBuildCondBr(e->builder, more, loop, end);
    LLVMPositionBuilderAtEnd(e->builder, end);
    LLVMValueRef all = sum[0];
    for (int c = 1; c < CHAINS; c++) all = LLVMBuildFAdd(e->builder, all, sum[c], "");
    LLVMSetAlignment(LLVMBuildStore(e->builder, all, LLVMGetParam(function, 0)), 4);
    LLVMBuildRetVoid(e->builder);
}

static double peak_rate(Jit *jit, Peak *peak) {
    float memory[64] = {0};
    double since = now();
    peak(memory);
    return 2.0 * CHAINS * PEAK_STEPS * (jit->emit.target.vector_bytes / 4) / (now() - since) * 1e-9;
}

/* --- one shape */
typedef struct {
    const Shape *shape;
    Jit jit;
    ProductKernel *kernel;
    int64_t chunks, repeat;
    float *a, *b, *c;
    struct {
        void *memory;
        int64_t size;
    } scratch;
} Run;

static float *numbers(int64_t count) {
    float *x = aligned_alloc(64, (size_t)(count * 4 + 63) / 64 * 64);
    for (int64_t i = 0; i < count; i++) x[i] = (float)(i % 17) - 8;
    return x;
}

static double ours(Run *run) {
    double since = now();
    for (int64_t r = 0; r < run->repeat; r++)
        for (int64_t chunk = 0; chunk < run->chunks; chunk++)
            run->kernel(&run->scratch, run->a, run->b, run->c, NULL, chunk);
    return (now() - since) / (double)run->repeat;
}

static double theirs(Run *run) {
    const Shape *s = run->shape;
    double since = now();
    for (int64_t r = 0; r < run->repeat; r++)
        for (int64_t i = 0; i < s->batch; i++)
            cblas_sgemm(CblasRowMajor, s->a_transposed ? CblasTrans : CblasNoTrans,
                        s->b_transposed ? CblasTrans : CblasNoTrans, (int)s->m, (int)s->n, (int)s->k, 1,
                        run->a + i * s->m * s->k, (int)(s->a_transposed ? s->m : s->k),
                        run->b + i * s->n * s->k, (int)(s->b_transposed ? s->k : s->n), 0,
                        run->c + i * s->m * s->n, (int)s->n);
    return (now() - since) / (double)run->repeat;
}

static double work(const Shape *s) { return 2e-9 * (double)(s->batch * s->m * s->n * s->k); }

static void prepare(Run *run, const Shape *s) {
    ProductCase c = product_case(DTYPE_f32, s->batch, s->m, s->n, s->k, s->a_transposed, s->b_transposed);
    *run = (Run){.shape = s,
                 .a = numbers(s->batch * s->m * s->k),
                 .b = numbers(s->batch * s->k * s->n),
                 .c = numbers(s->batch * s->m * s->n),
                 .repeat = 1};
    jit_open(&run->jit, 3, NULL);
    if (getenv("SCHEDULE")) product_print(&run->jit, &c, stdout);
    product_emit(&run->jit, &c, false);
    emit_peak(&run->jit);
    jit_load(&run->jit, getenv("ASSEMBLY"));
    run->kernel = (ProductKernel *)jit_find(&run->jit, "kernel");
    run->chunks = ((ProductChunks *)jit_find(&run->jit, "chunks"))(NULL);
    double once = ours(run);
    once = ours(run);
    run->repeat = once < 1e-3 ? (int64_t)(1e-3 / once) + 1 : 1;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static void measure(const Shape *s, int rounds) {
    Run run;
    double us[64], blas[64], peaks[64];
    prepare(&run, s);
    Peak *peak = (Peak *)jit_find(&run.jit, "peak");
    for (int r = 0; r < rounds; r++) {
        peaks[r] = peak_rate(&run.jit, peak);
        us[r] = ours(&run);
        blas[r] = getenv("NOBLAS") ? 1 : theirs(&run);
    }
    double top = median(peaks, rounds), mine = work(s) / median(us, rounds),
           other = work(s) / median(blas, rounds);
    double best = work(s) / us[0] / peaks[rounds - 1]; /* sorted by now */
    printf("| %-18s | %3" PRId64 " | %6.1f | %3.0f%% | %3.0f%% | %6.1f | %3.0f%% | %6.1f |\n", s->name,
           run.chunks, mine, 100 * mine / top, 100 * best, other, 100 * other / top, top);
    fflush(stdout);
    free(run.a), free(run.b), free(run.c), free(run.scratch.memory);
    jit_close(&run.jit);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    openblas_set_num_threads(1);
    printf("| M x N x K          | chunks | GFLOP/s | of peak | best of best | OpenBLAS | of peak | peak "
           "|\n| --- | --- | --- "
           "| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (argc < 3 || strstr(shapes[i].name, argv[2]))
            measure(&shapes[i], rounds < 1 ? 1 : rounds > 64 ? 64 : rounds);
    return 0;
}
