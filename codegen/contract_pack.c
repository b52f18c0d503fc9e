/* Packing of B, or of A, for the micro-kernel. */
#include "codegen/contract_pack.h"
#include "codegen/contract_pairs.h"
#include "codegen/transpose.h"
#include "codegen/vector.h"
#include <assert.h>

enum {
    MAX_LANES = VECTOR_MAX_LANES,
    STEPS_AHEAD = 16 /* of k that rows are prefetched: they are short, and far from each other */
};

/* --- walking over k: all axes but the innermost are loops here, the innermost is up to the packer */
typedef struct KWalk KWalk;
typedef void KBody(Emit *e, KWalk *walk);
struct KWalk {
    const PackAxis *k;
    uint32_t k_count;
    KBody *body;
    const void *user;
    /* the state of the walk */
    uint32_t level;
    LLVMValueRef flat, offset; /* the step in the panel; the place in the operand */
};

static void walk_level(Emit *e, KWalk *walk);

static void walk_step(Emit *e, LLVMValueRef i, void *user) {
    const KWalk *outer = user;
    KWalk inner = *outer;
    const PackAxis *axis = &outer->k[outer->level];
    inner.offset = offset_add(e, outer->offset, offset_multiply(e, i, axis->stride.value));
    inner.flat = offset_add(e, outer->flat, offset_multiply(e, i, axis->to.value));
    inner.level++;
    walk_level(e, &inner);
}

static void walk_level(Emit *e, KWalk *walk) {
    if (walk->level + 1 < walk->k_count)
        emit_loop(e, emit_i64(e, 0), walk->k[walk->level].extent.value, 1, "pack", walk_step, walk);
    else
        walk->body(e, walk);
}

static void walk_k(Emit *e, const PackAxis *k, uint32_t count, KBody *body, const void *user) {
    LLVMValueRef zero = emit_i64(e, 0);
    KWalk walk = {.k = k, .k_count = count, .body = body, .user = user, .flat = zero, .offset = zero};
    walk_level(e, &walk);
}

/* The innermost k axis; one step where there is none. */
static PackAxis innermost(Emit *e, const PackAxis *k, uint32_t count) {
    Size zero = size_known(e, 0), one = size_known(e, 1);
    return count ? k[count - 1] : (PackAxis){one, zero, one};
}

/* --- B: one group of vectors, side by side */
typedef struct {
    const Pack *pack;
    LLVMValueRef source, target;  /* the group's first column, at k = 0 */
    uint32_t vectors;             /* of a contiguous group */
    LLVMValueRef columns, stride; /* if not NULL: copy panels up to this column, so far from each other */
    LLVMValueRef mask;            /* of a contiguous group of one vector: columns that exist, or NULL */
    bool picks; /* otherwise: all lanes' columns exist, and are picked from whole vectors, */
    LLVMValueRef column[MAX_LANES]; /* or the offset of each lane's column */
    LLVMValueRef flat, offset;      /* the place in k */
} Group;

/* Where step `i` of the innermost axis goes. */
static LLVMValueRef target_at(Emit *e, const Group *g, LLVMValueRef i) {
    const Pack *pack = g->pack;
    LLVMValueRef steps = offset_multiply(e, i, innermost(e, pack->k, pack->k_count).to.value);
    LLVMValueRef row = offset_multiply(e, offset_add(e, g->flat, steps), pack->width.value);
    return vector_at(e, pack->element, g->target, row);
}

static bool is_in_halves(const Pack *pack) { return !size_is(pack->apart, 0); }

/* Elements side by side as they are packed; of `mask`, unless it is NULL. */
static LLVMValueRef load(Emit *e, const Pack *pack, LLVMValueRef at, uint32_t lanes, LLVMValueRef mask) {
    LLVMValueRef value = vector_load_some(e, pack->memory, at, lanes, mask);
    if (!is_in_halves(pack)) return tile_convert(e, pack->element, value);
    LLVMValueRef other = vector_at(e, pack->memory, at, pack->apart.value);
    return pairs_of(e, value, vector_load_some(e, pack->memory, other, lanes, mask));
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
    int64_t vector = pack->lanes * (int64_t)LLVMABISizeOfType(e->layout, pack->memory);
    for (uint32_t v = 0; v < g->vectors; v++) {
        LLVMValueRef place = emit_i64(e, (int64_t)v * pack->lanes);
        LLVMValueRef at = vector_at(e, pack->memory, row->from, place);
        LLVMValueRef value = load(e, pack, at, pack->lanes, g->mask);
        if (pack->k_count && (int64_t)v * vector % CACHE_LINE < vector)
            vector_prefetch(e, pack->memory, at, ahead.value);
        vector_store(e, value, vector_at(e, pack->element, row->to, place));
    }
}

static void copy_panel(Emit *e, LLVMValueRef column, void *user) {
    CopyRow row = *(const CopyRow *)user;
    const Group *g = row.group;
    row.from = vector_at(e, g->pack->memory, row.from, column);
    LLVMValueRef panel = LLVMBuildExactUDiv(e->builder, column, g->pack->width.value, "");
    row.to = vector_at(e, g->pack->element, row.to, offset_multiply(e, panel, g->stride));
    copy_vectors(e, &row);
}

/* Along the row through all panels: memory is read in order. */
static void copy_step(Emit *e, LLVMValueRef i, void *user) {
    const Group *g = user;
    const Pack *pack = g->pack;
    PackAxis axis = innermost(e, pack->k, pack->k_count);
    LLVMValueRef offset = offset_add(e, g->offset, offset_multiply(e, i, axis.stride.value));
    CopyRow row = {g, vector_at(e, pack->memory, g->source, offset), target_at(e, g, i)};
    if (g->columns)
        emit_loop(e, emit_i64(e, 0), g->columns, pack->width.constant, "panel", copy_panel, &row);
    else
        copy_vectors(e, &row);
}

static void copy_body(Emit *e, KWalk *walk) {
    Group g = *(const Group *)walk->user;
    g.flat = walk->flat, g.offset = walk->offset;
    PackAxis axis = innermost(e, walk->k, walk->k_count);
    emit_loop(e, emit_i64(e, 0), axis.extent.value, 1, "copy", copy_step, &g);
}

bool pack_picks(const Pack *pack) {
    return pack->column_stride.known && pack->column_stride.constant > 1 &&
           pack->column_stride.constant <= VECTOR_MAX_STRIDE && pack->lanes > 1 && !is_in_halves(pack);
}

static void pick_vector(Emit *e, const Pack *pack, LLVMValueRef from, LLVMValueRef to) {
    LLVMValueRef piece[VECTOR_MAX_STRIDE];
    int64_t stride = pack->column_stride.constant;
    for (int64_t i = 0; i < stride; i++) {
        LLVMValueRef at = vector_at(e, pack->memory, from, emit_i64(e, vector_piece(pack->lanes, stride, i)));
        piece[i] = vector_load(e, pack->memory, at, pack->lanes);
    }
    LLVMValueRef value = vector_pick(e, piece, pack->lanes, stride);
    vector_store(e, tile_convert(e, pack->element, value), to);
}

static void gather_step(Emit *e, LLVMValueRef i, void *user) {
    const Group *g = user;
    const Pack *pack = g->pack;
    PackAxis axis = innermost(e, pack->k, pack->k_count);
    LLVMValueRef offset = offset_add(e, g->offset, offset_multiply(e, i, axis.stride.value));
    LLVMValueRef to = target_at(e, g, i);
    if (g->picks) {
        pick_vector(e, pack, vector_at(e, pack->memory, g->source, offset), to);
        return;
    }
    for (uint32_t lane = 0; lane < pack->lanes; lane++) {
        LLVMValueRef from = vector_at(e, pack->memory, g->source, offset_add(e, g->column[lane], offset));
        vector_store(e, load(e, pack, from, 1, NULL), vector_at(e, pack->element, to, emit_i64(e, lane)));
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
    LLVMValueRef mask = count == lanes ? NULL : vector_first_lanes(e, emit_i64(e, count), lanes);
    return load(e, pack, from, lanes, mask);
}

/* `steps` of k, as many as lanes or fewer. */
static void transpose_square(Emit *e, const Group *g, LLVMValueRef i, uint32_t steps) {
    const Pack *pack = g->pack;
    LLVMValueRef column[MAX_LANES];
    Square square = {g, offset_add(e, g->offset, i)};
    transpose_rows(e, square_load, &square, column, pack->lanes, steps, element_bytes(e, pack));
    for (uint32_t step = 0; step < steps; step++)
        vector_store(e, column[step], target_at(e, g, offset_add(e, i, emit_i64(e, step))));
}

static void transpose_step(Emit *e, LLVMValueRef i, void *user) {
    const Group *g = user;
    const Pack *pack = g->pack;
    Size extent = innermost(e, pack->k, pack->k_count).extent;
    /* The last square may overlap the one before. */
    if (pack->run) i = size_min(e, size_run_time(i), size_sub(e, extent, size_known(e, pack->lanes))).value;
    transpose_square(e, g, vector_opaque(e, i), pack->lanes);
}

static void strided_body(Emit *e, KWalk *walk) {
    Group g = *(const Group *)walk->user;
    g.flat = walk->flat, g.offset = walk->offset;
    const Pack *pack = g.pack;
    PackAxis axis = innermost(e, walk->k, walk->k_count);
    LLVMValueRef from = emit_i64(e, 0);
    bool squares = size_is(axis.stride, 1) && pack->lanes > 1 && element_bytes(e, pack) >= 4 && !g.picks &&
                   !is_in_halves(pack);
    if (squares && pack->run == pack->lanes) {
        emit_loop(e, from, axis.extent.value, pack->lanes, "transpose", transpose_step, &g);
        return;
    }
    /* One or two steps are cheaper one by one. */
    if (squares && pack->run > 2) {
        transpose_square(e, &g, from, pack->run);
        return;
    }
    if (squares && pack->run == 0) {
        Size whole = size_mul(e, size_div(e, axis.extent, pack->lanes), size_known(e, pack->lanes));
        emit_loop(e, from, whole.value, pack->lanes, "transpose", transpose_step, &g);
        from = whole.value;
    }
    emit_loop(e, from, axis.extent.value, 1, "gather", gather_step, &g);
}

/* --- B: all groups */
static Size total_depth(Emit *e, const Pack *pack) {
    Size depth = size_known(e, 1);
    for (uint32_t i = 0; i < pack->k_count; i++) depth = size_mul(e, depth, pack->k[i].extent);
    return depth;
}

Size pack_stride(Emit *e, Size width, uint32_t lanes, Size depth) {
    return size_add(e, size_mul(e, depth, width), size_known(e, lanes));
}

static LLVMValueRef panel_stride(Emit *e, const Pack *pack) {
    return pack_stride(e, pack->width, pack->lanes, total_depth(e, pack)).value;
}

/* --- columns side by side in memory */
/* One vector of what whole panels leave over. */
static void rest_group(Emit *e, const Pack *pack, LLVMValueRef column, bool partial) {
    LLVMValueRef within = LLVMBuildURem(e->builder, column, pack->width.value, "");
    LLVMValueRef panel = LLVMBuildUDiv(e->builder, column, pack->width.value, "");
    LLVMValueRef place = offset_add(e, offset_multiply(e, panel, panel_stride(e, pack)), within);
    Group g = {.pack = pack,
               .source = vector_at(e, pack->memory, pack->source, column),
               .vectors = 1,
               .target = vector_at(e, pack->element, pack->target, place)};
    LLVMValueRef left = LLVMBuildNSWSub(e->builder, pack->columns.value, column, "");
    if (partial && pack->lanes > 1) g.mask = vector_first_lanes(e, left, pack->lanes);
    walk_k(e, pack->k, pack->k_count, copy_body, &g);
}

static void whole_panels(Emit *e, const Pack *pack, Size columns) {
    Group g = {.pack = pack,
               .source = pack->source,
               .target = pack->target,
               .vectors = (uint32_t)pack->width.constant / pack->lanes,
               .columns = columns.value,
               .stride = panel_stride(e, pack)};
    if (!size_is(columns, 0)) walk_k(e, pack->k, pack->k_count, copy_body, &g);
}

static void whole_vector(Emit *e, LLVMValueRef column, void *user) { rest_group(e, user, column, false); }

static void partial_vector(Emit *e, LLVMValueRef column, void *user) { rest_group(e, user, column, true); }

static void pack_rows(Emit *e, const Pack *pack) {
    Size panels = size_mul(e, size_div(e, pack->columns, pack->width.constant), pack->width);
    whole_panels(e, pack, panels);
    Size vectors = size_mul(e, size_div(e, pack->columns, pack->lanes), size_known(e, pack->lanes));
    emit_loop(e, panels.value, vectors.value, pack->lanes, "group", whole_vector, (void *)pack);
    emit_loop(e, vectors.value, pack->columns.value, pack->lanes, "group", partial_vector, (void *)pack);
}

/* --- columns apart */
typedef struct {
    const Pack *pack;
    LLVMValueRef first, target; /* of the panel: its first column, and where it goes */
} Panel;

static LLVMValueRef times_stride(Emit *e, const Pack *pack, LLVMValueRef column) {
    return offset_multiply(e, column, pack->column_stride.value);
}

typedef enum { ALL, SOME, PERHAPS } Present; /* of a group's columns */

/* The offset of each lane's column from the first one's. Lanes beyond the last column read the last one
 * again: what they hold is never used. */
static void lane_offsets(Emit *e, const Pack *pack, LLVMValueRef left, Present present, LLVMValueRef *out) {
    LLVMValueRef whole[MAX_LANES], part[MAX_LANES];
    uint32_t lanes = pack->lanes;
    for (uint32_t lane = 0; lane < lanes; lane++)
        out[lane] = whole[lane] = times_stride(e, pack, emit_i64(e, lane));
    if (present == ALL) return;
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder));
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder), some = before, join = before;
    if (present == PERHAPS) {
        some = LLVMAppendBasicBlockInContext(e->llvm, function, "some");
        join = LLVMAppendBasicBlockInContext(e->llvm, function, "join");
        LLVMValueRef lacks = LLVMBuildICmp(e->builder, LLVMIntSLT, left, emit_i64(e, lanes), "");
        LLVMBuildCondBr(e->builder, lacks, some, join);
        LLVMPositionBuilderAtEnd(e->builder, some);
    }
    Size last = size_run_time(offset_sub(e, left, emit_i64(e, 1)));
    for (uint32_t lane = 0; lane < lanes; lane++)
        out[lane] = part[lane] = times_stride(e, pack, size_min(e, size_known(e, lane), last).value);
    if (present == SOME) return;
    LLVMBuildBr(e->builder, join);
    LLVMPositionBuilderAtEnd(e->builder, join);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        out[lane] = LLVMBuildPhi(e->builder, LLVMTypeOf(left), "");
        LLVMAddIncoming(out[lane], (LLVMValueRef[]){whole[lane], part[lane]},
                        (LLVMBasicBlockRef[]){before, some}, 2);
    }
}

static void strided_group(Emit *e, const Panel *panel, LLVMValueRef column, Present present) {
    const Pack *pack = panel->pack;
    LLVMValueRef within = offset_sub(e, column, panel->first);
    Group g = {.pack = pack,
               .source = vector_at(e, pack->memory, pack->source, times_stride(e, pack, column)),
               .target = vector_at(e, pack->element, panel->target, within),
               .picks = present == ALL && pack_picks(pack)};
    lane_offsets(e, pack, offset_sub(e, pack->columns.value, column), present, g.column);
    walk_k(e, pack->k, pack->k_count, strided_body, &g);
}

static void whole_group(Emit *e, LLVMValueRef column, void *user) { strided_group(e, user, column, ALL); }

static void partial_group(Emit *e, LLVMValueRef column, void *user) { strided_group(e, user, column, SOME); }

static void any_group(Emit *e, LLVMValueRef column, void *user) { strided_group(e, user, column, PERHAPS); }

static void strided_panel(Emit *e, LLVMValueRef number, void *user) {
    const Pack *pack = user;
    LLVMValueRef place = offset_multiply(e, number, panel_stride(e, pack));
    Panel panel = {pack, offset_multiply(e, number, pack->width.value),
                   vector_at(e, pack->element, pack->target, place)};
    Size end = size_run_time(offset_add(e, panel.first, pack->width.value));
    end = size_min(e, end, pack->columns);
    if (!pack->column_stride.known) { /* one piece of code for both */
        emit_loop(e, panel.first, end.value, pack->lanes, "group", any_group, &panel);
        return;
    }
    Size count = size_run_time(offset_sub(e, end.value, panel.first)), lanes = size_known(e, pack->lanes);
    LLVMValueRef whole =
        offset_add(e, panel.first, size_mul(e, size_div(e, count, pack->lanes), lanes).value);
    emit_loop(e, panel.first, whole, pack->lanes, "group", whole_group, &panel);
    if (!pack->columns.known || pack->columns.constant % pack->lanes)
        emit_loop(e, whole, end.value, pack->lanes, "group", partial_group, &panel);
}

static void pack_columns(Emit *e, const Pack *pack) {
    LLVMValueRef last = offset_sub(e, pack->width.value, emit_i64(e, 1));
    LLVMValueRef panels =
        LLVMBuildUDiv(e->builder, offset_add(e, pack->columns.value, last), pack->width.value, "");
    emit_loop(e, emit_i64(e, 0), panels, 1, "panel", strided_panel, (void *)pack);
}

void pack_here(Emit *e, const Pack *pack) {
    assert(pack->lanes <= MAX_LANES);
    if (size_is(pack->column_stride, 1))
        pack_rows(e, pack);
    else
        pack_columns(e, pack);
}
