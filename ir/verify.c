/* Checks a whole graph. Everything that later code relies on without looking is established here, so a graph
 * that was read from text is as trustworthy as one that was built. */
#include "ir/verify.h"
#include "ir/shape.h"
#include "support/map.h"
#include <string.h>

typedef struct {
    Graph *graph;
    Arena *arena;
    const Value **defined;    /* all values of the graph so far, by id, to find second definitions */
    bool *visible;            /* those in scope, by id */
    VEC(const Value *) scope; /* those, in order of definition */
    Map *symbols;             /* of the function so far → whether it is in scope, a bool */
    VEC(bool *) symbol_scope; /* those in scope, in order of definition */
    const char *message;      /* the first complaint */
    int kernels;              /* how many kernels we are in */
} Verifier;

/* --- complaints */
static void complain(Verifier *v, const Node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(Verifier *v, const Node *node, const char *format, ...) {
    if (v->message) return;
    va_list args;
    va_start(args, format);
    const char *what = arena_vprintf(v->arena, format, args);
    va_end(args);
    const char *name = node ? op_name(node->op) : "function";
    if (node && node->result_count)
        v->message = arena_printf(v->arena, "%s defining %%%u: %s", name, node->results[0]->id, what);
    else
        v->message = arena_printf(v->arena, "%s: %s", name, what);
    if (node && node->loc.file)
        v->message = arena_printf(v->arena, "%s (%s:%u:%u)", v->message, node->loc.file, node->loc.line,
                                  node->loc.column);
}

/* --- scopes */
static void define(Verifier *v, const Node *node, const Value *value) {
    if (value->id >= v->graph->next_id || v->defined[value->id]) {
        complain(v, node, "something is defined twice");
        return;
    }
    v->defined[value->id] = value;
    v->visible[value->id] = true;
    vec_push(v->arena, &v->scope, value);
}

static bool is_visible(const Verifier *v, const Value *value) {
    return value->id < v->graph->next_id && v->defined[value->id] == value && v->visible[value->id];
}

static void define_symbol(Verifier *v, const Node *node, const Dim *symbol) {
    if (map_get(v->symbols, symbol)) complain(v, node, "something is defined twice");
    bool *visible = ARENA_NEW(v->arena, bool);
    *visible = true;
    map_put(v->symbols, symbol, visible);
    vec_push(v->arena, &v->symbol_scope, visible);
}

static bool has_value(const Verifier *v, const Dim *symbol) {
    const bool *visible = map_get(v->symbols, symbol);
    return visible && *visible;
}

typedef struct {
    uint32_t values, symbols;
} Mark;

static Mark enter_scope(const Verifier *v) { return (Mark){v->scope.count, v->symbol_scope.count}; }

static void leave_scope(Verifier *v, Mark outer) {
    while (v->scope.count > outer.values) v->visible[v->scope.at[--v->scope.count]->id] = false;
    while (v->symbol_scope.count > outer.symbols) *v->symbol_scope.at[--v->symbol_scope.count] = false;
}

typedef struct {
    Verifier *verifier;
    const Node *node;
} SymbolUse;

static void need_symbol(void *user, const Dim *symbol) {
    SymbolUse *use = user;
    if (!has_value(use->verifier, symbol))
        complain(use->verifier, use->node, "symbol `%s` has no value here", dim_symbol_name(symbol));
}

static void need_dim(Verifier *v, const Node *node, const Dim *dim) {
    dim_symbols(dim, need_symbol, &(SymbolUse){v, node});
}

static void need_type(Verifier *v, const Node *node, const Type *type) {
    if (type->rank && dtype_class(type->dtype) == CLASS_OPAQUE)
        complain(v, node, "no tensors of %s", dtype_name(type->dtype));
    for (uint32_t i = 0; i < type->rank; i++) {
        int64_t size;
        if (dim_is_const(type->dims[i], &size) && size < 0) complain(v, node, "a size is negative");
        need_dim(v, node, type->dims[i]);
    }
}

static void check_attr(Verifier *v, const Node *node, const Attr *attr) {
    switch (attr_kind(attr->key)) {
    case ATTR_KIND_DIM: need_dim(v, node, attr->dim); break;
    case ATTR_KIND_DIMS:
        for (uint32_t i = 0; i < attr->count; i++) need_dim(v, node, attr->dims[i]);
        break;
    case ATTR_KIND_TYPES:
        for (uint32_t i = 0; i < attr->count; i++) need_type(v, node, attr->types[i]);
        break;
    case ATTR_KIND_INT:
    case ATTR_KIND_NUMBER:
    case ATTR_KIND_STR:
    case ATTR_KIND_INTS:
    case ATTR_KIND_STRS:
    case ATTR_KIND_DTYPE: break;
    }
}

static void check_value(Verifier *v, const Node *node, const Value *value) {
    need_type(v, node, value->type);
    if (value->place.frame >= 0) need_dim(v, node, value->place.offset);
    define(v, node, value);
}

/* A value of a function's own parameters binds the symbols that are whole axes of it. */
static void bind_symbols(Verifier *v, const Value *param) {
    for (uint32_t i = 0; i < param->type->rank; i++) {
        const Dim *dim = param->type->dims[i];
        if (dim_symbol_name(dim) && !has_value(v, dim)) define_symbol(v, NULL, dim);
    }
}

/* --- control: what blocks take and yield */
static bool takes(const Block *block, uint32_t first, uint32_t count, Value *const *values) {
    if (block->params.count != first + count) return false;
    for (uint32_t i = 0; i < count; i++)
        if (block->params.at[first + i]->type != values[i]->type) return false;
    return true;
}

static bool yields(const Block *block, uint32_t count, Value *const *values) {
    const Node *yield = block_yield(block);
    if (yield->operand_count != count) return false;
    for (uint32_t i = 0; i < count; i++)
        if (yield->operands[i]->type != values[i]->type) return false;
    return true;
}

static bool all_end_in_yield(const Node *node) {
    for (uint32_t i = 0; i < node->block_count; i++)
        if (!node->blocks[i]->last || node->blocks[i]->last->op != OP_yield) return false;
    return true;
}

static bool is_scalar(Verifier *v, const Value *value, DType dtype) {
    return value->type == type_scalar(v->graph->ir, dtype);
}

static bool same_types(uint32_t count, Value *const *a, Value *const *b) {
    for (uint32_t i = 0; i < count; i++)
        if (a[i]->type != b[i]->type) return false;
    return true;
}

static bool is_chain(const Node *node) {
    const Attr *kind = node->op == OP_kernel ? node_attr(node, ATTR_kind) : NULL;
    return kind && strcmp(kind->str, "chain") == 0;
}

static const char *check_if(Verifier *v, const Node *n) {
    if (n->operand_count != 1 || !is_scalar(v, n->operands[0], DTYPE_bool)) return "the condition is no bool";
    for (uint32_t i = 0; i < 2; i++) {
        if (n->blocks[i]->params.count) return "a branch takes parameters";
        if (!yields(n->blocks[i], n->result_count, n->results)) return "a branch does not yield the results";
    }
    return NULL;
}

static const char *check_for(Verifier *v, const Node *n) {
    uint32_t carried = n->result_count;
    if (n->operand_count != 2 + carried) return "not one result per carried value";
    if (!is_scalar(v, n->operands[0], DTYPE_i64) || !is_scalar(v, n->operands[1], DTYPE_i64))
        return "the bounds are not i64";
    if (!same_types(carried, n->operands + 2, n->results)) return "results and initial values differ in type";
    const Block *body = n->blocks[0];
    if (!takes(body, 1, carried, n->results) || !is_scalar(v, body->params.at[0], DTYPE_i64))
        return "the body does not take the index and the carried values";
    if (!yields(body, carried, n->results)) return "the body does not yield the carried values";
    return NULL;
}

static const char *check_while(Verifier *v, const Node *n) {
    uint32_t carried = n->result_count;
    if (n->operand_count != carried) return "not one result per carried value";
    if (!same_types(carried, n->operands, n->results)) return "results and initial values differ in type";
    const Block *condition = n->blocks[0], *body = n->blocks[1];
    if (!takes(condition, 0, carried, n->results) || !takes(body, 0, carried, n->results))
        return "a block does not take the carried values";
    if (!yields(body, carried, n->results)) return "the body does not yield the carried values";
    const Node *yield = block_yield(condition);
    if (yield->operand_count != 1 || !is_scalar(v, yield->operands[0], DTYPE_bool))
        return "the condition does not yield a bool";
    return NULL;
}

/* Is `part` of the shape of `whole`, so many times smaller along the chain's axes? */
static bool is_part(IrContext *ir, const Type *whole, const Type *part, uint32_t count,
                    const Dim *const *dims, const int64_t *axes) {
    if (part->rank != whole->rank || part->dtype != whole->dtype) return false;
    uint32_t along = 0;
    for (uint32_t j = 0; j < count; j++) {
        if (axes[j] < 0 || axes[j] >= whole->rank || (along >> axes[j] & 1)) return false;
        if (part->dims[axes[j]] != dim_share(ir, whole->dims[axes[j]], dims[j])) return false;
        along |= 1u << axes[j];
    }
    for (uint32_t d = 0; d < whole->rank; d++)
        if (!(along >> d & 1) && part->dims[d] != whole->dims[d]) return false;
    return true;
}

static const char *check_chain(const Node *n) {
    const Attr *index = node_attr(n, ATTR_index), *dims = node_attr(n, ATTR_dims),
               *axes = node_attr(n, ATTR_axes);
    if (!index || !dims || !axes || index->count != dims->count) return "not an index for each of `dims`";
    for (uint32_t j = 0; j < index->count; j++)
        if (!dim_symbol_name(index->dims[j])) return "an index is no symbol";
    if (axes->count != n->result_count * dims->count) return "not an axis of each result for each of `dims`";
    const Node *yield = block_yield(n->blocks[0]);
    if (yield->operand_count != n->result_count) return "the block does not yield the results";
    for (uint32_t r = 0; r < n->result_count; r++)
        if (!is_part(n->graph->ir, n->results[r]->type, yield->operands[r]->type, dims->count, dims->dims,
                     axes->ints + r * dims->count))
            return "the block does not yield parts of the results";
    for (const Node *node = n->blocks[0]->first; node != yield; node = node->next)
        if (node->op != OP_kernel || is_chain(node)) return "a chain is made of kernels";
    return NULL;
}

static const char *check_kernel(Verifier *v, const Node *n) {
    (void)v;
    if (n->operand_count) return "a kernel has operands";
    if (!node_attr(n, ATTR_kind)) return "attribute `kind` is missing";
    if (n->blocks[0]->params.count) return "a kernel's block takes parameters";
    if (is_chain(n)) return check_chain(n);
    if (!yields(n->blocks[0], n->result_count, n->results)) return "the block does not yield the results";
    return NULL;
}

static const char *check_remat(Verifier *v, const Node *n) {
    (void)v;
    if (n->operand_count) return "it has operands";
    if (n->blocks[0]->params.count) return "its block takes parameters";
    if (!yields(n->blocks[0], n->result_count, n->results)) return "the block does not yield the results";
    return NULL;
}

static void check_region(Verifier *v, const Node *node) {
    static const struct {
        Op op;
        uint32_t blocks;
        const char *(*check)(Verifier *v, const Node *node);
    } rows[] = {{OP_if, 2, check_if},
                {OP_for, 1, check_for},
                {OP_while, 2, check_while},
                {OP_remat, 1, check_remat},
                {OP_kernel, 1, check_kernel}};
    const char *why = "unknown operation with blocks";
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].op != node->op) continue;
        if (node->block_count != rows[i].blocks)
            why = "wrong number of blocks";
        else if (!all_end_in_yield(node))
            why = "a block does not end in yield";
        else
            why = rows[i].check(v, node);
    }
    if (why) complain(v, node, "%s", why);
}

/* --- nodes */
static void check_results(Verifier *v, const Node *node) {
    ShapeQuery query = {.ir = v->graph->ir,
                        .op = node->op,
                        .operands = node->operand_count,
                        .operand = node->operands,
                        .attrs = node->attr_count,
                        .attr = node->attrs};
    const char *why = shape_infer(&query);
    if (!why && query.results != node->result_count) why = "wrong number of results";
    if (why) complain(v, node, "%s", why);
    for (uint32_t i = 0; !why && i < query.results; i++)
        if (query.result[i] != node->results[i]->type)
            complain(v, node, "result %u is %s, not %s", i, type_text(v->graph->ir, query.result[i]),
                     type_text(v->graph->ir, node->results[i]->type));
}

static void check_position(Verifier *v, const Node *node) {
    if (node->op == OP_yield && node->next) complain(v, node, "a yield before the end of its block");
    if (v->kernels && (op_has(node->op, TRAIT_EFFECT) || op_has(node->op, TRAIT_HOST)))
        complain(v, node, "not allowed inside a kernel");
    if (v->kernels && node->op == OP_kernel && !is_chain(node->block->owner))
        complain(v, node, "a kernel inside a kernel");
    if (!op_has(node->op, TRAIT_REGION) && node->block_count) complain(v, node, "blocks where none belong");
}

static void check_block(Verifier *v, const Node *owner, const Block *block);

/* The symbols of a chain have values in its block. */
static void define_index(Verifier *v, const Node *chain) {
    const Attr *index = node_attr(chain, ATTR_index);
    for (uint32_t j = 0; j < index->count; j++) define_symbol(v, chain, index->dims[j]);
}

static void check_node(Verifier *v, const Node *node) {
    check_position(v, node);
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!is_visible(v, node->operands[i]))
            complain(v, node, "operand %u (%%%u) is not defined here", i, node->operands[i]->id);
    if (v->message) return;
    if (op_has(node->op, TRAIT_REGION))
        check_region(v, node);
    else
        check_results(v, node);
    if (node->op == OP_symbol && !v->message) define_symbol(v, node, node_dim(node, ATTR_dim));
    Mark outer = enter_scope(v);
    if (is_chain(node) && !v->message) define_index(v, node);
    for (uint32_t i = 0; i < node->attr_count; i++) check_attr(v, node, &node->attrs[i]);
    v->kernels += node->op == OP_kernel;
    for (uint32_t i = 0; i < node->block_count; i++) check_block(v, node, node->blocks[i]);
    v->kernels -= node->op == OP_kernel;
    leave_scope(v, outer);
    for (uint32_t i = 0; i < node->result_count; i++) {
        const Value *value = node->results[i];
        if (value->node != node || value->index != i || value->block != node->block)
            complain(v, node, "result %u is not linked to its node", i);
        check_value(v, node, value);
    }
}

static void check_block(Verifier *v, const Node *owner, const Block *block) {
    Mark outer = enter_scope(v);
    if (block->owner != owner || block->graph != v->graph)
        complain(v, owner, "a block is not linked to its node");
    for (uint32_t i = 0; i < block->params.count; i++) {
        if (!owner) bind_symbols(v, block->params.at[i]);
        check_value(v, owner, block->params.at[i]);
    }
    if (!block->last || block->last->op != OP_yield) complain(v, owner, "a block does not end in yield");
    for (const Node *node = block->first; node && !v->message; node = node->next) {
        if (node->block != block) complain(v, node, "not linked to its block");
        check_node(v, node);
    }
    leave_scope(v, outer);
}

static void check_function(Verifier *v, const Function *function) {
    const Block *body = function->body;
    if (body->function != function) complain(v, NULL, "`%s` does not own its body", function->name);
    if (function->params.count != body->params.count)
        complain(v, NULL, "`%s` has not one name per parameter", function->name);
    for (uint32_t i = 0; i < function->params.count && i < body->params.count; i++) {
        const Type *type = body->params.at[i]->type;
        if (function->params.at[i].value != body->params.at[i])
            complain(v, NULL, "`%s`: parameter %u is not the body's", function->name, i);
        if (function->kind == FUNCTION_COMMAND && (type->rank || type->dtype == DTYPE_data))
            complain(v, NULL, "command `%s`: parameter %u is no scalar", function->name, i);
    }
    check_block(v, NULL, body);
}

const char *graph_verify(Graph *graph, Arena *arena) {
    Verifier v = {.graph = graph,
                  .arena = arena,
                  .defined = ARENA_ARRAY(arena, const Value *, graph->next_id),
                  .visible = ARENA_ARRAY(arena, bool, graph->next_id)};
    for (uint32_t i = 0; i < graph->functions.count && !v.message; i++) {
        for (uint32_t j = 0; j < i; j++)
            if (graph->functions.at[j]->name == graph->functions.at[i]->name)
                complain(&v, NULL, "`%s` is defined twice", graph->functions.at[i]->name);
        v.symbols = map_new(arena); /* two functions may use one symbol, each with its own value */
        if (!v.message) check_function(&v, graph->functions.at[i]);
    }
    return v.message;
}
