/* Command lines of compiled programs: what is accepted, what is refused and with which words, help pages. */
#include "child.h"
#include "runtime/rt_cli.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(cli, .init = make_folder, .fini = remove_folder);

static void train(nn_rt *rt, const nn_arg *args) {
    nn_print(rt, "epochs {} lr {} dir {} fast_mode {} width {} seed {}", 6,
             (nn_tensor[]){{.data = (void *)(uintptr_t)&args[0].i, .dtype = NN_I64},
                           {.data = (void *)(uintptr_t)&args[1].f, .dtype = NN_F64},
                           {.data = (void *)(uintptr_t)&args[2].s, .dtype = NN_STR},
                           {.data = (void *)(uintptr_t)&args[3].b, .dtype = NN_BOOL},
                           {.data = (void *)(uintptr_t)&args[4].i, .dtype = NN_I64},
                           {.data = &(int64_t){nn_seed(rt)}, .dtype = NN_I64}});
}

static void report(nn_rt *rt, const nn_arg *args) {
    (void)args;
    float loss = 0.1f, broken = 0.0f / 0.0f;
    for (int i = 0; i < 2; i++)
        nn_report(rt, NULL, 2,
                  (nn_tensor[]){{.name = "loss", .data = &loss, .dtype = NN_F32},
                                {.name = "a \"b\"", .data = &broken, .dtype = NN_F32}});
    nn_progress_begin(rt, 3);
    nn_progress_step(rt);
    nn_progress_end(rt);
    nn_write(rt, "{}", 1, (nn_tensor[]){{.data = &loss, .dtype = NN_F32}});
}

static const nn_param params[] = {{"epochs", "5", NULL, NN_I64},
                                  {"lr", "1e-3", "how far a step goes along\nthe gradient", NN_F32},
                                  {"dir", "data/mnist", "the folder with the images", NN_STR},
                                  {"fast_mode", "false", NULL, NN_BOOL},
                                  {"width", NULL, "of the layer in the middle", NN_U8}};
static const nn_command commands[] = {
    {"train", "Train from scratch and save the weights.", params, 5, train, true},
    {"write_report", NULL, NULL, 0, report, false}};
static const nn_program_table many = {
    .name = "digits", .doc = "Classify handwritten digits.", .commands = commands, .command_count = 2};
static const nn_program_table one = {
    .name = "digits", .doc = "Classify handwritten digits.", .commands = commands, .command_count = 1};

static void expect_run(const nn_program_table *program, const char *line, int status, const char *out,
                       const char *err) {
    char words[512];
    const char *arguments[32] = {"./digits"};
    int count = 1;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) arguments[count++] = word;
    Outcome outcome = run_program(program, arguments);
    cr_expect_str_eq(outcome.err, err, "%s:\n%s\nexpected:\n%s", line, outcome.err, err);
    cr_expect_str_eq(outcome.out, out, "%s:\n%s\nexpected:\n%s", line, outcome.out, out);
    cr_expect_eq(outcome.status, status, "%s: status %d", line, outcome.status);
    outcome_free(&outcome);
}

#define TRAIN_HELP "\nhelp: `./digits train --help` shows what there is\n"
#define HELP "\nhelp: `./digits --help` shows what there is\n"

Test(cli, accepted) {
    expect_run(&many, "train --width 3", 0,
               "epochs 5 lr 0.001 dir data/mnist fast_mode false width 3 seed 0\n", "");
    expect_run(&many,
               "--seed=-7 train --epochs=-2 --lr 2 --dir a=b --fast-mode --width=255 --threads 1 --quiet", 0,
               "epochs -2 lr 2.0 dir a=b fast_mode true width 255 seed -7\n", "");
    expect_run(&many, "train --fast_mode --no-fast-mode --width 0 --lr inf", 0,
               "epochs 5 lr inf dir data/mnist fast_mode false width 0 seed 0\n", "");
    expect_run(&one, "--width 1 --dir -", 0, "epochs 5 lr 0.001 dir - fast_mode false width 1 seed 0\n", "");
    expect_run(&one, "train --width 1 --fast-mode=yes", 0,
               "epochs 5 lr 0.001 dir data/mnist fast_mode true width 1 seed 0\n", "");
    expect_run(&many, "--version", 0, "digits, built with nnc 0.1.0\n", "");
    expect_run(&many, "write-report", 0, "0.1", "");
}

Test(cli, refused) {
    expect_run(&many, "", 2, "", "error: which command? One of `train`, `write-report`" HELP);
    expect_run(&many, "tarin", 2, "", "error: unknown command `tarin`; did you mean `train`?" HELP);
    expect_run(&many, "banana", 2, "", "error: unknown command `banana`" HELP);
    expect_run(&many, "train", 2, "", "error: missing `--width`" TRAIN_HELP);
    expect_run(&many, "train --widht 3", 2, "",
               "error: unknown option `--widht`; did you mean `--width`?" TRAIN_HELP);
    expect_run(&many, "train --zzzzzz=3", 2, "", "error: unknown option `--zzzzzz=3`" TRAIN_HELP);
    expect_run(&many, "train -x", 2, "", "error: unexpected argument `-x`" TRAIN_HELP);
    expect_run(&many, "write-report --resume", 2, "",
               "error: `--resume`: `write-report` has no checkpoint to go on from"
               "\nhelp: `./digits write-report --help` shows what there is\n");
    expect_run(&many, "train test", 2, "", "error: unexpected argument `test`" TRAIN_HELP);
    expect_run(&many, "train --width", 2, "", "error: `--width` needs a value: `--width=VALUE`" TRAIN_HELP);
    expect_run(&many, "train --width --lr 3", 2, "",
               "error: `--width` needs a value: `--width=VALUE`" TRAIN_HELP);
    expect_run(&many, "train --width 256", 2, "",
               "error: `--width` must be a whole number from 0 to 255, not `256`" TRAIN_HELP);
    expect_run(&many, "train --width 1.5", 2, "",
               "error: `--width` must be a whole number, not `1.5`" TRAIN_HELP);
    expect_run(&many, "train --epochs=", 2, "",
               "error: `--epochs` must be a whole number, not ``" TRAIN_HELP);
    expect_run(
        &many, "train --epochs 9223372036854775808", 2, "",
        "error: `--epochs` must be a whole number from -9223372036854775808 to 9223372036854775807, not "
        "`9223372036854775808`" TRAIN_HELP);
    expect_run(&many, "train --lr fast", 2, "", "error: `--lr` must be a number, not `fast`" TRAIN_HELP);
    expect_run(&many, "train --lr 1e39", 2, "",
               "error: `--lr` must be a number that f32 can hold, not `1e39`" TRAIN_HELP);
    expect_run(&many, "train --fast-mode=maybe", 2, "",
               "error: `--fast-mode` must be true or false, not `maybe`" TRAIN_HELP);
    expect_run(&many, "train --width 1 --threads 0", 2, "",
               "error: `--threads` must be at least 1, not `0`" TRAIN_HELP);
    expect_run(&one, "--width 1 --metrics no/such/folder", 1, "",
               "error: cannot write metrics to `no/such/folder`: No such file or directory\n");
}

Test(cli, help) {
    setenv("COLUMNS", "80", 1);
    expect_run(&many, "--help", 0,
               "Classify handwritten digits.\n"
               "\n"
               "Usage: ./digits COMMAND [OPTIONS]\n"
               "\n"
               "Commands:\n"
               "  train         Train from scratch and save the weights.\n"
               "  write-report\n"
               "\n"
               "Options:\n"
               "  --threads N     worker threads (default: the CPUs that may be used)\n"
               "  --seed N        seed of all randomness (default: 0)\n"
               "  --metrics FILE  append what is reported to FILE, one JSON object a line\n"
               "  --quiet         no progress bar\n"
               "  --help          show this help\n"
               "  --version       show the version\n"
               "\n"
               "`./digits COMMAND --help` shows the options of a command.\n",
               "");
    setenv("COLUMNS", "60", 1);
    expect_run(&many, "train --help", 0,
               "Train from scratch and save the weights.\n"
               "\n"
               "Usage: ./digits train --width INTEGER [OPTIONS]\n"
               "\n"
               "Options:\n"
               "  --epochs INTEGER             default: 5\n"
               "  --lr NUMBER                  how far a step goes along the\n"
               "                               gradient (default: 1e-3)\n"
               "  --dir TEXT                   the folder with the images\n"
               "                               (default: `data/mnist`)\n"
               "  --fast-mode, --no-fast-mode  default: false\n"
               "  --width INTEGER              of the layer in the middle\n"
               "                               (required)\n"
               "\n"
               "Options of every program:\n"
               "  --threads N                  worker threads (default: the\n"
               "                               CPUs that may be used)\n"
               "  --seed N                     seed of all randomness\n"
               "                               (default: 0)\n"
               "  --metrics FILE               append what is reported to\n"
               "                               FILE, one JSON object a line\n"
               "  --quiet                      no progress bar\n"
               "  --resume                     go on from the newest\n"
               "                               checkpoint\n"
               "  --help                       show this help\n"
               "  --version                    show the version\n",
               "");
}

Test(cli, metrics) {
    expect_run(&many, "write-report --metrics m.jsonl", 0, "0.1", "");
    FILE *file = fopen("m.jsonl", "r");
    cr_assert_not_null(file);
    for (int step = 1; step <= 2; step++) {
        char line[256];
        int read_step;
        double time;
        cr_assert_not_null(fgets(line, sizeof line, file));
        cr_expect_eq(sscanf(line, "{\"step\":%d,\"time\":%lf,", &read_step, &time), 2);
        cr_expect_eq(read_step, step);
        cr_expect_not_null(strstr(line, ",\"loss\":0.1,\"a \\\"b\\\"\":\"NaN\"}\n"), "%s", line);
    }
    fclose(file);
}

static void write_to_full_disk(nn_rt *rt, const nn_arg *args) {
    (void)args;
    int64_t one_more = 1;
    nn_report(rt, NULL, 1, (nn_tensor[]){{.name = "n", .data = &one_more, .dtype = NN_I64}});
    nn_report(rt, NULL, 1, (nn_tensor[]){{.name = "n", .data = &one_more, .dtype = NN_I64}});
    nn_print(rt, "trained", 0, NULL);
}

Test(cli, metrics_on_a_full_disk) {
    Outcome outcome = run_body(write_to_full_disk, (const char *const[]){"--metrics", "/dev/full", NULL});
    cr_expect_str_eq(outcome.err,
                     "warning: cannot write metrics to `/dev/full`: No space left on device; no more "
                     "metrics will be written\n");
    cr_expect_str_eq(outcome.out, "trained\n");
    cr_expect_eq(outcome.status, 0);
    outcome_free(&outcome);
}

Test(cli, edit_distance) {
    cr_expect_eq(rt_edit_distance("name", "nmae"), 1);
    cr_expect_eq(rt_edit_distance("", "abc"), 3);
    cr_expect_eq(rt_edit_distance("kitten", "sitting"), 3);
    cr_expect_eq(rt_edit_distance("same", "same"), 0);
}
