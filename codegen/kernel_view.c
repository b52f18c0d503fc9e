/* Views: a result's element is an operand's element at an index worked out here. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include "ir/strided.h"
#include <assert.h>

static uint32_t spans_of(Kernel *k, const Node *node, const At *at, uint32_t boundaries, AxisSpan *spans) {
    const Type *type = node->results[0]->type;
    return at_spans(k, at, type->rank, type->dims, boundaries, spans);
}

static LLVMValueRef operand_at(Kernel *k, const Node *node, uint32_t operand, const At *at) {
    return value_at(k, node->operands[operand], at_keep(k, at));
}

/* --- permute and broadcast: each span of the result is a span of the operand, or none */
/* Pushes spans in the order of the operand's axes that they become; negative = none. */
static void push_ordered(At *at, uint32_t count, const AxisSpan *spans, const int64_t *axis) {
    for (int64_t next = 0; next < MAX_RANK; next++)
        for (uint32_t i = 0; i < count; i++)
            if (axis[i] == next) at_push(at, spans[i].size, spans[i].index);
}

LLVMValueRef at_permute(Kernel *k, const Node *node, const At *at) {
    const Attr *perm = node_attr(node, ATTR_perm);
    uint32_t boundaries = 0;
    for (uint32_t d = 1; d < perm->count; d++)
        if (perm->ints[d] != perm->ints[d - 1] + 1) boundaries |= 1u << d;
    AxisSpan spans[MAX_RANK];
    uint32_t count = spans_of(k, node, at, boundaries, spans);
    int64_t axis[MAX_RANK];
    for (uint32_t i = 0; i < count; i++) axis[i] = perm->ints[spans[i].first];
    At child = at_child(at);
    push_ordered(&child, count, spans, axis);
    return operand_at(k, node, 0, &child);
}

LLVMValueRef at_broadcast(Kernel *k, const Node *node, const At *at) {
    const Attr *axes = node_attr(node, ATTR_axes);
    uint32_t rank = node->results[0]->type->rank, boundaries = 0;
    int64_t from[MAX_RANK], axis[MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) from[d] = -1;
    for (uint32_t i = 0; i < axes->count; i++) from[axes->ints[i]] = i;
    for (uint32_t d = 1; d < rank; d++)
        if ((from[d] < 0) != (from[d - 1] < 0)) boundaries |= 1u << d;
    AxisSpan spans[MAX_RANK];
    uint32_t count = spans_of(k, node, at, boundaries, spans);
    for (uint32_t i = 0; i < count; i++) axis[i] = from[spans[i].first];
    At child = at_child(at);
    push_ordered(&child, count, spans, axis);
    return operand_at(k, node, 0, &child);
}

/* --- slices: only the first axis of a span is cut, the others are whole */
/* The number of elements that one step along the span's first axis skips. */
static const Dim *inner_size(Kernel *k, const AxisSpan *span, const Type *operand) {
    return kernel_product(k, span->end - span->first - 1, operand->dims + span->first + 1);
}

static const Dim *span_size(Kernel *k, const AxisSpan *span, const Type *operand) {
    return kernel_product(k, span->end - span->first, operand->dims + span->first);
}

LLVMValueRef at_slice(Kernel *k, const Node *node, const At *at) {
    const Attr *start = node_attr(node, ATTR_start), *step = node_attr(node, ATTR_step);
    const Type *type = node->results[0]->type, *operand = node->operands[0]->type;
    uint32_t boundaries = 0;
    for (uint32_t d = 0; d < type->rank; d++) {
        if (!slice_is_whole(node, d)) boundaries |= 1u << d;
        if (step->ints[d] != 1) boundaries |= 2u << d;
    }
    AxisSpan spans[MAX_RANK];
    uint32_t count = spans_of(k, node, at, boundaries, spans);
    At child = at_child(at);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t d = spans[i].first;
        Index index = index_scale(k, spans[i].index, dim_const(k->e->ir, step->ints[d]), at->lanes);
        Index first = k->dry ? index_const(k, 0) : index_of(kernel_size(k, start->dims[d]));
        first = index_scale(k, first, inner_size(k, &spans[i], operand), 1);
        at_push(&child, span_size(k, &spans[i], operand), index_add(k, index, first, at->lanes));
    }
    return operand_at(k, node, 0, &child);
}

/* A start as it is used: clamped so that the block is inside the axis. */
static Index clamped_start(Kernel *k, const Value *start, const Dim *size, const Dim *block) {
    At scalar = {.lanes = 1};
    LLVMValueRef at = value_at(k, start, at_keep(k, &scalar));
    if (k->dry) return index_const(k, 0);
    LLVMValueRef last = LLVMBuildSub(k->e->builder, kernel_size(k, size), kernel_size(k, block), "");
    at = emit_combine(k->e, OP_min, DTYPE_i64, at, last);
    return index_of(emit_combine(k->e, OP_max, DTYPE_i64, at, emit_i64(k->e, 0)));
}

LLVMValueRef at_dynamic_slice(Kernel *k, const Node *node, const At *at) {
    const Attr *axes = node_attr(node, ATTR_axes);
    const Type *type = node->results[0]->type, *operand = node->operands[0]->type;
    AxisSpan spans[MAX_RANK];
    uint32_t count = spans_of(k, node, at, attr_bits(axes), spans);
    At child = at_child(at);
    for (uint32_t i = 0; i < count; i++) {
        Index index = spans[i].index;
        for (uint32_t a = 0; a < axes->count; a++) {
            uint32_t d = (uint32_t)axes->ints[a];
            if (d != spans[i].first) continue;
            Index start = clamped_start(k, node->operands[1 + a], operand->dims[d], type->dims[d]);
            start = index_scale(k, start, inner_size(k, &spans[i], operand), 1);
            index = index_add(k, index, start, at->lanes);
        }
        at_push(&child, span_size(k, &spans[i], operand), index);
    }
    return operand_at(k, node, 0, &child);
}

/* --- what is only wanted where a condition holds */
static bool finds_dear(Kernel *k, const Value *value, Map *seen) {
    const Node *node = value->node;
    if (!node || value->block != k->body || map_get(seen, value)) return false;
    map_put(seen, value, (void *)(uintptr_t)node);
    bool found = kernel_cost(node) >= KERNEL_DEAR;
    for (uint32_t i = 0; !found && i < node->operand_count; i++)
        found = finds_dear(k, node->operands[i], seen);
    return found;
}

/* Do so many elements beyond the operand's ends reach other pages? Loads there that no lane wants take
 * hundreds of cycles where no memory is. */
static bool is_far(const Value *operand, const Dim *elements) {
    int64_t number;
    return !elements || !dim_is_const(elements, &number) ||
           number >= 8192 / (int64_t)dtype_bytes(operand->type->dtype);
}

/* The operand where `wanted`, `otherwise` elsewhere. Where no lane wants it, and it costs much or is `far`,
 * it isn't computed. */
static LLVMValueRef operand_where(Kernel *k, const Node *node, uint32_t operand, const At *at, bool far,
                                  LLVMValueRef wanted, LLVMValueRef otherwise) {
    if (k->dry) return operand_at(k, node, operand, at);
    LLVMBuilderRef b = k->e->builder;
    far = far && emit_lane_count(wanted) > 1;
    if (!far && !finds_dear(k, node->operands[operand], map_new(k->arena)))
        return LLVMBuildSelect(b, wanted, operand_at(k, node, operand, at), otherwise, "");
    LLVMValueRef any = wanted;
    LLVMTypeRef type = LLVMTypeOf(wanted);
    if (emit_lane_count(wanted) > 1)
        any = emit_intrinsic(k->e, "llvm.vector.reduce.or", 1, &type, 1, &wanted);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    LLVMValueRef function = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(k->e->llvm, function, "part");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(k->e->llvm, function, "after");
    LLVMBuildCondBr(b, any, inside, after);
    LLVMPositionBuilderAtEnd(b, inside);
    const Scope *outer = scope_open(k);
    LLVMValueRef value = LLVMBuildSelect(b, wanted, operand_at(k, node, operand, at), otherwise, "");
    scope_close(k, outer);
    LLVMBasicBlockRef end = LLVMGetInsertBlock(b);
    LLVMBuildBr(b, after);
    LLVMMoveBasicBlockAfter(after, end);
    LLVMPositionBuilderAtEnd(b, after);
    LLVMValueRef result = LLVMBuildPhi(b, LLVMTypeOf(value), "");
    LLVMAddIncoming(result, (LLVMValueRef[]){value, otherwise}, (LLVMBasicBlockRef[]){end, before}, 2);
    return result;
}

/* --- pad: the operand inside, `fill` around it and between its elements */
typedef struct {
    Kernel *k;
    const Node *node;
    const At *at;
    At child;
    LLVMValueRef inside; /* NULL = certainly */
    bool far;            /* padding that the loops run across */
} Padding;

static void require(Padding *p, LLVMValueRef condition) {
    if (p->k->dry) return;
    at_restrict(p->k, &p->child, condition);
    At both = {.mask = p->inside};
    at_restrict(p->k, &both, condition);
    p->inside = both.mask;
}

/* Elements `gap` apart are the operand's. */
static Index unspread(Padding *p, Index index, int64_t gap) {
    Kernel *k = p->k;
    k->splits += 32;
    if (k->dry) return (Index){.vector = index.vector || index.step != 0};
    bool uniform = !index.vector && index.step == 0;
    LLVMValueRef number = uniform ? index.base : access_lanes(k->e, index, p->at->lanes);
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef divisor = emit_splat(k->e, emit_i64(k->e, gap), emit_lane_count(number));
    LLVMValueRef rest = LLVMBuildSRem(b, number, divisor, "");
    require(p, LLVMBuildICmp(b, LLVMIntEQ, rest, LLVMConstNull(LLVMTypeOf(rest)), ""));
    return (Index){.base = LLVMBuildSDiv(b, number, divisor, ""), .vector = !uniform};
}

static void pad_span(Padding *p, const AxisSpan *span) {
    Kernel *k = p->k;
    const Type *type = p->node->results[0]->type, *operand = p->node->operands[0]->type;
    uint32_t d = span->first, lanes = p->at->lanes;
    const Dim *low = node_attr(p->node, ATTR_low)->dims[d], *size = span_size(k, span, operand);
    int64_t interior = node_attr(p->node, ATTR_interior)->ints[d];
    Index index = span->index;
    if (!dim_is(low, 0)) {
        Index before = k->dry ? index_const(k, 0)
                              : index_of(kernel_size(k, dim_sub(k->e->ir, dim_const(k->e->ir, 0), low)));
        index = index_add(k, index, index_scale(k, before, inner_size(k, span, operand), 1), lanes);
    }
    if (interior) index = unspread(p, index, interior + 1);
    if (interior || type->dims[d] != operand->dims[d] || !dim_is(low, 0))
        require(p, index_inside(k, index, k->dry ? NULL : emit_i64(k->e, 0),
                                k->dry ? NULL : kernel_size(k, size), lanes));
    const Dim *added = dim_sub(k->e->ir, type->dims[d], operand->dims[d]);
    if (added) added = dim_mul(k->e->ir, added, inner_size(k, span, operand));
    p->far = p->far || is_far(p->node->operands[0], added);
    at_push(&p->child, size, index);
}

LLVMValueRef at_pad(Kernel *k, const Node *node, const At *at) {
    const Attr *interior = node_attr(node, ATTR_interior), *low = node_attr(node, ATTR_low);
    const Type *type = node->results[0]->type, *operand = node->operands[0]->type;
    uint32_t boundaries = 0;
    for (uint32_t d = 0; d < type->rank; d++) {
        if (type->dims[d] != operand->dims[d] || !dim_is(low->dims[d], 0) || interior->ints[d])
            boundaries |= 1u << d;
        if (interior->ints[d]) boundaries |= 2u << d;
    }
    AxisSpan spans[MAX_RANK];
    uint32_t count = spans_of(k, node, at, boundaries, spans);
    Padding p = {k, node, at, at_child(at), NULL, false};
    for (uint32_t i = 0; i < count; i++) pad_span(&p, &spans[i]);
    if (k->dry || !p.inside) return operand_at(k, node, 0, &p.child);
    At fill = at_child(at);
    return operand_where(k, node, 0, &p.child, p.far, p.inside, operand_at(k, node, 1, &fill));
}

/* --- concat: each part for the lanes that are its */
typedef struct {
    Kernel *k;
    const Node *node;
    const At *at;
    uint32_t axis, count;
    AxisSpan spans[MAX_RANK];
} Parts;

/* `others`, with the elements of part number `operand`, which begins at `first` along the axis, where these
 * are the result's. */
static LLVMValueRef with_part(const Parts *p, uint32_t operand, const Dim *first, LLVMValueRef others) {
    Kernel *k = p->k;
    LLVMValueRef chosen = NULL;
    bool far = false;
    const Type *type = p->node->operands[operand]->type;
    At child = at_child(p->at);
    for (uint32_t i = 0; i < p->count; i++) {
        const AxisSpan *span = &p->spans[i];
        Index index = span->index;
        if (span->first == p->axis) {
            const Dim *zero = dim_const(k->e->ir, 0), *before = dim_sub(k->e->ir, zero, first);
            Index shift = k->dry ? index_const(k, 0) : index_of(kernel_size(k, before));
            index = index_add(k, index, index_scale(k, shift, inner_size(k, span, type), 1), p->at->lanes);
            LLVMValueRef size = k->dry ? NULL : kernel_size(k, span_size(k, span, type));
            chosen = index_inside(k, index, k->dry ? NULL : emit_i64(k->e, 0), size, p->at->lanes);
            at_restrict(k, &child, chosen);
            const Dim *beyond =
                dim_sub(k->e->ir, p->node->results[0]->type->dims[p->axis], type->dims[p->axis]);
            if (beyond) beyond = dim_mul(k->e->ir, beyond, inner_size(k, span, type));
            far = is_far(p->node->operands[operand], beyond);
        }
        at_push(&child, span_size(k, span, type), index);
    }
    return operand_where(k, p->node, operand, &child, far, chosen, others);
}

LLVMValueRef at_concat(Kernel *k, const Node *node, const At *at) {
    Parts p = {.k = k, .node = node, .at = at, .axis = (uint32_t)node_int(node, ATTR_axis)};
    p.count = spans_of(k, node, at, 1u << p.axis, p.spans);
    const Dim *first = dim_const(k->e->ir, 0);
    LLVMTypeRef type =
        k->dry ? NULL : emit_lanes(emit_register_type(k->e, node->results[0]->type->dtype), at->lanes);
    LLVMValueRef result = k->dry ? NULL : LLVMConstNull(type);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        result = with_part(&p, i, first, result);
        first = dim_add(k->e->ir, first, node->operands[i]->type->dims[p.axis]);
        assert(first);
    }
    return result;
}

/* --- gather: along one axis, the index is what the ids say */
/* Ids as numbers in [0, size): out of range they are clamped, so that no memory outside is read. */
static Index id_index(Kernel *k, const Value *ids, const At *at, const Dim *size) {
    LLVMValueRef id = value_at(k, ids, at_keep(k, at));
    bool uniform = at_is_uniform(at);
    if (k->dry) return (Index){.vector = !uniform};
    LLVMTypeRef type = emit_lanes(LLVMInt64TypeInContext(k->e->llvm), emit_lane_count(id));
    id = LLVMBuildIntCast2(k->e->builder, id, type, dtype_class(ids->type->dtype) == CLASS_INT, "");
    LLVMValueRef last = LLVMBuildSub(k->e->builder, kernel_size(k, size), emit_i64(k->e, 1), "");
    id = emit_combine(k->e, OP_min, DTYPE_i64, id, emit_splat(k->e, last, at->lanes));
    id = emit_combine(k->e, OP_max, DTYPE_i64, id, LLVMConstNull(type));
    return (Index){.base = id, .vector = at->lanes > 1};
}

LLVMValueRef at_gather(Kernel *k, const Node *node, const At *at) {
    const Type *x = node->operands[0]->type, *ids = node->operands[1]->type;
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    AxisSpan spans[MAX_RANK];
    uint32_t count = spans_of(k, node, at, 1u << axis | 1u << (axis + ids->rank), spans);
    At place = at_child(at);
    for (uint32_t i = 0; i < count; i++)
        if (spans[i].first >= axis && spans[i].end <= axis + ids->rank)
            at_push(&place, spans[i].size, spans[i].index);
    /* A scalar id, or the same for all lanes, is loaded once. */
    if (at_is_uniform(&place)) {
        place.lanes = 1;
        place.tail = NULL;
        if (place.mask && emit_lane_count(place.mask) > 1) {
            LLVMValueRef mask = at_mask(k, at);
            LLVMTypeRef type = LLVMTypeOf(mask);
            place.mask = emit_intrinsic(k->e, "llvm.vector.reduce.or", 1, &type, 1, &mask);
        }
    }
    Index id = id_index(k, node->operands[1], &place, x->dims[axis]);
    At child = at_child(at);
    bool pushed = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!pushed && spans[i].first >= axis) {
            at_push(&child, x->dims[axis], id);
            pushed = true;
        }
        if (spans[i].end <= axis || spans[i].first >= axis + ids->rank)
            at_push(&child, spans[i].size, spans[i].index);
    }
    if (!pushed) at_push(&child, x->dims[axis], id);
    return operand_at(k, node, 0, &child);
}
