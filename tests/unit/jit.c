/* Runs emitted code in this process by LLVM's ORC. */
#include "jit.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(bool ok, const char *what, const char *message) {
    if (ok) return;
    fprintf(stderr, "jit: %s: %s\n", what, message ? message : "failed");
    exit(1);
}

static void require_none(LLVMErrorRef error, const char *what) {
    if (error) require(false, what, LLVMGetErrorMessage(error));
}

/* The runtime's per-thread scratch memory; tests run one thread. */
static void *scratch(void *rt, int64_t bytes) {
    struct {
        void *memory;
        int64_t size;
    } *area = rt;
    if (area->size < bytes) {
        free(area->memory);
        area->memory = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);
        area->size = bytes;
        require(area->memory != NULL, "scratch", "out of memory");
    }
    return area->memory;
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
    require_none(LLVMOrcCreateLLJIT(&jit->lljit, NULL), "LLJIT");
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

static void define_scratch(Jit *jit) {
    LLVMOrcCSymbolMapPair pair = {
        .Name = LLVMOrcLLJITMangleAndIntern(jit->lljit, "nn_scratch"),
        .Sym = {.Address = (LLVMOrcExecutorAddress)(uintptr_t)scratch,
                .Flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0}}};
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
    require_none(LLVMOrcJITDylibDefine(library, LLVMOrcAbsoluteSymbols(&pair, 1)), "nn_scratch");
    LLVMOrcDefinitionGeneratorRef process;
    char prefix = LLVMOrcLLJITGetGlobalPrefix(jit->lljit);
    require_none(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, prefix, NULL, NULL), "libc");
    LLVMOrcJITDylibAddGenerator(library, process);
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
    LLVMMemoryBufferRef object;
    require(!LLVMTargetMachineEmitToMemoryBuffer(jit->machine.machine, e->module, LLVMObjectFile, &message,
                                                 &object),
            "object", message);
    define_scratch(jit);
    require_none(LLVMOrcLLJITAddObjectFile(jit->lljit, LLVMOrcLLJITGetMainJITDylib(jit->lljit), object),
                 "load");
}

JitFunction *jit_find(Jit *jit, const char *name) {
    LLVMOrcExecutorAddress address;
    require_none(LLVMOrcLLJITLookup(jit->lljit, &address, name), name);
    return (JitFunction *)(uintptr_t)address;
}

void jit_close(Jit *jit) {
    Emit *e = &jit->emit;
    require_none(LLVMOrcDisposeLLJIT(jit->lljit), "close");
    LLVMDisposeBuilder(e->builder);
    LLVMDisposeModule(e->module);
    LLVMDisposeTargetData(e->layout);
    LLVMContextDispose(e->llvm);
    target_close(&jit->machine);
    arena_free(e->arena);
}
