/* Code made by parts of the code generator, run in this process: for tests and measurements of what they
 * emit. */
#ifndef TESTS_UNIT_JIT_H
#define TESTS_UNIT_JIT_H

#include "codegen/optimize.h"
#include "codegen/orc.h"
#include "codegen/target.h"

typedef struct {
    Emit emit;
    CodegenOptions options;
    TargetMachine machine;
    LLVMOrcLLJITRef lljit;
} Jit;

/* Opens an empty module for this machine, or for a lesser `cpu` that it can run. */
void jit_open(Jit *jit, int optimize, const char *cpu);
/* Starts a function; the builder stands at its entry. Its parameters are named by `signature`: p pointer, l
 * i64; it returns void, or i64 where `returns`. */
LLVMValueRef jit_function(Jit *jit, const char *name, const char *signature, bool returns);
/* Verifies, optimises and loads the module; functions are then found by name. `assembly`: where to also write
 * it, or NULL. */
void jit_load(Jit *jit, const char *assembly);
typedef void JitFunction(void); /* of whatever type it has: cast before the call */
JitFunction *jit_find(Jit *jit, const char *name);
void jit_close(Jit *jit);

#endif
