/* Checks derivatives made by autodiff against central differences, first and second order, in f64 on the
 * interpreter. */
#ifndef TESTS_GRADCHECK_H
#define TESTS_GRADCHECK_H

#include "ir/build.h"
#include "ir/interpret.h"

/* A function of random inputs that is being built. */
typedef struct {
    Builder b;
    Function *function;
    Arena *arena;
    bool symbolic; /* sizes are symbols bound at run time */
    uint64_t random;
    const char *what; /* for messages */
    VEC(Value *) inputs;
    VEC(Tensor) arguments;
} Case;

Case case_new(const char *what, bool symbolic, Arena *arena);
double case_random(Case *c, double low, double high);
const Dim *case_dim(Case *c, int64_t size);
const Type *case_type(Case *c, DType dtype, uint32_t rank, const int64_t *sizes);
/* A parameter of the function, without an argument yet. */
Value *case_param(Case *c, const Type *type);
/* Inputs with elements in [low, high) or 0 … below - 1. */
Value *float_input(Case *c, double low, double high, uint32_t rank, const int64_t *sizes);
Value *int_input(Case *c, int64_t below, uint32_t rank, const int64_t *sizes);
Value *bool_input(Case *c, uint32_t rank, const int64_t *sizes);

/* Verifies, differentiates Σ out · cotangent (plus a cubic of the inputs, so that it depends on all of them
 * twice) by the float inputs once and twice, and compares with differences; then checks that the other passes
 * keep what it computes. */
void case_check(Case *c, Value *out);

/* Runs autodiff and fails on diagnostics or a malformed graph. */
void run_autodiff(Graph *graph, const char *what);
/* Central differences of result `result` by argument `argument`, compared with result `gradient`. */
void compare_with_differences(const Function *function, uint32_t count, Tensor *arguments, uint32_t result,
                              uint32_t argument, uint32_t gradient, const char *what);

#endif
