/* Random numbers of the runtime: shuffles only; those of programs are generated code. */
#include "rt_random.h"

__extension__ typedef unsigned __int128 uint128;

static uint32_t rotate(uint32_t x, unsigned by) { return x << by | x >> (32 - by); }

static const uint8_t rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};

uint64_t rt_threefry(uint64_t key, uint64_t counter) {
    uint32_t k[3] = {(uint32_t)key, (uint32_t)(key >> 32), 0};
    k[2] = 0x1bd11bda ^ k[0] ^ k[1]; /* Skein's parity constant */
    uint32_t a = (uint32_t)counter + k[0], b = (uint32_t)(counter >> 32) + k[1];
    for (uint32_t round = 0; round < 20; round++) {
        a += b;
        b = rotate(b, rotations[round % 8]) ^ a;
        if (round % 4 != 3) continue;
        uint32_t step = round / 4 + 1;
        a += k[step % 3];
        b += k[(step + 1) % 3] + step;
    }
    return (uint64_t)b << 32 | a;
}

/* A number below `bound`, each equally likely. */
static uint64_t draw_below(uint64_t key, uint64_t *number, uint64_t bound) {
    uint64_t least = (0 - bound) % bound; /* the low words below it belong to the favoured results */
    for (;;) {
        uint128 product = (uint128)rt_threefry(key, (*number)++) * bound;
        if ((uint64_t)product >= least) return (uint64_t)(product >> 64);
    }
}

void rt_permutation(int64_t seed, int64_t stream, int64_t count, int64_t *order) {
    uint64_t key = rt_threefry((uint64_t)seed, (uint64_t)stream), number = 0;
    for (int64_t i = 0; i < count; i++) order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)draw_below(key, &number, (uint64_t)i + 1);
        int64_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}

int64_t rt_draw(int64_t seed, int64_t stream, int64_t i, int64_t count) {
    uint64_t key = rt_threefry(rt_threefry((uint64_t)seed, (uint64_t)stream), (uint64_t)i), number = 0;
    return (int64_t)draw_below(key, &number, (uint64_t)count);
}
