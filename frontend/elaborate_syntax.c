/* Questions that the syntax tree alone answers: which names occur in a body, and how control can leave it. */
#include "frontend/elaborate.h"

static void visit_string(const AstStringPart *part, SyntaxVisit *enter, void *user) {
    for (; part; part = part->next) syntax_visit(part->value, enter, user);
}

static void visit_call(const AstExpr *x, SyntaxVisit *enter, void *user) {
    syntax_visit(x->call.callee, enter, user);
    for (const AstArg *arg = x->call.args; arg; arg = arg->next) syntax_visit(arg->value, enter, user);
}

static void visit_indices(const AstIndex *index, SyntaxVisit *enter, void *user) {
    for (; index; index = index->next) {
        syntax_visit(index->value, enter, user);
        syntax_visit(index->start, enter, user);
        syntax_visit(index->stop, enter, user);
        syntax_visit(index->step, enter, user);
    }
}

static void visit_binders(const AstBinder *binder, SyntaxVisit *enter, void *user) {
    for (; binder; binder = binder->next) syntax_visit(binder->range, enter, user);
}

static void visit_two(const AstExpr *a, const AstExpr *b, SyntaxVisit *enter, void *user) {
    syntax_visit(a, enter, user);
    syntax_visit(b, enter, user);
}

void syntax_visit(const AstExpr *x, SyntaxVisit *enter, void *user) {
    if (!x || !enter(user, x)) return;
    switch (x->kind) {
    case AST_INT:
    case AST_FLOAT:
    case AST_BOOL:
    case AST_NAME: return;
    case AST_STRING: visit_string(x->string, enter, user); return;
    case AST_FIELD: syntax_visit(x->field.object, enter, user); return;
    case AST_CALL: visit_call(x, enter, user); return;
    case AST_INDEXING:
        syntax_visit(x->indexing.object, enter, user);
        visit_indices(x->indexing.indices, enter, user);
        return;
    case AST_UNARY: syntax_visit(x->unary.operand, enter, user); return;
    case AST_BINARY:
    case AST_PIPE: visit_two(x->binary.left, x->binary.right, enter, user); return;
    case AST_RANGE: visit_two(x->range.start, x->range.stop, enter, user); return;
    case AST_TUPLE:
    case AST_LIST:
        for (const AstExpr *item = x->items; item; item = item->next) syntax_visit(item, enter, user);
        return;
    case AST_COMPREHENSION:
    case AST_REDUCTION:
        syntax_visit(x->reduction.body, enter, user);
        visit_binders(x->reduction.binders, enter, user);
        return;
    case AST_IF: break;
    }
    syntax_visit(x->branch.condition, enter, user);
    syntax_visit_stmts(x->branch.then, enter, user);
    syntax_visit_stmts(x->branch.otherwise, enter, user);
}

static void visit_stmt(const AstStmt *s, SyntaxVisit *enter, void *user) {
    switch (s->kind) {
    case AST_LET:
    case AST_VAR: syntax_visit(s->let.value, enter, user); return;
    case AST_EQUATION:
        syntax_visit(s->equation.value, enter, user);
        visit_binders(s->equation.indices, enter, user);
        return;
    case AST_ASSIGN: visit_two(s->assign.target, s->assign.value, enter, user); return;
    case AST_EXPR:
    case AST_RETURN: syntax_visit(s->value, enter, user); return;
    case AST_IF_STMT:
        syntax_visit(s->branch.condition, enter, user);
        syntax_visit_stmts(s->branch.then, enter, user);
        syntax_visit_stmts(s->branch.otherwise, enter, user);
        return;
    case AST_FOR:
        syntax_visit(s->loop.over, enter, user);
        syntax_visit_stmts(s->loop.body, enter, user);
        return;
    case AST_WHILE:
        syntax_visit(s->whilst.condition, enter, user);
        syntax_visit_stmts(s->whilst.body, enter, user);
        return;
    case AST_TRAINING: syntax_visit_stmts(s->body, enter, user); return;
    case AST_BREAK:
    case AST_CONTINUE: break;
    }
}

void syntax_visit_stmts(const AstStmt *stmts, SyntaxVisit *enter, void *user) {
    for (; stmts; stmts = stmts->next) visit_stmt(stmts, enter, user);
}

typedef struct {
    const char *name;
    bool found;
} Mention;

static bool mentioned(void *user, const AstExpr *x) {
    Mention *m = user;
    m->found |= x->kind == AST_NAME && x->name.text == m->name;
    return !m->found;
}

bool syntax_mentions(const AstStmt *stmts, const char *name) {
    Mention m = {name, false};
    syntax_visit_stmts(stmts, mentioned, &m);
    return m.found;
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

bool syntax_has_field(const AstDecl *members, const char *name) {
    for (const AstDecl *d = members; d; d = d->next) {
        if (d->kind == AST_FIELD_IF) {
            if (syntax_has_field(d->branch.then, name) || syntax_has_field(d->branch.otherwise, name))
                return true;
        } else if (d->kind != AST_FN && d->name.text == name) {
            return true;
        }
    }
    return false;
}

static bool pattern_declares(const AstPattern *pattern, const char *name, Span *span) {
    if (pattern->name.text == name) {
        *span = pattern->name.span;
        return true;
    }
    for (const AstPattern *part = pattern->parts; part; part = part->next)
        if (pattern_declares(part, name, span)) return true;
    return false;
}

bool syntax_declares(const AstStmt *body, const char *name, Span *span) {
    for (const AstStmt *s = body; s; s = s->next) {
        bool here = false;
        if (s->kind == AST_LET || s->kind == AST_VAR) here = pattern_declares(s->let.pattern, name, span);
        if (s->kind == AST_IF_STMT)
            here = syntax_declares(s->branch.then, name, span) ||
                   syntax_declares(s->branch.otherwise, name, span);
        if (s->kind == AST_FOR)
            here = pattern_declares(s->loop.pattern, name, span) || syntax_declares(s->loop.body, name, span);
        if (s->kind == AST_WHILE) here = syntax_declares(s->whilst.body, name, span);
        if (s->kind == AST_TRAINING) here = syntax_declares(s->body, name, span);
        if (here) return true;
    }
    return false;
}
