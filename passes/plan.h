/* What the parts of plan share. One function is planned at a time.
 *
 *   plan.c        the pass
 *   plan_copy.c   step 1: copies, so that everything a loop or an if carries could have its own place
 *   plan_live.c   step 2: when is each tensor alive
 *   plan_merge.c  step 3: who shares a place: what is carried must, copies and in-place results should
 *   plan_place.c  step 4: arenas and offsets
 *   plan_room.c   what of an arena is taken while something is alive
 *   plan_check.c  independent of all these: does every reader find what was written for it?
 *
 * Time: the node at position p reads at time 2p and has written at 2p + 1; a result is alive from 2p, so that
 * it does not overlap the operands unless they are allowed to share. A region node has a position at its
 * begin, where it reads its operands, and one at its end, where its results appear. */
#ifndef PASSES_PLAN_H
#define PASSES_PLAN_H

#include "ir/graph.h"
#include "passes/passes.h"

typedef struct {
    uint32_t start, end; /* times, [start, end) */
} Range;

typedef VEC(Range) Ranges; /* ascending, disjoint */

typedef struct Buffer Buffer;
typedef struct Tenants Tenants;
typedef VEC(Buffer *) Buffers;

/* A value that needs memory: rank ≥ 1, outside kernels, not given from outside. */
struct Buffer {
    Value *value;
    const Value
        *origin; /* what it is a copy or reshape of, followed to the end: equal origins hold equal bytes */
    const Dim *bytes;
    Ranges alive;
    Ranges in_cold; /* the part of it in blocks that don't return, for what is read there */
    Tenants *tenants;
};

/* The tensors that share one place. */
struct Tenants {
    Buffers members;
    Ranges alive; /* of all members */
    const Dim *bytes;
    bool merged;        /* into others; no longer in use */
    const Node *symbol; /* whose arena they are in; NULL = the function's */
    const Dim *offset;
};

typedef VEC(Tenants *) TenantsList;

/* One to a node outside kernels. */
typedef struct {
    uint32_t begin, end;   /* positions; equal but for nodes with blocks that are executed (if, for, while) */
    uint32_t depth;        /* loops around it */
    VEC(Value *) captures; /* of a kernel: the outer values that it reads, each once */
} PlanNode;

typedef struct {
    Graph *graph;
    IrContext *ir;
    Arena *arena;
    Diagnostics *diags;
    Function *function;
    bool failed; /* a diagnostic was reported */
    Buffers buffers;
    TenantsList tenants;
    VEC(Node *) nodes; /* all outside kernels, in order */
    uint32_t positions;
} Plan;

/* Is the value a tensor outside kernels, by its type alone? */
bool plan_is_tensor(const Value *value);
/* NULL for scalars, for values inside kernels and for those that are given from outside. */
Buffer *plan_buffer(const Value *value);
PlanNode *plan_node(const Node *node);
bool plan_is_loop(const Node *node);

/* May `kernel` write `result` where `operand` lies? Only if it reads the operand nowhere but at the index
 * that it is about to write. */
bool plan_in_place(const Node *kernel, const Value *result, const Value *operand);

/* Reports that the bytes of the value, or of all that share an arena with it, can't be counted in 63 bits; a
 * dimension to go on with. */
const Dim *plan_too_large(Plan *plan, const Value *value);

/* Puts updates behind the readers of what they overwrite (plan_order.c). */
void plan_order(Arena *arena, Block *block);
void plan_copies(Plan *plan);
void plan_liveness(Plan *plan);
bool ranges_overlap(const Ranges *a, const Ranges *b);
void ranges_add(Arena *arena, Ranges *ranges, Range range);
void plan_merge(Plan *plan);

typedef struct Room Room;

/* Room for these and no others. */
Room *room_new(Arena *arena, uint32_t count, Tenants *const *tenants);
/* The start of the smallest gap of at least `size` bytes between what is taken at some time of `alive`, or of
 * what is free behind it all. */
int64_t room_find(Room *room, const Ranges *alive, int64_t size);
void room_take(Room *room, const Ranges *alive, int64_t start, int64_t end);

void plan_places(Plan *plan, int32_t *next_frame);

/* NULL if every reader finds what was written for it; otherwise a message that names the value. */
const char *plan_check(Graph *graph, Arena *arena);

#endif
