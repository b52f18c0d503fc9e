/* `--metrics FILE`: a line of JSON for each report, `{"step":1,"time":0.25,"loss":2.3}`. `step` counts the
 * reports, `time` is in seconds since the command started. What JSON has no number for is the string "NaN",
 * "Infinity" or "-Infinity". The first line of a command with checkpoints says which run it is, so that one
 * that starts again can take back what it wrote. */
#include "rt.h"
#include "rt_checkpoint.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool rt_metrics_open(nn_rt *rt, const char *path, rt_text *error) {
    rt->metrics.path = path;
    rt->metrics.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (rt->metrics.file >= 0) return true;
    int reason = errno;
    rt_text_adds(error, "cannot write metrics to ");
    rt_text_quotes(error, path);
    rt_text_addf(error, ": %s", strerror(reason));
    return false;
}

static void add_json_value(rt_text *line, const nn_tensor *value) {
    if (value->dtype == NN_STR) {
        rt_text_json(line, *(const char *const *)value->data);
    } else if (rt_dtype_is_float(value->dtype) && !isfinite(rt_element_float(value->dtype, value->data))) {
        double x = rt_element_float(value->dtype, value->data);
        rt_text_adds(line, isnan(x) ? "\"NaN\"" : x > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else {
        rt_text_element(line, value->dtype, value->data, "", 0);
    }
}

/* How the first line begins. */
static void add_first(rt_text *line, const rt_text *run) {
    rt_text_adds(line, "{\"run\":");
    rt_text_json(line, rt_text_string(run));
    rt_text_adds(line, ",");
}

/* Where the last run in the file begins, if that was this one; -1 otherwise. */
static off_t last_run(FILE *file, const rt_text *first) {
    static const char run[] = "{\"run\":", other[] = "{\"step\":1,"; /* … of a command without checkpoints */
    char *line = NULL;
    size_t capacity = 0;
    off_t at = 0, found = -1;
    for (ssize_t length; (length = getline(&line, &capacity, file)) > 0; at += length) {
        if (strncmp(line, run, sizeof run - 1) != 0 && strncmp(line, other, sizeof other - 1) != 0) continue;
        found = strncmp(line, first->bytes, first->length) == 0 ? at : -1;
    }
    free(line);
    return found;
}

void rt_metrics_begin(nn_rt *rt, const char *code, bool again) {
    rt_text_addf(&rt->metrics.run, "%s %s", code, rt->command->name);
    rt_state_arguments(rt, &rt->metrics.run);
    if (!again || rt->metrics.file < 0 || lseek(rt->metrics.file, 0, SEEK_END) <= 0) return;
    FILE *file = fopen(rt->metrics.path, "re");
    if (!file) return;
    rt_text first = {0};
    add_first(&first, &rt->metrics.run);
    off_t at = last_run(file, &first);
    if (at >= 0 && ftruncate(rt->metrics.file, at) != 0)
        rt_warn(rt, "cannot cut back the file of metrics: some lines are in it twice");
    rt_text_free(&first);
    fclose(file);
}

/* A lost log is no reason to lose the training: it goes on without. */
static void give_up(nn_rt *rt, int reason) {
    rt_text message = {0};
    rt_text_adds(&message, "cannot write metrics to ");
    rt_text_quotes(&message, rt->metrics.path);
    rt_text_addf(&message, ": %s; no more metrics will be written", strerror(reason));
    rt_warn(rt, message.bytes);
    rt_text_free(&message);
    rt_metrics_close(rt);
}

static const char *name_of(const nn_tensor *value) { return value->name ? value->name : "value"; }

static bool is_reported(int32_t count, const nn_tensor *values, const char *name) {
    for (int32_t i = 0; i < count; i++)
        if (values[i].rank == 0 && strcmp(name_of(&values[i]), name) == 0) return true;
    return false;
}

/* What the program reports under a name of ours takes its place. */
static void add_line(nn_rt *rt, int32_t count, const nn_tensor *values) {
    rt->metrics.step++;
    if (rt->metrics.file < 0) return;
    rt_text line = {0};
    if (rt->metrics.step == 1 && rt->metrics.run.length)
        add_first(&line, &rt->metrics.run);
    else
        rt_text_adds(&line, "{");
    if (!is_reported(count, values, "step"))
        rt_text_addf(&line, "\"step\":%lld,", (long long)rt->metrics.step);
    if (!is_reported(count, values, "time")) rt_text_addf(&line, "\"time\":%.6f,", rt_now() - rt->started);
    for (int32_t i = 0; i < count; i++) {
        if (values[i].rank != 0) continue;
        rt_text_json(&line, name_of(&values[i]));
        rt_text_adds(&line, ":");
        add_json_value(&line, &values[i]);
        rt_text_adds(&line, ",");
    }
    line.length--; /* the last comma, if there is anything */
    rt_text_adds(&line, "}\n");
    /* One write a line, so that a killed program leaves whole lines. */
    ssize_t written = write(rt->metrics.file, line.bytes, line.length);
    if (written != (ssize_t)line.length) give_up(rt, written < 0 ? errno : ENOSPC);
    rt_text_free(&line);
}

void nn_report(nn_rt *rt, const nn_loc *loc, int32_t count, const nn_tensor *values) {
    (void)loc;
    rt_progress_metrics(rt, count, values);
    add_line(rt, count, values);
}

void rt_metrics_close(nn_rt *rt) {
    if (rt->metrics.file >= 0) close(rt->metrics.file);
    rt->metrics.file = -1;
}

void rt_metrics_free(nn_rt *rt) {
    rt_metrics_close(rt);
    rt_text_free(&rt->metrics.run);
}
