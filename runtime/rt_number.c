/* Scalars as text: the shortest digits that read back as the same value of the same dtype, or what a format
 * spec asks for. */
#include "rt_float.h"
#include "rt_spec.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Per dtype, in nn_dtype's order: name, bytes, and for floats the decimal digits that always survive a round
 * trip from text, those that always identify a value, and the least normal number. */
static const struct {
    const char *name;
    uint8_t bytes, safe_digits, full_digits;
    double least_normal;
} dtypes[] = {
    [NN_F64] = {"f64", 8, 15, 17, DBL_MIN}, [NN_F32] = {"f32", 4, 6, 9, (double)FLT_MIN},
    [NN_F16] = {"f16", 2, 3, 5, 0x1p-14},   [NN_BF16] = {"bf16", 2, 2, 4, (double)FLT_MIN},
    [NN_I64] = {"i64", 8, 0, 0, 0},         [NN_I32] = {"i32", 4, 0, 0, 0},
    [NN_I16] = {"i16", 2, 0, 0, 0},         [NN_I8] = {"i8", 1, 0, 0, 0},
    [NN_U8] = {"u8", 1, 0, 0, 0},           [NN_BOOL] = {"bool", 1, 0, 0, 0},
    [NN_STR] = {"str", 8, 0, 0, 0},         [NN_DATA] = {"data", 8, 0, 0, 0},
};

const char *rt_dtype_name(int32_t dtype) { return dtypes[dtype].name; }
size_t rt_dtype_bytes(int32_t dtype) { return dtypes[dtype].bytes; }
bool rt_dtype_is_float(int32_t dtype) { return dtypes[dtype].full_digits > 0; }

void rt_text_type(rt_text *text, int32_t dtype, int32_t rank, const int64_t *dims) {
    rt_text_adds(text, rt_dtype_name(dtype));
    if (rank == 0) return;
    for (int32_t i = 0; i < rank; i++) rt_text_addf(text, "%s%lld", i ? ", " : "[", (long long)dims[i]);
    rt_text_adds(text, "]");
}

/* What is computed with as 0 (rt_run.c) is shown as 0. */
static double shown(double x) { return x == 0 ? copysign(0, x) : x; }

double rt_element_float(int32_t dtype, const void *element) {
    union {
        double f64;
        float f32;
        uint16_t f16;
    } x;
    memcpy(&x, element, rt_dtype_bytes(dtype));
    if (dtype == NN_F64) return shown(x.f64);
    if (dtype == NN_F32) return shown((double)x.f32);
    return dtype == NN_F16 ? rt_from_f16(x.f16) : rt_from_bf16(x.f16);
}

int64_t rt_element_int(int32_t dtype, const void *element) {
    union {
        int64_t i64;
        int32_t i32;
        int16_t i16;
        int8_t i8;
        uint8_t u8;
    } x;
    memcpy(&x, element, rt_dtype_bytes(dtype));
    switch (rt_dtype_bytes(dtype)) {
    case 8: return x.i64;
    case 4: return x.i32;
    case 2: return x.i16;
    default: return dtype == NN_I8 ? x.i8 : x.u8;
    }
}

/* Does the decimal text read as `x` in this dtype? */
static bool reads_back(const char *text, double x, int32_t dtype) {
    if (dtype == NN_F64) return strtod(text, NULL) == x;
    if (dtype == NN_F32) return (double)strtof(text, NULL) == x;
    double y = strtod(text, NULL);
    return (dtype == NN_F16 ? rt_from_f16(rt_to_f16(y)) : rt_from_bf16(rt_to_bf16(y))) == x;
}

int rt_shortest(double x, int32_t dtype, char digits[RT_DIGITS], int *point) {
    char text[40];
    x = fabs(x);
    int count = x < dtypes[dtype].least_normal ? 1 : dtypes[dtype].safe_digits;
    for (;; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, x);
        if (count >= dtypes[dtype].full_digits || reads_back(text, x, dtype)) break;
    }
    char *exponent = strchr(text, 'e');
    *point = x == 0 ? 1 : atoi(exponent + 1) + 1;
    int length = 0;
    for (const char *at = text; at < exponent; at++)
        if (*at != '.') digits[length++] = *at;
    while (length > 1 && digits[length - 1] == '0') length--;
    digits[length] = 0;
    return length;
}

/* As Python's repr: positional from 1e-4 to 1e16, always with a point or an exponent. x >= 0. */
static void add_repr(rt_text *text, double x, int32_t dtype) {
    char digits[RT_DIGITS];
    int point, count = rt_shortest(x, dtype, digits, &point);
    if (point <= -4 || point > 16) {
        rt_text_add(text, digits, 1);
        if (count > 1) rt_text_addf(text, ".%s", digits + 1);
        rt_text_addf(text, "e%c%02d", point > 0 ? '+' : '-', abs(point - 1));
    } else if (point <= 0) {
        rt_text_adds(text, "0.");
        rt_text_fill(text, '0', -point);
        rt_text_adds(text, digits);
    } else {
        rt_text_add(text, digits, (size_t)(count < point ? count : point));
        rt_text_fill(text, '0', point - count);
        rt_text_addf(text, ".%s", count > point ? digits + point : "0");
    }
}

/* Python's form for a precision without a type: as g, but told apart from an integer by a point or an
 * exponent. x >= 0. */
static void add_general(rt_text *text, double x, int precision) {
    int digits = precision ? precision : 1;
    size_t start = text->length;
    rt_text_addf(text, "%.*e", digits - 1, x);
    int point = atoi(strchr(text->bytes + start, 'e') + 1) + 1;
    text->length = start;
    if (point > digits - 1 || point <= -4) {
        /* One digit fewer than %g keeps positional: 12 at 2 digits is 1.2e+01. */
        rt_text exponential = {0};
        rt_text_addf(&exponential, "%.*e", digits - 1, x);
        size_t e = strcspn(exponential.bytes, "e"), kept = e;
        if (digits > 1) {
            while (exponential.bytes[kept - 1] == '0') kept--;
            if (exponential.bytes[kept - 1] == '.') kept--;
        }
        rt_text_add(text, exponential.bytes, kept);
        rt_text_adds(text, exponential.bytes + e);
        rt_text_free(&exponential);
        return;
    }
    rt_text_addf(text, "%.*g", digits, x);
    if (!strpbrk(text->bytes + start, ".e")) rt_text_adds(text, ".0");
}

/* The digits of a float as the spec wants them, without the sign. False where the type letter is none of
 * floats. */
static bool add_float(rt_text *text, double x, int32_t dtype, const rt_spec *spec) {
    char type = spec->type == 'n' ? 'g' : spec->type;
    int precision = spec->precision < 0 ? 6 : spec->precision;
    if (type && !strchr("eEfFgG%", type)) return false;
    if (!isfinite(x)) {
        bool upper = type == 'E' || type == 'F' || type == 'G';
        rt_text_adds(text, isnan(x) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"));
        if (type == '%') rt_text_adds(text, "%");
    } else if (type == 0 && spec->precision < 0) {
        add_repr(text, x, dtype);
    } else if (type == 0) {
        add_general(text, x, precision);
    } else if (type == '%') {
        rt_text_addf(text, spec->alternate ? "%#.*f%%" : "%.*f%%", precision, x * 100);
    } else {
        char format[] = {'%', '#', '.', '*', type, 0};
        if (!spec->alternate) memmove(format + 1, format + 2, sizeof format - 2);
        rt_text_addf(text, format, precision, x);
    }
    return true;
}

static const char *sign_text(bool negative, char sign) {
    return negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
}

static bool text_float(rt_text *text, double x, int32_t dtype, const rt_spec *spec) {
    rt_text digits = {0};
    bool fits = add_float(&digits, fabs(x), dtype, spec);
    if (fits) {
        const char *sign = sign_text(signbit(x) && !isnan(x), spec->sign);
        size_t whole = strspn(digits.bytes, "0123456789");
        rt_spec_number(text, spec, &(rt_number){sign, "", digits.bytes, whole, 3});
    }
    rt_text_free(&digits);
    return fits;
}

/* Digits of a whole number in base 2, 8, 10 or 16, ending at `end`; returns their start. */
static char *base_digits(char *end, uint64_t magnitude, unsigned base, bool upper) {
    *end = 0;
    do {
        *--end = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[magnitude % base];
        magnitude /= base;
    } while (magnitude);
    return end;
}

static const struct {
    char type;
    uint8_t base, group;
    const char *prefix;
} bases[] = {{0, 10, 3, ""},    {'d', 10, 3, ""},   {'n', 10, 3, ""},  {'b', 2, 4, "0b"},
             {'o', 8, 4, "0o"}, {'x', 16, 4, "0x"}, {'X', 16, 4, "0X"}};

static bool text_int(rt_text *text, int64_t x, const rt_spec *spec) {
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (bases[i].type != spec->type) continue;
        if (spec->precision >= 0) return false;
        char buffer[72];
        uint64_t magnitude = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
        char *digits = base_digits(buffer + sizeof buffer - 1, magnitude, bases[i].base, spec->type == 'X');
        rt_spec_number(text, spec,
                       &(rt_number){sign_text(x < 0, spec->sign), spec->alternate ? bases[i].prefix : "",
                                    digits, strlen(digits), bases[i].group});
        return true;
    }
    return spec->type && text_float(text, (double)x, NN_F64, spec);
}

static bool text_string(rt_text *text, const char *string, const rt_spec *spec) {
    if (spec->type && spec->type != 's') return false;
    rt_spec_text(text, spec, string, strlen(string));
    return true;
}

bool rt_text_element(rt_text *text, int32_t dtype, const void *element, const char *spec_text,
                     size_t spec_length) {
    rt_spec spec;
    if (!rt_spec_parse(&spec, spec_text, spec_length)) return false;
    if (rt_dtype_is_float(dtype)) return text_float(text, rt_element_float(dtype, element), dtype, &spec);
    if (dtype == NN_DATA) return text_string(text, "dataset", &spec);
    if (dtype == NN_STR) {
        const char *string;
        memcpy(&string, element, sizeof string);
        return text_string(text, string, &spec);
    }
    int64_t x = rt_element_int(dtype, element);
    if (dtype == NN_BOOL && (!spec.type || spec.type == 's'))
        return text_string(text, x ? "true" : "false", &spec);
    return text_int(text, x, &spec);
}
