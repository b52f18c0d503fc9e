/* oneDNN's convolutions, each tensor in the layout that it likes best, by as many multiplications as ours. */
#include "onednn.h"
#include <dnnl.h>
#include <stdlib.h>

enum { TENSORS = 3 };

struct Onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[TENSORS];
};

static void must(dnnl_status_t status) {
    if (status != dnnl_success) abort();
}

static dnnl_memory_desc_t any(int rank, const dnnl_dims_t dims) {
    dnnl_memory_desc_t desc;
    must(dnnl_memory_desc_init_by_tag(&desc, rank, dims, dnnl_f32, dnnl_format_tag_any));
    return desc;
}

typedef struct {
    dnnl_memory_desc_t source, weights, result;
    dnnl_dims_t strides, padding;
} Shapes;

static Shapes shapes_of(const OnednnConvolution *c) {
    Shapes s = {.strides = {c->stride, c->stride}, .padding = {c->kernel / 2, c->kernel / 2}};
    dnnl_dim_t side = c->size * c->stride;
    s.source = any(4, (dnnl_dims_t){c->batch, c->groups * c->channels, side, side});
    s.result = any(4, (dnnl_dims_t){c->batch, c->groups * c->outputs, c->size, c->size});
    s.weights = c->groups > 1
                    ? any(5, (dnnl_dims_t){c->groups, c->outputs, c->channels, c->kernel, c->kernel})
                    : any(4, (dnnl_dims_t){c->outputs, c->channels, c->kernel, c->kernel});
    return s;
}

static dnnl_primitive_desc_t describe(const Shapes *s, OnednnPass pass, dnnl_engine_t engine) {
    dnnl_convolution_desc_t forward, backward;
    dnnl_primitive_desc_t hint, found;
    const dnnl_alg_kind_t algorithm = dnnl_convolution_direct; /* not by Winograd */
    must(dnnl_convolution_forward_desc_init(&forward, dnnl_forward_training, algorithm, &s->source,
                                            &s->weights, NULL, &s->result, s->strides, s->padding,
                                            s->padding));
    must(dnnl_primitive_desc_create(&hint, &forward, NULL, engine, NULL));
    if (pass == ONEDNN_FORWARD) return hint;
    must(pass == ONEDNN_OF_WEIGHTS
             ? dnnl_convolution_backward_weights_desc_init(&backward, algorithm, &s->source, &s->weights,
                                                           NULL, &s->result, s->strides, s->padding,
                                                           s->padding)
             : dnnl_convolution_backward_data_desc_init(&backward, algorithm, &s->source, &s->weights,
                                                        &s->result, s->strides, s->padding, s->padding));
    must(dnnl_primitive_desc_create(&found, &backward, NULL, engine, hint));
    dnnl_primitive_desc_destroy(hint);
    return found;
}

static dnnl_memory_t memory_of(dnnl_primitive_desc_t found, int argument, dnnl_engine_t engine) {
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(found, dnnl_query_exec_arg_md, argument);
    dnnl_memory_t memory;
    void *bytes;
    must(dnnl_memory_create(&memory, desc, engine, DNNL_MEMORY_ALLOCATE));
    must(dnnl_memory_get_data_handle(memory, &bytes));
    float *x = bytes;
    for (size_t i = 0; i < dnnl_memory_desc_get_size(desc) / sizeof *x; i++) x[i] = (float)(i % 17) - 8;
    return memory;
}

Onednn *onednn_open(const OnednnConvolution *convolution, OnednnPass pass) {
    static const int arguments[][TENSORS] = {
        [ONEDNN_FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
        [ONEDNN_OF_WEIGHTS] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
        [ONEDNN_OF_INPUT] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
    };
    Onednn *o = calloc(1, sizeof *o);
    if (!o) abort();
    Shapes shapes = shapes_of(convolution);
    must(dnnl_engine_create(&o->engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags));
    dnnl_primitive_desc_t found = describe(&shapes, pass, o->engine);
    must(dnnl_primitive_create(&o->primitive, found));
    for (int i = 0; i < TENSORS; i++) {
        o->arguments[i].arg = arguments[pass][i];
        o->arguments[i].memory = memory_of(found, arguments[pass][i], o->engine);
    }
    dnnl_primitive_desc_destroy(found);
    return o;
}

void onednn_run(Onednn *o) {
    must(dnnl_primitive_execute(o->primitive, o->stream, TENSORS, o->arguments));
    must(dnnl_stream_wait(o->stream));
}

void onednn_close(Onednn *o) {
    for (int i = 0; i < TENSORS; i++) dnnl_memory_destroy(o->arguments[i].memory);
    dnnl_primitive_destroy(o->primitive);
    dnnl_stream_destroy(o->stream);
    dnnl_engine_destroy(o->engine);
    free(o);
}

void onednn_product(const OnednnProduct *p, const float *a, const float *b, float *c) {
    must(dnnl_sgemm(p->a_transposed ? 'T' : 'N', p->b_transposed ? 'T' : 'N', p->m, p->n, p->k, 1, a,
                    p->a_transposed ? p->m : p->k, b, p->b_transposed ? p->k : p->n, 0, c, p->n));
}
