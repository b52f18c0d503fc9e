/* Division of floats towards minus infinity, as Python and PyTorch define it: the remainder is that of the
 * real numbers, rounded once, and has the divisor's sign, and x = (x // y) · y + x % y but for rounding, so
 * that 1.0 // 0.1 is 9. By 0 they are NaN and x / 0. */
#ifndef SUPPORT_REMAINDER_H
#define SUPPORT_REMAINDER_H

double remainder_floored(double x, double y);
double quotient_floored(double x, double y);

#endif
