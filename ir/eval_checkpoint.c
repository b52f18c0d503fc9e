/* Checkpoints: what lives on behind one is handed to the host, and comes back from it when a later run goes
 * on there. */
#include "ir/eval.h"

/* The values of the symbols that are known at the checkpoint; unset. */
static Tensor sizes_of(Eval *e, const Node *site) {
    int64_t count = node_attr(site, ATTR_dims)->count;
    return tensor_new(e->arena, DTYPE_i64, 1, &count);
}

bool eval_checkpoint(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    const Attr *dims = node_attr(node, ATTR_dims);
    if (!e->host->checkpoint) return true;
    if (!dims) return eval_fail(e, node, "the pass `checkpoint` has to run before anything is saved");
    Tensor sizes = sizes_of(e, node);
    for (uint32_t i = 0; i < dims->count; i++)
        if (!eval_dim(e, node, dims->dims[i], &sizes.i[i])) return false;
    e->host->checkpoint(e->host->user, node, in[0].p[0], in[1].i[0], in[2].i[0], &sizes, in + 3);
    return true;
}

/* --- resuming */
typedef struct {
    int64_t number;
    const Node *found;
} SiteSearch;

static void find_site(void *user, Node *node) {
    SiteSearch *search = user;
    if (node->op == OP_checkpoint && node_int(node, ATTR_site) == search->number) search->found = node;
}

static void restore_sizes(Eval *e, const Node *site) {
    const Attr *dims = node_attr(site, ATTR_dims);
    const char *name = "sizes";
    Tensor sizes = sizes_of(e, site);
    if (dims->count) e->host->restore(e->host->user, 1, &name, &sizes, false);
    for (uint32_t i = 0; i < dims->count; i++) eval_bind(e, dims->dims[i], sizes.i[i]);
}

/* Evaluates what isn't saved because it is given, in the blocks around `at`, the outermost first. */
static bool evaluate_given(Eval *e, const Node *at) {
    if (at->block->owner && !evaluate_given(e, at->block->owner)) return false;
    for (const Node *node = at->block->first; node != at; node = node->next)
        if (op_has(node->op, TRAIT_GIVEN) && !eval_node(e, node)) return false;
    return true;
}

static bool restore_values(Eval *e, const Node *site) {
    uint32_t count = site->operand_count - 3;
    Tensor *values = ARENA_ARRAY(e->arena, Tensor, count + 1);
    for (uint32_t i = 0; i < count; i++)
        if (!eval_tensor(e, site, site->operands[i + 3]->type, false, &values[i])) return false;
    e->host->restore(e->host->user, count, node_attr(site, ATTR_names)->strs, values, true);
    for (uint32_t i = 0; i < count; i++) e->values[site->operands[i + 3]->id] = values[i];
    return true;
}

bool eval_resume(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    if (!e->host->resume) return true;
    const char **paths = ARENA_ARRAY(e->arena, const char *, node->operand_count + 1);
    for (uint32_t i = 0; i < node->operand_count; i++) paths[i] = in[i].p[0];
    SiteSearch search = {e->host->resume(e->host->user, node, paths), NULL};
    if (search.number < 0) return true;
    block_walk(node->block->function->body, find_site, &search);
    if (!search.found) return eval_fail(e, node, "there is no checkpoint %lld", (long long)search.number);
    restore_sizes(e, search.found);
    if (!evaluate_given(e, search.found) || !restore_values(e, search.found)) return false;
    e->behind = search.found;
    return true;
}
