/* Matrix products in the most general form: C[batch, m, n] = Σ_k A[batch, m, k] · B[batch, k, n], where each
 * of batch, m, n and k is a list of axes with arbitrary strides. Emitted as register-tiled outer-product
 * micro-kernels on explicit vectors (GotoBLAS, Goto & van de Geijn 2008; tile sizes measured, see
 * docs/kernels.md). */
#ifndef CODEGEN_CONTRACT_H
#define CODEGEN_CONTRACT_H

#include "codegen/emit.h"

/* A size known at compile time, or a run-time i64. */
typedef struct {
    bool known;
    int64_t constant;
    LLVMValueRef value; /* always set */
} Size;

/* One axis of the iteration space; strides in elements, the constant 0 where the operand lacks the axis. */
typedef struct {
    Size extent, a, b;
} ContractAxis;

/* Zeros around the operand that has the places, B if they are in `n`, A if they are in `m`: an element exists
 * where 0 <= place · stride + k · dilation - low < extent, place and k being the indices of axis `place_axis`
 * and axis `k_axis`, whose extents are known; elsewhere it counts as 0 and isn't read. Either windows slide
 * (contract_slide.h): k has at most EDGE_MAX_STEPS steps at each edge, edges are at the last two n axes, of
 * known extents. Or there are an m and an n, and the places of all edges are in one of them: the k axis of
 * that one's innermost axis's edge, if it has one, has at most EDGE_MAX_STEPS steps; none of its axes but the
 * outermost is known only when the program runs. Axes of extent 1 don't
 * count. */
typedef struct {
    uint32_t place_axis, k_axis; /* of batch…, m…, n… in this order, and of `k` */
    int64_t stride, dilation, low, extent;
} ContractEdge;

enum { EDGE_MAX_STEPS = 8 };

typedef struct Contract Contract;

/* The epilogue: receives `lanes` results in one register of the accumulator's type, consecutive along axis
 * `lane_axis` (an index into `index`), the first at `index` (an i64 an axis: batch…, m…, n…), and stores what
 * it makes of them. `tail`: <lanes x i1>, lanes that exist, of which the first is one; NULL = all. `aligned`:
 * along that axis the first's index is a multiple of `lanes`. The schedule takes it that results are
 * contiguous along n's last axis. For one lane `lane_axis` is meaningless. */
typedef void ContractStore(Emit *e, const Contract *c, const LLVMValueRef *index, LLVMValueRef value,
                           uint32_t lanes, LLVMValueRef tail, uint32_t lane_axis, bool aligned, void *user);

/* Asks for what the store of `count` results along `lane_axis`, from `index` on, is going to read (lanes and
 * `aligned` as for the store): called before they are computed. */
typedef void ContractAhead(Emit *e, const Contract *c, const LLVMValueRef *index, uint32_t count,
                           uint32_t lanes, uint32_t lane_axis, bool aligned, void *user);

/* Is any of the results from index `first` to index `last` asked for? i1, NULL = perhaps. Those that aren't
 * may be stored with any value. */
typedef LLVMValueRef ContractNeeds(Emit *e, const Contract *c, const LLVMValueRef *first,
                                   const LLVMValueRef *last, void *user);

/* Of the one axis of k, [*from, *end): outside it one of the factors of all results from index `first` to
 * index `last` is 0. i64; NULL = nothing is known. */
typedef void ContractTerms(Emit *e, const Contract *c, const LLVMValueRef *first, const LLVMValueRef *last,
                           LLVMValueRef *from, LLVMValueRef *end, void *user);

/* A tile whose sums lie in a buffer: numbers (i64) of its product, of its first row and column, and how many
 * lines and lanes it has (contract_epilogue.h); the buffer. */
enum { TILE_PRODUCT, TILE_ROW, TILE_COLUMN, TILE_LINES, TILE_LANES, TILE_SUMS, TILE_NUMBERS };

/* Calls a function that does contract_store_tile with these. */
typedef void ContractStoreTile(Emit *e, const LLVMValueRef *tile, void *user);

struct Contract {
    uint32_t batch_count, m_count, n_count, k_count; /* any may be 0 (extent 1) */
    const ContractAxis *batch, *m, *n, *k;           /* outer to inner */
    uint32_t edge_count;
    const ContractEdge *edge;
    DType dtype;       /* of A and B in memory; accumulates in f32 (f16, bf16), itself otherwise */
    LLVMValueRef a, b; /* pointers to the first elements */
    ContractStore *store;
    ContractStoreTile *store_tile; /* NULL: what stores a tile is written out wherever that is done */
    uint32_t operations;           /* that `store` takes for an element, */
    uint32_t accesses;             /* and elements of tensors that it reads or writes at its place; 0 = 1 */
    ContractAhead *ahead;          /* NULL: it is near anyway */
    ContractNeeds *needs;          /* NULL: all are asked for */
    ContractTerms *terms;          /* NULL: no factor is known to be 0 */
    void *user;
};

/* The number of chunks the work is cut into, from sizes alone: emitted at the call, in the host function.
 * Constant where sizes are. */
LLVMValueRef contract_chunks(Emit *e, const Contract *c);
/* Code for chunk number `chunk` (i64), inside a kernel function whose e->rt is set. Adjacent axes that are
 * contiguous in each operand are merged first. */
void emit_contract(Emit *e, const Contract *c, LLVMValueRef chunk);
/* The code behind store_tile. */
void contract_store_tile(Emit *e, const Contract *c, const LLVMValueRef *tile);

#endif
