/* What a planned program takes of memory: the bytes of each command's arenas, with run-time sizes as
 * polynomials, and the largest places in them. Tensors that share a place are shown by the first of them. */
#include "driver/report.h"
#include "support/map.h"
#include <stdlib.h>

enum { LARGEST = 12 }; /* places shown of a command */

typedef struct {
    const Value *value;
    int64_t bytes; /* -1: known when it runs */
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

static void see_value(Report *r, const Value *value) {
    if (value->place.frame < 0 || !value->place.offset || !value->node) return;
    int64_t bytes = -1;
    const Dim *size = bytes_of(r->ir, value->type);
    if (size) dim_is_const(size, &bytes);
    if (is_shown(r, value, bytes)) return;
    vec_push(r->arena, &r->places, ((Shown){value, bytes, r->places.count}));
}

static void see_node(void *user, Node *node) {
    Report *r = user;
    if (node->op == OP_frame) vec_push(r->arena, &r->arenas, node_dim(node, ATTR_dim));
    for (uint32_t i = 0; i < node->result_count; i++) see_value(r, node->results[i]);
}

/* Those of run-time size first, then the largest. */
static int by_size(const void *a, const void *b) {
    const Shown *x = a, *y = b;
    bool runs_x = x->bytes < 0, runs_y = y->bytes < 0;
    if (runs_x != runs_y) return runs_x ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
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
