/* Formats in strings, `{loss:.4f}`: is what stands behind the colon one for values of a type? */
#ifndef FRONTEND_FORMAT_SPEC_H
#define FRONTEND_FORMAT_SPEC_H

#include "ir/type.h"
#include <stdbool.h>

/* True where the runtime can print a value of this type so. DTYPE_str for strings. */
bool format_spec_fits(const char *spec, DType dtype);

#endif
