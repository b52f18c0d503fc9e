/* Line tables by LLVM's DIBuilder: a subprogram a function, and for every instruction the .nn place of its
 * node. Code that was inlined from another file keeps its own file. */
#include "codegen/debug.h"
#include <llvm-c/DebugInfo.h>
#include <string.h>

typedef struct Debug {
    LLVMDIBuilderRef builder;
    Map *files; /* path (interned or constant) → LLVMMetadataRef */
    LLVMMetadataRef unit;
    LLVMMetadataRef type; /* of all functions: `void ()`, for their arguments are no one's business */
} Debug;

static LLVMMetadataRef file_of(Emit *e, const char *path) {
    Debug *d = e->debug;
    if (!path) path = e->graph->name;
    LLVMMetadataRef file = map_get(d->files, path);
    if (file) return file;
    const char *slash = strrchr(path, '/');
    size_t directory = slash ? (size_t)(slash - path) : 0;
    const char *base = slash ? slash + 1 : path;
    const char *folder = slash ? path : ".";
    file = LLVMDIBuilderCreateFile(d->builder, base, strlen(base), folder, slash ? directory : 1);
    map_put(d->files, path, file);
    return file;
}

static void module_flag(Emit *e, const char *name, uint32_t value) {
    LLVMValueRef number = LLVMConstInt(LLVMInt32TypeInContext(e->llvm), value, false);
    LLVMAddModuleFlag(e->module, LLVMModuleFlagBehaviorWarning, name, strlen(name),
                      LLVMValueAsMetadata(number));
}

void debug_start(Emit *e) {
    if (!e->options->debug) return;
    Debug *d = e->debug = ARENA_NEW(e->arena, Debug);
    d->files = map_new(e->arena);
    d->builder = LLVMCreateDIBuilder(e->module);
    const char *path = e->graph->functions.count ? e->graph->functions.at[0]->loc.file : NULL;
    d->unit = LLVMDIBuilderCreateCompileUnit(d->builder, LLVMDWARFSourceLanguageC, file_of(e, path), "nnc", 3,
                                             e->options->optimize > 0, "", 0, 0, "", 0,
                                             LLVMDWARFEmissionLineTablesOnly, 0, false, false, "", 0, "", 0);
    d->type = LLVMDIBuilderCreateSubroutineType(d->builder, file_of(e, path), NULL, 0, LLVMDIFlagZero);
    module_flag(e, "Debug Info Version", LLVMDebugMetadataVersion());
    module_flag(e, "Dwarf Version", 4);
}

void debug_finish(Emit *e) {
    if (!e->debug) return;
    LLVMDIBuilderFinalize(e->debug->builder);
    LLVMDisposeDIBuilder(e->debug->builder);
}

void debug_function(Emit *e, LLVMValueRef function, const char *name, Loc loc) {
    if (!e->debug) return;
    LLVMMetadataRef file = file_of(e, loc.file);
    LLVMMetadataRef subprogram = LLVMDIBuilderCreateFunction(
        e->debug->builder, file, name, strlen(name), name, strlen(name), file, loc.line, e->debug->type, true,
        true, loc.line, LLVMDIFlagZero, e->options->optimize > 0);
    LLVMSetSubprogram(function, subprogram);
}

/* The scope of a line: the function, seen from the line's own file. */
static LLVMMetadataRef scope_of(Emit *e, LLVMMetadataRef subprogram, const char *path) {
    LLVMMetadataRef file = file_of(e, path);
    if (!path || LLVMDIScopeGetFile(subprogram) == file) return subprogram;
    return LLVMDIBuilderCreateLexicalBlockFile(e->debug->builder, subprogram, file, 0);
}

void debug_at(Emit *e, Loc loc) {
    if (!e->debug) return;
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder));
    LLVMMetadataRef subprogram = LLVMGetSubprogram(function);
    if (!subprogram) {
        LLVMSetCurrentDebugLocation2(e->builder, NULL);
        return;
    }
    LLVMMetadataRef scope = scope_of(e, subprogram, loc.file);
    LLVMSetCurrentDebugLocation2(
        e->builder, LLVMDIBuilderCreateDebugLocation(e->llvm, loc.line, loc.column, scope, NULL));
}
