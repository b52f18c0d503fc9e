/* What a schedule must keep to, so that contract.c makes right code of it: schedules may come from files. */
#include "codegen/contract_cost.h"
#include "codegen/contract_dot.h"
#include "codegen/contract_form.h"

static bool is_power_of_two(uint32_t x) { return x && (x & (x - 1)) == 0; }

static bool blocks_fit(const ContractShape *shape, const ContractSchedule *plan) {
    int64_t panel = (int64_t)plan->vectors * plan->lanes;
    if (plan->column_block % panel || plan->chunk_columns % plan->lanes) return false;
    if (plan->chunk_columns && shape->columns < 0) return false;
    if (plan->depth_block && shape->depth_inner <= 0) return false;
    return plan->row_run == 0 || plan->chunk_rows % plan->row_run == 0;
}

static bool dots_fit(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    uint32_t lanes = target->vector_bytes / shape->bytes;
    if (plan->dot_lanes != lanes || lanes < 2 || plan->transposed || plan->row_run || plan->pack_a ||
        plan->ahead_depth || plan->ahead_panel)
        return false;
    if ((plan->ahead_a && shape->a_row < 0) || (plan->ahead_b && (plan->pack_b || plan->dot_unroll > 1)))
        return false;
    if (shape->a_depth != 1 || (shape->depth >= 0 && shape->depth < lanes)) return false;
    if (shape->a_apart || shape->b_apart) return false;
    if (plan->rows > DOT_MAX_ROWS || plan->dot_columns > DOT_MAX_COLUMNS ||
        !is_power_of_two(plan->dot_columns) || plan->rows * plan->dot_columns > DOT_MAX_SUMS ||
        plan->vectors * plan->lanes % plan->dot_columns)
        return false;
    if (plan->dot_unroll < 1 || (plan->dot_unroll > 1 && plan->pack_b) ||
        plan->rows * plan->dot_unroll > DOT_MAX_SUMS)
        return false;
    if (plan->depth_block && shape->single_depth && plan->depth_block % lanes) return false;
    if (!plan->pack_b) return shape->b_depth == 1;
    return shape->single_depth && shape->columns >= 0 && shape->depth >= 0 && plan->column_block == 0;
}

/* Is what follows a tile's B in memory the next block of it? */
static bool panel_fits(const ContractShape *shape, const ContractSchedule *plan) {
    return is_power_of_two(plan->ahead_panel) && shape->b_streams && !plan->pack_b &&
           shape->columns <= (int64_t)plan->vectors * plan->lanes;
}

static bool tiles_fit(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    uint32_t registers = plan->rows * plan->vectors + plan->vectors + 1;
    if (plan->dot_columns || plan->dot_unroll || registers > target->vector_registers) return false;
    if (plan->transposed && (!schedule_can_transpose(target, shape, plan) || plan->depth_block)) return false;
    if (!plan->pack_b && (shape->b_column != 1 || shape->b_apart)) return false;
    if (!plan->pack_a && shape->a_apart) return false;
    if (plan->pack_b && plan->ahead_b) return false;
    if (plan->ahead_panel && !panel_fits(shape, plan)) return false;
    if (plan->pack_a &&
        (shape->a_row < 0 || shape->rows <= 0 || plan->lanes < 2 || plan->ahead_a || plan->ahead_depth))
        return false;
    if (plan->ahead_a && (shape->a_row < 0 || shape->a_depth != 1)) return false;
    return shape->single_depth || (!plan->ahead_a && !plan->ahead_b);
}

bool schedule_fits(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    if (plan->exchanged != shape->exchanged || plan->lanes != cost_lanes(target, shape)) return false;
    if (plan->rows == 0 || plan->vectors == 0 || plan->rows * plan->vectors > CONTRACT_MAX_TILE) return false;
    if (plan->row_run != (plan->transposed ? shape->row_run : 0) &&
        (plan->row_run != shape->row_run || !form_rows_are_apart(shape)))
        return false;
    if (!blocks_fit(shape, plan)) return false;
    if (plan->blas) return plan->rows == 1 && plan->vectors == 1 && !plan->dot_lanes && !plan->transposed;
    return plan->dot_lanes ? dots_fit(target, shape, plan) : tiles_fit(target, shape, plan);
}
