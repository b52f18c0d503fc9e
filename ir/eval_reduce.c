/* Evaluates reductions and contractions. Errors allow for any order of addition: a unit of roundoff of the
 * accumulator an addend, on the sum of magnitudes. */
#include "ir/eval.h"
#include <math.h>
#include <string.h>

/* --- reductions: a fold over the elements that share a result index */
typedef struct {
    double value, error; /* floats */
    double size;         /* Σ |x|, or Π (|x| + e) */
    double reach;        /* Σ |x| + e or Π max(1, |x| + e) of the finite: how far a partial result can get */
    int64_t integer;     /* integers and bools */
    double low, high;    /* the extreme is in here */
    int64_t count;
    bool maybe, unsure; /* bools: some inexact element could settle it; some element is inexact */
    bool unknown;       /* of some element nothing is known */
    bool zero[2];       /* some element is 0; is -0 */
} Fold;

typedef void FoldStart(Fold *f, const Tensor *x);
typedef void FoldStep(Fold *f, const Tensor *x, int64_t at);
/* Sets out[k] from the fold. */
typedef void FoldFinish(const Fold *f, Tensor *out, int64_t k);

/* Strides in the result of each operand axis: 0 for the reduced ones. */
static void result_strides(const Node *node, const Tensor *x, int64_t *strides) {
    const Attr *axes = node_attr(node, ATTR_axes);
    bool reduced[MAX_RANK] = {false};
    for (uint32_t k = 0; k < axes->count; k++) reduced[axes->ints[k]] = true;
    int64_t stride = 1;
    for (uint32_t d = x->rank; d-- > 0;) {
        strides[d] = reduced[d] ? 0 : stride;
        if (!reduced[d]) stride *= x->dims[d];
    }
}

static bool reduce(Eval *e, const Node *node, const Tensor *x, Tensor *out, FoldStart *start, FoldStep *step,
                   FoldFinish *finish) {
    int64_t strides[MAX_RANK], index[MAX_RANK] = {0};
    result_strides(node, x, strides);
    Fold *folds = ARENA_ARRAY(e->arena, Fold, out->count + 1);
    for (int64_t k = 0; k < out->count; k++) start(&folds[k], x);
    for (int64_t at = 0; at < x->count; at++) {
        int64_t k = 0;
        for (uint32_t d = 0; d < x->rank; d++) k += index[d] * strides[d];
        folds[k].count++;
        step(&folds[k], x, at);
        index_next(x->rank, x->dims, index);
    }
    for (int64_t k = 0; k < out->count; k++) finish(&folds[k], out, k);
    return true;
}

static void sum_start(Fold *f, const Tensor *x) { (void)f, (void)x; }

static void sum_step(Fold *f, const Tensor *x, int64_t at) {
    f->error += tensor_error(x, at);
    if (x->i) {
        f->integer = (int64_t)((uint64_t)f->integer + (uint64_t)x->i[at]);
        return;
    }
    f->value += x->f[at];
    f->size += fabs(x->f[at]);
    if (isfinite(x->f[at])) f->reach += fabs(x->f[at]) + tensor_error(x, at);
}

/* Partial results may overflow in some order though the whole doesn't, and then be infinite or NaN. */
static bool may_overflow(const Fold *f, DType dtype) {
    return f->count > 1 && !isnan(f->value) && !(f->reach <= accumulator_limit(dtype));
}

static void sum_finish(const Fold *f, Tensor *out, int64_t k) {
    if (out->i) {
        out->i[k] = wrap(out->dtype, (uint64_t)f->integer);
        double least =
            dtype_class(out->dtype) == CLASS_INT ? -ldexp(1, (int)dtype_bytes(out->dtype) * 8 - 1) : 0;
        double most = least + ldexp(1, (int)dtype_bytes(out->dtype) * 8) - 1, value = (double)out->i[k];
        bool wraps = value - f->error < least || value + f->error > most;
        if (out->error) out->error[k] = f->error != 0 && wraps ? INFINITY : f->error;
        return;
    }
    out->f[k] = f->value;
    if (!out->error) return;
    double additions =
        f->count > 1 ? (double)f->count * accumulator_roundoff(out->dtype) * (f->size + f->error) : 0;
    out->error[k] = error_after(out->dtype, f->value, f->error + additions, 1);
    if (may_overflow(f, out->dtype)) out->error[k] = INFINITY;
}

bool eval_reduce_sum(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return reduce(e, node, &in[0], out, sum_start, sum_step, sum_finish);
}

static void prod_start(Fold *f, const Tensor *x) {
    (void)x;
    f->value = f->size = f->reach = 1;
    f->integer = 1;
}

static void prod_step(Fold *f, const Tensor *x, int64_t at) {
    f->unsure = f->unsure || tensor_error(x, at) != 0;
    f->unknown = f->unknown || !isfinite(tensor_error(x, at));
    if (x->i) {
        f->integer = (int64_t)((uint64_t)f->integer * (uint64_t)x->i[at]);
        return;
    }
    f->value *= x->f[at];
    double most = fabs(x->f[at]) + tensor_error(x, at);
    f->size *= most;
    if (isfinite(x->f[at])) f->reach *= fmax(1, most);
}

static void prod_finish(const Fold *f, Tensor *out, int64_t k) {
    if (out->i) {
        out->i[k] = wrap(out->dtype, (uint64_t)f->integer);
        if (out->error) out->error[k] = f->unsure ? INFINITY : 0;
        return;
    }
    out->f[k] = f->value;
    if (!out->error) return;
    double rounding = f->count > 1 ? (double)f->count * accumulator_roundoff(out->dtype) * f->size : 0;
    /* A partial result may be denormal, and grow after. */
    if (f->count > 1) rounding += (double)f->count * accumulator_denormal(out->dtype) * f->reach;
    double spread = f->unsure ? f->size - fabs(f->value) : 0;
    out->error[k] = error_after(out->dtype, f->value, fmax(spread, 0) + rounding, 1);
    if (f->unknown || may_overflow(f, out->dtype)) out->error[k] = INFINITY;
}

bool eval_reduce_prod(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return reduce(e, node, &in[0], out, prod_start, prod_step, prod_finish);
}

/* The least of an integer type, as the maximum over nothing; complemented, the greatest. */
static int64_t least(DType dtype) {
    if (dtype_class(dtype) != CLASS_INT) return 0;
    return (int64_t)(UINT64_MAX << (dtype_bytes(dtype) * 8 - 1));
}

static int64_t greatest(DType dtype) {
    if (dtype == DTYPE_bool) return 1;
    return dtype_class(dtype) == CLASS_INT ? ~least(dtype) : wrap(dtype, UINT64_MAX);
}

/* What extremes have to know of an element besides. */
static void note(Fold *f, double v, double error) {
    f->unknown = f->unknown || !isfinite(error);
    if (v == 0) f->zero[signbit(v) != 0] = true;
}

static void max_start(Fold *f, const Tensor *x) {
    f->value = f->low = f->high = -INFINITY;
    f->integer = x->i ? least(x->dtype) : 0;
}

static void max_step(Fold *f, const Tensor *x, int64_t at) {
    double v = x->f ? x->f[at] : (double)x->i[at], error = tensor_error(x, at);
    if (x->i && x->i[at] > f->integer) f->integer = x->i[at];
    if (isnan(v) || v > f->value) f->value = isnan(f->value) ? f->value : v;
    note(f, v, error);
    f->low = fmax(f->low, v - error);
    f->high = fmax(f->high, v + error);
}

static void min_start(Fold *f, const Tensor *x) {
    f->value = f->low = f->high = INFINITY;
    f->integer = x->i ? greatest(x->dtype) : 0;
}

static void min_step(Fold *f, const Tensor *x, int64_t at) {
    double v = x->f ? x->f[at] : (double)x->i[at], error = tensor_error(x, at);
    if (x->i && x->i[at] < f->integer) f->integer = x->i[at];
    if (isnan(v) || v < f->value) f->value = isnan(f->value) ? f->value : v;
    note(f, v, error);
    f->low = fmin(f->low, v - error);
    f->high = fmin(f->high, v + error);
}

static void extreme_finish(const Fold *f, Tensor *out, int64_t k) {
    if (out->f) out->f[k] = f->value;
    if (out->i) out->i[k] = f->integer;
    if (!out->error) return;
    bool certain = f->low == f->high || isnan(f->value);
    out->error[k] = certain ? 0 : fmax(f->high - f->value, f->value - f->low);
    if (f->value == 0 && f->zero[0] && f->zero[1])
        out->error[k] = fmax(out->error[k], zero_error(out->dtype));
    if (f->unknown) out->error[k] = INFINITY;
}

bool eval_reduce_max(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return reduce(e, node, &in[0], out, max_start, max_step, extreme_finish);
}

bool eval_reduce_min(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return reduce(e, node, &in[0], out, min_start, min_step, extreme_finish);
}

static void any_step(Fold *f, const Tensor *x, int64_t at) {
    bool exact = tensor_error(x, at) == 0;
    if (x->i[at]) f->integer = 1;
    if (x->i[at] && exact) f->maybe = true; /* settled */
    f->unsure = f->unsure || !exact;
}

static void all_start(Fold *f, const Tensor *x) {
    (void)x;
    f->integer = 1;
}

static void all_step(Fold *f, const Tensor *x, int64_t at) {
    bool exact = tensor_error(x, at) == 0;
    if (!x->i[at]) f->integer = 0;
    if (!x->i[at] && exact) f->maybe = true;
    f->unsure = f->unsure || !exact;
}

static void bool_finish(const Fold *f, Tensor *out, int64_t k) {
    out->i[k] = f->integer;
    if (out->error) out->error[k] = f->unsure && !f->maybe;
}

bool eval_reduce_any(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return reduce(e, node, &in[0], out, sum_start, any_step, bool_finish);
}

bool eval_reduce_all(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return reduce(e, node, &in[0], out, all_start, all_step, bool_finish);
}

/* --- running reductions: what the fold is after every element of a line */
static bool scan(const Node *node, const Tensor *x, Tensor *out, FoldStart *start, FoldStep *step,
                 FoldFinish *finish) {
    int64_t axis = node_int(node, ATTR_axis), strides[MAX_RANK];
    tensor_strides(x, strides);
    int64_t stride = strides[axis], length = x->dims[axis];
    for (int64_t line = 0; length > 0 && line < x->count / length; line++) {
        int64_t at = tensor_line(line, stride, length);
        Fold fold = {0};
        start(&fold, x);
        for (int64_t k = 0; k < length; k++, at += stride) {
            fold.count++;
            step(&fold, x, at);
            finish(&fold, out, at);
        }
    }
    return true;
}

/* The first element is what it was, the sign of a zero included. */
static void running_sum_start(Fold *f, const Tensor *x) {
    (void)x;
    f->value = -0.0;
}

bool eval_cumulative_sum(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e;
    return scan(node, &in[0], out, running_sum_start, sum_step, sum_finish);
}

bool eval_cumulative_prod(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e;
    return scan(node, &in[0], out, prod_start, prod_step, prod_finish);
}

bool eval_cumulative_max(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e;
    return scan(node, &in[0], out, max_start, max_step, extreme_finish);
}

bool eval_cumulative_min(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e;
    return scan(node, &in[0], out, min_start, min_step, extreme_finish);
}

/* --- argmax and argmin: a line of elements along the axis */
typedef struct {
    const Tensor *x;
    int64_t base, stride, length;
    bool largest;
} Line;

static bool beats(const Line *line, int64_t a, int64_t b) {
    int64_t at = line->base + a * line->stride, than = line->base + b * line->stride;
    if (line->x->i) {
        int64_t p = line->x->i[at], q = line->x->i[than];
        return line->largest ? p > q : p < q;
    }
    double p = line->x->f[at], q = line->x->f[than];
    if (isnan(q)) return false;
    return isnan(p) || (line->largest ? p > q : p < q);
}

/* Could element k win against the winner, for their errors? */
static bool contends(const Line *line, int64_t k, int64_t winner) {
    int64_t a = line->base + k * line->stride, b = line->base + winner * line->stride;
    double e = tensor_error(line->x, a) + tensor_error(line->x, b);
    double gap = line->x->f ? fabs(line->x->f[a] - line->x->f[b])
                            : fabs((double)line->x->i[a] - (double)line->x->i[b]);
    return k != winner && e > 0 && !(gap > e);
}

static void find_extreme(const Line *line, Tensor *out, int64_t at) {
    int64_t winner = 0;
    for (int64_t k = 1; k < line->length; k++)
        if (beats(line, k, winner)) winner = k;
    out->i[at] = winner;
    for (int64_t k = 0; out->error && k < line->length; k++)
        if (contends(line, k, winner)) out->error[at] = fmax(out->error[at], fabs((double)(k - winner)));
}

static bool arg_extreme(Eval *e, const Node *node, const Tensor *x, Tensor *out, bool largest) {
    int64_t axis = node_attr(node, ATTR_axes)->ints[0], strides[MAX_RANK];
    tensor_strides(x, strides);
    Line line = {x, 0, strides[axis], x->dims[axis], largest};
    if (line.length == 0 && out->count > 0)
        return eval_fail(e, node, "%s over no elements", op_name(node->op));
    for (int64_t k = 0; k < out->count; k++) {
        line.base = tensor_line(k, line.stride, line.length);
        find_extreme(&line, out, k);
    }
    return true;
}

bool eval_argmax(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return arg_extreme(e, node, &in[0], out, true);
}

bool eval_argmin(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    return arg_extreme(e, node, &in[0], out, false);
}

/* --- contract: loops over the result's labels, then over the others */
enum { MAX_LABELS = 3 * MAX_RANK };

typedef struct {
    uint32_t count, outer; /* labels; those of the result come first */
    char label[MAX_LABELS];
    int64_t size[MAX_LABELS], x[MAX_LABELS], y[MAX_LABELS]; /* extents, and strides in the operands */
} Labels;

static uint32_t label_index(Labels *l, char label) {
    for (uint32_t k = 0; k < l->count; k++)
        if (l->label[k] == label) return k;
    l->label[l->count] = label;
    return l->count++;
}

static bool add_operand(Labels *l, const char *spec, const Tensor *t, int64_t *strides_of) {
    int64_t strides[MAX_RANK];
    tensor_strides(t, strides);
    for (uint32_t d = 0; d < t->rank; d++) {
        uint32_t before = l->count, k = label_index(l, spec[d]);
        bool known = k < before && (k >= l->outer || l->size[k] >= 0);
        if (known && l->size[k] != t->dims[d]) return false;
        l->size[k] = t->dims[d];
        strides_of[k] += strides[d];
    }
    return true;
}

static bool read_labels(const Node *node, const Tensor *in, Labels *l) {
    const char *spec = node_str(node, ATTR_spec);
    memset(l, 0, sizeof *l);
    for (const char *c = strchr(spec, '>') + 1; *c; c++) label_index(l, *c);
    l->outer = l->count;
    for (uint32_t k = 0; k < l->outer; k++) l->size[k] = -1;
    return add_operand(l, spec, &in[0], l->x) && add_operand(l, strchr(spec, ',') + 1, &in[1], l->y);
}

typedef struct {
    double sum, size, error;
    double reach; /* Σ |a b| of the finite */
    uint64_t integer;
} Products;

/* Adds the products along the innermost label. */
static void add_products(const Tensor *x, const Tensor *y, int64_t p, int64_t q, int64_t dx, int64_t dy,
                         int64_t count, Products *out) {
    for (int64_t k = 0; k < count; k++, p += dx, q += dy) {
        if (x->i) {
            out->integer += (uint64_t)x->i[p] * (uint64_t)y->i[q];
            out->error += tensor_error(x, p) + tensor_error(y, q);
            continue;
        }
        double a = x->f[p], b = y->f[q];
        out->sum += a * b;
        if (isfinite(a) && isfinite(b)) out->reach += fabs(a * b);
        if (!x->error && !y->error) {
            out->size += fabs(a * b);
            continue;
        }
        double ea = tensor_error(x, p), eb = tensor_error(y, q);
        out->size += fabs(a * b);
        if (!isfinite(ea) || !isfinite(eb)) out->error = INFINITY;
        out->error +=
            (a == 0 ? 0 : fabs(a) * eb) + (b == 0 ? 0 : fabs(b) * ea) + (ea == 0 || eb == 0 ? 0 : ea * eb);
    }
}

static void store_products(const Products *p, int64_t terms, Tensor *out, int64_t at) {
    if (out->i) out->i[at] = wrap(out->dtype, p->integer);
    if (out->f) out->f[at] = p->sum;
    if (!out->error) return;
    if (out->i) {
        out->error[at] = p->error == 0 ? 0 : INFINITY;
        return;
    }
    double rounding = (double)(terms + 1) * accumulator_roundoff(out->dtype) * (p->size + p->error);
    rounding += (double)terms * accumulator_denormal(out->dtype); /* a product may be denormal */
    out->error[at] = error_after(out->dtype, p->sum, p->error + (terms ? rounding : 0), terms ? 2 : 0);
    bool unsure = !(p->reach + p->error <= accumulator_limit(out->dtype));
    if (terms > 1 && !isnan(p->sum) && unsure) out->error[at] = INFINITY;
}

static void contract_at(const Labels *l, const Tensor *in, const int64_t *outer, Tensor *out, int64_t at) {
    int64_t p = 0, q = 0, index[MAX_LABELS] = {0}, terms = 1;
    for (uint32_t k = 0; k < l->outer; k++) {
        p += outer[k] * l->x[k];
        q += outer[k] * l->y[k];
    }
    for (uint32_t k = l->outer; k < l->count; k++) terms *= l->size[k];
    Products products = {0};
    uint32_t last = l->count - 1;
    bool summed = l->count > l->outer;
    for (int64_t done = 0; done < terms; done += summed ? l->size[last] : 1) {
        int64_t px = p, qx = q;
        for (uint32_t k = l->outer; summed && k < last; k++) {
            px += index[k] * l->x[k];
            qx += index[k] * l->y[k];
        }
        if (summed)
            add_products(&in[0], &in[1], px, qx, l->x[last], l->y[last], l->size[last], &products);
        else
            add_products(&in[0], &in[1], px, qx, 0, 0, 1, &products);
        if (summed) index_next(last - l->outer, l->size + l->outer, index + l->outer);
    }
    store_products(&products, terms, out, at);
}

bool eval_contract(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    Labels labels;
    if (!read_labels(node, in, &labels))
        return eval_fail(e, node, "a contraction's operands disagree about a size");
    int64_t outer[MAX_RANK] = {0};
    for (int64_t k = 0; k < out->count; k++) {
        contract_at(&labels, in, outer, out, k);
        index_next(out->rank, out->dims, outer);
    }
    return true;
}
