/* The micro-kernel: sum[r][v] += Σ_k A[r, k] · B[k, v], a register tile of rows × vectors over a nest of k
 * axes. */
#ifndef CODEGEN_CONTRACT_TILE_H
#define CODEGEN_CONTRACT_TILE_H

#include "codegen/contract_nest.h"
#include "codegen/contract_schedule.h"

typedef struct {
    uint32_t rows, vectors, lanes;
    uint32_t last_lanes;               /* of the last vector that are multiplied: all, or half of them */
    LLVMTypeRef element;               /* of the sums */
    LLVMTypeRef a_memory, b_memory;    /* of the operands: the same, or converted to it when loaded */
    LLVMValueRef a[CONTRACT_MAX_ROWS]; /* each row's first element */
    LLVMValueRef b;                    /* first element of the first vector */
    LLVMValueRef mask[CONTRACT_MAX_VECTORS]; /* lanes of B that exist; NULL = all */
    bool ahead_a; /* rows of A that follow the tile's are brought near; k is then one axis, of stride 1, */
    LLVMValueRef a_stride; /* and there are so many elements from row to row */
    uint32_t ahead_depth; /* steps of the outermost k axis that A is brought near ahead of its use; 0 = not */
    uint32_t ahead_b;     /* steps of k that B is brought near ahead of its use; 0 = not */
    LLVMValueRef
        ahead_panel; /* place in what follows B in memory, which is brought near, or NULL: at each step */
    uint32_t ahead_shift;          /* what is as far from here as B's row is from `b`, >> ahead_shift */
    uint32_t skip[EDGE_MAX_STEPS]; /* by step of an axis of k: a bit for each row that lacks it; */
    uint32_t skips;                /* 1 + that axis, which is then written out; 0 = no row lacks any */
    bool pairs;                    /* elements are pairs of bf16 (contract_pairs.h) */
    bool apart; /* rows share elements of A at different steps, which take more registers than there are */
    uint32_t k_count;
    TileAxis k[MAX_RANK];                /* outer to inner */
    LLVMValueRef sum[CONTRACT_MAX_TILE]; /* [rows][vectors], in and out; while multiplied [sets] of these, */
    uint32_t sets, turn;                 /* and the one that the next step adds to */
} Tile;

void tile_multiply(Emit *e, Tile *t);
/* Sums of each element that steps of k take turns with, as far as there are registers: a tile that has few
 * would wait for its last multiply-adds. */
uint32_t tile_sets(const Target *target, uint32_t rows, uint32_t vectors);
/* What was loaded, as accumulator type. */
LLVMValueRef tile_convert(Emit *e, LLVMTypeRef element, LLVMValueRef value);
/* Loads an element, or `lanes` neighbours, as accumulator type. */
LLVMValueRef tile_load(Emit *e, LLVMTypeRef memory, LLVMTypeRef element, LLVMValueRef pointer,
                       uint32_t lanes);

#endif
