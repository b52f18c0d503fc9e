/* What a planned program takes of memory, for `--report`. */
#ifndef DRIVER_REPORT_H
#define DRIVER_REPORT_H

#include "ir/graph.h"

/* For each command the bytes of its arenas, and the largest tensors in them with their places in the source.
 */
void report_memory(FILE *out, const Graph *graph, Arena *arena);

#endif
