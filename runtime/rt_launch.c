/* Scripts and descriptions of tensors as data: see nnrt.h. */
#include "rt.h"
#include <string.h>

enum { TERM_BITS = 4, SLOT_BITS = 20, SHIFT = TERM_BITS + SLOT_BITS };
enum { DTYPE_SHIFT = 4, DIMS_SHIFT = 8 };
enum { SCRIPT_END, SCRIPT_COPY, SCRIPT_CHECK, SCRIPT_KERNEL };

static int64_t slot_of(const int64_t *slots, int64_t word) {
    return slots[word >> TERM_BITS & ((1 << SLOT_BITS) - 1)];
}

static inline void *address(const int64_t *slots, const int64_t *words) {
    int64_t sum = slot_of(slots, *words) + (*words >> SHIFT);
    for (int64_t terms = *words++ & ((1 << TERM_BITS) - 1); terms > 0; terms--, words++)
        sum += slot_of(slots, *words) * (*words >> SHIFT);
    return (void *)(intptr_t)sum;
}

int64_t *nn_slots(nn_rt *rt, int64_t words) {
    int64_t *slots = rt_allocate_aligned((size_t)words * sizeof *slots);
    rt_keep(rt, slots);
    return slots;
}

static const char *text_at(const void *base, int32_t distance) {
    return distance ? (const char *)base + distance : NULL;
}

void nn_describe(nn_tensor *out, const nn_pattern *pattern, int64_t count, const int64_t *sums,
                 const int64_t *slots) {
    for (int64_t i = 0; i < count; i++) {
        const nn_pattern *p = &pattern[i];
        int32_t rank = p->shape & ((1 << DTYPE_SHIFT) - 1);
        out[i] = (nn_tensor){.name = text_at(pattern, p->name),
                             .dims = rank ? sums + (p->shape >> DIMS_SHIFT) : NULL,
                             .data = address(slots, sums + p->data),
                             .dtype = p->shape >> DTYPE_SHIFT & ((1 << (DIMS_SHIFT - DTYPE_SHIFT)) - 1),
                             .rank = rank};
    }
}

/* --- scripts */
typedef struct {
    const uint8_t *at;
    const int64_t *sums, *slots;
} Script;

/* Most have one digit. */
static inline int64_t read_number(Script *s) {
    int64_t number = *s->at++;
    if (number < 128) return number;
    number -= 128;
    for (int shift = 7;; shift += 7) {
        int64_t digit = *s->at++;
        number += (digit & 127) << shift;
        if (digit < 128) return number;
    }
}

static inline int64_t read_quantity(Script *s) {
    int64_t number = read_number(s);
    return number & 1 ? s->slots[number >> 1] : number >> 1;
}

static inline void *read_sum(Script *s) { return address(s->slots, s->sums + read_number(s)); }

static inline void copy(Script *s) {
    int64_t bytes = read_quantity(s);
    void *to = read_sum(s);
    const void *from = read_sum(s);
    memcpy(to, from, (size_t)bytes);
}

static inline void check(nn_rt *rt, Script *s, const nn_check *checks) {
    const bool *holds = read_sum(s);
    const nn_check *c = &checks[read_number(s)];
    if (*holds) return;
    const char *name = text_at(checks, c->name);
    nn_loc loc = {text_at(checks, c->file), c->line, c->column};
    nn_tensor argument = {.data = &name, .dtype = NN_STR};
    nn_fail(rt, &loc, text_at(checks, c->text), name != NULL, &argument);
}

static inline void call(nn_rt *rt, Script *s, nn_kernel *kernel, void **args) {
    int64_t count = read_number(s), chunks = read_quantity(s);
    for (int64_t i = 0; i < count; i++) args[i] = read_sum(s);
    nn_parallel(rt, kernel, args, chunks);
}

void nn_launch(nn_rt *rt, const nn_tables *tables, const uint8_t *script, const int64_t *slots, void **args) {
    Script s = {script, tables->sums, slots};
    for (;;) {
        int64_t code = read_number(&s);
        if (code >= SCRIPT_KERNEL)
            call(rt, &s, tables->kernels[code - SCRIPT_KERNEL], args);
        else if (code == SCRIPT_COPY)
            copy(&s);
        else if (code == SCRIPT_CHECK)
            check(rt, &s, tables->checks);
        else
            return;
    }
}
