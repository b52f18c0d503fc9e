/* The syntax tree: what the parser builds and the checker reads. No semantic work is done on the way in;
 * every node has the span of its source text. Lists are linked by `next`. All names are interned. */
#ifndef FRONTEND_AST_H
#define FRONTEND_AST_H

#include "support/source.h"
#include <stdbool.h>
#include <stdint.h>

/* Statements in expressions in statements … are nested at most so deep, which bounds the recursion of
 * whatever walks the tree. */
enum { AST_DEEPEST = 500 };

typedef struct AstExpr AstExpr;
typedef struct AstStmt AstStmt;
typedef struct AstDecl AstDecl;
typedef struct AstType AstType;
typedef struct AstArg AstArg;
typedef struct AstIndex AstIndex;

typedef struct {
    const char *text; /* interned */
    Span span;
} AstName;

/* --- types */
typedef enum { AST_TYPE_TENSOR, AST_TYPE_TUPLE, AST_TYPE_NAMED, AST_TYPE_DATASET } AstTypeKind;

struct AstType {
    AstTypeKind kind;
    Span span;
    AstType *next;  /* in a tuple or dataset */
    AstName module; /* NAMED: `nn` in nn.Linear, text NULL if none */
    AstName name;   /* TENSOR: `float`, `u8`, …; NAMED: a model, optimizer, `string`, `range` */
    bool has_shape; /* TENSOR: brackets were written. `float` and `float[]` are both rank 0 */
    AstIndex *dims; /* TENSOR: AST_INDEX_EXPR or AST_INDEX_ELLIPSIS (at most one, optionally named) */
    AstType *parts; /* TUPLE, DATASET */
};

/* --- expressions */
typedef enum {
    AST_INT,
    AST_FLOAT,
    AST_BOOL,
    AST_STRING,        /* literals; a string is a list of text and {expr:spec} parts */
    AST_NAME,          /* x */
    AST_FIELD,         /* a.name */
    AST_CALL,          /* a(args) */
    AST_INDEXING,      /* a[indices] */
    AST_UNARY,         /* - + not */
    AST_BINARY,        /* arithmetic, comparison, and, or, @ */
    AST_PIPE,          /* a |> f or a |> f(args): `left` and `right` as written */
    AST_RANGE,         /* a..b, a..=b */
    AST_TUPLE,         /* (a, b) and (a,) */
    AST_LIST,          /* [a, b] */
    AST_COMPREHENSION, /* [a for i in r] */
    AST_REDUCTION, /* sum(a for k, l in 0..n): index notation; `name` the reduction, `binders` the indices */
    AST_IF         /* if c { a } else { b }: blocks whose last statement is an expression */
} AstExprKind;

typedef enum {
    AST_ADD,
    AST_SUB,
    AST_MUL,
    AST_DIV,
    AST_FLOORDIV,
    AST_MOD,
    AST_POW,
    AST_MATMUL,
    AST_EQ,
    AST_NE,
    AST_LT,
    AST_LE,
    AST_GT,
    AST_GE,
    AST_AND,
    AST_OR,
    AST_NEG,
    AST_POS,
    AST_NOT
} AstOperator;

typedef enum { AST_INDEX_EXPR, AST_INDEX_SLICE, AST_INDEX_ELLIPSIS } AstIndexKind;

struct AstIndex { /* one entry between brackets */
    AstIndexKind kind;
    Span span;
    AstIndex *next;
    AstExpr *value;               /* EXPR */
    AstExpr *start, *stop, *step; /* SLICE: each may be NULL */
    AstName name;                 /* ELLIPSIS: `...batch`; text NULL if unnamed */
};

struct AstArg { /* a call's argument */
    AstArg *next;
    Span span;
    AstName name; /* text NULL = positional */
    AstExpr *value;
};

typedef struct AstBinder AstBinder;
typedef struct AstPattern AstPattern;
struct AstBinder { /* `for i in 0..n` in index notation and comprehensions */
    AstBinder *next;
    AstName name;        /* text NULL: `pattern` */
    AstPattern *pattern; /* `(i, x)` of a comprehension, or NULL */
    AstExpr *range;      /* NULL = inferred */
};

typedef struct AstStringPart AstStringPart;
struct AstStringPart {
    AstStringPart *next;
    Span span;
    const char *text; /* literal text, escapes resolved, NULL for an expression part */
    uint32_t length;
    AstExpr *value;
    const char *spec; /* after the colon, or NULL */
};

struct AstExpr {
    AstExprKind kind;
    uint32_t depth; /* levels of the tree below and including this one: at most AST_DEEPEST */
    Span span;
    AstExpr *next; /* in a tuple or list */
    union {
        struct {
            uint64_t value;
            bool overflow;
        } integer; /* decimal, 0x, 0b, with _ */
        double number;
        bool boolean;
        AstStringPart *string; /* NULL = the empty string */
        AstName name;
        struct {
            AstExpr *object;
            AstName field;
        } field;
        struct {
            AstExpr *callee;
            AstArg *args;
        } call;
        struct {
            AstExpr *object;
            AstIndex *indices;
        } indexing;
        struct {
            AstOperator op;
            Span op_span;
            AstExpr *operand;
        } unary;
        struct {
            AstOperator op;
            Span op_span;
            AstExpr *left, *right;
        } binary; /* PIPE and RANGE too */
        struct {
            bool inclusive;
            AstExpr *start, *stop;
        } range;
        AstExpr *items; /* TUPLE, LIST */
        struct {
            AstExpr *body;
            AstBinder *binders;
            AstName name;
        } reduction; /* COMPREHENSION: name.text NULL */
        struct {
            AstExpr *condition;
            AstStmt *then, *otherwise; /* `else if` = one AST_IF statement in `otherwise` */
            bool has_else;             /* true in a tree without errors */
        } branch;
    };
};

/* --- statements */
typedef enum {
    AST_LET,      /* let pattern = value */
    AST_VAR,      /* var pattern = value */
    AST_EQUATION, /* let c[i, j] = value for i in 0..n */
    AST_ASSIGN,   /* target = value, or target += value: target is a name, field, indexing or tuple of them */
    AST_EXPR,     /* value */
    AST_IF_STMT,
    AST_FOR,
    AST_WHILE,
    AST_BREAK,
    AST_CONTINUE,
    AST_RETURN,
    AST_TRAINING /* training { body } */
} AstStmtKind;

struct AstPattern { /* x, _, or (a, b) */
    AstPattern *next;
    Span span;
    AstName name;  /* text NULL for a tuple; "_" is ignored */
    AstType *type; /* `let x: T`, or NULL */
    AstPattern *parts;
};

struct AstStmt {
    AstStmtKind kind;
    uint32_t depth;
    Span span;
    AstStmt *next;
    union {
        struct {
            AstPattern *pattern;
            AstExpr *value;
        } let; /* LET, VAR */
        struct {
            AstName name;
            AstBinder *indices;
            AstExpr *value;
        } equation; /* indices: ranges NULL where inferred */
        struct {
            AstExpr *target;
            bool compound;
            AstOperator op;
            AstExpr *value;
        } assign;
        AstExpr *value; /* EXPR; RETURN: NULL if nothing */
        struct {
            AstExpr *condition;
            AstStmt *then, *otherwise;
            bool has_else;
        } branch;
        struct {
            AstPattern *pattern;
            AstExpr *over;
            AstStmt *body;
        } loop; /* FOR */
        struct {
            AstExpr *condition;
            AstStmt *body;
        } whilst;
        AstStmt *body; /* TRAINING */
    };
};

/* --- declarations */
typedef enum {
    AST_IMPORT, /* import nn; import a.b as c; from nn import Linear, relu */
    AST_CONST,  /* at top level, or in a model: a number that its hyperparameters give */
    AST_FN,     /* top level, method, or `update` of an optimizer */
    AST_MODEL,
    AST_OPTIMIZER,
    AST_COMMAND,
    AST_PARAM_FIELD, /* in a model: param w: T = init as "label" */
    AST_STATE_FIELD, /* in a model: state s: T = init; in an optimizer: state m, v (no type) */
    AST_SUBMODEL,    /* in a model: fc = Linear(8, 4) */
    AST_FIELD_IF     /* in a model: if c { fields } else { fields } */
} AstDeclKind;

typedef struct AstParam AstParam;
struct AstParam { /* of a fn, model, optimizer or command */
    AstParam *next;
    Span span;
    bool inout;
    bool broadcast; /* the argument stretches to the declared shape */
    AstName name;
    AstType *type;     /* NULL only in an optimizer's `update` */
    AstExpr *fallback; /* default, or NULL */
    const char *doc;   /* as of a declaration */
};

struct AstDecl {
    AstDeclKind kind;
    Span span;
    AstDecl *next;
    const char *doc; /* lines of ## joined by '\n', or NULL */
    AstName name;
    union {
        struct {
            AstName path[8];
            uint32_t depth;
            AstName alias;
            AstName *names;
            uint32_t name_count;
        } import;
        struct {
            AstType *type;
            AstExpr *value;
        } constant;
        struct {
            AstParam *params;
            AstType *result;
            AstStmt *body;
            AstExpr *value;
            bool exported;
        } fn; /* `= value` or a body */
        struct {
            AstParam *params;
            AstDecl *members;
        } model; /* OPTIMIZER too */
        struct {
            AstParam *params;
            AstStmt *body;
        } command;
        struct {
            AstType *type;
            AstExpr *init;
            AstExpr *label; /* AST_STRING: what it is called in files; NULL = as the field */
        } field;            /* PARAM_FIELD, STATE_FIELD, SUBMODEL (type NULL) */
        struct {
            AstExpr *condition;
            AstDecl *then, *otherwise;
        } branch;
    };
};

typedef struct {
    uint32_t source;
    const char *doc; /* the # lines that the file begins with, joined by '\n', or NULL */
    AstDecl *decls;
} AstFile;

#endif
