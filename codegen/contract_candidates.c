/* What is worth measuring: schedules that differ from one in a single respect. */
#include "codegen/contract_cost.h"
#include "codegen/contract_dot.h"
#include "codegen/contract_form.h"

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
    schedule_blocks(c->target, c->shape, &plan);
    schedule_prefetch(c->target, c->shape, &plan);
    offer(c, plan);
}

static void offer_outer(Candidates *c, ContractSchedule plan) {
    form_tile(c->target, c->shape, &plan);
    offer_blocked(c, plan);
}

static void vary_form(Candidates *c, const ContractSchedule *from) {
    ContractSchedule outer = *from, other;
    outer.dot_lanes = outer.dot_columns = outer.dot_unroll = 0;
    if (from->dot_lanes) outer.pack_b = form_packs_b(c->target, c->shape);
    other = outer;
    if (from->dot_lanes)
        offer_outer(c, outer);
    else if (form_dots(c->target, c->shape, &other) >= 0) {
        other.chunk_outer = from->chunk_outer, other.columns_first = from->columns_first;
        other.chunk_rows = from->chunk_rows, other.chunk_columns = from->chunk_columns;
        offer_blocked(c, other);
        form_dots_in_turn(c->target, c->shape, &other);
        offer_blocked(c, other);
    }
    other = outer, other.pack_b = !other.pack_b;
    offer_outer(c, other);
    other = outer, other.pack_a = !other.pack_a;
    offer_outer(c, other);
    other = outer, other.pack_a = other.pack_b = true;
    offer_outer(c, other);
    other = outer, other.transposed = !other.transposed;
    other.row_run = other.transposed || form_rows_are_apart(c->shape) ? c->shape->row_run : 0;
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
    for (uint32_t ahead = 0; ahead <= 64; ahead = ahead ? 2 * ahead : 16) {
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
        ContractShape part = schedule_part(shape, r, div_up(all, r), plan.lanes);
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
