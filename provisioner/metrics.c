/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "metric_families.h"

#define SERIES_MAX 1000 /* a family; further ones are one more, "other" */
#define CHAINS     128
#define VALUE_MAX  256 /* bytes of a label's value that are kept */

struct series {
	struct series *next;      /* in its chain */
	struct series *following; /* in the order they came */
	uint32_t hash;
	double value;     /* of a histogram: the sum */
	uint64_t count;   /* of a histogram, as the next: its observations */
	uint64_t *counts; /* by bucket, not cumulated */
	size_t length;    /* of values */
	char values[];    /* the labels', each with its NUL */
};

/* What a series has at one moment. */
struct reading {
	double value;
	uint64_t count, counts[METRIC_BUCKETS_MAX];
};

/* All series of one family. */
struct table {
	pthread_mutex_t lock; /* guards all below */
	struct series *chains[CHAINS];
	struct series *first, **last;
	size_t count;
};

/* A series whose value is asked for. */
struct gauge {
	struct gauge *next;
	enum metric metric;
	metrics_read *read;
	void *context;
	char values[];
};

struct metrics {
	struct table tables[METRIC_COUNT];
	/* Held while a gauge is read, and never together with a table's lock: what is read may
	 * hold locks of its own, under which others count. */
	pthread_mutex_t gauges_lock;
	struct gauge *gauges, **gauges_last;
};

struct metrics *metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		abort();
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		pthread_mutex_init(&metrics->tables[i].lock, NULL);
		metrics->tables[i].last = &metrics->tables[i].first;
	}
	pthread_mutex_init(&metrics->gauges_lock, NULL);
	metrics->gauges_last = &metrics->gauges;
	return metrics;
}

static void table_done(struct table *table)
{
	while (table->first) {
		struct series *series = table->first;

		table->first = series->following;
		free(series->counts);
		free(series);
	}
	pthread_mutex_destroy(&table->lock);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < METRIC_COUNT; i++)
		table_done(&metrics->tables[i]);
	while (metrics->gauges) {
		struct gauge *gauge = metrics->gauges;

		metrics->gauges = gauge->next;
		free(gauge);
	}
	pthread_mutex_destroy(&metrics->gauges_lock);
	free(metrics);
}

static size_t label_count(const struct metric_family *family)
{
	size_t count = 0;

	while (count < METRIC_LABELS_MAX && family->labels[count])
		count++;
	return count;
}

/* The labels' values one after the other, each with its NUL; their length all in all. */
static size_t join(enum metric metric, struct metrics_labels labels, char *out)
{
	size_t used = 0;

	if (labels.count != label_count(&metric_families[metric]))
		abort();
	for (size_t i = 1; i <= labels.count; i++) {
		const char *value = labels.values[i] ? labels.values[i] : "";
		size_t length = strnlen(value, VALUE_MAX);

		memcpy(out + used, value, length);
		out[used + length] = '\0';
		used += length + 1;
	}
	return used;
}

/* FNV-1a. */
static uint32_t hash_of(const char *bytes, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 16777619u;
	return hash;
}

static struct series *find_series(
	struct table *table, uint32_t hash, const char *values, size_t length)
{
	struct series *series = table->chains[hash % CHAINS];

	while (series && (series->hash != hash || series->length != length ||
				 memcmp(series->values, values, length) != 0))
		series = series->next;
	return series;
}

static struct series *add_series(struct table *table, const struct metric_family *family,
	uint32_t hash, const char *values, size_t length)
{
	struct series *series = calloc(1, sizeof(*series) + length);

	if (!series)
		abort();
	memcpy(series->values, values, length);
	series->hash = hash;
	series->length = length;
	if (family->buckets) {
		series->counts = calloc(family->buckets->count, sizeof(*series->counts));
		if (!series->counts)
			abort();
	}
	series->next = table->chains[hash % CHAINS];
	table->chains[hash % CHAINS] = series;
	*table->last = series;
	table->last = &series->following;
	table->count++;
	return series;
}

/* The series of these labels, made where it is new. The table is locked. */
static struct series *get_series(struct metrics *metrics, enum metric metric, const char *values,
	size_t length, uint32_t hash)
{
	static const char *const others[] = {NULL, "other", "other", "other"};
	const struct metric_family *family = &metric_families[metric];
	struct table *table = &metrics->tables[metric];
	struct series *series = find_series(table, hash, values, length);
	char other[sizeof("other") * METRIC_LABELS_MAX];

	if (series)
		return series;
	if (table->count >= SERIES_MAX) {
		length = join(metric, (struct metrics_labels){others, label_count(family)}, other);
		values = other;
		hash = hash_of(values, length);
		series = find_series(table, hash, values, length);
	}
	return series ? series : add_series(table, family, hash, values, length);
}

void metrics_add_values(
	struct metrics *metrics, enum metric metric, double value, struct metrics_labels labels)
{
	char values[METRIC_LABELS_MAX * (VALUE_MAX + 1)];
	size_t length;
	uint32_t hash;

	if (!metrics)
		return;
	length = join(metric, labels, values);
	hash = hash_of(values, length);
	pthread_mutex_lock(&metrics->tables[metric].lock);
	get_series(metrics, metric, values, length, hash)->value += value;
	pthread_mutex_unlock(&metrics->tables[metric].lock);
}

void metrics_observe_values(
	struct metrics *metrics, enum metric metric, double seconds, struct metrics_labels labels)
{
	const struct metric_buckets *buckets = metric_families[metric].buckets;
	char values[METRIC_LABELS_MAX * (VALUE_MAX + 1)];
	struct series *series;
	size_t length, bucket = 0;
	uint32_t hash;

	if (!metrics)
		return;
	if (!buckets)
		abort();
	length = join(metric, labels, values);
	hash = hash_of(values, length);
	while (bucket < buckets->count && seconds > buckets->bounds[bucket])
		bucket++;
	pthread_mutex_lock(&metrics->tables[metric].lock);
	series = get_series(metrics, metric, values, length, hash);
	series->value += seconds;
	series->count++;
	if (bucket < buckets->count)
		series->counts[bucket]++;
	pthread_mutex_unlock(&metrics->tables[metric].lock);
}

void metrics_gauge_values(struct metrics *metrics, enum metric metric, metrics_read *read,
	void *context, struct metrics_labels labels)
{
	char values[METRIC_LABELS_MAX * (VALUE_MAX + 1)];
	struct gauge *gauge;
	size_t length;

	if (!metrics)
		return;
	length = join(metric, labels, values);
	gauge = calloc(1, sizeof(*gauge) + length);
	if (!gauge)
		abort();
	gauge->metric = metric;
	gauge->read = read;
	gauge->context = context;
	memcpy(gauge->values, values, length);
	pthread_mutex_lock(&metrics->gauges_lock);
	*metrics->gauges_last = gauge;
	metrics->gauges_last = &gauge->next;
	pthread_mutex_unlock(&metrics->gauges_lock);
}

void metrics_forget(struct metrics *metrics, const void *context)
{
	struct gauge **at;

	if (!metrics)
		return;
	pthread_mutex_lock(&metrics->gauges_lock);
	for (at = &metrics->gauges; *at;) {
		struct gauge *gauge = *at;

		if (gauge->context != context) {
			at = &gauge->next;
			continue;
		}
		*at = gauge->next;
		free(gauge);
	}
	metrics->gauges_last = at;
	pthread_mutex_unlock(&metrics->gauges_lock);
}

/* All labels are ASCII by the rules of those who made them; what is not becomes a ?. */
static void write_value(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value >= ' ' && *value < 0x7f ? *value : '?', out);
	}
}

/* NAME{label="value",...}, with le="BOUND" as the last where there is one. */
static void write_name(FILE *out, const struct metric_family *family, const char *suffix,
	const char *values, const char *bound)
{
	const char *before = "{";

	fprintf(out, "%s%s", family->name, suffix);
	for (size_t i = 0; i < label_count(family); i++) {
		fprintf(out, "%s%s=\"", before, family->labels[i]);
		write_value(out, values);
		fputc('"', out);
		values += strlen(values) + 1;
		before = ",";
	}
	if (bound)
		fprintf(out, "%sle=\"%s\"", before, bound);
	if (bound || *before == ',')
		fputc('}', out);
	fputc(' ', out);
}

/* The shortest text of VALUE that is read back as VALUE. */
static const char *number(double value, char *text, size_t size)
{
	for (int digits = 15; digits <= 17; digits += 2) {
		snprintf(text, size, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	if (isnan(value) || isinf(value))
		snprintf(text, size, "%s", isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
	return text;
}

static void write_histogram(FILE *out, const struct metric_family *family, const char *values,
	const struct reading *reading)
{
	uint64_t sum = 0;
	char text[32];

	for (size_t i = 0; i < family->buckets->count; i++) {
		sum += reading->counts[i];
		write_name(out, family, "_bucket", values,
			number(family->buckets->bounds[i], text, sizeof(text)));
		fprintf(out, "%llu\n", (unsigned long long)sum);
	}
	write_name(out, family, "_bucket", values, "+Inf");
	fprintf(out, "%llu\n", (unsigned long long)reading->count);
	write_name(out, family, "_sum", values, NULL);
	fprintf(out, "%s\n", number(reading->value, text, sizeof(text)));
	write_name(out, family, "_count", values, NULL);
	fprintf(out, "%llu\n", (unsigned long long)reading->count);
}

static void write_simple(
	FILE *out, const struct metric_family *family, const char *values, double value)
{
	char text[32];

	write_name(out, family, "", values, NULL);
	fprintf(out, "%s\n", number(value, text, sizeof(text)));
}

static void write_head(FILE *out, const struct metric_family *family, bool *head)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	if (!*head)
		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
			family->name, types[family->type]);
	*head = true;
}

/* SERIES as it is now; the one that follows it. */
static struct series *read_series(struct table *table, const struct metric_family *family,
	struct series *series, struct reading *ret)
{
	struct series *following;

	pthread_mutex_lock(&table->lock);
	ret->value = series->value;
	ret->count = series->count;
	if (family->buckets)
		memcpy(ret->counts, series->counts,
			family->buckets->count * sizeof(*series->counts));
	following = series->following;
	pthread_mutex_unlock(&table->lock);
	return following;
}

/* Series stay as long as the table: only their values need its lock, so that nobody who counts
 * waits while texts are made. */
static void write_series(
	struct table *table, const struct metric_family *family, FILE *out, bool *head)
{
	struct series *series;
	size_t count;

	pthread_mutex_lock(&table->lock);
	series = table->first;
	count = table->count;
	pthread_mutex_unlock(&table->lock);
	while (count-- > 0) {
		const char *values = series->values;
		struct reading reading;

		series = read_series(table, family, series, &reading);
		write_head(out, family, head);
		if (family->buckets)
			write_histogram(out, family, values, &reading);
		else
			write_simple(out, family, values, reading.value);
	}
}

void metrics_write(struct metrics *metrics, FILE *out)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];
		bool head = false;

		write_series(&metrics->tables[i], family, out, &head);
		pthread_mutex_lock(&metrics->gauges_lock);
		for (const struct gauge *gauge = metrics->gauges; gauge; gauge = gauge->next) {
			if (gauge->metric != i)
				continue;
			write_head(out, family, &head);
			write_simple(out, family, gauge->values, gauge->read(gauge->context));
		}
		pthread_mutex_unlock(&metrics->gauges_lock);
	}
}

const char *metrics_grpc_code(int code)
{
	static const char *const names[] = {"OK", "Canceled", "Unknown", "InvalidArgument",
		"DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
		"ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
		"Internal", "Unavailable", "DataLoss", "Unauthenticated"};

	return code >= 0 && (size_t)code < ARRAY_SIZE(names) ? names[code] : "Unknown";
}
