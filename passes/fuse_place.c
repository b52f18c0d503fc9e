/* Where in the block a kernel goes. By itself it would stand where its last stored value was computed; a
 * gradient that an optimizer's update has joined would so wait for the end of the step, and keep what it is
 * computed from until then. So a kernel with a reduction or contraction goes where that was, or as soon after
 * as what it needs is there and what it may overwrite has been read by the others. */
#include "passes/fuse.h"

/* --- readers of a value */
static void forget_readers(uint32_t count, Value *const *values) {
    for (uint32_t i = 0; i < count; i++) values[i]->scratch = NULL;
}

static void add_reader(Fuse *f, FuseNode *reader, uint32_t count, Value *const *values) {
    for (uint32_t i = 0; i < count; i++) {
        FuseNodes *list = values[i]->scratch;
        if (!list) values[i]->scratch = list = ARENA_NEW(f->arena, FuseNodes);
        if (!list->count || list->at[list->count - 1] != reader) vec_push(f->arena, list, reader);
    }
}

const FuseNodes *fuse_readers(const Value *value) { return value->scratch; }

void fuse_find_readers(Fuse *f) {
    for (uint32_t i = 0; i < f->nodes.count; i++) {
        const FuseNode *n = f->nodes.at[i];
        forget_readers(n->node->operand_count, n->node->operands);
        forget_readers(n->reads.count, n->reads.at);
    }
    for (uint32_t i = 0; i < f->nodes.count; i++) {
        FuseNode *n = f->nodes.at[i];
        add_reader(f, n, n->node->operand_count, n->node->operands);
        add_reader(f, n, n->reads.count, n->reads.at);
    }
}

/* --- places */
static uint32_t last_yield(const Group *group) {
    uint32_t last = 0;
    for (uint32_t i = 0; i < group->nodes.count; i++)
        if (fuse_is_yielded(group->nodes.at[i], group)) last = group->nodes.at[i]->position;
    return last;
}

static void not_before(uint32_t *place, uint32_t other) {
    if (other > *place) *place = other;
}

/* Might the group store a result where the operand is? */
static bool overwrites(const Fuse *f, const Group *group, const Value *operand) {
    const FuseNode *definition = fuse_definition(f, operand);
    if (definition && fuse_is_home(definition, group)) return false;
    for (uint32_t i = 0; i < group->nodes.count; i++)
        if (fuse_is_yielded(group->nodes.at[i], group) &&
            fuse_result(group->nodes.at[i])->type == operand->type)
            return true;
    return false;
}

/* After those that read what the group may overwrite, as far as they come before it anyway. */
static void after_readers(Group *group, const Value *operand, uint32_t latest, uint32_t *place) {
    const FuseNodes *readers = fuse_readers(operand);
    for (uint32_t i = 0; readers && i < readers->count; i++) {
        const FuseNode *reader = readers->at[i];
        if (fuse_is_home(reader, group)) continue;
        uint32_t at = reader->tensor ? 0 : reader->position;
        for (uint32_t k = 0; reader->tensor && k < reader->homes.count; k++)
            not_before(&at, last_yield(fuse_root(reader->homes.at[k])));
        if (at < latest) not_before(place, at);
    }
}

/* From where on the node's result is there. Scalar arithmetic is done as soon as it is asked for. */
static uint32_t available(Fuse *f, FuseNode *n) {
    if (n->tensor && n->yielder) return fuse_place(f, fuse_root(n->yielder));
    bool scalar = n->node->op == OP_const || op_has(n->node->op, TRAIT_ELEMENTWISE);
    if (n->tensor || !scalar) return n->position;
    if (n->from) return n->from - 1;
    uint32_t from = 0;
    for (uint32_t k = 0; k < n->needs.count; k++) not_before(&from, available(f, n->needs.at[k]));
    n->from = from + 1;
    return from;
}

static void after_needs(Fuse *f, Group *group, const FuseNode *n, uint32_t *place) {
    for (uint32_t k = 0; k < n->needs.count; k++)
        if (!fuse_is_home(n->needs.at[k], group)) not_before(place, available(f, n->needs.at[k]));
}

uint32_t fuse_place(Fuse *f, Group *group) {
    if (group->placed) return group->place;
    uint32_t latest = last_yield(group), place = group->kind == GROUP_LOOP ? latest : group->seed->position;
    for (uint32_t i = 0; i < group->nodes.count && place < latest; i++) {
        const FuseNode *n = group->nodes.at[i];
        after_needs(f, group, n, &place);
        for (uint32_t k = 0; k < n->node->operand_count; k++)
            if (n != group->seed && overwrites(f, group, n->node->operands[k]))
                after_readers(group, n->node->operands[k], latest, &place);
    }
    if (place > latest) place = latest;
    group->placed = true;
    return group->place = place;
}
