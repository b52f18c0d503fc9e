/* Programs at random for the comparison of compiled code with the interpreter: every operation, every element
 * type, run-time sizes, nested control, training steps.
 *
 *     random_program.c  the program around: inputs, sizes, what is saved
 *     random_value.c    a value of a wanted type
 *     random_node.c     one node of each family
 *     random_chain.c    products that share their outer axes
 *     random_control.c  branches, loops, sizes that become known at run time, derivatives
 *     random_steps.c    loops over the slices of a tensor */
#ifndef TESTS_UNIT_RANDOM_PROGRAM_H
#define TESTS_UNIT_RANDOM_PROGRAM_H

#include "ir/build.h"

typedef struct {
    const char *text; /* a command that takes its size, loads, computes and saves */
    int64_t size;     /* the argument to run it with */
    bool special;     /* load NaN, infinities and extremes too */
} RandomProgram;

/* The same for the same seed. */
RandomProgram random_program(Arena *arena, uint64_t seed);

/* --- between the files */
typedef VEC(Value *) Values;

typedef struct {
    const Dim *dim;
    int64_t least, most; /* its values at run time */
} RandomSymbol;

typedef struct {
    Arena *arena;
    IrContext *ir;
    Graph *graph;
    uint64_t random;
    Values pool;               /* visible values */
    Values counts;             /* visible i64 scalars that no float has decided */
    VEC(RandomSymbol) symbols; /* visible ones */
    uint32_t lasting;          /* how many of `symbols` can be seen where inputs are loaded */
    Node *load;
    const Dim *sizes[5]; /* what most axes are */
    DType floats, integers;
    uint32_t depth, budget; /* of blocks; of nodes that are still to come */
    bool trains, large;     /* large: few nodes, of tensors that are cut into chunks */
    int64_t most_elements, most_products;
} Random;

uint32_t below(Random *r, uint32_t limit);
bool chance(Random *r, uint32_t percent);
void offer(Random *r, Value *value);
/* The largest value that the dimension takes; false where nothing says so. */
bool dim_limit(const Random *r, const Dim *dim, int64_t *most);
int64_t dim_least(const Random *r, const Dim *dim);
/* The most elements that a type has, or INT64_MAX. */
int64_t type_limit(const Random *r, const Type *type);

DType random_dtype(Random *r);
DType random_number(Random *r);
const Dim *random_size(Random *r);
const Type *random_type(Random *r, DType dtype, uint32_t most_rank);
Value *value_of(Random *r, Builder *b, const Type *type);
/* One that varies along its axes, from the inputs if it can be. */
Value *fresh_value(Random *r, Builder *b, const Type *type);
Value *some_value(Random *r, Builder *b, DType dtype);
/* Some visible value of rank ≤ most. */
Value *any_value(Random *r, uint32_t most_rank);
Value *index_below(Random *r, Builder *b, const Dim *size);
/* Like index_below where `size` is constant or a symbol; a tensor. */
Value *indices_below(Random *r, Builder *b, const Type *type, const Dim *size);

/* Builds a node where it is allowed and not too large, and offers its results. */
Value *try_node(Random *r, Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t attrs,
                const Attr *attr);
void add_nodes(Random *r, Builder *b, uint32_t count);
void add_plain(Random *r, Builder *b); /* a node without blocks */
void add_chain(Random *r, Builder *b);
void add_tiles(Random *r, Builder *b);
void add_control(Random *r, Builder *b);
void add_steps(Random *r, Builder *b);

#endif
