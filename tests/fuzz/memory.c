/* The runtime's allocation, for fuzz targets that link only a part of it: running out of memory is a finding.
 */
#include "runtime/rt.h"
#include <stdlib.h>

void *rt_allocate(size_t bytes) { return rt_resize(NULL, bytes); }

void *rt_resize(void *old, size_t bytes) {
    void *new = realloc(old, bytes ? bytes : 1);
    if (!new) abort();
    return new;
}

_Noreturn void rt_out_of_memory(size_t bytes) {
    (void)bytes;
    abort();
}
