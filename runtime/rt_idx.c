/* Reading IDX, raw or gzipped, without trust in what the file says about itself. */
#include "rt_idx.h"
#include "rt_data.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MAX_RANK = 255, /* the format has a byte for it */
    HEADER_LIMIT = 4 + 4 * MAX_RANK,
    GZIP_RATIO = 1032 /* deflate cannot make more bytes of one: 258 bytes from 2 bits */
};

/* --- the bytes of the file, as they are or inflated */
typedef struct {
    const uint8_t *bytes; /* raw: of the file's beginning; gzip: of all; what zlib hasn't been given yet */
    size_t left;
    size_t file_size;
    bool gzip, ended;
    z_stream stream;
    rt_text *error;
} Source;

static bool is_gzip(const uint8_t *bytes, size_t size) {
    return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static bool complain(rt_text *error, const char *message) {
    rt_text_adds(error, message);
    return false;
}

static bool source_open(Source *source, rt_source *file, rt_text *error) {
    bool gzip = is_gzip(file->bytes, file->held);
    if (gzip && !rt_source_hold_all(file, error)) return false;
    *source = (Source){.bytes = file->bytes,
                       .left = file->held,
                       .file_size = (size_t)file->size,
                       .gzip = gzip,
                       .error = error};
    if (source->gzip && inflateInit2(&source->stream, 15 + 16) != Z_OK) rt_out_of_memory(1 << 15);
    return true;
}

static void source_close(Source *source) {
    if (source->gzip) inflateEnd(&source->stream);
}

static void refill(Source *source) {
    if (source->stream.avail_in > 0) return;
    size_t part = source->left < UINT_MAX ? source->left : UINT_MAX;
    source->stream.next_in =
        (Bytef *)(uintptr_t)source->bytes; /* zlib's interface lacks a const; it only reads */
    source->stream.avail_in = (uInt)part;
    source->bytes += part;
    source->left -= part;
}

/* After the end of a gzip member another may follow; anything else is damage. */
static bool next_member(Source *source) {
    refill(source);
    if (source->stream.avail_in == 0) {
        source->ended = true;
        return true;
    }
    if (source->stream.next_in[0] != 0x1f)
        return complain(source->error, "has bytes after the end of its gzip data");
    return inflateReset(&source->stream) == Z_OK;
}

/* Up to `wanted` bytes into `out`; fewer only at the end. False after an error. */
static bool inflate_bytes(Source *source, uint8_t *out, size_t wanted, size_t *got) {
    *got = 0;
    z_stream *stream = &source->stream;
    while (*got < wanted && !source->ended) {
        refill(source);
        uInt part = wanted - *got < UINT_MAX ? (uInt)(wanted - *got) : UINT_MAX;
        stream->next_out = out + *got;
        stream->avail_out = part;
        int status = inflate(stream, Z_NO_FLUSH);
        *got += part - stream->avail_out;
        if (status == Z_STREAM_END) {
            if (!next_member(source)) return false;
        } else if (status == Z_BUF_ERROR ||
                   (status == Z_OK && stream->avail_in == 0 && source->left == 0 && stream->avail_out > 0)) {
            return complain(source->error, "is cut off: its gzip data has no end");
        } else if (status != Z_OK) {
            rt_text_addf(source->error, "is damaged: its gzip data is corrupt (%s)",
                         stream->msg ? stream->msg : "unexpected contents");
            return false;
        }
    }
    return true;
}

static bool source_read(Source *source, uint8_t *out, size_t wanted, size_t *got) {
    if (source->gzip) return inflate_bytes(source, out, wanted, got);
    *got = wanted < source->left ? wanted : source->left;
    memcpy(out, source->bytes, *got);
    source->bytes += *got;
    source->left -= *got;
    return true;
}

/* --- the header */
typedef struct {
    int32_t dtype, rank;
    int64_t dims[MAX_RANK];
    size_t length; /* bytes of the header */
} Header;

static const struct {
    uint8_t code;
    int32_t dtype;
} codes[] = {{0x08, NN_U8}, {0x09, NN_I8}, {0x0b, NN_I16}, {0x0c, NN_I32}, {0x0d, NN_F32}, {0x0e, NN_F64}};

static int32_t dtype_of_code(uint8_t code) {
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code) return codes[i].dtype;
    return -1;
}

static const struct {
    const char *magic, *hint;
} others[] = {{"PK\x03\x04", " (a zip archive: unpack it first)"},
              {"\xfd"
               "7zX",
               " (xz data: unpack it first)"},
              {"\x28\xb5\x2f\xfd", " (zstd data: unpack it first)"},
              {"BZh", " (bzip2 data: unpack it first)"},
              {"\x93NUM", " (a NumPy file)"},
              {"\x1f\x8b", " (gzip data inside gzip data: unpack it once)"},
              {"<", " (a web page: the download failed)"}};

/* What a file that is no IDX may be instead. */
static const char *other_format(const uint8_t *magic) {
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (memcmp(magic, others[i].magic, strlen(others[i].magic)) == 0) return others[i].hint;
    return "";
}

static bool read_exactly(Source *source, uint8_t *out, size_t count) {
    size_t got;
    if (!source_read(source, out, count, &got)) return false;
    return got == count || complain(source->error, "is too short for the header of an IDX file");
}

static bool read_magic(Source *source, Header *header) {
    uint8_t magic[4];
    if (!read_exactly(source, magic, 4)) return false;
    if (magic[0] || magic[1]) {
        rt_text_addf(source->error, "is no IDX file: it starts with the bytes %02x %02x %02x %02x%s",
                     magic[0], magic[1], magic[2], magic[3], other_format(magic));
        return false;
    }
    header->dtype = dtype_of_code(magic[2]);
    header->rank = magic[3];
    if (header->dtype < 0) {
        rt_text_addf(source->error, "is no IDX file: there is no element type 0x%02x", magic[2]);
        return false;
    }
    return header->rank > 0 || complain(source->error, "holds no samples: its rank is 0");
}

static bool read_header(Source *source, Header *header) {
    uint8_t dims[HEADER_LIMIT];
    if (!read_magic(source, header)) return false;
    if (!read_exactly(source, dims, 4 * (size_t)header->rank)) return false;
    for (int32_t i = 0; i < header->rank; i++) {
        const uint8_t *d = dims + 4 * i;
        header->dims[i] = (int64_t)((uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3]);
    }
    header->length = 4 + 4 * (size_t)header->rank;
    return true;
}

static bool check_type(const Header *header, const nn_tensor *sample, rt_text *error) {
    bool same = header->dtype == sample->dtype && header->rank == sample->rank + 1;
    for (int32_t i = 0; same && i < sample->rank; i++) same = header->dims[i + 1] == sample->dims[i];
    if (same) return true;
    rt_text_adds(error, "holds samples of type ");
    int32_t shown = header->rank > 9 ? 8 : header->rank - 1;
    rt_text_type(error, header->dtype, shown, header->dims + 1);
    if (shown < header->rank - 1) rt_text_addf(error, " and %d more dimensions", header->rank - 1 - shown);
    rt_text_adds(error, ", the program declares ");
    rt_text_type(error, sample->dtype, sample->rank, sample->dims);
    return false;
}

/* Bytes of all samples; false where their number overflows. */
static bool payload_bytes(const Header *header, size_t *bytes) {
    *bytes = rt_dtype_bytes(header->dtype);
    for (int32_t i = 0; i < header->rank; i++)
        if (__builtin_mul_overflow(*bytes, (size_t)header->dims[i], bytes)) return false;
    return *bytes <= PTRDIFF_MAX;
}

/* --- the samples */
static bool is_little_endian(void) {
    uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* How many bytes of samples there are against what the header declares. */
static bool check_length(const Source *source, size_t declared, size_t found, bool more) {
    if (found == declared && !more) return true;
    rt_text_addf(source->error, "is too %s: its header declares %zu bytes of samples, it holds ",
                 more ? "long" : "short", declared);
    if (more)
        rt_text_adds(source->error, "more");
    else
        rt_text_addf(source->error, "%zu", found);
    return false;
}

/* Reads what the header declares, and nothing may follow. */
static bool inflate_samples(Source *source, uint8_t *samples, size_t declared) {
    size_t got, beyond = 0;
    uint8_t extra;
    if (!inflate_bytes(source, samples, declared, &got)) return false;
    if (got == declared && !inflate_bytes(source, &extra, 1, &beyond)) return false;
    return check_length(source, declared, got, beyond > 0);
}

static bool check_raw_length(const Source *source, size_t length, size_t declared) {
    size_t found = source->file_size - length;
    return check_length(source, declared, found < declared ? found : declared, found > declared);
}

/* Puts the samples that a gzipped file holds in the place of its bytes. */
static bool unpack(Source *source, rt_source *file, size_t declared) {
    uint8_t *samples = rt_allocate_aligned(declared);
    if (!inflate_samples(source, samples, declared)) {
        free(samples);
        return false;
    }
    free(file->bytes);
    file->bytes = samples;
    file->held = declared;
    file->size = (int64_t)declared;
    return true;
}

static bool parse(Source *source, rt_source *file, const nn_tensor *sample, rt_array *array) {
    Header header;
    size_t declared, size = source->file_size;
    if (!read_header(source, &header) || !check_type(&header, sample, source->error)) return false;
    /* A raw file has its size; a gzipped one can hold so much and no more. */
    if (!payload_bytes(&header, &declared) ||
        declared / (source->gzip ? GZIP_RATIO : 1) > size + (source->gzip ? 64 : 0)) {
        rt_text_addf(source->error,
                     "is too short: its header declares %lld samples, more than its %zu bytes can hold",
                     (long long)header.dims[0], size);
        return false;
    }
    *array = (rt_array){.count = header.dims[0],
                        .offset = source->gzip ? 0 : (int64_t)header.length,
                        .stored = header.dtype,
                        .swapped = is_little_endian()};
    return source->gzip ? unpack(source, file, declared) : check_raw_length(source, header.length, declared);
}

bool rt_idx_parse(rt_source *file, const nn_tensor *sample, rt_array *array, rt_text *error) {
    Source source;
    if (!source_open(&source, file, error)) return false;
    bool good = parse(&source, file, sample, array);
    source_close(&source);
    return good;
}

const nn_reader nn_reader_idx = {
    .name = "idx",
    .open = rt_open_files,
    .parse = rt_idx_parse,
    .suffix = ".gz",
    .help = "give the folder or file that holds the data; `PATH.gz` is found too",
};
