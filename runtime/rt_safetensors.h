/* The safetensors format: a u64 (little-endian) with the length of a JSON header, the header, the tensors'
 * bytes without gaps.
 *     {"name": {"dtype": "F32", "shape": [10, 3], "data_offsets": [0, 120]}, …,
 *      "__metadata__": {"key": "text", …}} */
#ifndef RT_SAFETENSORS_H
#define RT_SAFETENSORS_H

#include "rt_text.h"

typedef struct {
    const char *name; /* in the header; not NUL-terminated */
    size_t name_length;
    uint8_t type; /* row of the format's element types, see rt_st_type */
    int32_t rank;
    const char *shape;   /* in the header: the numbers between the brackets */
    uint64_t begin, end; /* of its bytes, from the end of the header on */
} rt_st_entry;

/* One of the texts in `__metadata__`. */
typedef struct {
    const char *key, *value; /* in the header; not NUL-terminated */
    size_t key_length, value_length;
} rt_st_note;

typedef struct {
    rt_st_entry *entries; /* by name */
    rt_st_note *notes;    /* as they come */
    size_t count, note_count;
} rt_st_index;

typedef struct {
    const char *name; /* "F32" */
    uint8_t bytes;
    int32_t dtype; /* nn_dtype; -1 where programs have no such type */
} rt_st_row;
const rt_st_row *rt_st_type(uint8_t type);
const char *rt_st_dtype_name(int32_t dtype);

/* Reads and checks a header (which it changes: names are unescaped in place). `data_bytes` is what follows it
 * in the file. When it returns true the tensors cover those bytes exactly, each once, and no name is there
 * twice. False: the error, without the file's name. Memory: in proportion to the header. */
bool rt_st_parse(char *header, size_t length, uint64_t data_bytes, rt_st_index *index, rt_text *error);
void rt_st_free(rt_st_index *index);
const rt_st_entry *rt_st_find(const rt_st_index *index, const char *name);
const rt_st_note *rt_st_find_note(const rt_st_index *index, const char *key);
/* The entry's shape; `dims` has room for its rank. */
void rt_st_shape(const rt_st_entry *entry, int64_t *dims);

/* --- writing (rt_st_write.c) */
typedef struct {
    const char *key, *value;
} rt_st_pair;
size_t rt_tensor_bytes(const nn_tensor *tensor);
/* The tensors in the order in which they are written: wide elements first, so that each is aligned in the
 * file, then by name. Freed by the caller. */
const nn_tensor **rt_st_sorted(int32_t count, const nn_tensor *tensors);
/* Appends the length and the header, padded so that the tensors begin at a multiple of eight. */
void rt_st_header(rt_text *out, int32_t pairs, const rt_st_pair *pair, int32_t count,
                  const nn_tensor *const *tensors);

/* A file's first eight bytes: the header's length in *header. False: the error, without the file's name. */
enum { RT_ST_PREFIX = 8, RT_ST_HEADER_LIMIT = 100000000 /* the format's own */, RT_ST_RANK_LIMIT = 64 };
bool rt_st_prefix(const uint8_t prefix[RT_ST_PREFIX], uint64_t file_bytes, uint64_t *header, rt_text *error);

#endif
