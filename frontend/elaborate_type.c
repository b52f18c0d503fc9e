/* Types: what syntax means, what values have, how messages show them; fresh and zero values of a type. */
#include "frontend/elaborate.h"
#include "frontend/habits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const Ty *ty_new(Elab *e, Ty ty) { return arena_copy(e->arena, &ty, sizeof ty); }

const Ty *ty_tensor(Elab *e, const Type *type) {
    const Ty *ty = map_get(e->tensors, type);
    if (ty) return ty;
    ty = ty_new(e, (Ty){.kind = TY_TENSOR, .tensor = type});
    map_put(e->tensors, type, (void *)ty);
    return ty;
}

bool ty_is_scalar(const Ty *ty, DType dtype) {
    return ty->kind == TY_TENSOR && ty->tensor->rank == 0 && ty->tensor->dtype == dtype;
}

bool dtype_of_name(Elab *e, const char *name, DType *dtype) {
    if (strcmp(name, "float") == 0) {
        *dtype = e->float_type;
        return true;
    }
    if (strcmp(name, "int") == 0) {
        *dtype = DTYPE_i64;
        return true;
    }
    return dtype_from_name(name, strlen(name), dtype) && *dtype != DTYPE_str && *dtype != DTYPE_data;
}

static const Ty *ty_of_list(Elab *e, const Val *v) {
    const Ty **parts = ARENA_ARRAY(e->arena, const Ty *, v->list.count);
    for (uint32_t i = 0; i < v->list.count; i++) parts[i] = ty_of(e, v->list.items[i]);
    Ty ty = {.kind = v->kind == VAL_LIST ? TY_LIST : TY_TUPLE, .count = v->list.count, .parts = parts};
    return ty_new(e, ty);
}

static const Ty *ty_of_dataset(Elab *e, const Val *v) {
    Ty ty = *v->dataset.type;
    ty.batched = v->dataset.batch != NULL;
    return ty.batched ? ty_new(e, ty) : v->dataset.type;
}

const Ty *ty_of(Elab *e, const Val *v) {
    switch (v->kind) {
    case VAL_POISON: return ty_new(e, (Ty){.kind = TY_POISON});
    case VAL_UNIT: return ty_new(e, (Ty){.kind = TY_UNIT});
    case VAL_NUMBER: return ty_tensor(e, type_scalar(e->ir, v->number.is_float ? e->float_type : DTYPE_i64));
    case VAL_TENSOR: return ty_tensor(e, v->tensor.type);
    case VAL_STRING: return ty_new(e, (Ty){.kind = TY_STRING});
    case VAL_TUPLE:
    case VAL_LIST: return ty_of_list(e, v);
    case VAL_RANGE: return ty_new(e, (Ty){.kind = TY_RANGE});
    case VAL_MODEL:
        return ty_new(e, (Ty){.kind = v->model.gradient ? TY_GRADIENT : TY_MODEL,
                              .decl = v->model.type->decl,
                              .unit = v->model.type->unit,
                              .model = v->model.type});
    case VAL_OPTIMIZER:
        return ty_new(e, (Ty){.kind = TY_OPTIMIZER,
                              .decl = v->optimizer.decl,
                              .unit = v->optimizer.unit,
                              .model = v->optimizer.model});
    case VAL_DATASET: return ty_of_dataset(e, v);
    case VAL_FUNCTION:
    case VAL_DECL:
    case VAL_BUILTIN:
    case VAL_DTYPE:
    case VAL_MODULE: break;
    }
    return ty_new(e, (Ty){.kind = TY_OTHER});
}

bool ty_any_dataset(const Ty *ty) { return ty->kind == TY_DATASET && ty->count == 0; }

bool ty_same(const Ty *a, const Ty *b) {
    if (a->kind == TY_POISON || b->kind == TY_POISON) return true;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case TY_TENSOR: return a->tensor == b->tensor;
    case TY_MODEL:
    case TY_OPTIMIZER: return a->decl == b->decl && (!a->model || !b->model || a->model == b->model);
    case TY_GRADIENT: return !a->model || !b->model || a->model == b->model;
    case TY_TUPLE:
    case TY_LIST:
    case TY_DATASET:
        if (a->batched != b->batched) return false;
        if (a->count != b->count || a->single != b->single) return false;
        for (uint32_t i = 0; i < a->count; i++)
            if (!ty_same(a->parts[i], b->parts[i])) return false;
        return true;
    case TY_POISON:
    case TY_UNIT:
    case TY_STRING:
    case TY_RANGE: return true;
    case TY_OTHER: break;
    }
    return false;
}

/* --- text */
const char *shape_text(Elab *e, uint32_t rank, const Dim *const *dims) {
    const char *text = "[";
    for (uint32_t i = 0; i < rank; i++)
        text = arena_printf(e->arena, "%s%s%s", text, i ? ", " : "", el_dim(e, dims[i]));
    return arena_printf(e->arena, "%s]", text);
}

const char *type_text_nn(Elab *e, const Type *type) {
    const char *name = type->dtype == e->float_type ? "float"
                       : type->dtype == DTYPE_i64   ? "int"
                       : type->dtype == DTYPE_str   ? "string"
                                                    : dtype_name(type->dtype);
    if (type->rank == 0) return name;
    return arena_printf(e->arena, "%s%s", name, shape_text(e, type->rank, type->dims));
}

static const char *parts_text(Elab *e, const Ty *ty) {
    const char *text = "";
    for (uint32_t i = 0; i < ty->count; i++)
        text = arena_printf(e->arena, "%s%s%s", text, i ? ", " : "", ty_text(e, ty->parts[i]));
    return text;
}

static const char *dataset_text(Elab *e, const Ty *ty) {
    const char *text =
        ty_any_dataset(ty) ? "dataset" : arena_printf(e->arena, "dataset(%s)", parts_text(e, ty));
    return ty->batched ? arena_printf(e->arena, "%s in batches", text) : text;
}

static const char *decl_text(const Ty *ty) { return ty->model ? ty->model->text : ty->decl->name.text; }

/* "list of 3 float", "list of Linear(4, 2), ReLU and 3 more" */
static const char *list_text(Elab *e, const Ty *ty) {
    enum { SHOWN = 3 };
    bool same = true;
    for (uint32_t i = 1; i < ty->count; i++) same = same && ty_same(ty->parts[0], ty->parts[i]);
    const char *text = ty_text(e, ty->parts[0]);
    if (same) return arena_printf(e->arena, "list of %u %s", (unsigned)ty->count, text);
    uint32_t shown = ty->count <= SHOWN + 1 ? ty->count : SHOWN;
    for (uint32_t i = 1; i < shown; i++)
        text = arena_printf(e->arena, i + 1 == ty->count ? "%s and %s" : "%s, %s", text,
                            ty_text(e, ty->parts[i]));
    if (shown < ty->count)
        text = arena_printf(e->arena, "%s and %u more", text, (unsigned)(ty->count - shown));
    return arena_printf(e->arena, "list of %s", text);
}

const char *ty_text(Elab *e, const Ty *ty) {
    switch (ty->kind) {
    case TY_POISON: return "?";
    case TY_UNIT: return "nothing";
    case TY_TENSOR: return type_text_nn(e, ty->tensor);
    case TY_STRING: return "string";
    case TY_RANGE: return "range";
    case TY_TUPLE: return arena_printf(e->arena, ty->count == 1 ? "(%s,)" : "(%s)", parts_text(e, ty));
    case TY_LIST:
        if (ty->count == 0) return "an empty list";
        return list_text(e, ty);
    case TY_MODEL: return decl_text(ty);
    case TY_GRADIENT:
        return ty->model ? arena_printf(e->arena, "gradient of %s", ty->model->text) : "gradient";
    case TY_OPTIMIZER: return ty->decl->name.text;
    case TY_DATASET: return dataset_text(e, ty);
    case TY_OTHER: break;
    }
    return "a function or module";
}

/* How a tensor is made of a list or tuple, which the program calls `text`; NULL where none can be. */
static const char *stack_text(Elab *e, const Ty *list, const char *text) {
    if (list->count == 0) return NULL;
    const Ty *part = list->parts[0];
    for (uint32_t i = 1; i < list->count; i++)
        if (!ty_same(part, list->parts[i])) return NULL;
    if (part->kind == TY_TENSOR) return arena_printf(e->arena, "stack(%s)", text);
    if (part->kind != TY_LIST && part->kind != TY_TUPLE) return NULL;
    const char *each = stack_text(e, part, "part");
    return each ? arena_printf(e->arena, "stack([%s for part in %s])", each, text) : NULL;
}

void help_stack(Elab *e, Diagnostic *d, const Ty *list, Span span) {
    const char *text = stack_text(e, list, el_source(e, span));
    if (text) diag_help(d, "`%s` makes a tensor of it", text);
}

const char *val_type_text(Elab *e, const Val *v) {
    switch (v->kind) {
    case VAL_FUNCTION: return arena_printf(e->arena, "the function %s", v->function.decl->name.text);
    case VAL_BUILTIN: return arena_printf(e->arena, "the function %s", builtin_name(v->builtin.builtin));
    case VAL_MODULE: return arena_printf(e->arena, "the module %s", v->unit->name);
    case VAL_DECL:
        return arena_printf(e->arena, "the %s %s",
                            v->decl.decl->kind == AST_MODEL       ? "model"
                            : v->decl.decl->kind == AST_OPTIMIZER ? "optimizer"
                                                                  : "command",
                            v->decl.decl->name.text);
    case VAL_DTYPE:
        return arena_printf(e->arena, "the type %s", type_text_nn(e, type_scalar(e->ir, v->dtype)));
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
    return ty_text(e, ty_of(e, v));
}

/* --- from syntax */
/* What was resolved so far; `unknown`: a dimension name that nothing binds yet. */
typedef struct {
    Scope *scope;
    bool quiet, unknown, failed;
} Resolving;

/* Does the expression mention a name that is not bound? */
static bool dims_unbound(Elab *e, const AstExpr *expr, Scope *scope) {
    switch (expr->kind) {
    case AST_NAME: return !dim_is_named(e, scope, expr->name.text);
    case AST_BINARY:
        return dims_unbound(e, expr->binary.left, scope) || dims_unbound(e, expr->binary.right, scope);
    case AST_UNARY: return dims_unbound(e, expr->unary.operand, scope);
    case AST_FIELD: return dims_unbound(e, expr->field.object, scope);
    case AST_INT:
    case AST_FLOAT:
    case AST_BOOL:
    case AST_STRING:
    case AST_CALL:
    case AST_INDEXING:
    case AST_PIPE:
    case AST_RANGE:
    case AST_TUPLE:
    case AST_LIST:
    case AST_COMPREHENSION:
    case AST_REDUCTION:
    case AST_IF: break;
    }
    return false;
}

/* Poison in place of the names that a size leaves open. */
static void bind_poison(Elab *e, const AstExpr *expr, Scope *scope) {
    if (expr->kind == AST_NAME && !dim_is_named(e, scope, expr->name.text))
        scope_bind(e, scope, expr->name.text, expr->span, e->poison, false);
    if (expr->kind != AST_BINARY) return;
    bind_poison(e, expr->binary.left, scope);
    bind_poison(e, expr->binary.right, scope);
}

/* A computed size with names that nothing says: true after reporting. */
static bool size_unknown(Elab *e, const AstIndex *index, Scope *scope) {
    if (index->value->kind != AST_BINARY || !dims_unbound(e, index->value, scope)) return false;
    Diagnostic *d = diag_report(e->diags, D_SIZE_OPEN, index->span, el_source(e, index->span));
    diag_help(
        d,
        "one name can be found from a size that is a multiple of it plus something known, as in `2 * n + 1`; "
        "others are said elsewhere: a parameter `n: int` in front, or an axis that is just `n`");
    bind_poison(e, index->value, scope);
    return true;
}

static bool append_ellipsis(Elab *e, Resolving *r, const AstIndex *index, uint32_t *rank, const Dim **dims) {
    const char *name = index->name.text ? index->name.text : el_name(e, " ...");
    Found found;
    if (!scope_find(e, r->scope, name, &found) || !found.binding || found.binding->value->kind != VAL_TUPLE) {
        r->unknown = true;
        if (r->quiet) return false;
        Diagnostic *d =
            diag_report(e->diags, D_UNBOUND_DIMS, index->span, index->name.text ? index->name.text : "");
        diag_help(d, "dimensions are named where a parameter's shape mentions them first");
        r->failed = true;
        return false;
    }
    const Val *tuple = found.binding->value;
    for (uint32_t i = 0; i < tuple->list.count; i++) {
        if (*rank == MAX_RANK) break;
        dims[(*rank)++] = tuple->list.items[i]->tensor.dim;
    }
    return true;
}

static const Ty *too_many_axes(Elab *e, Span span) {
    diag_report(e->diags, D_RANK_LIMIT, span, MAX_RANK);
    return ty_new(e, (Ty){.kind = TY_POISON});
}

/* The models and optimizers that a type could name. */
static void add_decl_names(Elab *e, const Unit *unit, NameList *names) {
    for (const AstDecl *d = unit ? unit->file->decls : NULL; d; d = d->next)
        if ((d->kind == AST_MODEL || d->kind == AST_OPTIMIZER) && d->name.text)
            vec_push(e->arena, names, d->name.text);
}

static const Ty *unknown_type(Elab *e, const AstType *type, Scope *scope) {
    static const char *const builtin[] = {"float", "int", "bool",    "string",   "range", "f64",
                                          "f32",   "f16", "bf16",    "i64",      "i32",   "i16",
                                          "i8",    "u8",  "dataset", "gradient", "shape"};
    NameList names = {0};
    for (uint32_t i = 0; i < sizeof builtin / sizeof *builtin; i++) vec_push(e->arena, &names, builtin[i]);
    while (scope->parent) scope = scope->parent;
    add_decl_names(e, scope->unit, &names);
    Diagnostic *d = diag_report(e->diags, D_UNKNOWN_TYPE, type->name.span, type->name.text);
    const char *near = suggest(type->name.text, names.at, names.count);
    const char *habit = habit_help(HABIT_TYPE, type->name.text);
    const char *module = type->module.text ? NULL : scope_module_with(e, type->name.text);
    if (module)
        diag_help(d, "did you mean `%s.%s`?", module, type->name.text);
    else if (habit)
        diag_help(d, "%s", habit);
    else if (near)
        diag_help(d, "did you mean `%s`?", near);
    return ty_new(e, (Ty){.kind = TY_POISON});
}

/* In the type of a call's result it is the arguments that are wrong. */
static void negative_size(Elab *e, Span size, const Dim *dim) {
    if (!e->calling.source) {
        diag_report(e->diags, D_NEGATIVE_SIZE, size, el_dim(e, dim));
        return;
    }
    Diagnostic *d = diag_report(e->diags, D_NEGATIVE_SIZE, e->calling, el_dim(e, dim));
    diag_here(d, "with these arguments, the result has that size");
    diag_label(d, size, "here");
}

static const Ty *resolve_tensor(Elab *e, Resolving *r, const AstType *type) {
    DType dtype;
    if (!dtype_of_name(e, type->name.text, &dtype)) {
        r->failed = true;
        return r->quiet ? NULL : unknown_type(e, type, r->scope);
    }
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (const AstIndex *d = type->dims; d; d = d->next) {
        if (d->kind == AST_INDEX_ELLIPSIS) {
            if (!append_ellipsis(e, r, d, &rank, dims)) return NULL;
            continue;
        }
        if (rank == MAX_RANK) return too_many_axes(e, type->span);
        if (r->quiet && dims_unbound(e, d->value, r->scope)) {
            r->unknown = true;
            return NULL;
        }
        const Dim *dim = size_unknown(e, d, r->scope) ? NULL : dim_of_expr(e, d->value, r->scope);
        int64_t constant;
        if (dim && dim_is_const(dim, &constant) && constant < 0) {
            negative_size(e, d->span, dim);
            dim = NULL;
        }
        if (!dim) {
            r->failed = true;
            return ty_new(e, (Ty){.kind = TY_POISON});
        }
        dims[rank++] = dim;
    }
    return ty_tensor(e, type_tensor(e->ir, dtype, rank, dims));
}

static const Ty *resolve(Elab *e, Resolving *r, const AstType *type);

static const Ty *resolve_parts(Elab *e, Resolving *r, const AstType *type) {
    VEC(const Ty *) parts = {0};
    for (const AstType *part = type->parts; part; part = part->next) {
        const Ty *ty = resolve(e, r, part);
        if (!ty || ty->kind == TY_POISON) return ty;
        vec_push(e->arena, &parts, ty);
    }
    Ty ty = {.kind = type->kind == AST_TYPE_TUPLE ? TY_TUPLE : TY_DATASET,
             .count = parts.count,
             .parts = parts.at};
    ty.single = ty.kind == TY_DATASET && parts.count == 1;
    return ty_new(e, ty);
}

static const Val *named_decl(Elab *e, const AstType *type, Scope *scope) {
    Found found;
    AstName first = type->module.text ? type->module : type->name;
    if (!scope_find(e, scope, first.text, &found) || found.binding || found.self) return NULL;
    const Val *v = found.global;
    if (type->module.text) {
        if (v->kind != VAL_MODULE) return NULL;
        v = unit_lookup(e, v->unit, type->name.text);
    }
    return v && (v->kind == VAL_DECL || v->kind == VAL_POISON) ? v : NULL;
}

/* All gradients of a signature are of one model, which the first of them binds. */
static const Ty *resolve_gradient(Elab *e, Scope *scope) {
    Found found;
    Ty ty = {.kind = TY_GRADIENT};
    if (scope_find(e, scope, el_name(e, " gradient"), &found) && found.binding)
        ty.model = found.binding->value->model.type;
    if (ty.model) ty.decl = ty.model->decl;
    return ty_new(e, ty);
}

/* `dataset` without columns: those that the signature's other `dataset`s or the expected type have. */
static const Ty *resolve_dataset(Elab *e, Resolving *r, const AstType *type) {
    Found found;
    if (scope_find(e, r->scope, el_name(e, " dataset"), &found) && found.binding)
        return found.binding->value->dataset.type;
    r->unknown = true;
    if (r->quiet) return NULL;
    Diagnostic *d = diag_report(e->diags, D_DATA_TYPE, type->span);
    diag_help(d, "name the types of its columns: `dataset(u8[28, 28], u8)`");
    r->failed = true;
    return ty_new(e, (Ty){.kind = TY_POISON});
}

static const Ty *resolve_named(Elab *e, Resolving *r, const AstType *type) {
    const char *name = type->name.text;
    Scope *scope = r->scope;
    if (!type->module.text) {
        if (strcmp(name, "dataset") == 0) return resolve_dataset(e, r, type);
        if (strcmp(name, "string") == 0) return ty_new(e, (Ty){.kind = TY_STRING});
        if (strcmp(name, "range") == 0) return ty_new(e, (Ty){.kind = TY_RANGE});
        if (strcmp(name, "gradient") == 0) return resolve_gradient(e, scope);
        if (strcmp(name, "shape") == 0) return ty_new(e, (Ty){.kind = TY_TUPLE});
    }
    const Val *v = named_decl(e, type, scope);
    if (!v) return unknown_type(e, type, scope);
    if (v->kind == VAL_POISON) return ty_new(e, (Ty){.kind = TY_POISON});
    bool model = v->decl.decl->kind == AST_MODEL;
    return ty_new(e,
                  (Ty){.kind = model ? TY_MODEL : TY_OPTIMIZER, .decl = v->decl.decl, .unit = v->decl.unit});
}

static const Ty *resolve(Elab *e, Resolving *r, const AstType *type) {
    switch (type->kind) {
    case AST_TYPE_TENSOR: return resolve_tensor(e, r, type);
    case AST_TYPE_TUPLE:
    case AST_TYPE_DATASET: return resolve_parts(e, r, type);
    case AST_TYPE_NAMED: break;
    }
    return resolve_named(e, r, type);
}

const Ty *ty_resolve(Elab *e, const AstType *type, Scope *scope, bool quiet) {
    Resolving r = {.scope = scope, .quiet = quiet};
    const Ty *ty = resolve(e, &r, type);
    if (!ty && !quiet) return ty_new(e, (Ty){.kind = TY_POISON});
    return ty;
}

/* --- values of a type */
typedef struct {
    bool zero;
    const char *name;
    Span span;
} Filling;

static const Val *fill(Elab *e, const Ty *ty, Filling f);

static const Val *fill_tensor(Elab *e, const Type *type, Filling f) {
    Builder b = el_builder(e, f.span);
    if (f.zero && type->dtype == DTYPE_str) return val_text(e, "");
    return val_of(e, f.zero ? build_const(&b, type, 0) : block_param(e->block, type, f.name));
}

static const Val *refill_leaf(Elab *e, const Val *leaf, void *user) {
    const Filling *f = user;
    if (leaf->kind == VAL_DATASET) return leaf;
    const Type *type = leaf->kind == VAL_STRING ? type_scalar(e->ir, DTYPE_str) : ty_of(e, leaf)->tensor;
    return fill_tensor(e, type, *f);
}

static const Val *fill_model(Elab *e, const Ty *ty, Filling f) {
    const ModelType *type = ty->model;
    if (!type) type = model_type_default(e, ty->decl, ty->unit, f.span, f.name);
    if (!type) return e->poison;
    const Val *v = type->shape;
    if (ty->kind == TY_GRADIENT) {
        ValList leaves = {0};
        model_leaves(e, v, false, &leaves, NULL, NULL);
        v = model_gradient(e, v, leaves.at);
    }
    v = val_map(e, v, refill_leaf, &f);
    if (!f.zero && f.name) val_name(e, v, f.name);
    return v;
}

static const Val *fill_list(Elab *e, const Ty *ty, Filling f) {
    const Val **items = ARENA_ARRAY(e->arena, const Val *, ty->count);
    for (uint32_t i = 0; i < ty->count; i++) items[i] = fill(e, ty->parts[i], f);
    return val_tuple(e, ty->kind == TY_LIST ? VAL_LIST : VAL_TUPLE, ty->count, items);
}

static const Val *fill(Elab *e, const Ty *ty, Filling f) {
    switch (ty->kind) {
    case TY_TENSOR: return fill_tensor(e, ty->tensor, f);
    case TY_STRING: return fill_tensor(e, type_scalar(e->ir, DTYPE_str), f);
    case TY_TUPLE:
    case TY_LIST: return fill_list(e, ty, f);
    case TY_GRADIENT:
    case TY_MODEL: return fill_model(e, ty, f);
    case TY_DATASET:
        if (f.zero) return e->poison;
        return val_copy(
            e, (Val){.kind = VAL_DATASET,
                     .dataset = {.handle = block_param(e->block, type_scalar(e->ir, DTYPE_data), f.name),
                                 .type = ty}});
    case TY_RANGE: {
        Filling plain = f;
        const Val *lo = fill_tensor(e, type_scalar(e->ir, DTYPE_i64), plain);
        const Val *hi = fill_tensor(e, type_scalar(e->ir, DTYPE_i64), plain);
        return val_copy(e, (Val){.kind = VAL_RANGE, .range = {lo, hi}});
    }
    case TY_UNIT: return e->unit;
    case TY_POISON:
    case TY_OPTIMIZER:
    case TY_OTHER: break;
    }
    return e->poison;
}

const Val *val_fresh(Elab *e, const Ty *ty, const char *name, Span span) {
    return fill(e, ty, (Filling){false, name, span});
}

const Val *val_zero(Elab *e, const Ty *ty, Span span) { return fill(e, ty, (Filling){true, NULL, span}); }
