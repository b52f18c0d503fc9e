/* Windows of an axis, and the axis that windows add up to: each of its elements gathers what the windows have
 * for it, so that elements are independent and their sums always in one order. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"

/* An element's index with the axes before `axis` and after `next` as they are; those two are one index each.
 */
typedef struct {
    AxisSpan spans[MAX_RANK];
    uint32_t count;
} Spans;

static Spans spans_around(Kernel *k, const Node *node, const At *at, uint32_t boundaries) {
    Spans s;
    const Type *type = node->results[0]->type;
    s.count = at_spans(k, at, type->rank, type->dims, boundaries, s.spans);
    return s;
}

LLVMValueRef at_window(Kernel *k, const Node *node, const At *at) {
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    Spans s = spans_around(k, node, at, 7u << axis);
    At child = at_child(at);
    Index window = index_const(k, 0);
    for (uint32_t i = 0; i < s.count; i++) {
        AxisSpan span = s.spans[i];
        if (span.first == axis) {
            window = index_scale(k, span.index, node_dim(node, ATTR_stride), at->lanes);
            continue;
        }
        if (span.first == axis + 1) {
            Index element = index_scale(k, span.index, node_dim(node, ATTR_dilation), at->lanes);
            span.index = index_add(k, window, element, at->lanes);
            span.size = node->operands[0]->type->dims[axis];
        }
        at_push(&child, span.size, span.index);
    }
    return value_at(k, node->operands[0], at_keep(k, &child));
}

/* --- the sum */
typedef struct {
    Kernel *k;
    const Node *node;
    const At *at;
    Spans spans;
    uint32_t axis;
    const Dim *stride, *dilation;
    Index quotient, rest; /* dilation 1: the element's number, divided by the stride */
    Index number;
    LLVMValueRef sum; /* memory */
} Summing;

static Index minus(Kernel *k, Index a, Index b, uint32_t lanes) {
    return index_add(k, a, index_scale(k, b, dim_const(k->e->ir, -1), lanes), lanes);
}

/* Elements that differ in whether they are there differ by lane. */
static void require_inside(Summing *s, At *child, Index index, const Dim *size) {
    Kernel *k = s->k;
    LLVMValueRef low = k->dry ? NULL : emit_i64(k->e, 0), high = k->dry ? NULL : kernel_size(k, size);
    at_restrict(k, child, index_inside(k, index, low, high, s->at->lanes));
}

/* Dilation 1: the windows that hold element number n are n // stride and those before it. */
static void adjacent(Summing *s, Index term, At *child, Index *window, Index *element) {
    const Type *part = s->node->operands[0]->type;
    *window = minus(s->k, s->quotient, term, s->at->lanes);
    *element = index_add(s->k, s->rest, index_scale(s->k, term, s->stride, s->at->lanes), s->at->lanes);
    require_inside(s, child, *window, part->dims[s->axis]);
    if (!dim_is(s->stride, 1)) require_inside(s, child, *element, part->dims[s->axis + 1]);
}

/* Element number k of a window is wanted where the window then begins at a multiple of the stride. */
static void dilated(Summing *s, Index term, At *child, Index *window, Index *element) {
    Kernel *k = s->k;
    const Type *part = s->node->operands[0]->type;
    uint32_t lanes = s->at->lanes;
    Index begin = minus(k, s->number, index_scale(k, term, s->dilation, lanes), lanes);
    *element = term;
    *window = begin;
    if (!dim_is(s->stride, 1)) {
        require_inside(s, child, begin, s->node->results[0]->type->dims[s->axis]);
        Index beside = index_mod(k, begin, s->stride, lanes);
        require_inside(s, child, beside, dim_const(k->e->ir, 1));
        *window = index_div(k, begin, s->stride, lanes);
    }
    require_inside(s, child, *window, part->dims[s->axis]);
}

/* The term of the sum, 0 where there is none. */
static LLVMValueRef term_at(Summing *s, Index term) {
    Kernel *k = s->k;
    const Value *part = s->node->operands[0];
    Index window, element;
    At exists = {.lanes = s->at->lanes}, child = at_child(s->at);
    (dim_is(s->dilation, 1) ? adjacent : dilated)(s, term, &exists, &window, &element);
    at_restrict(k, &child, exists.mask);
    for (uint32_t i = 0; i < s->spans.count; i++) {
        const AxisSpan *span = &s->spans.spans[i];
        if (span->first != s->axis) {
            at_push(&child, span->size, span->index);
            continue;
        }
        at_push(&child, part->type->dims[s->axis], window);
        at_push(&child, part->type->dims[s->axis + 1], element);
    }
    LLVMValueRef value = value_at(k, part, at_keep(k, &child));
    if (k->dry) return NULL;
    return LLVMBuildSelect(k->e->builder, exists.mask, value, LLVMConstNull(LLVMTypeOf(value)), "");
}

static void add_term(Emit *e, LLVMValueRef term, void *user) {
    Summing *s = user;
    const Scope *outer = scope_open(s->k);
    LLVMValueRef value = term_at(s, index_of(term));
    LLVMValueRef sum = LLVMBuildLoad2(e->builder, LLVMTypeOf(value), s->sum, "");
    sum = emit_combine(e, OP_add, s->node->results[0]->type->dtype, sum, value);
    LLVMBuildStore(e->builder, sum, s->sum);
    scope_close(s->k, outer);
}

/* How many terms there are at most. */
static const Dim *terms_of(const Summing *s) {
    IrContext *ir = s->k->e->ir;
    const Dim *size = s->node->operands[0]->type->dims[s->axis + 1];
    if (!dim_is(s->dilation, 1)) return size;
    const Dim *before = dim_floordiv(ir, dim_sub(ir, size, dim_const(ir, 1)), s->stride);
    return dim_add(ir, before, dim_const(ir, 1));
}

LLVMValueRef at_window_add(Kernel *k, const Node *node, const At *at) {
    Summing s = {.k = k,
                 .node = node,
                 .at = at,
                 .axis = (uint32_t)node_int(node, ATTR_axis),
                 .stride = node_dim(node, ATTR_stride),
                 .dilation = node_dim(node, ATTR_dilation)};
    s.spans = spans_around(k, node, at, 3u << s.axis);
    for (uint32_t i = 0; i < s.spans.count; i++)
        if (s.spans.spans[i].first == s.axis) s.number = s.spans.spans[i].index;
    if (dim_is(s.dilation, 1)) {
        s.quotient = index_div(k, s.number, s.stride, at->lanes);
        s.rest = index_mod(k, s.number, s.stride, at->lanes);
    }
    if (k->dry) return term_at(&s, index_const(k, 0));
    LLVMTypeRef type = emit_lanes(emit_register_type(k->e, node->results[0]->type->dtype), at->lanes);
    s.sum = emit_alloca(k->e, type, "sum");
    LLVMBuildStore(k->e->builder, LLVMConstNull(type), s.sum);
    emit_loop(k->e, emit_i64(k->e, 0), kernel_size(k, terms_of(&s)), 1, "window", add_term, &s);
    return LLVMBuildLoad2(k->e->builder, type, s.sum, "");
}
