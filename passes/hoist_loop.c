/* Loop-invariant code. A node is invariant when it is pure and what it reads is outside the loop or
 * invariant. Not every invariant node is worth moving: what is cheap is done again inside a kernel of the
 * loop at no cost, and outside it would be a tensor to write and read. So the expensive ones move, and what
 * they need with them. */
#include "passes/cost.h"
#include "passes/hoist.h"

typedef struct {
    Hoist *hoist;
    Node *loop;
    Map *symbols;   /* defined inside the loop */
    Map *invariant; /* Node → non-NULL */
    Map *needed;    /* Node → non-NULL: moves, or is copied */
    Map *copies;    /* Value → Value: of weightless nodes, for what moved */
} LoopHoist;

/* --- what a node reads, its blocks included */
typedef struct {
    LoopHoist *l;
    bool (*test)(LoopHoist *l, Value *value);
    bool ok;
} Reads;

static void visit_reads(void *user, Node *node) {
    Reads *reads = user;
    for (uint32_t i = 0; i < node->operand_count; i++) reads->ok &= reads->test(reads->l, node->operands[i]);
}

/* Does `test` hold for all values that the node reads? */
static bool all_reads(LoopHoist *l, Node *node, bool (*test)(LoopHoist *l, Value *value)) {
    Reads reads = {l, test, true};
    visit_reads(&reads, node);
    for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], visit_reads, &reads);
    return reads.ok;
}

/* The node directly in the loop that `node` is, or is in; NULL where it is outside. */
static Node *top_of(const LoopHoist *l, Node *node) {
    while (node && node->block->owner != l->loop) node = node->block->owner;
    return node;
}

static bool is_inside(const LoopHoist *l, const Value *value) {
    for (const Block *block = value->block; block; block = block->owner ? block->owner->block : NULL)
        if (block->owner == l->loop) return true;
    return false;
}

/* --- invariance */
typedef struct {
    const Map *symbols; /* NULL: any */
    bool found;
} SymbolSearch;

static void see_symbol(void *user, const Dim *symbol) {
    SymbolSearch *search = user;
    search->found |= !search->symbols || map_get(search->symbols, symbol);
}

static void search_node(void *user, Node *node) { node_symbols(node, see_symbol, user); }

static bool mentions_inner_symbols(const LoopHoist *l, Node *node) {
    SymbolSearch search = {l->symbols, false};
    search_node(&search, node);
    for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], search_node, &search);
    return search.found;
}

static void see_effect(void *user, Node *node) {
    bool *pure = user;
    *pure &= !op_has(node->op, TRAIT_EFFECT);
}

/* Done only where the program does it. */
static void see_hazard(void *user, Node *node) {
    bool *safe = user;
    *safe &= !op_has(node->op, TRAIT_PARTIAL) && node->op != OP_while; /* which might not end */
}

static bool is_pure(Node *node) {
    bool pure = node->op != OP_yield;
    see_effect(&pure, node);
    see_hazard(&pure, node);
    for (uint32_t i = 0; i < node->block_count; i++) {
        block_walk(node->blocks[i], see_effect, &pure);
        block_walk(node->blocks[i], see_hazard, &pure);
    }
    return pure;
}

/* Blocks' parameters are as invariant as the node that the block belongs to; the loop's own are not. */
static bool reads_invariant(LoopHoist *l, Value *value) {
    if (!is_inside(l, value)) return true;
    Node *definition = value->node ? value->node : value->block->owner;
    return definition != l->loop && map_get(l->invariant, top_of(l, definition));
}

/* Values of the node's own blocks are neither outside the loop nor invariant by themselves: the node must
 * count as invariant while its blocks are looked at. */
static bool is_invariant(LoopHoist *l, Node *node) {
    if (!is_pure(node) || mentions_inner_symbols(l, node)) return false;
    map_put(l->invariant, node, node);
    bool invariant = all_reads(l, node, reads_invariant);
    if (!invariant) map_put(l->invariant, node, NULL);
    return invariant;
}

/* --- what is worth it */
static bool is_expensive(const Node *node) {
    if (hoist_is_weightless(node)) return false;
    bool tensor = false;
    for (uint32_t i = 0; i < node->result_count; i++) tensor |= node->results[i]->type->rank > 0;
    return !tensor || !op_has(node->op, TRAIT_ELEMENTWISE) || cost_of_op(node->op) >= COST_SERIES;
}

/* The operand of a contraction is a tensor of its own anyway: where views of something computed. */
static void need_factors(LoopHoist *l, const Node *contract) {
    for (uint32_t i = 0; i < contract->operand_count; i++) {
        Node *node = contract->operands[i]->node;
        while (node && hoist_is_weightless(node) && node->operand_count) node = node->operands[0]->node;
        if (node && map_get(l->invariant, node) && !hoist_is_weightless(node)) map_put(l->needed, node, node);
    }
}

static bool need(LoopHoist *l, Value *value) {
    Node *node = value->node ? top_of(l, value->node) : NULL;
    if (node) map_put(l->needed, node, node);
    return true;
}

/* Backwards, so that whoever needs a node has been asked before. */
static void choose(LoopHoist *l, Block *block) {
    for (Node *node = block->last; node; node = node->prev) {
        if (!map_get(l->invariant, node)) {
            if (node->op == OP_contract) need_factors(l, node);
        } else if (is_expensive(node) || map_get(l->needed, node)) {
            map_put(l->needed, node, node);
            all_reads(l, node, need);
        }
    }
}

/* --- moving */
static void read_copies(void *user, Node *node) {
    LoopHoist *l = user;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Value *copy = map_get(l->copies, node->operands[i]);
        if (copy) node->operands[i] = copy;
    }
}

static void copy_out(LoopHoist *l, Node *node) {
    node_insert_before(l->loop, node_clone(l->hoist->graph, node, l->copies));
}

static void move_out(LoopHoist *l, Node *node) {
    node_remove(node);
    node_insert_before(l->loop, node);
    read_copies(l, node);
    for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], read_copies, l);
}

static void move_chosen(LoopHoist *l, Block *block) {
    Node *next;
    for (Node *node = block->first; node; node = next) {
        next = node->next;
        if (!map_get(l->needed, node)) continue;
        if (hoist_is_weightless(node))
            copy_out(l, node);
        else
            move_out(l, node);
    }
}

static void note_symbol(void *user, Node *node) {
    LoopHoist *l = user;
    if (node->op == OP_symbol) map_put(l->symbols, node_dim(node, ATTR_dim), l);
}

void hoist_loop(Hoist *h, Node *loop) {
    LoopHoist l = {.hoist = h, .loop = loop};
    l.symbols = map_new(h->scratch);
    l.invariant = map_new(h->scratch);
    l.needed = map_new(h->scratch);
    l.copies = map_new(h->scratch);
    for (uint32_t i = 0; i < loop->block_count; i++) {
        Block *block = loop->blocks[i];
        block_walk(block, note_symbol, &l);
        for (Node *node = block->first; node; node = node->next) is_invariant(&l, node);
        choose(&l, block);
        move_chosen(&l, block);
    }
}

static bool is_loop(const Node *node) { return node->op == OP_for || node->op == OP_while; }

/* Neither its sizes nor where a slice starts depend on symbols, which may be the loop's. */
static bool has_known_dims(Node *node) {
    SymbolSearch search = {NULL, false};
    search_node(&search, node);
    return !search.found;
}

/* What a value is a view of, through views that can be made anywhere. */
static Value *viewed(Value *value) {
    while (value->node && value->node->operand_count == 1 && hoist_is_weightless(value->node) &&
           has_known_dims(value->node))
        value = value->node->operands[0];
    return value;
}

Node *hoist_loop_without(const Node *node, Value *value) {
    Node *loop = NULL;
    const Block *home = viewed(value)->block;
    for (Block *block = node->block; block && block != home;
         block = block->owner ? block->owner->block : NULL)
        if (block->owner && is_loop(block->owner)) loop = block->owner;
    return loop;
}

Value *hoist_view_before(Hoist *h, Node *loop, Value *value) {
    Value *source = viewed(value);
    if (value == source) return value;
    Map *copies = map_new(h->scratch);
    Value *operand = value->node->operands[0];
    map_put(copies, operand, hoist_view_before(h, loop, operand));
    Node *copy = node_clone(h->graph, value->node, copies);
    node_insert_before(loop, copy);
    return copy->results[0];
}
