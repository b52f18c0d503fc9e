/* The program around random nodes: what is loaded, which sizes there are, what is saved. */
#include "tests/unit/random_program.h"
#include "ir/text.h"
#include <stdlib.h>

uint32_t below(Random *r, uint32_t limit) {
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->random >> 33) % limit;
}

bool chance(Random *r, uint32_t percent) { return below(r, 100) < percent; }

void offer(Random *r, Value *value) { vec_push(r->arena, &r->pool, value); }

static const Dim *pick_size(Random *r) {
    static const int64_t sizes[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 65, 4, 5, 1, 2, 3};
    static const int64_t large[] = {64, 65, 100, 128, 129, 257, 300, 511};
    if (chance(r, 3)) return dim_const(r->ir, 0);
    if (r->large && chance(r, 60)) return dim_const(r->ir, large[below(r, 8)]);
    return dim_const(r->ir, sizes[below(r, sizeof sizes / sizeof *sizes)]);
}

static void add_symbol(Random *r, const Dim *dim, int64_t least, int64_t most) {
    vec_push(r->arena, &r->symbols, ((RandomSymbol){dim, least, most}));
}

/* B is the argument; T follows from it. */
static void add_sizes(Random *r, Builder *b, int64_t size) {
    Value *argument = r->counts.at[0];
    Attr dim = attr_dim(ATTR_dim, dim_symbol(r->ir, "B"));
    build_node(b, OP_symbol, 1, &argument, 1, &dim);
    add_symbol(r, dim.dim, size, size);
    Value *half = build_binary(b, OP_floordiv, argument, build_int(b, 2));
    Value *more = build_binary(b, OP_add, half, build_int(b, 1));
    dim = attr_dim(ATTR_dim, dim_symbol(r->ir, "T"));
    build_node(b, OP_symbol, 1, &more, 1, &dim);
    add_symbol(r, dim.dim, size / 2 + 1, size / 2 + 1);
    r->lasting = 2;
    for (uint32_t i = 0; i < 5; i++) {
        r->sizes[i] = pick_size(r);
        if (i < 2 && chance(r, 50)) r->sizes[i] = r->symbols.at[i].dim;
    }
}

/* The load begins without results; values are added as they are wanted. */
static void add_load(Random *r, Builder *b, Value *path) {
    Attr attrs[] = {attr_strs(ATTR_names, 0, NULL), attr_types(ATTR_types, 0, NULL)};
    r->load = build_node(b, OP_load, 1, &path, 2, attrs);
    for (uint32_t i = 0; i < 4; i++)
        offer(r, node_add_result(r->load, random_type(r, i < 2 ? r->floats : random_dtype(r), 4)));
    Value *count = node_add_result(r->load, type_scalar(r->ir, DTYPE_i64));
    vec_push(r->arena, &r->counts, count);
    offer(r, count);
}

static const char *number_name(Random *r, uint32_t i) {
    return intern(ir_strings(r->ir), arena_printf(r->arena, "v%u", i));
}

static void finish_load(Random *r) {
    uint32_t count = r->load->result_count;
    const char **names = ARENA_ARRAY(r->arena, const char *, count);
    const Type **types = ARENA_ARRAY(r->arena, const Type *, count);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = number_name(r, i);
        types[i] = r->load->results[i]->type;
    }
    node_set_attr(r->load, attr_strs(ATTR_names, count, names));
    node_set_attr(r->load, attr_types(ATTR_types, count, types));
}

static void save_some(Random *r, Builder *b, Value *path) {
    enum { MOST = 12 };
    Value *operands[MOST + 1] = {path};
    const char *names[MOST];
    uint32_t count = 4 + below(r, MOST - 4);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t back = i < 4 ? i : below(r, r->pool.count);
        operands[i + 1] = r->pool.at[r->pool.count - 1 - back % r->pool.count];
        names[i] = number_name(r, i);
    }
    Attr attr = attr_strs(ATTR_names, count, names);
    build_node(b, OP_save, count + 1, operands, 1, &attr);
    build_yield(b, 0, NULL);
}

/* --- checkpoints, anywhere in some of the programs */
typedef struct {
    Random *r;
    uint64_t random;
} Sprinkler;

static void add_checkpoint(void *user, Node *node) {
    Sprinkler *s = user;
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    bool last = node->op == OP_yield && !node->block->owner; /* nothing would be saved behind it */
    if (node->op == OP_load || last || (s->random >> 33) % 12) return;
    Builder b = {.graph = s->r->graph, .block = node->block, .before = node};
    Attr dtype = attr_dtype(ATTR_dtype, DTYPE_f32);
    Value *operands[] = {build_text(&b, "state"), build_int(&b, 1), build_int(&b, 2)};
    build_node(&b, OP_checkpoint, 3, operands, 1, &dtype);
}

static const char *program_as_text(Arena *arena, const Graph *graph) {
    char *text = graph_text(graph);
    const char *kept = arena_strdup(arena, text);
    free(text);
    return kept;
}

RandomProgram random_program(Arena *arena, uint64_t seed) {
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 65, 4};
    static const DType floats[] = {DTYPE_f32, DTYPE_f32, DTYPE_f32, DTYPE_f32,
                                   DTYPE_f64, DTYPE_f16, DTYPE_bf16};
    static const DType integers[] = {DTYPE_i64, DTYPE_i32, DTYPE_i16, DTYPE_i8, DTYPE_u8};
    Random r = {.arena = arena, .random = (seed + 1) * 0x9E3779B97F4A7C15u};
    r.ir = ir_context_new(arena, strings_new(arena));
    r.graph = graph_new(r.ir, "random");
    r.large = chance(&r, 6);
    r.most_elements = r.large ? 150000 : 20000;
    r.most_products = r.large ? 6000000 : 200000;
    r.floats = floats[below(&r, 7)];
    r.integers = integers[below(&r, 5)];
    RandomProgram program = {.size = sizes[below(&r, 14)], .special = chance(&r, 15)};
    if (r.large) program.size = 40 + below(&r, 260);
    Function *f = graph_function(r.graph, FUNCTION_COMMAND, "run");
    Value *argument = block_param(f->body, type_scalar(r.ir, DTYPE_i64), NULL);
    vec_push(arena, &f->params, ((Param){.value = argument, .name = "size"}));
    vec_push(arena, &r.counts, argument);
    Builder b = {.graph = r.graph, .block = f->body};
    add_sizes(&r, &b, program.size);
    Value *path = build_text(&b, "file");
    add_load(&r, &b, path);
    r.trains = chance(&r, 20);
    r.budget = 4 + below(&r, r.large ? 8 : chance(&r, 30) ? 60 : 24);
    while (r.budget) add_nodes(&r, &b, r.budget);
    save_some(&r, &b, path);
    finish_load(&r);
    Sprinkler sprinkler = {&r, seed};
    if (seed % 3 == 0) graph_walk(r.graph, add_checkpoint, &sprinkler);
    graph_renumber(r.graph);
    program.text = program_as_text(arena, r.graph);
    return program;
}
