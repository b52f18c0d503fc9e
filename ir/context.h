/* What all graphs of one compilation share: an arena, interned strings, and the tables in which dimensions
 * and types are interned (so that equality is pointer equality). */
#ifndef IR_CONTEXT_H
#define IR_CONTEXT_H

#include "support/arena.h"
#include "support/intern.h"

typedef struct IrContext IrContext;

/* Lives as long as `arena`. */
IrContext *ir_context_new(Arena *arena, Strings *strings);
Arena *ir_arena(IrContext *ir);
Strings *ir_strings(IrContext *ir);

#endif
