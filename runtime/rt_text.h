/* Growable text, and how values and foreign bytes become readable text. Used by everything in the runtime
 * that speaks to people. */
#ifndef RT_TEXT_H
#define RT_TEXT_H

#include "nnrt.h"
#include <stddef.h>

/* Starts as {0}. `bytes` is NUL-terminated once anything was added. */
typedef struct {
    char *bytes;
    size_t length, capacity;
} rt_text;

void rt_text_add(rt_text *text, const char *bytes, size_t count);
void rt_text_adds(rt_text *text, const char *string);
void rt_text_fill(rt_text *text, char c, int64_t count); /* `count` times `c`; nothing where count <= 0 */
void rt_text_addf(rt_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends `bytes` in backticks, made harmless: control characters, invisible direction marks and invalid
 * UTF-8 appear as escapes, and what is longer than a line is cut with an ellipsis. For names out of files. */
void rt_text_quote(rt_text *text, const char *bytes, size_t count);
void rt_text_quotes(rt_text *text, const char *string);
void rt_text_word(rt_text *text, const char *word);   /* as a shell reads it */
void rt_text_json(rt_text *text, const char *string); /* as JSON writes it, quotes included */
const char *rt_text_string(const rt_text *text);      /* "" where nothing was added */
void rt_text_free(rt_text *text);

/* Length of the valid UTF-8 sequence at `bytes`, 0 where it is none; its code point in *code. */
size_t rt_utf8(const char *bytes, size_t count, uint32_t *code);
/* Columns that the text takes on a terminal: its code points (wide characters are not counted double). */
int64_t rt_text_columns(const char *bytes, size_t count);

/* --- dtypes */
const char *rt_dtype_name(int32_t dtype);
size_t rt_dtype_bytes(int32_t dtype);
bool rt_dtype_is_float(int32_t dtype);
/* Appends `f32[10, 3]`. */
void rt_text_type(rt_text *text, int32_t dtype, int32_t rank, const int64_t *dims);

/* --- numbers */
/* One element of a tensor as text, without or with a format spec (`spec_length` bytes, as in Python). False
 * where the spec does not fit the type; the text is unchanged then. */
bool rt_text_element(rt_text *text, int32_t dtype, const void *element, const char *spec, size_t spec_length);
/* The fewest decimal digits that read back as `x` in `dtype` (a float): digits without point and without
 * trailing zeros into `digits`, the value being 0.d₁d₂… × 10^*point. Finite x only; at least one digit. */
enum { RT_DIGITS = 24 };
int rt_shortest(double x, int32_t dtype, char digits[RT_DIGITS], int *point);
double rt_element_float(int32_t dtype, const void *element);
int64_t rt_element_int(int32_t dtype, const void *element);

/* A whole tensor, any rank. Same result as rt_text_element. */
bool rt_text_tensor(rt_text *text, const nn_tensor *tensor, const char *spec, size_t spec_length);
/* Replaces the placeholders of `format` by the arguments. */
void rt_text_template(rt_text *text, const char *format, int32_t count, const nn_tensor *args);

#endif
