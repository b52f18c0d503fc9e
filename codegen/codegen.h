/* From a planned graph to machine code: a function per command, a function per distinct kernel, and the table
 * `nn_program` that the runtime's `main` reads (runtime/nnrt.h is the ABI). */
#ifndef CODEGEN_CODEGEN_H
#define CODEGEN_CODEGEN_H

#include "ir/graph.h"

/* Schedules that were measured (tune.h). */
typedef struct TuneTable TuneTable;

typedef enum { EMIT_LLVM, EMIT_ASM, EMIT_OBJ } EmitKind;

/* Which products OpenBLAS computes: those of which a measurement says so, none, all that it can. */
typedef enum { BLAS_AUTO, BLAS_NONE, BLAS_OPENBLAS } BlasChoice;

typedef struct {
    int optimize;       /* 0…3 */
    const char *cpu;    /* "native", "generic" or an LLVM CPU name; NULL = native when the target is the host,
                           else generic */
    const char *triple; /* NULL = the host */
    BlasChoice blas;
    const TuneTable
        *tune;        /* what products are computed by rather than by what the cost model says; or NULL */
    bool debug;       /* .nn line tables */
    bool verify;      /* run LLVM's verifier before optimising (always in tests) */
    bool time;        /* print the time of emission, optimisation and machine code to stderr */
    uint32_t threads; /* for codegen_objects: that may work at once; 0 counts as 1 */
} CodegenOptions;

/* Writes the output to `path`. NULL, or a message in `arena` (unknown CPU or triple, disk full, …). Sets
 * `*uses_blas`, where that isn't NULL, if the output calls OpenBLAS. */
const char *codegen_emit(Graph *graph, const CodegenOptions *options, EmitKind kind, const char *path,
                         bool *uses_blas, Arena *arena);

/* The program as object files in `directory`, whose paths are `*objects`; they are there to be removed also
 * after an error. What is in them doesn't depend on the number of threads. NULL, or a message in `arena`. */
const char *codegen_objects(Graph *graph, const CodegenOptions *options, const char *directory, Arena *arena,
                            const char *const **objects, uint32_t *count, bool *uses_blas);

/* Columns of f32 that tiles of products have on the target, so that weights can be laid out in panels of
 * them: 0 where vectors are as wide as a cache's line, with which several widths are as good, and for a
 * target that codegen_emit refuses. */
uint32_t codegen_panel(const CodegenOptions *options, Arena *arena);

/* A product of the program, as tune files have it. */
typedef struct {
    const char *product, *schedule; /* what it is; how it is computed */
    uint32_t uses;                  /* places in the program */
    double work;                    /* multiply-adds of all of these together, in all parts of chains */
} ProductReport;

/* All products, those with the most work first. NULL, or a message in `arena`. */
const char *codegen_products(Graph *graph, const CodegenOptions *options, ProductReport **out,
                             uint32_t *count, Arena *arena);

typedef struct {
    const char *const *objects; /* object files, first the program's */
    uint32_t object_count;
    const char *runtime; /* libnnrt.a */
    const char *stamp;   /* what an archive holds that fits this compiler */
    const char *output;
    const char *flags; /* further words for the linker, separated by blanks, or NULL */
    bool debug, statically;
    bool blas; /* with OpenBLAS */
} LinkOptions;

/* Runs the system's linker through its C compiler driver (`$CC`, cc, clang, gcc). NULL, or a message in
 * `arena`. */
const char *codegen_link(const LinkOptions *options, Arena *arena);

#endif
