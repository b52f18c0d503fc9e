/* Which values of an iteration the forward loop keeps for its reverse, rather than that these be computed
 * again: products, which cost much for each of their elements; of a tensor that is written and read by parts,
 * such as a table that the loop fills, what was read of it; and what the next iteration starts with, which
 * the tape holds anyway. All else is computed again from these. */
#include "ir/shape.h"
#include "passes/autodiff.h"
#include <string.h>

enum { SHALLOW = 8 }; /* terms of a sum that is cheaper to compute again than to keep */

typedef struct {
    Autodiff *ad;
    const Block *forward;
    Block *reverse;
    const Map *map; /* forward values to those of the reverse's body */
    Map *back, *live, *uses, *user;
    Keeps *keeps;
} Keeping;

static Value *copy_of(const Keeping *k, const Value *value) { return map_get(k->map, value); }

static bool is_live(const Keeping *k, const Value *value) {
    const Value *copy = copy_of(k, value);
    return copy && map_get(k->live, copy);
}

/* --- who reads what */
static bool is_needed(const Keeping *k, const Node *node) {
    bool needed = node->result_count == 0 || node->block->owner != k->reverse->owner;
    for (uint32_t i = 0; i < node->result_count; i++) needed |= map_get(k->live, node->results[i]) != NULL;
    return needed;
}

static void see_use(void *user, Node *node) {
    Keeping *k = user;
    for (uint32_t i = 0; i < node->operand_count && is_needed(k, node); i++) {
        uintptr_t before = (uintptr_t)map_get(k->uses, node->operands[i]);
        map_put(k->uses, node->operands[i], (void *)(before + 1));
        map_put(k->user, node->operands[i], node);
    }
}

static void note_copies(Keeping *k) {
    for (const Node *node = k->forward->first; node; node = node->next)
        for (uint32_t i = 0; i < node->result_count; i++)
            if (copy_of(k, node->results[i]))
                map_put(k->back, copy_of(k, node->results[i]), node->results[i]);
}

/* --- what to keep */
static bool is_costly(const Node *node) {
    ContractSpec spec;
    if (node->op == OP_argsort) return true;
    if (node->op != OP_contract || !contract_spec_parse(node_str(node, ATTR_spec), &spec)) return false;
    const Type *x = node->operands[0]->type;
    int64_t terms = 1, size;
    for (uint32_t i = 0; i < x->rank && terms < SHALLOW; i++) {
        if (strchr(spec.result, spec.x[i])) continue;
        terms = dim_is_const(x->dims[i], &size) ? terms * size : SHALLOW;
    }
    return terms >= SHALLOW;
}

/* Is its size the same in every iteration? Tapes hold no others. */
static bool has_fixed_size(const Keeping *k, const Type *type) {
    for (const Node *node = k->forward->first; node; node = node->next)
        for (uint32_t i = 0; node->op == OP_symbol && i < type->rank; i++)
            if (dim_mentions(type->dims[i], node_dim(node, ATTR_dim))) return false;
    return true;
}

/* As far as nothing else reads it, what is computed from it element by element: the rest of that isn't needed
 * then. */
static Value *furthest(const Keeping *k, Value *value) {
    for (;;) {
        const Value *copy = copy_of(k, value);
        const Node *user = map_get(k->user, copy);
        if ((uintptr_t)map_get(k->uses, copy) != 1 || !user || !op_has(user->op, TRAIT_ELEMENTWISE))
            return value;
        Value *next = map_get(k->back, user->results[0]);
        if (!next || next->type != value->type) return value;
        value = next;
    }
}

static void keep(Keeping *k, Value *value) {
    Value *copy = copy_of(k, value);
    if (copy->replacement) return;
    Node *stand = node_new(k->ad->graph, OP_copy, 0, NULL, 0, NULL, 1, &value->type, copy->node->loc);
    node_insert_before(copy->node, stand);
    value_replace(copy, stand->results[0]);
    vec_push(k->ad->scratch, k->keeps, ((Kept){value, copy, stand->results[0]}));
}

static bool is_own(const Keeping *k, const Value *value) {
    return value->node && value->block == k->forward && dtype_class(value->type->dtype) != CLASS_OPAQUE;
}

/* --- parts of a carried tensor */
typedef VEC(Value *) Parts;

enum { MAX_PARTS = 16 };

/* Is every axis of the part as long as the whole's, or of a known length that is less, or may be? */
static bool is_part(const Type *part, const Type *whole) {
    bool less = false;
    for (uint32_t i = 0; i < whole->rank; i++) {
        int64_t size, all = INT64_MAX;
        if (part->dims[i] == whole->dims[i]) continue;
        if (!dim_is_const(part->dims[i], &size)) return false;
        dim_is_const(whole->dims[i], &all);
        less |= size < all;
    }
    return less;
}

/* Are all that the reverse reads of the value, a carried one or one with some parts written, parts that the
 * forward loop could keep? */
static bool reads_parts(const Keeping *k, const Value *value, Parts *parts) {
    uintptr_t uses = (uintptr_t)map_get(k->uses, value);
    for (const Node *node = k->reverse->first; node; node = node->next) {
        if (!is_needed(k, node)) continue;
        for (uint32_t i = 0; i < node->operand_count; i++) {
            if (node->operands[i] != value) continue;
            uses--;
            Value *result = node->result_count == 1 ? node->results[0] : NULL;
            Value *own = result ? map_get(k->back, result) : NULL;
            if (!own) return false;
            if (node->op == OP_update_slice && i == 0) {
                if (!reads_parts(k, result, parts)) return false;
                continue;
            }
            bool reads = node->op == OP_dynamic_slice || node->op == OP_slice;
            if (!reads || !is_part(result->type, value->type) || !has_fixed_size(k, result->type))
                return false;
            if (parts->count == MAX_PARTS) return false;
            vec_push(k->ad->scratch, parts, own);
        }
    }
    return uses == 0; /* none is in a block inside */
}

/* Less in all than the whole, where that is known? */
static bool is_less(const Parts *parts, const Type *whole) {
    int64_t sum = 0, elements, all;
    if (!type_count(whole, &all)) return true;
    for (uint32_t i = 0; i < parts->count; i++) {
        if (!type_count(parts->at[i]->type, &elements)) return false;
        sum += elements;
    }
    return sum < all;
}

static bool keep_parts(Keeping *k, const Value *before) {
    Parts parts = {0};
    if (!map_get(k->live, before) || !reads_parts(k, before, &parts) || !is_less(&parts, before->type))
        return false;
    for (uint32_t i = 0; i < parts.count; i++) keep(k, parts.at[i]);
    return parts.count > 0;
}

/* Finds what is live in the reverse, and who reads it. */
static void look(Keeping *k) {
    const Node *yield = block_yield(k->reverse);
    k->uses = map_new(k->ad->scratch);
    k->user = map_new(k->ad->scratch);
    k->live = live_values(k->ad->scratch, k->reverse, yield->operand_count, yield->operands);
    block_walk(k->reverse, see_use, k);
}

void keep_costly(Autodiff *ad, const Block *forward, Block *reverse, const Map *map, Value *const *before,
                 Keeps *keeps) {
    Keeping k = {.ad = ad, .forward = forward, .reverse = reverse, .map = map, .keeps = keeps};
    const Node *next = block_yield(forward);
    uint32_t carried =
        next->operand_count < forward->params.count ? next->operand_count : forward->params.count - 1;
    bool kept = false;
    k.back = map_new(ad->scratch);
    note_copies(&k);
    look(&k);
    for (uint32_t i = 0; i < carried; i++) kept |= before[i] && keep_parts(&k, before[i]);
    if (kept) {
        block_resolve(reverse);
        look(&k);
    }
    for (uint32_t i = 0; i < carried; i++)
        if (before[i] && map_get(k.live, before[i]) && is_own(&k, next->operands[i]) &&
            is_live(&k, next->operands[i]))
            keep(&k, next->operands[i]);
    for (const Node *node = forward->first; node; node = node->next)
        if (is_costly(node) && is_live(&k, node->results[0]) && has_fixed_size(&k, node->results[0]->type))
            keep(&k, furthest(&k, node->results[0]));
    block_resolve(reverse);
    for (uint32_t i = 0; i < keeps->count; i++) keeps->at[i].again->replacement = NULL;
}
