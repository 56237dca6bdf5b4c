/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_process.h"

#include <dirent.h>

#include "cleanup.h"
#include "csi_calls.h"
#include "failure.h"
#include "measure.h"

#define TRASH_SECONDS 120

/* The driver's log. Caller frees. */
static char *log_path(const struct scratch *scratch)
{
	char *path;

	if (asprintf(&path, "%s/driver.log", scratch->other) < 0)
		abort();
	return path;
}

static void start(
	struct driver_process *driver, const char *program, const char *backend, const char *base)
{
	_cleanup_free_ char *log = log_path(driver->scratch);
	char endpoint[128];
	char *const argv[] = {(char *)program, endpoint, (char *)backend, (char *)base,
		(char *)"--nodeid=bench", NULL};
	double began = measure_now();
	struct error err;

	snprintf(driver->socket, sizeof(driver->socket), "%s/csi.sock", driver->scratch->other);
	snprintf(endpoint, sizeof(endpoint), "--endpoint=unix://%s", driver->socket);
	process_start(&driver->process, log, argv);
	process_wait_listens(&driver->process, driver->socket);
	if (rpc_client_new(driver->socket, &driver->client, &err) < 0)
		failure_exit("%s", err.text);
	csi_calls_probe(driver->client);
	driver->start_seconds = measure_now() - began;
}

void driver_process_start(struct driver_process *driver, const char *program,
	const struct scratch *scratch, const char *root)
{
	_cleanup_free_ char *path = scratch_directory(scratch, root);
	char base[PATH_MAX + 32];

	*driver = (struct driver_process){.scratch = scratch};
	snprintf(driver->root, sizeof(driver->root), "%s", path);
	snprintf(base, sizeof(base), "--hostpath-root=%s", path);
	start(driver, program, "--backend=hostpath", base);
}

void driver_process_start_nfs(
	struct driver_process *driver, const char *program, const struct scratch *scratch)
{
	char base[128];

	*driver = (struct driver_process){.scratch = scratch};
	snprintf(base, sizeof(base), "--mount-dir=%s/mounts", scratch->other);
	start(driver, program, "--backend=nfs", base);
}

void driver_process_stop(struct driver_process *driver)
{
	rpc_client_free(take_ptr(driver->client));
	process_stop(&driver->process);
}

/* A base that has no trash yet has nothing in it. */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = true;

	while (dir && empty && (entry = readdir(dir)))
		empty = entry->d_name[0] == '.';
	if (dir)
		closedir(dir);
	return empty;
}

void driver_process_wait_trash(const struct driver_process *driver)
{
	double end = measure_now() + TRASH_SECONDS;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/.ordinal/trash", driver->root);
	while (!is_empty(path)) {
		errno = 0;
		if (measure_now() > end)
			failure_exit("deleted volumes are still there after %d s", TRASH_SECONDS);
		usleep(500);
	}
}

void driver_process_show_log(const struct scratch *scratch)
{
	_cleanup_free_ char *log = log_path(scratch);

	process_show_log("the driver", log);
}
