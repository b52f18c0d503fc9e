/* Elementwise identities. Floats keep every bit: x + 0 is not x (for x = -0), but x - 0 and x + -0 are; x * 0
 * is not 0 (for NaN and infinities). */
#include "passes/simplify.h"
#include <math.h>
#include <stdlib.h>

/* --- questions */
static bool is_float(const Value *value) { return dtype_is_float(value->type->dtype); }

static bool is_true(const Value *value) { return value->type->dtype == DTYPE_bool && is_splat(value, 1); }

static bool is_false(const Value *value) { return value->type->dtype == DTYPE_bool && is_splat(value, 0); }

/* --- sums */
/* x + c + d = x + (c + d), which wraps alike. */
static Value *merge_integers(Builder *b, Op op, Value *x, Value *y) {
    if (is_float(x) || !is_const(y) || !made_by(x, op) || !is_const(x->node->operands[1])) return NULL;
    return build_binary(b, op, source(x), build_binary(b, op, x->node->operands[1], y));
}

static Value *rule_add(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    if (is_splat(y, is_float(y) ? -0.0 : 0)) return x;
    if (is_const(x) && !is_const(y)) return build_binary(b, OP_add, y, x); /* constants go right */
    if (made_by(y, OP_neg)) return build_binary(b, OP_sub, x, source(y));
    if (made_by(x, OP_neg)) return build_binary(b, OP_sub, y, source(x));
    return merge_integers(b, OP_add, x, y);
}

static Value *rule_sub(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    if (is_splat(y, 0)) return x;
    if (made_by(y, OP_neg)) return build_binary(b, OP_add, x, source(y));
    if (is_splat(x, is_float(x) ? -0.0 : 0)) return build_unary(b, OP_neg, y);
    if (is_float(x)) return NULL;
    if (x == y) return const_integer(b, type_of(node), 0);
    return is_const(y) ? build_binary(b, OP_add, x, build_unary(b, OP_neg, y)) : NULL;
}

/* --- products */
static Value *rule_mul(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    if (is_splat(y, 1)) return x;
    if (is_const(x) && !is_const(y)) return build_binary(b, OP_mul, y, x);
    if (!is_float(y) && is_splat(y, 0)) return y;
    if (is_splat(y, -1)) return build_unary(b, OP_neg, x);
    if (made_by(x, OP_neg) && made_by(y, OP_neg)) return build_binary(b, OP_mul, source(x), source(y));
    if (made_by(x, OP_neg) && is_const(y))
        return build_binary(b, OP_mul, source(x), build_unary(b, OP_neg, y));
    return merge_integers(b, OP_mul, x, y);
}

/* Largest |e| such that 2^e and 2^-e are both normal numbers of the dtype. */
static int normal_exponent(DType dtype) {
    switch (dtype) {
    case DTYPE_f64: return 1022;
    case DTYPE_f32:
    case DTYPE_bf16: return 126;
    case DTYPE_f16: return 14;
    case DTYPE_i64:
    case DTYPE_i32:
    case DTYPE_i16:
    case DTYPE_i8:
    case DTYPE_u8:
    case DTYPE_bool:
    case DTYPE_str:
    case DTYPE_data:
    case DTYPE_COUNT: break;
    }
    return 0;
}

/* Division by a power of two is the product with its reciprocal, to the last bit. */
static Value *rule_div(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    if (is_splat(y, 1)) return x;
    if (made_by(x, OP_neg) && made_by(y, OP_neg)) return build_binary(b, OP_div, source(x), source(y));
    if (!is_const(y)) return NULL;
    int exponent;
    double divisor = node_attr(y->node, ATTR_value)->number;
    if (fabs(frexp(divisor, &exponent)) != 0.5 || abs(exponent - 1) > normal_exponent(y->type->dtype))
        return NULL;
    return build_binary(b, OP_mul, x, const_number(b, y->type, 1 / divisor));
}

static Value *rule_floordiv(Simplify *s, Builder *b, Node *node) {
    (void)s, (void)b;
    Value *x = in(node, 0), *y = in(node, 1);
    return !is_float(x) && is_splat(y, 1) ? x : NULL;
}

static Value *rule_mod(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    return !is_float(x) && is_splat(y, 1) ? const_integer(b, type_of(node), 0) : NULL;
}

/* x to the power of ½: where the square root's sign or NaN differ, of -0 and of -∞, what C says of pow. */
static Value *half_power(Builder *b, Value *x) {
    Value *root = build_unary(b, OP_abs, build_unary(b, OP_sqrt, x));
    Value *least = build_binary(b, OP_eq, x, const_number(b, x->type, -INFINITY));
    return build_select(b, least, const_number(b, x->type, INFINITY), root);
}

static Value *rule_pow(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    if (is_splat(y, 1)) return x;
    if (is_splat(y, 0)) return build_const(b, type_of(node), 1); /* of NaN too */
    if (is_splat(y, 2) || is_splat(y, 3) || is_splat(y, 4)) {
        Value *square = build_binary(b, OP_mul, x, x);
        return is_splat(y, 2) ? square : build_binary(b, OP_mul, square, is_splat(y, 3) ? x : square);
    }
    if (!is_float(x)) return NULL;
    if (is_splat(y, 0.5)) return half_power(b, x);
    bool square = is_splat(y, -2);
    if (!square && !is_splat(y, -1) && !is_splat(y, -0.5)) return NULL;
    Value *divisor = is_splat(y, -0.5) ? half_power(b, x) : x;
    Value *inverse = build_binary(b, OP_div, build_const(b, type_of(node), 1), divisor);
    return square ? build_binary(b, OP_mul, inverse, inverse) : inverse;
}

/* --- one operand */
static Value *rule_neg(Simplify *s, Builder *b, Node *node) {
    (void)s, (void)b;
    return made_by(in(node, 0), OP_neg) ? source(in(node, 0)) : NULL;
}

static Value *rule_abs(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    if (made_by(x, OP_abs) || dtype_class(x->type->dtype) == CLASS_UINT) return x;
    return made_by(x, OP_neg) ? build_unary(b, OP_abs, source(x)) : NULL;
}

/* Rounding what is rounded. */
static Value *rule_round(Simplify *s, Builder *b, Node *node) {
    (void)s, (void)b;
    Value *x = in(node, 0);
    return made_by(x, OP_floor) || made_by(x, OP_ceil) || made_by(x, OP_round) ? x : NULL;
}

/* No gradient is left to be taken where algebra runs. */
static Value *rule_stop_gradient(Simplify *s, Builder *b, Node *node) {
    (void)s, (void)b;
    return in(node, 0);
}

/* How many bits an integer type's magnitudes take, and how many a float type holds exactly. */
typedef struct {
    int integer_bits, exponent_bits, mantissa_bits;
    bool is_signed;
} Format;

static Format format_of(DType dtype) {
    static const Format formats[DTYPE_COUNT] = {
        [DTYPE_f64] = {0, 11, 53, true}, [DTYPE_f32] = {0, 8, 24, true}, [DTYPE_f16] = {0, 5, 11, true},
        [DTYPE_bf16] = {0, 8, 8, true},  [DTYPE_i64] = {63, 0, 0, true}, [DTYPE_i32] = {31, 0, 0, true},
        [DTYPE_i16] = {15, 0, 0, true},  [DTYPE_i8] = {7, 0, 0, true},   [DTYPE_u8] = {8, 0, 0, false},
        [DTYPE_bool] = {1, 0, 0, false},
    };
    return formats[dtype];
}

/* Does every value of `from` have an equal one in `to`? f16 holds all integers of up to 11 bits. */
static bool holds(DType from, DType to) {
    Format f = format_of(from), t = format_of(to);
    if (to == DTYPE_bool) return from == DTYPE_bool;
    if (f.mantissa_bits) return t.mantissa_bits >= f.mantissa_bits && t.exponent_bits >= f.exponent_bits;
    if (t.mantissa_bits) return t.mantissa_bits >= f.integer_bits;
    return t.integer_bits >= f.integer_bits && (t.is_signed || !f.is_signed);
}

/* A lossless cast before another doesn't matter, but that integers become integers by wrapping and floats by
 * saturating: through a float only where nothing is cut off. */
static bool is_redundant(DType from, DType middle, DType to) {
    bool saturates = dtype_is_float(middle) && !dtype_is_float(from) && dtype_is_integer(to);
    return holds(from, middle) && (!saturates || holds(from, to));
}

static Value *rule_cast(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    DType to = type_of(node)->dtype;
    if (x->type->dtype == to) return x;
    if (!made_by(x, OP_cast) || !is_redundant(source(x)->type->dtype, x->type->dtype, to)) return NULL;
    return build_cast(b, source(x), to);
}

/* --- order */
static Value *rule_extreme(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    if (x == y) return x;
    return is_const(x) && !is_const(y) ? build_binary(b, node->op, y, x) : NULL;
}

/* x = x holds but for NaN; x < x never. */
static Value *rule_compare(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    if (x != y) {
        bool swap = op_has(node->op, TRAIT_COMMUTES) && is_const(x) && !is_const(y);
        return swap ? build_binary(b, node->op, y, x) : NULL;
    }
    if (node->op == OP_lt || node->op == OP_gt) return const_integer(b, type_of(node), 0);
    if (is_float(x)) return NULL;
    return const_integer(b, type_of(node), node->op != OP_ne);
}

/* --- logic */
static Value *rule_not(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    if (made_by(x, OP_not)) return source(x);
    if (made_by(x, OP_eq)) return build_binary(b, OP_ne, source(x), x->node->operands[1]);
    if (made_by(x, OP_ne)) return build_binary(b, OP_eq, source(x), x->node->operands[1]);
    return NULL;
}

/* `neutral` leaves the other operand, its opposite decides. */
static Value *rule_logic(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0), *y = in(node, 1);
    bool is_and = node->op == OP_and;
    if (x == y || (is_and ? is_true(y) : is_false(y))) return x;
    if (is_and ? is_false(y) : is_true(y)) return y;
    return is_const(x) && !is_const(y) ? build_binary(b, node->op, y, x) : NULL;
}

static Value *rule_select(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *condition = in(node, 0), *x = in(node, 1), *y = in(node, 2);
    if (x == y || is_true(condition)) return x;
    if (is_false(condition)) return y;
    if (is_true(x) && is_false(y)) return condition;
    if (is_false(x) && is_true(y)) return build_unary(b, OP_not, condition);
    return made_by(condition, OP_not) ? build_select(b, source(condition), y, x) : NULL;
}

Value *simplify_algebra(Simplify *s, Builder *b, Node *node) {
    static Rule *const rules[OP_COUNT] = {
        [OP_add] = rule_add,           [OP_sub] = rule_sub,
        [OP_mul] = rule_mul,           [OP_div] = rule_div,
        [OP_floordiv] = rule_floordiv, [OP_mod] = rule_mod,
        [OP_pow] = rule_pow,           [OP_neg] = rule_neg,
        [OP_abs] = rule_abs,           [OP_floor] = rule_round,
        [OP_ceil] = rule_round,        [OP_round] = rule_round,
        [OP_cast] = rule_cast,         [OP_stop_gradient] = rule_stop_gradient,
        [OP_min] = rule_extreme,       [OP_max] = rule_extreme,
        [OP_eq] = rule_compare,        [OP_ne] = rule_compare,
        [OP_lt] = rule_compare,        [OP_le] = rule_compare,
        [OP_gt] = rule_compare,        [OP_ge] = rule_compare,
        [OP_not] = rule_not,           [OP_and] = rule_logic,
        [OP_or] = rule_logic,          [OP_select] = rule_select,
    };
    return rules[node->op] ? rules[node->op](s, b, node) : NULL;
}
