/* How characters look on a terminal: width, and escapes for those that must not reach it. */
#include "support/render.h"
#include "support/utf8.h"
#include <string.h>

typedef struct {
    uint32_t first, last;
} Range;

/* Control characters, and those that are invisible or change the order of what follows. */
static const Range unsafe[] = {{0, 0x1f},        {0x7f, 0x9f},      {0xad, 0xad},     {0x61c, 0x61c},
                               {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f}, {0xfeff, 0xfeff},
                               {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
static const Range combining[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},    {0x610, 0x61a},
                                  {0x64b, 0x65f},   {0x900, 0x902},   {0x93c, 0x93c},    {0x941, 0x948},
                                  {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},    {0x1ab0, 0x1aff},
                                  {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0x302a, 0x302d},  {0x3099, 0x309a},
                                  {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
static const Range wide[] = {{0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},
                             {0x2648, 0x2653},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x2705, 0x2705},
                             {0x274c, 0x274c},   {0x2753, 0x2757},   {0x2795, 0x2797},   {0x2b1b, 0x2b1c},
                             {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},
                             {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
                             {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x17000, 0x18cff},
                             {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

static bool within(uint32_t c, const Range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last) return true;
    return false;
}

#define WITHIN(c, ranges) within((c), (ranges), sizeof(ranges) / sizeof *(ranges))

static Glyph escaped(const char *format, uint32_t number, size_t bytes) {
    Glyph glyph = {.bytes = (uint8_t)bytes};
    int length = snprintf(glyph.text, sizeof glyph.text, format, (unsigned)number);
    glyph.length = glyph.width = (uint8_t)length;
    return glyph;
}

Glyph display_glyph(const char *text, size_t length) {
    uint32_t c = 0;
    size_t bytes = utf8_decode(text, length, &c);
    if (!bytes) return escaped("\\x%02x", (unsigned char)text[0], 1);
    if (c == '\n') return escaped("\\n", 0, 1);
    if (WITHIN(c, unsafe)) return escaped(c < 0x80 ? "\\x%02x" : "\\u{%x}", c, bytes);
    Glyph glyph = {.length = (uint8_t)bytes, .bytes = (uint8_t)bytes, .width = 1};
    memcpy(glyph.text, text, bytes);
    if (c >= 0x300 && WITHIN(c, combining)) glyph.width = 0;
    if (c >= 0x1100 && WITHIN(c, wide)) glyph.width = 2;
    return glyph;
}
