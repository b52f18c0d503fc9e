/* Runs emitted code in this process, by LLVM's ORC: to measure it, and to test it. */
#ifndef CODEGEN_ORC_H
#define CODEGEN_ORC_H

#include "support/arena.h"
#include <llvm-c/LLJIT.h>
#include <llvm-c/TargetMachine.h>

/* What emitted kernels may be given for their nn_rt *: `nn_scratch` is there for them, one thread at a time.
 */
typedef struct {
    void *memory; /* to be freed */
    int64_t size;
} OrcScratch;

/* Machine code of the module, loaded. NULL, or a message in `arena`. */
const char *orc_load(LLVMOrcLLJITRef *out, LLVMModuleRef module, LLVMTargetMachineRef machine, Arena *arena);
/* A function of it, of whatever type it has; NULL where there is none. */
typedef void OrcFunction(void);
OrcFunction *orc_find(LLVMOrcLLJITRef orc, const char *name);
/* NULL, or a message in `arena`. */
const char *orc_close(LLVMOrcLLJITRef orc, Arena *arena);

#endif
