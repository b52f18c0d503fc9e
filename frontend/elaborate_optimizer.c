/* Optimizers: a value with its settings, one value of each state per parameter element, and the number of
 * steps made. A step elaborates `update` once for every parameter of the model. */
#include "frontend/elaborate.h"
#include <string.h>

static const AstDecl *update_of(const AstDecl *decl) {
    for (const AstDecl *d = decl->model.members; d; d = d->next)
        if (d->kind == AST_FN && strcmp(d->name.text, "update") == 0) return d;
    return NULL;
}

static uint32_t state_count(const AstDecl *decl) {
    uint32_t count = 0;
    for (const AstDecl *d = decl->model.members; d; d = d->next) count += d->kind == AST_STATE_FIELD;
    return count;
}

/* What `float` is in an optimizer, and its states are: 16 bits make 1 of a decay of 0.999, and lose what a
 * mean moves by. */
static DType wide_float(const Elab *e) { return dtype_bytes(e->float_type) < 4 ? DTYPE_f32 : e->float_type; }

static const Val *zero_leaf(Elab *e, const Val *leaf, Span span, void *user) {
    (void)user;
    return val_zero(e, ty_tensor(e, type_with_dtype(e->ir, leaf->tensor.type, wide_float(e))), span);
}

/* The model argument: the first, or `model=`. NULL after reporting. */
static const Val *model_argument(Elab *e, const AstDecl *decl, const Args *args, Span span) {
    const char *what = arena_printf(e->arena, "`%s`", decl->name.text);
    if (!args->count || args->at[0].name) {
        Diagnostic *d = diag_report(e->diags, D_MISSING_ARG, span, what, "model");
        diag_help(d, "the first argument is the model whose parameters it will move: `%s(net, …)`",
                  decl->name.text);
        return NULL;
    }
    const Arg *arg = &args->at[0];
    const Val *v = arg->val ? arg->val : el_value(e, arg->expr, NULL);
    if (val_poisoned(v)) return NULL;
    if (v->kind == VAL_MODEL && !v->model.gradient) return v;
    diag_report(e->diags, D_TYPE_MISMATCH, arg->span,
                arena_printf(e->arena, "the first argument of %s", what), "a model", val_type_text(e, v));
    return NULL;
}

static bool float_leaves(Elab *e, const Val *model, Span span) {
    ValList leaves = {0};
    NameList names = {0};
    model_leaves(e, model, false, &leaves, &names, "");
    for (uint32_t i = 0; i < leaves.count; i++) {
        if (leaves.at[i]->tensor.type->dtype == e->float_type) continue;
        Diagnostic *d = diag_report(e->diags, D_UNSUPPORTED, span,
                                    "an optimizer for parameters of a type other than `float`");
        diag_note(d, "parameter `%s` is %s", names.at[i], val_type_text(e, leaves.at[i]));
        return false;
    }
    return true;
}

typedef struct {
    DType from, to;
    Span span;
} FloatChange;

static const Val *change_leaf(Elab *e, const Val *leaf, void *user) {
    const FloatChange *c = user;
    bool changes = leaf->kind == VAL_TENSOR && leaf->tensor.type->dtype == c->from;
    return changes ? val_cast(e, leaf, c->to, c->span) : leaf;
}

static const Ty *setting_type(Elab *e, const AstParam *p, Scope *scope, DType float_type) {
    DType outside = e->float_type;
    e->float_type = float_type;
    const Ty *ty = ty_resolve(e, p->type, scope, false);
    e->float_type = outside;
    return ty;
}

/* What an argument or a default is where `float` is that. */
static const Val *value_as(Elab *e, const AstExpr *expr, const Ty *ty, DType float_type) {
    DType outside = e->float_type;
    e->float_type = float_type;
    const Val *v = el_value(e, expr, ty);
    e->float_type = outside;
    return v;
}

/* A setting's value from its argument, or its default. Of numbers that are known none is rounded to 16 bits.
 */
static const Val *setting_value(Elab *e, const AstParam *p, const Arg *arg, Scope *scope, const char *what) {
    DType narrow = e->float_type, wide = wide_float(e);
    const Ty *ty = setting_type(e, p, scope, wide);
    const AstExpr *expr = arg ? arg->expr : p->fallback;
    Scope *outside = e->scope;
    if (!arg) e->scope = scope;
    const Val *v = arg && arg->val ? arg->val : value_as(e, expr, ty, arg ? narrow : wide);
    if (arg && arg->expr && narrow != wide && v->kind == VAL_TENSOR && v->tensor.known && !v->tensor.value)
        v = value_as(e, expr, ty, wide);
    e->scope = outside;
    Span span = arg ? arg->span : expr->span;
    if (!ty_same(ty, setting_type(e, p, scope, narrow)))
        v = val_map(e, v, change_leaf, &(FloatChange){narrow, wide, span});
    return fit_type(
        e, ty, v,
        (Fit){arena_printf(e->arena, "setting `%s` of %s", p->name.text, what), span, p->span, false});
}

const Val *optimizer_construct(Elab *e, const AstDecl *decl, Unit *unit, const Args *args, Span span) {
    const Val *model = model_argument(e, decl, args, span);
    if (!model || !float_leaves(e, model, span)) return e->poison;
    const char *what = arena_printf(e->arena, "`%s`", decl->name.text);
    uint32_t count = 1, i = 0;
    for (const AstParam *p = decl->model.params; p; p = p->next) count++;
    Args rest = {0};
    for (uint32_t k = 1; k < args->count; k++) vec_push(e->arena, &rest, args->at[k]);
    const Arg **slots = ARENA_ARRAY(e->arena, const Arg *, count);
    if (!args_match(e, what, decl->model.params, &rest, slots, span)) return e->poison;
    const Val **settings = ARENA_ARRAY(e->arena, const Val *, count);
    Scope *scope = scope_root(e, unit);
    for (const AstParam *p = decl->model.params; p; p = p->next, i++) {
        settings[i] = setting_value(e, p, slots[i], scope, what);
        if (val_poisoned(settings[i])) return e->poison;
        scope_bind(e, scope, p->name.text, p->name.span, settings[i], false);
    }
    uint32_t states = state_count(decl);
    const Val **state = ARENA_ARRAY(e->arena, const Val *, states);
    ValList leaves = {0};
    model_leaves(e, model, false, &leaves, NULL, NULL);
    const Val *shape = model_gradient(e, model, leaves.at);
    for (uint32_t k = 0; k < states; k++) state[k] = gradient_map(e, shape, zero_leaf, span, NULL);
    el_queue(e, decl, unit, NULL);
    Val v = {.kind = VAL_OPTIMIZER};
    v.optimizer.decl = decl;
    v.optimizer.unit = unit;
    v.optimizer.model = model->model.type;
    v.optimizer.settings = i;
    v.optimizer.setting = settings;
    v.optimizer.states = states;
    v.optimizer.state = state;
    v.optimizer.step = val_dim(e, dim_const(e->ir, 0));
    return val_copy(e, v);
}

const Val *optimizer_setting(Elab *e, const Val *opt, const AstParam *p, uint32_t i, Span span) {
    const Val *v = opt->optimizer.setting[i];
    DType narrow = e->float_type, wide = wide_float(e);
    Scope *scope = scope_root(e, opt->optimizer.unit);
    bool same = ty_same(setting_type(e, p, scope, wide), setting_type(e, p, scope, narrow));
    return same ? v : val_map(e, v, change_leaf, &(FloatChange){wide, narrow, span});
}

/* --- one parameter */
typedef struct {
    const AstDecl *decl;
    Unit *unit;
    const Val *const *settings;
    const Val *step;
    const Val **states; /* in: before; out: after */
    Span span;
} Update;

/* Elaborates `update` for one parameter; its new value. No derivative passes through what training has made
 * of a value, as in PyTorch: the critic of an adversarial pair isn't a function of what it was trained on. */
static const Val *update_leaf(Elab *e, Update *u, const Val *p, const Val *g) {
    const AstDecl *update = update_of(u->decl);
    DType narrow = e->float_type, wide = wide_float(e);
    Scope *root = scope_root(e, u->unit);
    uint32_t i = 0;
    for (const AstParam *s = u->decl->model.params; s; s = s->next)
        scope_bind(e, root, s->name.text, s->name.span, u->settings[i++], false);
    Binding **states = ARENA_ARRAY(e->arena, Binding *, 1 + state_count(u->decl));
    i = 0;
    for (const AstDecl *d = u->decl->model.members; d; d = d->next)
        if (d->kind == AST_STATE_FIELD) {
            states[i] = scope_bind(e, root, d->name.text, d->name.span, u->states[i], true);
            i++;
        }
    const Val *arguments[3] = {val_cast(e, p, wide, u->span), val_cast(e, g, wide, u->span), u->step};
    const AstParam *param = update->fn.params;
    for (i = 0; i < 3 && param; i++, param = param->next)
        scope_bind(e, root, param->name.text, param->name.span, arguments[i], false);
    Frame frame = {.decl = update, .root = root, .result = ty_of(e, arguments[0])};
    e->float_type = wide;
    const Val *moved = call_body(e, &frame, u->span);
    e->float_type = narrow;
    for (i = 0; i < state_count(u->decl); i++) u->states[i] = val_stopped(e, states[i]->value, u->span);
    return val_stopped(e, val_cast(e, moved, narrow, u->span), u->span);
}

static bool well_formed(Elab *e, const AstDecl *decl) {
    const AstDecl *update = update_of(decl);
    uint32_t params = 0;
    if (update)
        for (const AstParam *p = update->fn.params; p; p = p->next) params++;
    if (update && params == 3) return true;
    Diagnostic *d =
        diag_report(e->diags, D_NO_UPDATE, update ? update->name.span : decl->name.span, decl->name.text);
    diag_help(d, "write `fn update(p, g, t) = …`: the parameter's new value from the parameter, its gradient "
                 "and the number of the step");
    return false;
}

void optimizer_check(Elab *e, const AstDecl *decl, Unit *unit) {
    if (!well_formed(e, decl)) return;
    const Dim *n = dim_symbol(e->ir, "elements");
    DType narrow = e->float_type;
    e->float_type = wide_float(e);
    const Ty *leaf = ty_tensor(e, type_tensor(e->ir, e->float_type, 1, &n));
    uint32_t count = 1, i = 0;
    for (const AstParam *p = decl->model.params; p; p = p->next) count++;
    const Val **settings = ARENA_ARRAY(e->arena, const Val *, count);
    for (const AstParam *p = decl->model.params; p; p = p->next)
        settings[i++] = val_fresh(e, ty_resolve(e, p->type, unit->scope, false), p->name.text, p->span);
    const Val **states = ARENA_ARRAY(e->arena, const Val *, 1 + state_count(decl));
    for (uint32_t k = 0; k < state_count(decl); k++) states[k] = val_fresh(e, leaf, NULL, decl->span);
    const Val *step = val_fresh(e, ty_tensor(e, type_scalar(e->ir, DTYPE_i64)), "t", decl->span);
    Update u = {decl, unit, settings, step, states, decl->name.span};
    update_leaf(e, &u, val_fresh(e, leaf, "p", decl->span), val_fresh(e, leaf, "g", decl->span));
    e->float_type = narrow;
}

/* --- a step */
static void unknown_setting(Elab *e, const Val *opt, const char *what, const Arg *arg) {
    NameList names = {0};
    for (const AstParam *p = opt->optimizer.decl->model.params; p; p = p->next)
        vec_push(e->arena, &names, p->name.text);
    args_unknown(e, what, arg, names.at, names.count);
}

static bool step_settings(Elab *e, const Val *opt, const Args *args, const Val **settings) {
    const char *what = arena_printf(e->arena, "`%s.step`", opt->optimizer.decl->name.text);
    for (uint32_t k = 2; k < args->count; k++) {
        const Arg *arg = &args->at[k];
        uint32_t i = 0;
        const AstParam *p = opt->optimizer.decl->model.params;
        while (p && p->name.text != arg->name) p = p->next, i++;
        if (!arg->name) {
            diag_report(e->diags, D_TOO_MANY_ARGS, arg->span, what, 2, "s");
            return false;
        }
        if (!p) {
            unknown_setting(e, opt, what, arg);
            return false;
        }
        settings[i] = setting_value(e, p, arg, e->scope, what);
        if (val_poisoned(settings[i])) return false;
    }
    return true;
}

/* A copy per parameter, so that what a step leaves in them is known by number. */
static void leaves_of(Elab *e, const Val *v, ValList *out) { model_leaves(e, v, false, out, NULL, NULL); }

static void run_step(Elab *e, const Val *opt, const Target *opt_at, const Val *net, const Target *net_at,
                     const Val *g, const Val *const *settings, Span span) {
    uint32_t states = opt->optimizer.states;
    ValList params = {0}, gradients = {0}, *state = ARENA_ARRAY(e->arena, ValList, states + 1);
    leaves_of(e, net, &params);
    leaves_of(e, g, &gradients);
    for (uint32_t k = 0; k < states; k++) leaves_of(e, opt->optimizer.state[k], &state[k]);
    Val next = *opt;
    next.optimizer.step = op_binary(e, AST_ADD, opt->optimizer.step, span, val_integer(e, 1), span, span);
    next.optimizer.step = val_of(e, val_value(e, next.optimizer.step, span));
    for (uint32_t i = 0; i < params.count; i++) {
        const Val **own = ARENA_ARRAY(e->arena, const Val *, states + 1);
        for (uint32_t k = 0; k < states; k++) own[k] = state[k].at[i];
        Update u = {opt->optimizer.decl, opt->optimizer.unit, settings, next.optimizer.step, own, span};
        const Val *moved = update_leaf(e, &u, params.at[i], gradients.at[i]);
        if (val_poisoned(moved)) return;
        params.at[i] = moved;
        for (uint32_t k = 0; k < states; k++) state[k].at[i] = own[k];
    }
    const Val **after = ARENA_ARRAY(e->arena, const Val *, states + 1);
    for (uint32_t k = 0; k < states; k++) after[k] = model_gradient(e, opt->optimizer.state[k], state[k].at);
    next.optimizer.state = after;
    target_write(e, net_at, model_with_leaves(e, net, false, params.at), span);
    target_write(e, opt_at, val_copy(e, next), span);
}

const Val *optimizer_step(Elab *e, const AstExpr *object, const Args *args, Span span) {
    const Target *opt_at = el_target(e, object, true);
    const Val *opt = opt_at ? target_read(e, opt_at) : NULL;
    if (!opt || val_poisoned(opt)) return e->poison;
    const char *what = arena_printf(e->arena, "`%s.step`", opt->optimizer.decl->name.text);
    for (uint32_t i = 0; i < 2; i++)
        if (i >= args->count || args->at[i].name) {
            Diagnostic *d = diag_report(e->diags, D_MISSING_ARG, span, what, i ? "g" : "net");
            diag_help(d, "pass the model and its gradient: `%s.step(net, grad(loss, net))`",
                      el_source(e, object->span));
            return e->poison;
        }
    const Arg *net_arg = &args->at[0], *g_arg = &args->at[1];
    const Target *net_at = net_arg->expr ? el_target(e, net_arg->expr, true) : NULL;
    const Val *net = net_at ? target_read(e, net_at) : e->poison;
    const Val *g = g_arg->val ? g_arg->val : el_value(e, g_arg->expr, NULL);
    const Val **settings =
        arena_copy(e->arena, opt->optimizer.setting, sizeof *settings * opt->optimizer.settings);
    bool ok = step_settings(e, opt, args, settings);
    if (!ok || val_poisoned(net) || val_poisoned(g)) return e->poison;
    Ty model = {.kind = TY_MODEL, .decl = opt->optimizer.model->decl, .model = opt->optimizer.model};
    Ty gradient = {.kind = TY_GRADIENT, .decl = model.decl, .model = model.model};
    if (val_poisoned(fit_type(
            e, &model, net,
            (Fit){arena_printf(e->arena, "the model of %s", what), net_arg->span, object->span, false})) ||
        val_poisoned(fit_type(
            e, &gradient, g,
            (Fit){arena_printf(e->arena, "the gradient of %s", what), g_arg->span, object->span, false})))
        return e->poison;
    if (!e->checking && !well_formed(e, opt->optimizer.decl)) return e->poison;
    if (e->checking) {
        target_write(e, net_at, net, net_arg->span);
        target_write(e, opt_at, opt, span);
    } else {
        run_step(e, opt, opt_at, net, net_at, g, settings, span);
    }
    return e->unit;
}
