/* How a product is computed, chosen from what is known of its sizes at compile time and from the target. A
 * pure function of these, so that the caller of a kernel and the kernel agree, and results do not depend on
 * the number of threads. */
#ifndef CODEGEN_CONTRACT_SCHEDULE_H
#define CODEGEN_CONTRACT_SCHEDULE_H

#include "codegen/emit.h"
#include <stdio.h>

enum { CONTRACT_MAX_ROWS = 16, CONTRACT_MAX_VECTORS = 8, CONTRACT_MAX_TILE = 64 };

/* What the schedule looks at. Lanes lie along `columns`; -1 stands for a size or stride known at run time
 * only. */
typedef struct {
    int64_t outer;             /* independent products */
    int64_t rows, columns;     /* M and N of each */
    int64_t depth;             /* K: all its axes */
    int64_t depth_inner;       /* K without its outermost axis */
    int64_t depth_last;        /* the innermost axis of K */
    int64_t a_row, a_depth;    /* strides of A: along the rows if these are one axis, along the innermost k */
    int64_t b_column, b_depth; /* strides of B: along columns, along the innermost k axis */
    int64_t a_span, b_span;    /* elements of memory that A and B lie in, which windows share */
    int64_t b_run;         /* steps of k that follow each other with b_depth: its axes merged as B has them */
    uint32_t bytes;        /* of an accumulator's element */
    uint32_t memory_bytes; /* of an element in memory */
    bool single_depth;     /* k is at most one axis */
    bool exchanged;        /* columns are m: lanes are not neighbours in a row-major result, */
    int64_t row_run;       /* but so many rows are: the innermost axis of n; 0 = all rows */
} ContractShape;

typedef struct {
    bool blas;              /* a chunk is computed by OpenBLAS; what says how chunks are is ignored */
    uint32_t lanes;         /* elements a vector */
    uint32_t rows, vectors; /* the full register tile: rows x (vectors · lanes) */
    uint32_t dot_lanes;     /* not 0: dot products along k by vectors of so many lanes, */
    uint32_t dot_columns;   /* rows x dot_columns of them at once, */
    uint32_t
        dot_unroll;  /* or, where this is more than 1, column after column, so many vectors of k at once */
    bool transposed; /* tiles reach the epilogue transposed, its lanes along rows; */
    int64_t row_run; /* no tile then crosses a multiple of so many rows; 0 = it may */
    bool pack_a;     /* copy A into strips of `lanes` rows that the tile reads in order */
    bool pack_b;     /* copy B into panels that the tile reads in order */
    int64_t
        depth_block; /* steps of the outermost k axis between visits of the accumulators in memory; 0 = all */
    int64_t
        column_block; /* columns whose panels of B are in use together, a multiple of the tile's; 0 = all */
    bool ahead_a;     /* the next tile's rows of A are brought near while this one is multiplied */
    uint32_t ahead_b; /* and so is B, so many steps of k ahead; 0 = not */
    int64_t chunk_outer, chunk_rows, chunk_columns; /* what one chunk covers; 0 = all */
    bool columns_first; /* neighbouring chunks, which one thread takes, share columns rather than rows */
} ContractSchedule;

ContractSchedule contract_schedule(const Target *target, const ContractShape *shape);
/* Estimated time in half cycles of one core with two multiply-add pipes, packing included. */
double contract_cost(const Target *target, const ContractShape *shape);
/* One line, for people. */
void contract_schedule_print(FILE *out, const ContractSchedule *schedule);

#endif
