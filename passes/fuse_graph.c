/* Who uses and needs whom in a block, and which groups compute what. */
#include "passes/fuse.h"

/* Rank-0 arithmetic on rank-0 operands is host code; everything else that is pure and has a numeric result is
 * a tensor's. */
static bool is_tensor_node(const Node *node) {
    if (op_has(node->op, TRAIT_EFFECT) || op_has(node->op, TRAIT_HOST) || op_has(node->op, TRAIT_REGION))
        return false;
    if (node->op == OP_yield || node->op == OP_size || node->op == OP_grad || node->op == OP_copy)
        return false;
    if (node->results[0]->type->rank > 0) return true;
    return node->op != OP_const && !op_has(node->op, TRAIT_ELEMENTWISE);
}

FuseNode *fuse_definition(const Fuse *f, const Value *value) {
    return value->node && value->block == f->block ? value->node->scratch : NULL;
}

Value *fuse_result(const FuseNode *n) { return n->node->results[0]; }

static void link_use(Fuse *f, FuseNode *user, FuseNode *used) {
    if (!used || used == user) return;
    for (uint32_t i = 0; i < user->needs.count; i++)
        if (user->needs.at[i] == used) return;
    vec_push(f->arena, &user->needs, used);
    vec_push(f->arena, &used->users, user);
    if (!user->tensor) used->external = true;
}

typedef struct {
    Fuse *fuse;
    FuseNode *user;
} Linking;

static void link_symbol(void *user, const Dim *symbol) {
    Linking *l = user;
    link_use(l->fuse, l->user, map_get(l->fuse->symbols, symbol));
}

static void link_operands(Linking *l, const Node *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        link_use(l->fuse, l->user, fuse_definition(l->fuse, node->operands[i]));
    if (l->fuse->has_symbols && node->op != OP_symbol) node_symbols(node, link_symbol, l);
}

static void link_nested_symbols(void *user, Node *node) {
    if (node->op != OP_symbol) node_symbols(node, link_symbol, user);
}

/* What blocks of a node read from outside is found by one walk for all that asks; here a value's `scratch` is
 * the node that was seen to read it last. */
static void note_nested(void *user, Node *node) {
    Linking *l = user;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Value *value = node->operands[i];
        if (value->block == node->block || value->scratch == l->user) continue;
        value->scratch = l->user;
        vec_push(l->fuse->arena, &l->user->reads, value);
    }
}

static void link_blocks(Linking *l, const Node *node) {
    FuseNode *n = l->user;
    for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], note_nested, l);
    for (uint32_t i = 0; i < n->reads.count; i++)
        link_use(l->fuse, n, fuse_definition(l->fuse, n->reads.at[i]));
    for (uint32_t i = 0; l->fuse->has_symbols && i < node->block_count; i++)
        block_walk(node->blocks[i], link_nested_symbols, l);
}

static FuseNode *collect_node(Fuse *f, Node *node) {
    FuseNode *n = ARENA_NEW(f->arena, FuseNode);
    n->node = node;
    n->position = f->nodes.count;
    n->tensor = is_tensor_node(node);
    node->scratch = n;
    vec_push(f->arena, &f->nodes, n);
    if (node->op == OP_symbol) {
        f->has_symbols = true;
        dim_symbols(node_dim(node, ATTR_dim), link_symbol, &(Linking){f, n});
        map_put(f->symbols, node_dim(node, ATTR_dim), n);
    }
    return n;
}

static void forget_user(FuseNode *used, const FuseNode *user) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < used->users.count; i++)
        if (used->users.at[i] != user) used->users.at[kept++] = used->users.at[i];
    used->users.count = kept;
}

/* What nobody reads must not be the reason for a group. */
static void drop_dead(Fuse *f) {
    FuseNodes live = {0};
    for (uint32_t i = f->nodes.count; i-- > 0;) {
        FuseNode *n = f->nodes.at[i];
        if (!n->tensor || n->external || n->users.count > 0) continue;
        for (uint32_t k = 0; k < n->needs.count; k++) forget_user(n->needs.at[k], n);
        node_remove(n->node);
        n->node->scratch = NULL;
        n->dead = true;
    }
    for (uint32_t i = 0; i < f->nodes.count; i++) {
        if (f->nodes.at[i]->dead) continue;
        f->nodes.at[i]->position = live.count;
        vec_push(f->arena, &live, f->nodes.at[i]);
    }
    f->nodes = live;
}

void fuse_collect(Fuse *f, Block *block) {
    f->block = block;
    f->symbols = map_new(f->arena);
    FuseNode *effect = NULL;
    for (Node *node = block->first; node; node = node->next) {
        FuseNode *n = collect_node(f, node);
        link_operands(&(Linking){f, n}, node);
        link_blocks(&(Linking){f, n}, node);
        /* Effects keep their order; regions may hold some. `yield` is last. */
        if (!op_has(node->op, TRAIT_EFFECT) && !op_has(node->op, TRAIT_REGION)) continue;
        link_use(f, n, effect);
        effect = n;
    }
    drop_dead(f);
    fuse_order_start(f);
}

Group *fuse_root(Group *group) {
    while (group && group->into) group = group->into;
    return group;
}

void fuse_add(Fuse *f, Group *group, FuseNode *n) {
    if (fuse_is_home(n, group)) return;
    vec_push(f->arena, &n->homes, group);
    vec_push(f->arena, &group->nodes, n);
    if (n->position > group->last) group->last = n->position;
}

void fuse_remove(Fuse *f, Group *group, FuseNode *n) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < group->nodes.count; i++)
        if (group->nodes.at[i] != n) group->nodes.at[kept++] = group->nodes.at[i];
    group->nodes.count = kept;
    kept = 0;
    for (uint32_t i = 0; i < n->homes.count; i++)
        if (fuse_root(n->homes.at[i]) != group) n->homes.at[kept++] = n->homes.at[i];
    n->homes.count = kept;
    if (fuse_root(n->yielder) != group) return;
    n->yielder = NULL;
    fuse_order_leave(f, n, group);
}

/* Looks through the shorter of two lists: what is made of indices may be at home in every group. */
bool fuse_is_home(const FuseNode *n, const Group *group) {
    if (group->nodes.count < n->homes.count) {
        for (uint32_t i = 0; i < group->nodes.count; i++)
            if (group->nodes.at[i] == n) return true;
        return false;
    }
    for (uint32_t i = 0; i < n->homes.count; i++)
        if (fuse_root(n->homes.at[i]) == group) return true;
    return false;
}

Group *fuse_open(Fuse *f, GroupKind kind, FuseNode *seed, const Type *space) {
    Group *group = ARENA_NEW(f->arena, Group);
    group->kind = kind;
    group->seed = group->rank = seed;
    group->space = space;
    vec_push(f->arena, &f->groups, group);
    fuse_add(f, group, seed);
    seed->yielder = group;
    return group;
}
