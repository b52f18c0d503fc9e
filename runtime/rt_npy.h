/* NumPy's .npy files, versions 1 to 3: a magic number, a version, the length of a header, the header (a
 * Python dictionary with element type, order and shape), the elements. The first axis counts the samples. */
#ifndef RT_NPY_H
#define RT_NPY_H

#include "rt_column.h"

/* Reads the header and checks it against the type of one sample: floats may have another width, everything
 * else is as declared. False: the error says what is wrong with the file, without its name. */
bool rt_npy_parse(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error);

#endif
