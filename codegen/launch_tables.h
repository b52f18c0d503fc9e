/* The constants that a command's scripts and patterns refer to: `nn_tables` of nnrt.h. */
#ifndef CODEGEN_LAUNCH_TABLES_H
#define CODEGEN_LAUNCH_TABLES_H

#include "codegen/emit.h"

typedef struct LaunchTables LaunchTables;

LaunchTables *launch_tables_new(Emit *e);
/* When all that refers to them is there. */
void launch_tables_emit(Emit *e, LaunchTables *tables);

/* Addresses of nn_tables and of its sums. */
LLVMValueRef launch_tables_address(const LaunchTables *tables);
LLVMValueRef launch_tables_sums(const LaunchTables *tables);
/* The number of the first of so many words: equal ones are there once. */
uint32_t launch_tables_words(LaunchTables *tables, uint32_t count, const int64_t *words);
/* The number of a check. `name` may be NULL. */
uint32_t launch_tables_check(Emit *e, LaunchTables *tables, Loc loc, const char *text, const char *name);
/* An array of nn_pattern for the values, whose data are these sums; names may be NULL. Dimensions that only
 * the run tells are left out. */
LLVMValueRef launch_tables_patterns(Emit *e, LaunchTables *tables, uint32_t count, Value *const *values,
                                    const char *const *names, const uint32_t *sums);

/* The number of a kernel in the table of the program, which all commands share, and that table's end. */
uint32_t launch_tables_kernel(Emit *e, const char *name);
void launch_tables_emit_kernels(Emit *e);

#endif
