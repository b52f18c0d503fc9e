/* Chooses how products are computed: their form (contract_form.c), blocks, what is fetched ahead, chunks. */
#include "codegen/contract_schedule.h"
#include "codegen/contract_cost.h"
#include "codegen/contract_form.h"

/* Measured on one core; see docs/kernels.md. */
enum {
    MIN_CHUNK_WORK = 400000, /* multiply-adds: below it a thread's start costs more than it saves */
    BYTE_WORK = 8,           /* multiply-adds in the time in which a byte arrives from memory */
    ROWS_AHEAD = 960,        /* half cycles that rows of B are asked for ahead, */
    MAX_ROWS_AHEAD = 64,     /* so many of them at most, */
    MAX_LINES_AHEAD = 16,    /* where each is but a line: the first level has few places for what lies so */
    TILES_ASK = 32,          /* for each product's B */
    FEW_TILES = 4,           /* that read the same A */
    TILES_AHEAD = 8, /* that ask for the next panel of B, each for a part; so many ask dot products at most */
    CYCLES_AHEAD = 400,   /* that memory takes; of k at most */
    MAX_AHEAD = 32,       /* so many steps */
    DRIVEN_OUT = 1 << 18, /* bytes */
    LEAST_NEAR = 96,      /* steps of k that are worth bringing sums to and fro */
    FAR_LEVELS = 2        /* times the second level's size: more than that is better read by parts */
};

/* --- blocks */
/* Steps of k whose lines the first level holds. From a second level beside a mesh they arrive too slowly for
 * all tiles that read them. */
static int64_t depth_near(const Target *target, const ContractShape *shape) {
    double depth = (double)max64(cost_assumed(shape->depth), 1), b = cost_b_elements(shape);
    double a = cost_distinct((double)cost_assumed(shape->rows) * depth, shape->a_span);
    return max64((int64_t)(target->l1_bytes * depth / ((a + b) * shape->memory_bytes)), LEAST_NEAR);
}

void schedule_blocks(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    int64_t panel = (int64_t)plan->vectors * plan->lanes, depth = cost_assumed(shape->depth);
    int64_t limit = cost_depth_limit(target, shape, plan);
    /* Where each element of an operand is read once, nothing has to stay near; but no lane adds up more than
     * so many products by itself. */
    bool once = plan->dot_lanes && ((shape->rows >= 0 && shape->rows <= plan->rows) ||
                                    (shape->columns >= 0 && shape->columns <= plan->dot_columns));
    if (once) limit = DIRECT_DEPTH * (int64_t)plan->dot_lanes;
    if (target->intel_server && shape->a_lines && !plan->dot_lanes && !plan->pack_a)
        limit = min64(limit, depth_near(target, shape));
    if (!plan->dot_lanes && form_streams(target, shape, plan)) {
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
    if (plan->pack_b) plan->column_block = cost_columns_together(target, shape, plan, depth);
}

/* Will so many elements come from beyond the second level? Where that is slow, what a large one holds of one
 * product others drive out before its next turn. */
static bool comes_from_far(const Target *target, double elements, uint32_t bytes) {
    return target->intel_server ? elements * bytes > DRIVEN_OUT : cost_is_far(target, elements, bytes);
}

/* A stream of panels each of which is used by the tiles of a chunk: they ask for the next one. */
static uint32_t panel_ahead(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    int64_t rows = plan->chunk_rows ? plan->chunk_rows : shape->rows;
    double stream = (double)max64(shape->outer, 1) * (double)shape->depth * (double)shape->columns;
    uint32_t tiles = 1;
    if (plan->dot_lanes || plan->pack_b || !shape->b_streams ||
        shape->columns > (int64_t)plan->vectors * plan->lanes ||
        !comes_from_far(target, stream, shape->memory_bytes))
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

/* Half of a block's steps at most, for behind it are none that come next. In a stream that is the next block,
 * which asking for only delays where one or two rows do little but load. */
static uint32_t rows_ahead(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    bool blocks = form_streams(target, shape, plan), few = shape->rows > 0 && shape->rows <= FEW_ROWS / 2;
    if (few && (blocks || shape->b_streams)) return 0;
    if (blocks) return STREAMED_DEPTH;
    int64_t most = cost_is_narrow(target) ? MAX_LINES_AHEAD : MAX_ROWS_AHEAD;
    int64_t steps = min64(ROWS_AHEAD / (plan->rows * plan->vectors), most);
    int64_t depth = plan->depth_block ? plan->depth_block : cost_assumed(shape->depth);
    return (uint32_t)min64(steps, depth / 2);
}

/* Lines of k in pages of their own the processor foresees by itself, and a single row or column does little
 * but load, as do vectors of half a line, which would ask for each line twice. */
static bool dots_ask(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    return plan->dot_unroll == 1 && plan->rows > 1 && plan->dot_columns > 1 && !cost_is_narrow(target) &&
           cost_assumed(shape->depth) * shape->memory_bytes < PAGE;
}

/* Tiles of dot products that take as long. */
static uint32_t dots_ahead(const ContractShape *shape, const ContractSchedule *plan) {
    int64_t steps = div_up(max64(cost_assumed(shape->depth), 1), plan->dot_lanes);
    int64_t tile = steps * plan->rows * plan->dot_columns;
    return (uint32_t)min64(div_up(ROWS_AHEAD, tile), TILES_AHEAD);
}

/* Dot products wait for what of all products, of `a` and `b` elements, the second level can't hold even by
 * itself. */
static void dots_prefetch(const Target *target, const ContractShape *shape, double a, double b,
                          ContractSchedule *plan) {
    bool few = cost_assumed(shape->columns) <= FEW_TILES * (int64_t)plan->dot_columns;
    if (!dots_ask(target, shape, plan)) return;
    plan->ahead_a = few && shape->a_row >= 0 && cost_is_far(target, a / 2, shape->memory_bytes);
    if (!plan->pack_b && cost_is_far(target, b / 2, shape->memory_bytes))
        plan->ahead_b = dots_ahead(shape, plan);
}

/* What comes from beyond the second level, for each product anew, is asked for before it is needed: rows of A
 * begin too often for the processor to see their pattern, and the pieces of B's rows in a panel lie apart.
 * What a tile reads from end to end it foresees by itself. */
void schedule_prefetch(const Target *target, const ContractShape *shape, ContractSchedule *plan) {
    double outer = (double)max64(cost_assumed(shape->outer), 1), b = cost_b_elements(shape);
    double rows = (double)cost_assumed(shape->rows), shared = (double)max64(shape->a_shared, 1);
    double a = outer * cost_distinct(rows * (double)cost_assumed(shape->depth), shape->a_span);
    /* All tiles ask, but only the first one of a panel that the second level holds waits. */
    double asked = rows <= (double)(TILES_ASK * plan->rows) ? b * outer : b;
    bool far_a = cost_is_far(target, target->intel_server ? a / shared : a, shape->memory_bytes);
    bool far_b = cost_is_far(target, asked, shape->memory_bytes);
    if (plan->dot_lanes) {
        dots_prefetch(target, shape, a, asked, plan);
        return;
    }
    bool whole_a =
        shape->a_row == 1 && shape->single_depth && shape->a_depth >= 0 && shape->a_depth <= plan->rows;
    bool whole_b = shape->b_depth >= 0 && shape->b_depth <= (int64_t)plan->vectors * plan->lanes;
    plan->ahead_panel = panel_ahead(target, shape, plan);
    if (!whole_a && comes_from_far(target, a / shared, shape->memory_bytes))
        plan->ahead_depth = depth_ahead(shape, plan);
    if (!shape->single_depth) return;
    /* Rows that share their places in a narrow CPU's first level drive each other out. */
    bool apart = !cost_is_narrow(target) || !cost_collides(2 * shape->a_row, shape->memory_bytes);
    bool even = cost_is_narrow(target) && cost_collides(4 * shape->b_depth, shape->memory_bytes);
    plan->ahead_a =
        far_a && !plan->pack_a && !shape->edges && shape->a_depth == 1 && shape->a_row >= 0 && apart;
    if (far_b && !whole_b && !plan->pack_b && !plan->ahead_panel && !even)
        plan->ahead_b = rows_ahead(target, shape, plan);
}

/* --- chunks */
ContractShape schedule_part(const ContractShape *shape, int64_t row_pieces, int64_t column_pieces,
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
            ContractShape part = schedule_part(shape, r, c, lanes);
            ContractSchedule now = {.lanes = lanes};
            int64_t rows = r > 1 ? div_up(shape->rows, part.rows) : 1;
            int64_t columns = c > 1 ? div_up(shape->columns, part.columns) : 1;
            double cost = time_of(form_choose(target, &part, &now),
                                  max64(cost_assumed(shape->outer), 1) * rows * columns);
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
    ContractShape part = schedule_part(shape, parts, 1, lanes);
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
    form_choose(target, shape, &plan);
    if (one < (double)MIN_CHUNK_WORK && shape->rows >= 0 && shape->columns >= 0)
        plan.chunk_outer = (int64_t)((double)MIN_CHUNK_WORK / one) + 1;
    else if (shape->rows < 0)
        cut_unknown(shape, &plan);
    else
        cut(target, shape, shape->columns < 0 ? 1 : max64(pieces, 1), &plan);
    share_rows(target, shape, plan.lanes, &plan);
    if (shape->outer >= 0 && plan.chunk_outer >= shape->outer) plan.chunk_outer = 0;
    schedule_blocks(target, shape, &plan);
    if (plan.dot_lanes) form_dots_in_turn(target, shape, &plan);
    schedule_prefetch(target, shape, &plan);
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
                             .pack_a = shape->a_apart,
                             .pack_b = shape->b_column != 1 || shape->b_apart,
                             .chunk_outer = usual.chunk_outer,
                             .chunk_rows = usual.chunk_rows,
                             .chunk_columns = usual.chunk_columns};
    return schedule_fits(target, shape, &plan) ? plan : usual;
}
