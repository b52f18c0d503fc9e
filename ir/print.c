/* The graph as text. Every detail that a graph holds is printed so that ir/parse.c reads back an equal one.
 */
#include "ir/text.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

typedef struct {
    FILE *out;
    PrintOptions options;
    int depth; /* of indentation */
} Printer;

/* --- literals */
static void print_quoted(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c < 32 || c == 127)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

/* The shortest decimal text that reads back as the same number; a NaN with its bits unless they are the usual
 * ones. */
static void print_number(FILE *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value)) {
        if (bits == UINT64_C(0x7ff8000000000000))
            fputs("nan", out);
        else
            fprintf(out, "nan:%016" PRIx64, bits);
        return;
    }
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    fputs(text, out);
}

static void print_loc(Printer *p, Loc loc) {
    if (!p->options.locations || !loc.file) return;
    fputs(" loc(", p->out);
    print_quoted(p->out, loc.file);
    fprintf(p->out, ":%u:%u)", loc.line, loc.column);
}

static void print_doc(Printer *p, const char *doc) {
    if (!doc) return;
    fputs(" doc ", p->out);
    print_quoted(p->out, doc);
}

/* --- values */
static void print_definition(FILE *out, const Value *value) {
    fprintf(out, "%%%u", value->id);
    if (value->name) {
        fputc(' ', out);
        print_quoted(out, value->name);
    }
    fputs(": ", out);
    type_print(out, value->type);
    if (value->place.frame < 0) return;
    fprintf(out, " @%d+", (int)value->place.frame);
    dim_print(out, value->place.offset);
}

static void print_definitions(FILE *out, uint32_t count, Value *const *values) {
    for (uint32_t i = 0; i < count; i++) {
        if (i) fputs(", ", out);
        print_definition(out, values[i]);
    }
}

/* --- attributes */
static void print_element(FILE *out, const Attr *attr, AttrKind kind, uint32_t i) {
    switch (kind) {
    case ATTR_KIND_INTS: fprintf(out, "%" PRId64, attr->ints[i]); break;
    case ATTR_KIND_STRS: print_quoted(out, attr->strs[i]); break;
    case ATTR_KIND_DIMS: dim_print(out, attr->dims[i]); break;
    case ATTR_KIND_TYPES: type_print(out, attr->types[i]); break;
    case ATTR_KIND_INT:
    case ATTR_KIND_NUMBER:
    case ATTR_KIND_STR:
    case ATTR_KIND_DIM:
    case ATTR_KIND_DTYPE: break;
    }
}

static void print_array(FILE *out, const Attr *attr, AttrKind kind) {
    fputc('[', out);
    for (uint32_t i = 0; i < attr->count; i++) {
        if (i) fputs(", ", out);
        print_element(out, attr, kind, i);
    }
    fputc(']', out);
}

static void print_attr(FILE *out, const Attr *attr) {
    AttrKind kind = attr_kind(attr->key);
    fprintf(out, " %s=", attr_name(attr->key));
    switch (kind) {
    case ATTR_KIND_INT: fprintf(out, "%" PRId64, attr->integer); break;
    case ATTR_KIND_NUMBER: print_number(out, attr->number); break;
    case ATTR_KIND_STR: print_quoted(out, attr->str); break;
    case ATTR_KIND_DIM: dim_print(out, attr->dim); break;
    case ATTR_KIND_DTYPE: fputs(dtype_name(attr->dtype), out); break;
    case ATTR_KIND_INTS:
    case ATTR_KIND_STRS:
    case ATTR_KIND_DIMS:
    case ATTR_KIND_TYPES: print_array(out, attr, kind); break;
    }
}

/* --- nodes and blocks */
static void print_indent(Printer *p) { fprintf(p->out, "%*s", 2 * p->depth, ""); }

static void print_head(Printer *p, const Node *node) {
    print_definitions(p->out, node->result_count, node->results);
    if (node->result_count) fputs(" = ", p->out);
    fputs(op_name(node->op), p->out);
    for (uint32_t i = 0; i < node->operand_count; i++)
        fprintf(p->out, "%s%%%u", i ? ", " : "(", node->operands[i]->id);
    if (node->operand_count) fputc(')', p->out);
    for (uint32_t i = 0; i < node->attr_count; i++) print_attr(p->out, &node->attrs[i]);
    print_loc(p, node->loc);
}

static void print_node(Printer *p, const Node *node);

static void print_nodes(Printer *p, const Block *block) {
    p->depth++;
    for (const Node *node = block->first; node; node = node->next) print_node(p, node);
    p->depth--;
}

static void print_block(Printer *p, const Block *block) {
    fputs(" {\n", p->out);
    if (block->params.count) {
        print_indent(p);
        fputc('(', p->out);
        print_definitions(p->out, block->params.count, block->params.at);
        fputs("):\n", p->out);
    }
    print_nodes(p, block);
    print_indent(p);
    fputc('}', p->out);
}

static void print_node(Printer *p, const Node *node) {
    print_indent(p);
    print_head(p, node);
    for (uint32_t i = 0; i < node->block_count; i++) print_block(p, node->blocks[i]);
    fputc('\n', p->out);
}

/* --- functions */
static void print_param(Printer *p, const Param *param) {
    print_definition(p->out, param->value);
    fputs(" as ", p->out);
    print_quoted(p->out, param->name);
    if (param->fallback) fputs(" = ", p->out), print_quoted(p->out, param->fallback);
    print_doc(p, param->doc);
}

static void print_function(Printer *p, const Function *function) {
    fputs(function->kind == FUNCTION_COMMAND ? "\ncommand " : "\nexport ", p->out);
    print_quoted(p->out, function->name);
    fputs(" (", p->out);
    for (uint32_t i = 0; i < function->params.count; i++) {
        if (i) fputs(", ", p->out);
        print_param(p, &function->params.at[i]);
    }
    fputc(')', p->out);
    print_doc(p, function->doc);
    print_loc(p, function->loc);
    fputs(" {\n", p->out);
    print_nodes(p, function->body);
    fputs("}\n", p->out);
}

void graph_print(FILE *out, const Graph *graph, PrintOptions options) {
    Printer printer = {.out = out, .options = options};
    fputs("graph ", out);
    print_quoted(out, graph->name);
    print_doc(&printer, graph->doc);
    fputc('\n', out);
    for (uint32_t i = 0; i < graph->functions.count; i++) print_function(&printer, graph->functions.at[i]);
}

char *graph_text(const Graph *graph) {
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert(out);
    graph_print(out, graph, (PrintOptions){.locations = false});
    fclose(out);
    return text;
}
