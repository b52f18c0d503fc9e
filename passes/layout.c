/* The pass `layout`: pictures have their channels last. What a convolution computes with lanes along its
 * channels, which fill vectors whatever the picture's width is, is then stored as it is computed, its
 * gradients by the weights read two factors whose channels lie side by side, and nothing is transposed. The
 * program says [sample, channel, row, column]: a convolution is computed in the other order, and the
 * permutation that puts its axes back moves on through what is computed of it (layout_move.c), up to other
 * products and sums, which read any order. Gradients by weights whose channels lie beside the window's axes,
 * [.., channel, row, column], are computed with the channels last, too, and put in order by what reads them:
 * else all that an optimizer reads and writes would be picked from lines that each hold few of a vector's
 * elements.
 *
 * Weights that a loop doesn't change were laid out before it (hoist_panels.c); where they weren't, as they
 * are many or the picture is small, lanes lie along the picture or the weights are packed as ever.
 *
 * Anywhere, a permutation after which rows are reduced whose elements lie apart moves on as well. */
#include "passes/layout.h"
#include "ir/shape.h"
#include "passes/hoist.h"
#include "passes/passes.h"
#include "support/map.h"
#include <string.h>

enum {
    CHANNELS = 16, /* of the result at least */
    MULTIPLE = 8   /* they fill vectors, or half a one */
};

typedef struct {
    PassContext *context;
    Graph *graph;
    bool again; /* for what is carried: rows that become columns, and pictures, have been looked for */
} Layout;

/* --- which products */
typedef struct {
    ContractSpec spec;
    const Value *picture, *weights;
    const char *places, *channels; /* their labels */
    bool grouped;                  /* channels see only some of the picture's */
} Convolution;

static bool is_unit(const Value *x, const char *labels, char label) {
    return dim_is(x->type->dims[labels_axis(labels, label)], 1);
}

/* An axis of the result that only the weights have; one of one element stays where it is. */
static bool is_channel(const Convolution *c, char label) {
    return !labels_have(c->places, label) && !is_unit(c->weights, c->channels, label);
}

/* Has the result axes of the picture's before and behind all of its channels? */
static bool channels_are_between(const Convolution *c) {
    bool before = false, between = false, after = false;
    for (const char *label = c->spec.result; *label; label++) {
        if (is_channel(c, *label)) {
            if (!before) return false;
            between = true;
        } else if (labels_have(c->places, *label)) {
            bool unit = is_unit(c->picture, c->places, *label);
            before |= !unit || !labels_have(c->channels, *label); /* a batch of one, too */
            after |= between && !unit;
        }
    }
    return after;
}

static bool read_convolution(const Node *node, Convolution *c) {
    *c = (Convolution){0};
    if (node->op != OP_contract || !contract_spec_parse(node_str(node, ATTR_spec), &c->spec)) return false;
    if (!c->spec.result[0]) return false;
    char last = c->spec.result[strlen(c->spec.result) - 1];
    bool second = !labels_have(c->spec.x, last);
    for (size_t i = strlen(c->spec.result); i-- > 0;) { /* an axis of one element may be the weights' */
        last = c->spec.result[i];
        bool in_x = labels_have(c->spec.x, last);
        if (is_unit(node->operands[!in_x], in_x ? c->spec.x : c->spec.y, last)) continue;
        second = !in_x;
        break;
    }
    c->picture = node->operands[second], c->places = second ? c->spec.y : c->spec.x;
    c->weights = node->operands[!second], c->channels = second ? c->spec.x : c->spec.y;
    for (const char *label = c->spec.result; *label; label++)
        if (labels_have(c->places, *label) && labels_have(c->channels, *label))
            c->grouped |= !is_unit(c->picture, c->places, *label);
    return channels_are_between(c);
}

/* Do the channels fill vectors? */
static bool fills_lanes(const Convolution *c) {
    int64_t count = 1, size;
    for (const char *label = c->spec.result; *label; label++) {
        if (!is_channel(c, *label)) continue;
        if (!dim_is_const(c->weights->type->dims[labels_axis(c->channels, *label)], &size)) return false;
        if (__builtin_mul_overflow(count, size, &count)) return false;
    }
    return count >= CHANNELS && count % MULTIPLE == 0;
}

/* Tiles of windows, element by element sums (winograd.c), too. */
static bool reads_windows(const Value *value) {
    for (const Node *node = value->node; node && node->operand_count; node = node->operands[0]->node) {
        bool by_element = op_has(node->op, TRAIT_VIEW) || op_has(node->op, TRAIT_ELEMENTWISE);
        if (node->op == OP_window && !dim_is(node_dim(node, ATTR_size), 1)) return true;
        if (!by_element && node->op != OP_concat && node->op != OP_pad) return false;
    }
    return false;
}

/* Do they change from one iteration of the innermost loop to the next? */
static bool changes(const Value *weights, const Block *loop) {
    while (weights->node && op_has(weights->node->op, TRAIT_VIEW)) weights = weights->node->operands[0];
    return loop && block_inside(weights->block, loop);
}

/* Have they their channels last? */
static bool are_panels(const Convolution *c) {
    return c->channels[0] && is_channel(c, c->channels[strlen(c->channels) - 1]);
}

/* Filters for some of the channels each want lanes along rows (contract_slide.c), and so do tiles whose
 * elements are products of their own. */
bool layout_wants_channels_last(const Block *block, const Block *loop) {
    bool found = false;
    for (const Node *node = block->first; node && loop; node = node->next) {
        Convolution c;
        bool convolution = read_convolution(node, &c);
        if (!c.picture || !reads_windows(c.picture)) continue;
        if (c.grouped) return false;
        found |= convolution && fills_lanes(&c);
    }
    return found;
}

bool layout_puts_channels_last(const Node *node) {
    Convolution c;
    return read_convolution(node, &c) && fills_lanes(&c);
}

/* --- their order */
/* The product with these axes of its result last, and all put back where they were. */
static Value *put_last(Builder *b, const Node *node, const ContractSpec *spec, const char *labels,
                       Arena *scratch) {
    char result[MAX_RANK + 1] = {0};
    int64_t perm[MAX_RANK];
    uint32_t count = 0;
    for (int last = 0; last < 2; last++) {
        for (uint32_t i = 0; spec->result[i]; i++) {
            if (labels_have(labels, spec->result[i]) != last) continue;
            perm[i] = count;
            result[count++] = spec->result[i];
        }
    }
    const char *text = arena_printf(scratch, "%s,%s->%s", spec->x, spec->y, result);
    Value *y = build_contract(b, node->operands[0], node->operands[1], text);
    return build_permute(b, y, perm);
}

static Value *channels_last(Builder *b, const Node *node, const Convolution *c, Arena *scratch) {
    char channels[MAX_RANK + 1] = {0};
    uint32_t count = 0;
    for (const char *label = c->spec.result; *label; label++)
        if (is_channel(c, *label)) channels[count++] = *label;
    return put_last(b, node, &c->spec, channels, scratch);
}

/* The label along which the factor's elements lie side by side. */
static char innermost(const Value *factor, const char *labels) {
    uint32_t rank = factor->type->rank;
    if (!layout_is_marked(factor)) return labels[rank - 1];
    const int64_t *perm = node_attr(factor->node, ATTR_perm)->ints;
    for (uint32_t i = 0; i < rank; i++)
        if (perm[i] == (int64_t)rank - 1) return labels[i];
    return 0;
}

/* The label of an axis of the result that should be last: lanes run along it, but others of the same factor
 * come after it. 0 where there is none. */
static char label_of_lanes(const Node *node, const ContractSpec *spec) {
    const Type *type = node->results[0]->type;
    uint32_t last = type->rank;
    while (last > 0 && dim_is(type->dims[last - 1], 1)) last--;
    for (int side = 0; last && side < 2; side++) {
        const char *labels = side ? spec->y : spec->x, *other = side ? spec->x : spec->y;
        if (!labels[0] || !labels_have(labels, spec->result[last - 1])) continue;
        char lanes = innermost(node->operands[side], labels);
        int64_t size;
        if (labels_have(other, spec->result[last - 1]) || labels_have(other, lanes)) continue;
        if (lanes == spec->result[last - 1] || !labels_have(spec->result, lanes)) continue;
        if (!dim_is_const(type->dims[labels_axis(spec->result, lanes)], &size)) continue;
        if (size >= CHANNELS && size % MULTIPLE == 0) return lanes;
    }
    return 0;
}

/* The product with that axis last; NULL where there is none. */
static Value *lanes_last(Builder *b, const Node *node, Arena *scratch) {
    ContractSpec spec;
    if (node->op != OP_contract || !contract_spec_parse(node_str(node, ATTR_spec), &spec)) return NULL;
    const char lanes[2] = {label_of_lanes(node, &spec)};
    return lanes[0] ? put_last(b, node, &spec, lanes, scratch) : NULL;
}

/* --- pictures whose channels come first where they enter */
/* The axis of a reshape's operand that its axis `axis` is; -1 where it does more than leave axes as they are.
 */
static int64_t axis_before(const Node *reshape, int64_t axis) {
    int64_t axes[MAX_RANK], rank = reshape->operands[0]->type->rank, place = 0;
    if (!shape_keeps_axes(reshape, axes)) return -1;
    while (place < rank && axes[place] != axis) place++;
    return place < rank ? place : -1;
}

/* What windows over a picture are made of, up to where it is something else, and where its axis `*axis` is
 * there: the last node of these, of whose operand *axis is. */
static Node *entrance(const Value *windows, uint32_t *axis) {
    Node *last = NULL;
    for (Node *node = windows->node; node; node = value_resolve(node->operands[0])->node) {
        int64_t place = *axis;
        if (node->op == OP_window)
            place = place == node_int(node, ATTR_axis) + 1 ? -1 : place - (place > node_int(node, ATTR_axis));
        else if (node->op == OP_permute)
            place = node_attr(node, ATTR_perm)->ints[*axis];
        else if (node->op == OP_reshape)
            place = axis_before(node, *axis);
        else if (node->op != OP_pad && node->op != OP_slice)
            break;
        if (place < 0) break;
        *axis = (uint32_t)place, last = node;
    }
    return last;
}

/* A picture of many channels that come first where it enters, as the program's input or the result of a
 * product does, is put in order there: the weights' gradient would be computed across it. */
static void put_picture_last(const Layout *l, const Convolution *c) {
    for (uint32_t i = 0; c->places[i]; i++) {
        int64_t size, perm[MAX_RANK], back[MAX_RANK];
        if (labels_have(c->spec.result, c->places[i]) || !labels_have(c->channels, c->places[i])) continue;
        if (!dim_is_const(c->picture->type->dims[i], &size) || size < CHANNELS || size % MULTIPLE) continue;
        uint32_t axis = i, count = 0;
        Node *node = entrance(c->picture, &axis);
        if (!node || layout_is_marked(value_resolve(node->operands[0]))) return;
        uint32_t rank = node->operands[0]->type->rank;
        for (uint32_t k = 0; k < rank; k++)
            if (k != axis) perm[count++] = k;
        perm[count] = axis;
        for (uint32_t k = 0; k < rank; k++) back[perm[k]] = k;
        Builder b = {.graph = l->graph, .block = node->block, .before = node, .loc = node->loc};
        Value *last = build_permute(&b, node->operands[0], perm);
        node->operands[0] = build_permute(&b, last, back);
        layout_mark(node->operands[0]);
        return;
    }
}

static void put_pictures_last(const Layout *l, Block *block, const Block *loop) {
    for (Node *node = block->first; node; node = node->next) {
        Convolution c;
        if (read_convolution(node, &c) && fills_lanes(&c) && changes(c.weights, loop) &&
            reads_windows(c.picture))
            put_picture_last(l, &c);
    }
}

/* --- rows whose elements lie apart */
/* The last axis of more than one element; -1 where there is none. */
static int64_t last_axis(const Type *type) {
    int64_t last = (int64_t)type->rank - 1;
    while (last >= 0 && dim_is(type->dims[last], 1)) last--;
    return last;
}

/* What is known of values in the walk from a permutation on. */
enum { OTHER, ALIKE, OWN };

typedef struct {
    const Attr *perm;
    Map *known;
} Columns;

/* OWN: computed, element by element, of what is permuted. ALIKE: not so, but of what is permuted alike, or
 * the same along axes: what is computed of both can be computed with the axes where they were. */
static int kind_of(const Columns *c, Value *operand) {
    const Value *x = value_resolve(operand);
    int known = (int)(uintptr_t)map_get(c->known, x);
    if (known || !x->node) return known;
    if (x->node->op != OP_permute)
        return x->node->op == OP_const || x->node->op == OP_broadcast ? ALIKE : OTHER;
    return attr_same(node_attr(x->node, ATTR_perm), c->perm) ? ALIKE : OTHER;
}

/* Of the operands: whether one is OWN, and whether one is OTHER. */
static void look_at_operands(const Columns *c, const Node *node, bool *own, bool *other) {
    *own = *other = false;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        int kind = kind_of(c, node->operands[i]);
        *own |= kind == OWN;
        *other |= kind == OTHER;
    }
}

/* Is what the permutation gives, or what is computed of it element by element, reduced along its last axis,
 * in which elements lie apart, but not along that in which they lie side by side? With the axes as they were,
 * rows are columns: lanes are rows side by side. Not for products in this block: they would read their factor
 * across. */
static bool makes_columns(const Node *permute, Arena *scratch) {
    const Type *source = permute->operands[0]->type, *type = permute->results[0]->type;
    Columns c = {node_attr(permute, ATTR_perm), map_new(scratch)};
    int64_t last = last_axis(type), beside = last_axis(source), place = 0, size;
    if (last < 0 || c.perm->ints[last] == beside) return false;
    if (dim_is_const(source->dims[beside], &size) && size < CHANNELS) return false;
    while (c.perm->ints[place] != beside) place++;
    bool columns = false, own, other;
    map_put(c.known, permute->results[0], (void *)(uintptr_t)OWN);
    for (Node *node = permute->next; node; node = node->next) {
        bool elementwise = op_has(node->op, TRAIT_ELEMENTWISE);
        look_at_operands(&c, node, &own, &other);
        if (own && (node->op == OP_contract || (elementwise && other))) return false;
        if (elementwise && !other) map_put(c.known, node->results[0], (void *)(uintptr_t)(own ? OWN : ALIKE));
        if (own && node->op == OP_reshape) map_put(c.known, node->results[0], (void *)(uintptr_t)OWN);
        if (!own || !op_has(node->op, TRAIT_REDUCES) || node->operands[0]->type->rank != type->rank) continue;
        const Attr *axes = node_attr(node, ATTR_axes);
        columns |= attr_has(axes, last) && !attr_has(axes, place);
    }
    return columns;
}

/* --- the pass */
static bool is_loop(const Node *node) { return node->op == OP_for || node->op == OP_while; }

static void order_node(const Layout *l, Node *node, const Block *loop, bool wanted) {
    Convolution c;
    Builder b = {.graph = l->graph, .block = node->block, .before = node, .loc = node->loc};
    for (uint32_t i = 0; i < node->operand_count; i++) node->operands[i] = value_resolve(node->operands[i]);
    Value *by = NULL;
    bool convolution = wanted && read_convolution(node, &c) && fills_lanes(&c);
    if (convolution && (changes(c.weights, loop) || are_panels(&c))) {
        by = channels_last(&b, node, &c, l->context->scratch);
        layout_mark(by);
    } else if (!(by = layout_move(&b, node)) && wanted) {
        by = lanes_last(&b, node, l->context->scratch);
    }
    if (!by && !l->again && node->op == OP_permute && makes_columns(node, l->context->scratch))
        layout_mark(node->results[0]);
    if (by) value_replace(node->results[0], by);
}

/* What is computed only to say what went wrong stays as it is: it runs once. */
static void order_block(const Layout *l, Block *block, const Block *loop) {
    bool wanted = layout_wants_channels_last(block, loop);
    if (wanted && !l->again) put_pictures_last(l, block, loop);
    for (Node *node = block->first; node; node = node->next) {
        order_node(l, node, loop, wanted);
        for (uint32_t i = 0; i < node->block_count; i++) {
            if (i == 1 && node_attr(node, ATTR_cold)) continue;
            order_block(l, node->blocks[i], is_loop(node) ? node->blocks[i] : loop);
        }
    }
}

static void unmark(void *user, Node *node) {
    (void)user;
    for (uint32_t i = 0; i < node->result_count; i++) node->results[i]->scratch = NULL;
}

static void order_graph(const Layout *l) {
    Graph *graph = l->graph;
    for (uint32_t i = 0; i < graph->functions.count; i++) order_block(l, graph->functions.at[i]->body, NULL);
    graph_resolve(graph);
}

void pass_layout(PassContext *context, Graph *graph) {
    Layout l = {.context = context, .graph = graph};
    graph_walk(graph, unmark, NULL);
    order_graph(&l);
    if (!layout_carry(graph, context->scratch)) return;
    l.again = true;
    order_graph(&l);
    /* A branch puts axes back by itself. */
    Hoist h = {.graph = graph, .scratch = context->scratch};
    for (uint32_t i = 0; i < graph->functions.count; i++) hoist_sink(&h, graph->functions.at[i]->body);
}
