/* What the files of autodiff share.
 *
 *     autodiff.c         each grad node in order; the sweep that applies derivative rules backwards
 *     autodiff_parts.c   sums of what is zero around different parts
 *     autodiff_active.c  which values depend on what is differentiated by
 *     autodiff_live.c    which values an answer is computed from
 *     autodiff_region.c  the reverse of branches and loops
 *     autodiff_remat.c   computing again instead of keeping
 *     autodiff_guard.c   why a loss is not finite
 *     autodiff_keep.c    what the forward loop keeps for its reverse
 *     autodiff_tape.c    loops that keep what their reverse reads
 *     autodiff_break.c   why there is no derivative */
#ifndef PASSES_AUTODIFF_H
#define PASSES_AUTODIFF_H

#include "ir/build.h"
#include "passes/passes.h"
#include "support/map.h"

/* Adjoints by value; a value without one has the adjoint zero. Keys in the order in which they came. */
typedef struct {
    Map *map; /* Value * → Value * */
    VEC(Value *) keys;
} Adjoints;

typedef struct {
    Graph *graph;
    Arena *scratch;
    Diagnostics *diags;
    Map *tapes;           /* value of a `for`'s body → the loop's result that is its tape */
    Map *entries;         /* for node → Dim *: how many its tapes have */
    Map *counters;        /* while node → Value *: its number of iterations */
    Node *grad;           /* being replaced */
    Map *active;          /* Value * → itself: floats that depend on an x, differentiably */
    VEC(Value *) earlier; /* carried by a loop around `grad` and active through its earlier iterations */
    bool failed;          /* a diagnostic was reported for this grad */
} Autodiff;

/* --- autodiff.c */
Adjoints adjoints_new(Autodiff *ad);
Value *adjoint_get(const Adjoints *adjoints, const Value *value); /* NULL = zero */
/* x + y. */
Value *sum_adjoints(Builder *b, Value *x, Value *y);
void adjoint_add(Autodiff *ad, Adjoints *adjoints, Builder *b, Value *value, Value *adjoint);
/* As adjoint_get, with zeros built at `b` where there is none. */
Value *adjoint_or_zeros(const Adjoints *adjoints, Builder *b, const Value *value);
/* Applies rules backwards from `last` to the node after `stop` (NULL = the first of the block), building at
 * `b`. */
void sweep(Autodiff *ad, Builder *b, Node *last, const Node *stop, Adjoints *adjoints);

/* --- autodiff_parts.c */
/* x + y, where y is zero around a part along an axis that x has zeros for; else NULL. */
Value *sum_parts(Builder *b, Value *x, Value *y);

/* --- autodiff_active.c */
bool is_active(const Autodiff *ad, const Value *value);
void set_active(Autodiff *ad, const Value *value);
/* Activity of the node's results (and of what is in its blocks) from that of its operands. */
void activate_node(Autodiff *ad, const Node *node);
/* Activity of all that is computed before `grad`, and in loops around it. */
void activate_before(Autodiff *ad);
/* The carried values of a loop whose adjoints can be non-zero when those in `wanted` are: grows `wanted`, an
 * entry per carried value. */
void reach_carried(Autodiff *ad, const Node *loop, bool *wanted);

/* --- autodiff_live.c */
/* All values that `roots` are computed from, as a set. Where `block` is given, also what effects in it read;
 * values outside it are not followed, since the blocks around may be unfinished. */
Map *live_values(Arena *scratch, const Block *block, uint32_t roots, Value *const *root);

/* --- autodiff_region.c */
/* Adds to the adjoints what flows through a region node from those of its results. */
void reverse_region(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints);

/* --- autodiff_remat.c */
/* The reverse of a `remat`: computes its block again at `b` and sweeps that. */
void reverse_remat(Autodiff *ad, Builder *b, Node *node, Adjoints *adjoints);
/* Puts what is in them in the place of all `remat` nodes. */
void open_remats(Graph *graph);

/* --- autodiff_guard.c */
/* Replaces all `guard` nodes, when no gradient is left. */
void expand_guards(Graph *graph, Arena *arena);

/* --- autodiff_keep.c */
typedef struct {
    Value *value;         /* of the forward body */
    Value *again, *stand; /* in the reverse's: computed again, and what stands for it */
} Kept;
typedef VEC(Kept) Keeps;
/* Puts stand-ins for what the reverse of a `for` reads of its iteration rather than computing it again. `map`
 * leads from the forward body's values to the reverse's, `before` are those of the carried values, or NULL.
 */
void keep_costly(Autodiff *ad, const Block *forward, Block *reverse, const Map *map, Value *const *before,
                 Keeps *keeps);

/* --- autodiff_tape.c */
/* The number of iterations of a `for`, computed before it. */
Value *loop_count(Autodiff *ad, Node *loop);
/* Result of `loop` (a `for`) that holds carried value `k` before the first iteration and after each:
 * [iterations + 1, …]. */
Value *loop_tape(Autodiff *ad, Node *loop, uint32_t k);
/* The same for another value of the body, of each iteration: [iterations, …]. */
Value *value_tape(Autodiff *ad, Node *loop, Value *value);
/* One entry of a tape, of the type that the carried value has. */
Value *tape_read(Builder *b, Value *tape, Value *position, const Type *type);
/* Appends copies of the block's nodes but its yield, without what a second run mustn't repeat. */
void clone_forward(Autodiff *ad, const Block *block, Builder *b, Map *map);
/* A `for` that does what a `while` did, without its effects; its results are the while's. Builds at `b`. */
Node *loop_from_while(Autodiff *ad, Builder *b, Node *loop);

/* --- autodiff_break.c */
void report_independent(Autodiff *ad);
void report_earlier(Autodiff *ad, const Value *carried);
/* `id` at the place of grad, with the reason at `node`. */
void report_unsupported(Autodiff *ad, DiagnosticId id, const Node *node, const char *why);

#endif
