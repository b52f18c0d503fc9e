/* Computing again instead of keeping. What is in a `remat` is computed twice: where it stands, and where the
 * sweep comes past it, from copies of what it reads. The copies keep the two apart: no pass merges a copy
 * with what it is of, nor looks through it; plan gives both one place. */
#include "passes/autodiff.h"

/* --- what a block reads from outside */
typedef struct {
    Autodiff *ad;
    const Block *block;
    Map *map; /* outer value → its copy */
    VEC(Value *) outer;
} Reads;

static bool is_made_anew(const Value *value) {
    return value->node && value->node->operand_count == 0 && value->node->block_count == 0 &&
           !op_has(value->node->op, TRAIT_EFFECT);
}

static void find_reads(void *user, Node *node) {
    Reads *r = user;
    for (uint32_t k = 0; k < node->operand_count; k++) {
        Value *value = node->operands[k];
        if (block_inside(value->block, r->block) || map_get(r->map, value)) continue;
        /* Constants and handles have nothing to keep apart. */
        if (is_made_anew(value) || dtype_class(value->type->dtype) == CLASS_OPAQUE) continue;
        map_put(r->map, value, value);
        vec_push(r->ad->scratch, &r->outer, value);
    }
}

static void copy_reads(Reads *r, Builder *b) {
    for (uint32_t k = 0; k < r->outer.count; k++) {
        Value *value = r->outer.at[k], *copy = build_unary(b, OP_copy, value);
        copy->name = value->name;
        map_put(r->map, value, copy);
        if (is_active(r->ad, value)) set_active(r->ad, copy);
    }
}

/* --- the reverse */
static Node *last_at(const Builder *b) { return b->before ? b->before->prev : b->block->last; }

void reverse_remat(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints) {
    const Block *block = node->blocks[0];
    Reads reads = {.ad = ad, .block = block, .map = map_new(ad->scratch)};
    block_walk((Block *)block, find_reads, &reads);
    copy_reads(&reads, b);
    const Node *stop = last_at(b);
    clone_forward(ad, block, b, reads.map);
    Node *last = last_at(b);
    for (uint32_t k = 0; k < node->result_count; k++) {
        Value *adjoint = adjoint_get(adjoints, node->results[k]);
        Value *yielded = value_mapped(reads.map, block_yield(block)->operands[k]);
        if (adjoint && is_active(ad, yielded)) adjoint_add(ad, adjoints, b, yielded, adjoint);
    }
    sweep(ad, b, last, stop, adjoints);
    for (uint32_t k = 0; k < reads.outer.count; k++) {
        Value *value = reads.outer.at[k], *adjoint = adjoint_get(adjoints, map_get(reads.map, value));
        if (adjoint) adjoint_add(ad, adjoints, b, value, adjoint);
    }
}

/* --- when all gradients have been taken */
static void open_block(Block *block);

/* Returns what comes first in its place. */
static Node *open_remat(Node *node) {
    Block *inside = node->blocks[0];
    Node *yield = block_yield(inside), *first = inside->first == yield ? node->next : inside->first;
    for (uint32_t k = 0; k < node->result_count; k++) {
        if (yield->operands[k]->node && !yield->operands[k]->name)
            yield->operands[k]->name = node->results[k]->name;
        value_replace(node->results[k], yield->operands[k]);
    }
    while (inside->first != yield) {
        Node *moved = inside->first;
        node_remove(moved);
        node_insert_before(node, moved);
    }
    node_remove(node);
    return first;
}

static void open_block(Block *block) {
    for (Node *node = block->first; node;) {
        if (node->op == OP_remat) {
            node = open_remat(node);
            continue;
        }
        for (uint32_t k = 0; k < node->block_count; k++) open_block(node->blocks[k]);
        node = node->next;
    }
}

void open_remats(Graph *graph) {
    for (uint32_t k = 0; k < graph->functions.count; k++) open_block(graph->functions.at[k]->body);
    graph_resolve(graph);
}
