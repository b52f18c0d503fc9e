/* Every operation with a derivative has a case here, by table: a row without one fails. */
#include "passes/derive.h"
#include "tests/unit/gradcheck.h"
#include <criterion/criterion.h>

/* Builds variant number `variant` of a case; NULL where there are no more. */
typedef Value *BuildCase(Case *c, uint32_t variant);

/* --- elementwise operations: the same shapes for all */
typedef struct {
    uint32_t rank;
    int64_t sizes[4];
} Shape;

static const Shape shapes[] = {{0, {0}}, {1, {1}},       {1, {5}},      {2, {3, 7}},
                               {1, {0}}, {3, {2, 0, 3}}, {3, {2, 3, 2}}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static Value *unary(Case *c, uint32_t variant, Op op, double low, double high) {
    if (variant == SHAPES) return NULL;
    return build_unary(&c->b, op, float_input(c, low, high, shapes[variant].rank, shapes[variant].sizes));
}

static Value *binary(Case *c, uint32_t variant, Op op, double low, double high) {
    if (variant == SHAPES) return NULL;
    const Shape *s = &shapes[variant];
    Value *x = float_input(c, low, high, s->rank, s->sizes);
    return build_binary(&c->b, op, x, float_input(c, low, high, s->rank, s->sizes));
}

#define UNARY(name, low, high) \
    static Value *case_##name(Case *c, uint32_t variant) { return unary(c, variant, OP_##name, low, high); }
#define BINARY(name, low, high) \
    static Value *case_##name(Case *c, uint32_t variant) { return binary(c, variant, OP_##name, low, high); }
UNARY(neg, -2, 2)
UNARY(sign, 0.1, 2)
UNARY(exp, -2, 2)
UNARY(log, 0.5, 3)
UNARY(sqrt, 0.5, 3)
UNARY(sin, -4, 4)
UNARY(cos, -4, 4)
UNARY(tanh, -2, 2)
UNARY(sigmoid, -3, 3)
UNARY(erf, -2, 2)
UNARY(floor, -3, 3)
UNARY(ceil, -3, 3)
UNARY(round, -3, 3)
UNARY(copy, -2, 2)
BINARY(add, -2, 2)
BINARY(sub, -2, 2)
BINARY(mul, -2, 2)
BINARY(div, 0.5, 2)
BINARY(floordiv, 0.5, 5)
BINARY(mod, 0.5, 5)
BINARY(pow, 0.5, 3)
BINARY(min, -2, 2)
BINARY(max, -2, 2)

static Value *case_abs(Case *c, uint32_t variant) {
    double low = variant & 1 ? -2 : 0.1;
    return unary(c, variant, OP_abs, low, low + 1.5);
}

static Value *case_cast(Case *c, uint32_t variant) {
    if (variant == SHAPES) return NULL;
    Value *x = float_input(c, -2, 2, shapes[variant].rank, shapes[variant].sizes);
    Value *narrow = build_cast(&c->b, build_unary(&c->b, OP_sin, x), DTYPE_f32);
    return build_cast(&c->b, build_binary(&c->b, OP_mul, narrow, narrow), DTYPE_f64);
}

static Value *case_select(Case *c, uint32_t variant) {
    if (variant == SHAPES) return NULL;
    const Shape *s = &shapes[variant];
    Value *condition = bool_input(c, s->rank, s->sizes);
    Value *x = float_input(c, -2, 2, s->rank, s->sizes);
    return build_select(&c->b, condition, x, float_input(c, -2, 2, s->rank, s->sizes));
}

static Value *case_masked(Case *c, uint32_t variant) {
    if (variant == SHAPES) return NULL;
    const Shape *s = &shapes[variant];
    Value *mask = bool_input(c, s->rank, s->sizes), *x = float_input(c, -2, 2, s->rank, s->sizes);
    return build_masked(&c->b, build_select(&c->b, mask, x, build_const(&c->b, x->type, 0)), mask);
}

/* --- views */
static IrContext *context(Case *c) { return c->b.graph->ir; }
static const Dim *constant(Case *c, int64_t value) { return dim_const(context(c), value); }

static Value *case_reshape(Case *c, uint32_t variant) {
    static const Shape from[] = {{2, {3, 4}}, {3, {2, 1, 5}}, {0, {0}}, {2, {0, 3}}};
    if (variant == 4) return NULL;
    Value *x = float_input(c, -2, 2, from[variant].rank, from[variant].sizes);
    const Dim *dims[] = {constant(c, 1), type_elements(context(c), x->type)};
    return build_reshape(&c->b, x, 2, dims);
}

static Value *case_permute(Case *c, uint32_t variant) {
    static const int64_t perms[][3] = {{2, 0, 1}, {1, 2, 0}, {0, 2, 1}, {0, 1, 2}};
    if (variant == 4) return NULL;
    return build_permute(&c->b, float_input(c, -2, 2, 3, (int64_t[]){2, 3, variant == 3 ? 0 : 5}),
                         perms[variant]);
}

/* start, size and step on the second axis, of 7 */
static Value *case_slice(Case *c, uint32_t variant) {
    static const int64_t ranges[][3] = {{0, 7, 1},  {2, 3, 1}, {0, 4, 2}, {1, 3, 2},  {6, 7, -1}, {6, 3, -3},
                                        {5, 2, -2}, {0, 0, 1}, {0, 0, 3}, {6, 0, -1}, {3, 1, 1}};
    if (variant == 11) return NULL;
    const int64_t *range = ranges[variant];
    Value *x = float_input(c, -2, 2, 2, (int64_t[]){3, 7});
    const Dim *size = range[1] == 1 ? constant(c, 1) : case_dim(c, range[1]);
    if (c->symbolic && range[1] != 7) float_input(c, -2, 2, 1, &range[1]); /* says what the size is */
    const Dim *start[] = {constant(c, 0), constant(c, range[0])}, *dims[] = {x->type->dims[0], size};
    return build_slice(&c->b, x, start, dims, (int64_t[]){1, range[2]});
}

static Value *case_broadcast(Case *c, uint32_t variant) {
    if (variant == 4) return NULL;
    const Dim *dims[] = {case_dim(c, 2), case_dim(c, 3), case_dim(c, 5)};
    if (c->symbolic) float_input(c, -2, 2, 3, (int64_t[]){2, 3, 5});
    if (variant == 0) return build_broadcast(&c->b, float_input(c, -2, 2, 0, NULL), 3, dims, NULL);
    if (variant == 1)
        return build_broadcast(&c->b, float_input(c, -2, 2, 1, (int64_t[]){3}), 3, dims, (int64_t[]){1});
    if (variant == 2)
        return build_broadcast(&c->b, float_input(c, -2, 2, 2, (int64_t[]){2, 5}), 3, dims,
                               (int64_t[]){0, 2});
    return build_broadcast(&c->b, float_input(c, -2, 2, 3, (int64_t[]){2, 3, 5}), 3, dims,
                           (int64_t[]){0, 1, 2});
}

static Value *case_pad(Case *c, uint32_t variant) {
    static const int64_t pads[][3] = {{0, 0, 0}, {2, 1, 0}, {0, 3, 2}, {1, 0, 1}};
    if (variant == 5) return NULL;
    const int64_t *pad = pads[variant % 4];
    Value *x = float_input(c, -2, 2, 2, (int64_t[]){variant == 4 ? 0 : 2, 3});
    Value *fill = float_input(c, -2, 2, 0, NULL);
    const Dim *low[] = {constant(c, pad[0]), constant(c, 1)}, *high[] = {constant(c, pad[1]), constant(c, 0)};
    return build_pad(&c->b, x, fill, low, high, (int64_t[]){pad[2], 1});
}

/* Size, stride and dilation of windows on an axis of 7. */
static const int64_t windows[][3] = {{3, 1, 1}, {3, 2, 1}, {2, 2, 1}, {2, 3, 1}, {3, 1, 2},
                                     {3, 2, 3}, {3, 3, 2}, {1, 4, 1}, {7, 1, 1}, {0, 2, 1}};
enum { WINDOWS = sizeof windows / sizeof *windows };

static Value *windows_of(Case *c, Value *x, int64_t axis, uint32_t variant) {
    const int64_t *w = windows[variant];
    return build_window(&c->b, x, axis, constant(c, w[0]), constant(c, w[1]), constant(c, w[2]));
}

static Value *case_window(Case *c, uint32_t variant) {
    if (variant == 2 * WINDOWS) return NULL;
    uint32_t axis = variant % 2;
    Value *x = float_input(c, -2, 2, 2, axis ? (int64_t[]){2, 7} : (int64_t[]){7, 3});
    Value *w = windows_of(c, x, axis, variant / 2);
    return build_binary(&c->b, OP_mul, w, w);
}

static Value *case_window_add(Case *c, uint32_t variant) {
    if (variant == 2 * WINDOWS) return NULL;
    uint32_t axis = variant % 2;
    const int64_t *w = windows[variant / 2];
    Value *x = float_input(c, -2, 2, 2, axis ? (int64_t[]){2, 7} : (int64_t[]){7, 3});
    Value *part = windows_of(c, x, axis, variant / 2);
    Value *scale = float_input(c, -2, 2, 0, NULL);
    part = build_binary(&c->b, OP_mul, part, build_like(&c->b, scale, part->type));
    Value *sum =
        build_window_add(&c->b, part, axis, x->type->dims[axis], constant(c, w[1]), constant(c, w[2]));
    return build_binary(&c->b, OP_mul, sum, sum);
}

static Value *case_concat(Case *c, uint32_t variant) {
    if (variant == 3) return NULL;
    Value *parts[] = {float_input(c, -2, 2, 2, (int64_t[]){3, 2}),
                      float_input(c, -2, 2, 2, (int64_t[]){3, 0}),
                      float_input(c, -2, 2, 2, (int64_t[]){3, 5})};
    if (variant == 1) return build_concat(&c->b, 1, parts, 1);
    if (variant == 2) parts[1] = parts[2]; /* the same part twice */
    return build_concat(&c->b, 3, parts, 1);
}

static Value *case_dynamic_slice(Case *c, uint32_t variant) {
    if (variant == 3) return NULL;
    Value *x = float_input(c, -2, 2, 2, (int64_t[]){4, 5});
    Value *starts[] = {int_input(c, 3, 0, NULL), int_input(c, 2, 0, NULL)};
    const Dim *dims[] = {constant(c, variant == 2 ? 0 : 2), constant(c, 3)};
    if (variant != 0) return build_dynamic_slice(&c->b, x, 2, (int64_t[]){0, 1}, starts, dims);
    dims[0] = x->type->dims[0];
    return build_dynamic_slice(&c->b, x, 1, (int64_t[]){1}, starts + 1, dims);
}

static Value *case_update_slice(Case *c, uint32_t variant) {
    if (variant == 2) return NULL;
    Value *x = float_input(c, -2, 2, 2, (int64_t[]){4, 5});
    Value *part = float_input(c, -2, 2, 2, (int64_t[]){2, variant ? 5 : 3});
    Value *starts[] = {int_input(c, 3, 0, NULL), int_input(c, 3, 0, NULL)};
    return build_update_slice(&c->b, x, part, variant ? 1 : 2, (int64_t[]){0, 1}, starts);
}

/* --- gather and scatter; ids repeat */
static const Shape id_shapes[] = {{0, {0}}, {1, {6}}, {2, {2, 3}}, {1, {0}}};

static Value *case_gather(Case *c, uint32_t variant) {
    if (variant == 8) return NULL;
    const Shape *s = &id_shapes[variant % 4];
    Value *x = float_input(c, -2, 2, 2, (int64_t[]){4, 4});
    return build_gather(&c->b, x, int_input(c, 4, s->rank, s->sizes), variant / 4);
}

static Value *case_scatter_add(Case *c, uint32_t variant) {
    if (variant == 4) return NULL;
    const Shape *s = &id_shapes[variant];
    int64_t sizes[MAX_RANK] = {3};
    for (uint32_t d = 0; d < s->rank; d++) sizes[d + 1] = s->sizes[d];
    Value *x = float_input(c, -2, 2, 2, (int64_t[]){3, 4}), *ids = int_input(c, 4, s->rank, s->sizes);
    return build_scatter_add(&c->b, x, ids, float_input(c, -2, 2, s->rank + 1, sizes), 1);
}

static Value *case_scatter(Case *c, uint32_t variant) {
    if (variant == 4) return NULL;
    const Shape *s = &id_shapes[variant];
    int64_t sizes[MAX_RANK] = {3};
    for (uint32_t d = 0; d < s->rank; d++) sizes[d + 1] = s->sizes[d];
    Value *x = float_input(c, -2, 2, 2, (int64_t[]){3, 4}), *ids = int_input(c, 4, s->rank, s->sizes);
    return build_scatter(&c->b, x, ids, float_input(c, -2, 2, s->rank + 1, sizes), 1);
}

/* --- reductions */
static const int64_t reduced[][3] = {{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}};
static const uint32_t reduced_count[] = {1, 1, 1, 2, 2, 2, 3};

static Value *reduction(Case *c, uint32_t variant, Op op) {
    if (variant == 8) return NULL;
    if (variant == 7) /* over nothing */
        return build_reduce(&c->b, op, float_input(c, -2, 2, 2, (int64_t[]){3, 0}), 1, (int64_t[]){1});
    Value *x = float_input(c, -2, 2, 3, (int64_t[]){2, 3, 4});
    return build_reduce(&c->b, op, x, reduced_count[variant], reduced[variant]);
}

/* Along each axis, over nothing, of one element, and with zeros. */
static Value *scan(Case *c, uint32_t variant, Op op, bool pair) {
    static const int64_t sizes[][3] = {{2, 3, 4}, {2, 3, 4}, {2, 3, 4}, {2, 0, 3}, {3, 1, 2}, {2, 5, 1}};
    if (variant == 6) return NULL;
    Value *x = float_input(c, -2, 2, 3, sizes[variant]);
    if (variant == 5) c->arguments.at[0].f[1] = c->arguments.at[0].f[8] = c->arguments.at[0].f[9] = 0;
    int64_t axis = variant < 3 ? variant : 1;
    if (pair) return build_recurrence(&c->b, x, float_input(c, -2, 2, 3, sizes[variant]), axis);
    return build_scan(&c->b, op, x, axis, variant & 1);
}

static Value *case_cumulative_sum(Case *c, uint32_t variant) {
    return scan(c, variant, OP_cumulative_sum, false);
}
static Value *case_cumulative_prod(Case *c, uint32_t variant) {
    return scan(c, variant, OP_cumulative_prod, false);
}
static Value *case_cumulative_max(Case *c, uint32_t variant) {
    return variant == 5 ? NULL : scan(c, variant, OP_cumulative_max, false); /* ties are kinks */
}
static Value *case_cumulative_min(Case *c, uint32_t variant) {
    return variant == 5 ? NULL : scan(c, variant, OP_cumulative_min, false);
}
static Value *case_linear_recurrence(Case *c, uint32_t variant) {
    return scan(c, variant, OP_linear_recurrence, true);
}

static Value *case_reduce_sum(Case *c, uint32_t variant) { return reduction(c, variant, OP_reduce_sum); }

static Value *case_reduce_prod(Case *c, uint32_t variant) {
    if (variant < 8) return reduction(c, variant, OP_reduce_prod);
    if (variant > 9) return NULL;
    Value *x = float_input(c, -2, 2, 3, (int64_t[]){2, 4, 1}); /* with one and two zeros in a row */
    Tensor *t = &c->arguments.at[0];
    t->f[1] = 0;
    t->f[5] = t->f[6] = 0;
    return build_reduce(&c->b, OP_reduce_prod, x, 2, variant == 8 ? (int64_t[]){1, 2} : (int64_t[]){0, 1});
}

/* Without the case over nothing: infinity has no differences. */
static Value *case_reduce_max(Case *c, uint32_t variant) {
    return variant == 7 ? NULL : reduction(c, variant, OP_reduce_max);
}

static Value *case_reduce_min(Case *c, uint32_t variant) {
    return variant == 7 ? NULL : reduction(c, variant, OP_reduce_min);
}

/* --- contractions. Letters' sizes: b 2, m 3, k 4, n 5, z 0, o 1. */
static int64_t letter_size(char letter) {
    return letter == 'b' ? 2 : letter == 'm' ? 3 : letter == 'k' ? 4 : letter == 'n' ? 5 : letter == 'o';
}

static Value *labelled_input(Case *c, const char **spec) {
    int64_t sizes[MAX_RANK];
    uint32_t rank = 0;
    for (; **spec >= 'a'; (*spec)++) sizes[rank++] = letter_size(**spec);
    (*spec)++;
    return float_input(c, -2, 2, rank, sizes);
}

static Value *case_contract(Case *c, uint32_t variant) {
    static const char *const specs[] = {
        "mk,kn->mn", "bmk,bkn->bmn", "k,k->",       "m,n->mn",   ",->",       "km,nk->nm", "bm,bm->bm",
        "mk,k->m",   "b,->b",        "kbm,nkb->mn", "mz,zn->mn", "zk,kn->zn", "om,on->nm", "bmk,nkb->nbm"};
    if (variant == sizeof specs / sizeof *specs) return NULL;
    const char *spec = specs[variant];
    Value *x = labelled_input(c, &spec);
    return build_contract(&c->b, x, labelled_input(c, &spec), specs[variant]);
}

/* --- the table */
static BuildCase *const cases[OP_COUNT] = {
    [OP_neg] = case_neg,
    [OP_abs] = case_abs,
    [OP_sign] = case_sign,
    [OP_exp] = case_exp,
    [OP_log] = case_log,
    [OP_sqrt] = case_sqrt,
    [OP_sin] = case_sin,
    [OP_cos] = case_cos,
    [OP_tanh] = case_tanh,
    [OP_sigmoid] = case_sigmoid,
    [OP_erf] = case_erf,
    [OP_floor] = case_floor,
    [OP_ceil] = case_ceil,
    [OP_round] = case_round,
    [OP_cast] = case_cast,
    [OP_copy] = case_copy,
    [OP_add] = case_add,
    [OP_sub] = case_sub,
    [OP_mul] = case_mul,
    [OP_div] = case_div,
    [OP_floordiv] = case_floordiv,
    [OP_mod] = case_mod,
    [OP_pow] = case_pow,
    [OP_min] = case_min,
    [OP_max] = case_max,
    [OP_select] = case_select,
    [OP_masked] = case_masked,
    [OP_reshape] = case_reshape,
    [OP_permute] = case_permute,
    [OP_slice] = case_slice,
    [OP_broadcast] = case_broadcast,
    [OP_pad] = case_pad,
    [OP_window] = case_window,
    [OP_window_add] = case_window_add,
    [OP_concat] = case_concat,
    [OP_gather] = case_gather,
    [OP_dynamic_slice] = case_dynamic_slice,
    [OP_contract] = case_contract,
    [OP_update_slice] = case_update_slice,
    [OP_reduce_sum] = case_reduce_sum,
    [OP_reduce_prod] = case_reduce_prod,
    [OP_reduce_max] = case_reduce_max,
    [OP_reduce_min] = case_reduce_min,
    [OP_scatter_add] = case_scatter_add,
    [OP_scatter] = case_scatter,
    [OP_cumulative_sum] = case_cumulative_sum,
    [OP_cumulative_prod] = case_cumulative_prod,
    [OP_cumulative_max] = case_cumulative_max,
    [OP_cumulative_min] = case_cumulative_min,
    [OP_linear_recurrence] = case_linear_recurrence,
};

static void check_op(Op op, bool symbolic) {
    for (uint32_t variant = 0;; variant++) {
        Arena *arena = arena_new();
        const char *what =
            arena_printf(arena, "%s, case %u%s", op_name(op), variant, symbolic ? ", run-time sizes" : "");
        Case c = case_new(what, symbolic, arena);
        Value *out = cases[op](&c, variant);
        if (out) case_check(&c, out);
        arena_free(arena);
        if (!out) return;
    }
}

Test(derive, every_rule_has_a_case) {
    for (int op = 0; op < OP_COUNT; op++)
        cr_assert(!derive_rule((Op)op) == !cases[op], "%s: %s", op_name((Op)op),
                  cases[op] ? "a case but no derivative" : "a derivative but no case");
}

Test(derive, agrees_with_differences) {
    for (int op = 0; op < OP_COUNT; op++)
        if (cases[op]) check_op((Op)op, false);
}

Test(derive, agrees_with_differences_for_run_time_sizes) {
    for (int op = 0; op < OP_COUNT; op++)
        if (cases[op]) check_op((Op)op, true);
}
