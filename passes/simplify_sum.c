/* Windows of a product, added up: gradients of convolutions by their input, and transposed convolutions.
 * Along an axis an element of the sum gathers the products of the windows that it lies in. Those are every
 * `stride`th of the window's elements, and which ones depends on the element's number modulo the stride
 * alone: on its phase. So each phase is a product over windows, at steps of 1, of one factor with zeros
 * around and of some elements of the other, backwards; and the phases take turns in the sum. Windows that
 * don't overlap are only put side by side. No windows are stored, but where few of them are much of the
 * whole: there most of the phases' multiplications would be by the zeros around. */
#include "ir/shape.h"
#include "passes/simplify.h"
#include <string.h>

enum {
    MAX_PHASES = 16,      /* products that one becomes, over all axes */
    MAX_EXTENT = 1 << 20, /* of steps and of a window: no product of them overflows */
    CHANNELS = 16,        /* with fewer, lanes lie along the sum's rows */
    STORE_COST = 64       /* multiply-adds in whose time an element of a window is stored and added up */
};

/* One axis that windows are added up in. Element `start` + i of the whole is wanted, for i < count; it may
 * lie before or behind the whole, where there are zeros. */
typedef struct {
    char window, element; /* the product's labels: the first is the factor's with the windows' places */
    uint32_t factor;      /* which */
    int64_t stride, dilation, size;
    uint32_t place; /* among the sum's axes */
    const Dim *windows, *whole, *count;
    int64_t start;
    int64_t step;           /* in window elements, from one to the next of a phase */
    int64_t apart;          /* in windows, of their places */
    bool disjoint;          /* windows don't overlap, and their elements are neighbours */
    const Dim *each;        /* elements of a phase */
    int64_t before, behind; /* zeros around the factor, or around windows side by side */
} Axis;

typedef struct {
    Simplify *s;
    Builder *b;
    const Node *product;
    ContractSpec spec; /* the result's labels in the order in which it is read */
    uint32_t count;
    Axis axis[MAX_RANK];
    Value *factor[2];         /* with zeros around */
    const Type *type;         /* of the sum */
    int64_t chosen[MAX_RANK]; /* a phase an axis */
} Sum;

static const Dim *number(const Sum *sum, int64_t value) { return dim_const(sum->b->graph->ir, value); }

/* --- what is summed */
/* Where a slice or padding of the sum begins in it, by axis, is added to `start`; false where it does more
 * than leave out elements and put zeros at the ends. */
static bool keeps_order(const Node *node, int64_t *start) {
    bool slice = node->op == OP_slice;
    if (!slice && !is_splat(in(node, 1), 0)) return false;
    const Attr *from = node_attr(node, slice ? ATTR_start : ATTR_low);
    const Attr *step = node_attr(node, slice ? ATTR_step : ATTR_interior);
    for (uint32_t i = 0; i < type_of(node)->rank; i++) {
        int64_t first;
        if (!dim_is_const(from->dims[i], &first) || first > MAX_EXTENT || step->ints[i] != (slice ? 1 : 0))
            return false;
        start[i] += slice ? first : -first;
    }
    return true;
}

/* The product that is read in some order of its axes, here alone; its labels in that order. */
static bool find_product(Sum *sum, const Value *part) {
    const Node *product = part->node, *order = NULL;
    if (!read_once(sum->s, part)) return false;
    if (product && product->op == OP_permute) {
        order = product;
        product = in(order, 0)->node;
        if (!read_once(sum->s, in(order, 0))) return false;
    }
    if (!product || product->op != OP_contract) return false;
    contract_spec_parse(node_str(product, ATTR_spec), &sum->spec);
    ContractSpec own = sum->spec;
    for (uint32_t i = 0; order && i < type_of(order)->rank; i++)
        sum->spec.result[i] = own.result[node_attr(order, ATTR_perm)->ints[i]];
    sum->product = product;
    return true;
}

static uint32_t place_of(const char *labels, char letter) {
    return (uint32_t)(strchr(labels, letter) - labels);
}

static void remove_letter(char *labels, char letter) {
    char *at = strchr(labels, letter);
    if (at) memmove(at, at + 1, strlen(at));
}

static void insert_after(char *labels, char before, char letter) {
    char *at = strchr(labels, before) + 1;
    memmove(at + 1, at, strlen(at) + 1);
    *at = letter;
}

static int64_t common_divisor(int64_t a, int64_t b) { return b ? common_divisor(b, a % b) : a; }

/* The axis that a window_add makes; `labels` are those of what it adds up. False where it isn't one factor's
 * windows and the other's elements. */
static bool take_axis(Sum *sum, const Node *node, char *labels) {
    Axis *axis = &sum->axis[sum->count];
    uint32_t at = (uint32_t)node_int(node, ATTR_axis);
    *axis = (Axis){.window = labels[at],
                   .element = labels[at + 1],
                   .windows = in(node, 0)->type->dims[at],
                   .whole = type_of(node)->dims[at]};
    for (uint32_t i = 0; i < sum->count; i++)
        if (axis->window == sum->axis[i].window || axis->element == sum->axis[i].window) return false;
    axis->factor = strchr(sum->spec.x, axis->window) == NULL;
    const char *own = axis->factor ? sum->spec.y : sum->spec.x,
               *other = axis->factor ? sum->spec.x : sum->spec.y;
    if (strchr(other, axis->window) || strchr(own, axis->element)) return false;
    if (!dim_is_const(in(node, 0)->type->dims[at + 1], &axis->size) || axis->size < 1 ||
        axis->size > MAX_EXTENT || !dim_is_const(node_dim(node, ATTR_stride), &axis->stride) ||
        axis->stride > MAX_EXTENT || !dim_is_const(node_dim(node, ATTR_dilation), &axis->dilation) ||
        axis->dilation > MAX_EXTENT)
        return false;
    int64_t divisor = common_divisor(axis->stride, axis->dilation);
    axis->step = axis->stride / divisor, axis->apart = axis->dilation / divisor;
    axis->disjoint = axis->size == 1 || (axis->dilation == 1 && axis->size <= axis->stride);
    remove_letter(labels, axis->element);
    sum->count++;
    return true;
}

/* --- phases */
typedef struct {
    int64_t first, count; /* window elements: first, first + step … */
    int64_t shift;        /* element number q of the phase lies in window q + shift, as `first` */
} Phase;

static Phase phase_of(const Axis *axis, int64_t phase) {
    Phase p = {0};
    for (int64_t k = 0; k < axis->size; k++) {
        int64_t place = axis->start + phase - k * axis->dilation;
        if (place % axis->stride) continue;
        if (!p.count++) p.first = k, p.shift = place / axis->stride;
    }
    return p;
}

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* How far `end` is behind `from`: exactly, or at most. Only the run may tell how many windows of an axis
 * there are. */
static bool distance(const Sum *sum, const Dim *end, const Dim *from, int64_t most, int64_t *out) {
    const Dim *exact = dim_sub(sum->b->graph->ir, end, from);
    if (!exact) return false;
    if (!dim_is_const(exact, out)) *out = most;
    return true;
}

/* The zeros that an axis needs, and its phases' extent; false where these aren't known. */
static bool measure(const Sum *sum, Axis *axis) {
    IrContext *ir = sum->b->graph->ir;
    int64_t over, excess, inside = (axis->size - 1) * axis->dilation;
    const Dim *rest = dim_sub(ir, axis->count, axis->whole);
    /* The whole has s - 1 elements more than its windows at most. */
    if (!rest || !dim_is_const(rest, &over) || over > MAX_EXTENT || over < -MAX_EXTENT) return false;
    over += axis->start;
    if (axis->disjoint) {
        const Dim *beside = dim_mul(ir, axis->windows, number(sum, axis->stride));
        const Dim *end = dim_add(ir, axis->count, number(sum, axis->start));
        axis->each = axis->count;
        axis->before = larger(0, -axis->start);
        if (!beside || !end || !distance(sum, end, beside, inside + over, &excess)) return false;
        axis->behind = larger(0, excess);
        return true;
    }
    const Dim *last = dim_floordiv(ir, dim_sub(ir, axis->count, number(sum, 1)), number(sum, axis->stride));
    axis->each = dim_add(ir, last, number(sum, 1));
    int64_t most = floor_divide(inside + axis->stride - 1 - axis->start + over, axis->stride);
    if (!axis->each || !distance(sum, axis->each, axis->windows, most, &excess)) return false;
    for (int64_t i = 0; i < axis->stride; i++) {
        Phase phase = phase_of(axis, i);
        if (!phase.count) continue;
        axis->before = larger(axis->before, (phase.count - 1) * axis->apart - phase.shift);
        axis->behind = larger(axis->behind, phase.shift + excess);
    }
    return true;
}

/* Goes through what slices and pads a sum, here alone, down to the outermost addition of windows; NULL where
 * there is none. What is sliced first and padded then isn't there for padding. */
static const Node *find_addition(const Sum *sum, const Node *node, int64_t *start) {
    bool padded = false;
    while (node->op == OP_pad || (node->op == OP_slice && !padded)) {
        padded = node->op == OP_pad;
        if (!keeps_order(node, start) || !read_once(sum->s, in(node, 0)) || !in(node, 0)->node) return NULL;
        node = in(node, 0)->node;
    }
    return node->op == OP_window_add ? node : NULL;
}

/* The axes, innermost additions first. */
static bool find_axes(Sum *sum, const Node *outermost, char *labels) {
    const Node *add[MAX_RANK];
    uint32_t depth = 0;
    for (const Node *node = outermost; node && node->op == OP_window_add; node = in(node, 0)->node) {
        if (depth == MAX_RANK || (depth && !read_once(sum->s, node->results[0]))) return false;
        add[depth++] = node;
    }
    if (!find_product(sum, in(add[depth - 1], 0))) return false;
    strcpy(labels, sum->spec.result);
    while (depth-- > 0)
        if (!take_axis(sum, add[depth], labels)) return false;
    return true;
}

/* Do intermediate values have few enough axes, and are there few enough products? */
static bool is_feasible(const Sum *sum) {
    size_t rank[] = {strlen(sum->spec.x), strlen(sum->spec.y)};
    int64_t phases = 1;
    for (uint32_t i = 0; i < sum->count; i++) {
        const Axis *axis = &sum->axis[i];
        if (axis->disjoint) continue;
        rank[axis->factor]++;
        if (axis->stride > MAX_PHASES || (phases *= axis->stride) > MAX_PHASES) return false;
    }
    return rank[0] <= MAX_RANK && rank[1] <= MAX_RANK && sum->type->rank < MAX_RANK;
}

/* The product of the sizes of a factor's axes that the other labels don't have; those that only the run tells
 * count as 1. */
static double size_beyond(const Sum *sum, uint32_t factor, const char *labels) {
    const char *own = factor ? sum->spec.y : sum->spec.x;
    double all = 1;
    for (uint32_t i = 0; own[i]; i++) {
        int64_t size;
        if (!strchr(labels, own[i]) && dim_is_const(sum->product->operands[factor]->type->dims[i], &size))
            all *= (double)size;
    }
    return all;
}

/* Would the phases multiply mostly by zeros? The windows' own product has windows times their elements, each
 * phase as many of its elements times those that it takes of a window. Where channels are the lanes, the
 * product leaves out the zeros around. */
static bool is_wasteful(const Sum *sum) {
    double more = 1, elements = 1;
    for (uint32_t i = 0; i < sum->count; i++) {
        const Axis *axis = &sum->axis[i];
        int64_t windows, each;
        elements *= (double)axis->size;
        if (axis->disjoint) continue;
        if (!dim_is_const(axis->windows, &windows) || !dim_is_const(axis->each, &each)) return false;
        more *= (double)each / (double)larger(windows, 1);
    }
    uint32_t other = !sum->axis[0].factor;
    double channels = size_beyond(sum, other, other ? sum->spec.x : sum->spec.y) / elements;
    double summed = size_beyond(sum, 0, sum->spec.result);
    return more >= 2 && channels < CHANNELS && (more - 1) * summed >= STORE_COST;
}

/* Everything about the sum that `node` is, or of which it is a part. */
static bool find_sum(Sum *sum, const Node *node) {
    int64_t start[MAX_RANK] = {0};
    char labels[MAX_RANK + 1];
    uint32_t own = 0;
    if (node->op != OP_window_add && node->op != OP_slice && node->op != OP_pad) return false;
    sum->type = type_of(node);
    const Node *outermost = find_addition(sum, node, start);
    if (!outermost || !find_axes(sum, outermost, labels) || !is_feasible(sum)) return false;
    for (uint32_t i = 0; i < sum->count; i++) {
        Axis *axis = &sum->axis[i];
        uint32_t at = axis->place = place_of(labels, axis->window);
        own |= 1u << at;
        axis->start = start[at], axis->count = sum->type->dims[at];
        if (!measure(sum, axis)) return false;
    }
    for (uint32_t i = 0; i < sum->type->rank; i++)
        if (!(own >> i & 1) && (start[i] || sum->type->dims[i] != type_of(outermost)->dims[i])) return false;
    return true;
}

/* --- what it becomes */
static Value *zeros_around(const Sum *sum, Value *x, const int64_t *before, const int64_t *behind) {
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK] = {0};
    for (uint32_t i = 0; i < x->type->rank; i++) {
        low[i] = number(sum, before[i]);
        high[i] = number(sum, behind[i]);
    }
    return build_pad(sum->b, x, build_const(sum->b, type_scalar(sum->b->graph->ir, x->type->dtype), 0), low,
                     high, interior);
}

static Value *padded_factor(const Sum *sum, uint32_t factor) {
    int64_t before[MAX_RANK] = {0}, behind[MAX_RANK] = {0};
    const char *labels = factor ? sum->spec.y : sum->spec.x;
    for (uint32_t i = 0; i < sum->count; i++) {
        const Axis *axis = &sum->axis[i];
        if (axis->disjoint || axis->factor != factor) continue;
        before[place_of(labels, axis->window)] = axis->before;
        behind[place_of(labels, axis->window)] = axis->behind;
    }
    return zeros_around(sum, sum->product->operands[factor], before, behind);
}

/* `count` elements of an axis from `start` on. */
static Value *part_of(const Sum *sum, Value *x, uint32_t at, int64_t start, const Dim *count, int64_t by) {
    const Dim *from[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) {
        from[i] = number(sum, i == at ? start : 0);
        dims[i] = i == at ? count : x->type->dims[i];
        step[i] = i == at ? by : 1;
    }
    return build_slice(sum->b, x, from, dims, step);
}

/* The windows of the one factor that a phase's elements lie in, and its elements of the other. */
static void choose_phase(const Sum *sum, const Axis *axis, const Phase *phase, ContractSpec *spec,
                         Value **factor) {
    IrContext *ir = sum->b->graph->ir;
    char *labels[] = {spec->x, spec->y};
    uint32_t own = axis->factor, other = !own, at = place_of(labels[own], axis->window);
    int64_t span = (phase->count - 1) * axis->apart;
    const Dim *count = number(sum, phase->count);
    factor[own] = part_of(sum, factor[own], at, phase->shift - span + axis->before,
                          dim_add(ir, axis->each, number(sum, span)), 1);
    factor[own] = build_window(sum->b, factor[own], at, count, number(sum, 1), number(sum, axis->apart));
    factor[other] = part_of(sum, factor[other], place_of(labels[other], axis->element),
                            phase->first + (phase->count - 1) * axis->step, count, -axis->step);
    insert_after(labels[own], axis->window, axis->element);
    remove_letter(spec->result, axis->element);
}

/* Windows that don't overlap, side by side. */
static Value *put_beside(const Sum *sum, const Axis *axis, Value *x, char *labels) {
    IrContext *ir = sum->b->graph->ir;
    int64_t before[MAX_RANK] = {0}, behind[MAX_RANK] = {0};
    uint32_t at = place_of(labels, axis->window), rank = x->type->rank - 1;
    behind[at + 1] = axis->stride - axis->size;
    x = zeros_around(sum, x, before, behind);
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < rank; i++) dims[i] = x->type->dims[i <= at ? i : i + 1];
    dims[at] = dim_mul(ir, axis->windows, number(sum, axis->stride));
    x = build_reshape(sum->b, x, rank, dims);
    behind[at + 1] = 0;
    before[at] = axis->before, behind[at] = axis->behind;
    remove_letter(labels, axis->element);
    return part_of(sum, zeros_around(sum, x, before, behind), at, axis->start + axis->before, axis->count, 1);
}

/* The sum's shape, but with one phase's elements along the axes that have phases. */
static const Type *type_of_phase(const Sum *sum) {
    const Dim *dims[MAX_RANK];
    memcpy(dims, sum->type->dims, sizeof dims);
    for (uint32_t i = 0; i < sum->count; i++) dims[sum->axis[i].place] = sum->axis[i].each;
    return type_tensor(sum->b->graph->ir, sum->type->dtype, sum->type->rank, dims);
}

/* The elements of the chosen phases; zeros where no window reaches one. */
static Value *phase_product(const Sum *sum) {
    ContractSpec spec = sum->spec;
    Value *factor[] = {sum->factor[0], sum->factor[1]};
    for (uint32_t i = 0; i < sum->count; i++) {
        if (sum->axis[i].disjoint) continue;
        Phase phase = phase_of(&sum->axis[i], sum->chosen[i]);
        if (!phase.count) return build_const(sum->b, type_of_phase(sum), 0);
        choose_phase(sum, &sum->axis[i], &phase, &spec, factor);
    }
    Value *product = build_contract(sum->b, factor[0], factor[1],
                                    arena_printf(sum->s->scratch, "%s,%s->%s", spec.x, spec.y, spec.result));
    for (uint32_t i = 0; i < sum->count; i++)
        if (sum->axis[i].disjoint) product = put_beside(sum, &sum->axis[i], product, spec.result);
    return product;
}

/* Phases in turn: elements of a new axis, which then becomes one with that before it. */
static Value *take_turns(const Sum *sum, const Axis *axis, Value **phase) {
    IrContext *ir = sum->b->graph->ir;
    const Type *type = phase[0]->type;
    const Dim *one[MAX_RANK], *all[MAX_RANK];
    for (uint32_t i = 0; i <= type->rank; i++) {
        one[i] = i == axis->place + 1 ? number(sum, 1) : type->dims[i <= axis->place ? i : i - 1];
        all[i] = i == axis->place ? dim_mul(ir, axis->each, number(sum, axis->stride)) : type->dims[i];
    }
    for (int64_t i = 0; i < axis->stride; i++)
        phase[i] = build_reshape(sum->b, phase[i], type->rank + 1, one);
    Value *beside = build_concat(sum->b, (uint32_t)axis->stride, phase, axis->place + 1);
    beside = build_reshape(sum->b, beside, type->rank, all);
    return part_of(sum, beside, axis->place, 0, axis->count, 1);
}

/* The sum with the phases of the axes before `from` as chosen. */
static Value *all_phases(Sum *sum, uint32_t from) {
    while (from < sum->count && sum->axis[from].disjoint) from++;
    if (from == sum->count) return phase_product(sum);
    const Axis *axis = &sum->axis[from];
    Value *phase[MAX_PHASES];
    for (int64_t i = 0; i < axis->stride; i++) {
        sum->chosen[from] = i;
        phase[i] = all_phases(sum, from + 1);
    }
    return axis->stride == 1 ? phase[0] : take_turns(sum, axis, phase);
}

/* What alone reads the node's result, in the same block; NULL if there is no such node. */
static const Node *only_reader(const Simplify *s, const Node *node) {
    if (!read_once(s, node->results[0])) return NULL;
    for (const Node *other = node->next; other; other = other->next)
        for (uint32_t i = 0; i < other->operand_count; i++)
            if (value_resolve(other->operands[i]) == node->results[0]) return other;
    return NULL;
}

Value *simplify_sum(Simplify *s, Builder *b, Node *node) {
    Sum sum = {.s = s, .b = b}, larger_sum = sum;
    if (!find_sum(&sum, node)) return NULL;
    const Node *reader = only_reader(s, node);
    if (reader && find_sum(&larger_sum, reader)) return NULL; /* whose turn is next */
    if (is_wasteful(&sum)) return NULL;
    for (uint32_t factor = 0; factor < 2; factor++) sum.factor[factor] = padded_factor(&sum, factor);
    return all_phases(&sum, 0);
}
