/* Line tables of the .nn source (-g): which line each instruction was made for. See emit.h for what emitters
 * call. */
#ifndef CODEGEN_DEBUG_H
#define CODEGEN_DEBUG_H

#include "codegen/emit.h"

/* Sets e->debug where the options ask for it. */
void debug_start(Emit *e);
/* Completes the tables; before verification. */
void debug_finish(Emit *e);

#endif
