/* What parts of a product cost, in half cycles of one core with two multiply-add pipes. */
#include "codegen/contract_cost.h"
#include "codegen/contract_tile.h"
#include "codegen/vector.h"
#include <math.h>

/* Measured on one core; see docs/kernels.md. */
enum {
    ASSUMED_SIZE = 192,     /* of a size known at run time only */
    TILE_OVERHEAD = 60,     /* half cycles to start and store a tile */
    LEAST_DEPTH = 128,      /* steps of k of an A that is packed */
    SUM_AGAIN = 5,          /* to load and store a vector of sums that wait in memory, */
    SUM_FROM_FAR = 30,      /* beyond the second level */
    DOT_TILE = 12,          /* half cycles to start a tile of dot products */
    DOT_TILE_OF_TWO = 42,   /* the same where its sums are more than one vector's, */
    DOT_TILE_SHUFFLED = 40, /* and for each vector of them where one port shuffles */
    DOT_ROW = 3,            /* to store one row of its sums */
    POINTERS = 11,          /* to rows that registers hold */
    FROM_SECOND_LEVEL = 3,  /* until a vector arrives from there: a quarter of the first's bandwidth, */
    FROM_FAR = 6,           /* and from beyond it */
    PIECE = 3,              /* to load a vector of a transposed tile and store it */
    FAR_LINE = 400,         /* to store a part of a line that is beyond a slow third level's second */
    SQUARE = 60,            /* to transpose a square of a vector's lanes, with two ports that shuffle */
    COPIED_COLUMNS = 256,   /* that are packed together at most */
    FEW_SUMS = 12,          /* that barely hide the latency of multiply-adds, */
    FEW_OF_ONE = 10         /* or of rows of one vector each */
};

static const double LINE_OF_A = 2;  /* half cycles that a step waits for it */
static const double AT_ONCE = 0.55; /* of a whole vector's time, where every one is such as a pipe takes */

int64_t cost_assumed(int64_t size) { return size < 0 ? ASSUMED_SIZE : size; }

uint32_t cost_lanes(const Target *target, const ContractShape *shape) {
    uint32_t lanes = target->vector_bytes / shape->bytes;
    while (lanes > 1 && shape->columns >= 0 && shape->columns <= lanes / 2) lanes /= 2;
    return lanes;
}

bool cost_third_is_slow(const Target *target, const ContractShape *shape) {
    return target->intel_server && shape->single_depth;
}

bool cost_is_narrow(const Target *target) { return target->vector_bytes < CACHE_LINE; }

/* --- the register tile */
/* Half cycles for one step of k: two multiply-adds, two loads a cycle, a latency of four cycles, which sets
 * of sums share, and `arrive` for each vector of B. Rows that are not one axis take a pointer each, and what
 * is beyond the registers for these is loaded before it is used. */
static double step_cost(const Target *target, const ContractShape *shape, int64_t rows, double vectors,
                        double arrive) {
    if (rows == 0 || vectors == 0) return 0;
    double multiplies = (double)rows * vectors;
    double loads = (double)rows + vectors + (double)(shape->a_row < 0 ? max64(rows - POINTERS, 0) : 0);
    double sets = tile_sets(target, (uint32_t)rows, (uint32_t)ceil(vectors));
    double cost = fmax(fmax(multiplies, loads), fmax(8 / sets, arrive * vectors));
    cost *= vectors <= 1 ? 1.1 : 1 + (target->intel_server ? 0.05 : 0.01) * fmax(vectors - 4, 0);
    if (cost_is_narrow(target) && sets * multiplies < (vectors > 1 ? FEW_SUMS : FEW_OF_ONE)) cost *= 1.05;
    cost *= rows > 12 ? 1.05 : rows > 8 ? 1.03 : 1;
    /* A line of A for all of these, that no prefetcher foresees. */
    return target->intel_server && shape->a_lines ? cost + LINE_OF_A : cost;
}

/* Vectors that a pipe takes whole, where others go by halves, unless A comes too slowly for that. */
static bool goes_at_once(const Target *target, const ContractShape *shape, int64_t depth) {
    double a = cost_distinct((double)cost_assumed(shape->rows) * (double)depth, shape->a_span);
    double all = a * (double)max64(cost_assumed(shape->outer), 1);
    return target->pipe_bytes < target->vector_bytes &&
           cost_lanes(target, shape) * shape->bytes == target->pipe_bytes &&
           (shape->a_depth == 1 || !cost_is_far(target, all, shape->memory_bytes));
}

static int64_t common_divisor(int64_t a, int64_t b) { return b ? common_divisor(b, a % b) : a; }

/* Half cycles until each vector of a panel's row arrives from the second level. Of rows that lie apart, of
 * which a narrow panel's is hardly more than a line, lines arrive of which it needs a part. */
static double arrival(const Target *target, const ContractShape *shape, int64_t vectors, BPlace b) {
    if (!cost_is_narrow(target) || b == B_NEAR) return FROM_SECOND_LEVEL;
    int64_t row = vectors * target->vector_bytes, stride = max64(shape->b_depth, 1) * shape->memory_bytes;
    int64_t even = common_divisor(common_divisor(CACHE_LINE, stride), row);
    double lines = 1 + (double)(row - even) / CACHE_LINE;
    return FROM_SECOND_LEVEL * lines * CACHE_LINE / (double)row;
}

double cost_tiles(const Target *target, const ContractShape *shape, int64_t rows, double vectors,
                  int64_t tile_rows, int64_t tile_vectors, int64_t depth, BPlace b) {
    int64_t full_rows = rows / tile_rows, rest_rows = rows % tile_rows;
    int64_t full_vectors = (int64_t)vectors / tile_vectors;
    double rest_vectors = vectors - (double)(full_vectors * tile_vectors), whole = (double)tile_vectors;
    double next = arrival(target, shape, tile_vectors, b), step = 0;
    double first = b == B_FAR && !cost_is_narrow(target) ? FROM_FAR : next;
    for (int rest = 0; rest < 2; rest++) {
        double v = rest ? rest_vectors : whole, panels = rest ? 1 : (double)full_vectors;
        step += panels * (step_cost(target, shape, tile_rows, v, first) +
                          (double)(full_rows - 1) * step_cost(target, shape, tile_rows, v, next) +
                          step_cost(target, shape, rest_rows, v, next));
    }
    double tiles = (double)(full_rows + (rest_rows > 0)) * (double)(full_vectors + (rest_vectors > 0));
    if (goes_at_once(target, shape, depth)) step *= AT_ONCE;
    return step * (double)depth + tiles * (double)TILE_OVERHEAD;
}

double cost_sums(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    int64_t depth = cost_assumed(shape->depth), limit = cost_depth_limit(target, shape, plan);
    double elements = (double)cost_assumed(shape->rows) * (double)cost_assumed(shape->columns);
    double vector = cost_is_far(target, elements, shape->bytes) ? SUM_FROM_FAR : SUM_AGAIN;
    return depth <= limit ? 0 : vector * (double)(depth / limit) * elements / plan->lanes;
}

/* Is a block of so many elements more than the second level holds beside others? */
bool cost_is_far(const Target *target, double elements, uint32_t bytes) {
    return elements * bytes > (double)target->l2_bytes / 2;
}

bool cost_collides(int64_t stride, uint32_t bytes) { return stride > 0 && stride % PAGE * bytes % PAGE == 0; }

/* Elements of memory that so many of an operand's are: windows share theirs. */
double cost_distinct(double elements, int64_t span) {
    return span >= 0 && (double)span < elements ? (double)span : elements;
}

double cost_b_elements(const ContractShape *shape) {
    return cost_distinct((double)cost_assumed(shape->depth) * (double)cost_assumed(shape->columns),
                         shape->b_span);
}

static bool a_is_transposed(const ContractShape *shape) { return shape->a_row == 1 && shape->a_depth != 1; }

/* Where the third level is slow, the second has to hold what is packed of A at once, and the first what tiles
 * read of its lines, one after the other, where it lies transposed. */
static int64_t depth_of_a(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    int64_t rows = plan->chunk_rows ? plan->chunk_rows : max64(cost_assumed(shape->rows), 1);
    double a = cost_distinct((double)rows * (double)cost_assumed(shape->depth), shape->a_span);
    if (!cost_third_is_slow(target, shape)) return PANEL_DEPTH;
    if (plan->pack_a) return max64((int64_t)target->l2_bytes / 4 / (rows * shape->bytes), LEAST_DEPTH);
    bool lines = a_is_transposed(shape) && cost_is_far(target, a, shape->memory_bytes);
    return lines ? (int64_t)target->l1_bytes / 2 / CACHE_LINE : PANEL_DEPTH;
}

static int64_t depth_of_b(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    if (plan->pack_b) return cost_is_narrow(target) ? NARROW_DEPTH : PACKED_DEPTH;
    int64_t far = cost_third_is_slow(target, shape) ? INTEL_FAR_DEPTH : FAR_DEPTH;
    int64_t near = target->intel_server && !shape->single_depth ? FAR_DEPTH : DIRECT_DEPTH;
    int64_t depth = cost_is_far(target, cost_b_elements(shape), shape->memory_bytes) ? far : near;
    if (!shape->b_streams) return depth;
    /* The second level has room for a panel, the next one and some of A. */
    int64_t part = target->intel_server ? 6 : 3;
    int64_t streamed = (int64_t)target->l2_bytes / part / (shape->columns * shape->memory_bytes);
    return max64(depth, streamed < PANEL_DEPTH ? streamed : PANEL_DEPTH);
}

/* Steps of k that are summed up in registers at most. */
int64_t cost_depth_limit(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    if (plan->dot_lanes) return PACKED_DEPTH;
    return min64(depth_of_a(target, shape, plan), depth_of_b(target, shape, plan));
}

/* Columns of a packed B that each tile of rows passes before the next one: what the second level holds beside
 * others. Pieces of B's rows that are longer than a panel are copied faster, and A is read as often as there
 * are such blocks. A transposed B is copied no faster, but where k is short the first level holds many panels
 * of it, and long rows of the result are written in order. */
int64_t cost_columns_together(const Target *target, const ContractShape *shape, const ContractSchedule *plan,
                              int64_t depth) {
    int64_t panel = (int64_t)plan->vectors * plan->lanes;
    int64_t column = max64(depth, 1) * shape->bytes, room = (int64_t)target->l2_bytes / 4 / column;
    if (room > COPIED_COLUMNS && !target->intel_server) room = COPIED_COLUMNS;
    int64_t near = (int64_t)target->l1_bytes / 2 / column;
    bool few = max64(depth, 1) * cost_assumed(shape->rows) * shape->bytes <= 2 * (int64_t)target->l1_bytes;
    if (cost_is_narrow(target) ? few && near >= 2 * panel : shape->b_column != 1) room = min64(near, room);
    return max64(room / panel, 1) * panel;
}

/* Vectors that store a line of so many elements: what is left over goes by vectors of 8, 4, 2 and 1. */
static int64_t pieces_of(int64_t elements, int64_t lanes) {
    int64_t pieces = elements / lanes;
    for (int64_t rest = elements % lanes; rest; rest &= rest - 1) pieces++;
    return pieces;
}

/* Half cycles by which an epilogue is slower whose lanes aren't neighbours in memory, tile by tile:
 * transposed by squares of lanes, or stored one by one. */
double cost_store(const Target *target, const ContractShape *shape, const ContractSchedule *plan,
                  int64_t rows, int64_t tile_rows) {
    int64_t columns = max64(cost_assumed(shape->columns), 1), lanes = plan->lanes;
    if (!shape->exchanged) return 0;
    int64_t tiles = rows / tile_rows, rest = rows % tile_rows;
    double elements = (double)rows * (double)columns, lines = 0;
    if (cost_third_is_slow(target, shape) && cost_is_far(target, elements, shape->bytes))
        lines = FAR_LINE * (double)(columns * (tiles * div_up(tile_rows, lanes) + (rest > 0)));
    if (!plan->transposed) return lines + 6.0 * shape->accesses * elements;
    int64_t squares = tiles * div_up(tile_rows, lanes) + div_up(rest, lanes);
    int64_t pieces = tiles * pieces_of(tile_rows, lanes) + pieces_of(rest, lanes);
    double square = target->intel_server ? 1.5 * SQUARE : SQUARE;
    return lines + square * (double)(div_up(columns, lanes) * squares) + PIECE * (double)(columns * pieces);
}

/* --- packing and memory */
/* Half cycles to pack all of an operand: copied where rows or columns are contiguous, picked from vectors
 * where they are a few elements apart, transposed by shuffles, squares of `lanes` at most `run` deep, where k
 * is, else gathered. */
double cost_pack(const Target *target, double elements, uint32_t bytes, int64_t stride, int64_t depth_stride,
                 int64_t run) {
    double far = cost_is_far(target, elements, bytes) ? 0.75 : 0,
           lanes = (double)target->vector_bytes / bytes;
    if (target->intel_server) far = 0.95;
    if (stride == 1) return (0.25 + far) * elements;
    if (stride > 1 && stride <= VECTOR_MAX_STRIDE) return (0.15 * (double)stride + far) * elements;
    double part = run < 0 || (double)run > lanes ? 1 : (double)max64(run, 1) / lanes;
    double square = depth_stride == 1 && bytes >= 4 ? 0.6 / part : 3.0;
    return (far + (square < 3.0 ? square : 3.0)) * elements;
}

/* Half cycles to bring an element near: from the second level, from beyond it, and one of a far B that is
 * asked for ahead. */
static const double NEAR = 0.3, FAR = 1, ASKED = 0.8;
/* The same until a row of the result is written in order, on an Intel server. */
static const double RESULT_ROW = 64;

/* Are rows of a far B asked for ahead (`ahead_b`), and is there enough to do meanwhile? Where they drive each
 * other out only the first tiles gain. */
static bool b_is_asked(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    int64_t rows = cost_assumed(shape->rows), depth = cost_assumed(shape->depth);
    if (cost_is_narrow(target) || plan->pack_b || !shape->single_depth || rows <= FEW_ROWS) return false;
    if (plan->dot_lanes) return depth * shape->memory_bytes < PAGE;
    return rows < FEW || !cost_collides(shape->b_depth, shape->memory_bytes);
}

static double touch_b(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    double b = cost_b_elements(shape), slow = 1;
    /* Short pieces of rows keep prefetchers from running ahead. */
    double piece = (double)cost_assumed(shape->columns) * shape->memory_bytes;
    if (shape->b_column == 1 && shape->b_depth > shape->columns) slow = 1 + 512 / piece;
    double price = !cost_is_far(target, b, shape->bytes) ? NEAR
                   : b_is_asked(target, shape, plan)     ? ASKED
                                                         : FAR;
    return slow * price * b;
}

/* Half cycles to bring the operands near: both once, A again for each panel, and for each product that shares
 * it, if the second level doesn't hold it. That overlaps with the arithmetic as long as a cache holds A at
 * all. */
double cost_touch(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    double depth = (double)cost_assumed(shape->depth), rows = (double)cost_assumed(shape->rows);
    double a = cost_distinct(rows * depth, shape->a_span);
    double limit = (double)cost_depth_limit(target, shape, plan);
    double together = plan->vectors * plan->lanes;
    if (plan->pack_b && cost_is_narrow(target))
        together = (double)cost_columns_together(target, shape, plan, (int64_t)fmin(limit, depth));
    double again = (double)cost_assumed(shape->columns) / together - 1,
           block = depth > limit ? a * limit / depth : a;
    bool far_block = cost_is_far(target, block, shape->bytes),
         huge = block * shape->bytes > 4.0 * (double)target->l2_bytes;
    /* A narrow tile has so much to do with each element that it waits for few. */
    double behind = cost_is_narrow(target) ? 0.15 : FAR;
    double price = !far_block ? 0 : huge ? behind : plan->pack_a ? 0.05 : 0.12;
    /* Rows of a far A are asked for ahead (`ahead_a`), but not by dot products. */
    double ahead = huge ? 0.6 : 0.2;
    bool asked = !plan->dot_lanes && !plan->pack_a && shape->a_depth == 1 && !shape->edges &&
                 (target->intel_server || !cost_collides(shape->a_row, shape->memory_bytes));
    /* What is huge the products that share it take by parts (contract_schedule.c). */
    double shared = (double)max64(shape->a_shared, 1), others = (huge ? 0.12 : price) * (1 - 1 / shared);
    double once = !cost_is_far(target, a, shape->bytes) ? NEAR : asked ? ahead : FAR;
    double cost = (once / shared + others) * a;
    /* Of each line of a transposed A a tile reads a part, and prefetchers see no pattern. */
    if (a_is_transposed(shape) && !plan->pack_a) price += far_block ? 0.4 : 0.15;
    if (again > 0) cost += price * again * a;
    if (cost_third_is_slow(target, shape))
        cost += RESULT_ROW * (shape->exchanged ? (double)cost_assumed(shape->columns) : rows);
    return cost + touch_b(target, shape, plan);
}

/* --- dot products: lanes along k */
static const double TWO_LOADS = 2; /* half cycles for a vector of which nearly every one is of two lines, */
static const double INTEL_TWO_LOADS = 4; /* there, too, */
static const double A_AGAIN = 2.25;      /* or of A, where the first level doesn't hold a tile's rows */

static double two_loads(const Target *target) { return target->intel_server ? INTEL_TWO_LOADS : TWO_LOADS; }

/* Half cycles to load a vector, where lines of k begin so many elements apart: of a line's width, it is of
 * two lines unless these begin with it. */
static double load_cost(const Target *target, int64_t stride, int64_t lanes) {
    if (cost_is_narrow(target) || stride < 0 || stride % lanes == 0) return 1.25;
    return stride % (lanes / 2) == 0 ? 1.5 : two_loads(target);
}

/* Half cycles of one step of k, and a latency of four cycles. */
static double dot_step_cost(double rows, double columns, double a_load, double b_load) {
    double cost = rows * columns, loads = a_load * rows + b_load * columns;
    if (rows * columns == 0) return 0;
    if (loads > cost) cost = loads;
    return cost > 8 ? cost : 8;
}

/* Of so many rows by so many columns, by tiles and what they leave over. */
double cost_dot(const Target *target, const ContractShape *shape, const ContractSchedule *plan) {
    int64_t rows = cost_assumed(shape->rows), columns = cost_assumed(shape->columns),
            depth = cost_assumed(shape->depth);
    int64_t last = max64(shape->depth_last < 0 ? depth : shape->depth_last, 1), lanes = plan->dot_lanes;
    double steps = (double)(depth / last) * (double)div_up(last, lanes);
    double r = (double)plan->rows, c = (double)plan->dot_columns;
    double rest_r = (double)(rows % plan->rows), rest_c = (double)(columns % plan->dot_columns);
    double full_r = (double)(rows / plan->rows), full_c = (double)(columns / plan->dot_columns);
    double b = cost_b_elements(shape);
    bool near = b * shape->bytes < target->l1_bytes / 2;
    /* Runs of k that aren't whole vectors begin anywhere. */
    bool apart = !shape->single_depth && last % lanes != 0;
    double a_once = apart ? two_loads(target) : load_cost(target, shape->a_row, lanes);
    double once = apart ? two_loads(target) : load_cost(target, plan->pack_b ? 0 : shape->b_column, lanes);
    /* A is read again for each tile of columns, B for each of rows but the first. */
    bool a_near = cost_is_narrow(target) || r * (double)depth * shape->bytes < target->l1_bytes / 2.0;
    double a_load = a_near ? a_once : fmax(a_once, A_AGAIN);
    double from = (cost_is_far(target, b, shape->bytes) ? FROM_FAR : FROM_SECOND_LEVEL) + apart;
    double again = near ? once : fmax(once, from);
    double passes = full_r + (rest_r > 0), load = passes > 1 ? again + (once - again) / passes : once;
    double step =
        full_r * (full_c * dot_step_cost(r, c, a_load, load) + dot_step_cost(r, rest_c, a_load, load)) +
        full_c * dot_step_cost(rest_r, c, a_load, load) + dot_step_cost(rest_r, rest_c, a_load, load);
    double tiles = (full_r + (rest_r > 0)) * (full_c + (rest_c > 0));
    double tile = target->intel_server      ? DOT_TILE_SHUFFLED * ceil(r * c / (double)lanes)
                  : r * c > plan->dot_lanes ? DOT_TILE_OF_TWO
                                            : DOT_TILE;
    /* Without masks, what is left over of k is loaded lane by lane. */
    if (target->vector_bytes < 32 && (last % lanes || shape->depth_last < 0))
        tile += 4.0 * (double)lanes * (r + c) * (double)(depth / last);
    return step * steps + tile * tiles + DOT_ROW * (double)rows * (full_c + (rest_c > 0));
}
