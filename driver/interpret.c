/* The interpreter's effects: each is the call that a compiled program would make (runtime/nnrt.h), with
 * tensors converted between f64 and their own dtype on the way. The program table is made from the graph, so
 * command line and help are the compiled program's too. */
#include "driver/interpret.h"
#include "ir/interpret.h"
#include "runtime/nnrt.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    nn_program_table table; /* first: the runtime hands back a pointer to it */
    const Graph *graph;
    Arena *arena;
} InterpretedProgram;

typedef struct {
    nn_rt *rt;
    Arena *arena;
} HostState;

/* --- tensors between the two worlds */
__extension__ typedef _Float16 half;

static uint16_t bf16_from_double(double x) {
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if (isnan(f)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static double double_from_bf16(uint16_t bf16) {
    uint32_t bits = (uint32_t)bf16 << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static void pack_element(DType dtype, const Tensor *t, int64_t i, void *out) {
    switch (dtype) {
    case DTYPE_f64: ((double *)out)[i] = t->f[i]; break;
    case DTYPE_f32: ((float *)out)[i] = (float)t->f[i]; break;
    case DTYPE_f16: ((half *)out)[i] = (half)t->f[i]; break;
    case DTYPE_bf16: ((uint16_t *)out)[i] = bf16_from_double(t->f[i]); break;
    case DTYPE_i64: ((int64_t *)out)[i] = t->i[i]; break;
    case DTYPE_i32: ((int32_t *)out)[i] = (int32_t)t->i[i]; break;
    case DTYPE_i16: ((int16_t *)out)[i] = (int16_t)t->i[i]; break;
    case DTYPE_i8: ((int8_t *)out)[i] = (int8_t)t->i[i]; break;
    case DTYPE_u8: ((uint8_t *)out)[i] = (uint8_t)t->i[i]; break;
    case DTYPE_bool: ((bool *)out)[i] = t->i[i] != 0; break;
    case DTYPE_str:
    case DTYPE_data: ((const void **)out)[i] = t->p[i]; break;
    case DTYPE_COUNT: break;
    }
}

static void unpack_element(const void *in, int64_t i, Tensor *t) {
    switch (t->dtype) {
    case DTYPE_f64: t->f[i] = ((const double *)in)[i]; break;
    case DTYPE_f32: t->f[i] = (double)((const float *)in)[i]; break;
    case DTYPE_f16: t->f[i] = (double)((const half *)in)[i]; break;
    case DTYPE_bf16: t->f[i] = double_from_bf16(((const uint16_t *)in)[i]); break;
    case DTYPE_i64: t->i[i] = ((const int64_t *)in)[i]; break;
    case DTYPE_i32: t->i[i] = ((const int32_t *)in)[i]; break;
    case DTYPE_i16: t->i[i] = ((const int16_t *)in)[i]; break;
    case DTYPE_i8: t->i[i] = ((const int8_t *)in)[i]; break;
    case DTYPE_u8: t->i[i] = ((const uint8_t *)in)[i]; break;
    case DTYPE_bool: t->i[i] = ((const bool *)in)[i]; break;
    case DTYPE_str:
    case DTYPE_data: t->p[i] = ((const void *const *)in)[i]; break;
    case DTYPE_COUNT: break;
    }
}

/* Describes `t` to the runtime, with room for its elements in its dtype. */
static nn_tensor describe(Arena *arena, const Tensor *t, const char *name) {
    void *data = arena_alloc(arena, (size_t)t->count * dtype_bytes(t->dtype) + 1);
    return (nn_tensor){
        .name = name, .dims = t->dims, .data = data, .dtype = (int32_t)t->dtype, .rank = (int32_t)t->rank};
}

static nn_tensor pack(Arena *arena, const Tensor *t, const char *name) {
    nn_tensor packed = describe(arena, t, name);
    for (int64_t i = 0; i < t->count; i++) pack_element(t->dtype, t, i, packed.data);
    return packed;
}

static void unpack(const nn_tensor *packed, Tensor *t) {
    for (int64_t i = 0; i < t->count; i++) unpack_element(packed->data, i, t);
}

static nn_tensor *pack_all(Arena *arena, uint32_t count, const char *const *names, const Tensor *values) {
    nn_tensor *packed = ARENA_ARRAY(arena, nn_tensor, count + 1);
    for (uint32_t i = 0; i < count; i++) packed[i] = pack(arena, &values[i], names ? names[i] : NULL);
    return packed;
}

/* --- effects */
static void host_print(void *user, const char *text) {
    HostState *state = user;
    size_t length = strlen(text);
    bool line = length > 0 && text[length - 1] == '\n';
    Arena *scratch = arena_new();
    const char *shown = arena_strndup(scratch, text, length - line);
    nn_tensor argument = {.data = &shown, .dtype = NN_STR};
    (line ? nn_print : nn_write)(state->rt, "{}", 1, &argument);
    arena_free(scratch);
}

static void host_report(void *user, uint32_t count, const char *const *names, const Tensor *values) {
    HostState *state = user;
    Arena *scratch = arena_new();
    nn_report(state->rt, NULL, (int32_t)count, pack_all(scratch, count, names, values));
    arena_free(scratch);
}

static void host_progress(void *user, const char *phase, int64_t total) {
    HostState *state = user;
    if (strcmp(phase, "begin") == 0)
        nn_progress_begin(state->rt, total);
    else if (strcmp(phase, "step") == 0)
        nn_progress_step(state->rt);
    else
        nn_progress_end(state->rt);
}

static nn_loc node_loc(const Node *node) {
    return (nn_loc){node->loc.file, (int32_t)node->loc.line, (int32_t)node->loc.column};
}

static const void *host_data_open(void *user, const Node *node, uint32_t paths, const char *const *path,
                                  uint32_t count, const Tensor *sample) {
    HostState *state = user;
    nn_tensor *columns = ARENA_ARRAY(state->arena, nn_tensor, count + 1);
    for (uint32_t i = 0; i < count; i++)
        columns[i] = (nn_tensor){
            .dims = sample[i].dims, .dtype = (int32_t)sample[i].dtype, .rank = (int32_t)sample[i].rank};
    nn_loc loc = node_loc(node);
    return nn_data_open(state->rt, &loc, node_str(node, ATTR_format), (int32_t)paths, path, (int32_t)count,
                        columns);
}

static int64_t host_data_len(void *user, const void *data) {
    return nn_data_len(((HostState *)user)->rt, data);
}

static const void *host_data_shuffle(void *user, const void *data, int64_t seed, int64_t stream) {
    return nn_data_shuffle(((HostState *)user)->rt, (nn_data *)(uintptr_t)data, seed, stream);
}

static const void *host_data_take(void *user, const void *data, int64_t first, int64_t count) {
    return nn_data_take(((HostState *)user)->rt, (nn_data *)(uintptr_t)data, first, count);
}

static const void *host_data_windows(void *user, const void *data, int64_t n) {
    return nn_data_windows(((HostState *)user)->rt, (nn_data *)(uintptr_t)data, n);
}

static const void *host_data_sample(void *user, const void *data, int64_t count, int64_t seed,
                                    int64_t stream) {
    return nn_data_sample(((HostState *)user)->rt, (nn_data *)(uintptr_t)data, count, seed, stream);
}

static const void *host_data_repeat(void *user, const void *data, int64_t n) {
    return nn_data_repeat(((HostState *)user)->rt, (nn_data *)(uintptr_t)data, n);
}

static bool host_data_read(void *user, const void *data, int64_t first, uint32_t columns, Tensor *out) {
    HostState *state = user;
    Arena *scratch = arena_new();
    nn_tensor *packed = ARENA_ARRAY(scratch, nn_tensor, columns + 1);
    void **pointers = ARENA_ARRAY(scratch, void *, columns + 1);
    for (uint32_t i = 0; i < columns; i++) {
        packed[i] = describe(scratch, &out[i], NULL);
        pointers[i] = packed[i].data;
    }
    nn_data_read(state->rt, NULL, (nn_data *)(uintptr_t)data, first, columns ? out[0].dims[0] : 0, pointers);
    for (uint32_t i = 0; i < columns; i++) unpack(&packed[i], &out[i]);
    arena_free(scratch);
    return true;
}

static bool host_save(void *user, const char *path, uint32_t count, const char *const *names,
                      const Tensor *values, const Type *const *types) {
    HostState *state = user;
    Arena *scratch = arena_new();
    (void)types;
    nn_save(state->rt, NULL, path, (int32_t)count, pack_all(scratch, count, names, values));
    arena_free(scratch);
    return true;
}

/* The state is saved as it is: with floats of 64 bits, whatever their type. */
static nn_tensor *pack_state(Arena *arena, uint32_t count, const char *const *names, const Tensor *values) {
    nn_tensor *packed = ARENA_ARRAY(arena, nn_tensor, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        Tensor wide = values[i];
        if (wide.f) wide.dtype = DTYPE_f64;
        packed[i] = pack(arena, &wide, names[i]);
        packed[i].dims = values[i].dims;
    }
    return packed;
}

static void host_checkpoint(void *user, const Node *node, const char *path, int64_t every, int64_t keep,
                            const Tensor *sizes, const Tensor *values) {
    HostState *state = user;
    nn_loc loc = node_loc(node);
    if (!nn_checkpoint(state->rt, &loc, (int32_t)node_int(node, ATTR_counter), every, keep)) return;
    Arena *scratch = arena_new();
    uint32_t count = node->operand_count - 3;
    const char **names = ARENA_ARRAY(scratch, const char *, count + 1);
    Tensor *all = ARENA_ARRAY(scratch, Tensor, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = node_attr(node, ATTR_names)->strs[i];
        all[i] = values[i];
    }
    names[count] = "sizes";
    all[count] = *sizes;
    if (sizes->count) count++;
    nn_checkpoint_save(state->rt, &loc, (int32_t)node_int(node, ATTR_site), path, keep, (int32_t)count,
                       pack_state(scratch, count, names, all));
    arena_free(scratch);
}

static int64_t host_resume(void *user, const Node *node, const char *const *path) {
    const char *digest = node_str(node, ATTR_text);
    return nn_resume(((HostState *)user)->rt, digest, (int32_t)node_attr(node, ATTR_dtype)->dtype,
                     (int32_t)node->operand_count, path);
}

static void host_restore(void *user, uint32_t count, const char *const *names, Tensor *values, bool last) {
    HostState *state = user;
    Arena *scratch = arena_new();
    nn_tensor *packed = pack_state(scratch, count, names, values);
    nn_resume_load(state->rt, (int32_t)count, packed);
    for (uint32_t i = 0; i < count; i++) {
        Tensor wide = values[i];
        if (wide.f) wide.dtype = DTYPE_f64;
        unpack(&packed[i], &wide);
    }
    if (last) nn_resume_done(state->rt);
    arena_free(scratch);
}

static bool host_load(void *user, const char *path, uint32_t count, const char *const *names,
                      Tensor *values) {
    HostState *state = user;
    Arena *scratch = arena_new();
    nn_tensor *packed = ARENA_ARRAY(scratch, nn_tensor, count + 1);
    for (uint32_t i = 0; i < count; i++) packed[i] = describe(scratch, &values[i], names[i]);
    nn_load(state->rt, NULL, path, (int32_t)count, packed);
    for (uint32_t i = 0; i < count; i++) unpack(&packed[i], &values[i]);
    arena_free(scratch);
    return true;
}

/* --- the program */
static void run_command(nn_rt *rt, const nn_arg *args) {
    const InterpretedProgram *program = (const InterpretedProgram *)(const void *)nn_running_program(rt);
    const char *name = nn_running_command(rt)->name;
    const Function *function = NULL;
    for (uint32_t i = 0; i < program->graph->functions.count; i++) {
        const Function *f = program->graph->functions.at[i];
        if (f->kind == FUNCTION_COMMAND && strcmp(f->name, name) == 0) function = f;
    }
    Arena *arena = arena_new();
    HostState state = {rt, arena};
    InterpretHost host = {.user = &state,
                          .seed = nn_seed(rt),
                          .print = host_print,
                          .report = host_report,
                          .progress = host_progress,
                          .data_open = host_data_open,
                          .data_len = host_data_len,
                          .data_shuffle = host_data_shuffle,
                          .data_take = host_data_take,
                          .data_windows = host_data_windows,
                          .data_sample = host_data_sample,
                          .data_repeat = host_data_repeat,
                          .data_read = host_data_read,
                          .save = host_save,
                          .load = host_load,
                          .checkpoint = host_checkpoint,
                          .resume = host_resume,
                          .restore = host_restore};
    uint32_t count = function->params.count;
    Tensor *tensors = ARENA_ARRAY(arena, Tensor, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        tensors[i] = tensor_new(arena, function->params.at[i].value->type->dtype, 0, NULL);
        if (tensors[i].f)
            tensors[i].f[0] = args[i].f;
        else if (tensors[i].p)
            tensors[i].p[0] = args[i].s;
        else
            tensors[i].i[0] = tensors[i].dtype == DTYPE_bool ? args[i].b : args[i].i;
    }
    InterpretResult result = interpret(function, count, tensors, &host, false, arena);
    if (!result.ok) {
        nn_loc loc = {result.loc.file, (int32_t)result.loc.line, (int32_t)result.loc.column};
        nn_tensor message = {.data = &result.message, .dtype = NN_STR};
        nn_fail(rt, &loc, "{}", 1, &message);
    }
    arena_free(arena);
}

static nn_command describe_command(Arena *arena, const Function *function) {
    nn_param *params = ARENA_ARRAY(arena, nn_param, function->params.count + 1);
    for (uint32_t i = 0; i < function->params.count; i++) {
        const Param *p = &function->params.at[i];
        params[i] = (nn_param){p->name, p->fallback, p->doc, (int32_t)p->value->type->dtype};
    }
    bool resumes = false;
    for (const Node *node = function->body->first; node; node = node->next)
        resumes = resumes || node->op == OP_resume;
    return (nn_command){function->name, function->doc, params, (int32_t)function->params.count,
                        run_command,    resumes};
}

static const nn_reader *const readers[] = {
#define DATA_FORMAT(name) &nn_reader_##name,
#include "ir/data_formats.def"
#undef DATA_FORMAT
};

int interpret_program(const Graph *graph, int argc, char **argv) {
    Arena *arena = arena_new();
    nn_command *commands = ARENA_ARRAY(arena, nn_command, graph->functions.count + 1);
    int32_t count = 0;
    for (uint32_t i = 0; i < graph->functions.count; i++)
        if (graph->functions.at[i]->kind == FUNCTION_COMMAND)
            commands[count++] = describe_command(arena, graph->functions.at[i]);
    InterpretedProgram program = {
        {graph->name, graph->doc, commands, readers, count, sizeof readers / sizeof *readers}, graph, arena};
    int status = nn_main(&program.table, argc, argv);
    arena_free(arena);
    return status;
}
