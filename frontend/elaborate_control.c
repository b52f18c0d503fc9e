/* What control flow carries. Mutable variables are plain SSA: a branch yields those that either side changed,
 * a loop carries those that its body may change and, once the body is known, only those that it did. break,
 * continue and return are bools among them. */
#include "frontend/elaborate.h"

/* --- the variables in reach of an assignment: those of the function, its model, and the stream of random
 * numbers */
static void add_mutable(Elab *e, Bindings *out, Binding *b) {
    if (b->is_mutable) vec_push(e->arena, out, b);
}

void variables_in_reach(Elab *e, Bindings *out) {
    for (Scope *s = e->scope; s; s = s->parent) {
        for (Binding *b = s->bindings; b; b = b->next) add_mutable(e, out, b);
        if (s->self) add_mutable(e, out, s->self);
        if (e->frame && s == e->frame->root) break;
    }
    if (e->stream) vec_push(e->arena, out, e->stream);
}

/* --- branches */

struct Branch {
    Node *node;
    Block *outer;
    Bindings bindings;
    const Val **before, **after; /* after: of the first branch */
    VEC(Value *) yields[2];
    Span span;
};

static const Val **save(Elab *e, const Bindings *bindings) {
    const Val **saved = ARENA_ARRAY(e->arena, const Val *, bindings->count);
    for (uint32_t i = 0; i < bindings->count; i++) saved[i] = bindings->at[i]->value;
    return saved;
}

static void restore(const Bindings *bindings, const Val *const *saved) {
    for (uint32_t i = 0; i < bindings->count; i++) bindings->at[i]->value = saved[i];
}

Branch *branch_new(Elab *e, Value *condition, Span span) {
    Branch *branch = ARENA_NEW(e->arena, Branch);
    Builder b = el_builder(e, span);
    branch->span = span;
    branch->outer = e->block;
    branch->node = node_new(e->graph, OP_if, 1, &condition, 0, NULL, 0, NULL, b.loc);
    node_append(e->block, branch->node);
    for (int i = 0; i < 2; i++) block_new(e->graph, e->function, branch->node);
    variables_in_reach(e, &branch->bindings);
    branch->before = save(e, &branch->bindings);
    branch->after = branch->before;
    return branch;
}

void branch_enter(Elab *e, Branch *branch, int which) {
    if (which == 1) branch->after = save(e, &branch->bindings);
    restore(&branch->bindings, branch->before);
    e->block = branch->node->blocks[which];
}

static Value *value_in(Elab *e, Block *block, const Val *leaf, Span span) {
    Block *outside = e->block;
    e->block = block;
    Value *value = leaf_value(e, leaf, span);
    e->block = outside;
    return value;
}

/* NULL where the two can't be one value. */
static const Val *merge(Elab *e, Branch *branch, const Val *a, const Val *b);

static const Val *merge_leaf(Elab *e, Branch *branch, const Val *a, const Val *b) {
    if (val_same_leaf(a, b)) return a;
    if (!ty_same(ty_of(e, a), ty_of(e, b))) return NULL;
    if (a->kind == VAL_DATASET && a->dataset.batch != b->dataset.batch) return NULL;
    Value *x = value_in(e, branch->node->blocks[0], a, branch->span),
          *y = value_in(e, branch->node->blocks[1], b, branch->span);
    vec_push(e->arena, &branch->yields[0], x);
    vec_push(e->arena, &branch->yields[1], y);
    return leaf_with(e, a, node_add_result(branch->node, x->type));
}

static bool merge_items(Elab *e, Branch *branch, uint32_t count, const Val *const *a, const Val *const *b,
                        const Val **out) {
    for (uint32_t i = 0; i < count; i++)
        if (!(out[i] = merge(e, branch, a[i], b[i]))) return false;
    return true;
}

static const Val *merge_optimizer(Elab *e, Branch *branch, const Val *a, const Val *b) {
    if (a->optimizer.decl != b->optimizer.decl || a->optimizer.model != b->optimizer.model) return NULL;
    const Val **settings = ARENA_ARRAY(e->arena, const Val *, a->optimizer.settings);
    const Val **states = ARENA_ARRAY(e->arena, const Val *, a->optimizer.states);
    Val copy = *a;
    if (!merge_items(e, branch, a->optimizer.settings, a->optimizer.setting, b->optimizer.setting, settings))
        return NULL;
    if (!merge_items(e, branch, a->optimizer.states, a->optimizer.state, b->optimizer.state, states))
        return NULL;
    copy.optimizer.setting = settings;
    copy.optimizer.state = states;
    copy.optimizer.step = merge(e, branch, a->optimizer.step, b->optimizer.step);
    return copy.optimizer.step ? val_copy(e, copy) : NULL;
}

/* At its default type, without a node: that belongs in one of the branches. */
static const Val *typed_literal(Elab *e, const Val *v, Span span) {
    if (v->kind != VAL_NUMBER) return v;
    return op_literal_as(e, v, v->number.is_float ? e->float_type : DTYPE_i64, span);
}

/* v, whose literals take the types of what stands in their places in `like`. */
static const Val *branch_literals(Elab *e, const Val *v, const Val *like, Span span) {
    if (v->kind == VAL_NUMBER && like->kind == VAL_TENSOR)
        return op_literal_as(e, v, like->tensor.type->dtype, span);
    if (v->kind == VAL_NUMBER && like->kind == VAL_NUMBER && like->number.is_float)
        return op_literal_as(e, v, e->float_type, span);
    if (v->kind != like->kind || (v->kind != VAL_TUPLE && v->kind != VAL_LIST) ||
        v->list.count != like->list.count)
        return v;
    const Val **items = ARENA_ARRAY(e->arena, const Val *, v->list.count);
    for (uint32_t i = 0; i < v->list.count; i++)
        items[i] = branch_literals(e, v->list.items[i], like->list.items[i], span);
    return val_tuple(e, v->kind, v->list.count, items);
}

static const Val *float_here(Elab *e, const Val *leaf, void *user) {
    (void)user;
    if (leaf->kind != VAL_TENSOR || leaf->tensor.type->dtype != e->options->float_type) return leaf;
    return val_known(e, type_with_dtype(e->ir, leaf->tensor.type, e->float_type), 0);
}

const Val *branch_joined(Elab *e, const AstExpr *condition, const Val *one, Span span) {
    const Val *both = map_get(e->joined, condition);
    if (!both) return one;
    bool usual = e->float_type == e->options->float_type;
    return branch_literals(e, one, usual ? both : val_map(e, both, float_here, NULL), span);
}

static const Val *merge(Elab *e, Branch *branch, const Val *a, const Val *b) {
    if (a == b) return a;
    if (val_poisoned(a) || val_poisoned(b)) return e->poison;
    const Val *literal = a;
    a = typed_literal(e, branch_literals(e, a, b, branch->span), branch->span);
    b = typed_literal(e, branch_literals(e, b, literal, branch->span), branch->span);
    if (a->kind != b->kind) return NULL;
    Val copy = *a;
    switch (a->kind) {
    case VAL_NUMBER:
    case VAL_TENSOR:
    case VAL_STRING:
    case VAL_DATASET: return merge_leaf(e, branch, a, b);
    case VAL_TUPLE:
    case VAL_LIST: {
        if (a->list.count != b->list.count) return NULL;
        const Val **items = ARENA_ARRAY(e->arena, const Val *, a->list.count);
        copy.list.items = items;
        return merge_items(e, branch, a->list.count, a->list.items, b->list.items, items) ? val_copy(e, copy)
                                                                                          : NULL;
    }
    case VAL_MODEL: {
        if (a->model.type != b->model.type || a->model.gradient != b->model.gradient) return NULL;
        const Val **fields = ARENA_ARRAY(e->arena, const Val *, a->model.type->members);
        copy.model.fields = fields;
        return merge_items(e, branch, a->model.type->members, a->model.fields, b->model.fields, fields)
                   ? val_copy(e, copy)
                   : NULL;
    }
    case VAL_RANGE:
        copy.range.lo = merge(e, branch, a->range.lo, b->range.lo);
        copy.range.hi = merge(e, branch, a->range.hi, b->range.hi);
        return copy.range.lo && copy.range.hi ? val_copy(e, copy) : NULL;
    case VAL_OPTIMIZER: return merge_optimizer(e, branch, a, b);
    case VAL_UNIT: return a;
    case VAL_POISON:
    case VAL_FUNCTION:
    case VAL_DECL:
    case VAL_BUILTIN:
    case VAL_DTYPE:
    case VAL_MODULE: break;
    }
    return NULL;
}

/* A value that nothing reads, for the way on which there is none. */
static const Val *filler(Elab *e, Branch *branch, int which, const Val *like) {
    Block *outside = e->block;
    e->block = branch->node->blocks[which];
    const Val *zero = val_zero(e, ty_of(e, like), branch->span);
    e->block = outside;
    return zero;
}

/* Only what a function returns can be there on one way and not on the other. */
static void merge_binding(Elab *e, Branch *branch, Binding *b, const Val *x, const Val *y) {
    b->value = NULL;
    if (!x && !y) return;
    const Val *merged = merge(e, branch, x ? x : filler(e, branch, 0, y), y ? y : filler(e, branch, 1, x));
    b->value = merged ? merged : e->poison;
}

const Val *branch_join(Elab *e, Branch *branch, const Val *then, const Val *otherwise, Span then_span,
                       Span else_span) {
    const Val **second = save(e, &branch->bindings);
    if (branch->after == branch->before && e->block == branch->node->blocks[0]) {
        branch->after = second; /* only the first was entered */
        second = branch->before;
    }
    e->block = branch->outer;
    for (uint32_t i = 0; i < branch->bindings.count; i++)
        merge_binding(e, branch, branch->bindings.at[i], branch->after[i], second[i]);
    const Val *v = NULL;
    if (then && otherwise) {
        v = merge(e, branch, then, otherwise);
        if (!v) {
            Diagnostic *d = diag_report(e->diags, D_BRANCH_TYPES, branch->span, val_type_text(e, then),
                                        val_type_text(e, otherwise));
            diag_label(d, then_span, "%s", val_type_text(e, then));
            diag_label(d, else_span, "%s", val_type_text(e, otherwise));
            v = e->poison;
        }
    }
    for (int i = 0; i < 2; i++) {
        Builder b = el_builder(e, branch->span);
        b = build_inside(&b, branch->node->blocks[i]);
        build_yield(&b, branch->yields[i].count, branch->yields[i].at);
    }
    return v;
}

/* --- has control left? */
const Val *control_left(Elab *e, Span span) {
    if (!e->frame) return val_bool(e, false);
    const Binding *flags[3] = {e->frame->returned, e->frame->broke, e->frame->continued};
    const Val *left = val_bool(e, false);
    for (int i = 0; i < 3; i++)
        if (flags[i]) left = op_binary(e, AST_OR, left, span, flags[i]->value, span, span);
    bool known;
    for (int i = 0; i < 3; i++)
        if (flags[i] && val_static_bool(flags[i]->value, &known) && known) return val_bool(e, true);
    return left;
}

/* --- loops */
typedef struct {
    Node *node;
    Block *outer, *body;
    Bindings bindings;
    const Val **before;
    uint32_t *leaves; /* of each binding */
    ValList initial;  /* all leaves */
    VEC(Value *) inits, params;
    Span span;
} Loop;

typedef struct {
    Loop *loop;
    uint32_t at;
    const Val *const *leaves;
} Walk;

static const Val *enter_leaf(Elab *e, const Val *leaf, void *user) {
    Walk *walk = user;
    Loop *loop = walk->loop;
    vec_push(e->arena, &loop->initial, leaf);
    return leaf_with(e, leaf, loop->params.at[walk->at++]);
}

static const Val *replace_leaf(Elab *e, const Val *leaf, void *user) {
    Walk *walk = user;
    (void)e;
    (void)leaf;
    return walk->leaves[walk->at++];
}

static bool may_change(Elab *e, const Binding *b, const AstStmt *syntax) {
    if (!b->value || val_poisoned(b->value)) return false;
    return b->name[0] == ' ' || b == e->stream || !syntax || syntax_mentions(syntax, b->name);
}

static void choose_carried(Elab *e, Loop *loop, const AstStmt *syntax) {
    Bindings all = {0};
    variables_in_reach(e, &all);
    for (uint32_t i = 0; i < all.count; i++)
        if (may_change(e, all.at[i], syntax) || !all.at[i]->value)
            vec_push(e->arena, &loop->bindings, all.at[i]);
    loop->before = save(e, &loop->bindings);
    loop->leaves = ARENA_ARRAY(e->arena, uint32_t, loop->bindings.count);
}

/* Makes the node and its body; inside, the carried variables are the body's parameters. */
static void loop_enter(Elab *e, Loop *loop, Op op, Value *lo, Value *hi, const AstStmt *syntax) {
    choose_carried(e, loop, syntax);
    ValList *lists = ARENA_ARRAY(e->arena, ValList, loop->bindings.count);
    for (uint32_t i = 0; i < loop->bindings.count; i++) {
        if (!loop->before[i]) continue;
        val_leaves(e, loop->before[i], &lists[i]);
        loop->leaves[i] = lists[i].count;
        for (uint32_t k = 0; k < lists[i].count; k++)
            vec_push(e->arena, &loop->inits, leaf_value(e, lists[i].at[k], loop->span));
    }
    Builder b = el_builder(e, loop->span);
    Value *bounds[2] = {lo, hi};
    loop->outer = e->block;
    loop->node = node_new(e->graph, op, op == OP_for ? 2 : 0, bounds, 0, NULL, 0, NULL, b.loc);
    node_append(e->block, loop->node);
    if (op == OP_while) block_new(e->graph, e->function, loop->node);
    loop->body = block_new(e->graph, e->function, loop->node);
    if (op == OP_for) block_param(loop->body, type_scalar(e->ir, DTYPE_i64), el_name(e, "i"));
    for (uint32_t i = 0; i < loop->inits.count; i++)
        vec_push(e->arena, &loop->params,
                 block_param(loop->body, loop->inits.at[i]->type, loop->inits.at[i]->name));
    e->block = loop->body;
    Walk walk = {.loop = loop};
    for (uint32_t i = 0; i < loop->bindings.count; i++)
        if (loop->before[i]) loop->bindings.at[i]->value = val_map(e, loop->before[i], enter_leaf, &walk);
}

/* Which leaves did the body change? Fills `next` with what it leaves in them. */
static void collect_next(Elab *e, Loop *loop, Value **next) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < loop->bindings.count; i++) {
        ValList leaves = {0};
        const Val *after = loop->bindings.at[i]->value;
        if (loop->leaves[i] && after && !val_poisoned(after)) val_leaves(e, after, &leaves);
        for (uint32_t k = 0; k < loop->leaves[i]; k++, at++) {
            if (leaves.count != loop->leaves[i] || val_same_leaf(leaves.at[k], loop->initial.at[at]))
                continue;
            next[at] = leaf_value(e, leaves.at[k], loop->span);
            if (value_resolve(next[at]) == loop->params.at[at] || next[at]->type != loop->params.at[at]->type)
                next[at] = NULL;
        }
    }
}

static void drop_params(Loop *loop, Value *const *next, uint32_t first) {
    uint32_t kept = first;
    for (uint32_t i = 0; i < loop->params.count; i++) {
        Value *param = loop->params.at[i];
        if (!next[i]) {
            value_replace(param, loop->inits.at[i]);
            continue;
        }
        param->index = kept;
        loop->body->params.at[kept++] = param;
    }
    loop->body->params.count = kept;
}

/* Ends the body; afterwards the variables are what the loop leaves in them. */
static void loop_leave(Elab *e, Loop *loop) {
    uint32_t total = loop->params.count, first = loop->node->op == OP_for ? 1 : 0;
    Value **next = ARENA_ARRAY(e->arena, Value *, total);
    VEC(Value *) yields = {0};
    collect_next(e, loop, next);
    const Val **results = ARENA_ARRAY(e->arena, const Val *, total);
    drop_params(loop, next, first);
    for (uint32_t i = 0; i < total; i++) {
        results[i] = loop->initial.at[i];
        if (!next[i]) continue;
        vec_push(e->arena, &yields, next[i]);
        node_add_operand(loop->node, loop->inits.at[i]);
        Value *result = node_add_result(loop->node, next[i]->type);
        result->name = loop->inits.at[i]->name;
        results[i] = leaf_with(e, loop->initial.at[i], result);
    }
    Builder b = el_builder(e, loop->span), inside = build_inside(&b, loop->body);
    build_yield(&inside, yields.count, yields.at);
    e->block = loop->outer;
    if (loop->node->op == OP_while) {
        /* The condition was evaluated before the loop and at the end of its body, into the first variable:
         * look at it. */
        Block *test = loop->node->blocks[0];
        for (uint32_t i = 0; i < loop->body->params.count; i++)
            block_param(test, loop->body->params.at[i]->type, loop->body->params.at[i]->name);
        inside = build_inside(&b, test);
        build_yield(&inside, 1, &test->params.at[0]);
    }
    Walk walk = {.loop = loop, .leaves = results};
    for (uint32_t i = 0; i < loop->bindings.count; i++) {
        Binding *binding = loop->bindings.at[i];
        bool poisoned = binding->value && val_poisoned(binding->value);
        binding->value = loop->before[i] ? val_map(e, loop->before[i], replace_leaf, &walk) : NULL;
        if (poisoned) binding->value = e->poison;
    }
}

/* What a loop body that may return needs to be carried. */
static void prepare_return(Elab *e, const AstStmt *syntax, Span span) {
    Frame *frame = e->frame;
    if (!frame || frame->value->value || !frame->result || !syntax_returns(syntax)) return;
    frame->value->value = val_zero(e, frame->result, span);
}

/* Runs one round. Inside, no flag is set yet: otherwise there would be no such round. */
static void one_round(Elab *e, LoopBody *body, Value *i, void *user) {
    Frame *frame = e->frame;
    frame->returned->value = val_bool(e, false);
    if (frame->broke) frame->broke->value = val_bool(e, false);
    scope_push(e);
    frame->continued = scope_bind(e, e->scope, el_name(e, " continued"), (Span){0}, val_bool(e, false), true);
    body(e, i, user);
    scope_pop(e);
    frame->continued = NULL;
}

/* Go on? Not where the round has left the loop. */
static const Val *next_condition(Elab *e, const Val *(*condition)(Elab *e, void *user), void *user,
                                 Span span) {
    const Val *left = control_left(e, span);
    bool known;
    if (val_static_bool(left, &known)) return known ? val_bool(e, false) : condition(e, user);
    Branch *branch = branch_new(e, val_value(e, left, span), span);
    branch_enter(e, branch, 0);
    const Val *stop = val_bool(e, false);
    branch_enter(e, branch, 1);
    const Val *more = condition(e, user);
    return branch_join(e, branch, stop, more, span, span);
}

void loop_while(Elab *e, const Val *(*condition)(Elab *e, void *user), LoopBody *body, void *user, Span span,
                const AstStmt *syntax) {
    Frame *frame = e->frame;
    Binding *broke = frame->broke, *continued = frame->continued;
    prepare_return(e, syntax, span);
    scope_push(e);
    frame->continued = NULL;
    frame->broke = scope_bind(e, e->scope, el_name(e, " broke"), span, val_bool(e, false), true);
    const Val *first = condition(e, user);
    /* Bound last, so that it is the first of the variables that the loop carries. */
    Binding *go = scope_bind(e, e->scope, el_name(e, " go"), span, first, true);
    if (val_poisoned(first)) go->value = val_bool(e, false);
    Loop loop = {.span = span};
    loop_enter(e, &loop, OP_while, NULL, NULL, syntax);
    one_round(e, body, NULL, user);
    const Val *more = next_condition(e, condition, user, span);
    go->value = val_of(e, val_value(e, val_poisoned(more) ? val_bool(e, false) : more, span));
    loop_leave(e, &loop);
    e->last_broke = frame->broke->value;
    scope_pop(e);
    frame->broke = broke;
    frame->continued = continued;
}

/* --- counting */
typedef struct {
    Value *hi;
    Binding *i;
    LoopBody *body;
    void *user;
    Span span;
} Counting;

static const Val *below(Elab *e, void *user) {
    const Counting *c = user;
    Builder b = el_builder(e, c->span);
    return val_of(e, build_binary(&b, OP_lt, val_value(e, c->i->value, c->span), c->hi));
}

static void count_round(Elab *e, Value *i, void *user) {
    Counting *c = user;
    i = val_value(e, c->i->value, c->span);
    c->body(e, i, c->user);
    Builder b = el_builder(e, c->span);
    c->i->value = val_of(e, build_binary(&b, OP_add, i, build_int(&b, 1)));
}

static void count_by_while(Elab *e, Value *lo, Value *hi, LoopBody *body, void *user, Span span,
                           const AstStmt *syntax) {
    scope_push(e);
    Counting c = {hi, scope_bind(e, e->scope, el_name(e, " i"), span, val_of(e, lo), true), body, user, span};
    loop_while(e, below, count_round, &c, span, syntax);
    scope_pop(e);
}

void loop_counted(Elab *e, Value *lo, Value *hi, bool leaves, LoopBody *body, void *user, Span span,
                  const AstStmt *syntax) {
    if (leaves) {
        count_by_while(e, lo, hi, body, user, span, syntax);
        return;
    }
    Frame *frame = e->frame;
    Binding *broke = frame->broke, *continued = frame->continued;
    frame->broke = frame->continued = NULL;
    Loop loop = {.span = span};
    loop_enter(e, &loop, OP_for, lo, hi, syntax);
    one_round(e, body, loop.body->params.at[0], user);
    loop_leave(e, &loop);
    e->last_broke = val_bool(e, false);
    frame->broke = broke;
    frame->continued = continued;
}
