/* The graph: a program is a list of functions, a function a block, a block a list of nodes in order, a node
 * an operation on values that yields values. SSA: every value is defined once, by a node or as a block's
 * parameter, and is visible in the rest of its block and in all blocks nested there. Nodes with the EFFECT
 * trait run in order; the rest is pure. Every block ends in one `yield`.
 *
 * Between kernels every tensor is dense and row-major; strided access exists only inside a kernel, where
 * views are index arithmetic. Values of rank 0 outside kernels live in registers. */
#ifndef IR_GRAPH_H
#define IR_GRAPH_H

#include "ir/op.h"
#include "ir/type.h"
#include "support/source.h"
#include "support/vec.h"

typedef struct Value Value;
typedef struct Node Node;
typedef struct Block Block;
typedef struct Function Function;
typedef struct Graph Graph;

typedef enum {
#define ATTR(name, kind) ATTR_##name,
#include "ir/attrs.def"
#undef ATTR
    ATTR_COUNT
} AttrKey;

typedef enum {
    ATTR_KIND_INT,
    ATTR_KIND_NUMBER,
    ATTR_KIND_STR,
    ATTR_KIND_INTS,
    ATTR_KIND_STRS,
    ATTR_KIND_DIM,
    ATTR_KIND_DIMS,
    ATTR_KIND_TYPES,
    ATTR_KIND_DTYPE
} AttrKind;

typedef struct {
    AttrKey key;
    uint32_t count; /* of the array kinds */
    union {
        int64_t integer;
        double number;
        const char *str; /* interned */
        const int64_t *ints;
        const char *const *strs; /* interned */
        const Dim *dim;
        const Dim *const *dims;
        const Type *const *types;
        DType dtype;
    };
} Attr;

const char *attr_name(AttrKey key);
AttrKind attr_kind(AttrKey key);
bool attr_from_name(const char *name, size_t length, AttrKey *key);
/* The same key and value? */
bool attr_same(const Attr *a, const Attr *b);
/* The place of a number among integers, such as axes; their count where it isn't there. */
uint32_t attr_find(const Attr *ints, int64_t number);
bool attr_has(const Attr *ints, int64_t number);
/* A bit for each of them, which are axes. */
uint32_t attr_bits(const Attr *axes);

/* Where `plan` puts a value: byte `offset` of arena `frame`. */
typedef struct {
    int32_t frame; /* -1 = not placed */
    const Dim *offset;
} Place;

struct Value {
    const Type *type;
    Node *node;       /* its definition, or NULL for a block parameter */
    Block *block;     /* where it is defined */
    uint32_t index;   /* which result, or which parameter */
    uint32_t id;      /* unique in the graph; the number that is printed */
    const char *name; /* dotted source name ("net.up.weight"), interned, or NULL */
    Place place;
    Value *replacement; /* see value_replace */
    void *scratch;      /* for the pass that is running; meaningless between passes */
};

struct Node {
    Graph *graph;
    Op op;
    uint32_t operand_count, result_count, block_count, attr_count;
    Value **operands;
    Value **results;
    Block **blocks;
    Attr *attrs;
    Loc loc;
    Block *block;
    Node *prev, *next;
    void *scratch;
};

struct Block {
    Graph *graph;
    Function *function;
    Node *owner; /* NULL for a function's body */
    VEC(Value *) params;
    Node *first, *last;
};

typedef enum { FUNCTION_COMMAND, FUNCTION_EXPORT } FunctionKind;

typedef struct {
    Value *value;         /* the body block's parameter; a scalar or str for commands */
    const char *name;     /* as on the command line */
    const char *fallback; /* default as text ("10", "1e-3", "data/mnist"), or NULL if it must be given */
    const char *doc;      /* doc comment, lines joined by '\n', or NULL */
} Param;

struct Function {
    FunctionKind kind;
    const char *name;
    const char *doc; /* doc comment, lines joined by '\n', or NULL */
    VEC(Param) params;
    Block *body;
    Loc loc;
};

struct Graph {
    IrContext *ir;
    Arena *arena;     /* of blocks, nodes and values: see graph_compact */
    const char *name; /* of the program */
    const char *doc;
    VEC(Function *) functions;
    uint32_t next_id;
    uint32_t changes; /* nodes made or removed since it was moved */
};

Graph *graph_new(IrContext *ir, const char *name);
Function *graph_function(Graph *graph, FunctionKind kind, const char *name);
/* With an `owner`, appended to its blocks. */
Block *block_new(Graph *graph, Function *function, Node *owner);
Value *block_param(Block *block, const Type *type, const char *name);
/* The values that the block yields (its last node's operands). */
Node *block_yield(const Block *block);
/* Is `inner` the block `outer` or nested in it? */
bool block_inside(const Block *inner, const Block *outer);

/* Unlinked node with results of the given types; insert it with node_append or node_insert_before. Arrays are
 * copied. */
Node *node_new(Graph *graph, Op op, uint32_t operands, Value *const *operand, uint32_t attrs,
               const Attr *attr, uint32_t results, const Type *const *result, Loc loc);
void node_append(Block *block, Node *node);
void node_insert_before(Node *where, Node *node);
void node_insert_after(Node *where, Node *node);
void node_remove(Node *node);                  /* unlinks; the caller has seen to its uses */
void node_add_block(Node *node, Block *block); /* nothing where it is there already */
/* Appends operands/results (loops grow carried values). */
void node_add_operand(Node *node, Value *value);
Value *node_add_result(Node *node, const Type *type);
void node_set_attr(Node *node, Attr attr);
void node_drop_attr(Node *node, AttrKey key);
const Attr *node_attr(const Node *node, AttrKey key); /* NULL if absent */
int64_t node_int(const Node *node, AttrKey key);      /* must be present; likewise below */
const char *node_str(const Node *node, AttrKey key);
const Dim *node_dim(const Node *node, AttrKey key);

/* From now on every use of `old` means `by`; takes effect at graph_resolve. Chains are followed. */
void value_replace(Value *old, Value *by);
Value *value_resolve(Value *value);
/* Rewrites all operands to their replacements. */
void graph_resolve(Graph *graph);
void block_resolve(Block *block);

/* Calls `visit` for every node, outer before inner, in order; `visit` may remove the node it is given or
 * insert before it. */
void graph_walk(Graph *graph, void (*visit)(void *user, Node *node), void *user);
void block_walk(Block *block, void (*visit)(void *user, Node *node), void *user);

/* All nodes of an operation in the block or the graph, outer before inner, in order. */
typedef VEC(Node *) Nodes;
Nodes block_nodes(Block *block, Op op, Arena *arena);
Nodes graph_nodes(Graph *graph, Op op, Arena *arena);

/* Calls `visit` for each symbol that the types of the node's results and its attributes mention, not for what
 * is in its blocks; may visit one twice. */
void node_symbols(const Node *node, void (*visit)(void *user, const Dim *symbol), void *user);

/* Numbers the values from 0 in the order in which they are printed. */
void graph_renumber(Graph *graph);

/* Resolves and renumbers, and moves all blocks, nodes and values to new memory, in order: pointers to them
 * are void, and what isn't in the graph any more is gone. */
void graph_compact(Graph *graph);

/* The same, or all of it but the moving where few nodes were made or removed since the last time. */
void graph_settle(Graph *graph);

/* Number of uses of each value, by value->id (array of graph->next_id entries in `arena`). */
uint32_t *graph_count_uses(Graph *graph, Arena *arena);

/* Copies nodes. A copied block is appended to its new `owner`'s blocks. `map` (Value* → Value*) says what
 * outer values become and receives what inner values became; a value that is not in it stays itself. Symbols
 * defined inside (`symbol` nodes) are renamed afresh in the copy. */
typedef struct Map Map;
Value *value_mapped(const Map *map, Value *value);
Node *node_clone(Graph *graph, const Node *node, Map *map); /* unlinked */
Block *block_clone(Graph *graph, const Block *block, Node *owner, Map *map);
/* Appends copies of all nodes of `block` but its yield before `where`; returns the yielded values' copies. */
Value **block_inline(Graph *graph, const Block *block, Node *where, Map *map);

#endif
