/* IDX files: the format of MNIST. Big-endian: two zero bytes, an element type, the rank, a u32 per dimension,
 * the elements. The first dimension counts the samples. A gzipped file is recognised by its content. */
#ifndef RT_IDX_H
#define RT_IDX_H

#include "rt_text.h"

typedef struct {
    uint8_t *bytes;         /* owned, malloc; of a raw file the file itself */
    const uint8_t *samples; /* inside `bytes`, in the machine's byte order, not aligned */
    int64_t count;
} rt_idx;

/* Reads a file's contents `bytes` (taken: freed or kept in *idx) and checks them against the type of one
 * sample. False: the error says what is wrong with the file, without its name. Memory: what the file holds,
 * never more than it can hold. */
bool rt_idx_parse(uint8_t *bytes, size_t size, const nn_tensor *sample, rt_idx *idx, rt_text *error);

#endif
