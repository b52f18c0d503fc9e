/* Fills templates: `{}` and `{:spec}` with Python's meaning for numbers. Tensors: eval_tensor_text.c. */
#include "ir/eval_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELD = 100000 };

static bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

/* -1 where the number is too large. */
static int read_number(const char **cursor) {
    int n = 0;
    for (; **cursor >= '0' && **cursor <= '9'; (*cursor)++) {
        n = n * 10 + (**cursor - '0');
        if (n > MAX_FIELD) return -1;
    }
    return n;
}

static bool parse_spec(const char *text, Spec *spec) {
    *spec = (Spec){.fill = ' ', .sign = '-', .precision = -1, .given = *text != 0};
    if (text[0] && is_align(text[1])) spec->fill = *text++;
    if (is_align(*text)) spec->align = *text++;
    if (*text == '+' || *text == '-' || *text == ' ') spec->sign = *text++;
    if (*text == '0' && !spec->align) {
        spec->fill = '0';
        spec->align = '=';
        text++;
    }
    spec->width = read_number(&text);
    if (*text == ',') {
        spec->comma = true;
        text++;
    }
    if (*text == '.') {
        text++;
        if (*text < '0' || *text > '9') return false;
        spec->precision = read_number(&text);
        if (spec->precision < 0 || spec->precision > 1000) return false;
    }
    if (*text && strchr("bdeEfFgGnosxX%", *text)) spec->type = *text++;
    return *text == 0 && spec->width >= 0;
}

/* --- numbers without sign */
const char *non_finite(double x) { return isnan(x) ? "nan" : "inf"; }

char *shortest_digits(Arena *arena, DType dtype, double x) {
    char digits[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, x);
        if (round_to(dtype, strtod(digits, NULL)) == x) break;
    }
    return arena_strdup(arena, digits);
}

/* Digits "d.ddde±xx" as Python writes them: positional from 1e-4 until the exponent is `limit`, with a digit
 * after the point. */
static char *positional(Arena *arena, const char *digits, int limit) {
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent >= limit || exponent < -4) return arena_strdup(arena, digits);
    int count = (int)(strchr(digits, 'e') - digits) - (digits[1] == '.');
    int decimals = count - 1 - exponent;
    return arena_printf(arena, "%.*f", decimals < 1 ? 1 : decimals, strtod(digits, NULL));
}

/* `1.500e+02` without the zeros that end the fraction. */
static char *trimmed(Arena *arena, const char *digits) {
    const char *e = strchr(digits, 'e');
    size_t length = (size_t)(e - digits);
    while (length > 1 && memchr(digits, '.', length) && digits[length - 1] == '0') length--;
    if (digits[length - 1] == '.') length--;
    return arena_printf(arena, "%s%s", arena_strndup(arena, digits, length), e);
}

/* Python's repr for |x|: the fewest digits that read back as the same value of the dtype; or so many digits
 * as asked for. */
static char *plain(Arena *arena, DType dtype, double x, int precision) {
    x = round_to(dtype, x);
    if (!isfinite(x)) return arena_strdup(arena, non_finite(x));
    if (precision < 0) return positional(arena, shortest_digits(arena, dtype, x), 16);
    if (precision == 0) precision = 1;
    return positional(arena, trimmed(arena, arena_printf(arena, "%.*e", precision - 1, x)), precision - 1);
}

/* `1234567.5` → `1,234,567.5` */
static char *with_commas(Arena *arena, const char *text) {
    size_t whole = strspn(text, "0123456789"), length = strlen(text), at = 0;
    char *out = arena_alloc(arena, length + whole / 3 + 2);
    for (size_t k = 0; k < length; k++) {
        if (k > 0 && k < whole && (whole - k) % 3 == 0) out[at++] = ',';
        out[at++] = text[k];
    }
    return out;
}

static char *float_digits(Arena *arena, const Spec *spec, DType dtype, double x) {
    int precision = spec->precision < 0 ? 6 : spec->precision;
    if (!isfinite(x)) {
        bool upper = spec->type && strchr("EFG", spec->type);
        return arena_printf(arena, "%s%s", upper ? isnan(x) ? "NAN" : "INF" : non_finite(x),
                            spec->type == '%' ? "%" : "");
    }
    switch (spec->type) {
    case 'e': return arena_printf(arena, "%.*e", precision, x);
    case 'E': return arena_printf(arena, "%.*E", precision, x);
    case 'f':
    case 'F': return arena_printf(arena, "%.*f", precision, x);
    case 'g':
    case 'n': return arena_printf(arena, "%.*g", precision, x);
    case 'G': return arena_printf(arena, "%.*G", precision, x);
    case '%': return arena_printf(arena, "%.*f%%", precision, x * 100);
    default: break;
    }
    return plain(arena, dtype, x, spec->precision);
}

static char *binary_digits(Arena *arena, uint64_t x) {
    char text[65] = {0};
    int bits = 1;
    while (bits < 64 && x >> bits) bits++;
    for (int k = 0; k < bits; k++) text[k] = (char)('0' + (x >> (bits - 1 - k) & 1));
    return arena_strdup(arena, text);
}

static char *int_digits(Arena *arena, const Spec *spec, uint64_t x) {
    unsigned long long value = x;
    switch (spec->type) {
    case 'b': return binary_digits(arena, x);
    case 'o': return arena_printf(arena, "%llo", value);
    case 'x': return arena_printf(arena, "%llx", value);
    case 'X': return arena_printf(arena, "%llX", value);
    default: return arena_printf(arena, "%llu", value);
    }
}

/* --- one element */
size_t columns(const char *text) {
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

char *repeat(Arena *arena, char c, size_t n) {
    char *text = arena_alloc(arena, n + 1);
    memset(text, c, n);
    return text;
}

/* `align`: what goes where the spec says nothing. */
static char *padded(Arena *arena, const Spec *spec, const char *sign, const char *body, char align) {
    size_t length = columns(sign) + columns(body);
    size_t missing = (size_t)spec->width > length ? (size_t)spec->width - length : 0;
    if (spec->align) align = spec->align;
    size_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
    const char *before = repeat(arena, spec->fill, left), *after = repeat(arena, spec->fill, missing - left);
    if (align == '=') return arena_printf(arena, "%s%s%s", sign, before, body);
    return arena_printf(arena, "%s%s%s%s", before, sign, body, after);
}

static const char *sign_text(const Spec *spec, bool negative) {
    return negative ? "-" : spec->sign == '+' ? "+" : spec->sign == ' ' ? " " : "";
}

static bool is_float_type(char type) { return type && strchr("eEfFgG%", type) != NULL; }

static char *format_number(Arena *arena, const Spec *spec, const Tensor *t, int64_t at) {
    bool as_float = t->f || is_float_type(spec->type);
    double x = t->f ? t->f[at] : (double)t->i[at];
    bool negative = t->f ? signbit(x) && !isnan(x) : t->i[at] < 0;
    uint64_t magnitude = t->i ? (uint64_t)t->i[at] : 0;
    if (negative) magnitude = 0 - magnitude;
    char *body = as_float ? float_digits(arena, spec, t->f ? t->dtype : DTYPE_f64, fabs(x))
                          : int_digits(arena, spec, magnitude);
    if (spec->comma) body = with_commas(arena, body);
    return padded(arena, spec, sign_text(spec, negative), body, '>');
}

static char *format_str(Arena *arena, const Spec *spec, const char *text) {
    size_t length = strlen(text), wanted = 0, bytes = 0;
    if (spec->precision >= 0) { /* so many characters at most */
        for (; bytes < length; bytes++)
            if (((unsigned char)text[bytes] & 0xc0) != 0x80 && wanted++ == (size_t)spec->precision) break;
        text = arena_strndup(arena, text, bytes);
    }
    Spec left = *spec;
    if (left.align == '=') left.align = '<'; /* there is no sign to pad behind */
    return padded(arena, &left, "", text, '<');
}

char *format_element(Arena *arena, const Spec *spec, const Tensor *t, int64_t at) {
    if (t->dtype == DTYPE_str) return format_str(arena, spec, t->p[at] ? t->p[at] : "");
    if (t->p) return arena_strdup(arena, "dataset");
    if (t->dtype == DTYPE_bool && (!spec->type || spec->type == 's'))
        return format_str(arena, spec, t->i[at] ? "true" : "false");
    return format_number(arena, spec, t, at);
}

/* --- growing texts */
void append(Text *t, const char *text) {
    size_t n = strlen(text);
    if (t->length + n + 1 > t->capacity) {
        t->capacity = (t->length + n + 1) * 2;
        char *moved = arena_alloc(t->arena, t->capacity);
        if (t->length) memcpy(moved, t->at, t->length);
        t->at = moved;
    }
    memcpy(t->at + t->length, text, n + 1);
    t->length += n;
}

/* --- templates */
/* Reads `{}` or `{:spec}` behind its opening brace. */
static bool read_placeholder(Arena *arena, const char **cursor, Spec *spec) {
    const char *end = strchr(*cursor, '}');
    if (!end || (end != *cursor && **cursor != ':')) return false;
    const char *text = end == *cursor ? "" : arena_strndup(arena, *cursor + 1, (size_t)(end - *cursor - 1));
    *cursor = end + 1;
    return parse_spec(text, spec);
}

const char *format_template(Arena *arena, const char *text, uint32_t count, const Tensor *args,
                            const char **why) {
    Text out = {.arena = arena};
    uint32_t used = 0;
    append(&out, "");
    while (*text) {
        size_t plain = strcspn(text, "{}");
        append(&out, arena_strndup(arena, text, plain));
        text += plain;
        if (!*text) break;
        char brace[2] = {*text, 0};
        if (text[1] == *text) {
            append(&out, brace);
            text += 2;
            continue;
        }
        Spec spec;
        text++;
        *why = "a text has an unpaired brace or a format that isn't one";
        if (brace[0] == '}' || !read_placeholder(arena, &text, &spec)) return NULL;
        *why = "a text has more placeholders than values";
        if (used == count) return NULL;
        const Tensor *t = &args[used++];
        append(&out, t->rank ? format_tensor(arena, &spec, t) : format_element(arena, &spec, t, 0));
    }
    return out.at;
}
