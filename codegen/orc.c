/* LLVM's ORC with the little that kernels call. */
#include "codegen/orc.h"
#include "codegen/target.h"
#include <llvm-c/Error.h>
#include <stdlib.h>

static const char *message_of(LLVMErrorRef error, Arena *arena) {
    if (!error) return NULL;
    char *message = LLVMGetErrorMessage(error);
    const char *copy = arena_strdup(arena, message);
    LLVMDisposeErrorMessage(message);
    return copy;
}

/* In the place of the runtime's function of that name. */
static void *scratch(OrcScratch *area, int64_t bytes) {
    if (area->size >= bytes) return area->memory;
    free(area->memory);
    area->memory = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);
    if (!area->memory) abort(); /* as arenas do */
    area->size = bytes;
    return area->memory;
}

static const char *define_functions(LLVMOrcLLJITRef orc, Arena *arena) {
    LLVMOrcCSymbolMapPair pair = {
        .Name = LLVMOrcLLJITMangleAndIntern(orc, "nn_scratch"),
        .Sym = {.Address = (LLVMOrcExecutorAddress)(uintptr_t)scratch,
                .Flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0}}};
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(orc);
    const char *error = message_of(LLVMOrcJITDylibDefine(library, LLVMOrcAbsoluteSymbols(&pair, 1)), arena);
    LLVMOrcDefinitionGeneratorRef process;
    char prefix = LLVMOrcLLJITGetGlobalPrefix(orc);
    if (!error)
        error = message_of(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, prefix, NULL, NULL),
                           arena);
    if (!error) LLVMOrcJITDylibAddGenerator(library, process);
    return error;
}

const char *orc_load(LLVMOrcLLJITRef *out, LLVMModuleRef module, LLVMTargetMachineRef machine, Arena *arena) {
    LLVMMemoryBufferRef object;
    char *message = NULL;
    *out = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &object))
        return target_take_message(arena, message);
    const char *error = message_of(LLVMOrcCreateLLJIT(out, NULL), arena);
    if (!error) error = define_functions(*out, arena);
    if (error) {
        LLVMDisposeMemoryBuffer(object);
        return error;
    }
    return message_of(LLVMOrcLLJITAddObjectFile(*out, LLVMOrcLLJITGetMainJITDylib(*out), object), arena);
}

OrcFunction *orc_find(LLVMOrcLLJITRef orc, const char *name) {
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef error = LLVMOrcLLJITLookup(orc, &address, name);
    if (error) LLVMConsumeError(error);
    return error ? NULL : (OrcFunction *)(uintptr_t)address;
}

const char *orc_close(LLVMOrcLLJITRef orc, Arena *arena) {
    return orc ? message_of(LLVMOrcDisposeLLJIT(orc), arena) : NULL;
}
