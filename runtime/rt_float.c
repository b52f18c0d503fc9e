/* Conversions between f64 and the narrow floats. Written on bits, so that they need no help from the CPU or
 * the compiler's library. */
#include "rt_float.h"
#include "nnrt.h"
#include <math.h>
#include <string.h>

double rt_from_f16(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    int mantissa = bits & 1023;
    double magnitude;
    if (exponent == 31)
        magnitude = mantissa ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(mantissa, -24);
    else
        magnitude = ldexp(mantissa + 1024, exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

double rt_from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, 4);
    return (double)x;
}

/* `x` to a float of `exponent_bits` and `mantissa_bits` (stored ones), 16 bits in all. */
static uint16_t narrow(double x, int exponent_bits, int mantissa_bits) {
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    uint16_t infinity = (uint16_t)(((1 << exponent_bits) - 1) << mantissa_bits);
    if (isnan(x)) return (uint16_t)(sign | infinity | 1 << (mantissa_bits - 1));
    if (isinf(x)) return sign | infinity;
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent;
    double magnitude = fabs(x);
    frexp(magnitude, &exponent); /* magnitude = f × 2^exponent, f in [0.5, 1) */
    if (magnitude == 0) return sign;
    int unit = exponent - 1; /* the exponent of the leading bit; subnormals share the lowest one's */
    if (unit < 1 - bias) unit = 1 - bias;
    /* Units in the last place, an integer below 2^(mantissa_bits + 1), rounded by the current mode: to even.
     */
    double units = nearbyint(ldexp(magnitude, mantissa_bits - unit));
    uint32_t bits = (uint32_t)units + ((uint32_t)(unit + bias - 1) << mantissa_bits);
    return sign | (bits >= infinity ? infinity : (uint16_t)bits);
}

uint16_t rt_to_f16(double x) { return narrow(x, 5, 10); }
uint16_t rt_to_bf16(double x) { return narrow(x, 8, 7); }

void rt_store_float(int32_t dtype, double x, void *element) {
    float single = (float)x;
    uint16_t half = dtype == NN_F16 ? rt_to_f16(x) : rt_to_bf16(x);
    if (dtype == NN_F64)
        memcpy(element, &x, 8);
    else if (dtype == NN_F32)
        memcpy(element, &single, 4);
    else
        memcpy(element, &half, 2);
}
