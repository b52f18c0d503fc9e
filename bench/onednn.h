/* Products and convolutions by oneDNN, for comparison. Whatever fails aborts. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef enum { ONEDNN_FORWARD, ONEDNN_OF_WEIGHTS, ONEDNN_OF_INPUT } OnednnPass;

typedef struct {
    int64_t batch, groups, channels, outputs; /* of each group */
    int64_t size, kernel, stride;             /* of the result, of the window; square; with zeros around */
} OnednnConvolution;

typedef struct {
    int64_t m, n, k;
    bool a_transposed, b_transposed;
} OnednnProduct;

typedef struct Onednn Onednn;
Onednn *onednn_open(const OnednnConvolution *convolution, OnednnPass pass);
void onednn_run(Onednn *o);
void onednn_close(Onednn *o);

/* c = a b, row after row. */
void onednn_product(const OnednnProduct *p, const float *a, const float *b, float *c);
