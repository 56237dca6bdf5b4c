/* SPDX-License-Identifier: Apache-2.0 */
#include "process_metrics.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "names.h"

/* The first line of FILE that begins with START, or "". */
static void read_line(const char *path, const char *start, char *line, int size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	while (file && fgets(line, size, file))
		if (!strncmp(line, start, strlen(start)))
			return;
	*line = '\0';
}

static double resident_bytes(void *context)
{
	char line[256];
	char *end;

	(void)context;
	read_line("/proc/self/statm", "", line, sizeof(line));
	strtoul(line, &end, 10);
	return (double)strtoul(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void *context)
{
	struct timespec used;

	(void)context;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double open_fds(void *context)
{
	_cleanup_(cleanup_closedir) DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	(void)context;
	while (folder && (entry = readdir(folder)))
		if (*entry->d_name != '.')
			count++;
	return count ? count - 1 : 0; /* one is the folder's own */
}

static double max_fds(void *context)
{
	struct rlimit limit = {0};

	(void)context;
	getrlimit(RLIMIT_NOFILE, &limit);
	return (double)limit.rlim_cur;
}

static double start_seconds(void *context)
{
	char line[1024];
	const char *at;
	double boot, ticks = 0;

	(void)context;
	read_line("/proc/stat", "btime ", line, sizeof(line));
	boot = *line ? strtod(line + strlen("btime "), NULL) : 0;
	read_line("/proc/self/stat", "", line, sizeof(line));
	/* Its 22nd field. The second, the name, may hold spaces, and ends with the last ')'. */
	at = strrchr(line, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		ticks = strtod(at, NULL);
	return boot + ticks / (double)sysconf(_SC_CLK_TCK);
}

void process_metrics_register(struct metrics *metrics)
{
	metrics_add(metrics, METRIC_BUILD_INFO, 1, ORDINAL_VERSION);
	metrics_gauge(metrics, METRIC_PROCESS_RESIDENT_BYTES, resident_bytes, NULL);
	metrics_gauge(metrics, METRIC_PROCESS_CPU_SECONDS, cpu_seconds, NULL);
	metrics_gauge(metrics, METRIC_PROCESS_OPEN_FDS, open_fds, NULL);
	metrics_gauge(metrics, METRIC_PROCESS_MAX_FDS, max_fds, NULL);
	metrics_gauge(metrics, METRIC_PROCESS_START_SECONDS, start_seconds, NULL);
}
