/* What a planned program takes of memory, and how its products are computed. Memory is the bytes of each
 * command's arenas, with run-time sizes as polynomials, and the largest places in them. Tensors that share a
 * place are shown by the first of them. */
#include "driver/report.h"
#include "support/map.h"
#include <stdlib.h>

enum {
    LARGEST = 12,   /* places shown of a command */
    RUN_TIME = 192, /* what a size that only the run tells counts as, to say which these are */
};

typedef struct {
    const Value *value;
    int64_t bytes; /* -1: known when it runs */
    int64_t about; /* the same with sizes known when it runs as they are counted */
    uint32_t order;
} Shown;

typedef struct {
    FILE *out;
    IrContext *ir;
    Arena *arena;
    VEC(Shown) places;
    VEC(const Dim *) arenas;
} Report;

static const Dim *bytes_of(IrContext *ir, const Type *type) {
    const Dim *elements = type_elements(ir, type);
    return elements ? dim_mul(ir, elements, dim_const(ir, dtype_bytes(type->dtype))) : NULL;
}

/* Is some tensor of that size shown at the place already? */
static bool is_shown(const Report *r, const Value *value, int64_t bytes) {
    for (uint32_t i = 0; i < r->places.count; i++) {
        const Shown *other = &r->places.at[i];
        if (other->value->place.frame == value->place.frame &&
            other->value->place.offset == value->place.offset && other->bytes == bytes)
            return true;
    }
    return false;
}

static bool assumed(void *user, const Dim *symbol, int64_t *out) {
    (void)user, (void)symbol;
    *out = RUN_TIME;
    return true;
}

static void see_value(Report *r, const Value *value) {
    if (value->place.frame < 0 || !value->place.offset || !value->node) return;
    int64_t bytes = -1, about = INT64_MAX;
    const Dim *size = bytes_of(r->ir, value->type);
    if (size) dim_is_const(size, &bytes);
    if (size) dim_eval(size, assumed, NULL, &about);
    if (is_shown(r, value, bytes)) return;
    vec_push(r->arena, &r->places, ((Shown){value, bytes, about, r->places.count}));
}

static void see_node(void *user, Node *node) {
    Report *r = user;
    if (node->op == OP_frame) vec_push(r->arena, &r->arenas, node_dim(node, ATTR_dim));
    for (uint32_t i = 0; i < node->result_count; i++) see_value(r, node->results[i]);
}

/* The largest first. */
static int by_size(const void *a, const void *b) {
    const Shown *x = a, *y = b;
    if (x->about != y->about) return x->about > y->about ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void show_place(const Report *r, const Shown *shown) {
    const Value *value = shown->value;
    const Dim *size = bytes_of(r->ir, value->type);
    fprintf(r->out, "  %12s  %s", size ? dim_text(r->ir, size) : "?", type_text(r->ir, value->type));
    if (value->name) fprintf(r->out, "  %s", value->name);
    Loc loc = value->node->loc;
    if (loc.file) fprintf(r->out, "  %s:%u", loc.file, (unsigned)loc.line);
    fputc('\n', r->out);
}

void report_memory(FILE *out, const Graph *graph, Arena *arena) {
    for (uint32_t i = 0; i < graph->functions.count; i++) {
        const Function *function = graph->functions.at[i];
        Report r = {.out = out, .ir = graph->ir, .arena = arena};
        block_walk(function->body, see_node, &r);
        const Dim *total = dim_const(graph->ir, 0);
        for (uint32_t k = 0; k < r.arenas.count && total; k++)
            total = dim_add(graph->ir, total, r.arenas.at[k]);
        fprintf(out, "%s: %s bytes\n", function->name, total ? dim_text(graph->ir, total) : "too many");
        if (r.places.count) qsort(r.places.at, r.places.count, sizeof(Shown), by_size);
        for (uint32_t k = 0; k < r.places.count && k < LARGEST; k++) show_place(&r, &r.places.at[k]);
    }
}

/* --- products */
const char *report_products(FILE *out, Graph *graph, const CodegenOptions *options, Arena *arena) {
    ProductReport *products;
    uint32_t count;
    const char *error = codegen_products(graph, options, &products, &count, arena);
    double all = 0;
    if (error || count == 0) return error;
    for (uint32_t i = 0; i < count; i++) all += products[i].work;
    fputs("products: share of their work, places, product = how it is computed\n", out);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "  %5.1f%% %3ux  %s = %s\n", all > 0 ? 100 * products[i].work / all : 0,
                products[i].uses, products[i].product, products[i].schedule);
    return NULL;
}
