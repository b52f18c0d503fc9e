/* What leaves a loop because all steps can do it at once, as one product with many rows or a deep sum rather
 * than many small ones:
 *   - a product of a slice, x[t] @ w, is made before the loop, of the whole x, and the step takes its slice;
 *   - what a step only writes to its slice of a tensor, if it is a product, is made after the loop;
 *   - a sum over the steps of products, as gradients of weights are, is one product after the loop.
 * For the latter two a step keeps the factors on a tape, unless they lie in one already. Before all that, a
 * tensor whose slices are each changed by one step only, from zeros, becomes such a tape. */
#include "passes/hoist_steps.h"
#include "ir/shape.h"
#include <string.h>

enum {
    ROWS = 128,     /* of a step's product, that make it large enough by itself */
    DEPTH = 128,    /* the same for the axes that it sums over */
    NEAR = 1 << 14, /* elements that the nearest cache holds */
    FEW = 8,        /* rows of a product that reads its factor faster than it computes */
    GROWTH = 8      /* how much larger what is kept may be than what it saves */
};

/* --- sizes */
static int64_t size_of(const Dim *dim) { /* 0: not known */
    int64_t size;
    return dim_is_const(dim, &size) ? size : 0;
}

/* The product of the sizes of the axes that are in `in` and, where `is`, in `other`, else not there. Unknown
 * sizes are 1. */
static double extent(const Type *type, const char *labels, const char *other, bool is) {
    double product = 1;
    for (uint32_t i = 0; i < type->rank; i++) {
        int64_t size = size_of(type->dims[i]);
        if (labels_have(other, labels[i]) == is && size) product *= (double)size;
    }
    return product;
}

/* --- uses */
static void count_use(void *user, Node *node) {
    Steps *s = user;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        uintptr_t before = (uintptr_t)map_get(s->uses, node->operands[i]);
        map_put(s->uses, node->operands[i], (void *)(before + 1));
    }
}

static uintptr_t uses(const Steps *s, const Value *value) { return (uintptr_t)map_get(s->uses, value); }

static Node *yield_of(const Steps *s) { return block_yield(s->body); }
static Value *next_of(const Steps *s, uint32_t k) { return yield_of(s)->operands[k]; }
static Value *param_of(const Steps *s, uint32_t k) { return s->body->params.at[k + 1]; }

Node *hoist_steps_update(const Steps *s, uint32_t k, StepSlice *slice) {
    Node *node = next_of(s, k)->node;
    if (!node || node->op != OP_update_slice || node->block != s->body || node->operands[0] != param_of(s, k))
        return NULL;
    return uses(s, node->results[0]) == 1 && hoist_index_slice(s, node, slice) ? node : NULL;
}

/* Is what is written all of the tensor's slice? */
static bool writes_whole(const Node *update, const StepSlice *slice) {
    const Type *part = update->operands[1]->type, *type = update->operands[0]->type;
    for (uint32_t i = 0; i < type->rank; i++)
        if (i != slice->axis && part->dims[i] != type->dims[i]) return false;
    return true;
}

static const Value *without_reshapes(const Value *value) {
    while (value->node && value->node->op == OP_reshape) value = value->node->operands[0];
    return value;
}

static void look_again(Steps *s) {
    Arena *scratch = s->hoist->scratch;
    block_resolve(s->body);
    s->uses = map_new(scratch);
    s->tapes = map_new(scratch);
    block_walk(s->body, count_use, s);
    for (uint32_t k = 0; k < s->loop->result_count; k++) {
        StepSlice slice;
        Node *update = hoist_steps_update(s, k, &slice);
        if (!update || !writes_whole(update, &slice) || uses(s, param_of(s, k)) != 1) continue;
        if (s->loop->results[k]->replacement) continue;
        map_put(s->tapes, without_reshapes(update->operands[1]), (void *)(uintptr_t)(k + 1));
    }
}

static Builder outside(const Steps *s, bool after, Loc loc) {
    Node *before = after ? s->next : s->loop;
    return (Builder){.graph = s->hoist->graph, .block = s->loop->block, .before = before, .loc = loc};
}

/* --- slices that only one step changes */
static bool is_zeros(const Value *value) {
    const Node *node = value->node;
    if (!node || node->op != OP_const || value->type->rank == 0) return false;
    const Attr *number = node_attr(node, ATTR_value);
    return number ? number->number == 0 : node_int(node, ATTR_ivalue) == 0;
}

static bool reads_same(const Node *read, const Node *update) {
    if (read->op != OP_dynamic_slice || read->operands[0] != update->operands[0]) return false;
    if (!attr_same(node_attr(read, ATTR_axes), node_attr(update, ATTR_axes))) return false;
    if (read->results[0]->type != update->operands[1]->type) return false;
    return memcmp(read->operands + 1, update->operands + 2,
                  (read->operand_count - 1) * sizeof *read->operands) == 0;
}

typedef struct {
    const Node *update;
    Value *by;      /* zeros + x is x, which -0 isn't of +0: the sums that the loop made in another order were
                       exact no more than this */
    uintptr_t same; /* reads of the slice that the step changes */
} Reads;

static void see_read(void *user, Node *node) {
    Reads *reads = user;
    if (reads_same(node, reads->update)) reads->same++;
}

static void replace_read(void *user, Node *node) {
    Reads *reads = user;
    if (reads_same(node, reads->update)) node->operands[0] = reads->by;
    if (node->op != OP_add || !is_zeros(reads->by)) return;
    for (uint32_t i = 0; i < 2; i++) {
        const Node *read = node->operands[i]->node;
        if (read && read->op == OP_dynamic_slice && read->operands[0] == reads->by)
            value_replace(node->results[0], node->operands[1 - i]);
    }
}

static bool is_dead(const Steps *s, const Value *value) {
    return value->id < s->hoist->counted && s->hoist->uses[value->id] == 0;
}

/* Where nobody else reads the tensor, a step sees what was there before the loop. */
static bool separate(Steps *s, uint32_t k) {
    StepSlice slice;
    Node *update = hoist_steps_update(s, k, &slice);
    if (!update) return false;
    Reads reads = {.update = update, .by = s->loop->operands[k + 2]};
    bool dead = is_dead(s, s->loop->results[k]);
    if (!dead && !is_zeros(reads.by)) return false;
    block_walk(s->body, see_read, &reads);
    if (uses(s, param_of(s, k)) != reads.same + 1 || (!dead && !reads.same)) return false;
    block_walk(s->body, replace_read, &reads);
    if (dead) yield_of(s)->operands[k] = param_of(s, k);
    return true;
}

/* --- sums over the steps */
typedef struct {
    Value *sum; /* of the carried value so far and `term` */
    Value *rest, *term;
} Addition;

typedef VEC(Addition) Additions;

/* The additions between a carried value and its next one, which nobody else sees. */
static bool find_additions(const Steps *s, Value *value, const Value *param, Additions *found) {
    if (value == param) return uses(s, param) == 1;
    const Node *node = value->node;
    if (!node || node->op != OP_add || node->block != s->body || uses(s, value) != 1) return false;
    for (uint32_t i = 0; i < 2; i++) {
        if (!find_additions(s, node->operands[i], param, found)) continue;
        vec_push(s->hoist->scratch, found, ((Addition){value, node->operands[i], node->operands[1 - i]}));
        return true;
    }
    return false;
}

/* What `value` rearranges. */
static Node *rearranged(const Steps *s, Value *value) {
    Node *node = value->node;
    while (node && node->block == s->body && uses(s, node->results[0]) == 1 &&
           (node->op == OP_reshape || node->op == OP_permute))
        node = node->operands[0]->node;
    return node && node->block == s->body && uses(s, node->results[0]) == 1 ? node : NULL;
}

/* What is kept anew may be a few times as large as the sum that every step would read and write; unless that
 * stays in the nearest cache, where it costs nothing. */
static bool is_worth_keeping(const Stack *stack, const Node *contract) {
    ContractSpec spec;
    if (stack->kept == 0) return true;
    if (!contract_spec_parse(node_str(contract, ATTR_spec), &spec)) return false;
    double sum = hoist_stack_elements(contract->results[0]->type);
    int64_t count;
    if (extent(contract->operands[0]->type, spec.x, spec.result, false) > DEPTH || sum < NEAR) return false;
    return dim_is_const(stack->steps->count, &count) && (double)count * stack->kept <= GROWTH * sum;
}

static bool can_sum(Stack *stack, Node *node) {
    if (!node) return false;
    if (node->op == OP_reduce_sum)
        return hoist_stack_can(stack, node->operands[0]) && !stack->contracts.count;
    if (node->op != OP_contract) return false;
    stack->writes = true;
    for (uint32_t i = 0; i < 2; i++)
        if (hoist_stack_is_steady(stack, node->operands[i])) return false;
    return hoist_stack_can_product(stack, node) && stack->contracts.count == 1 &&
           is_worth_keeping(stack, node);
}

static Value *sum_of(Stack *stack, Builder *b, Node *node) {
    if (node->op == OP_contract) return hoist_stack_product(stack, b, node, true);
    const Attr *axes = node_attr(node, ATTR_axes);
    int64_t all[MAX_RANK] = {0};
    for (uint32_t i = 0; i < axes->count; i++) all[i + 1] = axes->ints[i] + 1;
    return build_reduce(b, OP_reduce_sum, hoist_stack_make(stack, b, node->operands[0]), axes->count + 1,
                        all);
}

/* `sum`, of what `node` makes, as `term` rearranges that. */
static Value *rearrange(Builder *b, Value *term, const Node *node, Value *sum) {
    if (term->node == node) return sum;
    Value *x = rearrange(b, term->node->operands[0], node, sum);
    if (term->node->op == OP_reshape) return build_reshape(b, x, term->type->rank, term->type->dims);
    return build_permute(b, x, node_attr(term->node, ATTR_perm)->ints);
}

/* The term's sum over all steps, after the loop; NULL where it stays. */
static Value *take_term(Steps *s, Value *term) {
    Node *node = rearranged(s, term);
    Stack stack = hoist_stack_new(s, true);
    if (!can_sum(&stack, node)) return NULL;
    for (uint32_t i = 0; i < stack.taped.count; i++) hoist_stack_tape(&stack, stack.taped.at[i]);
    Builder b = outside(s, true, node->loc);
    return rearrange(&b, term, node, sum_of(&stack, &b, node));
}

/* The carried value goes on under another number: the old one's result will be replaced by a sum that it is
 * part of. */
static Value *carry_anew(Steps *s, uint32_t k) {
    Value *param = param_of(s, k), *next = next_of(s, k);
    Value *again = block_param(s->body, param->type, param->name);
    value_replace(param, again);
    node_add_operand(s->loop, s->loop->operands[k + 2]);
    node_add_operand(yield_of(s), next);
    yield_of(s)->operands[k] = again;
    return node_add_result(s->loop, again->type);
}

static bool take_sum(Steps *s, uint32_t k) {
    Additions additions = {0};
    if (!find_additions(s, next_of(s, k), param_of(s, k), &additions) || !additions.count) return false;
    Value *sum = NULL;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < additions.count; i++) {
        Value *term = take_term(s, additions.at[i].term);
        if (!term) continue;
        Builder b = outside(s, true, additions.at[i].sum->node->loc);
        value_replace(additions.at[i].sum, additions.at[i].rest);
        sum = sum ? build_binary(&b, OP_add, sum, term) : term;
        taken++;
    }
    if (!taken) return false;
    Value *init = s->loop->operands[k + 2];
    Builder b = outside(s, true, s->loop->loc);
    if (taken < additions.count) init = carry_anew(s, k);
    value_replace(s->loop->results[k], is_zeros(init) ? sum : build_binary(&b, OP_add, init, sum));
    return true;
}

/* --- what is only written */
static void need(const Steps *s, Map *needed, Value *value) {
    Node *node = value->node;
    if (!node || node->block != s->body || map_get(needed, node)) return;
    map_put(needed, node, node);
    for (uint32_t i = 0; i < node->operand_count; i++) need(s, needed, node->operands[i]);
}

typedef struct {
    const Steps *s;
    Map *needed;
} Needs;

static void need_operands(void *user, Node *node) {
    Needs *needs = user;
    bool runs =
        op_has(node->op, TRAIT_EFFECT) || op_has(node->op, TRAIT_REGION) || node->block != needs->s->body;
    for (uint32_t i = 0; runs && i < node->operand_count; i++)
        need(needs->s, needs->needed, node->operands[i]);
}

/* Does nothing but carried value `k` need the products? */
static bool is_alone(const Stack *stack, uint32_t k) {
    const Steps *s = stack->steps;
    Needs needs = {s, map_new(s->hoist->scratch)};
    block_walk(s->body, need_operands, &needs);
    for (uint32_t i = 0; i < s->loop->result_count; i++)
        if (i != k) need(s, needs.needed, next_of(s, i));
    for (uint32_t i = 0; i < stack->contracts.count; i++)
        if (map_get(needs.needed, stack->contracts.at[i])) return false;
    return true;
}

/* The stack's slices where the tensor has them: its first axis becomes number `axis`. */
static Value *as_written(Builder *b, Value *stacked, uint32_t axis, const Type *type) {
    const Dim *dims[MAX_RANK] = {stacked->type->dims[0]};
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0, k = 1; i < type->rank; i++) {
        if (i != axis) dims[k] = type->dims[i];
        perm[i] = i == axis ? 0 : k++;
    }
    return build_permute(b, build_reshape(b, stacked, type->rank, dims), perm);
}

static bool take_written(Steps *s, uint32_t k) {
    StepSlice slice;
    Node *update = hoist_steps_update(s, k, &slice);
    if (!update || !writes_whole(update, &slice) || uses(s, param_of(s, k)) != 1) return false;
    if (!hoist_index_whole(s, &slice, param_of(s, k)->type)) return false;
    Value *part = update->operands[1];
    Stack stack = hoist_stack_new(s, true);
    stack.without = k + 1;
    stack.writes = true;
    stack.sign = slice.sign;
    if (!hoist_stack_can(&stack, part) || !(stack.views || stack.contracts.count)) return false;
    if (stack.kept > GROWTH * hoist_stack_elements(part->type) || !is_alone(&stack, k)) return false;
    for (uint32_t i = 0; i < stack.taped.count; i++) hoist_stack_tape(&stack, stack.taped.at[i]);
    /* Before all that reads this tape so far. */
    Builder b = {
        .graph = s->hoist->graph, .block = s->loop->block, .before = s->loop->next, .loc = update->loc};
    Value *stacked = hoist_stack_make(&stack, &b, part);
    yield_of(s)->operands[k] = param_of(s, k);
    value_replace(s->loop->results[k], as_written(&b, stacked, slice.axis, param_of(s, k)->type));
    return true;
}

/* --- products of slices */
/* Few rows in a step, and no result that is much larger than they are. */
static bool is_worth_leaving(Stack *stack, const Node *contract) {
    ContractSpec spec;
    bool steady[2];
    for (uint32_t i = 0; i < 2; i++) steady[i] = hoist_stack_is_steady(stack, contract->operands[i]);
    if (steady[0] == steady[1] || !contract_spec_parse(node_str(contract, ATTR_spec), &spec)) return false;
    const Value *factor = contract->operands[steady[0]];
    const char *labels = steady[0] ? spec.y : spec.x;
    double rows = extent(factor->type, labels, spec.result, true);
    if (rows > ROWS || !hoist_stack_fits(stack->steps, contract->results[0]->type)) return false;
    if (!hoist_stack_can(stack, contract->results[0])) return false;
    if (stack->kept && rows > FEW) return false;
    return hoist_stack_elements(contract->results[0]->type) <= GROWTH * hoist_stack_elements(factor->type);
}

static bool take_product(Steps *s, Node *contract) {
    Stack stack = hoist_stack_new(s, false);
    if (!is_worth_leaving(&stack, contract)) return false;
    Builder b = outside(s, false, contract->loc);
    Builder in = {.graph = s->hoist->graph, .block = s->body, .before = contract, .loc = contract->loc};
    Value *all = hoist_stack_make(&stack, &b, contract->results[0]),
          *number = hoist_index_number(s, &in, stack.sign);
    const Type *type = contract->results[0]->type;
    const Dim *dims[MAX_RANK];
    memcpy(dims, all->type->dims, sizeof dims);
    dims[0] = dim_const(s->hoist->graph->ir, 1);
    Value *slice = build_dynamic_slice(&in, all, 1, (int64_t[]){0}, &number, dims);
    value_replace(contract->results[0], build_reshape(&in, slice, type->rank, type->dims));
    return true;
}

/* --- a loop */
static void see_symbol(void *user, Node *node) {
    bool *found = user;
    *found |= node->op == OP_symbol;
}

/* Applies `take` to each carried value that there was at first. */
static void each_carried(Steps *s, bool (*take)(Steps *s, uint32_t k)) {
    uint32_t count = s->loop->result_count;
    for (uint32_t k = 0; k < count; k++)
        if (take(s, k)) look_again(s);
}

void hoist_steps(Hoist *h, Node *loop) {
    Steps s = {
        .hoist = h, .loop = loop, .next = loop->next, .body = loop->blocks[0], .sizes = map_new(h->scratch)};
    bool symbols = false;
    block_walk(s.body, see_symbol, &symbols); /* then sizes differ between steps */
    if (symbols || !hoist_index_range(&s)) return;
    look_again(&s);
    each_carried(&s, separate);
    each_carried(&s, take_sum);
    each_carried(&s, take_written);
    for (Node *node = s.body->first; node; node = node->next)
        if (node->op == OP_contract && take_product(&s, node)) look_again(&s);
    each_carried(&s, hoist_place);
    block_resolve(loop->block);
}
