/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that the benchmark makes, as JSON for printf. They are as large as real ones.
 */
#ifndef ORDINAL_BENCH_MANIFESTS_H
#define ORDINAL_BENCH_MANIFESTS_H

#include "cluster.h"
#include "volume_controller.h"

#define MANIFESTS_PLAIN "plain-%06lu-data" /* no StatefulSet's claim is called so */
#define MANIFESTS_SET   "bench"            /* its claims are data-bench-<number> */

#define MANIFESTS_TOPOLOGY "topology." CLUSTER_DRIVER "/node"

#define MANIFESTS_NAMESPACE "{\"metadata\": {\"name\": \"" CLUSTER_NAMESPACE "\"}}"

#define MANIFESTS_CLASS                                                                            \
	"{\"metadata\": {\"name\": \"" CLUSTER_CLASS "\"}, \"provisioner\": \"" CLUSTER_DRIVER     \
	"\", \"volumeBindingMode\": \"Immediate\", \"reclaimPolicy\": \"Delete\"}"

/* Without kubelet: it is never Ready, but the provisioner does not ask for that. */
#define MANIFESTS_NODE                                                                             \
	"{\"metadata\": {\"name\": \"" CLUSTER_NODE "\", \"labels\": {\"" MANIFESTS_TOPOLOGY       \
	"\": \"" CLUSTER_NODE "\"}}}"

#define MANIFESTS_CSI_NODE                                                                         \
	"{\"metadata\": {\"name\": \"" CLUSTER_NODE "\"}, \"spec\": {\"drivers\": [{\"name\": "    \
	"\"" CLUSTER_DRIVER "\", \"nodeID\": \"" CLUSTER_NODE "\", \"topologyKeys\": "             \
	"[\"" MANIFESTS_TOPOLOGY "\"]}]}}"

/* Name, class, and ", \"volumeName\": ..." or "". */
#define MANIFESTS_CLAIM                                                                            \
	"{\"metadata\": {\"name\": \"%s\", \"labels\": {\"app\": \"bench\"}}, \"spec\": "          \
	"{\"accessModes\": [\"ReadWriteOnce\"], \"storageClassName\": \"%s\", \"resources\": "     \
	"{\"requests\": {\"storage\": \"1Mi\"}}%s}}"

/* Name, finalizers, handle, a path's number, reclaim policy, class, claimRef or "". As the
 * provisioner makes one for our own driver. */
#define MANIFESTS_VOLUME                                                                           \
	"{\"metadata\": {\"name\": \"%s\", \"annotations\": {\"pv.kubernetes.io/provisioned-by\":" \
	" \"" CLUSTER_DRIVER "\"}, \"finalizers\": [%s]}, \"spec\": {\"capacity\": {\"storage\": " \
	"\"1Mi\"}, \"accessModes\": [\"ReadWriteOnce\"], \"csi\": {\"driver\": \"" CLUSTER_DRIVER  \
	"\", \"volumeHandle\": \"1:%s:L3Zhci9saWIvb3JkaW5hbA\", \"volumeAttributes\": "            \
	"{\"ordinal.dev/path\": \"/var/lib/ordinal/" CLUSTER_NAMESPACE "/data-%lu\"}}, "           \
	"\"persistentVolumeReclaimPolicy\": \"%s\", \"storageClassName\": \"%s\", "                \
	"\"volumeMode\": \"Filesystem\", \"nodeAffinity\": {\"required\": "                        \
	"{\"nodeSelectorTerms\": [{\"matchExpressions\": [{\"key\": \"" MANIFESTS_TOPOLOGY         \
	"\", \"operator\": \"In\", \"values\": [\"" CLUSTER_NODE "\"]}]}]}}%s}}"

#define MANIFESTS_FINALIZERS "\"" VOLUME_FINALIZER "\""

#define MANIFESTS_STATEFULSET                                                                      \
	"{\"metadata\": {\"name\": \"" MANIFESTS_SET "\"}, \"spec\": {\"replicas\": 0, "           \
	"\"podManagementPolicy\": \"Parallel\", \"serviceName\": \"bench\", \"selector\": "        \
	"{\"matchLabels\": {\"app\": \"set\"}}, \"template\": {\"metadata\": {\"labels\": "        \
	"{\"app\": \"set\"}}, \"spec\": {\"containers\": [{\"name\": \"c\", \"image\": \"none\"}]" \
	"}}, \"volumeClaimTemplates\": [{\"metadata\": {\"name\": \"data\"}, \"spec\": "           \
	"{\"accessModes\": [\"ReadWriteOnce\"], \"storageClassName\": \"" CLUSTER_CLASS            \
	"\", \"resources\": {\"requests\": {\"storage\": \"1Mi\"}}}}]}}"

#endif
