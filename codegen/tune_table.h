/* What the code generator looks up in tune files. */
#ifndef CODEGEN_TUNE_TABLE_H
#define CODEGEN_TUNE_TABLE_H

#include "codegen/contract_schedule.h"
#include "support/vec.h"

typedef struct {
    const char *cpu, *product; /* as text */
    ContractSchedule schedule;
    const char *text; /* the whole line */
} TuneLine;

struct TuneTable {
    VEC(TuneLine) lines;
};

/* The name of what code is made for. */
const char *tune_cpu(const char *cpu, const Target *target, Arena *arena);
/* NULL where the table, which may be NULL, has no such line. */
const ContractSchedule *tune_find(const TuneTable *table, const char *cpu, const char *product);

#endif
