/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinal-csi-helper: what ordinal-csi does in processes of their own, as a program that starts in
 * a fraction of the time, because it is not linked with gRPC. It is called as ordinal-csi calls
 * itself.
 */
#include "helper.h"

int main(int argc, char **argv)
{
	return helper_is_asked_for(argc, argv) ? helper_main(argc, argv) : 2;
}
