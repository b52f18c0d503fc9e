/* What the parts of fuse share. One block is fused at a time; blocks nested in it are done on their own.
 *
 * A *group* becomes one kernel. A node's *homes* are the groups that compute it: one, or several where it is
 * cheap and duplicated. Its *yielder* is the one group that stores it for everybody else. Nodes that are not
 * tensor computations have no home and stay as they are.
 *
 *   fuse.c           the pass: collects a block, runs the steps
 *   fuse_contract.c  before all: contractions take over the order of axes that they are read in
 *   fuse_join.c      step 1, forwards: reductions, contractions, … open groups, consumers join
 *   fuse_inline.c    step 2, backwards: every other node goes into its consumers, or opens a loop
 *   fuse_store.c     step 3: what is stored, and what is computed again by those that read it
 *   fuse_place.c     where in the block a kernel goes
 *   fuse_separate.c  kernels whose results aren't made of parts of one size
 *   fuse_build.c     step 4: groups become kernel nodes, in an order that respects all needs
 *   fuse_graph.c     who uses and needs whom
 *   fuse_order.c     no group may need itself */
#ifndef PASSES_FUSE_H
#define PASSES_FUSE_H

#include "ir/graph.h"
#include "ir/strided.h"
#include "passes/cost.h"
#include "passes/passes.h"
#include "support/map.h"

typedef enum { GROUP_LOOP, GROUP_REDUCE, GROUP_CONTRACT, GROUP_SCATTER, GROUP_SCAN, GROUP_SORT } GroupKind;

typedef struct FuseNode FuseNode;
typedef struct Group Group;

typedef VEC(FuseNode *) FuseNodes;
typedef VEC(Group *) Groups;

/* Where in a group's index space a value lives. */
typedef enum {
    SPACE_NONE, /* anywhere: computed for whatever index its users ask for */
    SPACE_FULL, /* one element for each of the iteration space */
    SPACE_ROW   /* of a reduction: one element for each result */
} Space;

struct Group {
    GroupKind kind;
    FuseNode *seed;    /* the first reduction, contraction, …; the first root of a loop */
    const Type *space; /* the shape iterated over */
    uint32_t rows; /* GROUP_REDUCE: leading axes that aren't reduced, where the reduced axes are the trailing
                      ones; else 0 */
    FuseNodes nodes; /* what it computes */
    uint32_t last;   /* the greatest position among them */
    uint32_t place;  /* the kernel comes after the node at this position, once `placed` */
    bool placed;
    Group *into;    /* the group it was merged into, or NULL */
    FuseNode *rank; /* of its nodes the one whose place in the order is the group's (fuse_order.c) */
    Node *kernel;
    uint32_t mark;
    uint32_t shared, own; /* while a value's readers are looked at: evaluations of it here (fuse_inline.c) */
    bool emitted;
};

struct FuseNode {
    Node *node;
    uint32_t position; /* in the block */
    bool dead;
    bool tensor;   /* goes into a kernel */
    bool external; /* its result is read by something that is no kernel */
    FuseNodes users, needs;
    VEC(Value *) reads; /* of values that its blocks don't define, some may be of blocks in them */
    Groups homes;
    Group *yielder;
    Space space;       /* in the group that it joined or opened */
    const Node *frame; /* joined a contraction: the last permute on the way from it, whose axes the value has;
                          or NULL */
    bool expanded;     /* some user repeats its elements */
    bool of_windows;   /* windows, or computed of such element by element */
    uint32_t overlap;  /* how many windows an element is in, at most, on the way to its users; 0 = 1 */
    uint32_t weight;   /* how often an element is computed, at most, where its users are */
    uint32_t from;     /* where a scalar could be computed already: position + 1; 0 = not known yet */
    uint64_t order;    /* that of a rank, or of what no group stores, after what that needs */
    FuseNode *before, *after; /* in this order */
    uint32_t met;             /* the last search that met it, as a rank */
    uint32_t mark;
    bool emitted;
};

typedef struct {
    Graph *graph;
    IrContext *ir;
    Arena *arena;
    Block *block;
    FuseNodes nodes; /* in order */
    Groups groups;
    uint32_t mark;
    FuseNode *first;     /* in the order of fuse_order.c */
    uint32_t searches;   /* so far */
    FuseNodes heap, met; /* of the last one: what it has still to look at, and what it has looked at, the
                            latest first */
    const FuseNode *way; /* where it began, if it can go on; or NULL */
    bool has_symbols;    /* some symbol is defined in this block */
    Map *symbols;        /* const Dim * → FuseNode * that defines it in this block */
    Map *firsts;         /* what an update gives → what it, and updates before it, began with */
    Map *updates;        /* what an update changes → the last such Node * */
} Fuse;

/* --- fuse_graph.c */
void fuse_collect(Fuse *f, Block *block);
/* The node in this block that defines `value`, or NULL. */
FuseNode *fuse_definition(const Fuse *f, const Value *value);
Value *fuse_result(const FuseNode *n);
Group *fuse_root(Group *group); /* follows merges */
Group *fuse_open(Fuse *f, GroupKind kind, FuseNode *seed, const Type *space);
void fuse_add(Fuse *f, Group *group, FuseNode *n);
void fuse_remove(Fuse *f, Group *group, FuseNode *n);
bool fuse_is_home(const FuseNode *n, const Group *group);

/* --- fuse_order.c */
/* In the program's order, before there are groups. */
void fuse_order_start(Fuse *f);
/* Would the group need itself if it computed its consumer `n`, which no group does yet? Where it wouldn't, it
 * is to do so now. */
bool fuse_join_cyclic(Fuse *f, const FuseNode *n, Group *group);
/* Would a group need itself that is made of two? Where it wouldn't, the second is to be merged into the first
 * now. */
bool fuse_merge_cyclic(Fuse *f, Group *first, const Group *second);
/* Would storing `n` in `group` make the group need itself, through a user of `n` outside it? */
bool fuse_store_cyclic(Fuse *f, FuseNode *n, const Group *group);
/* It wouldn't, as was asked last, and does so now. */
void fuse_order_store(Fuse *f, FuseNode *n, Group *group);
/* The group, which isn't known by the rank of `n`, has stored it and doesn't any more. */
void fuse_order_leave(Fuse *f, FuseNode *n, const Group *group);

/* --- fuse_build.c */
/* Does the group store the node's result for others? */
bool fuse_is_yielded(const FuseNode *n, const Group *group);

/* --- fuse_separate.c */
typedef VEC(Node *) FuseKernels;
/* The kernels, to be put where this one would be, that make its results, those of each of parts of one size;
 * itself where it does. */
void fuse_separate(Fuse *f, Node *kernel, FuseKernels *out);

/* --- fuse_place.c */
/* Who reads the value, regions included; NULL for nobody. After fuse_find_readers, until the next block. */
const FuseNodes *fuse_readers(const Value *value);
void fuse_find_readers(Fuse *f);
/* The position after which the group's kernel goes. */
uint32_t fuse_place(Fuse *f, Group *group);

/* --- fuse_inline.c */
/* Is `n` computed in the group on the way to the contraction, not after it? */
bool fuse_feeds_seed(const FuseNode *n, const Group *group);
/* Can `group` store `n` as a further result? */
bool fuse_can_store(Fuse *f, FuseNode *n, Group *group);

/* --- the steps */
void fuse_reorder_contracts(PassContext *context, Graph *graph);
void fuse_read_inside_zeros(PassContext *context, Graph *graph);
/* Can the contraction leave out the zeros around its operands' windows (fuse_edges.c)? */
bool fuse_fits_edges(const Node *contract, const Strided *x, const Strided *y);
void fuse_join(Fuse *f);
void fuse_inline(Fuse *f);
void fuse_store(Fuse *f);
void fuse_build(Fuse *f);

#endif
