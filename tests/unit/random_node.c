/* One node without blocks, of each family. */
#include "tests/unit/random_program.h"

static const Dim *number(Random *r, int64_t value) { return dim_const(r->ir, value); }

Value *try_node(Random *r, Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t attrs,
                const Attr *attr) {
    const char *why;
    Node *node = build_try(b, op, operands, operand, attrs, attr, &why);
    if (!node) return NULL;
    Value *result = node->results[0];
    if (type_limit(r, result->type) > r->most_elements) { /* too large, even for a node that nobody reads */
        node_remove(node);
        return NULL;
    }
    offer(r, result);
    return result;
}

/* --- elementwise */
static void add_elementwise(Random *r, Builder *b) {
    Op op;
    do op = (Op)below(r, OP_COUNT);
    while (!op_has(op, TRAIT_ELEMENTWISE) || op == OP_cast);
    Value *x = chance(r, 70) ? any_value(r, MAX_RANK) : some_value(r, b, random_dtype(r));
    Value *operands[3] = {x};
    if (op == OP_select) {
        operands[1] = x;
        operands[0] = value_of(r, b, type_with_dtype(r->ir, x->type, DTYPE_bool));
        operands[2] = value_of(r, b, x->type);
    } else if (op_arity(op) == 2) {
        operands[1] = value_of(r, b, x->type);
        if (chance(r, 50)) operands[0] = operands[1], operands[1] = x;
    }
    try_node(r, b, op, (uint32_t)op_arity(op), operands, 0, NULL);
}

static void add_cast(Random *r, Builder *b) {
    Value *x = any_value(r, MAX_RANK);
    Attr dtype = attr_dtype(ATTR_dtype, chance(r, 50) ? r->floats : random_dtype(r));
    try_node(r, b, OP_cast, 1, &x, 1, &dtype);
}

/* --- views */
static Value *permuted(Random *r, Builder *b, Value *x) {
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) perm[i] = i;
    for (uint32_t i = x->type->rank; i > 1; i--) {
        uint32_t j = below(r, i);
        int64_t t = perm[i - 1];
        perm[i - 1] = perm[j];
        perm[j] = t;
    }
    return build_permute(b, x, perm);
}

static void add_broadcast(Random *r, Builder *b) {
    Value *x = any_value(r, 4);
    const Dim *dims[MAX_RANK];
    int64_t axes[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < x->type->rank; i++) {
        if (rank + x->type->rank - i < 5 && chance(r, 30)) dims[rank++] = random_size(r);
        axes[i] = rank;
        dims[rank++] = x->type->dims[i];
    }
    if (rank < 5 && chance(r, 50)) dims[rank++] = random_size(r);
    Attr attrs[] = {attr_dims(ATTR_dims, rank, dims), attr_ints(ATTR_axes, x->type->rank, axes)};
    try_node(r, b, OP_broadcast, 1, &x, 2, attrs);
}

/* Part of an axis of `size` elements. */
static void cut_axis(Random *r, const Dim *size, const Dim **start, const Dim **count, int64_t *step) {
    int64_t n;
    *start = number(r, 0);
    *count = size;
    *step = 1;
    if (dim_is_const(size, &n) && n > 0) {
        int64_t first = below(r, (uint32_t)n);
        *step = 1 + below(r, 3);
        if (chance(r, 30)) *step = -*step;
        int64_t most = *step > 0 ? (n - 1 - first) / *step + 1 : first / -*step + 1;
        *start = number(r, first);
        *count = number(r, chance(r, 60) ? most : (int64_t)below(r, (uint32_t)most + 1));
    } else if (dim_least(r, size) > 0) {
        if (chance(r, 40)) {
            *start = dim_sub(r->ir, size, number(r, 1));
            *step = -1;
        } else if (chance(r, 50)) {
            *start = number(r, 1);
            *count = dim_sub(r->ir, size, number(r, 1));
        } else {
            *step = 2;
            *count = dim_floordiv(r->ir, dim_add(r->ir, size, number(r, 1)), number(r, 2));
        }
    }
}

static Value *sliced(Random *r, Builder *b, Value *x) {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) {
        start[i] = number(r, 0), dims[i] = x->type->dims[i], step[i] = 1;
        if (chance(r, 50)) cut_axis(r, x->type->dims[i], &start[i], &dims[i], &step[i]);
    }
    return build_slice(b, x, start, dims, step);
}

/* Merges neighbours, splits constant axes, adds and drops axes of one element. */
static Value *reshaped(Random *r, Builder *b, Value *x) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    int64_t n;
    for (uint32_t i = 0; i < x->type->rank; i++) {
        const Dim *size = x->type->dims[i];
        const Dim *merged = rank && chance(r, 35) ? dim_mul(r->ir, dims[rank - 1], size) : NULL;
        uint32_t room = MAX_RANK - 1 - rank - (x->type->rank - i);
        int64_t part = 2 + below(r, 4);
        if (merged) {
            dims[rank - 1] = merged;
        } else if (room > 1 && dim_is_const(size, &n) && n > 1 && n % part == 0 && chance(r, 50)) {
            dims[rank++] = number(r, n / part);
            dims[rank++] = number(r, part);
        } else if (!dim_is(size, 1) || chance(r, 50)) {
            dims[rank++] = size;
        }
    }
    if (rank < 6 && chance(r, 20)) dims[rank++] = number(r, 1);
    const char *why;
    Attr attr = attr_dims(ATTR_dims, rank, dims);
    Node *node = build_try(b, OP_reshape, 1, &x, 1, &attr, &why);
    return node ? node->results[0] : x;
}

static void add_pad(Random *r, Builder *b) {
    Value *x = any_value(r, 5);
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) {
        bool here = chance(r, 50);
        low[i] = here && chance(r, 20) ? random_size(r) : number(r, here ? below(r, 3) : 0);
        high[i] = number(r, here ? below(r, 3) : 0);
        bool held = dim_is_const(x->type->dims[i], NULL) || dim_least(r, x->type->dims[i]) > 0;
        interior[i] = held && chance(r, 25) ? 1 + below(r, 2) : 0;
    }
    Attr attrs[] = {attr_dims(ATTR_low, x->type->rank, low), attr_dims(ATTR_high, x->type->rank, high),
                    attr_ints(ATTR_interior, x->type->rank, interior)};
    Value *operands[] = {x, value_of(r, b, type_scalar(r->ir, x->type->dtype))};
    try_node(r, b, OP_pad, 2, operands, 3, attrs);
}

static void add_concat(Random *r, Builder *b) {
    Value *x = any_value(r, 5), *parts[4] = {x};
    if (!x->type->rank) return;
    uint32_t axis = below(r, x->type->rank), count = 1 + below(r, 4);
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) dims[i] = x->type->dims[i];
    for (uint32_t i = 1; i < count; i++) {
        if (chance(r, 60)) dims[axis] = random_size(r);
        const Type *type = type_tensor(r->ir, x->type->dtype, x->type->rank, dims);
        parts[i] = type_limit(r, type) > r->most_elements ? x : value_of(r, b, type);
    }
    Attr attr = attr_int(ATTR_axis, axis);
    try_node(r, b, OP_concat, count, parts, 1, &attr);
}

/* Equal parts, of which one may be computed from the other, and perhaps equal parts of that. */
static void add_equal_parts(Random *r, Builder *b) {
    Value *x = any_value(r, 5);
    for (uint32_t level = 1 + below(r, 3); level > 0 && x->type->rank; level--) {
        if (2 * type_limit(r, x->type) > r->most_elements || !type_limit(r, x->type)) return;
        Value *other = value_of(r, b, x->type);
        if (dtype_is_float(x->type->dtype) && chance(r, 70)) other = build_binary(b, OP_add, x, other);
        Value *parts[] = {x, other};
        if (chance(r, 50)) parts[0] = other, parts[1] = x;
        x = build_concat(b, 2, parts, below(r, x->type->rank));
        offer(r, x);
        if (chance(r, 30)) offer(r, other);
    }
}

/* Windows on an axis, or an axis that windows are added up in. */
static void add_windows(Random *r, Builder *b) {
    Value *x = any_value(r, 5);
    if (!x->type->rank) return;
    uint32_t axis = below(r, x->type->rank);
    int64_t stride = 1 + below(r, 3), dilation = 1 + below(r, 3);
    const Dim *dim = x->type->dims[axis], *dims[MAX_RANK];
    int64_t least = dim_least(r, dim), size = least > 0 ? 1 + below(r, least < 5 ? (uint32_t)least : 5) : 0;
    if ((size - 1) * dilation >= least) dilation = 1;
    const Type *line = type_tensor(r->ir, x->type->dtype, 1, &dim);
    if (size * type_limit(r, x->type) > r->most_elements || !type_limit(r, line)) return;
    Value *windows = build_window(b, x, axis, number(r, size), number(r, stride), number(r, dilation));
    if (chance(r, 50)) {
        offer(r, windows);
        return;
    }
    for (uint32_t i = 0; i < windows->type->rank; i++) dims[i] = windows->type->dims[i];
    Value *part = value_of(r, b, type_tensor(r->ir, x->type->dtype, windows->type->rank, dims));
    Attr attrs[] = {attr_int(ATTR_axis, axis), attr_dim(ATTR_size, dim),
                    attr_dim(ATTR_stride, number(r, stride)), attr_dim(ATTR_dilation, number(r, dilation))};
    try_node(r, b, OP_window_add, 1, &part, 4, attrs);
}

static Value *viewed(Random *r, Builder *b, Value *x) {
    switch (below(r, 3)) {
    case 0: return permuted(r, b, x);
    case 1: return sliced(r, b, x);
    default: return reshaped(r, b, x);
    }
}

static void add_view(Random *r, Builder *b) {
    switch (below(r, 8)) {
    case 0: add_broadcast(r, b); break;
    case 1: add_pad(r, b); break;
    case 2: add_concat(r, b); break;
    case 3: add_windows(r, b); break;
    case 4: add_equal_parts(r, b); break;
    default: offer(r, viewed(r, b, any_value(r, 6)));
    }
}

/* --- at places known at run time */
/* Cuts some axes of x at run-time starts. */
typedef struct {
    uint32_t count;
    int64_t axes[MAX_RANK];
    Value *starts[MAX_RANK];
    const Dim *dims[MAX_RANK];
} Window;

static Window random_window(Random *r, Builder *b, const Type *type) {
    Window w = {0};
    for (uint32_t i = 0; i < type->rank; i++) {
        int64_t n, part;
        w.dims[i] = type->dims[i];
        if (chance(r, 45)) continue;
        if (dim_is_const(type->dims[i], &n)) {
            part = below(r, (uint32_t)n + 1);
        } else {
            if (dim_least(r, type->dims[i]) < 1) continue;
            part = 1;
        }
        w.dims[i] = number(r, part);
        const Dim *places = dim_sub(r->ir, dim_add(r->ir, type->dims[i], number(r, 1)), w.dims[i]);
        w.axes[w.count] = i;
        w.starts[w.count++] = index_below(r, b, places);
    }
    return w;
}

static void add_dynamic(Random *r, Builder *b) {
    Value *x = any_value(r, 5);
    Window w = random_window(r, b, x->type);
    if (chance(r, 40)) {
        offer(r, build_dynamic_slice(b, x, w.count, w.axes, w.starts, w.dims));
    } else {
        Value *part = value_of(r, b, type_tensor(r->ir, x->type->dtype, x->type->rank, w.dims));
        offer(r, build_update_slice(b, x, part, w.count, w.axes, w.starts));
    }
}

static void add_gather_scatter(Random *r, Builder *b) {
    static const DType integers[] = {DTYPE_i64, DTYPE_i32, DTYPE_i16, DTYPE_i8, DTYPE_u8};
    Value *x = any_value(r, 4);
    if (!x->type->rank) return;
    uint32_t axis = below(r, x->type->rank);
    int64_t most;
    const Dim *size = x->type->dims[axis];
    if (dim_least(r, size) < 1 || !dim_limit(r, size, &most) || most > 100) return;
    const Type *ids_type = random_type(r, integers[below(r, 5)], 2);
    if (type_limit(r, x->type) / most * type_limit(r, ids_type) > r->most_elements) return;
    Value *ids = indices_below(r, b, ids_type, size);
    Value *taken = build_gather(b, x, ids, axis);
    if (chance(r, 50)) {
        offer(r, taken);
        return;
    }
    Value *part = value_of(r, b, taken->type);
    Attr attr = attr_int(ATTR_axis, axis);
    Op op = x->type->dtype == DTYPE_bool || chance(r, 40) ? OP_scatter : OP_scatter_add;
    try_node(r, b, op, 3, (Value *[]){x, ids, part}, 1, &attr);
}

/* --- reductions */
static uint32_t random_axes(Random *r, uint32_t rank, int64_t *axes) {
    uint32_t count = 0;
    bool trailing = chance(r, 40);
    uint32_t first = rank ? below(r, rank) : 0;
    for (uint32_t i = 0; i < rank; i++)
        if (trailing ? i >= first : chance(r, 50)) axes[count++] = i;
    return count;
}

static void add_reduce(Random *r, Builder *b) {
    Op op;
    do op = (Op)below(r, OP_COUNT);
    while (!op_has(op, TRAIT_REDUCES));
    bool logical = op == OP_reduce_any || op == OP_reduce_all, arg = op == OP_argmax || op == OP_argmin;
    Value *x = logical ? some_value(r, b, DTYPE_bool) : any_value(r, MAX_RANK);
    if (!logical && x->type->dtype == DTYPE_bool) x = some_value(r, b, random_number(r));
    int64_t axes[MAX_RANK];
    uint32_t count = random_axes(r, x->type->rank, axes);
    if (arg) {
        if (!x->type->rank) return;
        axes[0] = below(r, x->type->rank);
        count = 1;
        if (dim_least(r, x->type->dims[axes[0]]) < 1) return;
    }
    Attr attr = attr_ints(ATTR_axes, count, axes);
    try_node(r, b, op, 1, &x, 1, &attr);
}

static void add_scan(Random *r, Builder *b) {
    Op op;
    do op = (Op)below(r, OP_COUNT);
    while (!op_has(op, TRAIT_SCANS));
    Value *x = any_value(r, MAX_RANK);
    if (x->type->dtype == DTYPE_bool) x = some_value(r, b, random_number(r));
    if (!x->type->rank) return;
    Value *operands[2] = {x, op_arity(op) == 2 ? value_of(r, b, x->type) : NULL};
    int64_t axis = below(r, x->type->rank);
    const Dim *size = x->type->dims[axis];
    int64_t least = dim_least(r, size);
    if (least > 0 && chance(r, 50)) size = dim_const(r->ir, below(r, (uint32_t)least + 1));
    Attr attrs[] = {attr_int(ATTR_axis, axis), attr_int(ATTR_descending, below(r, 2)),
                    attr_dim(ATTR_size, size)};
    if (chance(r, 30))
        try_node(r, b, OP_argsort, 1, &x, 3, attrs);
    else
        try_node(r, b, op, (uint32_t)op_arity(op), operands, 1, attrs);
}

/* x less what a reduction over some axes leaves of it, with elementwise nodes between: softmax and its kin.
 */
static void add_row(Random *r, Builder *b) {
    static const Op reductions[] = {OP_reduce_max, OP_reduce_sum, OP_reduce_min};
    static const Op joins[] = {OP_sub, OP_mul, OP_div, OP_add};
    static const Op unary[] = {OP_exp, OP_tanh, OP_abs, OP_neg, OP_sigmoid};
    Value *x = some_value(r, b, r->floats);
    int64_t axes[MAX_RANK], kept[MAX_RANK];
    for (uint32_t step = 1 + below(r, 3); step--;) {
        uint32_t count = random_axes(r, x->type->rank, axes), rest = 0;
        for (uint32_t i = 0, k = 0; i < x->type->rank; i++) {
            if (k < count && axes[k] == i)
                k++;
            else
                kept[rest++] = i;
        }
        Value *small = build_reduce(b, reductions[below(r, 3)], x, count, axes);
        if (chance(r, 20)) offer(r, small);
        Value *back = small == x ? x : build_broadcast(b, small, x->type->rank, x->type->dims, kept);
        x = build_binary(b, joins[below(r, 4)], x, back);
        if (chance(r, 60)) x = build_unary(b, unary[below(r, 5)], x);
        if (chance(r, 30)) offer(r, x);
    }
    offer(r, x);
}

/* --- products */
typedef struct {
    char x[MAX_RANK + 1], y[MAX_RANK + 1], result[2 * MAX_RANK + 1];
    uint32_t y_rank, results;
    const Dim *y_dims[MAX_RANK];
    int64_t products;
} Product;

static void put_letter(Random *r, char *text, uint32_t length, char letter, const Dim **dims,
                       const Dim *dim) {
    uint32_t at = below(r, length + 1);
    for (uint32_t i = length; i > at; i--) {
        text[i] = text[i - 1];
        if (dims) dims[i] = dims[i - 1];
    }
    text[at] = letter;
    if (dims) dims[at] = dim;
}

static bool add_letter(Random *r, Product *p, char letter, const Dim *dim, bool in_y, bool in_result) {
    int64_t most;
    if (!dim_limit(r, dim, &most) || (in_y && p->y_rank == 5) || (in_result && p->results == 6)) return false;
    if (in_y) put_letter(r, p->y, p->y_rank++, letter, p->y_dims, dim);
    if (in_result) put_letter(r, p->result, p->results++, letter, NULL, NULL);
    p->products *= most > 1 ? most : 1;
    return true;
}

static void add_contract(Random *r, Builder *b) {
    Value *x = chance(r, 60) ? any_value(r, 5) : some_value(r, b, r->floats);
    if (x->type->rank > 5 || x->type->dtype == DTYPE_bool) return;
    if (chance(r, 40)) x = viewed(r, b, x);
    Product p = {.products = 1};
    char letter = 'a';
    for (uint32_t i = 0; i < x->type->rank; i++, letter++) {
        uint32_t role = below(r, 5); /* summed, summed, batch, free, free */
        p.x[i] = letter;
        if (!add_letter(r, &p, letter, x->type->dims[i], role < 3, role > 1)) return;
    }
    for (uint32_t n = below(r, 3); n; n--, letter++)
        if (!add_letter(r, &p, letter, random_size(r), true, true)) break;
    if (p.products > r->most_products) return;
    const Type *type = type_tensor(r->ir, x->type->dtype, p.y_rank, p.y_dims);
    if (type_limit(r, type) > r->most_elements) return;
    Value *y = value_of(r, b, type);
    bool swapped = chance(r, 50);
    const char *spec = swapped ? arena_printf(r->arena, "%s,%s->%s", p.y, p.x, p.result)
                               : arena_printf(r->arena, "%s,%s->%s", p.x, p.y, p.result);
    Attr attr = attr_str(ATTR_spec, intern(ir_strings(r->ir), spec));
    try_node(r, b, OP_contract, 2, swapped ? (Value *[]){y, x} : (Value *[]){x, y}, 1, &attr);
}

/* --- from nowhere */
static void add_source(Random *r, Builder *b) {
    Value *value;
    switch (below(r, 4)) {
    case 0: value = build_size(b, random_size(r)); break;
    case 1: value = build_node(b, OP_seed, 0, NULL, 0, NULL)->results[0]; break;
    default: value = fresh_value(r, b, random_type(r, random_dtype(r), 4)); break;
    }
    offer(r, value);
}

void add_plain(Random *r, Builder *b) {
    uint32_t kind = below(r, 100);
    if (kind < 38)
        add_elementwise(r, b);
    else if (kind < 44)
        add_cast(r, b);
    else if (kind < 62)
        add_view(r, b);
    else if (kind < 67)
        add_dynamic(r, b);
    else if (kind < 72)
        add_gather_scatter(r, b);
    else if (kind < 80)
        add_reduce(r, b);
    else if (kind < 82)
        add_scan(r, b);
    else if (kind < 86)
        add_row(r, b);
    else if (kind < 94)
        add_contract(r, b);
    else if (kind < 96)
        add_chain(r, b);
    else if (kind < 97)
        add_tiles(r, b);
    else
        add_source(r, b);
}
