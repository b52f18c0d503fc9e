/* Between contract_form.c, contract_schedule.c and contract_candidates.c: the steps by which a schedule comes
 * about. Each fills in its part. */
#ifndef CODEGEN_CONTRACT_FORM_H
#define CODEGEN_CONTRACT_FORM_H

#include "codegen/contract_schedule.h"

enum {
    STREAMED_DEPTH = 8, /* rows of B at once then, with the sums in memory */
    MAX_PIECES = 16     /* that rows, columns, or both together are cut into */
};

/* --- contract_form.c. Costs are those of contract_cost. */
/* The cheapest form of one product, or of a chunk of it. */
double form_choose(const Target *target, const ContractShape *shape, ContractSchedule *plan);
/* The cheapest register tile of outer products. */
double form_tile(const Target *target, const ContractShape *shape, ContractSchedule *plan);
/* The cheapest tile of dot products; negative where k is not contiguous. */
double form_dots(const Target *target, const ContractShape *shape, ContractSchedule *plan);
/* Column after column, where that is better. */
void form_dots_in_turn(const Target *target, const ContractShape *shape, ContractSchedule *plan);
/* Can A be packed? */
bool form_can_pack_a(const ContractShape *shape);
/* Are there so few rows that a packed B is read no more often than to pack it? */
bool form_reads_once(const ContractShape *shape);
bool form_packs_b(const Target *target, const ContractShape *shape);
bool form_rows_are_apart(const ContractShape *shape);
bool form_streams(const Target *target, const ContractShape *shape, const ContractSchedule *plan);

/* --- contract_schedule.c */
/* How deep and wide blocks are, and what is fetched ahead, for the form and the tile that are chosen. */
void schedule_blocks(const Target *target, const ContractShape *shape, ContractSchedule *plan);
void schedule_prefetch(const Target *target, const ContractShape *shape, ContractSchedule *plan);
/* One of so many pieces. */
ContractShape schedule_part(const ContractShape *shape, int64_t row_pieces, int64_t column_pieces,
                            uint32_t lanes);

#endif
