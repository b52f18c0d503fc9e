/* The counter-based generator of nnc programs: threefry2x32 with 20 rounds (Salmon et al., Parallel random
 * numbers: as easy as 1, 2, 3; SC 2011). */
#ifndef RT_RANDOM_H
#define RT_RANDOM_H

#include <stdint.h>

/* Both words of threefry2x32, the first one low; key and counter are given as i64 bits, low word first. */
uint64_t rt_threefry(uint64_t key, uint64_t counter);

/* Writes a random permutation of 0 … count - 1 that depends on (seed, stream) alone. Fisher and Yates's
 * shuffle: for i = count - 1 … 1, element i changes places with element j ≤ i. j is the high word of draw ×
 * (i + 1), rejected where that would favour some j (Lemire, Fast random integer generation in an interval;
 * 2019). Draw number n is threefry(threefry(seed, stream), n); a rejected one is followed by the next number.
 */
void rt_permutation(int64_t seed, int64_t stream, int64_t count, int64_t *order);
/* Draw number `i` of stream (seed, stream): one of 0 … count - 1, each equally likely; count ≥ 1. Rejection
 * as above, with the key threefry(threefry(seed, stream), i). */
int64_t rt_draw(int64_t seed, int64_t stream, int64_t i, int64_t count);

#endif
