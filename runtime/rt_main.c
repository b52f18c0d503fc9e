/* `main` of a compiled program. Apart from the rest of the runtime, which serves the interpreter too. */
#include "nnrt.h"

int main(int argc, char **argv) { return nn_main(&nn_program, argc, argv); }
