/* Runs emitted code in this process by LLVM's ORC. */
#include "jit.h"
#include <llvm-c/Analysis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(bool ok, const char *what, const char *message) {
    if (ok) return;
    fprintf(stderr, "jit: %s: %s\n", what, message ? message : "failed");
    exit(1);
}

void jit_open(Jit *jit, int optimize, const char *cpu) {
    *jit = (Jit){.options = {.optimize = optimize, .cpu = cpu}};
    Emit *e = &jit->emit;
    e->arena = arena_new();
    e->options = &jit->options;
    const char *error = target_open(&jit->options, e->arena, &jit->machine);
    require(!error, "target", error);
    e->target = jit->machine.target, e->cpu = jit->machine.cpu, e->features = jit->machine.features;
    e->llvm = LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext("test", e->llvm);
    e->builder = LLVMCreateBuilderInContext(e->llvm);
    e->layout = LLVMCreateTargetDataLayout(jit->machine.machine);
    LLVMSetTarget(e->module, jit->machine.triple);
    LLVMSetModuleDataLayout(e->module, e->layout);
}

LLVMValueRef jit_function(Jit *jit, const char *name, const char *signature, bool returns) {
    Emit *e = &jit->emit;
    LLVMTypeRef params[16], i64 = LLVMInt64TypeInContext(e->llvm);
    unsigned count = (unsigned)strlen(signature);
    for (unsigned i = 0; i < count; i++)
        params[i] = signature[i] == 'p' ? LLVMPointerTypeInContext(e->llvm, 0) : i64;
    LLVMTypeRef type = LLVMFunctionType(returns ? i64 : LLVMVoidTypeInContext(e->llvm), params, count, false);
    LLVMValueRef function = LLVMAddFunction(e->module, name, type);
    target_attributes(e, function);
    e->function = function;
    LLVMPositionBuilderAtEnd(e->builder, LLVMAppendBasicBlockInContext(e->llvm, function, "entry"));
    return function;
}

void jit_load(Jit *jit, const char *assembly) {
    Emit *e = &jit->emit;
    char *message = NULL;
    require(!LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message), "malformed", message);
    LLVMDisposeMessage(message);
    const char *error = optimize_module(e->module, jit->machine.machine, jit->options.optimize, e->arena);
    require(!error, "optimise", error);
    if (assembly) {
        LLVMModuleRef copy = LLVMCloneModule(e->module);
        require(
            !LLVMTargetMachineEmitToFile(jit->machine.machine, copy, assembly, LLVMAssemblyFile, &message),
            "assembly", message);
        LLVMDisposeModule(copy);
    }
    error = orc_load(&jit->lljit, e->module, jit->machine.machine, e->arena);
    require(!error, "load", error);
}

JitFunction *jit_find(Jit *jit, const char *name) {
    OrcFunction *function = orc_find(jit->lljit, name);
    require(function != NULL, name, "not found");
    return function;
}

void jit_close(Jit *jit) {
    Emit *e = &jit->emit;
    const char *error = orc_close(jit->lljit, e->arena);
    require(!error, "close", error);
    LLVMDisposeBuilder(e->builder);
    LLVMDisposeModule(e->module);
    LLVMDisposeTargetData(e->layout);
    LLVMContextDispose(e->llvm);
    target_close(&jit->machine);
    arena_free(e->arena);
}
