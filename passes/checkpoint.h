/* Shared by the files of the pass `checkpoint`. */
#ifndef PASSES_CHECKPOINT_H
#define PASSES_CHECKPOINT_H

#include "ir/graph.h"

/* What a run needs to go on behind a checkpoint. */
typedef struct {
    VEC(Value *) values;      /* read behind it before they are computed again */
    VEC(const Dim *) symbols; /* run-time sizes that are known there */
} Living;

/* Values that are defined before `resume`, a node of the function's body, and what has the trait GIVEN are
 * there without being saved. (checkpoint_live.c) */
void checkpoint_living(const Node *checkpoint, const Node *resume, Arena *arena, Living *living);

#endif
