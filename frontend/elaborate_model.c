/* Models: their types (a declaration with its hyperparameters), their values, and values of their parameters'
 * shape. */
#include "frontend/elaborate.h"
#include <string.h>

int model_field(const ModelType *type, const char *name) {
    for (uint32_t i = 0; i < type->members; i++)
        if (type->member[i].name == name) return (int)i;
    return -1;
}

const AstDecl *model_method(const ModelType *type, const char *name) {
    for (uint32_t i = 0; i < type->methods; i++)
        if (type->method[i]->name.text == name) return type->method[i];
    return NULL;
}

const char *model_suggest(Elab *e, const ModelType *type, const char *name) {
    VEC(const char *) names = {0};
    for (uint32_t i = 0; i < type->members; i++) vec_push(e->arena, &names, type->member[i].name);
    for (uint32_t i = 0; i < type->methods; i++) vec_push(e->arena, &names, type->method[i]->name.text);
    return suggest(name, names.at, names.count);
}

const Val *model_with_field(Elab *e, const Val *model, uint32_t field, const Val *v) {
    const Val **fields =
        arena_copy(e->arena, model->model.fields, sizeof *fields * model->model.type->members);
    fields[field] = v;
    Val copy = *model;
    copy.model.fields = fields;
    return val_copy(e, copy);
}

/* --- hyperparameters */
/* What a value is at compile time; NULL if it isn't known then. An integer that is known when the program
 * runs is a size like any other; while a model is checked whose sizes are symbols, what is computed from them
 * is 1. */
static const Val *known_now(Elab *e, const Val *v, Span span) {
    bool open;
    if (v->kind == VAL_STRING) return v->string.text ? val_text(e, v->string.text) : NULL;
    const Val *known = val_folded(e, v, &open);
    if (!known && open && e->checking && !val_is_int(v)) return val_known(e, v->tensor.type, 1);
    if (known || !val_is_scalar(v, DTYPE_i64)) return known;
    const Dim *dim = dim_of(e, v, span);
    return dim ? val_dim(e, dim) : NULL;
}

static const Val *hyper_value(Elab *e, const AstParam *p, const Arg *arg, Scope *scope, const char *what) {
    const Ty *ty = ty_resolve(e, p->type, scope, false);
    const Val *v;
    Span span = arg ? arg->span : p->fallback->span;
    if (arg) {
        v = arg->val ? arg->val : el_value(e, arg->expr, ty);
    } else {
        Scope *outside = e->scope;
        e->scope = scope;
        v = el_value(e, p->fallback, ty);
        e->scope = outside;
    }
    v = fit_type(
        e, ty, v,
        (Fit){arena_printf(e->arena, "argument `%s` of %s", p->name.text, what), span, p->span, false});
    if (val_poisoned(v)) return v;
    const Val *known = known_now(e, v, span);
    if (known) return known;
    Diagnostic *d = diag_report(e->diags, D_NOT_STATIC, span, p->name.text, what);
    diag_help(
        d,
        "use a literal, a `const` or a hyperparameter; what changes at run time is a parameter of a method");
    return e->poison;
}

static bool same_hyper(const Val *a, const Val *b) { return val_same_leaf(a, b); }

static const ModelType *find_type(const Elab *e, const AstDecl *decl, uint32_t count,
                                  const Val *const *hyper) {
    for (uint32_t i = 0; i < e->models.count; i++) {
        const ModelType *type = e->models.at[i];
        bool same = type->decl == decl;
        for (uint32_t k = 0; same && k < count; k++) same = same_hyper(type->hyper[k], hyper[k]);
        if (same) return type;
    }
    return NULL;
}

static const char *hyper_text(Elab *e, const Val *v) {
    if (v->kind == VAL_STRING) return arena_printf(e->arena, "\"%s\"", v->string.text);
    if (v->tensor.dim) return el_dim(e, v->tensor.dim);
    if (val_is_scalar(v, DTYPE_bool)) return v->tensor.number != 0 ? "true" : "false";
    return arena_printf(e->arena, "%g", v->tensor.number);
}

/* Is it what the parameter's default says? Only literals are compared. */
static bool is_default(const AstParam *p, const Val *v) {
    double number;
    if (!p->fallback) return false;
    if (p->fallback->kind == AST_BOOL) {
        bool value;
        return val_static_bool(v, &value) && value == p->fallback->boolean;
    }
    if (!val_static_number(v, &number)) return false;
    if (p->fallback->kind == AST_INT) return number == (double)p->fallback->integer.value;
    return p->fallback->kind == AST_FLOAT && (float)number == (float)p->fallback->number;
}

/* Linear(784, 128): without the defaults at the end. */
static const char *instance_text(Elab *e, const AstDecl *decl, uint32_t count, const Val *const *hyper) {
    const char *text = "";
    uint32_t shown = 0, i = 0;
    for (const AstParam *p = decl->model.params; p && i < count; p = p->next, i++)
        if (!is_default(p, hyper[i])) shown = i + 1;
    for (i = 0; i < shown; i++)
        text = arena_printf(e->arena, "%s%s%s", text, i ? ", " : "", hyper_text(e, hyper[i]));
    return shown ? arena_printf(e->arena, "%s(%s)", decl->name.text, text) : decl->name.text;
}

/* --- members */
typedef struct {
    VEC(Member) members;
    ValList values;
    Scope *scope; /* of the hyperparameters */
    bool failed;
} Making;

static void declared_twice(Elab *e, Making *m, AstName name, Span before) {
    Diagnostic *d = diag_report(e->diags, D_DECLARED_TWICE, name.span, name.text);
    diag_label(d, before, "first declared here");
    m->failed = true;
}

static void add_member(Elab *e, Making *m, Member member, const Val *v, AstName name) {
    for (uint32_t i = 0; i < m->members.count; i++) {
        if (m->members.at[i].name != name.text) continue;
        declared_twice(e, m, name, m->members.at[i].decl->name.span);
        return;
    }
    if (!val_poisoned(v)) member.label = label_of(e, member.decl, v);
    vec_push(e->arena, &m->members, member);
    vec_push(e->arena, &m->values, v);
    m->failed |= val_poisoned(v) || (member.label && val_poisoned(member.label));
}

/* What stands for a constant of a model whose sizes are symbols, where it isn't a size itself. */
static const Val *symbolic_constant(Elab *e, const Val *v, const char *name) {
    if (!e->checking || (v->kind != VAL_STRING && v->kind != VAL_TENSOR)) return NULL;
    if (v->kind == VAL_STRING) return val_text(e, name);
    return v->tensor.type->rank == 0 ? val_known(e, v->tensor.type, 1) : NULL;
}

/* `const n = …`: seen like a hyperparameter from here on. */
static void add_constant(Elab *e, Making *m, const AstDecl *d) {
    for (const Binding *b = m->scope->bindings; b; b = b->next)
        if (b->name == d->name.text) {
            declared_twice(e, m, d->name, b->span);
            return;
        }
    Span span = d->constant.value->span;
    const Ty *ty = d->constant.type ? ty_resolve(e, d->constant.type, e->scope, false) : NULL;
    const Val *v = el_value(e, d->constant.value, ty);
    if (ty) v = fit_type(e, ty, v, (Fit){"the constant", span, d->constant.type->span, false});
    if (v->kind == VAL_NUMBER)
        v = v->number.is_float ? val_known(e, type_scalar(e->ir, e->float_type), v->number.number)
                               : val_dim(e, dim_const(e->ir, v->number.integer));
    const Val *known = val_poisoned(v) ? v : known_now(e, v, span);
    if (!known) known = symbolic_constant(e, v, d->name.text);
    if (!known) {
        Diagnostic *diag = diag_report(e->diags, D_NOT_CONSTANT, span, d->name.text);
        diag_help(diag, "in a model, a `const` is made of hyperparameters and constants");
    }
    m->failed |= !known || val_poisoned(known);
    scope_bind(e, m->scope, d->name.text, d->name.span, known ? known : e->poison, false);
}

static const Val *initial_value(Elab *e, const AstDecl *d) {
    const Ty *ty = ty_resolve(e, d->field.type, e->scope, false);
    if (!d->field.init) {
        diag_report(e->diags, D_NO_INIT, d->name.span, d->name.text);
        return e->poison;
    }
    const Val *v = el_value(e, d->field.init, ty);
    v = fit_type(e, ty, v, (Fit){"the initial value", d->field.init->span, d->field.type->span, false});
    if (val_poisoned(v) || v->kind != VAL_TENSOR) return v;
    if (d->kind == AST_PARAM_FIELD && !dtype_is_float(v->tensor.type->dtype)) {
        Diagnostic *diag =
            diag_report(e->diags, D_PARAM_TYPE, d->field.type->span, d->name.text, val_type_text(e, v));
        diag_help(diag, "what is not trained is `state`");
        return e->poison;
    }
    return val_of(e, val_value(e, v, d->field.init->span));
}

/* A model, or a list of such. */
static bool holds_models(const Val *v) {
    bool models = v->kind == VAL_MODEL || v->kind == VAL_LIST;
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->list.count; i++)
        models &= holds_models(v->list.items[i]);
    return models;
}

static const Val *submodel_value(Elab *e, const AstDecl *d) {
    const Val *v = el_expr(e, d->field.init, NULL);
    if (val_poisoned(v) || holds_models(v)) return v;
    Diagnostic *diag =
        diag_report(e->diags, D_NOT_SUBMODEL, d->field.init->span, d->name.text, val_type_text(e, v));
    if (v->kind == VAL_FUNCTION || v->kind == VAL_BUILTIN) {
        diag_help(diag, "a function needs no field: call `%s(…)` in a method",
                  el_source(e, d->field.init->span));
        return e->poison;
    }
    if (v->kind == VAL_DECL)
        diag_help(diag, "call it: `%s(…)`", el_source(e, d->field.init->span));
    else
        diag_help(diag,
                  "a tensor that is trained is written `param %s: … = …`, one that is kept `state %s: … = …`",
                  d->name.text, d->name.text);
    return e->poison;
}

static void make_members(Elab *e, Making *m, const AstDecl *decls);

static void make_choice(Elab *e, Making *m, const AstDecl *d) {
    const Val *v = el_value(e, d->branch.condition, NULL);
    bool chosen = true;
    if (!val_static_bool(v, &chosen) && !val_poisoned(v)) {
        if (e->checking && val_is_scalar(v, DTYPE_bool)) {
            chosen = true; /* of a model whose sizes are symbols */
        } else {
            diag_report(e->diags, D_NOT_STATIC, d->branch.condition->span, "the condition", "the model");
            m->failed = true;
        }
    }
    make_members(e, m, chosen ? d->branch.then : d->branch.otherwise);
}

static void make_members(Elab *e, Making *m, const AstDecl *decls) {
    for (const AstDecl *d = decls; d; d = d->next) {
        if (d->kind == AST_PARAM_FIELD || d->kind == AST_STATE_FIELD)
            add_member(e, m, (Member){d->name.text, d, TY_TENSOR, d->kind == AST_PARAM_FIELD, NULL},
                       initial_value(e, d), d->name);
        else if (d->kind == AST_SUBMODEL)
            add_member(e, m, (Member){d->name.text, d, TY_UNIT, false, NULL}, submodel_value(e, d), d->name);
        else if (d->kind == AST_FIELD_IF)
            make_choice(e, m, d);
        else if (d->kind == AST_CONST)
            add_constant(e, m, d);
    }
}

static const Val *make_model(Elab *e, const AstDecl *decl, Unit *unit, Scope *scope, uint32_t count,
                             const Val *const *hyper, Span span) {
    Scope *outside = e->scope;
    Frame *frame = e->frame;
    Making m = {.scope = scope};
    e->scope = scope;
    scope_push(e);
    e->frame = NULL;
    e->depth += 8; /* models in models end somewhere */
    make_members(e, &m, decl->model.members);
    e->depth -= 8;
    e->scope = outside;
    e->frame = frame;
    if (m.failed) return e->poison;
    const ModelType *type = find_type(e, decl, count, hyper);
    ModelType *made = NULL;
    if (!type) {
        VEC(const AstDecl *) methods = {0};
        for (const AstDecl *d = decl->model.members; d; d = d->next)
            if (d->kind == AST_FN) vec_push(e->arena, &methods, d);
        made = ARENA_NEW(e->arena, ModelType);
        *made = (ModelType){.decl = decl,
                            .unit = unit,
                            .hypers = count,
                            .hyper = hyper,
                            .members = m.members.count,
                            .member = m.members.at,
                            .methods = methods.count,
                            .method = methods.at,
                            .text = instance_text(e, decl, count, hyper),
                            .scope = scope,
                            .made = span};
        type = made;
        vec_push(e->arena, &e->models, type);
    }
    const Val *v = val_copy(e, (Val){.kind = VAL_MODEL, .model = {type, m.values.at, false}});
    if (made) made->shape = v;
    if (made && !labels_differ(e, v)) return e->poison;
    if (made && e->checking)
        for (uint32_t i = 0; i < type->methods; i++) el_queue(e, type->method[i], unit, v);
    return v;
}

static bool model_cycle(Elab *e, const AstDecl *decl, Span span) {
    if (e->depth < 300) return false;
    Diagnostic *d = diag_report(e->diags, D_RECURSION, span, decl->name.text);
    diag_note(d, "a model can't contain itself");
    diag_help(d, "what is repeated is a list: `blocks = [Block(width) for i in 0..depth]`");
    return true;
}

const Val *model_construct(Elab *e, const AstDecl *decl, Unit *unit, const Args *args, Span span) {
    if (model_cycle(e, decl, span)) return e->poison;
    uint32_t count = 0, i = 0;
    for (const AstParam *p = decl->model.params; p; p = p->next) count++;
    const Arg **slots = ARENA_ARRAY(e->arena, const Arg *, count + 1);
    const char *what = arena_printf(e->arena, "`%s`", decl->name.text);
    if (!args_match(e, what, decl->model.params, args, slots, span)) return e->poison;
    Scope *scope = scope_root(e, unit);
    const Val **hyper = ARENA_ARRAY(e->arena, const Val *, count + 1);
    bool ok = true;
    for (const AstParam *p = decl->model.params; p; p = p->next, i++) {
        hyper[i] = hyper_value(e, p, slots[i], scope, what);
        ok &= !val_poisoned(hyper[i]);
        scope_bind(e, scope, p->name.text, p->name.span, hyper[i], false);
    }
    return ok ? make_model(e, decl, unit, scope, count, hyper, span) : e->poison;
}

/* --- the type without a value: constructed once in a graph that is thrown away */
static Arg symbolic_hyper(Elab *e, const AstParam *p, const char *owner) {
    Arg arg = {p->name.text, p->span, p->span, NULL, NULL, false};
    const Ty *ty = ty_resolve(e, p->type, scope_root(e, NULL), true);
    if (ty && ty->kind == TY_STRING)
        arg.val = val_text(e, p->name.text);
    else if (ty && ty->kind == TY_TENSOR && ty_is_scalar(ty, DTYPE_i64))
        arg.val =
            val_dim(e, dim_symbol(e->ir, el_name(e, arena_printf(e->arena, "%s.%s", owner ? owner : "model",
                                                                 p->name.text))));
    else if (ty && ty->kind == TY_TENSOR)
        arg.val = val_known(e, ty->tensor, 1);
    else
        arg.val = e->poison;
    return arg;
}

const ModelType *model_type_default(Elab *e, const AstDecl *decl, Unit *unit, Span span,
                                    const char *symbols) {
    Args args = {0};
    if (!decl) return e->any_model;
    for (const AstParam *p = decl->model.params; p; p = p->next) {
        if (p->fallback) continue;
        Arg arg = symbolic_hyper(e, p, symbols);
        vec_push(e->arena, &args, arg);
    }
    Graph *graph = e->graph;
    Function *function = e->function;
    Block *block = e->block;
    Scope *scope = e->scope;
    e->graph = graph_new(e->ir, "scratch");
    e->function = graph_function(e->graph, FUNCTION_COMMAND, "scratch");
    e->block = e->function->body;
    e->scope = unit->scope;
    const Val *v = model_construct(e, decl, unit, &args, span);
    e->graph = graph;
    e->function = function;
    e->block = block;
    e->scope = scope;
    return v->kind == VAL_MODEL ? v->model.type : NULL;
}

/* --- parameters in order */
static void list_leaves(Elab *e, const Val *v, bool states, ValList *leaves, NameList *names,
                        const char *prefix) {
    for (uint32_t i = 0; i < v->list.count; i++)
        model_leaves(e, v->list.items[i], states, leaves, names,
                     label_join(e, prefix, arena_printf(e->arena, "%u", (unsigned)i)));
}

void model_leaves(Elab *e, const Val *v, bool states, ValList *leaves, NameList *names, const char *prefix) {
    if (v->kind == VAL_LIST || v->kind == VAL_TUPLE) {
        list_leaves(e, v, states, leaves, names, prefix);
        return;
    }
    for (uint32_t i = 0; i < v->model.type->members; i++) {
        const Member *member = &v->model.type->member[i];
        const Val *field = v->model.fields[i];
        const Val *label = member->label;
        if (field->kind == VAL_UNIT) continue;
        if (label && label->kind == VAL_LIST) {
            for (uint32_t k = 0; k < field->list.count; k++)
                model_leaves(e, field->list.items[k], states, leaves, names,
                             label_join(e, prefix, label->list.items[k]->string.text));
            continue;
        }
        const char *name = label_join(e, prefix, label ? label->string.text : member->name);
        if (member->kind == TY_UNIT) {
            model_leaves(e, field, states, leaves, names, name);
        } else if (member->is_param || states) {
            vec_push(e->arena, leaves, field);
            if (names) vec_push(e->arena, names, el_name(e, name));
        }
    }
}

typedef struct {
    const Val *const *leaves;
    uint32_t at;
    bool states, gradient;
} Rebuild;

static const Val *rebuild(Elab *e, const Val *v, Rebuild *r);

static const Val *rebuild_list(Elab *e, const Val *v, Rebuild *r) {
    const Val **items = ARENA_ARRAY(e->arena, const Val *, v->list.count);
    for (uint32_t i = 0; i < v->list.count; i++) items[i] = rebuild(e, v->list.items[i], r);
    return val_tuple(e, v->kind, v->list.count, items);
}

static const Val *rebuild(Elab *e, const Val *v, Rebuild *r) {
    if (v->kind == VAL_LIST || v->kind == VAL_TUPLE) return rebuild_list(e, v, r);
    const ModelType *type = v->model.type;
    const Val **fields = ARENA_ARRAY(e->arena, const Val *, type->members);
    for (uint32_t i = 0; i < type->members; i++) {
        const Val *field = v->model.fields[i];
        if (type->member[i].kind == TY_UNIT)
            fields[i] = rebuild(e, field, r);
        else if (field->kind != VAL_UNIT && (type->member[i].is_param || r->states))
            fields[i] = r->leaves[r->at++];
        else
            fields[i] = r->gradient ? e->unit : field;
    }
    Val copy = *v;
    copy.model.fields = fields;
    copy.model.gradient = r->gradient || v->model.gradient;
    return val_copy(e, copy);
}

const Val *model_gradient(Elab *e, const Val *model, const Val *const *leaves) {
    Rebuild r = {.leaves = leaves, .gradient = true};
    return rebuild(e, model, &r);
}

const Val *model_with_leaves(Elab *e, const Val *model, bool states, const Val *const *leaves) {
    Rebuild r = {.leaves = leaves, .states = states};
    return rebuild(e, model, &r);
}

/* --- arithmetic on values of a model's shape, parameter by parameter */
const Val *gradient_map(Elab *e, const Val *g,
                        const Val *(*map)(Elab *e, const Val *leaf, Span span, void *user), Span span,
                        void *user) {
    ValList leaves = {0};
    model_leaves(e, g, false, &leaves, NULL, NULL);
    for (uint32_t i = 0; i < leaves.count; i++) {
        leaves.at[i] = map(e, leaves.at[i], span, user);
        if (val_poisoned(leaves.at[i])) return e->poison;
    }
    return model_gradient(e, g, leaves.at);
}

const Val *gradient_binary(Elab *e, AstOperator op, const Val *a, Span as, const Val *b, Span bs, Span span) {
    const Val *shape = a->kind == VAL_MODEL && a->model.gradient ? a : b;
    const Val *sides[2] = {a, b};
    ValList leaves[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        const Val *v = sides[i];
        if (v->kind == VAL_MODEL && v->model.type == shape->model.type) {
            model_leaves(e, v, false, &leaves[i], NULL, NULL);
            continue;
        }
        bool scalar = v->kind == VAL_NUMBER || (v->kind == VAL_TENSOR && v->tensor.type->rank == 0);
        if (!scalar) {
            Diagnostic *d = diag_report(e->diags, D_NO_OPERATOR, span, operator_text(op), val_type_text(e, a),
                                        val_type_text(e, b));
            diag_note(d, "a gradient goes with one of the same model, and with scalars");
            return e->poison;
        }
    }
    uint32_t count = leaves[0].count ? leaves[0].count : leaves[1].count;
    ValList out = {0};
    for (uint32_t i = 0; i < count; i++) {
        const Val *x = leaves[0].count ? leaves[0].at[i] : a, *y = leaves[1].count ? leaves[1].at[i] : b;
        const Val *v = op_binary(e, op, x, as, y, bs, span);
        if (val_poisoned(v)) return v;
        vec_push(e->arena, &out, v);
    }
    return model_gradient(e, shape, out.at);
}
