/* The state of a run that no value of the program holds: which command with which arguments, how often it
 * came by its checkpoints, the place in the metrics file, the loops that are under way. */
#include "rt_checkpoint.h"
#include "rt_cli.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const format = "nnc checkpoint 1";
enum { MOST_LOOPS = 1000000 }; /* one in another: more is a mistake in the file */

/* --- arguments */
static void argument_text(rt_text *text, const nn_param *param, const nn_arg *arg) {
    if (param->dtype == NN_STR)
        rt_text_adds(text, arg->s);
    else if (param->dtype == NN_BOOL)
        rt_text_adds(text, arg->b ? "true" : "false");
    else if (rt_dtype_is_float(param->dtype))
        rt_text_element(text, NN_F64, &arg->f, "", 0);
    else
        rt_text_addf(text, "%" PRId64, arg->i);
}

static void key_of(rt_text *key, const nn_param *param) {
    key->length = 0;
    rt_text_addf(key, "argument.%s", param->name);
}

static void note_arguments(nn_rt *rt, rt_notes *notes) {
    rt_text key = {0}, value = {0};
    for (int32_t i = 0; i < rt->command->param_count; i++) {
        value.length = 0;
        key_of(&key, &rt->command->params[i]);
        argument_text(&value, &rt->command->params[i], &rt->args[i]);
        rt_note(notes, key.bytes, "%.*s", (int)value.length, rt_text_string(&value));
    }
    rt_text_free(&key);
    rt_text_free(&value);
}

void rt_state_arguments(const nn_rt *rt, rt_text *text) {
    for (int32_t i = 0; i < rt->command->param_count; i++) {
        const nn_param *param = &rt->command->params[i];
        rt_text value = {0};
        argument_text(&value, param, &rt->args[i]);
        if (!param->fallback || strcmp(rt_text_string(&value), param->fallback) != 0) {
            bool flag = param->dtype == NN_BOOL;
            rt_text_adds(text, flag && !rt->args[i].b ? " --no-" : " --");
            rt_option_name(text, param->name);
            if (!flag) rt_text_adds(text, " ");
            if (!flag) rt_text_word(text, rt_text_string(&value));
        }
        rt_text_free(&value);
    }
    if (rt->seed) rt_text_addf(text, " --seed %" PRId64, rt->seed);
}

/* --- writing down */
static void note_loops(const nn_rt *rt, rt_notes *notes) {
    rt_text loops = {0};
    int32_t depth = rt->progress.depth < RT_PROGRESS_DEPTH ? rt->progress.depth : RT_PROGRESS_DEPTH;
    rt_text_addf(&loops, "%d", rt->progress.depth);
    for (int32_t i = 0; i < depth; i++)
        rt_text_addf(&loops, " %" PRId64 "/%" PRId64, rt->progress.loop[i].done, rt->progress.loop[i].total);
    rt_note(notes, "loops", "%s", loops.bytes);
    rt_text_free(&loops);
}

static void note_passes(const struct rt_checkpoints *c, rt_notes *notes) {
    rt_text passes = {0};
    for (int32_t i = 0; i < c->sites; i++) rt_text_addf(&passes, "%s%" PRId64, i ? " " : "", c->passes[i]);
    rt_note(notes, "passes", "%s", rt_text_string(&passes));
    rt_text_free(&passes);
}

static void note_metrics(const nn_rt *rt, rt_notes *notes) {
    rt_note(notes, "reports", "%" PRId64, rt->metrics.step);
    off_t end = rt->metrics.file >= 0 ? lseek(rt->metrics.file, 0, SEEK_END) : -1;
    if (end < 0) return;
    rt_note(notes, "metrics", "%s", rt->metrics.path);
    rt_note(notes, "metrics_bytes", "%lld", (long long)end);
}

void rt_state_note(nn_rt *rt, int32_t site, rt_notes *notes) {
    const struct rt_checkpoints *c = rt->checkpoints;
    rt_note(notes, "format", "%s", format);
    rt_note(notes, "nnc", "%s", NNC_VERSION);
    rt_note(notes, "program", "%s", rt->program->name);
    rt_note(notes, "command", "%s", rt->command->name);
    rt_note(notes, "float", "%s", rt_dtype_name(c->dtype));
    rt_note(notes, "code", "%s", c->code);
    rt_note(notes, "seed", "%" PRId64, rt->seed);
    note_arguments(rt, notes);
    rt_note(notes, "site", "%d", site);
    rt_note(notes, "run", "%" PRId64, c->run);
    rt_note(notes, "sequence", "%" PRId64, c->sequence);
    rt_note(notes, "seconds", "%.3f", rt_now() - rt->started);
    note_passes(c, notes);
    note_loops(rt, notes);
    note_metrics(rt, notes);
}

/* --- comparing */
static bool is_note(const rt_archive *archive, const char *key, const char *value) {
    const rt_st_note *note = rt_st_find_note(&archive->index, key);
    return note && note->value_length == strlen(value) && memcmp(note->value, value, note->value_length) == 0;
}

static void add_note(rt_text *text, const rt_archive *archive, const char *key) {
    const rt_st_note *note = rt_st_find_note(&archive->index, key);
    if (note)
        rt_text_quote(text, note->value, note->value_length);
    else
        rt_text_adds(text, "nothing");
}

/* `what` is a format for the value in the file and the one here, both quoted. */
static bool same(const rt_archive *archive, const char *key, const char *value, const char *what,
                 rt_text *error) {
    if (is_note(archive, key, value)) return true;
    rt_text there = {0}, here = {0};
    add_note(&there, archive, key);
    rt_text_quotes(&here, value);
    rt_text_quotes(error, archive->path);
    rt_text_addf(error, " was saved %s %s, and this is %s", what, there.bytes, here.bytes);
    rt_text_free(&there);
    rt_text_free(&here);
    return false;
}

static bool same_argument(const rt_archive *archive, const char *name, const char *key, const char *value,
                          rt_text *error) {
    if (is_note(archive, key, value)) return true;
    rt_text_quotes(error, archive->path);
    rt_text_adds(error, " was saved with `--");
    rt_option_name(error, name);
    rt_text_adds(error, "` ");
    add_note(error, archive, key);
    rt_text_adds(error, ", and this run has ");
    rt_text_quotes(error, value);
    return false;
}

static bool same_arguments(nn_rt *rt, const rt_archive *archive, rt_text *error) {
    rt_text key = {0}, value = {0};
    bool good = true;
    for (int32_t i = 0; good && i < rt->command->param_count; i++) {
        value.length = 0;
        key_of(&key, &rt->command->params[i]);
        argument_text(&value, &rt->command->params[i], &rt->args[i]);
        rt_text_add(&value, "", 1);
        good = same_argument(archive, rt->command->params[i].name, key.bytes, value.bytes, error);
    }
    value.length = 0;
    rt_text_addf(&value, "%" PRId64, rt->seed);
    good = good && same_argument(archive, "seed", "seed", value.bytes, error);
    rt_text_free(&key);
    rt_text_free(&value);
    return good;
}

bool rt_state_same(nn_rt *rt, const rt_archive *archive, rt_text *error) {
    const struct rt_checkpoints *c = rt->checkpoints;
    if (!same(archive, "format", format, "in the format", error) ||
        !same(archive, "nnc", NNC_VERSION, "by a program of nnc", error) ||
        !same(archive, "program", rt->program->name, "by the program", error) ||
        !same(archive, "command", rt->command->name, "by the command", error) ||
        !same(archive, "float", rt_dtype_name(c->dtype), "where `float` is", error))
        return false;
    if (!is_note(archive, "code", c->code)) {
        rt_text_quotes(error, archive->path);
        rt_text_adds(error,
                     " was saved by another version of this program: it computes something else, or was "
                     "compiled in another way");
        return false;
    }
    return same_arguments(rt, archive, error);
}

/* --- restoring */
int64_t rt_state_number(const rt_archive *archive, const char *key) {
    const rt_st_note *note = rt_st_find_note(&archive->index, key);
    return note && note->value_length ? strtoll(note->value, NULL, 10) : -1;
}

/* A list of numbers inside a note: the next one, behind any other character. -1 at the end. */
static int64_t next_number(const char **at, const char *end) {
    while (*at < end && (**at < '0' || **at > '9')) ++*at;
    if (*at == end) return -1;
    char *after;
    int64_t value = strtoll(*at, &after, 10);
    *at = after;
    return value;
}

static void restore_passes(struct rt_checkpoints *c, const rt_archive *archive) {
    const rt_st_note *note = rt_st_find_note(&archive->index, "passes");
    const char *at = note ? note->value : NULL;
    for (int32_t i = 0; note && i < c->sites; i++) {
        int64_t passes = next_number(&at, note->value + note->value_length);
        c->passes[i] = passes < 0 ? 0 : passes;
    }
}

static void restore_loops(nn_rt *rt, const rt_archive *archive) {
    const rt_st_note *note = rt_st_find_note(&archive->index, "loops");
    if (!note) return;
    const char *at = note->value, *end = note->value + note->value_length;
    int64_t depth = next_number(&at, end);
    double now = rt_now();
    rt->progress.depth = depth < 0 || depth > MOST_LOOPS ? 0 : (int32_t)depth;
    for (int32_t i = 0; i < rt->progress.depth && i < RT_PROGRESS_DEPTH; i++) {
        int64_t done = next_number(&at, end), total = next_number(&at, end);
        rt->progress.loop[i] =
            (rt_loop){.total = total, .done = done, .resumed = done, .started = now, .drawn = now};
    }
}

/* Lines that were written after the checkpoint will be written again. */
static void restore_metrics(nn_rt *rt, const rt_archive *archive) {
    rt->metrics.step = rt_state_number(archive, "reports");
    int64_t bytes = rt_state_number(archive, "metrics_bytes");
    if (rt->metrics.file < 0 || bytes < 0 || !is_note(archive, "metrics", rt->metrics.path)) return;
    off_t end = lseek(rt->metrics.file, 0, SEEK_END);
    if (end >= bytes && ftruncate(rt->metrics.file, bytes) == 0) return;
    rt_text message = {0};
    rt_text_quotes(&message, rt->metrics.path);
    rt_text_adds(&message, " is not as it was when the checkpoint was saved; metrics are appended to it");
    rt_warn(rt, message.bytes);
    rt_text_free(&message);
}

void rt_state_restore(nn_rt *rt, const rt_archive *archive) {
    struct rt_checkpoints *c = rt->checkpoints;
    const rt_st_note *seconds = rt_st_find_note(&archive->index, "seconds");
    c->run = rt_state_number(archive, "run");
    c->sequence = rt_state_number(archive, "sequence");
    if (seconds) rt->started = rt_now() - strtod(seconds->value, NULL);
    restore_passes(c, archive);
    restore_loops(rt, archive);
    restore_metrics(rt, archive);
}
