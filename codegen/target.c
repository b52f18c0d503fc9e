/* Finds the target: triple, CPU, features, and from them the widths and caches that schedules are chosen by.
 */
#include "codegen/target.h"
#include "codegen/contract_cost.h"
#include <llvm-c/Target.h>
#include <string.h>

typedef struct {
    const char *name;
    Target target;
} CpuClass;

#define X86_V1 {16, 16, 16, false, 32 << 10, 256 << 10, false, false}
#define X86_V2_AVX {32, 32, 16, false, 32 << 10, 256 << 10, false, false}
#define X86_V3 {32, 32, 16, true, 32 << 10, 512 << 10, false, false}
#define X86_V4 {64, 64, 32, true, 32 << 10, 1 << 20, false, false}
#define SKYLAKE_SERVER {64, 64, 32, true, 32 << 10, 1 << 20, true, false}
#define COOPER_LAKE {64, 64, 32, true, 32 << 10, 1 << 20, true, true}
#define ICE_LAKE_SERVER {64, 64, 32, true, 48 << 10, 5 << 18, true, false}
#define SAPPHIRE_RAPIDS {64, 64, 32, true, 48 << 10, 2 << 20, true, true}
#define ZEN_4 {64, 32, 32, true, 32 << 10, 1 << 20, false, true}
#define ZEN_5 {64, 64, 32, true, 32 << 10, 1 << 20, false, true}
#define ARM_V8 {16, 16, 32, true, 32 << 10, 512 << 10, false, false}

/* What can be told from LLVM's feature strings; the first row whose feature is there wins. Caches are those
 * of the smallest common machine of the class, per core. */
static const CpuClass feature_classes[] = {
    {"+amx-tile", SAPPHIRE_RAPIDS}, {"+avx512vl", X86_V4}, {"+avx2", X86_V3},
    {"+avx", X86_V2_AVX},           {"+neon", ARM_V8},     {"+sse2", X86_V1},
};

/* CPUs by LLVM's names, for `--cpu`; `generic` is every architecture's smallest. */
static const CpuClass x86_cpus[] = {
    {"generic", X86_V1},
    {"x86-64", X86_V1},
    {"x86-64-v2", X86_V1},
    {"x86-64-v3", X86_V3},
    {"x86-64-v4", X86_V4},
    {"haswell", X86_V3},
    {"broadwell", X86_V3},
    {"skylake", X86_V3},
    {"alderlake", X86_V3},
    {"znver1", X86_V3},
    {"znver2", X86_V3},
    {"znver3", X86_V3},
    {"znver4", ZEN_4},
    {"znver5", ZEN_5},
    {"skylake-avx512", SKYLAKE_SERVER},
    {"cascadelake", SKYLAKE_SERVER},
    {"cooperlake", COOPER_LAKE},
    {"icelake-server", ICE_LAKE_SERVER},
    {"icelake-client", X86_V4},
    {"tigerlake", X86_V4},
    {"sapphirerapids", SAPPHIRE_RAPIDS},
    {"graniterapids", SAPPHIRE_RAPIDS},
};
static const CpuClass arm_cpus[] = {
    {"generic", ARM_V8},     {"cortex-a53", ARM_V8},  {"cortex-a57", ARM_V8},  {"cortex-a72", ARM_V8},
    {"cortex-a76", ARM_V8},  {"neoverse-n1", ARM_V8}, {"neoverse-n2", ARM_V8}, {"neoverse-v1", ARM_V8},
    {"neoverse-v2", ARM_V8}, {"apple-m1", ARM_V8},    {"apple-m2", ARM_V8},
};

typedef struct {
    const char *prefix; /* of the triple */
    const CpuClass *cpus;
    uint32_t count;
} Architecture;

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof *(array))
static const Architecture architectures[] = {{"x86_64", x86_cpus, COUNT(x86_cpus)},
                                             {"aarch64", arm_cpus, COUNT(arm_cpus)},
                                             {"arm64", arm_cpus, COUNT(arm_cpus)}};

static const Architecture *architecture_of(const char *triple) {
    for (uint32_t i = 0; i < COUNT(architectures); i++)
        if (strncmp(triple, architectures[i].prefix, strlen(architectures[i].prefix)) == 0)
            return &architectures[i];
    return NULL;
}

/* NULL: of another name. */
static const CpuClass *cpu_class(const Architecture *architecture, const char *cpu) {
    for (uint32_t i = 0; architecture && i < architecture->count; i++)
        if (strcmp(architecture->cpus[i].name, cpu) == 0) return &architecture->cpus[i];
    return NULL;
}

/* Does the comma-separated list hold the feature? */
static bool has_feature(const char *features, const char *feature) {
    size_t length = strlen(feature);
    for (const char *at = features; (at = strstr(at, feature)); at += length)
        if ((at == features || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return true;
    return false;
}

static Target native_target(const char *features) {
    for (uint32_t i = 0; i < COUNT(feature_classes); i++)
        if (has_feature(features, feature_classes[i].name)) return feature_classes[i].target;
    return (Target)X86_V1;
}

/* LLVM's message or string, moved into the arena. */
const char *target_take_message(Arena *arena, char *message) {
    const char *copy = arena_strdup(arena, message ? message : "");
    LLVMDisposeMessage(message);
    return copy;
}

static const char *choose_native(Arena *arena, TargetMachine *out) {
    out->cpu = target_take_message(arena, LLVMGetHostCPUName());
    out->features = target_take_message(arena, LLVMGetHostCPUFeatures());
    out->target = native_target(out->features);
    const CpuClass *known = cpu_class(architecture_of(out->triple), out->cpu);
    if (known && known->target.vector_bytes == out->target.vector_bytes) out->target = known->target;
    out->target.bf16_pairs = has_feature(out->features, "+avx512bf16");
    return NULL;
}

static const char *choose_cpu(const char *cpu, Arena *arena, TargetMachine *out) {
    const Architecture *architecture = architecture_of(out->triple);
    const CpuClass *class = cpu_class(architecture, cpu);
    if (class) {
        out->cpu = cpu, out->features = "", out->target = class->target;
        return NULL;
    }
    const char *known = "native";
    for (uint32_t i = 0; i < architecture->count; i++)
        known = arena_printf(arena, "%s, %s", known, architecture->cpus[i].name);
    return arena_printf(arena, "unknown CPU `%s`; known for %s: %s", cpu, out->triple, known);
}

static const char *choose(const CodegenOptions *options, bool is_host, Arena *arena, TargetMachine *out) {
    const char *cpu = options->cpu ? options->cpu : is_host ? "native" : "generic";
    if (strcmp(cpu, "native") != 0) return choose_cpu(cpu, arena, out);
    if (!is_host) return arena_printf(arena, "`native` is this machine's CPU, which %s is not", out->triple);
    return choose_native(arena, out);
}

/* Above `Less`, LLVM schedules instructions once more when registers are allocated. That takes a third of its
 * time for machine code, more than that in long blocks, and CPUs that execute out of order gain nothing by
 * it. */
static LLVMCodeGenOptLevel level_of(int optimize) {
    return optimize > 0 ? LLVMCodeGenLevelLess : LLVMCodeGenLevelNone;
}

/* Do two triples differ at most in the vendor (x86_64-pc-linux-gnu, x86_64-unknown-linux-gnu)? */
static bool same_machine(const char *a, const char *b) {
    size_t architecture = strcspn(a, "-");
    if (strncmp(a, b, architecture + 1) != 0) return false;
    const char *system = strchr(a + architecture + 1, '-'), *other = strchr(b + architecture + 1, '-');
    return system && other && strcmp(system, other) == 0;
}

const char *target_open(const CodegenOptions *options, Arena *arena, TargetMachine *out) {
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    const char *host = target_take_message(arena, LLVMGetDefaultTargetTriple());
    out->triple =
        options->triple ? target_take_message(arena, LLVMNormalizeTargetTriple(options->triple)) : host;
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(out->triple, &target, &message))
        return arena_printf(arena, "unknown target `%s`: %s", out->triple,
                            target_take_message(arena, message));
    if (!architecture_of(out->triple))
        return arena_printf(arena, "no code can be made for %s: only for x86_64 and aarch64", out->triple);
    const char *error = choose(options, same_machine(host, out->triple), arena, out);
    if (error) return error;
    out->optimize = options->optimize;
    out->machine = LLVMCreateTargetMachine(target, out->triple, out->cpu, out->features,
                                           level_of(options->optimize), LLVMRelocPIC, LLVMCodeModelDefault);
    return out->machine ? NULL : arena_printf(arena, "LLVM cannot generate code for `%s`", out->triple);
}

uint32_t codegen_panel(const CodegenOptions *options, Arena *arena) {
    TargetMachine machine;
    if (target_open(options, arena, &machine)) return 0;
    const Target *target = &machine.target;
    uint32_t vectors = target->vector_registers < 32 ? 2 : 4;
    target_close(&machine);
    return cost_is_narrow(target) ? vectors * target->vector_bytes / (uint32_t)sizeof(float) : 0;
}

LLVMTargetMachineRef target_machine(const TargetMachine *machine) {
    return LLVMCreateTargetMachine(LLVMGetTargetMachineTarget(machine->machine), machine->triple,
                                   machine->cpu, machine->features, level_of(machine->optimize), LLVMRelocPIC,
                                   LLVMCodeModelDefault);
}

EmitModule target_module(const TargetMachine *machine, const char *name) {
    EmitModule m = {.llvm = LLVMContextCreate()};
    m.module = LLVMModuleCreateWithNameInContext(name, m.llvm);
    m.builder = LLVMCreateBuilderInContext(m.llvm);
    m.layout = LLVMCreateTargetDataLayout(machine->machine);
    LLVMSetTarget(m.module, machine->triple);
    LLVMSetModuleDataLayout(m.module, m.layout);
    return m;
}

void target_close(TargetMachine *machine) {
    if (machine->machine) LLVMDisposeTargetMachine(machine->machine);
    machine->machine = NULL;
}

static void add_text(Emit *e, LLVMValueRef function, const char *key, const char *value) {
    LLVMAttributeRef attribute =
        LLVMCreateStringAttribute(e->llvm, key, (unsigned)strlen(key), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

void target_attributes(Emit *e, LLVMValueRef function) {
    emit_attribute(e, function, "nounwind", strlen("nounwind"));
    if (*e->cpu) add_text(e, function, "target-cpu", e->cpu);
    if (*e->features) add_text(e, function, "target-features", e->features);
    /* LLVM prefers 256 bits on most CPUs with AVX-512; explicit vectors are as wide as they were made for. */
    if (e->target.vector_bytes == 64) add_text(e, function, "prefer-vector-width", "512");
}
