/* Emitted products against naive ones: sizes around every edge, layouts, batches, run-time sizes, element
 * types. Operands are small integers, so that every order of summation gives the same result; kernels add to
 * C, so that an element stored twice or never shows. */
#include "product_check.h"
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_on(const ProductCase *c, int optimize, const char *cpu) {
    Jit jit;
    jit_open(&jit, optimize, cpu);
    product_emit(&jit, c, true);
    jit_load(&jit, NULL);
    product_check(&jit, c);
    jit_close(&jit);
}

static void check(const ProductCase *c) { check_on(c, 1, NULL); }

/* One kernel with run-time m, n, k and batch, many sizes. */
static void check_sizes(DType dtype, bool a_transposed, bool b_transposed, const char *cpu) {
    static const int64_t size[][4] = {{1, 1, 1, 1},    {1, 2, 3, 4},    {1, 5, 17, 9},    {2, 7, 64, 16},
                                      {1, 13, 65, 33}, {3, 6, 31, 7},   {1, 64, 128, 40}, {1, 0, 5, 5},
                                      {1, 5, 0, 5},    {1, 5, 5, 0},    {0, 5, 5, 5},     {1, 23, 100, 1},
                                      {1, 1, 300, 50}, {1, 50, 1, 300}, {5, 3, 3, 3},     {1, 200, 130, 70}};
    Jit jit;
    jit_open(&jit, 1, cpu);
    ProductCase c = product_case(dtype, 1, 1, 1, 1, a_transposed, b_transposed);
    for (uint32_t i = 0; i < 4; i++) {
        c.axis[i].run_time = true;
        c.axis[i].strides = true;
    }
    /* What is contiguous is known to be. */
    ProductCase probe = product_case(dtype, 1, 7, 7, 7, a_transposed, b_transposed);
    for (uint32_t i = 0; i < 4; i++)
        c.axis[i].a = probe.axis[i].a, c.axis[i].b = probe.axis[i].b, c.axis[i].c = probe.axis[i].c;
    for (uint32_t i = 0; i < 4; i++) c.axis[i].strides = c.axis[i].a != 1 && c.axis[i].b != 1;
    c.axis[3].strides = true;
    c.run_time_results = true;
    product_emit(&jit, &c, true);
    jit_load(&jit, NULL);
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++) {
        ProductCase now =
            product_case(dtype, size[i][0], size[i][1], size[i][2], size[i][3], a_transposed, b_transposed);
        product_check(&jit, &now);
    }
    jit_close(&jit);
}

Test(contract, known_sizes) {
    static const int64_t m[] = {1, 2, 5, 6, 7, 13, 64}, n[] = {1, 3, 8, 10, 16, 17, 33, 64, 71, 130},
                         k[] = {0, 1, 7, 16, 35};
    for (uint32_t i = 0; i < sizeof m / sizeof *m; i++)
        for (uint32_t j = 0; j < sizeof n / sizeof *n; j++)
            for (uint32_t l = 0; l < sizeof k / sizeof *k; l++) {
                uint32_t layout = (i + j + l) % 4;
                ProductCase c = product_case(DTYPE_f32, 1, m[i], n[j], k[l], layout & 1, layout & 2);
                check(&c);
            }
}

Test(contract, run_time_sizes) {
    for (uint32_t layout = 0; layout < 4; layout++) check_sizes(DTYPE_f32, layout & 1, layout & 2, NULL);
}

Test(contract, element_types) {
    static const DType dtypes[] = {DTYPE_f64, DTYPE_f16, DTYPE_bf16, DTYPE_i64,
                                   DTYPE_i32, DTYPE_i16, DTYPE_i8,   DTYPE_u8};
    for (uint32_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        for (uint32_t layout = 0; layout < 4; layout++) {
            ProductCase c = product_case(dtypes[i], 2, 13, 37, 21, layout & 1, layout & 2);
            check(&c);
        }
}

Test(contract, large_sizes_are_blocked_and_cut) {
    static const int64_t size[][3] = {{70, 300, 1300}, {300, 1024, 64}, {64, 784, 128}, {130, 200, 2000},
                                      {1, 1000, 600},  {3, 100, 5000},  {70, 70, 2500}, {1024, 70, 70}};
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t layout = 0; layout < 4; layout++) {
            ProductCase c =
                product_case(DTYPE_f32, 1, size[i][0], size[i][1], size[i][2], layout & 1, layout & 2);
            check(&c);
        }
}

/* Few rows against a transposed B that the caches don't hold, which is read column after column. */
Test(contract, few_rows_and_a_far_operand) {
    static const DType dtypes[] = {DTYPE_f32, DTYPE_f64, DTYPE_bf16, DTYPE_i32};
    static const char *const cpus[] = {NULL, "x86-64-v3", "x86-64"};
    for (uint32_t turn = 0; turn < 24; turn++) {
        ProductCase c =
            product_case(dtypes[turn % 4], 1, 1 + turn % 5, 1037 + turn, 517 - 3 * turn, false, true);
        c.axis[1].run_time = turn % 7 == 0, c.axis[2].run_time = turn % 11 == 0;
        check_on(&c, 1, cpus[turn % 3]);
    }
}

/* Few columns, or few rows: lanes along k, or along the longer side with transposed tiles. Every remainder of
 * rows, columns and k; run-time rows; element types; targets. */
Test(contract, narrow_sizes) {
    static const int64_t m[] = {3, 8, 33, 64, 70}, n[] = {2, 3, 4, 7, 10, 15, 20, 27},
                         k[] = {16, 21, 64, 131};
    static const DType dtypes[] = {DTYPE_f32, DTYPE_f64, DTYPE_f32, DTYPE_bf16,
                                   DTYPE_f32, DTYPE_i32, DTYPE_i8};
    static const char *const cpus[] = {NULL, "x86-64-v3", NULL, "x86-64", NULL};
    uint32_t turn = 0;
    for (uint32_t i = 0; i < sizeof m / sizeof *m; i++)
        for (uint32_t j = 0; j < sizeof n / sizeof *n; j++)
            for (uint32_t l = 0; l < sizeof k / sizeof *k; l++, turn++) {
                uint32_t layout = (i + j + l) % 4;
                ProductCase c = product_case(dtypes[turn % 7], 1, m[i], n[j], k[l], layout & 1, layout & 2);
                c.axis[1].run_time = turn % 3 == 0;
                check_on(&c, 1, cpus[turn % 5]);
            }
}

/* Batches and several blocks of k of the same. */
Test(contract, narrow_and_deep_sizes) {
    static const int64_t size[][4] = {
        {1, 40, 10, 5000}, {1, 10, 600, 4100}, {3, 130, 10, 64}, {2, 6, 130, 90}, {1, 1000, 10, 200}};
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t layout = 0; layout < 4; layout++) {
            ProductCase c = product_case(DTYPE_f32, size[i][0], size[i][1], size[i][2], size[i][3],
                                         layout & 1, layout & 2);
            check(&c);
        }
}

/* Several blocks of k, of which the run tells how many rows, columns or steps there are. */
Test(contract, deep_sizes_at_run_time) {
    static const int64_t size[][3] = {
        {5, 33, 2500}, {1, 20, 20000}, {20, 1, 20000}, {9, 9, 17000}, {13, 70, 7}};
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t layout = 0; layout < 4; layout++)
            for (uint32_t unknown = 1; unknown < 8; unknown++) {
                ProductCase c =
                    product_case(DTYPE_f32, 1, size[i][0], size[i][1], size[i][2], layout & 1, layout & 2);
                for (uint32_t d = 0; d < 3; d++) c.axis[d + 1].run_time = unknown >> d & 1;
                check(&c);
            }
}

/* Convolutions: windows of padded pictures, rows or columns of several axes, in chunks, with several blocks
 * of k; strides; groups; a run-time batch. */
static ProductCase convolution(int64_t batch, int64_t in, int64_t out, int64_t size, int64_t kernel,
                               int64_t stride, bool of_weights) {
    int64_t padded = (size - 1) * stride + kernel, field = padded * padded, area = size * size;
    int64_t window = kernel * kernel;
    ProductCase c = {.dtype = DTYPE_f32, .count = 7};
    const CaseAxis forward[] = {{'m', out, in * window, 0, area, false, false},
                                {'n', batch, 0, in * field, out * area, true, false},
                                {'n', size, 0, stride * padded, size, false, false},
                                {'n', size, 0, stride, 1, false, false},
                                {'k', in, window, field, 0, false, false},
                                {'k', kernel, kernel, padded, 0, false, false},
                                {'k', kernel, 1, 1, 0, false, false}};
    const CaseAxis weights[] = {{'m', out, area, 0, in * window, false, false},
                                {'n', in, 0, field, window, false, false},
                                {'n', kernel, 0, padded, kernel, false, false},
                                {'n', kernel, 0, 1, 1, false, false},
                                {'k', batch, out * area, in * field, 0, batch % 2 == 0, false},
                                {'k', size, size, stride * padded, 0, false, false},
                                {'k', size, 1, stride, 0, false, false}};
    memcpy(c.axis, of_weights ? weights : forward, sizeof forward);
    if (!of_weights) c.axis[1].run_time = batch % 2 == 0;
    return c;
}

Test(contract, convolutions) {
    static const int64_t size[][6] = {{3, 4, 33, 7, 3, 1},   {2, 3, 64, 14, 3, 2}, {5, 9, 16, 28, 1, 1},
                                      {1, 64, 130, 5, 3, 1}, {4, 5, 20, 19, 4, 1}, {2, 20, 48, 6, 5, 3}};
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++)
        for (int of_weights = 0; of_weights < 2; of_weights++) {
            const int64_t *s = size[i];
            ProductCase c = convolution(s[0], s[1], s[2], s[3], s[4], s[5], of_weights);
            check(&c);
            c.dtype = i % 2 ? DTYPE_f64 : DTYPE_bf16;
            check_on(&c, 1, i % 2 ? "x86-64-v3" : NULL);
        }
}

/* What is planned of the product for the CPU, and its shapes. */
static ContractSchedule planned(const ProductCase *c, const char *cpu, ContractShape *shapes) {
    Jit jit;
    ProductUse use;
    jit_open(&jit, 0, cpu);
    product_examine(&jit, c, shapes, &use);
    jit_close(&jit);
    return use.plan;
}

/* Where a tile's row of B is one line of a cache, rows that are pages apart are packed even for few rows of
 * A; wide vectors read them as they lie. */
Test(contract, lines_that_lie_apart_are_packed) {
    static const struct {
        const char *cpu;
        int64_t n;
        bool packed;
    } cases[] = {{"x86-64-v3", 1024, true}, {"x86-64-v3", 200, false}, {"x86-64-v4", 1024, false}};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ProductCase c = product_case(DTYPE_f32, 1, 32, cases[i].n, 256, false, false);
        ContractShape shapes[2];
        bool packed = planned(&c, cases[i].cpu, shapes).pack_b;
        cr_expect(packed == cases[i].packed, "%s, %d columns", cases[i].cpu, (int)cases[i].n);
    }
}

/* More of a picture than the second level holds, which all panels of weights [panel, k, channel] read: part
 * by part. */
Test(contract, panels_share_a_far_picture) {
    enum { BATCH = 7, DEPTH = 20, HEIGHT = 270, WIDTH = 17, PANELS = 3, CHANNELS = 32 };
    int64_t area = HEIGHT * WIDTH, field = 4 * area;
    ProductCase c = {.dtype = DTYPE_f32, .count = 6};
    const CaseAxis axes[] = {{'m', PANELS, DEPTH * CHANNELS, 0, CHANNELS * area, false, false},
                             {'m', CHANNELS, 1, 0, area, false, false},
                             {'n', BATCH, 0, DEPTH * field, PANELS * CHANNELS * area, false, false},
                             {'n', HEIGHT, 0, 4 * WIDTH, WIDTH, false, false},
                             {'n', WIDTH, 0, 2, 1, false, false},
                             {'k', DEPTH, CHANNELS, field, 0, false, false}};
    memcpy(c.axis, axes, sizeof axes);
    ContractShape shapes[2];
    ContractSchedule plan = planned(&c, "x86-64-v4", shapes);
    cr_expect(plan.outer_first && plan.chunk_rows);
    check(&c);
}

/* One filter for each channel: steps of the columns, rows and columns left over or fewer than a vector,
 * pictures cut in pieces, sizes and strides that the run tells. */
static ProductCase depthwise(int64_t batch, int64_t channels, int64_t height, int64_t width, int64_t kernel,
                             int64_t stride, int64_t dilation) {
    int64_t side = (kernel - 1) * dilation + 1;
    int64_t row = (width - 1) * stride + side, field = ((height - 1) * stride + side) * row;
    ProductCase c = {.dtype = DTYPE_f32, .count = 6};
    const CaseAxis axes[] = {{'b', channels, kernel * kernel, field, height * width, false, false},
                             {'n', batch, 0, channels * field, channels * height * width, false, false},
                             {'n', height, 0, stride * row, width, false, false},
                             {'n', width, 0, stride, 1, false, false},
                             {'k', kernel, kernel, dilation * row, 0, false, false},
                             {'k', kernel, 1, dilation, 0, false, false}};
    memcpy(c.axis, axes, sizeof axes);
    return c;
}

Test(contract, depthwise_convolutions) {
    static const int64_t size[][7] = {
        {1, 3, 56, 56, 3, 1, 1},  {2, 5, 7, 7, 3, 2, 1},  {1, 2, 13, 29, 5, 1, 1},
        {3, 1, 4, 33, 3, 3, 1},   {1, 4, 19, 6, 7, 1, 2}, {2, 2, 9, 47, 2, 4, 3},
        {1, 1, 300, 70, 3, 2, 1}, {1, 7, 1, 20, 3, 1, 1}, {1, 2, 11, 250, 1, 1, 1}};
    static const char *const cpus[] = {NULL, "x86-64-v3", "x86-64"};
    static const DType dtypes[] = {DTYPE_f64, DTYPE_bf16, DTYPE_i32, DTYPE_f16, DTYPE_u8};
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++) {
        const int64_t *s = size[i];
        ProductCase c = depthwise(s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
        for (uint32_t j = 0; j < 3; j++) check_on(&c, (int)j, cpus[j]);
        c.dtype = dtypes[i % 5];
        check(&c);
        c.dtype = DTYPE_f32;
        for (uint32_t unknown = 1; unknown < 8; unknown++) {
            for (uint32_t d = 0; d < 3; d++) c.axis[d + 1].run_time = unknown >> d & 1;
            c.axis[2].strides = c.axis[4].strides = unknown & 4;
            check(&c);
        }
    }
}

/* The gradients by such filters, `exchanged` with pictures for A: each a sum over all pictures. */
static ProductCase filters(const int64_t *size, bool exchanged) {
    int64_t batch = size[0], channels = size[1], height = size[2], width = size[3], kernel = size[4],
            stride = size[5], dilation = size[6], side = (kernel - 1) * dilation + 1;
    int64_t row = (width - 1) * stride + side, field = ((height - 1) * stride + side) * row;
    ProductCase c = {.dtype = DTYPE_f32, .count = 6};
    const CaseAxis axes[] = {{'b', channels, height * width, field, kernel * kernel, false, false},
                             {'n', kernel, 0, dilation * row, kernel, false, false},
                             {'n', kernel, 0, dilation, 1, false, false},
                             {'k', batch, channels * height * width, channels * field, 0, false, false},
                             {'k', height, width, stride * row, 0, false, false},
                             {'k', width, 1, stride, 0, false, false}};
    memcpy(c.axis, axes, sizeof axes);
    for (uint32_t i = 0; exchanged && i < c.count; i++) {
        CaseAxis *axis = &c.axis[i];
        int64_t a = axis->a;
        axis->a = axis->b, axis->b = a;
        if (axis->role == 'n') axis->role = 'm';
    }
    return c;
}

Test(contract, gradients_by_filters) {
    static const int64_t size[][7] = {
        {2, 3, 56, 56, 3, 1, 1},   {8, 5, 7, 7, 3, 2, 1},  {3, 2, 13, 29, 5, 1, 1},
        {1, 1, 4, 33, 3, 3, 1},    {2, 4, 19, 9, 7, 1, 2}, {2, 2, 9, 47, 2, 4, 3},
        {5, 1, 30, 70, 3, 2, 1},   {4, 7, 1, 20, 3, 1, 1}, {2, 2, 3, 250, 13, 1, 1},
        {1, 40, 20, 20, 16, 1, 1}, {0, 2, 5, 5, 3, 1, 1},  {3, 2, 16, 64, 4, 1, 1}};
    static const char *const cpus[] = {NULL, "x86-64-v3", "x86-64"};
    static const DType dtypes[] = {DTYPE_f64, DTYPE_bf16, DTYPE_i32, DTYPE_f16, DTYPE_u8};
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t exchanged = 0; exchanged < 2; exchanged++) {
            ProductCase c = filters(size[i], exchanged);
            for (uint32_t j = 0; j < 3; j++) check_on(&c, (int)j, cpus[j]);
            c.dtype = dtypes[i % 5];
            check(&c);
            c.dtype = DTYPE_f32;
            for (uint32_t unknown = 1; unknown < 8; unknown++) {
                for (uint32_t d = 0; d < 3; d++) c.axis[d + 3].run_time = unknown >> d & 1;
                c.axis[1].strides = c.axis[4].strides = unknown & 4;
                check(&c);
            }
        }
}

/* Rows of pages that are far apart: A is packed too, in one block of k and in several, whole strips and not,
 * converted or not. */
Test(contract, colliding_strides) {
    static const DType dtypes[] = {DTYPE_f32, DTYPE_f64, DTYPE_bf16};
    for (uint32_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        const ProductCase cases[] = {
            {.dtype = dtypes[i],
             .count = 4,
             .axis = {{'b', 2, 4096 * 100, 100, 71 * 70, false, false},
                      {'m', 71, 1, 0, 70, false, false},
                      {'n', 70, 0, 200, 1, false, false},
                      {'k', 100, 4096, 1, 0, false, false}}},
            {.dtype = dtypes[i],
             .count = 3,
             .axis = {{'m', 70, 1, 0, 64, false, false},
                      {'n', 64, 0, 1, 1, false, false},
                      {'k', 2300, 2048, 2048, 0, false, false}}},
            {.dtype = dtypes[i],
             .count = 4,
             .axis = {{'m', 64, 1, 0, 80, false, false},
                      {'n', 80, 0, 1, 1, false, false},
                      {'k', 5, 100, 80 * 30, 0, false, false},
                      {'k', 30, 4096, 80, 0, false, false}}},
        };
        for (uint32_t j = 0; j < sizeof cases / sizeof *cases; j++) check(&cases[j]);
    }
}

/* Where the target multiplies pairs of bf16: k of every parity, pairs that lie together or apart, at even
 * and uneven distances, along the innermost axis of k or another one, in one block of it and in several. */
Test(contract, pairs_of_bf16) {
    static const int64_t m[] = {1, 4, 9, 40, 70}, n[] = {2, 5, 9, 17, 64, 100}, k[] = {2, 6, 33, 64, 130};
    for (uint32_t i = 0; i < sizeof m / sizeof *m; i++)
        for (uint32_t j = 0; j < sizeof n / sizeof *n; j++)
            for (uint32_t l = 0; l < sizeof k / sizeof *k; l++)
                for (uint32_t layout = 0; layout < 4; layout++) {
                    ProductCase c =
                        product_case(DTYPE_bf16, 1 + l % 2, m[i], n[j], k[l], layout & 1, layout & 2);
                    c.axis[1].run_time = (i + j) % 3 == 0;
                    check(&c);
                }
}

Test(contract, pairs_of_bf16_apart) {
    static const ProductCase cases[] = {
        {.count = 3, /* rows of uneven length */
         .axis = {{'m', 50, 131, 0, 70, false, false},
                  {'n', 70, 0, 133, 1, false, false},
                  {'k', 128, 1, 1, 0, false, false}}},
        {.count = 3, /* the same for all k */
         .axis = {{'m', 33, 2, 0, 33, false, false},
                  {'n', 33, 0, 1, 1, false, false},
                  {'k', 2, 1, 0, 0, false, false}}},
        {.count = 3, /* A with gaps, B transposed with uneven ones */
         .axis = {{'m', 37, 3, 0, 70, false, false},
                  {'n', 70, 0, 5, 1, false, false},
                  {'k', 64, 111, 350, 0, false, false}}},
        {.count = 3, /* blocks of k */
         .axis = {{'m', 70, 1, 0, 64, false, false},
                  {'n', 64, 0, 1, 1, false, false},
                  {'k', 5000, 70, 64, 0, false, false}}},
        {.count = 4, /* the outer axis of k */
         .axis = {{'m', 64, 120, 0, 80, false, false},
                  {'n', 80, 0, 1, 1, false, false},
                  {'k', 8, 1, 80, 0, false, false},
                  {'k', 15, 8, 640, 0, false, false}}},
        {.count = 5, /* pairs that are all of their axis; a column of single ones */
         .axis = {{'b', 3, 5000, 9000, 2000, false, false},
                  {'m', 20, 50, 0, 64, false, false},
                  {'n', 64, 0, 25, 1, false, false},
                  {'k', 25, 2, 1, 0, false, false},
                  {'k', 2, 1, 1600, 0, false, false}}},
        {.count = 4, /* windows over pictures whose channels are last, weights in panels of pairs */
         .axis = {{'m', 90, 6, 0, 32, false, false},
                  {'n', 32, 0, 2, 1, false, false},
                  {'k', 9, 2, 64, 0, false, false},
                  {'k', 2, 1, 1, 0, false, false}}},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ProductCase c = cases[i];
        c.dtype = DTYPE_bf16;
        check(&c);
    }
}

Test(contract, pairs_of_bf16_are_taken) {
    static const struct {
        const char *cpu;
        int64_t m, n, k;
        bool taken;
    } cases[] = {{"znver4", 64, 64, 64, true},
                 {"sapphirerapids", 64, 64, 64, true},
                 {"znver4", 64, 64, 63, false},
                 {"znver4", 1, 1000, 1000, false},
                 {"x86-64-v4", 64, 64, 64, false}};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ProductCase c = product_case(DTYPE_bf16, 1, cases[i].m, cases[i].n, cases[i].k, false, false);
        ContractShape shapes[2];
        planned(&c, cases[i].cpu, shapes);
        cr_expect(shapes[0].b_apart == cases[i].taken, "%s, %d steps", cases[i].cpu, (int)cases[i].k);
    }
}

static ContractSchedule schedule_of(const ProductCase *c) {
    Jit jit;
    ContractShape shapes[2];
    ProductUse use;
    jit_open(&jit, 1, "znver4");
    product_examine(&jit, c, shapes, &use);
    ContractSchedule plan = contract_schedule(&jit.emit.target, &shapes[0]);
    jit_close(&jit);
    return plan;
}

static bool packs_b(int64_t m, int64_t n, int64_t k) {
    ProductCase c = product_case(DTYPE_f32, 1, m, n, k, false, false);
    return schedule_of(&c).pack_b;
}

/* Threads share out what they wait for: a vector's products with large matrices are memory traffic. */
Test(contract, chunks_of_vectors) {
    ProductCase weights = product_case(DTYPE_f32, 1, 1, 384, 384, false, true);
    ProductCase batch = product_case(DTYPE_f32, 6, 1, 256, 64, false, true);
    ProductCase near = product_case(DTYPE_f32, 1, 1, 64, 64, false, true);
    ProductCase dense = product_case(DTYPE_f32, 1, 8, 128, 128, false, true);
    ContractSchedule plan = schedule_of(&weights);
    cr_expect(plan.chunk_columns > 0 && plan.chunk_columns <= 384 / 8);
    cr_expect(schedule_of(&batch).chunk_outer == 1);
    plan = schedule_of(&near);
    cr_expect(plan.chunk_columns == 0 && plan.chunk_outer == 0, "it stays near");
    plan = schedule_of(&dense);
    cr_expect(plan.chunk_columns == 0 && plan.chunk_rows == 0, "its rows use what arrives");
    check(&weights);
    check(&batch);
}

/* Rows of a far B that begin anywhere in a line are packed, if enough rows of A pass. */
Test(contract, rows_across_lines) {
    ProductCase odd = product_case(DTYPE_f32, 1, 401, 3001, 300, false, false);
    ProductCase few = product_case(DTYPE_f32, 1, 40, 3001, 300, false, false);
    cr_expect(packs_b(1000, 50257, 256));
    cr_expect_not(packs_b(1000, 50256, 256), "rows begin with lines");
    cr_expect_not(packs_b(1000, 257, 256), "it stays near");
    cr_expect_not(packs_b(32, 50257, 256), "few rows pass");
    check(&odd);
    check(&few);
}

/* Several axes a role, in orders that do and don't merge: as convolutions and attention have. */
Test(contract, many_axes) {
    static const ProductCase cases[] = {
        /* windows of a [9, 8, 5] picture, 3 x 3, 11 filters */
        {.dtype = DTYPE_f32,
         .count = 6,
         .axis = {{'m', 7, 40, 0, 66, false, false},
                  {'m', 6, 5, 0, 11, false, false},
                  {'n', 11, 0, 1, 1, false, false},
                  {'k', 3, 40, 165, 0, false, false},
                  {'k', 3, 5, 55, 0, false, false},
                  {'k', 5, 1, 11, 0, false, false}}},
        /* the same with a run-time height */
        {.dtype = DTYPE_f32,
         .count = 6,
         .axis = {{'m', 7, 40, 0, 66, true, false},
                  {'m', 6, 5, 0, 11, false, false},
                  {'n', 11, 0, 1, 1, false, false},
                  {'k', 3, 40, 165, 0, true, false},
                  {'k', 3, 5, 55, 0, false, false},
                  {'k', 5, 1, 11, 0, false, false}}},
        /* n of two axes that don't merge, and ones that do */
        {.dtype = DTYPE_f32,
         .count = 4,
         .axis = {{'m', 9, 20, 0, 300, false, false},
                  {'n', 10, 0, 7, 30, false, false},
                  {'n', 30, 0, 70, 1, false, false},
                  {'k', 7, 1, 1, 0, false, false}}},
        {.dtype = DTYPE_f32,
         .count = 4,
         .axis = {{'m', 9, 20, 0, 320, false, false},
                  {'n', 10, 0, 32, 32, false, false},
                  {'n', 32, 0, 1, 1, false, false},
                  {'k', 20, 1, 320, 0, false, false}}},
        /* heads: batch of two axes, q [b, t, h, d] by k [b, s, h, d] */
        {.dtype = DTYPE_f32,
         .count = 5,
         .axis = {{'b', 2, 600, 480, 360, false, false},
                  {'b', 3, 10, 10, 120, false, false},
                  {'m', 15, 30, 0, 8, false, false},
                  {'n', 8, 0, 30, 1, false, false},
                  {'k', 10, 1, 1, 0, false, false}}},
        /* a convolution's weight gradient: filters by places of a 3 x 3 window, k over batch and picture */
        {.dtype = DTYPE_f32,
         .count = 7,
         .axis = {{'m', 9, 30 * 22, 0, 45, false, false},
                  {'n', 5, 0, 32 * 24, 9, false, false},
                  {'n', 3, 0, 24, 3, false, false},
                  {'n', 3, 0, 1, 1, false, false},
                  {'k', 2, 9 * 30 * 22, 5 * 32 * 24, 0, false, false},
                  {'k', 30, 22, 24, 0, false, false},
                  {'k', 22, 1, 1, 0, false, false}}},
        /* nothing is contiguous */
        {.dtype = DTYPE_f32,
         .count = 3,
         .axis = {{'m', 19, 3, 0, 50, false, false},
                  {'n', 25, 0, 2, 2, false, false},
                  {'k', 9, 60, 51, 0, false, false}}},
        /* no axes at all, and an outer product */
        {.dtype = DTYPE_f32, .count = 0, .axis = {{0}}},
        {.dtype = DTYPE_f32,
         .count = 2,
         .axis = {{'m', 19, 1, 0, 21, false, false}, {'n', 21, 0, 1, 1, false, false}}},
        /* a dot product, and one sum for each of a batch */
        {.dtype = DTYPE_f32, .count = 1, .axis = {{'k', 100, 1, 1, 0, false, false}}},
        {.dtype = DTYPE_f32,
         .count = 2,
         .axis = {{'b', 11, 40, 50, 1, false, false}, {'k', 40, 1, 1, 0, false, false}}},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
}

Test(contract, lesser_targets_and_no_optimisation) {
    static const char *const cpus[] = {"x86-64", "x86-64-v3"};
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t layout = 0; layout < 4; layout++) {
            ProductCase c = product_case(DTYPE_f32, 1, 15, 45, 27, layout & 1, layout & 2);
            check_on(&c, 2, cpus[i]);
            check_on(&c, 0, cpus[i]);
        }
    check_sizes(DTYPE_f32, false, false, "x86-64-v3");
    check_sizes(DTYPE_f64, true, true, "x86-64");
}

/* --- OpenBLAS, where it is installed: the same products, and others that it must not be asked for */
static bool by_blas(const ProductCase *c) {
    Jit jit;
    jit_open(&jit, 1, NULL);
    jit.options.blas = BLAS_OPENBLAS;
    product_emit(&jit, c, true);
    bool used = jit.emit.uses_blas;
    jit_load(&jit, NULL);
    product_check(&jit, c);
    jit_close(&jit);
    return used;
}

Test(contract, by_openblas) {
    static const int64_t size[][4] = {{1, 2, 2, 1},      {1, 7, 33, 20},  {3, 64, 10, 128},
                                      {1, 300, 130, 70}, {5, 90, 90, 90}, {1, 64, 784, 300}};
    if (!dlopen("libopenblas.so.0", RTLD_NOW | RTLD_GLOBAL)) cr_skip_test("OpenBLAS isn't installed");
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t layout = 0; layout < 8; layout++) {
            ProductCase c = product_case(layout & 4 ? DTYPE_f64 : DTYPE_f32, size[i][0], size[i][1],
                                         size[i][2], size[i][3], layout & 1, layout & 2);
            cr_expect(by_blas(&c) == (size[i][3] > 1));
            c.axis[1].run_time = true;
            cr_expect(by_blas(&c) == (size[i][3] > 1 && !(layout & 1)));
        }
}

Test(contract, openblas_cannot) {
    if (!dlopen("libopenblas.so.0", RTLD_NOW | RTLD_GLOBAL)) cr_skip_test("OpenBLAS isn't installed");
    ProductCase integers = product_case(DTYPE_i32, 1, 20, 20, 20, false, false);
    ProductCase no_k = product_case(DTYPE_f32, 1, 20, 20, 0, false, false);
    ProductCase vector = product_case(DTYPE_f32, 1, 1, 20, 20, false, false);
    ProductCase strided = product_case(DTYPE_f32, 1, 20, 20, 20, false, false);
    ProductCase windows = product_case(DTYPE_f32, 1, 20, 20, 20, false, false);
    strided.axis[1].a = 40, strided.axis[3].a = 2;
    windows.axis[1].a = 1; /* overlapping rows */
    cr_expect_not(by_blas(&integers));
    cr_expect_not(by_blas(&no_k));
    cr_expect_not(by_blas(&vector));
    cr_expect_not(by_blas(&strided));
    cr_expect_not(by_blas(&windows));
    ProductCase picture = convolution(2, 3, 16, 9, 3, 1, false);
    cr_expect_not(by_blas(&picture));
}
