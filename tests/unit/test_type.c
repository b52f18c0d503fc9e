/* Types and the tables of dtypes, operations and attributes. */
#include "tests/unit/session.h"
#include <criterion/criterion.h>

static const Type *read(Session *s, const char *text) {
    const char *at = text;
    const Type *type = type_parse(s->ir, &at);
    return type && !*at ? type : NULL;
}

Test(type, text) {
    static const char *const texts[] = {"f32", "i64[0]", "bool[B]", "bf16[2*B, 3, (H + 1)//2]", "str"};
    Session s = session_new();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const Type *type = read(&s, texts[i]);
        cr_assert(type, "%s", texts[i]);
        cr_expect_str_eq(type_text(s.ir, type), texts[i]);
        cr_expect(read(&s, texts[i]) == type, "the same type is the same pointer");
    }
    static const char *const wrong[] = {
        "", "f31", "f32[", "f32[]", "f32[B", "f32[B,]", "f32[1,1,1,1,1,1,1,1,1]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) cr_expect(!read(&s, wrong[i]), "%s", wrong[i]);
    session_free(&s);
}

Test(type, shapes) {
    Session s = session_new();
    const Type *type = read(&s, "f32[2*B, 3]");
    cr_expect(type_with_dtype(s.ir, type, DTYPE_i8) == read(&s, "i8[B + B, 3]"));
    cr_expect(type_same_shape(type, read(&s, "u8[2*B, 3]")));
    cr_expect(!type_same_shape(type, read(&s, "f32[3, 2*B]")));
    cr_expect_str_eq(dim_text(s.ir, type_elements(s.ir, type)), "6*B");
    cr_expect(!type_elements(s.ir, read(&s, "f32[4294967296, 4294967296]")), "its size has no number");
    session_free(&s);
}

Test(tables, names_read_back) {
    for (int i = 0; i < OP_COUNT; i++) {
        Op op;
        const char *name = op_name((Op)i);
        cr_expect(op_from_name(name, strlen(name), &op) && op == (Op)i, "%s", name);
    }
    for (int i = 0; i < DTYPE_COUNT; i++) {
        DType dtype;
        const char *name = dtype_name((DType)i);
        cr_expect(dtype_from_name(name, strlen(name), &dtype) && dtype == (DType)i, "%s", name);
    }
    for (int i = 0; i < ATTR_COUNT; i++) {
        AttrKey key;
        const char *name = attr_name((AttrKey)i);
        cr_expect(attr_from_name(name, strlen(name), &key) && key == (AttrKey)i, "%s", name);
    }
    Op op;
    cr_expect(!op_from_name("addx", 4, &op) && op_from_name("addx", 3, &op));
}
