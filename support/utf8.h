/* Decoding of UTF-8. */
#ifndef SUPPORT_UTF8_H
#define SUPPORT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at the start of the text; returns its bytes, 0 where there is none or it isn't UTF-8
 * (overlong forms and surrogates aren't). */
size_t utf8_decode(const char *text, size_t length, uint32_t *character);

#endif
