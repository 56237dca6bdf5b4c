/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_api.h"

#include <string.h>

#include "testing.h"

void fake_api_init(struct fake_api *fake, const struct api_step *steps, size_t count)
{
	*fake = (struct fake_api){.steps = steps, .step_count = count};
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->released, NULL);
}

void fake_api_done(struct fake_api *fake)
{
	for (size_t i = 0; i < FAKE_API_MAX; i++)
		free(fake->seen[i]);
	free(fake->last);
	pthread_cond_destroy(&fake->released);
	pthread_mutex_destroy(&fake->lock);
}

static bool matches(const struct api_step *step, const struct rest_request *request)
{
	_cleanup_free_ char *line = NULL;
	size_t length = strlen(step->match);

	if (asprintf(&line, "%s %s", request->method, request->path) < 0)
		abort();
	if (length && step->match[length - 1] == '*')
		return !strncmp(line, step->match, length - 1);
	return !strcmp(line, step->match);
}

static const struct api_step *find_step(struct fake_api *fake, const struct rest_request *request)
{
	for (size_t i = 0; i < fake->step_count; i++) {
		if (fake->used[i] || !matches(&fake->steps[i], request))
			continue;
		fake->used[i] = !fake->steps[i].repeat;
		return &fake->steps[i];
	}
	return NULL;
}

static void note(struct fake_api *fake, const struct rest_request *request)
{
	const char *body =
		request->body ? json_object_to_json_string_ext(request->body,
					JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
			      : "";
	const char *type = request->content_type ? request->content_type : "";

	free(fake->last);
	if (asprintf(&fake->last, "%s %s%s%s%s%s", request->method, request->path, *type ? " " : "",
		    type, *body ? " " : "", body) < 0)
		abort();
	if (fake->seen_count < FAKE_API_MAX)
		fake->seen[fake->seen_count] = strdup(fake->last);
	fake->seen_count++;
}

static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct fake_api *fake = self;
	const struct api_step *step;

	pthread_mutex_lock(&fake->lock);
	note(fake, request);
	while (fake->holding)
		pthread_cond_wait(&fake->released, &fake->lock);
	step = find_step(fake, request);
	pthread_mutex_unlock(&fake->lock);
	if (!step)
		return error_set(err, ERROR_INTERNAL, "not in the script: %s %s", request->method,
			request->path);
	if (step->kind)
		return error_set(err, step->kind, "%s", step->text);
	if (ret_body)
		*ret_body = json_of(step->text ? step->text : "{}");
	return 0;
}

struct kube_api fake_api_table(struct fake_api *fake)
{
	return (struct kube_api){call, fake};
}

const char *fake_api_seen(struct fake_api *fake, size_t index)
{
	return index < FAKE_API_MAX && fake->seen[index] ? fake->seen[index] : "";
}

size_t fake_api_count(struct fake_api *fake)
{
	size_t count;

	pthread_mutex_lock(&fake->lock);
	count = fake->seen_count;
	pthread_mutex_unlock(&fake->lock);
	return count;
}

void fake_api_hold(struct fake_api *fake, bool hold)
{
	pthread_mutex_lock(&fake->lock);
	fake->holding = hold;
	pthread_cond_broadcast(&fake->released);
	pthread_mutex_unlock(&fake->lock);
}
