/* simplify and hoist change no result; what they find is in tests/ir. */
#include "tests/unit/session.h"
#include <criterion/criterion.h>
#include <math.h>

/* Equal up to what another order of a sum may change. */
static bool close_to(double x, double y) {
    if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
    return x == y || fabs(x - y) <= 1e-9 * (fabs(x) + fabs(y) + 1e-3);
}

static void compare(const Tensor *x, const Tensor *y, uint64_t seed, const char *passes) {
    cr_assert(x->count == y->count && x->dtype == y->dtype);
    for (int64_t k = 0; k < x->count; k++) {
        if (x->f)
            cr_assert(close_to(x->f[k], y->f[k]), "seed %lu, %s: %g became %g", seed, passes, x->f[k],
                      y->f[k]);
        if (x->i)
            cr_assert(x->i[k] == y->i[k], "seed %lu, %s: %ld became %ld", seed, passes, x->i[k], y->i[k]);
    }
}

static void check_seed(uint64_t seed, const char *passes) {
    Session s = session_new();
    Tensor *arguments;
    Graph *graph = random_graph(&s, seed, &arguments);
    const Function *f = graph->functions.at[0];
    graph_renumber(graph);
    session_run(&s, graph, ""); /* nothing but what verifies */
    InterpretResult before = interpret(f, f->params.count, arguments, NULL, false, s.arena);
    session_run(&s, graph, passes);
    InterpretResult after = interpret(f, f->params.count, arguments, NULL, false, s.arena);
    cr_assert(before.ok && after.ok, "seed %lu: %s", seed, before.ok ? after.message : before.message);
    for (uint32_t i = 0; i < before.count; i++) compare(&before.results[i], &after.results[i], seed, passes);
    session_free(&s);
}

Test(simplify, random_programs, .timeout = 120) {
    for (uint64_t seed = 0; seed < 10000; seed++) check_seed(seed, "simplify");
}

Test(hoist, random_programs, .timeout = 120) {
    for (uint64_t seed = 0; seed < 3000; seed++) check_seed(seed, "hoist");
    for (uint64_t seed = 0; seed < 1000; seed++) check_seed(seed, "simplify,hoist,simplify");
}

/* --- exactness */
static Graph *simplified(Session *s, const char *params, const char *body) {
    Graph *graph = session_function(s, params, body);
    session_run(s, graph, "simplify");
    return graph;
}

Test(simplify, keeps_float_additions_of_zero) {
    Session s = session_new();
    Graph *graph = simplified(&s, "%0: f32 as \"x\"",
                              "%1: f32 = const dims=[] dtype=f32 value=0 %2: f32 = add(%0, %1) yield(%2)");
    cr_expect(session_count(graph, OP_add) == 1, "-0 + 0 is +0");
    graph = simplified(&s, "%0: f32 as \"x\"",
                       "%1: f32 = const dims=[] dtype=f32 value=-0 %2: f32 = add(%0, %1) yield(%2)");
    cr_expect(session_count(graph, OP_add) == 0);
    session_free(&s);
}

Test(simplify, keeps_float_products_with_zero) {
    Session s = session_new();
    Graph *graph = simplified(&s, "%0: f32 as \"x\"",
                              "%1: f32 = const dims=[] dtype=f32 value=0 %2: f32 = mul(%0, %1) yield(%2)");
    cr_expect(session_count(graph, OP_mul) == 1, "of NaN and infinities it is NaN");
    session_free(&s);
}

Test(simplify, divides_by_multiplying_only_where_that_is_exact) {
    Session s = session_new();
    Graph *graph = simplified(&s, "%0: f32 as \"x\"",
                              "%1: f32 = const dims=[] dtype=f32 value=8 %2: f32 = div(%0, %1) yield(%2)");
    cr_expect(session_count(graph, OP_mul) == 1);
    graph = simplified(&s, "%0: f32 as \"x\"",
                       "%1: f32 = const dims=[] dtype=f32 value=10 %2: f32 = div(%0, %1) yield(%2)");
    cr_expect(session_count(graph, OP_div) == 1);
    graph = simplified(
        &s, "%0: f16 as \"x\"",
        "%1: f16 = const dims=[] dtype=f16 value=3.0517578125e-05 %2: f16 = div(%0, %1) yield(%2)");
    cr_expect(session_count(graph, OP_div) == 1, "2^15 is a f16, but its reciprocal is no normal one");
    session_free(&s);
}

Test(simplify, integers_wrap_and_floats_saturate) {
    Session s = session_new();
    Graph *graph = simplified(&s, "%0: i8 as \"x\"",
                              "%1: f32 = cast(%0) dtype=f32 %2: u8 = cast(%1) dtype=u8 yield(%2)");
    cr_expect(session_count(graph, OP_cast) == 2, "-1 becomes 0 this way, and 255 directly");
    graph = simplified(&s, "%0: i8 as \"x\"",
                       "%1: f32 = cast(%0) dtype=f32 %2: i16 = cast(%1) dtype=i16 yield(%2)");
    cr_expect(session_count(graph, OP_cast) == 1);
    session_free(&s);
}

Test(simplify, effects_stay) {
    Session s = session_new();
    Graph *graph = simplified(&s, "%0: f32 as \"x\"", "print(%0) text=\"{}\" print(%0) text=\"{}\" yield");
    cr_expect(session_count(graph, OP_print) == 2);
    session_free(&s);
}
