/* Evaluates views, gather and scatter: elements moved to other places. */
#include "ir/eval.h"
#include <math.h>

static void copy_all(const Tensor *in, Tensor *out) {
    for (int64_t k = 0; k < out->count; k++) tensor_copy_element(in, k, out, k);
}

bool eval_reshape(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (in[0].count != out->count)
        return eval_fail(e, node, "reshape of %lld elements to %lld", (long long)in[0].count,
                         (long long)out->count);
    copy_all(&in[0], out);
    return true;
}

bool eval_masked(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    for (int64_t k = 0; k < out->count; k++)
        if (!in[1].i[k] && in[0].f && in[0].f[k] != 0 && !isnan(in[0].f[k]))
            return eval_fail(e, node, "an element that the mask leaves out is %g", in[0].f[k]);
    copy_all(&in[0], out);
    return true;
}

bool eval_permute(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e;
    const int64_t *perm = node_attr(node, ATTR_perm)->ints;
    int64_t from[MAX_RANK], strides[MAX_RANK];
    tensor_strides(&in[0], from);
    for (uint32_t d = 0; d < out->rank; d++) strides[d] = from[perm[d]];
    tensor_copy_strided(&in[0], 0, strides, out);
    return true;
}

bool eval_slice(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Attr *start = node_attr(node, ATTR_start), *step = node_attr(node, ATTR_step);
    int64_t strides[MAX_RANK], offset = 0;
    tensor_strides(&in[0], strides);
    for (uint32_t d = 0; d < out->rank; d++) {
        int64_t first, last, span;
        if (!eval_dim(e, node, start->dims[d], &first)) return false;
        bool fits = !__builtin_mul_overflow(out->dims[d] - 1, step->ints[d], &span) &&
                    !__builtin_add_overflow(first, span, &last);
        bool inside = fits && first >= 0 && first < in[0].dims[d] && last >= 0 && last < in[0].dims[d];
        if (out->dims[d] != 0 && !inside)
            return eval_fail(e, node, "slice [%lld…] of %lld elements leaves axis %u of size %lld",
                             (long long)first, (long long)out->dims[d], d, (long long)in[0].dims[d]);
        offset += first * strides[d];
        strides[d] *= step->ints[d];
    }
    if (out->count) tensor_copy_strided(&in[0], offset, strides, out);
    return true;
}

bool eval_broadcast(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Attr *axes = node_attr(node, ATTR_axes);
    int64_t from[MAX_RANK], strides[MAX_RANK] = {0};
    tensor_strides(&in[0], from);
    for (uint32_t d = 0; d < in[0].rank; d++) {
        if (in[0].dims[d] != out->dims[axes->ints[d]])
            return eval_fail(e, node, "broadcast of an axis of size %lld to %lld", (long long)in[0].dims[d],
                             (long long)out->dims[axes->ints[d]]);
        strides[axes->ints[d]] = from[d];
    }
    tensor_copy_strided(&in[0], 0, strides, out);
    return true;
}

bool eval_pad(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Attr *low = node_attr(node, ATTR_low), *interior = node_attr(node, ATTR_interior);
    int64_t strides[MAX_RANK], offset = 0;
    tensor_strides(out, strides);
    for (uint32_t d = 0; d < out->rank; d++) {
        int64_t before;
        if (!eval_dim(e, node, low->dims[d], &before)) return false;
        if (before < 0 ||
            (in[0].dims[d] > 0 && (in[0].dims[d] - 1) * (interior->ints[d] + 1) + before >= out->dims[d]))
            return eval_fail(e, node, "pad by a negative amount on axis %u", d);
        offset += before * strides[d];
        strides[d] *= interior->ints[d] + 1;
    }
    for (int64_t k = 0; k < out->count; k++) tensor_copy_element(&in[1], 0, out, k);
    tensor_write_strided(&in[0], out, offset, strides);
    return true;
}

bool eval_concat(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    int64_t strides[MAX_RANK], first = 0;
    tensor_strides(out, strides);
    for (uint32_t part = 0; part < node->operand_count; part++) {
        if (first + in[part].dims[axis] > out->dims[axis]) break;
        tensor_write_strided(&in[part], out, first * strides[axis], strides);
        first += in[part].dims[axis];
    }
    if (first != out->dims[axis]) return eval_fail(e, node, "concat of parts that don't fill the result");
    return true;
}

/* The offset in `x` of a block of shape `dims` that starts at the node's start operands, which begin at
 * `starts`. */
static bool block_offset(Eval *e, const Node *node, const Tensor *x, const int64_t *dims,
                         const Tensor *starts, const int64_t *strides, int64_t *offset) {
    const Attr *axes = node_attr(node, ATTR_axes);
    *offset = 0;
    for (uint32_t k = 0; k < axes->count; k++) {
        int64_t start = starts[k].i[0], axis = axes->ints[k];
        if (start < 0 || start > x->dims[axis] - dims[axis])
            return eval_fail(
                e, node, "index %lld (and %lld elements from there) is outside axis %lld of size %lld",
                (long long)start, (long long)dims[axis], (long long)axis, (long long)x->dims[axis]);
        *offset += start * strides[axis];
    }
    for (uint32_t d = 0; d < x->rank; d++)
        if (dims[d] > x->dims[d])
            return eval_fail(e, node, "a block is larger than its tensor on axis %u", d);
    return true;
}

/* A place chosen by inexact numbers may be any place. */
static bool any_inexact(const Tensor *tensors, uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        if (tensor_inexact(&tensors[k])) return true;
    return false;
}

bool eval_dynamic_slice(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    int64_t strides[MAX_RANK], offset;
    tensor_strides(&in[0], strides);
    if (!block_offset(e, node, &in[0], out->dims, &in[1], strides, &offset)) return false;
    tensor_copy_strided(&in[0], offset, strides, out);
    if (any_inexact(&in[1], node->operand_count - 1)) tensor_distrust(e, out);
    return true;
}

bool eval_update_slice(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    int64_t strides[MAX_RANK], offset;
    tensor_strides(&in[0], strides);
    if (!block_offset(e, node, &in[0], in[1].dims, &in[2], strides, &offset)) return false;
    copy_all(&in[0], out);
    tensor_write_strided(&in[1], out, offset, strides);
    if (any_inexact(&in[2], node->operand_count - 2)) tensor_distrust(e, out);
    return true;
}

/* --- windows: element k of window o is element o · stride + k · dilation */
/* Gives axes (o, k) of windows on an axis of `x` the strides that they have in it; false where some window
 * leaves the axis. */
static bool window_strides(Eval *e, const Node *node, const Tensor *x, const Tensor *windows,
                           int64_t *strides) {
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    int64_t stride, dilation, from[MAX_RANK], last, inside;
    int64_t count = windows->dims[axis], size = windows->dims[axis + 1];
    if (!eval_dim(e, node, node_dim(node, ATTR_stride), &stride) ||
        !eval_dim(e, node, node_dim(node, ATTR_dilation), &dilation))
        return false;
    if (stride < 1 || dilation < 1)
        return eval_fail(e, node, "windows at steps of %lld and %lld", (long long)stride,
                         (long long)dilation);
    tensor_strides(x, from);
    for (uint32_t d = 0; d < x->rank; d++) strides[d < axis ? d : d + 1] = from[d];
    if (windows->count == 0) return true;
    if (__builtin_mul_overflow(count - 1, stride, &last) ||
        __builtin_mul_overflow(size - 1, dilation, &inside) || __builtin_add_overflow(last, inside, &last) ||
        last >= x->dims[axis])
        return eval_fail(e, node, "a window of %lld elements leaves axis %u of size %lld", (long long)size,
                         axis, (long long)x->dims[axis]);
    strides[axis] = from[axis] * stride;
    strides[axis + 1] = from[axis] * dilation;
    return true;
}

bool eval_window(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    int64_t strides[MAX_RANK];
    if (!window_strides(e, node, &in[0], out, strides)) return false;
    if (out->count) tensor_copy_strided(&in[0], 0, strides, out);
    return true;
}

/* A tensor seen as [outer, axis, inner]. */
typedef struct {
    int64_t outer, size, inner;
} AxisView;

static AxisView view_axis(const Tensor *x, uint32_t axis) {
    AxisView v = {1, x->dims[axis], 1};
    for (uint32_t d = 0; d < x->rank; d++) {
        if (d < axis) v.outer *= x->dims[d];
        if (d > axis) v.inner *= x->dims[d];
    }
    return v;
}

static bool check_ids(Eval *e, const Node *node, const Tensor *ids, int64_t size) {
    for (int64_t k = 0; k < ids->count; k++)
        if (ids->i[k] < 0 || ids->i[k] >= size)
            return eval_fail(e, node, "index %lld is outside an axis of size %lld", (long long)ids->i[k],
                             (long long)size);
    return true;
}

bool eval_gather(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Tensor *x = &in[0], *ids = &in[1];
    AxisView v = view_axis(x, (uint32_t)node_int(node, ATTR_axis));
    if (out->count == 0) return true;
    if (!check_ids(e, node, ids, v.size)) return false;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t k = 0; k < ids->count; k++)
            for (int64_t i = 0; i < v.inner; i++)
                tensor_copy_element(x, (o * v.size + ids->i[k]) * v.inner + i, out,
                                    (o * ids->count + k) * v.inner + i);
    if (tensor_inexact(ids)) tensor_distrust(e, out);
    return true;
}

static void add_element(const Tensor *part, int64_t source, Tensor *out, int64_t target) {
    if (out->i) out->i[target] = wrap(out->dtype, (uint64_t)out->i[target] + (uint64_t)part->i[source]);
    if (out->f) out->f[target] += part->f[source];
    if (out->error) out->error[target] += tensor_error(part, source);
}

/* Rounding of the additions: counts[k] additions at element k of magnitudes that sum to sizes[k]. What
 * several add up to on the way may overflow though the whole doesn't. */
static void add_rounding(Tensor *out, const double *sizes, const int64_t *counts) {
    for (int64_t k = 0; k < out->count; k++) {
        if (!counts[k]) continue;
        bool may_overflow = counts[k] > 1 && !(sizes[k] + out->error[k] <= largest_finite(out->dtype));
        double spread = out->error[k] + (double)counts[k] * unit_roundoff(out->dtype) * sizes[k];
        out->error[k] = may_overflow ? INFINITY : error_after(out->dtype, out->f[k], spread, 2);
    }
}

bool eval_scatter_add(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Tensor *ids = &in[1], *part = &in[2];
    AxisView v = view_axis(out, (uint32_t)node_int(node, ATTR_axis));
    copy_all(&in[0], out);
    if (part->count == 0) return true;
    if (!check_ids(e, node, ids, v.size)) return false;
    bool rounds = out->f && out->error;
    double *sizes = rounds ? ARENA_ARRAY(e->arena, double, out->count) : NULL;
    int64_t *counts = rounds ? ARENA_ARRAY(e->arena, int64_t, out->count) : NULL;
    for (int64_t k = 0; rounds && k < out->count; k++) sizes[k] = fabs(out->f[k]);
    for (int64_t source = 0; source < part->count; source++) {
        int64_t i = source % v.inner, k = source / v.inner % ids->count, o = source / v.inner / ids->count;
        int64_t target = (o * v.size + ids->i[k]) * v.inner + i;
        add_element(part, source, out, target);
        if (!rounds) continue;
        sizes[target] += fabs(part->f[source]);
        counts[target]++;
    }
    if (rounds) add_rounding(out, sizes, counts);
    if (tensor_inexact(ids)) tensor_distrust(e, out);
    return true;
}

bool eval_scatter(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Tensor *ids = &in[1], *part = &in[2];
    AxisView v = view_axis(out, (uint32_t)node_int(node, ATTR_axis));
    copy_all(&in[0], out);
    if (part->count == 0) return true;
    if (!check_ids(e, node, ids, v.size)) return false;
    for (int64_t source = 0; source < part->count; source++) {
        int64_t i = source % v.inner, k = source / v.inner % ids->count, o = source / v.inner / ids->count;
        tensor_copy_element(part, source, out, (o * v.size + ids->i[k]) * v.inner + i);
    }
    if (tensor_inexact(ids)) tensor_distrust(e, out);
    return true;
}

bool eval_window_add(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Tensor *part = &in[0];
    int64_t strides[MAX_RANK], index[MAX_RANK] = {0};
    if (!window_strides(e, node, out, part, strides)) return false;
    bool rounds = out->f && out->error;
    double *sizes = rounds ? ARENA_ARRAY(e->arena, double, out->count) : NULL;
    int64_t *counts = rounds ? ARENA_ARRAY(e->arena, int64_t, out->count) : NULL;
    for (int64_t k = 0; rounds && k < out->count; k++) {
        sizes[k] = 0;
        counts[k] = 0;
    }
    for (int64_t source = 0; source < part->count; source++) {
        int64_t target = 0;
        for (uint32_t d = 0; d < part->rank; d++) target += index[d] * strides[d];
        add_element(part, source, out, target);
        index_next(part->rank, part->dims, index);
        if (!rounds) continue;
        sizes[target] += fabs(part->f[source]);
        counts[target]++;
    }
    if (rounds) add_rounding(out, sizes, counts);
    return true;
}
