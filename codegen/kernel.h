/* Between the kernel*.c files: one kernel node on its way to machine code.
 *
 *   kernel.c           what a kernel reads; equal kernels are one; stages, arguments, the call
 *   kernel_index.c     arithmetic on element numbers; an index over one shape as an index over another
 *   kernel_value.c     a value at an index: what the body's operations mean
 *   kernel_view.c      views: the operand's index from the result's
 *   kernel_window.c    windows of an axis, and their sum
 *   kernel_random.c    random bits
 *   kernel_mask.c      where what a mask hides need not be computed
 *   kernel_space.c     which loops run over an index space, and the loops themselves
 *   kernel_fold.c      accumulators of reductions
 *   kernel_loop.c, kernel_rows.c, kernel_total.c, kernel_contract.c, kernel_scatter.c, kernel_scan.c,
 *   kernel_sort.c, kernel_chain.c      the kinds
 *
 * A *stage* is one function of a kernel, called for chunks 0 … n - 1; the stages of a kernel run one after
 * the other. */
#ifndef CODEGEN_KERNEL_H
#define CODEGEN_KERNEL_H

#include "codegen/access.h"
#include "codegen/emit.h"
#include "codegen/launch.h"
#include "support/vec.h"

/* An index over a shape: what is asked of a value is the elements there. The shape need not be the value's,
 * as long as it has as many elements: reshapes cost nothing until something needs the axes. */
typedef struct At {
    uint32_t lanes, rank;
    const Dim *dims[MAX_RANK];
    Index index[MAX_RANK];
    LLVMValueRef tail; /* <lanes x i1>: lanes that exist; lane 0 always does. NULL = all */
    bool element;      /* straight from a loop over the index space, not worked out by a view */
    LLVMValueRef mask; /* i1 or <lanes x i1>: lanes that are asked for. NULL = all */
} At;

/* Values that are known in a piece of straight-line code and in what is nested in it. */
typedef struct Scope {
    const struct Scope *outer;
    Map *values; /* const Value * → list of (At, register) */
} Scope;

typedef struct Kernel Kernel;

/* A value that later passes over a row need again: one element each of the row. */
typedef struct {
    uint32_t pass; /* that computes it */
    LLVMValueRef memory;
} Stored;

typedef struct {
    LLVMValueRef (*chunks)(Kernel *k); /* emitted in the host function */
    void (*body)(Kernel *k, LLVMValueRef chunk);
} Stage;

enum { MAX_STAGES = 2 };

typedef struct {
    const char *name;
    uint32_t (*stages)(Kernel *k, Stage *out); /* analysis; what it finds out it keeps in k->plan */
    uint32_t (*variant)(const Kernel *k);      /* what equal bodies may not share; NULL: they share all */
} KernelKind;

struct Kernel {
    Emit *e;
    Arena *arena;
    Node *node;
    Block *body;
    VEC(Value *) captured;    /* in order of first use */
    VEC(const Dim *) symbols; /* likewise */
    VEC(bool) shared;         /* a captured value: may lie where a result does */
    Map *numbers;             /* captured Value * or symbol → its number + 1 */
    uint32_t lanes;           /* of a vector of the body's main type */
    uint32_t cost;            /* rough, of one element of the index space */
    void *plan;               /* of the kind */
    uint32_t variant;         /* of equal bodies, see KernelKind */
    uint32_t workspace;       /* bytes that the stages share, 0 = none */

    /* While nothing is built: how dear the index arithmetic is. */
    bool dry;
    uint32_t splits;
    int64_t step; /* the most elements from lane to lane of a load; INT64_MAX: they lie anywhere */

    /* While a stage's function is built. */
    bool inside;
    LLVMBasicBlockRef entry; /* arguments and sizes; falls into the body when the stage is complete */
    LLVMValueRef *pointers;  /* of results, then of captured values */
    LLVMValueRef space;      /* the workspace */
    Map *sizes;              /* const Dim * → i64 */
    Map *stored; /* const Value * → Stored *: kept in memory from one pass over a row to the next; NULL = none
                  */
    Map *bound;  /* const Value * → register: reductions and products that are complete */
    uint32_t pass;     /* over the row, for `stored` */
    uint32_t row_axes; /* leading axes of an element's index that say the row */
    const Scope *scope;
    unsigned alias_scope, noalias; /* metadata kinds */
    LLVMValueRef read_only;        /* scope list: captured values that no result overlaps */
};

/* --- kernel.c */
extern const KernelKind kernel_loop, kernel_rows, kernel_reduce, kernel_contract, kernel_scatter, kernel_scan,
    kernel_sort, kernel_chain;
/* Rough cost of an element of the node's result, in additions. */
enum { KERNEL_DEAR = 12 };
uint32_t kernel_cost(const Node *node);
Node *kernel_yield(const Kernel *k);
LLVMValueRef kernel_result_pointer(const Kernel *k, uint32_t result);
LLVMValueRef kernel_pointer(const Kernel *k, const Value *captured);
/* While a stage is built: a function of its own for what it does at several places, which `body` emits, and a
 * call of it there. It has the kernel's runtime, pointers and sizes, and `count` further parameters. */
typedef void KernelBody(Kernel *k, LLVMValueRef function, const void *user);
LLVMValueRef kernel_outline(Kernel *k, const char *what, uint32_t count, const LLVMTypeRef *types,
                            KernelBody *body, const void *user);
void kernel_call(Kernel *k, LLVMValueRef function, uint32_t count, const LLVMValueRef *values);
/* The function of a stage, by name, as the module that is emitted into knows it. */
LLVMValueRef kernel_function(Emit *e, const char *name);
/* Puts the nodes of a kernel's body, and of kernels inside, into an order that depends on what they compute
 * alone (kernel_key.c). */
void kernel_order(Arena *arena, Block *body);
/* A text that is equal for kernels that do the same. */
const char *kernel_key(Kernel *k);
/* The run-time value of a dimension: in the host function, or at the entry of the stage's. */
LLVMValueRef kernel_size(Kernel *k, const Dim *dim);
const Dim *kernel_product(Kernel *k, uint32_t count, const Dim *const *dims);

/* --- kernel_index.c. In a dry run nothing is built and bases are NULL. */
Index index_const(Kernel *k, int64_t value);
Index index_of(LLVMValueRef value);
Index index_add(Kernel *k, Index a, Index b, uint32_t lanes);
Index index_scale(Kernel *k, Index a, const Dim *by, uint32_t lanes);
Index index_div(Kernel *k, Index a, const Dim *by, uint32_t lanes);
Index index_mod(Kernel *k, Index a, const Dim *by, uint32_t lanes);
/* Is it in [low, high)? i1 or a vector of them; NULL in a dry run. */
LLVMValueRef index_inside(Kernel *k, Index a, LLVMValueRef low, LLVMValueRef high, uint32_t lanes);

/* Consecutive axes [first, end) of a shape, numbered as one: `size` elements, at `index`. */
typedef struct {
    uint32_t first, end;
    const Dim *size;
    Index index;
} AxisSpan;

/* The index over another shape of as many elements. Bit b of `boundaries` says that a span must begin at axis
 * b; apart from that axes stay together where `at` has them together. Spans come in order and cover all axes.
 */
uint32_t at_spans(Kernel *k, const At *at, uint32_t rank, const Dim *const *dims, uint32_t boundaries,
                  AxisSpan *spans);
/* The row-major number of the element. */
Index at_linear(Kernel *k, const At *at);
bool at_is_uniform(const At *at);
/* The mask of lanes that exist and are asked for, NULL = all. */
LLVMValueRef at_mask(Kernel *k, const At *at);
/* `at` for an operand: same lanes and mask, no axes yet. */
At at_child(const At *at);
void at_push(At *at, const Dim *size, Index index);
void at_restrict(Kernel *k, At *at, LLVMValueRef condition);

/* --- kernel_value.c */
/* The value's elements at `at`, in one register. */
LLVMValueRef value_at(Kernel *k, const Value *value, const At *at);
/* A copy in the kernel's arena, for use with value_at: what is computed is remembered by the pointer. */
const At *at_keep(Kernel *k, const At *at);
/* Stores a register as the elements of result number `result` at `at`. */
void store_result(Kernel *k, uint32_t result, const At *at, LLVMValueRef value);
/* What was stored there. */
LLVMValueRef load_result(Kernel *k, uint32_t result, const At *at);

/* Asks for `count` elements from `at` on, where they are neighbours in memory, before they are needed. */
void prefetch_captured(Kernel *k, const Value *captured, const At *at, uint32_t count);

typedef LLVMValueRef ValueAt(Kernel *k, const Node *node, const At *at);
/* --- kernel_view.c, kernel_window.c, kernel_random.c */
ValueAt at_permute, at_slice, at_broadcast, at_pad, at_concat, at_dynamic_slice, at_gather, at_random_bits,
    at_window, at_window_add;

/* --- kernel_space.c */
/* An index space: loop axes, the last of them vectorised. */
typedef struct {
    uint32_t rank;
    const Dim *dims[MAX_RANK];
    uint32_t reduced; /* bit per axis */
    bool strided;     /* some outer value is read with lanes apart, as a transposed one */
} Space;

/* What is evaluated at every point. */
typedef VEC(const Value *) Roots;

/* Loop axes for a shape: adjacent axes (of the same kind: reduced or not) become one where nothing in the
 * body tells them apart. Leaves the cost in k->splits. */
Space space_choose(Kernel *k, uint32_t rank, const Dim *const *dims, uint32_t reduced, const Roots *roots);
/* The most elements from lane to lane of what is loaded where lanes run along this axis; INT64_MAX: they lie
 * anywhere. */
int64_t space_step(Kernel *k, const Space *space, uint32_t axis, const Roots *roots);
/* An index with all axes of the space, zero. */
At space_origin(Kernel *k, const Space *space);

/* A loop over axes of an index, in order: over the numbers [from, to) of the combinations of all but the
 * last, and over the whole of the last; with one axis over [from, to) of it. The last is vectorised where it
 * is the space's last. */
typedef void NestBody(Kernel *k, const At *at, uint32_t copy, void *user);
typedef struct {
    At frame; /* indices of the other axes */
    uint32_t count, axes[MAX_RANK];
    uint32_t lanes, unroll; /* `copy` runs from 0 to unroll - 1 */
    uint32_t tile; /* elements of the last axis that are done for all rows before the next; 0 = all */
    LLVMValueRef from, to;
    bool joint; /* `body` is called once for all copies, with the first one's index and their number */
    NestBody *body;
    void *user;
} Nest;
void nest_emit(Kernel *k, const Nest *nest);
/* The number of combinations [0, n) that nest_emit's range is part of. */
const Dim *nest_range(Kernel *k, const At *frame, uint32_t count, const uint32_t *axes);
/* Lanes worth having for an axis of this size. */
uint32_t lanes_for(const Kernel *k, const Dim *size);
uint32_t unroll_for(const Kernel *k);

/* Work cut into chunks of `per` units each; all i64. */
typedef struct {
    LLVMValueRef per, count, total;
} Chunks;
/* `unit`: elements in a unit of work. At most `limit` chunks where that isn't 0. */
Chunks chunks_of(Kernel *k, const Dim *units, const Dim *unit, uint32_t multiple, uint32_t limit);
void chunk_range(Kernel *k, const Chunks *chunks, LLVMValueRef chunk, LLVMValueRef *from, LLVMValueRef *to);

/* --- kernel_mask.c */
/* The condition without which the value isn't asked for: all that reads it is a select, elementwise nodes
 * later; NULL if there is none. */
const Value *mask_over(const Kernel *k, const Value *value);
/* Can the condition hold somewhere from `first` to `last`, in each axis of its shape? i1, NULL where nothing
 * is known. */
LLVMValueRef mask_possible(Kernel *k, const Value *mask, const At *first, const At *last);
/* Outside [from, end) of `axis` it is false from `first` to `last` of the other axes, where these are 0 along
 * that. i64, NULL where nothing is known; both may lie outside the axis. */
typedef struct {
    LLVMValueRef from, end;
} MaskRange;
MaskRange mask_both(Emit *e, MaskRange a, MaskRange b); /* where both masks are true */
MaskRange mask_range(Kernel *k, const Value *mask, uint32_t axis, const At *first, const At *last);

/* --- kernel_fold.c: reductions under way */
enum { MAX_UNROLL = 4 };

typedef struct {
    const Node *node;
    Op combine;    /* add, mul, max, min, or, and */
    bool finds;    /* argmax, argmin: the place of the extreme is wanted */
    bool in_order; /* elements come one after the other by their numbers, so the earlier of equals is there
                      first */
    DType dtype;   /* of what is reduced */
    uint32_t lanes, copies;
    LLVMValueRef slot[MAX_UNROLL],
        place[MAX_UNROLL]; /* stack slots of accumulators, and of the extremes' numbers */
} Fold;

/* An accumulator's state in registers; `place` is NULL where it isn't wanted. */
typedef struct {
    LLVMValueRef value, place;
} Folded;

/* What changes nothing that it is combined with. */
LLVMValueRef fold_identity(Kernel *k, Op combine, DType dtype);
Fold fold_open(Kernel *k, const Node *node, uint32_t lanes, uint32_t copies);
/* Takes in the operand's elements at `at`; element numbers are counted along `axes` of it. */
void fold_step(Kernel *k, const Fold *fold, uint32_t copy, const At *at, uint32_t count,
               const uint32_t *axes);
Folded fold_combine(Kernel *k, const Fold *fold, Folded a, Folded b);
Folded fold_load(Kernel *k, const Fold *fold, uint32_t copy);
/* All copies and lanes, in a fixed order, as a scalar. */
Folded fold_across(Kernel *k, const Fold *fold);
/* The reduction's result. */
LLVMValueRef fold_result(Kernel *k, const Fold *fold, Folded state);

/* The reductions of the body, each after those it depends on; `level`, where not NULL, receives their depth,
 * from 0. */
typedef VEC(const Node *) Reductions;
void body_reductions(Kernel *k, Reductions *out, uint32_t *level);

/* New scope of known values for the body of a loop, until scope_close. */
const Scope *scope_open(Kernel *k);
void scope_close(Kernel *k, const Scope *outer);

/* --- kernel_chain.c: a call from within a chain, by the thread that is there */
void chain_call(Emit *e, const char *function, LLVMValueRef chunks, uint32_t count,
                const LaunchArgument *arguments);

#endif
