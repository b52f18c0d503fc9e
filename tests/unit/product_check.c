/* Emitted products against naive ones. Operands are small integers, so that every order of summation gives
 * the same result; kernels add to C, so that an element stored twice or never shows. */
#include "product_check.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Elements that an operand needs: 1 + the greatest offset. */
static int64_t span(const ProductCase *c, int operand) {
    int64_t last = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const CaseAxis *x = &c->axis[i];
        int64_t stride = operand == 0 ? x->a : operand == 1 ? x->b : x->c;
        if (x->extent > 0) last += (x->extent - 1) * stride;
    }
    return last + 1;
}

static uint32_t next_random(uint32_t *state) { return *state = *state * 1664525U + 1013904223U; }

static uint16_t half_bits(int value, bool bfloat) {
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (bfloat) return (uint16_t)(bits >> 16);
    if (value == 0) return 0;
    return (uint16_t)((bits >> 16 & 0x8000) | ((bits >> 23 & 0xff) - 112) << 10 | (bits >> 13 & 0x3ff));
}

static void set(DType dtype, void *memory, int64_t i, int64_t value) {
    switch ((int)dtype) {
    case DTYPE_f64: ((double *)memory)[i] = (double)value; break;
    case DTYPE_f32: ((float *)memory)[i] = (float)value; break;
    case DTYPE_f16: ((uint16_t *)memory)[i] = half_bits((int)value, false); break;
    case DTYPE_bf16: ((uint16_t *)memory)[i] = half_bits((int)value, true); break;
    case DTYPE_i64: ((int64_t *)memory)[i] = value; break;
    case DTYPE_i32: ((int32_t *)memory)[i] = (int32_t)value; break;
    case DTYPE_i16: ((int16_t *)memory)[i] = (int16_t)value; break;
    default: ((int8_t *)memory)[i] = (int8_t)value; break;
    }
}

/* Of results, which are f32 for f16 and bf16. */
static int64_t get(DType dtype, const void *memory, int64_t i) {
    switch ((int)dtype) {
    case DTYPE_f64: return (int64_t)((const double *)memory)[i];
    case DTYPE_f32:
    case DTYPE_f16:
    case DTYPE_bf16: return (int64_t)((const float *)memory)[i];
    case DTYPE_i64: return ((const int64_t *)memory)[i];
    case DTYPE_i32: return ((const int32_t *)memory)[i];
    case DTYPE_i16: return ((const int16_t *)memory)[i];
    case DTYPE_u8: return ((const uint8_t *)memory)[i];
    default: return ((const int8_t *)memory)[i];
    }
}

static int64_t wrapped(DType dtype, int64_t value) {
    switch ((int)dtype) {
    case DTYPE_i32: return (int32_t)value;
    case DTYPE_i16: return (int16_t)value;
    case DTYPE_i8: return (int8_t)value;
    case DTYPE_u8: return (uint8_t)value;
    default: return value;
    }
}

static void naive(const ProductCase *c, uint32_t axis, const int64_t *a, const int64_t *b, int64_t *out) {
    if (axis == c->count) {
        *out += *a * *b;
        return;
    }
    const CaseAxis *x = &c->axis[axis];
    for (int64_t i = 0; i < x->extent; i++) naive(c, axis + 1, a + i * x->a, b + i * x->b, out + i * x->c);
}

static int64_t *random_operand(const ProductCase *c, void *memory, int64_t count, uint32_t *random) {
    int64_t *values = calloc((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        values[i] = (int64_t)(next_random(random) >> 16) % 7 - 3;
        if (c->dtype == DTYPE_u8) values[i] += 3;
        set(c->dtype, memory, i, values[i]);
    }
    return values;
}

static void describe(const ProductCase *c, char *text, size_t size) {
    int at = snprintf(text, size, "%s", dtype_name(c->dtype));
    for (uint32_t i = 0; i < c->count; i++) {
        const CaseAxis *x = &c->axis[i];
        at += snprintf(text + at, size - (size_t)at, " %c%" PRId64 "%s(%" PRId64 ",%" PRId64 ",%" PRId64 ")",
                       x->role, x->extent, x->run_time ? "?" : "", x->a, x->b, x->c);
    }
}

/* Memory that ends where a page ends that can't be read: a load beyond an operand stops the test. */
typedef struct {
    char *base;
    size_t size;
} Guarded;

static void *guarded(Guarded *memory, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (bytes + page - 1) / page * page;
    memory->size = used + page;
    memory->base = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(memory->base != MAP_FAILED);
    cr_assert(mprotect(memory->base + used, page, PROT_NONE) == 0);
    return memory->base + used - bytes;
}

static void unguard(Guarded *memory) { munmap(memory->base, memory->size); }

/* The compiled kernel for this case's sizes: exact, stored once each, whatever the order of chunks. */
void product_check(Jit *jit, const ProductCase *c) {
    char text[512];
    uint32_t random = 12345;
    int64_t spans[3] = {span(c, 0), span(c, 1), span(c, 2)};
    int64_t sizes[4 * CASE_MAX_AXES + 1];
    describe(c, text, sizeof text);
    Guarded memory[2];
    void *a = guarded(&memory[0], (size_t)spans[0] * dtype_bytes(c->dtype));
    void *b = guarded(&memory[1], (size_t)spans[1] * dtype_bytes(c->dtype));
    uint64_t *result = calloc((size_t)spans[2], sizeof *result);
    int64_t *x = random_operand(c, a, spans[0], &random), *y = random_operand(c, b, spans[1], &random);
    int64_t *expected = calloc((size_t)spans[2], sizeof *expected);
    struct {
        void *memory;
        int64_t size;
    } area = {0};
    product_sizes(c, sizes);
    ProductKernel *kernel = (ProductKernel *)jit_find(jit, "kernel");
    ProductChunks *chunks = (ProductChunks *)jit_find(jit, "chunks");
    for (int64_t chunk = chunks(sizes); chunk-- > 0;) kernel(&area, a, b, result, sizes, chunk);
    naive(c, 0, x, y, expected);
    for (int64_t i = 0; i < spans[2]; i++) {
        int64_t want = wrapped(c->dtype, expected[i]), got = get(c->dtype, result, i);
        cr_assert(want == got, "%s: element %" PRId64 " is %" PRId64 ", expected %" PRId64, text, i, got,
                  want);
    }
    unguard(&memory[0]), unguard(&memory[1]), free(result), free(x), free(y), free(expected),
        free(area.memory);
}
