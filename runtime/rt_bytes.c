/* Texts as bytes and back. */
#include "rt.h"
#include <string.h>

int64_t nn_text_len(const char *text) { return (int64_t)strlen(text); }

int32_t nn_text_equal(const char *a, const char *b) { return strcmp(a, b) == 0; }

void nn_text_bytes(const char *text, uint8_t *bytes) { memcpy(bytes, text, strlen(text)); }

const char *nn_bytes_text(nn_rt *rt, const uint8_t *bytes, int64_t count) {
    /* Programs write text byte by byte: that takes no memory. */
    if (count == 1) {
        char *text = rt->byte_texts[bytes[0]];
        text[0] = (char)bytes[0];
        return text;
    }
    char *text = rt_allocate((size_t)count + 1);
    size_t length = 0;
    for (int64_t i = 0; i < count; i++)
        if (bytes[i]) text[length++] = (char)bytes[i];
    text[length] = '\0';
    rt_texts_add(rt, text);
    return text;
}
