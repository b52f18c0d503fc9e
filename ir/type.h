/* Types: a dtype and a shape, interned. Tuples, models and optimizers do not exist here: the frontend
 * flattens them into their tensors. */
#ifndef IR_TYPE_H
#define IR_TYPE_H

#include "ir/dim.h"

typedef enum {
#define DTYPE(name, bytes, class) DTYPE_##name,
#include "ir/dtypes.def"
#undef DTYPE
    DTYPE_COUNT
} DType;

typedef enum { CLASS_FLOAT, CLASS_INT, CLASS_UINT, CLASS_BOOL, CLASS_OPAQUE } DTypeClass;

const char *dtype_name(DType dtype);
uint32_t dtype_bytes(DType dtype);
DTypeClass dtype_class(DType dtype);
bool dtype_is_float(DType dtype);
bool dtype_is_half(DType dtype);    /* f16 or bf16 */
bool dtype_is_integer(DType dtype); /* INT or UINT */
/* The integer of this dtype that is equal modulo 2^bits; of bool: is it not 0? */
int64_t dtype_wrap(DType dtype, uint64_t value);
bool dtype_from_name(const char *name, size_t length, DType *dtype);

enum { MAX_RANK = 8 };

typedef struct Type {
    DType dtype;
    uint32_t rank;
    const Dim *dims[MAX_RANK]; /* dims[rank…] are NULL */
} Type;

const Type *type_tensor(IrContext *ir, DType dtype, uint32_t rank, const Dim *const *dims);
const Type *type_scalar(IrContext *ir, DType dtype);
/* The same shape with another dtype. */
const Type *type_with_dtype(IrContext *ir, const Type *type, DType dtype);
bool type_same_shape(const Type *a, const Type *b);
/* Number of elements; NULL on overflow. */
const Dim *type_elements(IrContext *ir, const Type *type);
/* The same where all extents are known and the number isn't too large for its type; else false. */
bool type_count(const Type *type, int64_t *count);
const Type *type_substitute(IrContext *ir, const Type *type, const Dim *(*map)(void *user, const Dim *symbol),
                            void *user);
/* `f32[64, B]`, `i64` */
void type_print(FILE *out, const Type *type);
const char *type_text(IrContext *ir, const Type *type);
const Type *type_parse(IrContext *ir, const char **cursor);

#endif
