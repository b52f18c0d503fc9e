/* The form of a product, chosen by what it costs: outer products or dot products, the register tile, what is
 * packed. */
#include "codegen/contract_form.h"
#include "codegen/contract_cost.h"
#include "codegen/contract_dot.h"

/* Measured on one core; see docs/kernels.md. */
enum {
    MAX_PACKED = 1 << 24, /* elements of A in a chunk */
    DOT_PANEL = 4,        /* vectors of columns that dot products fill before their epilogue */
    FEW_NEIGHBOURS = 4,   /* rows next to each other in the result that transposing doesn't pay for */
    SHORT_RUN = 6,        /* rows next to each other: fewer make too small a tile */
    SHORT_ROW = 1024,     /* bytes: fewer are fetched as well by parts */
    STREAMED_VECTORS = 8, /* of k at once, where one column follows the other */
    THIRD_LEVEL = 16      /* times the second level's size: more comes from memory */
};

static const double HALF_VECTOR = 0.5; /* of a whole one's time, where halves are multiplied in turn */

/* --- the register tile */
/* May tiles be transposed before the epilogue sees them? While they are in registers, and if their rows then
 * are neighbours in the result. */
bool schedule_can_transpose(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    return shape->exchanged && (shape->row_run == 0 || shape->row_run >= FEW_NEIGHBOURS) &&
           shape->bytes >= 4 && plan->lanes > 1 && shape->depth >= 0 &&
           shape->depth <= cost_depth_limit(target, shape, plan);
}

/* Rows on several axes: a tile that ends where the innermost one does reads them a stride apart, and stores
 * them so, too; others work each row's place out by itself. */
bool form_rows_are_apart(const ContractShape *shape) {
    return !shape->exchanged && shape->a_row < 0 && shape->row_run >= SHORT_RUN;
}

bool form_reads_once(const ContractShape *shape) { return shape->rows >= 0 && shape->rows <= FEW_ROWS; }

/* Windows share their memory, which packing would multiply. */
static bool may_copy_b(const ContractShape *shape) {
    double elements = (double)cost_assumed(shape->depth) * (double)cost_assumed(shape->columns);
    return shape->b_column == 1 && shape->b_depth > 0 && !shape->edges &&
           1.5 * cost_b_elements(shape) > elements;
}

/* Does the second level not hold all of B, of which this may be a chunk's columns? */
static bool whole_b_is_far(const Target *target, const ContractShape *shape) {
    double elements = (double)cost_assumed(shape->depth) * (double)shape->b_depth;
    return may_copy_b(shape) && shape->single_depth &&
           elements * shape->memory_bytes > (double)target->l2_bytes;
}

/* Does the first level hold a panel a line or two wide, besides others? */
static bool panel_is_near(const Target *target, int64_t depth) {
    return 2 * CACHE_LINE * depth <= target->l1_bytes / 2;
}

static BPlace b_place(const Target *target, const ContractShape *shape, const ContractSchedule *plan,
                      int64_t vectors) {
    bool in_order = shape->b_streams && shape->columns <= vectors * plan->lanes;
    if (plan->pack_b) return B_NEAR;
    if (whole_b_is_far(target, shape)) return B_FAR;
    return in_order || panel_is_near(target, cost_assumed(shape->depth)) ? B_NEAR : B_APART;
}

/* Registers that accumulators, vectors of B and one broadcast of A may take. A few are left for broadcasts
 * ahead of their use: without them LLVM spills an accumulator and rotates all others. Where there are 16,
 * three vectors do enough with each broadcast, if their lines are near and rows are strided ones. */
static int64_t tile_registers(const Target *target, const ContractShape *shape, int64_t vectors, BPlace b) {
    int64_t registers = target->vector_registers;
    bool strided = shape->single_depth && shape->a_row >= 0;
    bool all = registers == 16 && target->fma && vectors == 3 && b == B_NEAR && strided;
    return all ? registers : registers - registers / 16;
}

/* The cheapest tile. */
double form_tile(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t rows = max64(cost_assumed(shape->rows), 1), depth = max64(cost_assumed(shape->depth), 1);
    int64_t columns = max64(cost_assumed(shape->columns), 1), half = target->pipe_bytes / shape->bytes;
    int64_t vectors = div_up(columns, plan->lanes);
    bool halved = half < plan->lanes && columns - (vectors - 1) * plan->lanes <= half;
    double multiplied = (double)vectors - (halved ? 1 - HALF_VECTOR : 0);
    double best = -1, runs = 1;
    if (plan->row_run) runs = (double)rows / (double)plan->row_run, rows = plan->row_run;
    for (int64_t r = CONTRACT_MAX_ROWS; r >= 1; r--)
        for (int64_t v = CONTRACT_MAX_VECTORS; v >= 1; v--) {
            BPlace b = b_place(target, shape, plan, v);
            if (r > rows || v > vectors || r * v + v + 1 > tile_registers(target, shape, v, b)) continue;
            double cost = runs * (cost_tiles(target, shape, rows, multiplied, r, v, depth, b) +
                                  cost_store(target, shape, plan, rows, r));
            if (best >= 0 && cost >= best) continue;
            best = cost, plan->rows = (uint32_t)r, plan->vectors = (uint32_t)v;
        }
    return best;
}

/* --- packing */
/* By which a B read where it lies slows tiles down: */
static const double TWO_LINES = 1.1;  /* nearly all vectors are loaded from two, */
static const double SCATTERED = 1.01; /* a panel's pieces of rows lie apart, */
static const double COLLIDING = 1.07; /* all in one set of a cache; */
static const double INTEL_TWO_LINES = 1.35, INTEL_SCATTERED = 1.12,
                    INTEL_COLLIDING = 1.4; /* the same there */
static const double FETCHED =
    0.75; /* half cycles an element that it takes to pack these rather than near ones */

static const double INTEL_A_APART = 1.08; /* by an A each step of which is another line, there */

/* The same where a panel's rows are a line at most, whose places no prefetcher foresees: */
static const double NEAR_PANEL = 1.03; /* of a B of which the first level holds but a panel, */
static const double NARROW = 1.06;     /* or not even that, */
static const double EVEN_2 = 1.2;      /* with a stride that is a multiple of 1024 bytes, */
static const double EVEN_4 = 1.3;      /* of 2048, */
static const double EVEN_8 = 2;        /* of 4096: every row is in another page, and all in one set */

static bool collides_far(const Target *target, const ContractShape *shape) {
    return cost_collides(shape->b_depth, shape->memory_bytes) && whole_b_is_far(target, shape);
}

/* Is B packed whatever that costs? */
bool form_packs_b(const Target *target, const ContractShape *shape) {
    if (shape->b_column != 1 || shape->b_apart) return true;
    return cost_assumed(shape->rows) >= FEW && cost_assumed(shape->depth) > FEW &&
           cost_collides(shape->b_depth, shape->memory_bytes) && !whole_b_is_far(target, shape);
}

/* Of so many steps of k whose elements lie side by side, the steps so many elements apart. */
static double slowed_narrow(const Target *target, uint32_t bytes, int64_t depth, int64_t stride,
                            double elements) {
    bool near = elements * bytes <= target->l1_bytes / 2.0 || stride * bytes < SHORT_ROW;
    if (cost_collides(stride, bytes)) return depth > FEW ? EVEN_8 : 1;
    if (near) return 1;
    if (panel_is_near(target, depth)) return NEAR_PANEL;
    return cost_collides(2 * stride, bytes) ? EVEN_4 : cost_collides(4 * stride, bytes) ? EVEN_2 : NARROW;
}

/* How many times as long tiles take with B read where it lies as with a packed one, if it comes from beyond
 * the second level. */
static double slowed_by_b(const Target *target, const ContractShape *shape) {
    double depth = (double)cost_assumed(shape->depth),
           elements = depth * (double)cost_assumed(shape->columns);
    if (!may_copy_b(shape)) return 1;
    if (cost_is_narrow(target))
        return slowed_narrow(target, shape->memory_bytes, (int64_t)depth, shape->b_depth, elements);
    bool near = depth * CACHE_LINE * shape->memory_bytes <= target->l1_bytes;
    if (shape->b_depth % CACHE_LINE * shape->memory_bytes % CACHE_LINE != 0 &&
        cost_is_far(target, elements, shape->memory_bytes))
        return cost_third_is_slow(target, shape) ? INTEL_TWO_LINES : TWO_LINES;
    if (near || !whole_b_is_far(target, shape)) return 1;
    if (cost_third_is_slow(target, shape))
        return collides_far(target, shape) ? INTEL_COLLIDING : INTEL_SCATTERED;
    return collides_far(target, shape) ? COLLIDING : SCATTERED;
}

bool form_can_pack_a(const ContractShape *shape) {
    int64_t depth = min64(max64(cost_assumed(shape->depth), 1), PACKED_DEPTH);
    return !shape->edges && shape->a_row >= 0 && shape->rows > 0 && shape->rows <= MAX_PACKED / depth;
}

/* A that lies transposed: each step of k reads another line, of which a tile takes a part. */
static bool may_pack_a(const ContractShape *shape) {
    return form_can_pack_a(shape) && shape->a_row == 1 && shape->a_depth != 1 &&
           cost_assumed(shape->depth) > FEW && cost_assumed(shape->columns) >= FEW;
}

/* The same of an A that lies transposed. */
static double slowed_by_a(const Target *target, const ContractShape *shape) {
    int64_t depth = cost_assumed(shape->depth);
    if (shape->edges || shape->a_row != 1 || shape->a_depth <= 1) return 1;
    if (cost_third_is_slow(target, shape)) return INTEL_A_APART;
    if (!cost_is_narrow(target)) return 1;
    return slowed_narrow(target, shape->memory_bytes, depth, shape->a_depth,
                         (double)cost_assumed(shape->rows) * (double)depth);
}

/* --- dot products: lanes along k */
/* The cheapest tile of dot products, or a negative cost where k is not contiguous. Columns are a power of
 * two: its sums are stored by whole instructions, and a panel has room for what lies beyond the last column.
 */
double form_dots(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t registers = target->vector_registers, lanes = target->vector_bytes / shape->bytes;
    int64_t rows = max64(cost_assumed(shape->rows), 1), columns = max64(cost_assumed(shape->columns), 1);
    bool pack = shape->b_depth != 1;
    double best = -1;
    if (shape->edges || shape->a_depth != 1 || cost_assumed(shape->depth) < lanes) return -1;
    if (shape->a_apart || shape->b_apart) return -1;
    if (pack && (!shape->single_depth || shape->columns < 0 || form_reads_once(shape))) return -1;
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
bool form_streams(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    return !shape->edges && shape->rows > 0 && shape->rows <= FEW_ROWS && !plan->pack_b &&
           shape->depth > 2 * STREAMED_DEPTH && shape->depth_inner == 1 &&
           (double)shape->depth * (double)cost_assumed(shape->columns) * shape->memory_bytes >
               target->l1_bytes;
}

/* A B that comes from memory is read as it lies: several columns at once are several places to read from, in
 * which prefetchers see no pattern. The third level answers soon enough, so that one load of A may serve
 * several columns; but for a single row, which has too little to do. The sums of as many columns as make a
 * vector wait for each other. */
static bool dots_go_in_turn(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    double outer = (double)max64(cost_assumed(shape->outer), 1), l2 = (double)target->l2_bytes;
    double b = cost_b_elements(shape) * shape->memory_bytes;
    double a = (double)shape->rows * (double)cost_assumed(shape->depth) * shape->memory_bytes;
    if (shape->rows < 1 || shape->rows > FEW_ROWS || plan->pack_b) return false;
    return shape->rows == 1 ? b > l2 / 2 : b * outer > THIRD_LEVEL * l2 && a < target->l1_bytes / 2.0;
}

void form_dots_in_turn(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t rows = shape->rows, lanes = plan->dot_lanes;
    if (!dots_go_in_turn(target, shape, plan)) return;
    plan->rows = (uint32_t)rows;
    plan->dot_unroll = STREAMED_VECTORS;
    while (plan->dot_unroll > 2 && plan->dot_unroll * rows > target->vector_registers / 2)
        plan->dot_unroll /= 2;
    plan->dot_columns = 1;
    while (plan->dot_columns * 2 * rows <= lanes && plan->dot_columns * 2 <= cost_assumed(shape->columns))
        plan->dot_columns *= 2;
}

/* By the cheapest tile, with what is packed as `plan` says. */
static double tiles_cost(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    double cost = form_tile(target, shape, plan), depth = (double)cost_assumed(shape->depth);
    if (schedule_can_transpose(target, shape, plan)) {
        ContractSchedule other = *plan;
        other.transposed = true, other.row_run = shape->row_run;
        double transposed = form_tile(target, shape, &other);
        if (transposed < cost) cost = transposed, *plan = other;
    }
    if (!plan->pack_b) cost *= slowed_by_b(target, shape);
    if (!plan->pack_a) cost *= slowed_by_a(target, shape);
    if (plan->pack_a)
        cost += cost_pack(target, depth * (double)cost_assumed(shape->rows), shape->bytes, shape->a_row,
                          shape->a_depth, shape->depth_last);
    double elements = depth * (double)cost_assumed(shape->columns);
    if (plan->pack_b)
        cost += cost_pack(target, elements, shape->bytes, shape->b_column, shape->b_depth, shape->b_run);
    if (plan->pack_b && collides_far(target, shape) && !cost_is_far(target, elements, shape->bytes))
        cost += FETCHED * elements;
    if (cost_third_is_slow(target, shape)) cost += cost_sums(target, shape, plan);
    return cost + cost_touch(target, shape, plan);
}

static double cost_packed_so(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    bool may_pack = may_pack_a(shape);
    plan->lanes = cost_lanes(target, shape);
    plan->row_run = shape->edges || form_rows_are_apart(shape) ? shape->row_run : 0;
    /* Lines of one cache set. */
    plan->pack_a = shape->a_apart || (may_pack && cost_collides(shape->a_depth, shape->memory_bytes));
    double cost = tiles_cost(target, shape, plan);
    if (!may_pack || plan->pack_a) return cost;
    ContractSchedule other = {.lanes = plan->lanes, .pack_a = true, .pack_b = plan->pack_b};
    double packed = tiles_cost(target, shape, &other);
    if (packed < cost) cost = packed, *plan = other;
    return cost;
}

static double outer_cost(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    plan->pack_b = form_packs_b(target, shape);
    double cost = cost_packed_so(target, shape, plan);
    if (plan->pack_b || form_reads_once(shape) || slowed_by_b(target, shape) <= 1) return cost;
    ContractSchedule other = {.lanes = 1, .pack_b = true};
    double packed = cost_packed_so(target, shape, &other);
    if (packed < cost) cost = packed, *plan = other;
    return cost;
}

/* Of one product, or of a chunk of it. */
double form_choose(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    ContractSchedule dot = {.lanes = 1};
    double by_tiles = outer_cost(target, shape, plan), by_dots = form_dots(target, shape, &dot);
    if (by_dots >= 0)
        by_dots += cost_touch(target, shape, &dot) +
                   cost_store(target, shape, &dot, cost_assumed(shape->rows), dot.rows);
    bool dots = by_dots >= 0 && by_dots < by_tiles;
    if (dots) *plan = dot;
    return dots ? by_dots : by_tiles;
}

double contract_cost(const Target *target, const ContractShape *shape) {
    ContractSchedule plan = {.lanes = 1};
    return form_choose(target, shape, &plan);
}
