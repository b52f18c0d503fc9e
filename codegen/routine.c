/* See routine.h. The first part of the program that calls a routine holds it. */
#include "codegen/routine.h"
#include "codegen/parts.h"

static LLVMValueRef declare(Emit *e, const char *name, uint32_t count, const LLVMValueRef *arguments) {
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (function) return function;
    LLVMTypeRef *types = ARENA_ARRAY(e->arena, LLVMTypeRef, count);
    for (uint32_t i = 0; i < count; i++) types[i] = LLVMTypeOf(arguments[i]);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), types, count, false);
    function = LLVMAddFunction(e->module, name, type);
    LLVMSetVisibility(function, LLVMHiddenVisibility);
    return function;
}

static void define(Emit *e, LLVMValueRef function, RoutineBody *body, const void *user) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
    LLVMMetadataRef loc = LLVMGetCurrentDebugLocation2(e->builder);
    LLVMValueRef outside = e->function;
    EmitModule module = parts_enter(e);
    LLVMValueRef *parameters = ARENA_ARRAY(e->arena, LLVMValueRef, LLVMCountParams(function));
    LLVMGetParams(function, parameters);
    if (!e->parts) LLVMSetLinkage(function, LLVMInternalLinkage);
    target_attributes(e, function);
    e->function = function;
    LLVMPositionBuilderAtEnd(e->builder, LLVMAppendBasicBlockInContext(e->llvm, function, "entry"));
    LLVMSetCurrentDebugLocation2(e->builder, NULL);
    body(e, parameters, user);
    LLVMBuildRetVoid(e->builder);
    parts_leave(e, module, function);
    e->function = outside;
    LLVMPositionBuilderAtEnd(e->builder, here);
    LLVMSetCurrentDebugLocation2(e->builder, loc);
}

/* Is the routine there, or going to be? From now on it is. */
static bool is_there(Emit *e, const char *name, LLVMValueRef function) {
    if (!e->parts) return !LLVMIsDeclaration(function);
    if (!e->routines) e->routines = map_new(e->arena);
    const char *key = intern(ir_strings(e->ir), name);
    if (map_get(e->routines, key)) return true;
    map_put(e->routines, key, (void *)key);
    return false;
}

void routine_call(Emit *e, const char *name, uint32_t count, const LLVMValueRef *arguments, RoutineBody *body,
                  const void *user) {
    LLVMValueRef function = declare(e, name, count, arguments);
    if (!is_there(e, name, function)) define(e, function, body, user);
    LLVMValueRef *values = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    memcpy(values, arguments, count * sizeof *values);
    LLVMBuildCall2(e->builder, LLVMGlobalGetValueType(function), function, values, count, "");
}
