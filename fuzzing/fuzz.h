/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a fuzz driver is: libFuzzer's interface.  A build that has no libFuzzer
 * (any compiler; AFL++) gets its main from main.c, which brings its own
 * simple mutations.
 */
#ifndef QBD_FUZZING_FUZZ_H
#define QBD_FUZZING_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

/* Drivers whose inputs have a structure know how to change them.  Returns the
 * new size, at most max_bytes. */
size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t bytes,
                                size_t max_bytes, unsigned seed);

/* libFuzzer's, or main.c's. */
size_t LLVMFuzzerMutate (uint8_t *data, size_t bytes, size_t max_bytes);

#endif
