/* Removes what no effect and no function's result needs. What is needed is found from the effects backwards,
 * by single results: a carried value that only feeds itself, and a branch's result that nobody reads, go too.
 */
#include "passes/simplify.h"
#include <string.h>

typedef struct {
    Simplify *s;
    bool *live; /* by value id */
    VEC(Value *) work;
    VEC(Node *) rows; /* kernels of this kind */
} Liveness;

/* --- marking. Node.scratch of a needed node is non-NULL. */
static void need_value(Liveness *l, Value *value) {
    if (l->live[value->id]) return;
    l->live[value->id] = true;
    vec_push(l->s->scratch, &l->work, value);
}

static void need_operands(Liveness *l, Node *node, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) need_value(l, node->operands[i]);
}

static uint32_t control_operands(const Node *node) {
    if (!op_has(node->op, TRAIT_REGION)) return node->operand_count;
    bool carries = node->op == OP_for || node->op == OP_while;
    return node->operand_count - (carries ? node->result_count : 0);
}

/* The node must run; which of a region's results matter is another question. */
static void need_node(Liveness *l, Node *node) {
    for (; node && !node->scratch; node = node->block->owner) {
        node->scratch = l;
        need_operands(l, node, node->op == OP_kernel ? 0 : control_operands(node));
        if (node->op == OP_while) need_value(l, value_resolve(block_yield(node->blocks[0])->operands[0]));
    }
}

/* A needed result of a region: what its blocks yield for it, and what it starts from. */
static void need_region_result(Liveness *l, Node *node, uint32_t i) {
    for (uint32_t k = node->op == OP_while ? 1 : 0; k < node->block_count; k++)
        need_value(l, block_yield(node->blocks[k])->operands[i]);
    if (node->op == OP_for || node->op == OP_while) need_value(l, node->operands[control_operands(node) + i]);
}

/* A needed parameter of a loop's block: the carried value must be there. */
static void need_param(Liveness *l, Value *param) {
    Node *loop = param->block->owner;
    if (!loop) return;
    need_node(l, loop);
    uint32_t index = loop->op == OP_for ? 1 : 0;
    if (param->index >= index) need_value(l, loop->results[param->index - index]);
}

static void spread(Liveness *l) {
    while (l->work.count) {
        Value *value = l->work.at[--l->work.count];
        if (!value->node) {
            need_param(l, value);
            continue;
        }
        need_node(l, value->node);
        if (op_has(value->node->op, TRAIT_REGION)) need_region_result(l, value->node, value->index);
    }
}

/* --- kernels whose reductions nobody reads any more */
static bool still_reduces(const Node *kernel) {
    for (const Node *node = kernel->blocks[0]->first; node; node = node->next)
        if (node->scratch && op_has(node->op, TRAIT_REDUCES)) return true;
    return false;
}

/* One index space for all results that are read? */
static bool is_one_space(const Liveness *l, const Node *kernel) {
    const Dim *elements = NULL;
    for (uint32_t i = 0; i < kernel->result_count; i++) {
        const Value *result = kernel->results[i];
        if (!l->live[result->id]) continue;
        const Dim *own = type_elements(l->s->graph->ir, result->type);
        if (!own || (elements && own != elements)) return false;
        elements = own;
    }
    return true;
}

/* Rows without reductions are a loop, or else must keep them. */
static void settle_rows(Liveness *l, Node *node) {
    if (!node->scratch || still_reduces(node)) return;
    if (is_one_space(l, node)) {
        node_set_attr(node, attr_str(ATTR_kind, intern(ir_strings(l->s->graph->ir), "loop")));
        node_drop_attr(node, ATTR_rows);
    } else {
        for (uint32_t i = 0; i < node->result_count; i++) need_value(l, node->results[i]);
    }
}

/* What is known to hold needs no check. */
static bool is_satisfied(const Node *node) { return node->op == OP_check && is_splat(node->operands[0], 1); }

/* Nothing is known of the node yet, but of those around it there may be. */
static void see(void *user, Node *node) {
    Liveness *l = user;
    node->scratch = NULL;
    for (uint32_t i = 0; i < node->operand_count; i++) node->operands[i] = value_resolve(node->operands[i]);
    if (!is_satisfied(node) && op_has(node->op, TRAIT_EFFECT)) need_node(l, node);
    if (node->op == OP_kernel && strcmp(node_str(node, ATTR_kind), "rows") == 0)
        vec_push(l->s->scratch, &l->rows, node);
}

/* --- sweeping */
static void drop_operand(Node *node, uint32_t i) {
    node->operand_count--;
    for (; i < node->operand_count; i++) node->operands[i] = node->operands[i + 1];
}

static void drop_result(Node *node, uint32_t i) {
    node->result_count--;
    for (; i < node->result_count; i++) {
        node->results[i] = node->results[i + 1];
        node->results[i]->index = i;
    }
}

static void drop_param(Block *block, uint32_t i) {
    block->params.count--;
    for (; i < block->params.count; i++) {
        block->params.at[i] = block->params.at[i + 1];
        block->params.at[i]->index = i;
    }
}

static void drop_region_result(Node *node, uint32_t i) {
    bool loop = node->op == OP_for || node->op == OP_while;
    for (uint32_t k = 0; k < node->block_count; k++) {
        bool condition = node->op == OP_while && k == 0;
        if (!condition) drop_operand(block_yield(node->blocks[k]), i);
        if (loop) drop_param(node->blocks[k], i + (node->op == OP_for ? 1 : 0));
    }
    if (loop) drop_operand(node, control_operands(node) + i);
    drop_result(node, i);
}

/* Of a chain: the axes of a result that goes. */
static void drop_axes(const Simplify *s, Node *chain, uint32_t result) {
    const Attr *axes = node_attr(chain, ATTR_axes);
    uint32_t each = node_attr(chain, ATTR_dims)->count, kept = 0;
    int64_t *left = ARENA_ARRAY(s->scratch, int64_t, axes->count + 1);
    for (uint32_t i = 0; i < axes->count; i++)
        if (i / each != result) left[kept++] = axes->ints[i];
    node_set_attr(chain, attr_ints(ATTR_axes, kept, left));
}

static void sweep(void *user, Node *node) {
    Liveness *l = user;
    if (node->op == OP_yield) return;
    if (!node->scratch) {
        node_remove(node);
        l->s->changed = true;
        return;
    }
    if (!op_has(node->op, TRAIT_REGION)) return;
    for (uint32_t i = node->result_count; i-- > 0;) {
        if (l->live[node->results[i]->id]) continue;
        if (node_attr(node, ATTR_index)) drop_axes(l->s, node, i);
        drop_region_result(node, i);
        l->s->changed = true;
    }
}

void simplify_dead(Simplify *s) {
    Liveness l = {.s = s, .live = ARENA_ARRAY(s->scratch, bool, s->graph->next_id)};
    graph_walk(s->graph, see, &l);
    for (uint32_t i = 0; i < s->graph->functions.count; i++) {
        Node *yield = block_yield(s->graph->functions.at[i]->body);
        need_operands(&l, yield, yield->operand_count);
    }
    spread(&l);
    for (uint32_t i = 0; i < l.rows.count; i++) settle_rows(&l, l.rows.at[i]);
    spread(&l);
    graph_walk(s->graph, sweep, &l);
}
