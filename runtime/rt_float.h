/* The narrow floats, as bits: f16 (IEEE binary16) and bf16 (the upper half of an f32). Rounding is to
 * nearest, ties to even, once. */
#ifndef RT_FLOAT_H
#define RT_FLOAT_H

#include <stdint.h>

double rt_from_f16(uint16_t bits);
double rt_from_bf16(uint16_t bits);
uint16_t rt_to_f16(double x);
uint16_t rt_to_bf16(double x);
/* `x` as an element of a float dtype. */
void rt_store_float(int32_t dtype, double x, void *element);

#endif
