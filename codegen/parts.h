/* A program as several modules of LLVM's, so that all cores compile it: the kernels are dealt out to parts,
 * which become object files on threads while further ones are emitted. */
#ifndef CODEGEN_PARTS_H
#define CODEGEN_PARTS_H

#include "codegen/emit.h"
#include "codegen/target.h"

/* Turns a module into an object file at `path`; NULL or a message in `arena`. Called on any thread. */
typedef const char *PartCompiler(const CodegenOptions *options, LLVMModuleRef module,
                                 LLVMTargetMachineRef machine, const char *path, Arena *arena);

/* The files are made in `directory`. Without it `e->parts` stays NULL, and all is one module. */
void parts_open(Emit *e, const TargetMachine *machine, PartCompiler *compiler, const char *directory);
/* Compiles the rest, the module of `e` included. `*objects` are the files, in `arena`, also those of parts
 * that failed; NULL, or a message. */
const char *parts_close(Emit *e, Arena *arena, const char *const **objects, uint32_t *count);

/* Into the module that takes kernels, and back with a function emitted; both do nothing where all is one. A
 * kernel may call others, which are emitted while it is. */
EmitModule parts_enter(Emit *e);
void parts_leave(Emit *e, EmitModule outside, LLVMValueRef function);

#endif
