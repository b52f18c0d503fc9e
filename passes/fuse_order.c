/* An order of groups and of nodes that no group stores, in which whatever one needs comes before it. It
 * bounds the search for what would need itself: nothing that comes before a group can need the group (as
 * Pearce and Kelly, A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs, 2006, bound theirs).
 *
 * Two become one where the earlier of them is. What the later one needs and that comes between them then goes
 * before both: the search for a way from the later to the earlier has just met all of it.
 *
 * A group's place is that of one of its nodes, its `rank`; a node's, until a group stores it, is its own. */
#include "passes/fuse.h"
#include <assert.h>

enum { GAP = 32 /* bits between neighbours at first */ };

/* --- the order */
static FuseNode *rank_of(const FuseNode *n) {
    const Group *group = fuse_root(n->yielder);
    return group ? group->rank : (FuseNode *)(uintptr_t)n;
}

void fuse_order_start(Fuse *f) {
    f->first = f->nodes.count ? f->nodes.at[0] : NULL;
    for (uint32_t i = 0; i < f->nodes.count; i++) {
        FuseNode *n = f->nodes.at[i];
        n->order = (uint64_t)(i + 1) << GAP;
        n->before = i ? f->nodes.at[i - 1] : NULL;
        n->after = i + 1 < f->nodes.count ? f->nodes.at[i + 1] : NULL;
    }
}

static void take_out(Fuse *f, const FuseNode *n) {
    *(n->before ? &n->before->after : &f->first) = n->after;
    if (n->after) n->after->before = n->before;
}

static void put_before(Fuse *f, FuseNode *n, FuseNode *next) {
    take_out(f, n);
    n->before = next->before;
    n->after = next;
    *(next->before ? &next->before->after : &f->first) = n;
    next->before = n;
}

static void number_all(const Fuse *f) {
    uint64_t order = 0;
    for (FuseNode *n = f->first; n; n = n->after) n->order = order += UINT64_C(1) << GAP;
}

/* Numbers what was put between two others. */
static void number_between(const Fuse *f, FuseNode *first, const FuseNode *next, uint32_t count) {
    uint64_t low = first->before ? first->before->order : 0, step = (next->order - low) / (count + 1);
    if (step == 0)
        number_all(f);
    else
        for (FuseNode *n = first; n != next; n = n->after) n->order = low += step;
}

void fuse_order_leave(Fuse *f, FuseNode *n, const Group *group) {
    FuseNode *next = group->rank->after;
    assert(n != group->rank);
    f->way = NULL;
    if (next == n || !next) return; /* nothing comes after a group's rank: its nodes that aren't ranks do */
    put_before(f, n, next);
    number_between(f, n, next, 1);
}

/* --- the search: from what needs to what is needed, the latest first. So the norm of all gradients leads
 * down its sum to any of them, without a look at what the others were computed from. */
typedef struct {
    const FuseNode *rank; /* of the group that is looked for, or NULL */
    const FuseNode *node; /* or a node, as if it were alone */
} Target;

static void push(Fuse *f, FuseNode *n) {
    vec_push(f->arena, &f->heap, n);
    FuseNode **at = f->heap.at;
    uint32_t i = f->heap.count - 1;
    for (; i > 0 && at[(i - 1) / 2]->order < n->order; i = (i - 1) / 2) at[i] = at[(i - 1) / 2];
    at[i] = n;
}

static FuseNode *pop(Fuse *f) {
    FuseNode **at = f->heap.at, *first = at[0];
    uint32_t count = --f->heap.count, i = 0;
    FuseNode *last = at[count];
    for (uint32_t k = 1; k < count; i = k, k = 2 * k + 1) {
        if (k + 1 < count && at[k + 1]->order > at[k]->order) k++;
        if (at[k]->order <= last->order) break;
        at[i] = at[k];
    }
    at[i] = last;
    return first;
}

/* Puts `n`, or the group that stores it, on the heap, once. Is it the target? */
static bool meet(Fuse *f, const Target *target, FuseNode *n) {
    if (n == target->node) return true;
    FuseNode *rank = rank_of(n);
    if (rank->met != f->searches) push(f, rank);
    rank->met = f->searches;
    return rank == target->rank;
}

/* What a group reads: everything its nodes need that it doesn't compute itself, and that isn't `but`. */
static bool meet_reads(Fuse *f, const Target *target, const Group *group, const FuseNode *but) {
    bool found = false;
    for (uint32_t i = 0; i < group->nodes.count; i++) {
        const FuseNode *n = group->nodes.at[i];
        for (uint32_t k = 0; k < n->needs.count; k++) {
            FuseNode *need = n->needs.at[k];
            if (need != but && !fuse_is_home(need, group)) found |= meet(f, target, need);
        }
    }
    return found;
}

static bool meet_needs(Fuse *f, const Target *target, const FuseNode *n) {
    bool found = false;
    if (n->yielder) return meet_reads(f, target, fuse_root(n->yielder), NULL);
    for (uint32_t i = 0; i < n->needs.count; i++) found |= meet(f, target, n->needs.at[i]);
    return found;
}

static void begin(Fuse *f, const FuseNode *way) {
    f->searches++;
    f->way = way;
    f->heap.count = f->met.count = 0;
}

/* Goes on until the target is found or nothing is left that comes after it. */
static bool reaches(Fuse *f, const Target *target, uint64_t order) {
    while (f->heap.count && f->heap.at[0]->order > order) {
        FuseNode *n = pop(f);
        vec_push(f->arena, &f->met, n);
        if (meet_needs(f, target, n)) return true;
    }
    return false;
}

/* The two between which the search found no way are one from now on, where the earlier is. */
static void unite(Fuse *f, FuseNode *earlier) {
    FuseNode *next = earlier;
    uint32_t count = 0;
    for (; count < f->met.count && f->met.at[count]->order > earlier->order; count++) {
        put_before(f, f->met.at[count], next);
        next = f->met.at[count];
    }
    if (count) number_between(f, next, earlier, count);
    f->way = NULL;
}

/* --- a consumer joins */
/* Constants need nothing, and nobody stores them yet. */
static bool leads_on(const FuseNode *n) { return n->yielder || n->needs.count; }

static FuseNode *only_need(const FuseNode *n, const Group *but) {
    FuseNode *only = NULL;
    for (uint32_t i = 0; i < n->needs.count; i++) {
        FuseNode *need = n->needs.at[i];
        if (!leads_on(need) || (but && fuse_is_home(need, but))) continue;
        if (only) return NULL;
        only = need;
    }
    return only;
}

/* Where all ways from the consumer that leave the group lead through, as far from it as may be; NULL where
 * there is no such node. */
static FuseNode *only_way(const FuseNode *n, const Group *group) {
    FuseNode *way = only_need(n, group), *next = way;
    while (next) {
        way = next;
        next = way->yielder ? NULL : only_need(way, NULL);
    }
    return way;
}

/* Is there a way from there to the group? Where the last search began there, it goes on: all gradients are
 * scaled by one norm. */
static bool leads_to(Fuse *f, FuseNode *way, const Group *group) {
    Target target = {.rank = group->rank};
    if (way == f->way && group->rank->met == f->searches) return true;
    if (way != f->way) {
        begin(f, way);
        if (meet(f, &target, way)) return true;
    }
    return reaches(f, &target, group->rank->order);
}

bool fuse_join_cyclic(Fuse *f, const FuseNode *n, Group *group) {
    Target target = {.rank = group->rank};
    FuseNode *way = only_way(n, group);
    bool found = false;
    if (way && leads_to(f, way, group)) return true;
    begin(f, NULL);
    for (uint32_t i = 0; i < n->needs.count; i++)
        if (!fuse_is_home(n->needs.at[i], group)) found |= meet(f, &target, n->needs.at[i]);
    if (found || reaches(f, &target, group->rank->order)) return true;
    unite(f, group->rank);
    return false;
}

/* --- two groups become one */
bool fuse_merge_cyclic(Fuse *f, Group *first, const Group *second) {
    bool in_order = first->rank->order < second->rank->order;
    const Group *later = in_order ? second : first;
    Target target = {.rank = in_order ? first->rank : second->rank};
    begin(f, NULL);
    if (meet_reads(f, &target, later, NULL) || reaches(f, &target, target.rank->order)) return true;
    first->rank = in_order ? first->rank : second->rank;
    unite(f, first->rank);
    return false;
}

/* --- a group stores what it reads */
bool fuse_store_cyclic(Fuse *f, FuseNode *n, const Group *group) {
    Target target = {.node = n};
    begin(f, NULL);
    return meet_reads(f, &target, group, n) || reaches(f, &target, rank_of(n)->order);
}

void fuse_order_store(Fuse *f, FuseNode *n, Group *group) {
    unite(f, n);
    group->rank = n;
}
