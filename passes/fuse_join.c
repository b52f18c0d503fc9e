/* Step 1 of fuse, forwards: every reduction, contraction, scatter, scan and sort opens a group, and consumers
 * that run over the same index space join it: a contraction's epilogue, the rest of a softmax. */
#include "passes/fuse.h"

static bool is_contract(Op op) { return op == OP_contract; }
static bool is_scatter(Op op) { return op_has(op, TRAIT_UPDATES); }

/* The number of leading axes where a reduction removes exactly the trailing ones and leaves some; else 0. */
static uint32_t leading_axes(const Node *node) {
    const Attr *axes = node_attr(node, ATTR_axes);
    uint32_t rank = node->operands[0]->type->rank;
    if (axes->count == 0 || axes->count >= rank) return 0;
    for (uint32_t i = 0; i < axes->count; i++)
        if (axes->ints[i] != (int64_t)(rank - axes->count + i)) return 0;
    return rank - axes->count;
}

static bool same_axes(const Node *a, const Node *b) {
    const Attr *x = node_attr(a, ATTR_axes), *y = node_attr(b, ATTR_axes);
    if (x->count != y->count) return false;
    for (uint32_t i = 0; i < x->count; i++)
        if (x->ints[i] != y->ints[i]) return false;
    return true;
}

static const Dim *product(IrContext *ir, const Type *type, uint32_t from, uint32_t to) {
    const Dim *elements = dim_const(ir, 1);
    for (uint32_t d = from; d < to && elements; d++) elements = dim_mul(ir, elements, type->dims[d]);
    return elements;
}

/* The number of leading axes of `type` that hold as many elements as the group's rows, the rest as many as a
 * row; 0 if none do. */
static uint32_t row_split(Fuse *f, const Group *group, const Type *type) {
    const Dim *rows = product(f->ir, group->space, 0, group->rows);
    const Dim *row = product(f->ir, group->space, group->rows, group->space->rank);
    for (uint32_t d = 1; d <= type->rank; d++)
        if (rows && row && product(f->ir, type, 0, d) == rows && product(f->ir, type, d, type->rank) == row)
            return d;
    return 0;
}

/* Is it windows, or computed of such element by element? The nodes it needs have been looked at. */
static bool is_of_windows(const FuseNode *n) {
    Op op = n->node->op;
    if (op == OP_window) return true;
    if (op != OP_reshape && op != OP_permute && !op_has(op, TRAIT_ELEMENTWISE)) return false;
    for (uint32_t i = 0; i < n->needs.count; i++)
        if (n->needs.at[i]->of_windows) return true;
    return false;
}

/* Results of a contraction may be stored with their axes in another order, where the innermost stays: there
 * lanes lie side by side. */
static bool keeps_innermost(const Node *permute) {
    const Attr *perm = node_attr(permute, ATTR_perm);
    return perm->count > 0 && perm->ints[perm->count - 1] == (int64_t)perm->count - 1;
}

/* Where in the group's index space a consumer's result lives, NONE if it can't join. `space` is its
 * operands'. */
static Space space_of_consumer(Fuse *f, const Group *group, const FuseNode *n, Space space) {
    const Node *node = n->node;
    const Type *type = fuse_result(n)->type;
    if (op_has(node->op, TRAIT_ELEMENTWISE)) return space;
    if (node->op == OP_reshape) {
        if (type->rank == 0) return SPACE_NONE;
        if (group->kind == GROUP_CONTRACT || space == SPACE_ROW) return space;
        return row_split(f, group, type) ? space : SPACE_NONE;
    }
    if (node->op == OP_permute && group->kind == GROUP_CONTRACT)
        return keeps_innermost(node) ? space : SPACE_NONE;
    if (node->op != OP_broadcast || space != SPACE_ROW || !group->rows) return SPACE_NONE;
    /* A result for each element of each window would be more to store than what they are taken of. */
    FuseNode *rows = fuse_definition(f, group->seed->node->operands[0]);
    if (rows && rows->of_windows) return SPACE_NONE;
    uint32_t split = row_split(f, group, type);
    const Attr *axes = node_attr(node, ATTR_axes);
    if (!split) return SPACE_NONE;
    /* The operand's axes must be the rows', in order; others of the result's leading axes have size 1. */
    for (uint32_t d = 0; d < axes->count; d++)
        if (axes->ints[d] != (int64_t)d) return SPACE_NONE;
    return product(f->ir, type, 0, axes->count) == product(f->ir, type, 0, split) ? SPACE_FULL : SPACE_NONE;
}

/* The common space of `n`'s operands in the group, and their axes' order. */
static Space space_of_operands(const Group *group, const FuseNode *n, const Node **frame) {
    Space space = SPACE_NONE;
    for (uint32_t i = 0; i < n->needs.count; i++) {
        const FuseNode *need = n->needs.at[i];
        if (!fuse_is_home(need, group)) continue;
        if (space != SPACE_NONE && (need->space != space || need->frame != *frame)) return SPACE_NONE;
        space = need->space;
        *frame = need->frame;
    }
    return space;
}

static bool join_group(Fuse *f, FuseNode *n, Group *group) {
    const Node *frame = NULL;
    Space operands = space_of_operands(group, n, &frame);
    if (operands == SPACE_NONE) return false;
    Space space = space_of_consumer(f, group, n, operands);
    if (space == SPACE_NONE || fuse_join_cyclic(f, n, group)) return false;
    n->space = space;
    n->frame = n->node->op == OP_permute ? n->node : frame;
    n->yielder = group;
    fuse_add(f, group, n);
    return true;
}

/* Two groups that reduce the same shape over the same trailing axes, as the two sums of a variance, become
 * one when a consumer needs both. */
static void merge_rows(Fuse *f, const FuseNode *n) {
    Group *first = NULL;
    for (uint32_t i = 0; i < n->needs.count; i++) {
        Group *group = fuse_root(n->needs.at[i]->yielder);
        if (!group || group->kind != GROUP_REDUCE || group == first) continue;
        if (!first) {
            first = group;
            continue;
        }
        bool alike =
            type_same_shape(first->space, group->space) && same_axes(first->seed->node, group->seed->node);
        if (!alike || fuse_merge_cyclic(f, first, group)) continue;
        for (uint32_t k = 0; k < group->nodes.count; k++) {
            FuseNode *member = group->nodes.at[k];
            if (!fuse_is_home(member, first)) vec_push(f->arena, &first->nodes, member);
        }
        if (group->last > first->last) first->last = group->last;
        group->into = first;
    }
}

/* Joins the operand's group that comes last in the program. */
static void join_consumer(Fuse *f, FuseNode *n) {
    merge_rows(f, n);
    Groups tried = {0};
    for (;;) {
        FuseNode *latest = NULL;
        for (uint32_t i = 0; i < n->needs.count; i++) {
            FuseNode *need = n->needs.at[i];
            Group *group = fuse_root(need->yielder);
            bool seen = !group;
            for (uint32_t k = 0; k < tried.count; k++) seen = seen || tried.at[k] == group;
            if (!seen && (!latest || need->position > latest->position)) latest = need;
        }
        if (!latest || join_group(f, n, fuse_root(latest->yielder))) return;
        vec_push(f->arena, &tried, fuse_root(latest->yielder));
    }
}

/* A reduction over the rows of what a group computes, as the second one of a softmax. */
static bool join_reduction(Fuse *f, FuseNode *n) {
    FuseNode *operand = fuse_definition(f, n->node->operands[0]);
    Group *group = operand ? fuse_root(operand->yielder) : NULL;
    if (!group || group->kind != GROUP_REDUCE || !group->rows || operand->space != SPACE_FULL) return false;
    uint32_t leading = leading_axes(n->node);
    const Type *type = n->node->operands[0]->type;
    if (!leading || product(f->ir, type, 0, leading) != product(f->ir, group->space, 0, group->rows) ||
        product(f->ir, type, leading, type->rank) !=
            product(f->ir, group->space, group->rows, group->space->rank))
        return false;
    n->space = SPACE_ROW;
    n->yielder = group;
    fuse_add(f, group, n);
    return true;
}

/* A reduction of the same operand over the same axes, as mean and maximum of one tensor. */
static bool join_sibling(Fuse *f, FuseNode *n) {
    FuseNode *operand = fuse_definition(f, n->node->operands[0]);
    for (uint32_t i = 0; operand && i < operand->users.count; i++) {
        FuseNode *other = operand->users.at[i];
        Group *group = fuse_root(other->yielder);
        if (other == n || !group || !op_has(other->node->op, TRAIT_REDUCES) ||
            !same_axes(n->node, other->node))
            continue;
        if (fuse_is_home(operand, group) || !type_same_shape(group->space, n->node->operands[0]->type))
            continue;
        if (fuse_join_cyclic(f, n, group)) continue;
        n->space = SPACE_ROW;
        n->yielder = group;
        fuse_add(f, group, n);
        return true;
    }
    return false;
}

static void open_reduction(Fuse *f, FuseNode *n) {
    if (join_reduction(f, n) || join_sibling(f, n)) return;
    Group *group = fuse_open(f, GROUP_REDUCE, n, n->node->operands[0]->type);
    group->rows = leading_axes(n->node);
    n->space = SPACE_ROW;
}

void fuse_join(Fuse *f) {
    for (uint32_t i = 0; i < f->nodes.count; i++) {
        FuseNode *n = f->nodes.at[i];
        if (!n->tensor) continue;
        n->of_windows = is_of_windows(n);
        if (op_has(n->node->op, TRAIT_REDUCES)) {
            open_reduction(f, n);
        } else if (is_contract(n->node->op)) {
            fuse_open(f, GROUP_CONTRACT, n, fuse_result(n)->type);
            n->space = SPACE_FULL;
        } else if (is_scatter(n->node->op)) {
            fuse_open(f, GROUP_SCATTER, n, fuse_result(n)->type);
        } else if (n->node->op == OP_argsort) {
            fuse_open(f, GROUP_SORT, n, fuse_result(n)->type);
        } else if (op_has(n->node->op, TRAIT_SCANS)) {
            fuse_open(f, GROUP_SCAN, n, fuse_result(n)->type);
        } else {
            join_consumer(f, n);
        }
    }
}
