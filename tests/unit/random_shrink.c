/* Edits a program that fails, one edit at a time: each is kept where the program is still well formed and
 * still fails. */
#include "tests/unit/random_shrink.h"
#include "ir/build.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "support/map.h"
#include "tests/unit/program.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    Arena *arena;
    Graph *graph;
    VEC(Node *) nodes; /* all, outer before inner */
} Edit;

/* Applies itself at the node; false where there is nothing to do. */
typedef bool EditNode(Edit *e, Node *node);

static void list_node(void *user, Node *node) {
    Edit *e = user;
    vec_push(e->arena, &e->nodes, node);
}

/* --- cleaning up */
static bool is_dead(const Node *node, const uint32_t *uses) {
    if (node->op == OP_yield || (op_has(node->op, TRAIT_EFFECT) && node->op != OP_load)) return false;
    for (uint32_t i = 0; i < node->result_count; i++)
        if (uses[node->results[i]->id]) return false;
    return true;
}

static void remove_dead(Edit *e) {
    for (bool again = true; again;) {
        again = false;
        const uint32_t *uses = graph_count_uses(e->graph, e->arena);
        e->nodes.count = 0;
        graph_walk(e->graph, list_node, e);
        for (uint32_t i = e->nodes.count; i--;)
            if (is_dead(e->nodes.at[i], uses)) {
                node_remove(e->nodes.at[i]);
                again = true;
            }
    }
}

static const char *as_text(const Edit *e) {
    char *text = graph_text(e->graph);
    const char *kept = arena_strdup(e->arena, text);
    free(text);
    return kept;
}

/* --- edits */
/* Saves this node's results alone. */
static bool save_alone(Edit *e, Node *node) {
    Node *save = block_yield(e->graph->functions.at[0]->body)->prev;
    if (node->block->owner || !node->result_count || save->op != OP_save) return false;
    if (dtype_class(node->results[0]->type->dtype) == CLASS_OPAQUE || node->op == OP_load) return false;
    if (save->operand_count == 2 && save->operands[1]->node == node) return false;
    Value *operands[MAX_RANK + 1] = {save->operands[0]};
    const char *names[MAX_RANK];
    uint32_t count = node->result_count < MAX_RANK ? node->result_count : MAX_RANK;
    for (uint32_t i = 0; i < count; i++) {
        operands[i + 1] = node->results[i];
        names[i] = intern(ir_strings(e->graph->ir), arena_printf(e->arena, "v%u", i));
    }
    Builder b = {.graph = e->graph, .before = save};
    Attr attr = attr_strs(ATTR_names, count, names);
    build_node(&b, OP_save, count + 1, operands, 1, &attr);
    node_remove(save);
    return true;
}

static bool make_constant(Edit *e, Node *node) {
    if (!node->result_count || node->op == OP_const || node->op == OP_load) return false;
    Builder b = {.graph = e->graph, .before = node};
    for (uint32_t i = 0; i < node->result_count; i++)
        value_replace(node->results[i], build_const(&b, node->results[i]->type, 1));
    return true;
}

/* Instead of the result an operand of its type. */
static bool forward_operand(Edit *e, Node *node) {
    (void)e;
    if (node->result_count != 1 || node->block_count) return false;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i]->type == node->results[0]->type) {
            value_replace(node->results[0], node->operands[i]);
            return true;
        }
    return false;
}

static bool drop_node(Edit *e, Node *node) {
    (void)e;
    if (node->op != OP_symbol) return false;
    node_remove(node);
    return true;
}

static bool forward_inits(Edit *e, Node *node) {
    (void)e;
    uint32_t first = node->op == OP_for ? 2 : 0;
    if (node->op != OP_for && node->op != OP_while) return false;
    for (uint32_t i = 0; i < node->result_count; i++)
        value_replace(node->results[i], node->operands[first + i]);
    return true;
}

static bool inline_block(Edit *e, Node *node, uint32_t which) {
    const Block *block = node->blocks[which];
    Map *map = map_new(e->arena);
    for (uint32_t i = 0; i < block->params.count; i++)
        map_put(map, block->params.at[i], node->operands[i + (i && node->op == OP_for)]);
    Value **values = block_inline(e->graph, block, node, map);
    for (uint32_t i = 0; i < node->result_count; i++) value_replace(node->results[i], values[i]);
    return true;
}

static bool inline_first(Edit *e, Node *node) {
    if (node->op == OP_while) return inline_block(e, node, 1);
    return (node->op == OP_if || node->op == OP_for || node->op == OP_remat) && inline_block(e, node, 0);
}

static bool inline_second(Edit *e, Node *node) { return node->op == OP_if && inline_block(e, node, 1); }

static bool run_pass(Edit *e, Node *node, const char *pass) {
    if (node != e->nodes.at[0]) return false;
    Diagnostics *diags = diagnostics_new(e->arena, sources_new(e->arena));
    return passes_run(e->graph, pass, &(PassOptions){.out = stderr}, diags);
}

static bool differentiate(Edit *e, Node *node) { return run_pass(e, node, "autodiff"); }
static bool simplify(Edit *e, Node *node) { return run_pass(e, node, "simplify"); }

static EditNode *const edits[] = {save_alone, make_constant,   forward_inits, inline_first, inline_second,
                                  drop_node,  forward_operand, differentiate, simplify};

/* --- the search */
/* The text after edit `edit` at node number `at`; NULL where it says nothing new; *more: are there nodes
 * beyond? */
static const char *edited(Arena *arena, const char *text, EditNode *edit, uint32_t at, bool *more) {
    Edit e = {.arena = arena, .graph = program_parse(arena, text)};
    *more = false;
    if (!e.graph) return NULL;
    graph_walk(e.graph, list_node, &e);
    *more = at + 1 < e.nodes.count;
    if (at >= e.nodes.count || !edit(&e, e.nodes.at[at])) return NULL;
    graph_resolve(e.graph);
    remove_dead(&e);
    graph_renumber(e.graph);
    if (graph_verify(e.graph, arena)) return NULL;
    const char *result = as_text(&e);
    return strcmp(result, text) == 0 ? NULL : result;
}

/* In a process of its own, since a pass may stop at what it is given. */
static const char *edited_apart(Arena *arena, const char *text, EditNode *edit, uint32_t at, bool *more) {
    int ends[2];
    if (pipe(ends) != 0) return NULL;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        const char *result = edited(arena, text, edit, at, more);
        FILE *out = fdopen(ends[1], "w");
        fprintf(out, "%c%s", *more ? 'm' : 'l', result ? result : "");
        fclose(out);
        _exit(0);
    }
    close(ends[1]);
    VEC(char) got = {0};
    char buffer[4096];
    for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < count; i++) vec_push(arena, &got, buffer[i]);
    close(ends[0]);
    waitpid(child, NULL, 0);
    vec_push(arena, &got, 0);
    *more = got.at[0] != 'l';
    return got.at[0] && got.at[1] ? got.at + 1 : NULL;
}

static bool shrink_by(Arena *arena, const char **text, EditNode *edit, StillFails *fails, void *user) {
    bool better = false, more = true;
    for (uint32_t at = 0; more && at < 1000;) {
        Arena *scratch = arena_new();
        const char *smaller = edited_apart(scratch, *text, edit, at, &more);
        bool kept = smaller && strlen(smaller) < strlen(*text) && fails(user, smaller);
        if (kept)
            *text = arena_strdup(arena, smaller), better = true;
        else
            at++;
        more = more || kept;
        arena_free(scratch);
    }
    return better;
}

const char *random_shrink(Arena *arena, const char *text, StillFails *fails, void *user) {
    for (bool better = true; better;) {
        better = false;
        for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
            better |= shrink_by(arena, &text, edits[i], fails, user);
    }
    return text;
}
