/* Branches, loops, sizes that become known at run time, derivatives. */
#include "tests/unit/random_program.h"

/* What a block hides again when it ends. */
typedef struct {
    uint32_t pool, counts, symbols;
} Scope;

static Scope enter(const Random *r) { return (Scope){r->pool.count, r->counts.count, r->symbols.count}; }

static void leave(Random *r, Scope scope) {
    r->pool.count = scope.pool;
    r->counts.count = scope.counts;
    r->symbols.count = scope.symbols;
}

/* Often something that was computed here from what is carried. */
static Value *next_value(Random *r, Builder *b, Value *old) {
    static const Op ops[] = {OP_add, OP_sub, OP_max, OP_min, OP_add, OP_or, OP_mul};
    if (!old || chance(r, 40)) return NULL;
    const char *why;
    Value *operands[] = {old, value_of(r, b, old->type)};
    Op op = old->type->dtype == DTYPE_bool ? OP_or : ops[below(r, 7)];
    Node *node = build_try(b, op, 2, operands, 0, NULL, &why);
    return node ? node->results[0] : NULL;
}

static void yield_values(Random *r, Builder *b, uint32_t count, Value *const *old, const Type *const *types) {
    Value *values[8];
    for (uint32_t i = 0; i < count; i++) {
        values[i] = next_value(r, b, old ? old[i] : NULL);
        if (!values[i]) values[i] = value_of(r, b, types[i]);
    }
    build_yield(b, count, values);
}

/* Only what is visible outside: types of values here may mention sizes of inner blocks. */
static void add_if(Random *r, Builder *b) {
    uint32_t results = 1 + below(r, 3);
    const Type *types[3];
    for (uint32_t i = 0; i < results; i++) types[i] = any_value(r, MAX_RANK)->type;
    Value *condition = value_of(r, b, type_scalar(r->ir, DTYPE_bool));
    Node *node = build_if(b, condition, results, types);
    for (uint32_t k = 0; k < 2; k++) {
        Scope scope = enter(r);
        Builder inner = build_inside(b, node->blocks[k]);
        add_nodes(r, &inner, below(r, 5));
        yield_values(r, &inner, results, NULL, types);
        leave(r, scope);
    }
    for (uint32_t i = 0; i < results; i++) offer(r, node->results[i]);
}

static void add_remat(Random *r, Builder *b) {
    uint32_t results = 1 + below(r, 3);
    const Type *types[3];
    for (uint32_t i = 0; i < results; i++) types[i] = any_value(r, MAX_RANK)->type;
    Node *node = build_remat(b, results, types);
    Scope scope = enter(r);
    Builder inner = build_inside(b, node->blocks[0]);
    add_nodes(r, &inner, 1 + below(r, 5));
    yield_values(r, &inner, results, NULL, types);
    leave(r, scope);
    for (uint32_t i = 0; i < results; i++) offer(r, node->results[i]);
}

static uint32_t pick_inits(Random *r, Value **init, const Type **types) {
    uint32_t count = 1 + below(r, 4);
    for (uint32_t i = 0; i < count; i++) types[i] = (init[i] = any_value(r, MAX_RANK))->type;
    return count;
}

static void add_for(Random *r, Builder *b) {
    Value *init[4];
    const Type *types[4];
    uint32_t carried = pick_inits(r, init, types);
    Value *trips = build_int(b, below(r, 5));
    if (chance(r, 40)) trips = index_below(r, b, dim_const(r->ir, 4));
    Node *loop = build_for(b, build_int(b, below(r, 2)), trips, carried, init);
    Scope scope = enter(r);
    Block *body = loop->blocks[0];
    Builder inner = build_inside(b, body);
    vec_push(r->arena, &r->counts, body->params.at[0]);
    for (uint32_t i = 0; i < body->params.count; i++) offer(r, body->params.at[i]);
    add_nodes(r, &inner, 1 + below(r, 7));
    yield_values(r, &inner, carried, body->params.at + 1, types);
    leave(r, scope);
    for (uint32_t i = 0; i < carried; i++) offer(r, loop->results[i]);
}

/* Counts up in the first carried value, so that it ends; another condition may end it before. */
static void add_while(Random *r, Builder *b) {
    Value *init[5];
    const Type *types[5];
    uint32_t carried = 1 + pick_inits(r, init + 1, types + 1);
    types[0] = (init[0] = build_int(b, below(r, 3)))->type;
    Node *loop = build_while(b, carried, init);
    Scope scope = enter(r);
    Builder inner = build_inside(b, loop->blocks[0]);
    Block *body = loop->blocks[0];
    for (uint32_t i = 0; i < carried; i++) offer(r, body->params.at[i]);
    Value *goes_on = build_binary(&inner, OP_lt, body->params.at[0], build_int(&inner, 4));
    if (chance(r, 40))
        goes_on = build_binary(&inner, OP_and, goes_on, value_of(r, &inner, type_scalar(r->ir, DTYPE_bool)));
    build_yield(&inner, 1, &goes_on);
    leave(r, scope);
    inner = build_inside(b, body = loop->blocks[1]);
    for (uint32_t i = 0; i < carried; i++) offer(r, body->params.at[i]);
    vec_push(r->arena, &r->counts, body->params.at[0]);
    add_nodes(r, &inner, 1 + below(r, 6));
    Value *next[5] = {build_binary(&inner, OP_add, body->params.at[0], build_int(&inner, 1))};
    for (uint32_t i = 1; i < carried; i++) {
        next[i] = next_value(r, &inner, body->params.at[i]);
        if (!next[i]) next[i] = value_of(r, &inner, types[i]);
    }
    build_yield(&inner, carried, next);
    leave(r, scope);
    for (uint32_t i = 0; i < carried; i++) offer(r, loop->results[i]);
}

static void add_symbol(Random *r, Builder *b) {
    int64_t least = below(r, 3), range = 1 + below(r, 9);
    Value *count = r->counts.at[below(r, r->counts.count)];
    count = build_binary(b, OP_mod, count, build_int(b, range));
    count = build_binary(b, OP_add, count, build_int(b, least));
    const Dim *symbol = build_symbol(b, count, "S");
    vec_push(r->arena, &r->symbols, ((RandomSymbol){symbol, least, least + range - 1}));
    offer(r, fresh_value(r, b, random_type(r, random_dtype(r), 3)));
}

/* --- derivatives */
static Value *total(Builder *b, Value *x) {
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) axes[i] = i;
    return build_reduce(b, OP_reduce_sum, x, x->type->rank, axes);
}

/* A scalar that depends on x, and on floats that were computed lately. */
static Value *random_loss(Random *r, Builder *b, uint32_t since, Value *x) {
    Value *loss = total(b, build_binary(b, OP_mul, x, x));
    for (uint32_t i = since; i < r->pool.count; i++) {
        Value *v = r->pool.at[i];
        if (v->type->dtype != x->type->dtype || chance(r, 30)) continue;
        if (chance(r, 50)) v = build_unary(b, OP_tanh, v);
        loss = build_binary(b, OP_add, loss, total(b, v));
    }
    return loss;
}

static Node *gradient(Builder *b, Value *loss, uint32_t count, Value *const *x) {
    Value *operands[5] = {loss};
    for (uint32_t i = 0; i < count; i++) operands[i + 1] = x[i];
    return build_node(b, OP_grad, count + 1, operands, 0, NULL);
}

/* Of something that is finite in any case; what looks for the reason is compiled all the same. */
static void add_guard(Builder *b, Value *loss) {
    Value *zero = build_const(b, loss->type, 0);
    Value *finite = build_select(b, build_unary(b, OP_is_finite, loss), loss, zero);
    build_node(b, OP_guard, 1, &finite, 0, NULL);
}

/* A loop that steps float values down their derivatives of a random loss. */
static void add_training(Random *r, Builder *b) {
    Value *init[4];
    uint32_t count = 1 + below(r, 3);
    for (uint32_t i = 0; i < count; i++) init[i] = some_value(r, b, r->floats);
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 1 + below(r, 3)), count, init);
    Scope scope = enter(r);
    Block *body = loop->blocks[0];
    Builder inner = build_inside(b, body);
    vec_push(r->arena, &r->counts, body->params.at[0]);
    for (uint32_t i = 1; i <= count; i++) offer(r, body->params.at[i]);
    uint32_t since = r->pool.count;
    add_nodes(r, &inner, 1 + below(r, 8));
    if (chance(r, 25)) add_chain(r, &inner);
    Value *loss = NULL, *next[4];
    for (uint32_t i = 1; i <= count; i++) {
        Value *term = random_loss(r, &inner, i == 1 ? since : r->pool.count, body->params.at[i]);
        loss = loss ? build_binary(&inner, OP_add, loss, term) : term;
    }
    if (chance(r, 50)) add_guard(&inner, loss);
    Node *grad = gradient(&inner, loss, count, body->params.at + 1);
    for (uint32_t i = 0; i < count; i++) {
        Value *rate = build_const(&inner, grad->results[i]->type, 0.0625);
        Value *step = build_binary(&inner, OP_mul, grad->results[i], rate);
        next[i] = build_binary(&inner, OP_sub, body->params.at[i + 1], step);
    }
    build_yield(&inner, count, next);
    leave(r, scope);
    for (uint32_t i = 0; i < count; i++) offer(r, loop->results[i]);
}

void add_control(Random *r, Builder *b) {
    uint32_t kind = below(r, 13);
    if (kind == 10)
        add_remat(r, b);
    else if (kind > 10)
        add_steps(r, b);
    else if (kind < 3)
        add_if(r, b);
    else if (kind < 6)
        add_for(r, b);
    else if (kind < 7)
        add_while(r, b);
    else if (kind < 8 || !r->trains)
        add_symbol(r, b);
    else
        add_training(r, b);
}

void add_nodes(Random *r, Builder *b, uint32_t count) {
    r->depth++;
    for (; count && r->budget; count--) {
        r->budget--;
        if (r->depth < 4 && chance(r, r->trains ? 18 : 10))
            add_control(r, b);
        else
            add_plain(r, b);
    }
    r->depth--;
}
