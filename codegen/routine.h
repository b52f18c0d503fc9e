/* Functions that kernels share: each is in a program once, however many kernels call it. */
#ifndef CODEGEN_ROUTINE_H
#define CODEGEN_ROUTINE_H

#include "codegen/emit.h"

typedef void RoutineBody(Emit *e, const LLVMValueRef *parameters, const void *user);
/* Calls the function `name`, which is all that what `body` emits depends on. It is emitted if it isn't there
 * yet. */
void routine_call(Emit *e, const char *name, uint32_t count, const LLVMValueRef *arguments, RoutineBody *body,
                  const void *user);

#endif
