/* Dimension names from sizes that are computed from them: `float[2 * n]` of 6 elements makes n 3. One unknown
 * name, times and plus what is known. */
#include "frontend/elaborate.h"

/* times · u + plus, `u` being the unknown name; without one, NULL and times 0. */
typedef struct {
    const char *unknown;
    const Dim *times, *plus;
} Linear;

static bool linear_of(Elab *e, const AstExpr *expr, Scope *scope, Linear *out);

static bool linear_sum(Elab *e, const Linear *a, const Linear *b, bool minus, Linear *out) {
    out->times = minus ? dim_sub(e->ir, a->times, b->times) : dim_add(e->ir, a->times, b->times);
    out->plus = minus ? dim_sub(e->ir, a->plus, b->plus) : dim_add(e->ir, a->plus, b->plus);
    return out->times && out->plus;
}

static bool linear_product(Elab *e, const Linear *a, const Linear *b, Linear *out) {
    if (a->unknown && b->unknown) return false;
    if (b->unknown) return linear_product(e, b, a, out);
    out->times = dim_mul(e->ir, a->times, b->plus);
    out->plus = dim_mul(e->ir, a->plus, b->plus);
    return out->times && out->plus;
}

static bool linear_binary(Elab *e, const AstExpr *expr, Scope *scope, Linear *out) {
    Linear a, b;
    AstOperator op = expr->binary.op;
    if (op != AST_ADD && op != AST_SUB && op != AST_MUL) return false;
    if (!linear_of(e, expr->binary.left, scope, &a) || !linear_of(e, expr->binary.right, scope, &b))
        return false;
    if (a.unknown && b.unknown && a.unknown != b.unknown) return false;
    out->unknown = a.unknown ? a.unknown : b.unknown;
    return op == AST_MUL ? linear_product(e, &a, &b, out) : linear_sum(e, &a, &b, op == AST_SUB, out);
}

static bool linear_of(Elab *e, const AstExpr *expr, Scope *scope, Linear *out) {
    if (expr->kind == AST_NAME && !dim_is_named(e, scope, expr->name.text)) {
        *out = (Linear){expr->name.text, dim_const(e->ir, 1), dim_const(e->ir, 0)};
        return true;
    }
    const Dim *known = dim_quiet(e, expr, scope);
    *out = (Linear){NULL, dim_const(e->ir, 0), known};
    if (known || expr->kind != AST_BINARY) return known;
    if (!el_deeper(e, expr->span)) return false;
    bool linear = linear_binary(e, expr, scope, out);
    e->depth--;
    return linear;
}

const char *dim_unknown(Elab *e, const AstExpr *expr, Scope *scope) {
    Linear linear;
    bool found = expr->kind == AST_BINARY && linear_of(e, expr, scope, &linear) && !dim_is(linear.times, 0);
    return found ? linear.unknown : NULL;
}

const Dim *dim_solve(Elab *e, const AstExpr *expr, Scope *scope, const Dim *size) {
    Linear linear;
    int64_t number;
    if (!linear_of(e, expr, scope, &linear)) return NULL;
    const Dim *rest = dim_sub(e->ir, size, linear.plus);
    const Dim *value = rest ? dim_floordiv(e->ir, rest, linear.times) : NULL;
    if (!value || dim_mul(e->ir, value, linear.times) != rest) return NULL;
    return dim_is_const(value, &number) && number < 0 ? NULL : value;
}
