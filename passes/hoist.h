/* Shared by the files of the pass `hoist`. */
#ifndef PASSES_HOIST_H
#define PASSES_HOIST_H

#include "ir/graph.h"
#include "support/map.h"

typedef struct {
    Graph *graph;
    Arena *scratch;
} Hoist;

/* Costs nothing inside a kernel that uses it, but a tensor of its own where none does: better made again than
 * kept. */
bool hoist_is_weightless(const Node *node);

/* Moves what doesn't change out of this loop, whose inner loops are done (hoist_loop.c). */
void hoist_loop(Hoist *h, Node *loop);
/* Gives every block its own copies of the weightless nodes that it uses from outer ones (hoist_sink.c). */
void hoist_sink(Hoist *h, Block *block);
/* Transposes what products in loops would pack in every iteration (hoist_layout.c). */
void hoist_layout(Hoist *h, Block *block);

#endif
