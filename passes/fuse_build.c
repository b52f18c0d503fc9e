/* Step 4 of fuse: groups become kernel nodes, and the block gets an order in which everything comes after
 * what it needs. */
#include "ir/build.h"
#include "passes/fuse.h"
#include <assert.h>
#include <stdlib.h>

static int by_position(const void *a, const void *b) {
    const FuseNode *const *x = a, *const *y = b;
    return ((*x)->position > (*y)->position) - ((*x)->position < (*y)->position);
}

static bool is_read_outside(const FuseNode *n, const Group *group) {
    if (n->external) return true;
    for (uint32_t i = 0; i < n->users.count; i++) {
        const FuseNode *user = n->users.at[i];
        for (uint32_t k = 0; k < user->homes.count; k++)
            if (fuse_root(user->homes.at[k]) != group && !fuse_is_home(n, fuse_root(user->homes.at[k])))
                return true;
    }
    return false;
}

bool fuse_is_yielded(const FuseNode *n, const Group *group) {
    return n->yielder && fuse_root(n->yielder) == group && is_read_outside(n, group);
}

/* Drops what no yield of the group reads, backwards. */
static void drop_unread(Fuse *f, Group *group) {
    FuseNodes kept = {0};
    f->mark++;
    for (uint32_t i = group->nodes.count; i-- > 0;) {
        FuseNode *n = group->nodes.at[i];
        if (n->mark != f->mark && !fuse_is_yielded(n, group)) continue;
        vec_push(f->arena, &kept, n);
        for (uint32_t k = 0; k < n->needs.count; k++) n->needs.at[k]->mark = f->mark;
    }
    group->nodes.count = 0;
    for (uint32_t i = kept.count; i-- > 0;) group->nodes.at[group->nodes.count++] = kept.at[i];
}

static const char *kind_name(const Group *group) {
    switch (group->kind) {
    case GROUP_LOOP: return "loop";
    case GROUP_CONTRACT: return "contract";
    case GROUP_SCATTER: return "scatter";
    case GROUP_SCAN: return "scan";
    case GROUP_SORT: return "sort";
    case GROUP_REDUCE: break;
    }
    for (uint32_t i = 0; i < group->nodes.count; i++)
        if (group->rows && group->nodes.at[i]->space == SPACE_FULL &&
            fuse_is_yielded(group->nodes.at[i], group))
            return "rows";
    return "reduce";
}

static void build_kernel(Fuse *f, Group *group) {
    VEC(FuseNode *) yields = {0};
    VEC(const Type *) types = {0};
    for (uint32_t i = 0; i < group->nodes.count; i++) {
        FuseNode *n = group->nodes.at[i];
        if (!fuse_is_yielded(n, group)) continue;
        vec_push(f->arena, &yields, n);
        vec_push(f->arena, &types, fuse_result(n)->type);
    }
    const char *kind = kind_name(group);
    Attr attrs[2] = {attr_str(ATTR_kind, intern(ir_strings(f->ir), kind)), attr_int(ATTR_rows, group->rows)};
    uint32_t count = strcmp(kind, "rows") == 0 ? 2 : 1;
    group->kernel =
        node_new(f->graph, OP_kernel, 0, NULL, count, attrs, yields.count, types.at, group->seed->node->loc);
    Block *body = block_new(f->graph, f->block->function, group->kernel);
    node_add_block(group->kernel, body);
    Map *map = map_new(f->arena);
    for (uint32_t i = 0; i < group->nodes.count; i++)
        node_append(body, node_clone(f->graph, group->nodes.at[i]->node, map));
    VEC(Value *) values = {0};
    for (uint32_t i = 0; i < yields.count; i++) {
        Value *inside = map_get(map, fuse_result(yields.at[i]));
        assert(inside);
        vec_push(f->arena, &values, inside);
        group->kernel->results[i]->name = fuse_result(yields.at[i])->name;
    }
    node_append(body, node_new(f->graph, OP_yield, values.count, values.at, 0, NULL, 0, NULL,
                               group->seed->node->loc));
    for (uint32_t i = 0; i < yields.count; i++)
        value_replace(fuse_result(yields.at[i]), group->kernel->results[i]);
}

/* --- order: in the program's, except that what a node needs comes before it */
static void emit_node(Fuse *f, FuseNode *n);

static void emit_group(Fuse *f, Group *group) {
    if (group->emitted) return;
    group->emitted = true;
    for (uint32_t i = 0; i < group->nodes.count; i++) {
        FuseNode *n = group->nodes.at[i];
        for (uint32_t k = 0; k < n->needs.count; k++)
            if (!fuse_is_home(n->needs.at[k], group)) emit_node(f, n->needs.at[k]);
    }
    FuseKernels kernels = {0};
    fuse_separate(f, group->kernel, &kernels);
    for (uint32_t i = 0; i < kernels.count; i++) node_append(f->block, kernels.at[i]);
}

static void emit_node(Fuse *f, FuseNode *n) {
    if (n->tensor) {
        /* Only what is stored is needed by others. */
        if (n->yielder) emit_group(f, fuse_root(n->yielder));
        return;
    }
    if (n->emitted) return;
    n->emitted = true;
    for (uint32_t i = 0; i < n->needs.count; i++) emit_node(f, n->needs.at[i]);
    node_append(f->block, n->node);
}

void fuse_build(Fuse *f) {
    FuseNodes *nodes = &f->nodes;
    Groups *at = ARENA_ARRAY(f->arena, Groups, nodes->count + 1), built = {0};
    for (uint32_t i = 0; i < f->groups.count; i++) {
        Group *group = f->groups.at[i];
        if (group->into) continue;
        qsort(group->nodes.at, group->nodes.count, sizeof(FuseNode *), by_position);
        drop_unread(f, group);
        if (group->nodes.count == 0) continue;
        build_kernel(f, group);
        vec_push(f->arena, &built, group);
    }
    for (uint32_t i = 0; i < built.count; i++)
        vec_push(f->arena, &at[fuse_place(f, built.at[i])], built.at[i]);
    for (uint32_t i = 0; i < nodes->count; i++) node_remove(nodes->at[i]->node);
    for (uint32_t i = 0; i < nodes->count; i++) {
        if (!nodes->at[i]->tensor) emit_node(f, nodes->at[i]);
        for (uint32_t k = 0; k < at[i].count; k++) emit_group(f, at[i].at[k]);
    }
}
