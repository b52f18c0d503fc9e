/* Builtin functions that depend on the order of elements along an axis: running reductions, sorting, turning
 * around, and taking or adding elements by their places. */
#include "frontend/elaborate_builtin.h"

/* --- arguments */
/* A tensor of numbers in slot 0 that has an axis, and the axis in `slot`; NULL after reporting. */
static Value *along_argument(Elab *e, BuiltinCall *c, uint32_t slot, int64_t fallback, int64_t *axis) {
    Value *x = tensor_argument(e, c, 0);
    return x && axis_argument(e, c, slot, x->type->rank, fallback, axis) ? x : NULL;
}

static Value *numbers_along(Elab *e, BuiltinCall *c, uint32_t slot, int64_t fallback, int64_t *axis) {
    Value *x = along_argument(e, c, slot, fallback, axis);
    if (!x || x->type->dtype != DTYPE_bool) return x;
    refuse_argument(e, c, 0, "a tensor of numbers");
    return NULL;
}

/* --- running reductions */
const Val *builtin_scan(Elab *e, BuiltinCall *c) {
    int64_t axis;
    Op op = c->builtin->op;
    /* Bools count as 0 and 1; small integers are added up wide, as sum does. */
    bool sums = op == OP_cumulative_sum || op == OP_cumulative_prod;
    Value *x = sums ? along_argument(e, c, 1, 0, &axis) : numbers_along(e, c, 1, 0, &axis);
    if (!x) return e->poison;
    Builder b = el_builder(e, c->span);
    if (sums && !dtype_is_float(x->type->dtype)) x = build_cast(&b, x, DTYPE_i64);
    return val_of(e, build_scan(&b, op, x, axis, false));
}

const Val *builtin_recurrence(Elab *e, BuiltinCall *c) {
    const Val *vals[2] = {c->slot[0], c->slot[1]};
    Value *x[2];
    int64_t axis;
    if (!op_unite(e, 2, vals, c->span_of, c->span, builtin_what(e, c), x)) return e->poison;
    if (x[0]->type->dtype == DTYPE_bool) return refuse_argument(e, c, 0, "a tensor of numbers");
    if (!axis_argument(e, c, 2, x[0]->type->rank, 0, &axis)) return e->poison;
    Builder b = el_builder(e, c->span);
    return val_of(e, build_recurrence(&b, x[0], x[1], axis));
}

/* --- sorting */
const Val *builtin_argsort(Elab *e, BuiltinCall *c) {
    int64_t axis;
    bool descending;
    Value *x = numbers_along(e, c, 1, -1, &axis);
    if (!x || !flag_argument(e, c, 2, false, &descending)) return e->poison;
    Builder b = el_builder(e, c->span);
    return val_of(e, build_argsort(&b, x, axis, descending, x->type->dims[axis]));
}

static const Val *with_places(Elab *e, Builder *b, Value *x, Value *ids, int64_t axis) {
    const Val *both[2] = {val_of(e, build_take_along(b, x, ids, axis)), val_of(e, ids)};
    return val_tuple(e, VAL_TUPLE, 2, both);
}

const Val *builtin_sort(Elab *e, BuiltinCall *c) {
    int64_t axis;
    bool descending;
    Value *x = numbers_along(e, c, 1, -1, &axis);
    if (!x || !flag_argument(e, c, 2, false, &descending)) return e->poison;
    Builder b = el_builder(e, c->span);
    Value *ids = build_argsort(&b, x, axis, descending, x->type->dims[axis]);
    return with_places(e, &b, x, ids, axis);
}

/* The first k places in order. */
const Val *builtin_topk(Elab *e, BuiltinCall *c) {
    int64_t axis;
    bool largest;
    Value *x = numbers_along(e, c, 2, -1, &axis);
    const Dim *k = x ? dim_of(e, c->slot[1], c->span_of[1]) : NULL;
    if (!k || !flag_argument(e, c, 3, true, &largest)) return e->poison;
    if (!dims_require(e, 1, &k, c->span_of[1])) return e->poison;
    if (!dims_in_order(e, k, x->type->dims[axis], c->span_of[1], "topk takes {} elements of an axis of {}"))
        return e->poison;
    Builder b = el_builder(e, c->span);
    return with_places(e, &b, x, build_argsort(&b, x, axis, largest, k), axis);
}

/* --- turning around */
const Val *builtin_flip(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    uint32_t count;
    int64_t axes[MAX_RANK];
    if (!x || !axes_argument(e, c, 1, x->type->rank, &count, axes)) return e->poison;
    Builder b = el_builder(e, c->span);
    for (uint32_t i = 0; i < count; i++) x = build_flip(&b, x, axes[i]);
    return val_of(e, x);
}

/* Result element i is element (i - shift) mod n. Where shift and n are known, two slices; otherwise by
 * places. */
const Val *builtin_roll(Elab *e, BuiltinCall *c) {
    int64_t axis, n, shift;
    Value *x = along_argument(e, c, 2, 0, &axis);
    if (!x) return e->poison;
    if (!val_is_int(c->slot[1])) return refuse_argument(e, c, 1, "int");
    Builder b = el_builder(e, c->span);
    const Dim *size = x->type->dims[axis];
    Value *by = build_cast(&b, val_value(e, c->slot[1], c->span_of[1]), DTYPE_i64);
    bool known = by->node && by->node->op == OP_const && dim_is_const(size, &n);
    if (!known) {
        const Type *line = type_tensor(e->ir, DTYPE_i64, 1, &size);
        Value *from = build_binary(&b, OP_sub, build_iota(&b, line, 0), build_like(&b, by, line));
        from = build_binary(&b, OP_mod, from, build_like(&b, build_size(&b, size), line));
        return val_of(e, build_gather(&b, x, from, axis));
    }
    shift = n ? node_int(by->node, ATTR_ivalue) % n : 0;
    if (shift < 0) shift += n;
    if (!shift) return val_of(e, x);
    const Dim *rest = dim_const(e->ir, n - shift);
    Value *parts[2] = {part_of(e, &b, x, axis, rest, dim_const(e->ir, shift)),
                       part_of(e, &b, x, axis, dim_const(e->ir, 0), rest)};
    return val_of(e, build_concat(&b, 2, parts, axis));
}

/* --- by places */
/* Places along the axis, i64 and all inside: a tensor of x's shape but for the axis. NULL after reporting. */
static Value *places_argument(Elab *e, BuiltinCall *c, const Type *x, int64_t axis) {
    Value *ids = tensor_argument(e, c, 1);
    if (!ids) return NULL;
    bool fits = dtype_is_integer(ids->type->dtype) && ids->type->rank == x->rank;
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < x->rank; i++) {
        fits = fits && (i == axis || ids->type->dims[i] == x->dims[i]);
        dims[i] = i == axis && ids->type->rank == x->rank ? ids->type->dims[i] : x->dims[i];
    }
    if (!fits) {
        refuse_argument(e, c, 1, type_text_nn(e, type_tensor(e->ir, DTYPE_i64, x->rank, dims)));
        return NULL;
    }
    ids_require(e, ids, x->dims[axis], c->span_of[1]);
    Builder b = el_builder(e, c->span);
    return build_cast(&b, ids, DTYPE_i64);
}

const Val *builtin_take_along(Elab *e, BuiltinCall *c) {
    int64_t axis;
    Value *x = along_argument(e, c, 2, 0, &axis), *ids = x ? places_argument(e, c, x->type, axis) : NULL;
    if (!ids) return e->poison;
    Builder b = el_builder(e, c->span);
    return val_of(e, build_take_along(&b, x, ids, axis));
}

const Val *builtin_scatter(Elab *e, BuiltinCall *c) {
    int64_t axis;
    bool adds = c->builtin->op == OP_scatter_add;
    Value *x = (adds ? numbers_along : along_argument)(e, c, 3, 0, &axis),
          *ids = x ? places_argument(e, c, x->type, axis) : NULL;
    if (!ids) return e->poison;
    const Type *wanted = type_with_dtype(e->ir, ids->type, x->type->dtype);
    const Val *given = c->slot[2];
    if (given->kind == VAL_NUMBER) given = op_literal_as(e, given, wanted->dtype, c->span_of[2]);
    if (val_poisoned(given)) return given;
    const Val *vals[2] = {val_known(e, wanted, 0), given};
    Span spans[2] = {c->span_of[1], c->span_of[2]};
    Value *united[2];
    if (given->kind != VAL_TENSOR) return refuse_argument(e, c, 2, type_text_nn(e, wanted));
    if (!op_unite(e, 2, vals, spans, c->span, builtin_what(e, c), united)) return e->poison;
    if (united[1]->type != wanted) return refuse_argument(e, c, 2, type_text_nn(e, wanted));
    Builder b = el_builder(e, c->span);
    return val_of(e, build_put_along(&b, c->builtin->op, x, ids, united[1], axis));
}
