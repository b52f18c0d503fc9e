/* Which axes of a kernel's values the axes of a chain are. From what the chain has computed marks spread
 * forwards, operation by operation; an operation that mixes parts has no rule, and ends that. */
#include "ir/strided.h"
#include "passes/chain.h"

static const Marks nowhere = {{-1, -1, -1, -1, -1, -1, -1, -1}};

/* --- labels of contractions */
typedef struct {
    const char *operand[2], *out;
} Labels;

static Labels labels_of(const Node *contract) {
    const char *spec = node_str(contract, ATTR_spec);
    return (Labels){{spec, strchr(spec, ',') + 1}, strstr(spec, "->") + 2};
}

/* The axis with the label, -1 where there is none. Lists of labels end with the first other character. */
static int8_t axis_of(const char *labels, char label) {
    for (int8_t d = 0; (labels[d] >= 'a' && labels[d] <= 'z') || (labels[d] >= 'A' && labels[d] <= 'Z'); d++)
        if (labels[d] == label) return d;
    return -1;
}

static bool is_batch(const Labels *l, char label) {
    return axis_of(l->operand[0], label) >= 0 && axis_of(l->operand[1], label) >= 0 &&
           axis_of(l->out, label) >= 0;
}

/* --- reshapes: an axis stays one where as many elements come before it as before one that has the same
 * parts */
static const Dim *before_axis(IrContext *ir, const Type *type, int axis) {
    const Dim *product = dim_const(ir, 1);
    for (int d = 0; d < axis && product; d++) product = dim_mul(ir, product, type->dims[d]);
    return product;
}

static int8_t moved_axis(IrContext *ir, const Type *from, int8_t axis, const Type *to, const Dim *parts) {
    const Dim *before = before_axis(ir, from, axis);
    for (uint32_t d = 0; before && d < to->rank; d++)
        if (dim_share(ir, to->dims[d], parts) && before_axis(ir, to, (int)d) == before) return (int8_t)d;
    return -1;
}

/* --- one axis, forwards and backwards; -1: it gets lost, -2: there is no rule */
enum { LOST = -1, UNKNOWN = -2 };

static int8_t index_in(const Attr *axes, int8_t axis) {
    return attr_has(axes, axis) ? (int8_t)attr_find(axes, axis) : LOST;
}

/* The operand's axis without those that vanish before it. */
static int8_t after_reduction(const Attr *axes, int8_t axis) {
    int gone = 0;
    for (uint32_t i = 0; i < axes->count; i++) gone += axes->ints[i] < axis;
    return attr_has(axes, axis) ? UNKNOWN : (int8_t)(axis - gone);
}

static int8_t before_reduction(const Attr *axes, int8_t axis) {
    int before = axis;
    for (uint32_t i = 0; i < axes->count; i++) before += axes->ints[i] <= before;
    return (int8_t)before;
}

/* Where axes stay what they are; these have a rule for each but the one that is cut or put together. */
static bool keeps_axes(const Node *node) {
    return op_has(node->op, TRAIT_ELEMENTWISE) || node->op == OP_masked || node->op == OP_slice ||
           node->op == OP_concat || node->op == OP_pad;
}

static bool pads(const Node *pad, int8_t axis) {
    return !dim_is(node_attr(pad, ATTR_low)->dims[axis], 0) ||
           !dim_is(node_attr(pad, ATTR_high)->dims[axis], 0) || node_attr(pad, ATTR_interior)->ints[axis];
}

static int8_t kept(const Node *node, int8_t axis) {
    if (node->op == OP_slice) return slice_is_whole(node, (uint32_t)axis) ? axis : UNKNOWN;
    if (node->op == OP_pad && pads(node, axis)) return UNKNOWN;
    return node->op == OP_concat && node_int(node, ATTR_axis) == axis ? UNKNOWN : axis;
}

static int8_t forwards(const Chain *chain, const Node *node, uint32_t operand, int8_t axis,
                       const Dim *parts) {
    const Type *from = node->operands[operand]->type, *to = node->results[0]->type;
    if (keeps_axes(node)) return kept(node, axis);
    if (op_has(node->op, TRAIT_REDUCES)) return after_reduction(node_attr(node, ATTR_axes), axis);
    if (node->op == OP_broadcast) return (int8_t)node_attr(node, ATTR_axes)->ints[axis];
    if (node->op == OP_permute) return index_in(node_attr(node, ATTR_perm), axis);
    if (node->op == OP_window) {
        int64_t cut = node_int(node, ATTR_axis);
        return axis == cut ? UNKNOWN : (int8_t)(axis + (axis > cut));
    }
    if (node->op == OP_reshape) {
        int8_t moved = moved_axis(node->graph->ir, from, axis, to, parts);
        return moved < 0 ? UNKNOWN : moved;
    }
    if (node->op != OP_contract) return UNKNOWN;
    Labels l = labels_of(node);
    char label = l.operand[operand][axis];
    return chain->lead || is_batch(&l, label) ? axis_of(l.out, label) : UNKNOWN;
}

static int8_t backwards(const Node *node, uint32_t operand, int8_t axis, const Dim *parts) {
    const Type *from = node->operands[operand]->type, *to = node->results[0]->type;
    if (node->op == OP_pad && operand == 1) return LOST;
    if (keeps_axes(node)) return kept(node, axis);
    if (op_has(node->op, TRAIT_REDUCES)) return before_reduction(node_attr(node, ATTR_axes), axis);
    if (node->op == OP_broadcast) return index_in(node_attr(node, ATTR_axes), axis);
    if (node->op == OP_permute) return (int8_t)node_attr(node, ATTR_perm)->ints[axis];
    if (node->op == OP_window) {
        int64_t cut = node_int(node, ATTR_axis);
        return axis == cut || axis == cut + 1 ? UNKNOWN : (int8_t)(axis - (axis > cut));
    }
    if (node->op == OP_reshape) {
        int8_t moved = moved_axis(node->graph->ir, to, axis, from, parts);
        return moved < 0 ? UNKNOWN : moved;
    }
    if (node->op != OP_contract) return UNKNOWN;
    Labels l = labels_of(node);
    return axis_of(l.operand[operand], l.out[axis]);
}

bool marks_of_operand(const Chain *chain, const Node *node, uint32_t operand, const Marks *result,
                      Marks *out) {
    *out = nowhere;
    for (uint32_t j = 0; j < chain->axis_count; j++) {
        if (result->axis[j] < 0) continue;
        out->axis[j] = backwards(node, operand, result->axis[j], chain->dims[j]);
        if (out->axis[j] == UNKNOWN) return false;
    }
    return true;
}

bool marks_have_rule(const Chain *chain, const Node *node, const Marks *marks) {
    Marks ignored;
    if (node->op == OP_const) return true;
    if (node->op == OP_iota) {
        for (uint32_t j = 0; j < chain->axis_count; j++)
            if (marks->axis[j] == node_int(node, ATTR_axis)) return false;
        return true;
    }
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!marks_of_operand(chain, node, i, marks, &ignored)) return false;
    return node->operand_count > 0;
}

/* --- a kernel's body */
typedef struct {
    Arena *arena;
    const Chain *chain;
    Map *marks; /* Value * → Marks *, of what depends on the chain's values */
    Map *mixed; /* values of which no rule says where the axes are */
    Map *bound; /* see chain_bound */
} Body;

static const Marks *marks_of(const Body *b, const Value *value) {
    const Member *member = map_get(b->chain->results, value);
    if (!member) return map_get(b->marks, value);
    return member->inside[value->index] == block_yield(member->kernel->blocks[0])->operands[value->index]
               ? &member->marks[value->index]
               : NULL;
}

/* A value of the chain that is made in another shape can't be read within it. */
static bool is_mixed(const Body *b, const Value *value) {
    return map_get(b->mixed, value) || (map_get(b->chain->results, value) && !marks_of(b, value));
}

static bool carry_marks(const Body *b, const Node *node, uint32_t operand, const Marks *from, Marks *to) {
    for (uint32_t j = 0; j < b->chain->axis_count; j++) {
        to->axis[j] = forwards(b->chain, node, operand, from->axis[j], b->chain->dims[j]);
        if (to->axis[j] < 0) return false;
    }
    return true;
}

/* A contraction of outer values is as the chain's first. */
static bool seed_marks(const Body *b, const Node *node, Marks *out) {
    Chain own = {0};
    if (node->op != OP_contract || !chain_axes(node->block->owner, &own)) return false;
    if (own.axis_count != b->chain->axis_count) return false;
    for (uint32_t j = 0; j < own.axis_count; j++)
        if (own.dims[j] != b->chain->dims[j]) return false;
    Labels l = labels_of(node);
    *out = nowhere;
    for (uint32_t d = 0, j = 0; d < node->results[0]->type->rank; d++)
        if (is_batch(&l, l.out[d]) && !dim_is(node->results[0]->type->dims[d], 1)) out->axis[j++] = (int8_t)d;
    return true;
}

/* Can these parts of a value that doesn't depend on the chain be made? */
static bool in_parts(const Body *b, const Value *value, const Marks *marks) {
    if (!map_get(b->bound, value) || map_get(b->marks, value)) return true;
    if (!marks_have_rule(b->chain, value->node, marks)) return false;
    for (uint32_t i = 0; i < value->node->operand_count; i++) {
        Marks own;
        marks_of_operand(b->chain, value->node, i, marks, &own);
        if (!in_parts(b, value->node->operands[i], &own)) return false;
    }
    return true;
}

static bool others_in_parts(const Body *b, const Node *node, const Marks *marks) {
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Marks own;
        if (marks_of(b, node->operands[i])) continue;
        if (!marks_of_operand(b->chain, node, i, marks, &own)) return false;
        if (!in_parts(b, node->operands[i], &own)) return false;
    }
    return true;
}

Map *chain_bound(Arena *arena, const Chain *chain, const Node *kernel) {
    Map *values = map_new(arena);
    for (const Node *node = kernel->blocks[0]->first; node; node = node->next) {
        bool bound = op_has(node->op, TRAIT_REDUCES) || node->op == OP_contract;
        for (uint32_t i = 0; i < node->operand_count && !bound; i++)
            bound = map_get(values, node->operands[i]) || map_get(chain->results, node->operands[i]);
        for (uint32_t i = 0; bound && i < node->result_count; i++) map_put(values, node->results[i], values);
    }
    return values;
}

static void spread(Body *b, const Node *node) {
    Marks found = nowhere, *kept = ARENA_NEW(b->arena, Marks);
    bool any = false, clear = true;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const Marks *from = marks_of(b, node->operands[i]);
        Marks here = nowhere;
        if (!from) {
            clear = clear && !is_mixed(b, node->operands[i]);
            continue;
        }
        clear = clear && carry_marks(b, node, i, from, &here);
        clear = clear && (!any || memcmp(&here, &found, sizeof here) == 0);
        found = here;
        any = true;
    }
    if (clear && !any && !seed_marks(b, node, &found)) return;
    clear = clear && others_in_parts(b, node, &found);
    *kept = found;
    for (uint32_t i = 0; i < node->result_count; i++)
        map_put(clear ? b->marks : b->mixed, node->results[i], kept);
}

/* What leads the chain is marked as it says. */
static void mark_tiles(const Body *b, Value *yielded) {
    Marks *marks = ARENA_NEW(b->arena, Marks);
    *marks = b->chain->tiles;
    if (in_parts(b, yielded, marks)) map_put(b->marks, yielded, marks);
}

/* The value that can be made part by part: what is yielded or what that is a reshape of. */
static Value *made_in_parts(const Body *b, Value *yielded) {
    if (map_get(b->marks, yielded)) return yielded;
    bool reshaped = map_get(b->mixed, yielded) && yielded->node->op == OP_reshape;
    return reshaped && map_get(b->marks, yielded->node->operands[0]) ? yielded->node->operands[0] : NULL;
}

Member *chain_member(Arena *arena, const Chain *chain, Node *kernel) {
    Body b = {arena, chain, map_new(arena), map_new(arena), chain_bound(arena, chain, kernel)};
    Node *yield = block_yield(kernel->blocks[0]);
    Member *member = ARENA_NEW(arena, Member);
    member->kernel = kernel;
    member->inside = ARENA_ARRAY(arena, Value *, kernel->result_count + 1);
    member->marks = ARENA_ARRAY(arena, Marks, kernel->result_count + 1);
    for (const Node *node = kernel->blocks[0]->first; node != yield; node = node->next) {
        if (node->block_count) return NULL;
        spread(&b, node);
    }
    if (kernel == chain->lead) mark_tiles(&b, yield->operands[0]);
    for (uint32_t i = 0; i < kernel->result_count; i++) {
        member->inside[i] = made_in_parts(&b, yield->operands[i]);
        if (!member->inside[i]) return NULL;
        member->marks[i] = *(const Marks *)map_get(b.marks, member->inside[i]);
    }
    return member;
}

bool chain_axes(const Node *kernel, Chain *out) {
    const Node *node = kernel->blocks[0]->first;
    while (node && node->op != OP_contract) node = node->next;
    if (!node) return false;
    Labels l = labels_of(node);
    const Type *type = node->results[0]->type;
    for (uint32_t d = 0; d < type->rank; d++)
        if (is_batch(&l, l.out[d]) && !dim_is(type->dims[d], 1)) out->dims[out->axis_count++] = type->dims[d];
    return out->axis_count > 0;
}
