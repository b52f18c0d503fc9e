/* Room in an arena: the gap that is found is that which a look at every byte finds. */
#include "passes/plan.h"
#include <criterion/criterion.h>

enum { BYTES = 256, TIMES = 40, TENSORS = 60 };

typedef struct {
    bool taken[TIMES][BYTES];
} Bytes;

static uint32_t next(uint32_t *random, uint32_t below) {
    *random = *random * 1664525 + 1013904223;
    return (*random >> 16) % below;
}

static bool taken_at_some_time(const Bytes *bytes, const Ranges *alive, uint32_t byte) {
    for (uint32_t i = 0; i < alive->count; i++)
        for (uint32_t time = alive->at[i].start; time < alive->at[i].end; time++)
            if (bytes->taken[time][byte]) return true;
    return false;
}

/* The smallest gap between what is taken, or the first byte behind it all. */
static int64_t look(const Bytes *bytes, const Ranges *alive, int64_t size) {
    int64_t best = -1, width = BYTES + 1, from = 0;
    for (int64_t at = 0; at < BYTES; at++) {
        if (!taken_at_some_time(bytes, alive, (uint32_t)at)) continue;
        if (at - from >= size && at - from < width) best = from, width = at - from;
        from = at + 1;
    }
    return best >= 0 ? best : from;
}

static void take(Bytes *bytes, const Ranges *alive, int64_t start, int64_t end) {
    for (uint32_t i = 0; i < alive->count; i++)
        for (uint32_t time = alive->at[i].start; time < alive->at[i].end; time++)
            for (int64_t at = start; at < end; at++) bytes->taken[time][at] = true;
}

Test(room, finds_the_smallest_gap) {
    for (uint32_t seed = 0; seed < 50; seed++) {
        Arena *arena = arena_new();
        Tenants *tenants[TENSORS];
        uint32_t random = seed;
        for (uint32_t i = 0; i < TENSORS; i++) {
            tenants[i] = ARENA_NEW(arena, Tenants);
            for (uint32_t k = 1 + next(&random, 2); k > 0; k--) {
                uint32_t start = next(&random, TIMES - 1), longest = next(&random, 4) ? 6 : TIMES;
                uint32_t end = start + 1 + next(&random, longest);
                ranges_add(arena, &tenants[i]->alive, (Range){start, end < TIMES ? end : TIMES});
            }
        }
        Room *room = room_new(arena, TENSORS, tenants);
        Bytes *bytes = ARENA_NEW(arena, Bytes);
        for (uint32_t i = 0; i < TENSORS; i++) {
            int64_t size = 1 + next(&random, 12);
            int64_t start = room_find(room, &tenants[i]->alive, size);
            cr_assert_eq(start, look(bytes, &tenants[i]->alive, size));
            if (start + size > BYTES) break;
            room_take(room, &tenants[i]->alive, start, start + size);
            take(bytes, &tenants[i]->alive, start, start + size);
        }
        arena_free(arena);
    }
}
