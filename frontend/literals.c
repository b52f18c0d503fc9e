/* The values of numbers and escapes: see literals.h. */
#include "frontend/literals.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static unsigned digit_value(char c) {
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
    return (unsigned)(c - 'A') + 10;
}

static unsigned base_of(const char *text, size_t length) {
    if (length < 2 || text[0] != '0') return 10;
    if (text[1] == 'x' || text[1] == 'X') return 16;
    return text[1] == 'b' || text[1] == 'B' ? 2 : 10;
}

void literal_integer(Token *token, const char *text, size_t length) {
    unsigned base = base_of(text, length);
    uint64_t value = 0;
    bool overflow = false;
    for (size_t i = base == 10 ? 0 : 2; i < length; i++) {
        if (text[i] == '_') continue;
        unsigned digit = digit_value(text[i]);
        if (value > (UINT64_MAX - digit) / base) overflow = true;
        value = value * base + digit;
    }
    token->integer.value = value;
    token->integer.overflow = overflow;
}

double literal_number(const FrontendOptions *options, Span span, const char *text, size_t length) {
    char *plain = arena_alloc(ir_arena(options->ir), length + 1);
    size_t size = 0;
    for (size_t i = 0; i < length; i++)
        if (text[i] != '_') plain[size++] = text[i];
    double value = strtod(plain, NULL);
    if (isinf(value)) {
        Diagnostic *d = diag_report(options->diags, D_BAD_NUMBER, span, plain);
        diag_here(d, "larger than the largest f64, 1.797e308");
        diag_help(d, "for infinity write `inf`");
    }
    return value;
}

/* UTF-8 of a code point that is at most 10ffff; returns its bytes. */
static size_t encode(uint32_t c, char *out) {
    if (c < 0x80) return out[0] = (char)c, 1;
    size_t bytes = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = bytes; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> bytes & 0xf0u) | c);
    return bytes;
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Hexadecimal digits in [first, last): false where there are none, other characters, or a value above 10ffff.
 */
static bool parse_hex(const char *text, size_t first, size_t last, uint32_t *value) {
    *value = 0;
    for (size_t i = first; i < last; i++) {
        if (!is_hex(text[i])) return false;
        *value = *value * 16 + digit_value(text[i]);
        if (*value > 0x10ffff) return false;
    }
    return first < last;
}

static size_t bad_escape(const FrontendOptions *options, Span span, const char *text, size_t length,
                         const char *help) {
    const char *shown = arena_strndup(ir_arena(options->ir), text, length);
    Diagnostic *d = diag_report(options->diags, D_BAD_ESCAPE, span, shown);
    diag_help(d, "%s", help);
    return 0;
}

size_t literal_escape(const FrontendOptions *options, Span span, const char *text, size_t length, char *out) {
    uint32_t c;
    switch (text[0]) {
    case 'n': return out[0] = '\n', 1;
    case 't': return out[0] = '\t', 1;
    case 'r': return out[0] = '\r', 1;
    case '0': return out[0] = '\0', 1;
    case '\\':
    case '"':
    case '{':
    case '}': return out[0] = text[0], 1;
    case 'x':
        if (length == 3 && parse_hex(text, 1, 3, &c) && c < 0x80) return encode(c, out);
        return bad_escape(options, span, text, length,
                          "two hexadecimal digits up to `\\x7f`; beyond ASCII write `\\u{e9}`");
    case 'u':
        if (length > 3 && text[1] == '{' && text[length - 1] == '}' && parse_hex(text, 2, length - 1, &c) &&
            !(c >= 0xd800 && c <= 0xdfff))
            return encode(c, out);
        return bad_escape(options, span, text, length,
                          "a Unicode character is written `\\u{1f600}`, at most `\\u{10ffff}`");
    default:
        return bad_escape(options, span, text, length,
                          "there are \\n \\t \\r \\0 \\\\ \\\" \\{ \\} \\x41 and \\u{e9}");
    }
}
