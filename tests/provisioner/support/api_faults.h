/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of the faults of the tests' API server, and random faults, the same for the same
 * seed: what goes wrong depends on the seed, on the method and path, and on how many such came
 * before, not on how threads meet.
 */
#ifndef ORDINAL_TESTS_API_FAULTS_H
#define ORDINAL_TESTS_API_FAULTS_H

#include "api_server.h"

struct api_faults;

/* INTENSITY: how many of a thousand requests, and of a thousand events, go wrong. Stalls are of at
 * most 20 ms. Caller frees. */
struct api_faults *api_faults_random(uint64_t seed, unsigned int intensity);
void api_faults_free(struct api_faults *faults);
DEFINE_CLEANUP(struct api_faults *, api_faults_free);

/* For struct api_server_options, with the faults as its context. Any thread may call. */
struct api_fault api_faults_decide(void *context, const struct api_request *request, bool applied);

/* From now on nothing goes wrong, so that all can settle. Any thread may call. */
void api_faults_stop(struct api_faults *faults);

/* How many went wrong so far. */
size_t api_faults_count(const struct api_faults *faults);

/* What a fault answers; one that only spoils answers, those of a server that is not there. */
struct api_answer api_faults_answer(struct api_fault fault);

/* A number that looks random, from a seed and any text: for whoever wants to be replayable. */
uint64_t api_faults_hash(uint64_t seed, const char *text);

#endif
