/* a[…] = part. Axis by axis: what a simple axis selects is taken out, written to and put back by
 * update_slice, so that only the last step is left where all axes are simple; a slice with a step goes back
 * by a selection over the whole axis, and what positions given by tensors select is scattered: the last of
 * equals wins as in NumPy. */
#include "frontend/elaborate_index.h"

static bool is_simple(const Axis *a) {
    return a->kind == AXIS_INDEX || (a->kind == AXIS_SLICE && a->step == 1);
}

/* The axis as it is in what was taken out. */
static Axis taken(Elab *e, const Axis *a) {
    if (a->kind == AXIS_INDEX)
        return (Axis){
            .kind = AXIS_INDEX, .step = 1, .start = dim_const(e->ir, 0), .size = dim_const(e->ir, 1)};
    return (Axis){.kind = AXIS_FULL, .step = 1};
}

/* --- positions given by tensors */
/* All axes but those of ids are whole; `part` has the shape that reading gives, with single positions. */
static Value *write_ids(Elab *e, Value *x, Selection s, Value *part, Span span) {
    Builder b = el_builder(e, span);
    uint32_t first = 0, last = 0, rank = s.rank;
    int64_t perm[MAX_RANK], back[MAX_RANK];
    bool moved = select_together(&s, &first, &last, perm);
    Value *together = moved ? build_permute(&b, x, perm) : x;
    const Val *joint = select_positions(e, together, &s, first, last, span);
    if (val_poisoned(joint)) return NULL;
    Value *ids = val_value(e, joint, span), *merged = select_merge(e, &b, together, first, last, span);
    if (!merged) return NULL;
    const Dim *dims[MAX_RANK];
    uint32_t shown = ids->type->rank;
    for (uint32_t i = 0; i + 1 < merged->type->rank + shown; i++)
        dims[i] = i < first           ? merged->type->dims[i]
                  : i < first + shown ? ids->type->dims[i - first]
                                      : merged->type->dims[i + 1 - shown];
    part = build_reshape(&b, part, merged->type->rank + shown - 1, dims);
    merged = build_scatter(&b, merged, ids, part, first);
    Value *result = build_reshape(&b, merged, rank, together->type->dims);
    for (uint32_t i = 0; i < rank; i++) back[perm[i]] = i;
    return moved ? build_permute(&b, result, back) : result;
}

/* --- slices with a step */
/* x with part[…, k, …] at start + k·step of axis `axis`: each element looks where it comes from. */
static Value *write_stepped(Elab *e, Value *x, uint32_t axis, const Axis *a, Value *part, Span span) {
    Builder b = el_builder(e, span);
    const Type *line = type_tensor(e->ir, DTYPE_i64, 1, &x->type->dims[axis]);
    int64_t along = axis;
    Value *start = build_like(&b, build_size(&b, a->start), line);
    Value *step = build_like(&b, build_int(&b, a->step), line);
    Value *count = build_like(&b, build_size(&b, a->size), line);
    Value *zero = build_like(&b, build_int(&b, 0), line);
    Value *offset = build_binary(&b, OP_sub, build_iota(&b, line, 0), start);
    Value *k = build_binary(&b, OP_floordiv, offset, step);
    Value *meets = build_binary(&b, OP_eq, build_binary(&b, OP_mod, offset, step), zero);
    Value *inside =
        build_binary(&b, OP_and, build_binary(&b, OP_le, zero, k), build_binary(&b, OP_lt, k, count));
    Value *hit = build_binary(&b, OP_and, meets, inside);
    /* Others look at an element behind the part, so that an empty part has one too. */
    Value *longer = select_lengthen(e, &b, part, axis);
    Value *spread = build_gather(&b, longer, build_select(&b, hit, k, count), along);
    const Type *mask = type_tensor(e->ir, DTYPE_bool, x->type->rank, x->type->dims);
    Value *here = build_broadcast(&b, hit, mask->rank, mask->dims, &along);
    return build_select(&b, here, spread, x);
}

/* x with `part` written; part has the shape that reading gives, with axes of size 1 for single positions.
 * NULL after reporting. */
static Value *write_part(Elab *e, Value *x, const Selection *s, Value *part, Span span) {
    Builder b = el_builder(e, span);
    Selection some = *s, rest = *s;
    int64_t axes[MAX_RANK];
    Value *starts[MAX_RANK];
    uint32_t simple = 0, stepped = MAX_RANK;
    bool ids = false, moves = false;
    if (select_nothing(x->type, s)) return x;
    for (uint32_t i = 0; i < s->rank; i++) {
        const Axis *a = &s->axes[i];
        ids |= a->kind == AXIS_IDS;
        if (a->kind == AXIS_SLICE && a->step != 1 && stepped == MAX_RANK) stepped = i;
        if (!is_simple(a)) {
            some.axes[i] = (Axis){.kind = AXIS_FULL, .step = 1};
            continue;
        }
        rest.axes[i] = taken(e, a);
        moves |= a->kind == AXIS_SLICE || a->index || a->start != dim_const(e->ir, 0) ||
                 x->type->dims[i] != dim_const(e->ir, 1);
        axes[simple] = i;
        starts[simple++] = a->index ? a->index : build_size(&b, a->start);
    }
    if (simple && moves) {
        part = write_part(e, select_part(e, &b, x, &some), &rest, part, span);
        return part ? build_update_slice(&b, x, part, simple, axes, starts) : NULL;
    }
    if (stepped < MAX_RANK) {
        Selection one = {.rank = s->rank};
        for (uint32_t i = 0; i < s->rank; i++) one.axes[i] = (Axis){.kind = AXIS_FULL, .step = 1};
        one.axes[stepped] = s->axes[stepped];
        rest.axes[stepped] = (Axis){.kind = AXIS_FULL, .step = 1};
        part = write_part(e, select_part(e, &b, x, &one), &rest, part, span);
        return part ? write_stepped(e, x, stepped, &s->axes[stepped], part, span) : NULL;
    }
    return ids ? write_ids(e, x, *s, part, span) : build_reshape(&b, part, s->rank, x->type->dims);
}

static const Val *refuse_part(Elab *e, const Type *slot, Span span, const Val *part, Span part_span) {
    Diagnostic *d = diag_report(e->diags, D_TYPE_MISMATCH, part_span, "what is assigned",
                                type_text_nn(e, slot), val_type_text(e, part));
    diag_here(d, "this is %s", val_type_text(e, part));
    diag_label(d, span, "this is %s", type_text_nn(e, slot));
    return e->poison;
}

const Val *select_write(Elab *e, const Val *v, const Selection *s, const Val *part, Span span,
                        Span part_span) {
    if (!s || val_poisoned(v) || val_poisoned(part)) return e->poison;
    const Val *old = select_read(e, v, s, span);
    if (val_poisoned(old)) return old;
    const Type *slot = old->tensor.type;
    if (part->kind == VAL_NUMBER) part = op_literal_as(e, part, slot->dtype, part_span);
    if (val_poisoned(part)) return part;
    /* The part broadcasts to the slice, never the slice to the part. */
    if (part->kind != VAL_TENSOR || part->tensor.type->rank > slot->rank)
        return refuse_part(e, slot, span, part, part_span);
    const Val *pair[2] = {val_known(e, slot, 0), part};
    Span spans[2] = {span, part_span};
    Value *united[2];
    if (!op_unite(e, 2, pair, spans, part_span, "an assignment", united)) return e->poison;
    if (united[1]->type != slot) return refuse_part(e, slot, span, part, part_span);
    Value *written = write_part(e, val_value(e, v, span), s, united[1], span);
    return written ? val_of(e, written) : e->poison;
}
