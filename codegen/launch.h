/* Calls of kernels from a host function, as data. */
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
/* Before anything that reads or writes what kernels do, and where control may go elsewhere. */
void launch_flush(Emit *e);

/* Emits the table of all functions that are called, when they have been. */
void launch_table(Emit *e);
/* Into the array of nn_tensor `out`: what the array of nn_pattern says, and the values' data. Nothing may
 * wait. */
void launch_describe(Emit *e, LLVMValueRef out, LLVMValueRef pattern, uint32_t count, Value *const *values);

/* Memory of an arena's pointer, and of a symbol's value. */
LLVMValueRef launch_arena(Emit *e, int64_t frame);
LLVMValueRef launch_symbol(Emit *e, const Dim *symbol);
/* The arena has been opened: works out what places in it are computed from. */
void launch_opened(Emit *e, int64_t frame);

#endif
