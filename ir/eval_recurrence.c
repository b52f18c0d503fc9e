/* Evaluates linear_recurrence, with the error bound of a chain of multiplications and additions. */
#include "ir/eval.h"
#include <math.h>

typedef struct {
    double value, error; /* floats */
    int64_t integer;     /* integers */
    bool unsure;         /* some integer so far is inexact */
} State;

/* r = a·r + b, not rounded from one step to the next; the first step is b. */
static void recurrence_step(const Tensor *in, int64_t at, bool first, State *f) {
    const Tensor *a = &in[0], *b = &in[1];
    double eb = tensor_error(b, at), ea = first ? 0 : tensor_error(a, at);
    if (a->i) {
        f->unsure = f->unsure || ea != 0 || eb != 0;
        f->integer = (int64_t)((first ? 0 : (uint64_t)a->i[at] * (uint64_t)f->integer) + (uint64_t)b->i[at]);
        return;
    }
    double factor = first ? 0 : a->f[at], product = first ? 0 : factor * f->value;
    double spread = eb + (factor == 0 ? 0 : fabs(factor) * f->error) + (ea == 0 ? 0 : ea * fabs(f->value)) +
                    (ea == 0 || f->error == 0 ? 0 : ea * f->error);
    f->value = product + b->f[at];
    if (!first)
        spread += 2 * accumulator_roundoff(a->dtype) * (fabs(product) + fabs(b->f[at]) + spread) +
                  2 * accumulator_denormal(a->dtype);
    bool lost = !isfinite(f->value) ? spread != 0 : !(fabs(f->value) + spread <= accumulator_limit(a->dtype));
    f->error = lost || isnan(spread) ? INFINITY : spread;
}

bool eval_linear_recurrence(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e;
    int64_t axis = node_int(node, ATTR_axis), strides[MAX_RANK];
    tensor_strides(out, strides);
    int64_t stride = strides[axis], length = out->dims[axis];
    for (int64_t line = 0; length > 0 && line < out->count / length; line++) {
        int64_t at = tensor_line(line, stride, length);
        State state = {0};
        for (int64_t k = 0; k < length; k++, at += stride) {
            recurrence_step(in, at, k == 0, &state);
            if (out->f) out->f[at] = state.value;
            if (out->i) out->i[at] = wrap(out->dtype, (uint64_t)state.integer);
            if (!out->error) continue;
            if (out->i)
                out->error[at] = state.unsure ? INFINITY : 0;
            else
                out->error[at] = k == 0 ? state.error : error_after(out->dtype, state.value, state.error, 1);
        }
    }
    return true;
}
