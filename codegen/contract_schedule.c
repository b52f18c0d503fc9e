/* Chooses how products are computed by what it costs: register tile, packing, blocks and chunks; and what
 * else is worth measuring. */
#include "codegen/contract_schedule.h"
#include "codegen/contract_cost.h"
#include "codegen/contract_dot.h"

/* Measured on one core; see docs/performance.md. */
enum {
    MIN_CHUNK_WORK = 400000, /* multiply-adds: below it a thread's start costs more than it saves */
    BYTE_WORK = 8,           /* multiply-adds in the time in which a byte arrives from memory */
    MAX_PIECES = 16,         /* that rows, columns, or both together are cut into */
    COPIED_COLUMNS = 256,    /* that are packed together at most */
    MAX_PACKED = 1 << 24,    /* elements of A in a chunk */
    DOT_PANEL = 4,           /* vectors of columns that dot products fill before their epilogue */
    STEPS_AHEAD = 8,         /* of k that B is prefetched */
    TILES_AHEAD = 8,         /* that ask for the next panel of B, each for a part */
    CYCLES_AHEAD = 400,      /* that memory takes; of k at most */
    MAX_AHEAD = 32,          /* so many steps */
    FEW_NEIGHBOURS = 4,      /* rows next to each other in the result that transposing doesn't pay for */
    FAR_LEVELS = 2,          /* times the second level's size: more than that is better read by parts */
    FEW = 64,                /* rows or columns that packing doesn't pay for */
    LINE = 64,               /* bytes of a cache's line */
};

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* --- the register tile */
/* May tiles be transposed before the epilogue sees them? While they are in registers, and if their rows then
 * are neighbours in the result. */
bool schedule_can_transpose(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    return shape->exchanged && (shape->row_run == 0 || shape->row_run >= FEW_NEIGHBOURS) &&
           shape->bytes >= 4 && plan->lanes > 1 && shape->depth >= 0 &&
           shape->depth <= cost_depth_limit(target, shape, plan);
}

/* The cheapest tile whose accumulators, vectors of B and one broadcast of A fit into the registers. A few are
 * left for broadcasts ahead of their use: without them LLVM spills an accumulator and rotates all others. */
static double choose_tile(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t rows = max64(cost_assumed(shape->rows), 1), depth = max64(cost_assumed(shape->depth), 1);
    int64_t vectors = max64(div_up(cost_assumed(shape->columns), plan->lanes), 1);
    int64_t registers = target->vector_registers;
    double best = -1, runs = 1;
    if (plan->row_run) runs = (double)rows / (double)plan->row_run, rows = plan->row_run;
    for (int64_t r = CONTRACT_MAX_ROWS; r >= 1; r--)
        for (int64_t v = CONTRACT_MAX_VECTORS; v >= 1; v--) {
            if (r > rows || v > vectors || r * v + v + 1 > registers - registers / 16) continue;
            double cost =
                runs * (cost_tiles(shape, rows, vectors, r, v, depth) + cost_store(shape, plan, rows, r));
            if (best >= 0 && cost >= best) continue;
            best = cost, plan->rows = (uint32_t)r, plan->vectors = (uint32_t)v;
        }
    return best;
}

/* --- packing */
static bool should_pack_b(const ContractShape *shape) {
    if (shape->b_column != 1) return true;
    return cost_assumed(shape->rows) >= FEW && cost_assumed(shape->depth) > FEW &&
           cost_collides(shape->b_depth, shape->memory_bytes);
}

/* Rows of a B beyond the second level that begin anywhere in a line of the cache, so that nearly every vector
 * is loaded from two. Windows share their memory, which packing would multiply. */
static bool lies_across(const Target *target, const ContractShape *shape) {
    double elements = (double)cost_assumed(shape->depth) * (double)cost_assumed(shape->columns);
    return shape->b_column == 1 && shape->b_depth > 0 && target->vector_bytes == LINE &&
           shape->b_depth % LINE * shape->memory_bytes % LINE != 0 && !shape->edges &&
           1.5 * cost_b_elements(shape) > elements && cost_is_far(target, elements, shape->memory_bytes);
}

/* A that lies transposed: each step of k reads another line, of which a tile takes a part. */
static bool may_pack_a(const ContractShape *shape) {
    int64_t depth = cost_assumed(shape->depth);
    return !shape->edges && shape->a_row == 1 && shape->a_depth != 1 && shape->rows > 0 &&
           shape->rows <= MAX_PACKED / min64(max64(depth, 1), PACKED_DEPTH) && depth > FEW &&
           cost_assumed(shape->columns) >= FEW;
}

/* --- dot products: lanes along k */
/* The cheapest tile of dot products, or a negative cost where k is not contiguous. Columns are a power of
 * two: its sums are stored by whole instructions, and a panel has room for what lies beyond the last column.
 */
static double choose_dot(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t registers = target->vector_registers, lanes = target->vector_bytes / shape->bytes;
    int64_t rows = max64(cost_assumed(shape->rows), 1), columns = max64(cost_assumed(shape->columns), 1);
    bool pack = shape->b_depth != 1;
    double best = -1;
    if (shape->edges || shape->a_depth != 1 || cost_assumed(shape->depth) < lanes) return -1;
    if (pack && (!shape->single_depth || shape->columns < 0)) return -1;
    ContractSchedule now = {
        .lanes = cost_lanes(target, shape), .dot_lanes = (uint32_t)lanes, .dot_unroll = 1, .pack_b = pack};
    now.vectors = (uint32_t)min64(div_up(columns, now.lanes), DOT_PANEL);
    for (int64_t r = min64(DOT_MAX_ROWS, rows); r >= 1; r--)
        for (int64_t c = DOT_MAX_COLUMNS; c >= 1; c /= 2) {
            if (c > columns || r * c + min64(r, c) + 1 > registers - registers / 16) continue;
            now.rows = (uint32_t)r, now.dot_columns = (uint32_t)c;
            double cost = cost_dot(target, shape, &now);
            if (best >= 0 && cost >= best) continue;
            best = cost, *plan = now;
        }
    if (pack)
        best += cost_pack(target, (double)cost_assumed(shape->depth) * (double)columns, shape->bytes,
                          shape->b_depth, shape->b_column, shape->columns);
    return best;
}

/* --- few rows: bound by reading B. A few rows of B at a time, over all columns, with the sums in memory. */
enum { FEW_ROWS = 4, STREAMED_DEPTH = 8, STREAMED_VECTORS = 8 };

static bool streams(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    return !shape->edges && shape->rows > 0 && shape->rows <= FEW_ROWS && !plan->pack_b &&
           shape->depth > 2 * STREAMED_DEPTH && shape->depth_inner == 1 &&
           (double)shape->depth * (double)cost_assumed(shape->columns) * shape->memory_bytes >
               target->l1_bytes;
}

/* A B that comes from far is read as it lies: several columns at once are several places to read from, in
 * which prefetchers see no pattern. The sums of as many columns as make a vector wait for each other. */
static void dots_in_turn(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t rows = shape->rows, lanes = plan->dot_lanes;
    if (rows < 1 || rows > FEW_ROWS || plan->pack_b ||
        !cost_is_far(target, cost_b_elements(shape), shape->memory_bytes))
        return;
    plan->rows = (uint32_t)rows;
    plan->dot_unroll = (uint32_t)max64(STREAMED_VECTORS / rows, 2);
    plan->dot_columns = 1;
    while (plan->dot_columns * 2 * rows <= lanes && plan->dot_columns * 2 <= cost_assumed(shape->columns))
        plan->dot_columns *= 2;
}

static const double TWO_LINES = 1.1; /* by which loads from two lines slow a tile down */

/* By the cheapest tile, with what is packed as `plan` says. */
static double tiles_cost(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    double cost = choose_tile(target, shape, plan), depth = (double)cost_assumed(shape->depth);
    if (schedule_can_transpose(target, shape, plan)) {
        ContractSchedule other = *plan;
        other.transposed = true, other.row_run = shape->row_run;
        double transposed = choose_tile(target, shape, &other);
        if (transposed < cost) cost = transposed, *plan = other;
    }
    if (!plan->pack_b && lies_across(target, shape)) cost *= TWO_LINES;
    if (plan->pack_a)
        cost += cost_pack(target, depth * (double)cost_assumed(shape->rows), shape->bytes, shape->a_row,
                          shape->a_depth, shape->depth_last);
    if (plan->pack_b)
        cost += cost_pack(target, depth * (double)cost_assumed(shape->columns), shape->bytes, shape->b_column,
                          shape->b_depth, shape->b_run);
    return cost + cost_touch(target, shape, plan);
}

static double cost_packed_so(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    bool may_pack = may_pack_a(shape);
    plan->lanes = cost_lanes(target, shape);
    plan->row_run = shape->edges ? shape->row_run : 0;
    /* Lines of one cache set. */
    plan->pack_a = may_pack && cost_collides(shape->a_depth, shape->memory_bytes);
    double cost = tiles_cost(target, shape, plan);
    if (!may_pack || plan->pack_a) return cost;
    ContractSchedule other = {.lanes = plan->lanes, .pack_a = true, .pack_b = plan->pack_b};
    double packed = tiles_cost(target, shape, &other);
    if (packed < cost) cost = packed, *plan = other;
    return cost;
}

static double outer_cost(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    plan->pack_b = should_pack_b(shape);
    double cost = cost_packed_so(target, shape, plan);
    if (plan->pack_b || !lies_across(target, shape)) return cost;
    ContractSchedule other = {.lanes = 1, .pack_b = true};
    double packed = cost_packed_so(target, shape, &other);
    if (packed < cost) cost = packed, *plan = other;
    return cost;
}

/* Of one product, or of a chunk of it. */
static double cost_of(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    ContractSchedule dot = {.lanes = 1};
    double by_tiles = outer_cost(target, shape, plan), by_dots = choose_dot(target, shape, &dot);
    if (by_dots >= 0)
        by_dots +=
            cost_touch(target, shape, &dot) + cost_store(shape, &dot, cost_assumed(shape->rows), dot.rows);
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
    int64_t panel = (int64_t)plan->vectors * plan->lanes, depth = cost_assumed(shape->depth);
    int64_t limit = cost_depth_limit(target, shape, plan);
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
    bool large = (double)depth * (double)cost_assumed(shape->columns) * shape->bytes > target->l2_bytes / 2;
    if (plan->pack_b || large) plan->column_block = panel;
    /* A B with contiguous rows is packed from longer pieces of these if the cache has room. */
    int64_t room = target->l2_bytes / 4 / (max64(depth, 1) * shape->bytes);
    if (plan->pack_b && shape->b_column == 1)
        plan->column_block = max64(min64(COPIED_COLUMNS, room) / panel, 1) * panel;
}

/* A stream of panels each of which is used by the tiles of a chunk: they ask for the next one. */
static uint32_t panel_ahead(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    int64_t rows = plan->chunk_rows ? plan->chunk_rows : shape->rows;
    double stream = (double)max64(shape->outer, 1) * (double)shape->depth * (double)shape->columns;
    uint32_t tiles = 1;
    if (plan->dot_lanes || plan->pack_b || !shape->b_streams ||
        shape->columns > (int64_t)plan->vectors * plan->lanes ||
        !cost_is_far(target, stream, shape->memory_bytes))
        return 0;
    while (tiles < TILES_AHEAD && 2 * tiles * plan->rows <= rows) tiles *= 2;
    return tiles > 1 ? tiles : 0;
}

/* Steps of the outermost k axis that memory takes, where A doesn't lie along it: each step reads other lines.
 */
static uint32_t depth_ahead(const ContractShape *shape, const ContractSchedule *plan) {
    bool along = shape->single_depth && shape->a_depth == 1;
    if (plan->dot_lanes || plan->pack_a || along || shape->depth_inner <= 0) return 0;
    int64_t steps = CYCLES_AHEAD / (shape->depth_inner * plan->rows * plan->vectors);
    return (uint32_t)max64(min64(steps, MAX_AHEAD), 1);
}

/* What comes from beyond the second level is asked for before it is needed: rows of A begin too often for the
 * processor to see their pattern, and each row of a B that few rows pass is used just now for the first time.
 */
static void choose_prefetch(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    double a =
        cost_distinct((double)cost_assumed(shape->rows) * (double)cost_assumed(shape->depth), shape->a_span);
    double b = cost_b_elements(shape);
    plan->ahead_panel = panel_ahead(target, shape, plan);
    plan->ahead_depth = cost_is_far(target, a, shape->memory_bytes) ? depth_ahead(shape, plan) : 0;
    if (plan->dot_lanes || !shape->single_depth) return;
    plan->ahead_a = !plan->pack_a && !shape->edges && shape->a_depth == 1 && shape->a_row >= 0 &&
                    cost_is_far(target, a * (double)cost_assumed(shape->outer), shape->memory_bytes);
    if (!plan->pack_b && shape->rows >= 0 && shape->rows <= FEW &&
        cost_is_far(target, b, shape->memory_bytes))
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
    uint32_t lanes = cost_lanes(target, shape);
    for (int64_t r = 1; r <= pieces && r <= max64(shape->rows, 1); r *= 2)
        for (int64_t c = 1; r * c <= pieces && c <= max64(shape->columns / lanes, 1); c *= 2) {
            ContractShape part = part_of(shape, r, c, lanes);
            ContractSchedule now = {.lanes = lanes};
            int64_t rows = r > 1 ? div_up(shape->rows, part.rows) : 1;
            int64_t columns = c > 1 ? div_up(shape->columns, part.columns) : 1;
            double cost =
                time_of(cost_of(target, &part, &now), max64(cost_assumed(shape->outer), 1) * rows * columns);
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
    double rows = (double)cost_assumed(shape->rows), columns = (double)cost_assumed(shape->columns);
    double a = cost_distinct(rows * (double)cost_assumed(shape->depth), shape->a_span);
    return cost_b_elements(shape) > a + rows * columns;
}

/* Products that have A in common each read all of it. If the second level can't hold it, they take it part by
 * part, unless B, which is then read again for each part, is more than that saves. */
static void share_rows(const Target *target, const ContractShape *shape, uint32_t lanes,
                       ContractSchedule *plan) {
    double elements = (double)shape->rows * (double)cost_assumed(shape->depth),
           shared = (double)shape->a_shared;
    double a = cost_distinct(elements, shape->a_span), b = shared * cost_b_elements(shape);
    if (shape->a_shared <= 1 || shape->rows < 0 ||
        a * shape->memory_bytes < FAR_LEVELS * (double)target->l2_bytes)
        return;
    int64_t parts = (int64_t)(a * shape->memory_bytes / (target->l2_bytes / 2.0)) + 1;
    ContractShape part = part_of(shape, parts, 1, lanes);
    parts = div_up(shape->rows, part.rows);
    double again = cost_is_far(target, b, shape->memory_bytes) ? (double)(parts - 1) * b : 0;
    if (parts == 1 || again >= (shared - 1) * a) return;
    plan->outer_first = true, plan->chunk_outer = 1;
    if (!plan->chunk_rows || part.rows < plan->chunk_rows) plan->chunk_rows = part.rows;
}

/* Of rows whose number is known at run time only: as many as make a chunk's work. */
static void cut_unknown(const ContractShape *shape, ContractSchedule *plan) {
    double row =
        (double)max64(cost_assumed(shape->columns), 1) * (double)max64(cost_assumed(shape->depth), 1);
    int64_t together = plan->row_run ? plan->row_run : plan->rows;
    int64_t tiles = (int64_t)(4.0 * (double)MIN_CHUNK_WORK / row / (double)together);
    plan->chunk_rows = max64(tiles, 1) * together;
    plan->chunk_outer = 1;
}

/* Multiply-adds of one product. With few rows or columns it is for the larger operand that threads wait,
 * unless the first level holds it for all products: then those in the time in which that arrives. */
static double work_of(const Target *target, const ContractShape *shape) {
    int64_t rows = max64(cost_assumed(shape->rows), 1), columns = max64(cost_assumed(shape->columns), 1),
            few = min64(rows, columns), outer = max64(cost_assumed(shape->outer), 1);
    double larger = (double)max64(rows, columns) * (double)max64(cost_assumed(shape->depth), 1),
           bytes = larger * shape->memory_bytes, multiply = larger * (double)few;
    bool waits = few <= FEW_ROWS && bytes * (double)outer > target->l1_bytes;
    return waits && BYTE_WORK * bytes > multiply ? BYTE_WORK * bytes : multiply;
}

ContractSchedule contract_schedule(const Target *target, const ContractShape *shape) {
    ContractSchedule plan = {.lanes = 1};
    double one = work_of(target, shape);
    double all = one * (double)max64(cost_assumed(shape->outer), 1);
    int64_t wanted = all < (double)MIN_CHUNK_WORK ? 1 : (int64_t)(all / (double)MIN_CHUNK_WORK);
    int64_t pieces = min64(wanted, MAX_PIECES) / min64(max64(cost_assumed(shape->outer), 1), MAX_PIECES);
    cost_of(target, shape, &plan);
    if (one < (double)MIN_CHUNK_WORK && shape->rows >= 0 && shape->columns >= 0)
        plan.chunk_outer = (int64_t)((double)MIN_CHUNK_WORK / one) + 1;
    else if (shape->rows < 0)
        cut_unknown(shape, &plan);
    else
        cut(target, shape, shape->columns < 0 ? 1 : max64(pieces, 1), &plan);
    share_rows(target, shape, plan.lanes, &plan);
    if (shape->outer >= 0 && plan.chunk_outer >= shape->outer) plan.chunk_outer = 0;
    choose_blocks(target, shape, &plan);
    if (plan.dot_lanes) dots_in_turn(target, shape, &plan);
    choose_prefetch(target, shape, &plan);
    plan.columns_first = shares_columns(shape);
    /* Sums that wait in memory are not transposed. */
    if (plan.depth_block) plan.transposed = false, plan.row_run = shape->edges ? shape->row_run : 0;
    return plan;
}

ContractSchedule contract_schedule_small(const Target *target, const ContractShape *shape) {
    ContractSchedule usual = contract_schedule(target, shape);
    ContractSchedule plan = {.exchanged = shape->exchanged,
                             .lanes = usual.lanes,
                             .rows = 1,
                             .vectors = 1,
                             .pack_b = shape->b_column != 1,
                             .chunk_outer = usual.chunk_outer,
                             .chunk_rows = usual.chunk_rows,
                             .chunk_columns = usual.chunk_columns};
    return schedule_fits(target, shape, &plan) ? plan : usual;
}

/* --- candidates */
typedef struct {
    const Target *target;
    const ContractShape *shape;
    ContractSchedule *out;
    uint32_t count;
} Candidates;

static void offer(Candidates *c, ContractSchedule plan) {
    if (plan.depth_block) plan.transposed = false, plan.row_run = 0;
    plan.exchanged = c->shape->exchanged;
    if (c->count == MAX_CANDIDATES || !schedule_fits(c->target, c->shape, &plan)) return;
    for (uint32_t i = 0; i < c->count; i++)
        if (schedule_equal(&c->out[i], &plan)) return;
    c->out[c->count++] = plan;
}

/* With blocks that suit the form and the tile. */
static void offer_blocked(Candidates *c, ContractSchedule plan) {
    plan.depth_block = plan.column_block = 0, plan.ahead_a = false,
    plan.ahead_b = plan.ahead_depth = plan.ahead_panel = 0;
    choose_blocks(c->target, c->shape, &plan);
    choose_prefetch(c->target, c->shape, &plan);
    offer(c, plan);
}

static void offer_outer(Candidates *c, ContractSchedule plan) {
    choose_tile(c->target, c->shape, &plan);
    offer_blocked(c, plan);
}

static void vary_form(Candidates *c, const ContractSchedule *from) {
    ContractSchedule outer = *from, other;
    outer.dot_lanes = outer.dot_columns = outer.dot_unroll = 0;
    if (from->dot_lanes) outer.pack_b = should_pack_b(c->shape);
    other = outer;
    if (from->dot_lanes)
        offer_outer(c, outer);
    else if (choose_dot(c->target, c->shape, &other) >= 0) {
        other.chunk_outer = from->chunk_outer, other.columns_first = from->columns_first;
        other.chunk_rows = from->chunk_rows, other.chunk_columns = from->chunk_columns;
        offer_blocked(c, other);
        dots_in_turn(c->target, c->shape, &other);
        offer_blocked(c, other);
    }
    other = outer, other.pack_b = !other.pack_b;
    offer_outer(c, other);
    other = outer, other.pack_a = !other.pack_a;
    offer_outer(c, other);
    other = outer, other.pack_a = other.pack_b = true;
    offer_outer(c, other);
    other = outer, other.transposed = !other.transposed;
    other.row_run = other.transposed ? c->shape->row_run : 0;
    offer_outer(c, other);
}

static void vary_dots(Candidates *c, const ContractSchedule *from) {
    int64_t rows = max64(cost_assumed(c->shape->rows), 1), registers = c->target->vector_registers;
    ContractSchedule plan = *from;
    for (int64_t r = min64(DOT_MAX_ROWS, rows); r >= 1; r--)
        for (int64_t columns = DOT_MAX_COLUMNS; columns >= 1; columns /= 2) {
            if (r * columns < 6 || r * columns + min64(r, columns) + 1 > registers) continue;
            plan.rows = (uint32_t)r, plan.dot_columns = (uint32_t)columns, plan.dot_unroll = 1;
            offer_blocked(c, plan);
        }
}

/* For each width the tallest tile that fits, and the least that needs no more of them. */
static void vary_tile(Candidates *c, const ContractSchedule *from) {
    int64_t rows = max64(cost_assumed(c->shape->rows), 1), registers = c->target->vector_registers;
    int64_t vectors = max64(div_up(cost_assumed(c->shape->columns), from->lanes), 1);
    if (from->row_run) rows = from->row_run;
    if (from->dot_lanes) {
        vary_dots(c, from);
        return;
    }
    for (int64_t v = 1; v <= min64(CONTRACT_MAX_VECTORS, vectors); v++) {
        ContractSchedule plan = *from;
        int64_t most = max64(min64(min64((registers - v - 2) / v, CONTRACT_MAX_ROWS), rows), 1);
        plan.vectors = (uint32_t)v, plan.rows = (uint32_t)most;
        offer_blocked(c, plan);
        plan.rows = (uint32_t)div_up(rows, div_up(rows, most));
        offer_blocked(c, plan);
    }
}

static void vary_blocks(Candidates *c, const ContractSchedule *from) {
    ContractSchedule plan = *from;
    int64_t panel = (int64_t)plan.vectors * plan.lanes, inner = max64(c->shape->depth_inner, 1);
    for (uint32_t unroll = 1; from->dot_lanes && unroll <= 8; unroll *= 2) {
        plan.dot_unroll = unroll;
        offer(c, plan);
    }
    plan = *from;
    plan.ahead_a = !plan.ahead_a;
    offer(c, plan);
    plan = *from;
    for (uint32_t ahead = 0; ahead <= 16; ahead = ahead ? 2 * ahead : 4) {
        plan.ahead_b = ahead;
        offer(c, plan);
    }
    plan = *from;
    for (uint32_t tiles = 2; tiles <= 16; tiles *= 2) {
        plan.ahead_panel = tiles;
        offer(c, plan);
    }
    plan = *from;
    for (int64_t panels = 0; panels <= 8; panels = panels ? 2 * panels : 1) {
        plan.column_block = panels * panel;
        offer(c, plan);
    }
    plan = *from;
    for (int64_t depth = 256; depth <= 4096; depth *= 2) {
        plan.depth_block = c->shape->depth > depth ? max64(depth / inner, 1) : 0;
        if (c->shape->depth >= 0) offer(c, plan);
    }
}

static void vary_chunks(Candidates *c, const ContractSchedule *from) {
    const ContractShape *shape = c->shape;
    if (shape->rows < 0 || shape->columns < 0) return;
    int64_t r = from->chunk_rows ? div_up(shape->rows, from->chunk_rows) : 1;
    int64_t all = r * (from->chunk_columns ? div_up(shape->columns, from->chunk_columns) : 1);
    for (r = 1; r <= min64(all, MAX_PIECES); r *= 2) {
        ContractSchedule plan = *from;
        ContractShape part = part_of(shape, r, div_up(all, r), plan.lanes);
        plan.chunk_rows = part.rows < shape->rows ? part.rows : 0;
        plan.chunk_columns = part.columns < shape->columns ? part.columns : 0;
        offer(c, plan);
    }
}

uint32_t schedule_candidates(const Target *target, const ContractShape *shape, const ContractSchedule *plan,
                             Variation variation, ContractSchedule *out) {
    static void (*const vary[VARY_COUNT])(Candidates *,
                                          const ContractSchedule *) = {[VARY_FORM] = vary_form,
                                                                       [VARY_TILE] = vary_tile,
                                                                       [VARY_BLOCKS] = vary_blocks,
                                                                       [VARY_CHUNKS] = vary_chunks};
    Candidates c = {.target = target, .shape = shape, .out = out};
    offer(&c, *plan);
    if (!plan->blas) vary[variation](&c, plan);
    return c.count;
}
