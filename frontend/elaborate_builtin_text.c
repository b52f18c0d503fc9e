/* Builtin functions between strings and their bytes. */
#include "frontend/elaborate_builtin.h"
#include <string.h>

/* The bytes of a string: u8[n], n known only to the run where the string is. */
const Val *builtin_bytes(Elab *e, BuiltinCall *c) {
    const Val *text = c->slot[0];
    if (text->kind != VAL_STRING) return refuse_argument(e, c, 0, "string");
    Builder b = el_builder(e, c->span);
    Value *operand = string_value(e, text, c->span_of[0]);
    const Dim *length =
        text->string.text
            ? dim_const(e->ir, (int64_t)strlen(text->string.text))
            : dim_of(e, val_of(e, build_node(&b, OP_text_len, 1, &operand, 0, NULL)->results[0]), c->span);
    Attr attr = attr_dims(ATTR_dims, 1, &length);
    return val_of(e, build_node(&b, OP_text_bytes, 1, &operand, 1, &attr)->results[0]);
}

/* A string of one byte or several. */
const Val *builtin_text(Elab *e, BuiltinCall *c) {
    const Val *bytes = c->slot[0];
    if (bytes->kind != VAL_TENSOR || bytes->tensor.type->dtype != DTYPE_u8 || bytes->tensor.type->rank > 1)
        return refuse_argument(e, c, 0, "u8 or u8[n]");
    Builder b = el_builder(e, c->span);
    Value *operand = val_value(e, bytes, c->span_of[0]);
    return val_of(e, build_node(&b, OP_bytes_text, 1, &operand, 0, NULL)->results[0]);
}
