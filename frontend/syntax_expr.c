/* Builds expressions: see syntax.h. Every node counts the levels below it, so that trees have a bounded
 * depth. */
#include "frontend/syntax.h"
#include <string.h>

/* --- depth */

void syntax_too_deep(Parser *parser, Span span) {
    if (parser->too_deep) return;
    parser->too_deep = true;
    Diagnostic *d = diag_report(parser->options->diags, D_NESTED_TOO_DEEPLY, span);
    diag_help(d, "name parts of it with `let`");
}

void syntax_contain(Parser *parser, uint32_t *depth, Span span, uint32_t inner) {
    if (inner < *depth) return;
    *depth = inner + 1;
    if (*depth > AST_DEEPEST) syntax_too_deep(parser, span);
}

static void contain(Parser *parser, AstExpr *expr, uint32_t inner) {
    syntax_contain(parser, &expr->depth, expr->span, inner);
}

static void contain_expr(Parser *parser, AstExpr *expr, const AstExpr *part) {
    if (part) contain(parser, expr, part->depth);
}

static void contain_exprs(Parser *parser, AstExpr *expr, const AstExpr *parts) {
    for (; parts; parts = parts->next) contain(parser, expr, parts->depth);
}

static void contain_binders(Parser *parser, AstExpr *expr, const AstBinder *binders) {
    for (; binders; binders = binders->next) contain_expr(parser, expr, binders->range);
}

static void contain_stmts(Parser *parser, AstExpr *expr, const AstStmt *stmts) {
    for (; stmts; stmts = stmts->next) contain(parser, expr, stmts->depth);
}

/* --- nodes */

AstExpr *syntax_expr(Parser *parser, AstExprKind kind, Span span) {
    AstExpr *expr = ARENA_NEW(parser->arena, AstExpr);
    expr->kind = kind;
    expr->span = span;
    expr->depth = 1;
    return expr;
}

AstExpr *syntax_unary(Parser *parser, Span span, SyntaxOperator op, AstExpr *operand) {
    AstExpr *expr = syntax_expr(parser, AST_UNARY, span);
    expr->unary.op = op.op;
    expr->unary.op_span = op.span;
    expr->unary.operand = operand;
    contain_expr(parser, expr, operand);
    return expr;
}

AstExpr *syntax_binary(Parser *parser, Span span, AstExprKind kind, SyntaxOperator op, AstExpr *left,
                       AstExpr *right) {
    AstExpr *expr = syntax_expr(parser, kind, span);
    expr->binary.op = op.op;
    expr->binary.op_span = op.span;
    expr->binary.left = left;
    expr->binary.right = right;
    contain_expr(parser, expr, left);
    contain_expr(parser, expr, right);
    return expr;
}

const char *syntax_source(const Parser *parser, Span span) {
    enum { LONGEST = 40 };
    const Source *source = sources_get(parser->options->sources, span.source);
    uint32_t length = span.end - span.start;
    if (length > LONGEST || memchr(source->text + span.start, '\n', length)) return "…";
    return arena_strndup(parser->arena, source->text + span.start, length);
}

AstExpr *syntax_chain(Parser *parser, Span span, AstExpr *left, SyntaxOperator op, AstExpr *right) {
    const AstExpr *middle = left->binary.right;
    Diagnostic *d = diag_report(parser->options->diags, D_CHAINED_COMPARISON, op.span);
    diag_label(d, left->binary.op_span, "the first comparison");
    diag_help(d, "write `%s and %s %s %s`", syntax_source(parser, left->span),
              syntax_source(parser, middle->span), syntax_source(parser, op.span),
              syntax_source(parser, right->span));
    return syntax_binary(parser, span, AST_BINARY, op, left, right);
}

AstExpr *syntax_range(Parser *parser, Span span, AstExpr *start, AstExpr *stop, bool inclusive) {
    AstExpr *expr = syntax_expr(parser, AST_RANGE, span);
    expr->range.start = start;
    expr->range.stop = stop;
    expr->range.inclusive = inclusive;
    contain_expr(parser, expr, start);
    contain_expr(parser, expr, stop);
    return expr;
}

AstExpr *syntax_field(Parser *parser, Span span, AstExpr *object, AstName field) {
    AstExpr *expr = syntax_expr(parser, AST_FIELD, span);
    expr->field.object = object;
    expr->field.field = field;
    contain_expr(parser, expr, object);
    return expr;
}

AstExpr *syntax_call(Parser *parser, Span span, AstExpr *callee, AstArg *args) {
    AstExpr *expr = syntax_expr(parser, AST_CALL, span);
    expr->call.callee = callee;
    expr->call.args = args;
    contain_expr(parser, expr, callee);
    for (const AstArg *arg = args; arg; arg = arg->next) contain_expr(parser, expr, arg->value);
    return expr;
}

AstExpr *syntax_indexing(Parser *parser, Span span, AstExpr *object, AstIndex *indices) {
    AstExpr *expr = syntax_expr(parser, AST_INDEXING, span);
    expr->indexing.object = object;
    expr->indexing.indices = indices;
    contain_expr(parser, expr, object);
    for (const AstIndex *index = indices; index; index = index->next) {
        contain_expr(parser, expr, index->value);
        contain_expr(parser, expr, index->start);
        contain_expr(parser, expr, index->stop);
        contain_expr(parser, expr, index->step);
    }
    return expr;
}

AstExpr *syntax_items(Parser *parser, Span span, AstExprKind kind, AstExpr *items) {
    AstExpr *expr = syntax_expr(parser, kind, span);
    expr->items = items;
    contain_exprs(parser, expr, items);
    return expr;
}

/* --- index notation */

static const char *const reductions[] = {"sum", "mean", "max",    "min",   "prod",
                                         "any", "all",  "argmax", "argmin"};
enum { REDUCTIONS = sizeof reductions / sizeof *reductions };

static bool is_reduction(const AstExpr *callee) {
    for (size_t i = 0; callee->kind == AST_NAME && i < REDUCTIONS; i++)
        if (!strcmp(callee->name.text, reductions[i])) return true;
    return false;
}

static void report_not_a_reduction(Parser *parser, const AstExpr *callee) {
    Diagnostic *d = diag_report(parser->options->diags, D_NOT_A_REDUCTION, callee->span,
                                syntax_source(parser, callee->span));
    const char *near = callee->kind == AST_NAME ? suggest(callee->name.text, reductions, REDUCTIONS) : NULL;
    if (near)
        diag_help(d, "did you mean `%s`?", near);
    else
        diag_help(d, "`for` in a call stands for an index of sum, mean, max, min, prod, any, all, argmax or "
                     "argmin; for a list write "
                     "`[… for …]`");
}

void syntax_indices(Parser *parser, const AstBinder *binders) {
    for (; binders; binders = binders->next) {
        if (!binders->pattern) continue;
        Diagnostic *d = diag_report(parser->options->diags, D_INDEX_PATTERN, binders->pattern->span);
        diag_help(d, "an index ranges over ints: `for i in 0..n, j in 0..m`");
    }
}

AstExpr *syntax_reduction(Parser *parser, Span span, AstExpr *callee, AstExpr *body, AstBinder *binders) {
    AstExpr *expr = syntax_expr(parser, AST_REDUCTION, span);
    expr->reduction.body = body;
    expr->reduction.binders = binders;
    if (is_reduction(callee))
        expr->reduction.name = callee->name;
    else
        report_not_a_reduction(parser, callee);
    syntax_indices(parser, binders);
    contain_expr(parser, expr, callee);
    contain_expr(parser, expr, body);
    contain_binders(parser, expr, binders);
    return expr;
}

AstExpr *syntax_comprehension(Parser *parser, Span span, AstExpr *body, AstBinder *binders) {
    AstExpr *expr = syntax_expr(parser, AST_COMPREHENSION, span);
    expr->reduction.body = body;
    expr->reduction.binders = binders;
    for (const AstBinder *binder = binders; binder; binder = binder->next) {
        if (binder->range) continue; /* there is one after a pattern */
        Diagnostic *d =
            diag_report(parser->options->diags, D_LIST_WITHOUT_RANGE, binder->name.span, binder->name.text);
        diag_help(d, "write `for %s in 0..n`", binder->name.text);
    }
    contain_expr(parser, expr, body);
    contain_binders(parser, expr, binders);
    return expr;
}

/* --- if */

AstExpr *syntax_if(Parser *parser, Span span, AstExpr *condition, AstStmt *then, AstStmt *otherwise,
                   bool has_else) {
    AstExpr *expr = syntax_expr(parser, AST_IF, span);
    expr->branch.condition = condition;
    expr->branch.then = then;
    expr->branch.otherwise = otherwise;
    expr->branch.has_else = has_else;
    contain_expr(parser, expr, condition);
    contain_stmts(parser, expr, then);
    contain_stmts(parser, expr, otherwise);
    vec_push(parser->arena, &parser->ifs, expr);
    return expr;
}

AstStmt *syntax_else_if(Parser *parser, AstExpr *branch) {
    AstStmt *stmt = syntax_stmt(parser, AST_EXPR, branch->span);
    stmt->value = branch;
    stmt->depth = branch->depth;
    return stmt;
}

static void make_value(Parser *parser, AstStmt *stmt);

/* The value of a block is its last statement's. */
static void make_block_value(Parser *parser, AstStmt *block) {
    while (block && block->next) block = block->next;
    if (block && block->kind == AST_IF_STMT && block->branch.has_else) make_value(parser, block);
}

/* An `if` statement that turns out to be the value of a block becomes an expression. */
static void make_value(Parser *parser, AstStmt *stmt) {
    AstExpr *expr = syntax_expr(parser, AST_IF, stmt->span);
    expr->depth = stmt->depth;
    expr->branch.condition = stmt->branch.condition;
    expr->branch.then = stmt->branch.then;
    expr->branch.otherwise = stmt->branch.otherwise;
    expr->branch.has_else = true;
    stmt->kind = AST_EXPR;
    stmt->value = expr;
    make_block_value(parser, expr->branch.then);
    make_block_value(parser, expr->branch.otherwise);
}

/* Those that syntax_expr_stmt made statements of have lost their condition. */
void syntax_finish(Parser *parser) {
    for (uint32_t i = 0; i < parser->ifs.count; i++) {
        AstExpr *expr = parser->ifs.at[i];
        if (!expr->branch.condition) continue;
        if (!expr->branch.has_else) {
            Diagnostic *d = diag_report(parser->options->diags, D_IF_WITHOUT_ELSE, expr->span);
            diag_help(d, "add `else { … }`: the value where the condition is false");
        }
        make_block_value(parser, expr->branch.then);
        make_block_value(parser, expr->branch.otherwise);
    }
}

/* --- parts of expressions */

AstIndex *syntax_index(Parser *parser, AstIndexKind kind, Span span, AstExpr *value) {
    AstIndex *index = ARENA_NEW(parser->arena, AstIndex);
    index->kind = kind;
    index->span = span;
    index->value = value;
    return index;
}

AstIndex *syntax_slice(Parser *parser, Span span, AstExpr *start, AstExpr *stop, AstExpr *step) {
    AstIndex *index = syntax_index(parser, AST_INDEX_SLICE, span, NULL);
    index->start = start;
    index->stop = stop;
    index->step = step;
    return index;
}

AstArg *syntax_arg(Parser *parser, Span span, AstName name, AstExpr *value) {
    AstArg *arg = ARENA_NEW(parser->arena, AstArg);
    *arg = (AstArg){.span = span, .name = name, .value = value};
    return arg;
}

AstBinder *syntax_binder(Parser *parser, AstName name, AstPattern *pattern, AstExpr *range) {
    AstBinder *binder = ARENA_NEW(parser->arena, AstBinder);
    *binder = (AstBinder){.name = name, .pattern = pattern, .range = range};
    return binder;
}

AstStringPart *syntax_text(Parser *parser, Span span, const char *text, uint32_t length) {
    AstStringPart *part = ARENA_NEW(parser->arena, AstStringPart);
    *part = (AstStringPart){.span = span, .text = text, .length = length};
    return part;
}

AstStringPart *syntax_interpolation(Parser *parser, Span span, AstExpr *value, const char *format) {
    AstStringPart *part = ARENA_NEW(parser->arena, AstStringPart);
    *part = (AstStringPart){.span = span, .value = value, .spec = format};
    return part;
}

AstExpr *syntax_string(Parser *parser, Span span, AstStringPart *parts) {
    AstExpr *expr = syntax_expr(parser, AST_STRING, span);
    expr->string = parts;
    for (const AstStringPart *part = parts; part; part = part->next) contain_expr(parser, expr, part->value);
    return expr;
}

NameNode *syntax_name_node(Parser *parser, AstName name) {
    NameNode *node = ARENA_NEW(parser->arena, NameNode);
    node->name = name;
    return node;
}
