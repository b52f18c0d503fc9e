/* Format specs as Python's: [[fill]align][sign][#][0][width][grouping][.precision][type]. */
#ifndef RT_SPEC_H
#define RT_SPEC_H

#include "rt_text.h"

typedef struct {
    char fill[5];  /* one UTF-8 character */
    char align;    /* one of < > ^ =; 0 = the type's own */
    char sign;     /* one of - + space */
    char grouping; /* , or _; 0 = none */
    char type;     /* 0 = none */
    bool alternate;
    int32_t width;
    int32_t precision; /* -1 = none */
} rt_spec;

/* False where the text is no spec. */
bool rt_spec_parse(rt_spec *spec, const char *text, size_t length);

/* Appends `sign`, `prefix`, `digits`, `suffix` as the spec wants them: the digits before the first character
 * that is no digit of the number's base are grouped. */
typedef struct {
    const char *sign, *prefix, *digits;
    size_t whole; /* how many of `digits` stand before the point */
    int group;    /* digits in a group */
} rt_number;
void rt_spec_number(rt_text *text, const rt_spec *spec, const rt_number *number);
/* Appends a text as the spec wants it. */
void rt_spec_text(rt_text *text, const rt_spec *spec, const char *bytes, size_t length);

#endif
