/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "driver.h"
#include "flags.h"
#include "helper.h"
#include "log.h"
#include "names.h"
#include "probe.h"
#include "quota.h"
#include "registration.h"

#define PROGRAM "ordinal-csi"

/* Calls that run at a time: they wait for disks, not for processors; on NFS for servers, too, and
 * those that hang keep EXPORT_INSIDE_MAX each. */
#define WORKERS     16
#define WORKERS_NFS 64

/* How long calls in flight may go on after SIGTERM; kubelet gives a pod 30 s. */
#define STOP_GRACE_MS 10000

/* What the worker of the registration service sends to main. */
#define SIGNAL_REFUSED SIGUSR1

/* As --backend has them. */
enum { BACKEND_HOSTPATH, BACKEND_NFS };

static const char *endpoint = "unix:///csi/csi.sock";
static const char *node_id;
static const char *driver_name;
static int backend_choice;
static struct flag_strings hostpath_roots;
static struct flag_strings exports;
static const char *mount_dir;
static const char *registration_path;
static const char *registration_dir = "/registration";
static int socket_gid = -1;
static bool stats_walk;
static int trash_rate = 10000;
static int project_id_base = QUOTA_ID_FIRST;
static bool probe;
static int log_format_choice = LOG_FORMAT_TEXT;
static int log_level_choice = LOG_LEVEL_INFO;

static const struct flag flags[] = {
	{"endpoint", FLAG_STRING, &endpoint,
		"Where to serve CSI: unix:///path/csi.sock. Default unix:///csi/csi.sock.", 0, 0,
		NULL},
	{"nodeid", FLAG_STRING, &node_id,
		"Name of this node, at most 63 characters: the Kubernetes node's name. Required.",
		0, 0, NULL},
	{"drivername", FLAG_STRING, &driver_name,
		"Name of the driver. Default " ORDINAL_HOSTPATH_DRIVER ", or " ORDINAL_NFS_DRIVER
		" with --backend=nfs.",
		0, 0, NULL},
	{"backend", FLAG_CHOICE, &backend_choice, "Where volumes lie. Default hostpath.", 0, 0,
		"hostpath|nfs"},
	{"hostpath-root", FLAG_STRINGS, &hostpath_roots,
		"Directory at or below which a StorageClass' path may lie. The first is what classes "
		"without a path get. Default /var/lib/ordinal.",
		0, 0, NULL},
	{"export", FLAG_STRINGS, &exports,
		"server:/share=/path: an NFS export that is there at a path of this machine already, "
		"and is not mounted by the driver. The first is what classes without server and "
		"share get.",
		0, 0, NULL},
	{"mount-dir", FLAG_STRING, &mount_dir,
		"Where exports are mounted, with --backend=nfs: at the same path as on the host. "
		"Default: mounts, beside --kubelet-registration-path; else /run/ordinal-csi.",
		0, 0, NULL},
	{"kubelet-registration-path", FLAG_STRING, &registration_path,
		"The CSI socket as a path on the host, for kubelet. Without it the driver does not "
		"register.",
		0, 0, NULL},
	{"kubelet-registration-dir", FLAG_STRING, &registration_dir,
		"Where kubelet's plugins_registry directory is mounted. Default /registration.", 0,
		0, NULL},
	{"socket-gid", FLAG_INT, &socket_gid,
		"Group that may use the CSI socket, besides root. Default: root's.", 0, 0x7fffffff,
		NULL},
	{"trash-rate", FLAG_INT, &trash_rate,
		"How many files of deleted volumes are removed a second; 0: as many as possible. "
		"Default 10000.",
		0, 1000000, NULL},
	{"project-id-base", FLAG_INT, &project_id_base,
		"Where the project ids begin that volumes get on file systems with project quotas; "
		"such as are in use are left alone. Default 1000000000.",
		1, QUOTA_ID_MAX, NULL},
	{"stats-walk", FLAG_BOOL, &stats_walk,
		"Report what each volume itself uses, by looking at every file of it, one volume at "
		"a time. Default: what its file system says.",
		0, 0, NULL},
	{"probe", FLAG_BOOL, &probe,
		"Ask the driver that serves --endpoint whether it is ready, and exit: 0 when it is, 1 "
		"when it is not or does not answer within 3 s. Of the other flags none matters.",
		0, 0, NULL},
	{"log-format", FLAG_CHOICE, &log_format_choice, "Form of the log. Default text.", 0, 0,
		"text|json"},
	{"log-level", FLAG_CHOICE, &log_level_choice, "Least level that is logged. Default info.",
		0, 0, "debug|info|warn|error"},
	{0},
};

/* A name of DNS, of which topology keys and socket names are made. */
static bool is_driver_name(const char *name)
{
	size_t length = strlen(name);

	if (!length || length > DRIVER_NAME_MAX || !isalnum((unsigned char)name[0]) ||
		!isalnum((unsigned char)name[length - 1]))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-.", *name))
			return false;
	return true;
}

static void check_endpoint(void)
{
	if (!strncmp(endpoint, "unix:", 5))
		endpoint += 5;
	while (endpoint[0] == '/' && endpoint[1] == '/')
		endpoint++;
	if (*endpoint != '/')
		flags_reject(PROGRAM, flags, "endpoint", "is not unix:///path/csi.sock");
}

/* Bases may lie at, and below, these directories of the node. */
static struct flag_strings roots;

static void check_places(void)
{
	struct error err;

	if (backend_choice == BACKEND_NFS && hostpath_roots.count)
		flags_reject(PROGRAM, flags, "hostpath-root", "is not for --backend=nfs");
	if (mount_dir && *mount_dir != '/')
		flags_reject(PROGRAM, flags, "mount-dir", "is not an absolute path");
	if (backend_choice == BACKEND_HOSTPATH && exports.count)
		flags_reject(PROGRAM, flags, "export", "is for --backend=nfs");
	if (backend_choice == BACKEND_HOSTPATH && !hostpath_roots.count)
		hostpath_roots.values[hostpath_roots.count++] = "/var/lib/ordinal";
	if (backend_hostpath_check_roots(&hostpath_roots, &err) < 0)
		flags_reject(PROGRAM, flags, "hostpath-root", err.text);
	roots = hostpath_roots;
	if (backend_nfs_check_exports(&exports, &roots, &err) < 0)
		flags_reject(PROGRAM, flags, "export", err.text);
}

static void check_flags(void)
{

	if (!node_id || !*node_id || strlen(node_id) > DRIVER_NODE_ID_MAX)
		flags_reject(PROGRAM, flags, "nodeid", "is required, with at most 63 characters");
	if (!driver_name)
		driver_name = backend_choice == BACKEND_NFS ? ORDINAL_NFS_DRIVER
							    : ORDINAL_HOSTPATH_DRIVER;
	if (!is_driver_name(driver_name))
		flags_reject(PROGRAM, flags, "drivername",
			"is not a domain name of at most 63 characters");
	check_places();
	if (registration_path && *registration_path != '/')
		flags_reject(
			PROGRAM, flags, "kubelet-registration-path", "is not an absolute path");
}

/* Where exports are mounted if --mount-dir does not say. */
static const char *default_mount_dir(void)
{
	static char path[PATH_MAX];
	const char *slash = registration_path ? strrchr(registration_path, '/') : NULL;

	if (!slash || slash == registration_path)
		return "/run/ordinal-csi";
	snprintf(path, sizeof(path), "%.*s/mounts", (int)(slash - registration_path),
		registration_path);
	return path;
}

/* The exit code of --probe. */
static int run_probe(void)
{
	struct error err;

	if (probe_driver(endpoint, &err) == 0)
		return 0;
	fprintf(stderr, PROGRAM ": %s\n", err.text);
	return 1;
}

static void refused_by_kubelet(void)
{
	kill(getpid(), SIGNAL_REFUSED);
}

/* The signals that end the process; blocked before there are threads, so that main alone gets
 * them. */
static sigset_t block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGNAL_REFUSED);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signals;
}

static int wait_for_signal(const sigset_t *signals)
{
	int signal_number = 0;

	while (sigwait(signals, &signal_number))
		;
	log_info("%s: stopping, calls in flight have %d s; a second signal ends at once",
		signal_number == SIGNAL_REFUSED ? "refused by kubelet" : strsignal(signal_number),
		STOP_GRACE_MS / 1000);
	pthread_sigmask(SIG_UNBLOCK, signals, NULL);
	return signal_number;
}

/* A connection is a descriptor, and gRPC does not recover from having none left. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Serve until a signal comes; returns the exit code. */
static int serve(struct driver *driver, const sigset_t *signals)
{
	const struct rpc_service services[] = {
		{identity_methods, driver},
		{controller_methods, driver},
		{node_methods, driver},
		{0},
	};
	const struct rpc_server_options options = {
		.socket_path = endpoint,
		.socket_mode = 0660,
		.socket_gid = (gid_t)socket_gid,
		.services = services,
		.workers = driver->backend->mounts ? WORKERS_NFS : WORKERS,
		.cancelled = driver_interrupt,
		.cancelled_context = driver,
	};
	struct registration registration = {
		.driver_name = driver_name,
		.endpoint = registration_path,
		.refused = refused_by_kubelet,
	};
	struct rpc_server *server;
	struct error err;
	int code = 1;

	if (rpc_server_start(&options, &server, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	if (registration_path && registration_start(&registration, registration_dir, &err) < 0) {
		log_error("cannot register with kubelet: %s", err.text);
	} else {
		log_info(PROGRAM " %s: driver %s on node %s serves %s", ORDINAL_VERSION,
			driver_name, node_id, endpoint);
		code = wait_for_signal(signals) == SIGNAL_REFUSED ? 1 : 0;
		if (registration_path)
			registration_stop(&registration);
	}
	/* A call that hangs in the kernel ends with the process alone. */
	alarm(2 * STOP_GRACE_MS / 1000);
	volumes_interrupt(&driver->volumes);
	rpc_server_stop(server, STOP_GRACE_MS);
	return code;
}

int main(int argc, char **argv)
{
	static struct driver driver;
	static struct exports mounts;
	struct backend backend = {.roots = &roots, .exports = &exports};
	sigset_t signals;
	int code;

	if (helper_is_asked_for(argc, argv))
		return helper_main(argc, argv);
	flags_parse(PROGRAM, "a CSI driver for volumes of StatefulSets", flags, argc, argv);
	check_endpoint();
	if (probe)
		return run_probe();
	check_flags();
	log_init((enum log_level)log_level_choice, (enum log_format)log_format_choice);
	signals = block_signals();
	raise_file_limit();
	backend.ops = backend_choice == BACKEND_NFS ? &backend_nfs : &backend_hostpath;
	if (backend_choice == BACKEND_NFS) {
		exports_init(&mounts, mount_dir ? mount_dir : default_mount_dir());
		backend.mounts = &mounts;
		exports_sweep(&mounts);
	}
	quota_begin_at((uint32_t)project_id_base);
	driver.stats_walk = stats_walk;
	driver.trash_rate = trash_rate;
	driver_start(&driver, driver_name, node_id, &backend);
	code = serve(&driver, &signals);
	driver_stop(&driver);
	if (backend.mounts)
		exports_done(&mounts);
	if (code == 0)
		log_info("stopped");
	return code;
}
