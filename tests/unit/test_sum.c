/* Windows of a product, added up, without windows: the sum that simplify makes of it has the same elements,
 * for every stride, dilation and size of the windows, whatever of it is sliced and padded, sizes known or
 * not. */
#include "tests/unit/session.h"
#include <criterion/criterion.h>

typedef struct {
    int64_t stride, dilation, size, windows, rest; /* the elements behind the last window */
    int64_t start, end, before, behind;            /* sliced off the padded sum; zeros around it */
    bool known;                                    /* are sizes constants? */
} Case;

static int64_t whole_of(const Case *c) {
    return (c->windows - 1) * c->stride + (c->size - 1) * c->dilation + 1 + c->rest;
}

/* A size of the case, N being the whole: N + `more`. */
static const char *size_text(Session *s, const Case *c, int64_t more) {
    if (c->known) return arena_printf(s->arena, "%ld", whole_of(c) + more);
    return more ? arena_printf(s->arena, "N %c %ld", more < 0 ? '-' : '+', more < 0 ? -more : more) : "N";
}

static Graph *sum_of(Session *s, const Case *c) {
    const char *windows = arena_printf(s->arena, "%ld", c->windows);
    if (!c->known)
        windows = arena_printf(s->arena, "(N - %ld)//%ld + 1", (c->size - 1) * c->dilation + 1, c->stride);
    const char *whole = size_text(s, c, 0), *padded = size_text(s, c, c->before + c->behind),
               *part = size_text(s, c, c->before + c->behind - c->start - c->end);
    return session_function(
        s,
        arena_printf(s->arena,
                     "%%2: f64[%s] as \"n\", %%0: f64[2, 3, %s] as \"g\", %%1: f64[3, %ld] as \"w\"", whole,
                     windows, c->size),
        arena_printf(s->arena,
                     "%%3: f64[2, %s, %ld] = contract(%%0, %%1) spec=\"boi,ok->bik\" "
                     "%%4: f64[2, %s] = window_add(%%3) axis=1 size=%s stride=%ld dilation=%ld "
                     "%%5: f64 = const dims=[] dtype=f64 value=0 "
                     "%%6: f64[2, %s] = pad(%%4, %%5) low=[0, %ld] high=[0, %ld] interior=[0, 0] "
                     "%%7: f64[2, %s] = slice(%%6) start=[0, %ld] dims=[2, %s] step=[1, 1] yield(%%7)",
                     windows, c->size, whole, whole, c->stride, c->dilation, padded, c->before, c->behind,
                     part, c->start, part));
}

static Tensor numbers(Session *s, uint32_t rank, const int64_t *dims, int64_t by) {
    Tensor t = tensor_new(s->arena, DTYPE_f64, rank, dims);
    for (int64_t i = 0; i < t.count; i++) t.f[i] = (double)(i * by % 31 - 15);
    return t;
}

/* Sums of small integers: exact in any order. */
static void check_case(const Case *c) {
    Session s = session_new();
    Graph *graph = sum_of(&s, c);
    const Function *f = graph->functions.at[0];
    Tensor arguments[] = {numbers(&s, 1, (int64_t[]){whole_of(c)}, 1),
                          numbers(&s, 3, (int64_t[]){2, 3, c->windows}, 7),
                          numbers(&s, 2, (int64_t[]){3, c->size}, 11)};
    InterpretResult before = interpret(f, 3, arguments, NULL, false, s.arena);
    session_run(&s, graph, "simplify");
    InterpretResult after = interpret(f, 3, arguments, NULL, false, s.arena);
    const char *text = arena_printf(
        s.arena, "stride %ld, dilation %ld, size %ld, windows %ld, rest %ld, %ld to %ld%s", c->stride,
        c->dilation, c->size, c->windows, c->rest, c->start, c->end, c->known ? "" : ", at run time");
    cr_assert(before.ok && after.ok, "%s: %s", text, before.ok ? after.message : before.message);
    cr_assert(session_count(graph, OP_window_add) == 0, "%s: windows are added up", text);
    cr_assert(before.results[0].count == after.results[0].count);
    for (int64_t i = 0; i < before.results[0].count; i++)
        cr_assert(before.results[0].f[i] == after.results[0].f[i], "%s: element %ld is %g, not %g", text, i,
                  after.results[0].f[i], before.results[0].f[i]);
    session_free(&s);
}

static void check_parts(Case c) {
    const int64_t parts[][4] = {{0, 0, 0, 0}, {1, 1, 0, 0}, {2, 0, 0, 1},
                                {0, 1, 0, 0}, {1, 0, 2, 0}, {1, 2, 1, 3}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int known = 0; known < 2; known++) {
            c.start = parts[i][0], c.end = parts[i][1], c.before = parts[i][2], c.behind = parts[i][3];
            c.known = known;
            if (whole_of(&c) + c.before + c.behind >= c.start + c.end) check_case(&c);
        }
}

Test(sum, windows_of_a_product, .timeout = 120) {
    for (int64_t stride = 1; stride <= 4; stride++)
        for (int64_t dilation = 1; dilation <= 3; dilation++)
            for (int64_t size = 1; size <= 5; size++)
                for (int64_t windows = 1; windows <= 4; windows += 3)
                    for (int64_t rest = 0; rest < stride; rest++)
                        check_parts((Case){.stride = stride,
                                           .dilation = dilation,
                                           .size = size,
                                           .windows = windows,
                                           .rest = rest});
}

Test(sum, keeps_what_would_be_too_many_products) {
    Session s = session_new();
    Graph *graph = sum_of(&s, &(Case){.stride = 17, .dilation = 1, .size = 19, .windows = 3, .known = true});
    session_run(&s, graph, "simplify");
    cr_expect(session_count(graph, OP_window_add) == 1);
    session_free(&s);
}
