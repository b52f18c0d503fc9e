/* See parts.h. What goes into which part depends on the program alone, so the objects, and the order in which
 * they are linked, are the same for any number of threads. A part has a context of its own, which LLVM
 * requires of what is worked on at the same time. */
#include "codegen/parts.h"
#include "support/vec.h"
#include <pthread.h>

enum {
    PART_INSTRUCTIONS = 6000, /* a tenth of a second's work, or less */
    MAX_THREADS = 64
};

typedef struct {
    EmitModule m;
    uint32_t instructions;
    const char *path;
    Arena *arena;      /* of the message */
    const char *error; /* NULL = none */
} Part;

typedef struct Parts {
    const TargetMachine *machine;
    const CodegenOptions *options;
    PartCompiler *compiler;
    const char *directory;
    Part *open; /* takes kernels; NULL = none yet */
    uint32_t thread_count;
    pthread_t threads[MAX_THREADS];
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    VEC(Part *) ready; /* to be compiled: those from `taken` on */
    uint32_t taken;
    bool complete; /* no more will come */
} Parts;

/* --- compiling */
static void compile_part(const Parts *parts, Part *part) {
    LLVMTargetMachineRef machine = target_machine(parts->machine);
    part->error = parts->compiler(parts->options, part->m.module, machine, part->path, part->arena);
    LLVMDisposeTargetMachine(machine);
}

/* The next part that is ready; NULL after the last. */
static Part *take_part(Parts *parts) {
    pthread_mutex_lock(&parts->mutex);
    while (parts->taken == parts->ready.count && !parts->complete)
        pthread_cond_wait(&parts->changed, &parts->mutex);
    Part *part = parts->taken < parts->ready.count ? parts->ready.at[parts->taken++] : NULL;
    pthread_mutex_unlock(&parts->mutex);
    return part;
}

static void *work(void *user) {
    Parts *parts = user;
    for (Part *part; (part = take_part(parts));) compile_part(parts, part);
    return NULL;
}

/* --- parts */
static void hand_over(Emit *e, Part *part) {
    Parts *parts = e->parts;
    part->arena = arena_new();
    pthread_mutex_lock(&parts->mutex);
    part->path = arena_printf(e->arena, "%s/%u.o", parts->directory, parts->ready.count);
    vec_push(e->arena, &parts->ready, part);
    pthread_cond_signal(&parts->changed);
    pthread_mutex_unlock(&parts->mutex);
}

static Part *new_part(Emit *e) {
    Part *part = ARENA_NEW(e->arena, Part);
    part->m = target_module(e->parts->machine, e->graph->name);
    return part;
}

void parts_open(Emit *e, const TargetMachine *machine, PartCompiler *compiler, const char *directory) {
    Parts *parts = e->parts = ARENA_NEW(e->arena, Parts);
    parts->machine = machine;
    parts->options = e->options;
    parts->compiler = compiler;
    parts->directory = directory;
    pthread_mutex_init(&parts->mutex, NULL);
    pthread_cond_init(&parts->changed, NULL);
    while (parts->thread_count + 1 < e->options->threads && parts->thread_count < MAX_THREADS &&
           pthread_create(&parts->threads[parts->thread_count], NULL, work, parts) == 0)
        parts->thread_count++;
}

static const char *collect(Parts *parts, Arena *arena, const char **objects) {
    const char *error = NULL;
    for (uint32_t i = 0; i < parts->ready.count; i++) {
        Part *part = parts->ready.at[i];
        objects[i] = arena_strdup(arena, part->path);
        if (part->error && !error) error = arena_strdup(arena, part->error);
        arena_free(part->arena);
        emit_module_close(&part->m);
    }
    return error;
}

const char *parts_close(Emit *e, Arena *arena, const char *const **objects, uint32_t *count) {
    Parts *parts = e->parts;
    Part *host = ARENA_NEW(e->arena, Part);
    host->m = emit_module(e);
    if (parts->open) hand_over(e, parts->open);
    hand_over(e, host);
    pthread_mutex_lock(&parts->mutex);
    parts->complete = true;
    pthread_cond_broadcast(&parts->changed);
    pthread_mutex_unlock(&parts->mutex);
    work(parts);
    for (uint32_t i = 0; i < parts->thread_count; i++) pthread_join(parts->threads[i], NULL);
    pthread_cond_destroy(&parts->changed);
    pthread_mutex_destroy(&parts->mutex);
    const char **paths = ARENA_ARRAY(arena, const char *, parts->ready.count);
    *objects = paths, *count = parts->ready.count;
    return collect(parts, arena, paths);
}

/* --- where kernels go */
EmitModule parts_enter(Emit *e) {
    EmitModule outside = emit_module(e);
    if (!e->parts) return outside;
    if (!e->parts->open) e->parts->open = new_part(e);
    emit_into(e, e->parts->open->m);
    return outside;
}

static uint32_t instructions_of(LLVMValueRef function) {
    uint32_t count = 0;
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(function); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i)) count++;
    return count;
}

void parts_leave(Emit *e, EmitModule outside, LLVMValueRef function) {
    Parts *parts = e->parts;
    if (!parts) return;
    bool nested = outside.module == e->module;
    emit_into(e, outside);
    parts->open->instructions += instructions_of(function);
    if (nested || parts->open->instructions < PART_INSTRUCTIONS) return;
    hand_over(e, parts->open);
    parts->open = NULL;
}
