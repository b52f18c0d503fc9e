/* Where a mask made of indices can be true at all, as that of a causal attention: asked for a box of indices
 * before what it masks is computed, and for the terms of a sum by a factor that is 0 elsewhere. Numbers that
 * grow along every axis have their least value at the box's first index and their greatest at its last, which
 * settles comparisons of them. */
#include "codegen/contract_size.h"
#include "codegen/kernel.h"
#include "ir/shape.h"

/* The index of the operand of a broadcast or permute. */
static At operand_index(const Node *node, const At *at) {
    const Attr *axes = node_attr(node, node->op == OP_broadcast ? ATTR_axes : ATTR_perm);
    At out = at_child(at);
    out.rank = axes->count;
    for (uint32_t d = 0; d < axes->count; d++) {
        uint32_t operand = node->op == OP_broadcast ? d : (uint32_t)axes->ints[d];
        uint32_t result = node->op == OP_broadcast ? (uint32_t)axes->ints[d] : d;
        out.dims[operand] = at->dims[result];
        out.index[operand] = at->index[result];
    }
    return out;
}

/* The operand's axis that is the result's `axis`; MAX_RANK where a broadcast makes it. */
static uint32_t operand_axis(const Node *node, uint32_t axis) {
    if (node->op == OP_broadcast) return broadcast_axis(node, axis);
    return (uint32_t)node_attr(node, ATTR_perm)->ints[axis];
}

/* Does the number never fall along an axis? */
static bool is_rising(const Kernel *k, const Value *value) {
    const Node *node = value->node;
    if (value->type->dtype != DTYPE_i64) return false;
    if (!node || value->block != k->body) return value->type->rank == 0;
    if (node->op == OP_const || node->op == OP_size || node->op == OP_iota) return true;
    if (node->op == OP_broadcast || node->op == OP_permute) return is_rising(k, node->operands[0]);
    return node->op == OP_add && is_rising(k, node->operands[0]) && is_rising(k, node->operands[1]);
}

static LLVMValueRef possible(Kernel *k, const Value *mask, const At *first, const At *last);

/* x < y or x ≤ y somewhere. */
static LLVMValueRef compared(Kernel *k, const Value *x, const Value *y, LLVMIntPredicate how, const At *first,
                             const At *last) {
    if (!is_rising(k, x) || !is_rising(k, y)) return NULL;
    LLVMValueRef least = value_at(k, x, at_keep(k, first)), most = value_at(k, y, at_keep(k, last));
    return LLVMBuildICmp(k->e->builder, how, least, most, "");
}

static LLVMValueRef joined(Kernel *k, const Node *node, const At *first, const At *last) {
    LLVMValueRef x = possible(k, node->operands[0], first, last),
                 y = possible(k, node->operands[1], first, last);
    if (node->op == OP_or) return x && y ? LLVMBuildOr(k->e->builder, x, y, "") : NULL;
    return x && y ? LLVMBuildAnd(k->e->builder, x, y, "") : x ? x : y;
}

static LLVMValueRef possible(Kernel *k, const Value *mask, const At *first, const At *last) {
    const Node *node = mask->node;
    if (!node || mask->block != k->body) return NULL;
    Value *const *x = node->operands;
    if (node->op == OP_le) return compared(k, x[0], x[1], LLVMIntSLE, first, last);
    if (node->op == OP_lt) return compared(k, x[0], x[1], LLVMIntSLT, first, last);
    if (node->op == OP_ge) return compared(k, x[1], x[0], LLVMIntSLE, first, last);
    if (node->op == OP_gt) return compared(k, x[1], x[0], LLVMIntSLT, first, last);
    if (node->op == OP_and || node->op == OP_or) return joined(k, node, first, last);
    if (node->op != OP_broadcast && node->op != OP_permute) return NULL;
    At inner_first = operand_index(node, first), inner_last = operand_index(node, last);
    return possible(k, x[0], &inner_first, &inner_last);
}

/* --- how far it is true along an axis */
/* By how much the number grows with each step along the axis of its; only for numbers that are rising. */
static uint32_t growth(const Kernel *k, const Value *value, uint32_t axis) {
    const Node *node = value->node;
    if (!node || value->block != k->body || axis >= value->type->rank) return 0;
    if (node->op == OP_iota) return node_int(node, ATTR_axis) == axis;
    if (node->op == OP_add) return growth(k, node->operands[0], axis) + growth(k, node->operands[1], axis);
    if (node->op == OP_permute || node->op == OP_broadcast)
        return growth(k, node->operands[0], operand_axis(node, axis));
    return 0;
}

/* x < y or x ≤ y, where one of them grows with the axis and the other doesn't. */
static MaskRange range_of_comparison(Kernel *k, const Value *x, const Value *y, bool equal, uint32_t axis,
                                     const At *first, const At *last) {
    MaskRange open = {NULL, NULL};
    if (!is_rising(k, x) || !is_rising(k, y)) return open;
    uint32_t by_x = growth(k, x, axis), by_y = growth(k, y, axis);
    if (by_x + by_y != 1) return open;
    LLVMValueRef least = value_at(k, x, at_keep(k, first)), most = value_at(k, y, at_keep(k, last));
    if (by_x)
        return (MaskRange){NULL, offset_add(k->e, offset_sub(k->e, most, least), emit_i64(k->e, equal))};
    return (MaskRange){offset_add(k->e, offset_sub(k->e, least, most), emit_i64(k->e, !equal)), NULL};
}

static LLVMValueRef further(Emit *e, LLVMIntPredicate than, LLVMValueRef x, LLVMValueRef y) {
    if (!x || !y) return x ? x : y;
    return LLVMBuildSelect(e->builder, LLVMBuildICmp(e->builder, than, x, y, ""), x, y, "");
}

MaskRange mask_both(Emit *e, MaskRange a, MaskRange b) {
    return (MaskRange){further(e, LLVMIntSGT, a.from, b.from), further(e, LLVMIntSLT, a.end, b.end)};
}

static MaskRange range(Kernel *k, const Value *mask, uint32_t axis, const At *first, const At *last) {
    const Node *node = mask->node;
    MaskRange open = {NULL, NULL};
    if (!node || mask->block != k->body) return open;
    Value *const *x = node->operands;
    switch ((int)node->op) {
    case OP_le: return range_of_comparison(k, x[0], x[1], true, axis, first, last);
    case OP_lt: return range_of_comparison(k, x[0], x[1], false, axis, first, last);
    case OP_ge: return range_of_comparison(k, x[1], x[0], true, axis, first, last);
    case OP_gt: return range_of_comparison(k, x[1], x[0], false, axis, first, last);
    case OP_and: return mask_both(k->e, range(k, x[0], axis, first, last), range(k, x[1], axis, first, last));
    case OP_broadcast:
    case OP_permute: {
        uint32_t inner = operand_axis(node, axis);
        At inner_first = operand_index(node, first), inner_last = operand_index(node, last);
        return inner < MAX_RANK ? range(k, x[0], inner, &inner_first, &inner_last) : open;
    }
    default: return open;
    }
}

MaskRange mask_range(Kernel *k, const Value *mask, uint32_t axis, const At *first, const At *last) {
    const Scope *outer = scope_open(k);
    MaskRange result = range(k, mask, axis, first, last);
    scope_close(k, outer);
    return result;
}

LLVMValueRef mask_possible(Kernel *k, const Value *mask, const At *first, const At *last) {
    const Scope *outer = scope_open(k);
    LLVMValueRef result = possible(k, mask, first, last);
    scope_close(k, outer);
    return result;
}

/* The only node that reads the value, NULL if there are several. */
static const Node *only_reader(const Kernel *k, const Value *value) {
    const Node *reader = NULL;
    for (const Node *node = k->body->first; node; node = node->next)
        for (uint32_t i = 0; i < node->operand_count; i++) {
            if (node->operands[i] != value) continue;
            if (reader) return NULL;
            reader = node;
        }
    return reader;
}

const Value *mask_over(const Kernel *k, const Value *value) {
    for (;;) {
        const Node *reader = only_reader(k, value);
        if (!reader || !op_has(reader->op, TRAIT_ELEMENTWISE)) return NULL;
        if (reader->op == OP_select) return reader->operands[1] == value ? reader->operands[0] : NULL;
        value = reader->results[0];
    }
}
