/* The library's .nn files, as embedded in the compiler by the build. */
#ifndef FRONTEND_STDLIB_H
#define FRONTEND_STDLIB_H

#include <stdint.h>

typedef struct {
    const char *name; /* "nn", "a/b": the path below stdlib/ without its ending */
    const char *text; /* NUL-terminated */
    uint32_t length;
} StdlibModule;

extern const StdlibModule stdlib_modules[]; /* sorted by name */
extern const uint32_t stdlib_module_count;

#endif
