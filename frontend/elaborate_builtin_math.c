/* Builtin functions that compute: elementwise, reductions, products. */
#include "frontend/elaborate_builtin.h"
#include <math.h>
#include <string.h>

/* --- elementwise */
static double folded(Op op, double x) {
    switch ((int)op) {
    case OP_exp: return exp(x);
    case OP_log: return log(x);
    case OP_sqrt: return sqrt(x);
    case OP_sin: return sin(x);
    case OP_cos: return cos(x);
    case OP_tanh: return tanh(x);
    case OP_sigmoid: return 1 / (1 + exp(-x));
    case OP_erf: return erf(x);
    case OP_floor: return floor(x);
    case OP_ceil: return ceil(x);
    default: return nearbyint(x);
    }
}

typedef struct {
    BuiltinCall *call;
} OnLeaf;

static const Val *on_leaf(Elab *e, const Val *leaf, Span span, void *user) {
    BuiltinCall *outer = ((OnLeaf *)user)->call, c = *outer;
    c.slot[0] = leaf;
    c.span = span;
    return c.builtin->body(e, &c);
}

static bool is_gradient(const Val *v) { return v->kind == VAL_MODEL && v->model.gradient; }

static const Val *each_leaf(Elab *e, BuiltinCall *c) {
    OnLeaf on = {c};
    return gradient_map(e, c->slot[0], on_leaf, c->span, &on);
}

const Val *builtin_unary_float(Elab *e, BuiltinCall *c) {
    const Val *v = c->slot[0];
    if (v->kind == VAL_NUMBER) return val_float(e, folded(c->builtin->op, v->number.number));
    if (is_gradient(v)) return each_leaf(e, c);
    Value *x = tensor_argument(e, c, 0);
    if (!x) return e->poison;
    if (!dtype_is_float(x->type->dtype)) {
        Diagnostic *d =
            diag_report(e->diags, D_NEEDS_FLOAT, c->span_of[0], builtin_what(e, c), val_type_text(e, v));
        diag_help(d, "write `%s(float(%s))`", c->builtin->name, el_source(e, c->span_of[0]));
        return e->poison;
    }
    Builder b = el_builder(e, c->span);
    return val_of(e, build_unary(&b, c->builtin->op, x));
}

static const Val *absolute_literal(Elab *e, const Val *v) {
    if (v->number.is_float) return val_float(e, fabs(v->number.number));
    return val_integer(e, v->number.integer < 0 && v->number.integer != INT64_MIN ? -v->number.integer
                                                                                  : v->number.integer);
}

const Val *builtin_unary(Elab *e, BuiltinCall *c) {
    if (is_gradient(c->slot[0])) return each_leaf(e, c);
    if (c->slot[0]->kind == VAL_NUMBER && c->builtin->op == OP_abs) return absolute_literal(e, c->slot[0]);
    Value *x = tensor_argument(e, c, 0);
    if (!x) return e->poison;
    if (x->type->dtype == DTYPE_bool) return refuse_argument(e, c, 0, "a number");
    Builder b = el_builder(e, c->span);
    return val_of(e, build_unary(&b, c->builtin->op, x));
}

const Val *builtin_finite(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    if (!x) return e->poison;
    if (!dtype_is_float(x->type->dtype)) return refuse_argument(e, c, 0, "a float tensor");
    Builder b = el_builder(e, c->span);
    return val_of(e, build_unary(&b, OP_is_finite, x));
}

/* NaN is unequal to itself; what is neither finite nor NaN is infinite. Ints are neither. */
const Val *builtin_kind(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    if (!x) return e->poison;
    if (x->type->dtype == DTYPE_bool) return refuse_argument(e, c, 0, "a tensor of numbers");
    Builder b = el_builder(e, c->span);
    Value *nan = build_binary(&b, OP_ne, x, x);
    if (c->builtin->op == OP_ne || !dtype_is_float(x->type->dtype)) return val_of(e, nan);
    Value *other = build_unary(&b, OP_not, build_unary(&b, OP_is_finite, x));
    return val_of(e, build_binary(&b, OP_and, other, build_unary(&b, OP_not, nan)));
}

static const Val *stop_leaf(Elab *e, const Val *leaf, void *user) {
    Builder b = el_builder(e, *(const Span *)user);
    if (leaf->kind != VAL_TENSOR || !leaf->tensor.value || !dtype_is_float(leaf->tensor.type->dtype))
        return leaf;
    return val_of(e, build_unary(&b, OP_stop_gradient, leaf->tensor.value));
}

const Val *val_stopped(Elab *e, const Val *v, Span span) { return val_map(e, v, stop_leaf, &span); }

const Val *builtin_stop(Elab *e, BuiltinCall *c) { return val_stopped(e, c->slot[0], c->span); }

/* --- two or three operands that broadcast */
/* One of two literals, a float where one of them is. */
static const Val *extreme_literal(Elab *e, const Val *const *vals, int chosen) {
    double number;
    bool is_float = vals[0]->number.is_float || vals[1]->number.is_float;
    return is_float && val_static_number(vals[chosen], &number) ? val_float(e, number) : vals[chosen];
}

static const Val *pair(Elab *e, BuiltinCall *c, Op op) {
    const Val *vals[2] = {c->slot[0], c->slot[1]};
    Value *x[2];
    double a, b;
    if (is_gradient(vals[0]) || is_gradient(vals[1])) {
        uint32_t which = is_gradient(vals[0]) ? 0 : 1;
        const Val *bound = vals[1 - which];
        bool scalar = bound->kind == VAL_NUMBER || (bound->kind == VAL_TENSOR && !bound->tensor.type->rank);
        if (!scalar) return refuse_argument(e, c, 1 - which, "a scalar, which bounds a gradient");
        c->slot[0] = vals[which]; /* the order says nothing */
        c->slot[1] = bound;
        return each_leaf(e, c);
    }
    if (vals[0]->kind == VAL_NUMBER && vals[1]->kind == VAL_NUMBER && val_static_number(vals[0], &a) &&
        val_static_number(vals[1], &b))
        return extreme_literal(e, vals, isnan(a) || (op == OP_min ? a <= b : a >= b) ? 0 : 1);
    int64_t i, j;
    if (val_is_int(vals[0]) && val_is_int(vals[1]) && (vals[0]->kind == VAL_NUMBER || vals[0]->tensor.dim) &&
        (vals[1]->kind == VAL_NUMBER || vals[1]->tensor.dim) &&
        dim_is_const(dim_of(e, vals[0], c->span), &i) && dim_is_const(dim_of(e, vals[1], c->span), &j))
        return val_dim(e, dim_const(e->ir, (i < j) == (op == OP_min) ? i : j));
    if (!op_unite(e, 2, vals, c->span_of, c->span, builtin_what(e, c), x)) return e->poison;
    if (x[0]->type->dtype == DTYPE_bool) return refuse_argument(e, c, 0, "a number");
    Builder builder = el_builder(e, c->span);
    return val_of(e, build_binary(&builder, op, x[0], x[1]));
}

const Val *builtin_pair(Elab *e, BuiltinCall *c) { return pair(e, c, c->builtin->op); }

/* Between the bounds, where the derivative is 1, at the bounds too; NaN stays. */
const Val *builtin_clamp(Elab *e, BuiltinCall *c) {
    const Val *vals[3] = {c->slot[0], c->slot[1], c->slot[2]};
    Span spans[3] = {c->span_of[0], c->span_of[1], c->span_of[2]};
    Value *x[3];
    if (!op_unite(e, 3, vals, spans, c->span, builtin_what(e, c), x)) return e->poison;
    if (x[0]->type->dtype == DTYPE_bool) return refuse_argument(e, c, 0, "a number");
    Builder b = el_builder(e, c->span);
    Value *raised = build_select(&b, build_binary(&b, OP_lt, x[0], x[1]), x[1], x[0]);
    return val_of(e, build_select(&b, build_binary(&b, OP_gt, raised, x[2]), x[2], raised));
}

const Val *builtin_where(Elab *e, BuiltinCall *c) {
    Value *condition = tensor_argument(e, c, 0), *x[2];
    if (!condition) return e->poison;
    if (condition->type->dtype != DTYPE_bool) return refuse_argument(e, c, 0, "bool");
    const Val *vals[2] = {c->slot[1], c->slot[2]};
    if (!op_unite(e, 2, vals, c->span_of + 1, c->span, builtin_what(e, c), x)) return e->poison;
    /* The condition broadcasts with them: as bools of their shape. */
    Builder b = el_builder(e, c->span);
    const Val *shapes[2] = {c->slot[0],
                            val_of(e, build_const(&b, type_with_dtype(e->ir, x[0]->type, DTYPE_bool), 0))};
    Span spans[2] = {c->span_of[0], c->span_of[1]};
    Value *united[2];
    if (!op_unite(e, 2, shapes, spans, c->span, builtin_what(e, c), united)) return e->poison;
    const Type *to = united[0]->type;
    for (int i = 0; i < 2; i++)
        x[i] = val_value(e, op_broadcast(e, val_of(e, x[i]), to->rank, to->dims, c->span), c->span);
    return val_of(e, build_select(&b, united[0], x[0], x[1]));
}

/* --- reductions */
bool axes_argument(Elab *e, BuiltinCall *c, uint32_t slot, uint32_t rank, uint32_t *count, int64_t *axes) {
    bool chosen[MAX_RANK] = {false};
    const Val *v = c->slot[slot];
    *count = 0;
    uint32_t given = v && v->kind == VAL_TUPLE ? v->list.count : 1;
    for (uint32_t i = 0; v && i < given; i++) {
        BuiltinCall one = *c;
        if (v->kind == VAL_TUPLE) one.slot[slot] = v->list.items[i];
        int64_t axis;
        if (!axis_argument(e, &one, slot, rank, 0, &axis)) return false;
        if (chosen[axis]) {
            diag_report(e->diags, D_AXIS_TWICE, c->span_of[slot], (int)axis);
            return false;
        }
        chosen[axis] = true;
    }
    for (uint32_t i = 0; i < rank; i++)
        if (!v || chosen[i]) axes[(*count)++] = i;
    return true;
}

const Val *reduced_value(Elab *e, Builder *b, Value *reduced, const Type *from, uint32_t count,
                         const int64_t *axes, bool keep) {
    if (!keep) return val_of(e, reduced);
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < from->rank; i++) dims[i] = from->dims[i];
    for (uint32_t i = 0; i < count; i++) dims[axes[i]] = dim_const(e->ir, 1);
    return val_of(e, build_reshape(b, reduced, from->rank, dims));
}

static const Val *reduce(Elab *e, BuiltinCall *c, uint32_t axis_slot, Op op) {
    Value *x = tensor_argument(e, c, 0);
    uint32_t count;
    int64_t axes[MAX_RANK];
    bool keep;
    if (!x || !axes_argument(e, c, axis_slot, x->type->rank, &count, axes) ||
        !flag_argument(e, c, axis_slot + 1, false, &keep))
        return e->poison;
    bool logical = op == OP_reduce_any || op == OP_reduce_all, boolean = x->type->dtype == DTYPE_bool;
    if (logical && !boolean) return refuse_argument(e, c, 0, "bool");
    Builder b = el_builder(e, c->span);
    /* Bools count as 0 and 1; small integers are summed wide, as NumPy does. */
    bool sums = op == OP_reduce_sum || op == OP_reduce_prod;
    if (sums && (boolean || (dtype_is_integer(x->type->dtype) && x->type->dtype != DTYPE_i64)))
        x = build_cast(&b, x, DTYPE_i64);
    if (!sums && !logical && boolean) return refuse_argument(e, c, 0, "a number");
    return reduced_value(e, &b, build_reduce(&b, op, x, count, axes), x->type, count, axes, keep);
}

const Val *el_reduce_gradient(Elab *e, const Val *g, Op op, Span span) {
    ValList leaves = {0};
    model_leaves(e, g, false, &leaves, NULL, NULL);
    const Val *total = NULL;
    for (uint32_t i = 0; i < leaves.count; i++) {
        Value *x = val_value(e, leaves.at[i], span);
        int64_t axes[MAX_RANK];
        for (uint32_t k = 0; k < x->type->rank; k++) axes[k] = k;
        Builder b = el_builder(e, span);
        const Val *part = val_of(e, build_reduce(&b, op, x, x->type->rank, axes));
        if (!total) {
            total = part;
            continue;
        }
        if (op == OP_reduce_sum) {
            total = op_binary(e, AST_ADD, total, span, part, span, span);
        } else {
            Op both = op == OP_reduce_max ? OP_max : OP_min;
            total = val_of(e, build_binary(&b, both, val_value(e, total, span), val_value(e, part, span)));
        }
        if (val_poisoned(total)) return total;
    }
    return total ? total : val_float(e, 0);
}

static const Val *dims_product(Elab *e, BuiltinCall *c) {
    const Dim *d = dim_const(e->ir, 1);
    for (uint32_t i = 0; i < c->slot[0]->list.count && d; i++) {
        const Dim *item = dim_of(e, c->slot[0]->list.items[i], c->span_of[0]);
        d = item ? dim_mul(e->ir, d, item) : NULL;
    }
    return d ? val_dim(e, d) : e->poison;
}

const Val *builtin_reduce(Elab *e, BuiltinCall *c) {
    if (is_gradient(c->slot[0]) && c->builtin->op == OP_reduce_sum && !c->slot[1])
        return el_reduce_gradient(e, c->slot[0], OP_reduce_sum, c->span);
    if (c->slot[0]->kind == VAL_TUPLE && c->builtin->op == OP_reduce_prod) return dims_product(e, c);
    return reduce(e, c, 1, c->builtin->op);
}

static bool is_integer_literal(const AstExpr *x) {
    if (x && x->kind == AST_UNARY && x->unary.op == AST_NEG) x = x->unary.operand;
    return x && x->kind == AST_INT;
}

/* `x.max(1)`, where `x.sum(1)` names an axis, and `max(x, 1, keepdims=true)`: which is meant isn't clear. */
static bool axis_or_value(Elab *e, const BuiltinCall *c) {
    const Val *x = c->slot[0];
    bool axes = x->kind == VAL_TENSOR && x->tensor.type->rank > 0;
    bool literal = is_integer_literal(c->expr_of[1]);
    if (!c->slot[2] && !c->slot[3] && !(c->method && axes && literal)) return false;
    const char *name = c->builtin->name, *text = el_source(e, c->span_of[0]);
    const char *other = el_source(e, c->span_of[1]);
    Diagnostic *d = diag_report(e->diags, D_AXIS_OR_VALUE, c->span_of[1], builtin_what(e, c));
    const char *axis = c->slot[2] ? el_source(e, c->span_of[2]) : literal ? other : "…";
    diag_help(d, "along an axis: `%s(%s, axis=%s)`", name, text, axis);
    diag_help(d, "of each element and another value: `%s(%s, %s)`", name, text, other);
    return true;
}

const Val *builtin_minmax(Elab *e, BuiltinCall *c) {
    Op op = c->builtin->op;
    if (c->slot[1] && axis_or_value(e, c)) return e->poison;
    if (c->slot[1]) return pair(e, c, op == OP_reduce_max ? OP_max : OP_min);
    if (is_gradient(c->slot[0])) return el_reduce_gradient(e, c->slot[0], op, c->span);
    return reduce(e, c, 2, op);
}

const Val *builtin_mean(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    uint32_t count;
    int64_t axes[MAX_RANK];
    bool keep;
    if (!x || !axes_argument(e, c, 1, x->type->rank, &count, axes) || !flag_argument(e, c, 2, false, &keep))
        return e->poison;
    if (!dtype_is_float(x->type->dtype)) {
        Diagnostic *d = diag_report(e->diags, D_NEEDS_FLOAT, c->span_of[0], builtin_what(e, c),
                                    val_type_text(e, c->slot[0]));
        diag_help(d, "write `mean(float(%s))`", el_source(e, c->span_of[0]));
        return e->poison;
    }
    const Dim *n = dim_const(e->ir, 1);
    for (uint32_t i = 0; i < count && n; i++) n = dim_mul(e->ir, n, x->type->dims[axes[i]]);
    if (!n) {
        diag_report(e->diags, D_OVERFLOW, c->span);
        return e->poison;
    }
    Builder b = el_builder(e, c->span);
    Value *sum = build_reduce(&b, OP_reduce_sum, build_wide(&b, x), count, axes);
    Value *size = build_cast(&b, build_size(&b, n), sum->type->dtype);
    Value *mean = build_binary(&b, OP_div, sum, build_like(&b, size, sum->type));
    return reduced_value(e, &b, build_cast(&b, mean, x->type->dtype), x->type, count, axes, keep);
}

const Val *builtin_argmax(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    if (!x) return e->poison;
    Builder b = el_builder(e, c->span);
    bool keep;
    int64_t axis = 0;
    if (!flag_argument(e, c, 2, false, &keep)) return e->poison;
    if (x->type->dtype == DTYPE_bool) x = build_cast(&b, x, DTYPE_i64);
    const Type *from = x->type;
    if (!c->slot[1]) { /* of all elements, in order */
        const Dim *n = type_elements(e->ir, x->type);
        x = build_reshape(&b, x, 1, &n);
        if (keep) return refuse_argument(e, c, 0, "an axis for keepdims");
        from = x->type;
    } else if (!axis_argument(e, c, 1, x->type->rank, 0, &axis)) {
        return e->poison;
    }
    int64_t constant;
    if (dim_is_const(from->dims[axis], &constant) ? constant == 0 : !dim_at_least(from->dims[axis], 1)) {
        Value *n = build_size(&b, from->dims[axis]);
        runtime_check(e, build_binary(&b, OP_gt, n, build_int(&b, 0)),
                      "there is no greatest or least of no elements", 0, NULL, c->span);
    }
    Attr attr = attr_ints(ATTR_axes, 1, &axis);
    Value *found = build_node(&b, c->builtin->op, 1, &x, 1, &attr)->results[0];
    return reduced_value(e, &b, found, from, 1, &axis, keep);
}

/* --- einsum */
typedef struct {
    const char *labels[2];
    uint32_t count[2], operands;
    const char *out;
    uint32_t out_count;
} Einsum;

static bool bad_spec(Elab *e, const BuiltinCall *c, const char *why) {
    diag_report(e->diags, D_EINSUM, c->span_of[0], why);
    return false;
}

static bool only_letters(const char *s, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (s[i] < 'a' || s[i] > 'z') return false;
        if (memchr(s + i + 1, s[i], n - i - 1)) return false;
    }
    return true;
}

static bool parse_spec(Elab *e, const BuiltinCall *c, Einsum *s) {
    const Val *v = c->slot[0];
    if (v->kind != VAL_STRING || !v->string.text)
        return bad_spec(e, c, "must be a string known at compile time");
    char *text = arena_strdup(e->arena, v->string.text), *to = text;
    for (const char *from = v->string.text; *from; from++)
        if (*from != ' ') *to++ = *from;
    *to = '\0';
    char *arrow = strstr(text, "->"), *comma = strchr(text, ',');
    if (!arrow || (comma && comma > arrow)) return bad_spec(e, c, "reads like \"ij,jk->ik\"");
    s->operands = comma ? 2 : 1;
    s->labels[0] = text;
    s->count[0] = (uint32_t)((comma ? comma : arrow) - text);
    if (comma) {
        s->labels[1] = comma + 1;
        s->count[1] = (uint32_t)(arrow - comma - 1);
    }
    s->out = arrow + 2;
    s->out_count = (uint32_t)strlen(s->out);
    if ((c->slot[2] != NULL) != (s->operands == 2))
        return bad_spec(e, c, "names another number of operands than are given");
    for (uint32_t i = 0; i < s->operands; i++)
        if (!only_letters(s->labels[i], s->count[i]))
            return bad_spec(e, c, "has something else for labels than different small letters");
    if (!only_letters(s->out, s->out_count))
        return bad_spec(e, c, "has something else for labels than different small letters");
    for (uint32_t i = 0; i < s->out_count; i++)
        if (!memchr(s->labels[0], s->out[i], s->count[0]) &&
            !(comma && memchr(s->labels[1], s->out[i], s->count[1])))
            return bad_spec(e, c, "gives the result a label that no operand has");
    return true;
}

/* Sums the axes whose label is nowhere else; `labels` loses them. */
static Value *sum_alone(Elab *e, Builder *b, Value *x, char *labels, const char *others) {
    int64_t axes[MAX_RANK];
    uint32_t count = 0, kept_labels = 0;
    for (uint32_t i = 0; labels[i]; i++) {
        if (strchr(others, labels[i]))
            labels[kept_labels++] = labels[i];
        else
            axes[count++] = i;
    }
    labels[kept_labels] = '\0';
    (void)e;
    return build_reduce(b, OP_reduce_sum, x, count, axes);
}

static bool labels_agree(Elab *e, const BuiltinCall *c, const Einsum *s, Value *const *x) {
    for (uint32_t i = 0; i < s->operands; i++)
        if (x[i]->type->rank != s->count[i])
            return bad_spec(e, c, "gives an operand another number of axes than it has");
    for (uint32_t i = 0; s->operands == 2 && i < s->count[0]; i++) {
        const char *at = memchr(s->labels[1], s->labels[0][i], s->count[1]);
        if (!at || x[0]->type->dims[i] == x[1]->type->dims[at - s->labels[1]]) continue;
        const char *why =
            arena_printf(e->arena, "gives one label to two sizes: `%c` is %s and %s", s->labels[0][i],
                         el_dim(e, x[0]->type->dims[i]), el_dim(e, x[1]->type->dims[at - s->labels[1]]));
        return bad_spec(e, c, why);
    }
    return true;
}

const Val *builtin_einsum(Elab *e, BuiltinCall *c) {
    Einsum s = {0};
    if (!parse_spec(e, c, &s)) return e->poison;
    Value *x[2] = {NULL, NULL};
    for (uint32_t i = 0; i < s.operands; i++)
        if (!(x[i] = tensor_argument(e, c, i + 1))) return e->poison;
    if (!labels_agree(e, c, &s, x)) return e->poison;
    if (s.operands == 2 && x[0]->type->dtype != x[1]->type->dtype)
        return refuse_argument(e, c, 2, type_text_nn(e, type_scalar(e->ir, x[0]->type->dtype)));
    if (x[0]->type->dtype == DTYPE_bool) return refuse_argument(e, c, 1, "a tensor of numbers");
    Builder b = el_builder(e, c->span);
    char *labels[2] = {NULL, NULL};
    for (uint32_t i = 0; i < s.operands; i++) labels[i] = arena_strndup(e->arena, s.labels[i], s.count[i]);
    for (uint32_t i = 0; i < s.operands; i++)
        x[i] = sum_alone(e, &b, x[i], labels[i],
                         arena_printf(e->arena, "%s%s", s.out, s.operands == 2 ? labels[1 - i] : ""));
    if (s.operands == 2)
        return val_of(
            e, build_contract(&b, x[0], x[1],
                              el_name(e, arena_printf(e->arena, "%s,%s->%s", labels[0], labels[1], s.out))));
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0; i < s.out_count; i++) perm[i] = strchr(labels[0], s.out[i]) - labels[0];
    return val_of(e, s.out_count ? build_permute(&b, x[0], perm) : x[0]);
}
