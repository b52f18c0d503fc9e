/* Products as keys, and keys as text. */
#include "codegen/contract_key.h"
#include "codegen/contract_cost.h"
#include "codegen/contract_size.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- from a contract */
static int64_t known(Size size) { return size.known ? size.constant : KEY_UNKNOWN; }

static void add_axes(ContractKey *key, char role, const ContractAxis *axis, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!size_is(axis[i].extent, 1) && key->count < KEY_MAX_AXES)
            key->axis[key->count++] =
                (KeyAxis){role, known(axis[i].extent), known(axis[i].a), known(axis[i].b)};
}

void contract_key(const Contract *c, ContractKey *out) {
    out->dtype = c->dtype;
    out->count = 0;
    out->edges = c->edge_count > 0;
    add_axes(out, 'b', c->batch, c->batch_count);
    add_axes(out, 'm', c->m, c->m_count);
    add_axes(out, 'n', c->n, c->n_count);
    add_axes(out, 'k', c->k, c->k_count);
}

double contract_key_work(const ContractKey *key) {
    double work = 1;
    for (uint32_t i = 0; i < key->count; i++)
        work *= (double)cost_assumed(key->axis[i].extent == KEY_UNKNOWN ? -1 : key->axis[i].extent);
    return work;
}

/* --- to text */
static const char *number_text(int64_t number, Arena *arena) {
    return number == KEY_UNKNOWN ? "?" : arena_printf(arena, "%" PRId64, number);
}

const char *contract_key_text(const ContractKey *key, Arena *arena) {
    const char *text = dtype_name(key->dtype);
    for (uint32_t i = 0; i < key->count; i++) {
        const KeyAxis *axis = &key->axis[i];
        text = arena_printf(arena, "%s %c%s:%s:%s", text, axis->role, number_text(axis->extent, arena),
                            number_text(axis->a, arena), number_text(axis->b, arena));
    }
    return key->edges ? arena_printf(arena, "%s padded", text) : text;
}

/* --- from text */
/* A number or `?` at *at, then `after`; advances. */
static bool read_number(const char **at, char after, int64_t *out) {
    if (**at == '?') {
        *out = KEY_UNKNOWN;
        ++*at;
    } else {
        char *end;
        if (**at != '-' && (**at < '0' || **at > '9')) return false;
        errno = 0;
        *out = strtoll(*at, &end, 10);
        if (end == *at || errno || *out == KEY_UNKNOWN) return false;
        *at = end;
    }
    if (**at != after) return false;
    if (after) ++*at;
    return true;
}

static bool read_axis(const char *word, KeyAxis *out) {
    out->role = *word;
    if (!*word || !strchr("bmnk", *word)) return false;
    word++;
    return read_number(&word, ':', &out->extent) && (out->extent >= 0 || out->extent == KEY_UNKNOWN) &&
           read_number(&word, ':', &out->a) && read_number(&word, '\0', &out->b);
}

bool contract_key_parse(const char *text, size_t length, ContractKey *out) {
    enum { LONGEST = 96 }; /* of a word: a role and three numbers */
    char word[LONGEST + 1];
    const char *end = text + length;
    out->count = 0;
    out->edges = false; /* those are never measured */
    for (bool first = true; text < end; first = false) {
        size_t n = 0;
        while (text < end && *text != ' ' && n < LONGEST) word[n++] = *text++;
        if (text < end && *text != ' ') return false;
        while (text < end && *text == ' ') text++;
        word[n] = '\0';
        if (first ? !dtype_from_name(word, n, &out->dtype)
                  : out->count == KEY_MAX_AXES || !read_axis(word, &out->axis[out->count++]))
            return false;
        if (first && text == end) break;
    }
    return length > 0;
}
