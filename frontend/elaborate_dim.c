/* Integers as dimensions. A number known at run time only becomes a symbol where it is first used as a size;
 * the same value gives the same symbol wherever that is visible, so that sizes made from it are provably
 * equal. */
#include "frontend/elaborate.h"
#include <ctype.h>
#include <string.h>

static const Dim *visible_symbol(Elab *e, const void *key) {
    for (const SymbolUse *use = map_get(e->symbols, key); use; use = use->next)
        if (block_inside(e->block, use->block)) return use->dim;
    return NULL;
}

static const char *operand_text(Elab *e, Value *value) {
    value = value_resolve(value);
    const Node *node = value->node;
    if (node && node->op == OP_const)
        return arena_printf(e->arena, "%lld", (long long)node_int(node, ATTR_ivalue));
    if (node && node->op == OP_size) return dim_text(e->ir, node_dim(node, ATTR_dim));
    return arena_printf(e->arena, "%p", (void *)value);
}

/* What a symbol belongs to: `min(2, n)`, wherever it is computed, or else a value. */
static const void *symbol_key(Elab *e, const Value *value) {
    const Node *node = value->node;
    if (!node || (node->op != OP_min && node->op != OP_max) || value->type->dtype != DTYPE_i64) return value;
    return el_name(e, arena_printf(e->arena, "%s(%s, %s)", op_name(node->op),
                                   operand_text(e, node->operands[0]), operand_text(e, node->operands[1])));
}

static const Dim *known_symbol(Elab *e, const Value *value) {
    return visible_symbol(e, symbol_key(e, value));
}

static const Dim *new_symbol(Elab *e, Value *value, Span span) {
    Builder b = el_builder(e, span);
    const void *key = symbol_key(e, value);
    const Dim *dim = build_symbol(&b, build_cast(&b, value, DTYPE_i64), value->name ? value->name : "n");
    SymbolUse *use = ARENA_NEW(e->arena, SymbolUse);
    *use = (SymbolUse){map_get(e->symbols, key), e->block, dim};
    map_put(e->symbols, key, use);
    return dim;
}

/* A difference may well be a size where what is subtracted is none: a symbol for that would refuse it. */
static bool is_size(Elab *e, Value *value) {
    value = value_resolve(value);
    return known_symbol(e, value) || (value->node && value->node->op == OP_size);
}

/* How deep arithmetic is looked through: `2 * n` is twice the symbol of n wherever it is computed. */
enum { MAX_ARITHMETIC = 6 };

static const Dim *symbol_for(Elab *e, Value *value, Span span, int depth) {
    value = value_resolve(value);
    const Dim *dim = known_symbol(e, value);
    const Node *node = value->node;
    if (dim) return dim;
    if (!node || value->type->dtype != DTYPE_i64 || depth == MAX_ARITHMETIC)
        return new_symbol(e, value, span);
    if (node->op == OP_const) return dim_const(e->ir, node_int(node, ATTR_ivalue));
    if (node->op == OP_size) return node_dim(node, ATTR_dim);
    if (node->op == OP_neg) {
        const Dim *opposite = symbol_for(e, node->operands[0], span, depth + 1);
        dim = dim_mul(e->ir, dim_const(e->ir, -1), opposite);
        return dim ? dim : new_symbol(e, value, span);
    }
    bool constant =
        node->operand_count == 2 && node->operands[1]->node && node->operands[1]->node->op == OP_const;
    bool through = node->op == OP_add || node->op == OP_mul || (constant && node->op == OP_floordiv) ||
                   (node->op == OP_sub && (constant || is_size(e, node->operands[1])));
    if (!through) return new_symbol(e, value, span);
    const Dim *a = symbol_for(e, node->operands[0], span, depth + 1),
              *b = symbol_for(e, node->operands[1], span, depth + 1);
    dim = node->op == OP_add   ? dim_add(e->ir, a, b)
          : node->op == OP_mul ? dim_mul(e->ir, a, b)
          : node->op == OP_sub ? dim_sub(e->ir, a, b)
          : dim_is(b, 0)       ? NULL
                               : dim_floordiv(e->ir, a, b);
    return dim ? dim : new_symbol(e, value, span);
}

const Dim *dim_of(Elab *e, const Val *v, Span span) {
    if (val_poisoned(v)) return NULL;
    if (!val_is_int(v)) {
        Diagnostic *d = diag_report(e->diags, D_NOT_A_SIZE, span, val_type_text(e, v));
        if (v->kind == VAL_NUMBER || (v->kind == VAL_TENSOR && v->tensor.type->rank == 0))
            diag_help(d, "`int(…)` makes an integer of a number");
        return NULL;
    }
    if (v->kind == VAL_NUMBER) return dim_const(e->ir, v->number.integer);
    if (v->tensor.dim) return v->tensor.dim;
    if (v->tensor.known) return dim_const(e->ir, (int64_t)v->tensor.number);
    return symbol_for(e, v->tensor.value, span, 0);
}

static const Dim *binary_dim(Elab *e, const AstExpr *expr, Scope *scope) {
    AstOperator op = expr->binary.op;
    const Dim *a = dim_of_expr(e, expr->binary.left, scope);
    const Dim *b = a ? dim_of_expr(e, expr->binary.right, scope) : NULL;
    if (!b) return NULL;
    const Dim *result = op == AST_ADD        ? dim_add(e->ir, a, b)
                        : op == AST_SUB      ? dim_sub(e->ir, a, b)
                        : op == AST_MUL      ? dim_mul(e->ir, a, b)
                        : op == AST_FLOORDIV ? dim_floordiv(e->ir, a, b)
                                             : dim_mod(e->ir, a, b);
    if (result) return result;
    if (dim_is(b, 0)) {
        diag_report(e->diags, D_DIVIDED_BY_ZERO, expr->span);
    } else {
        diag_report(e->diags, D_OVERFLOW, expr->span);
    }
    return NULL;
}

static const Dim *nested_dim(Elab *e, const AstExpr *expr, Scope *scope) {
    if (!el_deeper(e, expr->span)) return NULL;
    const Dim *dim = binary_dim(e, expr, scope);
    e->depth--;
    return dim;
}

const Dim *dim_of_expr(Elab *e, const AstExpr *expr, Scope *scope) {
    if (expr->kind == AST_BINARY) {
        switch (expr->binary.op) {
        case AST_ADD:
        case AST_SUB:
        case AST_MUL:
        case AST_FLOORDIV:
        case AST_MOD: return nested_dim(e, expr, scope);
        case AST_DIV:
        case AST_POW:
        case AST_MATMUL:
        case AST_EQ:
        case AST_NE:
        case AST_LT:
        case AST_LE:
        case AST_GT:
        case AST_GE:
        case AST_AND:
        case AST_OR:
        case AST_NEG:
        case AST_POS:
        case AST_NOT: break;
        }
    }
    Scope *outside = e->scope;
    e->scope = scope;
    const Val *v = el_value(e, expr, NULL);
    e->scope = outside;
    return dim_of(e, v, expr->span);
}

bool dims_require(Elab *e, uint32_t rank, const Dim *const *dims, Span span) {
    Builder b = el_builder(e, span);
    for (uint32_t i = 0; i < rank; i++) {
        int64_t constant;
        if (dim_is_const(dims[i], &constant) && constant < 0) {
            diag_report(e->diags, D_NEGATIVE_SIZE, span, el_dim(e, dims[i]));
            return false;
        }
        if (dim_is_const(dims[i], NULL) || !dim_may_be_negative(dims[i])) continue;
        Value *size = build_size(&b, dims[i]);
        runtime_check(e, build_binary(&b, OP_le, build_int(&b, 0), size), "a size is negative: {}", 1, &size,
                      span);
    }
    return true;
}

bool dim_at_least(const Dim *d, int64_t bound) {
    const DimTerm *terms;
    uint32_t count = dim_terms(d, &terms);
    int64_t constant = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (terms[i].count == 0) constant = terms[i].coefficient;
        if (terms[i].count && terms[i].coefficient < 0) return false;
        for (uint32_t k = 0; k < terms[i].count; k++)
            if (!terms[i].atoms[k].symbol) return false;
    }
    return constant >= bound;
}

typedef struct {
    const char *model;
    bool only; /* symbols are the hyperparameters of this model */
} Hypers;

/* They are called `Model.size`; a symbol made for a number has another number behind the point. */
static void look_for_others(void *user, const Dim *symbol) {
    Hypers *hypers = user;
    size_t length = strlen(hypers->model);
    const char *name = dim_symbol_name(symbol);
    hypers->only = hypers->only && strncmp(name, hypers->model, length) == 0 && name[length] == '.' &&
                   !isdigit((unsigned char)name[length + 1]);
}

bool dim_is_hyper(const Elab *e, const Dim *dim) {
    if (!e->checking || !e->model_name) return false;
    Hypers hypers = {e->model_name, !dim_is_const(dim, NULL)};
    dim_symbols(dim, look_for_others, &hypers);
    return hypers.only;
}

/* --- what is equal if nothing that is divided leaves a rest */
typedef struct {
    const Dim *over, *under; /* NULL: too large */
} Ratio;

static const Dim *times(Elab *e, const Dim *a, const Dim *b) { return a && b ? dim_mul(e->ir, a, b) : NULL; }

static Ratio ratio(Elab *e, const Dim *d) {
    const DimTerm *terms;
    Ratio sum = {dim_const(e->ir, 0), dim_const(e->ir, 1)};
    uint32_t count = d ? dim_terms(d, &terms) : 0;
    for (uint32_t i = 0; i < count; i++) {
        Ratio term = {dim_const(e->ir, terms[i].coefficient), dim_const(e->ir, 1)};
        for (uint32_t k = 0; k < terms[i].count; k++) {
            const DimAtom *atom = &terms[i].atoms[k];
            Ratio over = {atom->symbol, dim_const(e->ir, 1)},
                  under = {dim_const(e->ir, 1), dim_const(e->ir, 1)};
            if (!atom->symbol) over = ratio(e, atom->numerator), under = ratio(e, atom->denominator);
            for (uint32_t power = 0; power < atom->power; power++) {
                term.over = times(e, term.over, times(e, over.over, under.under));
                term.under = times(e, term.under, times(e, over.under, under.over));
            }
        }
        const Dim *left = times(e, sum.over, term.under), *right = times(e, term.over, sum.under);
        sum = (Ratio){left && right ? dim_add(e->ir, left, right) : NULL, times(e, sum.under, term.under)};
    }
    return sum;
}

static bool equal_without_rest(Elab *e, const Dim *a, const Dim *b) {
    Ratio x = ratio(e, a), y = ratio(e, b);
    const Dim *left = times(e, x.over, y.under);
    return left && left == times(e, y.over, x.under);
}

bool dim_fits_later(Elab *e, const Dim *a, const Dim *b) {
    const Dim *difference = dim_sub(e->ir, a, b);
    return difference && dim_is_hyper(e, difference) && equal_without_rest(e, a, b);
}

/* A dimension of a signature that is divided by a number somewhere in `d`. */
static const Dim *divided(const Elab *e, const Dim *d, int64_t *by) {
    const DimTerm *terms;
    uint32_t count = dim_terms(d, &terms);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < terms[i].count; k++) {
            const DimAtom *atom = &terms[i].atoms[k];
            if (!atom->symbol && dim_symbol_name(atom->numerator) && !dim_is_hyper(e, atom->numerator) &&
                dim_is_const(atom->denominator, by))
                return atom->numerator;
        }
    return NULL;
}

void help_multiple(Elab *e, Diagnostic *d, const Dim *a, const Dim *b) {
    int64_t by;
    const Dim *symbol = divided(e, a, &by);
    if (!symbol) symbol = divided(e, b, &by);
    if (symbol && equal_without_rest(e, a, b))
        diag_help(d,
                  "nothing says that `%s` is a multiple of %lld; the parameter's type can: `%lld * part` in "
                  "the place of `%s` binds `part`",
                  dim_symbol_name(symbol), (long long)by, (long long)by, dim_symbol_name(symbol));
}
