/* Kernels of kinds rows and reduce: for every row (combination of the axes that stay) reductions over the
 * other axes, then results of a row each, or of an element each. Where the innermost axis is reduced, lanes
 * run along it and are added up at the end of the row; where it stays, or is short, lanes are rows side by
 * side. */
#include "codegen/kernel_rows.h"
#include "codegen/elementwise.h"
#include "codegen/vector.h"
#include <assert.h>

static bool is_row_result(Kernel *k, const Type *type) {
    const RowPlan *p = k->plan;
    return type_elements(k->e->ir, type) == p->row_count;
}

/* --- the plan */
enum {
    SHORT = 4, /* elements of a line that are not worth a vector */
    ACROSS = 8 /* loads of a vector that take as long as adding up one's lanes */
};

/* Loads that take as long as one of a vector whose lanes lie so many elements apart. */
static int64_t loads_for(int64_t step, uint32_t lanes) {
    return step <= 1 ? 1 : step <= VECTOR_MAX_STRIDE ? step : 2 * (int64_t)lanes;
}

/* Is the innermost axis reduced, but so short that lanes are better on the axis before it that stays? */
static bool is_short(Kernel *k, const RowPlan *p, const Roots *roots) {
    int64_t size, rows;
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (!is_row_result(k, yield->operands[i]->type)) return false;
    if (p->kept_count == 0 || p->levels > 1) return false;
    if (!dim_is_const(p->space.dims[p->space.rank - 1], &size)) return false;
    uint32_t axis = p->kept[p->kept_count - 1], lanes = lanes_for(k, p->space.dims[axis]);
    if (dim_is_const(p->space.dims[axis], &rows) && rows <= SHORT) return false;
    return size <= SHORT ||
           size * loads_for(space_step(k, &p->space, axis, roots), lanes) <= (int64_t)lanes * ACROSS;
}

static void plan_axes(Kernel *k, RowPlan *p, const Roots *roots) {
    for (uint32_t d = 0; d < p->space.rank; d++) {
        if (p->space.reduced >> d & 1)
            p->reduced[p->reduced_count++] = d;
        else
            p->kept[p->kept_count++] = d;
    }
    /* Reductions of reductions are done row by row. */
    p->in_order = p->kept_count == 0 || p->kept[p->kept_count - 1] + 1 == p->kept_count;
    p->along = p->space.rank == 0 || (p->space.reduced >> (p->space.rank - 1) & 1) || p->levels > 1;
    if (p->along && is_short(k, p, roots)) p->along = false;
}

/* Which axes of `finer` are reduced, if each axis of `shape` is made of whole ones; else 0. */
static uint32_t reduced_of(Kernel *k, const Type *shape, uint32_t reduced, const Type *finer) {
    uint32_t end = 0, found = 0;
    for (uint32_t d = 0; d < shape->rank; d++) {
        uint32_t first = end;
        while (end < finer->rank && kernel_product(k, end - first, finer->dims + first) != shape->dims[d])
            end++;
        if (kernel_product(k, end - first, finer->dims + first) != shape->dims[d]) return 0;
        if (reduced >> d & 1) found |= (1u << end) - (1u << first);
    }
    return end == finer->rank ? found : 0;
}

/* Loops over what is reduced, or over the axes of what is reshaped to it: those that make the least of index
 * arithmetic. */
static Space best_space(Kernel *k, const Type *shape, uint32_t reduced, const Roots *roots) {
    Space best = space_choose(k, shape->rank, shape->dims, reduced, roots);
    uint32_t least = k->splits;
    for (const Node *node = k->body->last; node && least > 1; node = node->prev) {
        if (node->op != OP_reshape) continue;
        const Type *finer = node->operands[0]->type;
        uint32_t inside = reduced_of(k, shape, reduced, finer);
        if (!inside) continue;
        Space space = space_choose(k, finer->rank, finer->dims, inside, roots);
        if (k->splits >= least) continue;
        least = k->splits;
        best = space;
    }
    return best;
}

RowPlan *row_plan(Kernel *k) {
    RowPlan *p = ARENA_NEW(k->arena, RowPlan);
    uint32_t nodes = 0;
    for (const Node *node = k->body->first; node; node = node->next) nodes++;
    p->level = ARENA_ARRAY(k->arena, uint32_t, nodes);
    body_reductions(k, &p->reductions, p->level);
    assert(p->reductions.count);
    const Node *first = p->reductions.at[0];
    const Type *shape = first->operands[0]->type;
    uint32_t reduced = attr_bits(node_attr(first, ATTR_axes));
    p->row_count = type_elements(k->e->ir, first->results[0]->type);
    Roots roots = {0};
    for (uint32_t i = 0; i < p->reductions.count; i++) {
        vec_push(k->arena, &roots, p->reductions.at[i]->operands[0]);
        map_put(k->bound, p->reductions.at[i]->results[0],
                p); /* anything: nothing is built from it while choosing */
        if (p->level[i] + 1 > p->levels) p->levels = p->level[i] + 1;
    }
    k->plan = p;
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (!is_row_result(k, yield->operands[i]->type)) vec_push(k->arena, &roots, yield->operands[i]);
    p->space = best_space(k, shape, reduced, &roots);
    plan_axes(k, p, &roots);
    return p;
}

/* --- a row */
typedef struct {
    const RowPlan *plan;
    uint32_t count, lanes, copies;
    Fold *folds;
} Pass;

static At row_index(const RowPlan *p, const At *frame) {
    At row = at_child(frame);
    for (uint32_t i = 0; i < p->kept_count; i++)
        at_push(&row, frame->dims[p->kept[i]], frame->index[p->kept[i]]);
    return row;
}

static LLVMValueRef *row_values(Kernel *k, const At *row, bool rows) {
    Node *yield = kernel_yield(k);
    LLVMValueRef *values = ARENA_ARRAY(k->arena, LLVMValueRef, yield->operand_count);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (is_row_result(k, yield->operands[i]->type) == rows)
            values[i] = value_at(k, yield->operands[i], row);
    return values;
}

/* The results that have one element a row, or one element each. */
static void store_results(Kernel *k, const At *at, bool rows) {
    Node *yield = kernel_yield(k);
    LLVMValueRef *values = row_values(k, at, rows);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (values[i]) store_result(k, i, at, values[i]);
}

static void open_pass(Kernel *k, Pass *pass, uint32_t level) {
    const RowPlan *p = pass->plan;
    pass->count = 0;
    for (uint32_t i = 0; i < p->reductions.count; i++)
        if (p->level[i] == level)
            pass->folds[pass->count++] = fold_open(k, p->reductions.at[i], pass->lanes, pass->copies);
}

/* --- lanes along the reduced axis */
static void along_step(Kernel *k, const At *at, uint32_t copy, void *user) {
    const Pass *pass = user;
    for (uint32_t i = 0; i < pass->count; i++)
        fold_step(k, &pass->folds[i], copy, at, pass->plan->reduced_count, pass->plan->reduced);
}

static void element_step(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy, (void)user;
    store_results(k, at, false);
}

Nest row_nest(Kernel *k, const RowPlan *p, const At *frame) {
    Nest nest = {
        .frame = *frame, .count = p->reduced_count, .lanes = 1, .unroll = 1, .from = emit_i64(k->e, 0)};
    for (uint32_t i = 0; i < p->reduced_count; i++) nest.axes[i] = p->reduced[i];
    nest.to = kernel_size(k, nest_range(k, frame, nest.count, nest.axes));
    if (p->along && p->reduced_count) {
        const Dim *last = frame->dims[p->reduced[p->reduced_count - 1]];
        int64_t size;
        nest.lanes = lanes_for(k, last);
        nest.unroll = unroll_for(k);
        while (nest.unroll > 1 && dim_is_const(last, &size) && size < (int64_t)(nest.lanes * nest.unroll))
            nest.unroll /= 2;
    }
    return nest;
}

static bool has_element_results(Kernel *k) {
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (!is_row_result(k, yield->operands[i]->type)) return true;
    return false;
}

/* --- what is dear and needed by several passes is kept in memory */
/* Notes the values that pass number `pass` computes for the elements at hand, and stores those that an
 * earlier one has computed too. */
static void note_pass(Kernel *k, Map *first, const Value *value, uint32_t pass) {
    const Node *node = value->node;
    if (!node || value->block != k->body || op_has(node->op, TRAIT_REDUCES)) return;
    uint32_t seen = (uint32_t)(uintptr_t)map_get(first, value);
    if (seen == pass + 1) return;
    bool again = seen > 0 && kernel_cost(node) >= KERNEL_DEAR && !is_row_result(k, value->type);
    if (again && !map_get(k->stored, value)) {
        Stored *stored = ARENA_NEW(k->arena, Stored);
        stored->pass = seen - 1;
        map_put(k->stored, value, stored);
        vec_push(k->arena, &((RowPlan *)k->plan)->stored, stored);
    }
    if (again) return;
    if (seen == 0) map_put(first, value, (void *)(uintptr_t)(pass + 1));
    if (!op_has(node->op, TRAIT_ELEMENTWISE) && node->op != OP_reshape) return;
    for (uint32_t i = 0; i < node->operand_count; i++) note_pass(k, first, node->operands[i], pass);
}

/* Asks for memory for a row of each stored value. */
static void open_stored(Kernel *k) {
    RowPlan *p = k->plan;
    enum { WIDEST = 8 };
    Map *first = map_new(k->arena);
    k->stored = map_new(k->arena);
    k->row_axes = p->kept_count;
    p->stored.count = 0;
    for (uint32_t i = 0; i < p->reductions.count; i++)
        note_pass(k, first, p->reductions.at[i]->operands[0], p->level[i]);
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (!is_row_result(k, yield->operands[i]->type)) note_pass(k, first, yield->operands[i], p->levels);
    if (p->stored.count == 0) return;
    LLVMValueRef row = emit_i64(k->e, WIDEST);
    for (uint32_t i = 0; i < p->reduced_count; i++)
        row = LLVMBuildMul(k->e->builder, row, kernel_size(k, p->space.dims[p->reduced[i]]), "");
    LLVMValueRef bytes = LLVMBuildMul(k->e->builder, row, emit_i64(k->e, p->stored.count), "");
    LLVMValueRef memory = emit_runtime_call(k->e, "nn_scratch", 2, (LLVMValueRef[]){k->e->rt, bytes});
    for (uint32_t i = 0; i < p->stored.count; i++) {
        LLVMValueRef offset = LLVMBuildMul(k->e->builder, row, emit_i64(k->e, i), "");
        LLVMTypeRef byte = LLVMInt8TypeInContext(k->e->llvm);
        p->stored.at[i]->memory = LLVMBuildInBoundsGEP2(k->e->builder, byte, memory, &offset, 1, "");
    }
}

/* --- a row, pass by pass */
static void emit_row(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy, (void)user;
    const RowPlan *p = k->plan;
    Nest nest = row_nest(k, p, at);
    Pass pass = {.plan = p,
                 .lanes = nest.lanes,
                 .copies = nest.unroll,
                 .folds = ARENA_ARRAY(k->arena, Fold, p->reductions.count)};
    nest.user = &pass;
    for (uint32_t level = 0; level < p->levels; level++) {
        k->pass = level;
        open_pass(k, &pass, level);
        nest.body = along_step;
        nest_emit(k, &nest);
        for (uint32_t i = 0; i < pass.count; i++) {
            LLVMValueRef result = fold_result(k, &pass.folds[i], fold_across(k, &pass.folds[i]));
            map_put(k->bound, pass.folds[i].node->results[0], result);
        }
    }
    At row = row_index(p, at);
    const At *kept = at_keep(k, &row);
    k->pass = p->levels;
    if (has_element_results(k)) {
        nest.body = element_step;
        nest_emit(k, &nest);
    }
    store_results(k, kept, true);
}

/* --- lanes across rows */
static uint32_t lane_axis(const RowPlan *p) { return p->kept[p->kept_count - 1]; }

static At shifted(Kernel *k, const At *at, uint32_t axis, uint32_t copy) {
    At moved = *at;
    if (copy) {
        Index by = index_of(emit_i64(k->e, (int64_t)copy * at->lanes));
        moved.index[axis] = index_add(k, at->index[axis], by, at->lanes);
        moved.index[axis].align = at->index[axis].align;
    }
    return moved;
}

typedef struct {
    Pass pass;
    const At *block; /* lanes at the first copy's columns */
} Columns;

static void across_step(Kernel *k, const At *at, uint32_t ignored, void *user) {
    (void)ignored;
    const Columns *c = user;
    uint32_t last = lane_axis(c->pass.plan);
    for (uint32_t copy = 0; copy < c->pass.copies; copy++) {
        At lanes = *at;
        lanes.lanes = c->block->lanes;
        lanes.tail = c->block->tail;
        At column = shifted(k, c->block, last, copy);
        lanes.index[last] = column.index[last];
        const At *kept = at_keep(k, &lanes);
        for (uint32_t i = 0; i < c->pass.count; i++)
            fold_step(k, &c->pass.folds[i], copy, kept, c->pass.plan->reduced_count, c->pass.plan->reduced);
    }
}

/* How many elements a row has, if that is known and no more than are worth being written out; else 0. */
static int64_t written_out(const Nest *nest) {
    int64_t total = 1, size;
    for (uint32_t i = 0; i < nest->count; i++) {
        if (!dim_is_const(nest->frame.dims[nest->axes[i]], &size) || size > SHORT) return 0;
        total *= size;
    }
    return total <= SHORT ? total : 0;
}

/* Element number `number` of the row. */
static void emit_element(Kernel *k, const Nest *nest, int64_t number) {
    At at = nest->frame;
    for (uint32_t i = nest->count; i-- > 0;) {
        int64_t size = 1;
        dim_is_const(at.dims[nest->axes[i]], &size);
        at.index[nest->axes[i]] = index_const(k, number % size);
        number /= size;
    }
    const Scope *outer = scope_open(k);
    nest->body(k, at_keep(k, &at), 0, nest->user);
    scope_close(k, outer);
}

static void emit_elements(Kernel *k, const Nest *nest) {
    int64_t total = written_out(nest);
    for (int64_t i = 0; i < total; i++) emit_element(k, nest, i);
    if (total == 0) nest_emit(k, nest);
}

static void emit_columns(Kernel *k, const At *at, uint32_t copies, void *user) {
    (void)user;
    const RowPlan *p = k->plan;
    Columns c = {.pass = {.plan = p, .lanes = at->lanes, .copies = copies}, .block = at};
    c.pass.folds = ARENA_ARRAY(k->arena, Fold, p->reductions.count);
    open_pass(k, &c.pass, 0);
    for (uint32_t i = 0; i < c.pass.count; i++) c.pass.folds[i].in_order = true;
    At frame = *at;
    frame.lanes = 1;
    frame.tail = NULL;
    Nest nest = row_nest(k, p, &frame);
    nest.body = across_step;
    nest.user = &c;
    emit_elements(k, &nest);
    for (uint32_t copy = 0; copy < copies; copy++) {
        for (uint32_t i = 0; i < c.pass.count; i++) {
            const Fold *fold = &c.pass.folds[i];
            map_put(k->bound, fold->node->results[0], fold_result(k, fold, fold_load(k, fold, copy)));
        }
        At column = shifted(k, at, lane_axis(p), copy), row = row_index(p, &column);
        const Scope *outer = scope_open(k);
        store_results(k, at_keep(k, &row), true);
        scope_close(k, outer);
    }
}

/* --- chunks of rows */
static uint32_t row_lanes(const Kernel *k, const RowPlan *p) {
    return p->along ? 1 : lanes_for(k, p->space.dims[lane_axis(p)]);
}

static Chunks row_chunks(Kernel *k) {
    const RowPlan *p = k->plan;
    IrContext *ir = k->e->ir;
    At frame = space_origin(k, &p->space);
    const Dim *units = p->kept_count ? nest_range(k, &frame, p->kept_count, p->kept) : dim_const(ir, 1),
              *unit = dim_const(ir, 1);
    for (uint32_t i = 0; i < p->reduced_count; i++) unit = dim_mul(ir, unit, frame.dims[p->reduced[i]]);
    if (p->kept_count > 1) unit = dim_mul(ir, unit, frame.dims[p->kept[p->kept_count - 1]]);
    bool columns = !p->along && p->kept_count == 1;
    return chunks_of(k, units, unit, columns ? row_lanes(k, p) * MAX_UNROLL : 1, 0);
}

static LLVMValueRef rows_count(Kernel *k) { return row_chunks(k).count; }

static void rows_body(Kernel *k, LLVMValueRef chunk) {
    const RowPlan *p = k->plan;
    Chunks chunks = row_chunks(k);
    Nest nest = {
        .frame = space_origin(k, &p->space), .count = p->kept_count, .lanes = row_lanes(k, p), .unroll = 1};
    chunk_range(k, &chunks, chunk, &nest.from, &nest.to);
    memcpy(nest.axes, p->kept, sizeof p->kept);
    if (p->along && p->in_order) open_stored(k);
    nest.body = p->along ? emit_row : emit_columns;
    if (!p->along) {
        int64_t columns;
        nest.joint = true;
        nest.unroll = MAX_UNROLL;
        if (dim_is_const(p->space.dims[lane_axis(p)], &columns))
            while (nest.unroll > 1 && columns < (int64_t)nest.lanes * nest.unroll) nest.unroll /= 2;
    }
    nest_emit(k, &nest);
}

uint32_t rows_stages(Kernel *k, Stage *out) {
    if (!k->plan) k->plan = row_plan(k);
    out[0] = (Stage){rows_count, rows_body};
    return 1;
}

const KernelKind kernel_rows = {.name = "rows", .stages = rows_stages};
