/* Texts to graphs and back, for tests. */
#include "tests/unit/session.h"
#include "ir/text.h"
#include <criterion/criterion.h>
#include <stdlib.h>

Session session_new(void) {
    Session s = {.arena = arena_new()};
    s.ir = ir_context_new(s.arena, strings_new(s.arena));
    s.sources = sources_new(s.arena);
    s.diags = diagnostics_new(s.arena, s.sources);
    return s;
}

void session_free(Session *s) { arena_free(s->arena); }

Graph *session_parse(Session *s, const char *text) {
    uint32_t source = sources_add(s->sources, "test.nnir", text, (uint32_t)strlen(text));
    return graph_parse(s->ir, s->sources, source, s->diags);
}

Graph *session_function(Session *s, const char *params, const char *body) {
    const char *text = arena_printf(s->arena, "graph \"t\" export \"f\" (%s) { %s }", params, body);
    Graph *graph = session_parse(s, text);
    cr_assert(graph, "%s\n%s", text, session_complaints(s));
    return graph;
}

/* What `write` writes, in the session's arena. */
static char *written(Session *s, void (*write)(FILE *out, const void *what), const void *what) {
    char *buffer = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&buffer, &length);
    write(out, what);
    fclose(out);
    char *text = arena_strndup(s->arena, buffer, length);
    free(buffer);
    return text;
}

static void write_graph(FILE *out, const void *graph) {
    graph_print(out, graph, (PrintOptions){.locations = true});
}

static void write_diags(FILE *out, const void *diags) { diagnostics_render(diags, RENDER_SHORT, false, out); }

char *session_text(Session *s, const Graph *graph) { return written(s, write_graph, graph); }

char *session_complaints(Session *s) { return written(s, write_diags, s->diags); }

void session_run(Session *s, Graph *graph, const char *passes) {
    PassOptions options = {.verify = true, .out = stderr};
    cr_assert(passes_run(graph, passes, &options, s->diags), "%s", session_complaints(s));
}

typedef struct {
    Op op;
    uint32_t count;
} Counter;

static void count_node(void *user, Node *node) {
    Counter *counter = user;
    counter->count += node->op == counter->op;
}

uint32_t session_count(Graph *graph, Op op) {
    Counter counter = {.op = op};
    graph_walk(graph, count_node, &counter);
    return counter.count;
}
