/* remat(f)(x): f(x) in a `remat` node, which the gradient computes again instead of keeping what is in it.
 * Its results are the call's, and what the call has left in variables. */
#include "frontend/elaborate_builtin.h"
#include <string.h>

static const Val *misused(Elab *e, Span span) {
    Diagnostic *d = diag_report(e->diags, D_REMAT_CALL, span);
    diag_help(d, "write `remat(f)(x)`: it is `f(x)`, computed again for the gradient rather than kept");
    return e->poison;
}

const Val *builtin_remat(Elab *e, BuiltinCall *c) { return misused(e, c->span); }

const AstExpr *remat_of(Elab *e, const AstExpr *expr) {
    if (expr->kind != AST_CALL || expr->call.callee->kind != AST_NAME) return NULL;
    const AstName name = expr->call.callee->name;
    const AstArg *arg = expr->call.args;
    if (strcmp(name.text, "remat") != 0 || !arg || arg->next || arg->name.text) return NULL;
    Found found;
    if (!scope_find(e, e->scope, name.text, &found) || !found.global) return NULL;
    bool ours = found.global->kind == VAL_BUILTIN &&
                strcmp(builtin_name(found.global->builtin.builtin), "remat") == 0;
    return ours ? arg->value : NULL;
}

/* --- what leaves the node */
typedef struct {
    Node *node;
    Block *outer;
    VEC(Value *) yields;
    bool sized; /* a yield's shape depends on a symbol that the node defines */
} Leaving;

/* What says how large a result is must be known outside: where it came from there, it goes back. */
static void see_symbol(void *user, const Dim *symbol) {
    Leaving *l = user;
    const Block *block = l->node->blocks[0];
    for (Node *node = block->first, *next; node; node = next) {
        next = node->next;
        if (node->op != OP_symbol || node_dim(node, ATTR_dim) != symbol) continue;
        if (block_inside(value_resolve(node->operands[0])->block, block)) {
            l->sized = true;
            continue;
        }
        node_remove(node);
        node_insert_before(l->node, node);
    }
}

static Value *made_inside(const Leaving *l, const Val *leaf) {
    Value *value = leaf->kind == VAL_TENSOR    ? leaf->tensor.value
                   : leaf->kind == VAL_STRING  ? leaf->string.value
                   : leaf->kind == VAL_DATASET ? leaf->dataset.handle
                                               : NULL;
    value = value ? value_resolve(value) : NULL;
    return value && block_inside(value->block, l->node->blocks[0]) ? value : NULL;
}

static const Val *leave(Elab *e, const Val *leaf, void *user) {
    Leaving *l = user;
    if (leaf->kind == VAL_TENSOR && leaf->tensor.dim) {
        dim_symbols(leaf->tensor.dim, see_symbol, l);
        return val_dim(e, leaf->tensor.dim);
    }
    Value *value = made_inside(l, leaf);
    if (!value) return leaf;
    for (uint32_t k = 0; k < value->type->rank; k++) dim_symbols(value->type->dims[k], see_symbol, l);
    for (uint32_t k = 0; k < l->yields.count; k++)
        if (l->yields.at[k] == value) return leaf_with(e, leaf, l->node->results[k]);
    vec_push(e->arena, &l->yields, value);
    Value *result = node_add_result(l->node, value->type);
    result->name = value->name;
    return leaf_with(e, leaf, result);
}

/* --- the call */
/* Arguments are computed before the call, and kept; what is only named, and may be `inout`, is left to it. */
static Args computed(Elab *e, const Args *args) {
    Args given = {0};
    for (uint32_t k = 0; k < args->count; k++) {
        Arg arg = args->at[k];
        AstExprKind kind = arg.expr ? arg.expr->kind : AST_NAME;
        if (!arg.val && kind != AST_NAME && kind != AST_FIELD && kind != AST_INDEXING)
            arg.val = el_value(e, arg.expr, NULL);
        vec_push(e->arena, &given, arg);
    }
    return given;
}

const Val *remat_call(Elab *e, const AstExpr *f, const Args *args, const Ty *expected, Span span) {
    Args given = computed(e, args);
    if (e->checking) return call_expr(e, f, &given, expected, span);
    Bindings bindings = {0};
    variables_in_reach(e, &bindings);
    Builder b = el_builder(e, span);
    Leaving l = {.outer = e->block};
    l.node = build_remat(&b, 0, NULL);
    e->block = l.node->blocks[0];
    const Val *v = call_expr(e, f, &given, expected, span);
    e->block = l.outer;
    for (uint32_t k = 0; k < bindings.count; k++)
        if (bindings.at[k]->value) bindings.at[k]->value = val_map(e, bindings.at[k]->value, leave, &l);
    v = val_map(e, v, leave, &l);
    Builder inside = build_inside(&b, l.node->blocks[0]);
    build_yield(&inside, l.yields.count, l.yields.at);
    if (!l.sized) return v;
    Diagnostic *d = diag_report(e->diags, D_REMAT_SIZE, span);
    diag_help(d, "compute the size first and pass it, so that the result's shape is known outside");
    return e->poison;
}
