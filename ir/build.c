/* Building nodes by their shape rules. */
#include "ir/build.h"
#include "ir/shape.h"
#include <assert.h>
#include <stdio.h>

static Node *put(Builder *b, Node *node) {
    if (b->before)
        node_insert_before(b->before, node);
    else
        node_append(b->block, node);
    return node;
}

Node *build_try(Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t attrs, const Attr *attr,
                const char **why) {
    ShapeQuery query = {
        .ir = b->graph->ir, .op = op, .operands = operands, .operand = operand, .attrs = attrs, .attr = attr};
    const char *refusal = shape_infer(&query);
    if (refusal && !why) fprintf(stderr, "nnc: internal error: %s: %s\n", op_name(op), refusal);
    assert(why || !refusal);
    if (why) *why = refusal;
    if (refusal) return NULL;
    return put(b,
               node_new(b->graph, op, operands, operand, attrs, attr, query.results, query.result, b->loc));
}

Node *build_node(Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t attrs,
                 const Attr *attr) {
    return build_try(b, op, operands, operand, attrs, attr, NULL);
}

/* The result of a node with exactly one. */
static Value *build(Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t attrs,
                    const Attr *attr) {
    return build_node(b, op, operands, operand, attrs, attr)->results[0];
}

/* --- elementwise */
Value *build_unary(Builder *b, Op op, Value *x) { return build(b, op, 1, &x, 0, NULL); }

Value *build_binary(Builder *b, Op op, Value *x, Value *y) {
    return build(b, op, 2, (Value *[]){x, y}, 0, NULL);
}

Value *build_select(Builder *b, Value *condition, Value *x, Value *y) {
    return build(b, OP_select, 3, (Value *[]){condition, x, y}, 0, NULL);
}

Value *build_masked(Builder *b, Value *x, Value *mask) {
    return build(b, OP_masked, 2, (Value *[]){x, mask}, 0, NULL);
}

Value *build_cast(Builder *b, Value *x, DType dtype) {
    if (x->type->dtype == dtype) return x;
    return build(b, OP_cast, 1, &x, 1, (Attr[]){attr_dtype(ATTR_dtype, dtype)});
}

Value *build_wide(Builder *b, Value *x) {
    return dtype_is_half(x->type->dtype) ? build_cast(b, x, DTYPE_f32) : x;
}

/* --- values from nowhere */
Value *build_const(Builder *b, const Type *type, double value) {
    bool is_float = dtype_is_float(type->dtype);
    Attr attrs[] = {attr_dims(ATTR_dims, type->rank, type->dims), attr_dtype(ATTR_dtype, type->dtype),
                    is_float ? attr_number(ATTR_value, value) : attr_int(ATTR_ivalue, (int64_t)value)};
    return build(b, OP_const, 0, NULL, 3, attrs);
}

Value *build_int(Builder *b, int64_t value) {
    Attr attrs[] = {attr_dims(ATTR_dims, 0, NULL), attr_dtype(ATTR_dtype, DTYPE_i64),
                    attr_int(ATTR_ivalue, value)};
    return build(b, OP_const, 0, NULL, 3, attrs);
}

Value *build_text(Builder *b, const char *text) {
    Attr attrs[] = {attr_dims(ATTR_dims, 0, NULL), attr_dtype(ATTR_dtype, DTYPE_str),
                    attr_str(ATTR_text, intern(ir_strings(b->graph->ir), text))};
    return build(b, OP_const, 0, NULL, 3, attrs);
}

Value *build_iota(Builder *b, const Type *type, int64_t axis) {
    Attr attrs[] = {attr_dims(ATTR_dims, type->rank, type->dims), attr_dtype(ATTR_dtype, type->dtype),
                    attr_int(ATTR_axis, axis)};
    return build(b, OP_iota, 0, NULL, 3, attrs);
}

Value *build_size(Builder *b, const Dim *dim) {
    int64_t value;
    if (dim_is_const(dim, &value)) return build_int(b, value);
    return build(b, OP_size, 0, NULL, 1, (Attr[]){attr_dim(ATTR_dim, dim)});
}

const Dim *build_symbol(Builder *b, Value *count, const char *name) {
    const Node *source = count->node;
    if (source && source->op == OP_size) return node_dim(source, ATTR_dim);
    /* A negative constant stays a run-time symbol, whose definition then stops the program. */
    if (source && source->op == OP_const && node_int(source, ATTR_ivalue) >= 0)
        return dim_const(b->graph->ir, node_int(source, ATTR_ivalue));
    const Dim *symbol = dim_fresh(b->graph->ir, name);
    build_node(b, OP_symbol, 1, &count, 1, (Attr[]){attr_dim(ATTR_dim, symbol)});
    return symbol;
}

/* --- views */
Value *build_reshape(Builder *b, Value *x, uint32_t rank, const Dim *const *dims) {
    bool same = x->type->rank == rank;
    for (uint32_t i = 0; i < rank && same; i++) same = x->type->dims[i] == dims[i];
    if (same) return x;
    return build(b, OP_reshape, 1, &x, 1, (Attr[]){attr_dims(ATTR_dims, rank, dims)});
}

Value *build_permute(Builder *b, Value *x, const int64_t *perm) {
    return build(b, OP_permute, 1, &x, 1, (Attr[]){attr_ints(ATTR_perm, x->type->rank, perm)});
}

Value *build_slice(Builder *b, Value *x, const Dim *const *start, const Dim *const *dims,
                   const int64_t *step) {
    uint32_t rank = x->type->rank;
    Attr attrs[] = {attr_dims(ATTR_start, rank, start), attr_dims(ATTR_dims, rank, dims),
                    attr_ints(ATTR_step, rank, step)};
    return build(b, OP_slice, 1, &x, 3, attrs);
}

Value *build_broadcast(Builder *b, Value *x, uint32_t rank, const Dim *const *dims, const int64_t *axes) {
    Attr attrs[] = {attr_dims(ATTR_dims, rank, dims), attr_ints(ATTR_axes, x->type->rank, axes)};
    return build(b, OP_broadcast, 1, &x, 2, attrs);
}

Value *build_broadcast_to(Builder *b, Value *x, uint32_t rank, const Dim *const *dims) {
    assert(rank >= x->type->rank);
    const Dim *kept[MAX_RANK];
    int64_t axes[MAX_RANK];
    uint32_t count = 0, added = rank - x->type->rank;
    for (uint32_t i = 0; i < x->type->rank; i++) {
        if (x->type->dims[i] != dims[added + i]) {
            assert(dim_is(x->type->dims[i], 1));
            continue;
        }
        kept[count] = dims[added + i];
        axes[count++] = added + i;
    }
    if (count == rank) return x;
    return build_broadcast(b, build_reshape(b, x, count, kept), rank, dims, axes);
}

Value *build_like(Builder *b, Value *scalar, const Type *shape) {
    assert(scalar->type->rank == 0);
    return build_broadcast_to(b, scalar, shape->rank, shape->dims);
}

Value *build_pad(Builder *b, Value *x, Value *fill, const Dim *const *low, const Dim *const *high,
                 const int64_t *interior) {
    uint32_t rank = x->type->rank;
    Attr attrs[] = {attr_dims(ATTR_low, rank, low), attr_dims(ATTR_high, rank, high),
                    attr_ints(ATTR_interior, rank, interior)};
    return build(b, OP_pad, 2, (Value *[]){x, fill}, 3, attrs);
}

Value *build_concat(Builder *b, uint32_t count, Value *const *parts, int64_t axis) {
    return build(b, OP_concat, count, parts, 1, (Attr[]){attr_int(ATTR_axis, axis)});
}

/* `count` starts after the leading operands. */
static uint32_t with_starts(Value *operands[2 + MAX_RANK], uint32_t lead, uint32_t count,
                            Value *const *starts) {
    assert(count <= MAX_RANK);
    for (uint32_t i = 0; i < count; i++) operands[lead + i] = starts[i];
    return lead + count;
}

Value *build_dynamic_slice(Builder *b, Value *x, uint32_t count, const int64_t *axes, Value *const *starts,
                           const Dim *const *dims) {
    Value *operands[2 + MAX_RANK] = {x};
    Attr attrs[] = {attr_ints(ATTR_axes, count, axes), attr_dims(ATTR_dims, x->type->rank, dims)};
    return build(b, OP_dynamic_slice, with_starts(operands, 1, count, starts), operands, 2, attrs);
}

Value *build_update_slice(Builder *b, Value *x, Value *part, uint32_t count, const int64_t *axes,
                          Value *const *starts) {
    Value *operands[2 + MAX_RANK] = {x, part};
    Attr attrs[] = {attr_ints(ATTR_axes, count, axes)};
    return build(b, OP_update_slice, with_starts(operands, 2, count, starts), operands, 1, attrs);
}

static Value *build_windows(Builder *b, Op op, Value *x, int64_t axis, const Dim *size, const Dim *stride,
                            const Dim *dilation) {
    Attr attrs[] = {attr_int(ATTR_axis, axis), attr_dim(ATTR_size, size), attr_dim(ATTR_stride, stride),
                    attr_dim(ATTR_dilation, dilation)};
    return build(b, op, 1, &x, 4, attrs);
}

Value *build_window(Builder *b, Value *x, int64_t axis, const Dim *size, const Dim *stride,
                    const Dim *dilation) {
    return build_windows(b, OP_window, x, axis, size, stride, dilation);
}

Value *build_window_add(Builder *b, Value *part, int64_t axis, const Dim *size, const Dim *stride,
                        const Dim *dilation) {
    return build_windows(b, OP_window_add, part, axis, size, stride, dilation);
}

/* --- the rest of the pure operations */
Value *build_gather(Builder *b, Value *x, Value *ids, int64_t axis) {
    return build(b, OP_gather, 2, (Value *[]){x, ids}, 1, (Attr[]){attr_int(ATTR_axis, axis)});
}

Value *build_scatter_add(Builder *b, Value *x, Value *ids, Value *part, int64_t axis) {
    return build(b, OP_scatter_add, 3, (Value *[]){x, ids, part}, 1, (Attr[]){attr_int(ATTR_axis, axis)});
}

Value *build_scatter(Builder *b, Value *x, Value *ids, Value *part, int64_t axis) {
    return build(b, OP_scatter, 3, (Value *[]){x, ids, part}, 1, (Attr[]){attr_int(ATTR_axis, axis)});
}

Value *build_reduce(Builder *b, Op op, Value *x, uint32_t count, const int64_t *axes) {
    if (!count) return x;
    return build(b, op, 1, &x, 1, (Attr[]){attr_ints(ATTR_axes, count, axes)});
}

/* --- along an axis */
Value *build_flip(Builder *b, Value *x, int64_t axis) {
    IrContext *ir = b->graph->ir;
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    for (uint32_t k = 0; k < x->type->rank; k++) {
        bool turned = k == axis && !dim_is(x->type->dims[k], 0);
        start[k] = turned ? dim_sub(ir, x->type->dims[k], dim_const(ir, 1)) : dim_const(ir, 0);
        step[k] = turned ? -1 : 1;
    }
    return build_slice(b, x, start, x->type->dims, step);
}

Value *build_scan(Builder *b, Op op, Value *x, int64_t axis, bool reverse) {
    Attr attr = attr_int(ATTR_axis, axis);
    if (!reverse) return build(b, op, 1, &x, 1, &attr);
    Value *turned = build_flip(b, x, axis);
    return build_flip(b, build(b, op, 1, &turned, 1, &attr), axis);
}

Value *build_recurrence(Builder *b, Value *a, Value *addend, int64_t axis) {
    return build(b, OP_linear_recurrence, 2, (Value *[]){a, addend}, 1, (Attr[]){attr_int(ATTR_axis, axis)});
}

Value *build_argsort(Builder *b, Value *x, int64_t axis, bool descending, const Dim *size) {
    Attr attrs[] = {attr_int(ATTR_axis, axis), attr_int(ATTR_descending, descending),
                    attr_dim(ATTR_size, size)};
    return build(b, OP_argsort, 1, &x, 3, attrs);
}

/* ids without the axes behind `axis` that it only repeats along and that x has as many elements of: it names
 * rows of x, whole ones. */
static Value *ids_of_rows(Builder *b, const Type *x, Value *ids, int64_t axis) {
    const Node *node = ids->node;
    if (node && node->op == OP_cast) {
        Value *rows = ids_of_rows(b, x, node->operands[0], axis);
        return rows == node->operands[0] ? ids : build_cast(b, rows, ids->type->dtype);
    }
    if (!node || node->op != OP_broadcast) return ids;
    const Attr *axes = node_attr(node, ATTR_axes);
    int64_t last = axes->count ? axes->ints[axes->count - 1] : 0;
    uint32_t rank = (uint32_t)(last > axis ? last : axis) + 1;
    if (rank == x->rank) return ids;
    for (uint32_t k = rank; k < x->rank; k++)
        if (ids->type->dims[k] != x->dims[k]) return ids;
    Value *each = node->operands[0];
    return each->type->rank == rank ? each : build_broadcast(b, each, rank, ids->type->dims, axes->ints);
}

/* The row-major numbers of the rows of x that `ids` names along `axis`. */
static Value *numbers_along(Builder *b, const Type *x, Value *ids, int64_t axis) {
    IrContext *ir = b->graph->ir;
    const Dim *stride = dim_const(ir, 1);
    Value *sum = NULL;
    for (uint32_t k = ids->type->rank; k-- > 0;) {
        Value *place = k == axis ? ids : build_iota(b, ids->type, k);
        Value *scaled = build_binary(b, OP_mul, place, build_like(b, build_size(b, stride), ids->type));
        sum = sum ? build_binary(b, OP_add, sum, scaled) : scaled;
        stride = dim_mul(ir, stride, x->dims[k]);
    }
    return sum;
}

/* x with its first `rank` axes as one. */
static Value *as_rows(Builder *b, Value *x, uint32_t rank) {
    const Dim *dims[MAX_RANK] = {dim_const(b->graph->ir, 1)};
    uint32_t count = 1;
    for (uint32_t k = 0; k < rank; k++) dims[0] = dim_mul(b->graph->ir, dims[0], x->type->dims[k]);
    for (uint32_t k = rank; k < x->type->rank; k++) dims[count++] = x->type->dims[k];
    return build_reshape(b, x, count, dims);
}

Value *build_take_along(Builder *b, Value *x, Value *ids, int64_t axis) {
    Value *rows = ids_of_rows(b, x->type, ids, axis);
    return build_gather(b, as_rows(b, x, rows->type->rank), numbers_along(b, x->type, rows, axis), 0);
}

Value *build_put_along(Builder *b, Op op, Value *x, Value *ids, Value *part, int64_t axis) {
    Value *rows = ids_of_rows(b, x->type, ids, axis);
    Value *operands[] = {as_rows(b, x, rows->type->rank), numbers_along(b, x->type, rows, axis), part};
    Value *put = build(b, op, 3, operands, 1, (Attr[]){attr_int(ATTR_axis, 0)});
    return build_reshape(b, put, x->type->rank, x->type->dims);
}

Value *build_contract(Builder *b, Value *x, Value *y, const char *spec) {
    Attr attrs[] = {attr_str(ATTR_spec, intern(ir_strings(b->graph->ir), spec))};
    return build(b, OP_contract, 2, (Value *[]){x, y}, 1, attrs);
}

/* --- control */
static Block *add_block(Builder *b, Node *node) { return block_new(b->graph, b->block->function, node); }

/* A loop's results are of the carried values' types and names. */
static Node *build_loop(Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t carried) {
    Value *const *init = operand + (operands - carried);
    const Type **types = ARENA_ARRAY(ir_arena(b->graph->ir), const Type *, carried);
    for (uint32_t i = 0; i < carried; i++) types[i] = init[i]->type;
    Node *loop = node_new(b->graph, op, operands, operand, 0, NULL, carried, types, b->loc);
    for (uint32_t i = 0; i < carried; i++) loop->results[i]->name = init[i]->name;
    return put(b, loop);
}

static void carry(Block *block, uint32_t carried, Value *const *init) {
    for (uint32_t i = 0; i < carried; i++) block_param(block, init[i]->type, init[i]->name);
}

Node *build_if(Builder *b, Value *condition, uint32_t results, const Type *const *types) {
    assert(condition->type == type_scalar(b->graph->ir, DTYPE_bool));
    Node *node = put(b, node_new(b->graph, OP_if, 1, &condition, 0, NULL, results, types, b->loc));
    add_block(b, node);
    add_block(b, node);
    return node;
}

Node *build_remat(Builder *b, uint32_t results, const Type *const *types) {
    Node *node = put(b, node_new(b->graph, OP_remat, 0, NULL, 0, NULL, results, types, b->loc));
    add_block(b, node);
    return node;
}

Node *build_for(Builder *b, Value *lo, Value *hi, uint32_t carried, Value *const *init) {
    const Type *index = type_scalar(b->graph->ir, DTYPE_i64);
    assert(lo->type == index && hi->type == index);
    Value **operands = ARENA_ARRAY(ir_arena(b->graph->ir), Value *, 2 + carried);
    operands[0] = lo;
    operands[1] = hi;
    for (uint32_t i = 0; i < carried; i++) operands[2 + i] = init[i];
    Node *loop = build_loop(b, OP_for, 2 + carried, operands, carried);
    Block *body = add_block(b, loop);
    block_param(body, index, NULL);
    carry(body, carried, init);
    return loop;
}

Node *build_while(Builder *b, uint32_t carried, Value *const *init) {
    Node *loop = build_loop(b, OP_while, carried, init, carried);
    carry(add_block(b, loop), carried, init);
    carry(add_block(b, loop), carried, init);
    return loop;
}

Builder build_inside(const Builder *b, Block *block) {
    return (Builder){.graph = b->graph, .block = block, .loc = b->loc};
}

void build_yield(Builder *b, uint32_t count, Value *const *values) {
    build_node(b, OP_yield, count, values, 0, NULL);
}
