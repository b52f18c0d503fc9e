/* Products to test and measure: a description, its kernel made by the code generator, and a naive product to
 * compare with. */
#ifndef TESTS_UNIT_PRODUCT_H
#define TESTS_UNIT_PRODUCT_H

#include "codegen/contract.h"
#include "codegen/contract_schedule.h"
#include "codegen/products.h"
#include "jit.h"
#include <stdio.h>

enum { CASE_MAX_AXES = 12 };

/* One axis: its size, its strides in A, B and C (elements). */
typedef struct {
    char role; /* b, m, n or k, in this order within the list */
    int64_t extent, a, b, c;
    bool run_time; /* the kernel is told its extent when it runs, and its strides where `strides` */
    bool strides;
} CaseAxis;

typedef struct {
    DType dtype;
    uint32_t count;
    CaseAxis axis[CASE_MAX_AXES];
    uint32_t edge_count; /* zeros around the places */
    ContractEdge edge[2];
    bool run_time_results; /* the strides of C, too, are told when the kernel runs */
} ProductCase;

/* kernel(rt, a, b, c, sizes, chunk) adds the product to C; sizes: {extent, a, b, c} for each axis. */
typedef void ProductKernel(void *rt, const void *a, const void *b, void *c, const int64_t *sizes,
                           int64_t chunk);
typedef int64_t ProductChunks(const int64_t *sizes);

/* C += A·B for row-major operands; with a transposed flag the operand lies [k][m], or [n][k]. */
ProductCase product_case(DType dtype, int64_t batch, int64_t m, int64_t n, int64_t k, bool a_transposed,
                         bool b_transposed);
/* Emits `kernel` and `chunks`. */
void product_emit(Jit *jit, const ProductCase *c, bool accumulate);
/* Emits nothing that is called: the shapes that the product has for schedules, as it is and exchanged, and
 * how it is known and computed. */
void product_examine(Jit *jit, const ProductCase *c, ContractShape *shapes, ProductUse *use);
/* From now on the products known by this text are computed by the plan, as a tune file would have it. */
void product_prescribe(Jit *jit, const char *product, const ContractSchedule *plan);
/* Prints how the product would be computed. */
void product_print(Jit *jit, const ProductCase *c, FILE *out);
/* The sizes argument: 4 · count entries. */
void product_sizes(const ProductCase *c, int64_t *sizes);

#endif
