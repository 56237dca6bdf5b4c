/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include <stdio.h>

void driver_start(
	struct driver *driver, const char *name, const char *node_id, const struct backend *backend)
{
	driver->name = name;
	driver->node_id = node_id;
	driver->backend = backend;
	snprintf(driver->topology_key, sizeof(driver->topology_key), "topology.%s/node", name);
	keylock_init(&driver->busy);
	volumes_start(&driver->volumes, backend, driver->trash_rate);
}

void driver_stop(struct driver *driver)
{
	volumes_stop(&driver->volumes);
	keylock_done(&driver->busy);
}

void driver_interrupt(void *context)
{
	struct driver *driver = context;

	keylock_interrupt(&driver->busy);
	keylock_interrupt(&driver->volumes.busy);
	keylock_interrupt(&driver->volumes.bases.opening);
}
