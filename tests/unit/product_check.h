/* Runs a compiled product and compares it with a naive one. */
#ifndef TESTS_UNIT_PRODUCT_CHECK_H
#define TESTS_UNIT_PRODUCT_CHECK_H

#include "product.h"

/* The compiled kernel for this case's sizes: exact, stored once each, whatever the order of chunks. */
void product_check(Jit *jit, const ProductCase *c);

#endif
