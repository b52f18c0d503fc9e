/* Dimensions: equal sizes are equal pointers, and nothing wraps. */
#include "tests/unit/session.h"
#include <criterion/criterion.h>

static const Dim *read(Session *s, const char *text) {
    const char *at = text;
    const Dim *d = dim_parse(s->ir, &at);
    return d && !*at ? d : NULL;
}

/* --- canonical text */
typedef struct {
    const char *text, *canonical; /* NULL: refused */
} Case;

static const Case cases[] = {
    {"0", "0"},
    {"B", "B"},
    {"2*B*T - 1", "2*B*T - 1"},
    {"1 - B", "-B + 1"},
    {"T*B + B*T", "2*B*T"},
    {"B - B", "0"},
    {"(B + 1)*(B - 1)", "B*B - 1"},
    {"(2*B*T)//T", "2*B"},
    {"(2*B + 1)//2", "B"},
    {"(2*B - 1)//2", "B - 1"},
    {"(H - 1)//2 + 1", "(H + 1)//2"},
    {"(H + 1)//2", "(H + 1)//2"},
    {"3*B//2", "B + B//2"},
    {"-(H//2)", "-(H//2)"},
    {"-H//2", "-H + H//2"},
    {"H//-2", "-H + H//2"},
    {"H//2//3", "H//6"},
    {"((H - 1)//2 + 1 - 1)//2 + 1", "(H + 3)//4"},
    {"(6*B + 4*C + 5)//4", "B + C + B//2 + 1"},
    {"(3*B*T)//(2*T)", "B + B//2"},
    {"(T*k + T - 1)//T", "k"},
    {"(B*B - 1)//(B + 1)", "B - 1"},
    {"(-5)//T", "(-5)//T"},
    {"(-1)//T", "-1"},
    {"0//T", "0"},
    {"2*(H//2)*(W//3)", "2*(W//3)*(H//2)"},
    {"(H//2)*(H//2)", "(H//2)*(H//2)"},
    {"7 - 5//2", "5"},
    {"-7//2", "-4"},
    {"7//-2", "-4"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"B - 9223372036854775808", "B - 9223372036854775808"},
    {"-9223372036854775808*B", "-9223372036854775808*B"},
    {"9223372036854775808", NULL},
    {"9223372036854775807 + 1", NULL},
    {"4*9223372036854775807*B", NULL},
    {"-9223372036854775808//-1", NULL},
    {"B//0", NULL},
    {"B//(T - T)", NULL},
    {"", NULL},
    {"B +", NULL},
    {"(B", NULL},
    {"B B", NULL},
    {"*", NULL},
};

Test(dim, canonical_text) {
    Session s = session_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Dim *d = read(&s, cases[i].text);
        if (!cases[i].canonical) {
            cr_expect(!d, "%s is %s", cases[i].text, d ? dim_text(s.ir, d) : "");
            continue;
        }
        cr_assert(d, "%s is refused", cases[i].text);
        cr_expect_str_eq(dim_text(s.ir, d), cases[i].canonical, "%s is %s", cases[i].text, dim_text(s.ir, d));
        cr_expect(read(&s, dim_text(s.ir, d)) == d, "%s does not read back", cases[i].canonical);
    }
    session_free(&s);
}

Test(dim, nesting_is_bounded) {
    Session s = session_new();
    char *text = arena_alloc(s.arena, 200001);
    memset(text, '(', 200000);
    cr_expect(!read(&s, text));
    memset(text, '-', 200000);
    cr_expect(!read(&s, text));
    session_free(&s);
}

Test(dim, size_is_bounded) {
    Session s = session_new();
    const Dim *d = read(&s, "a + b + c + d + e + f");
    for (int i = 0; i < 100 && d; i++) d = dim_mul(s.ir, d, read(&s, "a + b + c + d + e + f + 1"));
    cr_expect(!d, "powers of a sum of symbols end somewhere");
    d = read(&s, "B");
    for (int i = 0; i < 100 && d; i++) d = dim_mul(s.ir, d, d);
    cr_expect(!d);
    session_free(&s);
}

/* --- values: arithmetic on dimensions is arithmetic on their values */
typedef struct {
    uint64_t state;
    const Dim *symbols[3];
    int64_t values[3]; /* at least 1: they are divided by */
} Random;

static uint32_t below(Random *r, uint32_t limit) {
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 33) % limit;
}

static bool value_of(void *user, const Dim *symbol, int64_t *out) {
    const Random *r = user;
    for (int i = 0; i < 3; i++)
        if (r->symbols[i] == symbol) *out = r->values[i];
    return true;
}

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b && (a < 0) != (b < 0)); }

/* A random dimension and its value, computed beside it. */
static const Dim *random_dim(Session *s, Random *r, int depth, int64_t *value) {
    uint32_t kind = depth ? below(r, 8) : below(r, 2);
    if (kind == 0) return dim_const(s->ir, *value = (int64_t)below(r, 13) - 6);
    if (kind == 1) {
        uint32_t i = below(r, 3);
        *value = r->values[i];
        return r->symbols[i];
    }
    int64_t x, y;
    const Dim *a = random_dim(s, r, depth - 1, &x), *b = random_dim(s, r, depth - 1, &y);
    if (!a || !b) return NULL;
    if (kind < 4) return *value = x + y, dim_add(s->ir, a, b);
    if (kind < 5) return *value = x - y, dim_sub(s->ir, a, b);
    if (kind < 6) return *value = x * y, dim_mul(s->ir, a, b);
    if (y == 0 || (y < 0 && !dim_is_const(b, NULL))) return NULL; /* what the header rules out */
    if (kind < 7) return *value = floor_divide(x, y), dim_floordiv(s->ir, a, b);
    return *value = x - floor_divide(x, y) * y, dim_mod(s->ir, a, b);
}

/* Divisors anywhere in d are at least 1, for the values at hand. */
static bool divisors_are_positive(Random *r, const Dim *d) {
    const DimTerm *terms;
    uint32_t count = dim_terms(d, &terms);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < terms[i].count; j++) {
            const DimAtom *atom = &terms[i].atoms[j];
            int64_t value;
            if (atom->symbol) continue;
            if (!dim_eval(atom->denominator, value_of, r, &value) || value < 1) return false;
            if (!divisors_are_positive(r, atom->numerator) || !divisors_are_positive(r, atom->denominator))
                return false;
        }
    }
    return true;
}

Test(dim, values_at_random) {
    Session s = session_new();
    Random r = {.state = 1};
    for (int i = 0; i < 3; i++) r.symbols[i] = dim_symbol(s.ir, (const char *[]){"B", "T", "H"}[i]);
    for (int round = 0; round < 20000; round++) {
        for (int i = 0; i < 3; i++) r.values[i] = 1 + below(&r, 9);
        int64_t expected, got;
        const Dim *d = random_dim(&s, &r, 4, &expected);
        if (!d || !divisors_are_positive(&r, d)) continue;
        cr_assert(dim_eval(d, value_of, &r, &got));
        cr_assert(got == expected, "%s is %ld, not %ld, at B=%ld T=%ld H=%ld", dim_text(s.ir, d), got,
                  expected, r.values[0], r.values[1], r.values[2]);
        cr_assert(read(&s, dim_text(s.ir, d)) == d, "%s does not read back", dim_text(s.ir, d));
        const Dim *twice = dim_add(s.ir, d, d);
        cr_assert(!twice || dim_sub(s.ir, twice, d) == d);
    }
    session_free(&s);
}

/* --- symbols */
Test(dim, fresh_names) {
    Session s = session_new();
    cr_expect_str_eq(dim_symbol_name(dim_fresh(s.ir, "n")), "n");
    cr_expect_str_eq(dim_symbol_name(dim_fresh(s.ir, "n")), "n.1");
    dim_symbol(s.ir, "n.2");
    cr_expect_str_eq(dim_symbol_name(dim_fresh(s.ir, "n.1")), "n.3");
    session_free(&s);
}

Test(dim, replace) {
    Session s = session_new();
    const Dim *d = read(&s, "(B*T + 1)//2 + B");
    cr_expect(dim_replace(s.ir, d, dim_symbol(s.ir, "B"), dim_const(s.ir, 4)) == read(&s, "2*T + 4"));
    cr_expect(dim_replace(s.ir, read(&s, "B//T"), dim_symbol(s.ir, "T"), dim_const(s.ir, 0)) == NULL);
    cr_expect(dim_mentions(d, dim_symbol(s.ir, "T")) && !dim_mentions(d, dim_symbol(s.ir, "H")));
    session_free(&s);
}
