/* Which pictures have their channels last, as the passes `hoist` and `layout` see it, and how a change of the
 * axes' order moves. */
#ifndef PASSES_LAYOUT_H
#define PASSES_LAYOUT_H

#include "ir/build.h"

/* Do convolutions of this block, in the body of `loop` (NULL = none), make pictures with their channels last?
 */
bool layout_wants_channels_last(const Block *block, const Block *loop);
/* Is the node one of them there? */
bool layout_puts_channels_last(const Node *node);

/* The value is a permutation that may move from operands to results. */
void layout_mark(Value *permuted);
bool layout_is_marked(const Value *value);

/* What the node computes from operands whose axes were put in order by marked permutations, computed from
 * what these permute, and its axes put in order afterwards; NULL where that can't be. */
Value *layout_move(Builder *b, Node *node);

/* Changes the order of what loops carry to that in which it is computed (layout_carry.c); the permutations
 * that put axes back are marked. Did it change any? */
bool layout_carry(Graph *graph, Arena *scratch);

#endif
