/* Index notation: equations (`let c[i, j] = …`) and reductions over indices (`sum(… for k)`), and the index
 * space that they are elaborated over (elaborate_equation.h). */
#include "frontend/elaborate_equation.h"

/* --- what depends on an index */
typedef struct {
    Elab *e;
    bool found;
} Spread;

static bool look_for_spread(void *user, const AstExpr *x) {
    Spread *s = user;
    Found found;
    if (x->kind == AST_NAME && scope_find(s->e, s->e->scope, x->name.text, &found) && found.binding)
        s->found |= found.binding->spread;
    return !s->found;
}

bool equation_spread(Elab *e, const AstExpr *x) {
    Spread s = {e, false};
    syntax_visit(x, look_for_spread, &s);
    return s.found;
}

/* --- the space */
static void enter(Elab *e, Equation *q) {
    *q = (Equation){.outer = e->equation, .objects = map_new(e->arena)};
    e->equation = q;
}

bool equation_nonempty(const Equation *q) {
    for (uint32_t axis = 0; axis < q->rank; axis++)
        if (!dim_at_least(q->indices[axis].extent, 1)) return false;
    return true;
}

/* The values of the index along its axis: a tensor of axis + 1 axes. */
static const Val *values_of(Elab *e, const Index *index, uint32_t axis) {
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i <= axis; i++) dims[i] = i ? dim_const(e->ir, 1) : index->extent;
    Builder b = el_builder(e, index->name.span);
    const Val *v = val_of(e, build_iota(&b, type_tensor(e->ir, DTYPE_i64, axis + 1, dims), 0));
    if (dim_is(index->lo, 0)) return v;
    return op_binary(e, AST_ADD, v, index->name.span, val_dim(e, index->lo), index->name.span,
                     index->name.span);
}

/* Declares the indices in a scope of their own, the first at axis `first`, the next ones `step` axes on.
 * False after reporting. */
static bool declare(Elab *e, const AstBinder *binders, const AstExpr *body, uint32_t count, uint32_t first,
                    int step) {
    Equation *q = e->equation;
    if (q->rank + count > MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, body->span, MAX_RANK);
        return false;
    }
    Index indices[MAX_RANK];
    uint32_t n = 0;
    bool ok = true;
    for (const AstBinder *b = binders; b; b = b->next) ok &= equation_range(e, b, body, &indices[n++]);
    if (!ok) return false;
    q->rank += count;
    scope_push(e);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t axis = (uint32_t)((int)first + (int)i * step);
        const Val *v = values_of(e, &indices[i], axis);
        Binding *binding = scope_declare(e, indices[i].name, v, false);
        binding->spread = true;
        binding->kind = BOUND_LOOP;
        indices[i].binding = binding;
        q->indices[axis] = indices[i];
    }
    return true;
}

static uint32_t count_of(const AstBinder *binders) {
    uint32_t count = 0;
    for (; binders; binders = binders->next) count++;
    return count;
}

/* --- reductions */
/* The value with the innermost `count` indices as its whole first axes. */
static const Val *with_axes(Elab *e, const Val *v, uint32_t count, Span span) {
    const Equation *q = e->equation;
    v = val_settled(e, v, span);
    const Dim *dims[MAX_RANK];
    const Type *type = v->tensor.type;
    for (uint32_t axis = 0; axis < q->rank; axis++) {
        const Dim **dim = &dims[q->rank - 1 - axis];
        if (axis + count >= q->rank)
            *dim = q->indices[axis].extent;
        else
            *dim = axis < type->rank ? type->dims[type->rank - 1 - axis] : dim_const(e->ir, 1);
    }
    return op_broadcast(e, v, q->rank, dims, span);
}

/* By the builtin function of that name, over the first `count` axes. */
static const Val *reduce_first(Elab *e, const AstExpr *x, const Val *v, uint32_t count) {
    const Val *axes[MAX_RANK];
    for (uint32_t i = 0; i < count; i++) axes[i] = val_integer(e, i);
    Val callee = {.kind = VAL_BUILTIN, .builtin = {.builtin = builtin_find(e, x->reduction.name.text)}};
    Args args = {0};
    Span span = x->reduction.body->span, nowhere = {0};
    const Val *axis = count == 1 ? axes[0] : val_tuple(e, VAL_TUPLE, count, axes);
    Arg what = {NULL, span, nowhere, NULL, v, false},
        over = {el_name(e, "axis"), span, nowhere, NULL, axis, false};
    vec_push(e->arena, &args, what);
    vec_push(e->arena, &args, over);
    return builtin_call(e, &callee, &args, NULL, x->span);
}

static bool finds_place(const AstExpr *x) {
    return x->reduction.name.text[0] == 'a' && x->reduction.name.text[1] == 'r'; /* argmax, argmin */
}

const Val *equation_reduce(Elab *e, const AstExpr *x) {
    Equation *q = e->equation;
    const AstBinder *binders = x->reduction.binders;
    uint32_t count = count_of(binders), outside = q->rank;
    if (finds_place(x) && count != 1) {
        diag_report(e->diags, D_INDEX_ARGUMENT, x->span, x->reduction.name.text, (int)count);
        return e->poison;
    }
    if (!declare(e, binders, x->reduction.body, count, outside, 1)) return e->poison;
    uint32_t first = e->graph->next_id;
    const Val *v = equation_expr(e, x->reduction.body);
    const Dim *lo = q->indices[outside].lo;
    if (!val_poisoned(v)) {
        v = with_axes(e, v, count, x->reduction.body->span);
        v = reduce_first(e, x, v, count);
        Builder b = el_builder(e, x->span);
        if (v->kind == VAL_TENSOR && v->tensor.value) v = val_of(e, equation_sum(&b, v->tensor.value, first));
    }
    scope_pop(e);
    q->rank = outside;
    if (finds_place(x) && !dim_is(lo, 0))
        v = op_binary(e, AST_ADD, v, x->span, val_dim(e, lo), x->span, x->span);
    return v;
}

const Val *el_reduction(Elab *e, const AstExpr *expr) {
    Equation q;
    enter(e, &q);
    const Val *v = equation_reduce(e, expr);
    e->equation = q.outer;
    return v;
}

/* --- equations */
static const Val *equation_value(Elab *e, const AstStmt *stmt) {
    const AstBinder *binders = stmt->equation.indices;
    const AstExpr *body = stmt->equation.value;
    uint32_t count = count_of(binders);
    if (!declare(e, binders, body, count, count - 1, -1)) return e->poison;
    const Val *v = equation_expr(e, body);
    if (!val_poisoned(v)) v = with_axes(e, v, count, body->span);
    scope_pop(e);
    return v;
}

void el_equation(Elab *e, const AstStmt *stmt) {
    Equation q;
    enter(e, &q);
    const Val *v = equation_value(e, stmt);
    e->equation = q.outer;
    scope_declare(e, stmt->equation.name, v, false);
    val_name(e, v, stmt->equation.name.text);
}
