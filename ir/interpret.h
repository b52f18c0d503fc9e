/* The reference interpreter: runs a function of any graph naively, floats as f64, integers exactly. It is the
 * oracle of every test and the constant folder, and shares no arithmetic with codegen. Each float element
 * carries an error bound: what an evaluation in the value's own dtype, in any order, may be off by.
 *
 * Error bounds: constants and arguments are exact; rounding adds a unit of roundoff of the dtype (sums,
 * products and contractions a unit an addend; f16 and bf16 accumulate in f32), elementary functions 2 ulp;
 * what the operands may be off by goes through every operation as an interval would. An integer or bool that
 * floats decide near a tie has a non-zero `error` too: how far the true result may be from it, infinity where
 * nothing is known; a bool with a non-zero error may be either. Results of control flow that hangs on such a
 * value have infinite errors.
 *
 * Random bits: element number n of `random_bits(seed, stream)` is word 0 of
 *     threefry2x32(key = threefry2x32(key = words(seed), counter = words(stream)), counter = words(n))
 * with 20 rounds (Salmon et al., Parallel random numbers: as easy as 1, 2, 3; SC 2011), where words(v) is (v
 * mod 2^32, v >> 32 mod 2^32) of the i64's bits, low word first, and n the row-major index. The inner hash is
 * one key a node. */
#ifndef IR_INTERPRET_H
#define IR_INTERPRET_H

#include "ir/graph.h"

/* A tensor at run time. Floats are in `f`, integers and bools in `i`, str and data in `p`; the others are
 * NULL. `error` is NULL where it wasn't asked for or every element is exact. Row-major; `dims` has `rank`
 * entries. */
typedef struct {
    DType dtype;
    uint32_t rank;
    int64_t dims[MAX_RANK];
    int64_t count;
    double *f, *error;
    int64_t *i;
    const void **p;
} Tensor;

/* What effects do. Unset members make the effect a no-op (reads of data and files: an error). `stop` ends the
 * run. */
typedef struct {
    void *user;
    int64_t seed;
    void (*print)(void *user, const char *text);
    void (*report)(void *user, uint32_t count, const char *const *names, const Tensor *values);
    void (*progress)(void *user, const char *phase, int64_t total);
    /* `sample` describes each of the `columns`: type and dimensions, no elements. */
    const void *(*data_open)(void *user, const Node *node, uint32_t paths, const char *const *path,
                             uint32_t columns, const Tensor *sample);
    int64_t (*data_len)(void *user, const void *data);
    const void *(*data_shuffle)(void *user, const void *data, int64_t seed, int64_t stream);
    const void *(*data_take)(void *user, const void *data, int64_t first, int64_t count);
    const void *(*data_windows)(void *user, const void *data, int64_t n);
    const void *(*data_sample)(void *user, const void *data, int64_t count, int64_t seed, int64_t stream);
    const void *(*data_repeat)(void *user, const void *data, int64_t n);
    bool (*data_read)(void *user, const void *data, int64_t first, uint32_t columns, Tensor *out);
    bool (*save)(void *user, const char *path, uint32_t count, const char *const *names, const Tensor *values,
                 const Type *const *types);
    bool (*load)(void *user, const char *path, uint32_t count, const char *const *names, Tensor *values);
    /* The state at a checkpoint: `sizes` are the values of its symbols. */
    void (*checkpoint)(void *user, const Node *node, const char *path, int64_t every, int64_t keep,
                       const Tensor *sizes, const Tensor *values);
    /* The site behind which the run goes on, or -1. Then its `sizes` and values are asked for. */
    int64_t (*resume)(void *user, const Node *node, const char *const *path);
    void (*restore)(void *user, uint32_t count, const char *const *names, Tensor *values, bool last);
} InterpretHost;

typedef struct {
    bool ok;
    const char *message; /* where !ok: a failed check, an index out of range, …, with the .nn place */
    Loc loc;
    uint32_t count;
    Tensor *results; /* what the function yields */
} InterpretResult;

/* `arguments`: one per parameter, shapes checked against (and binding) the parameters' symbols. Tensors live
 * in `arena`. */
InterpretResult interpret(const Function *function, uint32_t count, const Tensor *arguments,
                          const InterpretHost *host, bool with_errors, Arena *arena);

/* Evaluates one pure node without blocks whose operands are all given: the constant folder. False if it
 * can't. */
bool interpret_node(const Node *node, const Tensor *operands, Tensor *results, Arena *arena);

/* The nearest value of the float dtype, ties to even. */
double round_to(DType dtype, double value);

Tensor tensor_new(Arena *arena, DType dtype, uint32_t rank, const int64_t *dims);

#endif
