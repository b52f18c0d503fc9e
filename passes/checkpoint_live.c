/* What lives on behind a checkpoint: every value that was defined before it and that something reached
 * afterwards reads: the rest of its block, then of the blocks around that. Of a loop around it, which goes
 * round again, that is what its blocks read from outside, and what it goes round by. */
#include "passes/checkpoint.h"
#include "support/map.h"

typedef struct {
    Arena *arena;
    Map *known; /* Value * that are defined before the checkpoint → itself; NULL once they are in `living` */
    Living *living;
} Survey;

/* --- what is known at the checkpoint */
static void know(Survey *s, Value *value) { map_put(s->known, value, value); }

static void know_node(Survey *s, const Node *node) {
    if (node->op == OP_symbol) vec_push(s->arena, &s->living->symbols, node_dim(node, ATTR_dim));
    for (uint32_t i = 0; !op_has(node->op, TRAIT_GIVEN) && i < node->result_count; i++)
        know(s, node->results[i]);
}

/* The nodes of a block before `end`, from `from` on. */
static void know_block(Survey *s, const Node *from, const Node *end) {
    if (from->block->owner)
        for (uint32_t i = 0; i < from->block->params.count; i++) know(s, from->block->params.at[i]);
    for (const Node *node = from; node != end; node = node->next) know_node(s, node);
}

static void know_all(Survey *s, const Node *checkpoint, const Node *resume) {
    for (const Node *at = checkpoint;; at = at->block->owner) {
        bool outermost = !at->block->owner;
        know_block(s, outermost ? resume->next : at->block->first, at);
        if (outermost) return;
    }
}

/* --- what is read */
static void read_value(Survey *s, Value *value) {
    if (!map_get(s->known, value)) return;
    map_put(s->known, value, NULL);
    vec_push(s->arena, &s->living->values, value);
}

/* What the node and those in its blocks read, from outside `loop` unless that is NULL. */
static void read_node(Survey *s, const Node *node, const Node *loop);

static void read_block(Survey *s, const Block *block, const Node *loop) {
    for (const Node *node = block->first; node; node = node->next) read_node(s, node, loop);
}

static bool inside_node(const Block *block, const Node *node) {
    for (uint32_t i = 0; node && i < node->block_count; i++)
        if (block_inside(block, node->blocks[i])) return true;
    return false;
}

static void read_node(Survey *s, const Node *node, const Node *loop) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!inside_node(node->operands[i]->block, loop)) read_value(s, node->operands[i]);
    for (uint32_t i = 0; i < node->block_count; i++) read_block(s, node->blocks[i], loop);
}

/* What goes round in the loop besides what its blocks read: the index and its end; and the values that a
 * while tests and then hands on. */
static void read_loop(Survey *s, const Node *loop, const Block *from) {
    for (uint32_t i = 0; i < loop->block_count; i++) read_block(s, loop->blocks[i], loop);
    if (loop->op == OP_for) {
        read_value(s, loop->operands[1]);
        read_value(s, from->params.at[0]);
    }
    if (loop->op == OP_while && from == loop->blocks[0])
        for (uint32_t i = 0; i < from->params.count; i++) read_value(s, from->params.at[i]);
}

void checkpoint_living(const Node *checkpoint, const Node *resume, Arena *arena, Living *living) {
    Survey s = {arena, map_new(arena), living};
    know_all(&s, checkpoint, resume);
    for (const Node *at = checkpoint;;) {
        const Block *block = at->block;
        for (const Node *node = at->next; node; node = node->next) read_node(&s, node, NULL);
        if (!block->owner) return;
        at = block->owner;
        if (at->op == OP_for || at->op == OP_while) read_loop(&s, at, block);
    }
}
