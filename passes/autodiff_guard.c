/* Where a loss that is trained on is not finite, the program says which line of its source made it so, and
 * stops. What the loss is computed from is computed again, line by line and each line checked, in the second
 * block of an `if` on its being finite: as long as all is well a guard costs one comparison. */
#include "passes/autodiff.h"
#include <math.h>
#include <string.h>

typedef struct {
    Graph *graph;
    Arena *arena;
    Node *guard;
    Map *slice;         /* Node → itself: computed again */
    Map *inputs;        /* Value → itself: read by the slice from outside */
    Map *leaving;       /* Node → itself: another line reads its results */
    Map *infinite;      /* Value → itself: may hold infinities that are meant */
    Map *befores;       /* Value → what written_over says, or itself for nothing */
    VEC(Value *) order; /* the inputs */
    Builder b;          /* in the block that looks for the reason */
    const char *loss;   /* for messages */
} Guard;

/* --- lines */
static bool same_line(Loc a, Loc b) { return a.line == b.line && a.file == b.file; }

/* Notes whose results the node reads from another line: only what a line leaves is checked. */
static void note_reads(void *user, Node *node) {
    Guard *g = user;
    for (uint32_t k = 0; k < node->operand_count; k++) {
        Node *maker = node->operands[k]->node;
        if (maker && (node->op == OP_yield || node->op == OP_guard || !same_line(node->loc, maker->loc)))
            map_put(g->leaving, maker, maker);
    }
}

/* --- what the loss is computed from */
static void see_lasting(void *user, Node *node) {
    /* Checks and output are left out of what is computed again; what reads files is not read again. */
    if (node->op == OP_load || node->op == OP_data_open) *(bool *)user = true;
}

static bool is_repeatable(Node *node) {
    bool lasting = op_has(node->op, TRAIT_EFFECT);
    for (uint32_t k = 0; k < node->block_count; k++) block_walk(node->blocks[k], see_lasting, &lasting);
    return !lasting;
}

static Value *written_over(Guard *g, Value *value);

static uint32_t place_of(const Value *value) {
    uint32_t place = 0;
    while (value->node->results[place] != value) place++;
    return place;
}

static Value *written_over_by(Guard *g, const Node *node, uint32_t place) {
    if (op_has(node->op, TRAIT_UPDATES)) return node->operands[0];
    if (node->op == OP_if) {
        Value *inside = written_over(g, block_yield(node->blocks[0])->operands[place]);
        return inside ? inside : written_over(g, block_yield(node->blocks[1])->operands[place]);
    }
    if (node->op != OP_for && node->op != OP_while) return NULL;
    uint32_t skipped = node->op == OP_for; /* the index */
    const Block *body = node->blocks[!skipped];
    Value *inside = written_over(g, block_yield(body)->operands[place]);
    return inside == body->params.at[skipped + place] ? node->operands[2 * skipped + place] : NULL;
}

/* What `value` is with parts written over, once or several times; NULL where it isn't. */
static Value *written_over(Guard *g, Value *value) {
    Value *known = map_get(g->befores, value);
    if (known || !value->node) return known == value ? NULL : known;
    Value *before = written_over_by(g, value->node, place_of(value));
    Value *first = before ? written_over(g, before) : NULL;
    if (first) before = first;
    map_put(g->befores, value, before ? before : value);
    return before;
}

/* The line that did it last. */
static Loc last_write(Guard *g, const Value *value) {
    const Node *node = value->node;
    if (op_has(node->op, TRAIT_UPDATES)) return node->loc;
    uint32_t place = place_of(value);
    Value *inside = block_yield(node->blocks[node->op == OP_while])->operands[place];
    if (!written_over(g, inside)) inside = block_yield(node->blocks[1])->operands[place]; /* of an `if` */
    return last_write(g, inside);
}

/* Does the node write over parts of what was there before the block, such as a buffer that a loop carries? To
 * compute it again would take the buffer as it was, and each step would copy it. */
static bool writes_over_given(Guard *g, const Node *node) {
    for (uint32_t k = 0; k < node->result_count; k++) {
        const Value *before = written_over(g, node->results[k]);
        if (before && !(before->node && block_inside(before->block, g->guard->block))) return true;
    }
    return false;
}

static void see_read(Guard *g, Value *value, const Block *inside) {
    if (inside && block_inside(value->block, inside)) return;
    Node *node = value->node;
    if (node && node->block == g->guard->block && is_repeatable(node) && !writes_over_given(g, node)) {
        map_put(g->slice, node, node);
    } else if (!map_get(g->inputs, value)) {
        map_put(g->inputs, value, value);
        vec_push(g->arena, &g->order, value);
    }
}

typedef struct {
    Guard *g;
    const Block *inside;
} Reads;

static void see_operands(void *user, Node *node) {
    const Reads *r = user;
    for (uint32_t k = 0; k < node->operand_count; k++) see_read(r->g, node->operands[k], r->inside);
}

/* Backwards, so that whoever reads a node has been seen before. */
static void find_slice(Guard *g) {
    see_read(g, g->guard->operands[0], NULL);
    note_reads(g, g->guard);
    for (Node *node = g->guard->prev; node; node = node->prev) {
        if (!map_get(g->slice, node)) continue;
        see_operands(&(Reads){g, NULL}, node);
        note_reads(g, node);
        for (uint32_t k = 0; k < node->block_count; k++) {
            block_walk(node->blocks[k], see_operands, &(Reads){g, node->blocks[k]});
            block_walk(node->blocks[k], note_reads, g);
        }
    }
}

/* --- checks */
/* Braces in a template are doubled. */
static const char *plain(Guard *g, const char *text) {
    char *out = ARENA_ARRAY(g->arena, char, 2 * strlen(text) + 1), *at = out;
    for (; *text; *at++ = *text++)
        if (*text == '{' || *text == '}') *at++ = *text;
    *at = '\0';
    return out;
}

static const char *called(Guard *g, const Value *value) {
    return value->name ? arena_printf(g->arena, "`%s`", plain(g, value->name)) : NULL;
}

/* `name` is what the text's `{}` stands for; NULL where it has none. */
static void add_check(Guard *g, Builder *b, Value *ok, Loc loc, const char *text, const char *name) {
    b->loc = loc;
    Attr attr = attr_str(ATTR_text, intern(ir_strings(g->graph->ir), text));
    Value *operands[2] = {ok, name ? build_text(b, name) : NULL};
    build_node(b, OP_check, name ? 2 : 1, operands, 1, &attr);
}

/* Are all elements finite, or, where infinities are meant, numbers? */
static Value *all_finite(Builder *b, Value *x, bool infinities) {
    int64_t axes[MAX_RANK];
    for (uint32_t k = 0; k < x->type->rank; k++) axes[k] = k;
    Value *ok = infinities ? build_binary(b, OP_eq, x, x) : build_unary(b, OP_is_finite, x);
    return build_reduce(b, OP_reduce_all, ok, x->type->rank, axes);
}

static void check_input(Guard *g, Value *value) {
    const Value *given = written_over(g, value);
    const char *input = value->name || !given ? value->name : given->name;
    if (!input || !dtype_is_float(value->type->dtype)) return;
    Loc loc = given ? last_write(g, value) : g->guard->loc;
    const char *why =
        given ? "this line writes into it. Keep what is written in bounds, lower the learning rate or "
                "clip the gradient"
        : strchr(input, '.') ? "the steps before have led there: lower the learning rate or clip the gradient"
                             : "look at where it comes from";
    g->b.loc = loc;
    add_check(g, &g->b, all_finite(&g->b, value, map_get(g->infinite, value) != NULL), loc,
              arena_printf(g->arena, "%s is not finite because `{}` is not: %s", g->loss, why), input);
}

static void check_result(Guard *g, Builder *b, Value *value, Loc loc, bool infinities) {
    const char *name = called(g, value);
    b->loc = loc;
    add_check(g, b, all_finite(b, value, infinities), loc,
              arena_printf(g->arena,
                           "%s is not finite: the first result that isn't is %s. Keep what it is computed "
                           "from in bounds, lower the learning rate or clip the gradient",
                           g->loss, name ? name : "that of this line"),
              NULL);
}

/* --- infinities that are meant: constants, and what passes them on */
static bool passes_on(const Node *node) {
    switch ((int)node->op) {
    case OP_exp:
    case OP_tanh:
    case OP_sigmoid:
    case OP_erf:
    case OP_reduce_sum:
    case OP_reduce_prod:
    case OP_contract: return false;
    default: return true;
    }
}

static bool has_infinity(const Node *node) {
    const Attr *value = node->op == OP_const ? node_attr(node, ATTR_value) : NULL;
    return value && !isfinite(value->number);
}

static bool may_be_infinite(Guard *g, const Node *node) {
    bool may = has_infinity(node);
    for (uint32_t k = 0; k < node->operand_count && passes_on(node); k++)
        may = may || map_get(g->infinite, node->operands[k]);
    for (uint32_t k = 0; may && k < node->result_count; k++)
        map_put(g->infinite, node->results[k], node->results[k]);
    return may;
}

/* --- one line after the other */
static bool computes(const Node *node) {
    return node->operand_count + node->block_count > 0 && !op_has(node->op, TRAIT_VIEW) &&
           node->op != OP_stop_gradient && node->op != OP_copy;
}

static void check_block(Guard *g, Block *block);

/* `copy` stands for `node`, whose readers are known. */
static void check_node(Guard *g, const Node *node, Node *copy) {
    for (uint32_t k = 0; k < copy->block_count; k++) check_block(g, copy->blocks[k]);
    bool infinities = may_be_infinite(g, copy);
    if (!computes(node) || !map_get(g->leaving, node)) return;
    Builder b = {.graph = g->graph, .block = copy->block, .before = copy->next, .loc = copy->loc};
    for (uint32_t k = 0; k < copy->result_count; k++)
        if (dtype_is_float(copy->results[k]->type->dtype))
            check_result(g, &b, copy->results[k], copy->loc, infinities);
}

static void check_block(Guard *g, Block *block) {
    for (Node *node = block->first, *next; node; node = next) {
        next = node->next;
        bool effect = op_has(node->op, TRAIT_EFFECT) && node->op != OP_symbol && node->op != OP_data_read;
        if (effect || node_attr(node, ATTR_cold))
            node_remove(node);
        else if (node->op != OP_yield)
            check_node(g, node, node);
    }
}

static void look_for_reason(Guard *g) {
    Map *map = map_new(g->arena);
    for (uint32_t k = 0; k < g->order.count; k++) check_input(g, g->order.at[k]);
    for (Node *node = g->guard->block->first; node != g->guard; node = node->next) {
        if (!map_get(g->slice, node)) continue;
        Node *copy = node_clone(g->graph, node, map);
        node_append(g->b.block, copy);
        for (uint32_t k = 0; k < copy->block_count; k++) block_walk(copy->blocks[k], note_reads, g);
        check_node(g, node, copy);
    }
    g->b.loc = g->guard->loc;
    Value *never = build_const(&g->b, type_scalar(g->graph->ir, DTYPE_bool), 0);
    add_check(
        g, &g->b, never, g->guard->loc,
        arena_printf(g->arena, "%s is not finite: lower the learning rate or clip the gradient", g->loss),
        NULL);
    build_yield(&g->b, 0, NULL);
}

/* --- the pass's part */
static void expand(Graph *graph, Arena *arena, Node *guard) {
    Value *y = guard->operands[0];
    Guard g = {.graph = graph, .arena = arena, .guard = guard};
    g.slice = map_new(arena);
    g.inputs = map_new(arena);
    g.leaving = map_new(arena);
    g.infinite = map_new(arena);
    g.befores = map_new(arena);
    const char *name = called(&g, y);
    g.loss = name ? name : "the loss";
    find_slice(&g);
    Builder b = {.graph = graph, .block = guard->block, .before = guard, .loc = guard->loc};
    Node *node = build_if(&b, build_unary(&b, OP_is_finite, y), 0, NULL);
    node_set_attr(node, attr_int(ATTR_cold, 1));
    Builder fine = build_inside(&b, node->blocks[0]);
    build_yield(&fine, 0, NULL);
    g.b = build_inside(&b, node->blocks[1]);
    look_for_reason(&g);
    node_remove(guard);
}

void expand_guards(Graph *graph, Arena *arena) {
    Nodes guards = graph_nodes(graph, OP_guard, arena);
    for (uint32_t k = 0; k < guards.count; k++) expand(graph, arena, guards.at[k]);
}
