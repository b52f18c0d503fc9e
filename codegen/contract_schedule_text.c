/* Schedules field by field: compared, and as text. */
#include "codegen/contract_schedule.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    int64_t max;
} FieldRow;

static const FieldRow fields[] = {
#define SCHEDULE_FIELD(type, name, max) {#name, max},
#include "codegen/contract_schedule.def"
#undef SCHEDULE_FIELD
};
enum { FIELD_COUNT = sizeof fields / sizeof *fields };

static void values_of(const ContractSchedule *schedule, int64_t *values) {
    uint32_t i = 0;
#define SCHEDULE_FIELD(type, name, max) values[i++] = (int64_t)schedule->name;
#include "codegen/contract_schedule.def"
#undef SCHEDULE_FIELD
}

static ContractSchedule schedule_of(const int64_t *values) {
    ContractSchedule schedule = {0};
    uint32_t i = 0;
#define SCHEDULE_FIELD(type, name, max) schedule.name = (type)values[i++];
#include "codegen/contract_schedule.def"
#undef SCHEDULE_FIELD
    return schedule;
}

bool schedule_equal(const ContractSchedule *a, const ContractSchedule *b) {
    int64_t x[FIELD_COUNT], y[FIELD_COUNT];
    values_of(a, x), values_of(b, y);
    return memcmp(x, y, sizeof x) == 0;
}

void contract_schedule_print(FILE *out, const ContractSchedule *schedule) {
    int64_t values[FIELD_COUNT];
    const char *blank = "";
    values_of(schedule, values);
    for (uint32_t i = 0; i < FIELD_COUNT; i++) {
        if (values[i] == 0) continue;
        fprintf(out, "%s%s", blank, fields[i].name);
        if (fields[i].max > 1) fprintf(out, "=%" PRId64, values[i]);
        blank = " ";
    }
}

/* One word into values[]. */
static const char *read_word(const char *word, int64_t *values, Arena *arena) {
    size_t length = strcspn(word, "=");
    for (uint32_t i = 0; i < FIELD_COUNT; i++) {
        if (strlen(fields[i].name) != length || strncmp(word, fields[i].name, length) != 0) continue;
        if (fields[i].max == 1) {
            values[i] = 1;
            return word[length] ? arena_printf(arena, "`%s` takes no value", fields[i].name) : NULL;
        }
        char *end = NULL;
        const char *number = word[length] ? word + length + 1 : "";
        errno = 0;
        values[i] = strtoll(number, &end, 10);
        if (end == number || *end || errno || values[i] < 0 || values[i] > fields[i].max)
            return arena_printf(arena, "`%s` is a number from 0 to %" PRId64, fields[i].name, fields[i].max);
        return NULL;
    }
    return arena_printf(arena, "there is no `%.*s` in a schedule", (int)length, word);
}

const char *contract_schedule_parse(const char *text, size_t length, ContractSchedule *out, Arena *arena) {
    int64_t values[FIELD_COUNT] = {0};
    const char *end = text + length, *error = NULL;
    while (text < end && !error) {
        size_t word = 0;
        while (text < end && (*text == ' ' || *text == '\t')) text++;
        while (text + word < end && text[word] != ' ' && text[word] != '\t') word++;
        if (word) error = read_word(arena_strndup(arena, text, word), values, arena);
        text += word;
    }
    *out = schedule_of(values);
    return error;
}
