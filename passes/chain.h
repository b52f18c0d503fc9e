/* What the parts of the pass `chain` share. A chain is a list of kernels of one block that work on the same
 * outer axes; it becomes one kernel, whose parts along these axes are computed one by one, so that what only
 * the kernels hand to each other never exists as a whole.
 *
 *   chain.c        the pass: finds chains
 *   chain_marks.c  which axes of a kernel's values the shared ones are
 *   chain_size.c   whether it pays
 *   chain_tiles.c  parts of a product's tiles, where there is no axis that both factors have
 *   chain_build.c  the kernel of kind `chain` */
#ifndef PASSES_CHAIN_H
#define PASSES_CHAIN_H

#include "ir/graph.h"
#include "support/map.h"
#include "support/vec.h"

/* Where the shared axes are in a value. */
typedef struct {
    int8_t axis[MAX_RANK]; /* of the value, for each of the chain's axes; -1 where it lacks that */
} Marks;

/* A kernel in a chain. */
typedef struct {
    Node *kernel;
    bool again;     /* it is in an earlier chain, and computed here once more */
    Value **inside; /* for each result the value of the body that becomes it: what is yielded, or what that is
                       a reshape of */
    Marks *marks;   /* of these */
} Member;

typedef struct {
    uint32_t axis_count;
    const Dim *dims[MAX_RANK]; /* parts along each shared axis, all of one size */
    const Node *lead;          /* NULL, or what makes the tiles of its only product, */
    Marks tiles;               /* and the shared axes of these */
    VEC(Member *) members;     /* in the order of the program */
    Map *results;              /* Value * of a member → Member * */
    uint32_t first, last;      /* positions of its own kernels */
    uint32_t reach;            /* the last one that reads something of it */
    uint32_t limit;            /* it must be done before the node at this position, */
    uint32_t place;            /* and is done before the one at this */
} Chain;

/* --- chain_marks.c */
/* The axes that an operation's operands would share: those of the contraction's results that both operands
 * have. False where there are none. */
bool chain_axes(const Node *kernel, Chain *out);
/* The kernel as a member of the chain; NULL if its results aren't made part by part. */
Member *chain_member(Arena *arena, const Chain *chain, Node *kernel);
/* The kernel's values (as keys) that depend on the chain's values, on a sum or on a product: they can't be
 * made whole for each part. */
Map *chain_bound(Arena *arena, const Chain *chain, const Node *kernel);
/* What the operand must be so that the node's result is marked so. False where no rule says. */
bool marks_of_operand(const Chain *chain, const Node *node, uint32_t operand, const Marks *result,
                      Marks *out);
/* Can a part of what the node makes be made of parts of its operands? */
bool marks_have_rule(const Chain *chain, const Node *node, const Marks *marks);

/* --- chain_size.c */
/* INT64_MAX where it isn't known. */
int64_t chain_parts(const Chain *chain);
/* What isn't known is taken for large, but parts that are known to be small have nothing from it. */
bool chain_is_large(IrContext *ir, const Chain *chain, const Type *type);
/* No deep products. */
bool chain_is_shallow(const Node *kernel);

/* --- chain_tiles.c */
typedef struct {
    const Type *type;          /* of all tiles */
    uint32_t axis_count;       /* of those that are cut, */
    const Dim *dims[MAX_RANK]; /* in so many parts */
    Marks marks;
    double bytes;        /* of a part, with what goes with it, */
    double limit, least; /* and what it should have */
    int64_t multiple;    /* of which a part's size is one, but along the outermost axis */
} Tiles;

bool chain_is_product(const Node *node);
/* Are the kernel's results tiles that are better made for a part of the product at a time? They aren't cut
 * yet. */
bool tiles_find(const Node *lead, const Node *product, Tiles *out);
/* Cuts one more axis. False where that isn't needed. */
bool tiles_cut(IrContext *ir, Tiles *tiles, uint32_t axis);
/* Are parts small enough? */
bool tiles_are_near(const Tiles *tiles);

/* --- chain_build.c */
/* Is the member's result read by others than the chain? */
typedef bool IsStored(void *user, const Chain *chain, const Value *result);
/* Puts the kernel that does all of the chain before `where`; the members are left for the caller to remove.
 */
void chain_build(Graph *graph, Arena *arena, const Chain *chain, IsStored *is_stored, void *user,
                 Node *where);

#endif
