/* Evaluates what comes from nowhere: constants, indices, sizes, symbols. */
#include "ir/eval.h"
#include <assert.h>

static void fill(Tensor *out, const Node *node) {
    double number = out->f ? round_to(out->dtype, node_attr(node, ATTR_value)->number) : 0;
    int64_t integer = out->i ? wrap(out->dtype, (uint64_t)node_int(node, ATTR_ivalue)) : 0;
    const void *text = out->p ? node_str(node, ATTR_text) : NULL;
    for (int64_t k = 0; k < out->count; k++) {
        if (out->f) out->f[k] = number;
        if (out->i) out->i[k] = integer;
        if (out->p) out->p[k] = text;
    }
}

bool eval_const(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)in;
    fill(&out[0], node);
    return true;
}

bool eval_iota(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)in;
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    int64_t index[MAX_RANK] = {0};
    for (int64_t k = 0; k < out->count; k++) {
        if (out->i) out->i[k] = wrap(out->dtype, (uint64_t)index[axis]);
        if (out->f) out->f[k] = (double)index[axis];
        if (out->f && out->error) out->error[k] = error_after(out->dtype, out->f[k], 0, 1);
        index_next(out->rank, out->dims, index);
    }
    return true;
}

bool eval_size(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)in;
    return eval_dim(e, node, node_dim(node, ATTR_dim), &out->i[0]);
}

bool eval_symbol(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    if (in[0].i[0] < 0) return eval_fail(e, node, "a size is negative: %lld", (long long)in[0].i[0]);
    if (!e->symbols) return eval_fail(e, node, "a symbol needs a run");
    eval_bind(e, node_dim(node, ATTR_dim), in[0].i[0]);
    return true;
}

bool eval_seed(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)in;
    if (!e->host) return eval_fail(e, node, "the seed is known at run time only");
    out->i[0] = e->host->seed;
    return true;
}
