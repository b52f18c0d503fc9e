/* Programs that nobody would write. */
#include "tests/unit/session.h"
#include <criterion/criterion.h>

typedef VEC(Value *) Values;

typedef struct {
    Session *s;
    uint64_t random;
    Graph *graph;
    Values pool; /* visible values */
    VEC(Tensor) arguments;
    const Dim *symbols[2];
    int depth;
} Generator;

static uint32_t below(Generator *g, uint32_t limit) {
    g->random = g->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(g->random >> 33) % limit;
}

/* The sizes of the two symbols at run time. */
static const int64_t symbol_sizes[] = {3, 5};

static const Dim *random_dim(Generator *g) {
    static const int64_t sizes[] = {1, 2, 3, 1, 4};
    uint32_t choice = below(g, 8);
    if (choice < 2) return g->symbols[choice];
    return dim_const(g->s->ir, choice == 7 && below(g, 8) == 0 ? 0 : sizes[below(g, 5)]);
}

static const Type *random_type(Generator *g, DType dtype) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = below(g, 4);
    for (uint32_t i = 0; i < rank; i++) dims[i] = random_dim(g);
    return type_tensor(g->s->ir, dtype, rank, dims);
}

static bool symbol_value(void *user, const Dim *symbol, int64_t *out) {
    const Generator *g = user;
    *out = symbol_sizes[symbol == g->symbols[1]];
    return true;
}

static void add_argument(Generator *g, const Type *type) {
    int64_t dims[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++) cr_assert(dim_eval(type->dims[i], symbol_value, g, &dims[i]));
    Tensor t = tensor_new(g->s->arena, type->dtype, type->rank, dims);
    for (int64_t k = 0; k < t.count; k++) {
        if (t.f) t.f[k] = (double)below(g, 9) - 4;
        if (t.i) t.i[k] = type->dtype == DTYPE_bool ? below(g, 2) : (int64_t)below(g, 7) - 3;
    }
    vec_push(g->s->arena, &g->arguments, t);
}

static void push(Generator *g, Value *value) { vec_push(g->s->arena, &g->pool, value); }

/* A visible value for which `fits` holds, or NULL after some tries. */
static Value *pick(Generator *g, bool (*fits)(const Value *value, const void *wanted), const void *wanted) {
    for (int tries = 0; tries < 24; tries++) {
        Value *value = g->pool.at[below(g, g->pool.count)];
        if (fits(value, wanted)) return value;
    }
    return NULL;
}

static bool has_type(const Value *value, const void *type) { return value->type == type; }

static bool has_dtype(const Value *value, const void *dtype) {
    return value->type->dtype == *(const DType *)dtype;
}

/* A value of this type, made where none is there. */
static Value *any_of(Generator *g, Builder *b, const Type *type) {
    static const double constants[] = {0, 1, -1, 2, -0.0, 0.5};
    Value *value = below(g, 4) ? pick(g, has_type, type) : NULL;
    if (value) return value;
    DType dtype = type->dtype;
    value = below(g, 2) ? pick(g, has_dtype, &dtype) : NULL;
    if (value && value->type->rank == 0) return build_like(b, value, type);
    return build_const(b, type, type->dtype == DTYPE_bool ? below(g, 2) : constants[below(g, 6)]);
}

static Value *pick_dtype(Generator *g, Builder *b, DType dtype) {
    Value *value = pick(g, has_dtype, &dtype);
    return value ? value : any_of(g, b, random_type(g, dtype));
}

/* --- one node of each family */
static void add_unary(Generator *g, Builder *b) {
    static const Op ops[] = {OP_neg, OP_abs, OP_sign, OP_floor, OP_round, OP_neg, OP_sqrt, OP_stop_gradient};
    push(g, build_unary(b, ops[below(g, 8)], pick_dtype(g, b, DTYPE_f64)));
    push(g, build_unary(b, below(g, 2) ? OP_neg : OP_abs, pick_dtype(g, b, DTYPE_i64)));
    push(g, build_unary(b, OP_not, pick_dtype(g, b, DTYPE_bool)));
}

static void add_binary(Generator *g, Builder *b) {
    static const Op ops[] = {OP_add, OP_sub,      OP_mul, OP_min, OP_max,
                             OP_add, OP_floordiv, OP_mod, OP_mul, OP_pow};
    static const Op compares[] = {OP_eq, OP_ne, OP_lt, OP_le, OP_gt, OP_ge};
    Value *x = pick_dtype(g, b, below(g, 3) ? DTYPE_f64 : DTYPE_i64);
    Value *y = any_of(g, b, x->type);
    if (below(g, 2))
        push(g, build_binary(b, ops[below(g, 10)], x, y));
    else if (x->type->dtype == DTYPE_f64 && below(g, 2))
        push(g, build_binary(b, OP_div, y, x));
    else
        push(g, build_binary(b, compares[below(g, 6)], y, x));
    Value *p = pick_dtype(g, b, DTYPE_bool), *q = any_of(g, b, p->type);
    push(g, build_binary(b, below(g, 2) ? OP_and : OP_or, p, q));
    Value *choice = any_of(g, b, type_with_dtype(g->s->ir, p->type, DTYPE_f64));
    push(g, build_select(b, p, choice, any_of(g, b, choice->type)));
}

static void add_cast(Generator *g, Builder *b) {
    static const DType dtypes[] = {DTYPE_f64, DTYPE_i64, DTYPE_i32, DTYPE_bool, DTYPE_u8, DTYPE_i8};
    Value *x = build_cast(b, g->pool.at[below(g, g->pool.count)], dtypes[below(g, 6)]);
    if (below(g, 2)) x = build_cast(b, x, dtypes[below(g, 6)]);
    push(g, build_cast(b, x, below(g, 2) ? DTYPE_f64 : DTYPE_i64));
}

static void add_permute(Generator *g, Builder *b, Value *x) {
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) perm[i] = i;
    for (uint32_t i = x->type->rank; i > 1; i--) {
        uint32_t j = below(g, i);
        int64_t t = perm[i - 1];
        perm[i - 1] = perm[j];
        perm[j] = t;
    }
    push(g, build_permute(b, x, perm));
}

static void add_broadcast(Generator *g, Builder *b, Value *x) {
    const Dim *dims[MAX_RANK];
    int64_t axes[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < x->type->rank; i++) {
        if (rank + x->type->rank - i < 5 && below(g, 2)) dims[rank++] = random_dim(g);
        axes[i] = rank;
        dims[rank++] = x->type->dims[i];
    }
    if (rank < 5) dims[rank++] = random_dim(g);
    push(g, build_broadcast(b, x, rank, dims, axes));
}

static void add_slice(Generator *g, Builder *b, Value *x) {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK], size;
    for (uint32_t i = 0; i < x->type->rank; i++) {
        bool back = false;
        start[i] = dim_const(g->s->ir, 0);
        dims[i] = x->type->dims[i];
        if (dim_is_const(dims[i], &size) && size > 1 && below(g, 2)) {
            back = below(g, 2);
            start[i] = dim_const(g->s->ir, back ? size - 1 : 1);
            dims[i] = dim_const(g->s->ir, size - 1);
        }
        step[i] = back ? -1 : 1;
    }
    push(g, build_slice(b, x, start, dims, step));
}

static void add_reshape(Generator *g, Builder *b, Value *x) {
    const Dim *dims[MAX_RANK], *flat = type_elements(g->s->ir, x->type);
    uint32_t rank = 0;
    if (below(g, 2)) dims[rank++] = dim_const(g->s->ir, 1);
    for (uint32_t i = 0; i < x->type->rank; i++)
        if (!dim_is(x->type->dims[i], 1)) dims[rank++] = x->type->dims[i];
    if (below(g, 3) == 0)
        push(g, build_reshape(b, x, 1, &flat));
    else
        push(g, build_reshape(b, x, rank, dims));
}

static void add_pad_concat(Generator *g, Builder *b, Value *x) {
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) {
        low[i] = dim_const(g->s->ir, below(g, 2));
        high[i] = dim_const(g->s->ir, below(g, 2));
        interior[i] = dim_is_const(x->type->dims[i], NULL) && below(g, 4) == 0;
    }
    push(g, build_pad(b, x, any_of(g, b, type_scalar(g->s->ir, x->type->dtype)), low, high, interior));
    Value *parts[] = {x, any_of(g, b, x->type), x};
    if (x->type->rank) push(g, build_concat(b, 1 + below(g, 3), parts, below(g, x->type->rank)));
}

static void add_view(Generator *g, Builder *b) {
    Value *x = g->pool.at[below(g, g->pool.count)];
    switch (below(g, 5)) {
    case 0: add_permute(g, b, x); break;
    case 1: add_broadcast(g, b, x); break;
    case 2: add_slice(g, b, x); break;
    case 3: add_reshape(g, b, x); break;
    default: add_pad_concat(g, b, x); break;
    }
}

static void add_reduce(Generator *g, Builder *b) {
    static const Op ops[] = {OP_reduce_sum, OP_reduce_prod, OP_reduce_max, OP_reduce_min};
    Value *x = pick_dtype(g, b, below(g, 3) ? DTYPE_f64 : DTYPE_i64);
    int64_t axes[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t i = 0; i < x->type->rank; i++)
        if (below(g, 2)) axes[count++] = i;
    push(g, build_reduce(b, ops[below(g, 4)], x, count, axes));
    if (count == 1 && !dim_is(x->type->dims[axes[0]], 0)) push(g, build_reduce(b, OP_argmax, x, 1, axes));
}

/* x and y share their axes in some order, and keep some. */
static void add_contract(Generator *g, Builder *b) {
    Value *x = pick_dtype(g, b, DTYPE_f64);
    if (x->type->rank > 3) return;
    add_permute(g, b, x);
    Value *y = any_of(g, b, g->pool.at[g->pool.count - 1]->type);
    if (x->type->rank != 2 || x->type->dims[1] != y->type->dims[0]) return;
    push(g, build_contract(b, x, y, below(g, 2) ? "ij,jk->ki" : "ij,jk->ijk"));
}

/* --- regions */
static void add_nodes(Generator *g, Builder *b, uint32_t count);

static void leave(Generator *g, Builder *b, uint32_t outer, uint32_t results, const Type *const *types) {
    Value **values = ARENA_ARRAY(g->s->arena, Value *, results);
    for (uint32_t i = 0; i < results; i++) values[i] = any_of(g, b, types[i]);
    build_yield(b, results, values);
    g->pool.count = outer;
}

static void add_if(Generator *g, Builder *b) {
    uint32_t outer = g->pool.count, results = 1 + below(g, 3);
    const Type *types[3];
    for (uint32_t i = 0; i < results; i++) types[i] = g->pool.at[below(g, outer)]->type;
    Value *condition = any_of(g, b, type_scalar(g->s->ir, DTYPE_bool));
    Node *node = build_if(b, condition, results, types);
    for (uint32_t k = 0; k < 2; k++) {
        Builder inner = build_inside(b, node->blocks[k]);
        add_nodes(g, &inner, below(g, 4));
        leave(g, &inner, outer, results, types);
    }
    for (uint32_t i = 0; i < results; i++) push(g, node->results[i]);
}

static void add_for(Generator *g, Builder *b) {
    uint32_t outer = g->pool.count, carried = 1 + below(g, 3);
    Value *init[3];
    const Type *types[3];
    for (uint32_t i = 0; i < carried; i++) types[i] = (init[i] = g->pool.at[below(g, outer)])->type;
    Value *trips = below(g, 3) ? build_int(b, below(g, 4)) : build_size(b, g->symbols[0]);
    Node *loop = build_for(b, build_int(b, below(g, 2)), trips, carried, init);
    Builder inner = build_inside(b, loop->blocks[0]);
    for (uint32_t i = 0; i < loop->blocks[0]->params.count; i++) push(g, loop->blocks[0]->params.at[i]);
    add_nodes(g, &inner, 1 + below(g, 5));
    leave(g, &inner, outer, carried, types);
    for (uint32_t i = 0; i < carried; i++) push(g, loop->results[i]);
}

static void add_nodes(Generator *g, Builder *b, uint32_t count) {
    g->depth++;
    while (count--) {
        uint32_t kind = below(g, 16);
        if (kind < 2)
            add_unary(g, b);
        else if (kind < 6)
            add_binary(g, b);
        else if (kind < 7)
            add_cast(g, b);
        else if (kind < 11)
            add_view(g, b);
        else if (kind < 13)
            add_reduce(g, b);
        else if (kind < 14)
            add_contract(g, b);
        else if (g->depth < 4)
            (kind < 15 ? add_if : add_for)(g, b);
    }
    g->depth--;
}

Graph *random_graph(Session *s, uint64_t seed, Tensor **arguments) {
    static const DType dtypes[] = {DTYPE_f64, DTYPE_f64, DTYPE_i64, DTYPE_bool};
    Generator g = {.s = s, .random = (seed + 1) * 0x9E3779B97F4A7C15u, .graph = graph_new(s->ir, "random")};
    Function *f = graph_function(g.graph, FUNCTION_EXPORT, "f");
    g.symbols[0] = dim_symbol(s->ir, "B");
    g.symbols[1] = dim_symbol(s->ir, "T");
    for (uint32_t i = 0; i < 6; i++) {
        const Type *type = i ? random_type(&g, dtypes[below(&g, 4)])
                             : type_tensor(s->ir, DTYPE_f64, 2, g.symbols); /* gives both symbols a value */
        Value *param = block_param(f->body, type, NULL);
        vec_push(s->arena, &f->params, ((Param){.value = param, .name = arena_printf(s->arena, "p%u", i)}));
        add_argument(&g, type);
        push(&g, param);
    }
    Builder b = {.graph = g.graph, .block = f->body};
    add_nodes(&g, &b, 4 + below(&g, 30));
    Value *results[12];
    for (uint32_t i = 0; i < 12; i++)
        results[i] = g.pool.at[g.pool.count - 1 - below(&g, g.pool.count / 2 + 1)];
    build_yield(&b, 12, results);
    *arguments = g.arguments.at;
    return g.graph;
}
