/* Numbers as tables hold them: decimal, without regard to the locale. */
#ifndef RT_CSV_NUMBER_H
#define RT_CSV_NUMBER_H

#include "rt_text.h"

/* `text` is NUL-terminated behind its `length` bytes; all of it must be the number. */
bool rt_read_int(const char *text, size_t length, int64_t *x);
/* Finite, rounded once; NaN and infinities are no numbers. */
bool rt_read_float(const char *text, size_t length, double *x);
/* 0, 1, true, false, the words with any capitals. */
bool rt_read_bool(const char *text, size_t length, bool *x);
bool rt_same_word(const char *text, size_t length,
                  const char *word); /* capitals don't matter; `word` has none */
/* Does an integer dtype hold `x`? */
bool rt_int_fits(int32_t dtype, int64_t x);
void rt_store_int(int32_t dtype, int64_t x, void *element);

#endif
