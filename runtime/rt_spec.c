/* Reading format specs, and the part of formatting that is the same for all types: sign, grouping, padding.
 */
#include "rt_spec.h"
#include <string.h>

enum { WIDTH_LIMIT = 100000 }; /* more columns than anybody means */

static bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

static bool parse_number(const char **at, const char *end, int32_t *number) {
    const char *start = *at;
    int32_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        value = value * 10 + (**at - '0');
        if (value > WIDTH_LIMIT) return false;
    }
    if (*at > start) *number = value;
    return true;
}

static void parse_align(rt_spec *spec, const char **at, const char *end) {
    uint32_t code;
    size_t length = rt_utf8(*at, (size_t)(end - *at), &code);
    if (length && *at + length < end && is_align((*at)[length])) {
        memset(spec->fill, 0, sizeof spec->fill);
        memcpy(spec->fill, *at, length);
        spec->align = (*at)[length];
        *at += length + 1;
    } else if (*at < end && is_align(**at)) {
        spec->align = *(*at)++;
    }
}

static bool take(const char **at, const char *end, char c) {
    if (*at == end || **at != c) return false;
    ++*at;
    return true;
}

bool rt_spec_parse(rt_spec *spec, const char *text, size_t length) {
    const char *at = text, *end = text + length;
    *spec = (rt_spec){.fill = " ", .sign = '-', .precision = -1};
    parse_align(spec, &at, end);
    if (at < end && (*at == '+' || *at == '-' || *at == ' ')) spec->sign = *at++;
    spec->alternate = take(&at, end, '#');
    if (take(&at, end, '0') && !spec->align) {
        memcpy(spec->fill, "0", 2);
        spec->align = '=';
    }
    if (!parse_number(&at, end, &spec->width)) return false;
    if (at < end && (*at == ',' || *at == '_')) spec->grouping = *at++;
    if (take(&at, end, '.') && (!parse_number(&at, end, &spec->precision) || spec->precision < 0))
        return false;
    if (at < end) spec->type = *at++;
    return at == end;
}

static void fill(rt_text *text, const rt_spec *spec, int64_t count) {
    for (int64_t i = 0; i < count; i++) rt_text_adds(text, spec->fill);
}

/* Appends `bytes`, padded to the width. */
static void pad(rt_text *text, const rt_spec *spec, const char *bytes, size_t length, char align) {
    int64_t missing = spec->width - rt_text_columns(bytes, length);
    int64_t before = align == '>' ? missing : align == '^' ? missing / 2 : 0;
    if (missing < 0) missing = before = 0;
    fill(text, spec, before);
    rt_text_add(text, bytes, length);
    fill(text, spec, missing - before);
}

void rt_spec_text(rt_text *text, const rt_spec *spec, const char *bytes, size_t length) {
    size_t kept = 0;
    if (spec->precision >= 0) {
        uint32_t code;
        for (int32_t i = 0; i < spec->precision && kept < length; i++) {
            size_t step = rt_utf8(bytes + kept, length - kept, &code);
            kept += step ? step : 1;
        }
        length = kept;
    }
    pad(text, spec, bytes, length, spec->align && spec->align != '=' ? spec->align : '<');
}

/* `zeros` more digits in front of the whole part, then groups. */
static void add_whole(rt_text *out, const rt_spec *spec, const rt_number *number, size_t zeros) {
    size_t count = number->whole + zeros;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && spec->grouping && number->whole && (count - i) % (size_t)number->group == 0)
            rt_text_add(out, &spec->grouping, 1);
        rt_text_add(out, i < zeros ? "0" : number->digits + (i - zeros), 1);
    }
}

void rt_spec_number(rt_text *text, const rt_spec *spec, const rt_number *number) {
    rt_text whole = {0}, out = {0};
    const char *fraction = number->digits + number->whole;
    size_t around = strlen(number->sign) + strlen(number->prefix) + strlen(fraction);
    bool zeros = spec->align == '=' && strcmp(spec->fill, "0") == 0;
    add_whole(&whole, spec, number, 0);
    for (size_t more = 1; zeros && around + whole.length < (size_t)spec->width; more++) {
        whole.length = 0;
        add_whole(&whole, spec, number, more);
    }
    rt_text_adds(&out, number->sign);
    rt_text_adds(&out, number->prefix);
    if (spec->align == '=') fill(&out, spec, spec->width - (int64_t)(around + whole.length));
    rt_text_add(&out, whole.bytes, whole.length);
    rt_text_adds(&out, fraction);
    pad(text, spec, out.bytes, out.length, spec->align && spec->align != '=' ? spec->align : '>');
    rt_text_free(&whole);
    rt_text_free(&out);
}
