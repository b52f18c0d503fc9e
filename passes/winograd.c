/* The pass `winograd`, for programs that ask for it: convolutions by weights that don't change in a loop,
 * with windows of three elements by steps of one, make two results from four inputs with four multiplications
 * instead of six, along each axis; F(2x2, 3x3) of A. Lavin and S. Gray, "Fast Algorithms for Convolutional
 * Neural Networks", 2016 (https://arxiv.org/abs/1509.09308). The picture is cut into tiles of four that
 * overlap by two: result = A' [ (G weights G') * (B' tile B) ] A where * multiplies element by element and
 * adds up the channels: one product for each element of a tile. All of it is ordinary nodes, which fuse,
 * chain and leave loops as any others do. An error, and what isn't finite, reaches the whole tile, not just
 * windows that see it. */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/hoist.h"
#include "passes/passes.h"
#include <string.h>

enum {
    TAPS = 3,
    TILE = 4, /* inputs of a tile, */
    MADE = 2, /* and results */
    ELEMENTS = TILE * TILE,
    AXES = 2 /* of a picture that may be cut into tiles */
};

/* What transforms cost for each element of a picture and of a result, in the multiply-adds that a kernel does
 * meanwhile. */
static const double PICTURE_COST = 120, RESULT_COST = 100, MIN_GAIN = 1.25;

/* --- the transforms: `columns` elements along an axis become `rows`, each a sum of some, some negative */
typedef struct {
    int rows, columns;
    int sign[TILE][TILE];
    double scale[TILE]; /* of each row */
} Transform;

static const Transform of_picture = {
    TILE, TILE, {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}}, {1, 1, 1, 1}};
static const Transform of_weights = {
    TILE, TAPS, {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 1}}, {1, 0.5, 0.5, 1}};
static const Transform of_result = {MADE, TILE, {{1, 1, 1, 0}, {0, 1, -1, -1}}, {1, 1}};

/* One element of each of the `axes` outermost axes: `at` counts through them, the last one fastest. */
static Value *element(Builder *b, Value *x, uint32_t axes, int size, int at) {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    IrContext *ir = b->graph->ir;
    for (uint32_t i = x->type->rank; i-- > 0;) {
        start[i] = dim_const(ir, i < axes ? at % size : 0);
        dims[i] = i < axes ? dim_const(ir, 1) : x->type->dims[i];
        step[i] = 1;
        if (i < axes) at /= size;
    }
    return build_slice(b, x, start, dims, step);
}

static Value *add_term(Builder *b, Value *sum, Value *term, int sign) {
    return !sum ? term : build_binary(b, sign > 0 ? OP_add : OP_sub, sum, term);
}

/* `elements` are `stride` apart. */
static Value *transform_row(Builder *b, const Transform *t, int row, Value *const *elements, int stride) {
    Value *sum = NULL;
    for (int sign = 1; sign >= -1; sign -= 2)
        for (int i = 0; i < t->columns; i++)
            if (t->sign[row][i] == sign) sum = add_term(b, sum, elements[i * stride], sign);
    if (t->scale[row] == 1) return sum;
    return build_binary(b, OP_mul, sum, build_const(b, sum->type, t->scale[row]));
}

/* Along one axis, of which `outer` lie before it and whose elements are `stride` apart. */
static void transform_axis(Builder *b, const Transform *t, Value **at, int outer, int stride) {
    Value *made[ELEMENTS];
    for (int o = 0; o < outer; o++)
        for (int row = 0; row < t->rows; row++)
            for (int i = 0; i < stride; i++)
                made[(o * t->rows + row) * stride + i] =
                    transform_row(b, t, row, at + o * t->columns * stride + i, stride);
    memcpy(at, made, (size_t)(outer * t->rows * stride) * sizeof *at);
}

static int power(int base, uint32_t exponent) { return exponent ? base * power(base, exponent - 1) : 1; }

/* The elements as one value, whose `axes` outermost axes they are made of. Axis by axis: a kernel that stores
 * them makes all at once, and what is woven into the rows of a picture is chosen row by row. */
static Value *nested(Builder *b, const Transform *t, Value **at, uint32_t axes) {
    int count = power(t->rows, axes);
    for (uint32_t axis = axes; axis-- > 0;) {
        count /= t->rows;
        for (int i = 0; i < count; i++) at[i] = build_concat(b, (uint32_t)t->rows, at + i * t->rows, axis);
    }
    return at[0];
}

static Value *transform(Builder *b, const Transform *t, Value *x, uint32_t axes) {
    Value *at[ELEMENTS];
    for (int i = 0; i < power(t->columns, axes); i++) at[i] = element(b, x, axes, t->columns, i);
    for (uint32_t i = 0; i < axes; i++)
        transform_axis(b, t, at, power(t->rows, i), power(t->columns, axes - 1 - i));
    return nested(b, t, at, axes);
}

/* --- what a convolution is */
typedef struct {
    const Node *node;
    ContractSpec spec;
    uint32_t picture;          /* which operand it is */
    Value *source;             /* the picture without windows */
    char labels[MAX_RANK + 1]; /* its, those of places on axes that had windows */
    char *weights;             /* and those of the weights */
    uint32_t count;            /* of axes with windows */
    char place[AXES], tap[AXES];
    int64_t places[AXES];
} Convolution;

/* Takes the windows of one axis off. False where they aren't three neighbours by steps of one. */
static bool take_windows(Convolution *c) {
    const Node *window = c->source->node;
    uint32_t axis = (uint32_t)node_int(window, ATTR_axis);
    char place = c->labels[axis], tap = c->labels[axis + 1];
    if (c->count == AXES || !dim_is(node_dim(window, ATTR_size), TAPS) ||
        !dim_is(node_dim(window, ATTR_stride), 1) || !dim_is(node_dim(window, ATTR_dilation), 1))
        return false;
    if (memchr(c->place, place, c->count) || !labels_have(c->spec.result, place) ||
        labels_have(c->weights, place) || labels_have(c->spec.result, tap) || !labels_have(c->weights, tap))
        return false;
    if (!dim_is_const(window->results[0]->type->dims[axis], &c->places[c->count]) || c->places[c->count] < 1)
        return false;
    c->place[c->count] = place, c->tap[c->count++] = tap;
    memmove(c->labels + axis + 1, c->labels + axis + 2, strlen(c->labels + axis + 1));
    c->source = window->operands[0];
    return true;
}

static bool is_window(const Value *value) { return value->node && value->node->op == OP_window; }

static bool read_convolution(const Node *node, Convolution *c) {
    *c = (Convolution){.node = node};
    if (node->op != OP_contract || node->results[0]->type->dtype != DTYPE_f32 ||
        !contract_spec_parse(node_str(node, ATTR_spec), &c->spec))
        return false;
    c->picture = !is_window(node->operands[0]);
    c->source = node->operands[c->picture];
    c->weights = c->picture ? c->spec.x : c->spec.y;
    strcpy(c->labels, c->picture ? c->spec.y : c->spec.x);
    while (is_window(c->source))
        if (!take_windows(c)) return false;
    return c->count > 0 && node->results[0]->type->rank + c->count <= MAX_RANK;
}

/* --- whether it pays */
/* The product of the sizes of labels; those that aren't known count as one. */
static double size_of(const Convolution *c, bool summed, bool in_picture) {
    const Type *type = c->node->operands[!c->picture]->type;
    double count = 1;
    int64_t size;
    for (uint32_t i = 0; i < type->rank; i++) {
        char label = c->weights[i];
        bool is_tap = memchr(c->tap, label, c->count);
        if (is_tap || labels_have(c->spec.result, label) == summed ||
            labels_have(c->labels, label) != in_picture)
            continue;
        count *= dim_is_const(type->dims[i], &size) ? (double)size : 1;
    }
    return count;
}

/* Weights that change in every loop around would be transformed as often as they are used. */
static bool stays(const Convolution *c) {
    return hoist_loop_without(c->node, c->node->operands[!c->picture]) != NULL;
}

/* By the multiply-adds of a place of the result. */
static bool pays(const Convolution *c) {
    double inputs = size_of(c, true, true), outputs = size_of(c, false, false), direct = 1, fast = 1;
    for (uint32_t i = 0; i < c->count; i++) {
        double tiles = (double)((c->places[i] + 1) / MADE);
        direct *= TAPS;
        fast *= TILE * tiles / (double)c->places[i];
    }
    double saved = (direct - fast) * inputs * outputs;
    double spent = PICTURE_COST * inputs + RESULT_COST * outputs;
    return saved >= MIN_GAIN * spent;
}

/* --- the product of tiles */
static const Dim *constant(Builder *b, int64_t value) { return dim_const(b->graph->ir, value); }

/* The picture with an even number of places on an axis, as tiles: the axis becomes (tiles, elements). */
static Value *cut_axis(Builder *b, Value *x, uint32_t axis, int64_t places) {
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK] = {0};
    for (uint32_t i = 0; i < x->type->rank; i++) low[i] = high[i] = constant(b, 0);
    high[axis] = constant(b, places % MADE);
    if (places % MADE)
        x = build_pad(b, x, build_const(b, type_scalar(b->graph->ir, DTYPE_f32), 0), low, high, interior);
    return build_window(b, x, axis, constant(b, TILE), constant(b, MADE), constant(b, 1));
}

static void insert(char *labels, uint32_t at, char label) {
    memmove(labels + at + 1, labels + at, strlen(labels + at) + 1);
    labels[at] = label;
}

/* The windows' elements become the outermost axes, in the order of `taps`. */
static Value *elements_first(Builder *b, const Convolution *c, Value *x, char *labels) {
    int64_t perm[MAX_RANK];
    uint32_t count = c->count;
    char ordered[MAX_RANK + 1] = {0};
    for (uint32_t i = 0; i < c->count; i++) perm[i] = labels_axis(labels, c->tap[i]);
    for (uint32_t i = 0; labels[i]; i++)
        if (!memchr(c->tap, labels[i], c->count)) perm[count++] = i;
    for (uint32_t i = 0; i < count; i++) ordered[i] = labels[perm[i]];
    strcpy(labels, ordered);
    return build_permute(b, x, perm);
}

static Value *tiles_of_picture(Builder *b, Convolution *c) {
    Value *x = c->source;
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t axis = labels_axis(c->labels, c->place[i]);
        x = cut_axis(b, x, axis, c->places[i]);
        insert(c->labels, axis + 1, c->tap[i]);
    }
    return transform(b, &of_picture, elements_first(b, c, x, c->labels), c->count);
}

/* From [elements of a tile.., result's axes..], where places are tiles, to the result. */
static Value *woven(Builder *b, const Convolution *c, Value *made) {
    const Type *type = c->node->results[0]->type;
    const Dim *dims[MAX_RANK], *start[MAX_RANK];
    int64_t perm[MAX_RANK], step[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t i = 0; i < type->rank; i++) {
        char *tile = memchr(c->place, c->spec.result[i], c->count);
        perm[count++] = c->count + i;
        if (tile) perm[count++] = tile - c->place;
        dims[i] = tile ? constant(b, (c->places[tile - c->place] + 1) / MADE * MADE) : type->dims[i];
        start[i] = constant(b, 0), step[i] = 1;
    }
    Value *whole = build_reshape(b, build_permute(b, made, perm), type->rank, dims);
    return build_slice(b, whole, start, type->dims, step);
}

static Value *fast_convolution(Builder *b, Convolution *c, Arena *scratch) {
    Value *weights = elements_first(b, c, c->node->operands[!c->picture], c->weights);
    Value *tiles = tiles_of_picture(b, c), *factors = transform(b, &of_weights, weights, c->count);
    const char *spec =
        arena_printf(scratch, "%s,%s->%.*s%s", c->picture ? c->weights : c->labels,
                     c->picture ? c->labels : c->weights, (int)c->count, c->tap, c->spec.result);
    Value *product = build_contract(b, c->picture ? factors : tiles, c->picture ? tiles : factors, spec);
    return woven(b, c, transform(b, &of_result, product, c->count));
}

static void visit_block(PassContext *context, Graph *graph, Block *block) {
    for (Node *node = block->first; node; node = node->next) {
        Convolution c;
        Builder b = {.graph = graph, .block = block, .before = node, .loc = node->loc};
        if (read_convolution(node, &c) && stays(&c) && pays(&c))
            value_replace(node->results[0], fast_convolution(&b, &c, context->scratch));
        for (uint32_t i = 0; i < node->block_count; i++) visit_block(context, graph, node->blocks[i]);
    }
}

void pass_winograd(PassContext *context, Graph *graph) {
    for (uint32_t i = 0; i < graph->functions.count; i++)
        visit_block(context, graph, graph->functions.at[i]->body);
    graph_resolve(graph);
}
