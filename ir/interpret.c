/* The reference interpreter's control: runs blocks node by node through the table of evaluators, and the
 * region operations. Values of a loop's body live in an arena of their iteration; what is carried on is
 * copied out. */
#include "ir/interpret.h"
#include "ir/eval.h"

static Evaluate *const evaluators[OP_COUNT] = {
#define OP(name, arity, traits, shape, derive) [OP_##name] = eval_##name,
#include "ir/ops.def"
#undef OP
};

static const InterpretHost nobody = {0};

/* --- blocks */
static void gather_operands(const Eval *e, const Node *node, Tensor *in) {
    for (uint32_t k = 0; k < node->operand_count; k++) in[k] = e->values[node->operands[k]->id];
}

static bool allocate_results(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    bool inexact = false;
    for (uint32_t k = 0; e->errors && k < node->operand_count; k++)
        inexact = inexact || tensor_inexact(&in[k]);
    for (uint32_t k = 0; k < node->result_count; k++)
        if (!eval_tensor(e, node, node->results[k]->type, inexact, &out[k])) return false;
    return true;
}

bool eval_node(Eval *e, const Node *node) {
    Tensor *in = ARENA_ARRAY(e->arena, Tensor, node->operand_count + 1);
    Tensor *out = ARENA_ARRAY(e->arena, Tensor, node->result_count + 1);
    gather_operands(e, node, in);
    if (!op_has(node->op, TRAIT_REGION) && !allocate_results(e, node, in, out)) return false;
    if (!evaluators[node->op](e, node, in, out)) return false;
    for (uint32_t k = 0; k < node->result_count; k++) e->values[node->results[k]->id] = out[k];
    return true;
}

/* Where to go on in a block that holds the checkpoint, or holds what holds it: there, or just behind it. */
static const Node *reenter(Eval *e, const Block *block) {
    const Node *node = e->behind;
    while (node->block != block) node = node->block->owner;
    if (node != e->behind) return node;
    e->behind = NULL;
    return node->next;
}

/* Runs a block; `yielded` gets what it yields. */
static bool run_block(Eval *e, const Block *block, Tensor *yielded) {
    for (const Node *node = e->behind ? reenter(e, block) : block->first; node; node = node->next) {
        if (node->op == OP_yield)
            gather_operands(e, node, yielded);
        else if (!eval_node(e, node))
            return false;
        if (e->behind && node->op == OP_resume) node = reenter(e, block)->prev;
    }
    return true;
}

bool eval_yield(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)in, (void)out;
    return eval_fail(e, node, "a yield is not evaluated by itself");
}

bool eval_grad(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)in, (void)out;
    return eval_fail(e, node, "grad has to be replaced by autodiff before anything runs");
}

bool eval_guard(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)in, (void)out;
    return eval_fail(e, node, "guard has to be replaced by autodiff before anything runs");
}

/* --- regions */
static void distrust_all(Eval *e, Tensor *tensors, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) tensor_distrust(e, &tensors[k]);
}

/* --- a chain: its block once for each combination of the indices */
typedef struct {
    const Attr *index, *axes;
    int64_t dims[MAX_RANK], at[MAX_RANK];
    Tensor *parts;
} Parts;

static void put_part(const Parts *p, uint32_t result, Tensor *whole) {
    int64_t strides[MAX_RANK], from = 0;
    const Tensor *part = &p->parts[result];
    tensor_strides(whole, strides);
    for (uint32_t j = 0; j < p->index->count; j++) {
        int64_t axis = p->axes->ints[result * p->index->count + j];
        from += p->at[j] * part->dims[axis] * strides[axis];
    }
    tensor_write_strided(part, whole, from, strides);
}

static bool run_part(Eval *e, const Node *node, const Parts *p, Tensor *out) {
    Arena *outer = e->arena;
    e->arena = arena_new();
    for (uint32_t j = 0; j < p->index->count; j++) eval_bind(e, p->index->dims[j], p->at[j]);
    bool ok = run_block(e, node->blocks[0], p->parts);
    for (uint32_t k = 0; ok && k < node->result_count; k++) put_part(p, k, &out[k]);
    arena_free(e->arena);
    e->arena = outer;
    return ok;
}

static bool run_chain(Eval *e, const Node *node, Tensor *out) {
    const Attr *dims = node_attr(node, ATTR_dims);
    Parts p = {.index = node_attr(node, ATTR_index), .axes = node_attr(node, ATTR_axes)};
    p.parts = ARENA_ARRAY(e->arena, Tensor, node->result_count + 1);
    for (uint32_t k = 0; k < node->result_count; k++)
        if (!eval_tensor(e, node, node->results[k]->type, true, &out[k])) return false;
    for (uint32_t j = 0; j < dims->count; j++) {
        if (!eval_dim(e, node, dims->dims[j], &p.dims[j])) return false;
        if (p.dims[j] == 0) return true;
    }
    do {
        if (!run_part(e, node, &p, out)) return false;
    } while (index_next(dims->count, p.dims, p.at));
    return true;
}

bool eval_kernel(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)in;
    if (node_attr(node, ATTR_index)) return run_chain(e, node, out);
    return run_block(e, node->blocks[0], out);
}

bool eval_remat(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)in;
    return run_block(e, node->blocks[0], out);
}

bool eval_if(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    bool condition = e->behind ? block_inside(e->behind->block, node->blocks[0]) : in[0].i[0] != 0;
    if (!run_block(e, node->blocks[condition ? 0 : 1], out)) return false;
    if (tensor_inexact(&in[0])) distrust_all(e, out, node->result_count);
    return true;
}

/* The values that a loop carries, in an arena of their own. */
typedef struct {
    Arena *arena;
    uint32_t count;
    Tensor *values;
} Carried;

static Carried carry(uint32_t count, const Tensor *values) {
    Carried c = {arena_new(), count, NULL};
    c.values = ARENA_ARRAY(c.arena, Tensor, count + 1);
    for (uint32_t k = 0; k < count; k++) c.values[k] = tensor_copy(c.arena, &values[k]);
    return c;
}

/* In a loop that is entered behind a checkpoint nothing was carried in: what the rest of the iteration reads
 * has been restored. */
static Carried carry_nothing(uint32_t count) {
    Carried c = {arena_new(), count, NULL};
    c.values = ARENA_ARRAY(c.arena, Tensor, count + 1);
    return c;
}

static void set_params(Eval *e, const Block *block, uint32_t first, const Carried *carried) {
    for (uint32_t k = 0; k < carried->count; k++)
        e->values[block->params.at[first + k]->id] = carried->values[k];
}

/* Runs the body once in an arena that is freed, and carries on what it yields. */
static bool iterate(Eval *e, const Block *body, Carried *carried) {
    Arena *outer = e->arena;
    e->arena = arena_new();
    Tensor *next = ARENA_ARRAY(e->arena, Tensor, carried->count + 1);
    bool ok = run_block(e, body, next);
    if (ok) {
        Carried kept = carry(carried->count, next);
        arena_free(carried->arena);
        *carried = kept;
    }
    arena_free(e->arena);
    e->arena = outer;
    return ok;
}

static void finish_loop(Eval *e, Carried *carried, bool unsure, Tensor *out) {
    for (uint32_t k = 0; k < carried->count; k++) out[k] = tensor_copy(e->arena, &carried->values[k]);
    arena_free(carried->arena);
    if (unsure) distrust_all(e, out, carried->count);
}

bool eval_for(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Block *body = node->blocks[0];
    uint32_t count = node->operand_count - 2;
    const Value *index = body->params.at[0];
    Carried carried = e->behind ? carry_nothing(count) : carry(count, in + 2);
    Tensor counter = tensor_new(e->arena, DTYPE_i64, 0, NULL);
    bool ok = true;
    for (int64_t i = e->behind ? e->values[index->id].i[0] : in[0].i[0]; ok && i < in[1].i[0]; i++) {
        counter.i[0] = i;
        e->values[index->id] = counter;
        if (!e->behind) set_params(e, body, 1, &carried);
        ok = iterate(e, body, &carried);
    }
    finish_loop(e, &carried, tensor_inexact(&in[0]) || tensor_inexact(&in[1]), out);
    return ok;
}

/* The loop's condition, in an arena that is freed. */
static bool loop_goes_on(Eval *e, const Block *condition, const Carried *carried, bool *go, bool *unsure) {
    Arena *outer = e->arena;
    e->arena = arena_new();
    Tensor result;
    set_params(e, condition, 0, carried);
    bool ok = run_block(e, condition, &result);
    *go = ok && result.i[0] != 0;
    *unsure = *unsure || (ok && tensor_inexact(&result));
    arena_free(e->arena);
    e->arena = outer;
    return ok;
}

/* What a while begins with: its operands, or, behind a checkpoint in its condition, what it was testing. */
static Carried while_begins(Eval *e, const Node *node, const Tensor *in, bool inside) {
    if (inside) return carry_nothing(node->operand_count);
    if (!e->behind) return carry(node->operand_count, in);
    Tensor *tested = ARENA_ARRAY(e->arena, Tensor, node->operand_count + 1);
    for (uint32_t k = 0; k < node->operand_count; k++)
        tested[k] = e->values[node->blocks[0]->params.at[k]->id];
    return carry(node->operand_count, tested);
}

bool eval_while(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    bool ok = true, go = true, unsure = false;
    bool inside = e->behind && block_inside(e->behind->block, node->blocks[1]); /* past the condition */
    Carried carried = while_begins(e, node, in, inside);
    while (ok && go) {
        if (!inside) {
            ok = loop_goes_on(e, node->blocks[0], &carried, &go, &unsure);
            if (!ok || !go) break;
            set_params(e, node->blocks[1], 0, &carried);
        }
        inside = false;
        ok = iterate(e, node->blocks[1], &carried);
    }
    finish_loop(e, &carried, unsure, out);
    return ok;
}

/* --- arguments */
/* The run-time sizes of a parameter's axes. A size that is one symbol, or linear in one unbound symbol, binds
 * it. */
typedef struct {
    Eval *e;
    const Dim *unbound; /* the last unbound symbol seen */
    uint32_t unbound_count;
} Unbound;

static void see_symbol(void *user, const Dim *symbol) {
    Unbound *u = user;
    if (map_get(u->e->symbols, symbol) || symbol == u->unbound) return;
    u->unbound = symbol;
    u->unbound_count++;
}

/* Solves dim = size for its only unbound symbol where it occurs linearly. */
static bool solve(Eval *e, const Dim *dim, const Dim *symbol, int64_t size) {
    int64_t at0, at1;
    eval_bind(e, symbol, 0);
    bool ok = eval_dim(e, NULL, dim, &at0);
    eval_bind(e, symbol, 1);
    ok = ok && eval_dim(e, NULL, dim, &at1) && at1 != at0 && (size - at0) % (at1 - at0) == 0;
    int64_t value = ok ? (size - at0) / (at1 - at0) : -1;
    if (value >= 0) eval_bind(e, symbol, value);
    return value >= 0;
}

/* One pass over the parameters; `*left` counts the sizes that can't be said yet. */
static bool bind_sizes(Eval *e, const Block *body, const Tensor *arguments, uint32_t *left) {
    *left = 0;
    for (uint32_t p = 0; p < body->params.count; p++) {
        const Type *type = body->params.at[p]->type;
        for (uint32_t d = 0; d < type->rank; d++) {
            Unbound u = {e, NULL, 0};
            dim_symbols(type->dims[d], see_symbol, &u);
            int64_t size = 0;
            if (u.unbound_count > 1)
                ++*left;
            else if ((u.unbound && !solve(e, type->dims[d], u.unbound, arguments[p].dims[d])) ||
                     !eval_dim(e, NULL, type->dims[d], &size) || size != arguments[p].dims[d])
                return eval_fail(e, NULL,
                                 "argument %u has size %lld on axis %u, which its parameter doesn't allow",
                                 p + 1, (long long)arguments[p].dims[d], d);
        }
    }
    return true;
}

static bool bind_arguments(Eval *e, const Block *body, uint32_t count, const Tensor *arguments) {
    if (count != body->params.count)
        return eval_fail(e, NULL, "%u arguments for %u parameters", count, body->params.count);
    for (uint32_t p = 0; p < count; p++) {
        const Type *type = body->params.at[p]->type;
        if (arguments[p].dtype != type->dtype || arguments[p].rank != type->rank)
            return eval_fail(e, NULL, "argument %u hasn't the type of its parameter", p + 1);
        e->values[body->params.at[p]->id] = arguments[p];
    }
    uint32_t left = 0, before;
    do {
        before = left;
        if (!bind_sizes(e, body, arguments, &left)) return false;
    } while (left > 0 && left != before);
    return left == 0 || eval_fail(e, NULL, "the sizes of the arguments don't say what all symbols are");
}

InterpretResult interpret(const Function *function, uint32_t count, const Tensor *arguments,
                          const InterpretHost *host, bool with_errors, Arena *arena) {
    const Block *body = function->body;
    Arena *running = arena_new();
    Eval e = {.arena = running,
              .lasting = arena,
              .host = host ? host : &nobody,
              .errors = with_errors,
              .loc = function->loc};
    e.symbols = map_new(running);
    e.values = ARENA_ARRAY(running, Tensor, body->graph->next_id + 1);
    InterpretResult result = {.count = block_yield(body)->operand_count};
    result.results = ARENA_ARRAY(arena, Tensor, result.count + 1);
    result.ok = bind_arguments(&e, body, count, arguments) && run_block(&e, body, result.results);
    for (uint32_t k = 0; result.ok && k < result.count; k++)
        result.results[k] = tensor_copy(arena, &result.results[k]);
    result.message = e.message;
    result.loc = e.loc;
    arena_free(running);
    return result;
}

bool interpret_node(const Node *node, const Tensor *operands, Tensor *results, Arena *arena) {
    if (op_has(node->op, TRAIT_EFFECT) || op_has(node->op, TRAIT_REGION) || node->op == OP_yield)
        return false;
    Arena *scratch = arena_new();
    Eval e = {.arena = arena, .lasting = scratch};
    e.symbols = map_new(scratch);
    bool ok =
        allocate_results(&e, node, operands, results) && evaluators[node->op](&e, node, operands, results);
    arena_free(scratch);
    return ok;
}
