/* The cost model of products: register tile, packing, blocks and chunks. */
#include "codegen/contract_schedule.h"
#include "codegen/contract_dot.h"
#include <inttypes.h>

/* Measured on one core; see docs/performance.md. */
enum {
    ASSUMED_SIZE = 192,      /* of a size known at run time only */
    MIN_CHUNK_WORK = 400000, /* multiply-adds: below it a thread's start costs more than it saves */
    MAX_PIECES = 16,         /* that rows, columns, or both together are cut into */
    TILE_OVERHEAD = 60,      /* half cycles to start and store a tile */
    PACKED_DEPTH = 2048,     /* steps of k that a packed block holds */
    COPIED_COLUMNS = 256,    /* that are packed together at most */
    DIRECT_DEPTH = 1024,     /* the same where B is read where it lies, */
    FAR_DEPTH = 512,         /* and the second level doesn't hold it */
    MAX_PACKED_ROWS = 2048,  /* of A in a chunk */
    DOT_PANEL = 4,           /* vectors of columns that dot products fill before their epilogue */
    DOT_TILE = 12,           /* half cycles to start a tile of dot products */
    DOT_TILE_OF_TWO = 42,    /* the same where its sums are more than one vector's */
    DOT_ROW = 3,             /* to store one row of its sums */
    STEPS_AHEAD = 8,         /* of k that B is prefetched */
    POINTERS = 11,           /* to rows that registers hold */
    FEW_NEIGHBOURS = 4,      /* rows next to each other in the result that transposing doesn't pay for */
    SQUARE = 60,             /* to transpose a square of a vector's lanes */
    FEW = 64,                /* rows or columns that packing doesn't pay for */
    PAGE = 4096,             /* strides that are multiples of it collide in the caches */
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
 * quarter of the first-level bandwidth for vectors that come from the second level. Rows that are not one
 * axis take a pointer each, and what is beyond the registers for these is loaded before it is used. */
static double step_cost(const ContractShape *shape, int64_t rows, int64_t vectors) {
    if (rows == 0 || vectors == 0) return 0;
    int64_t loads = rows + vectors + (shape->a_row < 0 ? max64(rows - POINTERS, 0) : 0);
    double cost = (double)max64(max64(rows * vectors, loads), max64(8, 3 * vectors));
    cost *= vectors == 1 ? 1.1 : 1 + 0.01 * (double)max64(vectors - 4, 0);
    return rows > 12 ? 1.05 * cost : rows > 8 ? 1.03 * cost : cost;
}

static double tile_cost(const ContractShape *shape, int64_t rows, int64_t vectors, int64_t tile_rows,
                        int64_t tile_vectors, int64_t depth) {
    int64_t full_rows = rows / tile_rows, rest_rows = rows % tile_rows;
    int64_t full_vectors = vectors / tile_vectors, rest_vectors = vectors % tile_vectors;
    double step = (double)full_rows * (double)full_vectors * step_cost(shape, tile_rows, tile_vectors) +
                  (double)full_vectors * step_cost(shape, rest_rows, tile_vectors) +
                  (double)full_rows * step_cost(shape, tile_rows, rest_vectors) +
                  step_cost(shape, rest_rows, rest_vectors);
    double tiles = (double)(full_rows + (rest_rows > 0)) * (double)(full_vectors + (rest_vectors > 0));
    return step * (double)depth + tiles * (double)TILE_OVERHEAD;
}

/* Is a block of so many elements more than the second level holds beside others? */
static bool is_far(const Target *target, double elements, uint32_t bytes) {
    return elements * bytes > (double)target->l2_bytes / 2;
}

/* Elements of memory that so many of an operand's are: windows share theirs. */
static double distinct(double elements, int64_t span) {
    return span >= 0 && (double)span < elements ? (double)span : elements;
}

static double b_elements(const ContractShape *shape) {
    return distinct((double)assumed(shape->depth) * (double)assumed(shape->columns), shape->b_span);
}

/* Steps of k that are summed up in registers at most. */
static int64_t depth_limit(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    if (plan->pack_b || plan->dot_lanes) return PACKED_DEPTH;
    return is_far(target, b_elements(shape), shape->memory_bytes) ? FAR_DEPTH : DIRECT_DEPTH;
}

/* May tiles be transposed before the epilogue sees them? While they are in registers, and if their rows then
 * are neighbours in the result. */
static bool can_transpose(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    return shape->exchanged && (shape->row_run == 0 || shape->row_run >= FEW_NEIGHBOURS) &&
           shape->bytes >= 4 && plan->lanes > 1 && shape->depth >= 0 &&
           shape->depth <= depth_limit(target, shape, plan);
}

/* Half cycles by which an epilogue is slower whose lanes aren't neighbours in memory, tile by tile:
 * transposed by squares of lanes, or stored one by one. */
static double store_cost(const ContractShape *shape, const ContractSchedule *plan, int64_t rows,
                         int64_t tile_rows) {
    int64_t columns = max64(assumed(shape->columns), 1), lanes = plan->lanes;
    if (!shape->exchanged) return 0;
    if (!plan->transposed) return 6.0 * (double)rows * (double)columns;
    int64_t squares = rows / tile_rows * div_up(tile_rows, lanes) + div_up(rows % tile_rows, lanes);
    return SQUARE * (double)(div_up(columns, lanes) * squares) + 0.3 * (double)rows * (double)columns;
}

/* The cheapest tile whose accumulators, vectors of B and one broadcast of A fit into the registers. A few are
 * left for broadcasts ahead of their use: without them LLVM spills an accumulator and rotates all others. */
static double choose_tile(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t rows = max64(assumed(shape->rows), 1), depth = max64(assumed(shape->depth), 1);
    int64_t vectors = max64(div_up(assumed(shape->columns), plan->lanes), 1);
    int64_t registers = target->vector_registers;
    double best = -1, runs = 1;
    if (plan->row_run) runs = (double)rows / (double)plan->row_run, rows = plan->row_run;
    for (int64_t r = CONTRACT_MAX_ROWS; r >= 1; r--)
        for (int64_t v = CONTRACT_MAX_VECTORS; v >= 1; v--) {
            if (r > rows || v > vectors || r * v + v + 1 > registers - registers / 16) continue;
            double cost =
                runs * (tile_cost(shape, rows, vectors, r, v, depth) + store_cost(shape, plan, rows, r));
            if (best >= 0 && cost >= best) continue;
            best = cost, plan->rows = (uint32_t)r, plan->vectors = (uint32_t)v;
        }
    return best;
}

/* --- packing */
static bool collides(int64_t stride, uint32_t bytes) {
    return stride > 0 && stride % PAGE * bytes % PAGE == 0;
}

static bool should_pack_b(const ContractShape *shape) {
    if (shape->b_column != 1) return true;
    return assumed(shape->rows) >= FEW && assumed(shape->depth) > FEW &&
           collides(shape->b_depth, shape->memory_bytes);
}

/* A that lies transposed, so that each step of k reads another page and another line of the same cache set.
 */
static bool should_pack_a(const ContractShape *shape) {
    return shape->a_row == 1 && shape->a_depth != 1 && shape->rows > 0 && shape->rows <= MAX_PACKED_ROWS &&
           assumed(shape->columns) >= FEW && assumed(shape->depth) > FEW &&
           collides(shape->a_depth, shape->memory_bytes);
}

/* Half cycles to pack all of an operand: copied where rows or columns are contiguous, transposed by shuffles,
 * squares of `lanes` at most `run` deep, where k is, else gathered. */
static double pack_cost(const Target *target, double elements, uint32_t bytes, int64_t stride,
                        int64_t depth_stride, int64_t run) {
    double far = is_far(target, elements, bytes) ? 0.75 : 0, lanes = (double)target->vector_bytes / bytes;
    if (stride == 1) return (0.25 + far) * elements;
    double part = run < 0 || (double)run > lanes ? 1 : (double)max64(run, 1) / lanes;
    double square = depth_stride == 1 && bytes >= 4 ? 0.6 / part : 3.0;
    return (far + (square < 3.0 ? square : 3.0)) * elements;
}

/* Half cycles to bring the operands near: both once, A again for each panel if the second level doesn't hold
 * it. That overlaps with the arithmetic as long as a cache holds A at all. */
static double touch_cost(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    double depth = (double)assumed(shape->depth), rows = (double)assumed(shape->rows), near = 0.3, far = 1;
    double a = distinct(rows * depth, shape->a_span);
    double b = b_elements(shape);
    double again = (double)assumed(shape->columns) / (plan->vectors * plan->lanes) - 1;
    double block = depth > (double)PACKED_DEPTH ? a * (double)PACKED_DEPTH / depth : a;
    double price = block * shape->bytes > 4.0 * (double)target->l2_bytes ? far : 0.12;
    double cost = (is_far(target, a, shape->bytes) ? far : near) * a;
    if (is_far(target, block, shape->bytes) && again > 0) cost += price * again * a;
    /* Short pieces of rows keep prefetchers from running ahead. */
    double piece = (double)assumed(shape->columns) * shape->memory_bytes, slow = 1;
    if (shape->b_column == 1 && shape->b_depth > shape->columns) slow = 1 + 512 / piece;
    return cost + slow * (is_far(target, b, shape->bytes) ? far : near) * b;
}

/* --- dot products: lanes along k */
/* Half cycles of one step of k: loads that may cross lines of the cache, and a latency of four cycles. */
static double dot_step_cost(double rows, double columns, double b_load) {
    double cost = rows * columns, loads = 1.25 * rows + b_load * columns;
    if (rows * columns == 0) return 0;
    if (loads > cost) cost = loads;
    return cost > 8 ? cost : 8;
}

/* Of so many rows by so many columns, by tiles and what they leave over. */
static double dot_cost(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    int64_t rows = assumed(shape->rows), columns = assumed(shape->columns), depth = assumed(shape->depth);
    int64_t last = max64(shape->depth_last < 0 ? depth : shape->depth_last, 1), lanes = plan->dot_lanes;
    double steps = (double)(depth / last) * (double)div_up(last, lanes);
    double r = (double)plan->rows, c = (double)plan->dot_columns;
    double rest_r = (double)(rows % plan->rows), rest_c = (double)(columns % plan->dot_columns);
    double full_r = (double)(rows / plan->rows), full_c = (double)(columns / plan->dot_columns);
    double b = b_elements(shape);
    bool near = b * shape->bytes < target->l1_bytes / 2;
    /* What is read again for each tile of rows but the first. */
    double again = near ? 1.25 : is_far(target, b, shape->bytes) ? 6 : 3;
    double passes = full_r + (rest_r > 0), load = passes > 1 ? again + (1.25 - again) / passes : 1.25;
    double step = full_r * (full_c * dot_step_cost(r, c, load) + dot_step_cost(r, rest_c, load)) +
                  full_c * dot_step_cost(rest_r, c, load) + dot_step_cost(rest_r, rest_c, load);
    double tiles = (full_r + (rest_r > 0)) * (full_c + (rest_c > 0));
    double tile = r * c > plan->dot_lanes ? DOT_TILE_OF_TWO : DOT_TILE;
    /* Without masks, what is left over of k is loaded lane by lane. */
    if (target->vector_bytes < 32 && (last % lanes || shape->depth_last < 0))
        tile += 4.0 * (double)lanes * (r + c) * (double)(depth / last);
    return step * steps + tile * tiles + DOT_ROW * (double)rows * (full_c + (rest_c > 0));
}

/* The cheapest tile of dot products, or a negative cost where k is not contiguous. Columns are a power of
 * two: its sums are stored by whole instructions, and a panel has room for what lies beyond the last column.
 */
static double choose_dot(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t registers = target->vector_registers, lanes = target->vector_bytes / shape->bytes;
    int64_t rows = max64(assumed(shape->rows), 1), columns = max64(assumed(shape->columns), 1);
    bool pack = shape->b_depth != 1;
    double best = -1;
    if (shape->a_depth != 1 || assumed(shape->depth) < lanes) return -1;
    if (pack && (!shape->single_depth || shape->columns < 0)) return -1;
    ContractSchedule now = {
        .lanes = choose_lanes(target, shape), .dot_lanes = (uint32_t)lanes, .dot_unroll = 1, .pack_b = pack};
    now.vectors = (uint32_t)min64(div_up(columns, now.lanes), DOT_PANEL);
    for (int64_t r = min64(DOT_MAX_ROWS, rows); r >= 1; r--)
        for (int64_t c = DOT_MAX_COLUMNS; c >= 1; c /= 2) {
            if (c > columns || r * c + min64(r, c) + 1 > registers - registers / 16) continue;
            now.rows = (uint32_t)r, now.dot_columns = (uint32_t)c;
            double cost = dot_cost(target, shape, &now);
            if (best >= 0 && cost >= best) continue;
            best = cost, *plan = now;
        }
    if (pack)
        best += pack_cost(target, (double)assumed(shape->depth) * (double)columns, shape->bytes,
                          shape->b_depth, shape->b_column, shape->columns);
    return best;
}

/* --- few rows: bound by reading B. A few rows of B at a time, over all columns, with the sums in memory. */
enum { FEW_ROWS = 4, STREAMED_DEPTH = 8, STREAMED_VECTORS = 8 };

/* A B that comes from far is read as it lies: several columns at once are several places to read from, in
 * which prefetchers see no pattern. The sums of as many columns as make a vector wait for each other. */
static void dots_in_turn(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t rows = shape->rows, lanes = plan->dot_lanes;
    if (rows < 1 || rows > FEW_ROWS || plan->pack_b ||
        !is_far(target, b_elements(shape), shape->memory_bytes))
        return;
    plan->rows = (uint32_t)rows;
    plan->dot_unroll = (uint32_t)max64(STREAMED_VECTORS / rows, 2);
    plan->dot_columns = 1;
    while (plan->dot_columns * 2 * rows <= lanes && plan->dot_columns * 2 <= assumed(shape->columns))
        plan->dot_columns *= 2;
}

static bool streams(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    return shape->rows > 0 && shape->rows <= FEW_ROWS && !plan->pack_b && shape->depth > 2 * STREAMED_DEPTH &&
           shape->depth_inner == 1 &&
           (double)shape->depth * (double)assumed(shape->columns) * shape->memory_bytes > target->l1_bytes;
}

static double outer_cost(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    plan->lanes = choose_lanes(target, shape);
    plan->pack_a = should_pack_a(shape);
    plan->pack_b = should_pack_b(shape);
    double cost = choose_tile(target, shape, plan), depth = (double)assumed(shape->depth);
    if (can_transpose(target, shape, plan)) {
        ContractSchedule other = *plan;
        other.transposed = true, other.row_run = shape->row_run;
        double transposed = choose_tile(target, shape, &other);
        if (transposed < cost) cost = transposed, *plan = other;
    }
    if (plan->pack_a)
        cost += pack_cost(target, depth * (double)assumed(shape->rows), shape->bytes, shape->a_row,
                          shape->a_depth, shape->depth_last);
    if (plan->pack_b)
        cost += pack_cost(target, depth * (double)assumed(shape->columns), shape->bytes, shape->b_column,
                          shape->b_depth, shape->b_run);
    return cost + touch_cost(target, shape, plan);
}

/* Of one product, or of a chunk of it. */
static double cost_of(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    ContractSchedule dot = {.lanes = 1};
    double by_tiles = outer_cost(target, shape, plan), by_dots = choose_dot(target, shape, &dot);
    if (by_dots >= 0)
        by_dots += touch_cost(target, shape, &dot) + store_cost(shape, &dot, assumed(shape->rows), dot.rows);
    bool dots = by_dots >= 0 && by_dots < by_tiles;
    if (dots) *plan = dot;
    return dots ? by_dots : by_tiles;
}

double contract_cost(const Target *target, const ContractShape *shape) {
    ContractSchedule plan = {.lanes = 1};
    return cost_of(target, shape, &plan);
}

/* --- blocks */
static void choose_blocks(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t panel = (int64_t)plan->vectors * plan->lanes, depth = assumed(shape->depth);
    int64_t limit = depth_limit(target, shape, plan);
    /* Where each element of an operand is read once, nothing has to stay near; but no lane adds up more than
     * so many products by itself. */
    bool once = plan->dot_lanes && ((shape->rows >= 0 && shape->rows <= plan->rows) ||
                                    (shape->columns >= 0 && shape->columns <= plan->dot_columns));
    if (once) limit = DIRECT_DEPTH * (int64_t)plan->dot_lanes;
    if (!plan->dot_lanes && streams(target, shape, plan)) {
        plan->depth_block = STREAMED_DEPTH;
        return;
    }
    if (shape->depth > limit && shape->depth_inner > 0) {
        int64_t steps = div_up(shape->depth, limit);
        plan->depth_block = max64(div_up(shape->depth / shape->depth_inner, steps), 1);
        if (plan->dot_lanes && shape->single_depth)
            plan->depth_block = div_up(plan->depth_block, plan->dot_lanes) * plan->dot_lanes;
        depth = plan->depth_block * shape->depth_inner;
    }
    if (shape->depth < 0 && shape->depth_inner > 0) {
        plan->depth_block = max64(limit / shape->depth_inner, 1);
        depth = plan->depth_block * shape->depth_inner;
    }
    if (once || (plan->dot_lanes && plan->pack_b)) return;
    /* A packed panel is used while it is near; so is one of a B that the second level doesn't hold. */
    bool large = (double)depth * (double)assumed(shape->columns) * shape->bytes > target->l2_bytes / 2;
    if (plan->pack_b || large) plan->column_block = panel;
    /* A B with contiguous rows is packed from longer pieces of these if the cache has room. */
    int64_t room = target->l2_bytes / 4 / (max64(depth, 1) * shape->bytes);
    if (plan->pack_b && shape->b_column == 1)
        plan->column_block = max64(min64(COPIED_COLUMNS, room) / panel, 1) * panel;
}

/* What comes from beyond the second level is asked for before it is needed: rows of A begin too often for the
 * processor to see their pattern, and each row of a B that few rows pass is used just now for the first time.
 */
static void choose_prefetch(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    double a = distinct((double)assumed(shape->rows) * (double)assumed(shape->depth), shape->a_span);
    double b = b_elements(shape);
    if (plan->dot_lanes || !shape->single_depth) return;
    plan->ahead_a = !plan->pack_a && shape->a_depth == 1 && shape->a_row >= 0 &&
                    is_far(target, a * (double)assumed(shape->outer), shape->memory_bytes);
    if (!plan->pack_b && shape->rows >= 0 && shape->rows <= FEW && is_far(target, b, shape->memory_bytes))
        plan->ahead_b = STEPS_AHEAD;
}

/* --- chunks */
static ContractShape part_of(const ContractShape *shape, int64_t row_pieces, int64_t column_pieces,
                             uint32_t lanes) {
    ContractShape part = *shape;
    int64_t run = max64(shape->row_run, 1);
    if (part.a_span > 0) part.a_span = div_up(part.a_span, row_pieces);
    if (part.b_span > 0) part.b_span = div_up(part.b_span, column_pieces);
    if (row_pieces > 1) part.rows = div_up(div_up(shape->rows, row_pieces), run) * run;
    if (column_pieces > 1) part.columns = div_up(div_up(shape->columns, column_pieces), lanes) * lanes;
    return part;
}

/* Time with 1, 2, 4, … threads that take chunks in turn, each counted by what it would be at best. */
static double time_of(double chunk, int64_t chunks) {
    double time = 0;
    for (int64_t threads = 1; threads <= MAX_PIECES / 2; threads *= 2)
        time += chunk * (double)(div_up(chunks, threads) * threads);
    return time;
}

/* Cuts rows and columns of a product in powers of two. */
static void cut(const Target *target, const ContractShape *shape, int64_t pieces, ContractSchedule *plan) {
    double best = -1;
    uint32_t lanes = choose_lanes(target, shape);
    for (int64_t r = 1; r <= pieces && r <= max64(shape->rows, 1); r *= 2)
        for (int64_t c = 1; r * c <= pieces && c <= max64(shape->columns / lanes, 1); c *= 2) {
            ContractShape part = part_of(shape, r, c, lanes);
            ContractSchedule now = {.lanes = lanes};
            int64_t rows = r > 1 ? div_up(shape->rows, part.rows) : 1;
            int64_t columns = c > 1 ? div_up(shape->columns, part.columns) : 1;
            double cost =
                time_of(cost_of(target, &part, &now), max64(assumed(shape->outer), 1) * rows * columns);
            if (best >= 0 && cost >= best) continue;
            best = cost, *plan = now;
            plan->chunk_rows = rows > 1 ? part.rows : 0;
            plan->chunk_columns = columns > 1 ? part.columns : 0;
        }
    plan->chunk_outer = 1;
}

/* Threads that share out columns each read all of A, those that share out rows all of B. What another core
 * wrote is slow to come: B moves less often if it outweighs what moves in its stead, A and the result, whose
 * other readers go by rows. So a layer's weights stay with the thread that updates them. */
static bool shares_columns(const ContractShape *shape) {
    double rows = (double)assumed(shape->rows), columns = (double)assumed(shape->columns);
    double a = distinct(rows * (double)assumed(shape->depth), shape->a_span);
    return b_elements(shape) > a + rows * columns;
}

/* Of rows whose number is known at run time only: as many as make a chunk's work. */
static void cut_unknown(const ContractShape *shape, ContractSchedule *plan) {
    double row = (double)max64(assumed(shape->columns), 1) * (double)max64(assumed(shape->depth), 1);
    int64_t together = plan->row_run ? plan->row_run : plan->rows;
    int64_t tiles = (int64_t)(4.0 * (double)MIN_CHUNK_WORK / row / (double)together);
    plan->chunk_rows = max64(tiles, 1) * together;
    plan->chunk_outer = 1;
}

ContractSchedule contract_schedule(const Target *target, const ContractShape *shape) {
    ContractSchedule plan = {.lanes = 1};
    double one = (double)max64(assumed(shape->depth), 1) * (double)max64(assumed(shape->rows), 1) *
                 (double)max64(assumed(shape->columns), 1);
    double all = one * (double)max64(assumed(shape->outer), 1);
    int64_t wanted = all < (double)MIN_CHUNK_WORK ? 1 : (int64_t)(all / (double)MIN_CHUNK_WORK);
    int64_t pieces = min64(wanted, MAX_PIECES) / min64(max64(assumed(shape->outer), 1), MAX_PIECES);
    cost_of(target, shape, &plan);
    if (one < (double)MIN_CHUNK_WORK && shape->rows >= 0 && shape->columns >= 0)
        plan.chunk_outer = (int64_t)((double)MIN_CHUNK_WORK / one) + 1;
    else if (shape->rows < 0)
        cut_unknown(shape, &plan);
    else
        cut(target, shape, shape->columns < 0 ? 1 : max64(pieces, 1), &plan);
    if (shape->outer >= 0 && plan.chunk_outer >= shape->outer) plan.chunk_outer = 0;
    if (plan.dot_lanes) dots_in_turn(target, shape, &plan);
    choose_blocks(target, shape, &plan);
    choose_prefetch(target, shape, &plan);
    plan.columns_first = shares_columns(shape);
    /* Sums that wait in memory are not transposed. */
    if (plan.depth_block) plan.transposed = false, plan.row_run = 0;
    return plan;
}

void contract_schedule_print(FILE *out, const ContractSchedule *plan) {
    if (plan->blas) fprintf(out, "OpenBLAS, ");
    if (plan->dot_lanes)
        fprintf(out, "dot products by %u of %ux%u%s, ", plan->dot_lanes, plan->rows, plan->dot_columns,
                plan->dot_unroll > 1 ? " in turn" : "");
    fprintf(out, "tile %ux%ux%u%s%s%s%s%s, depth block %" PRId64 ", column block %" PRId64, plan->rows,
            plan->vectors, plan->lanes, plan->transposed ? ", transposed" : "",
            plan->pack_a ? ", pack A" : "", plan->pack_b ? ", pack B" : "", plan->ahead_a ? ", A ahead" : "",
            plan->ahead_b ? ", B ahead" : "", plan->depth_block, plan->column_block);
    fprintf(out, ", chunks of %" PRId64 " products, %" PRId64 " rows, %" PRId64 " columns\n",
            plan->chunk_outer, plan->chunk_rows, plan->chunk_columns);
}
