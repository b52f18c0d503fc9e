/* Statements. After one that control may leave by, the rest of the block runs only where it has not left. */
#include "frontend/elaborate.h"

/* --- binding */
static void bind_parts(Elab *e, const AstPattern *pattern, const Val *v, bool is_mutable, Span span) {
    uint32_t count = 0, at = 0;
    for (const AstPattern *p = pattern->parts; p; p = p->next) count++;
    const Val *const *items = NULL;
    if (v->kind == VAL_TUPLE || v->kind == VAL_LIST) {
        items = v->list.items;
        at = v->list.count;
    } else if (v->kind == VAL_TENSOR && v->tensor.type->rank && dim_is(v->tensor.type->dims[0], count)) {
        /* A tensor comes apart along its first axis. */
        const Val **slices = ARENA_ARRAY(e->arena, const Val *, count);
        for (at = 0; at < count; at++) {
            AstExpr number = {.kind = AST_INT, .span = pattern->span};
            number.integer.value = at;
            AstIndex index = {.kind = AST_INDEX_EXPR, .span = pattern->span, .value = &number};
            slices[at] = select_read(e, v, select_resolve(e, v->tensor.type, &index, span), span);
        }
        items = slices;
    }
    if (!val_poisoned(v) && (!items || at != count)) {
        Diagnostic *d = diag_report(e->diags, D_PATTERN, pattern->span, (int)count, val_type_text(e, v));
        diag_label(d, span, "this is %s", val_type_text(e, v));
        items = NULL;
    }
    at = 0;
    for (const AstPattern *p = pattern->parts; p; p = p->next)
        bind_pattern(e, p, items ? items[at++] : e->poison, is_mutable, span);
}

void bind_pattern(Elab *e, const AstPattern *pattern, const Val *v, bool is_mutable, Span span) {
    if (pattern->type)
        v = unify(e, pattern->type, v, e->scope, (Fit){"the value", span, pattern->type->span, false});
    if (!pattern->name.text) {
        bind_parts(e, pattern, v, is_mutable, span);
        return;
    }
    if (pattern->name.text == el_name(e, "_")) return;
    v = val_settled(e, v, span);
    Binding *b = scope_declare(e, pattern->name, v, is_mutable);
    if (pattern->type && !val_poisoned(v)) b->type = ty_of(e, v);
    val_name(e, v, pattern->name.text);
}

/* `let (v, i) = max(x, axis=1)`, which gives no places. */
static bool report_places(Elab *e, const AstPattern *pattern, const AstExpr *value, const Val *v) {
    bool pair = pattern->parts && pattern->parts->next && !pattern->parts->next->next;
    const Node *node = v->kind == VAL_TENSOR && v->tensor.value ? v->tensor.value->node : NULL;
    if (!pair || !node || (node->op != OP_reduce_max && node->op != OP_reduce_min)) return false;
    if (v->tensor.type->rank && dim_is(v->tensor.type->dims[0], 2)) return false;
    Diagnostic *d = diag_report(e->diags, D_PATTERN, pattern->span, 2, val_type_text(e, v));
    diag_label(d, value->span, "this is %s", val_type_text(e, v));
    const char *name = node->op == OP_reduce_max ? "max" : "min";
    diag_help(d, "`%s` gives the values alone, `arg%s` their places; `topk` gives both", name, name);
    return true;
}

static void let_stmt(Elab *e, const AstStmt *stmt) {
    const AstPattern *pattern = stmt->let.pattern;
    const Ty *expected = pattern->type ? ty_resolve(e, pattern->type, e->scope, true) : NULL;
    const Val *v = el_value(e, stmt->let.value, expected);
    if (report_places(e, pattern, stmt->let.value, v)) v = e->poison;
    bind_pattern(e, pattern, v, stmt->kind == AST_VAR, stmt->let.value->span);
}

/* --- assignment */
static void assign_tuple(Elab *e, const AstExpr *target, const Val *v, Span span);

static void assign_to(Elab *e, const AstExpr *target, const Val *v, Span span) {
    if (target->kind == AST_TUPLE) {
        assign_tuple(e, target, v, span);
        return;
    }
    if (target->kind == AST_NAME && target->name.text == el_name(e, "_")) return;
    const Target *place = el_target(e, target, true);
    if (place) target_write(e, place, v, span);
}

static void assign_tuple(Elab *e, const AstExpr *target, const Val *v, Span span) {
    uint32_t count = 0, i = 0;
    for (const AstExpr *x = target->items; x; x = x->next) count++;
    if (val_poisoned(v)) return;
    if (v->kind != VAL_TUPLE || v->list.count != count) {
        Diagnostic *d = diag_report(e->diags, D_PATTERN, target->span, (int)count, val_type_text(e, v));
        diag_label(d, span, "this is %s", val_type_text(e, v));
        return;
    }
    for (const AstExpr *x = target->items; x; x = x->next) assign_to(e, x, v->list.items[i++], span);
}

/* What goes there, where that is known without reading a slice. */
static const Ty *target_type(Elab *e, const Target *place) {
    for (uint32_t i = 0; i < place->count; i++)
        if (place->steps[i].kind == STEP_SELECT) return NULL;
    if (place->count == 0 && place->root->type) return place->root->type;
    return ty_of(e, target_read(e, place));
}

/* `count += 0.5`: the variable's type is what is wrong. Reports it. */
static bool fraction_to_integer(Elab *e, const Val *old, Span target, const Val *v, Span value) {
    bool fraction = v->kind == VAL_NUMBER ? v->number.is_float
                                          : v->kind == VAL_TENSOR && dtype_is_float(v->tensor.type->dtype);
    if (!fraction || old->kind != VAL_TENSOR || !dtype_is_integer(old->tensor.type->dtype)) return false;
    Diagnostic *d = diag_report(e->diags, D_TYPE_MISMATCH, value, "what is assigned", val_type_text(e, old),
                                val_type_text(e, v));
    diag_here(d, "this is %s", val_type_text(e, v));
    diag_label(d, target, "this is %s", val_type_text(e, old));
    diag_help(d, "make the variable a float where it is declared: `0.0` is one, `0` is not");
    return true;
}

static void assign_stmt(Elab *e, const AstStmt *stmt) {
    const AstExpr *target = stmt->assign.target, *value = stmt->assign.value;
    if (stmt->assign.compound) {
        const Target *place = el_target(e, target, true);
        const Val *old = place ? target_read(e, place) : e->poison;
        const Val *v = el_value(e, value, NULL);
        if (place && fraction_to_integer(e, old, target->span, v, value->span)) return;
        if (place)
            target_write(e, place,
                         op_binary(e, stmt->assign.op, old, target->span, v, value->span, stmt->span),
                         value->span);
        return;
    }
    if (target->kind == AST_TUPLE || (target->kind == AST_NAME && target->name.text == el_name(e, "_"))) {
        assign_to(e, target, el_value(e, value, NULL), value->span);
        return;
    }
    const Target *place = el_target(e, target, true);
    const Val *v = el_value(e, value, place ? target_type(e, place) : NULL);
    if (place) target_write(e, place, v, value->span);
}

/* --- expressions as statements */
/* Where the value at the end of a function is computed and not returned, that is what is wrong. */
static bool forgets_return(Elab *e, const AstStmt *stmt, const Val *v) {
    Frame *frame = e->frame;
    bool known;
    if (!e->checking || !frame || !frame->result || frame->decl->kind != AST_FN ||
        !syntax_ends_in(frame->decl->fn.body, stmt) ||
        (val_static_bool(frame->returned->value, &known) && known))
        return false;
    Diagnostic *d =
        diag_report(e->diags, D_NO_RETURN, stmt->span, frame->decl->name.text, ty_text(e, frame->result));
    diag_here(d, "this is %s, and is not returned", val_type_text(e, v));
    if (frame->decl->fn.result) diag_label(d, frame->decl->fn.result->span, "declared here");
    diag_help(d, "write `return %s`", el_source(e, stmt->span));
    frame->value->value = e->poison;
    frame->returned->value = val_bool(e, true);
    return true;
}

static void expr_stmt(Elab *e, const AstStmt *stmt) {
    const Val *v = el_expr(e, stmt->value, NULL);
    if (val_poisoned(v) || v->kind == VAL_UNIT || forgets_return(e, stmt, v)) return;
    Diagnostic *d = diag_report(e->diags, D_UNUSED_RESULT, stmt->span);
    diag_here(d, "this is %s", val_type_text(e, v));
    bool sign = stmt->value->kind == AST_UNARY && stmt->value->unary.op != AST_NOT;
    if (sign)
        diag_help(d, "to go on with the line above, end that with the `%s`",
                  stmt->value->unary.op == AST_NEG ? "-" : "+");
    else
        diag_help(d, "`let _ = …` says that it is not needed; a `return` may be missing");
}

/* --- branches */
/* A condition: static, a value, or poison. */
static const Val *condition_value(Elab *e, const AstExpr *expr) {
    const Val *v = el_value(e, expr, NULL);
    if (val_poisoned(v) || val_is_scalar(v, DTYPE_bool)) return v;
    Diagnostic *d = diag_report(e->diags, D_CONDITION, expr->span, val_type_text(e, v));
    if (v->kind == VAL_TENSOR && v->tensor.type->dtype == DTYPE_bool)
        diag_help(d, "`any(…)` or `all(…)` makes one bool of many");
    else if (v->kind == VAL_NUMBER || v->kind == VAL_TENSOR)
        diag_help(d, "compare it: `%s != 0`", el_source(e, expr->span));
    return e->poison;
}

static void if_stmt(Elab *e, const AstStmt *stmt) {
    const AstExpr *condition = stmt->branch.condition;
    const Val *v = condition_value(e, condition);
    bool known;
    if (val_static_bool(v, &known)) {
        const Block *outside = e->unrolled;
        e->unrolled = e->block;
        el_block(e, known ? stmt->branch.then : stmt->branch.otherwise);
        e->unrolled = outside;
        return;
    }
    Branch *branch =
        branch_new(e, val_value(e, val_poisoned(v) ? val_bool(e, true) : v, condition->span), stmt->span);
    branch_enter(e, branch, 0);
    el_block(e, stmt->branch.then);
    branch_enter(e, branch, 1);
    el_block(e, stmt->branch.otherwise);
    branch_join(e, branch, NULL, NULL, stmt->span, stmt->span);
}

const Val *el_if_value(Elab *e, const AstExpr *condition, const AstStmt *then, const AstStmt *otherwise,
                       const Ty *expected, Span span) {
    const Val *v = condition_value(e, condition);
    bool known;
    if (val_static_bool(v, &known)) {
        /* Checked with an unknown condition, the literals of this side had the types of the other's values.
         */
        const Val *one = el_block_value(e, known ? then : otherwise, expected, span);
        return branch_joined(e, condition, one, span);
    }
    Branch *branch =
        branch_new(e, val_value(e, val_poisoned(v) ? val_bool(e, true) : v, condition->span), span);
    branch_enter(e, branch, 0);
    const Val *a = el_block_value(e, then, expected, span);
    branch_enter(e, branch, 1);
    const Val *b =
        el_block_value(e, otherwise, a->kind == VAL_TENSOR && !expected ? ty_of(e, a) : expected, span);
    Span a_span = then ? then->span : span, b_span = otherwise ? otherwise->span : span;
    const Val *both = branch_join(e, branch, a, b, a_span, b_span);
    if (e->checking) map_put(e->joined, condition, (void *)both);
    return both;
}

const Val *el_block_value(Elab *e, const AstStmt *stmts, const Ty *expected, Span span) {
    scope_push(e);
    const Val *v = NULL;
    for (; stmts && !v; stmts = stmts->next) {
        if (!stmts->next && stmts->kind == AST_EXPR)
            v = el_value(e, stmts->value, expected);
        else if (!stmts->next && stmts->kind == AST_IF_STMT)
            v = el_if_value(e, stmts->branch.condition, stmts->branch.then, stmts->branch.otherwise, expected,
                            stmts->span);
        else if (stmts->kind == AST_RETURN || stmts->kind == AST_BREAK || stmts->kind == AST_CONTINUE) {
            diag_report(e->diags, D_LEAVES_EXPRESSION, stmts->span);
            v = e->poison;
        } else {
            AstStmt one = *stmts;
            one.next = NULL;
            el_stmts(e, &one);
        }
    }
    scope_pop(e);
    if (v) return v;
    Diagnostic *d = diag_report(e->diags, D_NO_VALUE, span, "nothing");
    diag_help(d, "both branches of an `if` that is used as a value end in an expression");
    return e->poison;
}

/* --- leaving */
static void returns_nothing(Elab *e, const AstStmt *stmt, const Val *v) {
    const AstDecl *decl = e->frame->decl;
    if (val_poisoned(v)) return;
    Diagnostic *d = diag_report(e->diags, D_RETURNS_NOTHING, stmt->value->span, decl->name.text);
    diag_here(d, "this is %s", val_type_text(e, v));
    diag_label(d, decl->name.span, "declared here");
    if (decl->kind == AST_COMMAND)
        diag_help(d, "a command returns nothing: print the value, or save it");
    else
        diag_help(d, "declare the type of its result: `-> %s {`", val_type_text(e, v));
}

static void return_stmt(Elab *e, const AstStmt *stmt) {
    Frame *frame = e->frame;
    if (stmt->value) {
        const Val *v = el_value(e, stmt->value, frame->result);
        if (!frame->result) {
            returns_nothing(e, stmt, v);
        } else {
            Span declared = frame->decl->kind == AST_FN && frame->decl->fn.result
                                ? frame->decl->fn.result->span
                                : stmt->span;
            frame->value->value =
                fit_type(e, frame->result, v, (Fit){"what is returned", stmt->value->span, declared, false});
        }
    } else if (frame->result) {
        diag_report(e->diags, D_NO_RETURN, stmt->span, frame->decl->name.text, ty_text(e, frame->result));
        frame->value->value = e->poison;
    }
    frame->returned->value = val_bool(e, true);
}

static void leave_loop(Elab *e, const AstStmt *stmt) {
    bool is_break = stmt->kind == AST_BREAK;
    Binding *flag = is_break ? e->frame->broke : e->frame->continued;
    if (flag)
        flag->value = val_bool(e, true);
    else
        diag_report(e->diags, D_OUTSIDE_LOOP, stmt->span, is_break ? "break" : "continue");
}

static void training_stmt(Elab *e, const AstStmt *stmt) {
    const Val *outside = e->training;
    e->training = val_bool(e, true);
    el_block(e, stmt->body);
    e->training = outside;
}

static void one_stmt(Elab *e, const AstStmt *stmt) {
    switch (stmt->kind) {
    case AST_LET:
    case AST_VAR: let_stmt(e, stmt); return;
    case AST_EQUATION: el_equation(e, stmt); return;
    case AST_ASSIGN: assign_stmt(e, stmt); return;
    case AST_EXPR: expr_stmt(e, stmt); return;
    case AST_IF_STMT: if_stmt(e, stmt); return;
    case AST_FOR: el_for(e, stmt); return;
    case AST_WHILE: el_while(e, stmt); return;
    case AST_BREAK:
    case AST_CONTINUE: leave_loop(e, stmt); return;
    case AST_RETURN: return_stmt(e, stmt); return;
    case AST_TRAINING: break;
    }
    training_stmt(e, stmt);
}

/* In here control has left: by the one way that there is, where there is just one. */
static void set_flag(Elab *e) {
    Binding *flags[3] = {e->frame->returned, e->frame->broke, e->frame->continued}, *only = NULL;
    bool known;
    for (int i = 0; i < 3; i++) {
        if (!flags[i] || (val_static_bool(flags[i]->value, &known) && !known)) continue;
        if (only) return;
        only = flags[i];
    }
    if (only) only->value = val_bool(e, true);
}

/* In here control has not left. */
static void clear_flags(Elab *e) {
    Binding *flags[3] = {e->frame->returned, e->frame->broke, e->frame->continued};
    for (int i = 0; i < 3; i++)
        if (flags[i]) flags[i]->value = val_bool(e, false);
}

void el_stmts(Elab *e, const AstStmt *stmts) {
    for (; stmts; stmts = stmts->next) {
        if (!el_budget(e, stmts->span)) return;
        one_stmt(e, stmts);
        const Val *left = control_left(e, stmts->span);
        bool known;
        if (!stmts->next) return;
        if (val_static_bool(left, &known)) {
            if (!known) continue;
            bool plain = stmts->kind == AST_RETURN || stmts->kind == AST_BREAK || stmts->kind == AST_CONTINUE;
            if (e->checking && plain) diag_report(e->diags, D_UNREACHABLE, stmts->next->span);
            return;
        }
        Branch *branch = branch_new(e, val_value(e, left, stmts->span), stmts->span);
        branch_enter(e, branch, 0);
        set_flag(e);
        branch_enter(e, branch, 1);
        clear_flags(e);
        el_stmts(e, stmts->next);
        branch_join(e, branch, NULL, NULL, stmts->span, stmts->span);
        return;
    }
}

void el_block(Elab *e, const AstStmt *stmts) {
    scope_push(e);
    el_stmts(e, stmts);
    scope_pop(e);
}
