/* Tensors as text, as NumPy's print lays them out: floats of one tensor in one style, elements aligned, lines
 * of at most 75 columns, three elements at each end of an axis where there are more than a thousand in all.
 */
#include "ir/eval_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_WIDTH = 75, THRESHOLD = 1000, EDGE = 3, MAX_DIGITS = 8 };

typedef struct {
    Arena *arena;
    const Tensor *tensor;
    const Spec *spec;
    bool summary;
    char **shown; /* the text of each element that is shown, NULL for the rest */
    Text out;
} Layout;

/* --- which elements are shown */
static bool is_cut(const Layout *l, uint32_t axis) { return l->summary && l->tensor->dims[axis] > 2 * EDGE; }

static bool is_shown(const Layout *l, int64_t element) {
    const Tensor *t = l->tensor;
    for (uint32_t axis = t->rank; axis-- > 0;) {
        int64_t index = element % t->dims[axis];
        element /= t->dims[axis];
        if (is_cut(l, axis) && index >= EDGE && index < t->dims[axis] - EDGE) return false;
    }
    return true;
}

/* --- floats: one style for all that are shown */
typedef struct {
    bool scientific;
    int whole, fraction,
        exponent; /* columns before the point (with the sign), after it, and of the exponent */
} FloatStyle;

/* Digits of the fraction in "d.ddde+xx". */
static int fraction_digits(const char *scientific) {
    int count = (int)(strchr(scientific, 'e') - scientific) - 1;
    return count > 0 ? count - 1 : 0;
}

/* x with at most MAX_DIGITS digits after the point, without trailing zeros: "3." */
static char *positional(Arena *arena, DType dtype, double x) {
    const char *digits = shortest_digits(arena, dtype, fabs(x));
    int decimals = fraction_digits(digits) - atoi(strchr(digits, 'e') + 1);
    bool all = decimals <= MAX_DIGITS;
    char *text = arena_printf(arena, "%.*f",
                              decimals < 1 ? 1
                              : all        ? decimals
                                           : MAX_DIGITS,
                              all ? strtod(digits, NULL) : fabs(x));
    size_t length = strlen(text);
    while (text[length - 1] == '0') text[--length] = 0;
    return signbit(x) ? arena_printf(arena, "-%s", text) : text;
}

static bool wants_scientific(const Layout *l) {
    const Tensor *t = l->tensor;
    double largest = 0, smallest = INFINITY;
    for (int64_t k = 0; k < t->count; k++) {
        double x = fabs(round_to(t->dtype, t->f[k]));
        if (!is_shown(l, k) || !isfinite(x) || x == 0) continue;
        largest = fmax(largest, x);
        smallest = fmin(smallest, x);
    }
    return largest >= 1e8 || (largest > 0 && (smallest < 1e-4 || largest / smallest > 1000));
}

static void grow(int *size, size_t to) {
    if ((int)to > *size) *size = (int)to;
}

/* Digits of the fraction of x, cut to MAX_DIGITS, without trailing zeros. */
static int scientific_fraction(Arena *arena, const char *digits, double x) {
    int fraction = fraction_digits(digits);
    if (fraction <= MAX_DIGITS) return fraction;
    const char *cut = arena_printf(arena, "%.*e", MAX_DIGITS, fabs(x));
    for (fraction = MAX_DIGITS; fraction > 0 && cut[1 + fraction] == '0';) fraction--;
    return fraction;
}

static void measure(const Layout *l, double x, FloatStyle *style) {
    DType dtype = l->tensor->dtype;
    if (style->scientific) {
        const char *digits = shortest_digits(l->arena, dtype, fabs(x));
        grow(&style->whole, signbit(x) ? 2 : 1);
        grow(&style->fraction, (size_t)scientific_fraction(l->arena, digits, x));
        grow(&style->exponent, strlen(strchr(digits, 'e')));
        return;
    }
    const char *text = positional(l->arena, dtype, x);
    size_t whole = strcspn(text, ".");
    grow(&style->whole, whole);
    grow(&style->fraction, strlen(text) - whole - 1);
}

static FloatStyle choose_style(const Layout *l) {
    const Tensor *t = l->tensor;
    FloatStyle style = {.scientific = wants_scientific(l)};
    size_t odd = 0; /* columns of the longest that isn't finite */
    for (int64_t k = 0; k < t->count; k++) {
        double x = round_to(t->dtype, t->f[k]);
        if (!is_shown(l, k)) continue;
        if (isfinite(x))
            measure(l, x, &style);
        else if (odd < (isinf(x) && x < 0 ? 4u : 3u))
            odd = isinf(x) && x < 0 ? 4 : 3;
    }
    int behind = 1 + style.fraction + style.exponent;
    if ((int)odd > behind + style.whole) style.whole = (int)odd - behind;
    return style;
}

static char *aligned(Arena *arena, const char *text, size_t width) {
    size_t length = columns(text);
    return arena_printf(arena, "%s%s", repeat(arena, ' ', width > length ? width - length : 0), text);
}

static char *float_text(const Layout *l, const FloatStyle *style, double x) {
    size_t width = (size_t)(style->whole + 1 + style->fraction + style->exponent);
    if (!isfinite(x))
        return aligned(l->arena, arena_printf(l->arena, "%s%s", x < 0 ? "-" : "", non_finite(x)), width);
    if (style->scientific) {
        /* Zeros follow the fewest digits, not more of x. */
        const char *digits = shortest_digits(l->arena, l->tensor->dtype, x);
        bool all = fraction_digits(digits + (x < 0)) <= MAX_DIGITS;
        char *text = arena_printf(l->arena, "%.*e", style->fraction, all ? strtod(digits, NULL) : x);
        if (style->fraction == 0) /* the point stays */
            text = arena_printf(l->arena, "%.*s.%s", (int)strcspn(text, "e"), text, strchr(text, 'e'));
        return aligned(l->arena, text, width);
    }
    char *text = positional(l->arena, l->tensor->dtype, x);
    size_t missing = (size_t)style->fraction - (strlen(text) - strcspn(text, ".") - 1);
    return aligned(l->arena, arena_printf(l->arena, "%s%s", text, repeat(l->arena, ' ', missing)), width);
}

/* --- elements */
static void show_floats(Layout *l) {
    FloatStyle style = choose_style(l);
    for (int64_t k = 0; k < l->tensor->count; k++)
        if (is_shown(l, k)) l->shown[k] = float_text(l, &style, round_to(l->tensor->dtype, l->tensor->f[k]));
}

static void show_others(Layout *l) {
    size_t widest = 0;
    for (int64_t k = 0; k < l->tensor->count; k++) {
        if (!is_shown(l, k)) continue;
        l->shown[k] = format_element(l->arena, l->spec, l->tensor, k);
        if (columns(l->shown[k]) > widest) widest = columns(l->shown[k]);
    }
    for (int64_t k = 0; k < l->tensor->count; k++)
        if (l->shown[k]) l->shown[k] = aligned(l->arena, l->shown[k], widest);
}

/* --- lines and brackets */
/* Without the blanks that the last element is padded with. */
static void end_line(Text *text) {
    while (text->length && text->at[text->length - 1] == ' ') text->at[--text->length] = 0;
    append(text, "\n");
}

/* One axis of elements from `first`, wrapped; `indent` columns before each line, `room` columns for it. */
static void put_line(Layout *l, int64_t first, int64_t count, size_t indent, size_t room) {
    size_t used = indent;
    for (int64_t k = 0; k < count; k++) {
        bool cut = is_cut(l, l->tensor->rank - 1) && k == EDGE;
        const char *word = cut ? "..." : l->shown[first + k];
        if (k > 0 && used + 1 + columns(word) > room) {
            end_line(&l->out);
            append(&l->out, repeat(l->arena, ' ', indent));
            used = indent;
        } else if (k > 0) {
            append(&l->out, " ");
            used++;
        }
        append(&l->out, word);
        used += columns(word);
        if (cut) k = count - EDGE - 1;
    }
}

static void put_axis(Layout *l, uint32_t axis, int64_t first, int64_t below) {
    const Tensor *t = l->tensor;
    int64_t count = t->dims[axis];
    size_t indent = axis + 1;
    append(&l->out, "[");
    if (axis + 1 == t->rank) put_line(l, first, count, indent, LINE_WIDTH - axis - 1);
    for (int64_t k = 0; axis + 1 < t->rank && k < count; k++) {
        bool cut = is_cut(l, axis) && k == EDGE;
        if (k > 0) {
            append(&l->out, repeat(l->arena, '\n', t->rank - axis - 1));
            append(&l->out, repeat(l->arena, ' ', indent));
        }
        if (cut) {
            append(&l->out, "...");
            k = count - EDGE - 1;
        } else {
            put_axis(l, axis + 1, first + k * below, below / t->dims[axis + 1]);
        }
    }
    append(&l->out, "]");
}

char *format_tensor(Arena *arena, const Spec *spec, const Tensor *t) {
    if (t->count == 0) return arena_strdup(arena, "[]");
    Layout l = {
        .arena = arena, .tensor = t, .spec = spec, .summary = t->count > THRESHOLD, .out = {.arena = arena}};
    l.shown = ARENA_ARRAY(arena, char *, t->count);
    if (t->f && !spec->given)
        show_floats(&l);
    else
        show_others(&l);
    put_axis(&l, 0, 0, t->count / t->dims[0]);
    return l.out.at;
}
