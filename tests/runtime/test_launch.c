/* nn_launch and nn_describe: scripts and sums over slots, as nnrt.h describes them. */
#include "child.h"
#include "runtime/rt.h"
#include <criterion/criterion.h>

typedef struct {
    int64_t calls, chunks, args[3];
} Seen;

static int64_t sum(int64_t slot, int64_t constant, int64_t products) {
    return (int64_t)((uint64_t)constant << 24) + slot * 16 + products;
}

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
    const int64_t sums[] = {
        sum(0, 0, 0), sum(0, sizeof(Seen), 0), sum(2, -4, 2), /* 1000003 - 4 + 21 - 5000 */
        sum(1, 3, 0), sum(3, 1000, 0),         sum(3, far, 0), sum(3, -far, 1), sum(1, -far, 0)};
    const uint8_t script[] = {3 + 1, 2, 2 * 1 + 1, 1, 2,    /* two */
                              3 + 0, 3, 2 * 1,     0, 5, 6, /* three */
                              0};
    void *args[3];
    nn_launch(&rt, &(nn_tables){kernels, sums, NULL}, script, slots, args);
    cr_assert_eq(seen[1].chunks, 7);
    cr_assert_eq(seen[1].args[0], 995020);
    cr_assert_eq(seen[0].calls, 1);
    cr_assert_eq(seen[0].args[1], far - 5);
    cr_assert_eq(seen[0].args[2], -5 - 8 * far);
}

Test(launch, copies) {
    static nn_rt rt = {.threads = 1};
    char text[400] = "0123456789";
    text[300] = 'x';
    const int64_t slots[] = {(intptr_t)text, 3};
    const int64_t sums[300] = {[299] = sum(0, 300, 0), [0] = sum(0, 0, 0), [1] = sum(0, 5, 0)};
    const uint8_t script[] = {1, 2 * 1 + 1, 1, 0, 1, 2 * 1, (299 & 127) + 128, 299 >> 7, 0, 0};
    nn_launch(&rt, &(nn_tables){NULL, sums, NULL}, script, slots, NULL);
    cr_assert_str_eq(text, "0123401289");
    cr_assert_eq(text[300], '0');
}

static const struct {
    nn_check check[2];
    char file[5], text[9], name[2];
} checks = {.check = {{0}, {.file = 40, .line = 12, .column = 3, .text = 45, .name = 54}},
            .file = "a.nn",
            .text = "{} fails",
            .name = "x"};

static void check(nn_rt *rt, bool second) {
    const bool holds[2] = {true, second};
    const int64_t slots[] = {(intptr_t)holds};
    const int64_t sums[] = {sum(0, 0, 0), sum(0, 1, 0)};
    const uint8_t script[] = {2, 0, 0, 2, 1, 1, 0};
    nn_launch(rt, &(nn_tables){NULL, sums, checks.check}, script, slots, NULL);
}

static void holding(nn_rt *rt, const nn_arg *args) { (void)args, check(rt, true); }
static void failing(nn_rt *rt, const nn_arg *args) { (void)args, check(rt, false); }

Test(launch, checks) {
    expect(holding, 0, "", "");
    expect(failing, 1, "", "error: a.nn:12:3: x fails\n");
}

Test(launch, described_tensors) {
    static const struct {
        nn_pattern pattern[2];
        char name[2];
    } constants = {
        .pattern = {{.name = sizeof constants.pattern, .data = 0, .shape = 3 << 8 | NN_F32 << 4 | 2},
                    {.data = 1, .shape = NN_I64 << 4}},
        .name = "a"};
    float data[8];
    const int64_t slots[] = {(intptr_t)data, 2};
    const int64_t sums[] = {sum(0, 8, 0), sum(0, 0, 1), sum(1, 8, 0), 2, 2};
    nn_tensor out[2];
    nn_describe(out, constants.pattern, 2, sums, slots);
    cr_assert_eq(out[0].data, data + 2);
    cr_assert_eq(out[0].dims, sums + 3);
    cr_assert_eq(out[0].rank, 2);
    cr_assert_eq(out[0].dtype, NN_F32);
    cr_assert_str_eq(out[0].name, "a");
    cr_assert_eq(out[1].data, data + 4);
    cr_assert_null(out[1].name);
    cr_assert_null(out[1].dims);
    cr_assert_eq(out[1].dtype, NN_I64);
}
