/* From graph to file: make the module, emit all commands and the program's table, verify, optimise, write. */
#include "codegen/contract_blas.h"
#include "codegen/debug.h"
#include "codegen/host.h"
#include "codegen/launch_tables.h"
#include "codegen/optimize.h"
#include "codegen/parts.h"
#include "codegen/products.h"
#include "codegen/target.h"
#include "support/clock.h"
#include <assert.h>
#include <llvm-c/Analysis.h>
#include <llvm/Config/llvm-config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(LLVM_VERSION_MAJOR == 19, "written for LLVM 19");

/* Prints the time since `*since` and starts anew. */
static void report_time(const CodegenOptions *options, const char *what, double *since) {
    double now = clock_milliseconds();
    if (options->time) fprintf(stderr, "%8.1f ms  %s\n", now - *since, what);
    *since = now;
}

/* Exports have no way out of an executable yet that could call them, so commands are all there is to emit. */
static void emit_program(Emit *e) {
    LLVMValueRef *entries = ARENA_ARRAY(e->arena, LLVMValueRef, e->graph->functions.count + 1);
    uint32_t count = 0;
    debug_start(e);
    for (uint32_t i = 0; i < e->graph->functions.count; i++)
        if (e->graph->functions.at[i]->kind == FUNCTION_COMMAND)
            entries[count++] = host_command(e, e->graph->functions.at[i]);
    launch_tables_emit_kernels(e);
    host_table(e, entries);
    blas_start(e);
    debug_finish(e);
}

static const char *write_file(LLVMModuleRef module, LLVMTargetMachineRef machine, EmitKind kind,
                              const char *path, Arena *arena) {
    char *message = NULL;
    LLVMBool failed;
    if (kind == EMIT_LLVM)
        failed = LLVMPrintModuleToFile(module, path, &message);
    else
        failed = LLVMTargetMachineEmitToFile(machine, module, path,
                                             kind == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile, &message);
    return failed ? target_take_message(arena, message) : NULL;
}

static const char *verify(LLVMModuleRef module, Arena *arena) {
    char *message = NULL;
    LLVMBool broken = LLVMVerifyModule(module, LLVMReturnStatusAction, &message);
    const char *text = target_take_message(arena, message);
    return broken ? arena_printf(arena, "bug: the generated code is malformed: %s", text) : NULL;
}

static const char *optimize(const CodegenOptions *options, LLVMModuleRef module, LLVMTargetMachineRef machine,
                            Arena *arena) {
    const char *error = options->verify ? verify(module, arena) : NULL;
    return error ? error : optimize_module(module, machine, options->optimize, arena);
}

static const char *make_object(const CodegenOptions *options, LLVMModuleRef module,
                               LLVMTargetMachineRef machine, const char *path, Arena *arena) {
    const char *error = optimize(options, module, machine, arena);
    return error ? error : write_file(module, machine, EMIT_OBJ, path, arena);
}

static const char *start(Graph *graph, const CodegenOptions *options, TargetMachine *machine, Emit *e,
                         Arena *arena) {
    *machine = (TargetMachine){0};
    const char *error = target_open(options, arena, machine);
    if (error) {
        target_close(machine);
        return error;
    }
    Arena *scratch = arena_new();
    *e = (Emit){.arena = scratch,
                .graph = graph,
                .ir = graph->ir,
                .options = options,
                .target = machine->target,
                .cpu = machine->cpu,
                .features = machine->features,
                .kernels = map_new(scratch),
                .texts = map_new(scratch)};
    emit_into(e, target_module(machine, graph->name));
    return NULL;
}

/* Of one module. */
static void finish(Emit *e, TargetMachine *machine) {
    EmitModule m = emit_module(e);
    emit_module_close(&m);
    arena_free(e->arena);
    target_close(machine);
}

const char *codegen_emit(Graph *graph, const CodegenOptions *options, EmitKind kind, const char *path,
                         bool *uses_blas, Arena *arena) {
    TargetMachine machine;
    Emit e;
    const char *error = start(graph, options, &machine, &e, arena);
    if (error) return error;
    double since = clock_milliseconds();
    emit_program(&e);
    report_time(options, "emit LLVM", &since);
    error = optimize(options, e.module, machine.machine, arena);
    report_time(options, "optimise", &since);
    if (!error) error = write_file(e.module, machine.machine, kind, path, arena);
    report_time(options, "machine code", &since);
    if (uses_blas) *uses_blas = e.uses_blas;
    finish(&e, &machine);
    return error;
}

/* Line tables are one for the whole program, and so is its module then. */
static const char *one_object(Graph *graph, const CodegenOptions *options, const char *directory,
                              Arena *arena, const char *const **objects, uint32_t *count, bool *uses_blas) {
    const char **object = ARENA_NEW(arena, const char *);
    *object = arena_printf(arena, "%s/0.o", directory);
    *objects = object, *count = 1;
    return codegen_emit(graph, options, EMIT_OBJ, *object, uses_blas, arena);
}

const char *codegen_objects(Graph *graph, const CodegenOptions *options, const char *directory, Arena *arena,
                            const char *const **objects, uint32_t *count, bool *uses_blas) {
    if (options->debug) return one_object(graph, options, directory, arena, objects, count, uses_blas);
    TargetMachine machine;
    Emit e;
    *count = 0;
    const char *error = start(graph, options, &machine, &e, arena);
    if (error) return error;
    double since = clock_milliseconds();
    parts_open(&e, &machine, make_object, directory);
    emit_program(&e);
    report_time(options, "emit LLVM, while threads compile", &since);
    error = parts_close(&e, arena, objects, count);
    report_time(options, "compile the rest", &since);
    *uses_blas = e.uses_blas;
    arena_free(e.arena);
    target_close(&machine);
    return error;
}

/* --- products */
void products_note(ProductList *list, const Contract *contract, const ContractSchedule *plan) {
    ProductUse use = {.plan = *plan, .uses = 1, .times = list->times};
    contract_key(contract, &use.key);
    use.text = contract_key_text(&use.key, list->arena);
    for (uint32_t i = 0; i < list->at.count; i++)
        if (strcmp(list->at.at[i].text, use.text) == 0) {
            list->at.at[i].uses++, list->at.at[i].times += list->times;
            return;
        }
    vec_push(list->arena, &list->at, use);
}

const char *products_of(Graph *graph, const CodegenOptions *options, ProductList *list) {
    TargetMachine machine;
    Emit e;
    const char *error = start(graph, options, &machine, &e, list->arena);
    if (error) return error;
    e.products = list;
    list->times = 1;
    emit_program(&e);
    finish(&e, &machine);
    return NULL;
}

static const char *schedule_text(const ContractSchedule *plan, Arena *arena) {
    char *text = NULL;
    size_t length = 0;
    if (plan->lanes == 0) return "windows that slide";
    FILE *out = open_memstream(&text, &length);
    if (!out) abort();
    contract_schedule_print(out, plan);
    fclose(out);
    const char *copy = arena_strndup(arena, text, length);
    free(text);
    return copy;
}

static int by_work(const void *a, const void *b) {
    double x = ((const ProductReport *)a)->work, y = ((const ProductReport *)b)->work;
    return x > y ? -1 : x < y;
}

const char *codegen_products(Graph *graph, const CodegenOptions *options, ProductReport **out,
                             uint32_t *count, Arena *arena) {
    ProductList list = {.arena = arena};
    const char *error = products_of(graph, options, &list);
    *count = list.at.count;
    *out = ARENA_ARRAY(arena, ProductReport, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
        const ProductUse *use = &list.at.at[i];
        (*out)[i] = (ProductReport){.product = use->text,
                                    .schedule = schedule_text(&use->plan, arena),
                                    .uses = use->uses,
                                    .work = use->times * contract_key_work(&use->key)};
    }
    qsort(*out, *count, sizeof **out, by_work);
    return error;
}
