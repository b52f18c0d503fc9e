/* How far an index runs: over its range where one is written, otherwise over the axis that it indexes alone.
 */
#include "frontend/elaborate_equation.h"

const Val *equation_object(Elab *e, const AstExpr *x) {
    const Val *v = map_get(e->equation->objects, x);
    if (v) return v;
    v = el_value(e, x, NULL);
    map_put(e->equation->objects, x, (void *)(uintptr_t)v);
    return v;
}

/* --- inferred */
typedef struct {
    Elab *e;
    const AstBinder *binder;
    const Dim *extent; /* of the first axis met */
    Span first;
    bool failed;
} Search;

typedef struct {
    Elab *e;
    bool unknown;
} Names;

static bool look_for_unknown(void *user, const AstExpr *x) {
    Names *names = user;
    Found found;
    if (x->kind == AST_NAME) names->unknown |= !scope_find(names->e, names->e->scope, x->name.text, &found);
    return !names->unknown;
}

/* Can it be elaborated outside the reductions and blocks that it stands in? */
static bool is_outer(Elab *e, const AstExpr *object) {
    Names names = {e, false};
    syntax_visit(object, look_for_unknown, &names);
    return !names.unknown && !equation_spread(e, object);
}

static void meet_axis(Search *s, const Dim *dim, Span span) {
    Elab *e = s->e;
    if (!s->extent) {
        s->extent = dim;
        s->first = span;
        return;
    }
    if (s->extent == dim) return;
    Diagnostic *d =
        diag_report(e->diags, D_INDEX_AXES, span, s->binder->name.text, el_dim(e, s->extent), el_dim(e, dim));
    diag_here(d, "this axis has %s elements", el_dim(e, dim));
    diag_label(d, s->first, "this one has %s", el_dim(e, s->extent));
    diag_help(d, "write how far it runs: `for %s in 0..%s`", s->binder->name.text, el_dim(e, dim));
    s->failed = true;
}

static void meet_indexing(Search *s, const AstExpr *x) {
    const AstExpr *object = x->indexing.object;
    uint32_t axis = 0;
    for (const AstIndex *i = x->indexing.indices; i && !s->failed; i = i->next, axis++) {
        if (i->kind != AST_INDEX_EXPR) return; /* reported where it is read */
        if (i->value->kind != AST_NAME || i->value->name.text != s->binder->name.text) continue;
        if (!is_outer(s->e, object)) return;
        const Val *v = equation_object(s->e, object);
        s->failed |= val_poisoned(v);
        if (v->kind == VAL_LIST || v->kind == VAL_TUPLE) {
            diag_report(s->e->diags, D_LIST_INDEX, i->span);
            s->failed = true;
        }
        if (v->kind == VAL_TENSOR && axis < v->tensor.type->rank)
            meet_axis(s, v->tensor.type->dims[axis], i->span);
    }
}

static bool only_expressions(const AstStmt *stmts) {
    for (; stmts; stmts = stmts->next) {
        bool branches = stmts->kind == AST_IF_STMT && only_expressions(stmts->branch.then) &&
                        only_expressions(stmts->branch.otherwise);
        if (stmts->kind != AST_EXPR && !branches) return false;
    }
    return true;
}

static bool look_for_axis(void *user, const AstExpr *x) {
    Search *s = user;
    if (s->failed) return false;
    if (x->kind == AST_REDUCTION || x->kind == AST_COMPREHENSION)
        for (const AstBinder *b = x->reduction.binders; b; b = b->next)
            if (b->name.text == s->binder->name.text) return false; /* another index of that name */
    /* A block with names of its own says nothing of what stands outside it. */
    if (x->kind == AST_IF) return only_expressions(x->branch.then) && only_expressions(x->branch.otherwise);
    if (x->kind == AST_INDEXING) meet_indexing(s, x);
    return true;
}

static bool infer(Elab *e, const AstBinder *binder, const AstExpr *body, Index *index) {
    Search s = {.e = e, .binder = binder};
    syntax_visit(body, look_for_axis, &s);
    if (s.failed) return false;
    index->lo = dim_const(e->ir, 0);
    index->extent = s.extent;
    if (s.extent) return true;
    Diagnostic *d = diag_report(e->diags, D_INDEX_UNBOUND, binder->name.span, binder->name.text);
    diag_note(d, "an index runs over the axis that it indexes alone, as in `x[%s]`", binder->name.text);
    diag_help(d, "write how far it runs: `for %s in 0..n`", binder->name.text);
    return false;
}

/* --- written */
static bool runs_forwards(Elab *e, const Dim *lo, const Dim *hi, const Dim *extent, Span span) {
    int64_t constant;
    if (dim_is_const(extent, &constant) ? constant >= 0 : dim_at_least(extent, 0)) return true;
    if (dim_is_const(extent, &constant)) {
        diag_report(e->diags, D_INDEX_RANGE_BACKWARDS, span, el_dim(e, lo), el_dim(e, hi));
        return false;
    }
    Builder b = el_builder(e, span);
    Value *ends[2] = {build_size(&b, lo), build_size(&b, hi)};
    runtime_check(e, build_binary(&b, OP_le, ends[0], ends[1]), "the range {}..{} runs backwards", 2, ends,
                  span);
    return true;
}

bool equation_range(Elab *e, const AstBinder *binder, const AstExpr *body, Index *index) {
    *index = (Index){.name = binder->name};
    if (!binder->range) return infer(e, binder, body, index);
    Span span = binder->range->span;
    if (equation_spread(e, binder->range)) {
        Diagnostic *d = diag_report(e->diags, D_INDEX_RANGE_VARIES, span, binder->name.text);
        diag_help(d, "let it run over all values, and choose with `if %s < … { … } else { … }`",
                  binder->name.text);
        return false;
    }
    const Val *v = el_value(e, binder->range, NULL);
    if (val_poisoned(v)) return false;
    if (v->kind != VAL_RANGE) {
        Diagnostic *d = diag_report(e->diags, D_INDEX_RANGE_KIND, span, val_type_text(e, v));
        if (val_is_int(v)) diag_help(d, "write `0..%s`", el_source(e, span));
        return false;
    }
    const Dim *lo = dim_of(e, v->range.lo, span), *hi = dim_of(e, v->range.hi, span);
    if (!lo || !hi) return false;
    index->lo = lo;
    index->extent = dim_sub(e->ir, hi, lo);
    if (index->extent) return runs_forwards(e, lo, hi, index->extent, span);
    diag_report(e->diags, D_OVERFLOW, span);
    return false;
}
