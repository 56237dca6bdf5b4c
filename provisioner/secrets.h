/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets that a class names for its driver, under external-provisioner's csi.storage.k8s.io/
 * keys: which secret that is for one volume, and what is in it. Nothing that is in one is ever put
 * into an error.
 */
#ifndef ORDINAL_SECRETS_H
#define ORDINAL_SECRETS_H

#include "annotations.h"
#include "controller.h"

enum secret_use {
	SECRET_PROVISIONER,
	SECRET_CONTROLLER_PUBLISH,
	SECRET_NODE_STAGE,
	SECRET_NODE_PUBLISH,
	SECRET_CONTROLLER_EXPAND,
	SECRET_NODE_EXPAND,
	SECRET_CONTROLLER_MODIFY,
	SECRET_USES,
};

/* Both are NULL where no secret is needed. */
struct secret_reference {
	char *namespace;
	char *name;
};

void secret_reference_done(struct secret_reference *reference);

/* What the templates may speak of. All is borrowed. */
struct secrets_context {
	const char *volume_name;
	const char *claim_namespace, *claim_name; /* NULL: no claim is known */
	struct annotations *annotations;          /* the claim's; NULL: not to be had any more */
};

/* Whether PARAMETER of a class names a secret, and is not the driver's to see. The deprecated keys
 * (csiProvisionerSecretName, ...) name secrets as well, but drivers get them all the same. */
bool secrets_is_key(const char *parameter);

/* The keys for which secrets_is_key() is true, for a message. Static memory. */
const char *secrets_known_keys(void);

/* The secret that CLASS names for USE, or for all uses. ERROR_INVALID where its keys or their
 * templates are wrong, or a template has no value; else what reading the annotations led to. On
 * success secret_reference_done() is due for *RET. */
int secrets_resolve(const struct storage_class *class, enum secret_use use,
	const struct secrets_context *context, struct secret_reference *ret, struct error *err);

/* What is in the secret, decoded; nothing for an empty REFERENCE. ERROR_UNAVAILABLE where it is
 * not there (yet); ERROR_FAILED_PRECONDITION where a value is not text, which is all that CSI
 * takes. On success string_map_wipe() is due for *RET_DATA. */
int secrets_read(const struct kube_api *api, const struct secret_reference *reference,
	struct string_map *ret_data, struct error *err);

/* The secret for the deletion of VOLUME, as it says itself or else as its class does, and what is
 * in it. What is gone by then, the class, the claim or the secret, was not needed, as far as
 * anybody can tell: then there is nothing in *RET_DATA, for which string_map_wipe() is due. */
int secrets_read_for_deletion(const struct controller *controller, const struct volume *volume,
	struct string_map *ret_data, struct error *err);

#endif
