/* Growable text, and making foreign bytes harmless to print. */
#include "rt_text.h"
#include "rt.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTE_LIMIT = 200 }; /* bytes of a quoted name that are shown: enough for any path that people type */

static void text_reserve(rt_text *text, size_t more) {
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity) return;
    size_t capacity = text->capacity < 64 ? 64 : text->capacity;
    while (capacity < needed) capacity *= 2;
    text->bytes = rt_resize(text->bytes, capacity);
    text->capacity = capacity;
}

void rt_text_add(rt_text *text, const char *bytes, size_t count) {
    text_reserve(text, count);
    if (count) memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = 0;
}

void rt_text_adds(rt_text *text, const char *string) { rt_text_add(text, string, strlen(string)); }

void rt_text_fill(rt_text *text, char c, int64_t count) {
    if (count <= 0) return;
    text_reserve(text, (size_t)count);
    memset(text->bytes + text->length, c, (size_t)count);
    text->length += (size_t)count;
    text->bytes[text->length] = 0;
}

void rt_text_addf(rt_text *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    va_list again;
    va_copy(again, list);
    int count = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (count > 0) {
        text_reserve(text, (size_t)count);
        vsnprintf(text->bytes + text->length, (size_t)count + 1, format, again);
        text->length += (size_t)count;
    }
    va_end(again);
}

const char *rt_text_string(const rt_text *text) { return text->bytes ? text->bytes : ""; }

void rt_text_free(rt_text *text) {
    free(text->bytes);
    *text = (rt_text){0};
}

size_t rt_utf8(const char *bytes, size_t count, uint32_t *code) {
    const unsigned char *b = (const unsigned char *)bytes;
    if (count == 0) return 0;
    if (b[0] < 0x80) {
        *code = b[0];
        return 1;
    }
    size_t length = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    if (b[0] < 0xc2 || b[0] > 0xf4 || length > count) return 0;
    uint32_t value = b[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((b[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (b[i] & 0x3fu);
    }
    /* Overlong forms, surrogates and what lies beyond Unicode. */
    if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000)) return 0;
    if ((value >= 0xd800 && value < 0xe000) || value > 0x10ffff) return 0;
    *code = value;
    return length;
}

int64_t rt_text_columns(const char *bytes, size_t count) {
    int64_t columns = 0;
    for (size_t i = 0; i < count; i++) columns += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    return columns;
}

/* Characters that would move the cursor, change the terminal, or reorder what is read. */
static bool harmful(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

static void quote_char(rt_text *text, const char *bytes, size_t length, uint32_t code) {
    if (length == 0)
        rt_text_addf(text, "\\x%02x", (unsigned)(unsigned char)bytes[0]);
    else if (code == '\n')
        rt_text_adds(text, "\\n");
    else if (code == '\t')
        rt_text_adds(text, "\\t");
    else if (harmful(code))
        rt_text_addf(text, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
    else
        rt_text_add(text, bytes, length);
}

void rt_text_quote(rt_text *text, const char *bytes, size_t count) {
    rt_text_adds(text, "`");
    size_t i = 0;
    while (i < count && i < QUOTE_LIMIT) {
        uint32_t code = 0;
        size_t length = rt_utf8(bytes + i, count - i, &code);
        quote_char(text, bytes + i, length, code);
        i += length ? length : 1;
    }
    rt_text_adds(text, i < count ? "…`" : "`");
}

void rt_text_quotes(rt_text *text, const char *string) { rt_text_quote(text, string, strlen(string)); }

void rt_text_json(rt_text *text, const char *string) {
    rt_text_adds(text, "\"");
    for (; *string; string++) {
        if (*string == '"' || *string == '\\')
            rt_text_addf(text, "\\%c", *string);
        else if ((unsigned char)*string < 0x20)
            rt_text_addf(text, "\\u%04x", (unsigned)*string);
        else
            rt_text_add(text, string, 1);
    }
    rt_text_adds(text, "\"");
}

/* --- words of a command line */
static bool plain(const char *text) {
    return *text &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=:,+-")] == 0;
}

void rt_text_word(rt_text *text, const char *word) {
    if (plain(word)) {
        rt_text_adds(text, word);
        return;
    }
    rt_text_adds(text, "'");
    for (; *word; word++) {
        if (*word == '\'')
            rt_text_adds(text, "'\\''");
        else
            rt_text_add(text, word, 1);
    }
    rt_text_adds(text, "'");
}
