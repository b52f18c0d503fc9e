/* Is the graph well formed? Every operand visible where it is used, result types as the shape rules say,
 * blocks end in one yield of the right types, symbols defined before use, no effects inside kernels. */
#ifndef IR_VERIFY_H
#define IR_VERIFY_H

#include "ir/graph.h"

/* NULL if it is; otherwise a message that names the node. */
const char *graph_verify(Graph *graph, Arena *arena);

#endif
