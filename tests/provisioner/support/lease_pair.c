/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_pair.h"

#include <string.h>

#include "testing.h"

_Atomic int64_t lease_pair_ms;

static int64_t fake_boottime(void)
{
	return lease_pair_ms;
}

static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct party *party = self;
	int result;

	party->requests++;
	party->limit_ms = request->timeout_ms;
	lease_pair_ms += party->before_ms;
	if (party->fail && (!party->fail_method || !strcmp(party->fail_method, request->method)))
		return error_set(err, party->fail, "as the test wants");
	result = fake_lease_call(party->server, request, ret_body, err);
	if (party->meddle && !strcmp(request->method, "GET")) {
		fake_lease_edit(party->server, "strategy", "'x'");
		party->meddle = false;
	}
	lease_pair_ms += party->after_ms;
	if (result == 0 && party->answer) {
		json_object_put(*ret_body);
		*ret_body = json_of(party->answer);
	}
	return result;
}

static void on_acquired(void *context, const struct object *object)
{
	struct party *party = context;

	party->acquired++;
	if (object)
		snprintf(party->event_name, sizeof(party->event_name), "%s %s %s", object->key,
			object->uid, object->resource_version);
}

static void on_lost(void *context)
{
	struct party *party = context;

	party->lost++;
	party->held_at_end = lease_is_held(party->lease);
}

static void join(struct party *party, struct fake_lease *server, const char *identity)
{
	const struct kube_api api = {call, party};

	*party = (struct party){.server = server};
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

void lease_pair_init(struct lease_pair *pair)
{
	lease_pair_ms = 1000000;
	fake_lease_init(&pair->server);
	join(&pair->a, &pair->server, "a");
	join(&pair->b, &pair->server, "b");
}

void lease_pair_done(struct lease_pair *pair)
{
	lease_free(pair->a.lease);
	lease_free(pair->b.lease);
	fake_lease_done(&pair->server);
}

bool lease_pair_step(struct party *party)
{
	lease_step(party->lease);
	return lease_is_held(party->lease);
}

void lease_pair_check_holder(struct lease_pair *pair, const char *wanted)
{
	_cleanup_free_ char *holder = fake_lease_holder(&pair->server);

	assert_string_equal(holder, wanted);
}

char *lease_pair_spec(struct lease_pair *pair, const char *key)
{
	struct json_object *record = fake_lease_read(&pair->server), *value = NULL;
	char *text;

	json_object_object_get_ex(json_member(record, "spec", json_type_object), key, &value);
	text = strdup(json_object_to_json_string(value));
	json_object_put(record);
	return text;
}

void lease_pair_check_spec(struct lease_pair *pair, const char *key, const char *wanted)
{
	_cleanup_free_ char *text = lease_pair_spec(pair, key);

	assert_case_text(key, text, wanted);
}
