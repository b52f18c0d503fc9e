/* Whole files. Errors come back as text; nothing here prints. */
#ifndef SUPPORT_FILE_H
#define SUPPORT_FILE_H

#include "support/arena.h"
#include <stdbool.h>
#include <stdint.h>

/* Reads a regular file of at most 256 MiB, NUL-terminated, into the arena. NULL and `*error` set (to a
 * message without the path, such as "is a directory") where that fails. */
char *file_read(Arena *arena, const char *path, size_t *length, const char **error);
/* Writes a temporary file beside `path` and renames it, so that `path` is never half written. */
bool file_write(const char *path, const void *data, size_t length, const char **error);
/* True where `path` names a readable regular file. */
bool file_exists(const char *path);
/* True where `path` names a device, a pipe or a socket: something to write to, never to replace. */
bool file_special(const char *path);
/* True where both name one file that is there. */
bool file_same(const char *a, const char *b);

#endif
