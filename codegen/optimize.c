/* The optimisation pipeline. Kernels arrive vectorised, tiled and unrolled, so LLVM's own loop vectoriser and
 * unroller have nothing to add and are left out, as are the inliner and interprocedural analyses: what
 * remains cleans up addresses, keeps values in registers and moves invariants out of loops, at a fraction of
 * the time of default<O3>. indvars is left out because it costs: it gives every address its own induction
 * variable and end value, for which the tiles have no registers (a training step of an MLP takes 12% longer).
 */
#include "codegen/optimize.h"
#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>

static const char *const pipelines[] = {
    /* 0: as it was emitted, but scalars not in memory: tests run everything at this level */
    "function(sroa)",
    "function(sroa,early-cse,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(licm),adce),globaldce",
    "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
    "loop-mssa(loop-rotate,licm),gvn,instcombine<no-verify-fixpoint>,dse,adce,simplifycfg),"
    "constmerge,globaldce",
    "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
    "loop-mssa(loop-rotate,licm),gvn,instcombine<no-verify-fixpoint>,dse,"
    "loop-mssa(licm),adce,simplifycfg,instcombine<no-verify-fixpoint>),constmerge,globaldce",
};

const char *optimize_module(LLVMModuleRef module, LLVMTargetMachineRef machine, int level, Arena *arena) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    int clamped = level < 0 ? 0 : level > 3 ? 3 : level;
    LLVMErrorRef error = LLVMRunPasses(module, pipelines[clamped], machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error) return NULL;
    char *message = LLVMGetErrorMessage(error);
    const char *copy = arena_strdup(arena, message);
    LLVMDisposeErrorMessage(message);
    return copy;
}
