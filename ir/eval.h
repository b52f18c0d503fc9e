/* Shared by the files of the reference interpreter: the state of a run, the table of evaluators, and elements
 * with their error bounds. Private to ir/interpret.c and ir/eval*.c. */
#ifndef IR_EVAL_H
#define IR_EVAL_H

#include "ir/interpret.h"
#include "support/map.h"

typedef struct {
    Arena *arena;              /* results of the block that runs; a loop gives each iteration its own */
    Arena *lasting;            /* messages and symbols: lives as long as the run */
    const InterpretHost *host; /* NULL when folding constants */
    bool errors;               /* carry error bounds */
    Map *symbols;              /* const Dim * → int64_t * */
    Tensor *values;            /* by value id; NULL when folding constants */
    const Node *behind;  /* the checkpoint to go on behind; NULL but while its blocks are being entered */
    const char *message; /* of the failure, NULL so far */
    Loc loc;
} Eval;

/* Computes `node`'s results from its operands. Results come allocated and zeroed by their types, except those
 * of region operations, which the evaluator sets. False after eval_fail. */
typedef bool Evaluate(Eval *e, const Node *node, const Tensor *in, Tensor *out);

#define OP(name, arity, traits, shape, derive) Evaluate eval_##name;
#include "ir/ops.def"
#undef OP

/* Runs one node in its place. */
bool eval_node(Eval *e, const Node *node);

/* Records the failure (the first wins) and returns false. */
bool eval_fail(Eval *e, const Node *node, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The run-time value of a dimension; false (with a failure recorded) where it has none. */
bool eval_dim(Eval *e, const Node *node, const Dim *dim, int64_t *value);
/* Gives a symbol its value. */
void eval_bind(Eval *e, const Dim *symbol, int64_t value);
/* An unset tensor of `type`, with room for errors where `inexact` or it is a float (and errors are carried).
 */
bool eval_tensor(Eval *e, const Node *node, const Type *type, bool inexact, Tensor *out);

/* --- elements */
double tensor_error(const Tensor *t, int64_t at); /* 0 where exact */
bool tensor_inexact(const Tensor *t);             /* any error that isn't 0 */
void tensor_copy_element(const Tensor *from, int64_t source, Tensor *to, int64_t target);
Tensor tensor_copy(Arena *arena, const Tensor *t); /* deep: texts too */
void tensor_distrust(Eval *e, Tensor *t);          /* makes all errors infinite */
/* Row-major strides in elements. */
void tensor_strides(const Tensor *t, int64_t *strides);
/* out[k] = in[offset + Σ index(k)_d · stride_d] for each index of `out`. */
void tensor_copy_strided(const Tensor *in, int64_t offset, const int64_t *strides, Tensor *out);
/* The opposite: out[offset + Σ index(k)_d · stride_d] = in[k] for each index of `in`. */
void tensor_write_strided(const Tensor *in, Tensor *out, int64_t offset, const int64_t *strides);
/* Lines along an axis: the first element of line `number`, whose elements are `stride` apart. */
int64_t tensor_line(int64_t number, int64_t stride, int64_t length);
/* Advances a row-major index; false when it wraps around to zeros. */
bool index_next(uint32_t rank, const int64_t *dims, int64_t *index);

/* --- dtypes */
int64_t wrap(DType dtype, uint64_t value); /* the value mod 2^width in the dtype's range; bools: != 0 */
double unit_roundoff(DType dtype);
double largest_finite(DType dtype);
double accumulator_roundoff(DType dtype); /* of what sums of `dtype` are accumulated in */
double accumulator_limit(DType dtype);    /* the accumulator's largest finite value */
double accumulator_denormal(DType dtype); /* its least positive one */
/* Of an extreme of 0 and -0, which are equal: its sign is not known, and so what divides by it isn't either.
 */
double zero_error(DType dtype);
/* What a result `y` with propagated error `spread` may be off by after an operation within `units` units of
 * roundoff; units = 1 says correctly rounded. */
double error_after(DType dtype, double y, double spread, double units);

/* --- texts (eval_text.c) */
/* Fills the template's placeholders with the arguments; NULL and `*why` where it is wrong. */
const char *format_template(Arena *arena, const char *text, uint32_t count, const Tensor *args,
                            const char **why);

/* --- random bits (eval_random.c) */
void threefry2x32(const uint32_t key[2], const uint32_t counter[2], uint32_t out[2]);

#endif
