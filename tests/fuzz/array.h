/* What is done with a file of samples, whatever its format, after its header was read or refused. */
#ifndef FUZZ_ARRAY_H
#define FUZZ_ARRAY_H

#include "runtime/rt_column.h"

/* Reads the samples of what was parsed, and frees all. */
void fuzz_array(bool parsed, rt_source *source, const nn_tensor *sample, const rt_array *array,
                rt_text *error);

#endif
