/* The text form: exact round trips, and mistakes that are told and not suffered. */
#include "tests/unit/session.h"
#include <criterion/criterion.h>

static void check_round_trip(Session *s, const Graph *graph) {
    const char *text = session_text(s, graph);
    Graph *again = session_parse(s, text);
    cr_assert(again, "%s\n%s", text, session_complaints(s));
    cr_assert_str_eq(session_text(s, again), text);
}

Test(text, every_detail) {
    static const char text[] =
        "graph \"t\" doc \"a\\nb \\\"q\\\" \\x01\\\\\"\n"
        "\n"
        "command \"train\" (%0 \"n\": i64 as \"n\" = \"5\" doc \"p\", %1: f32 as \"lr\") doc \"d\" "
        "loc(\"a.nn\":1:2) "
        "{\n"
        "  symbol(%0) dim=B loc(\"a.nn\":3:4)\n"
        "  %2 \"net.w\": f32[B, 2*B + 3] @0+64*B + 128 = const dims=[B, 2*B + 3] dtype=f32 value=0.1\n"
        "  %3: f64 = const dims=[] dtype=f64 value=-inf\n"
        "  %4: f64 = const dims=[] dtype=f64 value=nan\n"
        "  %5: f64 = const dims=[] dtype=f64 value=nan:7ff8000000000001\n"
        "  %6: f64 = const dims=[] dtype=f64 value=-0\n"
        "  %7: f64 = const dims=[] dtype=f64 value=4.9406564584124654e-324\n"
        "  %8: str = const dims=[] dtype=str text=\"ä {} \\x7f\"\n"
        "  %9: i64 = const dims=[] dtype=i64 ivalue=-9223372036854775808\n"
        "  %10: f32, %11 \"x\": f32 = for(%9, %0, %1, %1) {\n"
        "  (%12: i64, %13: f32, %14 \"x\": f32):\n"
        "    yield(%14, %13)\n"
        "  }\n"
        "  %15: f32[3], %16: i64 = load(%8) names=[\"a.b\", \"c\"] types=[f32[3], i64]\n"
        "  progress phase=\"step\"\n"
        "  yield\n"
        "}\n";
    Session s = session_new();
    Graph *graph = session_parse(&s, text);
    cr_assert(graph, "%s", session_complaints(&s));
    cr_expect_str_eq(session_text(&s, graph),
                     arena_printf(s.arena, "%s", session_text(&s, session_parse(&s, text))));
    check_round_trip(&s, graph);
    const char *shortest = strstr(session_text(&s, graph), "value=5e-324");
    cr_expect(shortest, "the least f64 has a shorter name");
    session_free(&s);
}

Test(text, programs_at_random, .timeout = 60) {
    for (uint64_t seed = 0; seed < 500; seed++) {
        Session s = session_new();
        Tensor *arguments;
        Graph *graph = random_graph(&s, seed, &arguments);
        graph_renumber(graph);
        check_round_trip(&s, graph);
        session_free(&s);
    }
}

/* --- mistakes */
typedef struct {
    const char *body, *code; /* what follows `{` */
} Mistake;

static const Mistake mistakes[] = {
    {"yield(%9) }", "E0704"},
    {"%0: i64 = seed %0: i64 = seed yield }", "E0705"},
    {"%0: i64 = sead yield }", "E0702"},
    {"%0: i64 = seed axes=[1, yield }", "E0701"},
    {"%0: i64 = seed axis=99999999999999999999 yield }", "E0703"},
    {"%99999999999: i64 = seed yield }", "E0703"},
    {"%0: i64 = seed axis=1 axis=1 yield }", "E0708"},
    {"%0: i64 = seed what=1 yield }", "E0702"},
    {"%0: f32 = seed yield }", "E0707"},
    {"%0: i64 = seed", "E0701"},
    {"%0: i64 = seed }", "E0707"},
    {"", "E0701"},
    {"yield yield }", "E0707"},
    {"%0: f32[B] = const dims=[B] dtype=f32 value=0 yield }", "E0707"},
    {"%0: f32 = const dims=[] dtype=f32 yield }", "E0707"},
    {"%0: f32 = add(%0, %0) yield }", "E0704"},
    {"%0: i64 = const dims=[] dtype=i64 ivalue=0 %1: f32[2] = slice(%0) start=[] dims=[] step=[] yield }",
     "E0707"},
    {"print text=\"{}\" yield }", "E0707"},
    {"print text=\"\\q\" yield }", "E0701"},
    {"print text=\"\\x00\" yield }", "E0701"},
    {"print text=\"", "E0701"},
    {"%0: bool = const dims=[] dtype=bool ivalue=1 if(%0) { %1: i64 = seed yield } { print(%1) text=\"{}\" "
     "yield } yield }",
     "E0707"},
    {"%0: f32 = const dims=[] dtype=f32 value=nan:0 yield }", "E0703"},
    {"%0: f32[-1] = const dims=[-1] dtype=f32 value=0 yield }", "E0707"},
    {"%0: str[2] = const dims=[2] dtype=str text=\"\" yield }", "E0707"},
    {"kernel { yield } yield }", "E0707"},
};

Test(text, mistakes) {
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        Session s = session_new();
        const char *text = arena_printf(s.arena, "graph \"t\" export \"f\" () { %s", mistakes[i].body);
        cr_expect(!session_parse(&s, text), "%s", text);
        cr_expect(strstr(session_complaints(&s), mistakes[i].code), "%s: %s", text, session_complaints(&s));
        session_free(&s);
    }
}

Test(text, deep_nesting) {
    Session s = session_new();
    VEC(char) text = {0};
    const char *head = "graph \"t\" export \"f\" (%0: bool as \"c\") { ", *open = "if(%0) { ";
    for (; *head; head++) vec_push(s.arena, &text, *head);
    for (int i = 0; i < 100000; i++)
        for (const char *c = open; *c; c++) vec_push(s.arena, &text, *c);
    vec_push(s.arena, &text, '\0');
    cr_expect(!session_parse(&s, text.at));
    cr_expect(strstr(session_complaints(&s), "E0706"));
    session_free(&s);
}

/* Bytes of a valid text, changed at random: whatever is read is valid, and nothing crashes. */
Test(text, broken_at_random, .timeout = 60) {
    uint64_t state = 7;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        Session s = session_new();
        Tensor *arguments;
        Graph *graph = random_graph(&s, seed % 40, &arguments);
        graph_renumber(graph);
        char *text = session_text(&s, graph);
        size_t length = strlen(text);
        for (int k = 0; k < 1 + (int)(seed % 4); k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)(state >> 20) % length;
            if (state >> 62 & 1)
                text[at] = text[(size_t)(state >> 40) % length];
            else
                text[at] = (char)(state >> 55);
        }
        Graph *read = session_parse(&s, text);
        if (read) check_round_trip(&s, read);
        session_free(&s);
    }
}
