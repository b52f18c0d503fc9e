/* What parts of a product cost, in half cycles of one core with two multiply-add pipes: the estimates that
 * schedules are chosen by. Sizes known at run time only are taken to be 192. */
#ifndef CODEGEN_CONTRACT_COST_H
#define CODEGEN_CONTRACT_COST_H

#include "codegen/contract_schedule.h"

static inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

enum {
    FEW = 64,    /* rows or columns that packing doesn't pay for */
    PAGE = 4096, /* bytes: strides that are multiples of it collide in the caches */
    FEW_ROWS = 4 /* so few that reading B is what takes the time */
};

/* Steps of k that are summed up in registers at most: */
enum {
    PACKED_DEPTH = 2048,   /* steps of k that a packed block holds */
    NARROW_DEPTH = 800,    /* the same where panels are narrow */
    DIRECT_DEPTH = 1024,   /* the same where B is read where it lies, */
    FAR_DEPTH = 512,       /* and the second level doesn't hold it, */
    INTEL_FAR_DEPTH = 256, /* which is slow there; */
    PANEL_DEPTH = 4096,    /* where it is a stream whose next panel is asked for in time, at most */
};

/* A size, or what it is taken to be. */
int64_t cost_assumed(int64_t size);
/* Elements of a vector. */
uint32_t cost_lanes(const Target *target, const ContractShape *shape);
/* Is the third level so slow that operands are rather packed, and read once? What of products whose k is
 * several axes, gradients and windows, is known for others holds there, too. */
bool cost_third_is_slow(const Target *target, const ContractShape *shape);
/* Are two vectors, a tile's row of B, no more than a line of a cache? */
bool cost_is_narrow(const Target *target);
/* Is a block of so many elements more than the second level holds beside others? */
bool cost_is_far(const Target *target, double elements, uint32_t bytes);
/* Do elements so far apart fall into one set of a cache? */
bool cost_collides(int64_t stride, uint32_t bytes);
/* Elements of memory that so many of an operand are: windows share theirs. */
double cost_distinct(double elements, int64_t span);
double cost_b_elements(const ContractShape *shape);
/* Steps of k that are summed up in registers at most. */
int64_t cost_depth_limit(const Target *target, const ContractShape *shape, const ContractSchedule *plan);
/* Columns that are packed together, in blocks so many steps deep. */
int64_t cost_columns_together(const Target *target, const ContractShape *shape, const ContractSchedule *plan,
                              int64_t depth);
/* Where tiles read B: in order or from the first level; from rows that lie apart; or these from beyond the
 * second level, for which the first tile of a panel's waits. */
typedef enum { B_NEAR, B_APART, B_FAR } BPlace;
/* Of so many rows by so many vectors, the last of which may be a half, by tiles and what these leave over. */
double cost_tiles(const Target *target, const ContractShape *shape, int64_t rows, double vectors,
                  int64_t tile_rows, int64_t tile_vectors, int64_t depth, BPlace b);
/* By which an epilogue is slower whose lanes are not neighbours in memory. */
double cost_store(const Target *target, const ContractShape *shape, const ContractSchedule *plan,
                  int64_t rows, int64_t tile_rows);
/* To add what blocks of k give to the sums so far, where there are more than one. */
double cost_sums(const Target *target, const ContractShape *shape, const ContractSchedule *plan);
/* To pack all of an operand, in steps of k of `depth_stride`, `run` of which follow each other. */
double cost_pack(const Target *target, double elements, uint32_t bytes, int64_t stride, int64_t depth_stride,
                 int64_t run);
/* To bring both operands near. */
double cost_touch(const Target *target, const ContractShape *shape, const ContractSchedule *plan);
/* By tiles of dot products, and what these leave over. */
double cost_dot(const Target *target, const ContractShape *shape, const ContractSchedule *plan);

#endif
