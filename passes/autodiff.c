/* Replaces every grad node by the nodes that compute the derivative: the reverse sweep over what lies between
 * y and each x. Grads are done in program order, so that one is an ordinary piece of graph when a later one
 * differentiates through it. */
#include "passes/autodiff.h"
#include "passes/derive.h"
#include <assert.h>

/* --- adjoints */
Adjoints adjoints_new(Autodiff *ad) { return (Adjoints){.map = map_new(ad->scratch)}; }

Value *adjoint_get(const Adjoints *adjoints, const Value *value) { return map_get(adjoints->map, value); }

static bool is_zeros(const Value *value) {
    const Node *node = value->node;
    return node && node->op == OP_const && dtype_is_float(value->type->dtype) &&
           node_attr(node, ATTR_value)->number == 0;
}

/* What an update by add_in_place adds to what was there; the part itself where that is zeros; NULL where
 * the update is none of this kind. */
static Value *added_part(const Node *update) {
    const Value *base = update->operands[0];
    Value *part = update->operands[1];
    if (is_zeros(base)) return part;
    const Node *sum = part->node, *there = sum && sum->op == OP_add ? sum->operands[0]->node : NULL;
    if (!there || there->op != OP_dynamic_slice || there->operands[0] != base) return NULL;
    for (uint32_t i = 1; i < there->operand_count; i++)
        if (there->operands[i] != update->operands[i + 1]) return NULL;
    return sum->operands[1];
}

/* x + zeros with something written in, once or several times, without the zeros: a loop that reads slices an
 * iteration adds to those slices only. NULL where `part` is no such thing. */
static Value *add_in_place(Builder *b, Value *x, const Value *part) {
    const Node *node = part->node;
    if (!node || (node->op != OP_scatter_add && node->op != OP_update_slice)) return NULL;
    Value *const *operands = node->operands;
    Value *added = node->op == OP_update_slice ? added_part(node) : operands[2];
    if (!is_zeros(operands[0])) x = added ? add_in_place(b, x, operands[0]) : NULL;
    if (!x) return NULL;
    if (node->op == OP_scatter_add)
        return build_scatter_add(b, x, operands[1], added, node_int(node, ATTR_axis));
    const Attr *axes = node_attr(node, ATTR_axes);
    Value *there = build_dynamic_slice(b, x, axes->count, axes->ints, operands + 2, added->type->dims);
    return build_update_slice(b, x, build_binary(b, OP_add, there, added), axes->count, axes->ints,
                              operands + 2);
}

Value *sum_adjoints(Builder *b, Value *x, Value *y) {
    Value *sum = add_in_place(b, x, y);
    if (!sum) sum = add_in_place(b, y, x);
    if (!sum) sum = sum_parts(b, x, y);
    if (!sum) sum = sum_parts(b, y, x);
    return sum ? sum : build_binary(b, OP_add, x, y);
}

void adjoint_add(Autodiff *ad, Adjoints *adjoints, Builder *b, Value *value, Value *adjoint) {
    assert(adjoint->type == value->type);
    Value *sum = adjoint_get(adjoints, value);
    if (!sum) vec_push(ad->scratch, &adjoints->keys, value);
    map_put(adjoints->map, value, sum ? sum_adjoints(b, sum, adjoint) : adjoint);
}

Value *adjoint_or_zeros(const Adjoints *adjoints, Builder *b, const Value *value) {
    Value *adjoint = adjoint_get(adjoints, value);
    return adjoint ? adjoint : build_const(b, value->type, 0);
}

/* --- the sweep */
typedef struct {
    Autodiff *ad;
    Adjoints *adjoints;
} Sweep;

static bool operand_wanted(void *user, const Value *operand) {
    return is_active(((Sweep *)user)->ad, operand);
}

static void operand_adjoint(void *user, Builder *b, Value *operand, Value *adjoint) {
    Sweep *s = user;
    if (is_active(s->ad, operand)) adjoint_add(s->ad, s->adjoints, b, operand, adjoint);
}

static bool any_adjoint(const Adjoints *adjoints, const Node *node) {
    for (uint32_t k = 0; k < node->result_count; k++)
        if (adjoint_get(adjoints, node->results[k])) return true;
    return false;
}

static bool any_active_operand(const Autodiff *ad, const Node *node) {
    for (uint32_t k = 0; k < node->operand_count; k++)
        if (is_active(ad, node->operands[k])) return true;
    return false;
}

static void reverse_node(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints) {
    if (!any_adjoint(adjoints, node)) return;
    Loc loc = b->loc;
    b->loc = node->loc;
    DeriveRule *rule = derive_rule(node->op);
    if (op_has(node->op, TRAIT_REGION)) {
        reverse_region(ad, b, node, adjoints);
    } else if (rule && any_active_operand(ad, node)) {
        Sweep s = {ad, adjoints};
        Value *adjoint = adjoint_get(adjoints, node->results[0]);
        rule(&(Derive){b, node, adjoint, &s, operand_wanted, operand_adjoint});
    }
    b->loc = loc;
}

void sweep(Autodiff *ad, Builder *b, Node *last, const Node *stop, Adjoints *adjoints) {
    for (Node *node = last, *previous; node && node != stop; node = previous) {
        previous = node->prev;
        reverse_node(ad, b, node, adjoints);
    }
}

/* --- one grad node */
/* Through its block backwards, then through the blocks around it. */
static void sweep_outwards(Autodiff *ad, Builder *b, Adjoints *adjoints) {
    for (const Node *inner = ad->grad; inner; inner = inner->block->owner)
        sweep(ad, b, inner->prev, NULL, adjoints);
}

static bool is_x(const Autodiff *ad, const Value *value) {
    for (uint32_t k = 1; k < ad->grad->operand_count; k++)
        if (ad->grad->operands[k] == value) return true;
    return false;
}

/* A carried value that is itself differentiated by is taken as it is in this iteration; any other has a
 * history that matters. */
static void check_earlier(Autodiff *ad, const Adjoints *adjoints) {
    for (uint32_t k = 0; k < ad->earlier.count && !ad->failed; k++) {
        const Value *carried = ad->earlier.at[k];
        if (adjoint_get(adjoints, carried) && !is_x(ad, carried)) report_earlier(ad, carried);
    }
}

static void differentiate(Autodiff *ad, Node *grad) {
    Builder b = {.graph = ad->graph, .block = grad->block, .before = grad, .loc = grad->loc};
    Adjoints adjoints = adjoints_new(ad);
    Value *y = grad->operands[0];
    ad->grad = grad;
    ad->failed = false;
    ad->active = map_new(ad->scratch);
    ad->earlier.count = 0;
    activate_before(ad);
    if (is_active(ad, y)) {
        adjoint_add(ad, &adjoints, &b, y, build_const(&b, y->type, 1));
        sweep_outwards(ad, &b, &adjoints);
        check_earlier(ad, &adjoints);
    } else {
        report_independent(ad);
    }
    for (uint32_t k = 0; k < grad->result_count; k++)
        value_replace(grad->results[k], adjoint_or_zeros(&adjoints, &b, grad->operands[k + 1]));
    node_remove(grad);
    graph_resolve(ad->graph);
}

/* --- the pass */
void pass_autodiff(PassContext *context, Graph *graph) {
    Autodiff ad = {.graph = graph, .scratch = context->scratch, .diags = context->diags};
    ad.tapes = map_new(ad.scratch);
    ad.entries = map_new(ad.scratch);
    ad.counters = map_new(ad.scratch);
    Nodes grads = graph_nodes(graph, OP_grad, context->scratch);
    for (uint32_t k = 0; k < grads.count; k++) differentiate(&ad, grads.at[k]);
    open_remats(graph);
    expand_guards(graph, context->scratch);
}
