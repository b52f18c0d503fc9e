/* for and while. A `for` over a list is unrolled; over a range or a tensor it is a loop of the graph; over a
 * dataset it reads batch by batch, with the constant batch size first and the rest as a last, shorter batch.
 */
#include "frontend/elaborate_index.h"

typedef struct {
    const AstStmt *stmt;
    const Val *over;
    Value *batch;     /* samples a round */
    const Dim *count; /* the batch's size where it is the same in all rounds */
    Value *total;     /* samples */
} Each;

/* Binds the names of the loop for one round. */
static void bind_round(Elab *e, const AstStmt *stmt, const Val *item) {
    const Binding *before = e->scope->bindings;
    bind_pattern(e, stmt->loop.pattern, item, false, stmt->loop.over->span);
    for (Binding *b = e->scope->bindings; b && b != before; b = b->next) b->kind = BOUND_LOOP;
}

static void elaborate_body(Elab *e, const AstStmt *stmt, const Val *item) {
    bind_round(e, stmt, item);
    el_stmts(e, stmt->loop.body);
}

/* --- ranges and tensors */
static void range_round(Elab *e, Value *i, void *user) {
    const Each *each = user;
    elaborate_body(e, each->stmt, val_of(e, i));
}

static void for_range(Elab *e, const AstStmt *stmt, const Val *range) {
    Span span = stmt->loop.over->span;
    Value *lo = val_value(e, range->range.lo, span), *hi = val_value(e, range->range.hi, span);
    Each each = {.stmt = stmt, .over = range};
    loop_counted(e, lo, hi, syntax_leaves(stmt->loop.body), range_round, &each, stmt->span, stmt->loop.body);
}

static void tensor_round(Elab *e, Value *i, void *user) {
    const Each *each = user;
    Span span = each->stmt->loop.over->span;
    const Type *type = each->over->tensor.type;
    Builder b = el_builder(e, span);
    const Dim *dims[MAX_RANK];
    for (uint32_t k = 0; k < type->rank; k++) dims[k] = k ? type->dims[k] : dim_const(e->ir, 1);
    int64_t axis = 0;
    Value *over = val_value(e, each->over, span);
    /* Never runs, but is checked like any other. */
    if (dim_is(type->dims[0], 0)) over = select_lengthen(e, &b, over, 0);
    Value *row = build_dynamic_slice(&b, over, 1, &axis, &i, dims);
    elaborate_body(e, each->stmt, val_of(e, build_reshape(&b, row, type->rank - 1, dims + 1)));
}

static void for_tensor(Elab *e, const AstStmt *stmt, const Val *tensor) {
    Builder b = el_builder(e, stmt->span);
    Each each = {.stmt = stmt, .over = tensor};
    loop_counted(e, build_int(&b, 0), build_size(&b, tensor->tensor.type->dims[0]),
                 syntax_leaves(stmt->loop.body), tensor_round, &each, stmt->span, stmt->loop.body);
}

/* --- lists */
static bool same_leaves(Elab *e, const Val *a, const Val *b) {
    ValList x = {0}, y = {0};
    val_leaves(e, a, &x);
    val_leaves(e, b, &y);
    bool same = x.count == y.count;
    for (uint32_t i = 0; same && i < x.count; i++) same = val_same_leaf(x.at[i], y.at[i]);
    return same;
}

static bool of_models(const Val *v) {
    while (v->kind == VAL_LIST && v->list.count) v = v->list.items[0];
    return v->kind == VAL_MODEL;
}

/* `enumerate` of what is written there; NULL where it is something else. */
static const AstExpr *enumerated(Elab *e, const AstExpr *over) {
    if (over->kind != AST_CALL || over->call.callee->kind != AST_NAME || !over->call.args) return NULL;
    if (over->call.callee->name.text != el_name(e, "enumerate")) return NULL;
    const Val *callee = el_expr(e, over->call.callee, NULL);
    return callee->kind == VAL_BUILTIN ? over->call.args->value : NULL;
}

/* What the loop's names make of the items of a list of models (or of lists of them): `c` in `for c in cells`,
 * and in `for (i, c) in enumerate(cells)`. Methods may change it, and it goes back to its place in the list.
 */
typedef struct {
    const AstExpr *list; /* NULL: nothing goes back */
    const AstPattern *pattern;
    const Val *before;
} Lent;

static Lent lent_item(Elab *e, const AstStmt *stmt, const Val *item) {
    const AstExpr *over = stmt->loop.over, *inner = enumerated(e, over);
    const AstPattern *pattern = stmt->loop.pattern;
    if (inner && item->kind == VAL_TUPLE && pattern->parts && pattern->parts->next) {
        over = inner;
        pattern = pattern->parts->next;
        item = item->list.items[1];
    }
    bool named = pattern->name.text && pattern->name.text != el_name(e, "_");
    return (Lent){named && of_models(item) ? over : NULL, pattern, item};
}

static Binding *lent_binding(Elab *e, const Lent *lent) {
    if (!lent->list) return NULL;
    for (Binding *b = e->scope->bindings; b; b = b->next)
        if (b->name == lent->pattern->name.text) return b;
    return NULL;
}

static void give_back(Elab *e, const Lent *lent, uint32_t at, const Val *after) {
    Span span = lent->list->span;
    if (val_poisoned(after) || same_leaves(e, lent->before, after)) return;
    AstExpr number = {.kind = AST_INT, .span = span};
    number.integer.value = at;
    AstIndex index = {.kind = AST_INDEX_EXPR, .span = span, .value = &number};
    AstExpr item = {.kind = AST_INDEXING, .span = span};
    item.indexing.object = (AstExpr *)(uintptr_t)lent->list;
    item.indexing.indices = &index;
    const Target *place = el_target(e, &item, false);
    if (place) target_write(e, place, after, span);
}

static void list_round(Elab *e, const AstStmt *stmt, const Val *list, uint32_t at) {
    const Val *item = list->list.items[at];
    scope_push(e);
    e->frame->continued =
        scope_bind(e, e->scope, el_name(e, " continued"), (Span){0}, val_bool(e, false), true);
    Lent lent = lent_item(e, stmt, item);
    bind_round(e, stmt, item);
    Binding *bound = lent_binding(e, &lent);
    if (bound) bound->is_mutable = true;
    el_stmts(e, stmt->loop.body);
    scope_pop(e);
    e->frame->continued = NULL;
    if (bound) give_back(e, &lent, at, bound->value);
}

static void list_rounds(Elab *e, const AstStmt *stmt, const Val *list, uint32_t at) {
    for (; at < list->list.count; at++) {
        if (!el_budget(e, stmt->span)) return;
        list_round(e, stmt, list, at);
        const Val *left = control_left(e, stmt->span);
        bool known;
        if (val_static_bool(left, &known)) {
            if (known) return;
            continue;
        }
        if (at + 1 == list->list.count) return;
        Branch *branch = branch_new(e, val_value(e, left, stmt->span), stmt->span);
        branch_enter(e, branch, 0);
        branch_enter(e, branch, 1);
        e->frame->returned->value = e->frame->broke->value = val_bool(e, false);
        list_rounds(e, stmt, list, at + 1);
        branch_join(e, branch, NULL, NULL, stmt->span, stmt->span);
        return;
    }
}

static void for_list(Elab *e, const AstStmt *stmt, const Val *list) {
    Frame *frame = e->frame;
    Binding *broke = frame->broke, *continued = frame->continued;
    const Block *outside = e->unrolled;
    scope_push(e);
    frame->continued = NULL;
    frame->broke = scope_bind(e, e->scope, el_name(e, " broke"), stmt->span, val_bool(e, false), true);
    e->unrolled = e->block;
    list_rounds(e, stmt, list, 0);
    e->unrolled = outside;
    scope_pop(e);
    frame->broke = broke;
    frame->continued = continued;
}

/* --- datasets */
static void progress(Elab *e, const char *phase, Value *total, Span span) {
    Builder b = el_builder(e, span);
    Attr attr = attr_str(ATTR_phase, el_name(e, phase));
    build_node(&b, OP_progress, total ? 1 : 0, &total, 1, &attr);
}

static void read_batch(Elab *e, const Each *each, Value *first, const Dim *count) {
    Span span = each->stmt->loop.over->span;
    elaborate_body(e, each->stmt, data_read(e, each->over, first, count, span));
    progress(e, "step", NULL, span);
}

static void data_round(Elab *e, Value *i, void *user) {
    const Each *each = user;
    Builder b = el_builder(e, each->stmt->loop.over->span);
    Value *first = build_binary(&b, OP_mul, i, each->batch);
    const Dim *count = each->count;
    if (!count) {
        Value *rest = build_binary(&b, OP_sub, each->total, first);
        count = build_symbol(&b, build_binary(&b, OP_min, each->batch, rest), "batch");
    }
    read_batch(e, each, first, count);
}

/* The last batch, shorter than the others. */
static void rest_round(Elab *e, Each *each, Value *full, Span span) {
    Builder b = el_builder(e, span);
    Value *first = build_binary(&b, OP_mul, full, each->batch);
    Value *rest = build_binary(&b, OP_sub, each->total, first);
    const Val *some = val_of(e, build_binary(&b, OP_gt, rest, build_int(&b, 0)));
    /* Not after a break or return. */
    const Val *left = op_binary(e, AST_OR, control_left(e, span), span, e->last_broke, span, span);
    some = op_binary(e, AST_AND, some, span, op_unary(e, AST_NOT, left, span), span, span);
    bool known;
    if (val_static_bool(some, &known) && !known) return;
    Branch *branch = branch_new(e, val_value(e, some, span), span);
    branch_enter(e, branch, 0);
    scope_push(e);
    Frame *frame = e->frame;
    frame->returned->value = frame->broke->value = val_bool(e, false);
    frame->continued = scope_bind(e, e->scope, el_name(e, " continued"), (Span){0}, val_bool(e, false), true);
    b = el_builder(e, span);
    read_batch(e, each, first, build_symbol(&b, rest, "batch"));
    frame->continued = NULL;
    scope_pop(e);
    branch_enter(e, branch, 1);
    branch_join(e, branch, NULL, NULL, span, span);
}

/* Is the number a product of `of`, as it is written? */
static bool is_multiple(const Value *value, int64_t of) {
    const Node *node = value->node;
    int64_t size;
    if (!node) return false;
    if (node->op == OP_const) return node_int(node, ATTR_ivalue) % of == 0;
    if (node->op == OP_size) return dim_is_const(node_dim(node, ATTR_dim), &size) && size % of == 0;
    return node->op == OP_mul && (is_multiple(node->operands[0], of) || is_multiple(node->operands[1], of));
}

/* Batches of a constant size from a multiple of it are all whole: the body is not needed for another size.
 * False where that isn't known. */
static bool all_whole(Elab *e, const Each *each, Value *full, Span span) {
    int64_t size;
    if (dim_is(each->count, 1)) return true;
    if (!dim_is_const(each->count, &size) || !is_multiple(each->total, size)) return false;
    Builder b = el_builder(e, span);
    Value *total = each->total, *covered = build_binary(&b, OP_mul, full, each->batch);
    runtime_check(e, build_binary(&b, OP_eq, covered, total), "so many samples can't be counted: {}", 1,
                  &total, span);
    return true;
}

static void data_rounds(Elab *e, Each *each, bool constant, bool drop_last) {
    const AstStmt *stmt = each->stmt;
    Span span = stmt->span;
    Builder b = el_builder(e, span);
    Value *zero = build_int(&b, 0);
    Value *full = build_binary(&b, OP_floordiv, each->total, each->batch);
    Value *all = data_batches(&b, each->total, each->batch);
    Value *rounds = drop_last || constant ? full : all;
    bool leaves = syntax_leaves(stmt->loop.body);
    progress(e, "begin", drop_last ? full : all, span);
    if (!constant && drop_last) each->count = build_symbol(&b, each->batch, "batch");
    /* Checked once, for batches of any size. */
    if (e->checking && constant && !drop_last && each->over->dataset.batch) {
        each->count = dim_symbol(e->ir, "batch");
        loop_counted(e, zero, all, leaves, data_round, each, span, stmt->loop.body);
        return;
    }
    bool whole = drop_last || !constant || all_whole(e, each, full, span);
    loop_counted(e, zero, rounds, leaves, data_round, each, span, stmt->loop.body);
    if (!whole) rest_round(e, each, full, span);
    progress(e, "end", NULL, span);
}

static void for_dataset(Elab *e, const AstStmt *stmt, const Val *data) {
    Span span = stmt->loop.over->span;
    if (ty_any_dataset(data->dataset.type)) {
        Diagnostic *d = diag_report(e->diags, D_DATA_TYPE, span);
        diag_help(d, "a loop needs the types of its columns: `dataset(u8[28, 28], u8)`");
        return;
    }
    Frame *frame = e->frame;
    Binding *broke = frame->broke, *continued = frame->continued;
    const Dim *constant = data->dataset.batch ? data->dataset.batch->tensor.dim : dim_const(e->ir, 1);
    if (constant && !dim_is_const(constant, NULL)) constant = NULL;
    Builder b = el_builder(e, span);
    Value *batch = constant ? build_size(&b, constant) : val_value(e, data->dataset.batch, span);
    Each each = {
        .stmt = stmt, .over = data, .batch = batch, .count = constant, .total = data_len(e, data, span)};
    scope_push(e);
    frame->continued = NULL;
    frame->broke = scope_bind(e, e->scope, el_name(e, " broke"), span, val_bool(e, false), true);
    data_rounds(e, &each, constant != NULL, data->dataset.drop_last);
    scope_pop(e);
    frame->broke = broke;
    frame->continued = continued;
}

/* --- entry */
void el_for(Elab *e, const AstStmt *stmt) {
    const Val *over = el_value(e, stmt->loop.over, NULL);
    if (over->kind == VAL_RANGE) {
        for_range(e, stmt, over);
    } else if (over->kind == VAL_LIST || over->kind == VAL_TUPLE) {
        for_list(e, stmt, over);
    } else if (over->kind == VAL_DATASET) {
        for_dataset(e, stmt, over);
    } else if (over->kind == VAL_TENSOR && over->tensor.type->rank) {
        for_tensor(e, stmt, over);
    } else if (!val_poisoned(over)) {
        Diagnostic *d = diag_report(e->diags, D_NOT_ITERABLE, stmt->loop.over->span, val_type_text(e, over));
        if (val_is_int(over))
            diag_help(d, "count with a range: `0..%s`", el_source(e, stmt->loop.over->span));
        else if (over->kind == VAL_STRING)
            diag_help(d, "`bytes(%s)` is a tensor of its bytes", el_source(e, stmt->loop.over->span));
    }
}

typedef struct {
    const AstStmt *stmt;
} Whilst;

static const Val *while_condition(Elab *e, void *user) {
    const AstExpr *expr = ((const Whilst *)user)->stmt->whilst.condition;
    const Val *v = el_value(e, expr, NULL);
    if (val_poisoned(v) || val_is_scalar(v, DTYPE_bool)) return v;
    diag_report(e->diags, D_CONDITION, expr->span, val_type_text(e, v));
    return e->poison;
}

static void while_round(Elab *e, Value *i, void *user) {
    (void)i;
    el_stmts(e, ((const Whilst *)user)->stmt->whilst.body);
}

void el_while(Elab *e, const AstStmt *stmt) {
    Whilst whilst = {stmt};
    /* The condition's own names are read at the end of the body: its variables are carried too. */
    AstStmt condition = {.kind = AST_EXPR, .span = stmt->span, .next = stmt->whilst.body};
    condition.value = stmt->whilst.condition;
    loop_while(e, while_condition, while_round, &whilst, stmt->span, &condition);
}
