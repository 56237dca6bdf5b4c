/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that both programs and the manifests agree on. Everything else that has a name of its
 * own stands in the one file that uses it.
 */
#ifndef ORDINAL_NAMES_H
#define ORDINAL_NAMES_H

#define ORDINAL_VERSION "0.1.0"

#define ORDINAL_HOSTPATH_DRIVER "hostpath.ordinal.dev"
#define ORDINAL_NFS_DRIVER      "nfs.ordinal.dev"

/* Key in GetPluginInfo's manifest by which the provisioner knows our own drivers: only they get
 * the parameters below. */
#define ORDINAL_MANIFEST_KEY   "ordinal.dev/driver"
#define ORDINAL_MANIFEST_VALUE "ordinal-csi"

/* Keys of ours. As CreateVolume parameters the provisioner alone may say them; on PVs they are
 * labels and annotations. */
#define ORDINAL_KEY_PREFIX          "ordinal.dev/"
#define ORDINAL_KEY_NAMESPACE_UID   ORDINAL_KEY_PREFIX "namespace-uid"
#define ORDINAL_KEY_STATEFULSET     ORDINAL_KEY_PREFIX "statefulset"
#define ORDINAL_KEY_STATEFULSET_UID ORDINAL_KEY_PREFIX "statefulset-uid"
#define ORDINAL_KEY_TEMPLATE        ORDINAL_KEY_PREFIX "template"
#define ORDINAL_KEY_ORDINAL         ORDINAL_KEY_PREFIX "ordinal"

/* The UID of namespace kube-system: whose volume it is, where clusters share a disk or an export. A
 * parameter, and in the volume's context. */
#define ORDINAL_KEY_CLUSTER_UID ORDINAL_KEY_PREFIX "cluster-uid"

/* As an annotation of a claim, and so as a parameter: copy a volume though a pod uses it. */
#define ORDINAL_KEY_ALLOW_LIVE_COPY ORDINAL_KEY_PREFIX "allow-live-copy"

/* As an annotation of a claim: the id of the snapshot, or archive, that its volume begins with. */
#define ORDINAL_KEY_RESTORE_FROM ORDINAL_KEY_PREFIX "restore-from"

/* In a volume's context: where its data lie, for the administrator. */
#define ORDINAL_KEY_PATH ORDINAL_KEY_PREFIX "path"

/* The same: whose data it took up, if anybody's. */
#define ORDINAL_KEY_PREDECESSOR ORDINAL_KEY_PREFIX "predecessor"

/* The same: whether a quota enforces its size. */
#define ORDINAL_KEY_QUOTA  ORDINAL_KEY_PREFIX "quota"
#define ORDINAL_QUOTA_NONE "none"

/* In the context of a volume on NFS: how its class wants the export mounted. */
#define ORDINAL_KEY_MOUNT_OPTIONS ORDINAL_KEY_PREFIX "mount-options"

/* The standard extra create metadata of external-provisioner. */
#define CSI_KEY_PREFIX        "csi.storage.k8s.io/"
#define CSI_KEY_PVC_NAME      CSI_KEY_PREFIX "pvc/name"
#define CSI_KEY_PVC_NAMESPACE CSI_KEY_PREFIX "pvc/namespace"
#define CSI_KEY_PV_NAME       CSI_KEY_PREFIX "pv/name"

#endif
