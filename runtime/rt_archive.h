/* An open safetensors file. */
#ifndef RT_ARCHIVE_H
#define RT_ARCHIVE_H

#include "rt_safetensors.h"

typedef struct {
    const char *path;
    int file;
    uint64_t size; /* of the file */
    char *header;
    size_t header_length;
    uint64_t data; /* where the tensors' bytes begin in the file */
    rt_st_index index;
    rt_text *error; /* begins with the quoted path */
} rt_archive;

/* Opens the file at `path` and reads its header; parses that. `path` and `error` are set by the caller, the
 * rest is {0} but for file = -1. False after an error; to be closed in any case. */
bool rt_archive_read(rt_archive *archive);
bool rt_archive_parse(rt_archive *archive);
bool rt_archive_open(rt_archive *archive); /* both */
void rt_archive_close(rt_archive *archive);

#endif
