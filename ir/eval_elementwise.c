/* Evaluates the elementwise operations: f64 for floats, 64 bits and a wrap for integers, and how errors go
 * through each. */
#include "ir/eval.h"
#include "support/remainder.h"
#include <math.h>

/* Elementary functions of compiled programs are within 2 ulp, which is 4 units of roundoff. */
static const double elementary = 4;

/* --- one operand */
typedef double FloatUnary(double x);

/* How far f(x) moves when x moves by up to e, for monotone f. Of an x of which nothing is known, which may be
 * NaN, nothing is known after. */
static double spread_monotone(FloatUnary *f, double x, double e) {
    if (e == 0) return 0;
    if (!isfinite(e)) return INFINITY;
    double y = f(x);
    double moved = fmax(fabs(f(x + e) - y), fabs(y - f(x - e)));
    return isnan(f(x - e)) || isnan(f(x + e)) ? INFINITY : moved;
}

static bool map_monotone(const Tensor *x, Tensor *out, FloatUnary *f, double units) {
    for (int64_t k = 0; k < out->count; k++) {
        out->f[k] = f(x->f[k]);
        if (out->error)
            out->error[k] =
                error_after(out->dtype, out->f[k], spread_monotone(f, x->f[k], tensor_error(x, k)), units);
    }
    return true;
}

/* |f'| ≤ 1 and |f| ≤ 1 */
static bool map_wave(const Tensor *x, Tensor *out, FloatUnary *f) {
    for (int64_t k = 0; k < out->count; k++) {
        double e = tensor_error(x, k), spread = isfinite(e) ? fmin(e, 2) : INFINITY;
        out->f[k] = f(x->f[k]);
        if (out->error) out->error[k] = error_after(out->dtype, out->f[k], spread, elementary);
    }
    return true;
}

static double sigmoid(double x) {
    double t = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + t) : t / (1 + t);
}

#define MONOTONE(name, function, units)                                          \
    bool eval_##name(Eval *e, const Node *node, const Tensor *in, Tensor *out) { \
        (void)e, (void)node;                                                     \
        return map_monotone(&in[0], &out[0], function, units);                   \
    }
MONOTONE(exp, exp, elementary)
MONOTONE(log, log, elementary)
MONOTONE(sqrt, sqrt, 1)
MONOTONE(tanh, tanh, elementary)
MONOTONE(sigmoid, sigmoid, elementary)
MONOTONE(erf, erf, elementary)
MONOTONE(floor, floor, 0)
MONOTONE(ceil, ceil, 0)
MONOTONE(round, nearbyint, 0)

bool eval_sin(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    return map_wave(&in[0], &out[0], sin);
}

bool eval_cos(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    return map_wave(&in[0], &out[0], cos);
}

static double negated(double x) { return -x; }
static double signum(double x) { return isnan(x) ? x : (double)((x > 0) - (x < 0)); }

/* What an integer that is off by up to e is off by after it wrapped to `dtype` as x. */
static double int_to_int_error(DType dtype, int64_t x, double e) {
    if (e == 0) return 0;
    if (dtype == DTYPE_bool) return fabs((double)x) <= e;
    double bound = ldexp(1, (int)dtype_bytes(dtype) * 8 - 1);
    double least = dtype_class(dtype) == CLASS_INT ? -bound : 0;
    double above = dtype_class(dtype) == CLASS_INT ? bound : 2 * bound;
    return (double)x - e >= least && (double)x + e < above ? e : INFINITY;
}

typedef int64_t IntUnary(int64_t x);

static int64_t int_negated(int64_t x) { return (int64_t)(0 - (uint64_t)x); }
static int64_t int_absolute(int64_t x) { return x < 0 ? int_negated(x) : x; }
static int64_t int_signum(int64_t x) { return (x > 0) - (x < 0); }

static bool map_int1(const Tensor *x, Tensor *out, IntUnary *f) {
    for (int64_t k = 0; k < out->count; k++) {
        out->i[k] = wrap(out->dtype, (uint64_t)f(x->i[k]));
        if (out->error) out->error[k] = int_to_int_error(out->dtype, out->i[k], tensor_error(x, k));
    }
    return true;
}

#define FLOAT_OR_INT(name, of_float, of_int)                                                             \
    bool eval_##name(Eval *e, const Node *node, const Tensor *in, Tensor *out) {                         \
        (void)e, (void)node;                                                                             \
        return in[0].f ? map_monotone(&in[0], &out[0], of_float, 0) : map_int1(&in[0], &out[0], of_int); \
    }
FLOAT_OR_INT(neg, negated, int_negated)
FLOAT_OR_INT(sign, signum, int_signum)

bool eval_abs(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    if (in[0].i) return map_int1(&in[0], &out[0], int_absolute);
    for (int64_t k = 0; k < out->count; k++) {
        out->f[k] = fabs(in[0].f[k]);
        if (out->error) out->error[k] = tensor_error(&in[0], k);
    }
    return true;
}

bool eval_is_finite(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    for (int64_t k = 0; k < out->count; k++) {
        out->i[k] = isfinite(in[0].f[k]);
        if (out->error) out->error[k] = isfinite(tensor_error(&in[0], k)) ? 0 : 1;
    }
    return true;
}

bool eval_not(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    for (int64_t k = 0; k < out->count; k++) {
        out->i[k] = !in[0].i[k];
        if (out->error) out->error[k] = tensor_error(&in[0], k);
    }
    return true;
}

static bool same(const Tensor *in, Tensor *out) {
    for (int64_t k = 0; k < out->count; k++) tensor_copy_element(in, k, out, k);
    return true;
}

bool eval_stop_gradient(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    return same(&in[0], &out[0]);
}

bool eval_copy(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    return same(&in[0], &out[0]);
}

/* --- cast */
static int64_t saturate(DType dtype, double x) {
    if (isnan(x)) return 0;
    uint32_t bits = dtype_bytes(dtype) * 8;
    bool is_signed = dtype_class(dtype) == CLASS_INT;
    double above = ldexp(1, (int)bits - (is_signed ? 1 : 0)); /* the least too large */
    double least = is_signed ? -above : 0;
    x = trunc(x);
    if (x < least) x = least;
    if (x < above) return (int64_t)x;
    return is_signed ? (int64_t)((UINT64_C(1) << (bits - 1)) - 1) : (int64_t)above - 1;
}

static int64_t float_to_int(DType dtype, double x) {
    return dtype == DTYPE_bool ? x != 0 : saturate(dtype, x);
}

static double float_to_int_error(DType dtype, double x, double e) {
    if (e == 0) return 0;
    if (!isfinite(e) || isnan(x)) return dtype == DTYPE_bool ? 1 : INFINITY;
    if (dtype == DTYPE_bool) return fabs(x) <= e;
    double y = (double)saturate(dtype, x);
    return fmax((double)saturate(dtype, x + e) - y, y - (double)saturate(dtype, x - e));
}

static void cast_element(const Tensor *x, Tensor *out, int64_t k) {
    double error = tensor_error(x, k);
    if (out->f) {
        out->f[k] = x->f ? x->f[k] : (double)x->i[k];
        error = error_after(out->dtype, out->f[k], error, 1);
    } else if (x->f) {
        out->i[k] = float_to_int(out->dtype, x->f[k]);
        error = float_to_int_error(out->dtype, x->f[k], error);
    } else {
        out->i[k] = wrap(out->dtype, (uint64_t)x->i[k]);
        error = int_to_int_error(out->dtype, x->i[k], error);
    }
    if (out->error) out->error[k] = error;
}

bool eval_cast(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    for (int64_t k = 0; k < out->count; k++) cast_element(&in[0], &out[0], k);
    return true;
}

/* --- two operands */
typedef struct {
    double x, y, ex, ey; /* operands and their errors */
    double result;
    DType dtype;
} Pair;

typedef double FloatBinary(double x, double y);
typedef double PairError(const Pair *p);
typedef int64_t IntBinary(int64_t x, int64_t y);

static bool map_float2(const Tensor *in, Tensor *out, FloatBinary *f, PairError *error) {
    for (int64_t k = 0; k < out->count; k++) {
        Pair p = {in[0].f[k], in[1].f[k], tensor_error(&in[0], k), tensor_error(&in[1], k), 0, out->dtype};
        p.result = f(p.x, p.y);
        out->f[k] = p.result;
        if (!out->error) continue;
        bool known = isfinite(p.ex) && isfinite(p.ey);
        double bound = known ? error(&p) : INFINITY;
        out->error[k] = isnan(bound) ? INFINITY : bound;
    }
    return true;
}

/* Integer results of inexact integers are unknown but for sums. */
static bool map_int2(const Tensor *in, Tensor *out, IntBinary *f, bool is_sum) {
    for (int64_t k = 0; k < out->count; k++) {
        out->i[k] = wrap(out->dtype, (uint64_t)f(in[0].i[k], in[1].i[k]));
        if (!out->error) continue;
        double error = tensor_error(&in[0], k) + tensor_error(&in[1], k);
        out->error[k] = int_to_int_error(out->dtype, out->i[k], error == 0 || is_sum ? error : INFINITY);
    }
    return true;
}

static double float_add(double x, double y) { return x + y; }
static double float_sub(double x, double y) { return x - y; }
static double float_mul(double x, double y) { return x * y; }
static double float_div(double x, double y) { return x / y; }
static double float_min(double x, double y) { return isnan(x) ? x : isnan(y) ? y : x < y ? x : y; }
static double float_max(double x, double y) { return isnan(x) ? x : isnan(y) ? y : x > y ? x : y; }

static double sum_error(const Pair *p) { return error_after(p->dtype, p->result, p->ex + p->ey, 1); }

/* 0 · inf is 0 here: an exact factor contributes nothing. */
static double product(double x, double y) { return x == 0 || y == 0 ? 0 : x * y; }

static double mul_error(const Pair *p) {
    double spread = product(fabs(p->x), p->ey) + product(fabs(p->y), p->ex) + product(p->ex, p->ey);
    return error_after(p->dtype, p->result, spread, 1);
}

static double quotient_spread(const Pair *p) {
    if (p->ex == 0 && p->ey == 0) return 0;
    if (fabs(p->y) <= p->ey) return INFINITY;
    return (p->ex + product(fabs(p->x / p->y), p->ey)) / (fabs(p->y) - p->ey);
}

/* A division may be compiled as a multiplication by the reciprocal: two roundings, unless the divisor is a
 * power of 2. */
static double div_error(const Pair *p) {
    int exponent;
    bool reciprocal = p->ey == 0 && fabs(frexp(p->y, &exponent)) == 0.5;
    return error_after(p->dtype, p->result, quotient_spread(p), reciprocal ? 1 : 3);
}

/* How many steps x // y may be off by: none where both are exact. */
static double floordiv_steps(const Pair *p) {
    double q = p->x / p->y, e = quotient_spread(p);
    if (e == 0) return 0;
    e = error_after(p->dtype, q, e, 1);
    if (!isfinite(q) || !isfinite(e)) return INFINITY;
    return fmax(floor(q + e) - floor(q), floor(q) - floor(q - e));
}

static double floordiv_error(const Pair *p) { return error_after(p->dtype, p->result, floordiv_steps(p), 3); }

static double mod_error(const Pair *p) {
    double q = fabs(floor(p->x / p->y)), steps = floordiv_steps(p);
    double spread = p->ex + product(q, p->ey) + product(steps, fabs(p->y) + p->ey);
    return error_after(p->dtype, p->result, spread, 1);
}

static double pow_error(const Pair *p) {
    /* Is y an integer, and does it have to be one? -0 takes its sign from that. */
    if (p->ey != 0 && (signbit(p->x) || p->x < p->ex)) return INFINITY;
    /* Might x be 0, between the corners, where a negative power isn't finite? */
    if (p->ex != 0 && fabs(p->x) <= p->ex && p->y < p->ey) return INFINITY;
    double spread = 0;
    for (int corner = 0; corner < 4 && (p->ex != 0 || p->ey != 0); corner++) {
        double y = pow(p->x + (corner & 1 ? p->ex : -p->ex), p->y + (corner & 2 ? p->ey : -p->ey));
        spread = isnan(y) || isnan(p->result) ? INFINITY : fmax(spread, fabs(y - p->result));
    }
    return error_after(p->dtype, p->result, spread, elementary);
}

static double extreme_error(const Pair *p) {
    if (p->x == 0 && p->y == 0 && signbit(p->x) != signbit(p->y))
        return fmax(fmax(p->ex, p->ey), zero_error(p->dtype));
    if (p->x == p->result && fabs(p->x - p->y) > p->ex + p->ey) return p->ex;
    if (p->y == p->result && fabs(p->x - p->y) > p->ex + p->ey) return p->ey;
    return fmax(p->ex, p->ey);
}

static int64_t int_add(int64_t x, int64_t y) { return (int64_t)((uint64_t)x + (uint64_t)y); }
static int64_t int_sub(int64_t x, int64_t y) { return (int64_t)((uint64_t)x - (uint64_t)y); }
static int64_t int_mul(int64_t x, int64_t y) { return (int64_t)((uint64_t)x * (uint64_t)y); }
static int64_t int_min(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t int_max(int64_t x, int64_t y) { return x > y ? x : y; }

static int64_t int_floordiv(int64_t x, int64_t y) {
    if (y == 0) return 0;
    if (y == -1) return int_negated(x); /* the least integer has no quotient by -1 */
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static int64_t int_mod(int64_t x, int64_t y) {
    if (y == 0 || y == -1) return 0;
    int64_t r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

/* Low bits of a wrapped power are those of the exact one, so wrapping once at the end is enough. */
static int64_t int_pow(int64_t x, int64_t y) {
    if (y < 0) return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
    uint64_t result = 1, square = (uint64_t)x;
    for (; y > 0; y >>= 1) {
        if (y & 1) result *= square;
        square *= square;
    }
    return (int64_t)result;
}

#define BINARY(name, of_float, error, of_int, is_sum)                                                      \
    bool eval_##name(Eval *e, const Node *node, const Tensor *in, Tensor *out) {                           \
        (void)e, (void)node;                                                                               \
        return in[0].f ? map_float2(in, &out[0], of_float, error) : map_int2(in, &out[0], of_int, is_sum); \
    }

/* How many terms the value is a sum of, at most: a product's or a reduction's. */
static double terms_of(const Eval *e, const Value *value) {
    while (value->node && (value->node->op == OP_reshape || value->node->op == OP_permute))
        value = value->node->operands[0];
    const Node *node = value->node;
    if (!node || (node->op != OP_contract && node->op != OP_reduce_sum)) return 0;
    double results = (double)e->values[value->id].count;
    double terms = (double)e->values[node->operands[0]->id].count / fmax(results, 1);
    if (node->op == OP_reduce_sum) return terms;
    return sqrt(terms * (double)e->values[node->operands[1]->id].count); /* √(batch · depth²) */
}

/* A sum to which a loop adds such values may be compiled as one of all their terms, each of which then rounds
 * as much as the whole does. */
static void round_terms(const Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    double terms = 0;
    for (uint32_t i = 0; i < 2; i++) terms += terms_of(e, node->operands[i]);
    double unit = terms * accumulator_roundoff(out->dtype);
    for (int64_t k = 0; terms > 0 && k < out->count; k++)
        if (isfinite(out->f[k])) out->error[k] += unit * fmax(fabs(in[0].f[k]), fabs(in[1].f[k]));
}

bool eval_add(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!in[0].f) return map_int2(in, out, int_add, true);
    map_float2(in, out, float_add, sum_error);
    if (out->error && e->values) round_terms(e, node, in, out);
    return true;
}

BINARY(sub, float_sub, sum_error, int_sub, true)
BINARY(mul, float_mul, mul_error, int_mul, false)
BINARY(floordiv, quotient_floored, floordiv_error, int_floordiv, false)
BINARY(mod, remainder_floored, mod_error, int_mod, false)
BINARY(pow, pow, pow_error, int_pow, false)
BINARY(min, float_min, extreme_error, int_min, false)
BINARY(max, float_max, extreme_error, int_max, false)

bool eval_div(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    return map_float2(in, &out[0], float_div, div_error);
}

/* --- comparisons: undecided where the operands are nearer than their errors */
typedef enum { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 } Order;

static Order order_at(const Tensor *x, const Tensor *y, int64_t k) {
    if (x->i) return x->i[k] < y->i[k] ? LESS : x->i[k] > y->i[k] ? GREATER : EQUAL;
    if (isnan(x->f[k]) || isnan(y->f[k])) return UNORDERED;
    return x->f[k] < y->f[k] ? LESS : x->f[k] > y->f[k] ? GREATER : EQUAL;
}

static bool undecided(const Tensor *x, const Tensor *y, int64_t k) {
    double e = tensor_error(x, k) + tensor_error(y, k);
    double distance = x->i ? fabs((double)x->i[k] - (double)y->i[k]) : fabs(x->f[k] - y->f[k]);
    return e > 0 && !(distance > e);
}

static bool compare(const Tensor *in, Tensor *out, int orders) {
    for (int64_t k = 0; k < out->count; k++) {
        out->i[k] = (order_at(&in[0], &in[1], k) & (Order)orders) != 0;
        if (out->error) out->error[k] = undecided(&in[0], &in[1], k);
    }
    return true;
}

#define COMPARE(name, orders)                                                    \
    bool eval_##name(Eval *e, const Node *node, const Tensor *in, Tensor *out) { \
        (void)e, (void)node;                                                     \
        return compare(in, &out[0], orders);                                     \
    }
COMPARE(eq, EQUAL)
COMPARE(ne, LESS | GREATER | UNORDERED)
COMPARE(lt, LESS)
COMPARE(le, LESS | EQUAL)
COMPARE(gt, GREATER)
COMPARE(ge, GREATER | EQUAL)

/* `decides`: the operand value that settles the result whatever the other is. */
static bool logic(const Tensor *in, Tensor *out, int64_t decides) {
    for (int64_t k = 0; k < out->count; k++) {
        int64_t x = in[0].i[k], y = in[1].i[k];
        out->i[k] = x == decides || y == decides ? decides : !decides;
        if (!out->error) continue;
        bool sure_x = tensor_error(&in[0], k) == 0, sure_y = tensor_error(&in[1], k) == 0;
        bool settled = (sure_x && x == decides) || (sure_y && y == decides) || (sure_x && sure_y);
        out->error[k] = settled ? 0 : 1;
    }
    return true;
}

bool eval_and(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    return logic(in, &out[0], 0);
}

bool eval_or(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    return logic(in, &out[0], 1);
}

/* With a condition that may be either, the result may be either. */
static double select_error(const Tensor *chosen, const Tensor *other, int64_t k) {
    double gap =
        chosen->f ? fabs(chosen->f[k] - other->f[k]) : fabs((double)chosen->i[k] - (double)other->i[k]);
    double far = gap + tensor_error(other, k);
    return isnan(far) ? INFINITY : fmax(far, tensor_error(chosen, k));
}

bool eval_select(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    for (int64_t k = 0; k < out->count; k++) {
        const Tensor *chosen = in[0].i[k] ? &in[1] : &in[2], *other = in[0].i[k] ? &in[2] : &in[1];
        tensor_copy_element(chosen, k, out, k);
        if (out->error && tensor_error(&in[0], k) != 0 && !out->p)
            out->error[k] = select_error(chosen, other, k);
    }
    return true;
}
