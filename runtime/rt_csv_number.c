/* Reading decimal numbers. */
#include "rt_csv_number.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rt_read_int(const char *text, size_t length, int64_t *x) {
    size_t at = length && (*text == '-' || *text == '+');
    bool negative = at && *text == '-';
    if (at == length) return false;
    for (*x = 0; at < length; at++) {
        if (text[at] < '0' || text[at] > '9') return false;
        int digit = text[at] - '0';
        if (__builtin_mul_overflow(*x, 10, x) || __builtin_add_overflow(*x, negative ? -digit : digit, x))
            return false;
    }
    return true;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before the e: what strtod reads, but neither
 * hexadecimal numbers nor words. The digits as one integer, if they make one below 2^53. */
typedef struct {
    bool negative, few;
    int64_t digits;
    int64_t exponent; /* of ten, saturated */
} Decimal;

static size_t read_digits(const char *text, size_t at, size_t length, int64_t *number, int64_t *count) {
    for (; at < length && text[at] >= '0' && text[at] <= '9'; at++) {
        if (*number < (int64_t)1 << 53) *number = *number * 10 + (text[at] - '0');
        (*count)++;
    }
    return at;
}

static bool read_decimal(const char *text, size_t length, Decimal *d) {
    *d = (Decimal){0};
    int64_t whole = 0, fraction = 0, exponent = 0, exponent_digits = 0;
    size_t at = length && (*text == '-' || *text == '+');
    d->negative = at && *text == '-';
    at = read_digits(text, at, length, &d->digits, &whole);
    if (at < length && text[at] == '.') at = read_digits(text, at + 1, length, &d->digits, &fraction);
    if (whole + fraction == 0) return false;
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        bool down = at < length && text[at] == '-';
        if (at < length && (text[at] == '-' || text[at] == '+')) at++;
        at = read_digits(text, at, length, &exponent, &exponent_digits);
        if (exponent_digits == 0) return false;
        if (down) exponent = -exponent;
    }
    d->few = d->digits < (int64_t)1 << 53;
    d->exponent = exponent - fraction;
    return at == length;
}

bool rt_read_float(const char *text, size_t length, double *x) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    Decimal d;
    if (!read_decimal(text, length, &d)) return false;
    /* Both numbers are exact, so that the only rounding is that of the operation. */
    if (d.few && d.exponent >= -22 && d.exponent <= 22) {
        double digits = (double)d.digits;
        *x = d.exponent < 0 ? digits / powers[-d.exponent] : digits * powers[d.exponent];
        if (d.negative) *x = -*x;
        return true;
    }
    *x = strtod(text, NULL);
    return isfinite(*x);
}

bool rt_same_word(const char *text, size_t length, const char *word) {
    if (length != strlen(word)) return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        if (c != word[i]) return false;
    }
    return true;
}

bool rt_read_bool(const char *text, size_t length, bool *x) {
    *x = rt_same_word(text, length, "1") || rt_same_word(text, length, "true");
    return *x || rt_same_word(text, length, "0") || rt_same_word(text, length, "false");
}

bool rt_int_fits(int32_t dtype, int64_t x) {
    if (dtype == NN_U8) return x >= 0 && x <= UINT8_MAX;
    int64_t half = (int64_t)(((uint64_t)1 << (8 * rt_dtype_bytes(dtype) - 1)) - 1);
    return x <= half && x >= -half - 1;
}

void rt_store_int(int32_t dtype, int64_t x, void *element) {
    union {
        int64_t i64;
        int32_t i32;
        int16_t i16;
        int8_t i8;
    } y;
    switch (rt_dtype_bytes(dtype)) {
    case 8: y.i64 = x; break;
    case 4: y.i32 = (int32_t)x; break;
    case 2: y.i16 = (int16_t)x; break;
    default: y.i8 = (int8_t)x;
    }
    memcpy(element, &y, rt_dtype_bytes(dtype));
}
