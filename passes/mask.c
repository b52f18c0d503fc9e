/* What a mask made of indices leaves out of products, as a causal attention's does: factors that are 0 where
 * the mask is false (masked), and results of which nobody asks for what lies there (select). Code generation
 * then computes only what is left (codegen/kernel_mask.c).
 *
 * softmax(where(mask, scores, -inf)) @ v: the scores are less than anything there, so the shares are 0,
 * unless all of their row is NaN. What multiplies these shares isn't read, so infinities in it make no NaN.
 */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/cost.h"
#include "passes/passes.h"
#include "support/map.h"
#include "support/vec.h"
#include <math.h>

enum { MAX_READERS = 8, MAX_STEPS = 16 /* from a product to a mask */ };

typedef struct {
    Graph *graph;
    Arena *arena;
    Map *readers;       /* const Value * → Nodes * */
    Map *zero, *lowest; /* const Value * → Found * */
    Map *masked;        /* Value * → the latest that it became */
    Nodes contracts;
    uintptr_t position;
    bool any; /* masks of indices */
} Masks;

enum { NO_AXIS = -1 };

/* A value is 0 (or less than anything) where the mask, of its shape, is false; NULL = nothing is known. Or
 * all of a row along the axis `row` is NaN. */
typedef struct {
    Value *mask;
    int8_t row; /* NO_AXIS: that can't be */
} Found;

static const Found nothing = {NULL, NO_AXIS};

/* --- masks */
/* A mask of indices without which the condition is false. */
static Value *mask_in(Value *condition) {
    const Node *node = condition->node;
    if (condition->type->rank && node && node->op != OP_const && cost_is_of_indices(node)) return condition;
    if (!node || node->op != OP_and) return NULL;
    Value *mask = mask_in(node->operands[0]);
    return mask ? mask : mask_in(node->operands[1]);
}

/* --- numbers */
static bool splat_of(const Value *value, double *number) {
    const Node *node = value->node;
    if (!node || node->op != OP_const || !dtype_is_float(value->type->dtype)) return false;
    *number = node_attr(node, ATTR_value)->number;
    return true;
}

static bool is_number(const Value *value, double wanted) {
    double number;
    return splat_of(value, &number) && number == wanted;
}

static bool is_positive(const Value *value) {
    double number;
    return splat_of(value, &number) && number > 0 && isfinite(number);
}

/* --- rows of NaN: -inf - -inf where a row of scores sees nothing, 0 / 0 where it weighs nothing */
/* The axis along which there is one number for all of a row, as its maximum or its sum; NO_AXIS for others.
 */
static int8_t row_axis(const Value *value) {
    const Node *node = value->node;
    if (!node || node->op != OP_broadcast || node->operands[0]->type->rank + 1 != value->type->rank)
        return NO_AXIS;
    const Attr *axes = node_attr(node, ATTR_axes);
    int8_t axis = 0;
    while ((uint32_t)axis < axes->count && axes->ints[axis] == axis) axis++;
    return axis;
}

/* What the rows' number is computed from by views, another number taking its place where it won't do. */
static const Node *number_of_rows(const Value *value, bool *guarded) {
    const Node *node = value->node;
    double other;
    *guarded = false;
    while (node && (op_has(node->op, TRAIT_VIEW) || node->op == OP_stop_gradient || node->op == OP_select)) {
        if (node->op == OP_select && !splat_of(node->operands[2], &other)) return NULL;
        *guarded = *guarded || (node->op == OP_select && isfinite(other));
        node = node->operands[node->op == OP_select]->node;
    }
    return node;
}

/* Of indices: no less (`least`) or no more than which number the value is at the beginning of the axis. */
static bool bound_of(const Value *value, uint32_t axis, bool least, int64_t *bound) {
    const Node *node = value->node;
    if (!node) return false;
    switch ((int)node->op) {
    case OP_const: *bound = node_attr(node, ATTR_ivalue)->integer; return true;
    case OP_iota: *bound = 0; return least || node_int(node, ATTR_axis) == axis;
    case OP_add: {
        int64_t x, y;
        return bound_of(node->operands[0], axis, least, &x) && bound_of(node->operands[1], axis, least, &y) &&
               !__builtin_add_overflow(x, y, bound);
    }
    case OP_broadcast: return bound_of(node->operands[0], broadcast_axis(node, axis), least, bound);
    default: return false;
    }
}

/* Is the mask always true at the beginning of the axis, as a causal one is? */
static bool begins_true(const Value *mask, uint32_t axis) {
    const Node *node = mask->node;
    int64_t x, y;
    if (node->op == OP_broadcast) {
        uint32_t own = broadcast_axis(node, axis);
        return own < MAX_RANK && begins_true(node->operands[0], own);
    }
    bool less = node->op == OP_le || node->op == OP_lt, more = node->op == OP_ge || node->op == OP_gt;
    if ((!less && !more) || node->operands[0]->type->dtype != DTYPE_i64) return false;
    return bound_of(node->operands[more], axis, false, &x) &&
           bound_of(node->operands[less], axis, true, &y) &&
           (node->op == OP_le || node->op == OP_ge ? x <= y : x < y);
}

/* --- what is 0, or less than anything, where a mask is false */
static Found zero(Masks *m, const Value *value);
static Found lowest(Masks *m, const Value *value);

/* Both are what they are where the same mask is false. */
static Found both(Found x, Found y) {
    if (x.mask != y.mask || (x.row != y.row && x.row != NO_AXIS && y.row != NO_AXIS)) return nothing;
    return (Found){x.mask, x.row != NO_AXIS ? x.row : y.row};
}

static Found of_rows(Found found, int8_t axis) { return both(found, (Found){found.mask, axis}); }

static Found less_than(Masks *m, const Value *x, const Value *rows) {
    Found found = lowest(m, x);
    int8_t axis = row_axis(rows);
    bool guarded;
    number_of_rows(rows, &guarded);
    if (axis == NO_AXIS || !found.mask) return nothing;
    return guarded || begins_true(found.mask, (uint32_t)axis) ? found : of_rows(found, axis);
}

/* The sum of what a softmax's maximum was taken off isn't 0. */
static Found share_of(Masks *m, const Value *x, const Value *rows) {
    Found found = zero(m, x);
    int8_t axis = row_axis(rows);
    bool guarded;
    const Node *sum = number_of_rows(rows, &guarded);
    if (axis == NO_AXIS || !found.mask) return nothing;
    bool softmax = sum && sum->op == OP_reduce_sum && sum->operands[0] == x && x->node->op == OP_exp &&
                   x->node->operands[0]->node->op == OP_sub;
    return guarded || softmax ? found : of_rows(found, axis);
}

static Found find_lowest(Masks *m, const Node *node) {
    Value *const *x = node->operands;
    switch ((int)node->op) {
    case OP_select:
        if (!is_number(x[2], -INFINITY)) return nothing;
        return mask_in(x[0]) ? (Found){mask_in(x[0]), NO_AXIS} : lowest(m, x[1]);
    case OP_sub: return less_than(m, x[0], x[1]);
    case OP_mul: return is_positive(x[0]) ? lowest(m, x[1]) : is_positive(x[1]) ? lowest(m, x[0]) : nothing;
    case OP_div: return is_positive(x[1]) ? lowest(m, x[0]) : nothing;
    case OP_stop_gradient: return lowest(m, x[0]);
    default: return nothing;
    }
}

static Found find_zero(Masks *m, const Node *node) {
    Value *const *x = node->operands;
    switch ((int)node->op) {
    case OP_select:
        if (!is_number(x[2], 0)) return both(zero(m, x[1]), zero(m, x[2]));
        return mask_in(x[0]) ? (Found){mask_in(x[0]), NO_AXIS} : zero(m, x[1]);
    case OP_exp: return lowest(m, x[0]);
    case OP_mul: return zero(m, x[0]).mask ? zero(m, x[0]) : zero(m, x[1]);
    case OP_div: return is_positive(x[1]) ? zero(m, x[0]) : share_of(m, x[0], x[1]);
    case OP_add:
    case OP_sub: return both(zero(m, x[0]), zero(m, x[1]));
    case OP_cast: return dtype_is_float(x[0]->type->dtype) ? zero(m, x[0]) : nothing;
    case OP_neg:
    case OP_stop_gradient: return zero(m, x[0]);
    default: return nothing;
    }
}

static Found remembered(Masks *m, Map *map, const Value *value, Found find(Masks *, const Node *)) {
    Found *found = map_get(map, value);
    if (found) return *found;
    found = ARENA_NEW(m->arena, Found);
    map_put(map, value, found);
    *found = value->node && dtype_is_float(value->type->dtype) ? find(m, value->node) : nothing;
    return *found;
}

static Found zero(Masks *m, const Value *value) { return remembered(m, m->zero, value, find_zero); }
static Found lowest(Masks *m, const Value *value) { return remembered(m, m->lowest, value, find_lowest); }

/* --- what nobody asks for where a mask is false */
static Value *same_mask(Value *x, Value *y) { return x == y ? x : NULL; }

static Value *unread_mask(Masks *m, const Value *value, uint32_t steps);

/* Where `reader` doesn't ask for its operand. */
static Value *unread_by(Masks *m, const Node *reader, const Value *value, uint32_t steps) {
    Value *const *x = reader->operands, *mask = NULL;
    if (!op_has(reader->op, TRAIT_ELEMENTWISE)) return NULL;
    if (reader->op == OP_select && x[1] == value && x[0] != value && x[2] != value) mask = mask_in(x[0]);
    if (reader->op == OP_mul && x[0] != x[1]) mask = zero(m, x[x[0] == value]).mask;
    return mask ? mask : unread_mask(m, reader->results[0], steps - 1);
}

static Value *unread_mask(Masks *m, const Value *value, uint32_t steps) {
    const Nodes *readers = map_get(m->readers, value);
    if (!readers || readers->count > MAX_READERS || steps == 0) return NULL;
    Value *mask = unread_by(m, readers->at[0], value, steps);
    for (uint32_t i = 1; mask && i < readers->count; i++)
        mask = same_mask(mask, unread_by(m, readers->at[i], value, steps));
    return mask;
}

/* Does a select already follow that nothing but elementwise operations are before? */
static bool has_select(const Masks *m, const Value *value) {
    for (;;) {
        const Nodes *readers = map_get(m->readers, value);
        if (!readers || readers->count != 1 || !op_has(readers->at[0]->op, TRAIT_ELEMENTWISE)) return false;
        if (readers->at[0]->op == OP_select) return true;
        value = readers->at[0]->results[0];
    }
}

/* --- products */
/* In the order of the program. */
static bool is_before(const Value *mask, const Node *node) {
    return block_inside(node->block, mask->block) &&
           (uintptr_t)mask->node->scratch < (uintptr_t)node->scratch;
}

/* A row of NaN makes NaN of all that is summed up along other axes. */
static void mask_factors(Masks *m, Node *contract) {
    ContractSpec spec;
    if (!contract_spec_parse(node_str(contract, ATTR_spec), &spec)) return;
    for (uint32_t i = 0; i < contract->operand_count; i++) {
        Found found = zero(m, contract->operands[i]);
        char row = found.row == NO_AXIS ? 0 : (i ? spec.y : spec.x)[found.row];
        Builder b = {.graph = m->graph, .block = contract->block, .before = contract, .loc = contract->loc};
        if (!found.mask || (row && labels_have(spec.result, row))) continue;
        Value *factor = contract->operands[i], *masked = map_get(m->masked, factor);
        if (!masked || masked->block != contract->block) {
            masked = build_masked(&b, factor, found.mask);
            map_put(m->masked, factor, masked);
        }
        contract->operands[i] = masked;
    }
}

static void mask_result(Masks *m, Node *contract) {
    Value *product = contract->results[0], *mask = unread_mask(m, product, MAX_STEPS);
    if (!mask || has_select(m, product) || !is_before(mask, contract)) return;
    Builder b = {.graph = m->graph, .block = contract->block, .before = contract->next, .loc = contract->loc};
    Value *zeros = build_const(&b, product->type, 0), *hidden = build_select(&b, mask, product, zeros);
    const Nodes *readers = map_get(m->readers, product);
    for (uint32_t i = 0; i < readers->count; i++) {
        Node *reader = readers->at[i];
        for (uint32_t k = 0; k < reader->operand_count; k++)
            if (reader->operands[k] == product) reader->operands[k] = hidden;
    }
}

/* --- the graph */
static void add_reader(Masks *m, const Value *value, Node *reader) {
    Nodes *readers = map_get(m->readers, value);
    if (!readers) map_put(m->readers, value, readers = ARENA_NEW(m->arena, Nodes));
    if (readers->count && readers->at[readers->count - 1] == reader) return;
    vec_push(m->arena, readers, reader);
}

static void read_node(void *user, Node *node) {
    Masks *m = user;
    node->scratch = (void *)(uintptr_t)m->position++;
    m->any = m->any || (node->op == OP_select && mask_in(node->operands[0]));
    if (node->op == OP_contract) vec_push(m->arena, &m->contracts, node);
    for (uint32_t i = 0; i < node->operand_count; i++) add_reader(m, node->operands[i], node);
}

void pass_mask(PassContext *context, Graph *graph) {
    Arena *arena = context->scratch;
    Masks m = {graph, arena, map_new(arena), map_new(arena), map_new(arena), map_new(arena), .position = 0};
    graph_walk(graph, read_node, &m);
    if (!m.any) return;
    for (uint32_t i = 0; i < m.contracts.count; i++) mask_result(&m, m.contracts.at[i]);
    for (uint32_t i = 0; i < m.contracts.count; i++) mask_factors(&m, m.contracts.at[i]);
}
