/* Updates after the last reader of what they overwrite: a kernel that writes a slice into a tensor, or adds
 * to some of its rows, needs a copy of the tensor if that is read again afterwards. Where the program's order
 * leaves the choice, it comes later. */
#include "passes/plan.h"
#include <string.h>

/* The tensor that the kernel's result is a changed version of; NULL for kernels of other kinds. */
static const Value *updated(const Node *kernel) {
    if (kernel->op != OP_kernel || strcmp(node_str(kernel, ATTR_kind), "scatter") != 0) return NULL;
    const Node *node = kernel->blocks[0]->first;
    while (node && !op_has(node->op, TRAIT_UPDATES)) node = node->next;
    const Value *base = node ? node->operands[0] : NULL;
    return base && base->block != kernel->blocks[0] ? base : NULL;
}

typedef struct {
    const Value *base;
    const Node *update;
    bool reads_base, reads_result;
} Reading;

static void see(void *user, Node *node) {
    Reading *r = user;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        r->reads_base |= node->operands[i] == r->base;
        r->reads_result |= node->operands[i]->node == r->update;
    }
}

static Reading reading_of(Node *node, const Value *base, const Node *update) {
    Reading r = {.base = base, .update = update};
    see(&r, node);
    for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], see, &r);
    return r;
}

/* The last node that reads the base before any reads the result; NULL where there is none. Other updates of
 * the same base don't count: all but one of them copy it, and each would wait for the others for ever. */
static Node *last_reader(const Node *update, const Value *base) {
    Node *last = NULL;
    for (Node *node = update->next; node && node->op != OP_yield; node = node->next) {
        Reading r = reading_of(node, base, update);
        if (r.reads_result) return last;
        if (r.reads_base && updated(node) != base) last = node;
    }
    return last;
}

/* Each update moves once: those that read each other's bases would go round for ever. */
void plan_order(Arena *arena, Block *block) {
    VEC(Node *) updates = {0};
    for (Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; node->op != OP_kernel && i < node->block_count; i++)
            plan_order(arena, node->blocks[i]);
        if (updated(node)) vec_push(arena, &updates, node);
    }
    for (uint32_t i = 0; i < updates.count; i++) {
        Node *node = updates.at[i], *reader = last_reader(node, updated(node));
        if (!reader) continue;
        node_remove(node);
        node_insert_before(reader->next, node);
    }
}
