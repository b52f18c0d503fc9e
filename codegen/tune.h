/* Tune files: schedules of products that were measured, one line each, for the CPU that they were measured
 * on.
 *
 *     znver4/512 f32 m64:784:0 n128:0:1 k784:1:128 = lanes=16 rows=8 vectors=3
 *
 * The CPU by LLVM's name and the bits of its vectors; the product as contract_key.h has it; the schedule by
 * the names of contract_schedule.def. `#` begins a comment. */
#ifndef CODEGEN_TUNE_H
#define CODEGEN_TUNE_H

#include "codegen/codegen.h"
#include "support/diagnostic.h"

/* Told of each product before it is measured. */
typedef struct {
    void (*show)(void *user, uint32_t done, uint32_t all, const char *product);
    void *user;
} TuneProgress;

/* Measures schedules of the program's products on this machine, about a second for each of them, and writes a
 * tune file to `out`: lines where the cost model chooses badly, comments where it chooses well, and the lines
 * of options->tune for other CPUs. NULL, or a message in `arena`. `progress` may be NULL. */
const char *codegen_tune(Graph *graph, const CodegenOptions *options, const TuneProgress *progress, FILE *out,
                         Arena *arena);

/* Reads a source; what isn't understood of it is reported as warnings and left out. */
TuneTable *tune_read(const Sources *sources, uint32_t source, Diagnostics *diags, Arena *arena);

#endif
