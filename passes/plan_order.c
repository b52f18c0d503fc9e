/* Updates after the last reader of what they overwrite: a kernel that writes a slice into a tensor, or adds
 * to some of its rows, needs a copy of the tensor if that is read again afterwards. Where the program's order
 * leaves the choice, it comes later, or those that read come earlier. */
#include "passes/plan.h"
#include "support/map.h"
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
    bool reads_base, reads_result, has_effects;
} Reading;

static void see(void *user, Node *node) {
    Reading *r = user;
    r->has_effects |= op_has(node->op, TRAIT_EFFECT);
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

/* Does a node from `from` on, before `to`, read the value? */
static bool is_read_between(Node *from, const Node *to, const Value *value) {
    for (Node *node = from; node != to; node = node->next)
        if (reading_of(node, value, NULL).reads_base) return true;
    return false;
}

static bool needs_between(Node *node, const Node *from) {
    for (const Node *other = from; other != node; other = other->next)
        if (other->result_count && reading_of(node, NULL, other).reads_result) return true;
    return false;
}

/* Bytes that the kernel's results take besides, as far as they are known; an update lies where its base did.
 */
static bool is_small(const Node *kernel, int64_t *left) {
    for (uint32_t i = 0; i < kernel->result_count && !updated(kernel); i++) {
        const Type *type = kernel->results[i]->type;
        int64_t count;
        if (!type_count(type, &count) || count > *left / dtype_bytes(type->dtype)) return false;
        *left -= count * dtype_bytes(type->dtype);
    }
    return true;
}

/* What the base takes; where that isn't known, what is little beside most tensors. */
static int64_t room_beside(const Value *base) {
    enum { LITTLE = 4096 };
    int64_t count;
    return type_count(base->type, &count) && count <= INT64_MAX / 16 ? count * dtype_bytes(base->type->dtype)
                                                                     : LITTLE;
}

static bool can_come_before(Node *reader, Node *update, int64_t *left) {
    bool waits = updated(reader) && is_read_between(update, reader, updated(reader));
    return reader->op == OP_kernel && updated(reader) != updated(update) && !waits &&
           is_small(reader, left) && !needs_between(reader, update);
}

typedef struct {
    Node *node, *next; /* that was behind it */
} Moved;

/* Moves the kernels that read the base after the result has been read, if all of them could have read it
 * before the update and what they make takes no more than a copy of the base. None comes before an effect: a
 * check that what it reads is there, a symbol of its sizes, a checkpoint, which holds what is alive there and
 * no more. */
static void pull_readers(Arena *arena, Node *update, const Value *base) {
    VEC(Moved) moved = {0};
    int64_t left = room_beside(base);
    bool effects = false, good = true;
    for (Node *node = update->next, *next; good && node && node->op != OP_yield; node = next) {
        Reading r = reading_of(node, base, update);
        next = node->next;
        effects |= r.has_effects;
        if (!r.reads_base) continue;
        good = !effects && can_come_before(node, update, &left);
        if (!good) break;
        vec_push(arena, &moved, ((Moved){node, next}));
        node_remove(node);
        node_insert_before(update, node);
    }
    for (uint32_t i = moved.count; !good && i-- > 0;) {
        node_remove(moved.at[i].node);
        node_insert_before(moved.at[i].next, moved.at[i].node);
    }
}

/* --- who reads what last */
typedef struct {
    Map *last; /* Value * → number of the last node of the block that reads it, or a greater one */
    Map *number;
    uintptr_t now;
} Order;

static void note_operands(void *user, Node *node) {
    const Order *order = user;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if ((uintptr_t)map_get(order->last, node->operands[i]) < order->now)
            map_put(order->last, node->operands[i], (void *)order->now);
}

static void note(Order *order, Node *node, uintptr_t number) {
    order->now = number;
    map_put(order->number, node, (void *)number);
    note_operands(order, node);
    for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], note_operands, order);
}

static Order order_of(Arena *arena, const Block *block) {
    Order order = {map_new(arena), map_new(arena), 0};
    for (Node *node = block->first; node; node = node->next) note(&order, node, order.now + 1);
    return order;
}

static bool is_read_after(const Order *order, const Node *node, const Value *value) {
    return (uintptr_t)map_get(order->last, value) > (uintptr_t)map_get(order->number, node);
}

/* Each update moves once: those that read each other's bases would go round for ever. */
void plan_order(Arena *arena, Block *block) {
    VEC(Node *) updates = {0};
    for (Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; node->op != OP_kernel && i < node->block_count; i++)
            plan_order(arena, node->blocks[i]);
        if (updated(node)) vec_push(arena, &updates, node);
    }
    if (updates.count == 0) return;
    Order order = order_of(arena, block);
    for (uint32_t i = 0; i < updates.count; i++) {
        Node *node = updates.at[i];
        const Value *base = updated(node);
        if (!is_read_after(&order, node, base)) continue;
        Node *reader = last_reader(node, base);
        if (reader) {
            node_remove(node);
            node_insert_before(reader->next, node);
            note(&order, node, (uintptr_t)map_get(order.number, reader));
        }
        pull_readers(arena, node, base);
    }
}
