/* Calls of kernels and descriptions of tensors as data: see nnrt.h. */
#include "rt.h"

enum { TERM_BITS = 4, SLOT_BITS = 20, SHIFT = TERM_BITS + SLOT_BITS };

static int64_t slot_of(const int64_t *slots, int64_t word) {
    return slots[word >> TERM_BITS & ((1 << SLOT_BITS) - 1)];
}

/* Reads a sum. */
static void *address(const int64_t *slots, const int64_t **words) {
    int64_t word = *(*words)++, sum = slot_of(slots, word) + (word >> SHIFT);
    for (int64_t terms = word & ((1 << TERM_BITS) - 1); terms > 0; terms--, (*words)++)
        sum += slot_of(slots, **words) * (**words >> SHIFT);
    return (void *)(intptr_t)sum;
}

int64_t *nn_slots(nn_rt *rt, int64_t words) {
    int64_t *slots = rt_allocate_aligned((size_t)words * sizeof *slots);
    rt_keep(rt, slots);
    return slots;
}

void nn_describe(nn_tensor *out, const nn_pattern *pattern, int64_t count, const int64_t *words,
                 const int64_t *slots) {
    const char *base = (const char *)pattern;
    for (int64_t i = 0; i < count; i++) {
        const nn_pattern *p = &pattern[i];
        out[i] = (nn_tensor){.name = p->name ? base + p->name : NULL,
                             .dims = p->dims ? (const int64_t *)(const void *)(base + p->dims) : NULL,
                             .data = address(slots, &words),
                             .dtype = p->dtype,
                             .rank = p->rank};
    }
}

void nn_launch(nn_rt *rt, nn_kernel *const *kernels, int64_t calls, const int64_t *words,
               const int64_t *slots, void **args) {
    for (; calls > 0; calls--) {
        nn_kernel *kernel = kernels[(uint32_t)words[0]];
        int64_t count = words[0] >> 32, chunks = words[1] < 0 ? slots[~words[1]] : words[1];
        words += 2;
        for (int64_t i = 0; i < count; i++) args[i] = address(slots, &words);
        nn_parallel(rt, kernel, args, chunks);
    }
}
