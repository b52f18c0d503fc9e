/* Transpositions and sums across lanes, by shuffles that stay within 128 bits and by shuffles of whole
 * 128-bit blocks: one instruction each on every vector unit that we know. */
#include "codegen/transpose.h"
#include "codegen/vector.h"
#include <assert.h>

enum { MAX_LANES = VECTOR_MAX_LANES };

/* Lanes of a 128-bit block. */
static uint32_t block_lanes(Emit *e, LLVMValueRef vector, uint32_t lanes) {
    uint32_t block = 16 / (uint32_t)LLVMABISizeOfType(e->layout, vector_element(LLVMTypeOf(vector)));
    return block < lanes ? block : lanes;
}

static LLVMValueRef shuffle(Emit *e, LLVMValueRef a, LLVMValueRef b, const uint32_t *from, uint32_t lanes) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    LLVMValueRef mask[MAX_LANES];
    for (uint32_t i = 0; i < lanes; i++) mask[i] = LLVMConstInt(i32, from[i], false);
    return LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(mask, lanes), "");
}

/* Within each block of `block` lanes: units of `unit` lanes from a and b in turn, from the lower or upper
 * half of both. */
static LLVMValueRef interleave(Emit *e, LLVMValueRef a, LLVMValueRef b, uint32_t lanes, uint32_t block,
                               uint32_t unit, uint32_t upper) {
    uint32_t from[MAX_LANES];
    for (uint32_t i = 0; i < lanes; i++) {
        uint32_t within = i % block, pair = within / (2 * unit), place = within % (2 * unit);
        uint32_t source = i / block * block + upper * block / 2 + pair * unit + place % unit;
        from[i] = source + (place >= unit ? lanes : 0);
    }
    return shuffle(e, a, b, from, lanes);
}

/* Transposes the block × block squares of blocks that lie above each other, among each run of `block` of
 * `count` rows: afterwards row i of a run holds element i of each of the run's rows, block by block. */
static void transpose_blocks(Emit *e, LLVMValueRef *row, uint32_t count, uint32_t lanes, uint32_t block) {
    for (uint32_t unit = 1; unit < block; unit *= 2)
        for (uint32_t base = 0; base < count; base += 2 * unit) {
            LLVMValueRef old[MAX_LANES];
            for (uint32_t i = 0; i < 2 * unit; i++) old[i] = row[base + i];
            for (uint32_t i = 0; i < unit; i++) {
                row[base + 2 * i] = interleave(e, old[i], old[i + unit], lanes, block, unit, 0);
                row[base + 2 * i + 1] = interleave(e, old[i], old[i + unit], lanes, block, unit, 1);
            }
        }
}

/* Even (odd) blocks of a, then those of b. */
static LLVMValueRef every_second(Emit *e, LLVMValueRef a, LLVMValueRef b, uint32_t lanes, uint32_t block,
                                 uint32_t odd) {
    uint32_t from[MAX_LANES], half = lanes / 2;
    for (uint32_t i = 0; i < lanes; i++) {
        uint32_t within = i % half;
        from[i] = (within / block * 2 + odd) * block + within % block + (i >= half ? lanes : 0);
    }
    return shuffle(e, a, b, from, lanes);
}

/* Gathers block number n of the given vectors, taken `stride` rows apart, into one vector. */
static LLVMValueRef collect(Emit *e, const LLVMValueRef *row, uint32_t stride, uint32_t count, uint32_t lanes,
                            uint32_t block, uint32_t n) {
    LLVMValueRef part[MAX_LANES];
    for (uint32_t i = 0; i < count; i++) part[i] = row[i * stride];
    for (; count > 1; count /= 2, n /= 2)
        for (uint32_t i = 0; i < count / 2; i++)
            part[i] = every_second(e, part[2 * i], part[2 * i + 1], lanes, block, n % 2);
    return part[0];
}

void transpose_lanes(Emit *e, LLVMValueRef *row, uint32_t lanes) {
    uint32_t block = block_lanes(e, row[0], lanes);
    LLVMValueRef old[MAX_LANES];
    assert(lanes <= MAX_LANES);
    transpose_blocks(e, row, lanes, lanes, block);
    for (uint32_t i = 0; i < lanes; i++) old[i] = row[i];
    for (uint32_t i = 0; i < lanes; i++)
        row[i] = collect(e, old + i % block, block, lanes / block, lanes, block, i / block);
}

/* Two vectors, one behind the other. */
static LLVMValueRef join(Emit *e, LLVMValueRef low, LLVMValueRef high, uint32_t lanes) {
    uint32_t from[MAX_LANES];
    for (uint32_t i = 0; i < lanes; i++) from[i] = i;
    return shuffle(e, low, high, from, lanes);
}

/* Columns `from` … of all rows, as many as half a vector holds. Row r and the row a block below it share a
 * vector: blocks are then in the order in which collect takes them. */
static void transpose_half(Emit *e, TransposeLoad *load, void *user, LLVMValueRef *column, uint32_t from,
                           uint32_t count, uint32_t lanes, uint32_t block) {
    LLVMValueRef row[MAX_LANES];
    uint32_t half = lanes / 2;
    for (uint32_t i = 0; i < half; i++) {
        uint32_t r = i / block * 2 * block + i % block;
        LLVMValueRef low = load(e, r, from, count, half, user);
        row[i] = join(e, low, load(e, r + block, from, count, half, user), lanes);
    }
    transpose_blocks(e, row, half, lanes, block);
    for (uint32_t i = 0; i < count; i++)
        column[i] = collect(e, row + i % block, block, half / block, lanes, block, i / block);
}

void transpose_rows(Emit *e, TransposeLoad *load, void *user, LLVMValueRef *column, uint32_t lanes,
                    uint32_t columns, uint32_t bytes) {
    uint32_t block = 16 / bytes, half = lanes / 2;
    assert(columns >= 1 && columns <= lanes && lanes <= MAX_LANES && lanes <= 4 * block);
    if (lanes <= block) {
        for (uint32_t i = 0; i < lanes; i++) column[i] = load(e, i, 0, columns, lanes, user);
        transpose_lanes(e, column, lanes);
        return;
    }
    uint32_t first = columns < half ? columns : half, second = columns - first;
    transpose_half(e, load, user, column, 0, first, lanes, block);
    /* The second half may overlap the first: so nothing needs a mask. */
    if (second) transpose_half(e, load, user, column + columns - half, columns - half, half, lanes, block);
}

/* Each lane of the result is a sum of two lanes of a, or of b: a first. */
static LLVMValueRef add_halves(Emit *e, LLVMValueRef a, LLVMValueRef b, uint32_t lanes, uint32_t block,
                               uint32_t unit) {
    if (unit < block)
        return vector_add(e, interleave(e, a, b, lanes, block, unit, 0),
                          interleave(e, a, b, lanes, block, unit, 1));
    return vector_add(e, every_second(e, a, b, lanes, block, 0), every_second(e, a, b, lanes, block, 1));
}

LLVMValueRef transpose_sums(Emit *e, const LLVMValueRef *vector, uint32_t count) {
    LLVMValueRef sum[MAX_LANES];
    uint32_t lanes = vector_lanes(LLVMTypeOf(vector[0]));
    assert(count >= 1 && count <= lanes && lanes <= MAX_LANES);
    if (lanes == 1) return vector[0];
    uint32_t block = block_lanes(e, vector[0], lanes);
    for (uint32_t i = 0; i < count; i++) sum[i] = vector[i];
    for (uint32_t unit = 1; unit < lanes; unit *= 2) {
        uint32_t pairs = (count + 1) / 2;
        for (uint32_t i = 0; i < pairs; i++) {
            LLVMValueRef second = sum[2 * i + 1 < count ? 2 * i + 1 : 2 * i];
            sum[i] = add_halves(e, sum[2 * i], second, lanes, block, unit);
        }
        count = pairs;
    }
    return sum[0];
}
