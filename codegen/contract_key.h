/* What a product is, without how it is computed: its element type and its axes with their strides, as far as
 * they are known when the program is compiled. As text it names the product in reports and tune files:
 *
 *     f32 m64:784:0 n128:0:1 k784:1:128
 *
 * an axis being its role (b, m, n or k), its extent and its strides in A and B, `?` what only the run tells.
 */
#ifndef CODEGEN_CONTRACT_KEY_H
#define CODEGEN_CONTRACT_KEY_H

#include "codegen/contract.h"

enum { KEY_MAX_AXES = 8 * MAX_RANK };
#define KEY_UNKNOWN INT64_MIN

typedef struct {
    char role;
    int64_t extent, a, b;
} KeyAxis;

typedef struct {
    DType dtype; /* of A and B */
    uint32_t count;
    KeyAxis axis[KEY_MAX_AXES]; /* batch, m, n, k; none of extent 1 */
    bool edges;                 /* zeros are around B; said as a last word `padded` */
} ContractKey;

void contract_key(const Contract *contract, ContractKey *out);
const char *contract_key_text(const ContractKey *key, Arena *arena);
bool contract_key_parse(const char *text, size_t length, ContractKey *out);
/* Multiply-adds; what only the run tells is taken to be as the cost model takes it. */
double contract_key_work(const ContractKey *key);

#endif
