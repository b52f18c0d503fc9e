/* Constants, which are splats: one number for every element. */
#include "ir/interpret.h"
#include "passes/simplify.h"
#include <math.h>

bool is_const(const Value *value) { return made_by(value, OP_const); }

bool is_splat(const Value *value, double number) {
    if (!is_const(value)) return false;
    if (dtype_is_float(value->type->dtype)) {
        double held = node_attr(value->node, ATTR_value)->number;
        return held == number && signbit(held) == signbit(number);
    }
    const Attr *integer = node_attr(value->node, ATTR_ivalue);
    return integer && (double)integer->integer == number;
}

static Value *make_const(Builder *b, const Type *type, Attr value) {
    Attr attrs[] = {attr_dims(ATTR_dims, type->rank, type->dims), attr_dtype(ATTR_dtype, type->dtype), value};
    return build_node(b, OP_const, 0, NULL, 3, attrs)->results[0];
}

Value *const_number(Builder *b, const Type *type, double number) {
    return make_const(b, type,
                      attr_number(ATTR_value, isnan(number) ? (double)NAN : round_to(type->dtype, number)));
}

Value *const_integer(Builder *b, const Type *type, int64_t integer) {
    return make_const(b, type, attr_int(ATTR_ivalue, integer));
}

Value *const_like(Builder *b, const Value *constant, const Type *type) {
    if (dtype_is_float(type->dtype))
        return const_number(b, type, node_attr(constant->node, ATTR_value)->number);
    if (dtype_class(type->dtype) != CLASS_OPAQUE)
        return const_integer(b, type, node_int(constant->node, ATTR_ivalue));
    return make_const(b, type, *node_attr(constant->node, ATTR_text));
}
