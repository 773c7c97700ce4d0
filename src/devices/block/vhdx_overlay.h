// SPDX-License-Identifier: MIT
/*
 * A file seen as it will be when its log has been replayed, without writing to it: what the log
 * holds is kept in memory and laid over what is read. Read-only.
 */
#pragma once

#include "devices/block/vhdx_image.h"

/*
 * @file seen through the log of @image. The overlay does not own @file; destroying it leaves @file
 * as it was. When the log is empty, *ret is NULL.
 */
int vhdx_overlay_create(const struct vhdx_image *image, struct file *file, struct error *err,
			struct file **ret) must_check;
