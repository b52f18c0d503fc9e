/* Runs a program's commands on the reference interpreter, with the compiled programs' own command line, data
 * readers and files. */
#ifndef DRIVER_INTERPRET_H
#define DRIVER_INTERPRET_H

#include "ir/graph.h"

/* argv[0] is the program's name as shown in its help. Returns the program's exit status. */
int interpret_program(const Graph *graph, int argc, char **argv);

#endif
