/* LLVM's passes over the finished module. */
#ifndef CODEGEN_OPTIMIZE_H
#define CODEGEN_OPTIMIZE_H

#include "support/arena.h"
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

/* Level 0…3. NULL, or LLVM's message in `arena`. */
const char *optimize_module(LLVMModuleRef module, LLVMTargetMachineRef machine, int level, Arena *arena);

#endif
