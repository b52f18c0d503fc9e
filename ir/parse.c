/* Reads the text of ir/print.c. The text may come from anyone: every mistake is a diagnostic, the stack is
 * bounded, and the graph is verified before it is returned. Reading ends at the first mistake. */
#include "ir/text.h"
#include "ir/verify.h"
#include "support/map.h"
#include <ctype.h>
#include <stdlib.h>

enum { MAX_BLOCK_DEPTH = 100 }; /* blocks in blocks: bounds the recursion of the parser and of every pass */

typedef struct {
    Graph *graph;
    Arena *arena;
    Diagnostics *diags;
    uint32_t source;
    const char *start, *at, *end;
    Map *values; /* number in the text → Value */
    int depth;
    bool failed;
} Reader;

/* --- complaints */
static Span span_at(const Reader *r, const char *from, size_t length) {
    uint32_t start = (uint32_t)(from - r->start), end = start + (uint32_t)length;
    uint32_t limit = (uint32_t)(r->end - r->start);
    return (Span){.source = r->source, .start = start, .end = end < limit ? end : limit};
}

static void expected(Reader *r, const char *what) {
    if (!r->failed) diag_report(r->diags, D_IR_SYNTAX, span_at(r, r->at, 1), what);
    r->failed = true;
}

/* `from` … `at` is a word that means nothing. */
static void unknown(Reader *r, const char *from, const char *what) {
    size_t length = (size_t)(r->at - from);
    const char *word = arena_strndup(r->arena, from, length);
    if (!r->failed) diag_report(r->diags, D_IR_NAME, span_at(r, from, length), what, word);
    r->failed = true;
}

static void bad_number(Reader *r, const char *from) {
    if (!r->failed) diag_report(r->diags, D_IR_NUMBER, span_at(r, from, (size_t)(r->at - from)));
    r->failed = true;
}

/* --- tokens */
static void skip(Reader *r) {
    for (;;) {
        while (isspace((unsigned char)*r->at)) r->at++;
        if (*r->at != '#') return;
        while (*r->at && *r->at != '\n') r->at++;
    }
}

static bool peek(Reader *r, char c) {
    skip(r);
    return !r->failed && *r->at == c;
}

static bool accept(Reader *r, char c) {
    bool found = peek(r, c);
    r->at += found;
    return found;
}

static void expect(Reader *r, char c) {
    char what[] = {'`', c, '`', '\0'};
    if (!accept(r, c)) expected(r, what);
}

static bool is_word_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* The word here, or an empty one. */
static size_t word_length(Reader *r) {
    size_t length = 0;
    skip(r);
    while (is_word_char(r->at[length])) length++;
    return r->failed ? 0 : length;
}

static bool peek_word(Reader *r, const char *word) {
    size_t length = word_length(r);
    return length && strlen(word) == length && memcmp(r->at, word, length) == 0;
}

static bool accept_word(Reader *r, const char *word) {
    bool found = peek_word(r, word);
    if (found) r->at += strlen(word);
    return found;
}

static uint32_t read_uint(Reader *r) {
    uint64_t value = 0;
    skip(r);
    const char *from = r->at;
    for (; isdigit((unsigned char)*r->at) && value <= UINT32_MAX; r->at++)
        value = 10 * value + (uint64_t)(*r->at - '0');
    if (r->at == from) expected(r, "a number");
    if (value > UINT32_MAX) bad_number(r, from);
    return (uint32_t)value;
}

static int64_t read_int(Reader *r) {
    int64_t value = 0;
    bool overflow = false, negative = accept(r, '-');
    const char *from = r->at;
    for (; isdigit((unsigned char)*r->at); r->at++) {
        int64_t digit = negative ? '0' - *r->at : *r->at - '0';
        overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value);
    }
    if (r->at == from) expected(r, "a number");
    if (overflow) bad_number(r, from);
    return value;
}

static double read_nan_bits(Reader *r) {
    char *end;
    const char *from = r->at;
    uint64_t bits = strtoull(r->at, &end, 16);
    r->at = end;
    double value;
    memcpy(&value, &bits, sizeof value);
    if (value == value) bad_number(r, from);
    return value;
}

static double read_number(Reader *r) {
    skip(r);
    if (strncmp(r->at, "nan:", 4) == 0) {
        r->at += 4;
        return read_nan_bits(r);
    }
    char *end;
    double value = strtod(r->at, &end);
    if (end == r->at) expected(r, "a number");
    r->at = end;
    return value;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* The character that an escape after its backslash means; -1 where it means none. NUL can't be written. */
static int read_escape(Reader *r) {
    char c = *r->at++;
    if (c == 'n') return '\n';
    if (c == 't') return '\t';
    if (c == '"' || c == '\\') return c;
    if (c != 'x' || hex_digit(r->at[0]) < 0 || hex_digit(r->at[1]) < 0) return -1;
    int value = 16 * hex_digit(r->at[0]) + hex_digit(r->at[1]);
    r->at += 2;
    return value ? value : -1;
}

/* A quoted text, interned. Never NULL. */
static const char *read_text(Reader *r) {
    VEC(char) text = {0};
    if (!accept(r, '"')) expected(r, "a quoted text");
    while (!r->failed && *r->at && *r->at != '"') {
        int c = (unsigned char)*r->at;
        const char *from = r->at++;
        if (c == '\\' && (!*r->at || (c = read_escape(r)) < 0)) {
            r->at = from;
            expected(r, "an escape: \\n, \\t, \\\", \\\\ or \\x01 … \\xff");
            break;
        }
        vec_push(r->arena, &text, (char)c);
    }
    expect(r, '"');
    return intern_n(ir_strings(r->graph->ir), text.count ? text.at : "", text.count);
}

static const Dim *read_dim(Reader *r) {
    skip(r);
    const Dim *dim = r->failed ? NULL : dim_parse(r->graph->ir, &r->at);
    if (!dim) expected(r, "a dimension that is not too large");
    return dim ? dim : dim_const(r->graph->ir, 0);
}

static const Type *read_type(Reader *r) {
    skip(r);
    const Type *type = r->failed ? NULL : type_parse(r->graph->ir, &r->at);
    if (!type) expected(r, "a type");
    return type ? type : type_scalar(r->graph->ir, DTYPE_i64);
}

static DType read_dtype(Reader *r) {
    DType dtype = DTYPE_i64;
    size_t length = word_length(r);
    const char *from = r->at;
    r->at += length;
    if (!dtype_from_name(from, length, &dtype)) unknown(r, from, "element type");
    return dtype;
}

/* --- attributes. Arrays are read until the `]`. */
#define READ_ARRAY(r, attr, T, member, read)       \
    do {                                           \
        VEC(T) items = {0};                        \
        expect((r), '[');                          \
        while (!(r)->failed && !peek((r), ']')) {  \
            vec_push((r)->arena, &items, read(r)); \
            if (!accept((r), ',')) break;          \
        }                                          \
        expect((r), ']');                          \
        (attr)->count = items.count;               \
        (attr)->member = items.at;                 \
    } while (0)

static Attr read_attr_value(Reader *r, AttrKey key) {
    Attr attr = {.key = key};
    switch (attr_kind(key)) {
    case ATTR_KIND_INT: attr.integer = read_int(r); break;
    case ATTR_KIND_NUMBER: attr.number = read_number(r); break;
    case ATTR_KIND_STR: attr.str = read_text(r); break;
    case ATTR_KIND_DIM: attr.dim = read_dim(r); break;
    case ATTR_KIND_DTYPE: attr.dtype = read_dtype(r); break;
    case ATTR_KIND_INTS: READ_ARRAY(r, &attr, int64_t, ints, read_int); break;
    case ATTR_KIND_STRS: READ_ARRAY(r, &attr, const char *, strs, read_text); break;
    case ATTR_KIND_DIMS: READ_ARRAY(r, &attr, const Dim *, dims, read_dim); break;
    case ATTR_KIND_TYPES: READ_ARRAY(r, &attr, const Type *, types, read_type); break;
    }
    return attr;
}

/* Is there `word=` here? (A word without `=` begins the next node.) */
static bool peek_attr(Reader *r) {
    size_t length = word_length(r);
    return length && r->at[length] == '=';
}

static void read_attr(Reader *r, Node *node) {
    AttrKey key;
    const char *from = r->at;
    r->at += word_length(r);
    if (!attr_from_name(from, (size_t)(r->at - from), &key)) {
        unknown(r, from, "attribute");
        return;
    }
    if (node_attr(node, key)) {
        diag_report(r->diags, D_IR_REPEATED, span_at(r, from, (size_t)(r->at - from)), attr_name(key));
        r->failed = true;
        return;
    }
    expect(r, '=');
    Attr attr = read_attr_value(r, key);
    if (!r->failed) node_set_attr(node, attr);
}

static Loc read_loc(Reader *r) {
    Loc loc = {0};
    if (!accept_word(r, "loc")) return loc;
    expect(r, '(');
    loc.file = read_text(r);
    expect(r, ':');
    loc.line = read_uint(r);
    expect(r, ':');
    loc.column = read_uint(r);
    expect(r, ')');
    return loc;
}

/* --- values */
/* What is written of a value where it is defined. */
typedef struct {
    const char *from; /* in the text */
    size_t length;
    uint32_t number;
    const char *name;
    const Type *type;
    Place place;
} Definition;

typedef VEC(Definition) Definitions;

static const void *number_key(uint32_t number) { return (const void *)(uintptr_t)number; }

static Place read_place(Reader *r) {
    Place place = {.frame = -1};
    if (!accept(r, '@')) return place;
    const char *from = r->at;
    uint32_t frame = read_uint(r);
    if (frame > INT32_MAX) bad_number(r, from);
    expect(r, '+');
    place.frame = (int32_t)frame;
    place.offset = read_dim(r);
    return place;
}

static Definition read_definition(Reader *r) {
    Definition d = {0};
    skip(r);
    d.from = r->at;
    expect(r, '%');
    d.number = read_uint(r);
    d.length = (size_t)(r->at - d.from);
    if (peek(r, '"')) d.name = read_text(r);
    expect(r, ':');
    d.type = read_type(r);
    d.place = read_place(r);
    return d;
}

static Definitions read_definitions(Reader *r) {
    Definitions definitions = {0};
    do vec_push(r->arena, &definitions, read_definition(r));
    while (accept(r, ','));
    return definitions;
}

static void define(Reader *r, const Definition *d, Value *value) {
    value->name = d->name;
    value->place = d->place;
    if (!r->failed && map_get(r->values, number_key(d->number))) {
        diag_report(r->diags, D_IR_REDEFINED, span_at(r, d->from, d->length), d->number);
        r->failed = true;
    }
    map_put(r->values, number_key(d->number), value);
}

/* NULL after a complaint. */
static Value *read_operand(Reader *r) {
    skip(r);
    const char *from = r->at;
    expect(r, '%');
    uint32_t number = read_uint(r);
    if (r->failed) return NULL;
    Value *value = map_get(r->values, number_key(number));
    if (!value) {
        diag_report(r->diags, D_IR_UNDEFINED, span_at(r, from, (size_t)(r->at - from)), number);
        r->failed = true;
    }
    return value;
}

/* --- nodes and blocks */
static void read_nodes(Reader *r, Block *block);

static void read_params(Reader *r, Block *block) {
    if (!accept(r, '(')) return;
    Definitions definitions = read_definitions(r);
    for (uint32_t i = 0; i < definitions.count && !r->failed; i++)
        define(r, &definitions.at[i], block_param(block, definitions.at[i].type, NULL));
    expect(r, ')');
    expect(r, ':');
}

static void read_block(Reader *r, Node *node) {
    if (r->depth == MAX_BLOCK_DEPTH) {
        if (!r->failed) diag_report(r->diags, D_IR_DEPTH, span_at(r, r->at, 1), MAX_BLOCK_DEPTH);
        r->failed = true;
        return;
    }
    r->depth++;
    Block *block = block_new(r->graph, node->block->function, node);
    expect(r, '{');
    read_params(r, block);
    read_nodes(r, block);
    r->depth--;
}

static Op read_op(Reader *r) {
    Op op = OP_yield;
    size_t length = word_length(r);
    const char *from = r->at;
    r->at += length;
    if (!length)
        expected(r, "an operation");
    else if (!op_from_name(from, length, &op))
        unknown(r, from, "operation");
    return op;
}

static Node *new_node(Reader *r, Op op, const Definitions *results) {
    const Type **types = ARENA_ARRAY(r->arena, const Type *, results->count);
    for (uint32_t i = 0; i < results->count; i++) types[i] = results->at[i].type;
    return node_new(r->graph, op, 0, NULL, 0, NULL, results->count, types, (Loc){0});
}

static void read_operands(Reader *r, Node *node) {
    VEC(Value *) operands = {0};
    if (!accept(r, '(')) return;
    do vec_push(r->arena, &operands, read_operand(r));
    while (accept(r, ','));
    expect(r, ')');
    if (r->failed) return;
    node->operands = operands.at;
    node->operand_count = operands.count;
}

/* Results are defined after the node's blocks, which can't see them. */
static void read_node(Reader *r, Block *block) {
    Definitions results = {0};
    if (peek(r, '%')) {
        results = read_definitions(r);
        expect(r, '=');
    }
    Op op = read_op(r);
    if (r->failed) return;
    Node *node = new_node(r, op, &results);
    node_append(block, node);
    read_operands(r, node);
    while (peek_attr(r)) read_attr(r, node);
    node->loc = read_loc(r);
    while (peek(r, '{')) read_block(r, node);
    for (uint32_t i = 0; i < results.count && !r->failed; i++) define(r, &results.at[i], node->results[i]);
}

static void read_nodes(Reader *r, Block *block) {
    while (!r->failed && !peek(r, '}')) read_node(r, block);
    expect(r, '}');
}

/* --- functions */
static const char *read_doc(Reader *r) { return accept_word(r, "doc") ? read_text(r) : NULL; }

static void read_param(Reader *r, Function *function) {
    Definition d = read_definition(r);
    if (r->failed) return;
    Param param = {.value = block_param(function->body, d.type, NULL)};
    define(r, &d, param.value);
    if (!accept_word(r, "as")) expected(r, "`as`");
    param.name = read_text(r);
    if (accept(r, '=')) param.fallback = read_text(r);
    param.doc = read_doc(r);
    vec_push(r->arena, &function->params, param);
}

static void read_function(Reader *r) {
    bool command = accept_word(r, "command");
    if (!command && !accept_word(r, "export")) expected(r, "`command` or `export`");
    const char *name = read_text(r);
    Function *function = graph_function(r->graph, command ? FUNCTION_COMMAND : FUNCTION_EXPORT, name);
    expect(r, '(');
    if (!peek(r, ')')) {
        do read_param(r, function);
        while (accept(r, ','));
    }
    expect(r, ')');
    function->doc = read_doc(r);
    function->loc = read_loc(r);
    expect(r, '{');
    read_nodes(r, function->body);
}

static bool at_end(Reader *r) {
    skip(r);
    return r->failed || r->at == r->end;
}

static bool is_valid(Reader *r) {
    if (r->failed) return false;
    const char *why = graph_verify(r->graph, r->arena);
    if (why) diag_report(r->diags, D_IR_INVALID, (Span){.source = r->source}, why);
    return !why;
}

Graph *graph_parse(IrContext *ir, Sources *sources, uint32_t source, Diagnostics *diags) {
    const Source *text = sources_get(sources, source);
    Reader r = {.graph = graph_new(ir, ""),
                .arena = ir_arena(ir),
                .diags = diags,
                .source = source,
                .start = text->text,
                .at = text->text,
                .end = text->text + text->length};
    r.values = map_new(r.arena);
    if (!accept_word(&r, "graph")) expected(&r, "`graph`");
    r.graph->name = read_text(&r);
    r.graph->doc = read_doc(&r);
    while (!at_end(&r)) read_function(&r);
    return is_valid(&r) ? r.graph : NULL;
}
