/* Which bytes of an arena are taken while something is alive. A tree of times: its leaves are the moments
 * between which nothing begins or ends to be alive, a period is what lies below a node. To look at a tensor's
 * ranges is to look at O(log n) periods, and each knows what is taken in it as few stretches, for what lives
 * long lies side by side. */
#include "passes/plan.h"
#include <stdlib.h>

typedef struct {
    int64_t start, end; /* bytes */
} Stretch;

typedef VEC(Stretch) Stretches; /* ascending; they neither overlap nor touch */

typedef struct {
    Stretches whole; /* taken throughout the period, by tensors that are alive longer than that as well */
    Stretches some;  /* taken at some time in it */
} Period;

struct Room {
    Arena *arena;
    VEC(uint32_t) times; /* ascending: leaf i is from the ith on */
    uint32_t leaves;     /* a power of two */
    Period *periods;     /* the root is 1, below i are 2i and 2i + 1; leaf i is leaves + i */
    Stretches found;     /* of a search */
};

/* --- the tree */
static int by_time(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

Room *room_new(Arena *arena, uint32_t count, Tenants *const *tenants) {
    Room *room = ARENA_NEW(arena, Room);
    room->arena = arena;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < tenants[i]->alive.count; k++) {
            vec_push(arena, &room->times, tenants[i]->alive.at[k].start);
            vec_push(arena, &room->times, tenants[i]->alive.at[k].end);
        }
    if (room->times.count) qsort(room->times.at, room->times.count, sizeof *room->times.at, by_time);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < room->times.count; i++)
        if (!kept || room->times.at[kept - 1] != room->times.at[i])
            room->times.at[kept++] = room->times.at[i];
    room->times.count = kept;
    for (room->leaves = 1; room->leaves < kept;) room->leaves *= 2;
    room->periods = ARENA_ARRAY(arena, Period, 2 * (size_t)room->leaves);
    return room;
}

static uint32_t leaf_at(const Room *room, uint32_t time) {
    const uint32_t *at = bsearch(&time, room->times.at, room->times.count, sizeof time, by_time);
    return room->leaves + (uint32_t)(at - room->times.at);
}

typedef void VisitPeriod(Room *room, Period *period, Stretch *stretch);

/* Calls `inside` for periods that together are the range, and `around` for those that they lie in (and some
 * of those below them). */
static void visit(Room *room, Range range, VisitPeriod *inside, VisitPeriod *around, Stretch *stretch) {
    uint32_t from = leaf_at(room, range.start), to = leaf_at(room, range.end);
    for (uint32_t first = from, last = to - 1; first; first /= 2, last /= 2) {
        around(room, &room->periods[first], stretch);
        if (last != first) around(room, &room->periods[last], stretch);
    }
    for (; from < to; from /= 2, to /= 2) {
        if (from & 1) inside(room, &room->periods[from++], stretch);
        if (to & 1) inside(room, &room->periods[--to], stretch);
    }
}

/* --- taking */
static void take(Arena *arena, Stretches *taken, Stretch stretch) {
    uint32_t from = 0, high = taken->count; /* the first that ends at the start or behind it */
    while (from < high) {
        uint32_t middle = from + (high - from) / 2;
        if (taken->at[middle].end < stretch.start)
            from = middle + 1;
        else
            high = middle;
    }
    uint32_t to = from;
    for (; to < taken->count && taken->at[to].start <= stretch.end; to++) {
        if (taken->at[to].start < stretch.start) stretch.start = taken->at[to].start;
        if (taken->at[to].end > stretch.end) stretch.end = taken->at[to].end;
    }
    uint32_t behind = taken->count - to;
    if (to == from) vec_push(arena, taken, stretch);
    memmove(taken->at + from + 1, taken->at + to, behind * sizeof *taken->at);
    taken->at[from] = stretch;
    taken->count = from + 1 + behind;
}

static void take_some(Room *room, Period *period, Stretch *stretch) {
    take(room->arena, &period->some, *stretch);
}

static void take_whole(Room *room, Period *period, Stretch *stretch) {
    take(room->arena, &period->whole, *stretch);
    take(room->arena, &period->some, *stretch);
}

void room_take(Room *room, const Ranges *alive, int64_t start, int64_t end) {
    for (uint32_t i = 0; i < alive->count && start < end; i++)
        visit(room, alive->at[i], take_whole, take_some, &(Stretch){start, end});
}

/* --- finding */
static void find(Room *room, const Stretches *taken) {
    for (uint32_t i = 0; i < taken->count; i++) take(room->arena, &room->found, taken->at[i]);
}

static void find_some(Room *room, Period *period, Stretch *stretch) {
    (void)stretch;
    find(room, &period->some);
}

static void find_whole(Room *room, Period *period, Stretch *stretch) {
    (void)stretch;
    find(room, &period->whole);
}

int64_t room_find(Room *room, const Ranges *alive, int64_t size) {
    room->found.count = 0;
    for (uint32_t i = 0; i < alive->count; i++) visit(room, alive->at[i], find_some, find_whole, NULL);
    int64_t best = -1, width = INT64_MAX, free_from = 0;
    for (uint32_t i = 0; i < room->found.count; i++) {
        int64_t gap = room->found.at[i].start - free_from;
        if (gap >= size && gap < width) best = free_from, width = gap;
        free_from = room->found.at[i].end;
    }
    return best >= 0 ? best : free_from;
}
