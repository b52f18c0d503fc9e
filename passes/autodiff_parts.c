/* Sums of adjoints of parts: what is read in slices gets its adjoint as a sum of the slices' adjoints with
 * zeros around. Where the slices don't overlap that is a concatenation, whose elements are each computed
 * once. */
#include "passes/autodiff.h"

enum { MAX_SECTIONS = 16 };

/* Sections of one axis, in order. */
typedef struct {
    const Dim *start, *size;
    Value *value; /* NULL = zeros */
} Section;

typedef struct {
    IrContext *ir;
    uint32_t axis, count;
    Section at[MAX_SECTIONS + 2];
} Sections;

static bool is_zeros(const Value *value) {
    const Node *node = value->node;
    return node && node->op == OP_const && dtype_is_float(value->type->dtype) &&
           node_attr(node, ATTR_value)->number == 0;
}

/* Zeros around the operand, along one axis. */
static bool is_section(const Value *value, uint32_t *axis) {
    const Node *node = value->node;
    if (!node || node->op != OP_pad || !is_zeros(node->operands[1])) return false;
    uint32_t padded = 0;
    for (uint32_t i = 0; i < value->type->rank; i++) {
        if (node_attr(node, ATTR_interior)->ints[i]) return false;
        if (dim_is(node_attr(node, ATTR_low)->dims[i], 0) && dim_is(node_attr(node, ATTR_high)->dims[i], 0))
            continue;
        *axis = i;
        padded++;
    }
    return padded == 1;
}

static void append(Sections *s, const Dim *size, Value *value) {
    const Dim *start = dim_const(s->ir, 0);
    if (s->count) start = dim_add(s->ir, s->at[s->count - 1].start, s->at[s->count - 1].size);
    if (!dim_is(size, 0)) s->at[s->count++] = (Section){start, size, value};
}

static bool open_sections(Sections *s, Value *x) {
    const Node *node = x->node;
    uint32_t axis;
    s->count = 0;
    if (node && node->op == OP_concat && node_int(node, ATTR_axis) == s->axis &&
        node->operand_count <= MAX_SECTIONS) {
        for (uint32_t i = 0; i < node->operand_count; i++)
            append(s, node->operands[i]->type->dims[s->axis],
                   is_zeros(node->operands[i]) ? NULL : node->operands[i]);
        return true;
    }
    if (!is_section(x, &axis) || axis != s->axis) return false;
    append(s, node_attr(node, ATTR_low)->dims[axis], NULL);
    append(s, node->operands[0]->type->dims[axis], node->operands[0]);
    append(s, node_attr(node, ATTR_high)->dims[axis], NULL);
    return true;
}

/* Puts the value into the zeros that are there; false where they aren't. */
static bool put(Sections *s, const Dim *start, Value *value) {
    const Dim *size = value->type->dims[s->axis];
    Sections with = {.ir = s->ir, .axis = s->axis};
    bool done = false;
    for (uint32_t i = 0; i < s->count; i++) {
        const Section *old = &s->at[i];
        const Dim *before = dim_sub(s->ir, start, old->start);
        const Dim *after = before ? dim_sub(s->ir, dim_sub(s->ir, old->size, before), size) : NULL;
        if (done || old->value || !after || dim_may_be_negative(before) || dim_may_be_negative(after)) {
            append(&with, old->size, old->value);
            continue;
        }
        append(&with, before, NULL);
        append(&with, size, value);
        append(&with, after, NULL);
        done = true;
    }
    *s = with;
    return done && s->count <= MAX_SECTIONS;
}

static Value *concatenated(Builder *b, const Sections *s, const Type *type) {
    Value *parts[MAX_SECTIONS];
    for (uint32_t i = 0; i < s->count; i++) {
        const Dim *dims[MAX_RANK];
        for (uint32_t d = 0; d < type->rank; d++) dims[d] = d == s->axis ? s->at[i].size : type->dims[d];
        parts[i] = s->at[i].value;
        if (!parts[i]) parts[i] = build_const(b, type_tensor(s->ir, type->dtype, type->rank, dims), 0);
    }
    return build_concat(b, s->count, parts, s->axis);
}

Value *sum_parts(Builder *b, Value *x, Value *y) {
    Sections s = {.ir = b->graph->ir};
    if (!is_section(y, &s.axis) || !open_sections(&s, x)) return NULL;
    if (!put(&s, node_attr(y->node, ATTR_low)->dims[s.axis], y->node->operands[0])) return NULL;
    return concatenated(b, &s, x->type);
}
