/* Does a value fit a declared type? The type is syntax: a name in it that is not known yet is bound to the
 * dimension found there, everything else must agree. Dimensions that are computed from names bound later (`L
 * - K + 1` before `K`) are compared by the caller once all arguments are bound: unify skips them and
 * unify_type is called again. */
#include "frontend/elaborate.h"
#include <string.h>

typedef struct {
    Scope *scope;
    Fit fit;
    bool bind_only; /* just learn what can be learnt */
    bool solve;     /* look for names inside of `2 * n` too */
} Matching;

static bool match(Elab *e, Matching *m, const AstType *type, const Ty *ty);

/* --- messages */
/* "float[n] has 1 axis" */
static const char *axes_text(Elab *e, const char *type, uint32_t count) {
    if (count == 0) return arena_printf(e->arena, "%s is one number", type);
    return arena_printf(e->arena, "%s has %u ax%s", type, (unsigned)count, count == 1 ? "is" : "es");
}

/* The value as written, for a help line that shows how to wrap it. */
static const char *wrapped(Elab *e, Span span) {
    const char *text = el_source(e, span);
    return strstr(text, "|>") ? "…" : text;
}

static void help_convert(Elab *e, Diagnostic *d, const char *dtype, Span value) {
    diag_help(d, "nothing converts by itself: write `%s(%s)`", dtype, wrapped(e, value));
}

/* What is called, where that says more than its signature. */
static void label_called(const Matching *m, Diagnostic *d) {
    if (m->scope->called_text) diag_label(d, m->scope->called, "%s", m->scope->called_text);
}

/* Points at the argument before that says what `...s` is. */
static void label_ellipsis(Elab *e, Diagnostic *d, const Matching *m, const AstIndex *index) {
    const char *name = index->name.text ? index->name.text : el_name(e, " ...");
    Found found;
    if (!scope_find(e, m->scope, name, &found) || !found.binding || !found.binding->span.source) return;
    const Val *bound = found.binding->value;
    if (bound->kind != VAL_TUPLE) return;
    const char *sizes = "";
    for (uint32_t i = 0; i < bound->list.count; i++)
        sizes = arena_printf(e->arena, "%s%s%s", sizes, i ? ", " : "",
                             el_dim(e, bound->list.items[i]->tensor.dim));
    diag_label(d, found.binding->span, "this makes `...%s` [%s]", index->name.text ? name : "", sizes);
}

static void explain_tensor(Elab *e, Diagnostic *d, const Matching *m, const AstType *type, const Type *got) {
    DType dtype;
    uint32_t written = 0;
    bool open = false;
    if (!dtype_of_name(e, type->name.text, &dtype)) return;
    for (const AstIndex *i = type->dims; i; i = i->next) {
        if (i->kind == AST_INDEX_ELLIPSIS) {
            open = true;
            if (dtype == got->dtype) label_ellipsis(e, d, m, i);
        } else {
            written++;
        }
    }
    bool axes_differ = open ? got->rank < written : got->rank != written;
    if (axes_differ)
        diag_note(d, "%s%s, %s", axes_text(e, el_source(e, type->span), written), open ? " or more" : "",
                  axes_text(e, type_text_nn(e, got), got->rank));
    if (dtype != got->dtype && !(axes_differ && got->rank == 0))
        help_convert(e, d, type->name.text, m->fit.value);
}

static const char batch_later[] = "write `.batch(…)` where the loop over it is: `for x in samples.batch(…)`";

static bool refuse(Elab *e, const Matching *m, const AstType *type, const Ty *ty) {
    DType dtype;
    if (m->fit.silent || m->bind_only || ty->kind == TY_POISON) return false;
    if (type->kind == AST_TYPE_TENSOR && !dtype_of_name(e, type->name.text, &dtype)) {
        ty_resolve(e, type, m->scope, false); /* there is no such type, and it says so */
        return false;
    }
    Diagnostic *d = diag_report(e->diags, D_TYPE_MISMATCH, m->fit.value, m->fit.what,
                                el_source(e, type->span), ty_text(e, ty));
    diag_here(d, "this is %s", ty_text(e, ty));
    if (type->span.source) diag_label(d, type->span, "declared here");
    label_called(m, d);
    if (type->kind == AST_TYPE_TENSOR && ty->kind == TY_TENSOR) explain_tensor(e, d, m, type, ty->tensor);
    if (type->kind == AST_TYPE_TENSOR && ty->kind == TY_LIST) help_stack(e, d, ty, m->fit.value);
    if (ty->batched) diag_help(d, "%s", batch_later);
    return false;
}

/* Which dimension: by name, or by number where the signature has a number there. */
static const char *dim_title(Elab *e, const AstIndex *index, uint32_t axis) {
    if (index->value->kind == AST_INT) return arena_printf(e->arena, "axis %u", (unsigned)axis);
    return arena_printf(e->arena, "dimension `%s`", el_source(e, index->span));
}

/* What bound the dimension name in this call; NULL for hyperparameters and constants. */
static const Binding *bound_by(const Scope *scope, const char *name) {
    for (const Binding *b = scope->bindings; b; b = b->next)
        if (strcmp(b->name, name) == 0) return b;
    return NULL;
}

/* One size is known, the other only when it runs: a slice has the size that is wanted, or stops the program.
 */
static void help_slice(Elab *e, Diagnostic *d, const Matching *m, const AstIndex *index, const Dim *want,
                       const Ty *ty, uint32_t axis) {
    const Dim *got = ty->tensor->dims[axis];
    const char *x = el_source(e, m->fit.value), *size = NULL, *before = "";
    if (dim_is_const(want, NULL))
        size = el_dim(e, want);
    else if (m->scope == e->scope && index->value->kind == AST_NAME)
        size = index->value->name.text;
    bool one_known = dim_is_const(want, NULL) != dim_is_const(got, NULL);
    if (!one_known || !size || el_is_compound(x) || el_checks_function(e)) return;
    for (uint32_t i = 0; i < axis; i++) before = arena_printf(e->arena, "%s:, ", before);
    diag_help(d, "`%s[%s:%s]` takes the first %s, and stops the program where there are fewer", x, before,
              size, size);
}

static bool refuse_dim(Elab *e, const Matching *m, const AstIndex *index, uint32_t axis, const Ty *ty,
                       const Dim *want) {
    if (m->fit.silent || m->bind_only || dim_fits_later(e, want, ty->tensor->dims[axis])) return false;
    const char *name = el_source(e, index->span), *size = el_dim(e, want);
    Diagnostic *d = diag_report(e->diags, D_DIM_MISMATCH, m->fit.value, m->fit.what,
                                dim_title(e, index, axis), size, el_dim(e, ty->tensor->dims[axis]));
    diag_here(d, "this is %s", ty_text(e, ty));
    label_called(m, d);
    bool constant = index->value->kind == AST_NAME && !bound_by(m->scope, index->value->name.text);
    if (index->span.source)
        diag_label(d, index->span, "%s",
                   constant ? arena_printf(e->arena, "`%s` is %s", name, size) : "declared here");
    const Binding *binding = bound_by(m->scope, name);
    if (binding && binding->span.source == m->fit.value.source && binding->span.start == m->fit.value.start)
        diag_note(d, "`%s` occurs twice in the type, so both axes have the same size", name);
    else if (binding && binding->span.source)
        diag_label(d, binding->span, "this makes `%s` %s", name, size);
    help_slice(e, d, m, index, want, ty, axis);
    return false;
}

/* A size that no whole number `unknown` gives, as far as can be told. */
static bool refuse_form(Elab *e, const Matching *m, const AstIndex *index, const char *unknown, const Ty *ty,
                        const Dim *got) {
    if (m->fit.silent || m->bind_only) return false;
    const char *form = el_source(e, index->span), *size = el_dim(e, got);
    Diagnostic *d = diag_report(e->diags, D_DIM_FORM, m->fit.value, m->fit.what, form, size);
    diag_here(d, "this is %s", ty_text(e, ty));
    label_called(m, d);
    if (index->span.source) diag_label(d, index->span, "declared here");
    if (!dim_is_const(got, NULL))
        diag_help(
            d,
            "reshape it to a size of that form, or take `%s` as a parameter before it and declare `%s: int`",
            unknown, unknown);
    return false;
}

/* --- dimensions */
bool dim_is_named(Elab *e, Scope *scope, const char *name) {
    Found found;
    if (!scope_find(e, scope, name, &found)) return false;
    if (!found.global) return true;
    switch (found.global->kind) {
    case VAL_FUNCTION:
    case VAL_DECL:
    case VAL_BUILTIN:
    case VAL_MODULE: return false;
    case VAL_DTYPE:
    case VAL_POISON:
    case VAL_UNIT:
    case VAL_NUMBER:
    case VAL_TENSOR:
    case VAL_STRING:
    case VAL_TUPLE:
    case VAL_LIST:
    case VAL_RANGE:
    case VAL_MODEL:
    case VAL_OPTIMIZER:
    case VAL_DATASET: break;
    }
    return true;
}

const Dim *dim_quiet(Elab *e, const AstExpr *expr, Scope *scope) {
    AstIndex index = {.kind = AST_INDEX_EXPR, .span = expr->span, .value = (AstExpr *)(uintptr_t)expr};
    AstType type = {.kind = AST_TYPE_TENSOR, .span = expr->span, .has_shape = true, .dims = &index};
    type.name.text = el_name(e, "float");
    const Ty *ty = ty_resolve(e, &type, scope, true);
    return ty && ty->kind == TY_TENSOR ? ty->tensor->dims[0] : NULL;
}

static bool match_dim(Elab *e, Matching *m, const AstIndex *index, uint32_t axis, const Ty *ty) {
    const Dim *got = ty->tensor->dims[axis];
    if (index->value->kind == AST_NAME && !dim_is_named(e, m->scope, index->value->name.text)) {
        scope_bind(e, m->scope, index->value->name.text, m->fit.value, val_dim(e, got), false);
        return true;
    }
    const Dim *want = dim_quiet(e, index->value, m->scope);
    if (want) return want == got || refuse_dim(e, m, index, axis, ty, want);
    const char *unknown = m->solve ? dim_unknown(e, index->value, m->scope) : NULL;
    if (!unknown) return true;
    const Dim *solution = dim_solve(e, index->value, m->scope, got);
    /* A model that is made is checked as it is. */
    if (!solution && dim_is_hyper(e, got)) return false;
    if (!solution) return refuse_form(e, m, index, unknown, ty, got);
    scope_bind(e, m->scope, unknown, m->fit.value, val_dim(e, solution), false);
    return true;
}

static bool match_ellipsis(Elab *e, Matching *m, const AstIndex *index, uint32_t count,
                           const Dim *const *dims, const AstType *type, const Ty *ty) {
    const char *name = index->name.text ? index->name.text : el_name(e, " ...");
    Found found;
    if (!scope_find(e, m->scope, name, &found) || !found.binding) {
        const Val **items = ARENA_ARRAY(e->arena, const Val *, count);
        for (uint32_t i = 0; i < count; i++) items[i] = val_dim(e, dims[i]);
        scope_bind(e, m->scope, name, m->fit.value, val_tuple(e, VAL_TUPLE, count, items), false);
        return true;
    }
    const Val *bound = found.binding->value;
    bool same = bound->kind == VAL_TUPLE && bound->list.count == count;
    for (uint32_t i = 0; same && i < count; i++) same = bound->list.items[i]->tensor.dim == dims[i];
    return same || refuse(e, m, type, ty);
}

static bool match_tensor(Elab *e, Matching *m, const AstType *type, const Ty *ty) {
    DType dtype;
    if (ty->kind != TY_TENSOR || !dtype_of_name(e, type->name.text, &dtype) || dtype != ty->tensor->dtype)
        return refuse(e, m, type, ty);
    uint32_t written = 0, rank = ty->tensor->rank, at = 0;
    bool open = false;
    for (const AstIndex *d = type->dims; d; d = d->next) {
        if (d->kind == AST_INDEX_ELLIPSIS)
            open = true;
        else
            written++;
    }
    if (open ? rank < written : rank != written) return refuse(e, m, type, ty);
    for (const AstIndex *d = type->dims; d; d = d->next) {
        if (d->kind == AST_INDEX_ELLIPSIS) {
            if (!match_ellipsis(e, m, d, rank - written, ty->tensor->dims + at, type, ty)) return false;
            at += rank - written;
        } else if (!match_dim(e, m, d, at++, ty)) {
            return false;
        }
    }
    return true;
}

static bool match_parts(Elab *e, Matching *m, const AstType *type, const Ty *ty) {
    TyKind kind = type->kind == AST_TYPE_TUPLE ? TY_TUPLE : TY_DATASET;
    uint32_t count = 0;
    for (const AstType *part = type->parts; part; part = part->next) count++;
    if (ty->kind != kind || ty->count != count || ty->batched) return refuse(e, m, type, ty);
    uint32_t i = 0;
    for (const AstType *part = type->parts; part; part = part->next)
        if (!match(e, m, part, ty->parts[i++])) return false;
    return true;
}

static bool refuse_columns(Elab *e, const Matching *m, const AstType *type, const Ty *ty, const Ty *want) {
    if (m->fit.silent || m->bind_only) return false;
    Diagnostic *d =
        diag_report(e->diags, D_TYPE_MISMATCH, m->fit.value, m->fit.what, ty_text(e, want), ty_text(e, ty));
    diag_here(d, "this is %s", ty_text(e, ty));
    diag_label(d, type->span, "all `dataset`s of a signature have the same columns");
    return false;
}

/* All `dataset`s of a signature have the columns of the first one. */
static bool match_dataset(Elab *e, const Matching *m, const AstType *type, const Ty *ty) {
    Found found;
    const char *name = el_name(e, " dataset");
    if (ty->kind != TY_DATASET || ty->batched) return refuse(e, m, type, ty);
    if (scope_find(e, m->scope, name, &found) && found.binding) {
        const Ty *want = found.binding->value->dataset.type;
        return ty_same(want, ty) || refuse_columns(e, m, type, ty, want);
    }
    scope_bind(e, m->scope, name, m->fit.value,
               val_copy(e, (Val){.kind = VAL_DATASET, .dataset = {.type = ty}}), false);
    return true;
}

static bool is_any_dataset(const AstType *type) {
    return type->kind == AST_TYPE_NAMED && !type->module.text && strcmp(type->name.text, "dataset") == 0;
}

static bool match(Elab *e, Matching *m, const AstType *type, const Ty *ty) {
    if (is_any_dataset(type)) return match_dataset(e, m, type, ty);
    switch (type->kind) {
    case AST_TYPE_TENSOR: return match_tensor(e, m, type, ty);
    case AST_TYPE_TUPLE:
    case AST_TYPE_DATASET: return match_parts(e, m, type, ty);
    case AST_TYPE_NAMED: break;
    }
    const Ty *want = ty_resolve(e, type, m->scope, m->fit.silent || m->bind_only);
    if (!want || want->kind == TY_POISON) return false;
    if (!ty_same(want, ty)) return refuse(e, m, type, ty);
    if (want->kind == TY_GRADIENT && !want->model) {
        /* All gradients of a signature are of one model. */
        Found found;
        const char *name = el_name(e, " gradient");
        if (!scope_find(e, m->scope, name, &found))
            scope_bind(e, m->scope, name, m->fit.value,
                       val_copy(e, (Val){.kind = VAL_MODEL, .model = {.type = ty->model}}), false);
        else if (found.binding->value->model.type != ty->model)
            return refuse(e, m, type, ty);
    }
    return true;
}

/* --- literals take the type that they meet */
static const Val *meet_dtype(Elab *e, DType dtype, const Val *v, Fit fit) {
    return v->kind == VAL_NUMBER ? op_literal_as(e, v, dtype, fit.value) : v;
}

static const Val *meet_syntax(Elab *e, const AstType *type, const Val *v, Fit fit) {
    DType dtype;
    if (type->kind == AST_TYPE_TENSOR && dtype_of_name(e, type->name.text, &dtype)) {
        for (const AstIndex *d = type->dims; d; d = d->next)
            if (d->kind != AST_INDEX_ELLIPSIS)
                return v->kind == VAL_NUMBER ? val_settled(e, v, fit.value) : v;
        return meet_dtype(e, dtype, v, fit);
    }
    if (type->kind != AST_TYPE_TUPLE || v->kind != VAL_TUPLE) return v;
    const Val **items = ARENA_ARRAY(e->arena, const Val *, v->list.count);
    const AstType *part = type->parts;
    for (uint32_t i = 0; i < v->list.count; i++, part = part ? part->next : NULL)
        items[i] = part ? meet_syntax(e, part, v->list.items[i], fit) : v->list.items[i];
    return val_tuple(e, VAL_TUPLE, v->list.count, items);
}

const Val *unify(Elab *e, const AstType *type, const Val *v, Scope *scope, Fit fit) {
    if (val_poisoned(v)) return v;
    v = meet_syntax(e, type, v, fit);
    if (val_poisoned(v)) return v;
    Matching m = {.scope = scope, .fit = fit};
    return match(e, &m, type, ty_of(e, v)) ? v : e->poison;
}

bool unify_again(Elab *e, const AstType *type, const Val *v, Scope *scope, Fit fit) {
    Matching m = {.scope = scope, .fit = fit, .solve = true};
    return match(e, &m, type, ty_of(e, v));
}

void unify_expected(Elab *e, const AstType *type, const Ty *expected, Scope *scope) {
    Matching m = {
        .scope = scope, .fit = {.value = type->span, .silent = true}, .solve = true, .bind_only = true};
    if (expected) match(e, &m, type, expected);
}

/* --- known types */
static const Val *meet_type(Elab *e, const Ty *ty, const Val *v, Fit fit) {
    if (ty->kind == TY_TENSOR && ty->tensor->rank == 0) return meet_dtype(e, ty->tensor->dtype, v, fit);
    if (ty->kind == TY_TENSOR && v->kind == VAL_NUMBER) return val_settled(e, v, fit.value);
    if (ty->kind != TY_TUPLE || v->kind != VAL_TUPLE || ty->count != v->list.count) return v;
    const Val **items = ARENA_ARRAY(e->arena, const Val *, v->list.count);
    for (uint32_t i = 0; i < v->list.count; i++) items[i] = meet_type(e, ty->parts[i], v->list.items[i], fit);
    return val_tuple(e, VAL_TUPLE, v->list.count, items);
}

const char fit_assigned[] = "what is assigned";

/* How two tensor types differ, and what mends it. */
static void explain_types(Elab *e, Diagnostic *d, const Type *want, const Type *got, Fit fit) {
    Span value = fit.value;
    if (want->dtype != got->dtype && !(want->rank && !got->rank)) {
        const char *dtype = type_text_nn(e, type_scalar(e->ir, want->dtype));
        if (dtype_is_integer(want->dtype) && dtype_is_float(got->dtype))
            diag_help(d,
                      "write `%s(%s)` to cut the fraction off, or declare a float (`0.0` is one, `0` is not)",
                      dtype, wrapped(e, value));
        else
            help_convert(e, d, dtype, value);
        return;
    }
    if (want->rank != got->rank) {
        diag_note(d, "%s, %s", axes_text(e, type_text_nn(e, want), want->rank),
                  axes_text(e, type_text_nn(e, got), got->rank));
        if (got->rank == 0) diag_help(d, "`full(%s)` makes a tensor of one number", wrapped(e, value));
        return;
    }
    if (want->rank == 2 && want->dims[0] == got->dims[1] && want->dims[1] == got->dims[0]) {
        diag_help(d, "transpose it: `.T`");
        return;
    }
    for (uint32_t i = 0; i < want->rank; i++)
        if (want->dims[i] != got->dims[i]) {
            diag_note(d, "axis %u must be %s, and is %s", (unsigned)i, el_dim(e, want->dims[i]),
                      el_dim(e, got->dims[i]));
            help_multiple(e, d, want->dims[i], got->dims[i]);
        }
    if (fit.what == fit_assigned)
        diag_help(d, "a variable keeps its shape: make it as large as it gets and assign to parts of it, "
                     "`x[i] = …`, or give the new value a new name");
}

static bool types_fit_later(Elab *e, const Ty *want, const Ty *got) {
    if (want->kind != TY_TENSOR || got->kind != TY_TENSOR) return false;
    const Type *x = want->tensor, *y = got->tensor;
    if (x->rank != y->rank || x->dtype != y->dtype) return false;
    for (uint32_t i = 0; i < x->rank; i++)
        if (x->dims[i] != y->dims[i] && !dim_fits_later(e, x->dims[i], y->dims[i])) return false;
    return true;
}

const Val *fit_type(Elab *e, const Ty *ty, const Val *v, Fit fit) {
    if (val_poisoned(v) || ty->kind == TY_POISON) return e->poison;
    v = meet_type(e, ty, v, fit);
    if (val_poisoned(v)) return v;
    const Ty *got = ty_of(e, v);
    if (ty_same(ty, got)) return v;
    if (fit.silent || types_fit_later(e, ty, got)) return e->poison;
    Diagnostic *d =
        diag_report(e->diags, D_TYPE_MISMATCH, fit.value, fit.what, ty_text(e, ty), val_type_text(e, v));
    diag_here(d, "this is %s", val_type_text(e, v));
    if (fit.type.source && (fit.type.start != fit.value.start || fit.type.source != fit.value.source))
        diag_label(d, fit.type, "%s is expected because of this", ty_text(e, ty));
    if (ty->kind == TY_TENSOR && got->kind == TY_TENSOR) explain_types(e, d, ty->tensor, got->tensor, fit);
    if (got->batched && !ty->batched) diag_help(d, "%s", batch_later);
    if (ty->kind == TY_MODEL && got->kind == TY_GRADIENT)
        diag_help(d, "an optimizer moves a model along a gradient: `opt.step(net, g)`");
    return e->poison;
}

/* --- signatures as symbols */
static void bind_ellipsis(Elab *e, const AstIndex *index, Scope *scope) {
    const char *name = index->name.text ? index->name.text : el_name(e, " ...");
    Found found;
    if (scope_find(e, scope, name, &found) && found.binding) return;
    const char *base = index->name.text ? index->name.text : "dim";
    const Val *items[2];
    for (unsigned i = 0; i < 2; i++)
        items[i] = val_dim(e, dim_symbol(e->ir, el_name(e, arena_printf(e->arena, "%s.%u", base, i + 1))));
    scope_bind(e, scope, name, index->span, val_tuple(e, VAL_TUPLE, 2, items), false);
}

static void bind_any_dataset(Elab *e, const AstType *type, Scope *scope) {
    Found found;
    const char *name = el_name(e, " dataset");
    if (scope_find(e, scope, name, &found)) return;
    const Ty *any = ty_new(e, (Ty){.kind = TY_DATASET});
    scope_bind(e, scope, name, type->span, val_copy(e, (Val){.kind = VAL_DATASET, .dataset = {.type = any}}),
               false);
}

static void bind_symbol(Elab *e, const char *name, Span span, Scope *scope) {
    const Dim *symbol = e->checking ? dim_symbol(e->ir, name) : dim_fresh(e->ir, name);
    scope_bind(e, scope, name, span, val_dim(e, symbol), false);
}

void bind_symbols(Elab *e, const AstType *type, Scope *scope) {
    if (is_any_dataset(type)) bind_any_dataset(e, type, scope);
    for (const AstType *part = type->parts; part; part = part->next) bind_symbols(e, part, scope);
    for (const AstIndex *d = type->dims; d; d = d->next) {
        if (d->kind == AST_INDEX_ELLIPSIS)
            bind_ellipsis(e, d, scope);
        else if (d->kind == AST_INDEX_EXPR && d->value->kind == AST_NAME &&
                 !dim_is_named(e, scope, d->value->name.text))
            bind_symbol(e, d->value->name.text, d->span, scope);
    }
}

void bind_computed(Elab *e, const AstType *type, Scope *scope) {
    for (const AstType *part = type->parts; part; part = part->next) bind_computed(e, part, scope);
    for (const AstIndex *d = type->dims; d; d = d->next) {
        const char *name = d->kind == AST_INDEX_EXPR ? dim_unknown(e, d->value, scope) : NULL;
        if (name) bind_symbol(e, name, d->span, scope);
    }
}
