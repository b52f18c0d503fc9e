/* Reading safetensors headers: a strict reader of just the JSON that the format allows, so nothing nests
 * deeper than that, and the checks that make the offsets safe to use. */
#include "rt.h"
#include "rt_safetensors.h"
#include <stdlib.h>
#include <string.h>

static const rt_st_row types[] = {
    {"F64", 8, NN_F64}, {"F32", 4, NN_F32}, {"F16", 2, NN_F16}, {"BF16", 2, NN_BF16}, {"I64", 8, NN_I64},
    {"I32", 4, NN_I32}, {"I16", 2, NN_I16}, {"I8", 1, NN_I8},   {"U8", 1, NN_U8},     {"BOOL", 1, NN_BOOL},
    {"U64", 8, -1},     {"U32", 4, -1},     {"U16", 2, -1},     {"F8_E4M3", 1, -1},   {"F8_E5M2", 1, -1},
};
enum { TYPES = sizeof types / sizeof *types };

const rt_st_row *rt_st_type(uint8_t type) { return &types[type]; }

const char *rt_st_dtype_name(int32_t dtype) {
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].dtype == dtype) return types[i].name;
    return NULL;
}

/* What files of other formats begin with. */
static const struct {
    const char *bytes, *what;
} others[] = {
    {"PK\3\4",
     "a zip archive, as PyTorch's files are: write the state dict by `safetensors.torch.save_file`"},
    {"\x80\2", "a pickle, as PyTorch's files were: write the state dict by `safetensors.torch.save_file`"},
    {"\x93NUMPY", "an array of NumPy's: write it by `safetensors.numpy.save_file`"},
    {"\x89HDF", "an HDF5 file: write its arrays by `safetensors.numpy.save_file`"},
    {"GGUF", "a GGUF file"},
    {"\x1f\x8b", "gzip data: unpack it first"},
};

/* A number that no header has as its length may be text that says what the file is. */
static void add_other_format(const uint8_t prefix[RT_ST_PREFIX], uint64_t header, rt_text *error) {
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (memcmp(prefix, others[i].bytes, strlen(others[i].bytes)) == 0) {
            rt_text_addf(error, "it is %s", others[i].what);
            return;
        }
    rt_text_addf(error, "a header of %llu bytes is more than the format allows", (unsigned long long)header);
}

bool rt_st_prefix(const uint8_t prefix[RT_ST_PREFIX], uint64_t file_bytes, uint64_t *header, rt_text *error) {
    *header = 0;
    for (int i = 0; i < RT_ST_PREFIX; i++) *header |= (uint64_t)prefix[i] << 8 * i;
    if (*header >= 2 && *header <= RT_ST_HEADER_LIMIT && *header <= file_bytes - RT_ST_PREFIX) return true;
    if (*header < 2)
        rt_text_addf(error, "is no safetensors file: its header has %llu bytes", (unsigned long long)*header);
    else if (*header > RT_ST_HEADER_LIMIT)
        rt_text_adds(error, "is no safetensors file: "), add_other_format(prefix, *header, error);
    else
        rt_text_addf(error, "is cut off: its header has %llu bytes, but only %llu follow",
                     (unsigned long long)*header, (unsigned long long)(file_bytes - RT_ST_PREFIX));
    return false;
}

/* --- JSON */
typedef struct {
    char *begin, *at, *end;
    rt_text *error;
} Reader;

static bool expected(Reader *reader, const char *what) {
    rt_text_addf(reader->error, "has a damaged header: %s was expected at byte %zu, found ", what,
                 (size_t)(reader->at - reader->begin));
    uint32_t code;
    size_t left = (size_t)(reader->end - reader->at), length = rt_utf8(reader->at, left, &code);
    if (left == 0)
        rt_text_adds(reader->error, "its end");
    else
        rt_text_quote(reader->error, reader->at, length ? length : 1);
    return false;
}

static void skip_space(Reader *reader) {
    while (reader->at < reader->end && memchr(" \t\n\r", *reader->at, 4)) reader->at++;
}

/* Takes `c` if it is next. */
static bool take(Reader *reader, char c) {
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != c) return false;
    reader->at++;
    return true;
}

static bool need(Reader *reader, char c, const char *what) {
    return take(reader, c) || expected(reader, what);
}

static bool read_hex(Reader *reader, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        char c = reader->at < reader->end ? *reader->at : 0;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return expected(reader, "a hexadecimal digit");
        *code = *code << 4 | (uint32_t)digit;
    }
    return true;
}

static char *put_utf8(char *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *out++ = (char)((more == 1 ? 0xc0u : more == 2 ? 0xe0u : 0xf0u) | code >> 6 * more);
    while (more-- > 0) *out++ = (char)(0x80 | (code >> 6 * more & 0x3f));
    return out;
}

/* After `\u`. */
static bool read_unicode(Reader *reader, char **out) {
    uint32_t code, low;
    if (!read_hex(reader, &code)) return false;
    if (code >= 0xd800 && code < 0xe000) {
        bool pair =
            code < 0xdc00 && reader->end - reader->at >= 2 && reader->at[0] == '\\' && reader->at[1] == 'u';
        if (!pair) return expected(reader, "the other half of a surrogate pair");
        reader->at += 2;
        if (!read_hex(reader, &low)) return false;
        if (low < 0xdc00 || low >= 0xe000) return expected(reader, "the other half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *out = put_utf8(*out, code);
    return true;
}

/* The letters of short escapes and what each means. */
static const char escape_letters[] = "\"\\/bfnrt", escape_meanings[] = "\"\\/\b\f\n\r\t";

static bool read_escape(Reader *reader, char **out) {
    if (reader->at == reader->end) return expected(reader, "an escape");
    if (*reader->at == 'u') {
        reader->at++;
        return read_unicode(reader, out);
    }
    const char *found = *reader->at ? strchr(escape_letters, *reader->at) : NULL;
    if (!found) return expected(reader, "an escape");
    *(*out)++ = escape_meanings[found - escape_letters];
    reader->at++;
    return true;
}

/* A string, unescaped where it lies: that never makes it longer. */
static bool read_string(Reader *reader, const char **string, size_t *length) {
    if (!need(reader, '"', "a string")) return false;
    char *out = reader->at;
    *string = out;
    for (;;) {
        if (reader->at == reader->end) return expected(reader, "`\"`");
        char c = *reader->at;
        if ((unsigned char)c < 0x20) return expected(reader, "an escape for a control character");
        if (c == '"') break;
        reader->at++;
        if (c != '\\')
            *out++ = c;
        else if (!read_escape(reader, &out))
            return false;
    }
    reader->at++;
    *length = (size_t)(out - *string);
    return true;
}

/* A whole number from 0 to 2^63 - 1, as JSON writes it. */
static bool read_number(Reader *reader, uint64_t *number) {
    skip_space(reader);
    char *start = reader->at;
    *number = 0;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        uint64_t digit = (uint64_t)(*reader->at - '0');
        if (*number > (INT64_MAX - digit) / 10) return expected(reader, "a number below 2^63");
        *number = *number * 10 + digit;
    }
    size_t digits = (size_t)(reader->at - start);
    if (digits > 1 && *start == '0') reader->at = start;
    if (digits == 0 || reader->at == start) return expected(reader, "a whole number, not negative");
    if (reader->at < reader->end && memchr(".eE", *reader->at, 3)) return expected(reader, "a whole number");
    return true;
}

static bool is(const char *string, size_t length, const char *word) {
    return length == strlen(word) && memcmp(string, word, length) == 0;
}

/* --- the grammar of the header */
static bool read_metadata(Reader *reader, rt_st_index *index) {
    size_t capacity = 0;
    if (!need(reader, '{', "`{`")) return false;
    if (take(reader, '}')) return true;
    do {
        rt_st_note note;
        if (!read_string(reader, &note.key, &note.key_length) || !need(reader, ':', "`:`") ||
            !read_string(reader, &note.value, &note.value_length))
            return false;
        if (index->note_count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            index->notes = rt_resize(index->notes, capacity * sizeof *index->notes);
        }
        index->notes[index->note_count++] = note;
    } while (take(reader, ','));
    return need(reader, '}', "`,` or `}`");
}

/* An error about the tensor being read. */
static bool wrong(Reader *reader, const rt_st_entry *entry, const char *format, uint64_t a, uint64_t b) {
    rt_text_adds(reader->error, "is damaged: tensor ");
    rt_text_quote(reader->error, entry->name, entry->name_length);
    rt_text_adds(reader->error, " ");
    char message[256];
    snprintf(message, sizeof message, format, (unsigned long long)a, (unsigned long long)b);
    rt_text_adds(reader->error, message);
    return false;
}

static bool read_dtype(Reader *reader, rt_st_entry *entry) {
    const char *name;
    size_t length;
    if (!read_string(reader, &name, &length)) return false;
    for (uint8_t i = 0; i < TYPES; i++) {
        if (!is(name, length, types[i].name)) continue;
        entry->type = i;
        return true;
    }
    rt_text_adds(reader->error, "is damaged: tensor ");
    rt_text_quote(reader->error, entry->name, entry->name_length);
    rt_text_adds(reader->error, " has the unknown dtype ");
    rt_text_quote(reader->error, name, length);
    return false;
}

static bool read_shape(Reader *reader, rt_st_entry *entry, uint64_t *elements, bool *overflow) {
    if (!need(reader, '[', "`[`")) return false;
    entry->shape = reader->at;
    entry->rank = 0;
    *elements = 1;
    *overflow = false;
    bool empty = false;
    if (take(reader, ']')) return true;
    do {
        uint64_t dim;
        if (!read_number(reader, &dim)) return false;
        if (++entry->rank > RT_ST_RANK_LIMIT)
            return wrong(reader, entry, "has more than %llu dimensions", RT_ST_RANK_LIMIT, 0);
        empty |= dim == 0;
        *overflow |= __builtin_mul_overflow(*elements, dim ? dim : 1, elements) || *elements > INT64_MAX / 8;
    } while (take(reader, ','));
    if (empty) *elements = 0;
    return need(reader, ']', "`,` or `]`");
}

static bool read_offsets(Reader *reader, rt_st_entry *entry) {
    return need(reader, '[', "`[`") && read_number(reader, &entry->begin) && need(reader, ',', "`,`") &&
           read_number(reader, &entry->end) && need(reader, ']', "`]`");
}

enum { KEY_DTYPE = 1, KEY_SHAPE = 2, KEY_OFFSETS = 4, KEY_ALL = 7 };

static unsigned key_of(const char *key, size_t length) {
    return is(key, length, "dtype")          ? KEY_DTYPE
           : is(key, length, "shape")        ? KEY_SHAPE
           : is(key, length, "data_offsets") ? KEY_OFFSETS
                                             : 0;
}

static bool check_entry(Reader *reader, const rt_st_entry *entry, uint64_t elements, bool overflow,
                        uint64_t data) {
    if (overflow) return wrong(reader, entry, "has a shape of more than 2^60 elements", 0, 0);
    if (entry->begin > entry->end)
        return wrong(reader, entry, "begins at byte %llu, after its end at %llu", entry->begin, entry->end);
    if (entry->end > data)
        return wrong(reader, entry, "ends at byte %llu, but the file has only %llu bytes of data", entry->end,
                     data);
    uint64_t bytes = elements * types[entry->type].bytes;
    if (entry->end - entry->begin != bytes)
        return wrong(reader, entry, "needs %llu bytes for its shape, but has %llu", bytes,
                     entry->end - entry->begin);
    return true;
}

/* What follows the name. */
static bool read_entry(Reader *reader, rt_st_entry *entry, uint64_t data) {
    unsigned seen = 0;
    uint64_t elements = 0;
    bool overflow = false;
    if (!need(reader, '{', "`{`")) return false;
    do {
        const char *key;
        size_t length;
        if (!read_string(reader, &key, &length)) return false;
        unsigned which = key_of(key, length);
        if (!which || (seen & which)) {
            rt_text_adds(reader->error, "has a damaged header: tensor ");
            rt_text_quote(reader->error, entry->name, entry->name_length);
            rt_text_adds(reader->error, which ? " repeats the key " : " has the unknown key ");
            rt_text_quote(reader->error, key, length);
            return false;
        }
        seen |= which;
        if (!need(reader, ':', "`:`")) return false;
        bool good = which == KEY_DTYPE   ? read_dtype(reader, entry)
                    : which == KEY_SHAPE ? read_shape(reader, entry, &elements, &overflow)
                                         : read_offsets(reader, entry);
        if (!good) return false;
    } while (take(reader, ','));
    if (!need(reader, '}', "`,` or `}`")) return false;
    if (seen != KEY_ALL) return wrong(reader, entry, "lacks its dtype, shape or data_offsets", 0, 0);
    return check_entry(reader, entry, elements, overflow, data);
}

static rt_st_entry *add_entry(rt_st_index *index, size_t *capacity) {
    if (index->count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 16;
        index->entries = rt_resize(index->entries, *capacity * sizeof *index->entries);
    }
    return &index->entries[index->count++];
}

static bool read_member(Reader *reader, rt_st_index *index, size_t *capacity, bool *metadata, uint64_t data) {
    rt_st_entry entry = {0};
    if (!read_string(reader, &entry.name, &entry.name_length) || !need(reader, ':', "`:`")) return false;
    if (!is(entry.name, entry.name_length, "__metadata__")) {
        *add_entry(index, capacity) = entry;
        return read_entry(reader, &index->entries[index->count - 1], data);
    }
    if (*metadata) {
        rt_text_adds(reader->error, "has a damaged header: `__metadata__` is there twice");
        return false;
    }
    *metadata = true;
    return read_metadata(reader, index);
}

static bool read_header(Reader *reader, rt_st_index *index, uint64_t data) {
    size_t capacity = 0;
    bool metadata = false;
    if (!need(reader, '{', "`{`")) return false;
    if (!take(reader, '}')) {
        do {
            if (!read_member(reader, index, &capacity, &metadata, data)) return false;
        } while (take(reader, ','));
        if (!need(reader, '}', "`,` or `}`")) return false;
    }
    skip_space(reader);
    return reader->at == reader->end || expected(reader, "its end");
}

/* --- what holds between tensors */
static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length) {
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_name(const void *a, const void *b) {
    const rt_st_entry *x = a, *y = b;
    return compare_bytes(x->name, x->name_length, y->name, y->name_length);
}

static int by_place(const void *a, const void *b) {
    const rt_st_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static bool check_places(Reader *reader, const rt_st_index *index, uint64_t data) {
    uint64_t covered = 0;
    for (size_t i = 0; i < index->count; i++) {
        const rt_st_entry *entry = &index->entries[i];
        if (entry->begin < covered)
            return wrong(reader, entry, "begins at byte %llu, inside another tensor that ends at %llu",
                         entry->begin, covered);
        if (entry->begin > covered)
            return wrong(reader, entry, "begins at byte %llu, but nothing is said of the bytes from %llu on",
                         entry->begin, covered);
        covered = entry->end;
    }
    if (covered == data) return true;
    rt_text_addf(reader->error, "is damaged: %llu byte%s its last tensor",
                 (unsigned long long)(data - covered), data - covered == 1 ? " follows" : "s follow");
    return false;
}

static bool check_names(Reader *reader, const rt_st_index *index) {
    for (size_t i = 1; i < index->count; i++) {
        if (by_name(&index->entries[i - 1], &index->entries[i]) != 0) continue;
        return wrong(reader, &index->entries[i], "is there twice", 0, 0);
    }
    return true;
}

static void sort(rt_st_index *index, int (*compare)(const void *, const void *)) {
    if (index->count) qsort(index->entries, index->count, sizeof *index->entries, compare);
}

static bool check_utf8(const char *text, size_t length, rt_text *error) {
    for (size_t i = 0; i < length;) {
        uint32_t code;
        size_t step = rt_utf8(text + i, length - i, &code);
        if (step == 0) {
            rt_text_addf(error, "has a damaged header: byte %zu is not UTF-8", i);
            return false;
        }
        i += step;
    }
    return true;
}

bool rt_st_parse(char *header, size_t length, uint64_t data_bytes, rt_st_index *index, rt_text *error) {
    Reader reader = {header, header, header + length, error};
    *index = (rt_st_index){0};
    bool good = check_utf8(header, length, error) && read_header(&reader, index, data_bytes);
    if (good) {
        sort(index, by_place);
        good = check_places(&reader, index, data_bytes);
    }
    if (good) {
        sort(index, by_name);
        good = check_names(&reader, index);
    }
    if (!good) rt_st_free(index);
    return good;
}

void rt_st_free(rt_st_index *index) {
    free(index->entries);
    free(index->notes);
    *index = (rt_st_index){0};
}

const rt_st_entry *rt_st_find(const rt_st_index *index, const char *name) {
    rt_st_entry key = {.name = name, .name_length = strlen(name)};
    return index->count ? bsearch(&key, index->entries, index->count, sizeof key, by_name) : NULL;
}

const rt_st_note *rt_st_find_note(const rt_st_index *index, const char *key) {
    for (size_t i = 0; i < index->note_count; i++)
        if (is(index->notes[i].key, index->notes[i].key_length, key)) return &index->notes[i];
    return NULL;
}

void rt_st_shape(const rt_st_entry *entry, int64_t *dims) {
    const char *at = entry->shape;
    for (int32_t i = 0; i < entry->rank; i++) {
        while (*at < '0' || *at > '9') at++;
        dims[i] = 0;
        for (; *at >= '0' && *at <= '9'; at++) dims[i] = dims[i] * 10 + (*at - '0');
    }
}
