/* Declares the runtime's functions in the module, from one table. */
#include "codegen/emit.h"
#include <assert.h>
#include <string.h>

typedef struct {
    const char *name, *signature, *attributes;
} Runtime;

static const Runtime runtime_functions[] = {
#define RUNTIME(name, signature, attributes) {#name, signature, attributes},
#include "codegen/runtime.def"
#undef RUNTIME
};

enum { MAX_PARAMETERS = 8 };

static LLVMTypeRef letter_type(Emit *e, char letter) {
    switch (letter) {
    case 'v': return LLVMVoidTypeInContext(e->llvm);
    case 'p': return LLVMPointerTypeInContext(e->llvm, 0);
    case 'i': return LLVMInt32TypeInContext(e->llvm);
    case 'l': return LLVMInt64TypeInContext(e->llvm);
    default: assert(false && "a letter of runtime.def"); return NULL;
    }
}

void emit_attribute(Emit *e, LLVMValueRef function, const char *name, size_t length) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, length);
    assert(kind && "LLVM knows the attribute");
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->llvm, kind, 0));
}

static void add_attributes(Emit *e, LLVMValueRef function, const char *names) {
    emit_attribute(e, function, "nounwind", strlen("nounwind"));
    while (*names) {
        size_t length = strcspn(names, " ");
        emit_attribute(e, function, names, length);
        names += length + strspn(names + length, " ");
    }
}

static LLVMValueRef declaration(Emit *e, const char *name, LLVMTypeRef *type) {
    const Runtime *row = runtime_functions;
    const Runtime *end = row + sizeof runtime_functions / sizeof *row;
    while (row < end && strcmp(row->name, name) != 0) row++;
    assert(row < end && "a row of runtime.def");
    LLVMTypeRef params[MAX_PARAMETERS];
    uint32_t count = (uint32_t)strlen(row->signature) - 1;
    assert(count <= MAX_PARAMETERS);
    for (uint32_t i = 0; i < count; i++) params[i] = letter_type(e, row->signature[i + 1]);
    *type = LLVMFunctionType(letter_type(e, row->signature[0]), params, count, false);
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (!function) {
        function = LLVMAddFunction(e->module, name, *type);
        add_attributes(e, function, row->attributes);
    }
    return function;
}

LLVMValueRef emit_runtime_call(Emit *e, const char *name, uint32_t count, LLVMValueRef *arguments) {
    LLVMTypeRef type;
    LLVMValueRef function = declaration(e, name, &type);
    return LLVMBuildCall2(e->builder, type, function, arguments, count, "");
}
