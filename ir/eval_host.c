/* Evaluates effects and what hands out handles: each is a call of the host, or nothing where the host doesn't
 * care. */
#include "ir/eval.h"
#include <string.h>

static bool expand(Eval *e, const Node *node, uint32_t count, const Tensor *args, const char **text) {
    const char *why = NULL;
    *text = format_template(e->arena, node_str(node, ATTR_text), count, args, &why);
    return *text || eval_fail(e, node, "%s", why);
}

bool eval_format(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const char *text;
    if (!expand(e, node, node->operand_count, in, &text)) return false;
    out->p[0] = text;
    return true;
}

bool eval_text_len(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    out->i[0] = (int64_t)strlen(in[0].p[0]);
    return true;
}

bool eval_text_equal(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node;
    out->i[0] = strcmp(in[0].p[0], in[1].p[0]) == 0;
    return true;
}

bool eval_text_bytes(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    const uint8_t *text = in[0].p[0];
    size_t length = strlen(in[0].p[0]);
    if ((int64_t)length != out->count)
        return eval_fail(e, node, "a text of %zu bytes isn't one of %lld", length, (long long)out->count);
    for (size_t i = 0; i < length; i++) out->i[i] = text[i];
    return true;
}

bool eval_bytes_text(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)node;
    char *text = arena_alloc(e->arena, (size_t)in[0].count + 1);
    size_t length = 0;
    for (int64_t i = 0; i < in[0].count; i++)
        if (in[0].i[i]) text[length++] = (char)in[0].i[i];
    text[length] = '\0';
    out->p[0] = text;
    return true;
}

bool eval_write(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    const char *text;
    if (!expand(e, node, node->operand_count, in, &text)) return false;
    if (e->host->print) e->host->print(e->host->user, text);
    return true;
}

bool eval_print(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    const char *text;
    if (!expand(e, node, node->operand_count, in, &text)) return false;
    if (e->host->print) e->host->print(e->host->user, arena_printf(e->arena, "%s\n", text));
    return true;
}

bool eval_check(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    if (in[0].i[0]) return true;
    const char *text;
    return expand(e, node, node->operand_count - 1, in + 1, &text) && eval_fail(e, node, "%s", text);
}

bool eval_report(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    if (e->host->report)
        e->host->report(e->host->user, node->operand_count, node_attr(node, ATTR_names)->strs, in);
    return true;
}

bool eval_progress(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    int64_t total = node->operand_count ? in[0].i[0] : 0;
    if (e->host->progress) e->host->progress(e->host->user, node_str(node, ATTR_phase), total);
    return true;
}

static bool unserved(Eval *e, const Node *node) {
    return eval_fail(e, node, "%s isn't available here", op_name(node->op));
}

bool eval_save(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)out;
    if (!e->host->save) return true;
    uint32_t count = node->operand_count - 1;
    const Type **types = ARENA_ARRAY(e->arena, const Type *, count + 1);
    for (uint32_t k = 0; k < count; k++) types[k] = node->operands[k + 1]->type;
    if (e->host->save(e->host->user, in[0].p[0], count, node_attr(node, ATTR_names)->strs, in + 1, types))
        return true;
    return eval_fail(e, node, "cannot save to `%s`", (const char *)in[0].p[0]);
}

bool eval_load(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host->load) return unserved(e, node);
    if (e->host->load(e->host->user, in[0].p[0], node->result_count, node_attr(node, ATTR_names)->strs, out))
        return true;
    return eval_fail(e, node, "cannot load from `%s`", (const char *)in[0].p[0]);
}

bool eval_data_open(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host || !e->host->data_open) return unserved(e, node);
    const char **paths = ARENA_ARRAY(e->arena, const char *, node->operand_count + 1);
    for (uint32_t k = 0; k < node->operand_count; k++) paths[k] = in[k].p[0];
    const Attr *types = node_attr(node, ATTR_types);
    Tensor *sample = ARENA_ARRAY(e->arena, Tensor, types->count + 1);
    for (uint32_t k = 0; k < types->count; k++) {
        const Type *type = types->types[k];
        sample[k] = (Tensor){.dtype = type->dtype, .rank = type->rank};
        for (uint32_t d = 0; d < type->rank; d++)
            if (!eval_dim(e, node, type->dims[d], &sample[k].dims[d])) return false;
    }
    out->p[0] = e->host->data_open(e->host->user, node, node->operand_count, paths, types->count, sample);
    return out->p[0] || eval_fail(e, node, "cannot open the data");
}

bool eval_data_len(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host || !e->host->data_len) return unserved(e, node);
    out->i[0] = e->host->data_len(e->host->user, in[0].p[0]);
    return true;
}

bool eval_data_shuffle(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host || !e->host->data_shuffle) return unserved(e, node);
    out->p[0] = e->host->data_shuffle(e->host->user, in[0].p[0], in[1].i[0], in[2].i[0]);
    return true;
}

bool eval_data_take(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host || !e->host->data_take) return unserved(e, node);
    out->p[0] = e->host->data_take(e->host->user, in[0].p[0], in[1].i[0], in[2].i[0]);
    return true;
}

bool eval_data_windows(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host || !e->host->data_windows) return unserved(e, node);
    out->p[0] = e->host->data_windows(e->host->user, in[0].p[0], in[1].i[0]);
    return true;
}

bool eval_data_sample(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host || !e->host->data_sample) return unserved(e, node);
    out->p[0] = e->host->data_sample(e->host->user, in[0].p[0], in[1].i[0], in[2].i[0], in[3].i[0]);
    return true;
}

bool eval_data_repeat(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host || !e->host->data_repeat) return unserved(e, node);
    out->p[0] = e->host->data_repeat(e->host->user, in[0].p[0], in[1].i[0]);
    return true;
}

bool eval_data_read(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    if (!e->host->data_read) return unserved(e, node);
    if (e->host->data_read(e->host->user, in[0].p[0], in[1].i[0], node->result_count, out)) return true;
    return eval_fail(e, node, "cannot read the samples from %lld", (long long)in[1].i[0]);
}

/* Arenas of the plan are an implementation's business. */
bool eval_frame(Eval *e, const Node *node, const Tensor *in, Tensor *out) {
    (void)e, (void)node, (void)in, (void)out;
    return true;
}
