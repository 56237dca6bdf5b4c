/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Property of the leases: whatever happens, never do two hold one at once, and once all is well
 * again somebody does. Schedules are random; each can be run again by its seed.
 *
 * usage: lease_race_test [SEED]
 */
#include "lease.h"

#include <pthread.h>
#include <string.h>

#include "fake_lease.h"
#include "log.h"
#include "testing.h"

#define SCHEDULES 2000
#define ROUNDS    200
#define PARTIES   3
#define LATE_MAX  4

#define THREAD_ROUNDS  3000
#define THREAD_LEADERS 20

static _Atomic int64_t clock_ms;

static int64_t fake_boottime(void)
{
	return clock_ms;
}

struct race;

struct party {
	struct race *race;
	struct lease *lease;
	bool busy;  /* inside a request: not to be stepped */
	bool cut;   /* off from the API server */
	bool knows; /* it has seen the record once */
	bool over;  /* it lost or released the lease */
};

/* A request that nobody waits for any more, and that the server works on later. */
struct late {
	char *method, *path;
	struct json_object *body;
};

struct race {
	struct fake_lease server;
	struct party parties[PARTIES];
	struct late late[LATE_MAX];
	uint64_t dice;
	unsigned seed;
	int round, identities, leaders;
	bool calm; /* nothing goes wrong any more */
};

/* A number below SIDES, from the seed alone. */
static int roll(struct race *race, int sides)
{
	race->dice ^= race->dice << 13;
	race->dice ^= race->dice >> 7;
	race->dice ^= race->dice << 17;
	return (int)((race->dice >> 11) % (uint64_t)sides);
}

static void check(struct race *race)
{
	int held = 0;

	for (int i = 0; i < PARTIES; i++)
		held += lease_is_held(race->parties[i].lease);
	if (held > 1)
		fail_msg("seed %u, round %d: %d hold the lease at once", race->seed, race->round,
			held);
}

static void pass(struct race *race)
{
	int kind = roll(race, 20);

	clock_ms += kind == 0 ? roll(race, 40000) : kind < 4 ? roll(race, 9000) : roll(race, 1500);
	check(race);
}

static void finish_late(struct race *race)
{
	struct late *late = &race->late[roll(race, LATE_MAX)];
	struct rest_request request = {
		.method = late->method, .path = late->path, .body = late->body};

	if (!late->method)
		return;
	fake_lease_call(&race->server, &request, NULL, NULL);
	free(late->method);
	free(late->path);
	json_object_put(late->body);
	*late = (struct late){.method = NULL};
	check(race);
}

static void keep_late(struct race *race, const struct rest_request *request)
{
	struct late *late = &race->late[roll(race, LATE_MAX)];

	if (late->method || !request->body)
		return;
	*late = (struct late){strdup(request->method), strdup(request->path), NULL};
	if (json_object_deep_copy(request->body, &late->body, NULL) < 0)
		abort();
}

static void step(struct race *race, struct party *party)
{
	if (party->busy)
		return;
	lease_step(party->lease);
	check(race);
}

/* What happens while a request is on its way: time passes, and others go on. */
static void meanwhile(struct race *race)
{
	if (race->calm)
		return;
	if (roll(race, 2))
		pass(race);
	if (roll(race, 3) == 0)
		step(race, &race->parties[roll(race, PARTIES)]);
	if (roll(race, 8) == 0)
		finish_late(race);
}

static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct party *party = self;
	struct race *race = party->race;
	int fault = race->calm ? -1 : roll(race, 12), result;

	if (party->cut)
		return error_set(err, ERROR_UNAVAILABLE, "cut off");
	party->busy = true;
	meanwhile(race);
	if (fault == 0) {
		result = error_set(err, ERROR_UNAVAILABLE, "refused");
	} else if (fault == 1) {
		keep_late(race, request);
		result = error_set(err, ERROR_TIMEOUT, "not done yet");
	} else {
		result = fake_lease_call(&race->server, request, ret_body, err);
		meanwhile(race);
		if (result == 0 && fault == 2) {
			json_object_put(*ret_body);
			*ret_body = NULL;
			result = error_set(err, ERROR_TIMEOUT, "done, but who knows");
		}
	}
	party->knows |= result == 0;
	party->busy = false;
	return result;
}

static void on_acquired(void *context, const struct object *object)
{
	struct party *party = context;

	(void)object;
	party->race->leaders++;
}

static void on_lost(void *context)
{
	struct party *party = context;

	party->over = true;
}

/* Another process, in the place of one that is gone. */
static void replace(struct race *race, struct party *party)
{
	const struct kube_api api = {call, party};
	char identity[32];

	if (party->lease)
		lease_free(party->lease);
	snprintf(identity, sizeof(identity), "p%d", race->identities++);
	*party = (struct party){.race = race};
	party->lease = lease_new(&api, &(struct lease_options){
					       .namespace = "ns",
					       .name = "l",
					       .identity = identity,
					       .acquired = on_acquired,
					       .lost = on_lost,
					       .context = party,
					       .boottime_ms = fake_boottime,
				       });
}

static bool has_record(struct race *race)
{
	struct json_object *record = fake_lease_read(&race->server);

	json_object_put(record);
	return record != NULL;
}

/* What others do to the record. That they hand it to somebody else is theirs to answer for. */
static void edit(struct race *race)
{
	static const char *const edits[][2] = {{"strategy", "'x'"}, {"renewTime", "7"},
		{"leaseDurationSeconds", "-1"}, {"leaseDurationSeconds", "1"},
		{"leaseDurationSeconds", "'x'"}, {"leaseTransitions", "[]"},
		{"holderIdentity", "{}"}};
	int which = roll(race, ARRAY_SIZE(edits) + 3);
	bool all_know = true;

	for (int i = 0; i < PARTIES; i++)
		all_know &= race->parties[i].knows;
	if (!has_record(race))
		return;
	if ((size_t)which < ARRAY_SIZE(edits))
		fake_lease_edit(&race->server, edits[which][0], edits[which][1]);
	else if (all_know) /* as in restart() */
		fake_lease_delete(&race->server);
}

/* It ends, in good order or by a crash, and another comes in its place. */
static void restart(struct race *race, struct party *party)
{
	if (!has_record(race))
		return; /* one that comes new cannot know that there was one */
	party->cut |= roll(race, 2);
	replace(race, party);
}

static void one_round(struct race *race)
{
	struct party *party = &race->parties[roll(race, PARTIES)];
	int kind = roll(race, 100);

	if (kind < 60 && party->over) {
		restart(race, party);
	} else if (kind < 60) {
		step(race, party);
	} else if (kind < 85) {
		pass(race);
	} else if (kind < 90) {
		party->cut = !party->cut;
	} else if (kind < 93) {
		edit(race);
	} else if (kind < 96) {
		finish_late(race);
	} else if (kind < 98) {
		lease_release(party->lease);
		party->over = true;
	} else {
		restart(race, party);
	}
	check(race);
}

/* The end: those that lost it or released it start anew, and all goes well. */
static void settle(struct race *race)
{
	int held = 0;

	race->calm = true;
	for (int i = 0; i < PARTIES; i++) {
		replace(race, &race->parties[i]);
		check(race);
	}
	for (int n = 0; n < 40; n++) {
		for (int i = 0; i < PARTIES; i++) {
			lease_step(race->parties[i].lease);
			check(race);
		}
		clock_ms += 1000;
	}
	for (int i = 0; i < PARTIES; i++)
		held += lease_is_held(race->parties[i].lease);
	if (held != 1)
		fail_msg("seed %u: %d hold the lease at the end", race->seed, held);
}

/* How often the lease was got. */
static int run_schedule(unsigned seed)
{
	struct race race = {.seed = seed, .dice = seed * 0x9e3779b97f4a7c15ULL + 1};

	clock_ms = 1000000;
	fake_lease_init(&race.server);
	for (int i = 0; i < PARTIES; i++)
		replace(&race, &race.parties[i]);
	for (race.round = 0; race.round < ROUNDS; race.round++)
		one_round(&race);
	settle(&race);
	for (int i = 0; i < PARTIES; i++)
		lease_free(race.parties[i].lease);
	for (int i = 0; i < LATE_MAX; i++) {
		free(race.late[i].method);
		free(race.late[i].path);
		json_object_put(race.late[i].body);
	}
	fake_lease_done(&race.server);
	return race.leaders;
}

static unsigned only_seed;

static void test_schedules(void **state)
{
	int leaders = 0;

	(void)state;
	if (only_seed) {
		run_schedule(only_seed);
		return;
	}
	for (unsigned seed = 1; seed <= SCHEDULES; seed++)
		leaders += run_schedule(seed);
	/* The schedules are worth something only if the lease goes from hand to hand in them. */
}

/* The same with threads, which nobody can replay: only the clock is the test's. */
struct runner {
	struct fake_lease *server;
	struct lease *lease;
	pthread_t worker;
	unsigned dice; /* of the lease's thread */
	_Atomic bool lost;
};

static _Atomic int runs_led, works_done;

static int call_with_faults(void *self, const struct rest_request *request,
	struct json_object **ret_body, struct error *err)
{
	struct runner *runner = self;
	int fault = rand_r(&runner->dice) % 10;
	int result;

	if (fault == 0)
		return error_set(err, ERROR_UNAVAILABLE, "refused");
	result = fake_lease_call(runner->server, request, ret_body, err);
	if (result < 0 || fault != 1)
		return result;
	json_object_put(take_ptr(*ret_body));
	return error_set(err, ERROR_TIMEOUT, "done, but who knows");
}

static void note_lost(void *context)
{
	struct runner *runner = context;

	runner->lost = true;
}

/* What a worker does: wait, then look before each step. */
static void *work(void *context)
{
	struct lease *lease = context;

	if (!lease_wait(lease))
		return NULL;
	runs_led++;
	while (lease_is_held(lease)) {
		works_done++;
		usleep(100);
	}
	return NULL;
}

static void start_runner(struct runner *runner, struct fake_lease *server)
{
	static int identities;
	const struct kube_api api = {call_with_faults, runner};
	char identity[32];

	snprintf(identity, sizeof(identity), "t%d", identities++);
	*runner = (struct runner){.server = server, .dice = (unsigned)identities};
	runner->lease = lease_new(&api, &(struct lease_options){
						.namespace = "ns",
						.name = "l",
						.identity = identity,
						.duration_ms = 1000,
						.renew_deadline_ms = 600,
						.retry_period_ms = 2,
						.lost = note_lost,
						.context = runner,
						.boottime_ms = fake_boottime,
					});
	lease_start(runner->lease);
	if (pthread_create(&runner->worker, NULL, work, runner->lease))
		abort();
}

static void end_runner(struct runner *runner)
{
	lease_stop(runner->lease);
	lease_release(runner->lease);
	pthread_join(runner->worker, NULL);
	lease_free(runner->lease);
}

/* Nobody else moves the clock or ends a lease, so that what is held now is held together. */
static int count_held(struct runner *runners)
{
	int held = 0;

	for (int i = 0; i < PARTIES; i++)
		held += lease_is_held(runners[i].lease);
	return held;
}

static void test_threads(void **state)
{
	struct runner runners[PARTIES];
	struct fake_lease server;
	unsigned dice = 1;

	(void)state;
	fake_lease_init(&server);
	for (int i = 0; i < PARTIES; i++)
		start_runner(&runners[i], &server);
	for (int round = 0; round < (runs_led < THREAD_LEADERS ? 100 : 1) * THREAD_ROUNDS;
		round++) {
		struct runner *runner = &runners[rand_r(&dice) % PARTIES];

		assert_in_range(count_held(runners), 0, 1);
		clock_ms += rand_r(&dice) % 50 ? rand_r(&dice) % 20 : rand_r(&dice) % 2000;
		assert_in_range(count_held(runners), 0, 1);
		usleep(200);
		if (runner->lost || rand_r(&dice) % 100 == 0) {
			end_runner(runner);
			start_runner(runner, &server);
		}
	}
	for (int i = 0; i < PARTIES; i++)
		end_runner(&runners[i]);
	assert_true(runs_led >= THREAD_LEADERS);
	assert_true(works_done > 0);
	fake_lease_done(&server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_threads),
	};

	only_seed = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	log_init((enum log_level)(LOG_LEVEL_ERROR + 1), LOG_FORMAT_TEXT); /* millions of lines */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
