/* Runs the passes in the order of passes.def and serves every option that looks between them. */
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "support/clock.h"
#include <assert.h>
#include <stdlib.h>

typedef struct {
    const char *name, *description;
    void (*run)(PassContext *context, Graph *graph);
} PassRow;

static const PassRow rows[PASS_COUNT] = {
#define PASS(name, description) {#name, description, pass_##name},
#include "passes/passes.def"
#undef PASS
};

const char *pass_name(PassId pass) { return rows[pass].name; }

const char *pass_description(PassId pass) { return rows[pass].description; }

static bool pass_from_name(const char *name, size_t length, PassId *pass) {
    for (int i = 0; i < PASS_COUNT; i++) {
        if (strlen(rows[i].name) != length || memcmp(rows[i].name, name, length) != 0) continue;
        *pass = (PassId)i;
        return true;
    }
    return false;
}

/* --- lists of names */
/* The next name of a comma-separated list, its length in `*length`; NULL at the end. */
static const char *next_name(const char **list, size_t *length) {
    if (!*list || !**list) return NULL;
    const char *name = *list;
    *length = strcspn(name, ",");
    *list = name + *length + (name[*length] == ',');
    return name;
}

static bool lists(const char *list, const char *wanted) {
    size_t length;
    for (const char *name; (name = next_name(&list, &length));)
        if (strlen(wanted) == length && memcmp(name, wanted, length) == 0) return true;
    return false;
}

/* Reports the names in `list` that are no pass (nor `other`). */
static bool check_names(const char *list, const char *other, Diagnostics *diags, Arena *arena) {
    static const char *const names[PASS_COUNT] = {
#define PASS(name, description) #name,
#include "passes/passes.def"
#undef PASS
    };
    PassId pass;
    size_t length;
    bool ok = true;
    for (const char *name; (name = next_name(&list, &length));) {
        const char *text = arena_strndup(arena, name, length);
        if (pass_from_name(name, length, &pass) || (other && strcmp(text, other) == 0)) continue;
        Diagnostic *d = diag_report(diags, D_PASS_NAME, (Span){0}, text);
        const char *near = suggest(text, names, PASS_COUNT);
        if (near) diag_help(d, "did you mean `%s`?", near);
        ok = false;
    }
    return ok;
}

static bool check_options(const char *only, const PassOptions *options, Diagnostics *diags) {
    Arena *arena = arena_new();
    bool ok = check_names(only, NULL, diags, arena);
    ok &= check_names(options->print_after, "all", diags, arena);
    ok &= check_names(options->stop_after, NULL, diags, arena);
    ok &= check_names(options->disable, NULL, diags, arena);
    arena_free(arena);
    return ok;
}

/* Later stages rely on what these establish. */
static bool is_optional(PassId pass) {
    return pass != PASS_autodiff && pass != PASS_fuse && pass != PASS_checkpoint && pass != PASS_plan;
}

static bool is_disabled(const PassOptions *options, PassId pass) {
    return is_optional(pass) && lists(options->disable, pass_name(pass));
}

/* --- one pass */
typedef struct {
    Graph *graph;
    const PassOptions *options;
    Diagnostics *diags;
} Runner;

static void print_after(const Runner *r, PassId pass, const char *before) {
    const PassOptions *options = r->options;
    bool wanted = lists(options->print_after, pass_name(pass)) || lists(options->print_after, "all");
    if (!wanted && !before) return;
    char *after = graph_text(r->graph);
    if (wanted || strcmp(before, after) != 0)
        fprintf(options->out, "# after %s\n%s\n", pass_name(pass), after);
    free(after);
}

static void verify_after(const Runner *r, PassId pass) {
    Arena *arena = arena_new();
    const char *why = graph_verify(r->graph, arena);
    if (why) {
        graph_print(stderr, r->graph, (PrintOptions){.locations = true});
        fprintf(stderr, "nnc: internal error: after %s: %s\n", pass_name(pass), why);
        abort();
    }
    arena_free(arena);
}

/* False where the pass reported an error: the graph is then not fit for the next one. */
static bool run_pass(const Runner *r, PassId pass) {
    if (is_disabled(r->options, pass)) return true;
    PassContext context = {.diags = r->diags, .scratch = arena_new(), .panel = r->options->panel};
    char *before = r->options->print_changed ? graph_text(r->graph) : NULL;
    unsigned errors = diagnostics_errors(r->diags);
    double start = clock_milliseconds();
    rows[pass].run(&context, r->graph);
    if (r->options->time) fprintf(stderr, "%9.2f ms  %s\n", clock_milliseconds() - start, pass_name(pass));
    arena_free(context.scratch);
    bool ok = diagnostics_errors(r->diags) == errors;
    if (ok) {
        graph_settle(r->graph);
        if (r->options->verify) verify_after(r, pass);
        print_after(r, pass, before);
    }
    free(before);
    return ok;
}

static bool run_list(const Runner *r, const char *list) {
    size_t length;
    for (const char *name; (name = next_name(&list, &length));) {
        PassId pass;
        bool known = pass_from_name(name, length, &pass);
        assert(known);
        if (!run_pass(r, pass)) return false;
        if (r->options->stop_after && strcmp(r->options->stop_after, pass_name(pass)) == 0) break;
    }
    return true;
}

/* The passes that leave no work for simplify, or that it follows anyway. It must not run after the last: what
 * lives on behind a checkpoint is counted, and what plan has placed may not move any more. */
static bool leaves_no_work(PassId pass) {
    return pass == PASS_autodiff || pass == PASS_simplify || pass == PASS_mask || pass == PASS_checkpoint ||
           pass == PASS_plan;
}

static bool run_all(const Runner *r) {
    for (int i = 0; i < PASS_COUNT; i++) {
        PassId pass = (PassId)i;
        bool left_out = pass == PASS_winograd && !r->options->winograd;
        if (!left_out && !run_pass(r, pass)) return false;
        if (r->options->stop_after && strcmp(r->options->stop_after, pass_name(pass)) == 0) break;
        if (!left_out && !leaves_no_work(pass) && !run_pass(r, PASS_simplify)) return false;
    }
    return true;
}

bool passes_run(Graph *graph, const char *only, const PassOptions *options, Diagnostics *diags) {
    if (!check_options(only, options, diags)) return false;
    Runner runner = {graph, options, diags};
    return only ? run_list(&runner, only) : run_all(&runner);
}
