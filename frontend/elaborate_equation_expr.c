/* Expressions in index notation: computed for all values of the indices at once. Branches choose element by
 * element, and what is read in them is guarded by their condition; functions of scalars are expanded. */
#include "frontend/elaborate_builtin.h"
#include "frontend/elaborate_equation.h"

static const Val *refuse(Elab *e, Span span, const char *what, const char *help) {
    Diagnostic *d = diag_report(e->diags, D_NOT_ELEMENTWISE, span, what);
    if (help) diag_help(d, "%s", help);
    return e->poison;
}

static const Val *unsupported(Elab *e, Span span, const char *what) {
    diag_report(e->diags, D_UNSUPPORTED, span, what);
    return e->poison;
}

/* What mentions no index: one number. */
static const Val *uniform(Elab *e, const AstExpr *x) {
    const Val *v = el_value(e, x, NULL);
    if (val_poisoned(v) || v->kind == VAL_NUMBER || (v->kind == VAL_TENSOR && v->tensor.type->rank == 0))
        return v;
    Diagnostic *d = diag_report(e->diags, D_INDEX_ELEMENT, x->span, val_type_text(e, v));
    if (v->kind == VAL_TENSOR)
        diag_help(d, "index each of its axes, as in `%s[i, …]`", el_source(e, x->span));
    return e->poison;
}

/* --- guards */
static const Val *guard_push(Elab *e, const Val *condition, Span span) {
    const Val *outside = e->equation->guard;
    e->equation->guard = outside ? op_binary(e, AST_AND, outside, span, condition, span, span) : condition;
    return outside;
}

static const Val *negated(Elab *e, const Val *condition, Span span) {
    return op_unary(e, AST_NOT, condition, span);
}

const Val *equation_where(Elab *e, const Val *condition, const Val *a, const Val *b, Span span) {
    bool known;
    if (val_poisoned(condition) || val_poisoned(a) || val_poisoned(b)) return e->poison;
    if (val_static_bool(condition, &known)) return known ? a : b;
    Val callee = {.kind = VAL_BUILTIN, .builtin = {.builtin = builtin_find(e, "where")}};
    const Val *vals[3] = {condition, a, b};
    Args args = {0};
    for (int i = 0; i < 3; i++) {
        Arg arg = {NULL, span, {0}, NULL, vals[i], false};
        vec_push(e->arena, &args, arg);
    }
    return builtin_call(e, &callee, &args, NULL, span);
}

static bool is_bool(const Val *v) { return v->kind == VAL_TENSOR && v->tensor.type->dtype == DTYPE_bool; }

/* --- operators */
/* `a and b`: b is wanted where a is true. */
static const Val *logical(Elab *e, const AstExpr *x) {
    const AstExpr *left = x->binary.left, *right = x->binary.right;
    const Val *a = equation_expr(e, left);
    if (val_poisoned(a)) return a;
    const Val *outside = e->equation->guard;
    if (is_bool(a)) guard_push(e, x->binary.op == AST_AND ? a : negated(e, a, left->span), left->span);
    const Val *b = equation_expr(e, right);
    e->equation->guard = outside;
    return op_binary(e, x->binary.op, a, left->span, b, right->span, x->binary.op_span);
}

static const Val *binary(Elab *e, const AstExpr *x) {
    if (x->binary.op == AST_AND || x->binary.op == AST_OR) return logical(e, x);
    if (x->binary.op == AST_MATMUL)
        return refuse(e, x->binary.op_span, "`@`", "a product of matrices is `sum(a[i, k] * b[k, j] for k)`");
    const AstExpr *left = x->binary.left, *right = x->binary.right;
    const Val *a = equation_expr(e, left), *b = equation_expr(e, right);
    return op_binary(e, x->binary.op, a, left->span, b, right->span,
                     x->binary.op_span.source ? x->binary.op_span : x->span);
}

/* --- branches */
/* In a function's body: what comes after a block that hasn't returned, and the scope that it is in. */
typedef struct Rest Rest;
struct Rest {
    const AstStmt *stmts;
    Scope *scope;
    const Rest *next; /* NULL: after it the function ends */
};

/* The value of a block: of an `if` (`rest` is NULL), or of a function's body. */
static const Val *block(Elab *e, const AstStmt *stmts, const Rest *rest, Span span);

static bool condition(Elab *e, const AstExpr *x, const Val **v) {
    *v = equation_expr(e, x);
    if (val_poisoned(*v)) return false;
    if (is_bool(*v)) return true;
    diag_report(e->diags, D_CONDITION, x->span, val_type_text(e, *v));
    return false;
}

static const Val *same_type(Elab *e, const Val *a, const Val **b, Span span) {
    if (val_poisoned(a) || val_poisoned(*b)) return e->poison;
    if (a->kind == VAL_NUMBER && (*b)->kind == VAL_TENSOR)
        return op_literal_as(e, a, (*b)->tensor.type->dtype, span);
    if ((*b)->kind == VAL_NUMBER && a->kind == VAL_TENSOR)
        *b = op_literal_as(e, *b, a->tensor.type->dtype, span);
    if (a->kind != VAL_TENSOR || (*b)->kind != VAL_TENSOR ||
        a->tensor.type->dtype == (*b)->tensor.type->dtype)
        return a;
    diag_report(e->diags, D_BRANCH_TYPES, span, type_text_nn(e, type_scalar(e->ir, a->tensor.type->dtype)),
                type_text_nn(e, type_scalar(e->ir, (*b)->tensor.type->dtype)));
    return e->poison;
}

/* `then` where the condition holds; elsewhere `otherwise`. */
static const Val *choose(Elab *e, const AstExpr *condition_expr, const AstStmt *then,
                         const AstStmt *otherwise, const Rest *rest, Span span) {
    const Val *c;
    bool known;
    if (!condition(e, condition_expr, &c)) return e->poison;
    if (val_static_bool(c, &known)) {
        const Val *one = block(e, known ? then : otherwise, rest, span);
        return branch_joined(e, condition_expr, one, span);
    }
    const Val *outside = guard_push(e, c, condition_expr->span);
    const Val *a = block(e, then, rest, span);
    e->equation->guard = outside;
    guard_push(e, negated(e, c, condition_expr->span), condition_expr->span);
    const Val *b = block(e, otherwise, rest, span);
    e->equation->guard = outside;
    a = same_type(e, a, &b, span);
    return equation_where(e, c, a, b, span);
}

static bool stmt_spread(Elab *e, const AstStmt *stmt) {
    AstStmt one = *stmt;
    one.next = NULL;
    AstExpr wrapped = {.kind = AST_IF, .span = stmt->span};
    AstExpr truth = {.kind = AST_BOOL, .span = stmt->span, .boolean = true};
    wrapped.branch.condition = &truth;
    wrapped.branch.then = &one;
    return equation_spread(e, &wrapped);
}

static void let_spread(Elab *e, const AstStmt *stmt) {
    const AstPattern *pattern = stmt->let.pattern;
    const Val *v = equation_expr(e, stmt->let.value);
    if (!pattern->name.text) {
        v = unsupported(e, pattern->span, "taking a value apart in index notation");
        return;
    }
    Fit fit = {"the value", stmt->let.value->span, pattern->type ? pattern->type->span : pattern->span,
               false};
    if (pattern->type && !val_poisoned(v)) v = equation_fit(e, pattern->type, v, e->scope, fit);
    if (pattern->name.text == el_name(e, "_")) return;
    scope_declare(e, pattern->name, val_settled(e, v, fit.value), false)->spread = true;
}

/* Runs the statement, which is not the block's value. False after reporting. */
static bool statement(Elab *e, const AstStmt *stmt) {
    AstStmt one = *stmt;
    one.next = NULL;
    if (!syntax_returns(&one) && !stmt_spread(e, stmt)) {
        el_stmts(e, &one);
        return true;
    }
    if (stmt->kind == AST_LET) {
        let_spread(e, stmt);
        return true;
    }
    unsupported(e, stmt->span, "a statement like this one, element by element,");
    return false;
}

/* The value of one statement of a block, where it is what gives the block its value; otherwise runs it. */
static const Val *value_of(Elab *e, const AstStmt *stmt, const Rest *rest) {
    AstStmt one = *stmt;
    one.next = NULL;
    if (rest && stmt->kind == AST_RETURN && stmt->value) return equation_expr(e, stmt->value);
    if (!rest && stmt->kind == AST_EXPR && !stmt->next) return equation_expr(e, stmt->value);
    bool branches = rest ? syntax_returns(&one) : !stmt->next;
    if (stmt->kind != AST_IF_STMT || !branches) return statement(e, stmt) ? NULL : e->poison;
    Rest after = {stmt->next, e->scope, rest};
    return choose(e, stmt->branch.condition, stmt->branch.then, stmt->branch.otherwise, rest ? &after : NULL,
                  stmt->span);
}

/* What follows a block of a function's body, where the block stands. */
static const Val *go_on(Elab *e, const Rest *rest, Span span) {
    Scope *inside = e->scope;
    e->scope = rest->scope;
    const Val *v = block(e, rest->stmts, rest->next, span);
    e->scope = inside;
    return v;
}

static const Val *block(Elab *e, const AstStmt *stmts, const Rest *rest, Span span) {
    if (!el_budget(e, span)) return e->poison;
    scope_push(e);
    const Val *v = NULL;
    for (; stmts && !v; stmts = stmts->next) v = value_of(e, stmts, rest);
    if (!v && rest && rest->next) v = go_on(e, rest, span);
    scope_pop(e);
    if (v) return v;
    diag_report(e->diags, D_NO_VALUE, span, "nothing");
    return e->poison;
}

/* --- calls */
static bool is_elementwise(const Builtin *b, uint32_t arguments) {
    if (b->body == builtin_minmax) return arguments == 2;
    return b->body == builtin_unary || b->body == builtin_unary_float || b->body == builtin_finite ||
           b->body == builtin_stop || b->body == builtin_pair || b->body == builtin_where;
}

static const Val *call_builtin(Elab *e, const Val *f, const Args *args, Span span) {
    const Builtin *b = f->builtin.builtin;
    if (is_elementwise(b, args->count)) return builtin_call(e, f, args, NULL, span);
    bool reduces = b->op >= OP_reduce_sum && b->op <= OP_argmin;
    return refuse(e, span, arena_printf(e->arena, "`%s`", builtin_name(b)),
                  reduces ? "to reduce over an index, name it: `sum(x[i, k] for k)`"
                          : "compute it first, and index the result");
}

static bool changes_arguments(const Val *f) {
    const AstDecl *decl = f->kind == VAL_FUNCTION ? f->function.decl : NULL;
    for (const AstParam *p = decl ? decl->fn.params : NULL; p; p = p->next)
        if (p->inout) return true;
    return false;
}

/* Arguments without indices are elaborated by the call, which knows what it expects. */
static bool add_argument(Elab *e, Args *args, const AstName *name, const AstExpr *x) {
    Span nowhere = {0};
    Arg arg = {name ? name->text : NULL, x->span, name ? name->span : nowhere, x, NULL, false};
    if (equation_spread(e, x)) {
        arg.expr = NULL;
        arg.val = equation_expr(e, x);
        arg.spread = true;
        if (val_poisoned(arg.val)) return false;
    }
    vec_push(e->arena, args, arg);
    return true;
}

/* What is called; the object of a method is the first argument. NULL after reporting. */
static const Val *called(Elab *e, const AstExpr *callee, Args *args) {
    if (!equation_spread(e, callee)) {
        const Val *f = el_expr(e, callee, NULL);
        return val_poisoned(f) ? NULL : f;
    }
    const Builtin *b = callee->kind == AST_FIELD ? builtin_method(e, callee->field.field.text) : NULL;
    if (!b) {
        refuse(e, callee->span, "this call", NULL);
        return NULL;
    }
    if (!add_argument(e, args, NULL, callee->field.object)) return NULL;
    return val_copy(e, (Val){.kind = VAL_BUILTIN, .builtin = {.builtin = b}});
}

static const Val *one_element(Elab *e, const Val *v, Span span) {
    if (val_poisoned(v) || v->kind == VAL_NUMBER || v->kind == VAL_TENSOR) return v;
    diag_report(e->diags, D_INDEX_ELEMENT, span, val_type_text(e, v));
    return e->poison;
}

/* `first`: the left side of a pipe, or NULL. */
static const Val *call(Elab *e, const AstExpr *first, const AstExpr *callee, const AstArg *rest, Span span) {
    Args args = {0};
    const Val *f = called(e, callee, &args);
    bool ok = f != NULL;
    if (first) ok = ok && add_argument(e, &args, NULL, first);
    for (; rest; rest = rest->next) ok = ok && add_argument(e, &args, &rest->name, rest->value);
    if (!ok) return e->poison;
    if (f->kind == VAL_BUILTIN) return call_builtin(e, f, &args, span);
    if (changes_arguments(f)) return refuse(e, span, "a function that changes its arguments", NULL);
    if (f->kind != VAL_FUNCTION && f->kind != VAL_MODEL && f->kind != VAL_DTYPE)
        return refuse(e, span, val_type_text(e, f), NULL);
    return one_element(e, call_value(e, f, callee, &args, NULL, span), span);
}

static const Val *pipe(Elab *e, const AstExpr *x) {
    const AstExpr *left = x->binary.left, *right = x->binary.right;
    if (right->kind == AST_CALL) return call(e, left, right->call.callee, right->call.args, x->span);
    return call(e, left, right, NULL, x->span);
}

/* --- functions of elements */
static DType dtype_of(Elab *e, const Val *v) {
    if (v->kind == VAL_TENSOR) return v->tensor.type->dtype;
    return v->number.is_float ? e->float_type : DTYPE_i64;
}

const Val *equation_fit(Elab *e, const AstType *type, const Val *v, Scope *scope, Fit fit) {
    if (val_poisoned(v)) return v;
    const Val *element = v->kind == VAL_NUMBER ? v : val_known(e, type_scalar(e->ir, dtype_of(e, v)), 0);
    const Val *fitted = unify(e, type, element, scope, fit);
    return val_poisoned(fitted) || v->kind == VAL_NUMBER ? fitted : v;
}

const Val *equation_body(Elab *e, const Frame *frame) {
    const AstDecl *decl = frame->decl;
    Equation *q = e->equation;
    Map *objects = q->objects; /* those of the caller: the same syntax may mean other values here */
    q->objects = map_new(e->arena);
    Span span = decl->fn.value ? decl->fn.value->span : decl->name.span;
    const Rest end = {.scope = e->scope};
    const Val *v = decl->fn.value ? equation_expr(e, decl->fn.value) : block(e, decl->fn.body, &end, span);
    q->objects = objects;
    if (!decl->fn.result || val_poisoned(v)) return decl->fn.result ? v : e->unit;
    return equation_fit(e, decl->fn.result, v, e->scope,
                        (Fit){"the result", span, decl->fn.result->span, false});
}

/* --- entry */
static const Val *dispatch(Elab *e, const AstExpr *x) {
    switch (x->kind) {
    case AST_NAME: return scope_read(e, x->name);
    case AST_CALL: return call(e, NULL, x->call.callee, x->call.args, x->span);
    case AST_PIPE: return pipe(e, x);
    case AST_INDEXING: return equation_access(e, x);
    case AST_UNARY: return op_unary(e, x->unary.op, equation_expr(e, x->unary.operand), x->span);
    case AST_BINARY: return binary(e, x);
    case AST_REDUCTION: return equation_reduce(e, x);
    case AST_IF: return choose(e, x->branch.condition, x->branch.then, x->branch.otherwise, NULL, x->span);
    case AST_INT:
    case AST_FLOAT:
    case AST_BOOL:
    case AST_STRING:
    case AST_FIELD:
    case AST_RANGE:
    case AST_TUPLE:
    case AST_LIST:
    case AST_COMPREHENSION: break;
    }
    return refuse(e, x->span, "this",
                  "an equation says what a single number is, for all values of its indices");
}

const Val *equation_expr(Elab *e, const AstExpr *x) {
    if (!el_budget(e, x->span) || !el_deeper(e, x->span)) return e->poison;
    const Val *v = equation_spread(e, x) ? dispatch(e, x) : uniform(e, x);
    e->depth--;
    return v;
}
