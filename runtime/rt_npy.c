/* Reading the header of a .npy file without trust in it. */
#include "rt_npy.h"
#include "rt_data.h"
#include <string.h>

enum { RANK_LIMIT = 32, HEADER_LIMIT = 100000, FIXED_BYTES = 12 };

typedef struct {
    const char *at, *end; /* what is left of the header's text */
    const char *type;     /* of an element, as written: "<f4" */
    size_t type_length;
    int32_t stored, rank;
    bool swapped, fortran;
    bool has_type, has_order, has_shape;
    int64_t dims[RANK_LIMIT];
    rt_text *error;
} Header;

static bool complain(rt_text *error, const char *message) {
    rt_text_adds(error, message);
    return false;
}

/* --- the dictionary's text */
static void skip_blanks(Header *h) {
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t')) h->at++;
}

static bool accept(Header *h, char c) {
    skip_blanks(h);
    if (h->at == h->end || *h->at != c) return false;
    h->at++;
    return true;
}

static bool unreadable(Header *h) {
    rt_text_adds(h->error, "is damaged: the header of a .npy file can't go on with ");
    size_t left = (size_t)(h->end - h->at);
    if (left == 0) return complain(h->error, "nothing");
    rt_text_quote(h->error, h->at, left < 20 ? left : 20);
    return false;
}

static bool expect(Header *h, char c) { return accept(h, c) || unreadable(h); }

/* A Python string without escapes: its text in place. */
static bool read_string(Header *h, const char **text, size_t *length) {
    skip_blanks(h);
    char quote = h->at < h->end ? *h->at : 0;
    if (quote != '\'' && quote != '"') return unreadable(h);
    const char *begin = h->at + 1;
    const char *close = memchr(begin, quote, (size_t)(h->end - begin));
    if (!close) return unreadable(h);
    *text = begin;
    *length = (size_t)(close - begin);
    h->at = close + 1;
    return true;
}

static bool accept_word(Header *h, const char *word) {
    size_t length = strlen(word);
    skip_blanks(h);
    if ((size_t)(h->end - h->at) < length || memcmp(h->at, word, length) != 0) return false;
    h->at += length;
    return true;
}

static bool read_order(Header *h) {
    h->has_order = true;
    if (accept_word(h, "False")) return true;
    h->fortran = accept_word(h, "True");
    return h->fortran || unreadable(h);
}

static bool read_size(Header *h, int64_t *size) {
    skip_blanks(h);
    if (h->at < h->end && *h->at == '-')
        return complain(h->error, "is damaged: a size in its shape is negative");
    if (h->at == h->end || *h->at < '0' || *h->at > '9') return unreadable(h);
    for (*size = 0; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++)
        if (__builtin_mul_overflow(*size, 10, size) || __builtin_add_overflow(*size, *h->at - '0', size))
            return complain(h->error, "is damaged: a size in its shape is larger than any file");
    accept(h, 'L'); /* as Python 2 wrote long numbers */
    return true;
}

static bool read_shape(Header *h) {
    h->has_shape = true;
    h->rank = 0;
    if (!expect(h, '(')) return false;
    while (!accept(h, ')')) {
        if (h->rank == RANK_LIMIT) return complain(h->error, "has an array of more than 32 axes");
        if (!read_size(h, &h->dims[h->rank++])) return false;
        if (!accept(h, ',')) return expect(h, ')');
    }
    return true;
}

/* --- element types */
static const struct {
    char name[3];
    int32_t dtype;
} types[] = {{"f8", NN_F64}, {"f4", NN_F32}, {"f2", NN_F16}, {"i8", NN_I64}, {"i4", NN_I32},
             {"i2", NN_I16}, {"i1", NN_I8},  {"u1", NN_U8},  {"b1", NN_BOOL}};

/* What NumPy calls types that programs have none of. */
static const char *foreign(char kind) {
    switch (kind) {
    case 'O': return ", Python objects: only numbers and bools can be read";
    case 'S':
    case 'U': return ", texts: only numbers and bools can be read";
    case 'M':
    case 'm': return ", times: convert them to numbers first";
    case 'c': return ", complex numbers: save real and imaginary part";
    default: return ", which no type of .nn corresponds to: save `x.astype(…)`";
    }
}

static bool find_type(Header *h) {
    for (size_t i = 0; h->type_length == 3 && i < sizeof types / sizeof *types; i++) {
        if (memcmp(h->type + 1, types[i].name, 2) != 0 || !memchr("<>|=", h->type[0], 4)) continue;
        h->stored = types[i].dtype;
        bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
        h->swapped = h->type[0] == (little ? '>' : '<');
        return true;
    }
    rt_text_adds(h->error, "holds elements of NumPy's type ");
    rt_text_quote(h->error, h->type, h->type_length);
    rt_text_adds(h->error, foreign(h->type_length > 1 ? h->type[1] : 0));
    return false;
}

static bool read_type(Header *h) {
    skip_blanks(h);
    h->has_type = true;
    if (h->at < h->end && *h->at == '[')
        return complain(h->error, "holds records of several fields: save each field as an array of its own");
    return read_string(h, &h->type, &h->type_length) && find_type(h);
}

static bool read_entry(Header *h) {
    const char *key;
    size_t length;
    if (!read_string(h, &key, &length) || !expect(h, ':')) return false;
    if (length == 5 && memcmp(key, "descr", 5) == 0) return read_type(h);
    if (length == 13 && memcmp(key, "fortran_order", 13) == 0) return read_order(h);
    if (length == 5 && memcmp(key, "shape", 5) == 0) return read_shape(h);
    rt_text_adds(h->error, "is damaged: its header has the unknown entry ");
    rt_text_quote(h->error, key, length);
    return false;
}

static bool read_dictionary(Header *h) {
    if (!expect(h, '{')) return false;
    while (!accept(h, '}')) {
        if (!read_entry(h)) return false;
        if (!accept(h, ',') && !(h->at < h->end && *h->at == '}')) return unreadable(h);
    }
    skip_blanks(h);
    if (h->at < h->end) return unreadable(h);
    return (h->has_type && h->has_order && h->has_shape) ||
           complain(h->error, "is damaged: its header lacks `descr`, `fortran_order` or `shape`");
}

/* --- the fixed part */
static bool read_magic(const uint8_t *bytes, size_t held, rt_text *error) {
    if (held >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0) return true;
    rt_text_adds(error, "is no .npy file");
    if (held == 0) return complain(error, ": it is empty");
    if (held >= 4 && memcmp(bytes, "PK\3\4", 4) == 0)
        return complain(error,
                        ": it is a zip archive, perhaps an .npz: save each of its arrays with `np.save`");
    if (held >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0)
        return complain(error, ": it is gzip data: unpack it first");
    if (bytes[0] == 0x80) return complain(error, ": it is a Python pickle: save the array with `np.save`");
    rt_text_adds(error, ": it begins with ");
    rt_text_quote(error, (const char *)bytes, held < 6 ? held : 6);
    return false;
}

/* Where the header's text lies; false where it can't be. */
static bool find_header(const uint8_t *bytes, size_t held, int64_t size, Header *h) {
    if (!read_magic(bytes, held, h->error)) return false;
    if (held < FIXED_BYTES) return complain(h->error, "is too short for a .npy file");
    if (bytes[6] < 1 || bytes[6] > 3) {
        rt_text_addf(h->error, "is a .npy file of version %d.%d: versions 1 to 3 can be read", bytes[6],
                     bytes[7]);
        return false;
    }
    size_t prefix = bytes[6] == 1 ? 10 : FIXED_BYTES;
    uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
    if (bytes[6] > 1) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    if (length > (uint64_t)size - prefix || length > HEADER_LIMIT || prefix + length > held) {
        rt_text_addf(h->error, "is damaged: it says that its header has %llu bytes",
                     (unsigned long long)length);
        return false;
    }
    h->at = (const char *)bytes + prefix;
    h->end = h->at + length;
    return true;
}

/* --- against what is declared */
static bool is_convertible(int32_t stored, int32_t dtype) {
    return stored == dtype || (rt_dtype_is_float(stored) && rt_dtype_is_float(dtype));
}

static bool check_type(const Header *h, const nn_tensor *sample) {
    if (h->rank == 0)
        return complain(h->error, "holds one number: samples lie along the first axis of an array");
    bool same = is_convertible(h->stored, sample->dtype) && h->rank == sample->rank + 1;
    for (int32_t i = 0; same && i < sample->rank; i++) same = h->dims[i + 1] == sample->dims[i];
    if (!same) {
        rt_text_adds(h->error, "holds samples of type ");
        rt_text_type(h->error, h->stored, h->rank - 1, h->dims + 1);
        rt_text_adds(h->error, ", the program declares ");
        rt_text_type(h->error, sample->dtype, sample->rank, sample->dims);
        return false;
    }
    return !h->fortran || h->rank == 1 ||
           complain(h->error, "holds its array in Fortran order, samples not one after the other: save "
                              "`np.ascontiguousarray(x)`");
}

static bool check_length(const Header *h, int64_t found) {
    size_t declared = rt_dtype_bytes(h->stored);
    bool none = false, over = false;
    for (int32_t i = 0; i < h->rank; i++) none |= h->dims[i] == 0;
    for (int32_t i = 0; i < h->rank && !none; i++)
        over |= __builtin_mul_overflow(declared, (size_t)h->dims[i], &declared);
    if (none) declared = 0;
    if (!over && declared == (uint64_t)found) return true;
    rt_text_addf(h->error, "is too %s: its header declares ",
                 !over && declared < (uint64_t)found ? "long" : "short");
    if (over)
        rt_text_adds(h->error, "more elements than any file holds");
    else
        rt_text_addf(h->error, "%zu bytes of elements", declared);
    rt_text_addf(h->error, ", it holds %lld", (long long)found);
    return false;
}

bool rt_npy_parse(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error) {
    Header header = {.error = error};
    if (!find_header(source->bytes, source->held, source->size, &header)) return false;
    int64_t offset = header.end - (const char *)source->bytes;
    if (!read_dictionary(&header) || !check_type(&header, sample) ||
        !check_length(&header, source->size - offset))
        return false;
    *array = (rt_array){
        .count = header.dims[0], .offset = offset, .stored = header.stored, .swapped = header.swapped};
    return true;
}

const nn_reader nn_reader_npy = {.name = "npy", .open = rt_open_files, .parse = rt_npy_parse};
