/* SPDX-License-Identifier: Apache-2.0 */
#include "stack.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "measure.h"

#define PATH_SIZE 128

static const char *const eager_flags[] = {"--eager=false", "--eager=true"};

int stack_modes(const struct bench *bench)
{
	return bench->knows_eager ? 2 : 1;
}

const char *stack_mode_name(const struct bench *bench, int mode)
{
	return bench->knows_eager ? eager_flags[mode] : "provisioner";
}

bool stack_is_eager(const struct bench *bench, int mode)
{
	return bench->knows_eager && mode == 1;
}

static void start_driver(struct stack *stack, const struct bench *bench, const char *socket)
{
	_cleanup_free_ char *base = scratch_directory(&bench->scratch, "base");
	char endpoint[PATH_SIZE], root[PATH_MAX + 32], log[PATH_SIZE];
	char *const argv[] = {(char *)bench->driver, endpoint, root,
		(char *)"--nodeid=" CLUSTER_NODE, (char *)"--drivername=" CLUSTER_DRIVER, NULL};

	snprintf(endpoint, sizeof(endpoint), "--endpoint=unix://%s", socket);
	snprintf(root, sizeof(root), "--hostpath-root=%s", base);
	snprintf(log, sizeof(log), "%s/driver.log", bench->scratch.other);
	process_start(&stack->driver, log, argv);
	process_wait_listens(&stack->driver, socket);
}

static void start_provisioner(
	struct stack *stack, const struct bench *bench, const char *socket, int mode)
{
	char address[PATH_SIZE], kubeconfig[PATH_MAX + 32], log[PATH_SIZE];
	char *argv[] = {(char *)bench->provisioner, address, kubeconfig, NULL, NULL};

	if (bench->knows_eager)
		argv[3] = (char *)eager_flags[mode];
	snprintf(address, sizeof(address), "--csi-address=unix://%s", socket);
	snprintf(kubeconfig, sizeof(kubeconfig), "--kubeconfig=%s", bench->kubeconfig);
	snprintf(log, sizeof(log), "%s/provisioner.log", bench->scratch.other);
	stack->started = measure_now();
	process_start(&stack->provisioner, log, argv);
}

void stack_start(struct stack *stack, const struct bench *bench, int mode)
{
	char socket[PATH_SIZE];

	snprintf(socket, sizeof(socket), "%s/csi.sock", bench->scratch.other);
	start_driver(stack, bench, socket);
	start_provisioner(stack, bench, socket, mode);
}

void stack_stop(struct stack *stack)
{
	process_stop(&stack->provisioner);
	process_stop(&stack->driver);
}

void stack_warm(const struct bench *bench)
{
	watcher_reset(bench->watcher);
	claims_make(bench, 1);
	watcher_wait(bench->watcher, CLAIM_BOUND, 1);
	claims_remove(bench, 1);
	watcher_wait(bench->watcher, VOLUME_GONE, 1);
}

void stack_show_logs(const struct bench *bench)
{
	static const char *const names[] = {"driver", "provisioner"};
	char log[PATH_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(log, sizeof(log), "%s/%s.log", bench->scratch.other, names[i]);
		process_show_log(names[i], log);
	}
}
