/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_request.h"

#include <string.h>

#include "testing.h"
#include "world.h"

#define SECRET "GET /api/v1/namespaces/n/secrets/s"

static struct volume_request *new_request(bool copied, bool with_secret)
{
	_cleanup_object_ struct claim *claim = object_of(
		&claim_type, "{'metadata': {'name': 'c', 'namespace': 'n', 'uid': 'u1'}}");
	struct volume_request *request = volume_request_new(claim, "pvc-u1");

	request->required_bytes = 100;
	if (copied)
		request->source_volume = strdup("h0");
	if (with_secret)
		request->secret = (struct secret_reference){strdup("n"), strdup("s")};
	return request;
}

/* What the driver answers, and what is made of it. */
static const struct {
	const char *name;
	bool copied;
	struct driver_step steps[2];
	enum error_kind kind;
	int64_t bytes;
	const char *says, *last_call;
} answers[] = {
	{"as asked", false, {{ERROR_NONE, "h1", 100, {NULL}, {NULL}}}, ERROR_NONE, 100, NULL, NULL},
	{"larger", false, {{ERROR_NONE, "h1", 101, {NULL}, {NULL}}}, ERROR_NONE, 101, NULL, NULL},
	{"does not say", false, {{ERROR_NONE, "h1", 0, {NULL}, {NULL}}}, ERROR_NONE, 100, NULL,
		NULL},
	{"a copy", true, {{ERROR_NONE, "h1", 100 | WORLD_HAS_SOURCE, {NULL}, {NULL}}}, ERROR_NONE,
		100, NULL, NULL},
	{"smaller", false,
		{{ERROR_NONE, "h1", 99, {NULL}, {NULL}}, {ERROR_NONE, NULL, 0, {NULL}, {NULL}}},
		ERROR_OUT_OF_RANGE, 0, "smaller than the", "delete h1"},
	{"smaller, and stays", false,
		{{ERROR_NONE, "h1", 99, {NULL}, {NULL}}, {ERROR_INTERNAL, "no", 0, {NULL}, {NULL}}},
		ERROR_ABORTED, 0, "smaller than the", "delete h1"},
	{"no copy", true,
		{{ERROR_NONE, "h1", 100, {NULL}, {NULL}}, {ERROR_NONE, NULL, 0, {NULL}, {NULL}}},
		ERROR_OUT_OF_RANGE, 0, "an empty volume where a copy was asked for", "delete h1"},
	{"refused", false, {{ERROR_INVALID, "no", 0, {NULL}, {NULL}}}, ERROR_INVALID, 0, "no",
		NULL},
};

static void check_answer(size_t i)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request =
		new_request(answers[i].copied, false);
	const char *name = answers[i].name;
	struct string_map none = {.count = 0};
	struct csi_volume volume;
	struct error err = {0};
	struct world world;
	int result;

	world_init(&world, answers[i].steps, 2, NULL, 0);
	result = volume_request_send(request, &world.controller, &none, &volume, &err);
	assert_case(name, result == (answers[i].kind ? -1 : 0));
	if (result == 0) {
		assert_case(name, volume.capacity_bytes == answers[i].bytes);
		csi_volume_done(&volume);
	} else {
		assert_case(name, err.kind == answers[i].kind);
		assert_case(name, strstr(err.text, answers[i].says));
	}
	assert_case(name, world.call_count == (answers[i].last_call ? 2 : 1));
	if (answers[i].last_call)
		assert_case_text(name, world.calls[1], answers[i].last_call);
	world_done(&world);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		check_answer(i);
}

/* What keeps a secret from being read is never taken for the driver's answer. */
static void test_secret(void **state)
{
	static const struct {
		struct api_step step;
		const char *value; /* NULL: there is none */
	} cases[] = {
		{{SECRET, ERROR_NONE, "{'data': {'k': 'dg=='}}", true}, "v"},
		{{SECRET, ERROR_NOT_FOUND, "gone", true}, NULL},
		{{SECRET, ERROR_FORBIDDEN, "no", true}, NULL},
		{{SECRET, ERROR_INVALID, "no", true}, NULL},
		{{SECRET, ERROR_NONE, "{'data': {'k': '!'}}", true}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(volume_request_unrefp) struct volume_request *request =
			new_request(false, true);
		struct string_map secret;
		struct error err = {0};
		struct world world;
		int result;

		world_init(&world, NULL, 0, &cases[i].step, 1);
		result = volume_request_secret(request, &world.controller, &secret, &err);
		assert_int_equal(result, cases[i].value ? 0 : -1);
		assert_case(cases[i].step.text, result == 0 || err.kind == ERROR_UNAVAILABLE);
		if (cases[i].value)
			assert_string_equal(string_map_get(&secret, "k"), cases[i].value);
		assert_int_equal(world.call_count, 0);
		string_map_wipe(&secret);
		world_done(&world);
	}
}

static void test_no_secret(void **state)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request = new_request(false, false);
	struct string_map secret;
	struct world world;

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	assert_int_equal(volume_request_secret(request, &world.controller, &secret, NULL), 0);
	assert_int_equal(secret.count, 0);
	assert_int_equal(fake_api_count(&world.api), 0);
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
