/* The reverse of branches and loops. The reverse of an `if` is an `if` whose branches compute theirs again
 * and sweep it. The reverse of a `for` is a `for` that runs backwards: it computes an iteration again from
 * what the forward loop kept on tape and sweeps it, carrying the adjoints of what the forward loop carries
 * and sums for what its body reads from outside. */
#include "passes/autodiff.h"
#include <assert.h>

/* --- branches */
typedef struct {
    Builder in;
    Adjoints adjoints;
} Branch;

/* Computes the branch again and sweeps it from the adjoints of the results. */
static Branch reverse_branch(Autodiff *ad, const Builder *b, const Node *node, uint32_t which, Block *into,
                             const Adjoints *outer) {
    Branch branch = {build_inside(b, into), adjoints_new(ad)};
    Map *map = map_new(ad->scratch);
    const Block *from = node->blocks[which];
    clone_forward(ad, from, &branch.in, map);
    Node *last = into->last;
    for (uint32_t k = 0; k < node->result_count; k++) {
        Value *adjoint = adjoint_get(outer, node->results[k]);
        Value *yielded = value_mapped(map, block_yield(from)->operands[k]);
        if (adjoint && is_active(ad, yielded))
            adjoint_add(ad, &branch.adjoints, &branch.in, yielded, adjoint);
    }
    sweep(ad, &branch.in, last, NULL, &branch.adjoints);
    return branch;
}

/* Makes the reverse yield the adjoint of an outer value that either branch has read. */
typedef VEC(Value *) Values;

static void add_outer_keys(Autodiff *ad, const Branch *branch, Map *seen, Values *captured) {
    for (uint32_t k = 0; k < branch->adjoints.keys.count; k++) {
        Value *key = branch->adjoints.keys.at[k];
        if (block_inside(key->block, branch->in.block) || map_get(seen, key)) continue;
        map_put(seen, key, key);
        vec_push(ad->scratch, captured, key);
    }
}

static void yield_adjoints(Autodiff *ad, Branch *branch, const Values *captured) {
    Value **yielded = ARENA_ARRAY(ad->scratch, Value *, captured->count + 1);
    for (uint32_t k = 0; k < captured->count; k++)
        yielded[k] = adjoint_or_zeros(&branch->adjoints, &branch->in, captured->at[k]);
    build_yield(&branch->in, captured->count, yielded);
}

static void reverse_if(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints) {
    Node *reverse = build_if(b, node->operands[0], 0, NULL);
    Branch branches[2];
    Values captured = {0};
    Map *seen = map_new(ad->scratch);
    for (uint32_t k = 0; k < 2; k++) {
        branches[k] = reverse_branch(ad, b, node, k, reverse->blocks[k], adjoints);
        add_outer_keys(ad, &branches[k], seen, &captured);
    }
    for (uint32_t k = 0; k < 2; k++) yield_adjoints(ad, &branches[k], &captured);
    for (uint32_t k = 0; k < captured.count; k++)
        adjoint_add(ad, adjoints, b, captured.at[k], node_add_result(reverse, captured.at[k]->type));
    if (captured.count == 0) node_remove(reverse);
}

/* --- loops */
typedef struct {
    Autodiff *ad;
    Node *forward, *reverse;
    Builder in;       /* the reverse's body */
    uint32_t carried; /* of the forward loop, without tapes */
    bool *flows;      /* per carried value: has an adjoint */
    Value **before;   /* its value at the start of the iteration; stands for a read of its tape until that is
                         known to be needed */
    Value *position;  /* of the iteration on the tape: count - 1 … 0 */
    Map *map;         /* forward values to those of the reverse's body */
    Adjoints adjoints;
    Values yielded;
} LoopReverse;

static Builder before_node(const Autodiff *ad, Node *node, Loc loc) {
    return (Builder){.graph = ad->graph, .block = node->block, .before = node, .loc = loc};
}

static const Block *forward_body(const LoopReverse *r) { return r->forward->blocks[0]; }
static Value *forward_param(const LoopReverse *r, uint32_t k) { return forward_body(r)->params.at[k + 1]; }
static Value *forward_next(const LoopReverse *r, uint32_t k) {
    return block_yield(forward_body(r))->operands[k];
}

/* The carried values that get adjoints, and the loop that carries these. */
static void open_reverse(LoopReverse *r, Builder *b, const Adjoints *adjoints) {
    Autodiff *ad = r->ad;
    Values init = {0};
    for (uint32_t k = 0; k < r->carried; k++)
        r->flows[k] = adjoint_get(adjoints, r->forward->results[k]) != NULL;
    reach_carried(ad, r->forward, r->flows);
    for (uint32_t k = 0; k < r->carried; k++)
        if (r->flows[k]) vec_push(ad->scratch, &init, adjoint_or_zeros(adjoints, b, r->forward->results[k]));
    Value *count = loop_count(ad, r->forward);
    r->reverse = build_for(b, build_int(b, 0), count, init.count, init.at);
    r->in = build_inside(b, r->reverse->blocks[0]);
    Value *last = build_binary(&r->in, OP_sub, count, build_int(&r->in, 1));
    r->position = build_binary(&r->in, OP_sub, last, r->reverse->blocks[0]->params.at[0]);
    Value *index = build_binary(&r->in, OP_add, r->forward->operands[0], r->position);
    map_put(r->map, forward_body(r)->params.at[0], index);
}

/* Something of the carried value's type that will be replaced. An inactive value that the loop doesn't change
 * is what it was at first. */
static void stand_in(LoopReverse *r, uint32_t k) {
    Value *param = forward_param(r, k);
    if (!is_active(r->ad, param) && forward_next(r, k) == param) {
        map_put(r->map, param, r->forward->operands[k + 2]);
        return;
    }
    Node *node = node_new(r->ad->graph, OP_copy, 0, NULL, 0, NULL, 1, &param->type, r->in.loc);
    node_append(r->in.block, node);
    r->before[k] = node->results[0];
    map_put(r->map, param, r->before[k]);
    if (is_active(r->ad, param)) set_active(r->ad, r->before[k]);
}

/* Computes the iteration again and sweeps it. */
static void reverse_body(LoopReverse *r) {
    Node *stop = r->in.block->last;
    clone_forward(r->ad, forward_body(r), &r->in, r->map);
    Node *last = r->in.block->last;
    uint32_t param = 1;
    for (uint32_t k = 0; k < r->carried; k++) {
        if (!r->flows[k]) continue;
        Value *adjoint = r->reverse->blocks[0]->params.at[param++];
        Value *next = value_mapped(r->map, forward_next(r, k));
        if (is_active(r->ad, next)) adjoint_add(r->ad, &r->adjoints, &r->in, next, adjoint);
    }
    sweep(r->ad, &r->in, last, stop, &r->adjoints);
}

/* What the reverse carries on: the adjoints of the iteration's start, then a sum for each outer value. */
static void carry_adjoints(LoopReverse *r) {
    for (uint32_t k = 0; k < r->carried; k++) {
        if (!r->flows[k]) continue;
        vec_push(r->ad->scratch, &r->yielded, adjoint_or_zeros(&r->adjoints, &r->in, r->before[k]));
    }
}

static void carry_sums(LoopReverse *r, Values *captured) {
    Autodiff *ad = r->ad;
    Builder outside = before_node(ad, r->reverse, r->in.loc);
    for (uint32_t k = 0; k < r->adjoints.keys.count; k++) {
        Value *key = r->adjoints.keys.at[k];
        if (block_inside(key->block, r->in.block)) continue;
        node_add_operand(r->reverse, build_const(&outside, key->type, 0));
        Value *sum = block_param(r->in.block, key->type, NULL);
        node_add_result(r->reverse, key->type);
        vec_push(ad->scratch, &r->yielded, sum_adjoints(&r->in, sum, adjoint_get(&r->adjoints, key)));
        vec_push(ad->scratch, captured, key);
    }
}

static Value *read_carried(LoopReverse *r, uint32_t k) {
    Value *stand = r->before[k];
    if (dtype_class(stand->type->dtype) == CLASS_OPAQUE) {
        report_unsupported(r->ad, D_GRAD_HANDLE, r->forward, "the loop changes it here");
        return r->forward->operands[k + 2];
    }
    Builder b = before_node(r->ad, stand->node, r->in.loc);
    return tape_read(&b, loop_tape(r->ad, r->forward, k), r->position, stand->type);
}

/* The carried value that starts the next iteration as `value`, numbered from 1; 0 where none does. */
static uint32_t carried_as(const LoopReverse *r, const Value *value) {
    for (uint32_t k = 0; k < r->carried; k++)
        if (forward_next(r, k) == value && r->before[k]) return k + 1;
    return 0;
}

static Value *read_kept(LoopReverse *r, const Kept *kept) {
    Builder b = before_node(r->ad, kept->stand->node, r->in.loc);
    uint32_t carried = carried_as(r, kept->value);
    if (!carried)
        return tape_read(&b, value_tape(r->ad, r->forward, kept->value), r->position, kept->value->type);
    Value *after = build_binary(&b, OP_add, r->position, build_int(&b, 1));
    return tape_read(&b, loop_tape(r->ad, r->forward, carried - 1), after, kept->value->type);
}

/* Puts reads of tapes where stand-ins matter; the rest is dead and may read anything of its type. */
static void read_tapes(LoopReverse *r, const Keeps *keeps) {
    const Node *yield = block_yield(r->in.block);
    const Map *live = live_values(r->ad->scratch, r->in.block, yield->operand_count, yield->operands);
    for (uint32_t i = 0; i < keeps->count; i++) {
        const Kept *kept = &keeps->at[i];
        value_replace(kept->stand, map_get(live, kept->stand) ? read_kept(r, kept) : kept->again);
        node_remove(kept->stand->node);
    }
    for (uint32_t k = 0; k < r->carried; k++) {
        Value *stand = r->before[k];
        if (!stand) continue;
        value_replace(stand, map_get(live, stand) ? read_carried(r, k) : r->forward->operands[k + 2]);
        node_remove(stand->node);
    }
    block_resolve(r->in.block);
}

static void reverse_for(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints) {
    LoopReverse r = {.ad = ad, .forward = node, .carried = node->result_count};
    r.flows = ARENA_ARRAY(ad->scratch, bool, r.carried + 1);
    r.before = ARENA_ARRAY(ad->scratch, Value *, r.carried + 1);
    r.map = map_new(ad->scratch);
    r.adjoints = adjoints_new(ad);
    open_reverse(&r, b, adjoints);
    for (uint32_t k = 0; k < r.carried; k++) stand_in(&r, k);
    reverse_body(&r);
    Values captured = {0};
    carry_adjoints(&r);
    carry_sums(&r, &captured);
    build_yield(&r.in, r.yielded.count, r.yielded.at);
    Keeps keeps = {0};
    keep_costly(ad, forward_body(&r), r.in.block, r.map, r.before, &keeps);
    read_tapes(&r, &keeps);
    uint32_t result = 0;
    for (uint32_t k = 0; k < r.carried; k++) {
        if (!r.flows[k]) continue;
        Value *adjoint = r.reverse->results[result++], *init = node->operands[k + 2];
        if (is_active(ad, init)) adjoint_add(ad, adjoints, b, init, adjoint);
    }
    for (uint32_t k = 0; k < captured.count; k++)
        adjoint_add(ad, adjoints, b, captured.at[k], r.reverse->results[result++]);
}

static void reverse_while(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints) {
    Node *counted = loop_from_while(ad, b, node);
    for (uint32_t k = 0; k < counted->result_count; k++) {
        Value *adjoint = adjoint_get(adjoints, node->results[k]);
        if (adjoint) adjoint_add(ad, adjoints, b, counted->results[k], adjoint);
    }
    reverse_for(ad, b, counted, adjoints);
}

void reverse_region(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints) {
    assert(node->op != OP_kernel); /* fuse comes later */
    if (node->op == OP_if) reverse_if(ad, b, node, adjoints);
    if (node->op == OP_for) reverse_for(ad, b, node, adjoints);
    if (node->op == OP_while) reverse_while(ad, b, node, adjoints);
    if (node->op == OP_remat) reverse_remat(ad, b, node, adjoints);
}
