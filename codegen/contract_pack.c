/* Packing of B, or of A, for the micro-kernel. */
#include "codegen/contract_pack.h"
#include "codegen/transpose.h"
#include "codegen/vector.h"
#include <assert.h>

enum {
    MAX_LANES = VECTOR_MAX_LANES,
    STEPS_AHEAD = 8 /* of k that rows are prefetched: they are short, and far from each other */
};

/* --- walking over k: all axes but the innermost are loops here, the innermost is up to the packer */
typedef struct KWalk KWalk;
typedef void KBody(Emit *e, KWalk *walk, LLVMValueRef flat, LLVMValueRef offset);
struct KWalk {
    const PackAxis *k;
    uint32_t k_count;
    KBody *body;
    const void *user;
    /* the state of the walk */
    uint32_t level;
    LLVMValueRef flat, offset;
};

static void walk_level(Emit *e, KWalk *walk);

static void walk_step(Emit *e, LLVMValueRef i, void *user) {
    KWalk *outer = user;
    KWalk inner = *outer;
    const PackAxis *axis = &outer->k[outer->level];
    inner.offset = LLVMBuildNSWAdd(e->builder, outer->offset,
                                   LLVMBuildNSWMul(e->builder, i, axis->stride.value, ""), "");
    LLVMValueRef scaled = LLVMBuildNSWMul(e->builder, outer->flat, axis->extent.value, "");
    inner.flat = LLVMBuildNSWAdd(e->builder, scaled, i, "");
    inner.level++;
    walk_level(e, &inner);
}

/* `flat` counts the steps of the axes so far; the body gets it times the innermost extent. */
static void walk_level(Emit *e, KWalk *walk) {
    if (walk->level + 1 < walk->k_count) {
        emit_loop(e, emit_i64(e, 0), walk->k[walk->level].extent.value, 1, "pack", walk_step, walk);
        return;
    }
    LLVMValueRef flat = walk->flat;
    if (walk->k_count) flat = LLVMBuildNSWMul(e->builder, flat, walk->k[walk->level].extent.value, "");
    walk->body(e, walk, flat, walk->offset);
}

static void walk_k(Emit *e, const PackAxis *k, uint32_t count, KBody *body, const void *user) {
    LLVMValueRef zero = emit_i64(e, 0);
    KWalk walk = {.k = k, .k_count = count, .body = body, .user = user, .flat = zero, .offset = zero};
    walk_level(e, &walk);
}

/* The innermost k axis; one step where there is none. */
static PackAxis innermost(Emit *e, const PackAxis *k, uint32_t count) {
    Size zero = size_known(e, 0);
    return count ? k[count - 1] : (PackAxis){size_known(e, 1), zero};
}

/* --- B: one group of vectors, side by side */
typedef struct {
    const Pack *pack;
    LLVMValueRef source, target;    /* the group's first column, at k = 0 */
    uint32_t vectors;               /* of a contiguous group */
    LLVMValueRef columns, stride;   /* if not NULL: copy panels up to this column, so far from each other */
    LLVMValueRef mask;              /* of a contiguous group of one vector: columns that exist, or NULL */
    LLVMValueRef column[MAX_LANES]; /* otherwise: the offset of each lane's column */
    LLVMValueRef flat, offset;      /* the place in k */
} Group;

static LLVMValueRef target_at(Emit *e, const Group *g, LLVMValueRef flat) {
    LLVMValueRef row = offset_multiply(e, flat, emit_i64(e, g->pack->width));
    return vector_at(e, g->pack->element, g->target, row);
}

/* A row of a contiguous group. */
typedef struct {
    const Group *group;
    LLVMValueRef from, to;
} CopyRow;

static void copy_vectors(Emit *e, const CopyRow *row) {
    const Group *g = row->group;
    const Pack *pack = g->pack;
    Size ahead = size_mul(e, size_known(e, STEPS_AHEAD), innermost(e, pack->k, pack->k_count).stride);
    for (uint32_t v = 0; v < g->vectors; v++) {
        LLVMValueRef place = emit_i64(e, (int64_t)v * pack->lanes);
        LLVMValueRef at = vector_at(e, pack->memory, row->from, place), value;
        if (g->mask)
            value = vector_load_masked(e, pack->memory, at, g->mask);
        else
            value = vector_load(e, pack->memory, at, pack->lanes);
        if (pack->k_count) vector_prefetch(e, pack->memory, at, ahead.value);
        value = tile_convert(e, pack->element, value);
        vector_store(e, value, vector_at(e, pack->element, row->to, place));
    }
}

static void copy_panel(Emit *e, LLVMValueRef column, void *user) {
    CopyRow row = *(const CopyRow *)user;
    const Group *g = row.group;
    row.from = vector_at(e, g->pack->memory, row.from, column);
    LLVMValueRef panel = LLVMBuildExactUDiv(e->builder, column, emit_i64(e, g->pack->width), "");
    row.to = vector_at(e, g->pack->element, row.to, offset_multiply(e, panel, g->stride));
    copy_vectors(e, &row);
}

/* Along the row through all panels: memory is read in order. */
static void copy_step(Emit *e, LLVMValueRef i, void *user) {
    const Group *g = user;
    const Pack *pack = g->pack;
    PackAxis axis = innermost(e, pack->k, pack->k_count);
    LLVMValueRef offset = offset_add(e, g->offset, offset_multiply(e, i, axis.stride.value));
    CopyRow row = {g, vector_at(e, pack->memory, g->source, offset),
                   target_at(e, g, offset_add(e, g->flat, i))};
    if (g->columns)
        emit_loop(e, emit_i64(e, 0), g->columns, pack->width, "panel", copy_panel, &row);
    else
        copy_vectors(e, &row);
}

static void copy_body(Emit *e, KWalk *walk, LLVMValueRef flat, LLVMValueRef offset) {
    Group g = *(const Group *)walk->user;
    g.flat = flat, g.offset = offset;
    PackAxis axis = innermost(e, walk->k, walk->k_count);
    emit_loop(e, emit_i64(e, 0), axis.extent.value, 1, "copy", copy_step, &g);
}

static void gather_step(Emit *e, LLVMValueRef i, void *user) {
    const Group *g = user;
    const Pack *pack = g->pack;
    PackAxis axis = innermost(e, pack->k, pack->k_count);
    LLVMValueRef offset = offset_add(e, g->offset, offset_multiply(e, i, axis.stride.value));
    LLVMValueRef to = target_at(e, g, offset_add(e, g->flat, i));
    for (uint32_t lane = 0; lane < pack->lanes; lane++) {
        LLVMValueRef from = vector_at(e, pack->memory, g->source, offset_add(e, g->column[lane], offset));
        LLVMValueRef value = tile_load(e, pack->memory, pack->element, from, 1);
        vector_store(e, value, vector_at(e, pack->element, to, emit_i64(e, lane)));
    }
}

static uint32_t element_bytes(Emit *e, const Pack *pack) {
    return (uint32_t)LLVMABISizeOfType(e->layout, pack->element);
}

/* A square of rows, the group's columns, by steps of k. */
typedef struct {
    const Group *group;
    LLVMValueRef offset;
} Square;

static LLVMValueRef square_load(Emit *e, uint32_t row, uint32_t column, uint32_t count, uint32_t lanes,
                                void *user) {
    const Square *s = user;
    const Pack *pack = s->group->pack;
    LLVMValueRef offset = offset_add(e, s->group->column[row], offset_add(e, s->offset, emit_i64(e, column)));
    LLVMValueRef from = vector_at(e, pack->memory, s->group->source, offset);
    if (count == lanes) return tile_load(e, pack->memory, pack->element, from, lanes);
    LLVMValueRef mask = vector_first_lanes(e, emit_i64(e, count), lanes);
    return tile_convert(e, pack->element, vector_load_masked(e, pack->memory, from, mask));
}

/* `steps` of k, as many as lanes or fewer. */
static void transpose_square(Emit *e, const Group *g, LLVMValueRef i, uint32_t steps) {
    const Pack *pack = g->pack;
    LLVMValueRef column[MAX_LANES];
    Square square = {g, offset_add(e, g->offset, i)};
    transpose_rows(e, square_load, &square, column, pack->lanes, steps, element_bytes(e, pack));
    LLVMValueRef to = target_at(e, g, offset_add(e, g->flat, i));
    for (uint32_t step = 0; step < steps; step++)
        vector_store(e, column[step],
                     vector_at(e, pack->element, to, emit_i64(e, (int64_t)step * pack->width)));
}

static void transpose_step(Emit *e, LLVMValueRef i, void *user) {
    const Group *g = user;
    transpose_square(e, g, i, g->pack->lanes);
}

static void strided_body(Emit *e, KWalk *walk, LLVMValueRef flat, LLVMValueRef offset) {
    Group g = *(const Group *)walk->user;
    g.flat = flat, g.offset = offset;
    const Pack *pack = g.pack;
    PackAxis axis = innermost(e, walk->k, walk->k_count);
    LLVMValueRef from = emit_i64(e, 0);
    if (size_is(axis.stride, 1) && pack->lanes > 1 && element_bytes(e, pack) >= 4) {
        Size squares = size_mul(e, size_div(e, axis.extent, pack->lanes), size_known(e, pack->lanes));
        emit_loop(e, from, squares.value, pack->lanes, "transpose", transpose_step, &g);
        from = squares.value;
        /* Few steps that are left over are cheaper one by one. */
        int64_t rest = axis.extent.known ? axis.extent.constant - squares.constant : 0;
        if (rest > 2) {
            transpose_square(e, &g, from, (uint32_t)rest);
            return;
        }
    }
    emit_loop(e, from, axis.extent.value, 1, "gather", gather_step, &g);
}

/* --- B: all groups */
static Size total_depth(Emit *e, const Pack *pack) {
    Size depth = size_known(e, 1);
    for (uint32_t i = 0; i < pack->k_count; i++) depth = size_mul(e, depth, pack->k[i].extent);
    return depth;
}

Size pack_stride(Emit *e, uint32_t width, uint32_t lanes, Size depth) {
    return size_add(e, size_mul(e, depth, size_known(e, width)), size_known(e, lanes));
}

static LLVMValueRef panel_stride(Emit *e, const Pack *pack) {
    return pack_stride(e, pack->width, pack->lanes, total_depth(e, pack)).value;
}

/* One vector's columns. */
static void pack_group(Emit *e, const Pack *pack, LLVMValueRef column, bool partial) {
    LLVMValueRef width = emit_i64(e, pack->width);
    LLVMValueRef within = LLVMBuildURem(e->builder, column, width, "");
    LLVMValueRef panel = LLVMBuildUDiv(e->builder, column, width, "");
    LLVMValueRef place = offset_add(e, offset_multiply(e, panel, panel_stride(e, pack)), within);
    Group g = {.pack = pack,
               .source = pack->source,
               .vectors = 1,
               .target = vector_at(e, pack->element, pack->target, place)};
    if (size_is(pack->column_stride, 1)) {
        LLVMValueRef left = LLVMBuildNSWSub(e->builder, pack->columns.value, column, "");
        if (partial && pack->lanes > 1) g.mask = vector_first_lanes(e, left, pack->lanes);
        g.source = vector_at(e, pack->memory, pack->source, column);
        walk_k(e, pack->k, pack->k_count, copy_body, &g);
        return;
    }
    /* Lanes beyond the last column read the last one again: what they hold is never used. */
    Size last = size_sub(e, pack->columns, size_known(e, 1));
    for (uint32_t lane = 0; lane < pack->lanes; lane++) {
        Size at = size_run_time(offset_add(e, column, emit_i64(e, lane)));
        if (partial) at = size_min(e, at, last);
        g.column[lane] = offset_multiply(e, at.value, pack->column_stride.value);
    }
    walk_k(e, pack->k, pack->k_count, strided_body, &g);
}

static void whole_panels(Emit *e, const Pack *pack, Size columns) {
    Group g = {.pack = pack,
               .source = pack->source,
               .target = pack->target,
               .vectors = pack->width / pack->lanes,
               .columns = columns.value,
               .stride = panel_stride(e, pack)};
    if (!size_is(columns, 0)) walk_k(e, pack->k, pack->k_count, copy_body, &g);
}

static void whole_vector(Emit *e, LLVMValueRef column, void *user) { pack_group(e, user, column, false); }

static void partial_vector(Emit *e, LLVMValueRef column, void *user) { pack_group(e, user, column, true); }

/* Neighbouring axes of k that are one. */
static void merge_k(Emit *e, Pack *pack) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pack->k_count; i++) {
        PackAxis inner = pack->k[i], *outer = kept ? &pack->k[kept - 1] : NULL;
        bool known = outer && outer->stride.known && inner.stride.known && inner.extent.known;
        if (!known || outer->stride.constant != inner.stride.constant * inner.extent.constant) {
            pack->k[kept++] = inner;
            continue;
        }
        outer->extent = size_mul(e, outer->extent, inner.extent);
        outer->stride = inner.stride;
    }
    pack->k_count = kept;
}

void pack_panels(Emit *e, Pack *pack) {
    assert(pack->lanes <= MAX_LANES);
    merge_k(e, pack);
    LLVMValueRef from = emit_i64(e, 0);
    if (size_is(pack->column_stride, 1)) {
        Size panels = size_mul(e, size_div(e, pack->columns, pack->width), size_known(e, pack->width));
        whole_panels(e, pack, panels);
        from = panels.value;
    }
    Size vectors = size_mul(e, size_div(e, pack->columns, pack->lanes), size_known(e, pack->lanes));
    emit_loop(e, from, vectors.value, pack->lanes, "group", whole_vector, pack);
    emit_loop(e, vectors.value, pack->columns.value, pack->lanes, "group", partial_vector, pack);
}
