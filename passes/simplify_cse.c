/* Finds nodes that compute the same. The table holds what is visible where the walk is: entries of a block
 * are released when the walk leaves it, so a node is only ever replaced by one that dominates it. */
#include "passes/simplify.h"

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

static uint64_t mix_pointer(uint64_t hash, const void *pointer) {
    return mix(hash, (uint64_t)(uintptr_t)pointer);
}

static bool commutes(const Node *node) { return op_has(node->op, TRAIT_COMMUTES); }

/* Equal for equal nodes. The types of the results follow from the rest, but spread constants and iotas. */
static uint64_t hash_node(const Node *node) {
    uint64_t hash = mix(1, (uint64_t)node->op);
    for (uint32_t i = 0; i < node->result_count; i++) hash = mix_pointer(hash, node->results[i]->type);
    uint64_t operands = 0;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        uint64_t one = mix_pointer(commutes(node) && i < 2 ? 0 : i, node->operands[i]);
        operands += one;
    }
    hash = mix(hash, operands);
    for (uint32_t i = 0; i < node->attr_count; i++) {
        const Attr *attr = &node->attrs[i];
        hash = mix(hash, (uint64_t)attr->key);
        if (attr_kind(attr->key) == ATTR_KIND_INT) hash = mix(hash, (uint64_t)attr->integer);
        if (attr_kind(attr->key) == ATTR_KIND_STR) hash = mix_pointer(hash, attr->str);
        if (attr_kind(attr->key) == ATTR_KIND_NUMBER) {
            uint64_t bits;
            memcpy(&bits, &attr->number, sizeof bits);
            hash = mix(hash, bits);
        }
    }
    return hash;
}

static bool same_operands(const Node *a, const Node *b) {
    uint32_t count = a->operand_count;
    if (count != b->operand_count) return false;
    bool crossed = commutes(a) && a->operands[0] == b->operands[1] && a->operands[1] == b->operands[0];
    for (uint32_t i = crossed ? 2 : 0; i < count; i++)
        if (a->operands[i] != b->operands[i]) return false;
    return true;
}

static bool same_attrs(const Node *a, const Node *b) {
    if (a->attr_count != b->attr_count) return false;
    for (uint32_t i = 0; i < a->attr_count; i++) {
        const Attr *other = node_attr(b, a->attrs[i].key);
        if (!other || !attr_same(&a->attrs[i], other)) return false;
    }
    return true;
}

static bool same_node(const Node *a, const Node *b) {
    if (a->op != b->op || a->result_count != b->result_count) return false;
    for (uint32_t i = 0; i < a->result_count; i++)
        if (a->results[i]->type != b->results[i]->type) return false;
    return same_operands(a, b) && same_attrs(a, b);
}

/* Copies are wanted twice: they are there for their place. */
static bool may_merge(const Node *node) {
    return node->result_count && !op_has(node->op, TRAIT_EFFECT) && !op_has(node->op, TRAIT_REGION) &&
           node->op != OP_copy;
}

/* What costs nothing where it is used, but a tensor where it is not: merging such nodes across blocks would
 * undo what hoist does. */
static bool stays_in_block(const Node *node) {
    return node->op == OP_const || node->op == OP_iota || op_has(node->op, TRAIT_VIEW);
}

static void rehash(Simplify *s) {
    EqualTable *t = &s->equals;
    t->bucket_count = t->bucket_count ? 4 * t->bucket_count : 256;
    t->buckets = ARENA_ARRAY(s->scratch, uint32_t, t->bucket_count);
    for (uint32_t i = 0; i < t->entries.count; i++) {
        uint32_t *bucket = &t->buckets[t->entries.at[i].hash & (t->bucket_count - 1)];
        t->entries.at[i].next = *bucket;
        *bucket = i + 1;
    }
}

Node *equal_node(Simplify *s, Node *node) {
    EqualTable *t = &s->equals;
    if (!may_merge(node)) return NULL;
    if (t->entries.count >= t->bucket_count) rehash(s);
    uint64_t hash = hash_node(node);
    uint32_t *bucket = &t->buckets[hash & (t->bucket_count - 1)];
    /* Later entries come first in a bucket, so those outside the kernel are at its end. */
    for (uint32_t i = *bucket; i > t->first; i = t->entries.at[i - 1].next) {
        EqualEntry *entry = &t->entries.at[i - 1];
        bool reaches = entry->node->block == node->block || !stays_in_block(node);
        if (reaches && entry->hash == hash && same_node(entry->node, node)) return entry->node;
    }
    EqualEntry entry = {.hash = hash, .node = node, .next = *bucket};
    vec_push(s->scratch, &t->entries, entry);
    *bucket = t->entries.count;
    return NULL;
}

uint32_t equal_mark(const Simplify *s) { return s->equals.entries.count; }

void equal_release(Simplify *s, uint32_t mark) {
    EqualTable *t = &s->equals;
    while (t->entries.count > mark) {
        EqualEntry *entry = &t->entries.at[--t->entries.count];
        t->buckets[entry->hash & (t->bucket_count - 1)] = entry->next;
    }
}
