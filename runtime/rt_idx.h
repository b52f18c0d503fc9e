/* IDX files: the format of MNIST. Big-endian: two zero bytes, an element type, the rank, a u32 per dimension,
 * the elements. The first dimension counts the samples. A gzipped file is recognised by its content. */
#ifndef RT_IDX_H
#define RT_IDX_H

#include "rt_column.h"

/* Reads the header and checks it against the type of one sample. What a gzipped file holds replaces the
 * source's bytes. False: the error says what is wrong with the file, without its name. Memory: what the file
 * holds, never more than it can hold. */
bool rt_idx_parse(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error);

#endif
