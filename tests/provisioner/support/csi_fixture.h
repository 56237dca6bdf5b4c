/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scripted driver on a socket, a client of it, and calls with all that they can carry. On the
 * test's own thread only: what must succeed fails the test where it does not.
 */
#ifndef ORDINAL_TESTS_CSI_FIXTURE_H
#define ORDINAL_TESTS_CSI_FIXTURE_H

#include "csi_client.h"
#include "scripted_driver.h"

extern struct csi_fixture {
	char *folder, *socket;
	struct scripted_options options; /* may be changed before the start */
	struct scripted_driver *server;  /* NULL: not started, or stopped by the test */
	struct csi_client *client;
	struct csi_driver driver;
	struct error err; /* of the last call */
} csi_fixture;

int csi_fixture_set_up(void **state);
int csi_fixture_tear_down(void **state);

/* Start the driver, and a client whose calls have this deadline where there is none. */
void csi_fixture_start(int timeout_ms);
int csi_fixture_identify(void);
void csi_fixture_ready(int timeout_ms); /* both; must succeed */

/* What the calls are made with. */
extern const struct strings csi_fixture_modes, csi_fixture_mount_options;
extern const struct string_map csi_fixture_parameters, csi_fixture_secrets;
extern const struct csi_create_request csi_fixture_plain; /* "pvc-1", 1 TiB */

int csi_fixture_create(const struct csi_create_request *request, struct csi_volume *ret_volume);
int csi_fixture_delete(const char *handle, const struct string_map *with);
int csi_fixture_expand(
	const struct csi_expand_request *request, int64_t *ret_bytes, bool *ret_node);

/* "pvc-0", which has 0 bytes, "pvc-1", which has 1, and so on. */
void csi_fixture_create_many(int count);

/* What a list told; it ends with "enough" beyond the limit. */
struct csi_listing {
	size_t count, limit;
	int64_t bytes;
};
int csi_fixture_list(struct csi_listing *listing);

#endif
