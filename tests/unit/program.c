/* Programs that load, compute and save; and the interpreter with inputs from a hash. */
#include "program.h"
#include "ir/text.h"
#include <math.h>
#include <string.h>

/* --- inputs: exact in every float type */
static uint64_t hash(uint64_t x) {
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

double program_float(uint64_t number, bool special) {
    uint64_t h = hash(number);
    if (special && h % 7 == 0) {
        const double rare[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 49152, -49152, 1.0 / 1024};
        return rare[h / 7 % 8];
    }
    return ((double)(h % 129) - 64) / 16;
}

int64_t program_int(uint64_t number, DType dtype, bool special) {
    uint64_t h = hash(number);
    if (dtype == DTYPE_bool) return (int64_t)(h & 1);
    uint32_t bits = 8 * dtype_bytes(dtype);
    if (special && h % 5 == 0) {
        uint64_t low = UINT64_C(1) << (bits - 1);
        if (dtype == DTYPE_u8) return h % 2 ? 255 : 0;
        return h % 3 == 0 ? 0 : h % 3 == 1 ? -1 : (int64_t)(h % 2 ? low - 1 : ~(low - 1));
    }
    return dtype == DTYPE_u8 ? (int64_t)(h % 9) : (int64_t)(h % 17) - 8;
}

static bool interpret_load(void *user, const char *path, uint32_t count, const char *const *names,
                           Tensor *values) {
    (void)path, (void)names;
    const ProgramRun *run = user;
    for (uint32_t i = 0; i < count; i++)
        for (int64_t k = 0; k < values[i].count; k++) {
            uint64_t number = (uint64_t)i << 32 | (uint64_t)k;
            if (values[i].f) values[i].f[k] = program_float(number, run->special);
            if (values[i].i) values[i].i[k] = program_int(number, values[i].dtype, run->special);
        }
    return true;
}

static bool keep_saved(void *user, const char *path, uint32_t count, const char *const *names,
                       const Tensor *values, const Type *const *types) {
    (void)path, (void)names, (void)types;
    ProgramRun *run = user;
    Tensor *kept = ARENA_ARRAY(run->arena, Tensor, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = values[i];
        size_t bytes = (size_t)values[i].count * 8;
        if (values[i].f) kept[i].f = arena_copy(run->arena, values[i].f, bytes);
        if (values[i].i) kept[i].i = arena_copy(run->arena, values[i].i, bytes);
        if (values[i].error) kept[i].error = arena_copy(run->arena, values[i].error, bytes);
    }
    run->saved = kept;
    run->count = count;
    return true;
}

/* One command: binds B, loads the inputs, does the body, saves the outputs. */
const char *program_text(Arena *arena, const char *inputs, const char *body, const char *outputs) {
    const char *values = "", *names = "", *types = "", *saved = "";
    uint32_t number = 10;
    for (const char *c = inputs; *c; number++) {
        const char *end = c;
        for (int depth = 0; *end && (depth > 0 || *end != ' '); end++) depth += (*end == '[') - (*end == ']');
        const char *comma = number > 10 ? ", " : "", *type = arena_strndup(arena, c, (size_t)(end - c));
        values = arena_printf(arena, "%s%s%%%u: %s", values, comma, number, type);
        names = arena_printf(arena, "%s%s\"v%u\"", names, comma, number);
        types = arena_printf(arena, "%s%s%s", types, comma, type);
        for (c = end; *c == ' ';) c++;
    }
    const char *list = "";
    for (const char *c = outputs; *c;) {
        size_t length = strcspn(c, " ");
        list = arena_printf(arena, "%s, %.*s", list, (int)length, c);
        saved = arena_printf(arena, "%s%s\"%.*s\"", saved, *saved ? ", " : "", (int)length - 1, c + 1);
        for (c += length; *c == ' ';) c++;
    }
    const char *load =
        number == 10 ? ""
                     : arena_printf(arena, "  %s = load(%%1) names=[%s] types=[%s]\n", values, names, types);
    return arena_printf(
        arena,
        "graph \"t\"\ncommand \"run\" (%%0: i64 as \"size\") {\n  symbol(%%0) dim=B\n"
        "  %%1: str = const dims=[] dtype=str text=\"file\"\n%s%s\n  save(%%1%s) names=[%s]\n  yield\n}\n",
        load, body, list, saved);
}

Graph *program_parse(Arena *arena, const char *text) {
    IrContext *ir = ir_context_new(arena, strings_new(arena));
    Sources *sources = sources_new(arena);
    Diagnostics *diags = diagnostics_new(arena, sources);
    Graph *graph =
        graph_parse(ir, sources, sources_add(sources, "test.nnir", text, (uint32_t)strlen(text)), diags);
    if (!graph) diagnostics_render(diags, RENDER_TEXT, false, stderr);
    return graph;
}

const char *program_interpret(const Graph *graph, int64_t size, ProgramRun *run) {
    InterpretHost host = {.user = run, .seed = 42, .load = interpret_load, .save = keep_saved};
    Tensor argument = tensor_new(run->arena, DTYPE_i64, 0, NULL);
    argument.i[0] = size;
    InterpretResult result = interpret(graph->functions.at[0], 1, &argument, &host, true, run->arena);
    return result.ok ? NULL : result.message;
}
