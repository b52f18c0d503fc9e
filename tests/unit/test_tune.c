/* Tune files, and that whatever schedule is accepted computes the right product. */
#include "codegen/contract_key.h"
#include "codegen/contract_product.h"
#include "codegen/tune.h"
#include "codegen/tune_table.h"
#include "product_check.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- text */
Test(tune, keys_are_text_and_back) {
    static const char *const good[] = {"f32 m64:784:0 n128:0:1 k784:1:128", "bf16", "f64 k?:-1:?",
                                       "f32 b0:-16:5 b3:1:1 m?:?:0"};
    static const char *const bad[] = {"",
                                      "f31",
                                      "f32 x3:1:1",
                                      "f32 m3:1",
                                      "f32 m3:1:",
                                      "f32 m-3:1:1",
                                      "f32 m3:1:1:1",
                                      "f32 m99999999999999999999:1:1",
                                      "f32 m3:+1:1",
                                      "f32 m",
                                      "f32 m3:1:1x"};
    Arena *arena = arena_new();
    ContractKey key;
    for (uint32_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert(contract_key_parse(good[i], strlen(good[i]), &key), "%s", good[i]);
        cr_expect_str_eq(contract_key_text(&key, arena), good[i]);
    }
    for (uint32_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(contract_key_parse(bad[i], strlen(bad[i]), &key), "%s", bad[i]);
    arena_free(arena);
}

static const char *read_schedule(const char *text, ContractSchedule *out, Arena *arena) {
    return contract_schedule_parse(text, strlen(text), out, arena);
}

Test(tune, schedules_are_text_and_back) {
    Arena *arena = arena_new();
    ContractSchedule plan, again;
    char *text = NULL;
    size_t length = 0;
    cr_assert_null(read_schedule("  rows=6 exchanged   vectors=4 lanes=16 chunk_rows=1000000", &plan, arena));
    cr_expect(plan.rows == 6 && plan.exchanged && plan.vectors == 4 && plan.chunk_rows == 1000000);
    FILE *out = open_memstream(&text, &length);
    contract_schedule_print(out, &plan);
    fclose(out);
    cr_expect_str_eq(text, "exchanged lanes=16 rows=6 vectors=4 chunk_rows=1000000");
    cr_expect_null(read_schedule(text, &again, arena));
    cr_expect(schedule_equal(&plan, &again));
    cr_expect_str_eq(read_schedule("rows=17", &plan, arena), "`rows` is a number from 0 to 16");
    cr_expect_str_eq(read_schedule("rows", &plan, arena), "`rows` is a number from 0 to 16");
    cr_expect_str_eq(read_schedule("rows=3x", &plan, arena), "`rows` is a number from 0 to 16");
    cr_expect_str_eq(read_schedule("pack_a=1", &plan, arena), "`pack_a` takes no value");
    cr_expect_str_eq(read_schedule("speed=9", &plan, arena), "there is no `speed` in a schedule");
    free(text);
    arena_free(arena);
}

/* --- files */
static TuneTable *read_file(const char *text, char **complaints, Arena *arena) {
    Sources *sources = sources_new(arena);
    Diagnostics *diags = diagnostics_new(arena, sources);
    size_t length = 0;
    uint32_t source = sources_add(sources, "x.tune", text, (uint32_t)strlen(text));
    TuneTable *table = tune_read(sources, source, diags, arena);
    FILE *out = open_memstream(complaints, &length);
    diagnostics_render(diags, RENDER_SHORT, false, out);
    fclose(out);
    cr_expect(diagnostics_errors(diags) == 0);
    return table;
}

Test(tune, files_are_read_as_far_as_they_are_understood) {
    static const char text[] = "# a comment\n\n"
                               "cpu/512 f32 m3:1:0 = rows=3 # so\r\n"
                               "cpu/512 f32 m3:1:0\n"
                               "cpu/512 f32 m3:1 = rows=3\n"
                               "  cpu/256 f32 m3:1:0   = rows=2\n"
                               "cpu/512 f32 m3:1:0 = rows=x\n"
                               "=\n = \n\x01\xff\n"
                               "cpu/512 f64 = pack_b";
    Arena *arena = arena_new();
    char *complaints = NULL;
    TuneTable *table = read_file(text, &complaints, arena);
    cr_expect_eq(table->lines.count, 3, "%u", table->lines.count);
    cr_expect_eq(tune_find(table, "cpu/512", "f32 m3:1:0")->rows, 3);
    cr_expect(tune_find(table, "cpu/512", "f64")->pack_b);
    cr_expect_eq(tune_find(table, "cpu/256", "f32 m3:1:0")->rows, 2);
    cr_expect_null(tune_find(table, "cpu/128", "f64"));
    cr_expect_null(tune_find(table, "cpu/512", "f32"));
    cr_expect_null(tune_find(NULL, "cpu/512", "f32"));
    cr_expect_not_null(strstr(complaints, "x.tune:4:1: "), "%s", complaints);
    cr_expect_not_null(strstr(complaints, "x.tune:5:9: "), "%s", complaints);
    cr_expect_not_null(strstr(complaints, "x.tune:7:22: "), "%s", complaints);
    cr_expect_not_null(strstr(complaints, "`rows` is a number from 0 to 16"), "%s", complaints);
    free(complaints);
    arena_free(arena);
}

/* --- schedules: what is accepted computes the right product, what is measured is accepted */
static uint32_t next_random(uint32_t *state) { return (*state = *state * 1664525U + 1013904223U) >> 8; }

/* Compiles the product by the plan, as a tune file would have it, and checks it. */
static void check_plan(const ProductCase *c, const char *product, const ContractSchedule *plan) {
    Jit jit;
    jit_open(&jit, 0, NULL);
    product_prescribe(&jit, product, plan);
    ContractShape shapes[2];
    ProductUse use;
    product_examine(&jit, c, shapes, &use);
    cr_assert(schedule_equal(&use.plan, plan), "%s is not computed as it should be", product);
    product_emit(&jit, c, true);
    jit_load(&jit, NULL);
    product_check(&jit, c);
    jit_close(&jit);
}

static ContractSchedule random_schedule(const ContractShape *shape, const ContractSchedule *model,
                                        uint32_t *random) {
    ContractSchedule plan = {.exchanged = shape->exchanged, .lanes = model->lanes};
    uint32_t form = next_random(random) % 4, panel;
    plan.rows = 1 + next_random(random) % 12, plan.vectors = 1 + next_random(random) % 5;
    panel = plan.vectors * plan.lanes;
    plan.pack_b = next_random(random) % 2;
    if (form == 0) {
        plan.dot_lanes = 64 / shape->bytes, plan.dot_columns = 1U << next_random(random) % 4;
        plan.rows = 1 + next_random(random) % 8, plan.dot_unroll = 1U << next_random(random) % 3;
    } else {
        plan.pack_a = next_random(random) % 2, plan.transposed = form == 1;
        plan.row_run = plan.transposed ? shape->row_run : 0;
        plan.ahead_a = next_random(random) % 2, plan.ahead_b = next_random(random) % 2 * 4;
    }
    if (next_random(random) % 3 == 0) plan.depth_block = 16 * (1 + next_random(random) % 3);
    if (next_random(random) % 3 == 0) plan.column_block = panel * (1 + next_random(random) % 3);
    if (next_random(random) % 3 == 0) plan.chunk_rows = 1 + next_random(random) % 40;
    if (next_random(random) % 3 == 0) plan.chunk_columns = plan.lanes * (1 + next_random(random) % 3);
    if (next_random(random) % 3 == 0) plan.chunk_outer = 1 + next_random(random) % 2;
    plan.ahead_depth = next_random(random) % 2 * 3;
    plan.ahead_panel = next_random(random) % 2 * (2U << next_random(random) % 3);
    plan.outer_first = next_random(random) % 2, plan.columns_first = next_random(random) % 2;
    return plan;
}

static void check_random(const ProductCase *c, uint32_t *random) {
    Jit jit;
    ContractShape shapes[2];
    ProductUse use;
    jit_open(&jit, 0, NULL);
    product_examine(&jit, c, shapes, &use);
    for (uint32_t i = 0, checked = 0; i < 400 && checked < 6; i++) {
        const ContractShape *shape = &shapes[i % 2];
        ContractSchedule model = contract_schedule(&jit.emit.target, shape);
        ContractSchedule plan = random_schedule(shape, &model, random);
        if (!schedule_fits(&jit.emit.target, shape, &plan)) continue;
        check_plan(c, use.text, &plan);
        checked++;
    }
    for (uint32_t way = 0; way < 2; way++) {
        ContractSchedule small = contract_schedule_small(&jit.emit.target, &shapes[way]);
        cr_expect(small.rows == 1 && small.vectors == 1 && small.depth_block == 0);
        check_plan(c, use.text, &small);
    }
    jit_close(&jit);
}

Test(tune, any_schedule_that_fits_is_right) {
    static const DType dtypes[] = {DTYPE_f32, DTYPE_f64, DTYPE_bf16, DTYPE_i32};
    static const int64_t size[][4] = {{1, 33, 70, 50}, {3, 20, 17, 33}, {1, 70, 10, 64}, {2, 5, 100, 130},
                                      {1, 1, 90, 40},  {1, 40, 1, 40},  {1, 64, 64, 16}};
    uint32_t random = 7;
    for (uint32_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t layout = 0; layout < 8; layout++) {
            ProductCase c = product_case(dtypes[(i + layout) % 4], size[i][0], size[i][1], size[i][2],
                                         size[i][3], layout & 1, layout & 2);
            if (layout & 4) c.axis[1 + next_random(&random) % 3].run_time = true;
            check_random(&c, &random);
        }
}

Test(tune, candidates_fit_and_are_right) {
    Jit jit;
    ContractShape shapes[2];
    ProductUse use;
    ContractSchedule plans[MAX_CANDIDATES];
    ProductCase c = product_case(DTYPE_f32, 2, 70, 40, 300, true, false);
    jit_open(&jit, 0, NULL);
    product_examine(&jit, &c, shapes, &use);
    for (uint32_t way = 0; way < 2; way++)
        for (Variation v = 0; v < VARY_COUNT; v++) {
            ContractSchedule model = contract_schedule(&jit.emit.target, &shapes[way]);
            model.exchanged = shapes[way].exchanged;
            uint32_t count = schedule_candidates(&jit.emit.target, &shapes[way], &model, v, plans);
            cr_expect(count >= 1 && schedule_equal(&plans[0], &model));
            for (uint32_t i = 1; i < count; i++) check_plan(&c, use.text, &plans[i]);
        }
    jit_close(&jit);
}
