/* Dimensions: polynomials with integer coefficients over run-time symbols and floor divisions, interned in
 * canonical form, so two dimensions are provably equal exactly when their pointers are. A dimension known at
 * compile time is the polynomial without symbols. Arithmetic wraps nowhere: a coefficient that would leave
 * int64 yields NULL, which callers report.
 *
 * Canonical form: a sum of terms sorted by monomial, no zero coefficients; a monomial is a sorted product of
 * atoms with powers; an atom is a symbol or floordiv(p, q) that could not be simplified. floordiv folds
 * constants, divides exactly where every term is divisible, and splits off the divisible part
 * ((2*B + 1) // 2 = B + 1 // 2 = B). */
#ifndef IR_DIM_H
#define IR_DIM_H

#include "ir/context.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Dim Dim;

const Dim *dim_const(IrContext *ir, int64_t value);
/* The symbol of exactly this name (created on first use). Names are unique within a context. */
const Dim *dim_symbol(IrContext *ir, const char *name);
/* A symbol that did not exist before: `base`, or `base.1`, `base.2`, … */
const Dim *dim_fresh(IrContext *ir, const char *base);

const Dim *dim_add(IrContext *ir, const Dim *a, const Dim *b);
const Dim *dim_sub(IrContext *ir, const Dim *a, const Dim *b);
const Dim *dim_mul(IrContext *ir, const Dim *a, const Dim *b);
/* Floor division (rounds towards minus infinity); NULL where `b` is the constant 0. */
const Dim *dim_floordiv(IrContext *ir, const Dim *a, const Dim *b);
/* a - (a // b) * b */
const Dim *dim_mod(IrContext *ir, const Dim *a, const Dim *b);
/* The size of each of so many equal parts; NULL where it isn't known that there are any. */
const Dim *dim_share(IrContext *ir, const Dim *size, const Dim *parts);

bool dim_is_const(const Dim *d, int64_t *value); /* `value` may be NULL */
bool dim_is(const Dim *d, int64_t value);        /* the constant `value`? */
/* The symbol's name where `d` is a single symbol, else NULL. */
const char *dim_symbol_name(const Dim *d);
/* Calls `visit` for each symbol that occurs in `d` (also inside floor divisions); may visit one twice. */
void dim_symbols(const Dim *d, void (*visit)(void *user, const Dim *symbol), void *user);
/* Can it be negative though no symbol is? False is certain. */
bool dim_may_be_negative(const Dim *d);
bool dim_mentions(const Dim *d, const Dim *symbol);

/* Replaces symbols: `map(user, symbol)` returns the replacement or NULL to keep. NULL on overflow. */
const Dim *dim_substitute(IrContext *ir, const Dim *d, const Dim *(*map)(void *user, const Dim *symbol),
                          void *user);
/* Replaces one symbol. */
const Dim *dim_replace(IrContext *ir, const Dim *d, const Dim *symbol, const Dim *by);

/* Evaluates with run-time values; false on overflow, or where `value` returns false. A divisor counts as at
 * least 1, as in compiled programs: what is never reached may divide by 0. */
bool dim_eval(const Dim *d, bool (*value)(void *user, const Dim *symbol, int64_t *out), void *user,
              int64_t *out);

/* Structure, for code generation and solving. */
typedef struct {
    const Dim *symbol; /* a symbol, or NULL for a floor division */
    const Dim *numerator, *denominator;
    uint32_t power; /* ≥ 1 */
} DimAtom;
typedef struct {
    int64_t coefficient;
    uint32_t count;
    const DimAtom *atoms; /* none for the constant term */
} DimTerm;
uint32_t dim_terms(const Dim *d, const DimTerm **terms); /* 0 terms = the constant 0 */

/* Writes the canonical text, which dim_parse reads back: `64`, `B`, `2*B*T - 1`, `(H - 1)//2 + 1`. */
void dim_print(FILE *out, const Dim *d);
const char *dim_text(IrContext *ir, const Dim *d);
/* Reads a dimension at `*cursor` and advances it; NULL (cursor at the offence) if there is none. */
const Dim *dim_parse(IrContext *ir, const char **cursor);

#endif
