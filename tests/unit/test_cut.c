/* cut: the cheapest arcs between source and sink, compared with all ways to take sides. */
#include "passes/cut.h"
#include <criterion/criterion.h>

enum { POINTS = 7, MOST = 20 };

typedef struct {
    uint32_t from, to;
    int64_t cost;
} Given;

/* The cheapest of all choices of points behind the cut, and the smallest set of points that has it. */
static int64_t cheapest(const Given *arcs, uint32_t count, uint32_t *behind) {
    int64_t best = INT64_MAX;
    for (uint32_t set = 0; set < 1u << POINTS; set++) {
        if ((set >> CUT_SOURCE & 1) || !(set >> CUT_SINK & 1)) continue;
        int64_t cost = 0;
        for (uint32_t i = 0; i < count; i++)
            if (!(set >> arcs[i].from & 1) && (set >> arcs[i].to & 1)) cost += arcs[i].cost;
        bool fewer = cost == best && __builtin_popcount(set) < __builtin_popcount(*behind);
        if (cost < best || fewer) best = cost, *behind = set;
    }
    return best;
}

Test(cut, cheapest_and_nearest_to_the_sink) {
    uint64_t random = 1;
    for (int round = 0; round < 400; round++) {
        Arena *arena = arena_new();
        Cut *cut = cut_new(arena);
        Given arcs[MOST];
        uint32_t count = 3 + (uint32_t)round % (MOST - 3), behind = 0;
        while (cut_point(cut) < POINTS - 1) continue;
        for (uint32_t i = 0; i < count; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            arcs[i] = (Given){(uint32_t)(random >> 33) % POINTS, (uint32_t)(random >> 43) % POINTS,
                              (int64_t)(random >> 53) % 6};
            cut_arc(cut, arcs[i].from, arcs[i].to, arcs[i].cost);
        }
        cr_assert_eq(cut_cost(cut), cheapest(arcs, count, &behind));
        for (uint32_t p = 0; p < POINTS; p++) cr_expect_eq(cut_behind(cut, p), behind >> p & 1);
        arena_free(arena);
    }
}

Test(cut, what_must_not_be_cut_is_not) {
    Arena *arena = arena_new();
    Cut *cut = cut_new(arena);
    uint32_t middle = cut_point(cut);
    cut_arc(cut, CUT_SOURCE, middle, CUT_NEVER);
    cut_arc(cut, middle, CUT_SINK, CUT_NEVER);
    cr_expect(cut_cost(cut) >= CUT_NEVER);
    arena_free(arena);
}
