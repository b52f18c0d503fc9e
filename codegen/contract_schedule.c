/* The cost model of products: register tile, packing, blocks and chunks. */
#include "codegen/contract_schedule.h"
#include <inttypes.h>

/* Measured on one core; see docs/performance.md. */
enum {
    ASSUMED_SIZE = 192,      /* of a size known at run time only */
    MIN_CHUNK_WORK = 400000, /* multiply-adds: below it a thread's start costs more than it saves */
    MAX_CHUNKS = 64,
    CHUNKS_WANTED = 16,
    TILE_OVERHEAD = 60, /* half cycles to start and store a tile */
    PANEL_DEPTH = 512,  /* steps of k that a packed block holds */
    PAGE = 4096,        /* strides that are multiples of it collide in the caches */
};

static int64_t assumed(int64_t size) { return size < 0 ? ASSUMED_SIZE : size; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

static uint32_t choose_lanes(const Target *target, const ContractShape *shape) {
    uint32_t lanes = target->vector_bytes / shape->bytes;
    while (lanes > 1 && shape->columns >= 0 && shape->columns <= lanes / 2) lanes /= 2;
    return lanes;
}

/* --- the register tile */
/* Half cycles for one step of k: two multiply-adds, two loads a cycle, a latency of four cycles, and a
 * quarter of the first-level bandwidth for vectors that come from the second level. */
static int64_t step_cost(int64_t rows, int64_t vectors) {
    if (rows == 0 || vectors == 0) return 0;
    return max64(max64(rows * vectors, rows + vectors), max64(8, 3 * vectors));
}

static double tile_cost(int64_t rows, int64_t vectors, int64_t tile_rows, int64_t tile_vectors,
                        int64_t depth) {
    int64_t full_rows = rows / tile_rows, rest_rows = rows % tile_rows;
    int64_t full_vectors = vectors / tile_vectors, rest_vectors = vectors % tile_vectors;
    int64_t step = full_rows * full_vectors * step_cost(tile_rows, tile_vectors) +
                   full_vectors * step_cost(rest_rows, tile_vectors) +
                   full_rows * step_cost(tile_rows, rest_vectors) + step_cost(rest_rows, rest_vectors);
    int64_t tiles = (full_rows + (rest_rows > 0)) * (full_vectors + (rest_vectors > 0));
    return (double)step * (double)depth + (double)(tiles * TILE_OVERHEAD);
}

/* The cheapest tile whose accumulators, vectors of B and one broadcast of A fit into the registers. */
static double choose_tile(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t rows = max64(assumed(shape->rows), 1), depth = max64(assumed(shape->depth), 1);
    int64_t vectors = max64(div_up(assumed(shape->columns), plan->lanes), 1);
    int64_t registers = target->vector_registers;
    double best = -1;
    for (int64_t r = CONTRACT_MAX_ROWS; r >= 1; r--)
        for (int64_t v = CONTRACT_MAX_VECTORS; v >= 1; v--) {
            if (r > rows || v > vectors || r * v + v + 1 > registers) continue;
            double cost = tile_cost(rows, vectors, r, v, depth);
            if (best >= 0 && cost >= best) continue;
            best = cost, plan->rows = (uint32_t)r, plan->vectors = (uint32_t)v;
        }
    return best;
}

/* --- packing */
static bool collides(int64_t stride, uint32_t bytes) { return stride > 0 && (stride * bytes) % PAGE == 0; }

static bool should_pack_b(const Target *target, const ContractShape *shape) {
    if (shape->b_column != 1) return true;
    int64_t rows = assumed(shape->rows), depth = assumed(shape->depth);
    if (rows < 64) return false;
    if (collides(shape->b_depth, shape->memory_bytes) && depth > 64) return true;
    return assumed(shape->columns) * depth * shape->memory_bytes > target->l2_bytes;
}

static bool should_pack_a(const ContractShape *shape) {
    if (shape->a_depth == 1 || shape->a_depth == 0) return false;
    int64_t columns = assumed(shape->columns), depth = assumed(shape->depth);
    return columns >= 256 && depth > 32 && shape->a_depth * shape->memory_bytes >= PAGE / 2;
}

/* Half cycles to pack all of B: transposed by shuffles where k is contiguous, copied where columns are, else
 * gathered. */
static double pack_cost(const ContractShape *shape) {
    double elements = (double)assumed(shape->columns) * (double)assumed(shape->depth);
    if (shape->b_column == 1) return 0.25 * elements;
    return (shape->b_depth == 1 && shape->bytes >= 4 ? 0.6 : 3.0) * elements;
}

double contract_cost(const Target *target, const ContractShape *shape) {
    ContractSchedule plan = {.lanes = choose_lanes(target, shape)};
    double cost = choose_tile(target, shape, &plan);
    return should_pack_b(target, shape) ? cost + pack_cost(shape) : cost;
}

/* --- blocks and chunks */
static void choose_blocks(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t panel = (int64_t)plan->vectors * plan->lanes;
    if (!plan->pack_b) return;
    int64_t depth = assumed(shape->depth);
    if (shape->depth > PANEL_DEPTH && shape->depth_inner > 0) {
        plan->depth_block = max64(PANEL_DEPTH / shape->depth_inner, 1);
        depth = plan->depth_block * shape->depth_inner;
    }
    int64_t columns = target->l2_bytes / 2 / max64(depth * shape->bytes, 1) / panel * panel;
    plan->column_block = max64(columns, panel);
}

/* Cuts `size` in about `pieces` pieces of a multiple of `unit`; the size of a piece, 0 for one piece. */
static int64_t piece(int64_t size, int64_t pieces, int64_t unit) {
    if (size < 0 || pieces <= 1) return 0;
    int64_t length = div_up(div_up(size, pieces), unit) * unit;
    return length >= size ? 0 : length;
}

/* Pieces of a size known at run time: as long as one chunk's work wants. */
static int64_t piece_unknown(double work_of_one, int64_t unit) {
    double length = (double)(4 * MIN_CHUNK_WORK) / (work_of_one > 1 ? work_of_one : 1);
    return max64(div_up((int64_t)length, unit), 1) * unit;
}

/* Columns where B is packed, so that no panel is packed twice; rows otherwise; whole products where there are
 * enough of these. */
static void choose_chunks(const ContractShape *shape, ContractSchedule *plan) {
    int64_t panel = (int64_t)plan->vectors * plan->lanes;
    double depth = (double)max64(assumed(shape->depth), 1);
    double rows = (double)max64(assumed(shape->rows), 1), columns = (double)max64(assumed(shape->columns), 1);
    double one = depth * rows * columns, all = one * (double)max64(assumed(shape->outer), 1);
    bool known = shape->rows >= 0 && shape->columns >= 0 && shape->depth >= 0;
    if (known && one < (double)MIN_CHUNK_WORK) {
        plan->chunk_outer = max64((int64_t)(MIN_CHUNK_WORK / max64((int64_t)one, 1)), 1);
        if (shape->outer >= 0 && plan->chunk_outer >= shape->outer) plan->chunk_outer = 0;
        return;
    }
    plan->chunk_outer = 1;
    int64_t wanted = min64((int64_t)(all / (double)MIN_CHUNK_WORK), CHUNKS_WANTED);
    int64_t pieces = wanted / max64(assumed(shape->outer), 1);
    if (plan->pack_b) {
        plan->chunk_columns = shape->columns < 0 ? piece_unknown(depth * rows, panel)
                                                 : piece(shape->columns, min64(pieces, MAX_CHUNKS), panel);
        if (plan->chunk_columns) return;
    }
    if (shape->rows < 0)
        plan->chunk_rows = piece_unknown(depth * columns, plan->rows);
    else if (pieces > 1 && !(plan->pack_b && shape->rows < 256))
        plan->chunk_rows = piece(shape->rows, pieces, plan->rows);
}

ContractSchedule contract_schedule(const Target *target, const ContractShape *shape) {
    ContractSchedule plan = {.lanes = choose_lanes(target, shape)};
    choose_tile(target, shape, &plan);
    plan.pack_b = should_pack_b(target, shape);
    plan.pack_a = should_pack_a(shape);
    choose_blocks(target, shape, &plan);
    choose_chunks(shape, &plan);
    return plan;
}

void contract_schedule_print(FILE *out, const ContractSchedule *plan) {
    fprintf(out, "tile %ux%ux%u%s%s, depth block %" PRId64 ", column block %" PRId64, plan->rows,
            plan->vectors, plan->lanes, plan->pack_a ? ", pack A" : "", plan->pack_b ? ", pack B" : "",
            plan->depth_block, plan->column_block);
    fprintf(out, ", chunks of %" PRId64 " products, %" PRId64 " rows, %" PRId64 " columns\n",
            plan->chunk_outer, plan->chunk_rows, plan->chunk_columns);
}
