/* Shared by the files of the pass `hoist`. */
#ifndef PASSES_HOIST_H
#define PASSES_HOIST_H

#include "ir/graph.h"
#include "support/map.h"

typedef struct {
    Graph *graph;
    Arena *scratch;
    const uint32_t *uses; /* by value id, before the pass */
    uint32_t counted;     /* values that it has entries for */
    int64_t panel;        /* columns of panels of weights; 0 = those of wide vectors */
} Hoist;

/* Costs nothing inside a kernel that uses it, but a tensor of its own where none does: better made again than
 * kept. */
bool hoist_is_weightless(const Node *node);

/* Multiplies a table before its rows are gathered, where that is less work (hoist_rows.c). */
void hoist_rows(Hoist *h, Block *block);
/* Moves what doesn't change out of this loop, whose inner loops are done (hoist_loop.c). */
void hoist_loop(Hoist *h, Node *loop);
/* Takes out of this `for` what all its steps can do at once (hoist_steps.c). */
void hoist_steps(Hoist *h, Node *loop);
/* The outermost loop around `node` that what `value` is a view of is outside of; NULL where there is none. */
Node *hoist_loop_without(const Node *node, Value *value);
/* `value` before that loop: its views are made again there. */
Value *hoist_view_before(Hoist *h, Node *loop, Value *value);
/* Gives every block its own copies of the weightless nodes that it uses from outer ones (hoist_sink.c). */
void hoist_sink(Hoist *h, Block *block);
/* Lays out before loops what products in them read in every iteration: as panels of channels where that pays
 * (hoist_panels.c), or where the result will have its channels last, */
bool hoist_panels(Hoist *h, Node *contract, bool channels_last);
/* else transposed where it would be packed (hoist_layout.c). `loop`: the body that the block is in, or NULL.
 */
void hoist_layout(Hoist *h, Block *block, const Block *loop);

#endif
