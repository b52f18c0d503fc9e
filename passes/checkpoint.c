/* Makes resuming a jump: every checkpoint gets the values that live on behind it as operands, and the command
 * begins with a `resume` that knows all their paths, which therefore must not depend on what the command has
 * computed by then. Runs when no pass is left that moves or merges nodes. */
#include "passes/checkpoint.h"
#include "ir/build.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "passes/simplify.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    PassContext *context;
    Graph *graph;
    Function *function;
    Nodes sites;
    VEC(Living) living; /* one a site */
    Map *early;         /* Value * → its copy at the start of the command */
    Builder start;
} Checkpoints;

static const char *intern_name(const Checkpoints *c, const char *text) {
    return intern(ir_strings(c->graph->ir), text);
}

/* What the pass has added before. */
static void forget(Checkpoints *c) {
    for (Node *node = c->function->body->first, *next; node; node = next) {
        next = node->next;
        if (node->op == OP_resume) node_remove(node);
    }
    for (uint32_t i = 0; i < c->sites.count; i++) {
        c->sites.at[i]->operand_count = 3;
        node_set_attr(c->sites.at[i], attr_strs(ATTR_names, 0, NULL));
    }
}

/* --- paths */
/* The value as computed at the start of the command, or NULL where it isn't known there. */
static Value *early(Checkpoints *c, Value *value) {
    Value *copy = map_get(c->early, value);
    if (copy) return copy;
    Node *node = value->node;
    if (!node) return value->block == c->function->body ? value : NULL;
    if (op_has(node->op, TRAIT_EFFECT) || op_has(node->op, TRAIT_REGION) || node->result_count != 1)
        return NULL;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!early(c, node->operands[i])) return NULL;
    Node *made = node_clone(c->graph, node, c->early);
    node_insert_before(c->start.before, made);
    return made->results[0];
}

/* False after a diagnostic. */
static bool find_paths(Checkpoints *c, Value **paths) {
    for (uint32_t i = 0; i < c->sites.count; i++) {
        Node *site = c->sites.at[i];
        paths[i] = early(c, site->operands[0]);
        if (paths[i]) {
            site->operands[0] = paths[i];
            continue;
        }
        Diagnostics *diags = c->context->diags;
        Diagnostic *d = diag_report(diags, D_CHECKPOINT_PATH, diagnostics_span(diags, site->loc));
        diag_note(d, "`--resume` looks for it before anything is computed");
        diag_help(
            d, "make it of strings and the command's parameters; the files before it are kept beside it, as "
               "many as `keep` says");
        return false;
    }
    return true;
}

/* --- names */
/* The value's name, or that of what it becomes at the end of its block: a result of the branch, or what the
 * loop carries on. */
static const char *name_of(const Value *value) {
    if (value->name) return value->name;
    const Node *yield = block_yield(value->block), *owner = value->block->owner;
    uint32_t k = 0;
    while (k < yield->operand_count && yield->operands[k] != value) k++;
    bool condition = owner && owner->op == OP_while && value->block == owner->blocks[0];
    if (!owner || condition || k == yield->operand_count) return "value";
    if (owner->op == OP_if) return name_of(owner->results[k]);
    const Value *carried = owner->op == OP_for ? value->block->params.at[k + 1] : owner->results[k];
    return carried->name ? carried->name : "value";
}

/* The first of `name`, `name#2`, `name#3`, … that isn't taken. */
static const char *unique_name(Checkpoints *c, const char *const *taken, uint32_t count, const char *name) {
    const char *candidate = name;
    for (uint32_t n = 2;; n++) {
        uint32_t i = 0;
        while (i < count && taken[i] != candidate) i++;
        if (i == count && strcmp(candidate, "sizes") != 0) return candidate;
        candidate = intern_name(c, arena_printf(c->context->scratch, "%s#%u", name, n));
    }
}

/* --- nodes */
static bool same_place(Loc a, Loc b) { return a.file == b.file && a.line == b.line && a.column == b.column; }

static int64_t counter_of(const Checkpoints *c, uint32_t site) {
    uint32_t first = 0;
    while (!same_place(c->sites.at[first]->loc, c->sites.at[site]->loc)) first++;
    return first;
}

static void complete_site(Checkpoints *c, uint32_t index) {
    Node *site = c->sites.at[index];
    const Living *living = &c->living.at[index];
    uint32_t count = living->values.count;
    const char **names = ARENA_ARRAY(c->context->scratch, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = unique_name(c, names, i, name_of(living->values.at[i]));
        node_add_operand(site, living->values.at[i]);
    }
    node_set_attr(site, attr_int(ATTR_site, index));
    node_set_attr(site, attr_int(ATTR_counter, counter_of(c, index)));
    node_set_attr(site, attr_strs(ATTR_names, count, names));
    node_set_attr(site, attr_dims(ATTR_dims, living->symbols.count, living->symbols.at));
}

/* A digest of all that the command computes: FNV-1a of its text. */
static const char *digest(Checkpoints *c) {
    Function bare = *c->function;
    bare.doc = NULL;
    Graph alone = *c->graph;
    Function *functions[] = {&bare};
    alone.doc = NULL;
    alone.functions.at = functions;
    alone.functions.count = 1;
    graph_renumber(&alone);
    char *text = graph_text(&alone);
    uint64_t hash = 14695981039346656037u;
    for (const char *at = text; *at; at++) hash = (hash ^ (uint8_t)*at) * 1099511628211u;
    free(text);
    return intern_name(c, arena_printf(c->context->scratch, "%016llx", (unsigned long long)hash));
}

static void run_on(PassContext *context, Graph *graph, Function *function) {
    Checkpoints c = {.context = context, .graph = graph, .function = function};
    c.sites = block_nodes(function->body, OP_checkpoint, context->scratch);
    forget(&c);
    if (c.sites.count == 0) return;
    c.early = map_new(context->scratch);
    c.start = (Builder){graph, function->body, function->body->first, function->loc};
    Value **paths = ARENA_ARRAY(context->scratch, Value *, c.sites.count);
    if (!find_paths(&c, paths)) return;
    Attr attrs[] = {attr_str(ATTR_text, intern_name(&c, "")),
                    attr_dtype(ATTR_dtype, node_attr(c.sites.at[0], ATTR_dtype)->dtype)};
    Node *resume = build_node(&c.start, OP_resume, c.sites.count, paths, 2, attrs);
    Simplify simplify = {.graph = graph, .scratch = context->scratch};
    simplify_dead(&simplify); /* what computed the paths where they stood */
    for (uint32_t i = 0; i < c.sites.count; i++) {
        Living living = {0};
        checkpoint_living(c.sites.at[i], resume, context->scratch, &living);
        vec_push(context->scratch, &c.living, living);
    }
    for (uint32_t i = 0; i < c.sites.count; i++) complete_site(&c, i);
    node_set_attr(resume, attr_str(ATTR_text, digest(&c)));
}

void pass_checkpoint(PassContext *context, Graph *graph) {
    for (uint32_t i = 0; i < graph->functions.count; i++)
        if (graph->functions.at[i]->kind == FUNCTION_COMMAND) run_on(context, graph, graph->functions.at[i]);
    graph_renumber(graph);
}
