/* Reading files that may be anything: only regular files are opened, nothing blocks, and a file that shrinks
 * is an error. */
#ifndef RT_FILE_H
#define RT_FILE_H

#include "rt_text.h"

/* A descriptor, or -1: the error begins with the quoted path. */
int rt_file_open(const char *path, int64_t *size, rt_text *error);
/* Exactly `count` bytes from `offset` on. */
bool rt_file_read(int file, const char *path, void *bytes, size_t count, int64_t offset, rt_text *error);

#endif
