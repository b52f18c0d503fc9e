/* Kernels of kind contract: the einsum's labels sorted into batch, m, n and k, operands by the strides of
 * their views, and an epilogue that computes the kernel's results from the product's, lanes at a time. The
 * product itself: contract.h. */
#include "codegen/contract.h"
#include "codegen/kernel.h"
#include "ir/shape.h"
#include "ir/strided.h"
#include <assert.h>

enum { MAX_AXES = 2 * MAX_RANK };

typedef struct {
    const Dim *extent, *a, *b;
    uint32_t axis, count; /* of the result: the first, and how many it stands for */
    uint32_t of_picture;  /* the axis with this label of the operand with edges, MAX_RANK = none */
    bool edge;            /* its elements beyond its ends are 0 */
} Label;

typedef struct {
    uint32_t count;
    Label label[MAX_AXES];
} Labels;

typedef struct {
    const Node *node;
    Strided a, b;
    Labels batch, m, n, k;
    const Value *mask;       /* without which the product isn't asked for, or NULL */
    const Value *terms[2];   /* without which factors are 0, or NULL */
    VEC(const Value *) far;  /* what the epilogue reads at the product's index and no cache holds */
    uint32_t reads;          /* tensors of the product's size that it reads there */
    LLVMValueRef store_tile; /* the function, NULL before the first call */
} ContractPlan;

/* --- the plan */
static bool is_outer(void *user, Value *value) {
    const Kernel *k = user;
    return value->block != k->body;
}

static const Node *find_contract(const Kernel *k) {
    const Node *node = k->body->first;
    while (node->op != OP_contract) node = node->next;
    return node;
}

/* The operand's stride along a label, 0 where it lacks it. */
static const Dim *stride_of(Kernel *k, const Strided *operand, const char *labels, const char *end,
                            char label) {
    for (uint32_t i = 0; labels + i < end; i++)
        if (labels[i] == label) return operand->stride[i];
    return dim_const(k->e->ir, 0);
}

static bool has_label(const char *labels, const char *end, char label) {
    return memchr(labels, label, (size_t)(end - labels)) != NULL;
}

typedef struct {
    const char *a, *a_end, *b, *b_end, *out, *out_end;
} Spec;

static Spec read_spec(const char *text) {
    const char *comma = strchr(text, ','), *arrow = strstr(text, "->");
    return (Spec){text, comma, comma + 1, arrow, arrow + 2, arrow + strlen(arrow)};
}

/* The operand around which there are zeros, if one has them. */
static const Strided *picture_of(const ContractPlan *p) { return p->a.edge_count ? &p->a : &p->b; }

static void push_label(Kernel *k, const ContractPlan *p, const Spec *s, Labels *to, char label,
                       const Dim *extent, uint32_t axis) {
    const Strided *picture = picture_of(p);
    const char *labels = picture == &p->a ? s->a : s->b, *end = picture == &p->a ? s->a_end : s->b_end;
    const char *at = memchr(labels, label, (size_t)(end - labels));
    Label *new = &to->label[to->count++];
    *new = (Label){.extent = extent,
                   .a = stride_of(k, &p->a, s->a, s->a_end, label),
                   .b = stride_of(k, &p->b, s->b, s->b_end, label),
                   .axis = axis,
                   .count = 1,
                   .of_picture = at ? (uint32_t)(at - labels) : MAX_RANK};
    for (uint32_t i = 0; i < picture->edge_count; i++)
        new->edge = new->edge || picture->edge[i].place == new->of_picture ||
                    picture->edge[i].within == new->of_picture;
}

/* Is a step along `outer` as far as all of `inner`, in the result and in both operands? */
static bool continues(Kernel *k, const Label *outer, const Label *inner) {
    IrContext *ir = k->e->ir;
    return !outer->edge && !inner->edge && outer->axis + outer->count == inner->axis &&
           dim_mul(ir, inner->a, inner->extent) == outer->a &&
           dim_mul(ir, inner->b, inner->extent) == outer->b && dim_mul(ir, outer->extent, inner->extent);
}

/* Neighbours that are one axis everywhere become one label, so that vectors may cross the seam: a picture
 * that windows leave as it is has as many columns as elements. */
static void join_labels(Kernel *k, Labels *labels) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < labels->count; i++) {
        Label *inner = &labels->label[i], *outer = kept ? &labels->label[kept - 1] : NULL;
        if (!outer || !continues(k, outer, inner)) {
            labels->label[kept++] = *inner;
            continue;
        }
        outer->extent = dim_mul(k->e->ir, outer->extent, inner->extent);
        outer->a = inner->a, outer->b = inner->b;
        outer->count += inner->count;
    }
    labels->count = kept;
}

/* Are the results' axes in the order of the product's? */
static bool keeps_axes(const Kernel *k) {
    for (const Node *node = find_contract(k); node; node = node->next)
        if (node->op == OP_permute) return false;
    return true;
}

/* The result's last label that has more than one element; 0 where none has. */
static char last_label(const Spec *s, const Type *result) {
    for (uint32_t i = result->rank; i-- > 0;)
        if (!dim_is(result->dims[i], 1)) return s->out[i];
    return 0;
}

/* Operand B is the one with the result's last label, so that lanes run along the result's innermost axis. */
static void sort_labels(Kernel *k, ContractPlan *p, Spec s) {
    const Type *result = p->node->results[0]->type, *b = p->node->operands[1]->type;
    char last = last_label(&s, result);
    if (last && !has_label(s.b, s.b_end, last)) {
        Strided a = p->a;
        p->a = p->b;
        p->b = a;
        s = (Spec){s.b, s.b_end, s.a, s.a_end, s.out, s.out_end};
        b = p->node->operands[0]->type;
    }
    for (uint32_t i = 0; s.out + i < s.out_end; i++) {
        bool in_a = has_label(s.a, s.a_end, s.out[i]), in_b = has_label(s.b, s.b_end, s.out[i]);
        push_label(k, p, &s, in_a && in_b ? &p->batch : in_a ? &p->m : &p->n, s.out[i], result->dims[i], i);
    }
    for (uint32_t i = 0; s.b + i < s.b_end; i++)
        if (!has_label(s.out, s.out_end, s.b[i])) push_label(k, p, &s, &p->k, s.b[i], b->dims[i], 0);
    if (!keeps_axes(k)) return;
    join_labels(k, &p->batch);
    join_labels(k, &p->m);
    join_labels(k, &p->n);
}

/* --- the contraction, in the host function (for its chunks) or in the kernel's */
typedef struct {
    Contract contract;
    Kernel *k;
    ContractAxis axes[4][MAX_AXES];
    ContractEdge edge[STRIDED_MAX_EDGES];
} Product;

static Size size_of(Kernel *k, const Dim *dim) {
    Size size = {.value = kernel_size(k, dim)};
    size.known = dim_is_const(dim, &size.constant);
    return size;
}

static const ContractAxis *axes_of(Kernel *k, const Labels *labels, ContractAxis *out) {
    for (uint32_t i = 0; i < labels->count; i++) {
        const Label *label = &labels->label[i];
        out[i] = (ContractAxis){size_of(k, label->extent), size_of(k, label->a), size_of(k, label->b)};
    }
    return out;
}

static LLVMValueRef first_element(Kernel *k, const Strided *operand) {
    if (!k->inside) return NULL;
    LLVMValueRef offset = kernel_size(k, operand->offset), base = kernel_pointer(k, operand->base);
    LLVMTypeRef type = emit_memory_type(k->e, operand->base->type->dtype);
    if (dim_is(operand->offset, 0)) return base;
    return LLVMBuildInBoundsGEP2(k->e->builder, type, base, &offset, 1, "");
}

/* --- results: the product's index in the order of each result's axes */
/* The operand through which a value of the epilogue comes from the product, NULL where it doesn't. */
static const Value *way_back(const Kernel *k, const Value *value, const Value *product) {
    const Node *node = value->node;
    if (!node || value->block != k->body || value == product) return NULL;
    if (!op_has(node->op, TRAIT_ELEMENTWISE) && node->op != OP_reshape && node->op != OP_permute) return NULL;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i] == product || way_back(k, node->operands[i], product)) return node->operands[i];
    return NULL;
}

/* The product's element at `at` as an index of `value`, which is computed from it elementwise and with axes
 * reordered. */
static At index_of_result(Kernel *k, const Value *value, const Value *product, const At *at) {
    const Value *from = way_back(k, value, product);
    if (!from) return *at;
    At before = index_of_result(k, from, product, at);
    if (value->node->op != OP_permute) return before;
    const Type *type = from->type;
    AxisSpan spans[MAX_RANK];
    uint32_t all = (1u << type->rank) - 1;
    at_spans(k, &before, type->rank, type->dims, all, spans);
    const Attr *perm = node_attr(value->node, ATTR_perm);
    At after = at_child(&before);
    for (uint32_t d = 0; d < perm->count; d++)
        at_push(&after, spans[perm->ints[d]].size, spans[perm->ints[d]].index);
    return after;
}

/* The product's index as it is in its result's shape, axes that are one label together. */
static At product_index(Kernel *k, const LLVMValueRef *index, uint32_t lanes, uint32_t lane_axis,
                        bool aligned) {
    const ContractPlan *p = k->plan;
    const Labels *groups[] = {&p->batch, &p->m, &p->n};
    uint32_t rank = p->node->results[0]->type->rank;
    const Label *label[MAX_RANK] = {NULL}; /* that begins at an axis, */
    uint32_t number[MAX_RANK] = {0};       /* and which of the product's axes it is */
    At at = {.lanes = lanes};
    for (uint32_t g = 0, i = 0; g < 3; g++)
        for (uint32_t l = 0; l < groups[g]->count; l++, i++) {
            label[groups[g]->label[l].axis] = &groups[g]->label[l];
            number[groups[g]->label[l].axis] = i;
        }
    for (uint32_t d = 0; d < rank; d += label[d]->count) {
        uint32_t i = number[d];
        bool along = lanes > 1 && i == lane_axis;
        at_push(&at, label[d]->extent,
                (Index){.base = index[i], .step = along, .align = along && aligned ? lanes : 0});
    }
    return at;
}

/* Computes and stores the kernel's results from `lanes` of the product's. */
static void epilogue(Emit *e, const Contract *c, const LLVMValueRef *index, LLVMValueRef value,
                     uint32_t lanes, LLVMValueRef tail, uint32_t lane_axis, bool aligned, void *user) {
    (void)e, (void)c;
    Kernel *k = user;
    const Value *product = ((const ContractPlan *)k->plan)->node->results[0];
    const Scope *outer = scope_open(k);
    At at = product_index(k, index, lanes, lane_axis, aligned);
    at.tail = tail;
    map_put(k->bound, product, value);
    Node *yield = kernel_yield(k);
    const At **places = ARENA_ARRAY(k->arena, const At *, yield->operand_count);
    LLVMValueRef *values = ARENA_ARRAY(k->arena, LLVMValueRef, yield->operand_count);
    const At *same = at_keep(k, &at);
    for (uint32_t i = 0; i < yield->operand_count; i++) {
        At moved = index_of_result(k, yield->operands[i], product, same);
        bool still = memcmp(&moved, same, sizeof moved) == 0;
        places[i] = still ? same : at_keep(k, &moved);
        values[i] = value_at(k, yield->operands[i], places[i]);
    }
    for (uint32_t i = 0; i < yield->operand_count; i++) store_result(k, i, places[i], values[i]);
    scope_close(k, outer);
}

/* --- what the epilogue reads, asked for while the product is computed */
static bool is_far(const Kernel *k, const Type *type) {
    int64_t elements;
    const Dim *dim = type_elements(k->e->ir, type);
    if (!dim || !dim_is_const(dim, &elements)) return true;
    return (double)elements * dtype_bytes(type->dtype) > (double)k->e->target.l2_bytes / 2;
}

/* Outer values that a value, or what it is computed from element by element, is. */
static void find_far(Kernel *k, ContractPlan *p, const Value *value, Map *seen) {
    const Node *node = value->node;
    if (value == p->node->results[0] || map_get(seen, value)) return;
    map_put(seen, value, p);
    if (!node || value->block != k->body) {
        p->reads +=
            type_elements(k->e->ir, value->type) == type_elements(k->e->ir, p->node->results[0]->type);
        if (is_far(k, value->type)) vec_push(k->arena, &p->far, value);
        return;
    }
    bool same_place = op_has(node->op, TRAIT_ELEMENTWISE) || node->op == OP_reshape;
    for (uint32_t i = 0; same_place && i < node->operand_count; i++) find_far(k, p, node->operands[i], seen);
}

static void find_all_far(Kernel *k, ContractPlan *p) {
    const Node *yield = kernel_yield(k);
    Map *seen = map_new(k->arena);
    for (uint32_t i = 0; keeps_axes(k) && i < yield->operand_count; i++)
        find_far(k, p, yield->operands[i], seen);
}

static void ahead(Emit *e, const Contract *c, const LLVMValueRef *index, uint32_t count, uint32_t lanes,
                  uint32_t lane_axis, bool aligned, void *user) {
    (void)e, (void)c;
    Kernel *k = user;
    const ContractPlan *p = k->plan;
    At at = product_index(k, index, lanes, lane_axis, aligned);
    for (uint32_t i = 0; i < p->far.count; i++) prefetch_captured(k, p->far.at[i], &at, count);
}

static Product *product_of(Kernel *k);

static void tile_body(Kernel *k, LLVMValueRef function, const void *user) {
    (void)user;
    LLVMValueRef tile[TILE_NUMBERS];
    for (uint32_t i = 0; i < TILE_NUMBERS; i++) tile[i] = LLVMGetParam(function, i + 2);
    contract_store_tile(k->e, &product_of(k)->contract, tile);
}

static void call_store_tile(Emit *e, const LLVMValueRef *tile, void *user) {
    (void)e;
    Kernel *k = user;
    ContractPlan *p = k->plan;
    LLVMTypeRef types[TILE_NUMBERS];
    for (uint32_t i = 0; i < TILE_NUMBERS; i++) types[i] = LLVMTypeOf(tile[i]);
    if (!p->store_tile) p->store_tile = kernel_outline(k, "tile", TILE_NUMBERS, types, tile_body, NULL);
    kernel_call(k, p->store_tile, TILE_NUMBERS, tile);
}

/* --- masks: corners of a tile as indices of the product, axis by axis */
static bool is_one_axis(const Label *label, const Type *type) {
    uint32_t wide = 0;
    for (uint32_t d = label->axis; d < label->axis + label->count; d++) wide += !dim_is(type->dims[d], 1);
    return wide <= 1;
}

/* A range of what several axes are together is no box. */
static bool has_boxes(const ContractPlan *p) {
    const Type *type = p->node->results[0]->type;
    for (uint32_t l = 0; l < p->m.count; l++)
        if (!is_one_axis(&p->m.label[l], type)) return false;
    for (uint32_t l = 0; l < p->n.count; l++)
        if (!is_one_axis(&p->n.label[l], type)) return false;
    return true;
}

static At corner(Kernel *k, const LLVMValueRef *index) {
    const Type *type = ((const ContractPlan *)k->plan)->node->results[0]->type;
    At at = product_index(k, index, 1, 0, false), corner = at_child(&at);
    AxisSpan spans[MAX_RANK];
    at_spans(k, &at, type->rank, type->dims, (1u << type->rank) - 1, spans);
    for (uint32_t d = 0; d < type->rank; d++) at_push(&corner, type->dims[d], spans[d].index);
    return corner;
}

static LLVMValueRef needs(Emit *e, const Contract *c, const LLVMValueRef *first, const LLVMValueRef *last,
                          void *user) {
    (void)e, (void)c;
    Kernel *k = user;
    const ContractPlan *p = k->plan;
    At from = corner(k, first), to = corner(k, last);
    return mask_possible(k, p->mask, &from, &to);
}

/* The factor's index that the product's, a corner of a box, tells, at the beginning of k. */
static At corner_of_factor(Kernel *k, uint32_t factor, const At *product, uint32_t *k_axis) {
    const ContractPlan *p = k->plan;
    const Type *type = p->node->operands[factor]->type;
    ContractSpec spec;
    contract_spec_parse(node_str(p->node, ATTR_spec), &spec);
    const char *labels = factor ? spec.y : spec.x;
    At at = at_child(product);
    for (uint32_t d = 0; d < type->rank; d++) {
        bool outer = labels_have(spec.result, labels[d]);
        if (!outer && !dim_is(type->dims[d], 1)) *k_axis = d;
        at_push(&at, type->dims[d],
                outer ? product->index[labels_axis(spec.result, labels[d])]
                      : (Index){.base = emit_i64(k->e, 0)});
    }
    return at;
}

static void terms(Emit *e, const Contract *c, const LLVMValueRef *first, const LLVMValueRef *last,
                  LLVMValueRef *from, LLVMValueRef *end, void *user) {
    (void)c;
    Kernel *k = user;
    const ContractPlan *p = k->plan;
    At low = corner(k, first), high = corner(k, last);
    MaskRange range = {NULL, NULL};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t axis = 0;
        if (!p->terms[i]) continue;
        At low_factor = corner_of_factor(k, i, &low, &axis),
           high_factor = corner_of_factor(k, i, &high, &axis);
        range = mask_both(e, range, mask_range(k, p->terms[i], axis, &low_factor, &high_factor));
    }
    *from = range.from, *end = range.end;
}

/* Is k one axis, along which something can be left out, and nothing else is? */
static bool has_terms(const ContractPlan *p) {
    return p->k.count == 1 && p->a.edge_count + p->b.edge_count == 0 && (p->terms[0] || p->terms[1]) &&
           has_boxes(p);
}

static uint32_t label_of(const Labels *labels, uint32_t axis_of_picture) {
    uint32_t i = 0;
    while (labels->label[i].of_picture != axis_of_picture) i++;
    return i;
}

static const ContractEdge *edges_of(const ContractPlan *p, ContractEdge *out) {
    const Strided *picture = picture_of(p);
    const Labels *places = picture == &p->a ? &p->m : &p->n;
    uint32_t first = p->batch.count + (picture == &p->a ? 0 : p->m.count);
    for (uint32_t i = 0; i < picture->edge_count; i++) {
        const StridedEdge *edge = &picture->edge[i];
        out[i] = (ContractEdge){.place_axis = first + label_of(places, edge->place),
                                .k_axis = label_of(&p->k, edge->within),
                                .stride = edge->stride,
                                .dilation = edge->dilation,
                                .low = edge->low,
                                .extent = edge->extent};
    }
    return out;
}

static Product *product_of(Kernel *k) {
    const ContractPlan *p = k->plan;
    Product *product = ARENA_NEW(k->arena, Product);
    product->contract = (Contract){
        .batch_count = p->batch.count,
        .m_count = p->m.count,
        .n_count = p->n.count,
        .k_count = p->k.count,
        .batch = axes_of(k, &p->batch, product->axes[0]),
        .m = axes_of(k, &p->m, product->axes[1]),
        .n = axes_of(k, &p->n, product->axes[2]),
        .k = axes_of(k, &p->k, product->axes[3]),
        .edge_count = picture_of(p)->edge_count,
        .edge = edges_of(p, product->edge),
        .dtype = p->node->operands[0]->type->dtype,
        .a = first_element(k, &p->a),
        .b = first_element(k, &p->b),
        .store = epilogue,
        .ahead = p->far.count ? ahead : NULL,
        .store_tile = call_store_tile,
        .operations = k->cost + kernel_yield(k)->operand_count,
        .accesses = p->reads + kernel_yield(k)->operand_count,
        .needs = p->mask && has_boxes(p) ? needs : NULL,
        .terms = has_terms(p) ? terms : NULL,
        .user = k,
    };
    return product;
}

static LLVMValueRef contract_count(Kernel *k) { return contract_chunks(k->e, &product_of(k)->contract); }

static void contract_body(Kernel *k, LLVMValueRef chunk) {
    emit_contract(k->e, &product_of(k)->contract, chunk);
}

static const Value *mask_of(const Value *factor) {
    return factor->node && factor->node->op == OP_masked ? factor->node->operands[1] : NULL;
}

static uint32_t contract_stages(Kernel *k, Stage *out) {
    ContractPlan *p = ARENA_NEW(k->arena, ContractPlan);
    p->node = find_contract(k);
    bool strided = strided_view(k->e->ir, p->node->operands[0], is_outer, k, &p->a) &&
                   strided_view(k->e->ir, p->node->operands[1], is_outer, k, &p->b);
    assert(strided && "fuse leaves only such views in contractions");
    (void)strided;
    p->mask = mask_over(k, p->node->results[0]);
    for (uint32_t i = 0; i < 2; i++) p->terms[i] = mask_of(p->node->operands[i]);
    find_all_far(k, p);
    k->plan = p;
    sort_labels(k, p, read_spec(node_str(p->node, ATTR_spec)));
    out[0] = (Stage){contract_count, contract_body};
    return 1;
}

const KernelKind kernel_contract = {.name = "contract", .stages = contract_stages};
