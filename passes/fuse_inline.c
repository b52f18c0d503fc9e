/* Step 2 of fuse, backwards: every node that opened or joined no group goes into the groups that read it,
 * where computing it there is possible and not dearer than storing it; else it is stored, by one of them or
 * by a loop of its own. */
#include "ir/concat.h"
#include "passes/fuse.h"

enum {
    DEAR = 8,             /* cost from which it isn't computed again for every repetition by a broadcast */
    MAX_COPIES = 4,       /* groups that compute a cheap value */
    MAX_WEIGHT = 8,       /* evaluations of one element in one group */
    MAX_GROUP_NODES = 400 /* LLVM's time grows faster than the function */
};

/* --- contractions read their operands through views only */
typedef struct {
    const Fuse *fuse;
    const Group *group;
} GroupView;

static bool is_outside(void *user, Value *value) {
    const GroupView *view = user;
    const FuseNode *n = fuse_definition(view->fuse, value);
    return !n || !n->tensor || !fuse_is_home(n, view->group);
}

/* Is `n` computed in the group on the way to the contraction, not after it? */
bool fuse_feeds_seed(const FuseNode *n, const Group *group) {
    if (n == group->seed) return true;
    if (n->space == SPACE_FULL && fuse_root(n->yielder) == group) return false;
    for (uint32_t i = 0; i < n->users.count; i++)
        if (fuse_is_home(n->users.at[i], group) && fuse_feeds_seed(n->users.at[i], group)) return true;
    return false;
}

/* Can the contraction's operands still be read by strides if the group computes `n` too? */
static bool fits_contract(Fuse *f, FuseNode *n, Group *group) {
    uint32_t last = group->last;
    const Node *contract = group->seed->node;
    GroupView view = {f, group};
    Strided x, y;
    fuse_add(f, group, n);
    bool fits = strided_view(f->ir, contract->operands[0], is_outside, &view, &x) &&
                strided_view(f->ir, contract->operands[1], is_outside, &view, &y) &&
                fuse_fits_edges(contract, &x, &y);
    fuse_remove(f, group, n);
    group->last = last;
    return fits;
}

/* --- what changes in place */
static const Value *first_version(const Fuse *f, const Value *value) {
    const Value *first = map_get(f->firsts, value);
    return first ? first : value;
}

static void note_updates(Fuse *f) {
    f->firsts = map_new(f->arena);
    f->updates = map_new(f->arena);
    for (uint32_t i = 0; i < f->nodes.count; i++) {
        Node *node = f->nodes.at[i]->node;
        if (!op_has(node->op, TRAIT_UPDATES)) continue;
        map_put(f->firsts, node->results[0], (void *)(uintptr_t)first_version(f, node->operands[0]));
        map_put(f->updates, node->operands[0], node);
    }
}

/* A scatter may be done where its base lies, so that nothing else may read the base; and other versions of it
 * may be gone by then. */
static bool reads_base(const Fuse *f, const FuseNode *n, const Group *group) {
    const Value *base = group->seed->node->operands[0];
    if (base->node == n->node) return false;
    for (uint32_t i = 0; i < n->node->operand_count; i++)
        if (first_version(f, n->node->operands[i]) == first_version(f, base)) return true;
    return false;
}

/* Is the node, in this block, computed of `value`? Looks at `*left` nodes at most, and says no then. */
static bool is_made_of(const Fuse *f, const Node *node, const Value *value, uint32_t *left) {
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const Value *operand = node->operands[i];
        if (operand == value) return true;
        if (!operand->node || operand->block != f->block || *left == 0) continue;
        --*left;
        if (is_made_of(f, operand->node, value, left)) return true;
    }
    return false;
}

/* Is `n` little, and read of what another update changes, which in turn is made of what this one does? Either
 * would have to come first: two arrays that exchange elements. */
static bool reads_changed(const Fuse *f, const FuseNode *n, const Group *group) {
    enum { LITTLE = 64 };
    int64_t count;
    for (uint32_t i = 0; i < n->node->operand_count; i++) {
        const Node *other = map_get(f->updates, n->node->operands[i]);
        uint32_t left = LITTLE;
        if (!other || other == group->seed->node) continue;
        if (!type_count(fuse_result(n)->type, &count) || count > LITTLE) return false;
        if (is_made_of(f, other, group->seed->node->operands[0], &left)) return true;
    }
    return false;
}

/* May `group`, where `user` is computed, compute `n` for it? */
static bool can_compute(Fuse *f, FuseNode *n, const FuseNode *user, Group *group) {
    if (group->nodes.count >= MAX_GROUP_NODES) return false;
    switch (group->kind) {
    case GROUP_LOOP:
    case GROUP_REDUCE:
    case GROUP_SCAN: return true;
    case GROUP_CONTRACT:
        if (fuse_feeds_seed(user, group)) return fits_contract(f, n, group);
        return n->node->op != OP_concat; /* tiles are small: each would choose between the parts anew */
    case GROUP_SCATTER: return !reads_base(f, n, group) && !reads_changed(f, n, group);
    case GROUP_SORT: return false; /* the runtime reads the operand from memory */
    }
    return false;
}

/* --- what computing `n` where it is read would mean */
typedef struct {
    Groups groups; /* that read it */
    bool possible;
    bool expanded;
    uint32_t weight, overlap;
} Reading;

static bool repeats(const Node *user) { return user->op == OP_broadcast || user->op == OP_gather; }

/* `group` reads what is asked about, once more. */
static void add_group(Fuse *f, Groups *groups, Group *group) {
    if (group->mark == f->mark) return;
    group->mark = f->mark;
    group->shared = group->own = 0;
    vec_push(f->arena, groups, group);
}

/* Counts one more evaluation in `group`: users at the same index share one, every view has its own. */
static void add_weight(Group *group, const FuseNode *user) {
    uint32_t weight = user->weight ? user->weight : 1;
    if (op_has(user->node->op, TRAIT_VIEW) || user->node->op == OP_gather)
        group->own += weight;
    else if (weight > group->shared)
        group->shared = weight;
}

/* How many windows of a `window` node an element is in: up to MAX_WEIGHT + 1, which stands for more. */
static uint32_t windows_over(const Node *window) {
    int64_t size, stride, over = MAX_WEIGHT + 1;
    if (dim_is_const(node_dim(window, ATTR_size), &size) &&
        dim_is_const(node_dim(window, ATTR_stride), &stride))
        over = size / stride + (size % stride != 0);
    return over > MAX_WEIGHT ? MAX_WEIGHT + 1 : over > 1 ? (uint32_t)over : 1;
}

/* What that is for what `user` reads, through it and its own users. */
static uint32_t overlap_in(const FuseNode *user) {
    uint32_t over = user->overlap ? user->overlap : 1;
    if (user->node->op == OP_window) over *= windows_over(user->node);
    return over > MAX_WEIGHT ? MAX_WEIGHT + 1 : over;
}

static Reading readers_of(Fuse *f, FuseNode *n) {
    Reading r = {.possible = true, .weight = 1, .overlap = 1};
    f->mark++;
    for (uint32_t i = 0; i < n->users.count; i++) {
        const FuseNode *user = n->users.at[i];
        for (uint32_t k = 0; k < user->homes.count; k++) {
            Group *group = fuse_root(user->homes.at[k]);
            add_group(f, &r.groups, group);
            add_weight(group, user);
            r.possible = r.possible && can_compute(f, n, user, group);
        }
        if (overlap_in(user) > r.overlap) r.overlap = overlap_in(user);
        bool joined = user->space != SPACE_NONE;
        r.expanded = r.expanded || (user->tensor && ((repeats(user->node) && !joined) || user->expanded));
    }
    for (uint32_t i = 0; i < r.groups.count; i++) {
        uint32_t weight = r.groups.at[i]->shared + r.groups.at[i]->own;
        if (weight > r.weight) r.weight = weight;
    }
    return r;
}

/* Reads at most one tensor that isn't cheap to make anew. */
static bool reads_little(const Fuse *f, const FuseNode *n) {
    uint32_t tensors = 0;
    for (uint32_t i = 0; i < n->node->operand_count; i++) {
        const FuseNode *operand = fuse_definition(f, n->node->operands[i]);
        bool small = n->node->operands[i]->type->rank == 0;
        if (operand && operand->tensor)
            small = small || operand->node->op == OP_const || operand->node->op == OP_iota ||
                    operand->node->op == OP_broadcast;
        tensors += !small;
    }
    return tensors <= 1;
}

static bool cheap_to_copy(const Fuse *f, const FuseNode *n, const Reading *r) {
    if (cost_is_of_indices(n->node)) return true;
    return cost_of_op(n->node->op) <= COST_CHEAP && r->groups.count <= MAX_COPIES && reads_little(f, n);
}

static bool worth_computing(const Fuse *f, const FuseNode *n, const Reading *r) {
    uint32_t cost = cost_of_op(n->node->op);
    if (n->external || !r->possible || r->groups.count == 0) return false;
    if (cost >= DEAR && (r->expanded || r->overlap > 1)) return false;
    if (cost > 0 && (r->weight > MAX_WEIGHT || r->overlap > MAX_WEIGHT)) return false;
    if (r->weight > MAX_WEIGHT * MAX_WEIGHT) return false;
    return r->groups.count == 1 || cheap_to_copy(f, n, r);
}

/* --- storing it */
/* Does the group read `n` where it would store it, not just through views such as windows? */
static bool read_in_place(const FuseNode *n, const Group *group) {
    for (uint32_t i = 0; i < n->users.count; i++) {
        const FuseNode *user = n->users.at[i];
        Op op = user->node->op;
        if (!fuse_is_home(user, group)) continue;
        if (op == OP_reshape
                ? read_in_place(user, group)
                : op_has(op, TRAIT_ELEMENTWISE) || op_has(op, TRAIT_REDUCES) || op_has(op, TRAIT_SCANS))
            return true;
    }
    return false;
}

/* Can `group` store `n` as a further result? */
bool fuse_can_store(Fuse *f, FuseNode *n, Group *group) {
    bool full = group->kind == GROUP_LOOP || (group->kind == GROUP_REDUCE && group->rows);
    if (!full || group->nodes.count >= MAX_GROUP_NODES) return false;
    const Dim *elements = type_elements(f->ir, fuse_result(n)->type);
    if (!elements || elements != type_elements(f->ir, group->space)) return false;
    return read_in_place(n, group) && !fuse_store_cyclic(f, n, group);
}

/* The space of a concatenation of equal parts is that of one, so that what several are computed from is
 * computed once. */
static const Type *space_of(const FuseNode *n) { return concat_part(fuse_result(n), NULL); }

static void store(Fuse *f, FuseNode *n, const Reading *r) {
    n->space = SPACE_FULL;
    n->weight = n->overlap = 1;
    for (uint32_t i = r->groups.count; i-- > 0;) {
        Group *group = r->groups.at[i];
        if (!fuse_can_store(f, n, group)) continue;
        fuse_order_store(f, n, group);
        fuse_add(f, group, n);
        n->yielder = group;
        return;
    }
    fuse_open(f, GROUP_LOOP, n, space_of(n));
}

/* --- joined in step 1, but of no use there */
static bool is_used_in(const FuseNode *n, const Group *group) {
    for (uint32_t i = 0; i < n->users.count; i++)
        if (fuse_is_home(n->users.at[i], group)) return true;
    return false;
}

static bool is_stored_for_others(const FuseNode *n, const Group *group, const FuseNode *but) {
    if (n->external) return true;
    for (uint32_t i = 0; i < n->users.count; i++)
        if (n->users.at[i] != but && !fuse_is_home(n->users.at[i], group)) return true;
    return false;
}

/* Is what lies in memory where the group stores `n` stored in another shape? */
static bool is_stored_reshaped(const FuseNode *n, const Group *group, const FuseNode *but) {
    for (uint32_t i = 0; i < n->users.count; i++) {
        const FuseNode *user = n->users.at[i];
        if (user != but && user->node->op == OP_reshape && fuse_root(user->yielder) == group &&
            is_stored_for_others(user, group, NULL))
            return true;
    }
    return false;
}

/* A cheap consumer whose operands are stored anyway is better computed where it is read. */
static bool leave_group(Fuse *f, FuseNode *n) {
    Group *group = fuse_root(n->yielder);
    if (n->external || is_used_in(n, group) || n->users.count == 0) return false;
    if (op_has(n->node->op, TRAIT_REDUCES) || n == group->seed) return false;
    for (uint32_t i = 0; i < n->needs.count; i++) {
        const FuseNode *need = n->needs.at[i];
        if (fuse_is_home(need, group) && !is_stored_for_others(need, group, n) &&
            !is_stored_reshaped(need, group, n))
            return false;
    }
    Reading r = readers_of(f, n);
    if (!r.possible || !cheap_to_copy(f, n, &r)) return false;
    fuse_remove(f, group, n);
    n->space = SPACE_NONE;
    return true;
}

static void place(Fuse *f, FuseNode *n) {
    if (!n->external && n->users.count == 0) return; /* dead */
    Reading r = readers_of(f, n);
    if (!worth_computing(f, n, &r)) {
        store(f, n, &r);
        return;
    }
    n->expanded = r.expanded;
    n->weight = r.weight;
    n->overlap = r.overlap;
    for (uint32_t i = 0; i < r.groups.count; i++) fuse_add(f, r.groups.at[i], n);
}

void fuse_inline(Fuse *f) {
    note_updates(f);
    for (uint32_t i = f->nodes.count; i-- > 0;) {
        FuseNode *n = f->nodes.at[i];
        if (!n->tensor) continue;
        if (!n->yielder || leave_group(f, n)) place(f, n);
    }
}
