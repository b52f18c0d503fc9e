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
    int64_t a_shared;          /* so many products that follow each other have the same A */
    int64_t b_run;         /* steps of k that follow each other with b_depth: its axes merged as B has them */
    uint32_t bytes;        /* of an accumulator's element */
    uint32_t memory_bytes; /* of an element in memory */
    bool b_streams;        /* B of all products is one stream, [outer, k, column] without gaps */
    bool a_lines;          /* rows lie side by side in lines, and each step of k reads others */
    bool single_depth;     /* k is at most one axis */
    bool exchanged;        /* columns are m: lanes are not neighbours in a row-major result, */
    int64_t row_run;       /* but so many rows are: the innermost axis of n; 0 = all rows */
    bool edges;            /* there are zeros around A: no tile crosses a multiple of row_run */
    uint32_t accesses;     /* of the epilogue, to memory, for each result */
    bool a_apart, b_apart; /* elements are put together when they are packed: A has to be, or B */
} ContractShape;

typedef struct {
#define SCHEDULE_FIELD(type, name, max) type name;
#include "codegen/contract_schedule.def"
#undef SCHEDULE_FIELD
} ContractSchedule;

ContractSchedule contract_schedule(const Target *target, const ContractShape *shape);
/* One that takes little code, whatever its time. */
ContractSchedule contract_schedule_small(const Target *target, const ContractShape *shape);
/* Estimated time in half cycles of one core with two multiply-add pipes, packing included. */
double contract_cost(const Target *target, const ContractShape *shape);
bool schedule_equal(const ContractSchedule *a, const ContractSchedule *b);
/* May tiles be transposed before the epilogue sees them? While they are in registers, and if their rows then
 * are neighbours in the result. */
bool schedule_can_transpose(const Target *target, const ContractShape *shape, const ContractSchedule *plan);
/* Can the product be computed so, with right results? What OpenBLAS can compute `blas_fits` tells. */
bool schedule_fits(const Target *target, const ContractShape *shape, const ContractSchedule *plan);

/* Ways to vary a schedule, to be measured one after the other, each on from the best of those before. */
typedef enum {
    VARY_FORM,   /* dot products or outer ones; what is packed or transposed */
    VARY_TILE,   /* the register tile */
    VARY_BLOCKS, /* of depth and columns; what is fetched ahead */
    VARY_CHUNKS, /* the same number of chunks, cut the other way */
    VARY_COUNT
} Variation;
enum { MAX_CANDIDATES = 16 };
/* `plan` itself and schedules near it, all of which fit; their number. */
uint32_t schedule_candidates(const Target *target, const ContractShape *shape, const ContractSchedule *plan,
                             Variation variation, ContractSchedule *out);
/* `name` of what is so and `name=value`, divided by blanks: for people and files. */
void contract_schedule_print(FILE *out, const ContractSchedule *schedule);
/* The same back, from `text` of `length` bytes. NULL, or what of it isn't understood, in `arena`. */
const char *contract_schedule_parse(const char *text, size_t length, ContractSchedule *out, Arena *arena);

#endif
