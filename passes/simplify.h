/* Shared by the files of the pass `simplify`. A rule looks at one node whose operands are final and answers
 * what its first result is instead, building new nodes before it, or NULL. Rules are exact: results keep
 * every bit (of a NaN, that it is one); but small powers become products, which round once more, the terms of
 * a sum that becomes a contraction are added as `@` adds them, and windows that end where there are zeros add
 * products with these. */
#ifndef PASSES_SIMPLIFY_H
#define PASSES_SIMPLIFY_H

#include "ir/build.h"
#include "support/map.h"

typedef struct {
    uint64_t hash;
    Node *node;
    uint32_t next; /* index of the next entry in the bucket, + 1; 0 = none */
} EqualEntry;

/* Nodes that are visible at the place that the walk has reached, by what they compute. */
typedef struct {
    uint32_t *buckets; /* index into entries, + 1 */
    uint32_t bucket_count;
    VEC(EqualEntry) entries;
    uint32_t first; /* entries before this one are outside the kernel that the walk is in */
} EqualTable;

typedef struct {
    Graph *graph;
    Arena *scratch;
    bool changed;
    uint32_t budget;  /* rewrites left in this round: rules that undo each other must not hang the compiler */
    uint32_t *uses;   /* of values, by id, when the round began … */
    uint32_t counted; /* … and there were so many */
    VEC(Node *) symbols; /* that there were then, in order */
    EqualTable equals;
} Simplify;

typedef Value *Rule(Simplify *s, Builder *b, Node *node);

/* --- the kinds of rules, tried in this order */
Rule simplify_fold;    /* constants, by the interpreter (simplify_fold.c) */
Rule simplify_algebra; /* elementwise identities (simplify_algebra.c) */
Rule simplify_view;    /* views of views, of constants, of nothing (simplify_view.c) */
Rule simplify_window;  /* windows, and slices and padding around them (simplify_window.c) */
Rule simplify_sum;     /* windows of a product, added up (simplify_sum.c) */
Rule simplify_reduce;  /* reductions and contractions (simplify_reduce.c) */

Rule simplify_place;   /* places of extremes, compared as bytes (simplify_extreme.c) */
Rule simplify_extreme; /* maxima written as sums, for simplify_reduce (simplify_extreme.c) */
Rule simplify_product; /* sums of products that are contractions, for simplify_reduce (simplify_product.c) */

/* --- the other parts */
/* Replaces an if, for or while by the part of it that runs, or values that it only passes through. True where
 * the node is gone: the walk goes on with what stands in its place. */
bool simplify_region(Simplify *s, Node *node);
/* The earlier node that computes the same as `node`, or NULL after entering `node`. */
Node *equal_node(Simplify *s, Node *node);
uint32_t equal_mark(const Simplify *s);
void equal_release(Simplify *s, uint32_t mark);
/* Resolves all operands and removes what nothing needs, carried values and unread results included. */
void simplify_dead(Simplify *s);
/* Symbols whose value is a constant or another dimension become that. True where some did. */
bool simplify_symbols(Simplify *s);

/* --- questions that rules ask */
static inline Value *in(const Node *node, uint32_t i) { return node->operands[i]; }

static inline const Type *type_of(const Node *node) { return node->results[0]->type; }

static inline bool made_by(const Value *value, Op op) { return value->node && value->node->op == op; }

/* What the view (or whatever has one operand) that made the value is of. */
static inline Value *source(const Value *value) { return value->node->operands[0]; }

/* Is `value` read once, by the node that looks at it? What is new in this round counts as read more often. */
static inline bool read_once(const Simplify *s, const Value *value) {
    return value->id < s->counted && s->uses[value->id] == 1;
}

/* --- constants (simplify_const.c) */
bool is_const(const Value *value);
/* Every element is this number, with this sign of zero; integers too. */
bool is_splat(const Value *value, double number);
Value *const_number(Builder *b, const Type *type, double number); /* of a float type */
Value *const_integer(Builder *b, const Type *type, int64_t integer);
/* The constant's value with another type of the same dtype. */
Value *const_like(Builder *b, const Value *constant, const Type *type);

#endif
