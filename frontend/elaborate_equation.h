/* Index notation inside the elaborator: what the files elaborate_equation*.c share.
 *
 * An equation, or a reduction with `for`, is elaborated over an index space. Each index is an axis of it,
 * counted from the last, so that the axes that a nested reduction adds stand in front of those that are
 * there: a value made outside the reduction is one inside it, as it is. A value of the space is *spread*: a
 * tensor that broadcasts to the space as NumPy's do (it has size 1, or no axis at all, where it doesn't
 * depend on an index), and each of its elements is what the program computes for those values of the indices.
 * Everything elementwise is then computed by the ordinary operators. What mentions no index is elaborated as
 * anywhere else, once. */
#ifndef FRONTEND_ELABORATE_EQUATION_H
#define FRONTEND_ELABORATE_EQUATION_H

#include "frontend/elaborate.h"
#include "ir/build.h"

typedef struct {
    AstName name;
    const Binding *binding; /* its value: lo, lo + 1, … along the axis */
    const Dim *lo, *extent; /* it runs from lo to lo + extent - 1 */
} Index;

struct Equation {
    Equation *outer;
    uint32_t rank;
    Index indices[MAX_RANK]; /* by axis, counted from the last */
    const Val
        *guard; /* a bool, maybe spread: where it is false, what is elaborated is not wanted; NULL = always */
    Map *objects; /* AstExpr → Val: what is indexed, elaborated once */
};

/* --- elaborate_equation.c */
/* Does the value depend on an index (or on a name that is spread)? */
bool equation_spread(Elab *e, const AstExpr *x);
const Val *equation_reduce(Elab *e, const AstExpr *x);
bool equation_nonempty(const Equation *q); /* provably? */

/* --- elaborate_equation_range.c */
/* lo and extent of a binder whose range is written, or follows from the axes that it indexes in `body`. False
 * after reporting. */
bool equation_range(Elab *e, const AstBinder *binder, const AstExpr *body, Index *index);
/* What is indexed in `x`, elaborated once. */
const Val *equation_object(Elab *e, const AstExpr *x);

/* --- elaborate_equation_expr.c */
const Val *equation_expr(Elab *e, const AstExpr *x); /* a scalar or literal, or spread */
const Val *equation_where(Elab *e, const Val *condition, const Val *a, const Val *b, Span span);

/* --- elaborate_equation_factors.c */
/* The same sum with its factors multiplied in pairs, where there are three or more and that is less work.
 * Values whose ids are below `first` are factors as they are: the program may have named them. */
Value *equation_sum(Builder *b, Value *sum, uint32_t first);

/* --- elaborate_equation_access.c */
const Val *equation_access(Elab *e, const AstExpr *x); /* a[…] */

#endif
