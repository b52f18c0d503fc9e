/* Products of rows that are gathered from a table with fewer rows than are gathered, as of the embeddings of
 * a small vocabulary: the table is multiplied, and its products gathered. So with the gradients: what would
 * be multiplied row by row, and the products added up per row of the table, is added up first. A gather is a
 * product with a matrix of zeros and ones, so all this is (S E) W = S (E W), Sᵀ (G W) = (Sᵀ G) W and (S E)ᵀ G
 * = Eᵀ (Sᵀ G). */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/hoist.h"
#include <string.h>

enum { FEWER = 2 }; /* times as many rows must be gathered as there are */

typedef struct {
    Hoist *hoist;
    Value *ids;
    const Dim *rows;         /* of the table */
    char span[MAX_RANK + 1]; /* the labels of the axes of ids */
    char row;                /* the label of the table's axis in their place */
    ContractSpec spec;
} Rows;

static bool is_fewer(const Dim *rows, const Type *ids) {
    int64_t count = 1, size, table;
    for (uint32_t i = 0; i < ids->rank; i++)
        if (!dim_is_const(ids->dims[i], &size) || __builtin_mul_overflow(count, size, &count)) return false;
    return dim_is_const(rows, &table) && table > 0 && table <= count / FEWER;
}

/* The product's labels, those that `labels` has at `axis` for the axes of ids, and a new one. */
static bool open_rows(Rows *r, Hoist *h, const Node *contract, Value *ids, const Dim *rows) {
    *r = (Rows){.hoist = h, .ids = ids, .rows = rows, .row = 'a'};
    DType dtype = contract->results[0]->type->dtype;
    if (dtype != DTYPE_f32 && dtype != DTYPE_f64)
        return false; /* sums of narrower ones would be rounded too early */
    if (!is_fewer(rows, ids->type) || !contract_spec_parse(node_str(contract, ATTR_spec), &r->spec))
        return false;
    while (strchr(r->spec.x, r->row) || strchr(r->spec.y, r->row)) r->row++;
    return true;
}

static void take_span(Rows *r, const char *labels, int64_t axis) {
    memcpy(r->span, labels + axis, r->ids->type->rank);
}

/* How many of the span's labels are there? */
static uint32_t found(const Rows *r, const char *labels) {
    uint32_t count = 0;
    for (const char *label = r->span; *label; label++) count += strchr(labels, *label) != NULL;
    return count;
}

/* The row's label in the place of the span; false where the span isn't in one piece. */
static bool put_row(const Rows *r, char *labels, int64_t *axis) {
    size_t length = strlen(r->span);
    char *place = strstr(labels, r->span);
    if (!place) return false;
    *axis = place - labels;
    *place = r->row;
    memmove(place + 1, place + length, strlen(place + length) + 1);
    return true;
}

static Value *product(const Rows *r, Builder *b, Value *x, Value *y) {
    const ContractSpec *spec = &r->spec;
    return build_contract(b, x, y,
                          arena_printf(r->hoist->scratch, "%s,%s->%s", spec->x, spec->y, spec->result));
}

/* The factor's rows, added up by the row of the table that each belongs to; the first axis of what it is
 * then. */
static Value *add_up(const Rows *r, Builder *b, Value *factor, char *labels) {
    int64_t perm[MAX_RANK];
    const Dim *dims[MAX_RANK] = {r->rows};
    char rest[MAX_RANK + 1] = {r->row};
    uint32_t length = (uint32_t)strlen(r->span), count = 1;
    for (uint32_t i = 0; i < length; i++) perm[i] = strchr(labels, r->span[i]) - labels;
    for (uint32_t i = 0; labels[i]; i++) {
        if (strchr(r->span, labels[i])) continue;
        perm[length + count - 1] = i;
        dims[count] = factor->type->dims[i];
        rest[count++] = labels[i];
    }
    strcpy(labels, rest);
    Value *zeros = build_const(b, type_tensor(b->graph->ir, factor->type->dtype, count, dims), 0);
    return build_scatter_add(b, zeros, r->ids, build_permute(b, factor, perm), 0);
}

/* --- the three products */
static bool of_gathered(Hoist *h, Node *contract, uint32_t side) {
    Rows r;
    const Node *gather = contract->operands[side]->node;
    if (!gather || gather->op != OP_gather) return false;
    Value *table = gather->operands[0], *other = contract->operands[!side];
    int64_t axis = node_int(gather, ATTR_axis), at;
    if (!open_rows(&r, h, contract, gather->operands[1], table->type->dims[axis])) return false;
    char *own = side ? r.spec.y : r.spec.x, *others = side ? r.spec.x : r.spec.y;
    take_span(&r, own, axis);
    uint32_t in_result = found(&r, r.spec.result), in_other = found(&r, others),
             length = (uint32_t)strlen(r.span);
    bool kept = in_result == length && in_other == 0, summed = in_result == 0 && in_other == length;
    Builder b = {.graph = h->graph, .block = contract->block, .before = contract, .loc = contract->loc};
    if (!(kept || summed) || !put_row(&r, own, &at) || (kept && !put_row(&r, r.spec.result, &at)))
        return false;
    if (summed) other = add_up(&r, &b, other, others);
    Value *result = product(&r, &b, side ? other : table, side ? table : other);
    value_replace(contract->results[0], kept ? build_gather(&b, result, r.ids, at) : result);
    return true;
}

static bool is_zeros(const Value *value) {
    return value->node && value->node->op == OP_const && node_attr(value->node, ATTR_value)->number == 0;
}

static bool is_read_once(const Hoist *h, const Value *value) {
    return value->id < h->counted && h->uses[value->id] == 1;
}

static bool into_rows(Hoist *h, Node *scatter) {
    Rows r;
    Value *base = scatter->operands[0], *part = scatter->operands[2];
    const Node *contract = part->node;
    int64_t axis = node_int(scatter, ATTR_axis), at;
    if (!contract || contract->op != OP_contract || !is_read_once(h, part)) return false;
    if (!open_rows(&r, h, contract, scatter->operands[1], base->type->dims[axis])) return false;
    take_span(&r, r.spec.result, axis);
    uint32_t in_x = found(&r, r.spec.x), in_y = found(&r, r.spec.y), length = (uint32_t)strlen(r.span);
    if ((in_x != length || in_y) && (in_y != length || in_x)) return false;
    Builder b = {.graph = h->graph, .block = scatter->block, .before = scatter, .loc = contract->loc};
    Value *x = contract->operands[0], *y = contract->operands[1];
    put_row(&r, r.spec.result, &at);
    if (in_x)
        x = add_up(&r, &b, x, r.spec.x);
    else
        y = add_up(&r, &b, y, r.spec.y);
    Value *sum = product(&r, &b, x, y);
    value_replace(scatter->results[0], is_zeros(base) ? sum : build_binary(&b, OP_add, base, sum));
    return true;
}

void hoist_rows(Hoist *h, Block *block) {
    for (Node *node = block->first; node; node = node->next) {
        if (node->op == OP_contract && !of_gathered(h, node, 0)) of_gathered(h, node, 1);
        if (node->op == OP_scatter_add) into_rows(h, node);
        for (uint32_t i = 0; i < node->block_count; i++) hoist_rows(h, node->blocks[i]);
    }
}
