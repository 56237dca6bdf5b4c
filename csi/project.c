/* SPDX-License-Identifier: Apache-2.0 */
#include "project.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fs_calls.h"

int project_set(int fd, uint32_t id)
{
	struct fsxattr attributes;
	struct stat status;

	if (fstat(fd, &status) < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
		return -1;
	attributes.fsx_projid = id;
	if (S_ISDIR(status.st_mode))
		attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return fs_calls->set_attributes(fd, &attributes);
}

bool project_is(int fd, uint32_t id)
{
	struct fsxattr attributes;

	return ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0 && attributes.fsx_projid == id &&
	       (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT);
}

int project_join(int fd, int dir)
{
	struct fsxattr from, to;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &from) < 0 || ioctl(dir, FS_IOC_FSGETXATTR, &to) < 0)
		return -1;
	if (!(to.fsx_xflags & FS_XFLAG_PROJINHERIT) || from.fsx_projid == to.fsx_projid) {
		errno = EINVAL;
		return -1;
	}
	from.fsx_projid = to.fsx_projid;
	return fs_calls->set_attributes(fd, &from);
}
