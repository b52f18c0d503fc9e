/* What the parser's actions call: builders of tree nodes, and the rules of syntax that the grammar itself
 * doesn't hold because an error would be hard to understand. Private to lexer, layout and parser. */
#ifndef FRONTEND_SYNTAX_H
#define FRONTEND_SYNTAX_H

#include "frontend/token.h"
#include "support/map.h"

typedef struct {
    AstOperator op;
    Span span;
} SyntaxOperator;

/* Lists as they are built: O(1) at both ends. */
typedef struct {
    AstExpr *first, *last;
} ExprList;
typedef struct {
    AstStmt *first, *last;
} StmtList;
typedef struct {
    AstDecl *first, *last;
} DeclList;
typedef struct {
    AstType *first, *last;
} TypeList;
typedef struct {
    AstArg *first, *last;
} ArgList;
typedef struct {
    AstIndex *first, *last;
} IndexList;
typedef struct {
    AstBinder *first, *last;
} BinderList;
typedef struct {
    AstParam *first, *last;
} ParamList;
typedef struct {
    AstPattern *first, *last;
} PatternList;
typedef struct {
    AstStringPart *first, *last;
} PartList;
typedef struct NameNode NameNode;
struct NameNode {
    NameNode *next;
    AstName name;
};
typedef struct {
    NameNode *first, *last;
    uint32_t count;
} NameList;

/* `list` is of one of the types above. */
#define list_append(list, item) \
    ((void)((list).last ? ((list).last = (list).last->next = (item)) : ((list).first = (list).last = (item))))

typedef struct {
    const FrontendOptions *options;
    Arena *arena;
    uint32_t source;
    const Tokens *tokens;
    uint32_t next;          /* index of the token that the parser gets next */
    uint32_t current;       /* index of the one that it got last */
    uint32_t doubtful_from; /* index of the first `{` whose missing `}` has been reported; NO_TOKEN if none */
    unsigned errors_before; /* errors before this source was parsed */
    bool too_deep;          /* has been reported */
    VEC(AstExpr *) ifs;     /* every `if`: whether it is a value or a statement shows only later */
    AstDecl *decls;         /* the result */
} Parser;

/* --- expressions */
AstExpr *syntax_expr(Parser *parser, AstExprKind kind, Span span);
AstExpr *syntax_unary(Parser *parser, Span span, SyntaxOperator op, AstExpr *operand);
AstExpr *syntax_binary(Parser *parser, Span span, AstExprKind kind, SyntaxOperator op, AstExpr *left,
                       AstExpr *right);
AstExpr *syntax_range(Parser *parser, Span span, AstExpr *start, AstExpr *stop, bool inclusive);
AstExpr *syntax_field(Parser *parser, Span span, AstExpr *object, AstName field);
AstExpr *syntax_call(Parser *parser, Span span, AstExpr *callee, AstArg *args);
AstExpr *syntax_indexing(Parser *parser, Span span, AstExpr *object, AstIndex *indices);
AstExpr *syntax_items(Parser *parser, Span span, AstExprKind kind, AstExpr *items);
AstExpr *syntax_reduction(Parser *parser, Span span, AstExpr *callee, AstExpr *body, AstBinder *binders);
/* Reports those binders of index notation that aren't a name each. */
void syntax_indices(Parser *parser, const AstBinder *binders);
AstExpr *syntax_comprehension(Parser *parser, Span span, AstExpr *body, AstBinder *binders);
/* `otherwise` is a block's statements, or an AST_IF as its only one. */
AstExpr *syntax_if(Parser *parser, Span span, AstExpr *condition, AstStmt *then, AstStmt *otherwise,
                   bool has_else);
/* a < b < c: reported. */
AstExpr *syntax_chain(Parser *parser, Span span, AstExpr *left, SyntaxOperator op, AstExpr *right);
AstStmt *syntax_else_if(Parser *parser, AstExpr *branch);

AstIndex *syntax_index(Parser *parser, AstIndexKind kind, Span span, AstExpr *value);
AstIndex *syntax_slice(Parser *parser, Span span, AstExpr *start, AstExpr *stop, AstExpr *step);
AstArg *syntax_arg(Parser *parser, Span span, AstName name, AstExpr *value);
AstBinder *syntax_binder(Parser *parser, AstName name, AstPattern *pattern, AstExpr *range);
const char *syntax_source(const Parser *parser,
                          Span span); /* what is written there, if short, for a message */
AstStringPart *syntax_text(Parser *parser, Span span, const char *text, uint32_t length);
AstStringPart *syntax_interpolation(Parser *parser, Span span, AstExpr *value, const char *format);
AstExpr *syntax_string(Parser *parser, Span span, AstStringPart *parts);
NameNode *syntax_name_node(Parser *parser, AstName name);

/* --- types, patterns, parameters */
AstType *syntax_type(Parser *parser, AstTypeKind kind, Span span);
AstType *syntax_type_name(Parser *parser, Span span, AstName name);
AstType *syntax_tensor_type(Parser *parser, Span span, AstName name, AstIndex *dims);
AstType *syntax_call_type(Parser *parser, Span span, AstName name, AstType *parts);
AstType *syntax_tuple_type(Parser *parser, Span span, AstType *parts);
AstPattern *syntax_pattern(Parser *parser, Span span, AstName name, AstType *type, AstPattern *parts);
AstParam *syntax_param(Parser *parser, Span span, bool inout, AstName name, AstType *type, AstExpr *fallback);

/* --- statements */
AstStmt *syntax_stmt(Parser *parser, AstStmtKind kind, Span span);
AstStmt *syntax_let(Parser *parser, AstStmtKind kind, Span span, AstPattern *pattern, AstExpr *value);
AstStmt *syntax_for(Parser *parser, Span span, AstPattern *pattern, AstExpr *over, AstStmt *body);
AstStmt *syntax_while(Parser *parser, Span span, AstExpr *condition, AstStmt *body);
AstStmt *syntax_return(Parser *parser, Span span, AstExpr *value);
AstStmt *syntax_equation(Parser *parser, Span span, AstName name, NameList indices, AstExpr *value,
                         AstBinder *clauses);
AstStmt *syntax_expr_stmt(Parser *parser, Span span, AstExpr *value);
AstStmt *syntax_assign(Parser *parser, Span span, AstExpr *target, const SyntaxOperator *op, AstExpr *value);
/* `word { … }` */
AstStmt *syntax_block_stmt(Parser *parser, Span span, AstName word, AstStmt *body);

/* --- declarations */
AstDecl *syntax_decl(Parser *parser, AstDeclKind kind, Span span, AstName name);
AstDecl *syntax_import(Parser *parser, Span span, NameList path, AstName alias, NameList names);
void syntax_import_string(Parser *parser, Span span);
AstDecl *syntax_fn(Parser *parser, Span span, AstName name, ParamList params, AstType *result, AstStmt *body,
                   AstExpr *value);
AstDecl *syntax_model(Parser *parser, AstDeclKind kind, Span span, AstName name, ParamList params,
                      DeclList members);
AstDecl *syntax_command(Parser *parser, Span span, AstName name, ParamList params, AstStmt *body);
AstDecl *syntax_field_decl(Parser *parser, AstDeclKind kind, Span span, AstName name, AstType *type,
                           AstExpr *init, AstExpr *label);
DeclList syntax_states(Parser *parser, Span span, NameList names, AstType *type, AstExpr *init,
                       AstExpr *label);
AstDecl *syntax_field_if(Parser *parser, Span span, AstExpr *condition, DeclList then, DeclList otherwise);
/* Gives the declaration the ## lines above its first token. */
void syntax_attach_doc(Parser *parser, AstDecl *decl);
/* A declaration at top level is complete: its doc, and rules that depend on where it stands. */
void syntax_finish_decl(Parser *parser, AstDecl *decl);

/* --- the whole */
/* Settles which `if`s are values. */
void syntax_finish(Parser *parser);
bool syntax_gave_up(const Parser *parser);
/* The index of the token that begins at the offset; NO_TOKEN if none does. */
uint32_t syntax_token_at(const Parser *parser, uint32_t offset);
/* Moves on to the end of the statement that the token with this index is in. */
void syntax_skip_statement(Parser *parser, uint32_t token);

/* What the grammar could have gone on with where it met something else. */
typedef struct {
    const bool *possible;          /* by token kind, minus 256 */
    int kinds;                     /* of `possible` */
    const char *(*name)(int kind); /* as the grammar calls a token */
} Expectation;
void syntax_unexpected(Parser *parser, const Expectation *expected);
void syntax_too_deep(Parser *parser, Span span);
/* What is `depth` deep contains something that is `inner` deep. */
void syntax_contain(Parser *parser, uint32_t *depth, Span span, uint32_t inner);

#endif
