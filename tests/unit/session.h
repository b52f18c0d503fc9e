/* What a test of graphs needs: a context, texts in and out, and programs at random. */
#ifndef TESTS_SESSION_H
#define TESTS_SESSION_H

#include "ir/build.h"
#include "ir/interpret.h"
#include "passes/passes.h"

typedef struct {
    Arena *arena;
    IrContext *ir;
    Sources *sources;
    Diagnostics *diags;
} Session;

Session session_new(void);
void session_free(Session *s);
/* NULL where the text is refused. */
Graph *session_parse(Session *s, const char *text);
/* A function `f` with these parameters and body ("yield(%1)"), which must be well formed. */
Graph *session_function(Session *s, const char *params, const char *body);
char *session_text(Session *s, const Graph *graph);
/* The diagnostics as short lines. */
char *session_complaints(Session *s);
/* Runs the passes of a comma-separated list, verifying after each. */
void session_run(Session *s, Graph *graph, const char *passes);
/* The number of nodes of this operation in the graph. */
uint32_t session_count(Graph *graph, Op op);

/* A function `f` of random parameters and nodes, loops and branches included; the same for the same seed.
 * `arguments` receives one value per parameter. Floats are f64 and small integers, so that most arithmetic is
 * exact. */
Graph *random_graph(Session *s, uint64_t seed, Tensor **arguments);

#endif
