/* Checks formats: see format_spec.h. They are Python's:
 * [[fill]align][sign][#][0][width][grouping][.precision][type]. */
#include "frontend/format_spec.h"
#include <string.h>

enum { WIDEST = 100000 }; /* the runtime's limit */

static bool is_one_of(char c, const char *set) { return c && strchr(set, c); }

static void skip(const char **at, const char *set) {
    if (is_one_of(**at, set)) ++*at;
}

/* A character to fill with, of one or more bytes, and where the value stands. */
static void skip_align(const char **at) {
    size_t fill = 1;
    while (((unsigned char)(*at)[fill] & 0xc0) == 0x80) fill++;
    if (**at && is_one_of((*at)[fill], "<>^="))
        *at += fill + 1;
    else
        skip(at, "<>^=");
}

/* False where it is more than anybody means. */
static bool skip_number(const char **at) {
    int32_t value = 0;
    for (; is_one_of(**at, "0123456789"); ++*at) {
        value = value * 10 + (**at - '0');
        if (value > WIDEST) return false;
    }
    return true;
}

static bool type_fits(char type, bool precision, DType dtype) {
    if (dtype == DTYPE_str) return type == 0 || type == 's';
    if (dtype_is_float(dtype)) return type == 0 || is_one_of(type, "eEfFgGn%");
    if (is_one_of(type, "eEfFgG%")) return true;
    if (dtype == DTYPE_bool && (type == 0 || type == 's')) return true;
    return !precision && (type == 0 || is_one_of(type, "dnboxX"));
}

bool format_spec_fits(const char *spec, DType dtype) {
    const char *at = spec;
    skip_align(&at);
    skip(&at, "+- ");
    skip(&at, "#");
    skip(&at, "0");
    if (!skip_number(&at)) return false;
    skip(&at, ",_");
    bool precision = *at == '.';
    if (precision) {
        at++;
        if (!is_one_of(*at, "0123456789") || !skip_number(&at)) return false;
    }
    char type = *at;
    if (type) at++;
    return *at == 0 && type_fits(type, precision, dtype);
}
