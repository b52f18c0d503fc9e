/* What a command does between its decisions, as data. */
#ifndef CODEGEN_LAUNCH_H
#define CODEGEN_LAUNCH_H

#include "codegen/emit.h"

/* An argument of a kernel: a tensor or scalar, by its address; a size, by its value; or the memory that its
 * stages share. */
typedef struct {
    Value *value;       /* or NULL */
    const Dim *symbol;  /* or NULL */
    uint32_t workspace; /* bytes, where it is neither */
} LaunchArgument;

/* Around the emission of a host function: in its entry block, which goes on; where it is complete.
 */
void launch_open(Emit *e, const Function *function);
void launch_close(Emit *e);

/* A call of a kernel's function, by name, for chunks 0 … chunks - 1. It waits for the next flush, in which
 * all that wait are one call of the runtime. */
void launch_kernel(Emit *e, const char *kernel, LLVMValueRef chunks, uint32_t count,
                   const LaunchArgument *arguments);
/* Likewise a copy of so many bytes, and a check. */
void launch_copy(Emit *e, Value *to, Value *from, LLVMValueRef bytes);
bool launch_can_check(const Node *check);
void launch_check(Emit *e, const Node *check);
/* Before anything that reads or writes what kernels do, and where control may go elsewhere. */
void launch_flush(Emit *e);
bool launch_waits(const Emit *e);

/* Into the array of nn_tensor `out`: the values, by names unless those are NULL. Dimensions that only the run
 * tells are left to the caller. */
void launch_describe(Emit *e, LLVMValueRef out, uint32_t count, Value *const *values,
                     const char *const *names);

/* Memory of an arena's pointer, and of a symbol's value. */
LLVMValueRef launch_arena(Emit *e, int64_t frame);
LLVMValueRef launch_symbol(Emit *e, const Dim *symbol);
/* The slot of a scalar, if it has one; else NULL. */
LLVMValueRef launch_scalar(Emit *e, const Value *value);
/* The arena has been opened: works out what places in it are computed from. */
void launch_opened(Emit *e, int64_t frame);

#endif
