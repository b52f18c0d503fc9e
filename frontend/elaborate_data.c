/* Datasets: handles with the types of one sample's columns. `.batch(n)` is a mark that the loop over it
 * obeys. */
#include "frontend/elaborate.h"
#include <string.h>

Value *data_len(Elab *e, const Val *d, Span span) {
    Builder b = el_builder(e, span);
    /* As many as were asked for, which `sample` has made sure of. */
    const Node *made = d->dataset.handle->node;
    if (made && made->op == OP_data_sample) return made->operands[1];
    return build_node(&b, OP_data_len, 1, &d->dataset.handle, 0, NULL)->results[0];
}

/* ⌈total / batch⌉: no number on the way is larger than these. */
Value *data_batches(Builder *b, Value *total, Value *batch) {
    return build_unary(b, OP_neg, build_binary(b, OP_floordiv, build_unary(b, OP_neg, total), batch));
}

const Val *data_field(Elab *e, const Val *d, AstName field, Span span, const AstExpr *object) {
    static const char *const names[] = {"len",     "shuffle", "batch",  "take", "skip",
                                        "windows", "sample",  "repeat", "split"};
    if (strcmp(field.text, "len") == 0 && !d->dataset.batch) return val_of(e, data_len(e, d, span));
    if (strcmp(field.text, "len") == 0) {
        Builder b = el_builder(e, span);
        Value *n = val_value(e, d->dataset.batch, span), *len = data_len(e, d, span);
        return val_of(e, d->dataset.drop_last ? build_binary(&b, OP_floordiv, len, n)
                                              : data_batches(&b, len, n));
    }
    return el_no_field(e, d, field, names, sizeof names / sizeof *names, object);
}

static const Val *with_handle(Elab *e, const Val *d, Value *handle) {
    Val copy = *d;
    copy.dataset.handle = handle;
    return val_copy(e, copy);
}

/* The argument as an i64, or NULL after reporting. */
static const Val *count_argument(Elab *e, const Args *args, uint32_t i, const char *what, Span span) {
    if (i >= args->count || (args->at[i].name && i == 0 && strcmp(args->at[i].name, "n") != 0)) {
        diag_report(e->diags, D_MISSING_ARG, span, what, "n");
        return NULL;
    }
    const Arg *arg = &args->at[i];
    const Val *v = arg->val ? arg->val : el_value(e, arg->expr, NULL);
    if (val_poisoned(v)) return NULL;
    if (v->kind == VAL_NUMBER && !v->number.is_float) return val_settled(e, v, arg->span);
    if (val_is_scalar(v, DTYPE_i64)) return v;
    diag_report(e->diags, D_TYPE_MISMATCH, arg->span, arena_printf(e->arena, "argument `n` of %s", what),
                "int", val_type_text(e, v));
    return NULL;
}

static const Val *unbatched(Elab *e, const Val *d, const char *name, Span span) {
    if (!d->dataset.batch) return d;
    Diagnostic *diag = diag_report(e->diags, D_BATCHED, span, name);
    diag_help(diag, "write `.%s(…)` before `.batch(…)`", name);
    return NULL;
}

static bool no_more(Elab *e, const Args *args, uint32_t from, const char *what, int count) {
    if (args->count <= from) return true;
    diag_report(e->diags, D_TOO_MANY_ARGS, args->at[from].span, what, count, count == 1 ? "" : "s");
    return false;
}

static const Val *shuffle(Elab *e, const Val *d, const Args *args, Span span) {
    if (!unbatched(e, d, "shuffle", span) || !no_more(e, args, 0, "`shuffle`", 0)) return e->poison;
    Builder b = el_builder(e, span);
    Value *operands[3] = {d->dataset.handle, build_node(&b, OP_seed, 0, NULL, 0, NULL)->results[0],
                          next_stream(e, span)};
    return with_handle(e, d, build_node(&b, OP_data_shuffle, 3, operands, 0, NULL)->results[0]);
}

static const Val *take(Elab *e, const Val *d, const Args *args, Span span, bool skip) {
    const char *name = skip ? "skip" : "take";
    if (!unbatched(e, d, name, span)) return e->poison;
    const Val *n = count_argument(e, args, 0, skip ? "`skip`" : "`take`", span);
    if (!n || !no_more(e, args, 1, skip ? "`skip`" : "`take`", 1)) return e->poison;
    Builder b = el_builder(e, span);
    Value *count = val_value(e, n, span), *zero = build_int(&b, 0);
    runtime_check(e, build_binary(&b, OP_ge, count, zero),
                  "the number of samples can't be negative, and is {}", 1, &count, span);
    Value *operands[3] = {d->dataset.handle, skip ? count : zero, skip ? data_len(e, d, span) : count};
    return with_handle(e, d, build_node(&b, OP_data_take, 3, operands, 0, NULL)->results[0]);
}

/* --- windows, draws, repetitions, parts */
/* The types of n samples of each column; NULL after a diagnostic. */
static const Type **types_of_samples(Elab *e, const Ty *ty, const Dim *n, Span span) {
    const Type **types = ARENA_ARRAY(e->arena, const Type *, ty->count);
    for (uint32_t i = 0; i < ty->count; i++) {
        const Type *sample = ty->parts[i]->tensor;
        const Dim *dims[MAX_RANK] = {n};
        if (sample->rank == MAX_RANK) {
            diag_report(e->diags, D_RANK_LIMIT, span, MAX_RANK);
            return NULL;
        }
        for (uint32_t k = 0; k < sample->rank; k++) dims[k + 1] = sample->dims[k];
        types[i] = type_tensor(e->ir, sample->dtype, sample->rank + 1, dims);
    }
    return types;
}

static const Ty *windows_type(Elab *e, const Val *d, const Dim *n, Span span) {
    const Ty *ty = d->dataset.type;
    const Ty **parts = ARENA_ARRAY(e->arena, const Ty *, ty->count);
    const Type **types = types_of_samples(e, ty, n, span);
    if (!types) return NULL;
    for (uint32_t i = 0; i < ty->count; i++) parts[i] = ty_tensor(e, types[i]);
    Ty windows = *ty;
    windows.parts = parts;
    return ty_new(e, windows);
}

/* Every n consecutive samples as one. */
static const Val *windows(Elab *e, const Val *d, const Args *args, Span span) {
    if (!unbatched(e, d, "windows", span)) return e->poison;
    if (ty_any_dataset(d->dataset.type)) {
        Diagnostic *diag = diag_report(e->diags, D_DATA_TYPE, span);
        diag_help(diag, "windows change the types of the columns: name them, `dataset(u8[28, 28], u8)`");
        return e->poison;
    }
    const Val *n = count_argument(e, args, 0, "`windows`", span);
    if (!n || !no_more(e, args, 1, "`windows`", 1)) return e->poison;
    Builder b = el_builder(e, span);
    Value *operands[2] = {d->dataset.handle, val_value(e, n, span)}, *one = build_int(&b, 1);
    Value *facts[2] = {operands[1], data_len(e, d, span)};
    runtime_check(e, build_binary(&b, OP_ge, facts[0], one), "windows must have at least one sample, not {}",
                  1, facts, span);
    runtime_check(e, build_binary(&b, OP_le, facts[0], facts[1]),
                  "windows of {} samples don't fit into a dataset of {}", 2, facts, span);
    const Dim *length = dim_of(e, n, args->at[0].span);
    const Ty *type = length ? windows_type(e, d, length, span) : NULL;
    if (!type) return e->poison;
    Val copy = *d;
    copy.dataset.type = type;
    copy.dataset.handle = build_node(&b, OP_data_windows, 2, operands, 0, NULL)->results[0];
    return val_copy(e, copy);
}

/* So many samples, each drawn from all. */
static const Val *sample(Elab *e, const Val *d, const Args *args, Span span) {
    if (!unbatched(e, d, "sample", span)) return e->poison;
    const Val *n = count_argument(e, args, 0, "`sample`", span);
    if (!n || !no_more(e, args, 1, "`sample`", 1)) return e->poison;
    Builder b = el_builder(e, span);
    Value *count = val_value(e, n, span), *zero = build_int(&b, 0);
    runtime_check(e, build_binary(&b, OP_ge, count, zero),
                  "the number of samples can't be negative, and is {}", 1, &count, span);
    Value *some = build_binary(&b, OP_gt, data_len(e, d, span), zero);
    Value *none_asked = build_binary(&b, OP_eq, count, zero);
    runtime_check(e, build_binary(&b, OP_or, some, none_asked),
                  "the dataset is empty: there is nothing to draw samples from", 0, NULL, span);
    Value *operands[4] = {d->dataset.handle, count, build_node(&b, OP_seed, 0, NULL, 0, NULL)->results[0],
                          next_stream(e, span)};
    return with_handle(e, d, build_node(&b, OP_data_sample, 4, operands, 0, NULL)->results[0]);
}

static const Val *repeat(Elab *e, const Val *d, const Args *args, Span span) {
    if (!unbatched(e, d, "repeat", span)) return e->poison;
    const Val *n = count_argument(e, args, 0, "`repeat`", span);
    if (!n || !no_more(e, args, 1, "`repeat`", 1)) return e->poison;
    Builder b = el_builder(e, span);
    Value *operands[2] = {d->dataset.handle, val_value(e, n, span)};
    runtime_check(e, build_binary(&b, OP_ge, operands[1], build_int(&b, 0)),
                  "a dataset can't be repeated {} times", 1, operands + 1, span);
    return with_handle(e, d, build_node(&b, OP_data_repeat, 2, operands, 0, NULL)->results[0]);
}

/* The argument of `split` as an f64, or NULL after reporting. */
static Value *fraction_argument(Elab *e, const Args *args, Span span) {
    if (args->count == 0 || (args->at[0].name && strcmp(args->at[0].name, "fraction") != 0)) {
        diag_report(e->diags, D_MISSING_ARG, span, "`split`", "fraction");
        return NULL;
    }
    const Arg *arg = &args->at[0];
    const Val *v = arg->val ? arg->val : el_value(e, arg->expr, NULL);
    if (val_poisoned(v)) return NULL;
    Builder b = el_builder(e, span);
    const Type *f64 = type_tensor(e->ir, DTYPE_f64, 0, NULL);
    if (v->kind == VAL_NUMBER)
        return build_const(&b, f64, v->number.is_float ? v->number.number : (double)v->number.integer);
    if (v->kind == VAL_TENSOR && v->tensor.type->rank == 0 && dtype_is_float(v->tensor.type->dtype))
        return build_cast(&b, val_value(e, v, arg->span), DTYPE_f64);
    diag_report(e->diags, D_TYPE_MISMATCH, arg->span, "argument `fraction` of `split`", "float",
                val_type_text(e, v));
    return NULL;
}

/* (the first part, the rest): `fraction` of the samples, to the nearest number, and those that follow. */
static const Val *split(Elab *e, const Val *d, const Args *args, Span span) {
    if (!unbatched(e, d, "split", span)) return e->poison;
    Value *fraction = fraction_argument(e, args, span);
    if (!fraction || !no_more(e, args, 1, "`split`", 1)) return e->poison;
    Builder b = el_builder(e, span);
    const Type *f64 = fraction->type;
    Value *inside = build_binary(&b, OP_and, build_binary(&b, OP_ge, fraction, build_const(&b, f64, 0)),
                                 build_binary(&b, OP_le, fraction, build_const(&b, f64, 1)));
    runtime_check(e, inside, "a dataset is split at a fraction from 0 to 1, not at {}", 1, &fraction, span);
    Value *zero = build_int(&b, 0), *total = data_len(e, d, span);
    Value *exact = build_binary(&b, OP_mul, build_cast(&b, total, DTYPE_f64), fraction);
    Value *count = build_cast(&b, build_unary(&b, OP_round, exact), DTYPE_i64);
    Value *first[3] = {d->dataset.handle, zero, count}, *rest[3] = {d->dataset.handle, count, total};
    const Val *parts[2] = {with_handle(e, d, build_node(&b, OP_data_take, 3, first, 0, NULL)->results[0]),
                           with_handle(e, d, build_node(&b, OP_data_take, 3, rest, 0, NULL)->results[0])};
    return val_tuple(e, VAL_TUPLE, 2, parts);
}

static const Val *batch(Elab *e, const Val *d, const Args *args, Span span) {
    if (!unbatched(e, d, "batch", span)) return e->poison;
    const Val *n = count_argument(e, args, 0, "`batch`", span);
    if (!n) return e->poison;
    int64_t constant;
    if (n->tensor.dim && dim_is_const(n->tensor.dim, &constant) && constant < 1) {
        diag_report(e->diags, D_BATCH_SIZE, args->at[0].span, el_dim(e, n->tensor.dim));
        return e->poison;
    }
    Val copy = *d;
    copy.dataset.batch = n;
    if (!n->tensor.dim || !dim_is_const(n->tensor.dim, &constant)) {
        Builder b = el_builder(e, span);
        Value *size = val_value(e, n, span);
        runtime_check(e, build_binary(&b, OP_gt, size, build_int(&b, 0)),
                      "batches must have at least one sample, not {}", 1, &size, span);
    }
    for (uint32_t i = 1; i < args->count; i++) {
        const Arg *arg = &args->at[i];
        if (!arg->name || strcmp(arg->name, "drop_last") != 0) {
            static const char *const names[] = {"n", "drop_last"};
            if (arg->name)
                args_unknown(e, "`batch`", arg, names, 2);
            else
                no_more(e, args, i, "`batch`", 1);
            return e->poison;
        }
        const Val *v = el_value(e, arg->expr, NULL);
        if (val_poisoned(v)) return v;
        if (val_static_bool(v, &copy.dataset.drop_last)) continue;
        diag_report(e->diags, D_NOT_STATIC, arg->span, "drop_last", "`batch`");
        return e->poison;
    }
    return val_copy(e, copy);
}

const Val *data_method(Elab *e, const Val *d, const char *name, const Args *args, Span span, bool *known) {
    *known = true;
    if (strcmp(name, "shuffle") == 0) return shuffle(e, d, args, span);
    if (strcmp(name, "take") == 0) return take(e, d, args, span, false);
    if (strcmp(name, "skip") == 0) return take(e, d, args, span, true);
    if (strcmp(name, "batch") == 0) return batch(e, d, args, span);
    if (strcmp(name, "windows") == 0) return windows(e, d, args, span);
    if (strcmp(name, "sample") == 0) return sample(e, d, args, span);
    if (strcmp(name, "repeat") == 0) return repeat(e, d, args, span);
    if (strcmp(name, "split") == 0) return split(e, d, args, span);
    static const char *const later[] = {"map"};
    for (uint32_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (strcmp(name, later[i]) != 0) continue;
        diag_report(e->diags, D_UNSUPPORTED, span, arena_printf(e->arena, "`.%s` of a dataset", name));
        return e->poison;
    }
    *known = false;
    return e->poison;
}

/* `count` samples from `first` on, as the loop binds them. */
const Val *data_read(Elab *e, const Val *d, Value *first, const Dim *count, Span span) {
    const Ty *ty = d->dataset.type;
    const Type **types = types_of_samples(e, ty, count, span);
    if (!types) return e->poison;
    Builder b = el_builder(e, span);
    Value *operands[2] = {d->dataset.handle, first};
    Attr attr = attr_types(ATTR_types, ty->count, types);
    Node *node = build_node(&b, OP_data_read, 2, operands, 1, &attr);
    const Val **items = ARENA_ARRAY(e->arena, const Val *, ty->count);
    for (uint32_t i = 0; i < ty->count; i++) {
        Value *column = node->results[i];
        const Type *type = column->type;
        /* Sample by sample: without the axis of the batch. */
        if (!d->dataset.batch) column = build_reshape(&b, column, type->rank - 1, type->dims + 1);
        items[i] = val_of(e, column);
    }
    return ty->single ? items[0] : val_tuple(e, VAL_TUPLE, ty->count, items);
}
