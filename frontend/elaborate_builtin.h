/* How a builtin function sees its call; shared by the files that hold them. */
#ifndef FRONTEND_ELABORATE_BUILTIN_H
#define FRONTEND_ELABORATE_BUILTIN_H

#include "frontend/elaborate.h"

enum { MAX_SLOTS = 5 };

typedef struct {
    const Builtin *builtin;
    const Val *slot[MAX_SLOTS]; /* by parameter; NULL = not given */
    Span span_of[MAX_SLOTS];
    const AstExpr *expr_of[MAX_SLOTS];
    ValList rest; /* of a variadic builtin: positional arguments after the parameters */
    VEC(Span) rest_spans;
    const Args *args; /* as given */
    const Ty *expected;
    Span span;
    bool method; /* written x.name(…) */
} BuiltinCall;

typedef const Val *BuiltinBody(Elab *e, BuiltinCall *c);

typedef enum {
    BUILTIN_METHOD = 1,   /* also x.name(…) */
    BUILTIN_VARIADIC = 2, /* more positional arguments in `rest` */
    BUILTIN_RAW = 4       /* the arguments are elaborated by the builtin itself */
} BuiltinFlags;

struct Builtin {
    const char *name;
    const char *params; /* separated by spaces */
    uint32_t required;  /* so many of them must be given */
    uint32_t flags;
    BuiltinBody *body;
    Op op; /* for bodies that serve several */
};

/* elaborate_builtin_math.c */
BuiltinBody builtin_unary, builtin_unary_float, builtin_minmax, builtin_reduce, builtin_mean, builtin_argmax,
    builtin_pair, builtin_where, builtin_einsum, builtin_finite, builtin_stop, builtin_kind, builtin_clamp;
/* elaborate_builtin_shape.c */
BuiltinBody builtin_reshape, builtin_permute, builtin_transpose, builtin_flatten, builtin_squeeze,
    builtin_unsqueeze, builtin_concat, builtin_stack, builtin_filled, builtin_full, builtin_range,
    builtin_broadcast, builtin_one_hot, builtin_tile, builtin_repeat, builtin_chunk, builtin_split,
    builtin_enumerate, builtin_random_bits, builtin_len;
/* elaborate_builtin_stats.c */
BuiltinBody builtin_variance, builtin_norm, builtin_logsumexp;
/* elaborate_builtin_order.c */
BuiltinBody builtin_scan, builtin_recurrence, builtin_argsort, builtin_sort, builtin_topk, builtin_flip,
    builtin_roll, builtin_take_along, builtin_scatter;
/* elaborate_builtin_window.c */
BuiltinBody builtin_pad, builtin_window, builtin_window_add;
/* elaborate_builtin_effect.c */
BuiltinBody builtin_print, builtin_report, builtin_check, builtin_save, builtin_load, builtin_grad,
    builtin_open, builtin_has, builtin_checkpoint, builtin_parameters, builtin_with_parameters;
/* elaborate_remat.c */
BuiltinBody builtin_remat;
/* elaborate_builtin_text.c */
BuiltinBody builtin_bytes, builtin_text;

/* A tensor argument at its default type where it is a literal; NULL after reporting. */
Value *tensor_argument(Elab *e, BuiltinCall *c, uint32_t slot);
/* A constant int; false after reporting. */
bool constant_argument(Elab *e, BuiltinCall *c, uint32_t slot, int64_t fallback, int64_t *out);
/* An axis of a tensor of `rank` axes, counted from the end where negative. */
bool axis_argument(Elab *e, BuiltinCall *c, uint32_t slot, uint32_t rank, int64_t fallback, int64_t *axis);
/* The axes in `slot`: an int or a tuple of them, all where it is missing. Ascending. */
bool axes_argument(Elab *e, BuiltinCall *c, uint32_t slot, uint32_t rank, uint32_t *count, int64_t *axes);
/* What a reduction over these axes of a value of type `from` gives, with the axes as 1 where they are kept.
 */
const Val *reduced_value(Elab *e, Builder *b, Value *reduced, const Type *from, uint32_t count,
                         const int64_t *axes, bool keep);
/* Part [first, first + size) of an axis. */
Value *part_of(Elab *e, Builder *b, Value *x, int64_t axis, const Dim *first, const Dim *size);
bool flag_argument(Elab *e, BuiltinCall *c, uint32_t slot, bool fallback, bool *out);
/* The sizes in `rest` (ints, or one tuple of them); false after reporting. */
bool sizes_argument(Elab *e, BuiltinCall *c, uint32_t *rank, const Dim **dims);
const char *builtin_what(Elab *e, const BuiltinCall *c); /* `name` in backquotes */
const Val *refuse_argument(Elab *e, const BuiltinCall *c, uint32_t slot, const char *wanted);

#endif
