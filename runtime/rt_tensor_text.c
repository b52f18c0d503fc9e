/* Tensors as text, laid out as NumPy's print does: elements aligned, lines wrapped at 75 columns, three
 * elements of each end of an axis where there are more than a thousand in all. */
#include "rt_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_WIDTH = 75, SUMMARY_ABOVE = 1000, EDGE = 3, PRECISION = 8 };

/* How all elements are written. */
typedef struct {
    const nn_tensor *tensor;
    const char *spec; /* NULL = NumPy's own style */
    size_t spec_length;
    bool summary;
    /* NumPy's style for floats: columns before and digits after the point. */
    bool exponential;
    int64_t left, right;
    int64_t width; /* columns of a whole element */
} Layout;

typedef struct {
    rt_text *out;
    rt_text line; /* not yet in `out` */
    const Layout *layout;
} Printer;

typedef void Visit(void *user, const void *element);

/* --- elements */

static size_t element_bytes(const Layout *layout) { return rt_dtype_bytes(layout->tensor->dtype); }

/* Number of elements below one index of `axis`. */
static int64_t stride_of(const nn_tensor *tensor, int32_t axis) {
    int64_t stride = 1;
    for (int32_t i = axis + 1; i < tensor->rank; i++) stride *= tensor->dims[i];
    return stride;
}

static bool is_hidden(const Layout *layout, int32_t axis, int64_t index) {
    int64_t length = layout->tensor->dims[axis];
    return layout->summary && length > 2 * EDGE && index >= EDGE && index < length - EDGE;
}

/* Calls `visit` for every element that will be shown. */
static void each_shown(const Layout *layout, int32_t axis, const char *data, Visit *visit, void *user) {
    if (axis == layout->tensor->rank) {
        visit(user, data);
        return;
    }
    int64_t step = stride_of(layout->tensor, axis) * (int64_t)element_bytes(layout);
    for (int64_t i = 0; i < layout->tensor->dims[axis]; i++) {
        if (is_hidden(layout, axis, i)) i = layout->tensor->dims[axis] - EDGE;
        each_shown(layout, axis + 1, data + i * step, visit, user);
    }
}

/* --- NumPy's style for floats. Magnitudes only; the sign is a column of the part before the point. */
/* `digits.digits`, at most `PRECISION` after the point, without trailing zeros: "1.", "0.25". */
static void positional(rt_text *text, double x, int32_t dtype) {
    char digits[RT_DIGITS];
    int point, count = rt_shortest(x, dtype, digits, &point);
    if (count - point > PRECISION) {
        rt_text_addf(text, "%.*f", PRECISION, x);
        while (text->bytes[text->length - 1] == '0') text->bytes[--text->length] = 0;
    } else if (point <= 0) {
        rt_text_adds(text, "0.");
        if (x > 0) rt_text_fill(text, '0', -point);
        if (x > 0) rt_text_adds(text, digits);
    } else {
        rt_text_add(text, digits, (size_t)(count < point ? count : point));
        rt_text_fill(text, '0', point - count);
        rt_text_addf(text, ".%s", count > point ? digits + point : "");
        if (x == 0) text->bytes[text->length] = 0;
    }
}

/* `d.ddde+xx`, the digits after the point padded to `least`. */
static void scientific(rt_text *text, double x, int32_t dtype, int64_t least) {
    char digits[RT_DIGITS], rounded[40];
    int point, count = rt_shortest(x, dtype, digits, &point);
    int exponent = x == 0 ? 0 : point - 1;
    const char *fraction = digits + 1;
    if (count > PRECISION + 1) {
        snprintf(rounded, sizeof rounded, "%.*e", PRECISION, x);
        char *e = strchr(rounded, 'e');
        exponent = atoi(e + 1);
        while (e > rounded + 2 && e[-1] == '0') e--;
        *e = 0;
        digits[0] = rounded[0];
        fraction = rounded + 2;
    }
    rt_text_addf(text, "%c.%s", digits[0], fraction);
    rt_text_fill(text, '0', least - (int64_t)strlen(fraction));
    rt_text_addf(text, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

/* What NumPy decides the style by. */
typedef struct {
    const Layout *layout;
    double least, greatest; /* magnitudes of what is finite and not zero */
    int64_t left, right, fraction, exponent;
    bool finite, special, negative_infinity;
} Survey;

static void survey_range(void *user, const void *element) {
    Survey *survey = user;
    double x = rt_element_float(survey->layout->tensor->dtype, element);
    if (!isfinite(x)) {
        survey->special = true;
        survey->negative_infinity |= isinf(x) && x < 0;
        return;
    }
    survey->finite = true;
    if (x == 0) return;
    survey->least = fmin(survey->least, fabs(x));
    survey->greatest = fmax(survey->greatest, fabs(x));
}

static void widen(int64_t *width, size_t length) {
    if (*width < (int64_t)length) *width = (int64_t)length;
}

static void survey_columns(void *user, const void *element) {
    Survey *survey = user;
    int32_t dtype = survey->layout->tensor->dtype;
    double x = rt_element_float(dtype, element);
    if (!isfinite(x)) return;
    rt_text text = {0};
    if (survey->layout->exponential)
        scientific(&text, fabs(x), dtype, 0);
    else
        positional(&text, fabs(x), dtype);
    size_t whole = strcspn(text.bytes, ".");
    size_t fraction = strcspn(text.bytes + whole + 1, "e");
    widen(&survey->left, whole + (signbit(x) != 0));
    widen(&survey->right, fraction);
    if (survey->layout->exponential) widen(&survey->exponent, text.length - whole - 1 - fraction - 1);
    rt_text_free(&text);
}

static void style_floats(Layout *layout) {
    Survey survey = {.layout = layout, .least = INFINITY};
    const char *data = layout->tensor->data;
    each_shown(layout, 0, data, survey_range, &survey);
    layout->exponential =
        survey.greatest >= 1e8 ||
        (survey.greatest > 0 && (survey.least < 1e-4 || survey.greatest / survey.least > 1000));
    each_shown(layout, 0, data, survey_columns, &survey);
    layout->left = survey.left;
    layout->right = survey.right;
    int64_t after = survey.right + (layout->exponential ? survey.exponent + 1 : 0);
    layout->width = survey.left + 1 + after;
    if (!survey.special) return;
    widen(&layout->width, survey.negative_infinity ? 4 : 3);
    layout->left = layout->width - 1 - after;
}

static void add_float(rt_text *text, const Layout *layout, const void *element) {
    int32_t dtype = layout->tensor->dtype;
    double x = rt_element_float(dtype, element);
    rt_text word = {0};
    const char *sign = signbit(x) && !isnan(x) ? "-" : "";
    if (!isfinite(x)) {
        rt_text_addf(&word, "%s%s", sign, isnan(x) ? "nan" : "inf");
        rt_text_fill(text, ' ', layout->width - (int64_t)word.length);
    } else {
        rt_text_adds(&word, sign);
        if (layout->exponential)
            scientific(&word, fabs(x), dtype, layout->right);
        else
            positional(&word, fabs(x), dtype);
        rt_text_fill(text, ' ', layout->left - (int64_t)strcspn(word.bytes, "."));
    }
    rt_text_add(text, word.bytes, word.length);
    if (isfinite(x) && !layout->exponential) {
        int64_t fraction = (int64_t)(word.length - strcspn(word.bytes, ".")) - 1;
        rt_text_fill(text, ' ', layout->right - fraction);
    }
    rt_text_free(&word);
}

/* --- all other elements: as a scalar is written, aligned right */
static void add_scalar(rt_text *text, const Layout *layout, const void *element) {
    if (!rt_text_element(text, layout->tensor->dtype, element, layout->spec, layout->spec_length))
        rt_text_element(text, layout->tensor->dtype, element, "", 0);
}

static void survey_width(void *user, const void *element) {
    Layout *layout = user;
    rt_text text = {0};
    add_scalar(&text, layout, element);
    widen(&layout->width, (size_t)rt_text_columns(text.bytes, text.length));
    rt_text_free(&text);
}

static void add_element(rt_text *text, const Layout *layout, const void *element) {
    if (rt_dtype_is_float(layout->tensor->dtype) && layout->spec_length == 0) {
        add_float(text, layout, element);
        return;
    }
    rt_text word = {0};
    add_scalar(&word, layout, element);
    rt_text_fill(text, ' ', layout->width - rt_text_columns(word.bytes, word.length));
    rt_text_add(text, word.bytes, word.length);
    rt_text_free(&word);
}

/* --- brackets and lines. A block starts after `indent` columns, and `room` columns are left for its lines.
 */
static void trim(rt_text *text) {
    while (text->length && text->bytes[text->length - 1] == ' ') text->length--;
}

/* Puts a word into the current line, or into a new one where it is full. */
static void add_word(Printer *printer, const char *word, size_t length, int64_t indent, int64_t room) {
    rt_text *line = &printer->line;
    int64_t columns = (int64_t)line->length;
    if (columns > indent && columns + (int64_t)length > room) {
        trim(line);
        rt_text_add(printer->out, line->bytes, line->length);
        rt_text_adds(printer->out, "\n");
        line->length = 0;
        rt_text_fill(line, ' ', indent);
    }
    rt_text_add(line, word, length);
}

static void print_row(Printer *printer, const char *data, int64_t indent, int64_t room) {
    const Layout *layout = printer->layout;
    int32_t axis = layout->tensor->rank - 1;
    int64_t length = layout->tensor->dims[axis];
    size_t start = printer->out->length;
    printer->line.length = 0;
    rt_text_fill(&printer->line, ' ', indent);
    for (int64_t i = 0; i < length; i++) {
        if (i > 0) rt_text_adds(&printer->line, " ");
        rt_text word = {0};
        if (is_hidden(layout, axis, i)) {
            rt_text_adds(&word, "...");
            i = length - EDGE - 1;
        } else {
            add_element(&word, layout, data + (size_t)i * element_bytes(layout));
        }
        add_word(printer, word.bytes, word.length, indent, room - 1);
        rt_text_free(&word);
    }
    rt_text_add(printer->out, printer->line.bytes, printer->line.length);
    /* The bracket takes the last column of the indentation. */
    printer->out->bytes[start + (size_t)indent - 1] = '[';
    rt_text_adds(printer->out, "]");
}

/* Everything below `axis`; what is written starts with `indent` columns, the last of which is the bracket. */
static void print_block(Printer *printer, int32_t axis, const char *data, int64_t indent, int64_t room) {
    const Layout *layout = printer->layout;
    if (axis == layout->tensor->rank - 1) {
        print_row(printer, data, indent, room);
        return;
    }
    int64_t step = stride_of(layout->tensor, axis) * (int64_t)element_bytes(layout);
    size_t start = printer->out->length;
    for (int64_t i = 0; i < layout->tensor->dims[axis]; i++) {
        if (i > 0) rt_text_fill(printer->out, '\n', layout->tensor->rank - axis - 1);
        if (is_hidden(layout, axis, i)) {
            rt_text_fill(printer->out, ' ', indent);
            rt_text_adds(printer->out, "...");
            i = layout->tensor->dims[axis] - EDGE - 1;
        } else {
            print_block(printer, axis + 1, data + i * step, indent + 1, room - 1);
        }
    }
    printer->out->bytes[start + (size_t)indent - 1] = '[';
    rt_text_adds(printer->out, "]");
}

bool rt_text_tensor(rt_text *text, const nn_tensor *tensor, const char *spec, size_t spec_length) {
    if (tensor->rank == 0) return rt_text_element(text, tensor->dtype, tensor->data, spec, spec_length);
    int64_t count = stride_of(tensor, 0) * tensor->dims[0];
    if (count == 0) {
        rt_text_adds(text, "[]");
        return true;
    }
    Layout layout = {
        .tensor = tensor, .spec = spec, .spec_length = spec_length, .summary = count > SUMMARY_ABOVE};
    if (rt_dtype_is_float(tensor->dtype) && spec_length == 0)
        style_floats(&layout);
    else
        each_shown(&layout, 0, tensor->data, survey_width, &layout);
    rt_text block = {0};
    Printer printer = {.out = &block, .layout = &layout};
    print_block(&printer, 0, tensor->data, 1, LINE_WIDTH);
    rt_text_add(text, block.bytes, block.length);
    rt_text_free(&block);
    rt_text_free(&printer.line);
    return true;
}
