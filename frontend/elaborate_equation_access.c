/* a[…] in index notation. Positions that are sums of multiples of indices are compared with the axis by their
 * least and greatest value: at compile time where that decides, otherwise when it runs. What a single index
 * says is a view; everything else is gathered. In a branch only the positions that it wants must be inside
 * the axis; the others are, where they are outside, that of a zero put behind it. */
#include "frontend/elaborate_equation.h"
#include "ir/shape.h"
#include <string.h>

typedef struct {
    Span span;
    bool affine;
    const Dim *factor[MAX_RANK]; /* of each index, by axis of the space; NULL = 0 */
    const Dim *base;             /* AFFINE: what is added, known as a dimension, … */
    const Val *rest;             /* … and at run time only; NULL = 0 */
    const Val *ids;              /* otherwise: i64, spread */
    uint32_t uses;               /* bit i: depends on the index of axis i */
    bool inside;                 /* provably or checked: no element outside the axis is meant … */
    bool proved;                 /* INSIDE, known at compile time */
    bool view;                   /* … and it is a slice along the axis */
    int64_t step;
} Position;

typedef struct {
    Elab *e;
    Span span;
    Value *x;
    uint32_t rank;           /* axes of x so far: */
    int index[2 * MAX_RANK]; /* the axis of the space that each is; below 0: axis ~index of what is indexed */
} Reading;

/* --- positions */
static bool overflow(Elab *e, Span span) {
    diag_report(e->diags, D_OVERFLOW, span);
    return false;
}

static bool add_to(Elab *e, const Dim **into, const Dim *d, Span span) {
    *into = !d ? NULL : *into ? dim_add(e->ir, *into, d) : d;
    return *into || overflow(e, span);
}

typedef enum { NOT_AFFINE, AFFINE, FAILED } Parsed;

static Parsed affine(Elab *e, const AstExpr *x, const Dim *times, Position *p);

static Parsed uniform(Elab *e, const AstExpr *x, const Dim *times, Position *p) {
    const Val *v = el_value(e, x, NULL);
    if (val_poisoned(v)) return FAILED;
    if (!val_is_int(v)) {
        diag_report(e->diags, D_BAD_INDEX, x->span, val_type_text(e, v));
        return FAILED;
    }
    if (v->kind == VAL_NUMBER || (v->tensor.dim && !v->tensor.value))
        return add_to(e, &p->base, dim_mul(e->ir, times, dim_of(e, v, x->span)), x->span) ? AFFINE : FAILED;
    Builder b = el_builder(e, x->span);
    v = val_of(e, build_cast(&b, val_value(e, v, x->span), DTYPE_i64));
    v = op_binary(e, AST_MUL, v, x->span, val_dim(e, times), x->span, x->span);
    p->rest = p->rest ? op_binary(e, AST_ADD, p->rest, x->span, v, x->span, x->span) : v;
    return AFFINE;
}

static Parsed index_of(Elab *e, const AstExpr *x, const Dim *times, Position *p) {
    Found found;
    if (!scope_find(e, e->scope, x->name.text, &found)) return NOT_AFFINE;
    const Equation *q = e->equation;
    for (uint32_t axis = 0; axis < q->rank; axis++) {
        const Index *index = &q->indices[axis];
        if (index->binding != found.binding) continue;
        bool ok = add_to(e, &p->factor[axis], times, x->span) &&
                  add_to(e, &p->base, dim_mul(e->ir, times, index->lo), x->span);
        return ok ? AFFINE : FAILED;
    }
    return NOT_AFFINE;
}

static Parsed both(Elab *e, const AstExpr *x, const Dim *times, const Dim *right, Position *p) {
    Parsed first = affine(e, x->binary.left, times, p);
    return first == AFFINE && right ? affine(e, x->binary.right, right, p) : first;
}

static Parsed product(Elab *e, const AstExpr *x, const Dim *times, Position *p) {
    const AstExpr *left = x->binary.left, *right = x->binary.right;
    bool right_varies = equation_spread(e, right);
    if (right_varies && equation_spread(e, left)) return NOT_AFFINE;
    const Val *v = el_value(e, right_varies ? left : right, NULL);
    if (val_poisoned(v)) return FAILED;
    bool plain = v->kind == VAL_NUMBER ? !v->number.is_float
                                       : v->kind == VAL_TENSOR && v->tensor.dim && !v->tensor.value;
    if (!plain) return NOT_AFFINE;
    times = dim_mul(e->ir, times, dim_of(e, v, x->span));
    if (times) return affine(e, right_varies ? right : left, times, p);
    overflow(e, x->span);
    return FAILED;
}

static Parsed affine(Elab *e, const AstExpr *x, const Dim *times, Position *p) {
    if (!equation_spread(e, x)) return uniform(e, x, times, p);
    const Dim *minus = dim_sub(e->ir, dim_const(e->ir, 0), times);
    if (x->kind == AST_NAME) return index_of(e, x, times, p);
    if (x->kind == AST_UNARY && x->unary.op == AST_POS) return affine(e, x->unary.operand, times, p);
    if (x->kind == AST_UNARY && x->unary.op == AST_NEG && minus) return affine(e, x->unary.operand, minus, p);
    if (x->kind != AST_BINARY) return NOT_AFFINE;
    if (x->binary.op == AST_ADD) return both(e, x, times, times, p);
    if (x->binary.op == AST_SUB && minus) return both(e, x, times, minus, p);
    return x->binary.op == AST_MUL ? product(e, x, times, p) : NOT_AFFINE;
}

/* The axes of the space along which a spread value varies. */
static uint32_t axes_of(const Val *v) {
    const Type *type = v->tensor.type;
    uint32_t axes = 0;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is(type->dims[i], 1)) axes |= 1u << (type->rank - 1 - i);
    return axes;
}

static bool computed(Elab *e, const AstExpr *x, Position *p) {
    const Val *v = equation_expr(e, x);
    if (val_poisoned(v)) return false;
    if (v->kind != VAL_TENSOR || !dtype_is_integer(v->tensor.type->dtype)) {
        diag_report(e->diags, D_BAD_INDEX, x->span, val_type_text(e, v));
        return false;
    }
    Builder b = el_builder(e, x->span);
    p->ids = val_of(e, build_cast(&b, val_value(e, v, x->span), DTYPE_i64));
    p->uses = axes_of(p->ids);
    return true;
}

/* A constant below 0 counts from the end of the axis, as it does elsewhere. */
static bool position_of(Elab *e, const AstExpr *x, const Dim *size, Position *p) {
    *p = (Position){.span = x->span, .base = dim_const(e->ir, 0)};
    Parsed parsed = affine(e, x, dim_const(e->ir, 1), p);
    int64_t constant;
    if (parsed == FAILED) return false;
    p->affine = parsed == AFFINE;
    if (!p->affine) return computed(e, x, p);
    for (uint32_t axis = 0; axis < MAX_RANK; axis++) {
        if (p->factor[axis] && dim_is(p->factor[axis], 0)) p->factor[axis] = NULL;
        if (p->factor[axis]) p->uses |= 1u << axis;
    }
    if (!p->uses && !p->rest && dim_is_const(p->base, &constant) && constant < 0)
        return add_to(e, &p->base, size, x->span);
    return true;
}

static const Val *plus(Elab *e, const Val *a, const Val *b, Span span) {
    return a ? op_binary(e, AST_ADD, a, span, b, span, span) : b;
}

/* The positions as a value: spread, or a scalar where no index occurs. */
static const Val *values_of(Elab *e, const Position *p) {
    if (!p->affine) return p->ids;
    const Val *sum = p->rest;
    for (uint32_t axis = 0; axis < e->equation->rank; axis++) {
        const Index *index = &e->equation->indices[axis];
        if (!p->factor[axis]) continue;
        const Val *from_zero =
            op_binary(e, AST_SUB, index->binding->value, p->span, val_dim(e, index->lo), p->span, p->span);
        const Val *term = dim_is(index->lo, 0) ? index->binding->value : from_zero;
        if (!dim_is(p->factor[axis], 1))
            term = op_binary(e, AST_MUL, term, p->span, val_dim(e, p->factor[axis]), p->span, p->span);
        sum = plus(e, sum, term, p->span);
    }
    return sum && dim_is(p->base, 0) ? sum : plus(e, sum, val_dim(e, p->base), p->span);
}

/* --- is it inside the axis? */
/* Stops the program where `inside` is false and any element is meant. */
static void require(Elab *e, Value *inside, const char *text, uint32_t count, Value *const *args, Span span) {
    const Equation *q = e->equation;
    Builder b = el_builder(e, span);
    for (uint32_t axis = 0; axis < q->rank; axis++) {
        const Dim *extent = q->indices[axis].extent;
        if (dim_at_least(extent, 1)) continue;
        Value *empty = build_binary(&b, OP_eq, build_size(&b, extent), build_int(&b, 0));
        inside = build_binary(&b, OP_or, inside, empty);
    }
    runtime_check(e, inside, text, count, args, span);
}

/* The least and greatest value of base + Σ factor · index; false where the sign of a factor is not known. */
static bool ends_of(Elab *e, const Position *p, const Dim **least, const Dim **greatest) {
    *least = *greatest = p->base;
    for (uint32_t axis = 0; axis < e->equation->rank; axis++) {
        const Dim *factor = p->factor[axis];
        if (!factor) continue;
        const Dim *last = dim_sub(e->ir, e->equation->indices[axis].extent, dim_const(e->ir, 1));
        const Dim *minus = dim_sub(e->ir, dim_const(e->ir, 0), factor),
                  *span = last ? dim_mul(e->ir, last, factor) : NULL;
        const Dim **end = dim_at_least(factor, 0) ? greatest : minus && dim_at_least(minus, 0) ? least : NULL;
        if (!end || !span || !(*end = dim_add(e->ir, *end, span))) return false;
    }
    return true;
}

static bool below_zero(const Dim *d) {
    int64_t constant;
    return d && dim_is_const(d, &constant) && constant < 0;
}

static bool any_empty(const Equation *q) {
    for (uint32_t axis = 0; axis < q->rank; axis++)
        if (dim_is(q->indices[axis].extent, 0)) return true;
    return false;
}

static bool outside(Elab *e, const Position *p, const Dim *least, const Dim *greatest, const Dim *size) {
    Diagnostic *d = diag_report(e->diags, D_INDEX_OUTSIDE, p->span, el_dim(e, least), el_dim(e, greatest),
                                el_dim(e, size));
    diag_help(d, "write ranges that stay inside (`for i in lo..hi`), or read it in an `if` that makes sure");
    return false;
}

static Value *end_value(Elab *e, const Position *p, const Dim *end) {
    return val_value(e, p->rest ? plus(e, p->rest, val_dim(e, end), p->span) : val_dim(e, end), p->span);
}

/* Every position inside? Checks it now or when it runs, unless a guard says which are wanted. False after
 * reporting. */
static bool check_affine(Elab *e, Position *p, const Dim *size) {
    const Dim *least, *greatest;
    if (!ends_of(e, p, &least, &greatest)) return true;
    const Dim *after = dim_sub(e->ir, dim_sub(e->ir, size, greatest), dim_const(e->ir, 1));
    if (!p->rest && after && dim_at_least(least, 0) && dim_at_least(after, 0)) {
        p->inside = p->proved = true;
        return true;
    }
    if (e->equation->guard) return true;
    if (!p->rest && (below_zero(least) || below_zero(after)) && !any_empty(e->equation))
        return outside(e, p, least, greatest, size);
    Builder b = el_builder(e, p->span);
    Value *args[3] = {end_value(e, p, least), end_value(e, p, greatest), build_size(&b, size)};
    Value *from = build_binary(&b, OP_le, build_int(&b, 0), args[0]);
    Value *to = build_binary(&b, OP_lt, args[1], args[2]);
    require(e, build_binary(&b, OP_and, from, to), "the index runs from {} to {}: the axis has {}", 3, args,
            p->span);
    p->inside = true;
    return true;
}

/* The positions, checked one by one. Under a guard those outside are `size`, the place of a zero. */
static const Val *check_ids(Elab *e, Position *p, const Val *ids, const Dim *size) {
    Span s = p->span;
    const Val *guard = e->equation->guard, *n = val_dim(e, size);
    const Val *low = op_binary(e, AST_GE, ids, s, val_integer(e, 0), s, s);
    const Val *inside = op_binary(e, AST_AND, low, s, op_binary(e, AST_LT, ids, s, n, s, s), s, s),
              *ok = inside;
    if (guard) ok = op_binary(e, AST_OR, inside, s, op_unary(e, AST_NOT, guard, s), s, s);
    if (val_poisoned(ok)) return ok;
    Builder b = el_builder(e, s);
    int64_t axes[MAX_RANK];
    Value *all = val_value(e, ok, s), *args[1] = {build_size(&b, size)};
    for (uint32_t i = 0; i < all->type->rank; i++) axes[i] = i;
    require(e, build_reduce(&b, OP_reduce_all, all, all->type->rank, axes),
            "an index is out of range: the axis has {}", 1, args, s);
    return guard ? equation_where(e, inside, ids, n, s) : ids;
}

/* Can a slice say it? Where nothing is read a check at run time lets everything pass, and a slice must fit
 * all the same. */
static void decide_view(Elab *e, Position *p) {
    const Equation *q = e->equation;
    if (!p->affine || p->rest || !p->inside || (!p->proved && !equation_nonempty(q))) return;
    p->view = !p->uses;
    if (!p->uses || p->uses & (p->uses - 1)) return;
    uint32_t axis = (uint32_t)__builtin_ctz(p->uses);
    if (!dim_is_const(p->factor[axis], &p->step)) return;
    p->view = p->step == 1 || (p->step > 0 && dim_is(p->base, 0)) || dim_at_least(q->indices[axis].extent, 1);
}

/* --- reading */
static void slice_views(Reading *r, const Position *p) {
    Elab *e = r->e;
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    bool any = false;
    for (uint32_t i = 0; i < r->rank; i++) {
        const Dim *whole = r->x->type->dims[i], *one = dim_const(e->ir, 1);
        bool view = p[i].view, moves = p[i].uses != 0;
        const Dim *extent = moves ? e->equation->indices[__builtin_ctz(p[i].uses)].extent : one;
        start[i] = view ? p[i].base : dim_const(e->ir, 0);
        dims[i] = view ? extent : whole;
        step[i] = view && moves ? p[i].step : 1;
        any |= step[i] != 1 || dims[i] != whole;
    }
    Builder b = el_builder(e, r->span);
    if (any) r->x = build_slice(&b, r->x, start, dims, step);
}

/* Drops the axes that a single position has made of size 1; the others keep their order. */
static void drop_single(Reading *r, const Position *p) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < r->rank; i++) {
        int tensor_axis = ~r->index[i];
        if (p[tensor_axis].view && !p[tensor_axis].uses) continue;
        r->index[rank] = p[tensor_axis].view ? __builtin_ctz(p[tensor_axis].uses) : r->index[i];
        dims[rank++] = r->x->type->dims[i];
    }
    Builder b = el_builder(r->e, r->span);
    r->x = build_reshape(&b, r->x, rank, dims);
    r->rank = rank;
}

static uint32_t axis_at(const Reading *r, int label) {
    uint32_t i = 0;
    while (i < r->rank && r->index[i] != label) i++;
    return i;
}

/* One zero behind axis `at`, for the positions that are not wanted. */
static void pad_axis(Reading *r, uint32_t at) {
    Elab *e = r->e;
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK] = {0};
    for (uint32_t i = 0; i < r->rank; i++) {
        low[i] = dim_const(e->ir, 0);
        high[i] = dim_const(e->ir, i == at);
    }
    Builder b = el_builder(e, r->span);
    r->x =
        build_pad(&b, r->x, build_const(&b, type_scalar(e->ir, r->x->type->dtype), 0), low, high, interior);
}

/* Moves the axes `labels` next to each other, in this order, to where the first of them stands. */
static uint32_t bring_together(Reading *r, uint32_t count, const int *labels) {
    int64_t perm[MAX_RANK];
    int moved[MAX_RANK];
    uint32_t first = axis_at(r, labels[0]), rank = 0, at = 0;
    bool same = true;
    for (uint32_t i = 0; i < r->rank; i++) {
        bool in_group = false;
        for (uint32_t k = 0; k < count; k++) in_group |= r->index[i] == labels[k];
        if (in_group && i != first) continue;
        if (i == first) at = rank;
        for (uint32_t k = 0; in_group && k < count; k++) perm[rank++] = axis_at(r, labels[k]);
        if (!in_group) perm[rank++] = i;
    }
    for (uint32_t i = 0; i < rank; i++) {
        same &= perm[i] == i;
        moved[i] = r->index[perm[i]];
    }
    Builder b = el_builder(r->e, r->span);
    if (!same) r->x = build_permute(&b, r->x, perm);
    memcpy(r->index, moved, sizeof moved[0] * rank);
    return at;
}

/* The positions with just the axes along which they vary, and which those are. */
static Value *compact(Reading *r, const Val *ids, uint32_t *count, int *axes) {
    Value *v = val_value(r->e, ids, r->span);
    const Dim *dims[MAX_RANK];
    *count = 0;
    for (uint32_t i = 0; i < v->type->rank; i++) {
        if (dim_is(v->type->dims[i], 1)) continue;
        dims[*count] = v->type->dims[i];
        axes[(*count)++] = (int)(v->type->rank - 1 - i);
    }
    Builder b = el_builder(r->e, r->span);
    return build_reshape(&b, v, *count, dims);
}

/* Gathers along the axes at `at` …, which are one position each. */
static bool gather_at(Reading *r, uint32_t at, uint32_t group, const Val *ids) {
    Elab *e = r->e;
    const Dim *dims[MAX_RANK], *merged = dim_const(e->ir, 1);
    int axes[MAX_RANK];
    uint32_t rank = 0, count;
    Value *positions = compact(r, ids, &count, axes);
    if (r->rank - group + count > MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, r->span, MAX_RANK);
        return false;
    }
    for (uint32_t i = 0; i < r->rank; i++) {
        if (i < at || i >= at + group) dims[rank++] = r->x->type->dims[i];
        if (i >= at && i < at + group && !(merged = dim_mul(e->ir, merged, r->x->type->dims[i])))
            return overflow(e, r->span);
        if (i + 1 == at + group) dims[rank++] = merged;
    }
    Builder b = el_builder(e, r->span);
    r->x = build_gather(&b, build_reshape(&b, r->x, rank, dims), positions, at);
    memmove(&r->index[at + count], &r->index[at + group], sizeof r->index[0] * (r->rank - at - group));
    memcpy(&r->index[at], axes, sizeof axes[0] * count);
    r->rank = r->rank - group + count;
    return true;
}

/* Do two indices walk along the axis in steps of at least 1, inside it? Then `cut` elements of it are read,
 * in windows that one index counts and whose elements the other counts. */
static bool walks_windows(Elab *e, const Position *p, const Dim **cut, uint32_t *outer, uint32_t *inner) {
    const Equation *q = e->equation;
    const Dim *least, *greatest;
    if (!p->affine || p->rest || !p->inside || (!p->proved && !equation_nonempty(q))) return false;
    uint32_t others = p->uses & (p->uses - 1);
    if (!others || others & (others - 1) || !ends_of(e, p, &least, &greatest)) return false;
    *outer = (uint32_t)__builtin_ctz(p->uses);
    *inner = (uint32_t)__builtin_ctz(others);
    *cut = dim_sub(e->ir, dim_add(e->ir, greatest, dim_const(e->ir, 1)), p->base);
    return *cut && dim_at_least(*cut, 0) && dim_at_least(p->factor[*outer], 1) &&
           dim_at_least(p->factor[*inner], 1);
}

/* Reads x[… stride * i + dilation * k + base …] as a view; false where that isn't what the position is. */
static bool read_windows(Reading *r, const Position *p, int label) {
    Elab *e = r->e;
    const Dim *start[MAX_RANK], *dims[MAX_RANK], *cut;
    int64_t step[MAX_RANK];
    uint32_t outer, inner, at = axis_at(r, label);
    if (r->rank == MAX_RANK || !walks_windows(e, p, &cut, &outer, &inner)) return false;
    for (uint32_t i = 0; i < r->rank; i++) {
        start[i] = i == at ? p->base : dim_const(e->ir, 0);
        dims[i] = i == at ? cut : r->x->type->dims[i];
        step[i] = 1;
    }
    const Dim *size = e->equation->indices[inner].extent;
    if (window_count(e->ir, cut, size, p->factor[outer], p->factor[inner]) !=
        e->equation->indices[outer].extent)
        return false;
    Builder b = el_builder(e, r->span);
    if (cut != r->x->type->dims[at]) r->x = build_slice(&b, r->x, start, dims, step);
    r->x = build_window(&b, r->x, at, size, p->factor[outer], p->factor[inner]);
    memmove(&r->index[at + 2], &r->index[at + 1], sizeof r->index[0] * (r->rank - at - 1));
    r->index[at] = (int)outer;
    r->index[at + 1] = (int)inner;
    r->rank++;
    return true;
}

/* Tensor axes that are read together, because an index occurs in the position on each. */
static bool read_group(Reading *r, Position *p, uint32_t count, const int *labels, const Type *type) {
    Elab *e = r->e;
    const Val *joint = NULL;
    if (count == 1 && read_windows(r, &p[~labels[0]], labels[0])) return true;
    for (uint32_t k = 0; k < count; k++) {
        Position *at = &p[~labels[k]];
        const Dim *size = type->dims[~labels[k]];
        const Val *ids = values_of(e, at);
        if (!at->inside) {
            ids = check_ids(e, at, ids, size);
            if (e->equation->guard) pad_axis(r, axis_at(r, labels[k]));
        }
        const Dim *padded = r->x->type->dims[axis_at(r, labels[k])];
        if (joint) joint = op_binary(e, AST_MUL, joint, at->span, val_dim(e, padded), at->span, at->span);
        joint = plus(e, joint, ids, at->span);
        if (val_poisoned(joint)) return false;
    }
    uint32_t at = bring_together(r, count, labels);
    return gather_at(r, at, count, joint);
}

/* All that shares an index with axis `i`, directly or through others; marks them done. */
static uint32_t group_of(const Position *p, uint32_t rank, uint32_t i, bool *done, int *labels) {
    uint32_t count = 0, uses = p[i].uses;
    bool grown = true, member[MAX_RANK] = {false};
    member[i] = true;
    while (grown) {
        grown = false;
        for (uint32_t k = 0; k < rank; k++) {
            if (member[k] || !(p[k].uses & uses)) continue;
            member[k] = grown = true;
            uses |= p[k].uses;
        }
    }
    for (uint32_t k = 0; k < rank; k++) {
        if (!member[k]) continue;
        done[k] = true;
        labels[count++] = ~(int)k;
    }
    return count;
}

/* A value whose axes are labelled, as one that is spread over the space. */
static const Val *spread(Reading *r) {
    Elab *e = r->e;
    const Dim *dims[MAX_RANK];
    int64_t perm[MAX_RANK];
    uint32_t rank = 0, shown = 0;
    for (int axis = (int)e->equation->rank - 1; axis >= 0; axis--) {
        uint32_t at = axis_at(r, axis);
        if (at < r->rank) perm[rank++] = at;
        if (rank) dims[shown++] = at < r->rank ? r->x->type->dims[at] : dim_const(e->ir, 1);
    }
    Builder b = el_builder(e, r->span);
    bool same = true;
    for (uint32_t i = 0; i < rank; i++) same &= perm[i] == i;
    Value *x = same ? r->x : build_permute(&b, r->x, perm);
    return val_of(e, build_reshape(&b, x, shown, dims));
}

static const Val *read(Elab *e, const Val *v, Position *p, Span span) {
    const Type *type = v->tensor.type;
    bool done[MAX_RANK] = {false}, gathered[MAX_RANK] = {false};
    int labels[MAX_RANK][MAX_RANK];
    uint32_t counts[MAX_RANK], groups = 0;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (done[i]) continue;
        uint32_t count = group_of(p, type->rank, i, done, labels[groups]);
        if (count == 1 && p[i].view) continue;
        for (uint32_t k = 0; k < count; k++) gathered[~labels[groups][k]] = true;
        counts[groups++] = count;
    }
    for (uint32_t i = 0; i < type->rank; i++) p[i].view &= !gathered[i];
    Reading r = {.e = e, .span = span, .x = val_value(e, v, span), .rank = type->rank};
    for (uint32_t i = 0; i < type->rank; i++) r.index[i] = ~(int)i;
    slice_views(&r, p);
    drop_single(&r, p);
    for (uint32_t g = 0; g < groups; g++)
        if (!read_group(&r, p, counts[g], labels[g], type)) return e->poison;
    return spread(&r);
}

static bool every_axis(Elab *e, const AstExpr *x, const Type *type) {
    uint32_t count = 0;
    bool single = true;
    for (const AstIndex *i = x->indexing.indices; i; i = i->next, count++)
        single &= i->kind == AST_INDEX_EXPR;
    if (single && count == type->rank) return true;
    uint32_t slices = 0;
    for (const AstIndex *i = x->indexing.indices; i; i = i->next) slices += i->kind != AST_INDEX_EXPR;
    Diagnostic *d =
        diag_report(e->diags, D_INDEX_EVERY_AXIS, x->span, type_text_nn(e, type), (int)type->rank,
                    type->rank == 1 ? "is" : "es", (int)(count - slices), count - slices == 1 ? "is" : "are");
    diag_help(d, slices ? "index every axis: `sum(a[i, k] for k)` is what `sum(a[i, :])` means elsewhere"
                        : "index every axis in one pair of brackets: `a[i, j]`");
    return false;
}

const Val *equation_access(Elab *e, const AstExpr *x) {
    const AstExpr *object = x->indexing.object;
    if (equation_spread(e, object)) {
        Diagnostic *d = diag_report(e->diags, D_NOT_ELEMENTWISE, object->span, "what is indexed");
        diag_help(d,
                  "index every axis in one pair of brackets, of a tensor that is there before the equation");
        return e->poison;
    }
    const Val *v = equation_object(e, object);
    if (val_poisoned(v)) return v;
    if (v->kind != VAL_TENSOR) {
        bool list = v->kind == VAL_LIST || v->kind == VAL_TUPLE;
        if (list)
            diag_report(e->diags, D_LIST_INDEX, x->indexing.indices->span);
        else
            diag_report(e->diags, D_NOT_INDEXABLE, object->span, val_type_text(e, v));
        return e->poison;
    }
    const Type *type = v->tensor.type;
    Position p[MAX_RANK];
    if (!every_axis(e, x, type)) return e->poison;
    uint32_t axis = 0;
    for (const AstIndex *i = x->indexing.indices; i; i = i->next, axis++) {
        if (!position_of(e, i->value, type->dims[axis], &p[axis])) return e->poison;
        if (p[axis].affine && !check_affine(e, &p[axis], type->dims[axis])) return e->poison;
        decide_view(e, &p[axis]);
    }
    return read(e, v, p, x->span);
}
