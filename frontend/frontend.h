/* From .nn text to a graph: parse (ast.h), load modules, check every declaration against its signature, lower
 * commands and exports. All mistakes go to the diagnostics; nothing is printed here. */
#ifndef FRONTEND_FRONTEND_H
#define FRONTEND_FRONTEND_H

#include "frontend/ast.h"
#include "ir/graph.h"
#include "support/diagnostic.h"

typedef struct {
    const char *name, *value; /* -D name=value */
} Define;

typedef struct {
    IrContext *ir;
    Sources *sources;
    Diagnostics *diags;
    DType float_type; /* what `float` means */
    const Define *defines;
    uint32_t define_count;
} FrontendOptions;

/* Parses one source; NULL where nothing could be made of it. Diagnostics tell. */
AstFile *frontend_parse(const FrontendOptions *options, uint32_t source);
/* The syntax tree as text, for --emit=ast and tests. */
void ast_print(FILE *out, const AstFile *file);
/* Parses `path` and what it imports, checks, lowers. NULL where there are errors. */
Graph *frontend_compile(const FrontendOptions *options, const char *path);

#endif
