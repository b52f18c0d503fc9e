/* Programs for tests of kernels: a command that loads inputs, does a body and saves outputs; its text, and
 * the interpreter's run of it. */
#ifndef TESTS_UNIT_PROGRAM_H
#define TESTS_UNIT_PROGRAM_H

#include "ir/interpret.h"

/* `inputs` are types as in `f32[2, B] i64`, which become %10, %11, …; `outputs` values of the body, as in
 * `%20 %21`. B is the argument. */
const char *program_text(Arena *arena, const char *inputs, const char *body, const char *outputs);
/* NULL, with the diagnostics on stderr, where the text is wrong. */
Graph *program_parse(Arena *arena, const char *text);

typedef struct {
    Arena *arena;
    bool special; /* inputs hold NaN, infinities and extremes too */
    uint32_t count;
    Tensor *saved;
} ProgramRun;

/* Interprets with error bounds and keeps what is saved. NULL, or the failure. */
const char *program_interpret(const Graph *graph, int64_t size, ProgramRun *run);

/* The inputs' elements, by a number of each: exact in every float type. */
double program_float(uint64_t number, bool special);
int64_t program_int(uint64_t number, DType dtype, bool special);

#endif
