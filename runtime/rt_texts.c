/* The texts that a program makes as it runs. Those that a loop's pass makes and doesn't hand on are freed at
 * its end, so that a loop takes no more memory the longer it runs. */
#include "rt.h"
#include <stdlib.h>

void rt_texts_add(nn_rt *rt, char *text) {
    rt_texts *texts = &rt->texts;
    if (texts->count == texts->capacity) {
        texts->capacity = texts->capacity ? 2 * texts->capacity : 16;
        texts->at = rt_resize(texts->at, (size_t)texts->capacity * sizeof *texts->at);
    }
    texts->at[texts->count++] = text;
}

void rt_texts_free(nn_rt *rt) {
    nn_texts_release(rt, 0, 0, NULL);
    free(rt->texts.at);
}

int64_t nn_texts(nn_rt *rt) { return rt->texts.count; }

static bool is_among(const char *text, int32_t count, const char *const *texts) {
    for (int32_t i = 0; i < count; i++)
        if (texts[i] == text) return true;
    return false;
}

void nn_texts_release(nn_rt *rt, int64_t first, int32_t count, const char *const *used) {
    int64_t kept = first;
    for (int64_t i = first; i < rt->texts.count; i++) {
        char *text = rt->texts.at[i];
        if (is_among(text, count, used))
            rt->texts.at[kept++] = text;
        else
            free(text);
    }
    rt->texts.count = kept;
}
