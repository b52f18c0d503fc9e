/* Kernels that differ only in what they read are one function: the key is the body as text, with outer values
 * and symbols as numbers. Passes leave equal bodies in different orders, so they are put into one. */
#include "codegen/kernel.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the order of a body: every node just before the first that needs it */
static void place(Block *body, Node *node, Map *placed) {
    if (map_get(placed, node)) return;
    map_put(placed, node, node);
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i]->block == body && node->operands[i]->node)
            place(body, node->operands[i]->node, placed);
    node_remove(node);
    node_append(body, node);
}

void kernel_order(Arena *arena, Block *body) {
    bool chain = body->first->op == OP_kernel;
    for (Node *node = body->first; chain && node->op == OP_kernel; node = node->next)
        kernel_order(arena, node->blocks[0]);
    if (!chain) place(body, block_yield(body), map_new(arena));
}

/* --- the text */
typedef struct {
    Kernel *k;
    FILE *out;
    Map *local; /* Value * of the body → number + 1 */
    uintptr_t count;
} Key;

static void key_dim(Key *key, const Dim *dim) {
    const DimTerm *terms;
    uint32_t count = dim_terms(dim, &terms);
    if (count == 0) fputc('0', key->out); /* an axis of no elements is none the less an axis */
    for (uint32_t i = 0; i < count; i++) {
        fprintf(key->out, "%+" PRId64, terms[i].coefficient);
        for (uint32_t a = 0; a < terms[i].count; a++) {
            const DimAtom *atom = &terms[i].atoms[a];
            if (atom->symbol) {
                uintptr_t own = (uintptr_t)map_get(key->local, atom->symbol);
                uintptr_t number = own ? own : (uintptr_t)map_get(key->k->numbers, atom->symbol);
                fprintf(key->out, "%s%" PRIuPTR "^%u", own ? "i" : "s", number, atom->power);
                continue;
            }
            fputc('(', key->out);
            key_dim(key, atom->numerator);
            fputc('/', key->out);
            key_dim(key, atom->denominator);
            fprintf(key->out, ")^%u", atom->power);
        }
    }
}

static void key_dims(Key *key, uint32_t count, const Dim *const *dims) {
    fputc('[', key->out);
    for (uint32_t i = 0; i < count; i++) {
        if (i) fputc(',', key->out);
        key_dim(key, dims[i]);
    }
    fputc(']', key->out);
}

static void key_type(Key *key, const Type *type) {
    fputs(dtype_name(type->dtype), key->out);
    key_dims(key, type->rank, type->dims);
}

static void key_number(Key *key, double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    fprintf(key->out, "%" PRIx64, bits);
}

static void key_attr(Key *key, const Attr *attr) {
    fprintf(key->out, " %d=", (int)attr->key);
    switch (attr_kind(attr->key)) {
    case ATTR_KIND_INT: fprintf(key->out, "%" PRId64, attr->integer); break;
    case ATTR_KIND_NUMBER: key_number(key, attr->number); break;
    case ATTR_KIND_STR: fputs(attr->str, key->out); break;
    case ATTR_KIND_DIM: key_dim(key, attr->dim); break;
    case ATTR_KIND_DIMS: key_dims(key, attr->count, attr->dims); break;
    case ATTR_KIND_DTYPE: fputs(dtype_name(attr->dtype), key->out); break;
    case ATTR_KIND_INTS:
        for (uint32_t i = 0; i < attr->count; i++) fprintf(key->out, "%" PRId64 ",", attr->ints[i]);
        break;
    case ATTR_KIND_STRS:
        for (uint32_t i = 0; i < attr->count; i++) fprintf(key->out, "%s,", attr->strs[i]);
        break;
    case ATTR_KIND_TYPES:
        for (uint32_t i = 0; i < attr->count; i++) key_type(key, attr->types[i]);
        break;
    }
}

static void key_operand(Key *key, const Value *value) {
    uintptr_t local = (uintptr_t)map_get(key->local, value);
    if (local)
        fprintf(key->out, " %%%" PRIuPTR, local);
    else
        fprintf(key->out, " $%" PRIuPTR, (uintptr_t)map_get(key->k->numbers, value));
}

static void key_node(Key *key, const Node *node) {
    fputs(op_name(node->op), key->out);
    for (uint32_t i = 0; i < node->operand_count; i++) key_operand(key, node->operands[i]);
    for (uint32_t i = 0; i < node->attr_count; i++) key_attr(key, &node->attrs[i]);
    for (uint32_t i = 0; i < node->result_count; i++) {
        key_type(key, node->results[i]->type);
        map_put(key->local, node->results[i], (void *)++key->count);
    }
    fputc('\n', key->out);
}

static void key_block(Key *key, const Block *block) {
    for (const Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; i < node->block_count; i++) key_block(key, node->blocks[i]);
        key_node(key, node);
    }
}

const char *kernel_key(Kernel *k) {
    char *text = NULL;
    size_t length = 0;
    Key key = {.k = k, .out = open_memstream(&text, &length), .local = map_new(k->arena)};
    if (!key.out) abort();
    fprintf(key.out, "%u", k->variant);
    const Attr *index = node_attr(k->node, ATTR_index);
    for (uint32_t i = 0; index && i < index->count; i++)
        map_put(key.local, index->dims[i], (void *)++key.count);
    for (uint32_t i = 0; i < k->node->attr_count; i++) key_attr(&key, &k->node->attrs[i]);
    for (uint32_t i = 0; i < k->captured.count; i++) {
        key_type(&key, k->captured.at[i]->type);
        fputs(k->shared.at[i] ? "! " : " ", key.out);
    }
    key_block(&key, k->body);
    fclose(key.out);
    const char *interned = intern_n(ir_strings(k->e->ir), text, length);
    free(text);
    return interned;
}
