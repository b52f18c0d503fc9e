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

/* True where something was put before the node, which may itself read what is weightless. */
static bool sink_operands(Sink *s, Node *node) {
    bool grew = false;
    if (node->op == OP_yield) return false; /* a yielded tensor is stored wherever it is made */
    for (uint32_t i = 0; i < node->operand_count; i++) {
        if (!is_foreign(s, node->operands[i])) continue;
        if (!map_get(s->copies, node->operands[i])) {
            copy_before(s, node, node->operands[i]);
            grew = true;
        }
        node->operands[i] = map_get(s->copies, node->operands[i]);
    }
    return grew;
}

void hoist_sink(Hoist *h, Block *block) {
    Sink s = {h, block, map_new(h->scratch)};
    Node *node = block->first;
    while (node) {
        Node *before = node->prev;
        if (sink_operands(&s, node)) {
            node = before ? before->next : block->first;
            continue;
        }
        for (uint32_t i = 0; i < node->block_count; i++) hoist_sink(h, node->blocks[i]);
        node = node->next;
    }
}
