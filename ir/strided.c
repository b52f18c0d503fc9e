/* Composes views into one offset and one stride an axis, symbolically. */
#include "ir/strided.h"

/* Every function here yields false on overflow and where strides can't express the view. */
static bool add_product(IrContext *ir, const Dim **sum, const Dim *a, const Dim *b) {
    const Dim *product = dim_mul(ir, a, b);
    *sum = product ? dim_add(ir, *sum, product) : NULL;
    return *sum != NULL;
}

static bool dense(IrContext *ir, Value *value, Strided *out) {
    const Dim *stride = dim_const(ir, 1);
    out->base = value;
    out->offset = dim_const(ir, 0);
    for (uint32_t d = value->type->rank; d-- > 0;) {
        out->stride[d] = stride;
        stride = dim_mul(ir, stride, value->type->dims[d]);
        if (!stride) return false;
    }
    return true;
}

static bool through_permute(const Node *node, const Strided *in, Strided *out) {
    const Attr *perm = node_attr(node, ATTR_perm);
    for (uint32_t d = 0; d < perm->count; d++) out->stride[d] = in->stride[perm->ints[d]];
    return true;
}

static bool through_broadcast(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    const Attr *axes = node_attr(node, ATTR_axes);
    for (uint32_t d = 0; d < node->results[0]->type->rank; d++) out->stride[d] = dim_const(ir, 0);
    for (uint32_t d = 0; d < node->operands[0]->type->rank; d++) out->stride[axes->ints[d]] = in->stride[d];
    return true;
}

static bool through_slice(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    const Attr *start = node_attr(node, ATTR_start), *step = node_attr(node, ATTR_step);
    for (uint32_t d = 0; d < node->results[0]->type->rank; d++) {
        if (!add_product(ir, &out->offset, start->dims[d], in->stride[d])) return false;
        out->stride[d] = dim_mul(ir, in->stride[d], dim_const(ir, step->ints[d]));
        if (!out->stride[d]) return false;
    }
    return true;
}

/* Windows of one axis are the same elements by two strides. */
static bool through_window(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis), rank = node->operands[0]->type->rank;
    for (uint32_t d = 0; d < rank; d++) out->stride[d < axis ? d : d + 1] = in->stride[d];
    out->stride[axis] = dim_mul(ir, in->stride[axis], node_dim(node, ATTR_stride));
    out->stride[axis + 1] = dim_mul(ir, in->stride[axis], node_dim(node, ATTR_dilation));
    return out->stride[axis] && out->stride[axis + 1];
}

/* Axes [first, end) of a type. */
typedef struct {
    const Type *type;
    uint32_t first, end;
} Run;

static bool is_one(const Type *type, uint32_t axis) { return dim_is(type->dims[axis], 1); }

/* Do consecutive axes of the operand lie in memory as one? Then its stride is `*stride`. Axes of size 1 don't
 * matter. */
static bool merged(IrContext *ir, Run run, const Strided *in, const Dim **stride) {
    const Dim *next = NULL;
    *stride = NULL;
    for (uint32_t d = run.end; d-- > run.first;) {
        if (is_one(run.type, d)) continue;
        if (!*stride) *stride = in->stride[d];
        if (next && next != in->stride[d]) return false;
        next = dim_mul(ir, in->stride[d], run.type->dims[d]);
        if (!next) return false;
    }
    if (!*stride) *stride = dim_const(ir, 0);
    return true;
}

static bool split(IrContext *ir, Run run, const Dim *stride, Strided *out) {
    for (uint32_t d = run.end; d-- > run.first;) {
        out->stride[d] = is_one(run.type, d) ? dim_const(ir, 0) : stride;
        if (!is_one(run.type, d)) stride = dim_mul(ir, stride, run.type->dims[d]);
        if (!stride) return false;
    }
    return true;
}

/* Extends both runs by the fewest axes after which they hold equally many elements. */
static bool next_runs(IrContext *ir, Run *a, Run *b) {
    const Dim *x = dim_const(ir, 1);
    for (a->end = a->first; a->end < a->type->rank;) {
        x = dim_mul(ir, x, a->type->dims[a->end++]);
        const Dim *y = dim_const(ir, 1);
        for (b->end = b->first; b->end < b->type->rank;) {
            y = dim_mul(ir, y, b->type->dims[b->end++]);
            if (!x || !y) return false;
            if (x == y) return true;
        }
    }
    return false;
}

static void skip_ones(IrContext *ir, Run *run, Strided *out) {
    for (; run->first < run->type->rank && is_one(run->type, run->first); run->first++)
        if (out) out->stride[run->first] = dim_const(ir, 0);
}

static bool through_reshape(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    Run from = {node->operands[0]->type, 0, 0}, to = {node->results[0]->type, 0, 0};
    for (;;) {
        skip_ones(ir, &from, NULL);
        skip_ones(ir, &to, out);
        if (from.first == from.type->rank || to.first == to.type->rank) break;
        const Dim *stride;
        if (!next_runs(ir, &from, &to)) return false;
        if (!merged(ir, from, in, &stride) || !split(ir, to, stride, out)) return false;
        from.first = from.end;
        to.first = to.end;
    }
    return from.first == from.type->rank && to.first == to.type->rank;
}

bool strided_view(IrContext *ir, Value *value, StridedBase *is_base, void *user, Strided *out) {
    if (is_base(user, value)) return dense(ir, value, out);
    const Node *node = value->node;
    bool known = node && (node->op == OP_permute || node->op == OP_broadcast || node->op == OP_slice ||
                          node->op == OP_reshape || node->op == OP_window);
    Strided in;
    if (!known || !strided_view(ir, node->operands[0], is_base, user, &in)) return false;
    out->base = in.base;
    out->offset = in.offset;
    if (node->op == OP_permute) return through_permute(node, &in, out);
    if (node->op == OP_broadcast) return through_broadcast(ir, node, &in, out);
    if (node->op == OP_slice) return through_slice(ir, node, &in, out);
    if (node->op == OP_window) return through_window(ir, node, &in, out);
    return through_reshape(ir, node, &in, out);
}
