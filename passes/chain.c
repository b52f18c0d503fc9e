/* Kernels that follow each other and work on the same outer axes, as the products and the softmax of an
 * attention do on batches and heads, become one of kind `chain`: it does all of them for one part of these
 * axes, then for the next, and what they hand to each other is as small as a part and stays in the cache.
 *
 * A chain begins with a product that has axes in common with both its operands. Kernels that read it join as
 * long as all that they compute is made part by part. Where a kernel reads what an earlier chain would have
 * to store for it, as the gradient of an attention reads the softmax, that is computed again from what it was
 * computed from, if its products aren't deep.
 *
 * Or it begins with what makes the tiles of a product, and ends before the next product: parts are of the
 * axes that the tiles have and the product's other factor lacks.
 *
 * Parts are what threads share, so a chain needs several. */
#include "passes/chain.h"
#include "passes/passes.h"
#include <string.h>

enum { MIN_PARTS = 4, MAX_ROUNDS = 4 };

/* A node of the block. */
typedef struct {
    Node *node;
    uint32_t position;
    uint32_t after;        /* the position from which on all symbols of its types have values */
    VEC(Value *) reads;    /* from outside of it */
    Chain *chain;          /* whose member it is */
    const Chain *reads_of; /* the chain that last took in something that it reads */
} Spot;

typedef struct {
    Graph *graph;
    Arena *arena;
    VEC(Spot *) spots;
    Map *readers; /* Value * → list of Spot * */
    Map *symbols; /* const Dim * → Spot * that defines it in this block */
    VEC(Chain *) chains;
} Chains;

typedef VEC(Spot *) Spots;

/* --- who reads what */
static void note_read(Chains *c, Spot *spot, Value *value) {
    Spots *readers = map_get(c->readers, value);
    if (!readers) {
        readers = ARENA_NEW(c->arena, Spots);
        map_put(c->readers, value, readers);
    }
    if (readers->count && readers->at[readers->count - 1] == spot) return;
    vec_push(c->arena, readers, spot);
    vec_push(c->arena, &spot->reads, value);
}

typedef struct {
    const Chains *chains;
    Spot *spot;
} Mention;

static void note_symbol(void *user, const Dim *symbol) {
    const Mention *mention = user;
    const Spot *definition = map_get(mention->chains->symbols, symbol);
    uint32_t *after = &mention->spot->after;
    if (definition && definition->position >= *after) *after = definition->position + 1;
}

static void note_reads(Chains *c, Spot *spot, const Node *node) {
    node_symbols(node, note_symbol, &(Mention){c, spot});
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i]->block == spot->node->block) note_read(c, spot, node->operands[i]);
    for (uint32_t k = 0; k < node->block_count; k++)
        for (const Node *inner = node->blocks[k]->first; inner; inner = inner->next)
            note_reads(c, spot, inner);
}

static void collect(Chains *c, Block *block) {
    for (Node *node = block->first; node; node = node->next) {
        Spot *spot = ARENA_NEW(c->arena, Spot);
        spot->node = node;
        spot->position = c->spots.count;
        node->scratch = spot;
        vec_push(c->arena, &c->spots, spot);
        if (node->op == OP_symbol) map_put(c->symbols, node_dim(node, ATTR_dim), spot);
        note_reads(c, spot, node);
    }
}

static Spot *spot_of(const Value *value) { return value->node ? value->node->scratch : NULL; }

static bool is_stored(void *user, const Chain *chain, const Value *result) {
    const Chains *c = user;
    const Spots *readers = map_get(c->readers, result);
    for (uint32_t i = 0; readers && i < readers->count; i++) {
        const Chain *other = readers->at[i]->chain;
        if (other != chain && (!other || !map_get(other->results, result))) return true;
    }
    return false;
}

/* --- members */
/* So that a chain that grows needn't look at what follows and reads nothing of it. */
static void note_readers(const Chains *c, Chain *chain, const Value *result) {
    const Spots *readers = map_get(c->readers, result);
    for (uint32_t i = 0; readers && i < readers->count; i++) {
        readers->at[i]->reads_of = chain;
        if (readers->at[i]->position > chain->reach) chain->reach = readers->at[i]->position;
    }
}

static void add_member(const Chains *c, Chain *chain, Member *member) {
    vec_push(c->arena, &chain->members, member);
    for (uint32_t i = 0; i < member->kernel->result_count; i++) {
        map_put(chain->results, member->kernel->results[i], member);
        note_readers(c, chain, member->kernel->results[i]);
    }
}

static void drop_members(Chain *chain, uint32_t kept) {
    while (chain->members.count > kept) {
        const Member *member = chain->members.at[--chain->members.count];
        for (uint32_t i = 0; i < member->kernel->result_count; i++)
            map_put(chain->results, member->kernel->results[i], NULL);
    }
}

/* Adds the kernel that computes the value in an earlier chain, after those of that chain that it reads. */
static bool compute_again(const Chains *c, Chain *chain, const Value *value) {
    if (map_get(chain->results, value)) return true;
    const Spot *spot = spot_of(value);
    if (!chain_is_shallow(spot->node)) return false;
    for (uint32_t i = 0; i < spot->reads.count; i++) {
        const Spot *from = spot_of(spot->reads.at[i]);
        if (from && from->chain == spot->chain && !compute_again(c, chain, spot->reads.at[i])) return false;
    }
    Member *member = chain_member(c->arena, chain, spot->node);
    if (!member) return false;
    member->again = true;
    add_member(c, chain, member);
    return true;
}

static bool add_earlier(const Chains *c, Chain *chain, const Spot *spot) {
    for (uint32_t i = 0; i < spot->reads.count; i++) {
        const Value *value = spot->reads.at[i];
        const Spot *from = spot_of(value);
        if (!from || !from->chain || from->chain == chain ||
            !chain_is_large(c->graph->ir, chain, value->type))
            continue;
        if (!compute_again(c, chain, value)) return false;
    }
    return true;
}

static bool admit(const Chains *c, Chain *chain, Spot *spot, bool again) {
    if (spot->node->op != OP_kernel || spot->chain) return false;
    if (chain->lead && chain->members.count > 1 && chain_is_product(spot->node)) return false;
    uint32_t before = chain->members.count;
    Member *member = NULL;
    if (again && add_earlier(c, chain, spot)) member = chain_member(c->arena, chain, spot->node);
    if (!member) {
        drop_members(chain, before);
        member = chain_member(c->arena, chain, spot->node);
    }
    if (!member) return false;
    add_member(c, chain, member);
    spot->chain = chain;
    return true;
}

/* --- chains */
typedef enum { READS_NOTHING, READS_AGAIN, READS_CHAIN } Reads;

static Reads reads_of(const Chain *chain, const Spot *spot) {
    Reads reads = READS_NOTHING;
    for (uint32_t i = 0; i < spot->reads.count; i++) {
        const Member *member = map_get(chain->results, spot->reads.at[i]);
        if (member && !member->again) return READS_CHAIN;
        if (member) reads = READS_AGAIN;
    }
    return reads;
}

/* --- places */
/* The position of the first node that can have the value. A chain that is still growing has no place yet, and
 * what of it is read is its own. */
static uint32_t available(const Value *value) {
    const Spot *spot = spot_of(value);
    if (!spot) return 0;
    return spot->chain ? spot->chain->place : spot->position + 1;
}

/* Is all that the kernel reads, but the chain's own, there before the position? */
static bool has_inputs(const Chain *chain, const Spot *spot, uint32_t position) {
    if (spot->after > position) return false;
    for (uint32_t i = 0; i < spot->reads.count; i++)
        if (!map_get(chain->results, spot->reads.at[i]) && available(spot->reads.at[i]) > position)
            return false;
    return true;
}

static bool all_have_inputs(const Chain *chain, uint32_t position) {
    for (uint32_t i = 0; i < chain->members.count; i++)
        if (!has_inputs(chain, chain->members.at[i]->kernel->scratch, position)) return false;
    return true;
}

/* It is done before a node that isn't in it and reads it. */
static void come_before(Chain *chain, const Spot *reader, uint32_t position) {
    if (reader->chain) position = reader->chain->place ? reader->chain->place - 1 : 0;
    if (position < chain->limit) chain->limit = position;
}

/* All that follow and read it join, if they could be done before the first one that needs it whole. */
static void grow(const Chains *c, Chain *chain, bool again) {
    for (uint32_t i = chain->first + 1; i <= chain->reach; i++) {
        Spot *spot = c->spots.at[i];
        if (spot->reads_of != chain) continue;
        Reads reads = reads_of(chain, spot);
        if (reads == READS_NOTHING) continue;
        if (has_inputs(chain, spot, chain->limit) && admit(c, chain, spot, again))
            chain->last = i;
        else if (reads == READS_CHAIN)
            come_before(chain, spot, i);
    }
    chain->place = chain->limit < chain->last ? chain->limit : chain->last;
}

static void release(const Chains *c, const Chain *chain) {
    for (uint32_t i = chain->first; i <= chain->last; i++)
        if (c->spots.at[i]->chain == chain) c->spots.at[i]->chain = NULL;
}

/* Is something large handed on that nobody else needs? */
static bool saves_memory(Chains *c, const Chain *chain) {
    for (uint32_t i = 0; i < chain->members.count; i++) {
        const Member *member = chain->members.at[i];
        if (member->again) return true;
        for (uint32_t k = 0; k < member->kernel->result_count; k++) {
            const Value *result = member->kernel->results[k];
            if (chain_is_large(c->graph->ir, chain, result->type) && !is_stored(c, chain, result))
                return true;
        }
    }
    return false;
}

/* What is computed again must not be stored all the same. */
static bool spares_earlier(Chains *c, const Chain *chain) {
    for (uint32_t i = 0; i < chain->members.count; i++) {
        const Member *member = chain->members.at[i];
        for (uint32_t k = 0; member->again && k < member->kernel->result_count; k++) {
            const Value *result = member->kernel->results[k];
            const Chain *owner = spot_of(result)->chain;
            if (chain_is_large(c->graph->ir, chain, result->type) && is_stored(c, owner, result))
                return false;
        }
    }
    return true;
}

static Chain *new_chain(const Chains *c, uint32_t first) {
    Chain *chain = ARENA_NEW(c->arena, Chain);
    chain->first = chain->last = first;
    chain->limit = c->spots.count;
    chain->results = map_new(c->arena);
    return chain;
}

/* The chain that begins there, with what `before` computes again from the start. */
static Chain *grown(Chains *c, uint32_t first, bool again, const Chain *before) {
    Chain *chain = new_chain(c, first);
    if (!chain_axes(c->spots.at[first]->node, chain) || chain_parts(chain) < MIN_PARTS) return NULL;
    for (uint32_t i = 0; before && i < before->members.count; i++)
        if (before->members.at[i]->again) compute_again(c, chain, before->members.at[i]->kernel->results[0]);
    if (!admit(c, chain, c->spots.at[first], again)) return NULL;
    grow(c, chain, again);
    return chain;
}

/* Is all that it computes again there before the first of its own kernels? Else some of these may have taken
 * for stored what the chain came to compute. */
static bool is_settled(const Chain *chain) {
    bool own = false;
    for (uint32_t i = 0; i < chain->members.count; i++) {
        if (own && chain->members.at[i]->again) return false;
        own = own || !chain->members.at[i]->again;
    }
    return true;
}

static Chain *try_chain(Chains *c, uint32_t first, bool again) {
    Chain *chain = grown(c, first, again, NULL);
    for (uint32_t round = 0; round < MAX_ROUNDS && chain && !is_settled(chain); round++) {
        release(c, chain);
        chain = grown(c, first, again, chain);
    }
    if (!chain) return NULL;
    bool possible = is_settled(chain) && all_have_inputs(chain, chain->place);
    if (possible && chain->members.count > 1 && spares_earlier(c, chain)) return chain;
    release(c, chain);
    return NULL;
}

/* --- chains of tiles */
/* The product that alone reads what the kernel makes. */
static const Node *only_product(const Chains *c, const Node *kernel) {
    if (kernel->result_count != 1) return NULL;
    const Spots *readers = map_get(c->readers, kernel->results[0]);
    if (!readers || readers->count != 1) return NULL;
    return chain_is_product(readers->at[0]->node) ? readers->at[0]->node : NULL;
}

static bool is_handed_on(Chains *c, const Chain *chain, const Value *value) {
    return map_get(chain->results, value) && !is_stored(c, chain, value);
}

/* The chain by parts that are cut so, if tiles aren't stored then, nor are products of transformed windows.
 */
static Chain *grown_tiles(Chains *c, uint32_t first, const Node *product, const Tiles *cut) {
    Chain *chain = new_chain(c, first);
    chain->lead = c->spots.at[first]->node;
    chain->tiles = cut->marks;
    chain->axis_count = cut->axis_count;
    memcpy(chain->dims, cut->dims, sizeof cut->dims);
    if (!admit(c, chain, c->spots.at[first], false)) return NULL;
    grow(c, chain, false);
    const Value *products = product->results[0];
    bool stores = chain_is_product(chain->lead);
    if (is_handed_on(c, chain, chain->lead->results[0]) &&
        (stores ? map_get(chain->results, products) != NULL : is_handed_on(c, chain, products)) &&
        all_have_inputs(chain, chain->place))
        return chain;
    release(c, chain);
    return NULL;
}

/* Cuts axes, the outermost first, as long as parts are large; some can't be. */
static Chain *try_tiles(Chains *c, uint32_t first) {
    const Node *lead = c->spots.at[first]->node, *product = only_product(c, lead);
    Tiles tiles;
    Chain *chain = NULL;
    if (!product || !tiles_find(lead, product, &tiles)) return NULL;
    for (uint32_t d = 0; d < lead->results[0]->type->rank; d++) {
        Tiles cut = tiles;
        if (!tiles_cut(c->graph->ir, &cut, d)) continue;
        if (chain) release(c, chain);
        Chain *finer = grown_tiles(c, first, product, &cut);
        if (finer) tiles = cut;
        chain = finer ? finer : chain ? grown_tiles(c, first, product, &tiles) : NULL;
    }
    if (!chain || (tiles_are_near(&tiles) && chain_parts(chain) >= MIN_PARTS)) return chain;
    release(c, chain);
    return NULL;
}

/* Is what it reads there before it, and nobody who reads it before that? */
static bool is_in_order(const Chains *c, const Chain *chain) {
    for (uint32_t i = 0; i < chain->members.count; i++) {
        const Member *member = chain->members.at[i];
        for (uint32_t k = 0; !member->again && k < member->kernel->result_count; k++) {
            const Spots *readers = map_get(c->readers, member->kernel->results[k]);
            for (uint32_t r = 0; readers && r < readers->count; r++) {
                const Spot *reader = readers->at[r];
                bool after =
                    reader->chain ? reader->chain->place > chain->place : reader->position >= chain->place;
                if (reader->chain != chain && !after) return false;
            }
        }
    }
    return all_have_inputs(chain, chain->place);
}

/* What later chains compute again counts as not needed, so what saves memory can be said only when all are
 * known; and where one goes, others may have counted on its place. */
static bool drop_useless(Chains *c) {
    uint32_t kept = 0, count = c->chains.count;
    for (uint32_t i = 0; i < count; i++) {
        Chain *chain = c->chains.at[i];
        if (saves_memory(c, chain) && is_in_order(c, chain))
            c->chains.at[kept++] = chain;
        else
            release(c, chain);
    }
    c->chains.count = kept;
    return kept < count;
}

static void find_chains(Chains *c) {
    for (uint32_t i = 0; i < c->spots.count; i++) {
        const Spot *spot = c->spots.at[i];
        if (spot->node->op != OP_kernel || spot->chain) continue;
        Chain *chain = try_chain(c, i, true);
        if (!chain) chain = try_chain(c, i, false);
        if (!chain) chain = try_tiles(c, i);
        if (chain) vec_push(c->arena, &c->chains, chain);
    }
    while (drop_useless(c)) continue;
}

static void build_chains(Chains *c) {
    for (uint32_t i = 0; i < c->chains.count; i++) {
        const Chain *chain = c->chains.at[i];
        chain_build(c->graph, c->arena, chain, is_stored, c, c->spots.at[chain->place]->node);
    }
    for (uint32_t i = 0; i < c->spots.count; i++)
        if (c->spots.at[i]->chain) node_remove(c->spots.at[i]->node);
}

static void chain_block(PassContext *context, Graph *graph, Block *block) {
    for (Node *node = block->first; node; node = node->next)
        for (uint32_t i = 0; node->op != OP_kernel && i < node->block_count; i++)
            chain_block(context, graph, node->blocks[i]);
    Chains c = {.graph = graph,
                .arena = context->scratch,
                .readers = map_new(context->scratch),
                .symbols = map_new(context->scratch)};
    collect(&c, block);
    find_chains(&c);
    build_chains(&c);
}

void pass_chain(PassContext *context, Graph *graph) {
    for (uint32_t i = 0; i < graph->functions.count; i++)
        chain_block(context, graph, graph->functions.at[i]->body);
    graph_resolve(graph);
}
