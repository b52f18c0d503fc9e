/* One product as functions of a module of its own, made from its key: to measure schedules. */
#ifndef CODEGEN_TUNE_PRODUCT_H
#define CODEGEN_TUNE_PRODUCT_H

#include "codegen/contract_key.h"
#include "codegen/contract_schedule.h"

/* kernel(scratch, a, b, c, sizes, chunk): C, row-major, becomes the product; sizes: the extent of each axis
 * of the key, for those that only the run tells. chunks(sizes): their number. */
typedef void TuneKernel(void *scratch, const void *a, const void *b, void *c, const int64_t *sizes,
                        int64_t chunk);
typedef int64_t TuneChunks(const int64_t *sizes);

/* Emits both with `number` at the end of their names, by the schedule that e->options say. */
void tune_emit_product(Emit *e, const ContractKey *key, uint32_t number);
/* The shapes that the product has for schedules: as it is, and with its factors exchanged. Could OpenBLAS
 * compute it? */
bool tune_shapes(Emit *e, const ContractKey *key, ContractShape *out);

#endif
