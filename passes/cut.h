/* The cheapest set of arcs between a source and a sink (Ford & Fulkerson 1956). */
#ifndef PASSES_CUT_H
#define PASSES_CUT_H

#include "support/arena.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct Cut Cut;

enum { CUT_SOURCE = 0, CUT_SINK = 1 };
#define CUT_NEVER (INT64_MAX / 4)

Cut *cut_new(Arena *arena);
/* A new point, by number. */
uint32_t cut_point(Cut *cut);
/* An arc that costs `cost`; CUT_NEVER: it must not be cut. */
void cut_arc(Cut *cut, uint32_t from, uint32_t to, int64_t cost);
/* The cost of the cheapest cut; at least CUT_NEVER where there is none. */
int64_t cut_cost(Cut *cut);
/* After that: is the point on the sink's side of the cheapest cut that is nearest to the sink? */
bool cut_behind(const Cut *cut, uint32_t point);

#endif
