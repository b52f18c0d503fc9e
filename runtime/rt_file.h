/* Reading files that may be anything, and writing them: only regular files (and, for data, pipes) are opened,
 * nothing blocks for ever, and a file that shrinks is an error. */
#ifndef RT_FILE_H
#define RT_FILE_H

#include "rt_text.h"

/* A descriptor, or -1: the error begins with the quoted path. */
int rt_file_open(const char *path, int64_t *size, rt_text *error);
/* Exactly `count` bytes from `offset` on. */
bool rt_file_read(int file, const char *path, void *bytes, size_t count, int64_t offset, rt_text *error);

/* The same where a pipe will do: what comes through it is read to its end, into a temporary file. */
int rt_stream_open(const char *path, int64_t *size, rt_text *error);

/* --- temporary files: $TMPDIR or /var/tmp, and a new file there that is gone when it is closed; -1 and
 * errno. */
const char *rt_file_temporary_folder(void);
int rt_file_temporary(void);

/* --- writing. Each returns 0 or an errno. */
int rt_file_write(int file, const void *bytes, size_t count);
/* Makes a new name in the path's folder last. Not every file system can: only real errors of the disk count.
 */
int rt_file_sync_folder(const char *path);

#endif
