/* Tells libraries of this runtime from others: a digest of nnrt.h, which CMake computes. */
#include "rt.h"

const char rt_stamp[] = "nnrt.h " NNRT_DIGEST;
