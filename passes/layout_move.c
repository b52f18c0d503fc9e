/* Permutations move from the operands of a node to its result. A permutation here says of each axis which one
 * of its source's it is. */
#include "passes/layout.h"
#include <string.h>

void layout_mark(Value *permuted) { permuted->scratch = permuted; }

/* Block parameters are never marked: what earlier passes left there means nothing. */
bool layout_is_marked(const Value *value) {
    return value->node && value->node->op == OP_permute && value->scratch == value;
}

typedef struct {
    Builder *b;
    Node *node;
    Value *x;                /* the first marked operand's source */
    uint32_t rank;           /* its */
    const int64_t *perm;     /* of the operand's axes, those of x */
    int64_t back[MAX_RANK];  /* of the axes of x, the operand's */
    int64_t after[MAX_RANK]; /* to be found: of the result's axes, those of what is computed */
} Move;

static const int64_t *order_of(const Value *permuted) { return node_attr(permuted->node, ATTR_perm)->ints; }

/* Any operand of the shape of the marked one, as x has its axes. */
static Value *in_order(const Move *m, Value *value) {
    if (layout_is_marked(value) && memcmp(order_of(value), m->perm, m->rank * sizeof *m->perm) == 0)
        return value->node->operands[0];
    return build_permute(m->b, value, m->back);
}

static void keep_order(Move *m) { memcpy(m->after, m->perm, m->rank * sizeof *m->perm); }

static Value *rebuild(const Move *m, Value *const *operands, const Attr *attrs) {
    const Node *node = m->node;
    return build_node(m->b, node->op, node->operand_count, operands, node->attr_count, attrs)->results[0];
}

static Value *move_elementwise(Move *m) {
    Value *operands[3];
    for (uint32_t i = 0; i < m->node->operand_count; i++) operands[i] = in_order(m, m->node->operands[i]);
    keep_order(m);
    return rebuild(m, operands, m->node->attrs);
}

static Value *move_concat(Move *m) {
    Arena *arena = ir_arena(m->b->graph->ir);
    Value **parts = ARENA_ARRAY(arena, Value *, m->node->operand_count);
    for (uint32_t i = 0; i < m->node->operand_count; i++) parts[i] = in_order(m, m->node->operands[i]);
    keep_order(m);
    return build_concat(m->b, m->node->operand_count, parts, m->perm[node_int(m->node, ATTR_axis)]);
}

static Value *move_pad(Move *m) {
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    for (uint32_t i = 0; i < m->rank; i++) {
        low[m->perm[i]] = node_attr(m->node, ATTR_low)->dims[i];
        high[m->perm[i]] = node_attr(m->node, ATTR_high)->dims[i];
        interior[m->perm[i]] = node_attr(m->node, ATTR_interior)->ints[i];
    }
    keep_order(m);
    return build_pad(m->b, m->x, m->node->operands[1], low, high, interior);
}

static Value *move_slice(Move *m) {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    for (uint32_t i = 0; i < m->rank; i++) {
        start[m->perm[i]] = node_attr(m->node, ATTR_start)->dims[i];
        dims[m->perm[i]] = node_attr(m->node, ATTR_dims)->dims[i];
        step[m->perm[i]] = node_attr(m->node, ATTR_step)->ints[i];
    }
    keep_order(m);
    return build_slice(m->b, m->x, start, dims, step);
}

static Value *move_permute(Move *m) {
    const int64_t *outer = node_attr(m->node, ATTR_perm)->ints;
    for (uint32_t i = 0; i < m->rank; i++) m->after[i] = m->perm[outer[i]];
    return m->x;
}

/* An axis becomes two, side by side. */
static Value *move_window(Move *m) {
    int64_t axis = node_int(m->node, ATTR_axis), at = m->perm[axis];
    for (uint32_t i = 0; i < m->rank; i++) m->after[i + (i > axis)] = m->perm[i] + (m->perm[i] > at);
    m->after[axis + 1] = at + 1;
    return build_window(m->b, m->x, at, node_dim(m->node, ATTR_size), node_dim(m->node, ATTR_stride),
                        node_dim(m->node, ATTR_dilation));
}

static Value *move_reduce(Move *m) {
    const Attr *axes = node_attr(m->node, ATTR_axes);
    bool reduced[MAX_RANK] = {false};
    int64_t inner[MAX_RANK], place[MAX_RANK];
    uint32_t count = 0, kept = 0, rank = 0;
    for (uint32_t i = 0; i < axes->count; i++) reduced[m->perm[axes->ints[i]]] = true;
    for (uint32_t i = 0; i < m->rank; i++) {
        if (reduced[i])
            inner[count++] = i;
        else
            place[i] = kept++;
    }
    for (uint32_t i = 0; i < m->rank; i++)
        if (!reduced[m->perm[i]]) m->after[rank++] = place[m->perm[i]];
    return build_reduce(m->b, m->node->op, m->x, count, inner);
}

/* Axes along which elements are repeated stay behind the one that they follow. */
static Value *move_broadcast(Move *m) {
    const Attr *axes = node_attr(m->node, ATTR_axes);
    const Type *type = m->node->results[0]->type;
    const Dim *dims[MAX_RANK];
    int64_t moved[MAX_RANK];
    uint32_t count = 0, first = m->rank ? (uint32_t)axes->ints[0] : type->rank;
    for (uint32_t i = 1; i < axes->count; i++)
        if (axes->ints[i] < axes->ints[i - 1]) return NULL;
    for (uint32_t i = 0; i < first; i++) m->after[i] = count, dims[count++] = type->dims[i];
    for (uint32_t i = 0; i < m->rank; i++) {
        int64_t own = m->back[i], end = own + 1 < axes->count ? axes->ints[own + 1] : type->rank;
        moved[i] = count;
        for (int64_t k = axes->ints[own]; k < end; k++) m->after[k] = count, dims[count++] = type->dims[k];
    }
    return build_broadcast(m->b, m->x, type->rank, dims, moved);
}

/* --- reshape */
/* Axes of the operand, from `from` to `to`, and as many elements as axes of the result. */
typedef struct {
    uint32_t from, to, result_from, result_to;
} Group;

/* Takes axes of both sides until they have as many elements. */
static bool take_group(IrContext *ir, const Type *x, const Type *y, Group *g) {
    const Dim *in = dim_const(ir, 1), *out = in;
    do {
        bool of_x = dim_is(in, 1) || (!dim_is(out, 1) && g->to < x->rank);
        int64_t have, want;
        if (dim_is_const(in, &have) && dim_is_const(out, &want) && !dim_is(in, 1) && !dim_is(out, 1))
            of_x = have < want;
        if (of_x ? g->to == x->rank : g->result_to == y->rank) return false;
        if (of_x)
            in = dim_mul(ir, in, x->dims[g->to++]);
        else
            out = dim_mul(ir, out, y->dims[g->result_to++]);
        if (!in || !out || dim_is(in, 0) || dim_is(out, 0)) return false;
    } while (in != out || dim_is(in, 1));
    return true;
}

static bool all_units(const Type *type, uint32_t from) {
    for (uint32_t i = from; i < type->rank; i++)
        if (!dim_is(type->dims[i], 1)) return false;
    return true;
}

/* The number of groups; 0 where they can't be told. Axes of one element at the end are the last group's. */
static uint32_t groups_of(IrContext *ir, const Type *x, const Type *y, Group *groups) {
    uint32_t count = 0, from = 0, result_from = 0;
    while (!all_units(x, from) || !all_units(y, result_from)) {
        Group *g = &groups[count++];
        *g = (Group){from, from, result_from, result_from};
        if (!take_group(ir, x, y, g)) return 0;
        from = g->to, result_from = g->result_to;
    }
    if (count) groups[count - 1].to = x->rank, groups[count - 1].result_to = y->rank;
    return count;
}

/* The last place in x of the group's axes that have more than one element; -1 where there is none. */
static int64_t place_of(const Move *m, const Group *g) {
    int64_t last = -1;
    for (uint32_t i = g->from; i < g->to; i++)
        if (!dim_is(m->x->type->dims[m->perm[i]], 1) && m->perm[i] > last) last = m->perm[i];
    return last;
}

/* x with its axes in this order: itself where they are, but for axes of one element. NULL where another one
 * would be innermost: then nothing is gained. */
static Value *reordered(const Move *m, const int64_t *order) {
    const Type *type = m->x->type;
    int64_t last = -1, most = -1;
    bool same = true;
    for (uint32_t i = 0; i < m->rank; i++) {
        if (dim_is(type->dims[order[i]], 1)) continue;
        same = same && order[i] > last;
        last = order[i];
        if (last > most) most = last;
    }
    if (same) return m->x;
    return last == most ? build_permute(m->b, m->x, order) : NULL;
}

/* What becomes one axis, or is made of one, is brought together: groups stay in the order in which they end.
 */
static Value *move_reshape(Move *m) {
    const Type *type = m->node->results[0]->type;
    const Dim *dims[MAX_RANK];
    Group groups[MAX_RANK];
    int64_t order[MAX_RANK], place[MAX_RANK];
    uint32_t rank = 0, axes = 0, count = groups_of(m->b->graph->ir, m->node->operands[0]->type, type, groups);
    for (uint32_t i = 0; i < count; i++) place[i] = place_of(m, &groups[i]);
    for (int64_t at = 0; at < m->rank; at++) {
        for (uint32_t i = 0; i < count; i++) {
            if (place[i] != at) continue;
            for (uint32_t k = groups[i].from; k < groups[i].to; k++) order[axes++] = m->perm[k];
            for (uint32_t k = groups[i].result_from; k < groups[i].result_to; k++)
                m->after[k] = rank, dims[rank++] = type->dims[k];
        }
    }
    Value *x = count ? reordered(m, order) : NULL;
    return x ? build_reshape(m->b, x, rank, dims) : NULL;
}

/* Two axes become one, which is where the windows are; their elements are brought beside them. */
static Value *move_window_add(Move *m) {
    int64_t axis = node_int(m->node, ATTR_axis), windows = m->perm[axis], elements = m->perm[axis + 1];
    int64_t order[MAX_RANK], place[MAX_RANK];
    uint32_t axes = 0, rank = 0;
    for (int64_t i = 0; i < m->rank; i++) {
        if (i == elements) continue;
        place[i] = rank++;
        order[axes++] = i;
        if (i == windows) order[axes++] = elements;
    }
    for (uint32_t i = 0; i < rank; i++) m->after[i] = place[m->perm[i + (i > axis)]];
    Value *x = reordered(m, order);
    return x ? build_window_add(m->b, x, place[windows], node_dim(m->node, ATTR_size),
                                node_dim(m->node, ATTR_stride), node_dim(m->node, ATTR_dilation))
             : NULL;
}

typedef Value *Rule(Move *m);

static Rule *rule_of(Op op) {
    static Rule *const rules[OP_COUNT] = {
        [OP_concat] = move_concat,       [OP_pad] = move_pad,         [OP_slice] = move_slice,
        [OP_permute] = move_permute,     [OP_window] = move_window,   [OP_window_add] = move_window_add,
        [OP_broadcast] = move_broadcast, [OP_reshape] = move_reshape,
    };
    if (op_has(op, TRAIT_ELEMENTWISE)) return move_elementwise;
    return op_has(op, TRAIT_REDUCES) ? move_reduce : rules[op];
}

static bool is_identity(const Move *m, uint32_t rank) {
    for (uint32_t i = 0; i < rank; i++)
        if (m->after[i] != i) return false;
    return true;
}

Value *layout_move(Builder *b, Node *node) {
    Rule *rule = rule_of(node->op);
    Value *marked = NULL;
    for (uint32_t i = 0; i < node->operand_count && !marked; i++)
        if (layout_is_marked(node->operands[i])) marked = node->operands[i];
    if (!rule || !marked) return NULL;
    Move m = {.b = b, .node = node, .x = marked->node->operands[0], .rank = marked->type->rank};
    m.perm = order_of(marked);
    for (uint32_t i = 0; i < m.rank; i++) m.back[m.perm[i]] = i;
    Value *y = rule(&m);
    if (!y || is_identity(&m, y->type->rank)) return y;
    Value *by = build_permute(b, y, m.after);
    layout_mark(by);
    return by;
}
