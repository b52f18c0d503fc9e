/* Between the pass `layout` and how it moves a change of the axes' order. */
#ifndef PASSES_LAYOUT_H
#define PASSES_LAYOUT_H

#include "ir/build.h"

/* The value is a permutation that may move from operands to results. */
void layout_mark(Value *permuted);
bool layout_is_marked(const Value *value);

/* What the node computes from operands whose axes were put in order by marked permutations, computed from
 * what these permute, and its axes put in order afterwards; NULL where that can't be. */
Value *layout_move(Builder *b, Node *node);

#endif
