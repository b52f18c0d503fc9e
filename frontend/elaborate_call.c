/* Calls. While checking, a call uses the callee's signature only; while lowering, the callee's body is
 * elaborated in place with the actual values. Either way each parameter's declared type is unified with its
 * argument. */
#include "frontend/elaborate.h"
#include "frontend/habits.h"
#include <string.h>

/* --- matching arguments with parameters */
static const char *param_names(Elab *e, const AstParam *params) {
    const char *text = "";
    for (const AstParam *p = params; p; p = p->next)
        text = arena_printf(e->arena, "%s%s`%s`", text, p == params ? "" : ", ", p->name.text);
    return text;
}

static bool is_shape(const AstParam *p) {
    return p->type && p->type->kind == AST_TYPE_NAMED && !p->type->module.text &&
           strcmp(p->type->name.text, "shape") == 0;
}

/* What the parameters that this word stands for are called here; NULL if there are none. */
static const char *renamed(Elab *e, const char *word, const char *const *names, uint32_t count) {
    const char *ours = habit_help(HABIT_PARAMETER, word);
    size_t length = ours ? strcspn(ours, " ") : 0;
    for (uint32_t i = 0; ours && i < count; i++) {
        if (strncmp(names[i], ours, length) != 0 || names[i][length]) continue;
        return ours[length]
                   ? arena_printf(e->arena, "there are `%s` and `%s` here", names[i], ours + length + 1)
                   : arena_printf(e->arena, "it is called `%s` here", names[i]);
    }
    return NULL;
}

void args_unknown(Elab *e, const char *what, const Arg *arg, const char *const *names, uint32_t count) {
    Diagnostic *d = diag_report(e->diags, D_UNKNOWN_ARG, arg->name_span, what, arg->name);
    const char *ours = renamed(e, arg->name, names, count), *habit = habit_help(HABIT_ARGUMENT, arg->name);
    const char *near = suggest(arg->name, names, count), *list = "";
    if (ours)
        diag_help(d, "%s", ours);
    else if (near)
        diag_help(d, "did you mean `%s`?", near);
    else if (habit)
        diag_help(d, "%s", habit);
    if (ours || near || count == 0) return;
    for (uint32_t i = 0; i < count; i++)
        list = arena_printf(e->arena, "%s%s`%s`", list, i ? ", " : "", names[i]);
    diag_note(d, count == 1 ? "its only parameter is %s" : "its parameters are %s", list);
}

static bool match_named(Elab *e, const char *what, const AstParam *params, const Arg *arg,
                        const Arg **slots) {
    uint32_t i = 0;
    NameList names = {0};
    for (const AstParam *p = params; p; p = p->next, i++) {
        vec_push(e->arena, &names, p->name.text);
        if (p->name.text != arg->name) continue;
        if (!slots[i]) {
            slots[i] = arg;
            return true;
        }
        Diagnostic *d = diag_report(e->diags, D_ARG_TWICE, arg->name_span, arg->name, what);
        diag_label(d, slots[i]->span, "given here already");
        if (!slots[i]->name && slots[i]->span.start > arg->name_span.start)
            diag_help(d, "what has no name stands before what has, in the order of the parameters");
        return false;
    }
    args_unknown(e, what, arg, names.at, names.count);
    return false;
}

bool args_match(Elab *e, const char *what, const AstParam *params, const Args *args, const Arg **slots,
                Span span) {
    const AstParam *next = params;
    uint32_t i = 0, count = 0;
    bool ok = true;
    for (const AstParam *p = params; p; p = p->next) count++;
    for (uint32_t k = 0; k < args->count; k++) {
        const Arg *arg = &args->at[k];
        if (arg->name) continue;
        if (next && is_shape(next)) {
            if (!slots[i]) slots[i] = arg; /* it takes all that follow */
            continue;
        }
        if (!next) {
            Diagnostic *d =
                diag_report(e->diags, D_TOO_MANY_ARGS, arg->span, what, (int)count, count == 1 ? "" : "s");
            if (params)
                diag_note(d, count == 1 ? "its only parameter is %s" : "its parameters are %s",
                          param_names(e, params));
            return false;
        }
        slots[i++] = arg;
        next = next->next;
    }
    for (uint32_t k = 0; k < args->count; k++)
        if (args->at[k].name) ok &= match_named(e, what, params, &args->at[k], slots);
    i = 0;
    for (const AstParam *p = params; p && ok; p = p->next, i++) {
        if (slots[i] || p->fallback || is_shape(p)) continue;
        Diagnostic *d = diag_report(e->diags, D_MISSING_ARG, span, what, p->name.text);
        diag_label(d, p->span, "declared here without a default");
        ok = false;
    }
    return ok;
}

/* Behind `first`, unless that is NULL. */
static Args args_of(Elab *e, const Arg *first, const AstArg *arg) {
    Args args = {0};
    args.capacity = first != NULL;
    for (const AstArg *a = arg; a; a = a->next) args.capacity++;
    args.at = ARENA_ARRAY(e->arena, Arg, args.capacity);
    if (first) args.at[args.count++] = *first;
    for (; arg; arg = arg->next)
        args.at[args.count++] =
            (Arg){arg->name.text, arg->value->span, arg->name.span, arg->value, NULL, false};
    return args;
}

static const Val *arg_value(Elab *e, const Arg *arg, const Ty *expected) {
    return arg->val ? arg->val : el_value(e, arg->expr, expected);
}

/* --- calling a fn */
typedef struct {
    const AstDecl *decl;
    const char *what;
    const Args *args;
    const Arg **slots;
    const Val **values;     /* one a parameter */
    const Target **targets; /* of inout parameters */
    Scope *root;
    Span span;
    const Ty *expected;
    bool spread; /* in index notation, element by element */
    bool failed; /* one message says what is wrong with several arguments */
} Call;

static const Val *shape_argument(Elab *e, const Call *call, uint32_t i) {
    ValList items = {0};
    const Arg *first = call->slots[i];
    for (uint32_t k = 0; k < call->args->count; k++) {
        const Arg *arg = &call->args->at[k];
        if (arg != first && (arg->name || first->name || arg < first)) continue;
        const Val *v = arg_value(e, arg, NULL);
        if (val_poisoned(v)) return v;
        uint32_t count = v->kind == VAL_TUPLE ? v->list.count : 1;
        for (uint32_t n = 0; n < count; n++) {
            const Dim *dim = dim_of(e, v->kind == VAL_TUPLE ? v->list.items[n] : v, arg->span);
            if (!dim) return e->poison;
            vec_push(e->arena, &items, val_dim(e, dim));
        }
    }
    if (items.count <= MAX_RANK) return val_tuple(e, VAL_TUPLE, items.count, items.at);
    diag_report(e->diags, D_RANK_LIMIT, call->span, MAX_RANK);
    return e->poison;
}

static bool fits_quietly(Elab *e, const Call *call, const AstParam *p, const Val *v) {
    Scope *scratch = ARENA_NEW(e->arena, Scope);
    scratch->parent = call->root;
    return v->kind != VAL_NUMBER &&
           !val_poisoned(unify(e, p->type, v, scratch, (Fit){"", p->span, p->type->span, true}));
}

/* Do two arguments fit if they change places, and not as they are? Reports it. */
static bool swapped(Elab *e, const Call *call, const AstParam *p, uint32_t i, const Val *v) {
    const Arg *arg = call->slots[i], *other;
    uint32_t k = i + 1;
    if (!e->checking || !arg || arg->name || p->broadcast || val_poisoned(v) || fits_quietly(e, call, p, v))
        return false;
    for (const AstParam *q = p->next; q && !is_shape(q); q = q->next, k++) {
        other = call->slots[k];
        if (!other || other->name || other->val || q->inout || q->broadcast) continue;
        const Val *w = el_value(e, other->expr, NULL);
        if (val_poisoned(w) || !fits_quietly(e, call, p, w) || !fits_quietly(e, call, q, v)) continue;
        const char *what = arena_printf(e->arena, "argument `%s` of %s", p->name.text, call->what);
        Diagnostic *d = diag_report(e->diags, D_TYPE_MISMATCH, arg->span, what, el_source(e, p->type->span),
                                    val_type_text(e, v));
        diag_here(d, "this is %s", val_type_text(e, v));
        diag_label(d, other->span, "this is %s", val_type_text(e, w));
        diag_label(d, p->type->span, "declared here");
        diag_help(d, "swap them: `%s` comes before `%s`", p->name.text, q->name.text);
        return true;
    }
    return false;
}

/* The variable that an `inout` parameter changes; NULL after reporting. */
static const Target *inout_target(Elab *e, const AstParam *p, const Arg *arg) {
    const AstExpr *expr = arg ? arg->expr : NULL;
    bool place = expr && (expr->kind == AST_NAME || expr->kind == AST_FIELD || expr->kind == AST_INDEXING);
    if (place) return el_target(e, expr, true);
    Diagnostic *d = diag_report(e->diags, D_NOT_ASSIGNABLE, arg ? arg->span : p->span);
    diag_label(d, p->span, "`%s` is changed by the function", p->name.text);
    diag_help(d, "pass a variable: `var value = …`, then `value` as the argument");
    return NULL;
}

/* In index notation: the parameter is one element, for each value of the indices. */
static bool bind_spread(Elab *e, Call *call, const AstParam *p, uint32_t i, const char *what) {
    const Arg *arg = call->slots[i];
    const Val *v =
        equation_fit(e, p->type, arg->val, call->root, (Fit){what, arg->span, p->type->span, false});
    Binding *b = scope_bind(e, call->root, p->name.text, p->name.span, v, false);
    b->spread = true;
    call->spread = true;
    return !val_poisoned(v);
}

/* The argument of a `broadcast` parameter at the declared shape, where it fits. */
static const Val *stretched(Elab *e, const AstParam *p, const Ty *want, const Val *v, Fit fit) {
    if (!want || want->kind != TY_TENSOR) return v;
    const Type *to = want->tensor;
    if (v->kind == VAL_NUMBER) v = op_literal_as(e, v, to->dtype, fit.value);
    if (v->kind != VAL_TENSOR || v->tensor.type->dtype != to->dtype) return v;
    const Type *from = v->tensor.type;
    for (uint32_t k = 1; k <= from->rank; k++) {
        if (k <= to->rank &&
            (from->dims[from->rank - k] == to->dims[to->rank - k] || dim_is(from->dims[from->rank - k], 1)))
            continue;
        Diagnostic *d = diag_report(e->diags, D_TYPE_MISMATCH, fit.value, fit.what, ty_text(e, want),
                                    val_type_text(e, v));
        diag_here(d, "this is %s", val_type_text(e, v));
        diag_label(d, p->type->span, "declared here");
        diag_note(d, "`%s` broadcasts: axes may be missing in front, and have 1 element", p->name.text);
        return e->poison;
    }
    return op_broadcast(e, v, to->rank, to->dims, fit.value);
}

static bool bind_param(Elab *e, Call *call, const AstParam *p, uint32_t i) {
    const Arg *arg = call->slots[i];
    if (is_shape(p)) {
        if (!arg) return true; /* the expected type may say it */
        const Val *v = shape_argument(e, call, i);
        if (val_poisoned(v)) return false;
        scope_bind(e, call->root, p->name.text, arg->span, v, false);
        return true;
    }
    const Ty *expected = ty_resolve(e, p->type, call->root, true);
    const Val *v;
    Span span = arg ? arg->span : p->fallback->span;
    if (arg) {
        v = arg_value(e, arg, expected);
    } else {
        Scope *outside = e->scope;
        e->scope = call->root;
        v = el_value(e, p->fallback, expected);
        e->scope = outside;
    }
    if (p->inout && !(call->targets[i] = inout_target(e, p, arg))) return false;
    if (swapped(e, call, p, i, v)) {
        call->failed = true;
        return false;
    }
    const char *what = arena_printf(e->arena, "argument `%s` of %s", p->name.text, call->what);
    if (arg && arg->spread) return bind_spread(e, call, p, i, what);
    if (p->broadcast) v = stretched(e, p, expected, v, (Fit){what, span, p->type->span, false});
    v = unify(e, p->type, v, call->root, (Fit){what, span, p->type->span, false});
    call->values[i] = v;
    Binding *b = scope_bind(e, call->root, p->name.text, p->name.span, v, p->inout);
    if (!val_poisoned(v)) b->type = ty_of(e, v);
    return !val_poisoned(v);
}

/* Dimensions that are computed from names which a later argument bound, or none did. */
static bool check_again(Elab *e, Call *call, const AstParam *p, uint32_t i) {
    if (is_shape(p) || !call->values[i]) return true;
    const char *what = arena_printf(e->arena, "argument `%s` of %s", p->name.text, call->what);
    Span span = call->slots[i] ? call->slots[i]->span : call->span;
    return unify_again(e, p->type, call->values[i], call->root, (Fit){what, span, p->type->span, false});
}

/* Of two copies back into one place, one would be lost. True after reporting. */
static bool changes_twice(Elab *e, const Call *call, const Target *receiver) {
    uint32_t i = 0;
    for (const AstParam *p = call->decl->fn.params; p; p = p->next, i++) {
        const Target *target = call->targets[i];
        Span before = {0};
        if (target && receiver && targets_overlap(target, receiver)) before = receiver->span;
        for (uint32_t k = 0; k < i && target; k++)
            if (call->targets[k] && targets_overlap(target, call->targets[k]))
                before = call->targets[k]->span;
        if (!before.source) continue;
        Diagnostic *d = diag_report(e->diags, D_INOUT_TWICE, target->span, call->what);
        diag_here(d, "changed as `%s`", p->name.text);
        diag_label(d, before, "and here");
        diag_help(d, "give one of them a copy: `var copy = %s`", el_source(e, target->span));
        return true;
    }
    return false;
}

static bool bind_arguments(Elab *e, Call *call, const Ty *expected) {
    const AstParam *params = call->decl->fn.params;
    uint32_t i = 0;
    bool ok = true;
    /* After a mistake the other arguments are looked at, but no default: it may depend on what failed. */
    for (const AstParam *p = params; p && !call->failed; p = p->next, i++)
        if (ok || call->slots[i]) ok &= bind_param(e, call, p, i);
    i = 0;
    for (const AstParam *p = params; p && ok; p = p->next, i++) ok &= check_again(e, call, p, i);
    if (!ok) return false;
    if (call->decl->fn.result) unify_expected(e, call->decl->fn.result, expected, call->root);
    for (const AstParam *p = params; p; p = p->next) {
        Found found;
        if (is_shape(p) && !(scope_find(e, call->root, p->name.text, &found) && found.binding))
            scope_bind(e, call->root, p->name.text, p->name.span, val_tuple(e, VAL_TUPLE, 0, NULL), false);
    }
    return true;
}

/* A scope for a body: parameters in it, then the model's fields and hyperparameters, then the module's names.
 */
static Scope *body_scope(Elab *e, Unit *unit, const Val *self) {
    Scope *root = scope_root(e, unit);
    if (!self) return root;
    root->parent = self->model.type->scope;
    root->self = ARENA_NEW(e->arena, Binding);
    *root->self = (Binding){.name = el_name(e, " self"), .value = self, .is_mutable = true};
    return root;
}

/* Is the same body being elaborated already? Reports the way round. */
static bool recursive(Elab *e, const AstDecl *decl, const Val *self, Span span) {
    for (const Frame *f = e->frame; f; f = f->caller) {
        if (f->decl != decl || (self && f->self && self->model.type != f->self->model.type)) continue;
        const char *way = decl->name.text;
        for (const Frame *g = e->frame; g && g != f; g = g->caller)
            way = arena_printf(e->arena, "%s ← %s", way, g->decl->name.text);
        Diagnostic *d = diag_report(e->diags, D_RECURSION, span, decl->name.text);
        diag_note(d, "%s ← %s: calls are expanded where they are made, so they can't go round", way,
                  decl->name.text);
        diag_help(d, "use `for` or `while`");
        return true;
    }
    return false;
}

static const Val *body_value(Elab *e, Frame *frame, Span span) {
    const AstDecl *decl = frame->decl;
    if (frame->spread) return equation_body(e, frame);
    if (decl->fn.value) {
        const Val *v = el_expr(e, decl->fn.value, frame->result);
        if (!frame->result) return v;
        Span declared = decl->fn.result ? decl->fn.result->span : decl->name.span;
        if (v->kind == VAL_UNIT || v->kind == VAL_FUNCTION || v->kind == VAL_DECL)
            v = el_value(e, decl->fn.value, frame->result);
        return fit_type(e, frame->result, v, (Fit){"the result", decl->fn.value->span, declared, false});
    }
    el_stmts(e, decl->fn.body);
    if (!frame->result) return e->unit;
    bool returned = false;
    if (val_static_bool(frame->returned->value, &returned) && returned) return frame->value->value;
    Diagnostic *d =
        diag_report(e->diags, D_NO_RETURN, decl->name.span, decl->name.text, ty_text(e, frame->result));
    if (frame->value->value) diag_note(d, "there are ways through it without a `return`");
    (void)span;
    return e->poison;
}

const Val *call_body(Elab *e, Frame *frame, Span span) {
    Scope *outside = e->scope;
    Span site = e->site;
    uint32_t reported = diagnostics_count(e->diags);
    frame->call = span;
    if (!e->site.source || !module_is_library(e->modules, span.source)) e->site = span;
    frame_push(e, frame);
    const Val *v = body_value(e, frame, span);
    frame_pop(e);
    e->scope = outside;
    e->site = site;
    if (!e->checking && span.source && !module_is_library(e->modules, span.source))
        diagnostics_called(e->diags, reported, span, "called here", el_of_library, e->modules);
    return v;
}

static bool changed(Elab *e, const Val *a, const Val *b) {
    ValList x = {0}, y = {0};
    val_leaves(e, a, &x);
    val_leaves(e, b, &y);
    for (uint32_t i = 0; i < x.count && i < y.count; i++)
        if (!val_same_leaf(x.at[i], y.at[i])) return true;
    return false;
}

/* inout parameters and the method's model go back where they came from. */
static void copy_out(Elab *e, const Call *call, const Val *f) {
    uint32_t i = 0;
    for (const AstParam *p = call->decl->fn.params; p; p = p->next, i++) {
        if (!p->inout || !call->targets[i]) continue;
        for (const Binding *b = call->root->bindings; b; b = b->next)
            if (b->name == p->name.text && b->value) target_write(e, call->targets[i], b->value, call->span);
    }
    const Val *self = f->function.self;
    if (!self || !changed(e, self, call->root->self->value)) return;
    const Target *receiver = f->function.receiver;
    if (receiver && receiver->root->is_mutable) {
        target_write(e, receiver, call->root->self->value, call->span);
        return;
    }
    const char *name = receiver && receiver->root->name[0] != ' ' ? receiver->root->name : "the model";
    Diagnostic *d = diag_report(e->diags, D_IMMUTABLE, call->span, name);
    diag_note(d, "`%s` changes the state of the model that it is called on", call->decl->name.text);
    if (!receiver) return;
    diag_label(d, receiver->root->span, "declared here");
    help_mutable(d, receiver->root);
}

/* The declared type of the result, NULL where there is none. */
static const Ty *result_type(Elab *e, const Call *call) {
    if (!call->decl->fn.result) return NULL;
    Span outside = e->calling;
    e->calling = call->span;
    const Ty *ty = ty_resolve(e, call->decl->fn.result, call->root, true);
    e->calling = outside;
    if (ty) return ty;
    Span result = call->decl->fn.result->span;
    Diagnostic *d = diag_report(e->diags, D_RESULT_SHAPE, call->span, call->decl->name.text);
    diag_label(d, result, "its result is %s", el_source(e, result));
    if (call->expected)
        diag_help(d, "%s, which is expected here, is not of that form", ty_text(e, call->expected));
    else
        diag_help(d, "declare the type where it is used: `let x: %s = …`",
                  strcmp(el_source(e, result), "dataset") == 0 ? "dataset(float[4], int)" : "…");
    return ty_new(e, (Ty){.kind = TY_POISON});
}

/* --- recursion, seen while checking, where calls are not expanded: who calls whom */
struct Caller {
    Caller *next; /* of the same body */
    const AstDecl *decl;
    const void *model; /* of a method */
    Callee *callees;
    Caller *via;     /* in the last search for a way that came here: from where */
    uint32_t search; /* … and which that was */
};

struct Callee {
    Callee *next;
    Caller *body;
};

static Caller *caller_of(Elab *e, const AstDecl *decl, const Val *self) {
    const void *model = self ? self->model.type : NULL;
    for (Caller *c = e->callers; c; c = c->next)
        if (c->decl == decl && c->model == model) return c;
    Caller *c = ARENA_NEW(e->arena, Caller);
    *c = (Caller){.next = e->callers, .decl = decl, .model = model};
    return e->callers = c;
}

/* "a → b → c" from one body to another along calls; NULL where there is no way. `search` is another number
 * each time. */
static const char *way_to(Elab *e, Caller *from, const Caller *to, uint32_t search) {
    VEC(Caller *) reached = {0};
    from->search = search;
    vec_push(e->arena, &reached, from);
    for (uint32_t i = 0; i < reached.count; i++) {
        Caller *body = reached.at[i];
        for (const Callee *c = body->callees; c && body != to; c = c->next) {
            if (c->body->search == search) continue;
            c->body->search = search;
            c->body->via = body;
            vec_push(e->arena, &reached, c->body);
        }
        if (body != to) continue;
        const char *way = body->decl->name.text;
        for (; body != from; body = body->via)
            way = arena_printf(e->arena, "%s → %s", body->via->decl->name.text, way);
        return way;
    }
    return NULL;
}

/* Notes the call; reports it where it closes a circle. */
static bool calls_itself(Elab *e, const Call *call, const Val *f) {
    if (!e->frame || e->frame->decl->kind != AST_FN) return false;
    Caller *body = caller_of(e, e->frame->decl, e->frame->self);
    Caller *callee = caller_of(e, f->function.decl, f->function.self);
    const char *way = way_to(e, callee, body, ++e->searches);
    if (way) {
        Diagnostic *d = diag_report(e->diags, D_RECURSION, call->span, body->decl->name.text);
        diag_note(d, "%s → %s: calls are expanded where they are made, so they can't go round",
                  body->decl->name.text, way);
        diag_help(d, "use `for` or `while`");
        return true;
    }
    Callee *edge = ARENA_NEW(e->arena, Callee);
    *edge = (Callee){.next = body->callees, .body = callee};
    body->callees = edge;
    return false;
}

/* A result whose type is missing, which is reported where the function is declared. */
static bool lacks_type(const AstDecl *decl) {
    return !decl->fn.result && (decl->fn.value || syntax_returns_value(decl->fn.body));
}

static const Val *signature_result(Elab *e, const Call *call) {
    uint32_t i = 0;
    for (const AstParam *p = call->decl->fn.params; p; p = p->next, i++)
        if (p->inout && call->targets[i])
            target_write(e, call->targets[i], val_fresh(e, ty_of(e, call->values[i]), NULL, call->span),
                         call->span);
    if (lacks_type(call->decl)) return e->poison;
    const Ty *ty = result_type(e, call);
    return ty ? val_fresh(e, ty, NULL, call->span) : e->unit;
}

/* The field or variable that the place ends in. */
static Span declared_at(const Target *place) {
    const Val *v = place->root->value;
    Span span = place->root->span;
    for (uint32_t i = 0; i < place->count && v; i++) {
        const TargetStep *step = &place->steps[i];
        if (step->kind == STEP_SELECT) break;
        if (step->kind == STEP_FIELD) span = v->model.type->member[step->index].decl->name.span;
        v = step->kind == STEP_FIELD ? v->model.fields[step->index] : v->list.items[step->index];
    }
    return span;
}

/* Messages call a model that is called by its own name, and show where it was made. */
static void describe_called(Elab *e, Call *call, const Val *f, const AstExpr *written) {
    const char *name = el_source(e, written->span);
    if (strcmp(name, "…") != 0) call->what = arena_printf(e->arena, "`%s`", name);
    if (!f->function.receiver || f->function.self->model.type->hypers == 0) return;
    call->root->called = declared_at(f->function.receiver);
    if (call->root->called.source)
        call->root->called_text =
            arena_printf(e->arena, "`%s` is %s", name, val_type_text(e, f->function.self));
}

/* `written`: the model that is called, as written, or NULL where a function is called by its own name. */
static const Val *call_function(Elab *e, const Val *f, const AstExpr *written, const Args *args,
                                const Ty *expected, Span span) {
    const AstDecl *decl = f->function.decl;
    uint32_t count = 1;
    for (const AstParam *p = decl->fn.params; p; p = p->next) count++;
    Call call = {.decl = decl, .args = args, .span = span, .expected = expected};
    call.what = arena_printf(e->arena, "`%s`", decl->name.text);
    call.slots = ARENA_ARRAY(e->arena, const Arg *, count);
    call.values = ARENA_ARRAY(e->arena, const Val *, count);
    call.targets = ARENA_ARRAY(e->arena, const Target *, count);
    call.root = body_scope(e, f->function.unit, f->function.self);
    if (written && e->checking) describe_called(e, &call, f, written);
    if (!args_match(e, call.what, decl->fn.params, args, call.slots, span)) return e->poison;
    if (!bind_arguments(e, &call, expected) || changes_twice(e, &call, f->function.receiver))
        return e->poison;
    el_queue(e, decl, f->function.unit, f->function.self);
    if (e->checking) return calls_itself(e, &call, f) ? e->poison : signature_result(e, &call);
    if (recursive(e, decl, f->function.self, span)) return e->poison;
    Frame frame = {.decl = decl, .self = f->function.self, .root = call.root};
    frame.result = result_type(e, &call);
    frame.spread = call.spread;
    const Val *v = call_body(e, &frame, span);
    copy_out(e, &call, f);
    return v;
}

/* --- entry */
static const Val *call_model(Elab *e, const Val *model, const AstExpr *expr, const Args *args,
                             const Ty *expected, Span span) {
    const ModelType *type = model->model.type;
    const AstDecl *forward = model->model.gradient ? NULL : model_method(type, el_name(e, "forward"));
    if (!forward) {
        Diagnostic *d = diag_report(e->diags, D_NOT_CALLABLE, span, val_type_text(e, model));
        if (!model->model.gradient)
            diag_help(d, "calling a model calls its method `forward`, which it doesn't have");
        return e->poison;
    }
    const Target *receiver = expr ? el_target(e, expr, false) : NULL;
    Val f = {.kind = VAL_FUNCTION, .function = {forward, type->unit, model, receiver}};
    return call_function(e, &f, expr, args, expected, span);
}

/* `x |> nn.Linear(4, 4)`: a model is made before it is called. */
static const Val *piped_into_model(Elab *e, const Val *callee, const AstExpr *expr, Span span) {
    Diagnostic *d = diag_report(e->diags, D_NOT_CALLABLE, span, val_type_text(e, callee));
    if (callee->decl.decl->kind == AST_MODEL)
        diag_help(d, "`%s(…)` makes a model: declare a field `layer = %s(…)`, then write `x |> layer`",
                  expr ? el_source(e, expr->span) : callee->decl.decl->name.text,
                  expr ? el_source(e, expr->span) : callee->decl.decl->name.text);
    return e->poison;
}

const Val *call_value(Elab *e, const Val *callee, const AstExpr *expr, const Args *args, const Ty *expected,
                      Span span) {
    if (!el_budget(e, span)) return e->poison;
    switch (callee->kind) {
    case VAL_POISON: return callee;
    case VAL_FUNCTION: return call_function(e, callee, NULL, args, expected, span);
    case VAL_DECL:
        if (args->count && args->at[0].val) return piped_into_model(e, callee, expr, span);
        if (callee->decl.decl->kind == AST_MODEL)
            return model_construct(e, callee->decl.decl, callee->decl.unit, args, span);
        if (callee->decl.decl->kind == AST_OPTIMIZER)
            return optimizer_construct(e, callee->decl.decl, callee->decl.unit, args, span);
        break;
    case VAL_MODEL: return call_model(e, callee, expr, args, expected, span);
    case VAL_BUILTIN: return builtin_call(e, callee, args, expected, span);
    case VAL_DTYPE: return builtin_cast(e, callee->dtype, args, span);
    case VAL_UNIT:
    case VAL_NUMBER:
    case VAL_TENSOR:
    case VAL_STRING:
    case VAL_TUPLE:
    case VAL_LIST:
    case VAL_RANGE:
    case VAL_OPTIMIZER:
    case VAL_DATASET:
    case VAL_MODULE: break;
    }
    Diagnostic *d = diag_report(e->diags, D_NOT_CALLABLE, expr ? expr->span : span, val_type_text(e, callee));
    if (expr && expr->kind == AST_NAME && builtin_find(e, expr->name.text))
        diag_help(d, "this `%s` hides the builtin function: give it another name", expr->name.text);
    else if (callee->kind == VAL_DECL)
        diag_help(d, "a command is started by who runs the program: move what both need into a `fn`");
    else if (callee->kind == VAL_LIST && callee->list.count && callee->list.items[0]->kind == VAL_MODEL)
        diag_help(d, "apply its items one after the other: `for layer in %s { x = layer(x) }`",
                  expr ? el_source(e, expr->span) : "layers");
    else if (callee->kind == VAL_TENSOR || callee->kind == VAL_LIST || callee->kind == VAL_TUPLE)
        diag_help(d, "elements are in brackets: `x[i]`; a product is written `x * y`");
    else if (callee->kind == VAL_NUMBER)
        diag_help(d, "a product is written `2 * x`");
    return e->poison;
}

const Val *call_expr(Elab *e, const AstExpr *callee, const Args *args, const Ty *expected, Span span) {
    const AstExpr *again = remat_of(e, callee);
    if (again) return remat_call(e, again, args, expected, span);
    if (callee->kind != AST_FIELD)
        return call_value(e, el_expr(e, callee, NULL), callee, args, expected, span);
    const Val *object = el_expr(e, callee->field.object, NULL);
    AstName name = callee->field.field;
    bool known = false;
    if (object->kind == VAL_DATASET) {
        const Val *v = data_method(e, object, name.text, args, span, &known);
        if (known) return v;
    }
    if (object->kind == VAL_OPTIMIZER && strcmp(name.text, "step") == 0)
        return optimizer_step(e, callee->field.object, args, span);
    return call_value(e, el_field(e, object, name, callee->span, callee->field.object), callee, args,
                      expected, span);
}

const Val *el_call(Elab *e, const AstExpr *expr, const Ty *expected) {
    Args args = args_of(e, NULL, expr->call.args);
    return call_expr(e, expr->call.callee, &args, expected, expr->span);
}

const Val *el_pipe(Elab *e, const AstExpr *expr, const Ty *expected) {
    const AstExpr *left = expr->binary.left, *right = expr->binary.right;
    const Val *v = el_value(e, left, NULL);
    if (val_poisoned(v)) return v;
    bool called = right->kind == AST_CALL && !remat_of(e, right);
    const Arg first = {NULL, left->span, {0}, NULL, v, false};
    Args args = args_of(e, &first, called ? right->call.args : NULL);
    const AstExpr *callee = called ? right->call.callee : right;
    return call_expr(e, callee, &args, expected, right->span);
}

/* --- checking a declaration against its signature */
static void shape_comes_later(Elab *e, const AstParam *p) {
    Diagnostic *d = diag_report(e->diags, D_BROADCAST_PARAM, p->type->span, p->name.text);
    diag_help(d, "all names in its shape are those of parameters before it");
}

static void bind_signature(Elab *e, const AstDecl *decl, Scope *root) {
    const char *gradient = el_name(e, " gradient");
    for (const AstParam *p = decl->fn.params; p; p = p->next) {
        if (is_shape(p)) {
            const Val *items[2] = {
                val_dim(e, dim_symbol(e->ir, el_name(e, arena_printf(e->arena, "%s.1", p->name.text)))),
                val_dim(e, dim_symbol(e->ir, el_name(e, arena_printf(e->arena, "%s.2", p->name.text))))};
            scope_bind(e, root, p->name.text, p->name.span, val_tuple(e, VAL_TUPLE, 2, items), false);
        } else {
            if (p->broadcast && !ty_resolve(e, p->type, root, true)) shape_comes_later(e, p);
            bind_symbols(e, p->type, root);
        }
    }
    if (decl->fn.result) bind_symbols(e, decl->fn.result, root);
    for (const AstParam *p = decl->fn.params; p && !decl->fn.exported; p = p->next)
        if (!is_shape(p)) bind_computed(e, p->type, root);
    if (decl->fn.result && !decl->fn.exported) bind_computed(e, decl->fn.result, root);
    for (const AstParam *p = decl->fn.params; p; p = p->next) {
        if (is_shape(p)) continue;
        const Ty *ty = ty_resolve(e, p->type, root, false);
        const Val *v = val_fresh(e, ty, p->name.text, p->span);
        Binding *b = scope_bind(e, root, p->name.text, p->name.span, v, p->inout);
        b->kind = BOUND_PARAM;
        if (!val_poisoned(v)) b->type = ty_of(e, v);
        if (ty->kind == TY_GRADIENT && !val_poisoned(v))
            scope_bind(e, root, gradient, p->span,
                       val_copy(e, (Val){.kind = VAL_MODEL, .model = {.type = v->model.type}}), false);
    }
}

/* Defaults without a shape of their own; the others are checked where a call uses them. */
static void check_defaults(Elab *e, const AstDecl *decl, Scope *root) {
    Scope *outside = e->scope;
    e->scope = root;
    for (const AstParam *p = decl->fn.params; p; p = p->next) {
        if (!p->fallback || is_shape(p)) continue;
        const Ty *ty = p->type->dims ? NULL : ty_resolve(e, p->type, root, true);
        const Val *v = el_value(e, p->fallback, ty);
        const char *what = arena_printf(e->arena, "the default of `%s`", p->name.text);
        if (ty) fit_type(e, ty, v, (Fit){what, p->fallback->span, p->type->span, false});
    }
    e->scope = outside;
}

static void no_result_type(Elab *e, const AstDecl *decl, const Val *v) {
    Diagnostic *d = diag_report(e->diags, D_NO_RESULT_TYPE, decl->name.span, decl->name.text);
    diag_label(d, decl->fn.value->span, "this is %s", val_type_text(e, v));
    if (v->kind == VAL_UNIT)
        diag_help(d, "a function without a result has a block: `fn %s(…) { … }`", decl->name.text);
    else
        diag_help(d, "write the type of its value: `-> %s`", val_type_text(e, v));
}

void check_declaration(Elab *e, const CheckItem *item) {
    const AstDecl *decl = item->decl;
    Scope *root = body_scope(e, item->unit, item->self);
    bind_signature(e, decl, root);
    check_defaults(e, decl, root);
    Frame frame = {.decl = decl, .self = item->self, .root = root};
    if (decl->fn.result) frame.result = ty_resolve(e, decl->fn.result, root, false);
    const Val *v = call_body(e, &frame, decl->name.span);
    if (decl->fn.value && !decl->fn.result && !val_poisoned(v)) no_result_type(e, decl, v);
}
