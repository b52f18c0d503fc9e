/* Weightless nodes at their uses. A kernel holds nodes of its own block only; a constant, an index or a view
 * made in an outer block would have to be stored as a tensor first. */
#include "passes/hoist.h"

typedef struct {
    Hoist *hoist;
    Block *block;
    Map *copies; /* Value → its copy in this block */
} Sink;

static bool is_foreign(const Sink *s, const Value *value) {
    return value->node && value->block != s->block && hoist_is_weightless(value->node);
}

/* The copy stands right before its first user in the block. */
static void copy_before(Sink *s, Node *user, Value *value) {
    Node *copy = node_clone(s->hoist->graph, value->node, map_new(s->hoist->scratch));
    node_insert_before(user, copy);
    map_put(s->copies, value, copy->results[0]);
}

/* True where a copy was put before the node. The walk goes on with the copy, so that what it reads is there
 * before any later copy could read it too. */
static bool sink_operand(Sink *s, Node *node) {
    if (node->op == OP_yield) return false; /* a yielded tensor is stored wherever it is made */
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Value *value = node->operands[i];
        if (!is_foreign(s, value)) continue;
        bool copied = map_get(s->copies, value) != NULL;
        if (!copied) copy_before(s, node, value);
        node->operands[i] = map_get(s->copies, value);
        if (!copied) return true;
    }
    return false;
}

void hoist_sink(Hoist *h, Block *block) {
    Sink s = {h, block, map_new(h->scratch)};
    Node *node = block->first;
    while (node) {
        Node *before = node->prev;
        if (sink_operand(&s, node)) {
            node = before ? before->next : block->first;
            continue;
        }
        for (uint32_t i = 0; i < node->block_count; i++) hoist_sink(h, node->blocks[i]);
        node = node->next;
    }
}
