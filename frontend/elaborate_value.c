/* Elaborated values: making them, taking them apart, turning them into values of the graph. */
#include "frontend/elaborate.h"
#include "ir/interpret.h"
#include <string.h>

const Val *val_copy(Elab *e, Val val) { return arena_copy(e->arena, &val, sizeof val); }

const Val *val_integer(Elab *e, int64_t value) {
    return val_copy(e, (Val){.kind = VAL_NUMBER, .number = {false, value, (double)value}});
}

const Val *val_float(Elab *e, double value) {
    return val_copy(e, (Val){.kind = VAL_NUMBER, .number = {true, 0, value}});
}

const Val *val_of(Elab *e, Value *value) {
    if (value->type->dtype == DTYPE_str)
        return val_copy(e, (Val){.kind = VAL_STRING, .string = {.value = value}});
    return val_copy(e, (Val){.kind = VAL_TENSOR, .tensor = {.type = value->type, .value = value}});
}

const Val *val_dim(Elab *e, const Dim *dim) {
    Val v = {.kind = VAL_TENSOR, .tensor = {.type = type_scalar(e->ir, DTYPE_i64), .dim = dim}};
    return val_copy(e, v);
}

const Val *val_known(Elab *e, const Type *type, double number) {
    /* As it would be at run time. */
    if (dtype_is_float(type->dtype)) number = round_to(type->dtype, number);
    return val_copy(e, (Val){.kind = VAL_TENSOR, .tensor = {.type = type, .known = true, .number = number}});
}

const Val *val_bool(Elab *e, bool value) { return e->bools[value]; }

const Val *val_text(Elab *e, const char *text) {
    return val_copy(e, (Val){.kind = VAL_STRING, .string = {.text = text}});
}

const Val *val_tuple(Elab *e, ValKind kind, uint32_t count, const Val *const *items) {
    Val v = {.kind = kind};
    v.list.count = count;
    v.list.items = arena_copy(e->arena, items, sizeof *items * count);
    for (uint32_t i = 0; i < count; i++)
        if (val_poisoned(items[i])) return e->poison;
    return val_copy(e, v);
}

bool val_poisoned(const Val *v) { return v->kind == VAL_POISON; }

bool val_is_scalar(const Val *v, DType dtype) {
    return v->kind == VAL_TENSOR && v->tensor.type->rank == 0 && v->tensor.type->dtype == dtype;
}

bool val_is_int(const Val *v) {
    if (v->kind == VAL_NUMBER) return !v->number.is_float;
    return v->kind == VAL_TENSOR && v->tensor.type->rank == 0 && dtype_is_integer(v->tensor.type->dtype);
}

bool val_static_bool(const Val *v, bool *value) {
    if (!val_is_scalar(v, DTYPE_bool) || !v->tensor.known) return false;
    *value = v->tensor.number != 0;
    return true;
}

bool val_static_number(const Val *v, double *value) {
    int64_t integer;
    if (v->kind == VAL_NUMBER) {
        *value = v->number.is_float ? v->number.number : (double)v->number.integer;
    } else if (v->kind == VAL_TENSOR && v->tensor.known) {
        *value = v->tensor.number;
    } else if (v->kind == VAL_TENSOR && v->tensor.dim && dim_is_const(v->tensor.dim, &integer)) {
        *value = (double)integer;
    } else {
        return false;
    }
    return true;
}

Value *val_value(Elab *e, const Val *v, Span span) {
    if (v->kind == VAL_TENSOR && v->tensor.value) return v->tensor.value;
    Builder b = el_builder(e, span);
    if (v->kind == VAL_NUMBER && !v->number.is_float) return build_int(&b, v->number.integer);
    if (v->kind == VAL_NUMBER) return build_const(&b, type_scalar(e->ir, e->float_type), v->number.number);
    if (v->kind == VAL_STRING) return string_value(e, v, span);
    if (v->tensor.dim) return build_size(&b, v->tensor.dim);
    return build_const(&b, v->tensor.type, v->tensor.number);
}

const Val *val_cast(Elab *e, const Val *v, DType dtype, Span span) {
    if (val_poisoned(v) || (v->kind == VAL_TENSOR && v->tensor.type->dtype == dtype)) return v;
    bool known = v->kind == VAL_TENSOR && v->tensor.known && !v->tensor.value;
    if (known && v->tensor.type->rank == 0 && dtype_is_float(dtype))
        return val_known(e, type_scalar(e->ir, dtype), v->tensor.number);
    Builder b = el_builder(e, span);
    return val_of(e, build_cast(&b, val_value(e, v, span), dtype));
}

const Val *val_settled(Elab *e, const Val *v, Span span) {
    if (v->kind == VAL_NUMBER && !v->number.is_float) return val_dim(e, dim_const(e->ir, v->number.integer));
    if (v->kind == VAL_NUMBER || (v->kind == VAL_TENSOR && v->tensor.known && !v->tensor.value &&
                                  dtype_is_float(v->tensor.type->dtype))) {
        /* One value from here on, so that gradients with respect to it exist. */
        double number = v->kind == VAL_NUMBER ? v->number.number : v->tensor.number;
        Val settled = *val_of(e, val_value(e, v, span));
        settled.tensor.known = true;
        settled.tensor.number = number;
        return val_copy(e, settled);
    }
    if (v->kind != VAL_TUPLE && v->kind != VAL_LIST) return v;
    const Val **items = ARENA_ARRAY(e->arena, const Val *, v->list.count);
    for (uint32_t i = 0; i < v->list.count; i++) items[i] = val_settled(e, v->list.items[i], span);
    return val_tuple(e, v->kind, v->list.count, items);
}

/* --- leaves */
static const Val *map_list(Elab *e, const Val *v, LeafMap *map, void *user) {
    const Val **items = ARENA_ARRAY(e->arena, const Val *, v->list.count);
    for (uint32_t i = 0; i < v->list.count; i++) items[i] = val_map(e, v->list.items[i], map, user);
    Val copy = *v;
    copy.list.items = items;
    return val_copy(e, copy);
}

static const Val *map_model(Elab *e, const Val *v, LeafMap *map, void *user) {
    uint32_t count = v->model.type->members;
    const Val **fields = ARENA_ARRAY(e->arena, const Val *, count);
    for (uint32_t i = 0; i < count; i++) fields[i] = val_map(e, v->model.fields[i], map, user);
    Val copy = *v;
    copy.model.fields = fields;
    return val_copy(e, copy);
}

/* Settings never change: no assignment reaches them. */
static const Val *map_optimizer(Elab *e, const Val *v, LeafMap *map, void *user) {
    Val copy = *v;
    const Val **states = ARENA_ARRAY(e->arena, const Val *, v->optimizer.states);
    for (uint32_t i = 0; i < v->optimizer.states; i++)
        states[i] = val_map(e, v->optimizer.state[i], map, user);
    copy.optimizer.state = states;
    copy.optimizer.step = val_map(e, v->optimizer.step, map, user);
    return val_copy(e, copy);
}

const Val *val_map(Elab *e, const Val *v, LeafMap *map, void *user) {
    switch (v->kind) {
    case VAL_NUMBER:
    case VAL_TENSOR:
    case VAL_STRING:
    case VAL_DATASET: return map(e, v, user);
    case VAL_TUPLE:
    case VAL_LIST: return map_list(e, v, map, user);
    case VAL_MODEL: return map_model(e, v, map, user);
    case VAL_OPTIMIZER: return map_optimizer(e, v, map, user);
    case VAL_RANGE: {
        Val copy = *v;
        copy.range.lo = val_map(e, v->range.lo, map, user);
        copy.range.hi = val_map(e, v->range.hi, map, user);
        return val_copy(e, copy);
    }
    case VAL_POISON:
    case VAL_UNIT:
    case VAL_FUNCTION:
    case VAL_DECL:
    case VAL_BUILTIN:
    case VAL_DTYPE:
    case VAL_MODULE: break;
    }
    return v;
}

static const Val *collect(Elab *e, const Val *leaf, void *user) {
    ValList *out = user;
    vec_push(e->arena, out, leaf);
    return leaf;
}

void val_leaves(Elab *e, const Val *v, ValList *out) { val_map(e, v, collect, out); }

/* The graph value behind a leaf, or NULL where none is made yet. */
static Value *made(const Val *leaf) {
    Value *value = leaf->kind == VAL_TENSOR    ? leaf->tensor.value
                   : leaf->kind == VAL_STRING  ? leaf->string.value
                   : leaf->kind == VAL_DATASET ? leaf->dataset.handle
                                               : NULL;
    return value ? value_resolve(value) : NULL;
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

bool val_same_leaf(const Val *a, const Val *b) {
    if (a == b) return true;
    if (a->kind != b->kind) return false;
    Value *x = made(a), *y = made(b);
    if (x || y) return x == y && (a->kind != VAL_DATASET || a->dataset.batch == b->dataset.batch);
    if (a->kind == VAL_NUMBER)
        return a->number.is_float == b->number.is_float && a->number.integer == b->number.integer &&
               memcmp(&a->number.number, &b->number.number, sizeof(double)) == 0;
    if (a->kind == VAL_STRING) return same_text(a->string.text, b->string.text);
    if (a->kind != VAL_TENSOR || a->tensor.type != b->tensor.type) return false;
    if (a->tensor.dim || b->tensor.dim) return a->tensor.dim == b->tensor.dim;
    return a->tensor.known && b->tensor.known &&
           memcmp(&a->tensor.number, &b->tensor.number, sizeof(double)) == 0;
}

Value *leaf_value(Elab *e, const Val *leaf, Span span) {
    return leaf->kind == VAL_DATASET ? leaf->dataset.handle : val_value(e, leaf, span);
}

const Val *leaf_with(Elab *e, const Val *leaf, Value *value) {
    if (leaf->kind != VAL_DATASET) return val_of(e, value);
    Val copy = *leaf;
    copy.dataset.handle = value;
    return val_copy(e, copy);
}

/* --- names */
static void name_leaf(const Val *leaf, const char *name) {
    Value *value = made(leaf);
    if (value && !value->name) value->name = name;
}

static void name_list(Elab *e, const Val *v, const char *name) {
    for (uint32_t i = 0; i < v->list.count; i++)
        val_name(e, v->list.items[i], el_name(e, arena_printf(e->arena, "%s.%u", name, (unsigned)i)));
}

static void name_model(Elab *e, const Val *v, const char *name) {
    for (uint32_t i = 0; i < v->model.type->members; i++)
        val_name(e, v->model.fields[i],
                 el_name(e, arena_printf(e->arena, "%s.%s", name, v->model.type->member[i].name)));
}

static void name_optimizer(Elab *e, const Val *v, const char *name) {
    uint32_t i = 0;
    for (const AstDecl *d = v->optimizer.decl->model.members; d; d = d->next) {
        if (d->kind != AST_STATE_FIELD || i == v->optimizer.states) continue;
        val_name(e, v->optimizer.state[i++], el_name(e, arena_printf(e->arena, "%s.%s", name, d->name.text)));
    }
    val_name(e, v->optimizer.step, el_name(e, arena_printf(e->arena, "%s.step", name)));
}

void val_name(Elab *e, const Val *v, const char *name) {
    if (v->kind == VAL_TENSOR || v->kind == VAL_STRING || v->kind == VAL_DATASET) name_leaf(v, name);
    if (v->kind == VAL_TUPLE || v->kind == VAL_LIST) name_list(e, v, name);
    if (v->kind == VAL_MODEL) name_model(e, v, name);
    if (v->kind == VAL_OPTIMIZER) name_optimizer(e, v, name);
}
