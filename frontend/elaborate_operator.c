/* Operators on elaborated values: literals folded, integers that are dimensions kept as dimensions, tensors
 * broadcast as in NumPy. */
#include "frontend/elaborate.h"
#include "support/remainder.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

const char *operator_text(AstOperator op) {
    static const char *const texts[] = {
        [AST_ADD] = "+", [AST_SUB] = "-",  [AST_MUL] = "*",    [AST_DIV] = "/",  [AST_FLOORDIV] = "//",
        [AST_MOD] = "%", [AST_POW] = "**", [AST_MATMUL] = "@", [AST_EQ] = "==",  [AST_NE] = "!=",
        [AST_LT] = "<",  [AST_LE] = "<=",  [AST_GT] = ">",     [AST_GE] = ">=",  [AST_AND] = "and",
        [AST_OR] = "or", [AST_NEG] = "-",  [AST_POS] = "+",    [AST_NOT] = "not"};
    return texts[op];
}

static bool compares(AstOperator op) { return op >= AST_EQ && op <= AST_GE; }

static bool is_list(const Val *v) { return v->kind == VAL_LIST || v->kind == VAL_TUPLE; }

static const Val *no_operator(Elab *e, AstOperator op, const Val *a, Span as, const Val *b, Span bs,
                              Span span, const char *help) {
    Diagnostic *d = diag_report(e->diags, D_NO_OPERATOR, span, operator_text(op), val_type_text(e, a),
                                val_type_text(e, b));
    diag_label(d, as, "%s", val_type_text(e, a));
    diag_label(d, bs, "%s", val_type_text(e, b));
    if (help)
        diag_help(d, "%s", help);
    else if (a->kind == VAL_TUPLE || b->kind == VAL_TUPLE)
        diag_help(d, "take the tuple apart first: `let (a, b) = %s`",
                  el_source(e, a->kind == VAL_TUPLE ? as : bs));
    else if (is_list(a) || is_list(b))
        help_stack(e, d, ty_of(e, is_list(a) ? a : b), is_list(a) ? as : bs);
    return e->poison;
}

/* --- literals */
static void integer_limits(DType dtype, int64_t *low, int64_t *high) {
    int64_t bits = 8 * (int64_t)dtype_bytes(dtype);
    *low = dtype == DTYPE_u8 ? 0 : dtype == DTYPE_i64 ? INT64_MIN : -(INT64_C(1) << (bits - 1));
    *high = dtype == DTYPE_u8 ? 255 : dtype == DTYPE_i64 ? INT64_MAX : -*low - 1;
}

static bool literal_fits(const Val *v, DType dtype) {
    int64_t low, high;
    if (dtype_is_float(dtype)) return true;
    if (v->number.is_float || !dtype_is_integer(dtype)) return false;
    integer_limits(dtype, &low, &high);
    return v->number.integer >= low && v->number.integer <= high;
}

/* `other`: what the literal meets, and where; or NULL. */
static void refuse_literal(Elab *e, const Val *v, DType dtype, Span span, const Val *other, Span other_span) {
    bool whole =
        v->number.is_float && v->number.number == trunc(v->number.number) && fabs(v->number.number) < 1e15;
    const char *text = v->number.is_float ? arena_printf(e->arena, whole ? "%.1f" : "%g", v->number.number)
                                          : arena_printf(e->arena, "%lld", (long long)v->number.integer);
    const char *name = type_text_nn(e, type_scalar(e->ir, dtype));
    Diagnostic *d = diag_report(e->diags, D_LITERAL_TYPE, span, text, name);
    if (other) diag_label(d, other_span, "this is %s", val_type_text(e, other));
    if (!dtype_is_integer(dtype)) {
        diag_help(d, "a bool is `true` or `false`");
    } else if (!v->number.is_float) {
        int64_t low, high;
        integer_limits(dtype, &low, &high);
        diag_note(d, "%s holds %lld to %lld", name, (long long)low, (long long)high);
    }
    if (other && dtype != DTYPE_bool)
        diag_help(d, "nothing converts by itself: write `%s(%s)`", v->number.is_float ? "float" : "int",
                  el_source(e, other_span));
    else if (v->number.is_float && dtype_is_integer(dtype))
        diag_help(d, "write a whole number, or make it a float where its type is declared");
}

const Val *op_literal_as(Elab *e, const Val *v, DType dtype, Span span) {
    if (!literal_fits(v, dtype)) {
        refuse_literal(e, v, dtype, span, NULL, span);
        return e->poison;
    }
    return dtype == DTYPE_i64 ? val_dim(e, dim_const(e->ir, v->number.integer))
                              : val_known(e, type_scalar(e->ir, dtype), v->number.number);
}

static int64_t floor_divide(int64_t a, int64_t b) {
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static bool integer_power(int64_t a, int64_t b, int64_t *out) {
    *out = 1;
    if (b > 63 && (a > 1 || a < -1)) return false;
    if (a == -1 || a == 1 || a == 0) b = b == 0 ? 0 : 2 - (b & 1);
    for (; b > 0; b--)
        if (__builtin_mul_overflow(*out, a, out)) return false;
    return true;
}

/* Integer arithmetic on literals; false where the result is no int64. */
static bool fold_integers(AstOperator op, int64_t a, int64_t b, int64_t *out) {
    switch ((int)op) {
    case AST_ADD: return !__builtin_add_overflow(a, b, out);
    case AST_SUB: return !__builtin_sub_overflow(a, b, out);
    case AST_MUL: return !__builtin_mul_overflow(a, b, out);
    case AST_POW: return integer_power(a, b, out);
    case AST_FLOORDIV:
    case AST_MOD:
        if (a == INT64_MIN && b == -1) return false;
        *out = op == AST_FLOORDIV ? floor_divide(a, b) : a - floor_divide(a, b) * b;
        return true;
    default: return false;
    }
}

static double fold_floats(AstOperator op, double a, double b) {
    switch ((int)op) {
    case AST_ADD: return a + b;
    case AST_SUB: return a - b;
    case AST_MUL: return a * b;
    case AST_DIV: return a / b;
    case AST_FLOORDIV: return quotient_floored(a, b);
    case AST_MOD: return remainder_floored(a, b);
    default: return pow(a, b);
    }
}

static bool fold_compare(AstOperator op, double a, double b) {
    switch ((int)op) {
    case AST_EQ: return a == b;
    case AST_NE: return a != b;
    case AST_LT: return a < b;
    case AST_LE: return a <= b;
    case AST_GT: return a > b;
    default: return a >= b;
    }
}

static bool exact_integers(const Val *a, const Val *b, int64_t *x, int64_t *y) {
    const Val *both[2] = {a, b};
    int64_t *outs[2] = {x, y};
    for (int i = 0; i < 2; i++) {
        const Val *v = both[i];
        if (v->kind == VAL_NUMBER && !v->number.is_float)
            *outs[i] = v->number.integer;
        else if (v->kind != VAL_TENSOR || !v->tensor.dim || !dim_is_const(v->tensor.dim, outs[i]))
            return false;
    }
    return true;
}

static const Val *fold_literals(Elab *e, AstOperator op, const Val *a, const Val *b, Span span) {
    if (compares(op)) {
        int64_t x, y;
        if (exact_integers(a, b, &x, &y)) return val_bool(e, fold_compare(op, x < y ? -1 : x > y, 0));
        return val_bool(e, fold_compare(op, a->number.number, b->number.number));
    }
    bool whole = !a->number.is_float && !b->number.is_float && op != AST_DIV;
    if (whole && (op == AST_POW && b->number.integer < 0)) whole = false;
    if (!whole) return val_float(e, fold_floats(op, a->number.number, b->number.number));
    if ((op == AST_FLOORDIV || op == AST_MOD) && b->number.integer == 0) {
        diag_report(e->diags, D_DIVIDED_BY_ZERO, span);
        return e->poison;
    }
    int64_t out;
    if (fold_integers(op, a->number.integer, b->number.integer, &out)) return val_integer(e, out);
    diag_report(e->diags, D_OVERFLOW, span);
    return e->poison;
}

/* --- integers that are dimensions */
static const Dim *plain_dim(Elab *e, const Val *v) {
    if (v->kind == VAL_NUMBER) return v->number.is_float ? NULL : dim_const(e->ir, v->number.integer);
    return v->kind == VAL_TENSOR && !v->tensor.value ? v->tensor.dim : NULL;
}

/* NULL: not so simple, compute it at run time. */
static const Val *fold_dims(Elab *e, AstOperator op, const Val *a, const Val *b, Span span) {
    const Dim *x = plain_dim(e, a), *y = plain_dim(e, b);
    int64_t i, j;
    if (!x || !y) return NULL;
    if (compares(op)) {
        bool constants = exact_integers(a, b, &i, &j);
        if (constants) return val_bool(e, fold_compare(op, i < j ? -1 : i > j, 0));
        if (x == y) return val_bool(e, op == AST_EQ || op == AST_LE || op == AST_GE);
        /* A model is checked with sizes that differ, from each other and from numbers; one that is made with
         * equal ones is checked as it is. */
        bool differ = (op == AST_EQ || op == AST_NE) && (dim_is_hyper(e, x) || dim_is_const(x, NULL)) &&
                      (dim_is_hyper(e, y) || dim_is_const(y, NULL));
        return differ ? val_bool(e, op == AST_NE) : NULL;
    }
    if ((op == AST_FLOORDIV || op == AST_MOD) && dim_is(y, 0)) {
        diag_report(e->diags, D_DIVIDED_BY_ZERO, span);
        return e->poison;
    }
    const Dim *d = op == AST_ADD        ? dim_add(e->ir, x, y)
                   : op == AST_SUB      ? dim_sub(e->ir, x, y)
                   : op == AST_MUL      ? dim_mul(e->ir, x, y)
                   : op == AST_FLOORDIV ? dim_floordiv(e->ir, x, y)
                   : op == AST_MOD      ? dim_mod(e->ir, x, y)
                                        : NULL;
    if (op == AST_POW && exact_integers(a, b, &i, &j) && j >= 0 && integer_power(i, j, &i))
        d = dim_const(e->ir, i);
    return d ? val_dim(e, d) : NULL;
}

/* Floats and bools known at compile time. */
static const Val *fold_known(Elab *e, AstOperator op, const Val *a, const Val *b) {
    const Val *typed = a->kind == VAL_TENSOR ? a : b;
    double x, y;
    if (!val_static_number(a, &x) || !val_static_number(b, &y)) return NULL;
    if (!dtype_is_float(typed->tensor.type->dtype)) return NULL;
    if (a->kind == VAL_TENSOR && b->kind == VAL_TENSOR && a->tensor.type != b->tensor.type) return NULL;
    if (compares(op)) return val_bool(e, fold_compare(op, x, y));
    bool made = (a->kind == VAL_TENSOR && a->tensor.value) || (b->kind == VAL_TENSOR && b->tensor.value);
    return made || op == AST_MATMUL ? NULL : val_known(e, typed->tensor.type, fold_floats(op, x, y));
}

/* --- broadcasting */
const Val *op_broadcast(Elab *e, const Val *v, uint32_t rank, const Dim *const *dims, Span span) {
    if (v->tensor.type == type_tensor(e->ir, v->tensor.type->dtype, rank, dims)) return v;
    Value *x = val_value(e, v, span);
    Builder b = el_builder(e, span);
    return val_of(e, build_broadcast_to(&b, x, rank, dims));
}

static bool common_dim(const Dim **into, const Dim *dim) {
    if (*into == dim || dim_is(dim, 1)) return true;
    if (!dim_is(*into, 1)) return false;
    *into = dim;
    return true;
}

/* The shape that all broadcast to; the offending index, or `count`. */
static uint32_t common_shape(uint32_t count, const Val *const *vals, uint32_t *rank, const Dim **dims) {
    *rank = 0;
    for (uint32_t i = 0; i < count; i++)
        if (vals[i]->kind == VAL_TENSOR && vals[i]->tensor.type->rank > *rank)
            *rank = vals[i]->tensor.type->rank;
    for (uint32_t axis = 0; axis < *rank; axis++) dims[axis] = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (vals[i]->kind != VAL_TENSOR) continue;
        const Type *type = vals[i]->tensor.type;
        for (uint32_t k = 0; k < type->rank; k++) {
            const Dim **into = &dims[*rank - type->rank + k];
            if (!*into)
                *into = type->dims[k];
            else if (!common_dim(into, type->dims[k]))
                return i;
        }
    }
    return count;
}

/* Do the axes of `small` fit those of `large` with `after` axes of size 1 put behind them? */
static bool lines_up(const Type *small, const Type *large, uint32_t after) {
    uint32_t first = large->rank - small->rank - after;
    for (uint32_t i = 0; i < small->rank; i++) {
        const Dim *p = small->dims[i], *q = large->dims[first + i];
        if (p != q && !dim_is(p, 1) && !dim_is(q, 1)) return false;
    }
    return true;
}

/* Shapes are compared from the last axis: says how to bring the smaller one's axes under those that they
 * belong to. */
static void help_line_up(Elab *e, Diagnostic *d, const Type *small, Span span, const Type *large) {
    for (uint32_t after = 1; small->rank && after <= large->rank - small->rank; after++) {
        if (!lines_up(small, large, after)) continue;
        const char *text = el_source(e, span);
        for (uint32_t i = 0; i < after; i++) text = arena_printf(e->arena, "%s.unsqueeze(-1)", text);
        diag_help(d, "shapes are compared from the last axis; put an axis of size 1 behind: `%s`", text);
        return;
    }
}

/* Axes of these sizes. */
static bool axes_clash(const Dim *p, const Dim *q) { return p != q && !dim_is(p, 1) && !dim_is(q, 1); }

static bool shapes_fit_later(Elab *e, const Type *x, const Type *y) {
    for (uint32_t k = 1; k <= x->rank && k <= y->rank; k++) {
        const Dim *p = x->dims[x->rank - k], *q = y->dims[y->rank - k];
        if (axes_clash(p, q) && !dim_fits_later(e, p, q)) return false;
    }
    return true;
}

static bool shapes_clash(Elab *e, const Val *a, Span as, const Val *b, Span bs, Span at, const char *what) {
    const Type *x = a->tensor.type, *y = b->tensor.type;
    if (shapes_fit_later(e, x, y)) return false;
    Diagnostic *d = diag_report(e->diags, D_BROADCAST, at, what, val_type_text(e, a), val_type_text(e, b));
    diag_label(d, as, "%s", val_type_text(e, a));
    diag_label(d, bs, "%s", val_type_text(e, b));
    for (uint32_t k = 1; k <= x->rank && k <= y->rank; k++) {
        const Dim *p = x->dims[x->rank - k], *q = y->dims[y->rank - k];
        if (!axes_clash(p, q)) continue;
        diag_note(
            d,
            "axis -%u is %s on the left and %s on the right; axes must be equal, or one of them written as 1",
            (unsigned)k, el_dim(e, p), el_dim(e, q));
        help_multiple(e, d, p, q);
        break;
    }
    if (x->rank == 2 && y->rank == 2 && x->dims[0] == y->dims[1] && x->dims[1] == y->dims[0])
        diag_help(d, "transpose one of them: `%s.T`", el_source(e, bs));
    else if (x->rank != y->rank)
        help_line_up(e, d, x->rank < y->rank ? x : y, x->rank < y->rank ? as : bs, x->rank < y->rank ? y : x);
    return false;
}

static bool dtypes_clash(Elab *e, const Val *a, Span as, const Val *b, Span bs, Span at, const char *what) {
    Diagnostic *d =
        diag_report(e->diags, D_DTYPES, at, what, type_text_nn(e, type_scalar(e->ir, a->tensor.type->dtype)),
                    type_text_nn(e, type_scalar(e->ir, b->tensor.type->dtype)));
    diag_label(d, as, "%s", val_type_text(e, a));
    diag_label(d, bs, "%s", val_type_text(e, b));
    bool left = dtype_is_float(b->tensor.type->dtype) || !dtype_is_float(a->tensor.type->dtype);
    const Val *to = left ? b : a;
    diag_help(d, "nothing converts by itself; write `%s(%s)`",
              type_text_nn(e, type_scalar(e->ir, to->tensor.type->dtype)), el_source(e, left ? as : bs));
    return false;
}

static bool unite_dtypes(Elab *e, uint32_t count, const Val **vals, const Span *spans, Span at,
                         const char *what) {
    uint32_t first = count;
    for (uint32_t i = 0; i < count; i++) {
        if (val_poisoned(vals[i])) return false;
        if (vals[i]->kind == VAL_TENSOR && first == count) first = i;
        if (vals[i]->kind != VAL_TENSOR && vals[i]->kind != VAL_NUMBER) {
            Diagnostic *d = diag_report(e->diags, D_NOT_TENSOR, spans[i], what, val_type_text(e, vals[i]));
            if (is_list(vals[i])) help_stack(e, d, ty_of(e, vals[i]), spans[i]);
            return false;
        }
    }
    bool any_float = false;
    for (uint32_t i = 0; i < count; i++) any_float |= vals[i]->kind == VAL_NUMBER && vals[i]->number.is_float;
    DType dtype = first < count ? vals[first]->tensor.type->dtype : any_float ? e->float_type : DTYPE_i64;
    for (uint32_t i = 0; i < count; i++) {
        if (vals[i]->kind == VAL_NUMBER && !literal_fits(vals[i], dtype)) {
            refuse_literal(e, vals[i], dtype, spans[i], first < count ? vals[first] : NULL,
                           first < count ? spans[first] : at);
            return false;
        }
        if (vals[i]->kind == VAL_NUMBER) vals[i] = op_literal_as(e, vals[i], dtype, spans[i]);
        if (vals[i]->tensor.type->dtype != dtype)
            return dtypes_clash(e, vals[first], spans[first], vals[i], spans[i], at, what);
    }
    return true;
}

bool op_unite(Elab *e, uint32_t count, const Val **vals, const Span *spans, Span at, const char *what,
              Value **out) {
    if (!unite_dtypes(e, count, vals, spans, at, what)) return false;
    const Dim *dims[MAX_RANK];
    uint32_t rank, bad = common_shape(count, vals, &rank, dims);
    if (bad < count) {
        uint32_t other = 0;
        for (uint32_t i = 0; i < bad; i++) {
            const Val *pair[2] = {vals[i], vals[bad]};
            const Dim *unused[MAX_RANK];
            uint32_t unused_rank;
            if (common_shape(2, pair, &unused_rank, unused) < 2) other = i;
        }
        return shapes_clash(e, vals[other], spans[other], vals[bad], spans[bad], at, what);
    }
    for (uint32_t i = 0; i < count; i++)
        out[i] = val_value(e, op_broadcast(e, vals[i], rank, dims, spans[i]), spans[i]);
    return true;
}

/* --- tensors */
static Op graph_op(AstOperator op) {
    static const Op ops[] = {[AST_ADD] = OP_add,
                             [AST_SUB] = OP_sub,
                             [AST_MUL] = OP_mul,
                             [AST_DIV] = OP_div,
                             [AST_FLOORDIV] = OP_floordiv,
                             [AST_MOD] = OP_mod,
                             [AST_POW] = OP_pow,
                             [AST_MATMUL] = OP_contract,
                             [AST_EQ] = OP_eq,
                             [AST_NE] = OP_ne,
                             [AST_LT] = OP_lt,
                             [AST_LE] = OP_le,
                             [AST_GT] = OP_gt,
                             [AST_GE] = OP_ge,
                             [AST_AND] = OP_and,
                             [AST_OR] = OP_or,
                             [AST_NEG] = OP_neg,
                             [AST_POS] = OP_neg,
                             [AST_NOT] = OP_not};
    return ops[op];
}

/* What an operator needs of an operand's type; the help line that says so (of the operand as written at
 * `span`), or NULL where it is allowed. */
static const char *dtype_refused(Elab *e, AstOperator op, DType dtype, Span span) {
    bool is_bool = dtype == DTYPE_bool;
    if (op == AST_AND || op == AST_OR)
        return is_bool ? NULL : arena_printf(e->arena, "compare first: `%s != 0`", el_source(e, span));
    if (op == AST_EQ || op == AST_NE) return NULL;
    if (is_bool)
        return arena_printf(e->arena, "a bool is no number: `int(%s)` or `float(%s)` makes one of it",
                            el_source(e, span), el_source(e, span));
    if (op == AST_DIV && !dtype_is_float(dtype))
        return arena_printf(
            e->arena, "make floats of integers first: `float(%s)`; `//` divides integers, rounding down",
            el_source(e, span));
    return NULL;
}

/* Before literals meet tensors, so that what is said is about the operator. Where two tensors differ in type,
 * that is what is said. */
static const char *operand_refused(Elab *e, AstOperator op, const Val *v, Span span, const Val *other) {
    if (v->kind != VAL_TENSOR) return NULL;
    DType dtype = v->tensor.type->dtype;
    bool differs = other->kind == VAL_TENSOR && other->tensor.type->dtype != dtype;
    if (differs && dtype != DTYPE_bool && op != AST_AND && op != AST_OR) return NULL;
    return dtype_refused(e, op, dtype, span);
}

static const Val *tensor_binary(Elab *e, AstOperator op, const Val *a, Span as, const Val *b, Span bs,
                                Span span) {
    const Val *vals[2] = {a, b};
    Span spans[2] = {as, bs};
    Value *x[2];
    bool square = op == AST_POW && b->kind == VAL_NUMBER && b->number.number == 2;
    const char *help = operand_refused(e, op, a, as, b);
    if (!help) help = operand_refused(e, op, b, bs, a);
    if (help) return no_operator(e, op, a, as, b, bs, span, help);
    if (!op_unite(e, 2, vals, spans, span, arena_printf(e->arena, "`%s`", operator_text(op)), x))
        return e->poison;
    help = dtype_refused(e, op, x[0]->type->dtype, as);
    if (help) return no_operator(e, op, a, as, b, bs, span, help);
    Builder builder = el_builder(e, span);
    if (square) return val_of(e, build_binary(&builder, OP_mul, x[0], x[0]));
    return val_of(e, build_binary(&builder, graph_op(op), x[0], x[1]));
}

/* --- the matrix product, with NumPy's rules of rank */
typedef struct {
    char spec[40];
    uint32_t length;
} Spec;

static void spec_add(Spec *s, char c) { s->spec[s->length++] = c; }

/* An operand would fit with its last two axes swapped. */
static void help_transpose(Elab *e, Diagnostic *d, const char *side, Span span) {
    const char *text = el_source(e, span);
    size_t length = strlen(text);
    if (el_is_compound(text))
        diag_help(d, "transpose the %s side: `(%s).T`", side, text);
    else if (length > 2 && strcmp(text + length - 2, ".T") == 0)
        diag_help(d, "the %s side fits without `.T`: `%.*s`", side, (int)length - 2, text);
    else
        diag_help(d, "transpose the %s side: `%s.T`", side, text);
}

static const Val *matmul_clash(Elab *e, const Val *a, Span as, const Val *b, Span bs, Span span,
                               const char *why) {
    Diagnostic *d = diag_report(e->diags, D_MATMUL, span, val_type_text(e, a), val_type_text(e, b));
    diag_label(d, as, "%s", val_type_text(e, a));
    diag_label(d, bs, "%s", val_type_text(e, b));
    diag_note(d, "%s", why);
    const Type *x = a->tensor.type, *y = b->tensor.type;
    if (x->rank && y->rank >= 2 && x->dims[x->rank - 1] == y->dims[y->rank - 1])
        help_transpose(e, d, "right", bs);
    else if (x->rank == 2 && y->rank && x->dims[0] == y->dims[y->rank >= 2 ? y->rank - 2 : 0])
        help_transpose(e, d, "left", as);
    else if (x->rank >= 2 && y->rank && y->dims[y->rank - 1] == x->dims[x->rank - 2])
        diag_help(d, "the other way round it fits: `%s @ %s`", el_source(e, bs), el_source(e, as));
    return e->poison;
}

/* Drops the batch axes of constant size 1 that the other operand stretches. Labels the rest. */
static Value *label_operand(Elab *e, Builder *b, Value *x, const Dim *const *batch, uint32_t batches,
                            uint32_t tail, Spec *s) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0, own = x->type->rank - tail;
    for (uint32_t i = 0; i < own; i++) {
        uint32_t at = batches - own + i;
        if (x->type->dims[i] != batch[at]) continue;
        dims[rank++] = x->type->dims[i];
        spec_add(s, (char)('a' + at));
    }
    for (uint32_t i = own; i < x->type->rank; i++) dims[rank++] = x->type->dims[i];
    (void)e;
    return build_reshape(b, x, rank, dims);
}

static const Val *matmul(Elab *e, const Val *a, Span as, const Val *b, Span bs, Span span) {
    const Val *vals[2] = {a, b};
    Span spans[2] = {as, bs};
    if (!unite_dtypes(e, 2, vals, spans, span, "`@`")) return e->poison;
    Value *x = val_value(e, vals[0], as), *y = val_value(e, vals[1], bs);
    const Type *p = x->type, *q = y->type;
    if (p->rank == 0 || q->rank == 0)
        return matmul_clash(e, vals[0], as, vals[1], bs, span,
                            "a scalar has no axis to sum over; `*` multiplies by it");
    if (p->dtype == DTYPE_bool)
        return no_operator(e, AST_MATMUL, a, as, b, bs, span, dtype_refused(e, AST_MATMUL, p->dtype, as));
    uint32_t p_tail = p->rank == 1 ? 1 : 2, q_tail = q->rank == 1 ? 1 : 2;
    const Dim *k = p->dims[p->rank - 1], *l = q->dims[q->rank - q_tail];
    if (k != l)
        return matmul_clash(
            e, vals[0], as, vals[1], bs, span,
            arena_printf(e->arena, "the last axis of the left side is %s, axis %s of the right side is %s",
                         el_dim(e, k), q_tail == 1 ? "0" : "-2", el_dim(e, l)));
    const Val *leading[2] = {val_known(e, type_tensor(e->ir, p->dtype, p->rank - p_tail, p->dims), 0),
                             val_known(e, type_tensor(e->ir, q->dtype, q->rank - q_tail, q->dims), 0)};
    const Dim *batch[MAX_RANK];
    uint32_t batches;
    if (common_shape(2, leading, &batches, batch) < 2)
        return matmul_clash(e, vals[0], as, vals[1], bs, span, "the leading (batch) axes differ");
    Builder builder = el_builder(e, span);
    Spec s = {.length = 0};
    x = label_operand(e, &builder, x, batch, batches, p_tail, &s);
    if (p_tail == 2) spec_add(&s, 'm');
    spec_add(&s, 'k');
    spec_add(&s, ',');
    y = label_operand(e, &builder, y, batch, batches, q_tail, &s);
    spec_add(&s, 'k');
    if (q_tail == 2) spec_add(&s, 'n');
    spec_add(&s, '-');
    spec_add(&s, '>');
    for (uint32_t i = 0; i < batches; i++) {
        bool there = memchr(s.spec, 'a' + (int)i, s.length) != NULL;
        if (there) spec_add(&s, (char)('a' + i));
    }
    if (p_tail == 2) spec_add(&s, 'm');
    if (q_tail == 2) spec_add(&s, 'n');
    return val_of(e, build_contract(&builder, x, y, el_name(e, s.spec)));
}

/* --- entry */
static const Val *string_binary(Elab *e, AstOperator op, const Val *a, Span as, const Val *b, Span bs,
                                Span span) {
    if (a->kind != VAL_STRING || b->kind != VAL_STRING)
        return no_operator(e, op, a, as, b, bs, span,
                           arena_printf(e->arena, "strings interpolate: `\"… {%s}\"`",
                                        el_source(e, a->kind == VAL_STRING ? bs : as)));
    bool known = a->string.text && b->string.text;
    if ((op == AST_EQ || op == AST_NE) && known)
        return val_bool(e, (strcmp(a->string.text, b->string.text) == 0) == (op == AST_EQ));
    if (op != AST_ADD && op != AST_EQ && op != AST_NE)
        return no_operator(
            e, op, a, as, b, bs, span,
            "strings can be compared (`==`, `!=`), joined (`+`) and interpolated (`\"{a} {b}\"`)");
    if (known) return val_text(e, arena_printf(e->arena, "%s%s", a->string.text, b->string.text));
    Builder builder = el_builder(e, span);
    Value *parts[2] = {string_value(e, a, as), string_value(e, b, bs)};
    if (op != AST_ADD) {
        Value *same = build_node(&builder, OP_text_equal, 2, parts, 0, NULL)->results[0];
        return val_of(e, op == AST_EQ ? same : build_unary(&builder, OP_not, same));
    }
    Attr attr = attr_str(ATTR_text, el_name(e, "{}{}"));
    return val_of(e, build_node(&builder, OP_format, 2, parts, 1, &attr)->results[0]);
}

const Val *op_binary(Elab *e, AstOperator op, const Val *a, Span as, const Val *b, Span bs, Span span) {
    if (val_poisoned(a) || val_poisoned(b)) return e->poison;
    if (a->kind == VAL_STRING || b->kind == VAL_STRING) return string_binary(e, op, a, as, b, bs, span);
    bool gradient_a = a->kind == VAL_MODEL && a->model.gradient,
         gradient_b = b->kind == VAL_MODEL && b->model.gradient;
    if (gradient_a || gradient_b) return gradient_binary(e, op, a, as, b, bs, span);
    bool numbers =
        (a->kind == VAL_NUMBER || a->kind == VAL_TENSOR) && (b->kind == VAL_NUMBER || b->kind == VAL_TENSOR);
    if (!numbers) return no_operator(e, op, a, as, b, bs, span, NULL);
    if (op == AST_MATMUL) return matmul(e, a, as, b, bs, span);
    if (op == AST_AND || op == AST_OR) {
        bool x, y;
        if (val_static_bool(a, &x) && val_static_bool(b, &y))
            return val_bool(e, op == AST_AND ? x && y : x || y);
        return tensor_binary(e, op, a, as, b, bs, span);
    }
    if (a->kind == VAL_NUMBER && b->kind == VAL_NUMBER) return fold_literals(e, op, a, b, span);
    const Val *folded = fold_dims(e, op, a, b, span);
    if (!folded) folded = fold_known(e, op, a, b);
    return folded ? folded : tensor_binary(e, op, a, as, b, bs, span);
}

static const Val *negate_leaf(Elab *e, const Val *leaf, Span span, void *user) {
    (void)user;
    return op_unary(e, AST_NEG, leaf, span);
}

static const Val *negate(Elab *e, const Val *a, Span span) {
    if (a->kind == VAL_NUMBER && a->number.is_float) return val_float(e, -a->number.number);
    if (a->kind == VAL_NUMBER)
        return val_integer(e, a->number.integer == INT64_MIN ? INT64_MIN : -a->number.integer);
    if (a->tensor.dim && !a->tensor.value)
        return val_dim(e, dim_sub(e->ir, dim_const(e->ir, 0), a->tensor.dim));
    if (a->tensor.known && !a->tensor.value) return val_known(e, a->tensor.type, -a->tensor.number);
    Builder b = el_builder(e, span);
    return val_of(e, build_unary(&b, OP_neg, val_value(e, a, span)));
}

const Val *op_unary(Elab *e, AstOperator op, const Val *a, Span span) {
    if (val_poisoned(a)) return a;
    if (op == AST_NEG && a->kind == VAL_MODEL && a->model.gradient)
        return gradient_map(e, a, negate_leaf, span, NULL);
    bool number = a->kind == VAL_NUMBER, tensor = a->kind == VAL_TENSOR;
    bool boolean = tensor && a->tensor.type->dtype == DTYPE_bool;
    if (op == AST_NOT ? !boolean : !(number || (tensor && !boolean))) {
        Diagnostic *d = diag_report(e->diags, D_NO_UNARY, span, operator_text(op), val_type_text(e, a));
        if (op == AST_NOT && (tensor || number)) diag_help(d, "compare first: `x == 0`");
        return e->poison;
    }
    if (op == AST_POS) return a;
    if (op == AST_NEG) return negate(e, a, span);
    bool value;
    if (val_static_bool(a, &value)) return val_bool(e, !value);
    Builder b = el_builder(e, span);
    return val_of(e, build_unary(&b, OP_not, val_value(e, a, span)));
}
