/* Inside of the elaborator: what its files share. It walks the syntax tree with an environment of elaborated
 * values and builds graph nodes as it goes (docs/internals.md, "Checking is lowering with symbols").
 *
 *   elaborate.c           entry: check every declaration, then lower commands and exports
 *   elaborate_unit.c      modules: global names, imports, constants
 *   elaborate_scope.c     scopes, bindings, frames
 *   elaborate_value.c     elaborated values: making, taking apart, comparing
 *   elaborate_fold.c      scalars known at compile time
 *   elaborate_type.c      types: from syntax, of values, as text, fresh and zero values
 *   elaborate_unify.c     does a value fit a declared type? binds dimension names
 *   elaborate_solve.c     dimension names from sizes like `2 * n`
 *   elaborate_dim.c       integers as dimensions
 *   elaborate_operator.c  operators and broadcasting
 *   elaborate_index.c     a[…] read and written
 *   elaborate_expr.c      expressions
 *   elaborate_string.c    strings and templates
 *   elaborate_call.c      calls of functions, methods, constructors
 *   elaborate_model.c     models; values of a model's shape
 *   elaborate_label.c     what a model's tensors are called in files
 *   elaborate_optimizer.c optimizers
 *   elaborate_builtin*.c  builtin functions
 *   elaborate_data.c      datasets
 *   elaborate_stmt.c      statements
 *   elaborate_control.c   branches and loops: what they carry
 *   elaborate_loop.c      for and while
 *   elaborate_remat.c     remat(f)(x)
 *   elaborate_equation*.c index notation
 *   elaborate_syntax.c    questions about syntax alone
 *
 * A mistake is reported once: its value is poison, and whatever poison touches is poison, silently. */
#ifndef FRONTEND_ELABORATE_H
#define FRONTEND_ELABORATE_H

#include "frontend/modules.h"
#include "ir/build.h"
#include "support/map.h"

typedef struct Elab Elab;
typedef struct Val Val;
typedef struct Ty Ty;
typedef struct Unit Unit;
typedef struct Scope Scope;
typedef struct Binding Binding;
typedef struct Frame Frame;
typedef struct ModelType ModelType;
typedef struct Builtin Builtin;
typedef struct Equation Equation;
typedef struct Target Target;
typedef struct Caller Caller;
typedef struct Callee Callee;

/* --- types of elaborated values */
typedef enum {
    TY_POISON,
    TY_UNIT,
    TY_TENSOR,
    TY_STRING,
    TY_RANGE,
    TY_TUPLE,
    TY_LIST,
    TY_MODEL,    /* `model` NULL: any instance of `decl` */
    TY_GRADIENT, /* the parameters of a model: what grad returns. `model` NULL: of any model */
    TY_OPTIMIZER,
    TY_DATASET, /* parts: one sample's columns; none: `dataset`, of any columns */
    TY_OTHER    /* functions, modules: never stored */
} TyKind;

struct Ty {
    TyKind kind;
    const Type *tensor;
    uint32_t count;
    const Ty *const *parts;
    const AstDecl *decl;
    Unit *unit; /* of `decl` */
    const ModelType *model;
    bool single;  /* DATASET: written with one column: a sample is it, not a tuple */
    bool batched; /* DATASET: after .batch; no declared type is */
};

/* --- elaborated values; immutable */
typedef enum {
    VAL_POISON,
    VAL_UNIT,
    VAL_NUMBER, /* a literal: takes the type that it meets */
    VAL_TENSOR,
    VAL_STRING,
    VAL_TUPLE,
    VAL_LIST,
    VAL_RANGE, /* lo..hi, hi excluded */
    VAL_MODEL, /* of a model, or `gradient`: just its parameters */
    VAL_OPTIMIZER,
    VAL_DATASET,
    VAL_FUNCTION, /* a fn, or a method with its receiver */
    VAL_DECL,     /* a model or optimizer to be constructed */
    VAL_BUILTIN,
    VAL_DTYPE,
    VAL_MODULE
} ValKind;

struct Val {
    ValKind kind;
    union {
        struct {
            bool is_float;
            int64_t integer;
            double number;
        } number;
        struct {
            const Type *type;
            Value *value;   /* NULL where `dim` or `known` says all */
            const Dim *dim; /* an i64 scalar that is known as a dimension, or NULL */
            bool known;     /* a float or bool scalar known at compile time: */
            double number;
        } tensor;
        struct {
            const char *text;
            Value *value;
        } string; /* text: known at compile time */
        struct {
            uint32_t count;
            const Val *const *items;
        } list; /* TUPLE, LIST */
        struct {
            const Val *lo, *hi;
        } range;
        struct {
            const ModelType *type;
            const Val *const *fields;
            bool gradient;
        } model;
        struct {
            const AstDecl *decl;
            Unit *unit;
            const ModelType *model;
            uint32_t settings;
            const Val *const *setting; /* one a parameter of the optimizer */
            uint32_t states;
            const Val *const *state; /* gradient-shaped, one a state name */
            const Val *step;         /* i64: steps made */
        } optimizer;
        struct {
            Value *handle;
            const Ty *type;
            const Val *batch; /* NULL = sample by sample */
            bool drop_last;
        } dataset;
        struct {
            const AstDecl *decl;
            Unit *unit;
            const Val *self;
            const Target *receiver;
        } function;
        struct {
            const AstDecl *decl;
            Unit *unit;
        } decl;
        struct {
            const Builtin *builtin;
            const Val *self;
            const AstExpr *object;
        } builtin; /* self: called as a method of it */
        DType dtype;
        Unit *unit;
    };
};

/* --- environment */
typedef enum { BOUND_LET, BOUND_PARAM, BOUND_LOOP } BindingKind;

struct Binding {
    Binding *next;
    const char *name; /* interned; names that start with a space are the elaborator's own */
    Span span;
    const Val *value;   /* NULL: only the result of a function that has not returned yet */
    const Ty *type;     /* what may be assigned; NULL = that of the value */
    const Block *block; /* where it was declared */
    bool is_mutable;
    bool spread; /* in index notation: an element for each value of the indices, which `value` has as axes */
    BindingKind kind;
};

struct Scope {
    Scope *parent; /* NULL: only globals of the unit follow */
    Binding *bindings;
    Unit *unit;    /* of a function's outermost scope */
    Binding *self; /* of a method's outermost scope: its model; fields are names */
    Span called; /* of a call's outermost scope: where what is called was declared, and what messages say … */
    const char *called_text; /* … of it; NULL where there is nothing to say */
};

/* One function being elaborated (inlined, or checked). */
struct Frame {
    Frame *caller;
    const AstDecl *decl;
    const Val *self;
    Scope *root;
    const Ty *result;           /* NULL = returns nothing */
    Binding *returned;          /* bool: a return has happened */
    Binding *value;             /* what it returned */
    Binding *broke, *continued; /* of the innermost loop; NULL outside loops */
    bool spread;                /* called in index notation with a spread argument */
    Span call;
};

/* A module with its global names. */
struct Unit {
    const AstFile *file;
    const char *name; /* "" for the program */
    Scope *scope;
    Map *decls;      /* name → AstDecl (the last one) */
    Map *imports;    /* name → Val (a module, or an imported declaration) */
    Map *constants;  /* AstDecl → Val once evaluated */
    Map *evaluating; /* AstDecl → itself while it is evaluated */
    bool library;
};

typedef struct {
    const char *name;
    const AstDecl *decl;
    TyKind kind;      /* UNIT: a sub-model or list of them; else TENSOR */
    bool is_param;    /* else state */
    const Val *label; /* what it is called in files: a string, or a list of them for the items of a list;
                         NULL = `name`, and `name.0`, … */
} Member;

struct ModelType {
    const AstDecl *decl;
    Unit *unit;
    uint32_t hypers;
    const Val *const *hyper;
    uint32_t members;
    const Member *member;
    uint32_t methods;
    const AstDecl *const *method;
    const Val *shape; /* a value of this type, for its structure only */
    const char *text; /* Linear(784, 128) */
    Scope *scope;     /* hyperparameters */
    Span made;        /* where the first one with these hyperparameters is made */
};

/* Where an assignment goes: a variable and the way into it. */
typedef enum { STEP_FIELD, STEP_ITEM, STEP_SELECT } StepKind;
typedef struct Selection Selection;
typedef struct {
    StepKind kind;
    uint32_t index;             /* FIELD, ITEM */
    const Selection *selection; /* SELECT */
    Span span;
} TargetStep;
struct Target {
    Binding *root;
    uint32_t count;
    const TargetStep *steps;
    Span span;
};

typedef struct {
    const char *name; /* NULL = positional */
    Span span, name_span;
    const AstExpr *expr; /* or … */
    const Val *val;      /* … elaborated already (the left side of a pipe) */
    bool spread;         /* `val` is an element for each value of the indices */
} Arg;
typedef VEC(Arg) Args;

typedef struct {
    const AstDecl *decl;
    Unit *unit;
    const Val *self;
} CheckItem;

/* A symbol that was given a value's run-time number, and the block in which it is visible. */
typedef struct SymbolUse SymbolUse;
struct SymbolUse {
    SymbolUse *next;
    const Block *block;
    const Dim *dim;
};

struct Elab {
    const FrontendOptions *options;
    DType float_type; /* what `float` means; in optimizers at least f32 */
    IrContext *ir;
    Arena *arena;
    Strings *strings;
    Diagnostics *diags;
    Modules *modules;
    VEC(Unit *) units;
    VEC(const ModelType *) models;
    VEC(CheckItem) queue; /* what check mode has met and must check itself */
    uint32_t checked;     /* of the queue */
    Map *queued;
    Map *tensors;           /* Type → Ty of such tensors */
    Map *language;          /* name → Val of the dtype or builtin */
    const char *model_name; /* of the model being checked: its sizes are called `Name.size` */
    Caller *callers;        /* who calls whom, seen while checking */
    uint32_t searches;      /* for ways among them so far */
    Map *joined;            /* AstExpr, a condition → Val: what both sides were when that was checked */
    Map *symbols; /* Value, or text of an extreme → SymbolUse list: the symbols made for it so far */
    const Val *poison, *unit, *bools[2];
    const ModelType *any_model; /* stands for the model of a `gradient` while a function of one is checked */
    /* the function being built */
    Graph *graph;
    Function *function;
    Block *block;
    Scope *scope;
    Frame *frame;
    Binding *stream;       /* i64: the next stream of random numbers */
    const Val *training;   /* bool */
    const Block *unrolled; /* where the innermost loop over a list or known branch stands, or NULL */
    Equation *equation;    /* the index notation being elaborated, or NULL */
    bool checking;
    Span calling;          /* the call whose result's type is being worked out, or none */
    Span site;             /* the call in the user's own file that led into the library */
    const Val *last_broke; /* bool: did the loop that ended last end by a break? */
    uint32_t depth;        /* nesting of calls and expressions */
    uint64_t steps;        /* statements and calls elaborated: bounded */
};

/* --- elaborate.c */
Builder el_builder(Elab *e, Span span);
const char *el_name(Elab *e, const char *text); /* interns */
const char *el_source(Elab *e, Span span);      /* the program's own text there */
/* Does this text of a program need parentheses before something is done with it, or isn't all there? */
bool el_is_compound(const char *text);
/* For messages. Hyperparameters of the model being checked are shown by their plain names. */
const char *el_dim(Elab *e, const Dim *dim);
/* Is it a size of the model being checked, which each model that is made knows as a number? */
bool dim_is_hyper(const Elab *e, const Dim *dim);
/* Are two sizes that aren't provably equal so in each model that is made of the one being checked, unless
 * what is divided there leaves a rest? */
bool dim_fits_later(Elab *e, const Dim *a, const Dim *b);
/* Where two sizes would be equal if a dimension were a multiple of what it is divided by: how to say that. */
void help_multiple(Elab *e, Diagnostic *d, const Dim *a, const Dim *b);
bool el_budget(Elab *e, Span span); /* false (after reporting once) where the program expands without end */
/* Is it a function that is being checked, whose parameters some calls may know at compile time? */
bool el_checks_function(const Elab *e);
/* Of diagnostics_called: is the source one of `modules`' library? */
bool el_of_library(const void *modules, uint32_t source);
void el_queue(Elab *e, const AstDecl *decl, Unit *unit, const Val *self);

/* --- elaborate_unit.c */
Unit *unit_of(Elab *e, const AstFile *file);
const Val *unit_lookup(Elab *e, Unit *unit, const char *name); /* NULL if there is no such global */
/* Reports that the module has no such name; poison. */
const Val *unit_lacks(Elab *e, const Unit *unit, AstName name);
void unit_candidates(Elab *e, const Unit *unit, const char *name, const char **best);

/* --- elaborate_scope.c */
Scope *scope_push(Elab *e);
void scope_pop(Elab *e);
Scope *scope_root(Elab *e, Unit *unit);
Binding *scope_bind(Elab *e, Scope *scope, const char *name, Span span, const Val *value, bool is_mutable);
/* Reports a name declared twice in one scope. */
Binding *scope_declare(Elab *e, AstName name, const Val *value, bool is_mutable);
typedef struct {
    Binding *binding; /* a variable … */
    Binding *self;    /* … or field number `field` of it … */
    uint32_t field;
    const Val *global; /* … or a global or builtin */
} Found;
bool scope_find(Elab *e, Scope *scope, const char *name, Found *found);
const Val *scope_value(const Found *found);
const Val *scope_read(Elab *e, AstName name);
/* Says how a variable that can't change becomes one that can. */
void help_mutable(Diagnostic *d, const Binding *b);
/* Reports an assignment to a name that nothing declares. */
void scope_assign_unknown(Elab *e, AstName name);
/* An imported module that declares `name`, as the program calls it; or NULL. */
const char *scope_module_with(Elab *e, const char *name);
/* The nearest visible name, or NULL. */
const char *scope_suggest(Elab *e, const char *name);
void frame_push(Elab *e, Frame *frame);
void frame_pop(Elab *e);

/* --- elaborate_value.c */
const Val *val_integer(Elab *e, int64_t value);
const Val *val_float(Elab *e, double value);
const Val *val_of(Elab *e, Value *value);    /* a tensor, string or (never) dataset */
const Val *val_dim(Elab *e, const Dim *dim); /* i64 */
const Val *val_bool(Elab *e, bool value);
const Val *val_known(Elab *e, const Type *type, double number);
const Val *val_text(Elab *e, const char *text);
const Val *val_tuple(Elab *e, ValKind kind, uint32_t count, const Val *const *items);
const Val *val_copy(Elab *e, Val val);
bool val_poisoned(const Val *v);
bool val_is_scalar(const Val *v, DType dtype);
bool val_is_int(const Val *v); /* an int literal or integer scalar */
bool val_static_bool(const Val *v, bool *value);
bool val_static_number(const Val *v, double *value);
/* The node value; makes it at `span` where it is not made yet. Literals become `int` or `float`. */
Value *val_value(Elab *e, const Val *v, Span span);
/* A number or tensor as one of that type; what is known of a scalar stays known of a float. */
const Val *val_cast(Elab *e, const Val *v, DType dtype, Span span);
/* A literal as a value of its default type; others as they are. */
const Val *val_settled(Elab *e, const Val *v, Span span);
/* Leaves: tensors, strings and datasets, in a fixed order. */
typedef const Val *LeafMap(Elab *e, const Val *leaf, void *user);
const Val *val_map(Elab *e, const Val *v, LeafMap *map, void *user);
/* The same value without a derivative. */
const Val *val_stopped(Elab *e, const Val *v, Span span);
typedef VEC(const Val *) ValList;
void val_leaves(Elab *e, const Val *v, ValList *out);
bool val_same_leaf(const Val *a, const Val *b);
/* Names the leaves that have no name: `name`, `name.field`, … */
void val_name(Elab *e, const Val *v, const char *name);
Value *leaf_value(Elab *e, const Val *leaf, Span span); /* of any leaf, datasets too */
const Val *leaf_with(Elab *e, const Val *leaf, Value *value);

/* --- elaborate_fold.c */
/* What a scalar is at compile time, or NULL: then *open where sizes of which no number is known are all that
 * is missing. */
const Val *val_folded(Elab *e, const Val *v, bool *open);

/* --- elaborate_type.c */
const Ty *ty_new(Elab *e, Ty ty);
const Ty *ty_tensor(Elab *e, const Type *type);
const Ty *ty_of(Elab *e, const Val *v);
bool ty_same(const Ty *a, const Ty *b);
bool ty_any_dataset(
    const Ty *ty); /* one whose columns aren't known: `dataset` in a function that is checked */
const char *ty_text(Elab *e, const Ty *ty);
/* Says how a tensor is made of the list or tuple that is written there, if one can be. */
void help_stack(Elab *e, Diagnostic *d, const Ty *list, Span span);
const char *val_type_text(Elab *e, const Val *v);
const char *type_text_nn(Elab *e, const Type *type); /* as a program writes it: float, int */
const char *shape_text(Elab *e, uint32_t rank, const Dim *const *dims);
/* The type that syntax means; NULL where it mentions dimension names that are not bound (and `quiet`), poison
 * after reporting. */
const Ty *ty_resolve(Elab *e, const AstType *type, Scope *scope, bool quiet);
bool dtype_of_name(Elab *e, const char *name, DType *dtype);
const Val *val_fresh(Elab *e, const Ty *ty, const char *name,
                     Span span); /* an opaque value: a new block parameter */
const Val *val_zero(Elab *e, const Ty *ty, Span span);
bool ty_is_scalar(const Ty *ty, DType dtype);

/* --- elaborate_solve.c */
/* The one dimension name that is unknown in a size which is linear in it; NULL if there is none such. */
const char *dim_unknown(Elab *e, const AstExpr *expr, Scope *scope);
/* What makes the expression of `dim_unknown` that size; NULL if no whole number does provably. */
const Dim *dim_solve(Elab *e, const AstExpr *expr, Scope *scope, const Dim *size);

/* --- elaborate_unify.c */
typedef struct {
    const char *what; /* "argument `x` of `f`" */
    Span value, type;
    bool silent;
} Fit;
extern const char fit_assigned[]; /* the `what` of assignments to whole variables */
/* The value converted to the declared type (literals take it), binding unknown dimension names in `scope`;
 * poison after reporting. */
const Val *unify(Elab *e, const AstType *type, const Val *v, Scope *scope, Fit fit);
/* Likewise for a type that is known. */
const Val *fit_type(Elab *e, const Ty *ty, const Val *v, Fit fit);
/* After all were unified: are the dimensions that are computed from names right? Finds the names that are
 * only mentioned there, as in `2 * n`. False after reporting. */
bool unify_again(Elab *e, const AstType *type, const Val *v, Scope *scope, Fit fit);
/* Binds what `type` leaves unbound from a type that is expected of it. */
void unify_expected(Elab *e, const AstType *type, const Ty *expected, Scope *scope);
/* Does the name stand for a value already, so that a shape that mentions it doesn't bind it? Functions,
 * models and the like are no values: a dimension may have the name of one. */
bool dim_is_named(Elab *e, Scope *scope, const char *name);
/* A size as written; NULL (silently) where it mentions what isn't known. */
const Dim *dim_quiet(Elab *e, const AstExpr *expr, Scope *scope);
/* Declares the dimension names of a signature as symbols. */
void bind_symbols(Elab *e, const AstType *type, Scope *scope);
/* And the names that are only mentioned inside of a size, as in `2 * n`. */
void bind_computed(Elab *e, const AstType *type, Scope *scope);

/* --- elaborate_dim.c */
const Dim *dim_of(Elab *e, const Val *v,
                  Span span); /* gives it a symbol where it is known at run time only; NULL after reporting */
const Dim *dim_of_expr(Elab *e, const AstExpr *expr, Scope *scope); /* as a size */
/* Sizes that may turn out to be negative are checked when it runs; false after reporting one that is. */
bool dims_require(Elab *e, uint32_t rank, const Dim *const *dims, Span span);
bool dim_at_least(const Dim *d, int64_t bound); /* provably, symbols being ≥ 0? */

/* --- elaborate_operator.c */
const char *operator_text(AstOperator op);
const Val *op_binary(Elab *e, AstOperator op, const Val *a, Span a_span, const Val *b, Span b_span,
                     Span op_span);
const Val *op_unary(Elab *e, AstOperator op, const Val *a, Span span);
/* Two or three tensors at one type: literals take the other's dtype, shapes broadcast. False after reporting.
 */
bool op_unite(Elab *e, uint32_t count, const Val **vals, const Span *spans, Span at, const char *what,
              Value **out);
const Val *op_literal_as(Elab *e, const Val *number, DType dtype, Span span);
const Val *op_broadcast(Elab *e, const Val *v, uint32_t rank, const Dim *const *dims, Span span);

/* --- elaborate_index.c */
const Selection *select_resolve(Elab *e, const Type *type, const AstIndex *indices, Span span);
const Val *select_read(Elab *e, const Val *v, const Selection *s, Span span);
/* Provably no element in common. */
bool select_disjoint(const Selection *a, const Selection *b);
const Val *select_write(Elab *e, const Val *v, const Selection *s, const Val *part, Span span,
                        Span part_span);

/* --- elaborate_expr.c */
/* One level deeper, which the caller leaves by `depth--`; false after reporting where that is too deep. */
bool el_deeper(Elab *e, Span span);
const Val *el_expr(Elab *e, const AstExpr *expr, const Ty *expected);
/* For a value that is needed: reports where the expression has none. */
const Val *el_value(Elab *e, const AstExpr *expr, const Ty *expected);
const Target *el_target(Elab *e, const AstExpr *expr, bool report); /* NULL where it is no place */
/* May writing to one change the other? */
bool targets_overlap(const Target *a, const Target *b);
const Val *target_read(Elab *e, const Target *t);
void target_write(Elab *e, const Target *t, const Val *v, Span span);
/* Reports that `object` has no such field, suggesting one of `names`. `expr`: the object as written. */
const Val *el_no_field(Elab *e, const Val *object, AstName field, const char *const *names, uint32_t count,
                       const AstExpr *expr);
const Val *el_field(Elab *e, const Val *object, AstName field, Span span, const AstExpr *object_expr);

/* --- elaborate_string.c */
/* A template with a {} for each argument; NULL after reporting. */
const char *template_of(Elab *e, const AstExpr *expr, ValList *args);
const char *template_of_values(Elab *e, const Args *args, ValList *out);
const Val *el_string(Elab *e, const AstExpr *expr);
Value *string_value(Elab *e, const Val *v, Span span);
const char *text_escape(Elab *e, const char *text, uint32_t length);

/* --- elaborate_call.c */
const Val *el_call(Elab *e, const AstExpr *expr, const Ty *expected);
const Val *el_pipe(Elab *e, const AstExpr *expr, const Ty *expected);
const Val *call_value(Elab *e, const Val *callee, const AstExpr *callee_expr, const Args *args,
                      const Ty *expected, Span span);
/* Reports a named argument that no parameter takes. */
void args_unknown(Elab *e, const char *what, const Arg *arg, const char *const *names, uint32_t count);
/* `slots[i]` = the argument for parameter i, or NULL; false after reporting. */
bool args_match(Elab *e, const char *what, const AstParam *params, const Args *args, const Arg **slots,
                Span span);
const Val *call_body(Elab *e, Frame *frame, Span span); /* elaborates the body of frame->decl in its scope */
void check_declaration(Elab *e, const CheckItem *item);

/* Calls what the expression says; a method's receiver is its object. */
const Val *call_expr(Elab *e, const AstExpr *callee, const Args *args, const Ty *expected, Span span);

/* --- elaborate_remat.c */
/* `f` where the expression is `remat(f)`; NULL where it isn't. */
const AstExpr *remat_of(Elab *e, const AstExpr *expr);
const Val *remat_call(Elab *e, const AstExpr *f, const Args *args, const Ty *expected, Span span);

/* --- elaborate_model.c */
const Val *model_construct(Elab *e, const AstDecl *decl, Unit *unit, const Args *args, Span span);
const ModelType *model_type_default(Elab *e, const AstDecl *decl, Unit *unit, Span span, const char *symbols);
int model_field(const ModelType *type, const char *name); /* -1 */
const AstDecl *model_method(const ModelType *type, const char *name);
const Val *model_with_field(Elab *e, const Val *model, uint32_t field, const Val *v);
const char *model_suggest(Elab *e, const ModelType *type, const char *name);
/* The parameters in order; states too where `states`. Names are dotted. */
typedef VEC(const char *) NameList;
void model_leaves(Elab *e, const Val *model, bool states, ValList *leaves, NameList *names,
                  const char *prefix);
/* --- elaborate_label.c */
/* What `as` says of a field with this value; NULL where it says nothing, poison after reporting. */
const Val *label_of(Elab *e, const AstDecl *field, const Val *v);
/* "prefix.name"; one of them where the other is empty. NULL where `prefix` is. */
const char *label_join(Elab *e, const char *prefix, const char *name);
/* Does every tensor of the model have a name of its own in files? False after reporting. */
bool labels_differ(Elab *e, const Val *model);

/* --- elaborate_model.c, once more */
/* The parameters as a gradient-shaped value whose leaves are the given ones. */
const Val *model_gradient(Elab *e, const Val *model, const Val *const *leaves);
/* The model with its parameters (and states) replaced in the order of model_leaves. */
const Val *model_with_leaves(Elab *e, const Val *model, bool states, const Val *const *leaves);
const Val *gradient_binary(Elab *e, AstOperator op, const Val *a, Span as, const Val *b, Span bs, Span span);
const Val *gradient_map(Elab *e, const Val *g,
                        const Val *(*map)(Elab *e, const Val *leaf, Span span, void *user), Span span,
                        void *user);

/* --- elaborate_optimizer.c */
const Val *optimizer_construct(Elab *e, const AstDecl *decl, Unit *unit, const Args *args, Span span);
/* Setting number i of an optimizer, declared as `p`, with the program's `float`. */
const Val *optimizer_setting(Elab *e, const Val *opt, const AstParam *p, uint32_t i, Span span);
const Val *optimizer_step(Elab *e, const AstExpr *object, const Args *args, Span span);
void optimizer_check(Elab *e, const AstDecl *decl, Unit *unit);

/* --- elaborate_builtin.c */
const Builtin *builtin_find(Elab *e, const char *name);
const Builtin *builtin_method(Elab *e, const char *name); /* one that can be called as x.name(…) */
const char *builtin_name(const Builtin *builtin);
const char *builtin_at(uint32_t i); /* the i-th name, or NULL */
const Val *builtin_call(Elab *e, const Val *callee, const Args *args, const Ty *expected, Span span);
const Val *builtin_cast(Elab *e, DType dtype, const Args *args, Span span);
Value *next_stream(Elab *e, Span span);
const Val *el_reduce_gradient(Elab *e, const Val *g, Op op, Span span);
/* Requires a ≤ b, now or when it runs (where `text` says what is wrong with {} and {}). False after
 * reporting. */
bool dims_in_order(Elab *e, const Dim *a, const Dim *b, Span span, const char *text);
/* The place of a position known at compile time, `written`, counted from the end where negative, among n.
 * False after reporting. */
bool index_position(Elab *e, int64_t written, int64_t n, Span span, int64_t *at);
/* Requires when it runs that all ids are in 0 … size - 1. */
void ids_require(Elab *e, Value *ids, const Dim *size, Span span);
void runtime_check(Elab *e, Value *condition, const char *text, uint32_t count, Value *const *args,
                   Span span);

/* --- elaborate_data.c */
const Val *data_field(Elab *e, const Val *d, AstName field, Span span, const AstExpr *object);
const Val *data_method(Elab *e, const Val *d, const char *name, const Args *args, Span span, bool *known);
Value *data_batches(Builder *b, Value *total, Value *batch); /* how many, the last one maybe short */
Value *data_len(Elab *e, const Val *d, Span span);
const Val *data_read(Elab *e, const Val *d, Value *first, const Dim *count, Span span);

/* --- elaborate_stmt.c */
void el_block(Elab *e, const AstStmt *stmts); /* in a scope of its own */
/* A block whose last statement is its value; NULL expected allowed. */
const Val *el_block_value(Elab *e, const AstStmt *stmts, const Ty *expected, Span span);
const Val *el_if_value(Elab *e, const AstExpr *condition, const AstStmt *then, const AstStmt *otherwise,
                       const Ty *expected, Span span);
void el_stmts(Elab *e, const AstStmt *stmts);
void bind_pattern(Elab *e, const AstPattern *pattern, const Val *v, bool is_mutable, Span span);

/* --- elaborate_control.c */
/* The variables that an assignment here could change, the stream of random numbers among them. */
typedef VEC(Binding *) Bindings;
void variables_in_reach(Elab *e, Bindings *out);
typedef struct Branch Branch;
/* What the side that a known condition chooses is worth: its literals take the types that they had when the
 * function was checked, with both sides. */
const Val *branch_joined(Elab *e, const AstExpr *condition, const Val *one, Span span);
/* Builds an `if`: branch_new; branch_enter(false) … branch_enter(true) … ; branch_join. */
Branch *branch_new(Elab *e, Value *condition, Span span);
void branch_enter(Elab *e, Branch *branch, int which);
/* What each branch is worth (NULL for statements); merged. */
const Val *branch_join(Elab *e, Branch *branch, const Val *then, const Val *otherwise, Span then_span,
                       Span else_span);
typedef void LoopBody(Elab *e, Value *i, void *user);
/* `lo` ≤ i < `hi`; as a `while` where the body may leave it early. */
void loop_counted(Elab *e, Value *lo, Value *hi, bool leaves, LoopBody *body, void *user, Span span,
                  const AstStmt *syntax);
/* While `condition` gives true. */
void loop_while(Elab *e, const Val *(*condition)(Elab *e, void *user), LoopBody *body, void *user, Span span,
                const AstStmt *syntax);
/* --- elaborate_syntax.c */
/* Calls `enter` for every expression, outer before inner; where it answers false the parts are left out. */
typedef bool SyntaxVisit(void *user, const AstExpr *x);
void syntax_visit(const AstExpr *x, SyntaxVisit *enter, void *user);
void syntax_visit_stmts(const AstStmt *stmts, SyntaxVisit *enter, void *user);
bool syntax_mentions(const AstStmt *stmts, const char *name);
bool syntax_leaves(const AstStmt *body); /* break or return in it, outside inner loops for break */
bool syntax_returns(const AstStmt *body);
bool syntax_returns_value(const AstStmt *body);
/* Does a model have the field, under some `if` maybe? */
bool syntax_has_field(const AstDecl *members, const char *name);
/* Where a variable or loop in the body is called so; false if none is. */
bool syntax_declares(const AstStmt *body, const char *name, Span *span);
bool syntax_ends_in(const AstStmt *body,
                    const AstStmt *stmt); /* is it the last, branches of an `if` included? */

/* --- elaborate_control.c, once more */
/* True or false where known; otherwise a bool value: has control left what is being elaborated? */
const Val *control_left(Elab *e, Span span);

/* --- elaborate_equation.c */
void el_equation(Elab *e, const AstStmt *stmt);
const Val *el_reduction(Elab *e, const AstExpr *expr);
/* The body of a function that is called element by element. */
const Val *equation_body(Elab *e, const Frame *frame);
/* Fits one element to the declared type of a scalar; the value itself stays spread. */
const Val *equation_fit(Elab *e, const AstType *type, const Val *v, Scope *scope, Fit fit);

/* --- elaborate_loop.c */
void el_for(Elab *e, const AstStmt *stmt);
void el_while(Elab *e, const AstStmt *stmt);

#endif
