/* One compilation, from the options to the exit status. */
#ifndef DRIVER_COMPILE_H
#define DRIVER_COMPILE_H

#include "driver/options.h"

int compile(const Options *options, Arena *arena);

#endif
