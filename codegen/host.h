/* Between the host*.c files: commands become functions, nodes outside kernels become code in them. */
#ifndef CODEGEN_HOST_H
#define CODEGEN_HOST_H

#include "codegen/emit.h"

/* Emits one node at the builder's place. */
typedef void HostNode(Emit *e, Node *node);

/* The function `(nn_rt *, const nn_arg *)` of a command. */
LLVMValueRef host_command(Emit *e, const Function *command);
/* All nodes of a block but its yield. */
void host_block(Emit *e, const Block *block);
/* Defines every rank-0 value of `to` from its counterpart, as if all at once. Tensors must lie in one place
 * already. */
void host_assign(Emit *e, uint32_t count, Value *const *to, Value *const *from);

/* host_control.c */
HostNode host_if, host_for, host_while;
/* host_effects.c */
HostNode host_print, host_write, host_format, host_check, host_report, host_progress, host_save, host_load;
HostNode host_data_open, host_data_len, host_data_shuffle, host_data_take, host_data_windows,
    host_data_sample, host_data_repeat, host_data_read;
HostNode host_text_len, host_text_bytes, host_bytes_text;

/* host_constants.c: private constants, as pointers to them. NULL text = a null pointer. */
LLVMValueRef host_text(Emit *e, const char *text);
/* Stops the program, with this text and its arguments, where `ok` is false. */
void host_require(Emit *e, LLVMValueRef ok, const Node *node, const char *text, uint32_t count,
                  Value *const *args);
LLVMValueRef host_loc(Emit *e, Loc loc);
LLVMValueRef host_constant(Emit *e, LLVMValueRef value, const char *name);
LLVMTypeRef host_pointer_type(Emit *e);
LLVMValueRef host_i32(Emit *e, int64_t value);
/* Defines `nn_program`: names, help texts, parameters and entries of all commands; `entries` in their order.
 */
void host_table(Emit *e, const LLVMValueRef *entries);

#endif
