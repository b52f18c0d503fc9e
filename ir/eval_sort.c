/* Evaluates argsort. Elements whose errors let them change places make all places that they may take unsure.
 */
#include "ir/eval.h"
#include <math.h>
#include <stdlib.h>

typedef struct {
    double real; /* floats; 0 for integers */
    int64_t integer, id;
    double low, high; /* the element is in here */
    bool descending;
} Item;

typedef struct {
    int64_t count, wanted, stride;
    int64_t from, to; /* its first elements in the operand and in the result */
    bool descending;
    Item *items; /* room for `count` */
} Line;

/* NaN is the greatest. */
static int compare_reals(double a, double b) {
    if (isnan(a) || isnan(b)) return (int)isnan(a) - (int)isnan(b);
    return (a > b) - (a < b);
}

static int in_order(const void *x, const void *y) {
    const Item *a = x, *b = y;
    int order = compare_reals(a->real, b->real);
    if (!order) order = (a->integer > b->integer) - (a->integer < b->integer);
    if (a->descending) order = -order;
    return order ? order : (a->id > b->id) - (a->id < b->id);
}

static int by_low(const void *x, const void *y) {
    const Item *a = x, *b = y;
    return compare_reals(a->low, b->low);
}

/* Items that overlap, themselves or by others, may stand in any order among themselves. Counted from the end
 * of the line where the order is descending. */
static void spread_errors(const Line *line, double *error) {
    Item *items = line->items;
    int64_t count = line->count;
    qsort(items, (size_t)count, sizeof *items, by_low);
    for (int64_t first = 0, end; first < count; first = end) {
        double high = items[first].high;
        bool unsure = items[first].low < high;
        for (end = first + 1; end < count && items[end].low <= high; end++) {
            unsure = unsure || items[end].low < items[end].high;
            high = fmax(high, items[end].high);
        }
        for (int64_t k = first; unsure && end - first > 1 && k < end; k++) {
            int64_t place = line->descending ? count - 1 - k : k;
            if (place < line->wanted) error[line->to + place * line->stride] = (double)count;
        }
    }
}

static Item item_of(const Tensor *x, int64_t at, int64_t id, bool descending) {
    Item item = {.id = id, .descending = descending};
    double error = tensor_error(x, at);
    if (x->f) item.real = x->f[at];
    if (x->i) item.integer = x->i[at];
    double value = x->f ? x->f[at] : (double)x->i[at];
    bool nan = isnan(value) && error == 0;
    item.low = nan ? INFINITY : isfinite(error) ? value - error : -INFINITY;
    item.high = nan ? INFINITY : isfinite(error) ? value + error : INFINITY;
    return item;
}

static void sort_line(const Tensor *x, Line *line, Tensor *out) {
    Item *items = line->items;
    for (int64_t k = 0; k < line->count; k++)
        items[k] = item_of(x, line->from + k * line->stride, k, line->descending);
    qsort(items, (size_t)line->count, sizeof *items, in_order);
    for (int64_t k = 0; k < line->wanted; k++) out->i[line->to + k * line->stride] = items[k].id;
    if (out->error) spread_errors(line, out->error);
}

bool eval_argsort(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const Tensor *x = &in[0];
    int64_t axis = node_int(node, ATTR_axis), strides[MAX_RANK];
    tensor_strides(x, strides);
    Line line = {.count = x->dims[axis], .wanted = out->dims[axis], .stride = strides[axis]};
    line.descending = node_int(node, ATTR_descending);
    line.items = ARENA_ARRAY(e->arena, Item, line.count + 1);
    for (int64_t number = 0; line.count > 0 && number < x->count / line.count; number++) {
        line.from = tensor_line(number, line.stride, line.count);
        line.to = tensor_line(number, line.stride, line.wanted);
        sort_line(x, &line, out);
    }
    return true;
}
