/* Decoding of UTF-8: see utf8.h. */
#include "support/utf8.h"
#include <stdbool.h>

size_t utf8_decode(const char *text, size_t length, uint32_t *character) {
    const unsigned char *s = (const unsigned char *)text;
    if (!length) return 0;
    if (s[0] < 0x80) return *character = s[0], 1;
    size_t bytes = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || bytes > length) return 0;
    uint32_t c = s[0] & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    bool overlong = (bytes == 3 && c < 0x800) || (bytes == 4 && c < 0x10000);
    if (overlong || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
    *character = c;
    return bytes;
}
