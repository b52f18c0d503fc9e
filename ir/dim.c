/* Dimensions: interning in canonical form, sums and products, substitution and evaluation. Floor division:
 * ir/dim_divide.c; text: ir/dim_text.c. */
#include "ir/dim.h"
#include "ir/dim_poly.h"
#include <assert.h>
#include <ctype.h>
#include <string.h>

/* --- order */
static int compare_dims(const Dim *a, const Dim *b);

/* Symbols by name before floor divisions by their parts: an order that doesn't depend on when a symbol was
 * made. */
static int compare_atoms(const DimAtom *a, const DimAtom *b) {
    if (dim_same_atom(a, b)) return 0;
    if (a->symbol && b->symbol) return strcmp(a->symbol->name, b->symbol->name);
    if (a->symbol || b->symbol) return a->symbol ? -1 : 1;
    int order = compare_dims(a->numerator, b->numerator);
    return order ? order : compare_dims(a->denominator, b->denominator);
}

bool dim_same_atom(const DimAtom *a, const DimAtom *b) {
    return a->symbol == b->symbol && a->numerator == b->numerator && a->denominator == b->denominator;
}

uint64_t dim_magnitude(int64_t value) { return value < 0 ? 0 - (uint64_t)value : (uint64_t)value; }

static uint32_t degree(const DimTerm *term) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < term->count; i++) sum += term->atoms[i].power;
    return sum;
}

static int compare_monomials(const DimTerm *a, const DimTerm *b) {
    uint32_t degree_a = degree(a), degree_b = degree(b);
    if (degree_a != degree_b) return degree_a > degree_b ? 1 : -1;
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        int order = compare_atoms(&a->atoms[i], &b->atoms[i]);
        if (order) return -order;
        if (a->atoms[i].power != b->atoms[i].power) return a->atoms[i].power > b->atoms[i].power ? 1 : -1;
    }
    return 0; /* of equal degree, neither can be a prefix of the other */
}

static int compare_dims(const Dim *a, const Dim *b) {
    if (a == b) return 0;
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        int order = compare_monomials(&a->terms[i], &b->terms[i]);
        if (order) return order;
        if (a->terms[i].coefficient != b->terms[i].coefficient)
            return a->terms[i].coefficient > b->terms[i].coefficient ? 1 : -1;
    }
    return a->count > b->count ? 1 : -1;
}

/* --- interning */
static uint64_t hash_terms(uint32_t count, const DimTerm *terms) {
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++) {
        hash = hash_mix(hash, (uint64_t)terms[i].coefficient);
        for (uint32_t j = 0; j < terms[i].count; j++) {
            const DimAtom *atom = &terms[i].atoms[j];
            hash =
                hash_pointer(hash, atom->symbol ? (const void *)atom->symbol : (const void *)atom->numerator);
            hash = hash_mix(hash_pointer(hash, atom->denominator), atom->power);
        }
    }
    return hash;
}

static bool same_terms(const void *wanted, const void *item) {
    const Dim *a = wanted, *b = item;
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const DimTerm *s = &a->terms[i], *t = &b->terms[i];
        if (s->coefficient != t->coefficient || s->count != t->count) return false;
        for (uint32_t j = 0; j < s->count; j++)
            if (!dim_same_atom(&s->atoms[j], &t->atoms[j]) || s->atoms[j].power != t->atoms[j].power)
                return false;
    }
    return true;
}

/* The number of terms and atoms, those of floor divisions included; more than DIM_MAX_SIZE where it is too
 * many. */
static uint32_t size_of(uint32_t count, const DimTerm *terms) {
    uint32_t size = 0;
    for (uint32_t i = 0; i < count && size <= DIM_MAX_SIZE; i++) {
        size++;
        for (uint32_t j = 0; j < terms[i].count && size <= DIM_MAX_SIZE; j++) {
            const DimAtom *atom = &terms[i].atoms[j];
            size += atom->symbol ? 1 : 1 + atom->numerator->size + atom->denominator->size;
        }
    }
    return size;
}

const Dim *dim_intern(IrContext *ir, uint32_t count, const DimTerm *terms) {
    Dim wanted = {.count = count, .terms = terms};
    uint64_t hash = hash_terms(count, terms);
    const Dim *found = table_find(&ir->dims, hash, &wanted, same_terms);
    if (found) return found;
    wanted.size = size_of(count, terms);
    if (wanted.size > DIM_MAX_SIZE) return NULL;
    wanted.terms = arena_copy(ir->arena, terms, sizeof *terms * count);
    found = arena_copy(ir->arena, &wanted, sizeof wanted);
    table_add(&ir->dims, ir->arena, hash, found);
    return found;
}

const Dim *dim_from_term(IrContext *ir, DimTerm term) {
    return dim_intern(ir, term.coefficient ? 1 : 0, &term);
}

const Dim *dim_const(IrContext *ir, int64_t value) {
    return dim_from_term(ir, (DimTerm){.coefficient = value});
}

/* --- symbols */
const Dim *dim_symbol(IrContext *ir, const char *name) {
    name = intern(ir->strings, name);
    Dim *symbol = map_get(ir->symbols, name);
    if (symbol) return symbol;
    symbol = ARENA_NEW(ir->arena, Dim);
    DimAtom *atom = ARENA_NEW(ir->arena, DimAtom);
    DimTerm *term = ARENA_NEW(ir->arena, DimTerm);
    *atom = (DimAtom){.symbol = symbol, .power = 1};
    *term = (DimTerm){.coefficient = 1, .count = 1, .atoms = atom};
    *symbol = (Dim){.name = name, .count = 1, .terms = term, .size = 2};
    map_put(ir->symbols, name, symbol);
    table_add(&ir->dims, ir->arena, hash_terms(1, term), symbol);
    return symbol;
}

/* The length of `name` without a numeric suffix (`.12`). */
static size_t stem_length(const char *name) {
    size_t length = strlen(name), end = length;
    while (end && isdigit((unsigned char)name[end - 1])) end--;
    return end > 1 && end < length && name[end - 1] == '.' ? end - 1 : length;
}

const Dim *dim_fresh(IrContext *ir, const char *base) {
    if (!map_get(ir->symbols, intern(ir->strings, base))) return dim_symbol(ir, base);
    const char *stem = intern_n(ir->strings, base, stem_length(base));
    uint32_t *suffix = map_get(ir->suffixes, stem);
    if (!suffix) map_put(ir->suffixes, stem, suffix = ARENA_NEW(ir->arena, uint32_t));
    for (;;) {
        const char *name = intern(ir->strings, arena_printf(ir->arena, "%s.%u", stem, ++*suffix));
        if (!map_get(ir->symbols, name)) return dim_symbol(ir, name);
    }
}

/* --- products of terms */
static bool multiply_terms(IrContext *ir, const DimTerm *a, const DimTerm *b, DimTerm *product) {
    if (__builtin_mul_overflow(a->coefficient, b->coefficient, &product->coefficient)) return false;
    if (!a->count || !b->count) { /* the common case: a factor is a number */
        product->count = a->count + b->count;
        product->atoms = a->count ? a->atoms : b->atoms;
        return true;
    }
    DimAtom *atoms = ARENA_ARRAY(ir->arena, DimAtom, a->count + b->count);
    uint32_t i = 0, j = 0, n = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count ? 1 : j == b->count ? -1 : compare_atoms(&a->atoms[i], &b->atoms[j]);
        atoms[n] = order <= 0 ? a->atoms[i++] : b->atoms[j++];
        if (order == 0) atoms[n].power += b->atoms[j++].power;
        if (atoms[n++].power > DIM_MAX_POWER) return false;
    }
    product->count = n;
    product->atoms = atoms;
    return true;
}

bool dim_divide_monomials(IrContext *ir, const DimTerm *a, const DimTerm *b, DimTerm *quotient) {
    DimAtom *atoms = ARENA_ARRAY(ir->arena, DimAtom, a->count);
    uint32_t n = 0, j = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        DimAtom atom = a->atoms[i];
        if (j < b->count && dim_same_atom(&atom, &b->atoms[j])) {
            if (atom.power < b->atoms[j].power) return false;
            atom.power -= b->atoms[j++].power;
        }
        if (atom.power) atoms[n++] = atom;
    }
    *quotient = (DimTerm){.coefficient = 1, .count = n, .atoms = atoms};
    return j == b->count;
}

/* --- sums and products */
/* a + factor * b, the terms merged in order. */
static const Dim *add_scaled(IrContext *ir, const Dim *a, const DimTerm *factor, const Dim *b) {
    if (!a || !b) return NULL;
    DimTerm *terms = ARENA_ARRAY(ir->arena, DimTerm, a->count + b->count);
    uint32_t i = 0, n = 0;
    for (uint32_t j = 0; j < b->count; j++) {
        DimTerm term;
        if (!multiply_terms(ir, factor, &b->terms[j], &term)) return NULL;
        int order = -1;
        while (i < a->count && (order = compare_monomials(&a->terms[i], &term)) > 0)
            terms[n++] = a->terms[i++];
        if (i < a->count && order == 0 &&
            __builtin_add_overflow(term.coefficient, a->terms[i++].coefficient, &term.coefficient))
            return NULL;
        if (term.coefficient) terms[n++] = term;
    }
    while (i < a->count) terms[n++] = a->terms[i++];
    return dim_intern(ir, n, terms);
}

const Dim *dim_add(IrContext *ir, const Dim *a, const Dim *b) {
    return add_scaled(ir, a, &(DimTerm){.coefficient = 1}, b);
}

const Dim *dim_sub(IrContext *ir, const Dim *a, const Dim *b) {
    return add_scaled(ir, a, &(DimTerm){.coefficient = -1}, b);
}

const Dim *dim_mul(IrContext *ir, const Dim *a, const Dim *b) {
    if (!a || !b) return NULL;
    const Dim *sum = dim_const(ir, 0);
    for (uint32_t i = 0; i < a->count && sum; i++) sum = add_scaled(ir, sum, &a->terms[i], b);
    return sum;
}

/* --- questions */
bool dim_is_const(const Dim *d, int64_t *value) {
    if (d->count > 1 || (d->count == 1 && d->terms[0].count)) return false;
    if (value) *value = d->count ? d->terms[0].coefficient : 0;
    return true;
}

bool dim_is(const Dim *d, int64_t value) {
    int64_t constant;
    return dim_is_const(d, &constant) && constant == value;
}

const char *dim_symbol_name(const Dim *d) { return d->name; }

uint32_t dim_terms(const Dim *d, const DimTerm **terms) {
    *terms = d->terms;
    return d->count;
}

void dim_symbols(const Dim *d, void (*visit)(void *user, const Dim *symbol), void *user) {
    for (uint32_t i = 0; i < d->count; i++) {
        for (uint32_t j = 0; j < d->terms[i].count; j++) {
            const DimAtom *atom = &d->terms[i].atoms[j];
            if (atom->symbol) {
                visit(user, atom->symbol);
            } else {
                dim_symbols(atom->numerator, visit, user);
                dim_symbols(atom->denominator, visit, user);
            }
        }
    }
}

typedef struct {
    const Dim *symbol;
    bool found;
} Mention;

static void see_symbol(void *user, const Dim *symbol) {
    Mention *mention = user;
    mention->found |= symbol == mention->symbol;
}

bool dim_may_be_negative(const Dim *d) {
    const DimTerm *terms;
    uint32_t count = dim_terms(d, &terms);
    for (uint32_t i = 0; i < count; i++) {
        if (terms[i].coefficient < 0) return true;
        for (uint32_t k = 0; k < terms[i].count; k++) {
            const DimAtom *atom = &terms[i].atoms[k];
            if (!atom->symbol &&
                (dim_may_be_negative(atom->numerator) || dim_may_be_negative(atom->denominator)))
                return true;
        }
    }
    return false;
}

bool dim_mentions(const Dim *d, const Dim *symbol) {
    Mention mention = {symbol, false};
    dim_symbols(d, see_symbol, &mention);
    return mention.found;
}

/* --- substitution */
static const Dim *substitute_atom(IrContext *ir, const DimAtom *atom,
                                  const Dim *(*map)(void *user, const Dim *symbol), void *user) {
    if (atom->symbol) {
        const Dim *by = map(user, atom->symbol);
        return by ? by : atom->symbol;
    }
    return dim_floordiv(ir, dim_substitute(ir, atom->numerator, map, user),
                        dim_substitute(ir, atom->denominator, map, user));
}

static const Dim *substitute_term(IrContext *ir, const DimTerm *term,
                                  const Dim *(*map)(void *user, const Dim *symbol), void *user) {
    const Dim *product = dim_const(ir, term->coefficient);
    for (uint32_t i = 0; i < term->count && product; i++) {
        const Dim *factor = substitute_atom(ir, &term->atoms[i], map, user);
        for (uint32_t p = 0; p < term->atoms[i].power; p++) product = dim_mul(ir, product, factor);
    }
    return product;
}

const Dim *dim_substitute(IrContext *ir, const Dim *d, const Dim *(*map)(void *user, const Dim *symbol),
                          void *user) {
    if (!d || dim_is_const(d, NULL)) return d;
    if (d->name) {
        const Dim *by = map(user, d);
        return by ? by : d;
    }
    const Dim *sum = dim_const(ir, 0);
    for (uint32_t i = 0; i < d->count && sum; i++)
        sum = dim_add(ir, sum, substitute_term(ir, &d->terms[i], map, user));
    return sum;
}

typedef struct {
    const Dim *symbol, *by;
} Replacement;

static const Dim *replace_symbol(void *user, const Dim *symbol) {
    const Replacement *replacement = user;
    return symbol == replacement->symbol ? replacement->by : NULL;
}

const Dim *dim_replace(IrContext *ir, const Dim *d, const Dim *symbol, const Dim *by) {
    return dim_substitute(ir, d, replace_symbol, &(Replacement){symbol, by});
}

/* --- evaluation */
static bool eval_atom(const DimAtom *atom, bool (*value)(void *user, const Dim *symbol, int64_t *out),
                      void *user, int64_t *out) {
    if (atom->symbol) return value(user, atom->symbol, out);
    int64_t a, b;
    if (!dim_eval(atom->numerator, value, user, &a) || !dim_eval(atom->denominator, value, user, &b))
        return false;
    if (b < 1) b = 1;
    *out = a / b - (a % b < 0);
    return true;
}

bool dim_eval(const Dim *d, bool (*value)(void *user, const Dim *symbol, int64_t *out), void *user,
              int64_t *out) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        int64_t product = d->terms[i].coefficient;
        for (uint32_t j = 0; j < d->terms[i].count; j++) {
            int64_t factor;
            if (!eval_atom(&d->terms[i].atoms[j], value, user, &factor)) return false;
            for (uint32_t p = 0; p < d->terms[i].atoms[j].power; p++)
                if (__builtin_mul_overflow(product, factor, &product)) return false;
        }
        if (__builtin_add_overflow(sum, product, &sum)) return false;
    }
    *out = sum;
    return true;
}
