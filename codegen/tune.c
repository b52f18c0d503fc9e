/* Reads tune files, and finds schedules in them. */
#include "codegen/tune.h"
#include "codegen/contract_key.h"
#include "codegen/tune_table.h"
#include <string.h>

const char *tune_cpu(const char *cpu, const Target *target, Arena *arena) {
    return arena_printf(arena, "%s/%u", *cpu ? cpu : "generic", 8 * target->vector_bytes);
}

const ContractSchedule *tune_find(const TuneTable *table, const char *cpu, const char *product) {
    for (uint32_t i = 0; table && i < table->lines.count; i++) {
        const TuneLine *line = &table->lines.at[i];
        if (strcmp(line->product, product) == 0 && strcmp(line->cpu, cpu) == 0) return &line->schedule;
    }
    return NULL;
}

/* --- reading */
typedef struct {
    const Source *source;
    uint32_t number; /* of the source */
    Diagnostics *diags;
    Arena *arena;
    TuneTable *table;
} Reader;

static void complain(const Reader *r, const char *at, size_t length, const char *what) {
    uint32_t start = (uint32_t)(at - r->source->text);
    diag_report(r->diags, D_TUNE_LINE, (Span){r->number, start, start + (uint32_t)length}, what);
}

/* A line without comment and blanks around it. */
static void read_line(const Reader *r, const char *text, size_t length) {
    size_t word = 0;
    while (word < length && text[word] != ' ') word++;
    size_t product = word, equals;
    while (product < length && text[product] == ' ') product++;
    for (equals = product; equals + 2 < length; equals++)
        if (memcmp(text + equals, " = ", 3) == 0) break;
    ContractKey key;
    TuneLine line = {.cpu = arena_strndup(r->arena, text, word),
                     .text = arena_strndup(r->arena, text, length)};
    if (equals + 2 >= length) {
        complain(r, text, length, "a line is `CPU PRODUCT = SCHEDULE`");
        return;
    }
    if (!contract_key_parse(text + product, equals - product, &key)) {
        complain(r, text + product, equals - product,
                 "a product is an element type and axes such as `m64:784:0`");
        return;
    }
    line.product = contract_key_text(&key, r->arena);
    const char *schedule = text + equals + 3;
    const char *error =
        contract_schedule_parse(schedule, (size_t)(text + length - schedule), &line.schedule, r->arena);
    if (error)
        complain(r, schedule, (size_t)(text + length - schedule), error);
    else
        vec_push(r->arena, &r->table->lines, line);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

TuneTable *tune_read(const Sources *sources, uint32_t number, Diagnostics *diags, Arena *arena) {
    Reader r = {.source = sources_get(sources, number),
                .number = number,
                .diags = diags,
                .arena = arena,
                .table = ARENA_NEW(arena, TuneTable)};
    const char *text = r.source->text, *end = text + r.source->length;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline ? newline + 1 : end, *last = newline ? newline : end;
        const char *comment = memchr(text, '#', (size_t)(last - text));
        if (comment) last = comment;
        while (text < last && is_blank(*text)) text++;
        while (text < last && is_blank(last[-1])) last--;
        if (text < last) read_line(&r, text, (size_t)(last - text));
        text = next;
    }
    return r.table;
}
