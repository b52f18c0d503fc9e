/* Compiled code against the interpreter: a graph as text is interpreted with error bounds, then compiled,
 * loaded into this process and run on the same inputs, and what the two `save` is compared element by
 * element. */
#ifndef TESTS_UNIT_NATIVE_H
#define TESTS_UNIT_NATIVE_H

#include "support/arena.h"
#include <stdbool.h>
#include <stdint.h>

/* How much a comparison said. */
typedef struct {
    int64_t elements, unbounded; /* compared; of these, floats and decisions whose error bound is infinite */
} NativeCounts;

/* Digests of what was compiled so far, and for which processor and at which level. */
enum { NATIVE_SEEN = 16 };
typedef struct {
    uint64_t digest[NATIVE_SEEN];
    uint32_t count;
} NativeSeen;

typedef struct {
    int optimize;         /* 0…3 */
    const char *cpu;      /* NULL = this machine's */
    const char *passes;   /* NULL = all */
    bool special;         /* inputs hold NaN, infinities and extremes too */
    bool verbose;         /* print the graph of kernels on failure */
    const char *disable;  /* passes to leave out, or NULL */
    bool orders;          /* run chunks backwards, forwards and by two threads: all must save the same bits */
    NativeCounts *counts; /* grows, or NULL */
    NativeSeen *seen;     /* the same graph isn't compiled for the same machine twice; or NULL */
} NativeOptions;

/* The text of a command's body: `inputs` and `outputs` are types and values as in `f32[2, B] i64`, numbered
 * %10, %11, … for the inputs and as given for the outputs: `%20 %21`; `size` is the symbol B's value. NULL,
 * or what is wrong, in `arena`. */
const char *native_check(Arena *arena, int64_t size, const char *inputs, const char *body,
                         const char *outputs, const NativeOptions *options);

/* The same for the text of a whole program: one command, whose argument is `size`. It is interpreted after
 * autodiff alone. NATIVE_REFUSED where the interpreter or a pass refuses the program. */
const char *native_check_text(Arena *arena, int64_t size, const char *text, const NativeOptions *options);
#define NATIVE_REFUSED "refused: "

#endif
