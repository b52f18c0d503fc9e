/* The table of builtin functions, and how arguments reach them. What can be written in .nn is in stdlib/
 * instead. */
#include "frontend/elaborate_builtin.h"
#include "frontend/habits.h"
#include <string.h>

#define METHOD BUILTIN_METHOD
#define VARIADIC_ BUILTIN_VARIADIC
static const Builtin builtins[] = {
    {"abs", "x", 1, METHOD, builtin_unary, OP_abs},
    {"sign", "x", 1, METHOD, builtin_unary, OP_sign},
    {"exp", "x", 1, METHOD, builtin_unary_float, OP_exp},
    {"log", "x", 1, METHOD, builtin_unary_float, OP_log},
    {"sqrt", "x", 1, METHOD, builtin_unary_float, OP_sqrt},
    {"sin", "x", 1, METHOD, builtin_unary_float, OP_sin},
    {"cos", "x", 1, METHOD, builtin_unary_float, OP_cos},
    {"tanh", "x", 1, METHOD, builtin_unary_float, OP_tanh},
    {"sigmoid", "x", 1, METHOD, builtin_unary_float, OP_sigmoid},
    {"erf", "x", 1, METHOD, builtin_unary_float, OP_erf},
    {"floor", "x", 1, METHOD, builtin_unary_float, OP_floor},
    {"ceil", "x", 1, METHOD, builtin_unary_float, OP_ceil},
    {"round", "x", 1, METHOD, builtin_unary_float, OP_round},
    {"is_finite", "x", 1, METHOD, builtin_finite, OP_is_finite},
    {"isfinite", "x", 1, METHOD, builtin_finite, OP_is_finite},
    {"isnan", "x", 1, METHOD, builtin_kind, OP_ne},
    {"isinf", "x", 1, METHOD, builtin_kind, OP_is_finite},
    {"parameters", "model", 1, 0, builtin_parameters, OP_COUNT},
    {"with_parameters", "model parameters", 2, 0, builtin_with_parameters, OP_COUNT},
    {"stop_gradient", "x", 1, METHOD, builtin_stop, OP_stop_gradient},
    {"minimum", "a b", 2, 0, builtin_pair, OP_min},
    {"maximum", "a b", 2, 0, builtin_pair, OP_max},
    {"clamp", "x low high", 3, METHOD, builtin_clamp, OP_min},
    {"where", "condition a b", 3, 0, builtin_where, OP_select},
    {"sum", "x axis keepdims", 1, METHOD, builtin_reduce, OP_reduce_sum},
    {"prod", "x axis keepdims", 1, METHOD, builtin_reduce, OP_reduce_prod},
    {"any", "x axis keepdims", 1, METHOD, builtin_reduce, OP_reduce_any},
    {"all", "x axis keepdims", 1, METHOD, builtin_reduce, OP_reduce_all},
    {"max", "x b axis keepdims", 1, METHOD, builtin_minmax, OP_reduce_max},
    {"min", "x b axis keepdims", 1, METHOD, builtin_minmax, OP_reduce_min},
    {"mean", "x axis keepdims", 1, METHOD, builtin_mean, OP_reduce_sum},
    {"variance", "x axis keepdims correction", 1, METHOD, builtin_variance, OP_mul},
    {"std", "x axis keepdims correction", 1, METHOD, builtin_variance, OP_sqrt},
    {"norm", "x p axis keepdims", 1, METHOD, builtin_norm, OP_sqrt},
    {"logsumexp", "x axis keepdims", 1, METHOD, builtin_logsumexp, OP_log},
    {"argmax", "x axis keepdims", 1, METHOD, builtin_argmax, OP_argmax},
    {"argmin", "x axis keepdims", 1, METHOD, builtin_argmax, OP_argmin},
    {"cumsum", "x axis", 2, METHOD, builtin_scan, OP_cumulative_sum},
    {"cumprod", "x axis", 2, METHOD, builtin_scan, OP_cumulative_prod},
    {"cummax", "x axis", 2, METHOD, builtin_scan, OP_cumulative_max},
    {"cummin", "x axis", 2, METHOD, builtin_scan, OP_cumulative_min},
    {"linear_recurrence", "a b axis", 3, 0, builtin_recurrence, OP_linear_recurrence},
    {"argsort", "x axis descending", 1, METHOD, builtin_argsort, OP_argsort},
    {"sort", "x axis descending", 1, METHOD, builtin_sort, OP_argsort},
    {"topk", "x k axis largest", 2, METHOD, builtin_topk, OP_argsort},
    {"flip", "x axis", 1, METHOD, builtin_flip, OP_slice},
    {"roll", "x shift axis", 3, METHOD, builtin_roll, OP_concat},
    {"take_along_axis", "x ids axis", 3, METHOD, builtin_take_along, OP_gather},
    {"scatter_add", "x ids part axis", 4, METHOD, builtin_scatter, OP_scatter_add},
    {"scatter", "x ids part axis", 4, METHOD, builtin_scatter, OP_scatter},
    {"einsum", "spec a b", 2, 0, builtin_einsum, OP_contract},
    {"reshape", "x", 1, METHOD | VARIADIC_, builtin_reshape, OP_reshape},
    {"permute", "x", 1, METHOD | VARIADIC_, builtin_permute, OP_permute},
    {"transpose", "x a b", 1, METHOD, builtin_transpose, OP_permute},
    {"flatten", "x start", 1, METHOD, builtin_flatten, OP_reshape},
    {"squeeze", "x axis", 1, METHOD, builtin_squeeze, OP_reshape},
    {"unsqueeze", "x axis", 2, METHOD, builtin_unsqueeze, OP_reshape},
    {"broadcast", "x", 1, METHOD | VARIADIC_, builtin_broadcast, OP_broadcast},
    {"concat", "parts axis", 1, 0, builtin_concat, OP_concat},
    {"stack", "parts axis", 1, 0, builtin_stack, OP_concat},
    {"tile", "x", 1, METHOD | VARIADIC_, builtin_tile, OP_broadcast},
    {"repeat_interleave", "x count axis", 3, METHOD, builtin_repeat, OP_broadcast},
    {"chunk", "x count axis", 2, METHOD, builtin_chunk, OP_slice},
    {"split", "x sizes axis", 2, METHOD, builtin_split, OP_slice},
    {"pad", "x axis before after value", 2, METHOD, builtin_pad, OP_pad},
    {"window", "x axis size stride dilation", 3, METHOD, builtin_window, OP_window},
    {"window_add", "part axis size stride dilation", 3, METHOD, builtin_window_add, OP_window_add},
    {"zeros", "", 0, VARIADIC_, builtin_filled, OP_min},
    {"ones", "", 0, VARIADIC_, builtin_filled, OP_max},
    {"full", "value", 1, VARIADIC_, builtin_full, OP_const},
    {"range", "a b", 1, 0, builtin_range, OP_iota},
    {"one_hot", "ids classes", 2, METHOD, builtin_one_hot, OP_eq},
    {"enumerate", "items", 1, 0, builtin_enumerate, OP_iota},
    {"len", "x", 1, 0, builtin_len, OP_size},
    {"bytes", "text", 1, 0, builtin_bytes, OP_text_bytes},
    {"text", "bytes", 1, METHOD, builtin_text, OP_bytes_text},
    {"random_bits", "", 0, VARIADIC_, builtin_random_bits, OP_random_bits},
    {"print", "", 0, BUILTIN_RAW, builtin_print, OP_print},
    {"write", "", 0, BUILTIN_RAW, builtin_print, OP_write},
    {"report", "", 0, BUILTIN_RAW, builtin_report, OP_report},
    {"check", "", 0, BUILTIN_RAW, builtin_check, OP_check},
    {"save", "model path", 2, 0, builtin_save, OP_save},
    {"load", "model path", 2, 0, builtin_load, OP_load},
    {"grad", "y x", 2, 0, builtin_grad, OP_grad},
    {"open_dataset", "format", 1, VARIADIC_, builtin_open, OP_data_open},
    {"has", "", 0, BUILTIN_RAW, builtin_has, OP_const},
    {"checkpoint", "path every keep", 1, 0, builtin_checkpoint, OP_checkpoint},
    {"remat", "", 0, BUILTIN_RAW, builtin_remat, OP_remat},
};

const char *builtin_at(uint32_t i) {
    return i < sizeof builtins / sizeof *builtins ? builtins[i].name : NULL;
}

const Builtin *builtin_find(Elab *e, const char *name) {
    (void)e;
    for (uint32_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (strcmp(builtins[i].name, name) == 0) return &builtins[i];
    return NULL;
}

const Builtin *builtin_method(Elab *e, const char *name) {
    const Builtin *builtin = builtin_find(e, name);
    return builtin && builtin->flags & BUILTIN_METHOD ? builtin : NULL;
}

const char *builtin_name(const Builtin *builtin) { return builtin->name; }

const char *builtin_what(Elab *e, const BuiltinCall *c) {
    return arena_printf(e->arena, "`%s`", c->builtin->name);
}

/* --- arguments */
/* The name of parameter `i`, or NULL. */
static const char *param_at(Elab *e, const Builtin *b, uint32_t i) {
    const char *at = b->params;
    for (; i && *at; i--) {
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return *at ? arena_strndup(e->arena, at, strcspn(at, " ")) : NULL;
}

static int slot_named(Elab *e, const Builtin *b, const char *name) {
    const char *param;
    for (uint32_t i = 0; (param = param_at(e, b, i)); i++)
        if (strcmp(param, name) == 0) return (int)i;
    return -1;
}

static bool unknown_argument(Elab *e, const BuiltinCall *c, const Arg *arg) {
    const char *names[MAX_SLOTS];
    uint32_t count = 0;
    while (count < MAX_SLOTS && (names[count] = param_at(e, c->builtin, count))) count++;
    args_unknown(e, builtin_what(e, c), arg, names, count);
    return false;
}

static bool place_argument(Elab *e, BuiltinCall *c, const Arg *arg, uint32_t *next) {
    const Builtin *b = c->builtin;
    int slot;
    if (arg->name) {
        slot = slot_named(e, b, arg->name);
        if (slot < 0) return unknown_argument(e, c, arg);
        if (c->slot[slot]) {
            diag_report(e->diags, D_ARG_TWICE, arg->name_span, arg->name, builtin_what(e, c));
            return false;
        }
    } else {
        slot = param_at(e, b, *next) ? (int)(*next)++ : -1;
    }
    if (slot < 0 && !(b->flags & BUILTIN_VARIADIC)) {
        Diagnostic *d = diag_report(e->diags, D_TOO_MANY_ARGS, arg->span, builtin_what(e, c), (int)*next,
                                    *next == 1 ? "" : "s");
        const char *habit = habit_help(HABIT_EXTRA, b->name);
        if (habit) diag_help(d, "%s", habit);
        return false;
    }
    const Val *v = arg->val ? arg->val : el_value(e, arg->expr, NULL);
    if (val_poisoned(v)) return false;
    if (slot < 0) {
        vec_push(e->arena, &c->rest, v);
        vec_push(e->arena, &c->rest_spans, arg->span);
        return true;
    }
    c->slot[slot] = v;
    c->span_of[slot] = arg->span;
    c->expr_of[slot] = arg->expr;
    return true;
}

static bool place_arguments(Elab *e, BuiltinCall *c) {
    uint32_t next = 0;
    bool ok = true;
    for (uint32_t i = 0; i < c->args->count; i++) ok &= place_argument(e, c, &c->args->at[i], &next);
    for (uint32_t i = 0; i < c->builtin->required && ok; i++) {
        if (c->slot[i]) continue;
        Diagnostic *d =
            diag_report(e->diags, D_MISSING_ARG, c->span, builtin_what(e, c), param_at(e, c->builtin, i));
        const char *habit = habit_help(HABIT_MISSING, c->builtin->name);
        if (habit) diag_help(d, "%s", habit);
        ok = false;
    }
    return ok;
}

const Val *builtin_call(Elab *e, const Val *callee, const Args *args, const Ty *expected, Span span) {
    Args all = {0};
    if (callee->builtin.self) {
        Span at = callee->builtin.object ? callee->builtin.object->span : span;
        Arg self = {NULL, at, at, NULL, callee->builtin.self, false};
        vec_push(e->arena, &all, self);
    }
    for (uint32_t i = 0; i < args->count; i++) vec_push(e->arena, &all, args->at[i]);
    BuiltinCall c = {.builtin = callee->builtin.builtin, .args = &all, .expected = expected, .span = span};
    c.method = callee->builtin.self != NULL;
    if (!(c.builtin->flags & BUILTIN_RAW) && !place_arguments(e, &c)) return e->poison;
    return c.builtin->body(e, &c);
}

/* --- what bodies ask of their arguments */
/* How the value becomes what is wanted, where that is a matter of one call. */
static void help_argument(Elab *e, Diagnostic *d, const Val *v, Span span, const char *wanted) {
    const char *text = el_source(e, span);
    bool tensor = strstr(wanted, "tensor") != NULL || strstr(wanted, "number") != NULL;
    bool list = v->kind == VAL_LIST || v->kind == VAL_TUPLE;
    if (list && tensor && strncmp(wanted, "a list", 6) != 0) help_stack(e, d, ty_of(e, v), span);
    if (strcmp(wanted, "a list") == 0 && (v->kind == VAL_TENSOR || v->kind == VAL_DATASET))
        diag_help(d, "only a list is numbered: count in a variable, `var i = 0` and `i += 1` in the loop");
    if (v->kind != VAL_TENSOR) return;
    DType dtype = v->tensor.type->dtype;
    if (strcmp(wanted, "bool") == 0)
        diag_help(d, "compare it: `%s != 0`", text);
    else if (strstr(wanted, "int") && dtype_is_float(dtype))
        diag_help(d, "write `int(%s)`", text);
    else if (strstr(wanted, "float") && !dtype_is_float(dtype))
        diag_help(d, "write `float(%s)`", text);
    else if (tensor && dtype == DTYPE_bool)
        diag_help(d, "a bool is no number: `int(%s)` or `float(%s)` makes one of it", text, text);
}

const Val *refuse_argument(Elab *e, const BuiltinCall *c, uint32_t slot, const char *wanted) {
    const char *what =
        arena_printf(e->arena, "argument `%s` of %s", param_at(e, c->builtin, slot), builtin_what(e, c));
    Diagnostic *d = diag_report(e->diags, D_TYPE_MISMATCH, c->span_of[slot], what, wanted,
                                val_type_text(e, c->slot[slot]));
    diag_here(d, "this is %s", val_type_text(e, c->slot[slot]));
    help_argument(e, d, c->slot[slot], c->span_of[slot], wanted);
    return e->poison;
}

Value *tensor_argument(Elab *e, BuiltinCall *c, uint32_t slot) {
    const Val *v = c->slot[slot];
    if (v->kind == VAL_NUMBER || v->kind == VAL_TENSOR) return val_value(e, v, c->span_of[slot]);
    refuse_argument(e, c, slot, "a tensor");
    return NULL;
}

bool constant_argument(Elab *e, BuiltinCall *c, uint32_t slot, int64_t fallback, int64_t *out) {
    *out = fallback;
    if (!c->slot[slot]) return true;
    const Val *v = c->slot[slot];
    if (v->kind == VAL_NUMBER && !v->number.is_float) {
        *out = v->number.integer;
        return true;
    }
    if (v->kind == VAL_TENSOR && v->tensor.dim && dim_is_const(v->tensor.dim, out)) return true;
    refuse_argument(e, c, slot, "an int known at compile time");
    return false;
}

/* An int that only calls of the function being checked know: the last axis stands for whichever it is. */
static bool some_axis(const Elab *e, const Val *v, uint32_t rank, int64_t *axis) {
    *axis = (int64_t)rank - 1;
    bool known = v && v->kind == VAL_TENSOR && v->tensor.dim && dim_is_const(v->tensor.dim, NULL);
    return el_checks_function(e) && rank && v && val_is_scalar(v, DTYPE_i64) && !known;
}

bool axis_argument(Elab *e, BuiltinCall *c, uint32_t slot, uint32_t rank, int64_t fallback, int64_t *axis) {
    if (some_axis(e, c->slot[slot], rank, axis)) return true;
    if (!constant_argument(e, c, slot, fallback, axis)) return false;
    int64_t given = *axis;
    if (*axis < 0) *axis += rank;
    if (*axis >= 0 && *axis < rank) return true;
    diag_report(e->diags, D_AXIS, c->slot[slot] ? c->span_of[slot] : c->span, (int)given, (int)rank,
                rank == 1 ? "is" : "es");
    return false;
}

bool flag_argument(Elab *e, BuiltinCall *c, uint32_t slot, bool fallback, bool *out) {
    *out = fallback;
    if (!c->slot[slot] || val_static_bool(c->slot[slot], out)) return true;
    refuse_argument(e, c, slot, "a bool known at compile time");
    return false;
}

bool sizes_argument(Elab *e, BuiltinCall *c, uint32_t *rank, const Dim **dims) {
    *rank = 0;
    for (uint32_t i = 0; i < c->rest.count; i++) {
        const Val *v = c->rest.at[i];
        uint32_t count = v->kind == VAL_TUPLE ? v->list.count : 1;
        for (uint32_t k = 0; k < count; k++) {
            if (*rank == MAX_RANK) {
                diag_report(e->diags, D_RANK_LIMIT, c->span, MAX_RANK);
                return false;
            }
            const Dim *dim = dim_of(e, v->kind == VAL_TUPLE ? v->list.items[k] : v, c->rest_spans.at[i]);
            if (!dim) return false;
            dims[(*rank)++] = dim;
        }
    }
    return true;
}

const Val *builtin_cast(Elab *e, DType dtype, const Args *args, Span span) {
    const char *what = arena_printf(e->arena, "`%s`", type_text_nn(e, type_scalar(e->ir, dtype)));
    if (args->count != 1 || args->at[0].name) {
        if (args->count == 0)
            diag_report(e->diags, D_MISSING_ARG, span, what, "x");
        else
            diag_report(e->diags, D_TOO_MANY_ARGS, args->at[args->count - 1].span, what, 1, "");
        return e->poison;
    }
    const Arg *arg = &args->at[0];
    const Val *v = arg->val ? arg->val : el_value(e, arg->expr, NULL);
    if (val_poisoned(v)) return v;
    if (v->kind == VAL_NUMBER && (dtype_is_float(dtype) || !v->number.is_float)) {
        if (dtype != DTYPE_bool) return op_literal_as(e, v, dtype, arg->span);
    }
    if (v->kind != VAL_NUMBER && v->kind != VAL_TENSOR) {
        Diagnostic *d = diag_report(e->diags, D_NOT_TENSOR, arg->span, what, val_type_text(e, v));
        if (v->kind == VAL_LIST || v->kind == VAL_TUPLE) help_stack(e, d, ty_of(e, v), arg->span);
        return e->poison;
    }
    return val_cast(e, v, dtype, span);
}

Value *next_stream(Elab *e, Span span) {
    Builder b = el_builder(e, span);
    Value *now = val_value(e, e->stream->value, span);
    e->stream->value = val_of(e, build_binary(&b, OP_add, now, build_int(&b, 1)));
    return now;
}
