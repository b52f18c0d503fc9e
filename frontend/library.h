/* The library's .nn files, as embedded in the compiler by the build. */
#ifndef FRONTEND_LIBRARY_H
#define FRONTEND_LIBRARY_H

#include <stdint.h>

typedef struct {
    const char *name; /* "nn", "a/b": the path below stdlib/ without its ending */
    const char *text; /* NUL-terminated */
    uint32_t length;
} LibraryModule;

extern const LibraryModule library_modules[]; /* sorted by name */
extern const uint32_t library_module_count;

#endif
