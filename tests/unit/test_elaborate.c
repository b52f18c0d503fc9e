/* The semantic half of the frontend: what a program is lowered to, what is refused, and programs with a hole
 * or a swapped word somewhere, which must end in diagnostics or a well-formed graph. */
#include "frontend/frontend.h"
#include "support/file.h"
#include "tests/unit/session.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Graph *compile(Session *s, const char *text) {
    char path[] = "/tmp/nnc-elaborate-XXXXXX.nn";
    int file = mkstemps(path, 3);
    cr_assert(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    FrontendOptions options = {
        .ir = s->ir, .sources = s->sources, .diags = s->diags, .float_type = DTYPE_f32};
    Graph *graph = frontend_compile(&options, path);
    unlink(path);
    return graph;
}

static Graph *compile_well(Session *s, const char *text) {
    Graph *graph = compile(s, text);
    cr_assert(graph, "%s\n%s", text, session_complaints(s));
    return graph;
}

/* --- what is in the graph */
static const struct {
    const char *text;
    Op op;
    uint32_t count;
} lowered[] = {
    /* A constant batch size: the body twice; a run-time one: once. */
    {"import data\ncommand main(a: string) {\n let d: dataset(u8[2], u8) = data.idx(a, a)\n"
     " for (x, y) in d.batch(4) { print(sum(float(x))) }\n}\n",
     OP_data_read, 2},
    {"import data\ncommand main(a: string, n: int) {\n let d: dataset(u8[2], u8) = data.idx(a, a)\n"
     " for (x, y) in d.batch(n) { print(sum(float(x))) }\n}\n",
     OP_data_read, 1},
    {"import data\ncommand main(a: string) {\n let d: dataset(u8[2], u8) = data.idx(a, a)\n"
     " for (x, y) in d.batch(4, drop_last=true) { print(sum(float(x))) }\n}\n",
     OP_data_read, 1},
    /* Of a multiple of the batch size there is no shorter last one. */
    {"import data\ncommand main(a: string, n: int) {\n let d: dataset(u8[2], u8) = data.idx(a, a)\n"
     " for (x, y) in d.sample(n * 8).batch(4) { print(sum(float(x))) }\n}\n",
     OP_data_read, 1},
    {"import data\ncommand main(a: string, n: int) {\n let d: dataset(u8[2], u8) = data.idx(a, a)\n"
     " for (x, y) in d.sample(n * 6).batch(4) { print(sum(float(x))) }\n}\n",
     OP_data_read, 2},
    /* Loops that are left early are `while`; lists are unrolled; what is known is chosen. */
    {"command main(n: int) {\n for i in 0..n { if i > 3 { break } }\n}\n", OP_while, 1},
    {"command main(n: int) {\n for i in 0..n { if i > 3 { continue } }\n}\n", OP_for, 1},
    {"command main {\n for x in [1, 2, 3] { print(x) }\n}\n", OP_print, 3},
    {"const fast = true\ncommand main {\n if fast { print(1) } else { print(2) }\n}\n", OP_if, 0},
    {"command main(b: bool) {\n if b { print(1) } else { print(2) }\n}\n", OP_if, 1},
    /* Positions known only at run time are checked. */
    {"command main(i: int) { print(ones(3)[i]) }\n", OP_check, 1},
    {"command main { print(ones(3)[1]) }\n", OP_check, 0},
    {"import nn\nimport optim\ncommand main {\n var net = nn.Linear(2, 1)\n var opt = optim.SGD(net, "
     "lr=0.1)\n"
     " for i in 0..3 { opt.step(net, grad(sum(net(ones(1, 2))), net)) }\n}\n",
     OP_grad, 1},
};

Test(elaborate, lowers) {
    for (size_t i = 0; i < sizeof lowered / sizeof *lowered; i++) {
        Session s = session_new();
        Graph *graph = compile_well(&s, lowered[i].text);
        uint32_t count = session_count(graph, lowered[i].op);
        cr_expect(count == lowered[i].count, "%s: %u × %s, expected %u", lowered[i].text, count,
                  op_name(lowered[i].op), lowered[i].count);
        session_free(&s);
    }
}

Test(elaborate, loops_carry_only_what_changes) {
    Session s = session_new();
    Graph *graph =
        compile_well(&s, "command main(n: int) {\n var a = 0\n var b = ones(3)\n var c = 1.0\n"
                         " for i in 0..n {\n a += i\n c = c * b[0]\n b = b\n }\n print(a, b, c)\n}\n");
    for (Node *node = graph->functions.at[0]->body->first; node; node = node->next)
        if (node->op == OP_for) cr_expect_eq(node->result_count, 2);
    session_free(&s);
}

Test(elaborate, equal_initial_values_are_different_parameters) {
    Session s = session_new();
    Graph *graph = compile_well(
        &s, "model M {\n param a: float[3] = zeros()\n param b: float[3] = zeros()\n}\ncommand main {\n"
            " let m = M()\n let g = grad(sum(m.a * 2 + m.b * 3), m)\n print(g.a, g.b)\n}\n");
    for (Node *node = graph->functions.at[0]->body->first; node; node = node->next)
        if (node->op == OP_grad) cr_expect(node->operands[1] != node->operands[2]);
    session_free(&s);
}

/* --- one mistake, one message */
Test(elaborate, one_mistake_gives_one_message) {
    static const char *const texts[] = {
        "command main {\n let x = nothing + 1\n let y = x * 2\n print(y.T, y[0], sum(y))\n}\n",
        "fn f(x: float[n]) -> float[n] = x @ x @ x\ncommand main { print(f(ones(3)) + 1) }\n",
        "import nn\nmodel Net {\n fc = nn.Linear(wide, 3)\n fn forward(x: float[B, 3]) -> float[B, 3] = "
        "fc(x)\n}\n"
        "command main {\n var net = Net()\n print(net(ones(1, 3)))\n}\n",
        "command main {\n for i in 0..3 {\n let q = i + 1.5\n if q > 2 { print(q) }\n }\n}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Session s = session_new();
        cr_expect_null(compile(&s, texts[i]));
        /* Repetitions of the same row at the same place are shown once. */
        const char *shown = session_complaints(&s);
        size_t lines = 0;
        for (const char *c = shown; *c; c++) lines += *c == '\n' && c[1] != '\0';
        cr_expect(lines == 0, "%s\n%s", texts[i], shown);
        session_free(&s);
    }
}

/* --- text that is almost right */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void mutate(char *text, uint64_t *state) {
    static const char *const words[] = {"0",    "-1",    "x",     "net", "[",   ")",     "1.5",
                                        "true", "float", "i8[3]", "..",  "sum", "\"s\"", "(1, 2)"};
    size_t length = strlen(text);
    for (int i = 0; i < 3; i++) {
        const char *word = words[next_random(state) % (sizeof words / sizeof *words)];
        size_t at = next_random(state) % length, n = strlen(word);
        if (at + n < length && next_random(state) % 2)
            memcpy(text + at, word, n);
        else
            memset(text + at, ' ', (at + 3 < length ? 3 : length - at));
    }
}

Test(elaborate, survives_broken_programs, .timeout = 100) {
    static const char *const files[] = {"models", "flow", "tensors", "library", "values"};
    uint64_t state = 88172645463325252u;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        Session reader = session_new();
        size_t length;
        const char *error;
        const char *path = arena_printf(reader.arena, "%s/tests/programs/%s.nn", SOURCE_DIR, files[f]);
        char *text = file_read(reader.arena, path, &length, &error);
        cr_assert(text, "%s", path);
        for (int i = 0; i < 60; i++) {
            Session s = session_new();
            char *broken = arena_strdup(s.arena, text);
            mutate(broken, &state);
            Graph *graph = compile(&s, broken);
            cr_expect(graph || diagnostics_errors(s.diags), "%s", broken);
            session_free(&s);
        }
        session_free(&reader);
    }
}
