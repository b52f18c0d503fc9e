/* Compiled code against the interpreter: a graph as text is interpreted with error bounds, then compiled,
 * loaded into this process and run on the same inputs, and what the two `save` is compared element by
 * element. */
#ifndef TESTS_UNIT_NATIVE_H
#define TESTS_UNIT_NATIVE_H

#include "support/arena.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int optimize;       /* 0…3 */
    const char *cpu;    /* NULL = this machine's */
    const char *passes; /* NULL = all */
    bool special;       /* inputs hold NaN, infinities and extremes too */
    bool verbose;       /* print the graph of kernels on failure */
} NativeOptions;

/* The text of a command's body: `inputs` and `outputs` are types and values as in `f32[2, B] i64`, numbered
 * %10, %11, … for the inputs and as given for the outputs: `%20 %21`; `size` is the symbol B's value. NULL,
 * or what is wrong, in `arena`. */
const char *native_check(Arena *arena, int64_t size, const char *inputs, const char *body,
                         const char *outputs, const NativeOptions *options);

#endif
