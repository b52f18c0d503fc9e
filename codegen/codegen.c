/* From graph to file: make the module, emit all commands and the program's table, verify, optimise, write. */
#include "codegen/debug.h"
#include "codegen/host.h"
#include "codegen/optimize.h"
#include "codegen/target.h"
#include "support/clock.h"
#include <assert.h>
#include <llvm-c/Analysis.h>
#include <llvm/Config/llvm-config.h>
#include <stdio.h>

static_assert(LLVM_VERSION_MAJOR == 19, "written for LLVM 19");

/* Prints the time since `*since` and starts anew. */
static void report_time(const CodegenOptions *options, const char *what, double *since) {
    double now = clock_milliseconds();
    if (options->time) fprintf(stderr, "%8.1f ms  %s\n", now - *since, what);
    *since = now;
}

static void open_module(Emit *e, const TargetMachine *machine) {
    e->llvm = LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext(e->graph->name, e->llvm);
    e->builder = LLVMCreateBuilderInContext(e->llvm);
    e->layout = LLVMCreateTargetDataLayout(machine->machine);
    LLVMSetTarget(e->module, machine->triple);
    LLVMSetModuleDataLayout(e->module, e->layout);
}

static void close_module(Emit *e) {
    LLVMDisposeTargetData(e->layout);
    LLVMDisposeBuilder(e->builder);
    LLVMDisposeModule(e->module);
    LLVMContextDispose(e->llvm);
}

/* Exports have no way out of an executable yet that could call them, so commands are all there is to emit. */
static void emit_program(Emit *e) {
    LLVMValueRef *entries = ARENA_ARRAY(e->arena, LLVMValueRef, e->graph->functions.count + 1);
    uint32_t count = 0;
    debug_start(e);
    for (uint32_t i = 0; i < e->graph->functions.count; i++)
        if (e->graph->functions.at[i]->kind == FUNCTION_COMMAND)
            entries[count++] = host_command(e, e->graph->functions.at[i]);
    host_table(e, entries);
    debug_finish(e);
}

static const char *write_file(Emit *e, LLVMTargetMachineRef machine, EmitKind kind, const char *path,
                              Arena *arena) {
    char *message = NULL;
    LLVMBool failed;
    if (kind == EMIT_LLVM)
        failed = LLVMPrintModuleToFile(e->module, path, &message);
    else
        failed = LLVMTargetMachineEmitToFile(machine, e->module, path,
                                             kind == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile, &message);
    return failed ? target_take_message(arena, message) : NULL;
}

static const char *verify(Emit *e, Arena *arena) {
    char *message = NULL;
    LLVMBool broken = LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message);
    const char *text = target_take_message(arena, message);
    return broken ? arena_printf(arena, "bug: the generated code is malformed: %s", text) : NULL;
}

static const char *make_code(Emit *e, const TargetMachine *machine, EmitKind kind, const char *path,
                             Arena *arena) {
    double since = clock_milliseconds();
    emit_program(e);
    report_time(e->options, "emit LLVM", &since);
    const char *error = e->options->verify ? verify(e, arena) : NULL;
    if (!error) error = optimize_module(e->module, machine->machine, e->options->optimize, arena);
    report_time(e->options, "optimise", &since);
    if (!error) error = write_file(e, machine->machine, kind, path, arena);
    report_time(e->options, "machine code", &since);
    return error;
}

const char *codegen_emit(Graph *graph, const CodegenOptions *options, EmitKind kind, const char *path,
                         Arena *arena) {
    TargetMachine machine = {0};
    const char *error = target_open(options, arena, &machine);
    if (!error) {
        Arena *scratch = arena_new();
        Emit e = {.arena = scratch,
                  .graph = graph,
                  .ir = graph->ir,
                  .options = options,
                  .target = machine.target,
                  .cpu = machine.cpu,
                  .features = machine.features,
                  .kernels = map_new(scratch)};
        open_module(&e, &machine);
        error = make_code(&e, &machine, kind, path, arena);
        close_module(&e);
        arena_free(scratch);
    }
    target_close(&machine);
    return error;
}
