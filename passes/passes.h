/* The pipeline. Requires a verified graph; each pass leaves a verified graph. After `autodiff` there is no
 * grad node; after `fuse` every tensor operation is in a kernel node (host scalars, control and effects
 * aside); after `checkpoint` every checkpoint has what lives on behind it for operands; after `plan` every
 * tensor of rank ≥ 1 outside kernels has a place. */
#ifndef PASSES_PASSES_H
#define PASSES_PASSES_H

#include "ir/graph.h"
#include "support/diagnostic.h"

typedef enum {
#define PASS(name, description) PASS_##name,
#include "passes/passes.def"
#undef PASS
    PASS_COUNT
} PassId;

typedef struct {
    const char *print_after; /* comma-separated names, "all", or NULL */
    bool print_changed;      /* print after passes that changed something */
    const char *stop_after;  /* a pass name or NULL */
    const char
        *disable;   /* comma-separated names that are skipped, or NULL; autodiff, fuse and plan cannot be */
    bool winograd;  /* run that pass, too */
    uint32_t panel; /* columns of weights that lie together (codegen_panel); 0 = as for wide vectors */
    bool time;      /* report wall time a pass to stderr */
    bool verify;    /* verify after every pass: abort with the pass named where it fails */
    FILE *out;      /* for printed graphs */
} PassOptions;

/* What a pass may use: diagnostics (autodiff refuses what has no derivative, at the .nn place) and scratch
 * memory that is freed after it. */
typedef struct {
    Diagnostics *diags;
    Arena *scratch;
    uint32_t panel; /* as in PassOptions */
} PassContext;

const char *pass_name(PassId pass);
const char *pass_description(PassId pass); /* one line, for help pages */

/* The whole pipeline, or just the comma-separated list `only`. False where diagnostics were reported. */
bool passes_run(Graph *graph, const char *only, const PassOptions *options, Diagnostics *diags);

#define PASS(name, description) void pass_##name(PassContext *context, Graph *graph);
#include "passes/passes.def"
#undef PASS

#endif
