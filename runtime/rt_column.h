/* One column of a table: where its samples are, in memory or in a file that stays open, and how they are
 * stored there. Reading converts to the type that the program declares: byte order, widths of floats. */
#ifndef RT_COLUMN_H
#define RT_COLUMN_H

#include "rt_text.h"

typedef struct {
    size_t sample_bytes;    /* one sample as the program reads it */
    size_t stored_bytes;    /* one sample as it is stored */
    size_t stride;          /* stored bytes from one sample to the next: windows overlap */
    const uint8_t *samples; /* NULL where they are in the file */
    int file;
    int64_t offset;   /* of the first sample in the file */
    const char *path; /* for messages about the file */
    int32_t dtype, stored;
    bool swapped;    /* stored in the other byte order */
    bool owns;       /* the members below and the file: windows share those of the table */
    uint8_t *memory; /* that holds the samples, or NULL */
    char *path_copy;
} rt_column;

/* How a file's samples are stored: those of a dense array along its first axis. */
typedef struct {
    int64_t count, offset;
    int32_t stored;
    bool swapped;
} rt_array;

/* A file that is being opened. Small ones are held in memory as a whole; of the others only the beginning is,
 * and their samples are read when they are needed: by pread, so that a file that shrinks meanwhile is an
 * error and no signal. */
typedef struct {
    int file;
    const char *path;
    int64_t size;
    uint8_t *bytes;
    size_t held; /* how many of them */
} rt_source;

bool rt_source_open(rt_source *source, const char *path, rt_text *error);
bool rt_source_hold_all(rt_source *source, rt_text *error);
void rt_source_close(rt_source *source);

/* Bytes of one sample; false where they overflow. */
bool rt_sample_bytes(const nn_tensor *sample, int32_t dtype, size_t *bytes);

/* The samples of `array` as a column of the declared type. Takes what it needs of the source. */
rt_column rt_column_of_source(rt_source *source, const rt_array *array, const nn_tensor *sample);
/* Those in `memory` (taken), which lie there as the program reads them. */
rt_column rt_column_of_memory(uint8_t *memory, int32_t dtype, size_t sample_bytes);
/* Those in the open file (taken), from its beginning on; the path is for messages. */
rt_column rt_column_of_file(int file, const char *path, int32_t dtype, size_t sample_bytes);
void rt_column_free(rt_column *column);

/* Copies samples, whose places in the table are `rows`, or `first` and the following ones where that is NULL.
 * False: the file could not be read. */
bool rt_gather(const rt_column *column, const int64_t *rows, int64_t first, int64_t count, void *out,
               rt_text *error);

#endif
