/* Shared by the files of `hoist` that take a loop's steps together: what every step computes from its own
 * slice of a tensor, all steps compute at once from the whole tensor.
 *
 *     hoist_index.c  which slice a step reads or writes
 *     hoist_stack.c  a value of the loop's body, of all steps, as one tensor
 *     hoist_steps.c  what leaves the loop by that
 *     hoist_place.c  tapes in the place of what is read as they are written */
#ifndef PASSES_HOIST_STEPS_H
#define PASSES_HOIST_STEPS_H

#include "ir/build.h"
#include "passes/hoist.h"

/* One `for` loop. Its steps are numbered in the order of the slices that they read: the order in which they
 * run, or the opposite. */
typedef struct {
    Hoist *hoist;
    Node *loop, *next; /* next: what stands behind the loop at first */
    Block *body;
    const Dim *first, *count; /* the loop's index begins at `first` and runs through `count` numbers */
    Map *sizes;               /* Value → the symbol that it gives its value, of those seen before the loop */
    Map *uses;                /* Value → how often it is read in the body */
    Map *tapes;               /* Value → the carried value, numbered from 1, whose slices it becomes */
} Steps;

/* The slice that a step reads or writes: an index along `axis` that is another one in every step. */
typedef struct {
    uint32_t axis, entry; /* of the tensor; which of the node's starts it is */
    int sign;             /* of the index in the loop's: 1, -1 */
    const Dim *start;     /* the least index */
} StepSlice;

/* --- hoist_index.c */
/* False where the loop's range is no dimension. */
bool hoist_index_range(Steps *s);
/* Is `node` a dynamic_slice or update_slice of one index that is another one in every step, all of them
 * inside? */
bool hoist_index_slice(const Steps *s, const Node *node, StepSlice *slice);
/* Do the steps see all slices of a tensor of that type? */
bool hoist_index_whole(const Steps *s, const StepSlice *slice, const Type *type);
/* The step's number, counted from 0 where `sign` is 1 and down to it where it is -1. */
Value *hoist_index_number(const Steps *s, Builder *b, int sign);

/* --- hoist_steps.c */
/* The update_slice that makes carried value `k`'s next one, a slice of its own in every step, and that
 * nothing else reads; NULL where none does. */
Node *hoist_steps_update(const Steps *s, uint32_t k, StepSlice *slice);

/* --- hoist_place.c */
/* Lets carried value `k` begin as a tensor whose slices are read for the last time where it is written. */
bool hoist_place(Steps *s, uint32_t k);

/* --- hoist_stack.c */
typedef struct {
    Steps *steps;
    bool after;            /* built after the loop, where its results are: else before */
    int sign;              /* of the order of the steps; 0: not known yet */
    uint32_t without;      /* the carried value, numbered from 1, that is replaced: not read */
    bool views;            /* nothing but views that cost nothing is stacked */
    double kept;           /* elements a step of factors of products that become tensors of their own */
    bool writes;           /* factors of contractions may be written to new tapes */
    Map *known;            /* Value → SteadyOrNot, an answer of hoist_stack_can */
    Map *made;             /* Value → Value: stacked */
    VEC(Node *) contracts; /* that are stacked */
    VEC(Value *) taped;    /* that need new tapes */
} Stack;

Stack hoist_stack_new(Steps *s, bool after);
bool hoist_stack_is_steady(Stack *stack, Value *value); /* the same in every step, and makeable outside */
/* Can it be stacked? Notes what is needed for that. */
bool hoist_stack_can(Stack *stack, Value *value);
/* [count, dims of value…]. Where hoist_stack_can said so. */
Value *hoist_stack_make(Stack *stack, Builder *b, Value *value);
/* As the former, of a contraction; factors that cannot be stacked are noted for new tapes where `writes`. */
bool hoist_stack_can_product(Stack *stack, Node *contract);
/* The product of all steps' factors, stacked or, where `sum`, summed over the steps. */
Value *hoist_stack_product(Stack *stack, Builder *b, const Node *contract, bool sum);
/* A steady value, outside the loop. */
Value *hoist_stack_steady(Stack *stack, Builder *b, Value *value);
/* The number of elements; axes of unknown size count as 1. */
double hoist_stack_elements(const Type *type);
/* Does the value, once stacked, still have a rank that there is, and no more elements than is sensible? */
bool hoist_stack_fits(const Steps *s, const Type *type);
/* Carries a tape of `value` through the loop, if none is there. */
void hoist_stack_tape(Stack *stack, Value *value);

#endif
