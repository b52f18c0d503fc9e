/* Loops that keep what their reverse reads: tapes of carried values, iteration counts, and copies of bodies
 * to run again. */
#include "passes/autodiff.h"

static Builder before(const Autodiff *ad, Node *node) {
    return (Builder){.graph = ad->graph, .block = node->block, .before = node, .loc = node->loc};
}

static bool int_constant(const Value *value, int64_t *out) {
    if (!value->node || value->node->op != OP_const) return false;
    *out = node_int(value->node, ATTR_ivalue);
    return true;
}

/* The size of a tensor's axis: never negative. */
static bool is_size(const Value *value) {
    return value->node && value->node->op == OP_size && dim_symbol_name(node_dim(value->node, ATTR_dim));
}

/* max(hi - lo, 0) */
Value *loop_count(Autodiff *ad, Node *loop) {
    Builder b = before(ad, loop);
    Value *lo = loop->operands[0], *hi = loop->operands[1];
    int64_t from, to, count;
    bool from_known = int_constant(lo, &from);
    if (from_known && int_constant(hi, &to) && !__builtin_sub_overflow(to, from, &count))
        return build_int(&b, count > 0 ? count : 0);
    if (from_known && from == 0 && is_size(hi)) return hi;
    return build_binary(&b, OP_max, build_binary(&b, OP_sub, hi, lo), build_int(&b, 0));
}

/* --- tapes */
/* [lead, dims of type…]; with all dims in one axis where the rank would be too large. */
static const Type *stacked(IrContext *ir, const Dim *lead, const Type *type) {
    const Dim *dims[MAX_RANK] = {lead};
    uint32_t rank = type->rank + 1;
    for (uint32_t k = 0; k < type->rank && rank <= MAX_RANK; k++) dims[k + 1] = type->dims[k];
    if (rank > MAX_RANK) {
        dims[1] = type_elements(ir, type);
        rank = 2;
    }
    return type_tensor(ir, type->dtype, rank, dims);
}

static Value *reshaped(Builder *b, Value *x, const Type *type) {
    return build_reshape(b, x, type->rank, type->dims);
}

Value *tape_read(Builder *b, Value *tape, Value *position, const Type *type) {
    IrContext *ir = b->graph->ir;
    const Type *entry = stacked(ir, dim_const(ir, 1), type);
    Value *read = build_dynamic_slice(b, tape, 1, (int64_t[]){0}, &position, entry->dims);
    return reshaped(b, read, type);
}

/* Writes `value` into the entry of the iteration, or into the one after it; the yield is given the tape to
 * carry on. */
static void write_tape(Autodiff *ad, Node *loop, Value *tape, Value *value, bool after) {
    IrContext *ir = ad->graph->ir;
    Block *body = loop->blocks[0];
    Builder b = before(ad, block_yield(body));
    int64_t from;
    Value *position = body->params.at[0];
    if (!int_constant(loop->operands[0], &from) || from != 0)
        position = build_binary(&b, OP_sub, position, loop->operands[0]);
    if (after) position = build_binary(&b, OP_add, position, build_int(&b, 1));
    Value *entry = reshaped(&b, value, stacked(ir, dim_const(ir, 1), value->type));
    node_add_operand(block_yield(body), build_update_slice(&b, tape, entry, 1, (int64_t[]){0}, &position));
}

/* The number of iterations as a dimension. A loop that never runs still has a body, which writes entries that
 * must fit. */
static const Dim *entries_of(Autodiff *ad, Node *loop) {
    const Dim *entries = map_get(ad->entries, loop);
    if (entries) return entries;
    Value *count = loop_count(ad, loop);
    Builder b = before(ad, loop);
    entries = build_symbol(&b, count, "iterations");
    if (dim_is(entries, 0)) entries = dim_const(ad->graph->ir, 1);
    map_put(ad->entries, loop, (void *)(uintptr_t)entries);
    return entries;
}

Value *loop_tape(Autodiff *ad, Node *loop, uint32_t k) {
    IrContext *ir = ad->graph->ir;
    Value *carried = loop->blocks[0]->params.at[k + 1], *tape = map_get(ad->tapes, carried);
    if (tape) return tape;
    const Dim *entries = dim_add(ir, entries_of(ad, loop), dim_const(ir, 1));
    Builder b = before(ad, loop);
    const Type *type = stacked(ir, entries, carried->type);
    Value *first = reshaped(&b, loop->operands[k + 2], stacked(ir, dim_const(ir, 1), carried->type));
    Value *zero = build_int(&b, 0), *init = build_const(&b, type, 0);
    node_add_operand(loop, build_update_slice(&b, init, first, 1, (int64_t[]){0}, &zero));
    write_tape(ad, loop, block_param(loop->blocks[0], type, NULL), block_yield(loop->blocks[0])->operands[k],
               true);
    tape = node_add_result(loop, type);
    map_put(ad->tapes, carried, tape);
    return tape;
}

Value *value_tape(Autodiff *ad, Node *loop, Value *value) {
    Value *tape = map_get(ad->tapes, value);
    if (tape) return tape;
    const Type *type = stacked(ad->graph->ir, entries_of(ad, loop), value->type);
    Builder b = before(ad, loop);
    node_add_operand(loop, build_const(&b, type, 0));
    write_tape(ad, loop, block_param(loop->blocks[0], type, NULL), value, false);
    tape = node_add_result(loop, type);
    map_put(ad->tapes, value, tape);
    return tape;
}

/* --- running a body again */
/* Effects have happened; what defines symbols and reads samples is part of the computation. */
static bool repeats(const Node *node) {
    return !op_has(node->op, TRAIT_EFFECT) || node->op == OP_symbol || node->op == OP_data_read ||
           node->op == OP_load;
}

static void drop_effect(void *user, Node *node) {
    Autodiff *ad = user;
    if (!repeats(node)) node_remove(node);
    if (node->op == OP_load)
        report_unsupported(ad, D_GRAD_LOAD, node,
                           "the file may hold something else when the gradient is computed");
}

void clone_forward(Autodiff *ad, const Block *block, Builder *b, Map *map) {
    for (const Node *node = block->first; node && node->op != OP_yield; node = node->next) {
        if (!repeats(node)) continue;
        Node *copy = node_clone(ad->graph, node, map);
        if (b->before)
            node_insert_before(b->before, copy);
        else
            node_append(b->block, copy);
        drop_effect(ad, copy);
        for (uint32_t k = 0; k < copy->block_count; k++) block_walk(copy->blocks[k], drop_effect, ad);
        activate_node(ad, copy);
    }
}

/* --- while loops */
static Value *add_counter(Autodiff *ad, Node *loop) {
    Builder outer = before(ad, loop);
    const Type *type = type_scalar(ad->graph->ir, DTYPE_i64);
    node_add_operand(loop, build_int(&outer, 0));
    block_param(loop->blocks[0], type, NULL);
    Value *counter = block_param(loop->blocks[1], type, NULL);
    Node *yield = block_yield(loop->blocks[1]);
    Builder inner = before(ad, yield);
    node_add_operand(yield, build_binary(&inner, OP_add, counter, build_int(&inner, 1)));
    return node_add_result(loop, type);
}

Node *loop_from_while(Autodiff *ad, Builder *b, Node *loop) {
    uint32_t carried = loop->result_count;
    Value *count = map_get(ad->counters, loop);
    if (!count) {
        count = add_counter(ad, loop);
        map_put(ad->counters, loop, count);
    } else {
        carried--; /* the counter, which is the last */
    }
    Node *counted = build_for(b, build_int(b, 0), count, carried, loop->operands);
    Block *from = loop->blocks[1], *to = counted->blocks[0];
    Builder in = build_inside(b, to);
    Map *map = map_new(ad->scratch);
    for (uint32_t k = 0; k < carried; k++) map_put(map, from->params.at[k], to->params.at[k + 1]);
    map_put(map, from->params.at[carried], to->params.at[0]);
    clone_forward(ad, from, &in, map);
    Value **next = ARENA_ARRAY(ad->scratch, Value *, carried + 1);
    for (uint32_t k = 0; k < carried; k++) {
        Value *yielded = block_yield(from)->operands[k], *copy = map_get(map, yielded);
        next[k] = copy ? copy : yielded;
    }
    build_yield(&in, carried, next);
    activate_node(ad, counted);
    return counted;
}
