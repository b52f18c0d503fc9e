/* The graph as text: prints and parses back to the same graph. Grammar: docs/ir.md. */
#ifndef IR_TEXT_H
#define IR_TEXT_H

#include "ir/graph.h"
#include "support/diagnostic.h"

typedef struct {
    bool locations; /* print `loc("file":line:column)` */
} PrintOptions;

void graph_print(FILE *out, const Graph *graph, PrintOptions options);
/* The same without locations as a string, to be freed. */
char *graph_text(const Graph *graph);
/* NULL where the text is wrong; the diagnostics say why. The graph is verified. */
Graph *graph_parse(IrContext *ir, Sources *sources, uint32_t source, Diagnostics *diags);

#endif
