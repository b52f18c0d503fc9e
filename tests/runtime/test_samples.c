/* Columns that outgrow memory: what is read back, edited samples, no room for the rest. */
#include "child.h"
#include "runtime/rt.h"
#include "runtime/rt_samples.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(samples, .init = make_folder, .fini = remove_folder);

/* 256 MiB hold 29 of them. */
enum { BYTES = 9000003, HELD = 29 };

/* All bytes of a sample are the same. */
static int mark(int64_t sample) { return (int)(sample * 7 + 1) & 255; }

static void fill(rt_samples *s, int64_t count, rt_text *error) {
    for (int64_t i = 0; i < count; i++) {
        uint8_t *at = rt_samples_add(s, error);
        cr_assert(at, "%s", error->bytes);
        memset(at, mark(i), BYTES);
    }
}

static void increase(void *user, uint8_t *samples, int64_t count) {
    *(int64_t *)user += count;
    for (int64_t i = 0; i < count; i++)
        memset(samples + i * BYTES, samples[i * BYTES + BYTES / 2] + 1, BYTES);
}

static void expect_samples(int64_t count, int plus) {
    rt_text error = {0};
    rt_samples s = rt_samples_new("t.csv", BYTES);
    fill(&s, count, &error);
    int64_t edited = 0;
    if (plus) cr_assert(rt_samples_edit(&s, increase, &edited, &error));
    cr_expect_eq(edited, plus ? count : 0);
    rt_column column;
    cr_assert(rt_samples_column(&s, NN_U8, &column, &error), "%s", error.bytes);
    cr_expect_eq(column.samples == NULL, count > HELD);
    uint8_t *out = malloc(BYTES);
    for (int64_t i = count; i-- > 0;) {
        cr_assert(rt_gather(&column, &i, 0, 1, out, &error), "%s", error.bytes);
        cr_assert_eq(out[0], (mark(i) + plus) & 255, "sample %lld", (long long)i);
        cr_assert_eq(memcmp(out, out + 1, BYTES - 1), 0, "sample %lld", (long long)i);
    }
    free(out);
    rt_column_free(&column);
    rt_samples_free(&s);
    rt_text_free(&error);
}

Test(samples, in_memory_and_beyond) {
    for (int plus = 0; plus < 2; plus++) {
        expect_samples(0, plus);
        expect_samples(HELD, plus);
        expect_samples(HELD + 1, plus);
        expect_samples(2 * HELD + 3, plus);
    }
}

Test(samples, of_no_elements) {
    rt_text error = {0};
    rt_samples s = rt_samples_new("t.csv", 0);
    for (int i = 0; i < 1000; i++) cr_assert(rt_samples_add(&s, &error));
    rt_column column;
    cr_assert(rt_samples_column(&s, NN_F32, &column, &error));
    rt_column_free(&column);
    rt_samples_free(&s);
}

Test(samples, no_folder_for_the_rest) {
    setenv("TMPDIR", "/nowhere", 1);
    rt_text error = {0};
    rt_samples s = rt_samples_new("t.csv", 160 << 20);
    cr_assert(rt_samples_add(&s, &error));
    cr_assert_null(rt_samples_add(&s, &error));
    cr_expect_str_eq(error.bytes,
                     "`t.csv`: what it holds beyond 256 MiB goes to a temporary file in `/nowhere`, which "
                     "cannot be written: No such file or directory (set TMPDIR to a folder with room)");
    rt_samples_free(&s);
    rt_text_free(&error);
}
