/* Opens arenas and gives every place its offset. A place goes into the arena of the last run-time symbol that
 * its size depends on, which is opened as soon as the symbol is known; places of constant size into the
 * function's own. Constant sizes are packed, the largest first, each into the smallest gap that is free as
 * long as it is alive; of symbolic ones only those of equal size can take each other's place. A size like
 * B - 60 may be negative in a run that never gets to where the tensor is; it mustn't shift or shrink what the
 * others have, so such places get arenas of their own. */
#include "passes/plan.h"
#include "support/map.h"
#include <assert.h>
#include <stdlib.h>

enum { ALIGNMENT = 64 }; /* bytes: a cache line, and the widest vector */

/* The bytes of a place, up to the next aligned offset. */
static const Dim *round_up(Plan *plan, const Tenants *tenants) {
    const Dim *unit = dim_const(plan->ir, ALIGNMENT);
    const Dim *more = dim_add(plan->ir, tenants->bytes, dim_const(plan->ir, ALIGNMENT - 1));
    const Dim *units = more ? dim_floordiv(plan->ir, more, unit) : NULL;
    const Dim *rounded = units ? dim_mul(plan->ir, units, unit) : NULL;
    return rounded ? rounded : plan_too_large(plan, tenants->members.at[0]->value);
}

/* --- which arena */
typedef struct {
    const Map *definitions; /* symbol → Node * that gives it its value */
    const Node *last;
} LastSymbol;

static void consider_symbol(void *user, const Dim *symbol) {
    LastSymbol *found = user;
    const Node *node = map_get(found->definitions, symbol);
    if (node && (!found->last || plan_node(node)->begin > plan_node(found->last)->begin)) found->last = node;
}

static void assign_arenas(Plan *plan) {
    Map *definitions = map_new(plan->arena);
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        Node *node = plan->nodes.at[i];
        if (node->op == OP_symbol) map_put(definitions, node_dim(node, ATTR_dim), node);
    }
    for (uint32_t i = 0; i < plan->tenants.count; i++) {
        LastSymbol found = {.definitions = definitions};
        dim_symbols(plan->tenants.at[i]->bytes, consider_symbol, &found);
        plan->tenants.at[i]->symbol = found.last;
    }
}

/* --- packing */
typedef struct {
    Tenants *tenants;
    int64_t size; /* bytes */
    uint32_t order;
} Packed;

/* The largest first, for the rest fits around them; then in order of appearance, so that plans are
 * reproducible. */
static int by_size(const void *a, const void *b) {
    const Packed *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Returns where the place ends. */
static int64_t place_one(Plan *plan, Room *room, const Packed *item) {
    const Ranges *alive = &item->tenants->alive;
    int64_t start = room_find(room, alive, item->size), end = start;
    if (start > INT64_MAX - item->size)
        plan_too_large(plan, item->tenants->members.at[0]->value);
    else
        end += item->size;
    room_take(room, alive, start, end);
    item->tenants->offset = dim_const(plan->ir, start);
    return end;
}

/* Places of constant size; returns the bytes that they take together. */
static const Dim *pack_constant(Plan *plan, const TenantsList *list) {
    Packed *items = ARENA_ARRAY(plan->arena, Packed, list->count);
    Room *room = room_new(plan->arena, list->count, list->at);
    int64_t total = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        int64_t size = 0;
        bool constant = dim_is_const(round_up(plan, list->at[i]), &size);
        assert(constant);
        (void)constant;
        items[i] = (Packed){list->at[i], size, i};
    }
    if (list->count) qsort(items, list->count, sizeof *items, by_size);
    for (uint32_t i = 0; i < list->count; i++) {
        int64_t end = place_one(plan, room, &items[i]);
        if (end > total) total = end;
    }
    return dim_const(plan->ir, total);
}

/* A stretch of an arena for places of one symbolic size, none alive with another. */
typedef struct {
    const Dim *bytes, *offset;
    int32_t frame; /* where it is an arena of its own */
    Ranges alive;
} Slot;
typedef VEC(Slot) Slots;

static Slot *find_slot(Slots *slots, const Tenants *tenants) {
    for (uint32_t i = 0; i < slots->count; i++)
        if (slots->at[i].bytes == tenants->bytes && !ranges_overlap(&slots->at[i].alive, &tenants->alive))
            return &slots->at[i];
    return NULL;
}

/* The slot for the places of this size; false where it is a new one. */
static bool take_slot(Plan *plan, Slots *slots, const Tenants *tenants, Slot **slot) {
    *slot = find_slot(slots, tenants);
    bool found = *slot != NULL;
    if (!found) {
        vec_push(plan->arena, slots, ((Slot){.bytes = tenants->bytes}));
        *slot = &slots->at[slots->count - 1];
    }
    for (uint32_t k = 0; k < tenants->alive.count; k++)
        ranges_add(plan->arena, &(*slot)->alive, tenants->alive.at[k]);
    return found;
}

/* Places of symbolic size, after the first `total` bytes; returns the new total. */
static const Dim *pack_symbolic(Plan *plan, const TenantsList *list, const Dim *total) {
    Slots slots = {0};
    for (uint32_t i = 0; i < list->count; i++) {
        Tenants *tenants = list->at[i];
        Slot *slot;
        if (!take_slot(plan, &slots, tenants, &slot)) {
            slot->offset = total;
            const Dim *more = dim_add(plan->ir, total, round_up(plan, tenants));
            total = more ? more : plan_too_large(plan, tenants->members.at[0]->value);
        }
        tenants->offset = slot->offset;
    }
    return total;
}

/* --- arenas */
static void open_arena(Plan *plan, const Node *symbol, int32_t frame, const Dim *bytes) {
    const Attr attrs[] = {{.key = ATTR_frame, .integer = frame}, {.key = ATTR_dim, .dim = bytes}};
    Node *first = plan->function->body->first;
    Node *node = node_new(plan->graph, OP_frame, 0, NULL, 2, attrs, 0, NULL,
                          symbol ? symbol->loc : plan->function->loc);
    if (symbol)
        node_insert_after((Node *)symbol, node);
    else
        node_insert_before(first, node);
}

static void place_members(const Tenants *tenants, int32_t frame) {
    for (uint32_t i = 0; i < tenants->members.count; i++)
        tenants->members.at[i]->value->place = (Place){frame, tenants->offset};
}

/* Each size in an arena of its own. */
static void place_apart(Plan *plan, const Node *symbol, const TenantsList *list, int32_t *next_frame) {
    Slots slots = {0};
    for (uint32_t i = 0; i < list->count; i++) {
        Tenants *tenants = list->at[i];
        Slot *slot;
        if (!take_slot(plan, &slots, tenants, &slot)) {
            slot->frame = (*next_frame)++;
            open_arena(plan, symbol, slot->frame, round_up(plan, tenants));
        }
        tenants->offset = dim_const(plan->ir, 0);
        place_members(tenants, slot->frame);
    }
}

static void plan_arena(Plan *plan, const Node *symbol, int32_t *next_frame) {
    TenantsList constant = {0}, symbolic = {0}, doubtful = {0};
    for (uint32_t i = 0; i < plan->tenants.count; i++) {
        Tenants *tenants = plan->tenants.at[i];
        if (tenants->merged || tenants->symbol != symbol) continue;
        TenantsList *list = dim_is_const(tenants->bytes, NULL)             ? &constant
                            : dim_may_be_negative(round_up(plan, tenants)) ? &doubtful
                                                                           : &symbolic;
        vec_push(plan->arena, list, tenants);
    }
    place_apart(plan, symbol, &doubtful, next_frame);
    if (constant.count + symbolic.count == 0) return;
    const Dim *bytes = pack_symbolic(plan, &symbolic, pack_constant(plan, &constant));
    int32_t frame = (*next_frame)++;
    for (uint32_t i = 0; i < constant.count; i++) place_members(constant.at[i], frame);
    for (uint32_t i = 0; i < symbolic.count; i++) place_members(symbolic.at[i], frame);
    open_arena(plan, symbol, frame, bytes);
}

void plan_places(Plan *plan, int32_t *next_frame) {
    assign_arenas(plan);
    plan_arena(plan, NULL, next_frame);
    for (uint32_t i = 0; i < plan->nodes.count; i++)
        if (plan->nodes.at[i]->op == OP_symbol) plan_arena(plan, plan->nodes.at[i], next_frame);
}
