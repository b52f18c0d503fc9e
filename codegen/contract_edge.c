/* Which elements of windows exist, from sizes. */
#include "codegen/contract_edge.h"
#include <string.h>

const ContractEdge *edge_at(const Product *p, uint32_t axis) {
    for (uint32_t i = 0; i < p->contract->edge_count; i++)
        if (p->contract->edge[i].place_axis == axis) return &p->contract->edge[i];
    return NULL;
}

const ContractEdge *edge_of_rows(const Product *p) {
    return p->plan.row_run && p->contract->edge_count ? edge_at(p, product_row_axis(p)) : NULL;
}

static bool exists(const ContractEdge *edge, int64_t place, int64_t step) {
    int64_t at = place * edge->stride + step * edge->dilation - edge->low;
    return at >= 0 && at < edge->extent;
}

static EdgeTiles tile_at(const Product *p, const ContractEdge *edge, int64_t from, int64_t rows) {
    EdgeTiles tile = {.from = from, .to = from + rows, .rows = (uint32_t)rows};
    int64_t steps = edge ? p->contract->k[edge->k_axis].extent.constant : 0;
    for (int64_t step = 0; step < steps; step++)
        for (int64_t r = 0; r < rows; r++)
            if (!exists(edge, from + r, step)) tile.skip[step] |= 1u << r;
    return tile;
}

uint32_t edge_tiles(Emit *e, const Product *p, const ContractEdge *edge, int64_t places, int64_t rows,
                    EdgeTiles **out) {
    uint32_t count = 0;
    *out = ARENA_ARRAY(e->arena, EdgeTiles, (size_t)((places + rows - 1) / rows));
    for (int64_t from = 0; from < places; from += rows) {
        EdgeTiles tile = tile_at(p, edge, from, places - from < rows ? places - from : rows);
        EdgeTiles *last = count ? &(*out)[count - 1] : NULL;
        if (last && last->rows == tile.rows && memcmp(last->skip, tile.skip, sizeof tile.skip) == 0)
            last->to = tile.to;
        else
            (*out)[count++] = tile;
    }
    return count;
}

/* max(x, 0) / by, rounded up. */
static Size steps_in(Emit *e, LLVMValueRef x, int64_t by) {
    LLVMValueRef zero = emit_i64(e, 0), positive = LLVMBuildICmp(e->builder, LLVMIntSGT, x, zero, "");
    return size_div_up(e, size_run_time(LLVMBuildSelect(e->builder, positive, x, zero, "")), by);
}

bool edge_steps(Emit *e, const Product *p, uint32_t k, const LLVMValueRef *index, LLVMValueRef *from,
                Size *count) {
    const ContractEdge *edge = NULL;
    for (uint32_t i = 0; i < p->contract->edge_count; i++)
        if (p->contract->edge[i].k_axis == p->k.at[k].first) edge = &p->contract->edge[i];
    if (!edge || edge == edge_of_rows(p)) return false;
    LLVMValueRef place = offset_multiply(e, index[edge->place_axis], emit_i64(e, edge->stride));
    LLVMValueRef before = offset_sub(e, emit_i64(e, edge->low), place);
    Size first = steps_in(e, before, edge->dilation);
    Size end = steps_in(e, offset_add(e, before, emit_i64(e, edge->extent)), edge->dilation);
    *from = first.value;
    *count = size_run_time(offset_sub(e, size_min(e, end, p->k.at[k].extent).value, first.value));
    return true;
}
