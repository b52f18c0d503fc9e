/* Between the host*.c files: commands become functions, nodes outside kernels become code in them. */
#ifndef CODEGEN_HOST_H
#define CODEGEN_HOST_H

#include "codegen/emit.h"

/* Emits one node at the builder's place. */
typedef void HostNode(Emit *e, Node *node);

/* The function `(nn_rt *, const nn_arg *)` of a command. */
LLVMValueRef host_command(Emit *e, const Function *command);
/* One node; all nodes of a block but its yield. */
HostNode host_node;
void host_block(Emit *e, const Block *block);
/* From here on the symbol has this value. */
void host_set_symbol(Emit *e, const Dim *symbol, LLVMValueRef value);
/* Defines every rank-0 value of `to` from its counterpart, as if all at once. Tensors must lie in one place
 * already. */
void host_assign(Emit *e, uint32_t count, Value *const *to, Value *const *from);

/* host_control.c */
LLVMBasicBlockRef host_new_block(Emit *e, const char *name);
/* Puts the block behind the one being built, and goes on in it. */
void host_start_block(Emit *e, LLVMBasicBlockRef block);
HostNode host_if, host_for, host_while;
/* Where a loop that makes texts begins, or is jumped into. */
void host_mark_texts(Emit *e, const Node *loop);
/* host_effects.c. Arrays are on the stack, in the function's entry; a null pointer for none. */
LLVMValueRef host_array(Emit *e, LLVMTypeRef type, uint32_t count, const char *name);
void host_store_at(Emit *e, LLVMValueRef array, LLVMTypeRef type, uint32_t index, LLVMValueRef value);
LLVMTypeRef host_tensor_type(Emit *e); /* nn_tensor */
void host_store_tensor(Emit *e, LLVMValueRef array, uint32_t index, const char *name, const Type *type,
                       LLVMValueRef data);
/* A new array of nn_tensor for values, with room for `first` others before them; names may be NULL. */
LLVMValueRef host_tensors(Emit *e, uint32_t first, uint32_t count, Value *const *values,
                          const char *const *names);
/* Tells LLVM that the first successor of a branch is hardly ever taken. */
void host_mark_unlikely(Emit *e, LLVMValueRef branch);
HostNode host_print, host_write, host_format, host_check, host_report, host_progress, host_save, host_load;
HostNode host_data_open, host_data_len, host_data_shuffle, host_data_take, host_data_windows,
    host_data_sample, host_data_repeat, host_data_read;
/* host_checkpoint.c */
HostNode host_resume, host_checkpoint;
HostNode host_text_len, host_text_equal, host_text_bytes, host_bytes_text;

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
