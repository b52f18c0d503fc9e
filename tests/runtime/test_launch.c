/* nn_launch and nn_describe: sums over slots, as nnrt.h describes them. */
#include "runtime/rt.h"
#include <criterion/criterion.h>

typedef struct {
    int64_t calls, chunks, args[3];
} Seen;

static int64_t sum(int64_t slot, int64_t constant, int64_t products) {
    return (int64_t)((uint64_t)constant << 24) + slot * 16 + products;
}

static int64_t call(int64_t kernel, int64_t arguments) { return kernel + (arguments << 32); }

static void two(nn_rt *rt, void *const *args, int64_t chunk) {
    (void)rt, (void)chunk;
    Seen *seen = args[0];
    seen->chunks++;
    seen->args[0] = (intptr_t)args[1];
}

static void three(nn_rt *rt, void *const *args, int64_t chunk) {
    (void)rt, (void)chunk;
    Seen *seen = args[0];
    seen->calls++;
    seen->args[1] = (intptr_t)args[1];
    seen->args[2] = (intptr_t)args[2];
}

Test(launch, calls_in_order) {
    static nn_rt rt = {.threads = 1};
    Seen seen[2] = {{0}, {0}};
    nn_kernel *const kernels[] = {three, two};
    const int64_t slots[] = {(intptr_t)seen, 7, 1000003, -5};
    const int64_t far = (INT64_C(1) << 39) - 1;
    const int64_t words[] = {call(1, 2),
                             ~INT64_C(1),
                             sum(0, sizeof(Seen), 0),
                             sum(2, -4, 2),
                             sum(1, 3, 0),
                             sum(3, 1000, 0), /* 1000003 - 4 + 21 - 5000 */
                             call(0, 3),
                             1,
                             sum(0, 0, 0),
                             sum(3, far, 0),
                             sum(3, -far, 1),
                             sum(1, -far, 0)};
    void *args[3];
    nn_launch(&rt, kernels, 2, words, slots, args);
    cr_assert_eq(seen[1].chunks, 7);
    cr_assert_eq(seen[1].args[0], 995020);
    cr_assert_eq(seen[0].calls, 1);
    cr_assert_eq(seen[0].args[1], far - 5);
    cr_assert_eq(seen[0].args[2], -5 - 8 * far);
}

Test(launch, described_tensors) {
    static const struct {
        nn_pattern pattern[2];
        int64_t dims[2];
        char name[2];
    } constants = {.pattern = {{.name = 48, .dims = 32, .dtype = NN_F32, .rank = 2}, {.dtype = NN_I64}},
                   .dims = {2, 2},
                   .name = "a"};
    float data[8];
    const int64_t slots[] = {(intptr_t)data, 2};
    const int64_t words[] = {sum(0, 8, 0), sum(0, 0, 1), sum(1, 8, 0)};
    nn_tensor out[2];
    nn_describe(out, constants.pattern, 2, words, slots);
    cr_assert_eq(out[0].data, data + 2);
    cr_assert_eq(out[0].dims, constants.dims);
    cr_assert_str_eq(out[0].name, "a");
    cr_assert_eq(out[1].data, data + 4);
    cr_assert_null(out[1].name);
    cr_assert_null(out[1].dims);
    cr_assert_eq(out[1].dtype, NN_I64);
}
