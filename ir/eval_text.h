/* Shared by the files that turn values into text. Private to ir/eval_text.c and ir/eval_tensor_text.c. */
#ifndef IR_EVAL_TEXT_H
#define IR_EVAL_TEXT_H

#include "ir/eval.h"

/* [[fill]align][sign][0][width][,][.precision][type] */
typedef struct {
    char fill, align, sign, type; /* align and type 0 = by default */
    bool comma, given;            /* given: `{:spec}`, not `{}` */
    int width, precision;         /* precision -1 = none */
} Spec;

/* A text that grows. */
typedef struct {
    char *at;
    size_t length, capacity;
    Arena *arena;
} Text;

void append(Text *text, const char *more);
size_t columns(const char *text); /* characters of UTF-8 */
char *repeat(Arena *arena, char c, size_t n);
const char *non_finite(double x); /* "nan" or "inf" */
/* The fewest digits, as "d.ddde+xx", that read back as `x`, a finite value of the dtype. */
char *shortest_digits(Arena *arena, DType dtype, double x);
char *format_element(Arena *arena, const Spec *spec, const Tensor *t, int64_t at);
/* A tensor of rank ≥ 1. */
char *format_tensor(Arena *arena, const Spec *spec, const Tensor *t);

#endif
