/* Composes views into one offset and one stride an axis, symbolically. */
#include "ir/strided.h"

enum { NO_AXIS = MAX_RANK };

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
    out->edge_count = 0;
    for (uint32_t d = value->type->rank; d-- > 0;) {
        out->stride[d] = stride;
        stride = dim_mul(ir, stride, value->type->dims[d]);
        if (!stride) return false;
    }
    return true;
}

static bool through_permute(const Node *node, const Strided *in, Strided *out) {
    const Attr *perm = node_attr(node, ATTR_perm);
    for (uint32_t d = 0; d < perm->count; d++) {
        out->stride[d] = in->stride[perm->ints[d]];
        for (uint32_t i = 0; i < in->edge_count; i++) {
            if (in->edge[i].place == perm->ints[d]) out->edge[i].place = d;
            if (in->edge[i].within == perm->ints[d]) out->edge[i].within = d;
        }
    }
    return true;
}

static bool through_broadcast(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    const Attr *axes = node_attr(node, ATTR_axes);
    for (uint32_t d = 0; d < node->results[0]->type->rank; d++) out->stride[d] = dim_const(ir, 0);
    for (uint32_t d = 0; d < node->operands[0]->type->rank; d++) out->stride[axes->ints[d]] = in->stride[d];
    return true;
}

bool slice_is_whole(const Node *slice, uint32_t axis) {
    return dim_is(node_attr(slice, ATTR_start)->dims[axis], 0) &&
           node_attr(slice, ATTR_step)->ints[axis] == 1 &&
           slice->results[0]->type->dims[axis] == slice->operands[0]->type->dims[axis];
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

/* Zeros around `in`, seen as elements before and behind it; an edge until windows are taken says `within`
 * where it isn't one. */
static bool through_pad(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    const Node *fill = node->operands[1]->node;
    const Attr *low = node_attr(node, ATTR_low), *high = node_attr(node, ATTR_high);
    const Type *type = node->operands[0]->type;
    if (!fill || fill->op != OP_const || !dtype_is_float(type->dtype) ||
        node_attr(fill, ATTR_value)->number != 0)
        return false;
    for (uint32_t d = 0; d < type->rank; d++) {
        StridedEdge edge = {.place = d, .within = NO_AXIS, .stride = 1};
        out->stride[d] = in->stride[d];
        if (node_attr(node, ATTR_interior)->ints[d] != 0) return false;
        if (dim_is(low->dims[d], 0) && dim_is(high->dims[d], 0)) continue;
        if (out->edge_count == STRIDED_MAX_EDGES || !dim_is_const(low->dims[d], &edge.low) ||
            !dim_is_const(type->dims[d], &edge.extent) ||
            !add_product(ir, &out->offset, dim_const(ir, -edge.low), in->stride[d]))
            return false;
        out->edge[out->edge_count++] = edge;
    }
    return true;
}

/* The edges of an axis that becomes two. */
static bool window_edges(const Node *node, uint32_t axis, Strided *out) {
    for (uint32_t i = 0; i < out->edge_count; i++) {
        StridedEdge *edge = &out->edge[i];
        if (edge->place == axis) {
            if (edge->within != NO_AXIS || !dim_is_const(node_dim(node, ATTR_stride), &edge->stride) ||
                !dim_is_const(node_dim(node, ATTR_dilation), &edge->dilation))
                return false;
            edge->within = axis + 1;
            continue;
        }
        if (edge->within == axis) return false;
        edge->place += edge->place > axis;
        edge->within += edge->within != NO_AXIS && edge->within > axis;
    }
    return true;
}

/* Windows of one axis are the same elements by two strides. */
static bool through_window(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis), rank = node->operands[0]->type->rank;
    for (uint32_t d = 0; d < rank; d++) out->stride[d < axis ? d : d + 1] = in->stride[d];
    out->stride[axis] = dim_mul(ir, in->stride[axis], node_dim(node, ATTR_stride));
    out->stride[axis + 1] = dim_mul(ir, in->stride[axis], node_dim(node, ATTR_dilation));
    return out->stride[axis] && out->stride[axis + 1] && window_edges(node, axis, out);
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

/* Does the slice keep all of the axes that edges are at, as a part of the channels of a picture does? */
static bool keeps_edges(const Node *slice, const Strided *in) {
    for (uint32_t i = 0; i < in->edge_count; i++) {
        const StridedEdge *edge = &in->edge[i];
        if (!slice_is_whole(slice, edge->place)) return false;
        if (edge->within != NO_AXIS && !slice_is_whole(slice, edge->within)) return false;
    }
    return true;
}

static bool through(IrContext *ir, const Node *node, const Strided *in, Strided *out) {
    if (node->op == OP_masked) return true;
    if (node->op == OP_permute) return through_permute(node, in, out);
    if (node->op == OP_window) return through_window(ir, node, in, out);
    if (node->op == OP_slice && keeps_edges(node, in)) return through_slice(ir, node, in, out);
    /* What others make of the axes that edges are at isn't followed. */
    if (in->edge_count) return false;
    if (node->op == OP_pad) return through_pad(ir, node, in, out);
    if (node->op == OP_broadcast) return through_broadcast(ir, node, in, out);
    return node->op == OP_reshape && through_reshape(ir, node, in, out);
}

static bool all_windowed(const Strided *view) {
    for (uint32_t i = 0; i < view->edge_count; i++)
        if (view->edge[i].within == NO_AXIS) return false;
    return true;
}

static bool follow(IrContext *ir, Value *value, StridedBase *is_base, void *user, Strided *out) {
    if (is_base(user, value)) return dense(ir, value, out);
    const Node *node = value->node;
    Strided in;
    if (!node || !node->operand_count || !follow(ir, node->operands[0], is_base, user, &in)) return false;
    *out = in;
    return through(ir, node, &in, out);
}

bool strided_view(IrContext *ir, Value *value, StridedBase *is_base, void *user, Strided *out) {
    return follow(ir, value, is_base, user, out) && all_windowed(out);
}
