/* Programs at random, compiled and interpreted: a fixed 300 of those that tests/fuzz/fuzz_native.c runs for
 * as long as one likes; and those of tests/native, which once were compiled wrong. */
#include "tests/unit/random_check.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <string.h>

enum { PROGRAMS = 75 };

static void check_seeds(uint32_t first) {
    int64_t elements = 0, unbounded = 0;
    for (uint32_t seed = first; seed < first + PROGRAMS; seed++) {
        Arena *arena = arena_new();
        RandomProgram program = random_program(arena, seed);
        uint32_t variants = 3u | 4u << seed % (VARIANTS - 2);
        RandomCase c = {
            .size = program.size, .special = program.special, .variants = variants, .seconds = 60};
        CheckResult result;
        random_check_apart(&c, program.text, &result);
        cr_expect(result.verdict == CHECK_RIGHT, "seed %u: %s\n%s", seed, result.message, program.text);
        elements += result.counts.elements;
        unbounded += result.counts.unbounded;
        arena_free(arena);
    }
    cr_expect(elements > 1000000 && unbounded < elements / 5, "%ld elements, %ld of them without a bound",
              (long)elements, (long)unbounded);
}

Test(native, random_programs_0, .timeout = 240) { check_seeds(0); }
Test(native, random_programs_1, .timeout = 240) { check_seeds(1 * PROGRAMS); }
Test(native, random_programs_2, .timeout = 240) { check_seeds(2 * PROGRAMS); }
Test(native, random_programs_3, .timeout = 240) { check_seeds(3 * PROGRAMS); }

static void check_kept(Arena *arena, const char *name) {
    const char *path = arena_printf(arena, SOURCE_DIR "/tests/native/%s", name);
    RandomCase c;
    const char *text = random_case_read(arena, path, &c);
    cr_assert(text, "%s can't be read", path);
    CheckResult result;
    random_check_apart(&c, text, &result);
    cr_expect(result.verdict == CHECK_RIGHT, "%s: %s", name, result.message);
}

Test(native, programs_that_were_wrong, .timeout = 240) {
    DIR *directory = opendir(SOURCE_DIR "/tests/native");
    cr_assert(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!strstr(entry->d_name, ".nnir")) continue;
        Arena *arena = arena_new();
        check_kept(arena, entry->d_name);
        arena_free(arena);
    }
    closedir(directory);
}
