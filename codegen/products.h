/* The products of a program and how they are computed, in the order in which they first occur: for reports
 * and for measuring. */
#ifndef CODEGEN_PRODUCTS_H
#define CODEGEN_PRODUCTS_H

#include "codegen/contract_key.h"
#include "codegen/contract_schedule.h"
#include "support/vec.h"

typedef struct {
    ContractKey key;
    const char *text;      /* the key's */
    ContractSchedule plan; /* no lanes where windows slide (ProductForm) */
    uint32_t uses;         /* places in the program, */
    double times;          /* and how often they compute it: once, or for each part of a chain */
} ProductUse;

typedef struct ProductList {
    Arena *arena;
    double times; /* that the next one is computed */
    VEC(ProductUse) at;
} ProductList;

/* One more use of the product. */
void products_note(ProductList *list, const Contract *contract, const ContractSchedule *plan);
/* All of the program. NULL, or a message in the list's arena. */
const char *products_of(Graph *graph, const CodegenOptions *options, ProductList *list);

#endif
