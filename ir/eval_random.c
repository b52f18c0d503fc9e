/* Evaluates random bits: Threefry-2x32-20 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3; SC
 * 2011). What is key and what is counter: ir/interpret.h. */
#include "ir/eval.h"

static uint32_t rotate(uint32_t x, uint32_t by) { return x << by | x >> (32 - by); }

void threefry2x32(const uint32_t key[2], const uint32_t counter[2], uint32_t out[2]) {
    static const uint32_t rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const uint32_t schedule[3] = {key[0], key[1], key[0] ^ key[1] ^ UINT32_C(0x1BD11BDA)};
    uint32_t x = counter[0] + schedule[0], y = counter[1] + schedule[1];
    for (uint32_t round = 0; round < 20; round++) {
        x += y;
        y = rotate(y, rotations[round % 8]) ^ x;
        if (round % 4 != 3) continue;
        uint32_t injection = round / 4 + 1;
        x += schedule[injection % 3];
        y += schedule[(injection + 1) % 3] + injection;
    }
    out[0] = x;
    out[1] = y;
}

static void words(int64_t value, uint32_t out[2]) {
    out[0] = (uint32_t)(uint64_t)value;
    out[1] = (uint32_t)((uint64_t)value >> 32);
}

bool eval_random_bits(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    uint32_t seed[2], stream[2], key[2], counter[2], bits[2];
    words(in[0].i[0], seed);
    words(in[1].i[0], stream);
    threefry2x32(seed, stream, key);
    for (int64_t k = 0; k < out->count; k++) {
        words(k, counter);
        threefry2x32(key, counter, bits);
        out->i[k] = wrap(out->dtype, bits[0]);
    }
    return true;
}
