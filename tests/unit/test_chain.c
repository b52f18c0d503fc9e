/* chain: products on the same outer axes become one kernel, with what they hand on in parts; its numbers are
 * those of its kernels, interpreted and compiled, and derivatives don't store what is cheap to make again. */
#include "gradcheck.h"
#include "ir/text.h"
#include "native.h"
#include "native_cases.h"
#include "passes/passes.h"
#include "program.h"
#include <criterion/criterion.h>
#include <string.h>

/* Softmax of masked scores, and its derivatives. */
static const char attention_inputs[] = "f32[B, 2, B, 8] f32[B, 2, 19, 8] f32[B, 2, 19, 5] f32[10, 3]";
static const char attention[] =
    "  %20: f32[B, 2, B, 19] = contract(%10, %11) spec=\"bhqd,bhkd->bhqk\"\n"
    "  %21: i64[B, 19] = iota dims=[B, 19] dtype=i64 axis=0\n"
    "  %22: i64[B, 19] = iota dims=[B, 19] dtype=i64 axis=1\n"
    "  %23: bool[B, 19] = le(%22, %21)\n"
    "  %24: bool[B, 2, B, 19] = broadcast(%23) dims=[B, 2, B, 19] axes=[2, 3]\n"
    "  %25: f32[B, 2, B, 19] = const dims=[B, 2, B, 19] dtype=f32 value=-inf\n"
    "  %26: f32[B, 2, B, 19] = select(%24, %20, %25)\n"
    "  %27: f32[B, 2, B] = reduce_max(%26) axes=[3]\n"
    "  %28: f32[B, 2, B] = stop_gradient(%27)\n"
    "  %29: f32[B, 2, B, 19] = broadcast(%28) dims=[B, 2, B, 19] axes=[0, 1, 2]\n"
    "  %30: f32[B, 2, B, 19] = sub(%26, %29)\n"
    "  %31: f32[B, 2, B, 19] = exp(%30)\n"
    "  %32: f32[B, 2, B] = reduce_sum(%31) axes=[3]\n"
    "  %33: f32[B, 2, B, 19] = broadcast(%32) dims=[B, 2, B, 19] axes=[0, 1, 2]\n"
    "  %34: f32[B, 2, B, 19] = div(%31, %33)\n"
    "  %35: f32[B, 2, B, 5] = contract(%34, %12) spec=\"bhqk,bhkd->bhqd\"\n"
    "  %37: f32[B, B, 2, 5] = permute(%35) perm=[0, 2, 1, 3]\n"
    "  %38: f32[B, B, 10] = reshape(%37) dims=[B, B, 10]\n"
    "  %36: f32[B, B, 3] = contract(%38, %13) spec=\"btw,wo->bto\"\n"
    "  %39: f32[B, B, 3] = tanh(%36)\n"
    "  %40: f32 = reduce_sum(%39) axes=[0, 1, 2]\n"
    "  %41: f32[B, 2, B, 8], %42: f32[B, 2, 19, 8], %43: f32[B, 2, 19, 5] = grad(%40, %10, %11, %12)\n";

static Graph *after(Arena *arena, const char *inputs, const char *body, const char *outputs) {
    Graph *graph = program_parse(arena, program_text(arena, inputs, body, outputs));
    cr_assert_not_null(graph);
    PassOptions options = {.verify = true, .stop_after = "chain", .out = stderr};
    cr_assert(passes_run(graph, NULL, &options, diagnostics_new(arena, sources_new(arena))));
    return graph;
}

/* --- what is chained */
typedef struct {
    Arena *arena;
    const char *kinds; /* of the kernels outside of chains, in order */
    uint32_t largest;  /* rank of what is stored with 19 elements along the last axis */
} Found;

static void note_kernel(void *user, Node *node) {
    Found *found = user;
    const Node *owner = node->block->owner;
    if (node->op != OP_kernel || (owner && owner->op == OP_kernel)) return;
    found->kinds = arena_printf(found->arena, "%s%s%s", found->kinds, *found->kinds ? " " : "",
                                node_str(node, ATTR_kind));
    for (uint32_t i = 0; i < node->result_count; i++) {
        const Type *type = node->results[i]->type;
        if (type->rank > found->largest && dim_is(type->dims[type->rank - 1], 19))
            found->largest = type->rank;
    }
}

static void expect_kernels(const char *kinds, const char *inputs, const char *body, const char *outputs) {
    Arena *arena = arena_new();
    Graph *graph = after(arena, inputs, body, outputs);
    Found found = {arena, "", 0};
    graph_walk(graph, note_kernel, &found);
    if (strcmp(found.kinds, kinds) != 0) graph_print(stderr, graph, (PrintOptions){0});
    cr_expect_str_eq(found.kinds, kinds);
    cr_expect_eq(found.largest, 0, "scores are stored");
    arena_free(arena);
}

Test(chain, attention_is_one_kernel_and_its_derivatives_another) {
    expect_kernels("chain contract contract chain", attention_inputs, attention, "%38 %41 %42 %43");
}

Test(chain, few_parts_leave_threads_without_work) {
    expect_kernels("contract contract", "f32[2, B, 19] f32[2, 19, B]",
                   "  %20: f32[2, B, B] = contract(%10, %11) spec=\"bmk,bkn->bmn\"\n"
                   "  %21: f32[2, B, 3] = slice(%20) start=[0, 0, 0] dims=[2, B, 3] step=[1, 1, 1]\n"
                   "  %22: f32[2, B, 3] = contract(%20, %21) spec=\"bnm,bnk->bmk\"\n",
                   "%22");
}

Test(chain, what_others_need_as_a_whole_ends_it) {
    /* The sum over all parts. */
    expect_kernels("chain reduce contract", "f32[B, B, 5] f32[B, 5, B]",
                   "  %20: f32[B, B, B] = contract(%10, %11) spec=\"bmk,bkn->bmn\"\n"
                   "  %21: f32[B, B, 5] = contract(%20, %10) spec=\"bmn,bnk->bmk\"\n"
                   "  %22: f32[B, 5] = reduce_sum(%21) axes=[0]\n"
                   "  %23: f32[B, B, 5] = broadcast(%22) dims=[B, B, 5] axes=[1, 2]\n"
                   "  %24: f32[B, B, B] = contract(%23, %11) spec=\"bmk,bkn->bmn\"\n",
                   "%24");
}

/* Parts are of a picture and a quarter of its rows, which another axis has behind the product. */
static const char tiles_inputs[] = "f32[2, 16, 130, 128] f32[3, 16, 16]";
static const char tiles[] = "  %20: f32[2, 16, 128, 3, 128] = window(%10) axis=2 size=3 stride=1 dilation=1\n"
                            "  %21: f32[2, 16, 128, 1, 128] = slice(%20) start=[0, 0, 0, 0, 0] "
                            "dims=[2, 16, 128, 1, 128] step=[1, 1, 1, 1, 1]\n"
                            "  %22: f32[2, 16, 128, 1, 128] = slice(%20) start=[0, 0, 0, 1, 0] "
                            "dims=[2, 16, 128, 1, 128] step=[1, 1, 1, 1, 1]\n"
                            "  %23: f32[2, 16, 128, 1, 128] = slice(%20) start=[0, 0, 0, 2, 0] "
                            "dims=[2, 16, 128, 1, 128] step=[1, 1, 1, 1, 1]\n"
                            "  %24: f32[2, 16, 128, 1, 128] = add(%21, %22)\n"
                            "  %25: f32[2, 16, 128, 1, 128] = sub(%21, %23)\n"
                            "  %26: f32[2, 16, 128, 3, 128] = concat(%24, %25, %23) axis=3\n"
                            "  %27: f32[2, 16, 128, 3, 128] = contract(%26, %11) spec=\"bchew,eco->bohew\"\n"
                            "  %28: f32[2, 16, 128, 1, 128] = slice(%27) start=[0, 0, 0, 0, 0] "
                            "dims=[2, 16, 128, 1, 128] step=[1, 1, 1, 1, 1]\n"
                            "  %29: f32[2, 16, 128, 1, 128] = slice(%27) start=[0, 0, 0, 1, 0] "
                            "dims=[2, 16, 128, 1, 128] step=[1, 1, 1, 1, 1]\n"
                            "  %30: f32[2, 16, 128, 1, 128] = slice(%27) start=[0, 0, 0, 2, 0] "
                            "dims=[2, 16, 128, 1, 128] step=[1, 1, 1, 1, 1]\n"
                            "  %31: f32[2, 16, 128, 1, 128] = mul(%28, %29)\n"
                            "  %32: f32[2, 16, 128, 1, 128] = add(%31, %30)\n"
                            "  %33: f32[2, 16, 16384] = reshape(%32) dims=[2, 16, 16384]\n"
                            "  %34: f32[2, 16, 16384] = tanh(%33)\n";

Test(chain, tiles_of_a_product_are_made_in_parts) { expect_kernels("chain", tiles_inputs, tiles, "%34"); }

Test(chain, tiles_that_others_read_are_made_as_a_whole) {
    expect_kernels("loop contract loop", tiles_inputs, tiles, "%26 %34");
}

/* Many channels from a few, then a filter for each: parts are of a picture, and of half the channels where
 * the size of a picture says that these are too many. */
#define CHANNELS(B, SIZE, PADDED, HALF)                                                                 \
    "  %20: f32[" B ", 64, " SIZE "] = contract(%10, %11) spec=\"bchw,oc->bohw\"\n"                     \
    "  %21: f32[" B ", 64, " SIZE "] = tanh(%20)\n"                                                     \
    "  %22: f32 = const dims=[] dtype=f32 value=0\n"                                                    \
    "  %23: f32[" B ", 64, " PADDED ", " PADDED "] = pad(%21, %22) low=[0, 0, 1, 1] high=[0, 0, 1, 1] " \
    "interior=[0, 0, 0, 0]\n"                                                                           \
    "  %24: f32[" B ", 64, " HALF ", 3, " PADDED "] = window(%23) axis=2 size=3 stride=2 dilation=1\n"  \
    "  %25: f32[" B ", 64, " HALF ", 3, " HALF ", 3] = window(%24) axis=4 size=3 stride=2 dilation=1\n" \
    "  %26: f32[" B ", 64, " HALF ", " HALF "] = contract(%25, %12) spec=\"bchiwj,cij->bchw\"\n"        \
    "  %27: f32[" B ", 64, " HALF ", " HALF "] = exp(%26)\n"                                            \
    "  %28: f32[" B ", 5, " HALF ", " HALF "] = contract(%27, %13) spec=\"bchw,oc->bohw\"\n"

static const char weights_inputs[] = "f32[64, 4] f32[64, 3, 3] f32[5, 64]";
static const char channels[] = CHANNELS("2", "64, 64", "66", "32");
static const char channels_of_any[] = CHANNELS("B", "32, 32", "34", "16");

static const char channels_last[] =
    "  %20: f32[2, 64, 64, 64] = contract(%10, %11) spec=\"bhwc,oc->bhwo\"\n"
    "  %21: f32[2, 62, 3, 64, 64] = window(%20) axis=1 size=3 stride=1 dilation=1\n"
    "  %22: f32[2, 62, 3, 62, 3, 64] = window(%21) axis=3 size=3 stride=1 dilation=1\n"
    "  %23: f32[2, 62, 62, 64] = contract(%22, %12) spec=\"bhiwjc,cij->bhwc\"\n"
    "  %24: f32[2, 62, 62, 5] = contract(%23, %13) spec=\"bhwc,oc->bhwo\"\n";

static const char *channels_inputs(Arena *arena, const char *picture) {
    return arena_printf(arena, "f32[%s] %s", picture, weights_inputs);
}

Test(chain, channels_for_a_filter_each_are_made_in_parts) {
    Arena *arena = arena_new();
    expect_kernels("chain contract", channels_inputs(arena, "2, 4, 64, 64"), channels, "%28");
    expect_kernels("chain contract", channels_inputs(arena, "B, 4, 32, 32"), channels_of_any, "%28");
    expect_kernels("contract contract contract", channels_inputs(arena, "B, 4, 32, 32"), channels_of_any,
                   "%21 %28");
    expect_kernels("chain contract", channels_inputs(arena, "2, 64, 64, 4"), channels_last, "%24");
    arena_free(arena);
}

/* --- numbers */
static void check(const char *name, const char *inputs, const char *body, const char *outputs) {
    const int64_t sizes[] = {0, 1, 3, 8};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int level = 0; level <= 3; level += 3) {
            Arena *arena = arena_new();
            NativeOptions options = {.optimize = level, .special = s == 2};
            const char *wrong = native_check(arena, sizes[s], inputs, body, outputs, &options);
            cr_expect_null(wrong, "%s at -O%d, B = %d: %s", name, level, (int)sizes[s], wrong);
            arena_free(arena);
        }
}

Test(chain, attention_computes_what_it_says, .timeout = 240) {
    check("attention", attention_inputs, attention, "%38 %41 %42 %43");
}

Test(chain, tiles_compute_what_they_say, .timeout = 240) {
    Arena *arena = arena_new();
    NativeOptions options = {.optimize = 3};
    const char *wrong = native_check(arena, 1, tiles_inputs, tiles, "%34", &options);
    cr_expect_null(wrong, "%s", wrong);
    arena_free(arena);
}

Test(chain, channels_compute_what_they_say, .timeout = 240) {
    Arena *arena = arena_new();
    NativeOptions options = {.optimize = 3};
    const char *wrong =
        native_check(arena, 1, channels_inputs(arena, "2, 4, 64, 64"), channels, "%28", &options);
    cr_expect_null(wrong, "channels first: %s", wrong);
    wrong = native_check(arena, 1, channels_inputs(arena, "2, 64, 64, 4"), channels_last, "%24", &options);
    cr_expect_null(wrong, "channels last: %s", wrong);
    check("channels", channels_inputs(arena, "B, 4, 32, 32"), channels_of_any, "%28");
    arena_free(arena);
}

Test(chain, chains_compute_what_they_say, .timeout = 240) {
    for (size_t i = 0; i < sizeof native_chains / sizeof *native_chains; i++) {
        const NativeCase *c = &native_chains[i];
        check(c->name, c->inputs, c->body, c->outputs);
    }
}

/* --- derivatives */
static Value *softmax(Builder *b, Value *x) {
    const int64_t axis = 2, kept[] = {0, 1};
    Value *powers = build_unary(b, OP_exp, x);
    Value *sum = build_reduce(b, OP_reduce_sum, powers, 1, &axis);
    return build_binary(b, OP_div, powers, build_broadcast(b, sum, 3, x->type->dims, kept));
}

Test(chain, derivatives_are_those_of_differences) {
    Arena *arena = arena_new();
    Case c = case_new("softmax between products", true, arena);
    Value *q = float_input(&c, -1, 1, 3, (int64_t[]){4, 2, 3}),
          *k = float_input(&c, -1, 1, 3, (int64_t[]){4, 5, 3});
    Value *shares = softmax(&c.b, build_contract(&c.b, q, k, "bmd,bnd->bmn"));
    case_check(&c, build_contract(&c.b, shares, k, "bmn,bnd->bmd"));
    arena_free(arena);
}
