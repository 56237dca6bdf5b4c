/* SPDX-License-Identifier: Apache-2.0 */
/* deploy/grafana/ordinal.json asks for metrics and labels that there are, and for all of them. */
#include <ctype.h>
#include <string.h>

#include "metric_families.h"
#include "testing.h"

#define DASHBOARD "deploy/grafana/ordinal.json"

/* What is neither a metric nor a label of ours in a query. */
static const char *const words[] = {"by", "or", "vector", "le", "instance", "rate", "sum", "min",
	"max", "count", "time", "histogram_quantile", "label_values", "__rate_interval"};

static bool used[METRIC_COUNT];
static size_t queries;

static bool is_word(const char *token)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], token))
			return true;
	return false;
}

static bool is_label(const char *token)
{
	for (size_t i = 0; i < METRIC_COUNT; i++)
		for (size_t j = 0; j < METRIC_LABELS_MAX; j++)
			if (metric_families[i].labels[j] &&
				!strcmp(metric_families[i].labels[j], token))
				return true;
	return false;
}

/* Whether TOKEN is the series of a family: a histogram has only those of its parts. */
static bool is_metric(const char *token)
{
	static const char *const parts[] = {"_bucket", "_sum", "_count"};

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];
		size_t length = strlen(family->name);
		bool found = family->type != METRIC_HISTOGRAM && !strcmp(family->name, token);

		for (size_t j = 0; family->type == METRIC_HISTOGRAM && j < ARRAY_SIZE(parts); j++)
			found |= !strncmp(family->name, token, length) &&
				 !strcmp(token + length, parts[j]);
		if (found)
			return used[i] = true;
	}
	return false;
}

static void check_query(const char *query)
{
	const char *at = query;

	queries++;
	while (*at) {
		_cleanup_free_ char *token = NULL;
		size_t length = 0;

		if (*at == '"') { /* a value */
			at += strcspn(at + 1, "\"") + 2;
			continue;
		}
		while (isalnum((unsigned char)at[length]) || at[length] == '_')
			length++;
		if (length == 0 || isdigit((unsigned char)*at)) {
			at += length ? length : 1;
			continue;
		}
		token = strndup(at, length);
		if (!is_word(token) && !is_label(token) && !is_metric(token))
			fail_msg("%s: what is %s?", query, token);
		at += length;
	}
}

/* Each {{LABEL}}. */
static void check_legend(const char *legend)
{
	const char *at = legend;

	while ((at = strstr(at, "{{"))) {
		_cleanup_free_ char *label = strndup(at + 2, strcspn(at + 2, "}"));

		if (!is_label(label) && strcmp(label, "instance") != 0)
			fail_msg("%s: there is no label %s", legend, label);
		at += 2;
	}
}

static void look_at(struct json_object *json)
{
	if (json_object_is_type(json, json_type_array))
		for (size_t i = 0; i < json_object_array_length(json); i++)
			look_at(json_object_array_get_idx(json, i));
	if (!json_object_is_type(json, json_type_object))
		return;
	if (json_string(json, "expr"))
		check_query(json_string(json, "expr"));
	if (json_string(json, "definition"))
		check_query(json_string(json, "definition"));
	if (json_string(json, "legendFormat"))
		check_legend(json_string(json, "legendFormat"));
	json_object_object_foreach(json, key, member)
	{
		(void)key;
		look_at(member);
	}
}

static void test_dashboard(void **state)
{
	struct json_object *dashboard = json_object_from_file(DASHBOARD);

	(void)state;
	assert_non_null(dashboard);
	look_at(dashboard);
	json_object_put(dashboard);
	assert_true(queries > 30);
	for (size_t i = 0; i < METRIC_COUNT; i++)
		if (!used[i])
			fail_msg("%s is not shown", metric_families[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_dashboard)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
