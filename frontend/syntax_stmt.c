/* Builds statements, patterns, types and parameters: see syntax.h. */
#include "frontend/habits.h"
#include "frontend/syntax.h"
#include <string.h>

/* --- types, patterns, parameters */

AstType *syntax_type(Parser *parser, AstTypeKind kind, Span span) {
    AstType *type = ARENA_NEW(parser->arena, AstType);
    type->kind = kind;
    type->span = span;
    return type;
}

/* `float` and `int` stand for one of the others. */
static bool is_scalar(const char *name) {
    static const char *const names[] = {
#define FLOAT(name) name,
#define INT(name) name,
#define UINT(name) name,
#define BOOL(name) name,
#define OPAQUE(name)
#define DTYPE(id, bytes, class) class(#id)
#include "ir/dtypes.def"
#undef DTYPE
#undef FLOAT
#undef INT
#undef UINT
#undef BOOL
#undef OPAQUE
        "float", "int"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

AstType *syntax_type_name(Parser *parser, Span span, AstName name) {
    AstType *type = syntax_type(parser, is_scalar(name.text) ? AST_TYPE_TENSOR : AST_TYPE_NAMED, span);
    type->name = name;
    return type;
}

AstType *syntax_tensor_type(Parser *parser, Span span, AstName name, AstIndex *dims) {
    AstType *type = syntax_type(parser, AST_TYPE_TENSOR, span);
    type->name = name;
    type->has_shape = true;
    type->dims = dims;
    bool ellipsis = false;
    for (const AstIndex *dim = dims; dim; dim = dim->next) {
        if (dim->kind != AST_INDEX_ELLIPSIS) continue;
        if (ellipsis) diag_report(parser->options->diags, D_TWO_ELLIPSES, dim->span);
        ellipsis = true;
    }
    return type;
}

AstType *syntax_call_type(Parser *parser, Span span, AstName name, AstType *parts) {
    AstType *type = syntax_type(parser, AST_TYPE_DATASET, span);
    type->name = name;
    type->parts = parts;
    if (strcmp(name.text, "dataset")) {
        Diagnostic *d = diag_report(parser->options->diags, D_NOT_A_TYPE_WITH_PARTS, name.span, name.text);
        diag_help(d, "the only type with parts in ( ) is `dataset(…)`; a shape is written in [ ]");
    }
    return type;
}

AstType *syntax_tuple_type(Parser *parser, Span span, AstType *parts) {
    AstType *type = syntax_type(parser, AST_TYPE_TUPLE, span);
    type->parts = parts;
    return type;
}

AstPattern *syntax_pattern(Parser *parser, Span span, AstName name, AstType *type, AstPattern *parts) {
    AstPattern *pattern = ARENA_NEW(parser->arena, AstPattern);
    *pattern = (AstPattern){.span = span, .name = name, .type = type, .parts = parts};
    return pattern;
}

AstParam *syntax_param(Parser *parser, Span span, bool inout, AstName name, AstType *type,
                       AstExpr *fallback) {
    AstParam *param = ARENA_NEW(parser->arena, AstParam);
    *param = (AstParam){.span = span, .inout = inout, .name = name, .type = type, .fallback = fallback};
    uint32_t token = syntax_token_at(parser, span.start);
    if (token != NO_TOKEN) param->doc = parser->tokens->at[token].doc;
    return param;
}

/* --- statements */

AstStmt *syntax_stmt(Parser *parser, AstStmtKind kind, Span span) {
    AstStmt *stmt = ARENA_NEW(parser->arena, AstStmt);
    stmt->kind = kind;
    stmt->span = span;
    stmt->depth = 1;
    return stmt;
}

static void contain(Parser *parser, AstStmt *stmt, uint32_t inner) {
    syntax_contain(parser, &stmt->depth, stmt->span, inner);
}

static void contain_expr(Parser *parser, AstStmt *stmt, const AstExpr *expr) {
    if (expr) contain(parser, stmt, expr->depth);
}

static void contain_block(Parser *parser, AstStmt *stmt, const AstStmt *block) {
    for (; block; block = block->next) contain(parser, stmt, block->depth);
}

AstStmt *syntax_let(Parser *parser, AstStmtKind kind, Span span, AstPattern *pattern, AstExpr *value) {
    AstStmt *stmt = syntax_stmt(parser, kind, span);
    stmt->let.pattern = pattern;
    stmt->let.value = value;
    contain_expr(parser, stmt, value);
    return stmt;
}

AstStmt *syntax_for(Parser *parser, Span span, AstPattern *pattern, AstExpr *over, AstStmt *body) {
    AstStmt *stmt = syntax_stmt(parser, AST_FOR, span);
    stmt->loop.pattern = pattern;
    stmt->loop.over = over;
    stmt->loop.body = body;
    contain_expr(parser, stmt, over);
    contain_block(parser, stmt, body);
    return stmt;
}

AstStmt *syntax_while(Parser *parser, Span span, AstExpr *condition, AstStmt *body) {
    AstStmt *stmt = syntax_stmt(parser, AST_WHILE, span);
    stmt->whilst.condition = condition;
    stmt->whilst.body = body;
    contain_expr(parser, stmt, condition);
    contain_block(parser, stmt, body);
    return stmt;
}

AstStmt *syntax_return(Parser *parser, Span span, AstExpr *value) {
    AstStmt *stmt = syntax_stmt(parser, AST_RETURN, span);
    stmt->value = value;
    contain_expr(parser, stmt, value);
    return stmt;
}

/* An `if` that stands as a statement, with its `else if`s. */
static AstStmt *if_stmt(Parser *parser, AstExpr *expr) {
    AstStmt *stmt = syntax_stmt(parser, AST_IF_STMT, expr->span);
    AstStmt *otherwise = expr->branch.otherwise;
    bool else_if = otherwise && otherwise->kind == AST_EXPR && otherwise->value->kind == AST_IF;
    stmt->depth = expr->depth;
    stmt->branch.condition = expr->branch.condition;
    stmt->branch.then = expr->branch.then;
    stmt->branch.otherwise = else_if ? if_stmt(parser, otherwise->value) : otherwise;
    stmt->branch.has_else = expr->branch.has_else;
    expr->branch.condition = NULL; /* no longer an expression: see syntax_finish */
    return stmt;
}

AstStmt *syntax_expr_stmt(Parser *parser, Span span, AstExpr *value) {
    if (value->kind == AST_IF) return if_stmt(parser, value);
    AstStmt *stmt = syntax_stmt(parser, AST_EXPR, span);
    stmt->value = value;
    contain_expr(parser, stmt, value);
    return stmt;
}

AstStmt *syntax_block_stmt(Parser *parser, Span span, AstName word, AstStmt *body) {
    static const char *const words[] = {"training", "if", "else", "for", "while"};
    AstStmt *stmt = syntax_stmt(parser, AST_TRAINING, span);
    stmt->body = body;
    contain_block(parser, stmt, body);
    if (strcmp(word.text, "training")) {
        Diagnostic *d = diag_report(parser->options->diags, D_UNKNOWN_BLOCK, word.span, word.text);
        const char *near = suggest(word.text, words, sizeof words / sizeof *words);
        const char *habit = habit_help(HABIT_STATEMENT, word.text);
        if (habit)
            diag_help(d, "%s", habit);
        else if (near)
            diag_help(d, "did you mean `%s`?", near);
    }
    return stmt;
}

/* --- assignment */

static void check_target(Parser *parser, const AstExpr *target, bool compound) {
    bool tuple = target->kind == AST_TUPLE && !compound;
    if (tuple) {
        for (const AstExpr *item = target->items; item; item = item->next) check_target(parser, item, false);
        return;
    }
    if (target->kind == AST_NAME || target->kind == AST_FIELD || target->kind == AST_INDEXING) return;
    Diagnostic *d = diag_report(parser->options->diags, D_BAD_TARGET, target->span);
    if (target->kind == AST_BINARY && target->binary.op == AST_EQ)
        diag_help(d, "`=` assigns and `==` compares: which one is meant?");
    else
        diag_help(d, "assign to a variable, a field, or elements: `x`, `net.bias`, `x[i]`, `(a, b)`");
}

AstStmt *syntax_assign(Parser *parser, Span span, AstExpr *target, const SyntaxOperator *op, AstExpr *value) {
    AstStmt *stmt = syntax_stmt(parser, AST_ASSIGN, span);
    stmt->assign.target = target;
    stmt->assign.compound = op != NULL;
    stmt->assign.op = op ? op->op : AST_ADD;
    stmt->assign.value = value;
    check_target(parser, target, op != NULL);
    contain_expr(parser, stmt, target);
    contain_expr(parser, stmt, value);
    return stmt;
}

/* --- equations */

static AstBinder *find_index(AstBinder *indices, const char *name) {
    for (; indices; indices = indices->next)
        if (indices->name.text == name) return indices;
    return NULL;
}

static AstBinder *index_binders(Parser *parser, NameList names) {
    BinderList list = {0};
    for (const NameNode *node = names.first; node; node = node->next) {
        const AstBinder *earlier = find_index(list.first, node->name.text);
        if (earlier) {
            Diagnostic *d =
                diag_report(parser->options->diags, D_REPEATED_INDEX, node->name.span, node->name.text);
            diag_label(d, earlier->name.span, "first here");
        }
        AstBinder *binder = syntax_binder(parser, node->name, NULL, NULL);
        list_append(list, binder);
    }
    return list.first;
}

/* Gives the indices the ranges of the equation's `for` clauses. */
static void set_range(Parser *parser, AstName equation, AstBinder *indices, const AstBinder *clause) {
    AstBinder *index = find_index(indices, clause->name.text);
    if (!index) {
        Diagnostic *d = diag_report(parser->options->diags, D_NOT_AN_INDEX, clause->name.span,
                                    clause->name.text, equation.text);
        diag_label(d, equation.span, "the indices are named here");
        diag_help(d, "what is summed over belongs into the `for` of `sum(… for %s)`", clause->name.text);
    } else if (index->range) {
        Diagnostic *d =
            diag_report(parser->options->diags, D_REPEATED_INDEX, clause->name.span, clause->name.text);
        diag_label(d, index->range->span, "its range is given here already");
    } else {
        index->range = clause->range;
    }
}

AstStmt *syntax_equation(Parser *parser, Span span, AstName name, NameList indices, AstExpr *value,
                         AstBinder *clauses) {
    AstStmt *stmt = syntax_stmt(parser, AST_EQUATION, span);
    stmt->equation.name = name;
    stmt->equation.indices = index_binders(parser, indices);
    stmt->equation.value = value;
    contain_expr(parser, stmt, value);
    syntax_indices(parser, clauses);
    for (const AstBinder *clause = clauses; clause; clause = clause->next) {
        if (!clause->pattern) set_range(parser, name, stmt->equation.indices, clause);
        contain_expr(parser, stmt, clause->range);
    }
    return stmt;
}
