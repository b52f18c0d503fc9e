/* Builtin functions that do something besides arithmetic: output, files, data, gradients. */
#include "frontend/elaborate_builtin.h"

/* --- output */
static const Val *emit_text(Elab *e, BuiltinCall *c, Op op, const Args *args, Value *condition) {
    ValList values = {0};
    const char *text = template_of_values(e, args, &values);
    if (!text) return e->poison;
    uint32_t first = condition ? 1 : 0;
    Value **operands = ARENA_ARRAY(e->arena, Value *, values.count + 1);
    operands[0] = condition;
    for (uint32_t i = 0; i < values.count; i++) operands[first + i] = val_value(e, values.at[i], c->span);
    Builder b = el_builder(e, c->span);
    Attr attr = attr_str(ATTR_text, el_name(e, text));
    build_node(&b, op, values.count + first, operands, 1, &attr);
    return e->unit;
}

static bool no_names(Elab *e, BuiltinCall *c) {
    for (uint32_t i = 0; i < c->args->count; i++) {
        if (!c->args->at[i].name) continue;
        args_unknown(e, builtin_what(e, c), &c->args->at[i], NULL, 0);
        return false;
    }
    return true;
}

const Val *builtin_print(Elab *e, BuiltinCall *c) {
    return no_names(e, c) ? emit_text(e, c, c->builtin->op, c->args, NULL) : e->poison;
}

static const Val *given(Elab *e, const Arg *arg) {
    return arg->val ? arg->val : el_value(e, arg->expr, NULL);
}

/* Is it a loop that is known to turn no time? */
static bool stands_still(Elab *e, const Node *loop) {
    int64_t bounds[2];
    bool open;
    for (int i = 0; i < 2 && loop->op == OP_for; i++) {
        const Val *v = val_folded(e, val_of(e, loop->operands[i]), &open);
        if (!v || !v->tensor.dim || !dim_is_const(v->tensor.dim, &bounds[i])) return false;
    }
    return loop->op == OP_for && bounds[0] >= bounds[1];
}

/* Is the place that is being elaborated reached in every run that comes to the function, as far as loops turn
 * at all? */
static bool surely_reached(Elab *e) {
    if (el_checks_function(e) || e->equation) return false;
    for (const Block *b = e->block; b->owner; b = b->owner->block)
        if (b->owner->op == OP_if || b->owner->op == OP_while || stands_still(e, b->owner)) return false;
    return true;
}

/* A check that is known to fail is no matter of running the program. */
static const Val *check_fails(Elab *e, const BuiltinCall *c, const Args *said) {
    ValList values = {0};
    const char *text = template_of_values(e, said, &values);
    if (!text) return e->poison;
    Span message = {c->span.source, said->at[0].span.start, said->at[said->count - 1].span.end};
    bool plain = c->args->count == 1; /* the text of `said` says that it failed */
    diag_report(e->diags, D_CHECK_FAILS, c->span, values.count || plain ? el_source(e, message) : text);
    return e->unit;
}

const Val *builtin_check(Elab *e, BuiltinCall *c) {
    if (!no_names(e, c)) return e->poison;
    if (c->args->count == 0) {
        diag_report(e->diags, D_MISSING_ARG, c->span, builtin_what(e, c), "condition");
        return e->poison;
    }
    const Arg *first = &c->args->at[0];
    const Val *condition = given(e, first);
    if (val_poisoned(condition)) return condition;
    if (!val_is_scalar(condition, DTYPE_bool)) {
        diag_report(e->diags, D_CONDITION, first->span, val_type_text(e, condition));
        return e->poison;
    }
    Args rest = {0};
    for (uint32_t i = 1; i < c->args->count; i++) vec_push(e->arena, &rest, c->args->at[i]);
    if (rest.count == 0) {
        const char *text = arena_printf(e->arena, "check failed: %s", el_source(e, first->span));
        Arg said = {NULL, first->span, {0}, NULL, val_text(e, text), false};
        vec_push(e->arena, &rest, said);
    }
    bool known;
    if (val_static_bool(condition, &known) && !known && surely_reached(e)) return check_fails(e, c, &rest);
    return emit_text(e, c, OP_check, &rest, val_value(e, condition, first->span));
}

const Val *builtin_report(Elab *e, BuiltinCall *c) {
    VEC(const char *) names = {0};
    VEC(Value *) values = {0};
    for (uint32_t i = 0; i < c->args->count; i++) {
        const Arg *arg = &c->args->at[i];
        const char *name = arg->name                                  ? arg->name
                           : arg->expr && arg->expr->kind == AST_NAME ? arg->expr->name.text
                                                                      : NULL;
        const Val *v = given(e, arg);
        if (val_poisoned(v)) return v;
        bool scalar = v->kind == VAL_NUMBER || (v->kind == VAL_TENSOR && v->tensor.type->rank == 0);
        if (!name || !scalar) {
            Diagnostic *d = diag_report(e->diags, D_REPORT, arg->span,
                                        name ? val_type_text(e, v) : "a value without a name");
            if (!name)
                diag_help(d, "name it: `report(name=%s)`", el_source(e, arg->span));
            else if (v->kind == VAL_TENSOR)
                diag_help(d, "`mean(…)` or `sum(…)` makes one number of many");
            return e->poison;
        }
        vec_push(e->arena, &names, name);
        vec_push(e->arena, &values, val_value(e, v, arg->span));
    }
    Builder b = el_builder(e, c->span);
    Attr attr = attr_strs(ATTR_names, names.count, names.at);
    build_node(&b, OP_report, values.count, values.at, 1, &attr);
    return e->unit;
}

/* --- weights */
static Value *path_argument(Elab *e, BuiltinCall *c, uint32_t slot) {
    if (c->slot[slot]->kind == VAL_STRING) return string_value(e, c->slot[slot], c->span_of[slot]);
    refuse_argument(e, c, slot, "string");
    return NULL;
}

static bool model_argument(Elab *e, BuiltinCall *c, bool gradients, ValList *leaves, NameList *names) {
    const Val *v = c->slot[0];
    if (v->kind != VAL_MODEL || (v->model.gradient && !gradients)) {
        refuse_argument(e, c, 0, "a model");
        return false;
    }
    model_leaves(e, v, true, leaves, names, "");
    return true;
}

const Val *builtin_save(Elab *e, BuiltinCall *c) {
    ValList leaves = {0};
    NameList names = {0};
    Value *path = path_argument(e, c, 1);
    if (!path || !model_argument(e, c, true, &leaves, &names)) return e->poison;
    Value **operands = ARENA_ARRAY(e->arena, Value *, leaves.count + 1);
    operands[0] = path;
    for (uint32_t i = 0; i < leaves.count; i++) operands[i + 1] = val_value(e, leaves.at[i], c->span);
    Builder b = el_builder(e, c->span);
    Attr attr = attr_strs(ATTR_names, names.count, names.at);
    build_node(&b, OP_save, leaves.count + 1, operands, 1, &attr);
    return e->unit;
}

const Val *builtin_load(Elab *e, BuiltinCall *c) {
    ValList leaves = {0};
    NameList names = {0};
    Value *path = path_argument(e, c, 1);
    if (!path || !model_argument(e, c, false, &leaves, &names)) return e->poison;
    const Target *target = c->expr_of[0] ? el_target(e, c->expr_of[0], true) : NULL;
    if (!target) return e->poison;
    const Type **types = ARENA_ARRAY(e->arena, const Type *, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++) types[i] = leaves.at[i]->tensor.type;
    Builder b = el_builder(e, c->span);
    Attr attrs[2] = {attr_strs(ATTR_names, names.count, names.at),
                     attr_types(ATTR_types, leaves.count, types)};
    Node *node = build_node(&b, OP_load, 1, &path, 2, attrs);
    for (uint32_t i = 0; i < leaves.count; i++) leaves.at[i] = val_of(e, node->results[i]);
    const Val *loaded = model_with_leaves(e, c->slot[0], true, leaves.at);
    target_write(e, target, loaded, c->span);
    val_name(e, loaded, target->root->name[0] == ' ' ? "model" : target->root->name);
    return e->unit;
}

/* --- checkpoints */
static Value *count_argument(Elab *e, BuiltinCall *c, uint32_t slot, int64_t fallback) {
    Builder b = el_builder(e, c->span);
    const Val *v = c->slot[slot];
    if (!v) return build_int(&b, fallback);
    int64_t known = 1;
    if (v->kind == VAL_NUMBER && !v->number.is_float) known = v->number.integer;
    if (v->kind == VAL_TENSOR && v->tensor.dim) dim_is_const(v->tensor.dim, &known);
    if (known < 1) {
        diag_report(e->diags, D_CHECKPOINT_COUNT, c->span_of[slot], slot == 1 ? "every" : "keep",
                    arena_printf(e->arena, "%lld", (long long)known));
        return NULL;
    }
    if ((v->kind == VAL_NUMBER && !v->number.is_float) || val_is_scalar(v, DTYPE_i64))
        return val_value(e, v, c->span_of[slot]);
    refuse_argument(e, c, slot, "int");
    return NULL;
}

const Val *builtin_checkpoint(Elab *e, BuiltinCall *c) {
    Value *path = path_argument(e, c, 0);
    Value *every = path ? count_argument(e, c, 1, 1) : NULL;
    Value *keep = every ? count_argument(e, c, 2, 2) : NULL;
    if (!keep) return e->poison;
    Builder b = el_builder(e, c->span);
    Attr attr = attr_dtype(ATTR_dtype, e->float_type);
    build_node(&b, OP_checkpoint, 3, (Value *[]){path, every, keep}, 1, &attr);
    return e->unit;
}

/* --- gradients */
static bool gradient_leaves(Elab *e, BuiltinCall *c, const Val *x, ValList *leaves) {
    if (x->kind == VAL_MODEL && !x->model.gradient) {
        model_leaves(e, x, false, leaves, NULL, NULL);
        return true;
    }
    if (x->kind == VAL_TUPLE || x->kind == VAL_LIST) {
        for (uint32_t i = 0; i < x->list.count; i++)
            if (!gradient_leaves(e, c, x->list.items[i], leaves)) return false;
        return true;
    }
    if (x->kind == VAL_TENSOR && dtype_is_float(x->tensor.type->dtype)) {
        vec_push(e->arena, leaves, x);
        return true;
    }
    Diagnostic *d = diag_report(e->diags, D_GRAD_OF, c->span_of[1], val_type_text(e, x));
    diag_help(d, "gradients are taken with respect to a model, a float tensor, or a tuple of them");
    return false;
}

/* The results in the shape of x. */
static const Val *gradient_shape(Elab *e, const Val *x, const Val *const *leaves, uint32_t *at) {
    if (x->kind == VAL_MODEL) {
        ValList own = {0};
        model_leaves(e, x, false, &own, NULL, NULL);
        const Val *g = model_gradient(e, x, leaves + *at);
        *at += own.count;
        return g;
    }
    if (x->kind == VAL_TENSOR) return leaves[(*at)++];
    const Val **items = ARENA_ARRAY(e->arena, const Val *, x->list.count);
    for (uint32_t i = 0; i < x->list.count; i++) items[i] = gradient_shape(e, x->list.items[i], leaves, at);
    return val_tuple(e, x->kind, x->list.count, items);
}

/* Is the gradient one to train by: that of a model, or of a variable that can be moved along it? Then y has
 * to be finite. A derivative by anything else is a value like others. */
static bool trains(Elab *e, const Val *x, const AstExpr *expr) {
    if (x->kind == VAL_MODEL) return true;
    bool model = false;
    for (uint32_t i = 0; (x->kind == VAL_TUPLE || x->kind == VAL_LIST) && i < x->list.count; i++)
        model = model || trains(e, x->list.items[i], NULL);
    const Target *target = expr ? el_target(e, expr, false) : NULL;
    return model || (target && target->root->is_mutable);
}

const Val *builtin_grad(Elab *e, BuiltinCall *c) {
    const Val *y = c->slot[0], *x = c->slot[1];
    ValList leaves = {0};
    if (y->kind != VAL_TENSOR || y->tensor.type->rank || !dtype_is_float(y->tensor.type->dtype)) {
        Diagnostic *d = diag_report(e->diags, D_GRAD_SCALAR, c->span_of[0], val_type_text(e, y));
        if (y->kind == VAL_TENSOR && y->tensor.type->rank)
            diag_help(d, "`sum(…)` or `mean(…)` makes a scalar of it");
        return e->poison;
    }
    if (!gradient_leaves(e, c, x, &leaves)) return e->poison;
    Value **operands = ARENA_ARRAY(e->arena, Value *, leaves.count + 1);
    operands[0] = val_value(e, y, c->span_of[0]);
    for (uint32_t i = 0; i < leaves.count; i++) operands[i + 1] = val_value(e, leaves.at[i], c->span_of[1]);
    Builder b = el_builder(e, c->span);
    if (trains(e, x, c->expr_of[1])) build_node(&b, OP_guard, 1, operands, 0, NULL);
    Node *node = build_node(&b, OP_grad, leaves.count + 1, operands, 0, NULL);
    for (uint32_t i = 0; i < leaves.count; i++) leaves.at[i] = val_of(e, node->results[i]);
    uint32_t at = 0;
    return gradient_shape(e, x, leaves.at, &at);
}

/* The parameters as a value that can be computed with, as a gradient can. */
const Val *builtin_parameters(Elab *e, BuiltinCall *c) {
    ValList leaves = {0};
    const Val *v = c->slot[0];
    if (v->kind != VAL_MODEL || v->model.gradient) return refuse_argument(e, c, 0, "a model");
    model_leaves(e, v, false, &leaves, NULL, NULL);
    return model_gradient(e, v, leaves.at);
}

/* The model with other parameters, which a loss may be differentiated by through them. */
const Val *builtin_with_parameters(Elab *e, BuiltinCall *c) {
    ValList leaves = {0};
    const Val *v = c->slot[0];
    if (v->kind != VAL_MODEL || v->model.gradient) return refuse_argument(e, c, 0, "a model");
    Ty gradient = {.kind = TY_GRADIENT, .decl = v->model.type->decl, .model = v->model.type};
    Fit fit = {"argument `parameters` of `with_parameters`", c->span_of[1], c->span_of[0], false};
    const Val *parameters = fit_type(e, &gradient, c->slot[1], fit);
    if (val_poisoned(parameters)) return e->poison;
    model_leaves(e, parameters, false, &leaves, NULL, NULL);
    return model_with_leaves(e, v, false, leaves.at);
}

/* --- data */
static bool is_data_format(const char *name) {
#define DATA_FORMAT(format) \
    if (strcmp(name, #format) == 0) return true;
#include "ir/data_formats.def"
#undef DATA_FORMAT
    return false;
}

const Val *builtin_open(Elab *e, BuiltinCall *c) {
    const Val *format = c->slot[0];
    if (format->kind != VAL_STRING || !format->string.text)
        return refuse_argument(e, c, 0, "a string known at compile time");
    if (!is_data_format(format->string.text)) {
        diag_report(e->diags, D_TYPE_MISMATCH, c->span_of[0], "the format of a dataset",
                    "`idx`, `npy`, `bytes` or `csv`", arena_printf(e->arena, "`%s`", format->string.text));
        return e->poison;
    }
    if (!c->expected || c->expected->kind != TY_DATASET || (ty_any_dataset(c->expected) && !e->checking)) {
        Diagnostic *d = diag_report(e->diags, D_DATA_TYPE, c->span);
        diag_help(d, "declare it: `let samples: dataset(u8[28, 28], u8) = …`");
        return e->poison;
    }
    Value **paths = ARENA_ARRAY(e->arena, Value *, c->rest.count);
    for (uint32_t i = 0; i < c->rest.count; i++) {
        if (c->rest.at[i]->kind != VAL_STRING) {
            diag_report(e->diags, D_TYPE_MISMATCH, c->rest_spans.at[i], "a path", "string",
                        val_type_text(e, c->rest.at[i]));
            return e->poison;
        }
        paths[i] = string_value(e, c->rest.at[i], c->rest_spans.at[i]);
    }
    const Type **types = ARENA_ARRAY(e->arena, const Type *, c->expected->count);
    for (uint32_t i = 0; i < c->expected->count; i++) {
        const Ty *part = c->expected->parts[i];
        if (part->kind != TY_TENSOR) {
            diag_report(e->diags, D_DATA_TYPE, c->span);
            return e->poison;
        }
        types[i] = part->tensor;
    }
    Builder b = el_builder(e, c->span);
    Attr attrs[2] = {attr_str(ATTR_format, el_name(e, format->string.text)),
                     attr_types(ATTR_types, c->expected->count, types)};
    Value *handle = build_node(&b, OP_data_open, c->rest.count, paths, 2, attrs)->results[0];
    return val_copy(e, (Val){.kind = VAL_DATASET, .dataset = {.handle = handle, .type = c->expected}});
}

/* Does the method's model have a field of this name? Fields under `if` may be missing. */
const Val *builtin_has(Elab *e, BuiltinCall *c) {
    const Arg *arg = c->args->count == 1 ? &c->args->at[0] : NULL;
    const Val *self = e->frame ? e->frame->self : NULL;
    if (!arg || arg->name || !arg->expr || arg->expr->kind != AST_NAME || !self) {
        diag_report(e->diags, D_MISSING_ARG, c->span, builtin_what(e, c),
                    "the name of a field of the method's model");
        return e->poison;
    }
    return val_bool(e, model_field(self->model.type, arg->expr->name.text) >= 0);
}
