/* Inside ir/dim*.c: the structure of a dimension and arithmetic on its sorted terms. */
#ifndef IR_DIM_POLY_H
#define IR_DIM_POLY_H

#include "ir/dim.h"
#include "ir/tables.h"

struct Dim {
    const char *name; /* of a symbol, interned; else NULL */
    uint32_t count;
    const DimTerm *terms; /* greatest monomial first */
    uint32_t size;        /* atoms and terms in it, also in floor divisions */
};

/* Larger polynomials count as overflow, so hostile text and programs cost bounded time. Real shapes have a
 * handful of terms. */
enum { DIM_MAX_SIZE = 4000, DIM_MAX_POWER = 64 };

/* The interned polynomial of these sorted, non-zero terms; NULL where it is too large. Copies what it keeps.
 */
const Dim *dim_intern(IrContext *ir, uint32_t count, const DimTerm *terms);
/* The atoms of a without those of b, where b's monomial divides a's; the coefficient is left 1. */
bool dim_divide_monomials(IrContext *ir, const DimTerm *a, const DimTerm *b, DimTerm *quotient);
const Dim *dim_from_term(IrContext *ir, DimTerm term);
uint64_t dim_magnitude(int64_t value); /* |value|, of the least number too */
bool dim_same_atom(const DimAtom *a, const DimAtom *b);

#endif
