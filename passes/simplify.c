/* The pass `simplify`: walks the graph in order, so that every rule sees operands that are final, and repeats
 * until nothing changes. Requires and leaves a verified graph; inside kernels, whose form fuse chose, it only
 * merges and drops. */
#include "passes/simplify.h"
#include "passes/passes.h"

enum { MAX_ROUNDS = 16 }; /* each round is linear; real programs settle in two to four */

/* The new value stands where the old one was: it inherits the name that the user knows. */
static void replace(Simplify *s, Value *old, Value *by) {
    if (!by->name && by->node) by->name = old->name;
    value_replace(old, by);
    s->changed = true;
}

static Value *rewritten(Simplify *s, Node *node) {
    static Rule *const rules[] = {simplify_fold,   simplify_algebra, simplify_view, simplify_sum,
                                  simplify_window, simplify_reduce,  simplify_place};
    Builder b = {.graph = s->graph, .block = node->block, .before = node, .loc = node->loc};
    for (uint32_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        Value *by = rules[i](s, &b, node);
        if (by) return by;
    }
    return NULL;
}

static bool in_kernel(const Node *node) { return node->block->owner && node->block->owner->op == OP_kernel; }

static bool is_rewritable(const Simplify *s, const Node *node) {
    return s->budget && node->result_count == 1 && !op_has(node->op, TRAIT_EFFECT) &&
           !op_has(node->op, TRAIT_REGION) && !in_kernel(node);
}

/* True where the node is gone. */
static bool rewrite(Simplify *s, Node *node) {
    if (!is_rewritable(s, node)) return false;
    Value *by = rewritten(s, node);
    if (!by) return false;
    s->budget--;
    replace(s, node->results[0], by);
    node_remove(node);
    return true;
}

/* True where the node is gone. */
static bool merge(Simplify *s, Node *node) {
    Node *earlier = equal_node(s, node);
    if (!earlier) return false;
    for (uint32_t i = 0; i < node->result_count; i++) replace(s, node->results[i], earlier->results[i]);
    node_remove(node);
    return true;
}

static void simplify_block(Simplify *s, Block *block);

static void simplify_blocks(Simplify *s, Node *node) {
    uint32_t outer = s->equals.first;
    /* A kernel reads outer tensors; a constant or an index is cheaper made inside than passed in. */
    if (node->op == OP_kernel) s->equals.first = s->equals.entries.count;
    for (uint32_t i = 0; i < node->block_count; i++) {
        /* Nothing is kept for a block that isn't run as long as all is well. */
        if (i == 1 && node_attr(node, ATTR_cold)) s->equals.first = s->equals.entries.count;
        simplify_block(s, node->blocks[i]);
    }
    s->equals.first = outer;
}

static void simplify_block(Simplify *s, Block *block) {
    uint32_t mark = equal_mark(s);
    Node *node = block->first;
    while (node) {
        Node *before = node->prev;
        for (uint32_t i = 0; i < node->operand_count; i++)
            node->operands[i] = value_resolve(node->operands[i]);
        if (rewrite(s, node) || simplify_region(s, node)) {
            node = before ? before->next : block->first; /* what was built in its place comes next */
            continue;
        }
        Node *next = node->next;
        if (!merge(s, node)) simplify_blocks(s, node);
        node = next;
    }
    equal_release(s, mark);
}

/* --- what a walk finds out before the rules are tried */
typedef struct {
    Simplify *s;
    bool grad; /* one is still to be taken */
} Survey;

static void survey_node(void *user, Node *node) {
    Survey *survey = user;
    for (uint32_t i = 0; i < node->operand_count; i++) survey->s->uses[node->operands[i]->id]++;
    survey->grad |= node->op == OP_grad;
    if (node->op == OP_symbol) vec_push(survey->s->scratch, &survey->s->symbols, node);
}

static bool survey(Simplify *s) {
    Survey survey = {.s = s};
    s->symbols.count = 0;
    s->counted = s->graph->next_id;
    s->uses = ARENA_ARRAY(s->scratch, uint32_t, s->counted);
    graph_walk(s->graph, survey_node, &survey);
    return survey.grad;
}

/* While a gradient is still to be taken, values must keep their identity: two biases that both start as zeros
 * are equal and yet two things to differentiate by, and nothing may be folded past one. Only what nobody
 * reads goes. */
void pass_simplify(PassContext *context, Graph *graph) {
    Simplify s = {.graph = graph, .scratch = context->scratch, .changed = true};
    if (survey(&s)) {
        simplify_dead(&s);
        return;
    }
    for (int round = 0; round < MAX_ROUNDS && s.changed; round++) {
        s.changed = false;
        s.budget = 1000 + 16 * graph->next_id;
        if (round > 0) survey(&s);
        if (simplify_symbols(&s)) survey(&s);
        for (uint32_t i = 0; i < graph->functions.count; i++)
            simplify_block(&s, graph->functions.at[i]->body);
        if (round > 0 && !s.changed) break; /* nor has anything died since the last round */
        simplify_dead(&s);
    }
}
