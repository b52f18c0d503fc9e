/* A run from the command line to the exit status. */
#include "rt.h"
#include "rt_checkpoint.h"
#include "rt_cli.h"
#include <unistd.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#ifndef NNC_VERSION
#error "the build defines NNC_VERSION"
#endif

const nn_program_table *nn_running_program(const nn_rt *rt) { return rt->program; }
const nn_command *nn_running_command(const nn_rt *rt) { return rt->command; }
int64_t nn_seed(const nn_rt *rt) { return rt->seed; }

static int usage_error(const rt_cli *cli, const rt_text *error) {
    fprintf(stderr, "error: %s\nhelp: `%s", rt_text_string(error), cli->invoked_as);
    if (cli->command && cli->program->command_count != 1) {
        rt_text name = {0};
        rt_option_name(&name, cli->command->name);
        fprintf(stderr, " %s", name.bytes);
        rt_text_free(&name);
    }
    fputs(" --help` shows what there is\n", stderr);
    return RT_EXIT_USAGE;
}

static int show(nn_rt *rt, rt_text *text) {
    fputs(rt_text_string(text), stdout);
    rt_text_free(text);
    rt_flush(rt);
    return 0;
}

static int show_help(nn_rt *rt, const rt_cli *cli) {
    rt_text text = {0};
    rt_help(&text, cli, rt_terminal_width(STDOUT_FILENO));
    return show(rt, &text);
}

static int show_version(nn_rt *rt, const rt_cli *cli) {
    rt_text text = {0};
    rt_text_addf(&text, "%s, built with nnc " NNC_VERSION "\n", cli->program->name);
    return show(rt, &text);
}

/* --- denormal numbers
 * Numbers too small for their type to hold with all digits are 0, as operands and as results, while a command
 * runs, in its threads, too: some CPUs take 75 times as long for a multiply-add of such, and what decays,
 * like the moments of a parameter that is never used, stays there for good. */
#if defined __SSE__
typedef unsigned FloatMode;
enum { DENORMALS_ARE_ZEROS = 1 << 6, FLUSH_TO_ZERO = 1 << 15 };
static const FloatMode NO_DENORMALS = DENORMALS_ARE_ZEROS | FLUSH_TO_ZERO;
static FloatMode float_mode(void) { return _mm_getcsr(); }
static void set_float_mode(FloatMode mode) { _mm_setcsr(mode); }
#elif defined __aarch64__
typedef uint64_t FloatMode;
static const FloatMode NO_DENORMALS = UINT64_C(1) << 24;
static FloatMode float_mode(void) {
    FloatMode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static void set_float_mode(FloatMode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
typedef int FloatMode;
static const FloatMode NO_DENORMALS = 0;
static FloatMode float_mode(void) { return 0; }
static void set_float_mode(FloatMode mode) { (void)mode; }
#endif

/* --- a run */
static int run_command(nn_rt *rt, const rt_cli *cli) {
    rt->command = cli->command;
    rt->args = cli->args;
    rt->invoked_as = cli->invoked_as;
    rt->resume = cli->global[RT_RESUME].b;
    rt->seed = cli->global[RT_SEED].i;
    rt->threads = (int32_t)cli->global[RT_THREADS].i;
    rt->quiet = cli->global[RT_QUIET].b;
    rt->started = rt_now();
    rt_progress_init(rt);
    rt_text error = {0};
    if (cli->global_given[RT_METRICS] && !rt_metrics_open(rt, cli->global[RT_METRICS].s, &error))
        rt_fail(rt, NULL, error.bytes, NULL);
    FloatMode mode = float_mode();
    set_float_mode(mode | NO_DENORMALS);
    rt->command->run(rt, cli->args);
    set_float_mode(mode);
    rt_progress_clear(rt);
    rt_flush(rt);
    return 0;
}

static void free_run(nn_rt *rt) {
    rt_checkpoints_free(rt);
    rt_data_free(rt); /* before the pool: its prefetching thread reads them */
    rt_pool_free(rt);
    rt_metrics_free(rt);
    rt_memory_free(rt);
}

int nn_main(const nn_program_table *program, int argc, char **argv) {
    nn_rt rt = {.program = program, .metrics.file = -1, .stdout_is_terminal = isatty(STDOUT_FILENO) == 1};
    rt_cli cli;
    rt_text error = {0};
    int status;
    if (!rt_cli_parse(&cli, program, argc, argv, &error))
        status = usage_error(&cli, &error);
    else if (cli.global[RT_HELP].b)
        status = show_help(&rt, &cli);
    else if (cli.global[RT_VERSION].b)
        status = show_version(&rt, &cli);
    else
        status = run_command(&rt, &cli);
    rt_text_free(&error);
    rt_cli_free(&cli);
    free_run(&rt);
    return status;
}
