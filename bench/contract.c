/* Measures emitted products and convolutions on one thread against OpenBLAS, oneDNN and the machine's own
 * peak, interleaved; prints medians.
 *
 *     contract-bench [ROUNDS] [NAME-PART]     of the shapes below
 *     contract-bench ROUNDS -s SHAPE…         of others
 *     contract-bench ROUNDS -r SEED COUNT     of products of random sizes
 *
 * A shape is "24 256x64x256 NN"; or "conv 28 24>40 5x5 /2" and "depthwise 28 x40" in inference, "8 conv 28
 * 24>40" in training, its gradients " dX" and " dW8", the sum over pictures in 8 parts.
 *
 * With SCHEDULE in the environment it prints how each product is computed; PLAN, such as "lanes=8 rows=6
 * pack_b" (as tune files have it, docs/command-line.md), is how instead; ASSEMBLY names a file for the code
 * of the last; CPU is the processor to compile for; DTYPE is ours instead of f32, the libraries' and the
 * peak's dtype; ALONE leaves the libraries out. Times are of the thread's own clock, so that other work on
 * the machine disturbs less. */
#include "onednn.h"
#include "tests/unit/product.h"
#include <cblas.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

extern void openblas_set_num_threads(int threads);
extern void omp_set_num_threads(int threads); /* oneDNN's */

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
    {"29x1274x1176 NN", 1, 29, 1274, 1176, false, false},
    {"48x366x368 NN", 1, 48, 366, 368, false, false},
    {"165x46x1565 NT", 1, 165, 46, 1565, false, true},
    {"1625x1686x8 NT", 1, 1625, 1686, 8, false, true},
    {"1009x8x18 NN", 1, 1009, 8, 18, false, false},
    {"120x2x791 NN", 1, 120, 2, 791, false, false},
    {"3x205x1713 NT", 1, 3, 205, 1713, false, true},
    {"33 8x148x464 NT", 33, 8, 148, 464, false, true},
    {"96 32x128x128 NN", 96, 32, 128, 128, false, false},
    {"64 256x64x64 TN", 64, 256, 64, 64, true, false},
};

/* --- convolutions, as programs compute them: zeros around pictures are neither read nor multiplied, but by
 * the gradient of the weights, for which the picture is stored with them. Channels are last, but in the
 * program's input and where each has a filter of its own; in inference, of one picture, weights lie in
 * panels.
 */
typedef enum { INFERENCE, FORWARD, OF_WEIGHTS, OF_INPUT } Pass;

typedef struct {
    const char *name;
    Pass pass;
    int64_t parts; /* that the sum over pictures is computed in (passes/split.c) */
    OnednnConvolution sizes;
} Convolution;

static const Convolution convolutions[] = {
    {"conv 56 64>64", INFERENCE, 1, {1, 1, 64, 64, 56, 3, 1}},
    {"conv 28 128>128", INFERENCE, 1, {1, 1, 128, 128, 28, 3, 1}},
    {"conv 14 256>256", INFERENCE, 1, {1, 1, 256, 256, 14, 3, 1}},
    {"conv 7 512>512", INFERENCE, 1, {1, 1, 512, 512, 7, 3, 1}},
    {"conv 112 3>64 7x7", INFERENCE, 1, {1, 1, 3, 64, 112, 7, 2}},
    {"conv 14 256>1024 1x1", INFERENCE, 1, {1, 1, 256, 1024, 14, 1, 1}},
    {"depthwise 56 x64", INFERENCE, 1, {1, 64, 1, 1, 56, 3, 1}},
    {"depthwise 56 x96 /2", INFERENCE, 1, {1, 96, 1, 1, 56, 3, 2}},
    {"depthwise 28 x144 5x5", INFERENCE, 1, {1, 144, 1, 1, 28, 5, 1}},
    {"depthwise 14 x576", INFERENCE, 1, {1, 576, 1, 1, 14, 3, 1}},
    {"depthwise 7 x960", INFERENCE, 1, {1, 960, 1, 1, 7, 3, 1}},
    {"depthwise 56 x96 7x7", INFERENCE, 1, {1, 96, 1, 1, 56, 7, 1}},
    {"depthwise 16 x768 7x7", INFERENCE, 1, {1, 768, 1, 1, 16, 7, 1}},
    {"depthwise 14 x384 7x7", INFERENCE, 1, {1, 384, 1, 1, 14, 7, 1}},
    {"depthwise 7 x768 7x7", INFERENCE, 1, {1, 768, 1, 1, 7, 7, 1}},
    {"depthwise 28 x144 /2", INFERENCE, 1, {1, 144, 1, 1, 28, 3, 2}},
    {"depthwise 14 x576 5x5", INFERENCE, 1, {1, 576, 1, 1, 14, 5, 1}},
    {"depthwise 7 x576 /2", INFERENCE, 1, {1, 576, 1, 1, 7, 3, 2}},
    {"8 conv 112 3>64 7x7", FORWARD, 1, {8, 1, 3, 64, 112, 7, 2}},
    {"8 conv 112 3>64 dW", OF_WEIGHTS, 8, {8, 1, 3, 64, 112, 7, 2}},
    {"8 conv 56 64>64", FORWARD, 1, {8, 1, 64, 64, 56, 3, 1}},
    {"8 conv 56 64>64 dW", OF_WEIGHTS, 8, {8, 1, 64, 64, 56, 3, 1}},
    {"8 conv 56 64>64 dX", OF_INPUT, 1, {8, 1, 64, 64, 56, 3, 1}},
    {"8 conv 28 128>128", FORWARD, 1, {8, 1, 128, 128, 28, 3, 1}},
    {"8 conv 28 128>128 dW", OF_WEIGHTS, 1, {8, 1, 128, 128, 28, 3, 1}},
    {"8 conv 28 128>128 dX", OF_INPUT, 1, {8, 1, 128, 128, 28, 3, 1}},
    {"8 conv 14 256>1024 1x1", FORWARD, 1, {8, 1, 256, 1024, 14, 1, 1}},
    {"8 conv 14 256>1024 dW", OF_WEIGHTS, 1, {8, 1, 256, 1024, 14, 1, 1}},
    {"8 conv 14 256>1024 dX", OF_INPUT, 1, {8, 1, 256, 1024, 14, 1, 1}},
    {"64 conv 28 1>16", FORWARD, 1, {64, 1, 1, 16, 28, 3, 1}},
    {"64 conv 28 1>16 dW", OF_WEIGHTS, 16, {64, 1, 1, 16, 28, 3, 1}},
    {"64 conv 28 16>16", FORWARD, 1, {64, 1, 16, 16, 28, 3, 1}},
    {"64 conv 28 16>16 dW", OF_WEIGHTS, 16, {64, 1, 16, 16, 28, 3, 1}},
    {"64 conv 28 16>16 dX", OF_INPUT, 1, {64, 1, 16, 16, 28, 3, 1}},
    {"64 conv 14 16>32 /2", FORWARD, 1, {64, 1, 16, 32, 14, 3, 2}},
    {"64 conv 14 16>32 /2 dW", OF_WEIGHTS, 16, {64, 1, 16, 32, 14, 3, 2}},
    {"64 conv 14 32>32", FORWARD, 1, {64, 1, 32, 32, 14, 3, 1}},
    {"64 conv 14 32>32 dW", OF_WEIGHTS, 8, {64, 1, 32, 32, 14, 3, 1}},
    {"64 conv 14 32>32 dX", OF_INPUT, 1, {64, 1, 32, 32, 14, 3, 1}},
    {"64 conv 7 64>64", FORWARD, 1, {64, 1, 64, 64, 7, 3, 1}},
    {"64 conv 7 64>64 dW", OF_WEIGHTS, 1, {64, 1, 64, 64, 7, 3, 1}},
    {"64 conv 7 64>64 dX", OF_INPUT, 1, {64, 1, 64, 64, 7, 3, 1}},
    {"64 conv 28 24>24", FORWARD, 1, {64, 1, 24, 24, 28, 3, 1}},
    {"64 conv 28 24>24 dW", OF_WEIGHTS, 16, {64, 1, 24, 24, 28, 3, 1}},
    {"64 conv 28 24>24 dX", OF_INPUT, 1, {64, 1, 24, 24, 28, 3, 1}},
    {"64 conv 14 20>50", FORWARD, 1, {64, 1, 20, 50, 14, 3, 1}},
    {"64 conv 14 20>50 dW", OF_WEIGHTS, 8, {64, 1, 20, 50, 14, 3, 1}},
    {"64 conv 14 20>50 dX", OF_INPUT, 1, {64, 1, 20, 50, 14, 3, 1}},
    {"32 depthwise 16 x96 dW", OF_WEIGHTS, 1, {32, 96, 1, 1, 16, 3, 1}},
    {"16 depthwise 16 x48 7x7 dW", OF_WEIGHTS, 1, {16, 48, 1, 1, 16, 7, 1}},
    {"32 depthwise 8 x160 dW", OF_WEIGHTS, 1, {32, 160, 1, 1, 8, 3, 1}},
    {"32 depthwise 16 x64 /2 dW", OF_WEIGHTS, 1, {32, 64, 1, 1, 16, 3, 2}},
    {"8 depthwise 56 x64 dW", OF_WEIGHTS, 1, {8, 64, 1, 1, 56, 3, 1}},
};

enum { PANEL = 32, COLOURS = 3, LINE = 16 }; /* channels */

/* Strides of pictures. */
typedef struct {
    int64_t sample, channel, row, column;
} Picture;

static Picture picture_of(const OnednnConvolution *s, int64_t channels, int64_t side) {
    int64_t all = s->groups * channels, field = side * side;
    bool last = s->groups == 1 && channels > COLOURS;
    return last ? (Picture){all * field, 1, side * all, all} : (Picture){all * field, field, side, 1};
}

static void push(ProductCase *c, char role, int64_t extent, int64_t a, int64_t b, int64_t out) {
    if (extent > 1) c->axis[c->count++] = (CaseAxis){role, extent, a, b, out, false, false};
}

/* A picture's places; those of 1 x 1 by strides of 1 follow each other. */
static void push_places(ProductCase *c, char role, const OnednnConvolution *s, Picture x, Picture y) {
    bool of_a = role == 'm', one = s->kernel == 1 && s->stride == 1;
    int64_t rows = one ? 1 : s->size, columns = one ? s->size * s->size : s->size;
    int64_t row = s->stride * x.row, column = s->stride * x.column;
    push(c, role, rows, of_a ? row : 0, of_a ? 0 : row, y.row);
    push(c, role, columns, of_a ? column : 0, of_a ? 0 : column, y.column);
}

/* Zeros around the places whose rows are axis `rows` of the product, before all of k are there; `window`: the
 * axis of k that is the window's rows. */
static void leave_zeros_out(ProductCase *c, uint32_t rows, uint32_t window, const OnednnConvolution *s) {
    if (s->kernel == 1) return;
    for (uint32_t i = 0; i < 2; i++)
        c->edge[c->edge_count++] = (ContractEdge){.place_axis = rows + i,
                                                  .k_axis = window + i,
                                                  .stride = s->stride,
                                                  .dilation = 1,
                                                  .low = s->kernel / 2,
                                                  .extent = s->size * s->stride};
}

/* out[b, h, w, o] = Σ x[b, h·s + i, w·s + j, c] · w[panel, i, j, c, o], or by w[panel, c, i, j, o] where
 * there are few channels */
static ProductCase inference_case(const OnednnConvolution *s) {
    Picture x = picture_of(s, s->channels, s->size * s->stride), y = picture_of(s, s->outputs, s->size);
    int64_t panel = s->outputs < PANEL ? s->outputs : PANEL, window = s->kernel * s->kernel,
            depth = s->channels * window;
    bool last = s->channels >= LINE;
    int64_t within = panel * (last ? s->channels : 1); /* from column to column of the window */
    ProductCase c = {.dtype = DTYPE_f32};
    push(&c, 'm', s->batch, x.sample, 0, y.sample);
    leave_zeros_out(&c, c.count, !last && s->channels > 1, s);
    push_places(&c, 'm', s, x, y);
    push(&c, 'n', s->outputs / panel, 0, panel * depth, panel * y.channel);
    push(&c, 'n', panel, 0, 1, y.channel);
    if (!last) push(&c, 'k', s->channels, x.channel, panel * window, 0);
    push(&c, 'k', s->kernel, x.row, within * s->kernel, 0);
    push(&c, 'k', s->kernel, x.column, within, 0);
    if (last) push(&c, 'k', s->channels, x.channel, panel, 0);
    return c;
}

/* out[g, h, w] = Σ w[g, i, j] · x[g, h·s + i, w·s + j] */
static ProductCase depthwise_case(const OnednnConvolution *s) {
    Picture x = picture_of(s, 1, s->size * s->stride), y = picture_of(s, 1, s->size);
    ProductCase c = {.dtype = DTYPE_f32};
    push(&c, 'b', s->groups, s->kernel * s->kernel, x.channel, y.channel);
    leave_zeros_out(&c, c.count, 0, s);
    push_places(&c, 'n', s, x, y);
    push(&c, 'k', s->kernel, s->kernel, x.row, 0);
    push(&c, 'k', s->kernel, 1, x.column, 0);
    return c;
}

/* The same, of one group, by weights as they lie; or, where the stride is 1, the gradient by the input, which
 * is the same with the channels exchanged: the order of the windows doesn't matter here. */
static ProductCase training_case(Pass pass, const OnednnConvolution *s) {
    int64_t window = s->kernel * s->kernel, w_in = window, w_out = s->channels * window;
    int64_t in = s->channels, out = s->outputs, side = s->size * s->stride + 2 * (s->kernel / 2);
    if (pass == OF_INPUT)
        in = s->outputs, out = s->channels, w_in = s->channels * window, w_out = window, side = s->size;
    Picture x = picture_of(s, in, side), y = picture_of(s, out, s->size);
    ProductCase c = {.dtype = DTYPE_f32};
    push(&c, 'm', s->batch, x.sample, 0, y.sample);
    leave_zeros_out(&c, c.count, in > 1, s);
    push_places(&c, 'm', s, x, y);
    push(&c, 'n', out, 0, w_out, y.channel);
    push(&c, 'k', in, x.channel, w_in, 0);
    push(&c, 'k', s->kernel, x.row, s->kernel, 0);
    push(&c, 'k', s->kernel, x.column, 1, 0);
    return c;
}

/* By the weights: Σ out[b, g, o, h, w] · x[…] over b, h, w; with channels last where the pictures have them
 * so. */
static ProductCase weights_case(int64_t parts, const OnednnConvolution *s) {
    int64_t side = s->size * s->stride + 2 * (s->kernel / 2), batch = s->batch / parts;
    Picture x = picture_of(s, s->channels, side), y = picture_of(s, s->outputs, s->size);
    int64_t window = s->kernel * s->kernel, one = s->outputs * s->channels * window;
    bool last = x.channel == 1;
    int64_t place = last ? s->channels : 1;
    ProductCase c = {.dtype = DTYPE_f32};
    push(&c, 'b', parts, batch * y.sample, batch * x.sample, s->groups * one);
    push(&c, 'b', s->groups, s->outputs * y.channel, s->channels * x.channel, one);
    push(&c, 'm', s->outputs, y.channel, 0, s->channels * window);
    if (!last) push(&c, 'n', s->channels, 0, x.channel, window);
    push(&c, 'n', s->kernel, 0, x.row, s->kernel * place);
    push(&c, 'n', s->kernel, 0, x.column, place);
    if (last) push(&c, 'n', s->channels, 0, 1, 1);
    push(&c, 'k', batch, y.sample, x.sample, 0);
    push(&c, 'k', s->size, y.row, s->stride * x.row, 0);
    push(&c, 'k', s->size, y.column, s->stride * x.column, 0);
    return c;
}

static ProductCase convolution_case(const Convolution *c) {
    if (c->pass == INFERENCE)
        return c->sizes.groups > 1 ? depthwise_case(&c->sizes) : inference_case(&c->sizes);
    return c->pass == OF_WEIGHTS ? weights_case(c->parts, &c->sizes) : training_case(c->pass, &c->sizes);
}

static OnednnPass onednn_pass(Pass pass) {
    return pass == OF_WEIGHTS ? ONEDNN_OF_WEIGHTS : pass == OF_INPUT ? ONEDNN_OF_INPUT : ONEDNN_FORWARD;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- the peak: independent multiply-adds, emitted like everything else */
enum { MAX_CHAINS = 16, PEAK_STEPS = 400000 };

/* As many as hide the latency and fit into the registers. */
static int chains_of(const Target *target) { return target->vector_registers < 32 ? 12 : MAX_CHAINS; }

typedef void Peak(float *out);

static void emit_peak(Jit *jit) {
    Emit *e = &jit->emit;
    LLVMValueRef function = jit_function(jit, "peak", "p", false);
    uint32_t lanes = e->target.vector_bytes / 4;
    int chains = chains_of(&e->target);
    LLVMTypeRef f32 = LLVMFloatTypeInContext(e->llvm), type = emit_lanes(f32, lanes);
    LLVMValueRef x = LLVMBuildLoad2(e->builder, type, LLVMGetParam(function, 0), ""), chain[MAX_CHAINS],
                 sum[MAX_CHAINS];
    LLVMSetAlignment(x, 4);
    LLVMBasicBlockRef entry = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(e->llvm, function, "loop");
    LLVMBasicBlockRef end = LLVMAppendBasicBlockInContext(e->llvm, function, "end");
    LLVMBuildBr(e->builder, loop);
    LLVMPositionBuilderAtEnd(e->builder, loop);
    LLVMValueRef zero = emit_i64(e, 0), i = LLVMBuildPhi(e->builder, LLVMTypeOf(zero), "");
    for (int c = 0; c < chains; c++) {
        /* Chains that start apart stay apart. */
        LLVMValueRef start = LLVMConstBitCast(LLVMConstNull(type), type);
        chain[c] = LLVMBuildPhi(e->builder, type, "");
        LLVMAddIncoming(chain[c], &start, &entry, 1);
    }
    LLVMTypeRef types[] = {type};
    unsigned id = LLVMLookupIntrinsicID("llvm.fma", 8);
    LLVMValueRef fma = LLVMGetIntrinsicDeclaration(e->module, id, types, 1);
    LLVMTypeRef fma_type = LLVMIntrinsicGetType(e->llvm, id, types, 1);
    for (int c = 0; c < chains; c++) {
        LLVMValueRef arguments[] = {x, c ? chain[c - 1] : x, chain[c]};
        sum[c] = LLVMBuildCall2(e->builder, fma_type, fma, arguments, 3, "");
    }
    LLVMValueRef next = LLVMBuildAdd(e->builder, i, emit_i64(e, 1), "");
    LLVMAddIncoming(i, &zero, &entry, 1);
    LLVMAddIncoming(i, &next, &loop, 1);
    for (int c = 0; c < chains; c++) LLVMAddIncoming(chain[c], &sum[c], &loop, 1);
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntSLT, next, emit_i64(e, PEAK_STEPS), "");
    LLVMBuildCondBr(e->builder, more, loop, end);
    LLVMPositionBuilderAtEnd(e->builder, end);
    LLVMValueRef all = sum[0];
    for (int c = 1; c < chains; c++) all = LLVMBuildFAdd(e->builder, all, sum[c], "");
    LLVMSetAlignment(LLVMBuildStore(e->builder, all, LLVMGetParam(function, 0)), 4);
    LLVMBuildRetVoid(e->builder);
}

static double peak_rate(Jit *jit, Peak *peak) {
    float memory[64] = {0};
    double since = now();
    peak(memory);
    return 2.0 * chains_of(&jit->emit.target) * PEAK_STEPS * (jit->emit.target.vector_bytes / 4) /
           (now() - since) * 1e-9;
}

/* --- one shape */
typedef struct {
    const char *name;
    ProductCase product;
    const Shape *shape; /* or NULL: a convolution */
    Onednn *onednn;     /* or NULL: a product */
    Jit jit;
    ProductKernel *kernel;
    int64_t chunks, repeat;
    float *a, *b, *c;
    struct {
        void *memory;
        int64_t size;
    } scratch;
} Run;

/* As the runtime places tensors: on huge pages where they are large. */
static void *place(size_t bytes) {
    enum { HUGE_PAGE = 1 << 21 };
    size_t alignment = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : 64,
           rounded = (bytes + alignment) / alignment * alignment;
    void *data = aligned_alloc(alignment, rounded);
    if (data && alignment == HUGE_PAGE) madvise(data, rounded, MADV_HUGEPAGE);
    return data;
}

static float *numbers(int64_t count) {
    float *x = place((size_t)count * 4);
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

static double onednn(Run *run) {
    const Shape *s = run->shape;
    double since = now();
    for (int64_t r = 0; r < run->repeat; r++) {
        if (run->onednn) onednn_run(run->onednn);
        for (int64_t i = 0; s && i < s->batch; i++)
            onednn_product(&(OnednnProduct){s->m, s->n, s->k, s->a_transposed, s->b_transposed},
                           run->a + i * s->m * s->k, run->b + i * s->n * s->k, run->c + i * s->m * s->n);
    }
    return (now() - since) / (double)run->repeat;
}

static double openblas(Run *run) {
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

static double work(const ProductCase *c) {
    double work = 2e-9;
    for (uint32_t i = 0; i < c->count; i++) work *= (double)c->axis[i].extent;
    return work;
}

/* Elements of each operand: 1 + the greatest offset. */
static void spans(const ProductCase *c, int64_t *span) {
    span[0] = span[1] = span[2] = 1;
    for (uint32_t i = 0; i < c->count; i++) {
        const CaseAxis *x = &c->axis[i];
        span[0] += (x->extent - 1) * x->a, span[1] += (x->extent - 1) * x->b;
        span[2] += (x->extent - 1) * x->c;
    }
}

/* By the schedule of `text`, as tune files have it, rather than by the cost model's. */
static void prescribe(Run *run, const char *text) {
    ContractShape ways[2];
    ContractSchedule plan = {.lanes = 0};
    ProductUse use;
    product_examine(&run->jit, &run->product, ways, &use);
    const char *error = contract_schedule_parse(text, strlen(text), &plan, run->jit.emit.arena);
    if (error) {
        fprintf(stderr, "contract-bench: PLAN: %s\n", error);
        exit(2);
    }
    product_prescribe(&run->jit, use.text, &plan);
}

static void prepare(Run *run) {
    int64_t span[3];
    const char *dtype = getenv("DTYPE");
    if (dtype && !dtype_from_name(dtype, strlen(dtype), &run->product.dtype)) {
        fprintf(stderr, "contract-bench: DTYPE: `%s` is none\n", dtype);
        exit(2);
    }
    spans(&run->product, span);
    run->a = numbers(span[0]), run->b = numbers(span[1]), run->c = numbers(span[2]);
    run->repeat = 1;
    jit_open(&run->jit, 3, getenv("CPU"));
    if (getenv("PLAN")) prescribe(run, getenv("PLAN"));
    if (getenv("SCHEDULE")) product_print(&run->jit, &run->product, stdout);
    product_emit(&run->jit, &run->product, false);
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

/* A rate and the share of the peak that it is, or a dash where there is none. */
static void print_rate(double rate, double top) {
    if (rate > 0)
        printf(" %6.1f | %3.0f%% |", rate, 100 * rate / top);
    else
        printf("      – |    – |");
}

/* Prints a line; the time of the faster library by ours. */
static double measure(Run run, int rounds) {
    enum { SIDES = 4 };
    double times[SIDES][64]; /* the peak's are rates */
    prepare(&run);
    Peak *peak = (Peak *)jit_find(&run.jit, "peak");
    bool alone = getenv("ALONE");
    if (!alone) onednn(&run); /* what it makes at the first call */
    for (int r = 0; r < rounds; r++) {
        times[0][r] = peak_rate(&run.jit, peak);
        times[1][r] = ours(&run);
        times[2][r] = alone || !run.shape ? INFINITY : openblas(&run);
        times[3][r] = alone ? INFINITY : onednn(&run);
    }
    double top = median(times[0], rounds), flops = work(&run.product), time[SIDES];
    printf("| %-22s | %3" PRId64 " |", run.name, run.chunks);
    for (int side = 1; side < SIDES; side++) {
        time[side] = median(times[side], rounds);
        print_rate(flops / time[side], top);
    }
    double best = flops / times[1][0] / times[0][rounds - 1]; /* sorted by now */
    printf(" %3.0f%% | %6.1f |\n", 100 * best, top);
    fflush(stdout);
    if (run.onednn) onednn_close(run.onednn);
    free(run.a), free(run.b), free(run.c), free(run.scratch.memory);
    jit_close(&run.jit);
    return fmin(time[2], time[3]) / time[1];
}

static double measure_shape(const Shape *s, int rounds) {
    ProductCase c = product_case(DTYPE_f32, s->batch, s->m, s->n, s->k, s->a_transposed, s->b_transposed);
    return measure((Run){.name = s->name, .product = c, .shape = s}, rounds);
}

/* --- products of random sizes */
enum { GREATEST_SIZE = 2000, GREATEST_BATCH = 64 };

/* In [0, 1): a linear congruential generator, whose upper bits are the better ones. */
static double uniform(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

/* Logarithms are spread evenly; half of the sizes are multiples of 8. */
static int64_t random_size(uint64_t *state, double greatest) {
    int64_t size = (int64_t)exp(log(greatest + 1) * uniform(state));
    return uniform(state) < 0.5 ? (size + 7) / 8 * 8 : size;
}

/* Of 0.2 to 2000 million operations. */
static Shape random_shape(uint64_t *state) {
    for (;;) {
        Shape s = {.batch = uniform(state) < 0.75 ? 1 : random_size(state, GREATEST_BATCH)};
        s.m = random_size(state, GREATEST_SIZE), s.n = random_size(state, GREATEST_SIZE);
        s.k = random_size(state, GREATEST_SIZE);
        double form = uniform(state), all = 2.0 * (double)(s.batch * s.m) * (double)(s.n * s.k);
        s.a_transposed = form > 0.67, s.b_transposed = form < 0.33;
        if (all > 2e5 && all < 2e9) return s;
    }
}

static int measure_random(uint64_t seed, int count, int rounds) {
    double sum = 0, least = INFINITY;
    int slower = 0;
    for (int i = 0; i < count; i++) {
        char name[64];
        Shape s = random_shape(&seed);
        snprintf(name, sizeof name, "%" PRId64 " %" PRId64 "x%" PRId64 "x%" PRId64 " %c%c", s.batch, s.m, s.n,
                 s.k, s.a_transposed ? 'T' : 'N', s.b_transposed ? 'T' : 'N');
        s.name = name;
        double ratio = measure_shape(&s, rounds);
        sum += log(ratio), least = fmin(least, ratio), slower += ratio < 0.95;
    }
    printf("The faster library's time by ours: %.2f in the geometric mean, %.2f at least, below 0.95 for %d "
           "of %d\n",
           exp(sum / count), least, slower, count);
    return 0;
}

static bool parse_shape(const char *text, Shape *s) {
    char a = 0, b = 0;
    *s = (Shape){.name = text, .batch = 1};
    int found = sscanf(text, "%" SCNd64 "x%" SCNd64 "x%" SCNd64 " %c%c", &s->m, &s->n, &s->k, &a, &b);
    if (found != 5)
        found = sscanf(text, "%" SCNd64 " %" SCNd64 "x%" SCNd64 "x%" SCNd64 " %c%c", &s->batch, &s->m, &s->n,
                       &s->k, &a, &b) -
                1;
    s->a_transposed = a == 'T', s->b_transposed = b == 'T';
    return found == 5 && s->batch > 0 && s->m > 0 && s->n > 0 && s->k > 0;
}

static void measure_convolution(const Convolution *c, int rounds) {
    measure((Run){.name = c->name,
                  .product = convolution_case(c),
                  .onednn = onednn_open(&c->sizes, onednn_pass(c->pass))},
            rounds);
}

/* Reads sizes and channels; what follows these, or NULL. */
static const char *parse_channels(const char *at, OnednnConvolution *s) {
    int length = 0;
    if (sscanf(at, "depthwise %" SCNd64 " x%" SCNd64 "%n", &s->size, &s->groups, &length) == 2)
        return at + length;
    sscanf(at, "conv %" SCNd64 " %" SCNd64 ">%" SCNd64 "%n", &s->size, &s->channels, &s->outputs, &length);
    return length ? at + length : NULL;
}

static bool parse_convolution(const char *text, Convolution *c) {
    OnednnConvolution s = {.batch = 1, .groups = 1, .channels = 1, .outputs = 1, .kernel = 3, .stride = 1};
    const char *at = strpbrk(text, "cd"), *option;
    if (!at || (at > text && sscanf(text, "%" SCNd64, &s.batch) != 1)) return false;
    bool one = at == text;
    if (!(at = parse_channels(at, &s))) return false;
    if ((option = strchr(at, 'x'))) s.kernel = option[1] - '0';
    if ((option = strchr(at, '/'))) s.stride = option[1] - '0';
    *c = (Convolution){text, one || s.groups > 1 ? INFERENCE : FORWARD, 1, s};
    if (strstr(at, "dX")) c->pass = OF_INPUT;
    if ((option = strstr(at, "dW"))) c->pass = OF_WEIGHTS, c->parts = option[2] ? atoi(option + 2) : 1;
    bool panels = c->pass != INFERENCE || s.outputs < PANEL || s.outputs % PANEL == 0;
    bool whole = panels && c->parts > 0 && s.batch % c->parts == 0 && (c->pass != OF_INPUT || s.stride == 1);
    return whole && s.batch > 0 && s.size > 0 && s.channels > 0 && s.outputs > 0 && s.kernel % 2 &&
           s.stride > 0;
}

static int measure_given(int count, char **texts, int rounds) {
    for (int i = 0; i < count; i++) {
        Shape s;
        Convolution c;
        if (parse_shape(texts[i], &s))
            measure_shape(&s, rounds);
        else if (parse_convolution(texts[i], &c))
            measure_convolution(&c, rounds);
        else {
            fprintf(
                stderr,
                "contract-bench: '%s' is no shape such as \"24 256x64x256 NT\" or \"8 conv 28 24>40 dX\"\n",
                texts[i]);
            return 2;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    const char *part = argc > 2 ? argv[2] : "";
    rounds = rounds < 1 ? 1 : rounds > 64 ? 64 : rounds;
    openblas_set_num_threads(1);
    omp_set_num_threads(1);
    printf("| M x N x K              | chunks | GFLOP/s | of peak | OpenBLAS | of peak | oneDNN | of peak | "
           "best of best "
           "| peak |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    if (strcmp(part, "-s") == 0) return measure_given(argc - 3, argv + 3, rounds);
    if (strcmp(part, "-r") == 0 && argc == 5 && atoi(argv[4]) > 0)
        return measure_random(strtoull(argv[3], NULL, 10), atoi(argv[4]), rounds);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strstr(shapes[i].name, part)) measure_shape(&shapes[i], rounds);
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
        if (strstr(convolutions[i].name, part)) measure_convolution(&convolutions[i], rounds);
    }
    return 0;
}
