/* Which slice of a tensor a loop's step reads or writes: indices that are ±i + c, where i is the loop's index
 * and c a dimension. Two steps never see the same slice then. */
#include "passes/hoist_steps.h"

enum { MAX_DEPTH = 8 }; /* of the arithmetic that is followed back from an index */

static IrContext *context(const Steps *s) { return s->hoist->graph->ir; }

/* --- linear functions of the loop's index */
typedef struct {
    int sign; /* 1, 0, -1 */
    const Dim *rest;
} Linear;

static bool linear(const Steps *s, const Value *value, int depth, Linear *out);

static bool linear_pair(const Steps *s, const Node *node, int depth, Linear *out) {
    Linear x, y;
    if (!linear(s, node->operands[0], depth - 1, &x) || !linear(s, node->operands[1], depth - 1, &y))
        return false;
    bool minus = node->op == OP_sub;
    out->sign = minus ? x.sign - y.sign : x.sign + y.sign;
    out->rest = minus ? dim_sub(context(s), x.rest, y.rest) : dim_add(context(s), x.rest, y.rest);
    return out->rest && out->sign >= -1 && out->sign <= 1;
}

static bool linear(const Steps *s, const Value *value, int depth, Linear *out) {
    const Node *node = value->node;
    *out = (Linear){0, map_get(s->sizes, value)};
    if (out->rest) return true;
    if (!node && s->body && value == s->body->params.at[0]) {
        *out = (Linear){1, dim_const(context(s), 0)};
        return true;
    }
    if (!node || !depth) return false;
    if (node->op == OP_size) out->rest = node_dim(node, ATTR_dim);
    if (node->op == OP_const) out->rest = dim_const(context(s), node_int(node, ATTR_ivalue));
    if (node->op == OP_add || node->op == OP_sub) return linear_pair(s, node, depth, out);
    return out->rest != NULL;
}

static void note_sizes(Steps *s) {
    for (const Node *inner = s->loop; inner; inner = inner->block->owner)
        for (const Node *node = inner->prev; node; node = node->prev)
            if (node->op == OP_symbol)
                map_put(s->sizes, node->operands[0], (void *)(uintptr_t)node_dim(node, ATTR_dim));
}

bool hoist_index_range(Steps *s) {
    Linear lo, hi;
    note_sizes(s);
    if (!linear(s, s->loop->operands[0], MAX_DEPTH, &lo) || !linear(s, s->loop->operands[1], MAX_DEPTH, &hi))
        return false;
    if (lo.sign || hi.sign) return false;
    s->first = lo.rest;
    s->count = dim_sub(context(s), hi.rest, lo.rest);
    return s->count && !dim_is(s->count, 0) && !dim_may_be_negative(s->count);
}

/* --- slices */
static bool is_inside(const Steps *s, const Dim *start, const Dim *size) {
    if (dim_is(start, 0) && size == s->count) return true;
    int64_t from, count, all;
    return dim_is_const(start, &from) && dim_is_const(s->count, &count) && dim_is_const(size, &all) &&
           from >= 0 && count <= all && from <= all - count;
}

/* The least of the values that an index has. */
static const Dim *least(const Steps *s, const Linear *index) {
    const Dim *at_first = index->sign > 0 ? dim_add(context(s), index->rest, s->first)
                                          : dim_sub(context(s), index->rest, s->first);
    if (index->sign > 0 || !at_first) return at_first;
    const Dim *last = dim_sub(context(s), s->count, dim_const(context(s), 1));
    return last ? dim_sub(context(s), at_first, last) : NULL;
}

static const Type *part_of(const Node *node) {
    return node->op == OP_update_slice ? node->operands[1]->type : node->results[0]->type;
}

bool hoist_index_slice(const Steps *s, const Node *node, StepSlice *slice) {
    if (node->op != OP_dynamic_slice && node->op != OP_update_slice) return false;
    const Attr *axes = node_attr(node, ATTR_axes);
    uint32_t first = node->op == OP_update_slice ? 2 : 1, found = 0;
    for (uint32_t k = 0; k < axes->count; k++) {
        Linear index;
        uint32_t axis = (uint32_t)axes->ints[k];
        if (!linear(s, node->operands[first + k], MAX_DEPTH, &index) || !index.sign) continue;
        const Dim *start = least(s, &index);
        if (!start || !dim_is(part_of(node)->dims[axis], 1)) return false;
        if (!is_inside(s, start, node->operands[0]->type->dims[axis])) return false;
        *slice = (StepSlice){axis, k, index.sign, start};
        found++;
    }
    return found == 1;
}

bool hoist_index_whole(const Steps *s, const StepSlice *slice, const Type *type) {
    return dim_is(slice->start, 0) && type->dims[slice->axis] == s->count;
}

Value *hoist_index_number(const Steps *s, Builder *b, int sign) {
    Value *i = s->body->params.at[0], *lo = s->loop->operands[0], *hi = s->loop->operands[1];
    if (sign > 0) return dim_is(s->first, 0) ? i : build_binary(b, OP_sub, i, lo);
    Value *last = build_binary(b, OP_sub, hi, build_int(b, 1));
    return build_binary(b, OP_sub, last, i);
}
