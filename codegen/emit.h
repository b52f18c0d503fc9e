/* What the parts of the code generator share: the LLVM module being made, the target, element types,
 * dimensions. Ownership of files: host*.c emit functions and control flow; kernel*.c emit kernels and their
 * calls; launch.c makes data of the calls; contract*.c emit products; math*.c emit vector functions. */
#ifndef CODEGEN_EMIT_H
#define CODEGEN_EMIT_H

#include "codegen/codegen.h"
#include "support/map.h"
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

/* What schedules are chosen by. */
typedef struct {
    uint32_t vector_bytes; /* widest vector worth using: 64, 32, 16 */
    uint32_t pipe_bytes; /* of it that a multiply-add pipe takes at once: half a vector takes half as long */
    uint32_t vector_registers; /* 32 or 16 */
    bool fma;
    uint32_t l1_bytes, l2_bytes;
    bool intel_server; /* is the third level far, many cores' over a mesh, and does one port shuffle? */
    bool bf16_pairs;   /* has it an instruction that adds products of pairs of bf16 to f32 (VDPBF16PS)? */
} Target;

enum { CACHE_LINE = 64 }; /* bytes, on every target */

/* The values that the symbols of dimensions have in the function being emitted: a host function or a kernel.
 */
typedef struct {
    Map *symbols;                 /* const Dim * → LLVMValueRef, i64; in a host function its slot */
    const Node *node;             /* in a host function: what is being emitted; else NULL */
    const struct KnownDim *known; /* in a host function: sizes worked out already */
} DimScope;

/* A module and what belongs to it. */
typedef struct {
    LLVMContextRef llvm;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTargetDataRef layout;
} EmitModule;

typedef struct Emit {
    Arena *arena;
    Graph *graph;
    IrContext *ir;
    const CodegenOptions *options;
    Target target;
    const char *cpu, *features; /* by LLVM's names; may be empty */
    LLVMContextRef llvm;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTargetDataRef layout;
    LLVMValueRef function; /* being emitted */
    LLVMValueRef rt;       /* its nn_rt * argument */
    DimScope *dims;
    Map *values;   /* host: const Value * → LLVMValueRef: memory of a scalar (its memory type), or of a tensor
                      that is not in an arena */
    Map *kernels;  /* by structure: emitted kernels, see kernel.c */
    Map *routines; /* names of those in parts of the program, see routine.c */
    struct Launch *launch;            /* host: calls of kernels, see launch.c */
    struct KernelTable *kernel_table; /* NULL before the first, see launch_tables.c */
    Map *texts;                       /* host: interned text → its constant */
    Map *text_marks;     /* host: loop → the slot with the number of texts there were before it */
    LLVMValueRef resume; /* host: the switch that begins a command with checkpoints */
    bool in_chain;       /* in a chunk of a kernel: what is called is done by this thread */
    bool cold;           /* in a block that isn't run as long as all is well: little code will do */
    struct Debug *debug; /* debug.c; NULL without line tables */
    struct Parts *parts; /* parts.c; NULL where all is one module */
    uint32_t next_kernel;
    struct ProductList *products; /* where products are noted, or NULL (products.h) */
    bool uses_blas;               /* something that was emitted calls OpenBLAS */
} Emit;

/* The module that is emitted into; from now on. */
EmitModule emit_module(const Emit *e);
void emit_into(Emit *e, EmitModule m);
void emit_module_close(EmitModule *m);

/* --- types. In memory bool is i8; in registers i1. f16 and bf16 are computed as f32. */
LLVMTypeRef emit_memory_type(Emit *e, DType dtype);
LLVMTypeRef emit_register_type(Emit *e, DType dtype);
/* <lanes x type>, or the type itself for one lane. */
LLVMTypeRef emit_lanes(LLVMTypeRef type, uint32_t lanes);
LLVMValueRef emit_i64(Emit *e, int64_t value);
/* An alloca in the entry block of the current function, so that it is one however often it is reached. */
LLVMValueRef emit_alloca(Emit *e, LLVMTypeRef type, const char *name);

/* The run-time value of a dimension in the current function's scope, i64. */
LLVMValueRef emit_dim(Emit *e, const Dim *dim);

/* --- host services for kernels (host.c) */
/* The scalar's value in its register type. */
LLVMValueRef emit_scalar(Emit *e, const Value *value);
/* Pointer to the first element of a tensor; for rank 0 a pointer to memory that holds the scalar in its
 * memory type. */
LLVMValueRef emit_pointer(Emit *e, Value *value);
/* Gives a rank-0 value its value (register type). */
void emit_define(Emit *e, const Value *value, LLVMValueRef scalar);
/* Calls a function of nnrt.h by name, which is declared on first use; its result, if it has one. */
LLVMValueRef emit_runtime_call(Emit *e, const char *name, uint32_t count, LLVMValueRef *arguments);
/* Adds an attribute without a value to a function. */
void emit_attribute(Emit *e, LLVMValueRef function, const char *name, size_t length);
/* What every generated function has: no unwinding, the target's CPU and features (target.c). */
void target_attributes(Emit *e, LLVMValueRef function);
/* Line tables (debug.c): the function as the .nn code at `loc`, and the place of what is built from now on.
 * Nothing without -g. */
void debug_function(Emit *e, LLVMValueRef function, const char *name, Loc loc);
void debug_at(Emit *e, Loc loc);

/* --- loops: `for (index = from; index < to; index += step) body`. Emits the header, calls `body`, closes the
 * loop; leaves the builder after it. A constant trip count of one needs no loop, of zero no body. */
typedef void LoopBody(Emit *e, LLVMValueRef index, void *user);
void emit_loop(Emit *e, LLVMValueRef from, LLVMValueRef to, int64_t step, const char *name, LoopBody *body,
               void *user);
/* Calls `body` with `argument` where `condition` holds. */
void emit_if(Emit *e, LLVMValueRef condition, LoopBody *body, LLVMValueRef argument, void *user);

/* --- kernels (kernel.c): emits the kernel's function if an equal one does not exist yet, and the call with
 * its chunks at the builder's place */
void emit_kernel_call(Emit *e, Node *kernel);
/* One elementwise operation (traits ELEMENTWISE) on registers, scalar or vector: shared by host scalars and
 * kernels. */
LLVMValueRef emit_elementwise(Emit *e, const Node *node, const LLVMValueRef *operands);
/* Load/store converting between memory and register type; `pointer` to `lanes` consecutive elements. */
LLVMValueRef emit_load(Emit *e, DType dtype, LLVMValueRef pointer, uint32_t lanes);
void emit_store(Emit *e, DType dtype, LLVMValueRef value, LLVMValueRef pointer, uint32_t lanes);

#endif
