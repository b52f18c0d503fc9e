/* a[…] read: NumPy's basic indexing, and gathering by tensors of positions. What is known at compile time is
 * checked then; the rest is checked where it runs. Negative positions count from the end where they are known
 * at compile time. */
#include "frontend/elaborate_index.h"
#include "frontend/habits.h"
#include <string.h>

/* --- checks */
void runtime_check(Elab *e, Value *condition, const char *text, uint32_t count, Value *const *args,
                   Span span) {
    Builder b = el_builder(e, span);
    Value **operands = ARENA_ARRAY(e->arena, Value *, count + 1);
    operands[0] = condition;
    for (uint32_t i = 0; i < count; i++) operands[i + 1] = args[i];
    Attr attr = attr_str(ATTR_text, el_name(e, text));
    build_node(&b, OP_check, count + 1, operands, 1, &attr);
}

bool dims_in_order(Elab *e, const Dim *a, const Dim *b, Span span, const char *text) {
    const Dim *room = dim_sub(e->ir, b, a);
    int64_t constant;
    if (room && dim_is_const(room, &constant)) {
        if (constant >= 0) return true;
        diag_report(e->diags, D_SLICE_RANGE, span, el_dim(e, a), el_dim(e, b));
        return false;
    }
    if (room && dim_at_least(room, 0)) return true;
    Builder builder = el_builder(e, span);
    Value *values[2] = {build_size(&builder, a), build_size(&builder, b)};
    runtime_check(e, build_binary(&builder, OP_le, values[0], values[1]), text, 2, values, span);
    return true;
}

static void check_index(Elab *e, Value *index, const Dim *size, Span span) {
    Builder b = el_builder(e, span);
    Value *n = build_size(&b, size), *zero = build_int(&b, 0);
    Value *ok =
        build_binary(&b, OP_and, build_binary(&b, OP_le, zero, index), build_binary(&b, OP_lt, index, n));
    Value *args[2] = {index, n};
    runtime_check(e, ok, "index {} is out of range: the axis has {}", 2, args, span);
}

bool index_position(Elab *e, int64_t written, int64_t n, Span span, int64_t *at) {
    *at = written < 0 ? written + n : written;
    if (*at >= 0 && *at < n) return true;
    const char *value = arena_printf(e->arena, "%lld", (long long)written);
    Diagnostic *d = diag_report(e->diags, D_INDEX_RANGE, span, value, n == 1 ? "is" : "are",
                                arena_printf(e->arena, "%lld", (long long)n), n == 1 ? "" : "s");
    if (strcmp(el_source(e, span), value) != 0) diag_here(d, "this is %s", value);
    return false;
}

/* Requires that the position `at` is in an axis of `size` elements, when it runs if it isn't known to be. */
static void index_require(Elab *e, const Dim *at, const Dim *size, Span span) {
    const Dim *after = dim_sub(e->ir, size, at);
    if (after && dim_at_least(at, 0) && dim_at_least(after, 1)) return;
    Builder b = el_builder(e, span);
    check_index(e, build_size(&b, at), size, span);
}

void ids_require(Elab *e, Value *ids, const Dim *size, Span span) {
    Builder b = el_builder(e, span);
    Value *wide = build_cast(&b, ids, DTYPE_i64);
    Value *low = build_like(&b, build_int(&b, 0), wide->type), *n = build_size(&b, size);
    Value *inside = build_binary(&b, OP_and, build_binary(&b, OP_le, low, wide),
                                 build_binary(&b, OP_lt, wide, build_like(&b, n, wide->type)));
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < wide->type->rank; i++) axes[i] = i;
    Value *all = build_reduce(&b, OP_reduce_all, inside, wide->type->rank, axes);
    runtime_check(e, all, "an index is out of range: the axis has {}", 1, &n, span);
}

/* --- resolving */
/* A slice's bound, counted from the start of the axis. One that is known at run time only counts from there
 * by itself, and may not be before it. */
static const Dim *bound(Elab *e, const AstExpr *expr, const Dim *n, int64_t low) {
    const Dim *d = dim_of_expr(e, expr, e->scope);
    int64_t i, size;
    if (!d) return NULL;
    if (!dim_is_const(d, NULL) &&
        !dims_in_order(e, dim_const(e->ir, 0), d, expr->span, "the slice starts before the axis ({} > {})"))
        return NULL;
    if (dim_is_const(d, &i) && i < 0) d = dim_add(e->ir, n, d);
    if (dim_is_const(d, &i) && dim_is_const(n, &size)) {
        int64_t high = size + low;
        d = dim_const(e->ir, i < low ? low : i > high ? high : i);
    }
    return d;
}

static bool step_of(Elab *e, const AstIndex *index, int64_t *step) {
    *step = 1;
    if (!index->step) return true;
    const Dim *d = dim_of_expr(e, index->step, e->scope);
    if (!d) return false;
    if (dim_is_const(d, step) && *step != 0) return true;
    diag_report(e->diags, D_SLICE_STEP, index->step->span);
    return false;
}

static const Dim *count_of(Elab *e, const Dim *span, int64_t step) {
    const Dim *padded = dim_add(e->ir, span, dim_const(e->ir, step - 1));
    return dim_floordiv(e->ir, padded, dim_const(e->ir, step));
}

static bool resolve_slice(Elab *e, const AstIndex *index, const Dim *n, Axis *axis) {
    int64_t low, length;
    *axis = (Axis){.kind = AXIS_FULL, .step = 1};
    if (!step_of(e, index, &axis->step)) return false;
    if (!index->start && !index->stop && axis->step == 1) return true;
    bool back = axis->step < 0;
    low = back ? -1 : 0;
    const Dim *one = dim_const(e->ir, 1), *last = dim_sub(e->ir, n, one);
    const Dim *start = index->start ? bound(e, index->start, n, low) : back ? last : dim_const(e->ir, 0);
    const Dim *stop = index->stop ? bound(e, index->stop, n, low) : back ? dim_const(e->ir, -1) : n;
    if (!start || !stop) return false;
    const Dim *span = back ? dim_sub(e->ir, start, stop) : dim_sub(e->ir, stop, start);
    axis->kind = AXIS_SLICE;
    if (dim_is_const(span, &length) && length <= 0) {
        axis->start = dim_const(e->ir, 0);
        axis->size = dim_const(e->ir, 0);
        axis->step = 1;
        return true;
    }
    const Dim *zero = dim_const(e->ir, 0), *first = back ? stop : start, *end = back ? start : stop;
    bool checked = back ? index->stop : index->start;
    if (checked && !dims_in_order(e, back ? dim_const(e->ir, -1) : zero, first, index->span,
                                  "the slice starts before the axis ({} > {})"))
        return false;
    if (!dims_in_order(e, first, end, index->span, "the slice's start {} is after its end {}")) return false;
    if (!dims_in_order(e, end, back ? last : n, index->span, "the slice ends at {}, and the axis at {}"))
        return false;
    axis->start = start;
    axis->size = count_of(e, span, back ? -axis->step : axis->step);
    return axis->size != NULL;
}

/* `x[mask]`: the size of its value would depend on how often the mask is true. `span` is all of it. */
static void help_mask(Elab *e, Diagnostic *d, const AstIndex *index, Span span) {
    Span object = {span.source, span.start, index->span.start - 1};
    Span bracket = {span.source, object.end, index->span.start};
    bool alone = strcmp(el_source(e, bracket), "[") == 0 && span.end == index->span.end + 1;
    if (!alone) {
        diag_help(d, "`where(mask, x, 0)` selects by a mask");
        return;
    }
    const char *mask = el_source(e, index->span), *x = el_source(e, object);
    diag_help(d, "to read there, and 0 elsewhere: `where(%s, %s, 0)`", mask, x);
    diag_help(d, "to write there: `%s = where(%s, …, %s)`", x, mask, x);
}

/* `span`: of the object with its indices. */
static bool resolve_index(Elab *e, const AstIndex *index, const Dim *n, Axis *axis, Span span) {
    const Val *v = el_value(e, index->value, NULL);
    if (val_poisoned(v)) return false;
    *axis = (Axis){.kind = AXIS_INDEX, .step = 1};
    if (v->kind == VAL_TENSOR && v->tensor.type->rank && dtype_is_integer(v->tensor.type->dtype)) {
        axis->kind = AXIS_IDS;
        axis->ids = val_value(e, v, index->span);
        ids_require(e, axis->ids, n, index->span);
        return true;
    }
    if (!val_is_int(v)) {
        Diagnostic *d = diag_report(e->diags, D_BAD_INDEX, index->span, val_type_text(e, v));
        if (v->kind == VAL_TENSOR && v->tensor.type->dtype == DTYPE_bool) help_mask(e, d, index, span);
        return false;
    }
    if (v->kind == VAL_NUMBER || (v->tensor.dim && !v->tensor.value) || v->tensor.known) {
        const Dim *at = dim_of(e, v, index->span);
        int64_t i, size, place;
        bool known = dim_is_const(at, &i);
        if (known && dim_is_const(n, &size) && !index_position(e, i, size, index->span, &place)) return false;
        if (known && i < 0) at = dim_add(e->ir, n, at);
        axis->start = at;
        axis->size = dim_const(e->ir, 1);
        index_require(e, at, n, index->span);
        return true;
    }
    Builder b = el_builder(e, index->span);
    axis->index = build_cast(&b, val_value(e, v, index->span), DTYPE_i64);
    check_index(e, axis->index, n, index->span);
    return true;
}

/* NumPy's `x[:, None]`; false where no index is such a word. */
static bool report_new_axis(Elab *e, const AstIndex *indices) {
    for (const AstIndex *i = indices; i; i = i->next) {
        if (i->kind != AST_INDEX_EXPR || i->value->kind != AST_NAME) continue;
        const char *word = i->value->name.text, *help = habit_help(HABIT_INDEX, word);
        Found found;
        if (!help || scope_find(e, e->scope, word, &found)) continue;
        diag_help(diag_report(e->diags, D_UNKNOWN_NAME, i->span, word), "%s", help);
        return true;
    }
    return false;
}

const Selection *select_resolve(Elab *e, const Type *type, const AstIndex *indices, Span span) {
    Selection *s = ARENA_NEW(e->arena, Selection);
    s->rank = type->rank;
    uint32_t written = 0, at = 0, ellipses = 0;
    for (const AstIndex *i = indices; i; i = i->next)
        *(i->kind == AST_INDEX_ELLIPSIS ? &ellipses : &written) += 1;
    if (report_new_axis(e, indices)) return NULL;
    if (written > type->rank || ellipses > 1) {
        diag_report(e->diags, D_TOO_MANY_INDICES, span, type_text_nn(e, type), (int)written);
        return NULL;
    }
    for (uint32_t i = 0; i < type->rank; i++) s->axes[i] = (Axis){.kind = AXIS_FULL, .step = 1};
    for (const AstIndex *i = indices; i; i = i->next) {
        if (i->kind == AST_INDEX_ELLIPSIS) {
            at += type->rank - written;
            continue;
        }
        bool ok = i->kind == AST_INDEX_SLICE ? resolve_slice(e, i, type->dims[at], &s->axes[at])
                                             : resolve_index(e, i, type->dims[at], &s->axes[at], span);
        if (!ok) return NULL;
        at++;
    }
    return s;
}

bool select_disjoint(const Selection *a, const Selection *b) {
    for (uint32_t i = 0; i < a->rank && a->rank == b->rank; i++) {
        int64_t x, y;
        const Axis *p = &a->axes[i], *q = &b->axes[i];
        bool single = p->kind == AXIS_INDEX && q->kind == AXIS_INDEX && p->start && q->start;
        if (single && dim_is_const(p->start, &x) && dim_is_const(q->start, &y) && x != y) return true;
    }
    return false;
}

/* --- reading */
static Value *slice_known(Elab *e, Builder *b, Value *x, const Selection *s) {
    const Dim *start[MAX_RANK], *size[MAX_RANK];
    int64_t step[MAX_RANK];
    bool any = false;
    for (uint32_t i = 0; i < s->rank; i++) {
        const Axis *a = &s->axes[i];
        bool slice = a->kind == AXIS_SLICE || (a->kind == AXIS_INDEX && !a->index);
        start[i] = slice ? a->start : dim_const(e->ir, 0);
        size[i] = slice ? a->size : x->type->dims[i];
        step[i] = slice ? a->step : 1;
        any |= slice;
    }
    return any ? build_slice(b, x, start, size, step) : x;
}

bool select_nothing(const Type *type, const Selection *s) {
    for (uint32_t i = 0; i < s->rank; i++) {
        const Axis *a = &s->axes[i];
        int64_t n, size = 1;
        bool index = a->kind == AXIS_INDEX && a->index;
        bool slice = a->kind == AXIS_SLICE && dim_is_const(a->size, &size);
        if ((index || slice) && dim_is_const(type->dims[i], &n) && size > n) return true;
    }
    return false;
}

Value *select_lengthen(Elab *e, Builder *b, Value *x, uint32_t axis) {
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK] = {0};
    for (uint32_t i = 0; i < x->type->rank; i++) {
        low[i] = dim_const(e->ir, 0);
        high[i] = dim_const(e->ir, i == axis);
    }
    return build_pad(b, x, build_const(b, type_scalar(e->ir, x->type->dtype), 0), low, high, interior);
}

static Value *slice_dynamic(Elab *e, Builder *b, Value *x, const Selection *s) {
    int64_t axes[MAX_RANK];
    Value *starts[MAX_RANK];
    const Dim *dims[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->rank; i++) {
        bool dynamic = s->axes[i].kind == AXIS_INDEX && s->axes[i].index;
        dims[i] = dynamic ? dim_const(e->ir, 1) : x->type->dims[i];
        if (!dynamic) continue;
        axes[count] = i;
        starts[count++] = s->axes[i].index;
    }
    for (uint32_t i = 0; i < count; i++)
        if (dim_is(x->type->dims[axes[i]], 0)) x = select_lengthen(e, b, x, (uint32_t)axes[i]);
    return count ? build_dynamic_slice(b, x, count, axes, starts, dims) : x;
}

Value *select_part(Elab *e, Builder *b, Value *x, const Selection *s) {
    return slice_dynamic(e, b, slice_known(e, b, x, s), s);
}

bool select_together(Selection *s, uint32_t *first, uint32_t *last, int64_t *perm) {
    uint32_t count = 0;
    bool apart = false;
    for (uint32_t i = 0; i < s->rank; i++) {
        perm[i] = i;
        if (s->axes[i].kind != AXIS_IDS) continue;
        if (count++ == 0) *first = i;
        *last = i;
    }
    for (uint32_t i = *first; i <= *last; i++)
        apart |= s->axes[i].kind == AXIS_FULL || s->axes[i].kind == AXIS_SLICE;
    if (!apart) return false;
    Selection moved = {.rank = s->rank};
    uint32_t front = 0, rest = count;
    for (uint32_t i = 0; i < s->rank; i++) {
        uint32_t to = s->axes[i].kind == AXIS_IDS ? front++ : rest++;
        perm[to] = i;
        moved.axes[to] = s->axes[i];
    }
    *s = moved;
    *first = 0;
    *last = count - 1;
    return true;
}

const Val *select_positions(Elab *e, const Value *x, const Selection *s, uint32_t first, uint32_t last,
                            Span span) {
    const Val *joint = NULL;
    for (uint32_t i = first; i <= last; i++) {
        if (s->axes[i].kind != AXIS_IDS) continue;
        Builder b = el_builder(e, span);
        const Val *ids = val_of(e, build_cast(&b, s->axes[i].ids, DTYPE_i64));
        if (joint) {
            joint = op_binary(e, AST_MUL, joint, span, val_dim(e, x->type->dims[i]), span, span);
            ids = op_binary(e, AST_ADD, joint, span, ids, span, span);
        }
        if (val_poisoned(ids)) return ids;
        joint = ids;
    }
    return joint;
}

Value *select_merge(Elab *e, Builder *b, Value *x, uint32_t first, uint32_t last, Span span) {
    const Dim *dims[MAX_RANK], *merged = dim_const(e->ir, 1);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < first; i++) dims[rank++] = x->type->dims[i];
    for (uint32_t i = first; i <= last && merged; i++) merged = dim_mul(e->ir, merged, x->type->dims[i]);
    if (!merged) {
        diag_report(e->diags, D_OVERFLOW, span);
        return NULL;
    }
    dims[rank++] = merged;
    for (uint32_t i = last + 1; i < x->type->rank; i++) dims[rank++] = x->type->dims[i];
    return build_reshape(b, x, rank, dims);
}

/* Gathers along the axes that are indexed by tensors; *s then has them as the axes of the positions. */
static Value *gather_ids(Elab *e, Value *x, Selection *s, Span span) {
    Builder b = el_builder(e, span);
    uint32_t first = 0, last = 0;
    int64_t perm[MAX_RANK];
    if (select_together(s, &first, &last, perm)) x = build_permute(&b, x, perm);
    const Val *joint = select_positions(e, x, s, first, last, span);
    if (val_poisoned(joint)) return NULL;
    Value *ids = val_value(e, joint, span);
    uint32_t shown = ids->type->rank, after = s->rank - last - 1;
    if (first + shown + after > MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, span, MAX_RANK);
        return NULL;
    }
    x = select_merge(e, &b, x, first, last, span);
    if (!x) return NULL;
    x = build_gather(&b, x, ids, first);
    memmove(&s->axes[first + shown], &s->axes[last + 1], after * sizeof s->axes[0]);
    for (uint32_t i = 0; i < shown; i++) s->axes[first + i] = (Axis){.kind = AXIS_FULL, .step = 1};
    s->rank = first + shown + after;
    return x;
}

const Val *select_read(Elab *e, const Val *v, const Selection *selection, Span span) {
    if (!selection || val_poisoned(v)) return e->poison;
    Selection s = *selection;
    Builder b = el_builder(e, span);
    Value *x = select_part(e, &b, val_value(e, v, span), &s);
    bool ids = false;
    for (uint32_t i = 0; i < s.rank; i++) ids |= s.axes[i].kind == AXIS_IDS;
    if (ids) x = gather_ids(e, x, &s, span);
    if (!x) return e->poison;
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < s.rank; i++)
        if (s.axes[i].kind != AXIS_INDEX) dims[rank++] = x->type->dims[i];
    return val_of(e, build_reshape(&b, x, rank, dims));
}
