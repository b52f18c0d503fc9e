/* Floor division of dimensions, as far as it can be decided without knowing the symbols. A divisor is assumed
 * to be at least 1, wherever it isn't a number: sizes that are divided by are sizes of something. Every rule
 * below is an identity under that assumption:
 *
 *   (m*a) // (m*b)        = a // b                        common factors cancel
 *   (q*b + r) // b        = q + r // b                    for integer q: polynomial long division
 *   (g*a + k) // (g*b)    = (a + k // g) // b             for a number g and the constant term k
 *   (p // d + a) // b     = (p + d*a) // (d*b)            nested divisions become one
 *   -1 // b               = -1
 */
#include "ir/dim_poly.h"

static int64_t floor_quotient(int64_t a, int64_t b) { return a / b - (a % b && (a < 0) != (b < 0)); }

static const Dim *negate(IrContext *ir, const Dim *d) { return dim_sub(ir, dim_const(ir, 0), d); }

/* --- common factors */
/* Lowers the powers in `common` to those in `term`, dropping what isn't there. */
static void keep_common(DimTerm *common, DimAtom *atoms, const DimTerm *term) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < common->count; i++) {
        for (uint32_t j = 0; j < term->count; j++) {
            if (!dim_same_atom(&atoms[i], &term->atoms[j])) continue;
            DimAtom atom = atoms[i];
            if (term->atoms[j].power < atom.power) atom.power = term->atoms[j].power;
            atoms[n++] = atom;
            break;
        }
    }
    common->count = n;
}

/* The greatest monomial that divides all terms of a and b (both non-zero). */
static DimTerm common_monomial(IrContext *ir, const Dim *a, const Dim *b) {
    const DimTerm *first = &b->terms[0];
    DimAtom *atoms = arena_copy(ir->arena, first->atoms, sizeof *atoms * first->count);
    DimTerm common = {.coefficient = 1, .count = first->count, .atoms = atoms};
    for (uint32_t i = 1; i < b->count; i++) keep_common(&common, atoms, &b->terms[i]);
    for (uint32_t i = 0; i < a->count; i++) keep_common(&common, atoms, &a->terms[i]);
    return common;
}

/* d / monomial, which divides every term; the order of the terms stays. */
static const Dim *divide_out(IrContext *ir, const Dim *d, const DimTerm *monomial) {
    DimTerm *terms = ARENA_ARRAY(ir->arena, DimTerm, d->count);
    for (uint32_t i = 0; i < d->count; i++) {
        dim_divide_monomials(ir, &d->terms[i], monomial, &terms[i]);
        terms[i].coefficient = d->terms[i].coefficient;
    }
    return dim_intern(ir, d->count, terms);
}

/* --- long division */
/* The quotient's term for the lead terms of p and b: 0 where b's doesn't divide p's. */
static DimTerm lead_quotient(IrContext *ir, const DimTerm *p, const DimTerm *b) {
    DimTerm quotient;
    if (!dim_divide_monomials(ir, p, b, &quotient)) return (DimTerm){0};
    bool overflows = p->coefficient == INT64_MIN && b->coefficient == -1;
    quotient.coefficient = overflows ? 0 : floor_quotient(p->coefficient, b->coefficient);
    return quotient;
}

/* Splits a = quotient * b + remainder so that what b's lead term can divide is in the quotient. NULL on
 * overflow. */
static const Dim *long_division(IrContext *ir, const Dim *a, const Dim *b, const Dim **remainder) {
    const Dim *quotient = dim_const(ir, 0), *rest = a;
    *remainder = dim_const(ir, 0);
    while (rest && quotient && *remainder && rest->count) {
        DimTerm term = lead_quotient(ir, &rest->terms[0], &b->terms[0]);
        const Dim *q = dim_from_term(ir, term), *lead = dim_from_term(ir, rest->terms[0]);
        if (term.coefficient) { /* leaves a lead coefficient that b's is too large for, or none */
            quotient = dim_add(ir, quotient, q);
            rest = dim_sub(ir, rest, dim_mul(ir, q, b));
        } else {
            *remainder = dim_add(ir, *remainder, lead);
            rest = dim_sub(ir, rest, lead);
        }
    }
    return rest && *remainder ? quotient : NULL;
}

/* --- the greatest common number */
static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Of all of b's coefficients and a's but the constant term's. */
static int64_t common_number(const Dim *a, const Dim *b) {
    uint64_t common = 0;
    for (uint32_t i = 0; i < b->count; i++) common = gcd(common, dim_magnitude(b->terms[i].coefficient));
    for (uint32_t i = 0; i < a->count; i++)
        if (a->terms[i].count) common = gcd(common, dim_magnitude(a->terms[i].coefficient));
    return common > INT64_MAX ? 1 : (int64_t)common;
}

/* Every coefficient divided by `number`, rounded down; exact but for the constant term. */
static const Dim *scale_down(IrContext *ir, const Dim *d, int64_t number) {
    DimTerm *terms = ARENA_ARRAY(ir->arena, DimTerm, d->count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        terms[n] = d->terms[i];
        terms[n].coefficient = floor_quotient(d->terms[i].coefficient, number);
        if (terms[n].coefficient) n++;
    }
    return dim_intern(ir, n, terms);
}

/* --- nested divisions */
/* The one term of `a` that is a plain floor division, or NULL where there are none or several. */
static const DimTerm *only_division(const Dim *a) {
    const DimTerm *found = NULL;
    for (uint32_t i = 0; i < a->count; i++) {
        const DimTerm *term = &a->terms[i];
        if (term->coefficient != 1 || term->count != 1 || term->atoms[0].symbol || term->atoms[0].power != 1)
            continue;
        if (found) return NULL;
        found = term;
    }
    return found;
}

/* (p // d + rest) // b as (p + d * rest) // (d * b); NULL on overflow. */
static const Dim *flatten(IrContext *ir, const Dim *a, const DimTerm *division, const Dim *b) {
    const Dim *p = division->atoms[0].numerator, *d = division->atoms[0].denominator;
    const Dim *rest = dim_sub(ir, a, dim_from_term(ir, *division));
    return dim_floordiv(ir, dim_add(ir, p, dim_mul(ir, d, rest)), dim_mul(ir, d, b));
}

/* --- a // b where nothing of a can be divided by b any more */
static const Dim *divide_remainder(IrContext *ir, const Dim *a, const Dim *b) {
    if (dim_is(a, 0)) return a;
    if (!dim_is_const(b, NULL) && dim_is(a, -1)) return a;
    if (!dim_is_const(b, NULL)) {
        DimTerm common = common_monomial(ir, a, b);
        if (common.count) return dim_floordiv(ir, divide_out(ir, a, &common), divide_out(ir, b, &common));
    }
    int64_t number = common_number(a, b);
    if (number > 1) return dim_floordiv(ir, scale_down(ir, a, number), scale_down(ir, b, number));
    const DimTerm *division = only_division(a);
    const Dim *flat = division ? flatten(ir, a, division, b) : NULL;
    if (flat) return flat;
    DimAtom atom = {.numerator = a, .denominator = b, .power = 1};
    return dim_from_term(
        ir, (DimTerm){.coefficient = 1, .count = 1, .atoms = arena_copy(ir->arena, &atom, sizeof atom)});
}

const Dim *dim_floordiv(IrContext *ir, const Dim *a, const Dim *b) {
    if (!a || !b || dim_is(b, 0)) return NULL;
    int64_t number;
    if (dim_is_const(b, &number) && number < 0) {
        a = negate(ir, a);
        b = negate(ir, b);
        if (!a || !b) return NULL;
    }
    const Dim *remainder, *quotient = long_division(ir, a, b, &remainder);
    if (!quotient) return NULL;
    /* Common factors may make more of it divisible: then the division starts over with smaller parts. */
    return dim_add(ir, quotient, divide_remainder(ir, remainder, b));
}

const Dim *dim_mod(IrContext *ir, const Dim *a, const Dim *b) {
    return dim_sub(ir, a, dim_mul(ir, dim_floordiv(ir, a, b), b));
}

const Dim *dim_share(IrContext *ir, const Dim *size, const Dim *parts) {
    int64_t all, count;
    if (size == parts) return dim_const(ir, 1);
    bool known = dim_is_const(size, &all) && dim_is_const(parts, &count);
    return known && count > 0 && all % count == 0 ? dim_const(ir, all / count) : NULL;
}
