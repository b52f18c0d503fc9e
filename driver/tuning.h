/* Tune files beside programs: read before a build, written by `--tune`. */
#ifndef DRIVER_TUNING_H
#define DRIVER_TUNING_H

#include "codegen/tune.h"
#include "driver/options.h"

/* The tune file of a program, NULL where there is none; what is wrong with it is reported. */
TuneTable *tuning_read(const Options *options, Sources *sources, Diagnostics *diags, Arena *arena);
/* Measures and writes the file, and reads it again: options->tune becomes that. Progress goes to a terminal.
 * NULL, or a message. */
const char *tuning_measure(const Options *options, Graph *graph, CodegenOptions *codegen, Sources *sources,
                           Diagnostics *diags, Arena *arena);

#endif
