/* Kernels of kind reduce. To a single element: every chunk of the work leaves what it found, and a second
 * stage combines that in order, so that the result's bits don't depend on the number of threads. Otherwise,
 * and where the work is small, rows (kernel_rows.c). */
#include "codegen/elementwise.h"
#include "codegen/kernel_rows.h"
#include <assert.h>

enum { MAX_CHUNKS = 256, SLOT_BYTES = 8 };

static Chunks total_chunks(Kernel *k) {
    const RowPlan *p = k->plan;
    At frame = space_origin(k, &p->space);
    const Dim *units = nest_range(k, &frame, p->reduced_count, p->reduced), *unit = dim_const(k->e->ir, 1);
    bool lines = p->reduced_count > 1;
    if (lines) unit = frame.dims[p->reduced[p->reduced_count - 1]];
    return chunks_of(k, units, unit, lines ? 1 : k->lanes * MAX_UNROLL, MAX_CHUNKS);
}

static LLVMValueRef total_count(Kernel *k) { return total_chunks(k).count; }
static LLVMValueRef once(Kernel *k) { return emit_i64(k->e, 1); }

/* The slot of a reduction's value (or, as number 2i + 1, place) that chunk `chunk` leaves. */
static LLVMValueRef partial(Kernel *k, uint32_t number, LLVMValueRef chunk) {
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef first = emit_i64(k->e, (int64_t)number * MAX_CHUNKS);
    LLVMValueRef index = LLVMBuildAdd(b, first, chunk, "");
    return LLVMBuildInBoundsGEP2(b, LLVMInt64TypeInContext(k->e->llvm), k->space, &index, 1, "");
}

typedef struct {
    const RowPlan *plan;
    Fold *folds;
} Total;

static void total_step(Kernel *k, const At *at, uint32_t copy, void *user) {
    const Total *t = user;
    for (uint32_t i = 0; i < t->plan->reductions.count; i++)
        fold_step(k, &t->folds[i], copy, at, t->plan->reduced_count, t->plan->reduced);
}

static void total_body(Kernel *k, LLVMValueRef chunk) {
    const RowPlan *p = k->plan;
    At frame = space_origin(k, &p->space);
    Nest nest = row_nest(k, p, &frame);
    Chunks chunks = total_chunks(k);
    chunk_range(k, &chunks, chunk, &nest.from, &nest.to);
    Total t = {p, ARENA_ARRAY(k->arena, Fold, p->reductions.count)};
    for (uint32_t i = 0; i < p->reductions.count; i++)
        t.folds[i] = fold_open(k, p->reductions.at[i], nest.lanes, nest.unroll);
    nest.body = total_step;
    nest.user = &t;
    nest_emit(k, &nest);
    for (uint32_t i = 0; i < p->reductions.count; i++) {
        Folded found = fold_across(k, &t.folds[i]);
        LLVMBuildStore(k->e->builder, found.value, partial(k, 2 * i, chunk));
        if (t.folds[i].finds) LLVMBuildStore(k->e->builder, found.place, partial(k, 2 * i + 1, chunk));
    }
}

/* --- the second stage */
typedef struct {
    Kernel *k;
    const Fold *fold;
    uint32_t number;
} Gathering;

static void gather_step(Emit *e, LLVMValueRef chunk, void *user) {
    const Gathering *g = user;
    const Fold *fold = g->fold;
    Folded found = {.value = LLVMBuildLoad2(e->builder, emit_register_type(e, fold->dtype),
                                            partial(g->k, 2 * g->number, chunk), "")};
    if (fold->finds)
        found.place = LLVMBuildLoad2(e->builder, LLVMInt64TypeInContext(e->llvm),
                                     partial(g->k, 2 * g->number + 1, chunk), "");
    Folded sum = fold_combine(g->k, fold, fold_load(g->k, fold, 0), found);
    LLVMBuildStore(e->builder, sum.value, fold->slot[0]);
    if (fold->finds) LLVMBuildStore(e->builder, sum.place, fold->place[0]);
}

static void gather_body(Kernel *k, LLVMValueRef chunk) {
    (void)chunk;
    const RowPlan *p = k->plan;
    LLVMValueRef count = total_count(k);
    for (uint32_t i = 0; i < p->reductions.count; i++) {
        Fold fold = fold_open(k, p->reductions.at[i], 1, 1);
        Gathering g = {k, &fold, i};
        emit_loop(k->e, emit_i64(k->e, 0), count, 1, "chunks", gather_step, &g);
        map_put(k->bound, fold.node->results[0], fold_result(k, &fold, fold_load(k, &fold, 0)));
    }
    At scalar = {.lanes = 1};
    const At *at = at_keep(k, &scalar);
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        store_result(k, i, at, value_at(k, yield->operands[i], at));
}

/* Is there but one row, too long for one chunk? */
static bool is_total(Kernel *k, const RowPlan *p) {
    if (!dim_is(p->row_count, 1) || p->levels > 1 || p->reduced_count == 0) return false;
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (type_elements(k->e->ir, yield->operands[i]->type) != p->row_count) return false;
    LLVMValueRef count = total_count(k);
    return !LLVMIsAConstantInt(count) || LLVMConstIntGetSExtValue(count) > 1;
}

static uint32_t total_stages(Kernel *k, Stage *out) {
    RowPlan *p = row_plan(k);
    if (!is_total(k, p)) return rows_stages(k, out);
    k->workspace = 2 * p->reductions.count * MAX_CHUNKS * SLOT_BYTES;
    out[0] = (Stage){total_count, total_body};
    out[1] = (Stage){once, gather_body};
    return 2;
}

const KernelKind kernel_reduce = {.name = "reduce", .stages = total_stages};
