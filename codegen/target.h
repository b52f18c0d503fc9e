/* The machine that is compiled for: LLVM's target machine, and what our schedules want to know of it. */
#ifndef CODEGEN_TARGET_H
#define CODEGEN_TARGET_H

#include "codegen/emit.h"

typedef struct TargetMachine {
    LLVMTargetMachineRef machine;
    int optimize;                        /* 0…3 */
    const char *triple, *cpu, *features; /* in the arena */
    Target target;
} TargetMachine;

/* A text of LLVM's, copied to the arena and disposed of; empty for NULL. */
const char *target_take_message(Arena *arena, char *message);
/* NULL, or a message in `arena` (unknown triple or CPU). The machine is disposed of by target_close. */
const char *target_open(const CodegenOptions *options, Arena *arena, TargetMachine *out);
void target_close(TargetMachine *machine);
/* Another one like it, for another thread. */
LLVMTargetMachineRef target_machine(const TargetMachine *machine);
/* An empty module for it, in a context of its own. */
EmitModule target_module(const TargetMachine *machine, const char *name);

#endif
