/* Elementary functions as emitted, against the C library in higher precision. Floats are sampled with a
 * stride here; with NNC_MATH_STRIDE=1 in the environment every float is tried (some minutes a function;
 * NNC_MATH_FUNCTION=exp tries one alone). Doubles are sampled at random. */
#include "codegen/math.h"
#include "codegen/vector.h"
#include "jit.h"
#include "support/remainder.h"
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1 << 14 };

typedef LLVMValueRef Emitter(Emit *e, LLVMValueRef x);
typedef void Kernel(const void *x, void *y);
typedef void Kernel2(const void *x, const void *y, void *z);

typedef struct {
    const char *name;
    Emitter *emit;
    double (*narrow)(double);
    long double (*wide)(long double);
    long double from, to; /* where doubles are sampled */
} Row;

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static long double sigmoidl(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }

static const Row rows[] = {
    {"exp", math_exp, exp, expl, -750, 715},   {"log", math_log, log, logl, 0, 4},
    {"sin", math_sin, sin, sinl, -2e6L, 2e6L}, {"cos", math_cos, cos, cosl, -2e6L, 2e6L},
    {"tanh", math_tanh, tanh, tanhl, -21, 21}, {"sigmoid", math_sigmoid, sigmoid, sigmoidl, -750, 40},
    {"erf", math_erf, erf, erfl, -6.5L, 6.5L},
};
enum { ROWS = sizeof rows / sizeof *rows };

typedef LLVMValueRef Emitter2(Emit *e, LLVMValueRef x, LLVMValueRef y);

static long double remainderl_floored(long double x, long double y) {
    long double rest = fmodl(x, y);
    if (rest != 0 && signbit(rest) != signbit(y)) rest += y;
    return copysignl(rest, y);
}

static long double quotientl_floored(long double x, long double y) {
    long double whole = rintl((x - fmodl(x, y)) / y), rest = fmodl(x, y);
    if (y == 0) return x / y;
    if (rest != 0 && signbit(rest) != signbit(y)) whole -= 1;
    return whole == 0 ? copysignl(0, signbit(x) == signbit(y) ? 1 : -1) : whole;
}

typedef struct {
    const char *name;
    Emitter2 *emit;
    double (*narrow)(double, double);
    long double (*wide)(long double, long double);
} Row2;

/* The first is sampled in its own way. */
static const Row2 rows2[] = {
    {"pow", math_pow, pow, powl},
    {"mod", math_mod, remainder_floored, remainderl_floored},
    {"floordiv", math_floordiv, quotient_floored, quotientl_floored},
};
enum { ROWS2 = sizeof rows2 / sizeof *rows2 };

/* --- kernels */
typedef struct {
    LLVMValueRef x, y, z;
    LLVMTypeRef type;
    uint32_t lanes;
    Emitter *emit; /* or */
    Emitter2 *emit2;
} Body;

static void body(Emit *e, LLVMValueRef i, void *user) {
    const Body *b = user;
    LLVMValueRef x = vector_load(e, b->type, vector_at(e, b->type, b->x, i), b->lanes), result;
    if (b->emit)
        result = b->emit(e, x);
    else
        result = b->emit2(e, x, vector_load(e, b->type, vector_at(e, b->type, b->y, i), b->lanes));
    vector_store(e, result, vector_at(e, b->type, b->z, i));
}

static void emit_kernel(Jit *jit, const char *name, Emitter *emit, Emitter2 *emit2, bool wide,
                        uint32_t lanes) {
    Emit *e = &jit->emit;
    LLVMValueRef function = jit_function(jit, name, emit ? "pp" : "ppp", false);
    Body b = {.x = LLVMGetParam(function, 0),
              .y = LLVMGetParam(function, 1),
              .z = LLVMGetParam(function, emit ? 1 : 2),
              .type = wide ? LLVMDoubleTypeInContext(e->llvm) : LLVMFloatTypeInContext(e->llvm),
              .lanes = lanes,
              .emit = emit,
              .emit2 = emit2};
    emit_loop(e, emit_i64(e, 0), emit_i64(e, BATCH), lanes, "i", body, &b);
    LLVMBuildRetVoid(e->builder);
}

static void load_kernels(Jit *jit, int optimize, const char *cpu) {
    char name[32];
    jit_open(jit, optimize, cpu);
    uint32_t bytes = jit->machine.target.vector_bytes;
    for (uint32_t i = 0; i < ROWS; i++)
        for (int kind = 0; kind < 4; kind++) {
            snprintf(name, sizeof name, "%s%d", rows[i].name, kind);
            emit_kernel(jit, name, rows[i].emit, NULL, kind & 1, kind & 2 ? 1 : bytes / (kind & 1 ? 8 : 4));
        }
    for (uint32_t i = 0; i < ROWS2; i++)
        for (int wide = 0; wide < 2; wide++) {
            snprintf(name, sizeof name, "%s%d", rows2[i].name, wide);
            emit_kernel(jit, name, NULL, rows2[i].emit, wide, bytes / (wide ? 8 : 4));
        }
    jit_load(jit, NULL);
}

static Kernel *find(Jit *jit, const char *function, int kind) {
    char name[32];
    snprintf(name, sizeof name, "%s%d", function, kind);
    return (Kernel *)jit_find(jit, name);
}

/* --- errors in units in the last place */
static double error_narrow(float got, double want) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf((float)want) || isinf(got)) return (float)want == got ? 0 : INFINITY;
    int exponent;
    frexp(want, &exponent);
    double ulp = ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
    if (want == 0) return got == 0 && !signbit(want) == !signbit(got) ? 0 : INFINITY;
    return fabs(got - want) / ulp;
}

static double error_wide(double got, long double want) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf((double)want) || isinf(got)) return (double)want == got ? 0 : INFINITY;
    if (want == 0) return got == 0 && !signbit(want) == !signbit(got) ? 0 : INFINITY;
    int exponent;
    frexpl(want, &exponent);
    long double ulp = ldexpl(1, exponent - 53 < -1074 ? -1074 : exponent - 53);
    return (double)(fabsl(got - want) / ulp);
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* --- tests */
static float x32[BATCH], y32[BATCH], z32[BATCH];
static double x64[BATCH], y64[BATCH], z64[BATCH];

static void all_floats(const Row *row, Kernel *kernel, uint64_t stride) {
    double worst = 0;
    float at = 0;
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += stride * BATCH) {
        for (uint64_t i = 0; i < BATCH; i++) x32[i] = float_of((uint32_t)(bits + i * stride));
        kernel(x32, z32);
        for (uint64_t i = 0; i < BATCH; i++) {
            double error = error_narrow(z32[i], row->narrow((double)x32[i]));
            if (error > worst) worst = error, at = x32[i];
        }
    }
    printf("%-8s float  %.3f ulp at %a\n", row->name, worst, (double)at);
    cr_expect(worst <= 2, "%s: %f ulp at %a", row->name, worst, (double)at);
}

static void some_doubles(const Row *row, Kernel *kernel) {
    static const double edges[] = {0.0,
                                   -0.0,
                                   INFINITY,
                                   -INFINITY,
                                   NAN,
                                   DBL_MIN,
                                   0x1p-1074,
                                   -0x1p-1074,
                                   DBL_MAX,
                                   -DBL_MAX,
                                   1,
                                   -1,
                                   0.625,
                                   6,
                                   710,
                                   -745.2,
                                   1e-300,
                                   0x1p-30,
                                   3e6,
                                   1e300,
                                   0.7071067811865475,
                                   0.7071067811865476,
                                   1.5707963267948966,
                                   3.141592653589793};
    uint64_t random = 88172645463325252ULL;
    double worst = 0, at = 0;
    for (int round = 0; round < 16; round++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            long double u = (long double)(next_random(&random) >> 11) * 0x1p-53L;
            double value = (double)(row->from + (row->to - row->from) * u);
            if (round % 4 == 1) value = ldexp(value, -(int)(next_random(&random) % 64)); /* small ones */
            x64[i] = i < sizeof edges / sizeof *edges ? edges[i] : value;
        }
        kernel(x64, z64);
        for (uint32_t i = 0; i < BATCH; i++) {
            double error = error_wide(z64[i], row->wide((long double)x64[i]));
            if (error > worst) worst = error, at = x64[i];
        }
    }
    printf("%-8s double %.3f ulp at %a\n", row->name, worst, at);
    cr_expect(worst <= 2, "%s: %f ulp at %a", row->name, worst, at);
}

static void all_rows(int optimize, const char *cpu, uint64_t stride) {
    Jit jit;
    const char *only = getenv("NNC_MATH_FUNCTION");
    load_kernels(&jit, optimize, cpu);
    for (uint32_t i = 0; i < ROWS; i++) {
        if (only && strcmp(only, rows[i].name) != 0) continue;
        all_floats(&rows[i], find(&jit, rows[i].name, 0), stride);
        some_doubles(&rows[i], find(&jit, rows[i].name, 1));
        all_floats(&rows[i], find(&jit, rows[i].name, 2), stride * 32);
        some_doubles(&rows[i], find(&jit, rows[i].name, 3));
    }
    jit_close(&jit);
}

static uint64_t stride(void) {
    const char *text = getenv("NNC_MATH_STRIDE");
    return text ? strtoull(text, NULL, 10) : 4999;
}

Test(math, errors) { all_rows(2, NULL, stride()); }
Test(math, errors_without_fused_multiply_add) { all_rows(2, "x86-64", 4999); }
Test(math, errors_unoptimised) { all_rows(0, "x86-64-v3", 99991); }

/* The same value alone and among 16. */
Test(math, lanes_agree) {
    Jit jit;
    load_kernels(&jit, 2, NULL);
    for (uint32_t i = 0; i < BATCH; i++) x32[i] = float_of((uint32_t)(i * 262147U));
    for (uint32_t i = 0; i < ROWS; i++) {
        find(&jit, rows[i].name, 0)(x32, y32);
        find(&jit, rows[i].name, 2)(x32, z32);
        for (uint32_t k = 0; k < BATCH; k++)
            cr_assert(y32[k] == z32[k] || (isnan(y32[k]) && isnan(z32[k])), "%s(%a): %a, %a", rows[i].name,
                      (double)x32[k], (double)y32[k], (double)z32[k]);
    }
    jit_close(&jit);
}

static const double special[] = {0.0,   -0.0,   1,           -1,        2,     -2,       3,         -3,
                                 0.5,   -0.5,   INFINITY,    -INFINITY, NAN,   1e10,     -1e10,     1e-10,
                                 1e-40, 0x1p24, -0x1p24 - 1, 1.5,       -1.5,  7,        -7,        100,
                                 -100,  0.999,  1.001,       1e38,      4e-45, 16777215, -8388607.5};
enum { SPECIAL = sizeof special / sizeof *special };

static void powers_narrow(Kernel2 *kernel) {
    uint64_t random = 88172645463325252ULL;
    for (int round = 0; round < 64; round++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            x32[i] = float_of((uint32_t)next_random(&random) & 0x7fffffff);
            y32[i] = (float)((double)(next_random(&random) % 2000001) * 1e-5 - 10);
            if (round % 2) x32[i] = 0.5F + (float)(next_random(&random) % 1000) * 1e-3F, y32[i] *= 10;
            if (i < SPECIAL * SPECIAL)
                x32[i] = (float)special[i / SPECIAL], y32[i] = (float)special[i % SPECIAL];
        }
        kernel(x32, y32, z32);
        for (uint32_t i = 0; i < BATCH; i++) {
            double error = error_narrow(z32[i], pow((double)x32[i], (double)y32[i]));
            cr_assert(error <= 2, "pow(%a, %a) = %a: %f ulp", (double)x32[i], (double)y32[i], (double)z32[i],
                      error);
        }
    }
}

static void powers_wide(Kernel2 *kernel) {
    uint64_t random = 88172645463325252ULL;
    double worst = 0;
    for (int round = 0; round < 16; round++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            double exponent = (double)(next_random(&random) >> 11) * 0x1p-53 * 1500 - 750;
            x64[i] = ldexp(1 + (double)(next_random(&random) >> 12) * 0x1p-52,
                           round % 4 ? (int)(next_random(&random) % 60) - 30 : 0);
            y64[i] = exponent / log(x64[i]);
            if (i < SPECIAL * SPECIAL) x64[i] = special[i / SPECIAL], y64[i] = special[i % SPECIAL];
        }
        kernel(x64, y64, z64);
        for (uint32_t i = 0; i < BATCH; i++) {
            double error = error_wide(z64[i], powl((long double)x64[i], (long double)y64[i]));
            if (error > worst) worst = error;
            cr_assert(error <= 2, "pow(%a, %a) = %a: %f ulp", x64[i], y64[i], z64[i], error);
        }
    }
    printf("pow      double %.3f ulp\n", worst);
}

Test(math, powers) {
    static const char *const cpus[] = {NULL, "x86-64"};
    for (int i = 0; i < 2; i++) {
        Jit jit;
        load_kernels(&jit, 2, cpus[i]);
        powers_narrow((Kernel2 *)jit_find(&jit, "pow0"));
        powers_wide((Kernel2 *)jit_find(&jit, "pow1"));
        jit_close(&jit);
    }
}

/* --- division towards minus infinity: exact remainders, quotients rounded once */
static double any_number(uint64_t *random, int round) {
    double size =
        ldexp(1 + (double)(next_random(random) >> 12) * 0x1p-52, (int)(next_random(random) % 40) - 20);
    if (round % 4 == 0) size = floor(size);
    if (round % 4 == 3) size = ldexp(size, (int)(next_random(random) % 200) - 100);
    return next_random(random) % 2 ? size : -size;
}

static void divide(const Row2 *row, Jit *jit) {
    char name[32];
    uint64_t random = 88172645463325252ULL;
    for (int round = 0; round < 32; round++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            x64[i] = any_number(&random, round), y64[i] = any_number(&random, round);
            if (i < SPECIAL * SPECIAL) x64[i] = special[i / SPECIAL], y64[i] = special[i % SPECIAL];
            x32[i] = (float)x64[i], y32[i] = (float)y64[i];
        }
        snprintf(name, sizeof name, "%s0", row->name);
        ((Kernel2 *)jit_find(jit, name))(x32, y32, z32);
        snprintf(name, sizeof name, "%s1", row->name);
        ((Kernel2 *)jit_find(jit, name))(x64, y64, z64);
        for (uint32_t i = 0; i < BATCH; i++) {
            double narrow = error_narrow(z32[i], row->narrow((double)x32[i], (double)y32[i]));
            double wide = error_wide(z64[i], row->wide((long double)x64[i], (long double)y64[i]));
            cr_assert(narrow <= 1, "%s(%a, %a) = %a: %f ulp", row->name, (double)x32[i], (double)y32[i],
                      (double)z32[i], narrow);
            cr_assert(wide <= 1, "%s(%a, %a) = %a: %f ulp", row->name, x64[i], y64[i], z64[i], wide);
        }
    }
}

Test(math, divisions) {
    static const char *const cpus[] = {NULL, "x86-64-v3", "x86-64"};
    for (int i = 0; i < 3; i++) {
        Jit jit;
        load_kernels(&jit, 2, cpus[i]);
        divide(&rows2[1], &jit);
        divide(&rows2[2], &jit);
        jit_close(&jit);
    }
}
