/* Canonicalises contractions: drops axes of extent 1, merges neighbours, chooses the lane axis and which
 * operand plays A. */
#include "codegen/contract_product.h"
#include "codegen/contract_blas.h"
#include "codegen/contract_cost.h"
#include "codegen/contract_form.h"
#include "codegen/contract_key.h"
#include "codegen/contract_pairs.h"
#include "codegen/contract_slide_sum.h"
#include "codegen/tune_table.h"
#include "codegen/vector.h"
#include <assert.h>
#include <stdlib.h>

enum {
    SHORT_LINE = 4,   /* elements that are worth an axis */
    FAR_APART = 1024, /* bytes between places that matter for where lines are kept */
    MANY_PLACES = 8   /* of a window, whose lines the first level can't always keep */
};

static LLVMTypeRef accumulator(Emit *e, DType dtype) { return emit_register_type(e, dtype); }
static uint32_t accumulator_bytes(DType dtype) { return dtype_is_half(dtype) ? 4 : dtype_bytes(dtype); }

/* --- lists of axes */
static void add_axes(ProductAxes *axes, const ContractAxis *axis, uint32_t count, uint32_t first,
                     bool exchange) {
    for (uint32_t i = 0; i < count; i++) {
        if (size_is(axis[i].extent, 1)) continue;
        assert(axes->count < PRODUCT_MAX_AXES);
        axes->at[axes->count++] = (ProductAxis){.extent = axis[i].extent,
                                                .a = exchange ? axis[i].b : axis[i].a,
                                                .b = exchange ? axis[i].a : axis[i].b,
                                                .first = first + i,
                                                .count = 1};
    }
}

/* Merges neighbours that are one axis in both operands; where lanes will lie along it, only if no vector of
 * `lanes` can cross the seam. */
static void merge(Emit *e, ProductAxes *axes, uint32_t lanes) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < axes->count; i++) {
        ProductAxis *inner = &axes->at[i], *outer = kept ? &axes->at[kept - 1] : NULL;
        bool seam = inner->extent.known && inner->extent.constant % lanes == 0;
        bool joins = outer && !outer->edge && !inner->edge && (lanes == 1 || seam) &&
                     size_continues(outer->a, inner->a, inner->extent) &&
                     size_continues(outer->b, inner->b, inner->extent);
        if (!joins) {
            axes->at[kept++] = *inner;
            continue;
        }
        outer->count = inner->first + inner->count - outer->first;
        outer->extent = size_mul(e, outer->extent, inner->extent);
        outer->a = inner->a, outer->b = inner->b;
    }
    axes->count = kept;
}

/* Marks the axes around which there are zeros. */
static void mark_edges(const Contract *c, ProductAxes *places, ProductAxes *k) {
    for (uint32_t i = 0; i < c->edge_count; i++) {
        for (uint32_t j = 0; j < places->count; j++)
            places->at[j].edge = places->at[j].edge || places->at[j].first == c->edge[i].place_axis;
        for (uint32_t j = 0; j < k->count; j++)
            k->at[j].edge = k->at[j].edge || k->at[j].first == c->edge[i].k_axis;
    }
}

static Size total(Emit *e, const ProductAxes *axes) {
    Size size = size_known(e, 1);
    for (uint32_t i = 0; i < axes->count; i++) size = size_mul(e, size, axes->at[i].extent);
    return size;
}

/* Takes the lane axis out of `n`: the one that is contiguous in B, or the innermost; the rest are further
 * independent products. */
static ProductAxis take_column(Emit *e, ProductAxes *n, ProductAxes *outer) {
    Size zero = size_known(e, 0);
    if (n->count == 0) return (ProductAxis){.extent = size_known(e, 1), .a = zero, .b = zero};
    uint32_t chosen = n->count - 1;
    for (uint32_t i = 0; i < n->count; i++)
        if (size_is(n->at[i].b, 1)) chosen = i;
    for (uint32_t i = 0; i < n->count; i++)
        if (i != chosen) outer->at[outer->count++] = n->at[i];
    return n->at[chosen];
}

static int64_t inner_depth(const ProductAxes *k) {
    int64_t depth = 1;
    for (uint32_t i = 1; i < k->count; i++) {
        if (!k->at[i].extent.known) return -1;
        depth *= k->at[i].extent.constant;
    }
    return depth;
}

/* Channels that lie together while the window passes over pictures: a line of A is used up before the next
 * one, and not once for each place of the window, where these are so far apart that they share few sets of
 * the first level. */
static void by_lines(Emit *e, ProductAxes *k, uint32_t bytes) {
    ProductAxis *outer = &k->at[0];
    if (k->count < 2 || k->count == MAX_RANK || outer->edge) return;
    if (!outer->extent.known || outer->extent.constant < SHORT_LINE || !size_is(outer->a, 1)) return;
    Size place = k->at[k->count - 1].a;
    if (!place.known || llabs(place.constant) * bytes < FAR_APART) return;
    int64_t places = inner_depth(k);
    if (places >= 0 && places < MANY_PLACES) return;
    int64_t line = CACHE_LINE / bytes;
    while (outer->extent.constant % line) line /= 2;
    if (line < SHORT_LINE) return;
    ProductAxis inner = *outer;
    Size width = size_known(e, line);
    inner.extent = width;
    outer->extent = size_div(e, outer->extent, line);
    outer->a = size_mul(e, outer->a, width), outer->b = size_mul(e, outer->b, width);
    k->at[k->count++] = inner;
    if (!size_is(outer->extent, 1)) return;
    for (uint32_t i = 1; i < k->count; i++) k->at[i - 1] = k->at[i];
    k->count--;
}

/* Do rows lie side by side in lines of which each step of k reads others? */
static bool reads_lines(const Product *p) {
    return p->rows.count > 0 && size_is(p->rows.at[p->rows.count - 1].a, 1) && p->k.count > 1 &&
           !size_is(p->k.at[p->k.count - 1].a, 1);
}

/* Where such lines come too slowly from the second level, k goes by parts that the first one holds: its
 * longest axis but the innermost goes outermost, so that parts can be short. */
static void by_parts(const Emit *e, Product *p) {
    ProductAxes *k = &p->k;
    uint32_t longest = 0;
    if (!e->target.intel_server || !reads_lines(p)) return;
    for (uint32_t i = 0; i < k->count; i++)
        if (k->at[i].edge || !k->at[i].extent.known) return;
    for (uint32_t i = 1; i + 1 < k->count; i++)
        if (k->at[i].extent.constant > k->at[longest].extent.constant) longest = i;
    ProductAxis outer = k->at[longest];
    for (uint32_t i = longest; i > 0; i--) k->at[i] = k->at[i - 1];
    k->at[0] = outer;
}

/* --- the two ways round */
static void arrange(Emit *e, const Contract *c, bool exchange, Product *p) {
    uint32_t m_first = c->batch_count, n_first = m_first + c->m_count;
    ProductAxes n = {.count = 0};
    p->outer.count = p->rows.count = p->k.count = 0;
    add_axes(&p->outer, c->batch, c->batch_count, 0, exchange);
    add_axes(exchange ? &n : &p->rows, c->m, c->m_count, m_first, exchange);
    add_axes(exchange ? &p->rows : &n, c->n, c->n_count, n_first, exchange);
    add_axes(&p->k, c->k, c->k_count, 0, exchange);
    mark_edges(c, &n, &p->k);
    mark_edges(c, &p->rows, &p->k);
    merge(e, &p->outer, 1);
    merge(e, &p->rows, 1);
    merge(e, &n, e->target.vector_bytes / accumulator_bytes(c->dtype));
    merge(e, &p->k, 1);
    by_lines(e, &p->k, dtype_bytes(c->dtype));
    by_parts(e, p);
    p->column = take_column(e, &n, &p->outer);
    p->a = exchange ? c->b : c->a;
    p->b = exchange ? c->a : c->b;
    p->exchanged = exchange;
    p->outer_count = total(e, &p->outer);
    p->row_count = total(e, &p->rows);
    p->depth = total(e, &p->k);
}

static int64_t known_or(Size size) { return size.known ? size.constant : -1; }

static const ContractAxis *contract_axis(const Contract *c, uint32_t i) {
    if (i < c->batch_count) return &c->batch[i];
    i -= c->batch_count;
    return i < c->m_count ? &c->m[i] : &c->n[i - c->m_count];
}

/* The extent of the rows' innermost axis in the contract; 0 if that is all of them, -1 if it isn't known. */
static int64_t row_run(const Product *p) {
    if (p->rows.count == 0) return -1;
    uint32_t innermost = product_row_axis(p);
    if (p->contract->edge_count) return known_or(contract_axis(p->contract, innermost)->extent);
    if (p->rows.count == 1 && p->rows.at[0].first == innermost) return 0;
    return known_or(contract_axis(p->contract, innermost)->extent);
}

/* Steps of k that are one axis in B. */
static int64_t b_run(const ProductAxes *k) {
    int64_t run = 1;
    for (uint32_t i = k->count; i-- > 0;) {
        const ProductAxis *axis = &k->at[i];
        if (i + 1 < k->count && !size_continues(axis->b, k->at[i + 1].b, k->at[i + 1].extent)) break;
        if (!axis->extent.known) return -1;
        run *= axis->extent.constant;
    }
    return run;
}

/* Does B of all products lie as [outer, k, column], without gaps? */
static bool b_streams(const Product *p) {
    Size next = p->column.extent;
    if (!next.known || next.constant < 1 || !size_is(p->column.b, 1)) return false;
    for (uint32_t i = p->k.count + 1; i-- > 0;) {
        const ProductAxis *axis = i > 0            ? &p->k.at[i - 1]
                                  : p->outer.count ? &p->outer.at[p->outer.count - 1]
                                                   : NULL;
        if (axis && (!axis->extent.known || !size_is(axis->b, next.constant))) return false;
        if (axis) next.constant *= axis->extent.constant;
    }
    return true;
}

/* Products that follow each other and have the same A. */
static int64_t a_shared(const ProductAxes *outer) {
    const ProductAxis *last = outer->count ? &outer->at[outer->count - 1] : NULL;
    return last && size_is(last->a, 0) && last->extent.known ? last->extent.constant : 1;
}

static int64_t span_of(const ProductAxis *axis, uint32_t count, bool of_b) {
    int64_t span = 0;
    for (uint32_t i = 0; i < count; i++) {
        Size stride = of_b ? axis[i].b : axis[i].a;
        if (!axis[i].extent.known || !stride.known) return -1;
        span += (axis[i].extent.constant - 1) * llabs(stride.constant);
    }
    return span;
}

/* Of an operand along its rows or columns and along k; -1 if a size isn't known. */
static int64_t operand_span(const Product *p, bool of_b) {
    const ProductAxis *axis = of_b ? &p->column : p->rows.at;
    int64_t side = span_of(axis, of_b ? 1 : p->rows.count, of_b);
    int64_t depth = span_of(p->k.at, p->k.count, of_b);
    return side < 0 || depth < 0 ? -1 : 1 + side + depth;
}

static ContractShape shape_of(Emit *e, const Product *p) {
    Size zero = size_known(e, 0);
    const ProductAxis *k = p->k.count ? &p->k.at[p->k.count - 1] : NULL;
    return (ContractShape){
        .outer = known_or(p->outer_count),
        .rows = known_or(p->row_count),
        .columns = known_or(p->column.extent),
        .depth = known_or(p->depth),
        .depth_inner = inner_depth(&p->k),
        .depth_last = k ? known_or(k->extent) : 1,
        .a_row = p->rows.count == 1 ? known_or(p->rows.at[0].a) : -1,
        .a_depth = known_or(k ? k->a : zero),
        .b_column = p->column.extent.known && p->column.extent.constant == 1 ? 1 : known_or(p->column.b),
        .b_depth = known_or(k ? k->b : zero),
        .b_streams = b_streams(p),
        .a_shared = a_shared(&p->outer),
        .b_run = b_run(&p->k),
        .a_span = operand_span(p, false),
        .b_span = operand_span(p, true),
        .bytes = accumulator_bytes(p->dtype),
        .memory_bytes = p->pairs ? accumulator_bytes(p->dtype) : dtype_bytes(p->dtype),
        .a_lines = reads_lines(p),
        .single_depth = p->k.count <= 1,
        .exchanged = p->exchanged,
        .edges = p->contract->edge_count > 0,
        .accesses = p->contract->accesses ? p->contract->accesses : 1,
        .a_apart = !size_is(p->a_apart, 0),
        .b_apart = !size_is(p->b_apart, 0),
        .row_run = row_run(p)};
}

/* Tiles that are slower than their multiply-adds, where the third level is far: their rows lie side by side
 * on several axes, as windows of channels do, so that each step of k reads another line of A, which isn't
 * packed. */
static const double WINDOWS_OF_LINES = 1.08;

/* For each element of the result: a size that isn't known is one of what is further products in one way round
 * and rows in the other. */
static double cost_of(Emit *e, const Product *p) {
    ContractShape shape = shape_of(e, p);
    double elements =
        (double)max64(cost_assumed(shape.rows), 1) * (double)max64(cost_assumed(shape.columns), 1);
    bool windows = e->target.intel_server && reads_lines(p) && p->rows.count > 1;
    double slowed = windows ? WINDOWS_OF_LINES : 1;
    return slowed * contract_cost(&e->target, &shape) / elements;
}

/* bf16 is loaded as its bits: LLVM would move it through calls of a library. */
static LLVMTypeRef memory_type(Emit *e, DType dtype) {
    return dtype == DTYPE_bf16 ? LLVMInt16TypeInContext(e->llvm) : emit_memory_type(e, dtype);
}

const ProductAxis *product_slide_axis(const Product *p) { return &p->outer.at[p->outer.count - 1]; }

/* One row, a short k, and columns side by side or a few elements apart, of several lines that share A. */
static bool slides(const Product *p) {
    const ProductAxis *column = &p->column;
    if (p->rows.count > 0 || p->outer.count == 0 || !p->depth.known ||
        p->depth.constant > PRODUCT_SLIDE_DEPTH || !column->b.known || size_is(column->extent, 1))
        return false;
    const ProductAxis *line = product_slide_axis(p);
    return size_is(column->a, 0) && column->b.constant >= 1 && column->b.constant <= VECTOR_MAX_STRIDE &&
           size_is(line->a, 0) && !size_is(line->b, 0);
}

static ProductForm choose_form(const Emit *e, const Product *p) {
    if (!e->cold && slide_sums(p)) return PRODUCT_SLIDE_SUM;
    return slides(p) && !p->exchanged ? PRODUCT_SLIDES : PRODUCT_TILES;
}

/* --- the schedule */
static void take_model(Emit *e, Product *p) {
    ContractShape shape = shape_of(e, p);
    p->plan = (e->cold ? contract_schedule_small : contract_schedule)(&e->target, &shape);
    /* A block would have to know which of its steps there are. */
    if (p->k.count && p->k.at[0].edge) p->plan.depth_block = 0;
    p->plan.exchanged = p->exchanged;
}

/* OpenBLAS where it is to compute what it can: chunks are as ours. */
static bool take_blas(Emit *e, Product *p) {
    if (e->options->blas != BLAS_OPENBLAS) return false;
    take_model(e, p);
    p->plan = blas_schedule(&p->plan);
    return blas_fits(p);
}

/* What was measured, if it is something that this product can be computed by. */
static bool take_measured(Emit *e, Product *p, const Product *exchanged) {
    if (!e->options->tune) return false;
    ContractKey key;
    contract_key(p->contract, &key);
    const char *cpu = tune_cpu(e->cpu, &e->target, e->arena), *product = contract_key_text(&key, e->arena);
    const ContractSchedule *plan = tune_find(e->options->tune, cpu, product);
    if (!plan || (plan->blas && e->options->blas == BLAS_NONE)) return false;
    Product chosen = plan->exchanged ? *exchanged : *p;
    ContractShape shape = shape_of(e, &chosen);
    chosen.plan = *plan;
    if (!schedule_fits(&e->target, &shape, plan) || (plan->blas && !blas_fits(&chosen))) return false;
    *p = chosen;
    return true;
}

/* Two steps of k at a time, if the target can and that is worth what has to be packed for it. */
static void take_pairs(Emit *e, Product *p) {
    Product pairs = *p;
    if (e->cold || p->form != PRODUCT_TILES || !pairs_make(e, &pairs)) return;
    ContractShape shape = shape_of(e, &pairs);
    if ((shape.a_apart && !form_can_pack_a(&shape)) || (shape.b_apart && form_reads_once(&shape)) ||
        cost_lanes(&e->target, &shape) < PAIRS_MIN_LANES)
        return;
    if (cost_of(e, &pairs) < cost_of(e, p)) *p = pairs;
}

static Product arranged(Emit *e, const Contract *contract, bool exchange) {
    LLVMTypeRef memory = memory_type(e, contract->dtype);
    Product p = {.contract = contract,
                 .dtype = contract->dtype,
                 .a_memory = memory,
                 .b_memory = memory,
                 .a_apart = size_known(e, 0),
                 .b_apart = size_known(e, 0),
                 .element = accumulator(e, contract->dtype)};
    arrange(e, contract, exchange, &p);
    p.form = choose_form(e, &p);
    take_pairs(e, &p);
    return p;
}

/* Estimates are of products that are not yet cut into chunks: to be exchanged has to be worth more than that
 * may change. */
static const double AS_IT_IS = 0.98;

void product_open(Emit *e, const Contract *contract, Product *p) {
    Product exchanged = arranged(e, contract, true);
    *p = arranged(e, contract, false);
    if (p->form == PRODUCT_TILES && exchanged.form == PRODUCT_SLIDE_SUM) *p = exchanged;
    if (p->form != PRODUCT_TILES) return;
    /* Zeros are left out where rows are places. */
    bool edges = contract->edge_count > 0;
    if (!e->cold && !edges && (take_blas(e, p) || take_measured(e, p, &exchanged))) return;
    bool in_n = edges && contract->edge[0].place_axis >= contract->batch_count + contract->m_count;
    if (edges ? in_n : cost_of(e, &exchanged) < AS_IT_IS * cost_of(e, p)) *p = exchanged;
    take_model(e, p);
}

bool product_shapes(Emit *e, const Contract *contract, ContractShape *out) {
    Product p = arranged(e, contract, false), exchanged = arranged(e, contract, true);
    out[0] = shape_of(e, &p), out[1] = shape_of(e, &exchanged);
    take_model(e, &p);
    return blas_fits(&p);
}

/* --- indices */
uint32_t product_index_count(const Product *p) {
    return p->contract->batch_count + p->contract->m_count + p->contract->n_count;
}

uint32_t product_lane_axis(const Product *p) {
    return p->column.count ? p->column.first + p->column.count - 1 : 0;
}

uint32_t product_row_axis(const Product *p) {
    const ProductAxis *last = &p->rows.at[p->rows.count - 1];
    return last->first + last->count - 1;
}

/* Splits i into (i / extent, i % extent). */
static LLVMValueRef split(Emit *e, LLVMValueRef *i, Size extent) {
    LLVMValueRef rest = LLVMBuildURem(e->builder, *i, extent.value, "");
    *i = LLVMBuildUDiv(e->builder, *i, extent.value, "");
    return rest;
}

void product_axis_index(Emit *e, const Product *p, const ProductAxis *axis, LLVMValueRef i,
                        LLVMValueRef *index) {
    for (uint32_t j = axis->first + axis->count; j-- > axis->first;) {
        Size extent = contract_axis(p->contract, j)->extent;
        if (size_is(extent, 1)) continue;
        bool outermost = true;
        for (uint32_t o = axis->first; o < j; o++)
            outermost = outermost && size_is(contract_axis(p->contract, o)->extent, 1);
        index[j] = outermost ? i : split(e, &i, extent);
    }
}

void product_index(Emit *e, const Product *p, const ProductAxes *axes, LLVMValueRef i, LLVMValueRef *index) {
    for (uint32_t j = axes->count; j-- > 0;) {
        const ProductAxis *axis = &axes->at[j];
        product_axis_index(e, p, axis, j ? split(e, &i, axis->extent) : i, index);
    }
}

void product_column_index(Emit *e, const Product *p, LLVMValueRef i, LLVMValueRef *index) {
    if (p->column.count) product_axis_index(e, p, &p->column, i, index);
}

LLVMValueRef product_offset(Emit *e, const ProductAxes *axes, bool of_b, LLVMValueRef i) {
    LLVMValueRef offset = emit_i64(e, 0);
    for (uint32_t j = axes->count; j-- > 0;) {
        const ProductAxis *axis = &axes->at[j];
        LLVMValueRef at = j ? split(e, &i, axis->extent) : i;
        Size stride = of_b ? axis->b : axis->a;
        if (size_is(stride, 0)) continue;
        LLVMValueRef step = size_is(stride, 1) ? at : LLVMBuildNSWMul(e->builder, at, stride.value, "");
        offset = LLVMBuildNSWAdd(e->builder, offset, step, "");
    }
    return offset;
}
