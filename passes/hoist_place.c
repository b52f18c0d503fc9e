/* Tapes in the place of what is read while they are written: where a step writes a slice of a tape after it
 * has read the same slice of a tensor that is never read again, the tape is that tensor, changed step by
 * step. So nothing is cleared before the loop, and there is one tensor less. */
#include "passes/hoist_steps.h"
#include <string.h>

/* How often is `value` read in the function, and how often by slices that are those of the tape's steps? */
typedef struct {
    const Steps *s;
    const StepSlice *tape;
    Value *value, *source; /* a permutation of the other, or itself */
    uint32_t axis;         /* of the source, whose slices are read */
    uint32_t reads, same, others;
} Reads;

static bool is_same(const Reads *r, const Node *node, StepSlice *slice) {
    if (node->op != OP_dynamic_slice || node->operands[0] != r->value || node->block != r->s->body)
        return false;
    if (node_attr(node, ATTR_axes)->count != 1 || !hoist_index_slice(r->s, node, slice)) return false;
    return slice->sign == r->tape->sign && hoist_index_whole(r->s, slice, r->value->type);
}

static void see_read(void *user, Node *node) {
    Reads *r = user;
    StepSlice slice;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        r->reads += node->operands[i] == r->value;
        r->others += node->operands[i] == r->source && r->source != r->value && node != r->value->node;
    }
    r->same += is_same(r, node, &slice);
}

/* Equal shapes but for where the axis of steps is? */
static bool fits(const Type *x, uint32_t from, const Type *tape, uint32_t to) {
    if (x->rank != tape->rank || x->dtype != tape->dtype) return false;
    for (uint32_t i = 0, k = 0; i < x->rank; i++) {
        if (i == from) continue;
        if (k == to) k++;
        if (x->dims[i] != tape->dims[k++]) return false;
    }
    return true;
}

/* Nothing that lies where something else does, or isn't there before the loop. */
static bool is_own_tensor(const Steps *s, const Value *value) {
    const Node *node = value->node;
    return node && value->block == s->loop->block && !hoist_is_weightless(node) &&
           !op_has(node->op, TRAIT_VIEW);
}

/* Does the permutation only move one axis, from `from`? */
static bool moves_one(const Attr *perm, uint32_t from) {
    int64_t before = -1;
    for (uint32_t i = 0; i < perm->count; i++) {
        if (perm->ints[i] == from) continue;
        if (perm->ints[i] < before) return false;
        before = perm->ints[i];
    }
    return true;
}

static bool can_take(const Steps *s, const Node *read, const Value *tape, const StepSlice *slice, Reads *r) {
    StepSlice own;
    if (read->op != OP_dynamic_slice) return false;
    *r = (Reads){.s = s, .tape = slice, .value = read->operands[0], .source = read->operands[0]};
    if (!is_same(r, read, &own)) return false;
    r->axis = own.axis;
    if (r->value->node && r->value->node->op == OP_permute) {
        const Attr *perm = node_attr(r->value->node, ATTR_perm);
        r->source = r->value->node->operands[0];
        r->axis = (uint32_t)perm->ints[own.axis];
        if (!moves_one(perm, r->axis)) return false;
    }
    if (!is_own_tensor(s, r->source) || !fits(r->source->type, r->axis, tape->type, slice->axis))
        return false;
    block_walk(s->body->function->body, see_read, r);
    return r->same == r->reads && r->others == 0;
}

/* The axis `from` of x as number `to`. */
static Value *with_axis_at(Builder *b, Value *x, uint32_t from, uint32_t to) {
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0, k = 0; i < x->type->rank; i++) {
        if (k == from) k++;
        perm[i] = i == to ? from : k++;
    }
    return build_permute(b, x, perm);
}

/* The type of one slice. */
static const Type *slice_type(const Reads *r) {
    IrContext *ir = r->s->hoist->graph->ir;
    const Dim *dims[MAX_RANK];
    memcpy(dims, r->source->type->dims, sizeof dims);
    dims[r->axis] = dim_const(ir, 1);
    return type_tensor(ir, r->source->type->dtype, r->source->type->rank, dims);
}

/* An axis of size 1 is moved by a reshape. */
static void read_from(const Reads *r, Node *read, Value *param) {
    Builder b = {.graph = r->s->hoist->graph, .block = read->block, .before = read, .loc = read->loc};
    const Type *type = read->results[0]->type;
    int64_t axis = r->axis;
    Value *slice = build_dynamic_slice(&b, param, 1, &axis, read->operands + 1, slice_type(r)->dims);
    value_replace(read->results[0], build_reshape(&b, slice, type->rank, type->dims));
}

static void take(Steps *s, uint32_t k, Node *update, const StepSlice *slice, const Reads *r) {
    Graph *graph = s->hoist->graph;
    const Type *part = slice_type(r);
    StepSlice own;
    Value *param = block_param(s->body, r->source->type, NULL);
    for (Node *node = s->body->first; node; node = node->next)
        if (is_same(r, node, &own)) read_from(r, node, param);
    Builder in = {.graph = graph, .block = s->body, .before = update, .loc = update->loc};
    Builder after = {.graph = graph, .block = s->loop->block, .before = s->loop->next, .loc = update->loc};
    int64_t axis = r->axis;
    Node *yield = block_yield(s->body);
    Value *entry = build_reshape(&in, update->operands[1], part->rank, part->dims);
    node_add_operand(s->loop, r->source);
    node_add_operand(yield, build_update_slice(&in, param, entry, 1, &axis, update->operands + 2));
    yield->operands[k] = s->body->params.at[k + 1];
    Value *result = node_add_result(s->loop, r->source->type);
    value_replace(s->loop->results[k], with_axis_at(&after, result, r->axis, slice->axis));
}

bool hoist_place(Steps *s, uint32_t k) {
    StepSlice slice;
    Reads reads;
    Node *update = hoist_steps_update(s, k, &slice);
    const Value *param = s->body->params.at[k + 1];
    if (!update || node_attr(update, ATTR_axes)->count != 1 || (uintptr_t)map_get(s->uses, param) != 1)
        return false;
    if (!hoist_index_whole(s, &slice, param->type)) return false;
    for (Node *node = s->body->first; node != update; node = node->next) {
        if (!can_take(s, node, param, &slice, &reads)) continue;
        take(s, k, update, &slice, &reads);
        return true;
    }
    return false;
}
