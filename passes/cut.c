/* Minimum cuts by augmenting paths, found breadth first (Edmonds & Karp 1972). */
#include "passes/cut.h"
#include "support/vec.h"

/* Arcs come in pairs, there and back: number a ^ 1 is the other one. */
typedef struct {
    uint32_t to;
    int64_t rest; /* what it may still carry */
} Arc;

typedef VEC(uint32_t) Numbers;

struct Cut {
    Arena *arena;
    VEC(Arc) arcs;
    VEC(Numbers) leaving; /* each point's arcs */
    bool *behind;
};

Cut *cut_new(Arena *arena) {
    Cut *cut = ARENA_NEW(arena, Cut);
    cut->arena = arena;
    cut_point(cut);
    cut_point(cut);
    return cut;
}

uint32_t cut_point(Cut *cut) {
    vec_push(cut->arena, &cut->leaving, ((Numbers){0}));
    return cut->leaving.count - 1;
}

static void half_arc(Cut *cut, uint32_t from, uint32_t to, int64_t cost) {
    vec_push(cut->arena, &cut->leaving.at[from], cut->arcs.count);
    vec_push(cut->arena, &cut->arcs, ((Arc){to, cost}));
}

void cut_arc(Cut *cut, uint32_t from, uint32_t to, int64_t cost) {
    half_arc(cut, from, to, cost);
    half_arc(cut, to, from, 0);
}

/* Breadth first from the source; by[p] becomes the arc that leads to p, plus one. */
static bool find_path(const Cut *cut, uint32_t *by, uint32_t *queue) {
    uint32_t first = 0, last = 0;
    memset(by, 0, cut->leaving.count * sizeof *by);
    queue[last++] = CUT_SOURCE;
    while (first < last && !by[CUT_SINK]) {
        const Numbers *arcs = &cut->leaving.at[queue[first++]];
        for (uint32_t i = 0; i < arcs->count; i++) {
            const Arc *arc = &cut->arcs.at[arcs->at[i]];
            if (arc->rest <= 0 || by[arc->to] || arc->to == CUT_SOURCE) continue;
            by[arc->to] = arcs->at[i] + 1;
            queue[last++] = arc->to;
        }
    }
    return by[CUT_SINK] != 0;
}

static int64_t push_flow(Cut *cut, const uint32_t *by) {
    int64_t flow = CUT_NEVER;
    for (uint32_t at = CUT_SINK; at != CUT_SOURCE; at = cut->arcs.at[(by[at] - 1) ^ 1].to)
        if (cut->arcs.at[by[at] - 1].rest < flow) flow = cut->arcs.at[by[at] - 1].rest;
    for (uint32_t at = CUT_SINK; at != CUT_SOURCE; at = cut->arcs.at[(by[at] - 1) ^ 1].to) {
        cut->arcs.at[by[at] - 1].rest -= flow;
        cut->arcs.at[(by[at] - 1) ^ 1].rest += flow;
    }
    return flow;
}

/* From where the sink can still be reached. */
static void mark_behind(Cut *cut, uint32_t point) {
    cut->behind[point] = true;
    const Numbers *arcs = &cut->leaving.at[point];
    for (uint32_t i = 0; i < arcs->count; i++) {
        const Arc *from = &cut->arcs.at[arcs->at[i]]; /* the arc that comes from there is its other half */
        if (!cut->behind[from->to] && cut->arcs.at[arcs->at[i] ^ 1].rest > 0) mark_behind(cut, from->to);
    }
}

int64_t cut_cost(Cut *cut) {
    uint32_t *by = ARENA_ARRAY(cut->arena, uint32_t, cut->leaving.count);
    uint32_t *queue = ARENA_ARRAY(cut->arena, uint32_t, cut->leaving.count);
    int64_t cost = 0;
    while (cost < CUT_NEVER && find_path(cut, by, queue)) cost += push_flow(cut, by);
    cut->behind = ARENA_ARRAY(cut->arena, bool, cut->leaving.count);
    if (cost < CUT_NEVER) mark_behind(cut, CUT_SINK);
    return cost;
}

bool cut_behind(const Cut *cut, uint32_t point) { return cut->behind[point]; }
