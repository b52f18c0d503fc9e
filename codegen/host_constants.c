/* Private constants of the module: texts, places in the source, and the table that the runtime's `main`
 * reads. The structs are those of runtime/nnrt.h, member by member. */
#include "codegen/host.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

LLVMTypeRef host_pointer_type(Emit *e) { return LLVMPointerTypeInContext(e->llvm, 0); }

LLVMValueRef host_i32(Emit *e, int64_t value) {
    return LLVMConstInt(LLVMInt32TypeInContext(e->llvm), (unsigned long long)value, true);
}

LLVMValueRef host_constant(Emit *e, LLVMValueRef value, const char *name) {
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    /* LLVM would align arrays as its widest vectors. */
    LLVMSetAlignment(global, LLVMABIAlignmentOfType(e->layout, LLVMTypeOf(value)));
    return global;
}

LLVMValueRef host_text(Emit *e, const char *text) {
    if (!text) return LLVMConstNull(host_pointer_type(e));
    const char *key = intern(ir_strings(e->ir), text);
    LLVMValueRef known = map_get(e->texts, key);
    if (known) return known;
    known = host_constant(e, LLVMConstStringInContext2(e->llvm, text, strlen(text), false), "text");
    map_put(e->texts, key, known);
    return known;
}

static LLVMValueRef record(Emit *e, uint32_t count, LLVMValueRef *members) {
    return LLVMConstStructInContext(e->llvm, members, count, false);
}

/* A pointer to an array of equal records; null where there are none. */
static LLVMValueRef records(Emit *e, uint32_t count, LLVMValueRef *items, const char *name) {
    if (count == 0) return LLVMConstNull(host_pointer_type(e));
    return host_constant(e, LLVMConstArray2(LLVMTypeOf(items[0]), items, count), name);
}

LLVMValueRef host_loc(Emit *e, Loc loc) {
    return host_constant(
        e,
        record(e, 3,
               (LLVMValueRef[]){host_text(e, loc.file), host_i32(e, loc.line), host_i32(e, loc.column)}),
        "loc");
}

static LLVMValueRef param_record(Emit *e, const Param *param) {
    return record(e, 4,
                  (LLVMValueRef[]){host_text(e, param->name), host_text(e, param->fallback),
                                   host_text(e, param->doc),
                                   host_i32(e, (int64_t)param->value->type->dtype)});
}

static LLVMValueRef command_record(Emit *e, const Function *command, LLVMValueRef entry) {
    uint32_t count = command->params.count;
    LLVMValueRef *params = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++) params[i] = param_record(e, &command->params.at[i]);
    bool resumes = false;
    for (const Node *node = command->body->first; node; node = node->next)
        resumes = resumes || node->op == OP_resume;
    return record(e, 6,
                  (LLVMValueRef[]){host_text(e, command->name), host_text(e, command->doc),
                                   records(e, count, params, "params"), host_i32(e, count), entry,
                                   LLVMConstInt(LLVMInt8TypeInContext(e->llvm), resumes, false)});
}

/* --- readers of datasets, in the order of data_formats.def */
static const char *const formats[] = {
#define DATA_FORMAT(name) #name,
#include "ir/data_formats.def"
#undef DATA_FORMAT
};
enum { FORMATS = sizeof formats / sizeof *formats };

static void note_format(void *user, Node *node) {
    bool *used = user;
    for (uint32_t i = 0; node->op == OP_data_open && i < FORMATS; i++)
        used[i] |= strcmp(formats[i], node_str(node, ATTR_format)) == 0;
}

static LLVMValueRef reader(Emit *e, const char *format) {
    char name[64];
    snprintf(name, sizeof name, "nn_reader_%s", format);
    LLVMValueRef global = LLVMAddGlobal(e->module, host_pointer_type(e), name);
    LLVMSetGlobalConstant(global, true);
    return global;
}

static LLVMValueRef used_readers(Emit *e, uint32_t *count) {
    bool used[FORMATS] = {0};
    LLVMValueRef readers[FORMATS];
    graph_walk(e->graph, note_format, used);
    for (uint32_t i = *count = 0; i < FORMATS; i++)
        if (used[i]) readers[(*count)++] = reader(e, formats[i]);
    return records(e, *count, readers, "readers");
}

void host_table(Emit *e, const LLVMValueRef *entries) {
    LLVMValueRef *commands = ARENA_ARRAY(e->arena, LLVMValueRef, e->graph->functions.count);
    uint32_t count = 0, reader_count;
    LLVMValueRef readers = used_readers(e, &reader_count);
    for (uint32_t i = 0; i < e->graph->functions.count; i++) {
        const Function *function = e->graph->functions.at[i];
        if (function->kind != FUNCTION_COMMAND) continue;
        commands[count] = command_record(e, function, entries[count]);
        count++;
    }
    LLVMValueRef table =
        host_constant(e,
                      record(e, 6,
                             (LLVMValueRef[]){host_text(e, e->graph->name), host_text(e, e->graph->doc),
                                              records(e, count, commands, "commands"), readers,
                                              host_i32(e, count), host_i32(e, reader_count)}),
                      "nn_program");
    LLVMSetLinkage(table, LLVMExternalLinkage);
    LLVMSetUnnamedAddress(table, LLVMNoUnnamedAddr);
}
