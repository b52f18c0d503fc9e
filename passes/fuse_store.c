/* Step 3 of fuse: what a group stores for others. The groups that read one of its values may as well compute
 * it themselves, from what is in memory anyway or takes less of it: the derivative of a gelu from the gelu's
 * argument, what is repeated along a row from the row's one number. So what is stored is a minimum cut
 * between what can't be computed elsewhere and what is read: of bytes that are written and read, and kept
 * until then. */
#include "passes/cut.h"
#include "passes/fuse.h"

enum {
    GUESS = 64, /* for sizes that aren't known */
    STORE = 3,
    READ = 1,        /* costs a byte */
    NEAR = 64,       /* nodes between two uses that don't matter for how much memory is in use */
    MAX_READERS = 4, /* groups that compute a value instead of reading it */
    MAX_DEAR_READERS = 2,
    MAX_GROUP_NODES = 400
};

typedef struct {
    Fuse *f;
    Group *group;
    Cut *cut;
    Map *points; /* Value * → number of the point where it arrives + 1; it leaves from the next one */
    FuseNodes candidates;
    Groups readers; /* of the candidates */
    uint32_t until; /* the last one's position */
    bool dear;      /* may dear values be computed again? */
} Store;

static int64_t bytes_of(const Type *type) {
    int64_t bytes = dtype_bytes(type->dtype), size;
    for (uint32_t d = 0; d < type->rank; d++) {
        bool known = dim_is_const(type->dims[d], &size);
        bytes *= known ? size : GUESS;
        if (bytes > INT32_MAX) return INT32_MAX; /* as good as any larger one */
    }
    return bytes;
}

/* --- who reads it */
static void add_reader(const Store *s, Groups *groups, Group *group) {
    for (uint32_t i = 0; i < groups->count; i++)
        if (groups->at[i] == group) return;
    vec_push(s->f->arena, groups, group);
}

/* Could `group`, where `user` reads the value, compute it once for each element? */
static bool can_take(const Store *s, const FuseNode *user, const Group *group) {
    if (group->kind != GROUP_LOOP && group->kind != GROUP_REDUCE && group->kind != GROUP_CONTRACT)
        return false;
    if (group->nodes.count + s->group->nodes.count > MAX_GROUP_NODES) return false;
    Op op = user->node->op;
    if (!op_has(op, TRAIT_ELEMENTWISE) && !(op_has(op, TRAIT_REDUCES) && group->kind == GROUP_REDUCE))
        return false;
    if (user->expanded || user->weight > 1 || user->overlap > 1) return false;
    return group->kind != GROUP_CONTRACT || !fuse_feeds_seed(user, group);
}

static bool is_candidate(Store *s, const FuseNode *n) {
    Groups readers = {0};
    if (n->external || fuse_result(n)->type->rank == 0) return false;
    for (uint32_t i = 0; i < n->users.count; i++) {
        const FuseNode *user = n->users.at[i];
        for (uint32_t k = 0; k < user->homes.count; k++) {
            Group *home = fuse_root(user->homes.at[k]);
            if (home == s->group || fuse_is_home(n, home)) continue;
            if (!can_take(s, user, home)) return false;
            add_reader(s, &readers, home);
            if (readers.count > MAX_READERS) return false;
        }
    }
    for (uint32_t i = 0; i < readers.count; i++) add_reader(s, &s->readers, readers.at[i]);
    return true;
}

/* --- what it could be computed from */
static bool is_read_by(const Group *group, const FuseNode *reader) {
    return reader->tensor && fuse_is_home(reader, group);
}

static uint32_t reading_position(const FuseNode *reader) {
    uint32_t last = reader->position;
    for (uint32_t k = 0; k < reader->homes.count; k++) {
        uint32_t place = fuse_root(reader->homes.at[k])->seed->position;
        if (place > last) last = place;
    }
    return last;
}

/* Of a value that is in memory: nothing where the readers have it anyway, else its reading, and its keeping.
 */
static int64_t cost_of_outer(const Store *s, const Value *value) {
    if (value->type->rank == 0) return 0;
    const FuseNodes *readers = fuse_readers(value);
    uint32_t last = 0, having = 0;
    for (uint32_t i = 0; readers && i < readers->count; i++)
        if (reading_position(readers->at[i]) > last) last = reading_position(readers->at[i]);
    for (uint32_t g = 0; g < s->readers.count; g++)
        for (uint32_t i = 0; readers && i < readers->count; i++)
            if (is_read_by(s->readers.at[g], readers->at[i])) {
                having++;
                break;
            }
    if (having == s->readers.count) return 0;
    return (last + NEAR >= s->until ? READ : STORE) * bytes_of(value->type);
}

static bool can_repeat(const Store *s, const FuseNode *n) {
    Op op = n->node->op;
    if (op == OP_const || op == OP_iota || op == OP_broadcast || op == OP_reshape) return true;
    return op_has(op, TRAIT_ELEMENTWISE) && (s->dear || cost_of_op(op) < COST_SERIES);
}

static bool is_outer(const Store *s, const Value *value) {
    const FuseNode *n = fuse_definition(s->f, value);
    return !n || !fuse_is_home(n, s->group);
}

static int64_t cost_of_storing(const Store *s, FuseNode *n) {
    bool candidate = false;
    for (uint32_t i = 0; i < s->candidates.count; i++) candidate = candidate || s->candidates.at[i] == n;
    if (!candidate && fuse_is_yielded(n, s->group)) return 0; /* stored in any case */
    /* What another group stores may need the readers. */
    if (n->yielder && fuse_root(n->yielder) != s->group) return CUT_NEVER;
    if (!n->yielder && !fuse_can_store(s->f, n, s->group)) return CUT_NEVER;
    return STORE * bytes_of(fuse_result(n)->type);
}

static uint32_t point_of(Store *s, Value *value) {
    uint32_t known = (uint32_t)(uintptr_t)map_get(s->points, value);
    if (known) return known - 1;
    uint32_t point = cut_point(s->cut);
    cut_point(s->cut);
    map_put(s->points, value, (void *)(uintptr_t)(point + 1));
    if (is_outer(s, value)) {
        cut_arc(s->cut, CUT_SOURCE, point, CUT_NEVER);
        cut_arc(s->cut, point, point + 1, cost_of_outer(s, value));
        return point;
    }
    FuseNode *n = fuse_definition(s->f, value);
    cut_arc(s->cut, point, point + 1, cost_of_storing(s, n));
    if (!can_repeat(s, n)) cut_arc(s->cut, CUT_SOURCE, point, CUT_NEVER);
    for (uint32_t i = 0; can_repeat(s, n) && i < n->node->operand_count; i++) {
        uint32_t operand = point_of(s, n->node->operands[i]);
        cut_arc(s->cut, operand + 1, point, CUT_NEVER);
    }
    return point;
}

/* --- the decision */
static void find_candidates(Store *s) {
    for (uint32_t i = 0; i < s->group->nodes.count; i++) {
        FuseNode *n = s->group->nodes.at[i];
        if (fuse_is_yielded(n, s->group) && is_candidate(s, n)) vec_push(s->f->arena, &s->candidates, n);
    }
    for (uint32_t i = 0; i < s->readers.count; i++)
        if (s->readers.at[i]->seed->position > s->until) s->until = s->readers.at[i]->seed->position;
    s->dear = s->readers.count <= MAX_DEAR_READERS;
}

/* Is the value taken from memory, after the cut? */
static bool is_cut(const Store *s, const Value *value) {
    uint32_t point = (uint32_t)(uintptr_t)map_get(s->points, value) - 1;
    return !cut_behind(s->cut, point) && cut_behind(s->cut, point + 1);
}

static void compute_in(Store *s, FuseNode *n, Group *reader) {
    if (fuse_is_home(n, reader)) return;
    fuse_add(s->f, reader, n);
    for (uint32_t i = 0; i < n->node->operand_count; i++) {
        Value *operand = n->node->operands[i];
        if (is_outer(s, operand)) continue;
        FuseNode *need = fuse_definition(s->f, operand);
        if (!is_cut(s, operand)) {
            compute_in(s, need, reader);
        } else if (!need->yielder) {
            need->yielder = s->group;
            need->space = SPACE_FULL;
        }
    }
}

static void apply(Store *s) {
    for (uint32_t i = 0; i < s->candidates.count; i++) {
        FuseNode *n = s->candidates.at[i];
        if (is_cut(s, fuse_result(n))) continue;
        Groups readers = {0};
        for (uint32_t k = 0; k < n->users.count; k++)
            for (uint32_t h = 0; h < n->users.at[k]->homes.count; h++) {
                Group *home = fuse_root(n->users.at[k]->homes.at[h]);
                if (home != s->group && !fuse_is_home(n, home)) add_reader(s, &readers, home);
            }
        for (uint32_t k = 0; k < readers.count; k++) compute_in(s, n, readers.at[k]);
    }
}

static void store_less(Fuse *f, Group *group) {
    Store s = {.f = f, .group = group, .cut = cut_new(f->arena), .points = map_new(f->arena)};
    find_candidates(&s);
    int64_t now = 0;
    for (uint32_t i = 0; i < s.candidates.count; i++) {
        Value *result = fuse_result(s.candidates.at[i]);
        now += STORE * bytes_of(result->type);
        cut_arc(s.cut, point_of(&s, result) + 1, CUT_SINK, CUT_NEVER);
    }
    if (now > 0 && cut_cost(s.cut) < now) apply(&s);
}

void fuse_store(Fuse *f) {
    for (uint32_t i = 0; i < f->groups.count; i++) {
        Group *group = f->groups.at[i];
        bool takes =
            group->kind == GROUP_LOOP || group->kind == GROUP_REDUCE || group->kind == GROUP_CONTRACT;
        if (!group->into && takes) store_less(f, group);
    }
}
