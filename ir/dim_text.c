/* Dimensions as text. `*` and `//` bind equally, from the left, tighter than `+` and `-`, so floor divisions
 * inside products are put in parentheses. */
#include "ir/dim_poly.h"
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- printing */
/* Needs no parentheses as an operand of `//`. */
static bool is_plain(const Dim *d) {
    int64_t value;
    return d->name || (dim_is_const(d, &value) && value >= 0);
}

static void print_part(FILE *out, const Dim *d) {
    if (!is_plain(d)) fputc('(', out);
    dim_print(out, d);
    if (!is_plain(d)) fputc(')', out);
}

static void print_atom(FILE *out, const DimAtom *atom, bool alone) {
    if (atom->symbol) {
        fputs(atom->symbol->name, out);
        return;
    }
    if (!alone) fputc('(', out);
    print_part(out, atom->numerator);
    fputs("//", out);
    print_part(out, atom->denominator);
    if (!alone) fputc(')', out);
}

/* The term without its sign. `alone`: a floor division needs no parentheses here. */
static void print_term(FILE *out, const DimTerm *term, bool alone) {
    uint64_t factor = dim_magnitude(term->coefficient);
    bool need_star = factor != 1 || !term->count;
    if (need_star) fprintf(out, "%" PRIu64, factor);
    alone = alone && !need_star && term->count == 1 && term->atoms[0].power == 1;
    for (uint32_t i = 0; i < term->count; i++) {
        for (uint32_t p = 0; p < term->atoms[i].power; p++) {
            if (need_star) fputc('*', out);
            print_atom(out, &term->atoms[i], alone);
            need_star = true;
        }
    }
}

void dim_print(FILE *out, const Dim *d) {
    if (!d->count) fputc('0', out);
    for (uint32_t i = 0; i < d->count; i++) {
        const DimTerm *term = &d->terms[i];
        bool negative = term->coefficient < 0;
        if (i) fputs(negative ? " - " : " + ", out);
        if (!i && negative) fputc('-', out);
        print_term(out, term, i || !negative);
    }
}

const char *dim_text(IrContext *ir, const Dim *d) {
    char *buffer = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&buffer, &length);
    assert(out);
    dim_print(out, d);
    fclose(out);
    const char *text = arena_strndup(ir->arena, buffer, length);
    free(buffer);
    return text;
}

/* --- parsing */
enum { MAX_NESTING = 64 }; /* of parentheses: bounds the stack that hostile text can take */

typedef struct {
    IrContext *ir;
    const char *at;
    int depth;
} Reader;

static const Dim *read_sum(Reader *r);

static void skip_space(Reader *r) {
    while (isspace((unsigned char)*r->at)) r->at++;
}

static bool accept(Reader *r, const char *token) {
    skip_space(r);
    size_t length = strlen(token);
    if (strncmp(r->at, token, length) != 0) return false;
    r->at += length;
    return true;
}

/* Digits as a number of this sign, so that the least one can be read too. */
static const Dim *read_number(Reader *r, bool negative) {
    int64_t value = 0;
    const char *start = r->at;
    for (; isdigit((unsigned char)*r->at); r->at++) {
        int64_t digit = *r->at - '0';
        if (!__builtin_mul_overflow(value, 10, &value) &&
            !__builtin_add_overflow(value, negative ? -digit : digit, &value))
            continue;
        r->at = start;
        return NULL;
    }
    return dim_const(r->ir, value);
}

static const Dim *read_name(Reader *r) {
    size_t length = 0;
    while (isalnum((unsigned char)r->at[length]) || r->at[length] == '_' || r->at[length] == '.') length++;
    const char *name = intern_n(r->ir->strings, r->at, length);
    r->at += length;
    return dim_symbol(r->ir, name);
}

static const Dim *read_nested(Reader *r) {
    if (r->depth == MAX_NESTING) return NULL;
    r->depth++;
    const Dim *d = read_sum(r);
    r->depth--;
    return d && accept(r, ")") ? d : NULL;
}

static const Dim *read_factor(Reader *r) {
    bool negative = accept(r, "-");
    skip_space(r);
    if (isdigit((unsigned char)*r->at)) return read_number(r, negative);
    const Dim *d = NULL;
    if (isalpha((unsigned char)*r->at) || *r->at == '_')
        d = read_name(r);
    else if (accept(r, "("))
        d = read_nested(r);
    return d && negative ? dim_sub(r->ir, dim_const(r->ir, 0), d) : d;
}

/* Reads the factors after the first. */
static const Dim *read_product(Reader *r, const Dim *d) {
    while (d) {
        if (accept(r, "//"))
            d = dim_floordiv(r->ir, d, read_factor(r));
        else if (accept(r, "*"))
            d = dim_mul(r->ir, d, read_factor(r));
        else
            break;
    }
    return d;
}

/* A term that is to be subtracted, negated. A number takes the minus sign itself unless it is divided. */
static const Dim *read_negated(Reader *r) {
    skip_space(r);
    if (isdigit((unsigned char)*r->at)) {
        const char *start = r->at;
        const Dim *d = read_number(r, true);
        if (d && !accept(r, "//")) return read_product(r, d);
        if (!d) return NULL;
        r->at = start;
    }
    const Dim *d = read_product(r, read_factor(r));
    return d ? dim_sub(r->ir, dim_const(r->ir, 0), d) : NULL;
}

static const Dim *read_sum(Reader *r) {
    const Dim *d = read_product(r, read_factor(r));
    while (d) {
        if (accept(r, "+"))
            d = dim_add(r->ir, d, read_product(r, read_factor(r)));
        else if (accept(r, "-"))
            d = dim_add(r->ir, d, read_negated(r));
        else
            break;
    }
    return d;
}

const Dim *dim_parse(IrContext *ir, const char **cursor) {
    Reader reader = {.ir = ir, .at = *cursor};
    const Dim *d = read_sum(&reader);
    *cursor = reader.at;
    return d;
}
