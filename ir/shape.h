/* Shape rules: what an operation's results are, from its operands and attributes; and what it refuses. One
 * function shape_<rule> per distinct name in the shape column of ops.def. */
#ifndef IR_SHAPE_H
#define IR_SHAPE_H

#include "ir/graph.h"

typedef struct {
    /* Given. Nothing is assumed of them: attributes may be missing or wrong. */
    IrContext *ir;
    Op op;
    uint32_t operands;
    Value *const *operand;
    uint32_t attrs;
    const Attr *attr;
    /* The answer, in the context's arena. */
    uint32_t results;
    const Type **result;
} ShapeQuery;

/* NULL and the answer filled in, or why this is not an operation. Operations with blocks have no rule of this
 * kind: the verifier compares their results with what the blocks yield. */
const char *shape_infer(ShapeQuery *query);

/* How many windows of `size` elements, `dilation` apart, begin `stride` apart on an axis; NULL on overflow.
 */
const Dim *window_count(IrContext *ir, const Dim *axis, const Dim *size, const Dim *stride,
                        const Dim *dilation);

/* A contraction's labels: `x` and `y` of the operands, `result`; each NUL-terminated. */
typedef struct {
    char x[MAX_RANK + 1], y[MAX_RANK + 1], result[MAX_RANK + 1];
} ContractSpec;

/* False where the text is not "x,y->result" of at most MAX_RANK letters each. */
bool contract_spec_parse(const char *text, ContractSpec *spec);
/* The operand's axis that is the result's `axis`; MAX_RANK where the broadcast repeats elements along it. */
uint32_t broadcast_axis(const Node *broadcast, uint32_t axis);

/* Is the label one of them? */
bool labels_have(const char *labels, char label);
/* The axis with the label, which one has. */
uint32_t labels_axis(const char *labels, char label);

/* Of a reshape that does no more than put in or leave out axes of one element: which axis of the result each
 * of the operand's is, -1 where it is left out. Otherwise false. */
bool shape_keeps_axes(const Node *reshape, int64_t *axes);

#endif
