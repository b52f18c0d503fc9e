/* The values of options: whole numbers in the range of their type, numbers, yes or no, text. */
#include "rt_cli.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool parse_int(int32_t dtype, const char *text, nn_arg *value, rt_text *expected) {
    int bits = 8 * (int)rt_dtype_bytes(dtype);
    int64_t least = dtype == NN_U8 ? 0 : bits == 64 ? INT64_MIN : -((int64_t)1 << (bits - 1));
    int64_t greatest = dtype == NN_U8 ? UINT8_MAX : bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - 1)) - 1;
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    bool whole = end != text && !*end && *text != ' ';
    if (whole && errno == 0 && x >= least && x <= greatest) {
        value->i = x;
        return true;
    }
    if (whole)
        rt_text_addf(expected, "a whole number from %lld to %lld", (long long)least, (long long)greatest);
    else
        rt_text_adds(expected, "a whole number");
    return false;
}

static bool parse_float(int32_t dtype, const char *text, nn_arg *value, rt_text *expected) {
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || *text == ' ') {
        rt_text_adds(expected, "a number");
        return false;
    }
    bool says_infinity = strpbrk(text, "iI") != NULL;
    double greatest = dtype == NN_F64 ? HUGE_VAL : dtype == NN_F16 ? 65504 : 0x1.fffffep127;
    if ((isinf(x) || (fabs(x) > greatest && !isnan(x))) && !says_infinity) {
        rt_text_addf(expected, "a number that %s can hold", rt_dtype_name(dtype));
        return false;
    }
    value->f = x;
    return true;
}

static const char *const bool_words[] = {"false", "true", "no", "yes", "0", "1"};

static bool parse_bool(const char *text, nn_arg *value, rt_text *expected) {
    for (size_t i = 0; i < sizeof bool_words / sizeof *bool_words; i++) {
        if (strcmp(text, bool_words[i]) != 0) continue;
        value->b = i % 2 != 0;
        return true;
    }
    rt_text_adds(expected, "true or false");
    return false;
}

bool rt_cli_value(int32_t dtype, const char *text, nn_arg *value, rt_text *expected) {
    if (dtype == NN_STR) {
        value->s = text;
        return true;
    }
    if (dtype == NN_BOOL) return parse_bool(text, value, expected);
    if (rt_dtype_is_float(dtype)) return parse_float(dtype, text, value, expected);
    return parse_int(dtype, text, value, expected);
}

static int least_of(int a, int b) { return a < b ? a : b; }

int rt_edit_distance(const char *a, const char *b) {
    enum { LIMIT = 64 }; /* longer bool_words are alike only where they are equal */
    size_t m = strlen(a), n = strlen(b);
    if (m >= LIMIT || n >= LIMIT) return strcmp(a, b) == 0 ? 0 : LIMIT;
    int rows[3][LIMIT]; /* the distances of prefixes of `a`, one row each: two back, one back, now */
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++) row[j] = (int)j;
    for (size_t i = 1; i <= m; i++) {
        int *oldest = before;
        before = last;
        last = row;
        row = oldest;
        row[0] = (int)i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = least_of(last[j - 1] + (a[i - 1] != b[j - 1]), least_of(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], before[j - 2] + 1);
        }
    }
    return row[n];
}
