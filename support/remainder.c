#include "support/remainder.h"
#include <math.h>
#include <stdbool.h>

/* Is the floor one below the quotient's whole part? */
static bool is_below(double x, double y, double rest) { return rest != 0 && signbit(x) != signbit(y); }

double remainder_floored(double x, double y) {
    double size = fabs(y), rest = fmod(fabs(x), size);
    return copysign(is_below(x, y, rest) ? size - rest : rest, y);
}

double quotient_floored(double x, double y) {
    double size = fabs(x), rest = fmod(size, fabs(y)), whole = rint((size - rest) / fabs(y));
    if (y == 0) return x / y;
    return copysign(is_below(x, y, rest) ? whole + 1 : whole, signbit(x) == signbit(y) ? 1 : -1);
}
