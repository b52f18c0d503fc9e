/* Questions that the syntax tree alone answers: which names occur in a body, and how control can leave it. */
#include "frontend/elaborate.h"

static bool expr_mentions(const AstExpr *x, const char *name);

static bool string_mentions(const AstStringPart *part, const char *name) {
    for (; part; part = part->next)
        if (part->value && expr_mentions(part->value, name)) return true;
    return false;
}

static bool call_mentions(const AstExpr *x, const char *name) {
    if (expr_mentions(x->call.callee, name)) return true;
    for (const AstArg *arg = x->call.args; arg; arg = arg->next)
        if (expr_mentions(arg->value, name)) return true;
    return false;
}

static bool indices_mention(const AstIndex *index, const char *name) {
    for (; index; index = index->next)
        if (expr_mentions(index->value, name) || expr_mentions(index->start, name) ||
            expr_mentions(index->stop, name) || expr_mentions(index->step, name))
            return true;
    return false;
}

static bool binders_mention(const AstBinder *binder, const char *name) {
    for (; binder; binder = binder->next)
        if (expr_mentions(binder->range, name)) return true;
    return false;
}

static bool expr_mentions(const AstExpr *x, const char *name) {
    if (!x) return false;
    switch (x->kind) {
    case AST_INT:
    case AST_FLOAT:
    case AST_BOOL: return false;
    case AST_STRING: return string_mentions(x->string, name);
    case AST_NAME: return x->name.text == name;
    case AST_FIELD: return expr_mentions(x->field.object, name);
    case AST_CALL: return call_mentions(x, name);
    case AST_INDEXING:
        return expr_mentions(x->indexing.object, name) || indices_mention(x->indexing.indices, name);
    case AST_UNARY: return expr_mentions(x->unary.operand, name);
    case AST_BINARY:
    case AST_PIPE: return expr_mentions(x->binary.left, name) || expr_mentions(x->binary.right, name);
    case AST_RANGE: return expr_mentions(x->range.start, name) || expr_mentions(x->range.stop, name);
    case AST_TUPLE:
    case AST_LIST:
        for (const AstExpr *item = x->items; item; item = item->next)
            if (expr_mentions(item, name)) return true;
        return false;
    case AST_COMPREHENSION:
    case AST_REDUCTION:
        return expr_mentions(x->reduction.body, name) || binders_mention(x->reduction.binders, name);
    case AST_IF: break;
    }
    return expr_mentions(x->branch.condition, name) || syntax_mentions(x->branch.then, name) ||
           syntax_mentions(x->branch.otherwise, name);
}

static bool stmt_mentions(const AstStmt *s, const char *name) {
    switch (s->kind) {
    case AST_LET:
    case AST_VAR: return expr_mentions(s->let.value, name);
    case AST_EQUATION:
        return expr_mentions(s->equation.value, name) || binders_mention(s->equation.indices, name);
    case AST_ASSIGN: return expr_mentions(s->assign.target, name) || expr_mentions(s->assign.value, name);
    case AST_EXPR:
    case AST_RETURN: return expr_mentions(s->value, name);
    case AST_IF_STMT:
        return expr_mentions(s->branch.condition, name) || syntax_mentions(s->branch.then, name) ||
               syntax_mentions(s->branch.otherwise, name);
    case AST_FOR: return expr_mentions(s->loop.over, name) || syntax_mentions(s->loop.body, name);
    case AST_WHILE: return expr_mentions(s->whilst.condition, name) || syntax_mentions(s->whilst.body, name);
    case AST_TRAINING: return syntax_mentions(s->body, name);
    case AST_BREAK:
    case AST_CONTINUE: break;
    }
    return false;
}

bool syntax_mentions(const AstStmt *stmts, const char *name) {
    for (; stmts; stmts = stmts->next)
        if (stmt_mentions(stmts, name)) return true;
    return false;
}

/* `breaks`: a break counts (not inside an inner loop, which it would leave instead). */
static bool leaves(const AstStmt *s, bool breaks) {
    for (; s; s = s->next) {
        if (s->kind == AST_RETURN || (s->kind == AST_BREAK && breaks)) return true;
        if (s->kind == AST_IF_STMT && (leaves(s->branch.then, breaks) || leaves(s->branch.otherwise, breaks)))
            return true;
        if (s->kind == AST_FOR && leaves(s->loop.body, false)) return true;
        if (s->kind == AST_WHILE && leaves(s->whilst.body, false)) return true;
        if (s->kind == AST_TRAINING && leaves(s->body, breaks)) return true;
    }
    return false;
}

bool syntax_leaves(const AstStmt *body) { return leaves(body, true); }

bool syntax_returns(const AstStmt *body) { return leaves(body, false); }

bool syntax_returns_value(const AstStmt *body) {
    for (const AstStmt *s = body; s; s = s->next) {
        bool here = s->kind == AST_RETURN && s->value;
        if (s->kind == AST_IF_STMT)
            here = syntax_returns_value(s->branch.then) || syntax_returns_value(s->branch.otherwise);
        if (s->kind == AST_FOR) here = syntax_returns_value(s->loop.body);
        if (s->kind == AST_WHILE) here = syntax_returns_value(s->whilst.body);
        if (s->kind == AST_TRAINING) here = syntax_returns_value(s->body);
        if (here) return true;
    }
    return false;
}

bool syntax_ends_in(const AstStmt *body, const AstStmt *stmt) {
    while (body && body->next) body = body->next;
    if (!body || body == stmt) return body != NULL;
    return body->kind == AST_IF_STMT &&
           (syntax_ends_in(body->branch.then, stmt) || syntax_ends_in(body->branch.otherwise, stmt));
}
