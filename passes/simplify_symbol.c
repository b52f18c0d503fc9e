/* A symbol whose value is known as a dimension of other symbols, or as a number, becomes that everywhere,
 * unless some node would then be refused: one that never runs for this value, like a slice of what isn't
 * there. */
#include "ir/shape.h"
#include "passes/simplify.h"

enum { MAX_DEPTH = 8 }; /* of the arithmetic that is followed back from a symbol's value */

typedef struct {
    Simplify *s;
    Map *known; /* symbol → Dim */
    bool found, fits;
} Symbols;

static const Dim *known_symbol(void *user, const Dim *symbol) { return map_get(user, symbol); }

/* --- values as dimensions, never negative ones */
static const Dim *dim_of(IrContext *ir, const Value *value, int depth) {
    const Node *node = value->node;
    if (!node || !depth) return NULL;
    if (node->op == OP_size) return node_dim(node, ATTR_dim);
    if (node->op == OP_const)
        return node_int(node, ATTR_ivalue) >= 0 ? dim_const(ir, node_int(node, ATTR_ivalue)) : NULL;
    if (node->op != OP_add && node->op != OP_mul) return NULL;
    const Dim *x = dim_of(ir, node->operands[0], depth - 1), *y = dim_of(ir, node->operands[1], depth - 1);
    return node->op == OP_add ? dim_add(ir, x, y) : dim_mul(ir, x, y);
}

static void look_at_symbol(Symbols *symbols, const Node *node) {
    IrContext *ir = symbols->s->graph->ir;
    const Dim *value = dim_of(ir, node->operands[0], MAX_DEPTH);
    value = dim_substitute(ir, value, known_symbol, symbols->known);
    if (!value) return;
    map_put(symbols->known, node_dim(node, ATTR_dim), (void *)(uintptr_t)value);
    symbols->found = true;
}

/* --- rewriting types and attributes; the first walk only looks whether all of them fit */
typedef struct {
    Symbols *symbols;
    bool write;
} Rewrite;

static const Dim *new_dim(Rewrite *r, const Dim *dim) {
    int64_t size;
    const Dim *by = dim_substitute(r->symbols->s->graph->ir, dim, known_symbol, r->symbols->known);
    if (by && (!dim_is_const(by, &size) || size >= 0)) return by;
    r->symbols->fits = false;
    return dim;
}

static const Type *new_type(Rewrite *r, const Type *type) {
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++) dims[i] = new_dim(r, type->dims[i]);
    return type_tensor(r->symbols->s->graph->ir, type->dtype, type->rank, dims);
}

static Attr new_attr(Rewrite *r, Attr attr) {
    AttrKind kind = attr_kind(attr.key);
    Arena *arena = r->symbols->s->scratch;
    if (kind == ATTR_KIND_DIM) attr.dim = new_dim(r, attr.dim);
    if (kind == ATTR_KIND_DIMS) {
        const Dim **dims = ARENA_ARRAY(arena, const Dim *, attr.count);
        for (uint32_t i = 0; i < attr.count; i++) dims[i] = new_dim(r, attr.dims[i]);
        attr.dims = dims;
    }
    if (kind == ATTR_KIND_TYPES) {
        const Type **types = ARENA_ARRAY(arena, const Type *, attr.count);
        for (uint32_t i = 0; i < attr.count; i++) types[i] = new_type(r, attr.types[i]);
        attr.types = types;
    }
    return attr;
}

static void rewrite_value(Rewrite *r, Value *value) {
    const Type *type = new_type(r, value->type);
    if (r->write) value->type = type;
}

/* Does the shape rule take the node as it would be? */
static bool is_allowed(Rewrite *r, const Node *node) {
    if (op_has(node->op, TRAIT_REGION)) return true;
    Arena *arena = r->symbols->s->scratch;
    Value *values = ARENA_ARRAY(arena, Value, node->operand_count + 1);
    Value **operands = ARENA_ARRAY(arena, Value *, node->operand_count + 1);
    Attr *attrs = ARENA_ARRAY(arena, Attr, node->attr_count + 1);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        values[i].type = new_type(r, node->operands[i]->type);
        operands[i] = &values[i];
    }
    for (uint32_t i = 0; i < node->attr_count; i++) attrs[i] = new_attr(r, node->attrs[i]);
    ShapeQuery query = {.ir = r->symbols->s->graph->ir,
                        .op = node->op,
                        .operands = node->operand_count,
                        .operand = operands,
                        .attrs = node->attr_count,
                        .attr = attrs};
    return !shape_infer(&query);
}

static void rewrite_node(void *user, Node *node) {
    Rewrite *r = user;
    if (node->op == OP_symbol) {
        if (!r->write || !map_get(r->symbols->known, node_dim(node, ATTR_dim))) return;
        node_remove(node);
        return;
    }
    if (!r->write && r->symbols->fits) r->symbols->fits = is_allowed(r, node);
    for (uint32_t i = 0; i < node->attr_count; i++) {
        Attr attr = new_attr(r, node->attrs[i]);
        if (r->write) node_set_attr(node, attr);
    }
    for (uint32_t i = 0; i < node->result_count; i++) rewrite_value(r, node->results[i]);
    for (uint32_t k = 0; k < node->block_count; k++)
        for (uint32_t i = 0; i < node->blocks[k]->params.count; i++)
            rewrite_value(r, node->blocks[k]->params.at[i]);
}

bool simplify_symbols(Simplify *s) {
    Symbols symbols = {.s = s, .known = map_new(s->scratch), .fits = true};
    for (uint32_t i = 0; i < s->symbols.count; i++) look_at_symbol(&symbols, s->symbols.at[i]);
    if (!symbols.found) return false;
    graph_walk(s->graph, rewrite_node, &(Rewrite){&symbols, false});
    if (!symbols.fits) return false;
    graph_walk(s->graph, rewrite_node, &(Rewrite){&symbols, true});
    return s->changed = true;
}
