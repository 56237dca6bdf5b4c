/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the claim controller share: a claim "shop/c" and its class "fast" in a world,
 * and what the API server, the driver and the events say about them.
 */
#ifndef ORDINAL_TESTS_CLAIM_FIXTURE_H
#define ORDINAL_TESTS_CLAIM_FIXTURE_H

#include "claim_controller.h"
#include "world.h"

#define OURS "'volume.kubernetes.io/storage-provisioner': 'd.example.com'"
#define NODE "'volume.kubernetes.io/selected-node': 'node-1'"
#define SIZE "'storageClassName': 'fast', 'resources': {'requests': {'storage': '1Gi'}}"
#define CLAIM(annotations, more, spec)                                                             \
	"{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': 'u1', 'resourceVersion': '5',"     \
	" 'annotations': {" annotations "}" more "}, 'spec': {" spec "}}"
#define PLAIN CLAIM(OURS, "", SIZE)
#define CLASS(more)                                                                                \
	"{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'd.example.com'" more "}"

#define POST_PV   "POST /api/v1/persistentvolumes"
#define GET_PV    "GET /api/v1/persistentvolumes/pvc-u1"
#define PATCH_PVC "PATCH /api/v1/namespaces/shop/persistentvolumeclaims/c"

#define PROVISIONING                                                                               \
	"Normal Provisioning: External provisioner is provisioning volume for claim \"shop/c\"\n"
#define SUCCEEDED "Normal ProvisioningSucceeded: Successfully provisioned volume pvc-u1\n"
#define HOPELESS  "Volume provisioning failed with infeasible error. Retries will be delayed. "
#define HOPELESS_IS(why)                                                                           \
	"Warning ProvisioningFailed: " HOPELESS                                                    \
	"failed to provision volume with StorageClass \"fast\": " why "\n"
#define FAILED(why)                                                                                \
	"Warning ProvisioningFailed: failed to provision volume with StorageClass "                \
	"\"fast\": " why "\n"

static const struct driver_step made = {ERROR_NONE, "h1", 1LL << 30, {NULL}, {NULL}};

/* A world with one claim and one class, and a controller in it. */
struct fixture {
	struct world world;
	struct claim_controller *claims;
	struct error err;
	int64_t again_ms; /* what the last sync asked for */
};

static void begin(struct fixture *fixture, const char *claim, const char *class,
	const struct driver_step *driver, size_t driver_count, const struct api_step *api,
	size_t api_count)
{
	world_init(&fixture->world, driver, driver_count, api, api_count);
	if (claim)
		world_set(fixture->world.controller.claims, &claim_type, claim);
	if (class)
		world_set(fixture->world.controller.classes, &storage_class_type, class);
	fixture->claims = claim_controller_new(&fixture->world.controller);
}

static int sync_claim(struct fixture *fixture)
{
	fixture->err = (struct error){0};
	return claim_controller_sync(fixture->claims, "u1", &fixture->again_ms, &fixture->err);
}

static void end(struct fixture *fixture)
{
	claim_controller_free(fixture->claims);
	world_done(&fixture->world);
}

#define NODE_1 "{'metadata': {'name': 'node-1', 'uid': 'n1', 'labels': {'host': 'h1'}}}"
#define CSINODE                                                                                    \
	"{'metadata': {'name': 'node-1', 'uid': 'n1'}, 'spec': {'drivers':"                        \
	" [{'name': 'd.example.com', 'topologyKeys': ['host']}]}}"
#define LOST                                                                                       \
	{                                                                                          \
		ERROR_TIMEOUT, "slow", 0, {NULL},                                                  \
		{                                                                                  \
			NULL                                                                       \
		}                                                                                  \
	}
#define DELETED                                                                                    \
	{                                                                                          \
		ERROR_NONE, NULL, 0, {NULL},                                                       \
		{                                                                                  \
			NULL                                                                       \
		}                                                                                  \
	}
#define MADE                                                                                       \
	{                                                                                          \
		ERROR_NONE, "h1", 0, {NULL},                                                       \
		{                                                                                  \
			NULL                                                                       \
		}                                                                                  \
	}
#define GONE                                                                                       \
	{                                                                                          \
		GET_PV, ERROR_NOT_FOUND, "gone", true                                              \
	}

#endif
