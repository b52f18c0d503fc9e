/* What a planned program takes of memory, and how its products are computed, for `--report`. */
#ifndef DRIVER_REPORT_H
#define DRIVER_REPORT_H

#include "codegen/codegen.h"

/* For each command the bytes of its arenas, and the largest tensors in them with their places in the source.
 */
void report_memory(FILE *out, const Graph *graph, Arena *arena);
/* Its products, those with the most multiply-adds first: their share of all of them, each place counted once;
 * the number of places; what they are and how they are computed, as tune files have it. NULL, or a message.
 */
const char *report_products(FILE *out, Graph *graph, const CodegenOptions *options, Arena *arena);

#endif
