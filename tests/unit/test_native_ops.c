/* Every row of ops.def, on every element type that it takes and on shapes of every kind: scalars, one
 * element, none, odd sizes, run-time sizes. Compiled at -O0 and -O3, against the interpreter. A new row fails
 * here until there is a case for it. */
#include "ir/build.h"
#include "ir/text.h"
#include "native.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Arena *arena;
    IrContext *ir;
    Graph *graph;
    Builder build;
    Node *load;
    Value *path;
    VEC(Value *) outputs;
    Op op;
    DType dtype;
    const Type *type; /* the shape being tried, of dtype */
} Table;

/* Adds what the operation does to inputs of this type, where it takes them. */
typedef void MakeCase(Table *t);

static const Dim *number(const Table *t, int64_t value) { return dim_const(t->ir, value); }

static Value *input(Table *t, const Type *type) { return node_add_result(t->load, type); }

static Value *count_below(Table *t, const Dim *limit) {
    Value *any = input(t, type_scalar(t->ir, DTYPE_i64));
    return build_binary(&t->build, OP_mod, any, build_size(&t->build, limit));
}

static void save(Table *t, Node *node) {
    for (uint32_t i = 0; node && i < node->result_count; i++)
        vec_push(t->arena, &t->outputs, node->results[i]);
}

static void try_with(Table *t, uint32_t operands, Value *const *operand, uint32_t attrs, const Attr *attr) {
    const char *why;
    save(t, build_try(&t->build, t->op, operands, operand, attrs, attr, &why));
}

/* --- values from nowhere */
static void make_const(Table *t) {
    vec_push(t->arena, &t->outputs, build_const(&t->build, t->type, t->dtype == DTYPE_bool ? 1 : -3));
}

static void make_iota(Table *t) {
    for (uint32_t axis = 0; axis < t->type->rank && t->dtype != DTYPE_bool; axis++)
        vec_push(t->arena, &t->outputs, build_iota(&t->build, t->type, axis));
}

static void make_size(Table *t) {
    for (uint32_t i = 0; i < t->type->rank; i++) {
        Attr dim = attr_dim(ATTR_dim, t->type->dims[i]);
        try_with(t, 0, NULL, 1, &dim);
    }
}

static void make_seed(Table *t) { try_with(t, 0, NULL, 0, NULL); }

static void make_random_bits(Table *t) {
    const Type *i64 = type_scalar(t->ir, DTYPE_i64);
    Attr dims = attr_dims(ATTR_dims, t->type->rank, t->type->dims);
    try_with(t, 2, (Value *[]){input(t, i64), input(t, i64)}, 1, &dims);
}

/* --- elementwise */
static void make_elementwise(Table *t) {
    Value *operands[3] = {input(t, t->type), input(t, t->type), input(t, t->type)};
    if (t->op == OP_select) operands[0] = input(t, type_with_dtype(t->ir, t->type, DTYPE_bool));
    try_with(t, (uint32_t)op_arity(t->op), operands, 0, NULL);
}

static void make_cast(Table *t) {
    Value *x = input(t, t->type);
    for (int to = 0; to < DTYPE_COUNT; to++) {
        Attr dtype = attr_dtype(ATTR_dtype, (DType)to);
        try_with(t, 1, &x, 1, &dtype);
    }
}

/* --- views */
static void make_masked(Table *t) {
    Value *mask = input(t, type_with_dtype(t->ir, t->type, DTYPE_bool));
    Value *zero = build_const(&t->build, t->type, 0);
    Value *operands[] = {build_select(&t->build, mask, input(t, t->type), zero), mask};
    try_with(t, 2, operands, 0, NULL);
}

static void make_reshape(Table *t) {
    const Dim *dims[MAX_RANK + 1] = {number(t, 1)}, *flat = type_elements(t->ir, t->type);
    for (uint32_t i = 0; i < t->type->rank; i++) dims[i + 1] = t->type->dims[i];
    Attr more = attr_dims(ATTR_dims, t->type->rank + 1, dims), one = attr_dims(ATTR_dims, 1, &flat);
    Value *x = input(t, t->type);
    try_with(t, 1, &x, 1, &more);
    try_with(t, 1, &x, 1, &one);
}

static void make_permute(Table *t) {
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0; i < t->type->rank; i++) perm[i] = t->type->rank - 1 - i;
    Attr attr = attr_ints(ATTR_perm, t->type->rank, perm);
    Value *x = input(t, t->type);
    try_with(t, 1, &x, 1, &attr);
}

/* Backwards, and without the first. */
static void make_slice(Table *t) {
    const Dim *last[MAX_RANK], *one[MAX_RANK], *less[MAX_RANK];
    int64_t back[MAX_RANK], on[MAX_RANK];
    for (uint32_t i = 0; i < t->type->rank; i++) {
        bool none = dim_is(t->type->dims[i], 0);
        one[i] = number(t, none ? 0 : 1);
        less[i] = dim_sub(t->ir, t->type->dims[i], one[i]);
        last[i] = none ? number(t, 0) : less[i];
        back[i] = -1, on[i] = 1;
    }
    Value *x = input(t, t->type);
    uint32_t rank = t->type->rank;
    Attr reversed[] = {attr_dims(ATTR_start, rank, last), attr_dims(ATTR_dims, rank, t->type->dims),
                       attr_ints(ATTR_step, rank, back)};
    try_with(t, 1, &x, 3, reversed);
    Attr tail[] = {attr_dims(ATTR_start, rank, one), attr_dims(ATTR_dims, rank, less),
                   attr_ints(ATTR_step, rank, on)};
    try_with(t, 1, &x, 3, tail);
}

static void make_broadcast(Table *t) {
    const Dim *dims[MAX_RANK + 2] = {number(t, 3)};
    int64_t axes[MAX_RANK];
    uint32_t rank = t->type->rank;
    for (uint32_t i = 0; i < rank; i++) {
        dims[i + 1] = t->type->dims[i];
        axes[i] = i + 1;
    }
    dims[rank + 1] = dim_symbol(t->ir, "B");
    Attr attrs[] = {attr_dims(ATTR_dims, rank + 2, dims), attr_ints(ATTR_axes, rank, axes)};
    Value *x = input(t, t->type);
    try_with(t, 1, &x, 2, attrs);
}

static void make_pad(Table *t) {
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    for (uint32_t i = 0; i < t->type->rank; i++)
        low[i] = number(t, 1), high[i] = number(t, i), interior[i] = i % 2 == 0;
    uint32_t rank = t->type->rank;
    Attr attrs[] = {attr_dims(ATTR_low, rank, low), attr_dims(ATTR_high, rank, high),
                    attr_ints(ATTR_interior, rank, interior)};
    try_with(t, 2, (Value *[]){input(t, t->type), input(t, type_scalar(t->ir, t->dtype))}, 3, attrs);
}

static void make_concat(Table *t) {
    for (uint32_t axis = 0; axis < t->type->rank; axis++) {
        const Dim *dims[MAX_RANK];
        memcpy(dims, t->type->dims, sizeof dims);
        dims[axis] = number(t, 3);
        Value *x = input(t, t->type);
        Value *parts[] = {x, input(t, type_tensor(t->ir, t->dtype, t->type->rank, dims)), x};
        Attr attr = attr_int(ATTR_axis, axis);
        try_with(t, 3, parts, 1, &attr);
    }
}

/* Windows of up to three elements on every axis; sums of what comes in windows that overlap, touch and leave
 * gaps. */
static void make_windows(Table *t) {
    static const int64_t steps[][3] = {{3, 1, 1}, {2, 2, 1}, {3, 2, 1}, {1, 3, 1}, {3, 1, 2}, {2, 3, 2}};
    for (uint32_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (uint32_t axis = 0; axis < t->type->rank; axis++) {
            const Dim *size = number(t, steps[i][0]), *dims[MAX_RANK];
            memcpy(dims, t->type->dims, sizeof dims);
            /* So many that a window is there, whatever B is. */
            const Dim *span = number(t, (steps[i][0] - 1) * steps[i][2] + 1);
            dims[axis] = dim_add(t->ir, dims[axis], span);
            Attr attrs[] = {attr_int(ATTR_axis, axis), attr_dim(ATTR_size, size),
                            attr_dim(ATTR_stride, number(t, steps[i][1])),
                            attr_dim(ATTR_dilation, number(t, steps[i][2]))};
            const Type *whole = type_tensor(t->ir, t->dtype, t->type->rank, dims);
            if (t->op == OP_window) {
                Value *x = input(t, whole);
                try_with(t, 1, &x, 4, attrs);
                continue;
            }
            const char *why;
            Value *x = build_const(&t->build, whole, 0);
            Node *windows = build_try(&t->build, OP_window, 1, &x, 4, attrs, &why);
            Value *part = input(t, windows->results[0]->type);
            attrs[1] = attr_dim(ATTR_size, dims[axis]);
            try_with(t, 1, &part, 4, attrs);
        }
}

/* Of one element along every axis. */
static void make_window(Table *t) {
    Value *operands[MAX_RANK + 2] = {input(t, t->type)};
    const Dim *dims[MAX_RANK];
    int64_t axes[MAX_RANK];
    uint32_t rank = t->type->rank, first = t->op == OP_update_slice ? 2 : 1;
    for (uint32_t i = 0; i < rank; i++) {
        bool none = dim_is(t->type->dims[i], 0);
        dims[i] = number(t, none ? 0 : 1);
        axes[i] = i;
        operands[first + i] = count_below(t, none ? dims[i] : t->type->dims[i]);
    }
    if (first == 2) operands[1] = input(t, type_tensor(t->ir, t->dtype, rank, dims));
    Attr attrs[] = {attr_ints(ATTR_axes, rank, axes), attr_dims(ATTR_dims, rank, dims)};
    try_with(t, first + rank, operands, first == 2 ? 1 : 2, attrs);
}

static void make_gather_scatter(Table *t) {
    for (uint32_t axis = 0; axis < t->type->rank; axis++) {
        if (dim_is(t->type->dims[axis], 0)) continue;
        const Type *ids =
            type_tensor(t->ir, axis % 2 ? DTYPE_u8 : DTYPE_i32, 1, (const Dim *[]){number(t, 4)});
        Value *size = build_cast(&t->build, build_size(&t->build, t->type->dims[axis]), ids->dtype);
        Value *at = build_binary(&t->build, OP_mod, input(t, ids), build_like(&t->build, size, ids));
        const Dim *dims[MAX_RANK];
        memcpy(dims, t->type->dims, sizeof dims);
        dims[axis] = number(t, 4);
        Value *part = input(t, type_tensor(t->ir, t->dtype, t->type->rank, dims));
        Attr attr = attr_int(ATTR_axis, axis);
        try_with(t, (uint32_t)op_arity(t->op), (Value *[]){input(t, t->type), at, part}, 1, &attr);
    }
}

/* --- reductions and products */
static void make_reduce(Table *t) {
    Value *x = input(t, t->type);
    bool arg = t->op == OP_argmax || t->op == OP_argmin;
    for (uint32_t set = 0; set < 1u << t->type->rank; set++) {
        int64_t axes[MAX_RANK];
        uint32_t count = 0;
        for (uint32_t i = 0; i < t->type->rank; i++)
            if (set >> i & 1) axes[count++] = i;
        if (arg && (count != 1 || dim_is(t->type->dims[axes[0]], 0))) continue;
        Attr attr = attr_ints(ATTR_axes, count, axes);
        try_with(t, 1, &x, 1, &attr);
    }
}

static void make_scan(Table *t) {
    for (uint32_t axis = 0; axis < t->type->rank; axis++) {
        Attr attr = attr_int(ATTR_axis, axis);
        try_with(t, (uint32_t)op_arity(t->op), (Value *[]){input(t, t->type), input(t, t->type)}, 1, &attr);
    }
}

static void make_argsort(Table *t) {
    for (uint32_t axis = 0; axis < t->type->rank; axis++)
        for (int descending = 0; descending < 2; descending++) {
            const Dim *all = t->type->dims[axis];
            const Dim *sizes[] = {dim_const(t->ir, 0), dim_const(t->ir, 1),
                                  dim_floordiv(t->ir, all, dim_const(t->ir, 3)), all};
            for (size_t i = dim_is(all, 0) ? 3 : 0; i < sizeof sizes / sizeof *sizes; i++) {
                Attr attrs[] = {attr_int(ATTR_axis, axis), attr_int(ATTR_descending, descending),
                                attr_dim(ATTR_size, sizes[i])};
                Value *x = input(t, t->type);
                try_with(t, 1, &x, 3, attrs);
            }
        }
}

static void try_contract(Table *t, const char *spec, Value *x, Value *y) {
    Attr attr = attr_str(ATTR_spec, intern(ir_strings(t->ir), spec));
    try_with(t, 2, (Value *[]){x, y}, 1, &attr);
}

static void make_contract(Table *t) {
    Value *x = input(t, t->type), *y = input(t, t->type);
    const char *labels = arena_strndup(t->arena, "abcd", t->type->rank);
    try_contract(t, arena_printf(t->arena, "%s,%s->", labels, labels), x, y);
    try_contract(t, arena_printf(t->arena, "%s,%s->%s", labels, labels, labels), x, y);
    uint32_t rank = t->type->rank;
    if (!rank) return;
    const Dim *dims[] = {t->type->dims[rank - 1], number(t, 9)};
    Value *matrix = input(t, type_tensor(t->ir, t->dtype, 2, dims));
    const char *outer = arena_strndup(t->arena, labels, rank - 1);
    char last = labels[rank - 1];
    try_contract(t, arena_printf(t->arena, "%s,%cz->%sz", labels, last, outer), x, matrix);
    try_contract(t, arena_printf(t->arena, "%cz,%s->z%s", last, labels, outer), matrix, x);
    try_contract(t, arena_printf(t->arena, "%s,%cz->z%s", labels, last, labels), x, matrix);
}

/* --- control: what is carried changes places */
static void make_if(Table *t) {
    Value *either[] = {input(t, t->type), input(t, t->type)};
    for (uint32_t first = 0; first < 2; first++) {
        Value *condition = input(t, type_scalar(t->ir, DTYPE_bool));
        if (first) condition = build_unary(&t->build, OP_not, condition);
        Node *node = build_if(&t->build, condition, 1, &t->type);
        for (uint32_t k = 0; k < 2; k++) {
            Builder inner = build_inside(&t->build, node->blocks[k]);
            build_yield(&inner, 1, &either[k]);
        }
        save(t, node);
    }
}

static void make_for(Table *t) {
    Value *init[] = {input(t, t->type), input(t, t->type), input(t, t->type)};
    Node *node =
        build_for(&t->build, build_int(&t->build, 0), build_size(&t->build, dim_symbol(t->ir, "B")), 3, init);
    Builder inner = build_inside(&t->build, node->blocks[0]);
    Value *const *params = node->blocks[0]->params.at;
    build_yield(&inner, 3, (Value *[]){params[2], params[3], params[1]});
    save(t, node);
}

static void make_while(Table *t) {
    Value *init[] = {build_int(&t->build, 0), input(t, t->type), input(t, t->type)};
    Node *node = build_while(&t->build, 3, init);
    Builder test = build_inside(&t->build, node->blocks[0]), body = build_inside(&t->build, node->blocks[1]);
    Value *go = build_binary(&test, OP_lt, node->blocks[0]->params.at[0], build_int(&test, 3));
    build_yield(&test, 1, &go);
    Value *const *params = node->blocks[1]->params.at;
    Value *next = build_binary(&body, OP_add, params[0], build_int(&body, 1));
    build_yield(&body, 3, (Value *[]){next, params[2], params[1]});
    save(t, node);
}

static void make_copy(Table *t) {
    Value *x = input(t, t->type);
    try_with(t, 1, &x, 0, NULL);
}

/* Part of every program here, made by passes from others, or an effect, whose tests are those of host code.
 */
static void made_elsewhere(Table *t) { (void)t; }

/* --- the table */
static MakeCase *case_of(Op op) {
    static MakeCase *const makers[OP_COUNT] = {
        [OP_const] = make_const,
        [OP_iota] = make_iota,
        [OP_size] = make_size,
        [OP_seed] = make_seed,
        [OP_random_bits] = make_random_bits,
        [OP_cast] = make_cast,
        [OP_masked] = make_masked,
        [OP_reshape] = make_reshape,
        [OP_permute] = make_permute,
        [OP_slice] = make_slice,
        [OP_broadcast] = make_broadcast,
        [OP_pad] = make_pad,
        [OP_window] = make_windows,
        [OP_window_add] = make_windows,
        [OP_concat] = make_concat,
        [OP_dynamic_slice] = make_window,
        [OP_update_slice] = make_window,
        [OP_gather] = make_gather_scatter,
        [OP_scatter_add] = make_gather_scatter,
        [OP_scatter] = make_gather_scatter,
        [OP_contract] = make_contract,
        [OP_argsort] = make_argsort,
        [OP_if] = make_if,
        [OP_for] = make_for,
        [OP_while] = make_while,
        [OP_copy] = make_copy,
        [OP_yield] = made_elsewhere,
        [OP_kernel] = made_elsewhere,
        [OP_grad] = made_elsewhere,
        [OP_remat] = made_elsewhere,
        [OP_guard] = made_elsewhere,
    };
    if (makers[op]) return makers[op];
    if (op_has(op, TRAIT_HOST)) return made_elsewhere;
    if (op_has(op, TRAIT_REDUCES)) return make_reduce;
    if (op_has(op, TRAIT_SCANS)) return make_scan;
    return op_has(op, TRAIT_ELEMENTWISE) && op_arity(op) != VARIADIC ? make_elementwise : NULL;
}

/* The shapes: entries are sizes, -1 the run-time size, -2 the end. */
static const int shapes[][4] = {{-2},       {1, -2},        {-1, -2},      {3, -1, -2},
                                {0, 3, -2}, {2, 1, 17, -2}, {-1, 4, 3, -2}};

static const Type *shape_type(const Table *t, DType dtype, const int *shape) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (; rank < 4 && shape[rank] != -2; rank++)
        dims[rank] = shape[rank] == -1 ? dim_symbol(t->ir, "B") : number(t, shape[rank]);
    return type_tensor(t->ir, dtype, rank, dims);
}

static void begin(Table *t) {
    t->ir = ir_context_new(t->arena, strings_new(t->arena));
    t->graph = graph_new(t->ir, "t");
    Function *f = graph_function(t->graph, FUNCTION_COMMAND, "run");
    Value *size = block_param(f->body, type_scalar(t->ir, DTYPE_i64), NULL);
    vec_push(t->arena, &f->params, ((Param){.value = size, .name = "size"}));
    t->build = (Builder){.graph = t->graph, .block = f->body};
    Attr dim = attr_dim(ATTR_dim, dim_symbol(t->ir, "B"));
    build_node(&t->build, OP_symbol, 1, &size, 1, &dim);
    t->path = build_text(&t->build, "file");
    Attr attrs[] = {attr_strs(ATTR_names, 0, NULL), attr_types(ATTR_types, 0, NULL)};
    t->load = build_node(&t->build, OP_load, 1, &t->path, 2, attrs);
}

static const char *const *names(Table *t, uint32_t count) {
    const char **list = ARENA_ARRAY(t->arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        list[i] = intern(ir_strings(t->ir), arena_printf(t->arena, "v%u", i));
    return list;
}

static const char *finish(Table *t) {
    uint32_t loaded = t->load->result_count, saved = t->outputs.count;
    const Type **types = ARENA_ARRAY(t->arena, const Type *, loaded + 1);
    for (uint32_t i = 0; i < loaded; i++) types[i] = t->load->results[i]->type;
    node_set_attr(t->load, attr_strs(ATTR_names, loaded, names(t, loaded)));
    node_set_attr(t->load, attr_types(ATTR_types, loaded, types));
    Value **operands = ARENA_ARRAY(t->arena, Value *, saved + 1);
    operands[0] = t->path;
    memcpy(operands + 1, t->outputs.at, saved * sizeof *operands);
    Attr attr = attr_strs(ATTR_names, saved, names(t, saved));
    build_node(&t->build, OP_save, saved + 1, operands, 1, &attr);
    build_yield(&t->build, 0, NULL);
    graph_renumber(t->graph);
    char *text = graph_text(t->graph);
    const char *kept = arena_strdup(t->arena, text);
    free(text);
    return kept;
}

/* All shapes of one type in one program. */
static void check_operation(Op op, DType dtype, int64_t *accepted) {
    Table t = {.arena = arena_new(), .op = op, .dtype = dtype};
    begin(&t);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        t.type = shape_type(&t, dtype, shapes[i]);
        case_of(op)(&t);
    }
    *accepted += t.outputs.count;
    if (t.outputs.count) {
        const char *text = finish(&t);
        for (int optimize = 0; optimize <= 3; optimize += 3) {
            NativeOptions options = {
                .optimize = optimize, .special = optimize == 0 && op % 2, .orders = true};
            const char *wrong = native_check_text(t.arena, 5, text, &options);
            cr_expect_null(wrong, "%s of %s at -O%d: %s\n%s", op_name(op), dtype_name(dtype), optimize, wrong,
                           text);
        }
    }
    arena_free(t.arena);
}

static void check_rows(int first, int step) {
    for (int op = first; op < OP_COUNT; op += step) {
        cr_expect(case_of((Op)op), "%s has no case", op_name((Op)op));
        if (!case_of((Op)op) || case_of((Op)op) == made_elsewhere) continue;
        int64_t accepted = 0;
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
            if (dtype_class((DType)dtype) != CLASS_OPAQUE) check_operation((Op)op, (DType)dtype, &accepted);
        cr_expect(accepted > 0, "%s takes none of its cases", op_name((Op)op));
    }
}

Test(native, every_row_1, .timeout = 240) { check_rows(0, 3); }
Test(native, every_row_2, .timeout = 240) { check_rows(1, 3); }
Test(native, every_row_3, .timeout = 240) { check_rows(2, 3); }
