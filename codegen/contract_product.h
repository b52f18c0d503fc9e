/* A contraction brought into the form that is emitted: independent products `outer` × rows × one lane axis
 * `column` × k, adjacent axes merged, A and B exchanged where the lanes lie better along m. */
#ifndef CODEGEN_CONTRACT_PRODUCT_H
#define CODEGEN_CONTRACT_PRODUCT_H

#include "codegen/contract_schedule.h"
#include "codegen/contract_size.h"

enum {
    PRODUCT_MAX_AXES = 4 * MAX_RANK,
    PRODUCT_SLIDE_DEPTH = 64 /* steps of k that are all written out */
};

/* A run of the contract's axes first … first + count - 1 that is one axis of the product. Axes of extent 1
 * may be missing. */
typedef struct {
    Size extent, a, b;
    uint32_t first, count;
    bool edge; /* zeros are around it: it stays an axis of its own */
} ProductAxis;

typedef struct {
    ProductAxis at[PRODUCT_MAX_AXES]; /* outer to inner */
    uint32_t count;
} ProductAxes;

typedef enum {
    PRODUCT_TILES,    /* by the plan */
    PRODUCT_SLIDES,   /* by contract_slide.c, without a plan, */
    PRODUCT_SLIDE_SUM /* or contract_slide_sum.c */
} ProductForm;

typedef struct {
    const Contract *contract;
    ContractSchedule plan;
    ProductForm form;
    DType dtype;
    bool exchanged;                 /* the rows are n, the columns m */
    LLVMTypeRef a_memory, b_memory; /* what A's and B's strides count */
    LLVMTypeRef element;            /* of the accumulators */
    bool pairs;            /* a step of k is two of bf16, in the 32 bits of an element (contract_pairs.h); */
    Size a_apart, b_apart; /* these lie so many strides' units apart, and are packed; 0 = one element */
    LLVMValueRef a, b;
    ProductAxes outer, rows, k;
    ProductAxis column;
    Size outer_count, row_count, depth; /* products of extents */
} Product;

/* With its schedule: what was measured, or else what the cost model chooses. */
void product_open(Emit *e, const Contract *contract, Product *p);
/* What the schedule looks at: out[0] as it is, out[1] with A and B exchanged. Could OpenBLAS compute it? */
bool product_shapes(Emit *e, const Contract *contract, ContractShape *out);
/* Into index[]: what index `i` of the merged axes `axes` means for the contract's own axes. */
void product_index(Emit *e, const Product *p, const ProductAxes *axes, LLVMValueRef i, LLVMValueRef *index);
void product_axis_index(Emit *e, const Product *p, const ProductAxis *axis, LLVMValueRef i,
                        LLVMValueRef *index);
void product_column_index(Emit *e, const Product *p, LLVMValueRef i, LLVMValueRef *index);
/* Number of the contract's axes: batch, m, n. */
uint32_t product_index_count(const Product *p);
/* The contract's axis along which lanes lie. */
uint32_t product_lane_axis(const Product *p);
/* The innermost of the contract's axes that rows are of, if there are any. */
uint32_t product_row_axis(const Product *p);
/* Of a product without rows: the innermost axis beside the columns, whose lines share windows. */
const ProductAxis *product_slide_axis(const Product *p);
/* The offset in A (`of_b` false) or B of index `i` of the merged axes, in elements. */
LLVMValueRef product_offset(Emit *e, const ProductAxes *axes, bool of_b, LLVMValueRef i);

#endif
