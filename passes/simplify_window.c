/* Windows: those of one element are no windows; and only the part of a product, of windows or of padding that
 * a slice keeps is made. */
#include "ir/shape.h"
#include "passes/simplify.h"
#include <string.h>

static IrContext *context(const Builder *b) { return b->graph->ir; }
static const Dim *number(const Builder *b, int64_t value) { return dim_const(context(b), value); }

/* --- slices of parts of axes, the others whole */
typedef struct {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
} Cut;

static Cut cut_nothing(const Builder *b, const Type *x) {
    Cut cut;
    for (uint32_t i = 0; i < x->rank; i++) {
        cut.start[i] = number(b, 0);
        cut.dims[i] = x->dims[i];
        cut.step[i] = 1;
    }
    return cut;
}

static Value *cut_out(Builder *b, Value *x, const Cut *cut) {
    return build_slice(b, x, cut->start, cut->dims, cut->step);
}

static Cut cut_of(const Node *slice) {
    Cut cut;
    for (uint32_t i = 0; i < type_of(slice)->rank; i++) {
        cut.start[i] = node_attr(slice, ATTR_start)->dims[i];
        cut.dims[i] = node_attr(slice, ATTR_dims)->dims[i];
        cut.step[i] = node_attr(slice, ATTR_step)->ints[i];
    }
    return cut;
}

static bool cuts(const Cut *cut, const Type *x, uint32_t axis) {
    return !dim_is(cut->start[axis], 0) || cut->step[axis] != 1 || cut->dims[axis] != x->dims[axis];
}

/* --- windows of one element, and one window of all */
/* Every so manieth element; NULL where there is no need or the step isn't known. */
static Value *one_element(Builder *b, Node *node) {
    Value *x = in(node, 0);
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    const Dim *stride = node_dim(node, ATTR_stride);
    Cut cut = cut_nothing(b, x->type);
    cut.dims[axis] = type_of(node)->dims[axis];
    if (!dim_is_const(stride, &cut.step[axis])) return NULL;
    bool all = dim_is(stride, 1);
    return build_reshape(b, all ? x : cut_out(b, x, &cut), type_of(node)->rank, type_of(node)->dims);
}

static bool is_whole(const Node *node, const Dim *axis, const Dim *size) {
    return size == axis && dim_is(node_dim(node, ATTR_dilation), 1);
}

static Value *rule_window(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    const Type *type = type_of(node);
    const Dim *size = node_dim(node, ATTR_size);
    if (is_const(x)) return const_like(b, x, type);
    if (is_whole(node, x->type->dims[node_int(node, ATTR_axis)], size))
        return build_reshape(b, x, type->rank, type->dims);
    return dim_is(size, 1) ? one_element(b, node) : NULL;
}

/* --- windows added up */
/* Windows that leave nothing out, nor overlap. */
static bool side_by_side(const Builder *b, const Node *node) {
    const Type *part = in(node, 0)->type;
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    const Dim *size = part->dims[axis + 1];
    return size == node_dim(node, ATTR_stride) && dim_is(node_dim(node, ATTR_dilation), 1) &&
           dim_mul(context(b), part->dims[axis], size) == type_of(node)->dims[axis];
}

static Value *rule_window_add(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *part = in(node, 0);
    const Type *type = type_of(node);
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    const Dim *size = part->type->dims[axis + 1];
    bool one = dim_is(size, 1) && dim_is(node_dim(node, ATTR_stride), 1);
    if (one || side_by_side(b, node) || is_whole(node, type->dims[axis], size))
        return build_reshape(b, part, type->rank, type->dims);
    return is_splat(part, 0) ? build_const(b, type, 0) : NULL;
}

/* --- slices */
/* Of a product: of the factors that have the axes. */
static Value *slice_of_product(Simplify *s, Builder *b, Node *node) {
    Value *x = in(node, 0);
    if (!read_once(s, x)) return NULL;
    ContractSpec spec;
    contract_spec_parse(node_str(x->node, ATTR_spec), &spec);
    Cut cut = cut_of(node);
    Value *factors[2];
    for (int f = 0; f < 2; f++) {
        Value *factor = x->node->operands[f];
        const char *labels = f ? spec.y : spec.x;
        Cut own = cut_nothing(b, factor->type);
        bool any = false;
        for (uint32_t i = 0; i < x->type->rank; i++) {
            const char *at = strchr(labels, spec.result[i]);
            if (!at || !cuts(&cut, x->type, i)) continue;
            own.start[at - labels] = cut.start[i];
            own.dims[at - labels] = cut.dims[i];
            own.step[at - labels] = cut.step[i];
            any = true;
        }
        factors[f] = any ? cut_out(b, factor, &own) : factor;
    }
    return build_contract(b, factors[0], factors[1], node_str(x->node, ATTR_spec));
}

/* Of windows that follow each other: of what they are on. */
static Value *slice_of_windows(Builder *b, Node *node) {
    const Node *window = in(node, 0)->node;
    Value *x = source(in(node, 0));
    IrContext *ir = context(b);
    uint32_t axis = (uint32_t)node_int(window, ATTR_axis);
    const Dim *size = node_dim(window, ATTR_size), *stride = node_dim(window, ATTR_stride),
              *one = number(b, 1);
    Cut cut = cut_of(node), own = cut_nothing(b, x->type);
    int64_t count;
    if (cuts(&cut, in(node, 0)->type, axis + 1) || cut.step[axis] != 1) return NULL;
    if (dim_is_const(cut.dims[axis], &count) && count < 1) return NULL;
    if (!dim_is_const(cut.dims[axis], NULL) || !dim_is_const(size, NULL)) return NULL;
    for (uint32_t i = 0; i < x->type->rank; i++) {
        uint32_t from = i <= axis ? i : i + 1;
        own.start[i] = cut.start[from];
        own.dims[i] = cut.dims[from];
        own.step[i] = cut.step[from];
    }
    const Dim *inside = dim_mul(ir, dim_sub(ir, size, one), node_dim(window, ATTR_dilation));
    const Dim *between = dim_mul(ir, dim_sub(ir, cut.dims[axis], one), stride);
    own.start[axis] = dim_mul(ir, cut.start[axis], stride);
    own.dims[axis] = dim_add(ir, dim_add(ir, inside, between), one);
    if (!own.start[axis] || !own.dims[axis]) return NULL;
    return build_window(b, cut_out(b, x, &own), axis, size, stride, node_dim(window, ATTR_dilation));
}

/* What is left of the padding at both ends; false where the slice may cut into the operand, or leaves out
 * parts. */
static bool margins_left(Builder *b, const Cut *cut, const Node *pad, uint32_t i, const Dim **low,
                         const Dim **high) {
    IrContext *ir = context(b);
    const Dim *all = type_of(pad)->dims[i];
    int64_t before, after;
    *low = dim_sub(ir, node_attr(pad, ATTR_low)->dims[i], cut->start[i]);
    const Dim *rest = dim_sub(ir, all, dim_add(ir, cut->start[i], cut->dims[i]));
    *high = dim_sub(ir, node_attr(pad, ATTR_high)->dims[i], rest);
    return cut->step[i] == 1 && dim_is_const(*low, &before) && dim_is_const(*high, &after) && before >= 0 &&
           after >= 0;
}

/* Not where the padding is there for others too. */
static Value *slice_of_padding(Simplify *s, Builder *b, Node *node) {
    const Node *pad = in(node, 0)->node;
    if (!read_once(s, in(node, 0))) return NULL;
    Value *x = source(in(node, 0));
    Cut cut = cut_of(node);
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) {
        interior[i] = node_attr(pad, ATTR_interior)->ints[i];
        low[i] = node_attr(pad, ATTR_low)->dims[i];
        high[i] = node_attr(pad, ATTR_high)->dims[i];
        if (cuts(&cut, type_of(pad), i) && !margins_left(b, &cut, pad, i, &low[i], &high[i])) return NULL;
    }
    return build_pad(b, x, in(pad, 1), low, high, interior);
}

static Value *rule_slice(Simplify *s, Builder *b, Node *node) {
    Value *x = in(node, 0);
    if (made_by(x, OP_contract)) return slice_of_product(s, b, node);
    if (made_by(x, OP_window)) return slice_of_windows(b, node);
    return made_by(x, OP_pad) ? slice_of_padding(s, b, node) : NULL;
}

/* --- padding of what is padded with the same, and of windows along other axes: before they are windows */
static Value *pad_of_windows(Builder *b, Node *node) {
    const Node *window = in(node, 0)->node;
    Value *x = source(in(node, 0));
    uint32_t axis = (uint32_t)node_int(window, ATTR_axis);
    const Attr *before = node_attr(node, ATTR_low), *after = node_attr(node, ATTR_high);
    const Attr *between = node_attr(node, ATTR_interior);
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    for (uint32_t i = axis; i < axis + 2; i++)
        if (!dim_is(before->dims[i], 0) || !dim_is(after->dims[i], 0) || between->ints[i]) return NULL;
    for (uint32_t i = 0; i < x->type->rank; i++) {
        uint32_t from = i <= axis ? i : i + 1;
        low[i] = before->dims[from];
        high[i] = after->dims[from];
        interior[i] = between->ints[from];
    }
    return build_window(b, build_pad(b, x, in(node, 1), low, high, interior), axis,
                        node_dim(window, ATTR_size), node_dim(window, ATTR_stride),
                        node_dim(window, ATTR_dilation));
}

static Value *rule_pad(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    if (made_by(x, OP_window)) return pad_of_windows(b, node);
    if (!made_by(x, OP_pad) || x->node->operands[1] != in(node, 1)) return NULL;
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK] = {0};
    for (uint32_t i = 0; i < x->type->rank; i++) {
        if (node_attr(node, ATTR_interior)->ints[i] || node_attr(x->node, ATTR_interior)->ints[i])
            return NULL;
        low[i] =
            dim_add(context(b), node_attr(node, ATTR_low)->dims[i], node_attr(x->node, ATTR_low)->dims[i]);
        high[i] =
            dim_add(context(b), node_attr(node, ATTR_high)->dims[i], node_attr(x->node, ATTR_high)->dims[i]);
        if (!low[i] || !high[i]) return NULL;
    }
    return build_pad(b, source(x), in(node, 1), low, high, interior);
}

Value *simplify_window(Simplify *s, Builder *b, Node *node) {
    static Rule *const rules[OP_COUNT] = {
        [OP_window] = rule_window,
        [OP_window_add] = rule_window_add,
        [OP_slice] = rule_slice,
        [OP_pad] = rule_pad,
    };
    return rules[node->op] ? rules[node->op](s, b, node) : NULL;
}
